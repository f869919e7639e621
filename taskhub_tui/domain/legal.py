"""Which of the seven decisions fits which state: the one table, read by every front end."""

from collections.abc import Mapping
from types import MappingProxyType

from taskhub_tui.domain.model import Action, Blocker, BlockerKind, Status, Task

GATE = "gate"
REVIEW = "review"
INTERRUPTED = "interrupted"

LEGAL: Mapping[tuple[Status, BlockerKind | None], tuple[Action, ...]] = MappingProxyType(
    {
        (Status.PENDING, None): (
            Action.PROVIDE_CONTEXT,
            Action.MODIFY,
            Action.REASSIGN,
            Action.CANCEL,
        ),
        (Status.IN_PROGRESS, None): (
            Action.PROVIDE_CONTEXT,
            Action.MODIFY,
            Action.REASSIGN,
            Action.CANCEL,
        ),
        (Status.PAUSED, None): (
            Action.PROVIDE_CONTEXT,
            Action.MODIFY,
            Action.REASSIGN,
            Action.CANCEL,
        ),
        (Status.BLOCKED, BlockerKind.APPROVAL): (
            Action.APPROVE,
            Action.DENY,
            Action.PROVIDE_CONTEXT,
            Action.MODIFY,
            Action.REASSIGN,
            Action.CANCEL,
        ),
        (Status.BLOCKED, BlockerKind.INPUT): (
            Action.PROVIDE_CONTEXT,
            Action.DENY,
            Action.MODIFY,
            Action.REASSIGN,
            Action.CANCEL,
        ),
        (Status.BLOCKED, BlockerKind.AUTH): (
            Action.APPROVE,
            Action.DENY,
            Action.REASSIGN,
            Action.CANCEL,
        ),
        (Status.BLOCKED, BlockerKind.INTERRUPTED): (
            Action.RETRY,
            Action.MODIFY,
            Action.REASSIGN,
            Action.CANCEL,
        ),
        (Status.FAILED, None): (Action.RETRY, Action.MODIFY, Action.REASSIGN, Action.CANCEL),
        (Status.COMPLETED, None): (),
        (Status.CANCELLED, None): (),
    }
)


def legal(task: Task, blocker: Blocker | None) -> tuple[Action, ...]:
    """Return the decisions that fit the task now, most likely first."""
    kind = blocker.kind if blocker is not None and task.status is Status.BLOCKED else None
    return LEGAL.get((task.status, kind), ())
