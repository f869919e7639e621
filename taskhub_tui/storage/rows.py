"""Rows of the database to things of the domain, and back."""

import json
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any, Generic, TypeVar

from taskhub_tui.domain.errors import Damaged
from taskhub_tui.domain.evolve import builder
from taskhub_tui.domain.model import (
    Action,
    Artifact,
    Blocker,
    BlockerKind,
    Choice,
    Event,
    NoticeKind,
    Notification,
    Priority,
    Stage,
    StageStatus,
    Status,
    Task,
    WaitingOn,
)
from taskhub_tui.storage import seals

T = TypeVar("T")

# Columns that people's decisions own, and those that the engine owns while it holds the task. The
# engine writes only its own, so that a decision made meanwhile is not written over.
PERSON = (
    "title", "request", "agent", "playbook", "options", "context", "priority", "stopping",
    "pausing", "stages", "deadline",
)  # fmt: skip
ENGINE = (
    "status", "changed", "seq", "waiting_on", "stage", "stage_name", "fraction", "note", "eta",
    "ready_at", "deps_left", "started", "ended", "error", "summary", "result", "holder", "fence",
    "stage_agent", "silent_since",
)  # fmt: skip
TASK = tuple(field.name for field in fields(Task))
_ID = TASK.index("id")
TASK_COLUMNS = ", ".join(f"task.{name}" for name in TASK)

STAGE = tuple(field.name for field in fields(Stage) if field.name != "task_id")
STAGE_COLUMNS = ", ".join(STAGE)
STAGE_ENGINE = (
    "status", "attempt", "failures", "approved", "fraction", "note", "started", "ended", "state",
    "output", "error", "log_mark", "limited", "worked",
)  # fmt: skip
"""What the engine writes of a stage; the rest people may change while it works."""

BLOCKER = (
    "id", "stage", "key", "kind", "question", "version", "created", "state", "choices", "detail",
    "risk", "attempt", "deadline", "default_action", "answer", "answered", "by", "channel",
)  # fmt: skip
BLOCKER_COLUMNS = ", ".join(f"blocker.{name}" for name in BLOCKER)

NOTIFICATION_COLUMNS = (
    "notification.id, task.id, notification.kind, notification.title, notification.body,"
    " notification.created, notification.seq, notification.blocker_id, notification.actions,"
    " notification.read, notification.withdrawn"
)


def _encoder() -> Callable[[Any], str]:
    plain = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return plain.encode
    # `encode` makes one of these at each call, which takes longer than what it is made for.
    quote = json.encoder.encode_basestring
    quick = make(None, plain.default, quote, None, ":", ",", False, False, True)
    return lambda value: "".join(quick(value, 0))


_encode = _encoder()


def dump(value: Any) -> str:
    text = _encode(value)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value)  # Half characters, as of a file name that is not UTF-8.
    return text


def load(text: str | None) -> Any:
    return None if text is None else json.loads(text)


_STATUS = {status.value: status for status in Status}
_WAITING = {waiting.value: waiting for waiting in WaitingOn}
_STAGE_STATUS = {status.value: status for status in StageStatus}
_PRIORITY = {priority.value: priority for priority in Priority}

_READ_TASK: dict[str, Callable[[Any], Any]] = {
    # The dictionaries are quicker than the classes, which say what is wrong with an odd value.
    "status": lambda value: _STATUS.get(value) or Status(value),
    "waiting_on": lambda value: value and (_WAITING.get(value) or WaitingOn(value)),
    "priority": lambda value: _PRIORITY[value] if value in _PRIORITY else Priority(value),
    "options": lambda text: {} if text == "{}" else json.loads(text),
    "context": lambda text: () if text == "[]" else tuple(json.loads(text)),
    "stopping": bool,
    "pausing": bool,
}
_READ_STAGE: dict[str, Callable[[Any], Any]] = {
    "status": lambda value: _STAGE_STATUS.get(value) or StageStatus(value),
    "options": _READ_TASK["options"],
    "gate": bool,
    "review": bool,
    "approved": bool,
    "state": load,
    "output": load,
}
_WRITE: dict[str, Callable[[Any], Any]] = {
    # SQLite takes exact types at once and asks an adapter about all others.
    "status": lambda status: status._value_,
    "waiting_on": lambda waiting: None if waiting is None else waiting._value_,
    "priority": int,
    "options": lambda options: dump(dict(options)) if options else "{}",
    "context": lambda words: dump(list(words)) if words else "[]",
    "stopping": int,
    "pausing": int,
    "gate": int,
    "review": int,
    "approved": int,
    "state": lambda value: None if value is None else dump(dict(value)),
    "output": lambda value: None if value is None else dump(dict(value)),
}
_TASK_READERS = tuple((TASK.index(name), read) for name, read in _READ_TASK.items())
_build_task = builder(Task)
_build_stage = builder(Stage)
_STAGE_READERS = tuple((STAGE.index(name) + 1, read) for name, read in _READ_STAGE.items())


