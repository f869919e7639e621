"""What is said of a task in a few cells: where it is, how far, for how long.

Also for what is printed in a shell, so nothing of the app is imported here.
"""

from taskhub_tui.domain.durations import countdown, spell
from taskhub_tui.domain.limits import waits
from taskhub_tui.domain.model import (
    Stage,
    StageStatus,
    Status,
    Task,
    WaitingOn,
)
from taskhub_tui.domain.stall import silence
from taskhub_tui.domain.waiting import question as question
from taskhub_tui.tui.glyphs import Glyphs


def bar(fraction: float, width: int, glyphs: Glyphs) -> tuple[str, str]:
    """Return the filled and the empty part of a bar; a full one means done, not nearly done."""
    part = min(1.0, max(0.0, fraction))
    full = width if part >= 1 else min(width - 1, round(part * width))
    return glyphs.filled * full, glyphs.rest * (width - full)


def percent(fraction: float | None) -> str:
    """Return a percentage in four cells, rounded down; blank when it is unknown."""
    return "    " if fraction is None else f"{int(min(1.0, max(0.0, fraction)) * 100):3d}%"


def age(task: Task, now: float, *, step: float = 1.0) -> str:
    """Return how long the task has been as it is.

    Args:
        step: seconds by which it grows, from that age on and up to a minute.
    """
    match task.status:
        case Status.IN_PROGRESS:
            since = task.started or task.changed
        case Status.COMPLETED | Status.FAILED | Status.CANCELLED:
            since = task.ended or task.changed
        case Status.PENDING:
            since = task.created
        case _:
            since = task.changed
    seconds = now - since
    return spell(seconds - seconds % step if step <= seconds < 60 else seconds)


def calls(task: Task) -> bool:
    """True when a person is asked about the task."""
    running = task.status is Status.IN_PROGRESS
    return task.status is Status.BLOCKED or (running and task.waiting_on is WaitingOn.USER)


def left(task: Task, now: float, *, step: float = 1.0) -> str:
    """Return the time remaining, such as `~4m`; empty when it is unknown or nothing runs.

    Of a stage that gives no sign of life it is unknown: it would only grow.

    Args:
        step: seconds by which it shrinks in the last minute, but for its end.
    """
    if task.status is not Status.IN_PROGRESS or task.silent_since is not None:
        return ""
    if task.eta is None or task.eta <= now:
        return ""
    seconds = task.eta - now
    return "~" + spell(seconds + -seconds % step if step <= seconds < 60 else seconds)


def stage(task: Task, now: float, glyphs: Glyphs) -> str:
    """Return where the task is, `3/5 review`, or what it waits for."""
    if task.status.over and task.status is not Status.FAILED:
        return f"{min(task.stage, task.stages)}/{task.stages}"
    if task.stopping:
        return "stopping"
    if task.pausing:
        return "pausing"
    if task.status is Status.PENDING:
        match task.waiting_on:
            case WaitingOn.SCHEDULE:
                return "in " + spell(task.ready_at - now)
            case WaitingOn.DEPENDENCY:
                return f"after {task.deps_left}" if task.deps_left else "after others"
            case WaitingOn.RETRY:
                return "again " + countdown(task.ready_at - now)
            case WaitingOn.PROVIDER:
                return "limit " + countdown(task.ready_at - now)
            case WaitingOn.LIMIT:
                return "no free slot"
            case _ if not task.stage:
                return glyphs.dash
    if task.silent_since is not None:
        return "silent " + spell(now - task.silent_since)
    return f"{min(task.stage + 1, task.stages)}/{task.stages} {task.stage_name}"


def told(stage: Stage, task: Task, now: float) -> str:
    """Return what there is to say of a stage's time."""
    parts = []
    match stage.status:
        case StageStatus.DONE:
            if stage.started is not None and stage.ended is not None:
                parts.append(spell(stage.ended - stage.started))
        case StageStatus.RUNNING if stage.started is not None:
            parts.append(spell(now - stage.started))
            if stage.fraction is not None:
                parts.append(percent(stage.fraction).strip())
            if stage.estimate is not None:
                parts.append(f"usually {spell(stage.estimate)}")
            if task.silent_since is not None:
                parts.append(silence(task.silent_since, now))
        case StageStatus.BLOCKED:
            parts.append(f"waiting {spell(now - task.changed)}")
        case StageStatus.WAITING:
            parts.append(waits(task, now) or "goes on in its turn")
        case StageStatus.PENDING if stage.estimate is not None:
            parts.append(f"usually {spell(stage.estimate)}")
        case StageStatus.FAILED if stage.ended is not None:
            parts.append(f"{spell(now - stage.ended)} ago")
        case _:
            pass
    if stage.attempt > 1:
        parts.append(f"attempt {stage.attempt}")
    if stage.status is StageStatus.PENDING and stage.gate and not stage.approved:
        parts.append("asks first")
    return ", ".join(parts)
