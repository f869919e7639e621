"""Rows of the database to things of the domain, and back."""

import json
from collections.abc import Mapping
from typing import Any

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
FIXED = ("n", "id", "owner", "workdir", "created")
TASK = FIXED + PERSON + ENGINE
TASK_COLUMNS = ", ".join(f"task.{name}" for name in TASK)

STAGE = (
    "position", "name", "agent", "status", "prompt", "options", "gate", "review", "weight",
    "timeout", "retries", "retry_delay", "on_interrupt", "attempt", "failures", "approved",
    "fraction", "note", "estimate", "started", "ended", "state", "output", "error", "log_mark",
    "stall", "limited",
)  # fmt: skip
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


def dump(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value)  # Half characters, as of a file name that is not UTF-8.
    return text


def load(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def task(row: Any) -> Task:
    """Make a task of a row of `TASK_COLUMNS`."""
    v = dict(zip(TASK, row, strict=True))
    v["options"] = json.loads(v["options"])
    v["context"] = tuple(json.loads(v["context"]))
    v["status"] = Status(v["status"])
    v["waiting_on"] = WaitingOn(v["waiting_on"]) if v["waiting_on"] else None
    v["priority"] = Priority(v["priority"])
    v["stopping"] = bool(v["stopping"])
    v["pausing"] = bool(v["pausing"])
    return Task(**v)


def task_values(task: Task, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the named columns of a task as SQLite takes them."""
    values: dict[str, Any] = {}
    for name in names:
        value = getattr(task, name)
        if name in ("options", "context"):
            value = dump(dict(value) if isinstance(value, Mapping) else list(value))
        elif isinstance(value, bool):
            value = int(value)
        elif isinstance(value, Status | WaitingOn):
            value = value.value
        elif isinstance(value, Priority):
            value = int(value)
        values[name] = value
    return values


def stage(task_id: str, row: Any) -> Stage:
    """Make a stage of a row of `STAGE_COLUMNS`."""
    v = dict(zip(STAGE, row, strict=True))
    v["status"] = StageStatus(v["status"])
    v["options"] = json.loads(v["options"])
    v["state"] = load(v["state"])
    v["output"] = load(v["output"])
    for name in ("gate", "review", "approved"):
        v[name] = bool(v[name])
    return Stage(task_id=task_id, **v)


def stage_values(stage: Stage) -> tuple[Any, ...]:
    """Return all columns of `STAGE` as SQLite takes them."""
    values = []
    for name in STAGE:
        value = getattr(stage, name)
        if name == "options":
            value = dump(dict(value))
        elif name in ("state", "output"):
            value = None if value is None else dump(dict(value))
        elif name == "status":
            value = value.value
        elif isinstance(value, bool):
            value = int(value)
        values.append(value)
    return tuple(values)


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
