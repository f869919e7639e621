"""Which of the seven decisions fits which state: the one table, read by every front end."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from taskhub_tui.domain.model import Action, Blocker, BlockerKind, Status, Task, WaitingOn

GATE = "gate"
REVIEW = "review"
INTERRUPTED = "interrupted"
STALLED = "stalled"
"""Keys of the engine's own questions; a stage may be asked about as stalled more than once."""

_STARTS_NOW = (
    Action.RETRY,
    Action.PROVIDE_CONTEXT,
    Action.MODIFY,
    Action.REASSIGN,
    Action.CANCEL,
)
Case: TypeAlias = tuple[Status, BlockerKind | WaitingOn | None]
LEGAL: Mapping[Case, tuple[Action, ...]] = MappingProxyType(
    {
        (Status.PENDING, None): (
            Action.PROVIDE_CONTEXT,
            Action.MODIFY,
            Action.REASSIGN,
            Action.CANCEL,
        ),
        (Status.PENDING, WaitingOn.PROVIDER): _STARTS_NOW,
        (Status.PENDING, WaitingOn.RETRY): _STARTS_NOW,
        (Status.IN_PROGRESS, BlockerKind.STALLED): (
            Action.APPROVE,
            Action.RETRY,
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
    why: BlockerKind | WaitingOn | None = None
    if task.status in (Status.BLOCKED, Status.IN_PROGRESS) and blocker is not None:
        why = blocker.kind
    elif task.status is Status.PENDING:
        why = task.waiting_on
    at = (task.status, why)
    return LEGAL[at] if at in LEGAL else LEGAL.get((task.status, None), ())
