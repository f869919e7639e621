"""One wish for many tasks: what it would do to each. Pure."""

from enum import StrEnum

from taskhub_tui.domain.legal import legal
from taskhub_tui.domain.model import Action, Blocker, Priority, Status, Task
from taskhub_tui.records import dataclass


class Deed(StrEnum):
    """What can be done to many tasks at once; answers to questions are no such thing."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    RETRY = "retry"
    PRIORITY = "priority"


_NAMES = {
    Status.PENDING: "queued",
    Status.IN_PROGRESS: "running",
    Status.BLOCKED: "waiting for you",
    Status.PAUSED: "paused",
    Status.COMPLETED: "done",
    Status.FAILED: "failed",
    Status.CANCELLED: "cancelled",
}


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a deed would do to one task."""

    task_id: str
    title: str
    words: str
    """What happens, or why nothing can."""
    possible: bool


def forecast(
    task: Task, blocker: Blocker | None, deed: Deed, priority: Priority | None = None
) -> Forecast:
    """Say what `deed` would do to a task as it stands."""
    words = _possible(task, blocker, deed, priority)
    state = _NAMES[task.status]
    if words is None:
        return Forecast(task.id, task.title, f"it is {state}", possible=False)
    return Forecast(task.id, task.title, words, possible=True)


def _possible(
    task: Task, blocker: Blocker | None, deed: Deed, priority: Priority | None
) -> str | None:
    can = legal(task, blocker)
    match deed:
        case Deed.PAUSE:
            if task.status is Status.PENDING:
                return "is held at once"
            running = task.status is Status.IN_PROGRESS and not (task.pausing or task.stopping)
            return "is held after its stage" if running else None
        case Deed.RESUME:
            held = task.status is Status.PAUSED or task.pausing
            return "goes on" if held else None
        case Deed.CANCEL if Action.CANCEL in can:
            return "is stopped for good" if task.status is Status.IN_PROGRESS else "ends for good"
        case Deed.RETRY if Action.RETRY in can:
            return "runs its stage again" if task.status is Status.FAILED else "is tried now"
        case Deed.PRIORITY if Action.MODIFY in can and priority is not None:
            return f"{task.priority.name.lower()} to {priority.name.lower()}"
    return None