def task(row: Any) -> Task:
    """Make a task of a row of `TASK_COLUMNS`.

    Raises:
        Damaged: it holds what nobody wrote.
    """
    values = list(row)
    try:
        for place, read in _TASK_READERS:
            values[place] = read(values[place])
    except (ValueError, TypeError):
        raise Damaged(
            f"What the database holds of task {row[_ID]} is damaged",
            "RETRY goes on with what can be read; `taskhub restore` puts a backup back instead",
        ) from None
    return _build_task(values)


def task_to_show(row: Any) -> Task:
    """Make a task of a row of `TASK_COLUMNS`, also where it holds what nobody wrote.

    One row that cannot be read must not keep all the others from being listed.
    """
    try:
        return task(row)
    except Damaged:
        values = dict(zip(TASK, row, strict=True))
        for name, instead in _INSTEAD.items():
            try:
                _READ_TASK[name](values[name])
            except (ValueError, TypeError):
                values[name] = instead
        values["error"] = "What the database holds of this task is damaged"
        return task(tuple(values.values()))


_INSTEAD = {"status": "failed", "waiting_on": None, "priority": 0, "options": "{}", "context": "[]"}
"""What is shown for a value that cannot be read."""


def task_values(task: Task, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the named columns of a task as SQLite takes them."""
    values: dict[str, Any] = {}
    for name in names:
        value = getattr(task, name)
        write = _WRITE.get(name)
        values[name] = value if write is None else write(value)
    return values


def stage(task_id: str, row: Any) -> Stage:
    """Make a stage of a row of `STAGE_COLUMNS`."""
    values = [task_id, *row]
    for place, read in _STAGE_READERS:
        values[place] = read(values[place])
    return _build_stage(values)


_EMPTY = {"status": "failed", "options": "{}", "state": None, "output": None}


def unreadable_stage(task_id: str, row: Any) -> Stage:
    """Make a stage to be shown of a row that holds what nobody wrote."""
    values = dict(zip(STAGE, row, strict=True))
    error = "What the database holds of this stage is damaged"
    return stage(task_id, tuple({**values, **_EMPTY, "error": error}.values()))


def stage_to_show(task_id: str, row: Any) -> Stage:
    """Make a stage of a row of `STAGE_COLUMNS`, also where it holds what nobody wrote."""
    try:
        return stage(task_id, row)
    except (ValueError, TypeError):
        return unreadable_stage(task_id, row)


def stage_values(stage: Stage) -> tuple[Any, ...]:
    """Return all columns of `STAGE` as SQLite takes them."""
    values = []
    for name in STAGE:
        value = getattr(stage, name)
        write = _WRITE.get(name)
        values.append(value if write is None else write(value))
    return tuple(values)


_SEALED = ("state", "output")


def stage_seal(stage: Stage) -> int:
    """Return the seal of a stage as it will be stored."""
    return seals.stage(
        stage.task_id,
        stage.position,
        stage.name,
        stage.attempt,
        int(stage.approved),
        stage.status._value_,
        _WRITE["state"](stage.state),
        _WRITE["output"](stage.output),
    )


_AT = operator.itemgetter(
    *(STAGE.index(name) for name in ("position", "name", "attempt", "approved", "status", "state",
                                     "output"))
)  # fmt: skip


def check_stage(task_id: str, row: Any, seal: int | None) -> None:
    """Raise Damaged unless a row of `STAGE_COLUMNS` is what was sealed."""
    if seal is not None:
        position, name, *rest = _AT(row)
        found = seals.stage(task_id, position, name, *rest)
        seals.check_stage(task_id, position, name, seal, found)


_TASK_PLAN = operator.itemgetter(*(TASK.index(name) for name in ("id", *seals.TASK_PLAN)))
_STAGE_PLAN = operator.itemgetter(*(STAGE.index(name) for name in seals.STAGE_PLAN))


def task_seal(values: Mapping[str, Any]) -> int:
    """Return the seal of a task by its columns as they will be stored."""
    return seals.plan(values["id"], *(values[name] for name in seals.TASK_PLAN))


def plan_seal(task_id: str, values: Sequence[Any]) -> int:
    """Return the seal of what a stage is to do, by its columns `STAGE` as they will be stored."""
    return seals.plan(task_id, *_STAGE_PLAN(values))


def check_task(row: Sequence[Any], seal: int | None) -> None:
    """Raise Damaged unless what a row of `TASK_COLUMNS` asks for is what was sealed."""
    if seal is not None:
        task_id, *values = _TASK_PLAN(row)
        seals.check_task(task_id, seal, values)


def check_plan(task_id: str, row: Sequence[Any], seal: int | None) -> None:
    """Raise Damaged unless what a row of `STAGE_COLUMNS` is to do is what was sealed."""
    if seal is not None:
        seals.check_plan(task_id, seal, _STAGE_PLAN(row))


class Diff(Generic[T]):
    """Which columns of a task or stage changed, as an UPDATE has them.

    Code is made for it, as for `evolve`, because every step compares a task and its stages.
    """

    def __init__(
        self,
        table: str,
        columns: tuple[str, ...],
        always: tuple[str, ...],
        rest: str,
        *,
        sealed: bool = False,
    ) -> None:
        """`always` are columns that others write too, so that what was read of them is stale.

        `rest` is how the statement ends; `sealed` makes a stage's seal its first value.
        """
        self._head, self._end = f"UPDATE {table} SET ", rest
        self._always = always
        self._rest = tuple(name for name in columns if name not in always)
        self._texts: dict[int, str] = {}
        code = ["def compare(old, new):", "    changed = 0", "    values = ["]
        code += [f"        {self._written(name)}," for name in always]
        code += ["    ]"]
        if sealed:
            code += ["    state = output = None"]
        for place, name in enumerate(self._rest):
            code += [
                f"    if new.{name} is not old.{name} and new.{name} != old.{name}:",
                f"        changed |= {1 << place}",
            ]
            if sealed and name in _SEALED:
                # Made once: it is what the seal covers, too.
                code += [
                    f"        {name} = {self._written(name)}",
                    f"        values.append({name})",
                ]
            else:
                code += [f"        values.append({self._written(name)})"]
        if sealed:
            code += [
                "    if new.status is done:",
                "        if output is None: output = write['output'](new.output)",
                "    elif state is None: state = write['state'](new.state)",
                "    values.append(seal(new.task_id, new.position, new.name, new.attempt,",
                "        int(new.approved), new.status._value_, state, output))",
            ]
        code += ["    return changed, values"]
        space: dict[str, Any] = {"write": _WRITE, "seal": seals.stage, "done": StageStatus.DONE}
        exec("\n".join(code), space)
        self._compare: Callable[[T, T], tuple[int, list[Any]]] = space["compare"]

    def __call__(self, old: T, new: T) -> tuple[str, list[Any]]:
        """Return the statement, and its values but for those in its end."""
        changed, values = self._compare(old, new)
        return self._texts.get(changed) or self._text(changed), values

    def _written(self, name: str) -> str:
        return f"write[{name!r}](new.{name})" if name in _WRITE else f"new.{name}"

    def _text(self, changed: int) -> str:
        names = [name for place, name in enumerate(self._rest) if changed >> place & 1]
        columns = ", ".join(f"{name} = ?" for name in (*self._always, *names))
        text = self._texts[changed] = self._head + columns + self._end
        return text


def blocker(task_id: str, row: Any) -> Blocker:
    """Make a blocker of a row of `BLOCKER_COLUMNS`."""
    v = dict(zip(BLOCKER, row, strict=True))
    default = v.pop("default_action")
    v["kind"] = BlockerKind(v["kind"])
    v["choices"] = tuple(Choice(*choice) for choice in json.loads(v["choices"]))
    v["detail"] = json.loads(v["detail"])
    v["answer"] = load(v["answer"])
    return Blocker(task_id=task_id, default=Action(default) if default else None, **v)


def blocker_values(blocker: Blocker) -> tuple[Any, ...]:
    """Return all columns of `BLOCKER` as SQLite takes them."""
    return (
        blocker.id,
        blocker.stage,
        blocker.key,
        blocker.kind.value,
        blocker.question,
        blocker.version,
        blocker.created,
        blocker.state,
        dump([(c.id, c.label, c.effect) for c in blocker.choices]),
        dump(dict(blocker.detail)),
        blocker.risk,
        blocker.attempt,
        blocker.deadline,
        blocker.default.value if blocker.default else None,
        None if blocker.answer is None else dump(dict(blocker.answer)),
        blocker.answered,
        blocker.by,
        blocker.channel,
    )


def event(row: Any) -> Event:
    id_, task_id, at, kind, position, by, channel, data, seq = row
    return Event(id_, task_id, at, kind, position, by, channel, json.loads(data), seq)


def notification(row: Any) -> Notification:
    """Make a notification of a row of `NOTIFICATION_COLUMNS`."""
    id_, task_id, kind, title, body, created, seq, blocker_id, actions, read, withdrawn = row
    return Notification(
        id_,
        task_id,
        NoticeKind(kind),
        title,
        body,
        created,
        seq,
        blocker_id,
        tuple(Action(name) for name in json.loads(actions)),
        read,
        withdrawn,
    )


def artifact(task_id: str, row: Any) -> Artifact:
    return Artifact(task_id, *row)
