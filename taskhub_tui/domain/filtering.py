"""The language in which people say which tasks they want to see. Pure: text in, terms out.

A filter is a row of terms, all of which must hold: `backfill status:failed !agent:command
older:2d`. A term is a word, or `field:value` with several values separated by commas, of which
one must fit; `!` before it turns it round, and quotes hold a phrase together. `matches` says
whether a task fits; `storage.filters` asks the database the same.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from taskhub_tui.domain import durations
from taskhub_tui.domain.errors import BadInput
from taskhub_tui.domain.model import Priority, Status, Task, WaitingOn
from taskhub_tui.records import dataclass

Value: TypeAlias = str | float | Priority

STATES: Mapping[str, frozenset[Status]] = {
    "blocked": frozenset({Status.BLOCKED}),
    "failed": frozenset({Status.FAILED}),
    "running": frozenset({Status.IN_PROGRESS}),
    "in_progress": frozenset({Status.IN_PROGRESS}),
    "queued": frozenset({Status.PENDING}),
    "pending": frozenset({Status.PENDING}),
    "paused": frozenset({Status.PAUSED}),
    "done": frozenset({Status.COMPLETED}),
    "completed": frozenset({Status.COMPLETED}),
    "cancelled": frozenset({Status.CANCELLED}),
    "open": frozenset(status for status in Status if not status.over),
    "over": frozenset(status for status in Status if status.over),
}
NEEDS, STALLED = "needs", "stalled"
"""Not of one status: who is asked, and who is asked about since it gives no sign of life."""
STATUS_WORDS = (
    "needs", "failed", "running", "queued", "paused", "blocked", "stalled", "done", "cancelled",
    "open", "over", "pending", "in_progress", "completed",
)  # fmt: skip
_SHOWN = STATUS_WORDS[:11]
MEANING: Mapping[str, str] = {
    "status": ", ".join(_SHOWN),
    "agent": "the task's agent, or that of its stage; the beginning is enough",
    "stage": "words in the name of its stage",
    "owner": "who handed it over; the beginning is enough",
    "playbook": "the playbook it was made from; the beginning is enough",
    "priority": ", ".join(one.name.lower() for one in reversed(Priority)),
    "id": "its ID, or the beginning of it",
    "older": "AGE is more than this: 90s, 10m, 2h, 3d",
    "newer": "AGE is less than this: 90s, 10m, 2h, 3d",
    "ran": "how long it ran: >1h, <10m",
}
FIELDS = tuple(MEANING)
_FIELD = re.compile(r"([A-Za-z_]+):(.*)", re.DOTALL)
_TOKEN = re.compile(r'(?:[^\s"]|"[^"]*(?:"|$))+')
_BARE = re.compile(r"\d+(?:\.\d+)?")


class BadFilter(BadInput):
    """A filter says something that nothing can fit; the hint says what would do."""


@dataclass(frozen=True, slots=True)
class Term:
    """One condition."""

    field: str
    """`word`, or one of `FIELDS`."""
    values: tuple[Value, ...]
    """One must fit. Of `older` and `newer` seconds; of `ran` seconds, negative: less than that."""
    inverse: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions, all of which must hold; none at all lets every task through."""

    terms: tuple[Term, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.terms)


def parse(text: str) -> Filter:
    """Read a filter.

    Raises:
        BadFilter: a field or a value is none; the hint names those that are.
    """
    return Filter(tuple(_term(token) for token in _TOKEN.findall(text) if token.strip('!"')))


def _term(token: str) -> Term:
    inverse = token.startswith("!")
    bare = token[1:] if inverse else token
    found = None if bare.startswith('"') else _FIELD.fullmatch(bare)
    if found is None:
        return Term("word", (bare.replace('"', ""),), inverse)
    field = _one_of(found[1].lower(), FIELDS, "field", bare)
    parts = [part.strip() for part in found[2].replace('"', "").split(",")]
    values = tuple(_value(field, part) for part in parts if part)
    if not values:
        raise BadFilter(f"`{field}:` needs a value", MEANING[field])
    return Term(field, values, inverse)


def _one_of(word: str, known: Sequence[str], what: str, token: str) -> str:
    """Return the one of `known` that `word` names, in full or by its beginning."""
    if word in known:
        return word
    near = [one for one in known if word and one.startswith(word)]
    if len(near) == 1:
        return near[0]
    if near:
        raise BadFilter(f"`{word}` may be {' or '.join(near)}", "Give one more letter")
    if what == "field":
        raise BadFilter(
            f"`{word}` is not a field",
            f'Fields: {", ".join(known)}. To look for it as it is, put it in quotes: "{token}"',
        )
    raise BadFilter(f"`{word}` is no {what}", "One of " + ", ".join(known[:11]))


