"""Rows of the database to things of the domain, and back."""

import json
from collections.abc import Callable
from dataclasses import fields
from operator import attrgetter
from typing import Any, Generic, TypeVar

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
TASK_COLUMNS = ", ".join(f"task.{name}" for name in TASK)

STAGE = tuple(field.name for field in fields(Stage) if field.name != "task_id")
STAGE_COLUMNS = ", ".join(STAGE)
STAGE_ENGINE = (
    "status", "attempt", "failures", "approved", "fraction", "note", "started", "ended", "state",
    "output", "error", "log_mark", "limited",
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


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def dump(value: Any) -> str:
    text = _encode(value)
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
_STAGE_READERS = tuple((STAGE.index(name) + 1, read) for name, read in _READ_STAGE.items())


def task(row: Any) -> Task:
    """Make a task of a row of `TASK_COLUMNS`."""
    values = list(row)
    for place, read in _TASK_READERS:
        values[place] = read(values[place])
    return Task(*values)


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
    return Stage(*values)


def stage_values(stage: Stage) -> tuple[Any, ...]:
    """Return all columns of `STAGE` as SQLite takes them."""
    values = []
    for name in STAGE:
        value = getattr(stage, name)
        write = _WRITE.get(name)
        values.append(value if write is None else write(value))
    return tuple(values)


class Diff(Generic[T]):
    """Which columns of a task or stage changed, as an UPDATE has them."""

    def __init__(self, table: str, columns: tuple[str, ...], always: tuple[str, ...]) -> None:
        """`always` are columns that others write too, so that what was read of them is stale."""
        self._head = f"UPDATE {table} SET " + ", ".join(f"{name} = ?" for name in always)
        self._always = attrgetter(*always)
        rest = tuple(name for name in columns if name not in always)
        self._rest = tuple((name, _WRITE.get(name)) for name in rest)
        self._get = attrgetter(*rest)
        self._texts: dict[tuple[str, ...], str] = {}

    def __call__(self, old: T, new: T) -> tuple[str, list[Any]]:
        """Return the statement up to its WHERE, and its values."""
        values = [*self._always(new)]
        names: tuple[str, ...] = ()
        for (name, write), was, now in zip(self._rest, self._get(old), self._get(new), strict=True):
            if was is not now and was != now:
                names += (name,)
                values.append(now if write is None else write(now))
        text = self._texts.get(names)
        if text is None:
            text = self._head + "".join(f", {name} = ?" for name in names)
            self._texts[names] = text
        return text, values


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
