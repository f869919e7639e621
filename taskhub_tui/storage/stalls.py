"""Stages that give no sign of life: shown, asked about, and taken back once they say something."""

import logging
from dataclasses import replace

from taskhub_tui.domain import execution, questions
from taskhub_tui.domain.errors import Damaged, LeaseLost
from taskhub_tui.domain.legal import STALLED
from taskhub_tui.domain.model import BlockerKind, Stage, Status, Task
from taskhub_tui.storage import changes, queries
from taskhub_tui.storage.writer import Tx

log = logging.getLogger("taskhub.engine")


def show(tx: Tx, task: Task, stage: Stage, since: float, now: float) -> None:
    """Note that the agent of a task has been silent since `since`.

    Raises:
        LeaseLost: the fence is stale.
    """
    _mine(
        tx.execute(
            "UPDATE task SET silent_since = ?, seq = ?"
            " WHERE n = ? AND fence = ? AND status = ? AND stage = ?",
            (since, tx.seq, task.n, task.fence, Status.IN_PROGRESS.value, stage.position),
        ).rowcount
    )
    facts = {"agent": stage.agent, "silent": round(now - since)}
    tx.loud = True
    changes.add_event(tx, task.n, now, "stalled", stage.position, "engine", "worker", facts)


def again(tx: Tx, task: Task, stage: Stage, since: float) -> None:
    """Correct since when the agent of a task has been silent: the time of day was set meanwhile.

    Raises:
        LeaseLost: the fence is stale.
    """
    _mine(
        tx.execute(
            "UPDATE task SET silent_since = ?, seq = ?"
            " WHERE n = ? AND fence = ? AND stage = ? AND silent_since IS NOT NULL",
            (since, tx.seq, task.n, task.fence, stage.position),
        ).rowcount
    )
    tx.loud = True


def ask(
    tx: Tx, task: Task, stage: Stage, blocker_id: str, since: float, now: float, pause: float
) -> float:
    """Ask a person about a silent stage, unless one was asked less than `pause` seconds ago.

    Returns in how many seconds to come again: the question is then asked anew if somebody has
    answered this one by leaving the stage alone, and it is still silent.

    Raises:
        LeaseLost: the fence is stale.
        Damaged: the database holds of the task what was never written.
    """
    current = queries.task_by_id(tx, task.id)
    runs = current.status is Status.IN_PROGRESS and current.stage == stage.position
    _mine(runs and current.fence == task.fence)
    try:
        if queries.open_blocker(tx, current) is not None:
            return pause
    except Damaged as damage:
        # While a stage runs only this is asked, and nobody has relied on it yet: the stage runs on.
        log.error("%s; it is taken back and asked anew", damage)
        _take_back(tx, current, now)
    count, last = tx.execute(
        "SELECT count(*), max(answered) FROM blocker"
        " WHERE task_n = ? AND stage = ? AND attempt = ? AND kind = ?",
        (task.n, stage.position, stage.attempt, BlockerKind.STALLED.value),
    ).fetchone()
    # Not one that is yet to come, since the clock was put back: that would be a long time.
    if last is not None and last <= now < last + pause:
        return float(last) + pause - now
    key = f"{STALLED} {count + 1}"
    blocker = questions.stalled(stage, current, blocker_id, key, since, now)
    change = execution.ask_about(current, blocker, now)
    changes.write_decided(tx, change, by="engine", channel="worker")
    return pause


def alive(tx: Tx, task: Task, stage: Stage, now: float) -> None:
    """Note that a silent agent has given a sign of life.

    Raises:
        LeaseLost: the fence is stale.
    """
    _mine(
        tx.execute(
            "UPDATE task SET silent_since = NULL, waiting_on = NULL, seq = ?"
            " WHERE n = ? AND fence = ? AND status = ? AND stage = ?",
            (tx.seq, task.n, task.fence, Status.IN_PROGRESS.value, stage.position),
        ).rowcount
    )
    tx.loud = True
    changes.withdraw_stalled(tx, replace(task, changed=now))
    changes.add_event(tx, task.n, now, "alive", stage.position, "engine", "worker", {})


def _take_back(tx: Tx, task: Task, now: float) -> None:
    """Withdraw the open question of a task, whatever has become of what it holds."""
    tx.told = True
    tx.execute(
        "UPDATE blocker SET state = 'withdrawn', seq = ?, seal = NULL"
        " WHERE task_n = ? AND state = 'open'",
        (tx.seq, task.n),
    )
    tx.execute(
        "UPDATE notification SET withdrawn = ?, seq = ?"
        " WHERE task_n = ? AND withdrawn IS NULL AND kind = 'blocker'",
        (now, tx.seq, task.n),
    )


def _mine(held: object) -> None:
    if not held:
        raise LeaseLost("The task has been taken over")