def _value(field: str, word: str) -> Value:
    match field:
        case "status":
            short = word.lower().replace("-", "_")
            names = [name for name in STATUS_WORDS if name.startswith(short)]
            # `com` and `pen` are other names of what has one already.
            if len({STATES.get(name, name) for name in names}) == 1:
                return names[0]
            return _one_of(short, STATUS_WORDS, "status", word)
        case "priority":
            names = [one.name.lower() for one in reversed(Priority)]
            return Priority[_one_of(word.lower(), names, "priority", word).upper()]
        case "older" | "newer":
            return _seconds(field, word)
        case "ran":
            less = word.startswith("<")
            seconds = _seconds(field, word.lstrip("<>="))
            return -seconds if less else seconds
    return word


def _seconds(field: str, word: str) -> float:
    example = f"Write it like {field}:90s, {field}:10m, {field}:1h30m or {field}:2d"
    if _BARE.fullmatch(word):
        raise BadFilter(f"`{field}:{word}` needs a unit", example)
    try:
        return durations.parse(word)
    except ValueError:
        raise BadFilter(f"`{word}` is not a duration", example) from None


# Whether a task fits


def since(task: Task) -> float:
    """Return since when the task has been as it is: what AGE counts from."""
    match task.status:
        case Status.IN_PROGRESS:
            return task.started or task.changed
        case Status.COMPLETED | Status.FAILED | Status.CANCELLED:
            return task.ended or task.changed
        case Status.PENDING:
            return task.created
    return task.changed


def asked(task: Task) -> bool:
    """Return whether a person is asked about the task."""
    running = task.status is Status.IN_PROGRESS
    return task.status is Status.BLOCKED or (running and task.waiting_on is WaitingOn.USER)


def matches(wanted: Filter, task: Task, now: float) -> bool:
    """Return whether a task fits, as the database would find it."""
    return all(
        any(_fits(term.field, value, task, now) for value in term.values) is not term.inverse
        for term in wanted.terms
    )


_LOW = str.maketrans({chr(c): chr(c + 32) for c in range(ord("A"), ord("Z") + 1)})


def low(text: str) -> str:
    """Return `text` with A to Z as small letters, as SQLite compares it."""
    return text.translate(_LOW)


def _begins(text: str | None, start: str) -> bool:
    return low(text or "").startswith(low(start))


def _status(word: str, task: Task) -> bool:
    if word == NEEDS:
        return asked(task)
    if word == STALLED:
        return task.status is Status.IN_PROGRESS and task.waiting_on is WaitingOn.USER
    return task.status in STATES[word]


def _word(word: str, task: Task) -> bool:
    texts = (task.title, task.request, task.agent, task.id, task.note)
    return any(low(word) in low(text) for text in texts)


def _ran(seconds: float, task: Task, now: float) -> bool:
    if task.started is None:
        return False
    took = (now if task.ended is None else task.ended) - task.started
    return took < -seconds if seconds < 0 else took >= seconds


_FITS: Mapping[str, Callable[[str, Task], bool]] = {
    "word": _word,
    "status": _status,
    "agent": lambda value, task: _begins(task.agent, value) or _begins(task.stage_agent, value),
    "stage": lambda value, task: low(value) in low(task.stage_name),
    "owner": lambda value, task: _begins(task.owner, value),
    "playbook": lambda value, task: _begins(task.playbook, value),
    "id": lambda value, task: _begins(task.id, value),
}


def _fits(field: str, value: Value, task: Task, now: float) -> bool:
    if isinstance(value, Priority):
        return task.priority is value
    if isinstance(value, str):
        return _FITS[field](value, task)
    if field == "ran":
        return _ran(value, task, now)
    age = now - since(task)
    return age > value if field == "older" else age < value


# While it is typed


@dataclass(frozen=True, slots=True)
class Help:
    """What may be typed at the end of a filter."""

    completion: str
    """What the last word lacks; empty when that is not clear."""
    words: str
    """What would do there, in words; empty when anything would."""


def help_for(text: str, known: Mapping[str, Sequence[str]]) -> Help:
    """Say what may come at the end of a filter that is being typed.

    Args:
        known: values of fields that only the database knows, such as `agent`.
    """
    token = "" if not text or text[-1].isspace() else text.split()[-1]
    bare = token.removeprefix("!")
    name, colon, rest = bare.partition(":")
    if not colon:
        near = [field for field in FIELDS if bare and field.startswith(bare.lower())]
        completion = near[0][len(bare) :] + ":" if near and len(bare) > 1 else ""
        return Help(
            completion, "" if bare and not near else " ".join(f"{f}:" for f in near or FIELDS)
        )
    fields = [field for field in FIELDS if field.startswith(name.lower())]
    field = name.lower() if name.lower() in FIELDS else fields[0] if len(fields) == 1 else ""
    if not field:
        return Help("", "")
    values: Sequence[str] = known.get(field, ())
    if field == "status":
        values = _SHOWN
    elif field == "priority":
        values = [one.name.lower() for one in reversed(Priority)]
    last = rest.rpartition(",")[2].lower()
    fitting = [value for value in values if low(value).startswith(last)]
    completion = fitting[0][len(last) :] if fitting and last else ""
    words = ", ".join(fitting) if fitting else "" if values else MEANING[field]
    return Help(completion, f"{field}: {words}" if words else "")
