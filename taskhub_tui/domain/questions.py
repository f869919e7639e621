"""The engine's own questions: before a stage, after it, cut off, and without a sign of life."""

from collections.abc import Sequence
from typing import Any

from taskhub_tui.domain import durations
from taskhub_tui.domain.legal import GATE, INTERRUPTED, REVIEW
from taskhub_tui.domain.model import Blocker, BlockerKind, Stage, Task

LOOK = "Look at its log; what it has done already may be done twice"
"""What to do before one says that what was cut off may run again."""


def gate(stage: Stage, task: Task, stages: Sequence[Stage], blocker_id: str, now: float) -> Blocker:
    """Return the question that stands before a stage; it shows what came out so far."""
    so_far = {
        earlier.name: text
        for earlier in stages[: stage.position]
        if (text := str((earlier.output or {}).get("text") or ""))
    }
    detail = _plan_of(stage, task)
    if so_far:
        detail["so far"] = so_far
    return Blocker(
        id=blocker_id,
        task_id=task.id,
        stage=stage.position,
        key=GATE,
        kind=BlockerKind.APPROVAL,
        question=f"May the stage “{stage.name}” start?",
        version=1,
        created=now,
        detail=detail,
        attempt=stage.attempt + 1,
    )


def review(stage: Stage, task: Task, blocker_id: str, now: float) -> Blocker:
    """Return the question that stands after a stage."""
    output = stage.output or {}
    detail = {"result": output.get("text") or "(no summary)"}
    if task.result:
        detail["file"] = task.result
    return Blocker(
        id=blocker_id,
        task_id=task.id,
        stage=stage.position,
        key=REVIEW,
        kind=BlockerKind.APPROVAL,
        question=f"Is the result of the stage “{stage.name}” good?",
        version=1,
        created=now,
        detail=detail,
        attempt=stage.attempt,
    )


def interrupted(stage: Stage, task: Task, blocker_id: str, now: float, said: str) -> Blocker:
    """Return the question whether a stage that was cut off may be run again."""
    return Blocker(
        id=blocker_id,
        task_id=task.id,
        stage=stage.position,
        key=INTERRUPTED,
        kind=BlockerKind.INTERRUPTED,
        question=f"The stage “{stage.name}” was interrupted. Run it again?",
        version=1,
        created=now,
        detail={"reason": said, "first": LOOK, **_plan_of(stage, task)},
        attempt=stage.attempt,
    )


def stalled(
    stage: Stage, task: Task, blocker_id: str, key: str, since: float, now: float
) -> Blocker:
    """Return the question about a stage that has given no sign of life since `since`."""
    silent = durations.countdown(now - since)
    last = {"last said": task.note} if task.note else {}
    return Blocker(
        id=blocker_id,
        task_id=task.id,
        stage=stage.position,
        key=key,
        kind=BlockerKind.STALLED,
        question=f"The stage “{stage.name}” has given no sign of life for {silent}."
        " Leave it running?",
        version=1,
        created=now,
        detail={**last, **_plan_of(stage, task)},
        attempt=stage.attempt,
    )


def _plan_of(stage: Stage, task: Task) -> dict[str, Any]:
    options = {**task.options, **stage.options}
    detail: dict[str, Any] = {"agent": stage.agent}
    if command := options.get("argv") or options.get("shell"):
        detail["command"] = command
    detail["request"] = stage.prompt or task.request
    return detail
