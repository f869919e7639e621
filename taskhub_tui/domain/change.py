"""What one transaction writes about one task."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from taskhub_tui.domain.model import Action, Blocker, NoticeKind, Stage, Task
from taskhub_tui.records import dataclass


@dataclass(frozen=True, slots=True)
class Happened:
    """An event to be written."""

    kind: str
    stage: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Notice:
    """A notification to be written."""

    kind: NoticeKind
    title: str
    body: str
    actions: tuple[Action, ...] = ()
    blocker_id: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What one transaction writes about one task."""

    task: Task
    stages: tuple[Stage, ...] = ()
    """The stages that changed."""
    replan: bool = False
    """True: `stages` replaces every stage from the first of them on."""
    blocker: Blocker | None = None
    """A new or changed blocker."""
    events: tuple[Happened, ...] = ()
    notice: Notice | None = None
    withdraw: bool = False
    """True: the notifications that asked about this task are taken back."""
    unblocks: bool = False
    """True: tasks that wait for this one may go on."""
    alive: bool = False
    """True: the question whether the stage is stuck is withdrawn, for it has got on."""
    drops: bool = False
    """True: tasks that wait for this one cannot go on."""
