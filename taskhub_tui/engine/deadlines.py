"""What is done, each in one transaction, when a task or a question has passed its deadline."""

import contextlib
from collections.abc import Callable, Sequence

from taskhub_tui.domain import lifecycle
from taskhub_tui.domain.errors import BadInput, Damaged, NotLegal
from taskhub_tui.domain.model import Action, Blocker, Decision, Stage, Task
from taskhub_tui.storage import changes, queries
from taskhub_tui.storage.damage import condemn, sound_by_id
from taskhub_tui.storage.writer import Tx


def miss(tx: Tx, task_id: str, clock: Callable[[], float]) -> None:
    """Fail a task whose deadline has passed; its agent is stopped as with CANCEL."""
    now = clock()
    if (found := _sound(tx, task_id, now)) is None:
        return
    change = lifecycle.miss_deadline(*found, now)
    if change is not None:
        changes.write_decided(tx, change, by="engine", channel="deadline")


def expire(
    tx: Tx, task_id: str, blocker_id: str, default: Action, clock: Callable[[], float]
) -> None:
    """Take the default for a question that nobody answered in time."""
    now = clock()
    if (found := _sound(tx, task_id, now)) is None:
        return
    blocker = found[2]
    if blocker is None or blocker.id != blocker_id:
        return
    decision = Decision(default, by="nobody", channel="timeout")
    with contextlib.suppress(NotLegal, BadInput):
        change = lifecycle.decide(*found, decision, now)
        changes.write_decided(tx, change, by="nobody", channel="timeout")


def _sound(tx: Tx, task_id: str, now: float) -> tuple[Task, Sequence[Stage], Blocker | None] | None:
    """Return a task, its stages and its open question; a damaged one fails, and is None."""
    known = sound_by_id(tx, task_id, now)
    if known is None:
        return None
    try:
        return known.task, known.stages, queries.open_blocker(tx, known.task)
    except Damaged as error:
        condemn(tx, known.task.n, error, now)
        return None
