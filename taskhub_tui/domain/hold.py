"""Holding a task between two stages, and letting it go on. Pure, as `lifecycle` is."""

from dataclasses import replace

from taskhub_tui.domain.change import Change, Happened
from taskhub_tui.domain.errors import NotLegal
from taskhub_tui.domain.model import Status, Task, WaitingOn


def pause(task: Task, now: float) -> Change:
    """Return what holding a task between two stages makes of it.

    Raises:
        NotLegal: it is neither waiting for its turn nor running.
    """
    if task.status is Status.PENDING:
        task = replace(task, status=Status.PAUSED, waiting_on=None, changed=now, eta=None)
        return Change(task, events=(Happened("paused"),))
    if task.status is Status.IN_PROGRESS:
        task = replace(task, pausing=True, changed=now)
        return Change(task, events=(Happened("pause asked"),))
    state = task.status.value.replace("_", " ")
    raise NotLegal(f"Task {task.id} is {state}; only one that waits or runs can be paused")


def resume(task: Task, now: float) -> Change:
    """Return what letting a paused task go on makes of it.

    Raises:
        NotLegal: it is not paused.
    """
    if task.status is Status.PAUSED:
        waiting = WaitingOn.DEPENDENCY if task.deps_left else None
        if waiting is None and task.ready_at > now:
            waiting = WaitingOn.SCHEDULE if task.started is None else WaitingOn.RETRY
        task = replace(task, status=Status.PENDING, waiting_on=waiting, pausing=False, changed=now)
        return Change(task, events=(Happened("resumed"),))
    if task.pausing:
        return Change(replace(task, pausing=False, changed=now), events=(Happened("resumed"),))
    raise NotLegal(f"Task {task.id} is not paused")
