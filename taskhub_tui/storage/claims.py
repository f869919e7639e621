"""Workers, their leases, and the tasks they hold.

A worker's lease is one row, renewed for all its tasks at once. A task names its holder and has a
fence; whoever takes it over raises the fence, so that a late writer changes no row.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from taskhub_tui.domain.limits import NO_LIMITS, Limits
from taskhub_tui.domain.model import Stage, StageStatus, Status, Task
from taskhub_tui.domain.views import WorkerInfo
from taskhub_tui.process import Identity
from taskhub_tui.storage import lanes, rows
from taskhub_tui.storage.changes import add_event
from taskhub_tui.storage.queries import Reader, stages_of
from taskhub_tui.storage.writer import Tx


@dataclass(frozen=True, slots=True)
class Claimed:
    """A task that this worker now holds."""

    task: Task
    stages: tuple[Stage, ...]
    interrupted: bool = False
    """True when it was taken from a worker that is gone."""


CLAIM = f"""
    UPDATE task SET status = 'in_progress', waiting_on = NULL, holder = :me, fence = fence + 1,
                    started = COALESCE(started, :now), changed = :now, seq = :seq
     WHERE n IN (SELECT value FROM json_each(:picked))
 RETURNING {rows.TASK_COLUMNS}
"""

REQUEUE = """
    UPDATE task SET status = 'pending', waiting_on = NULL, ready_at = :now, eta = NULL,
                    holder = NULL, silent_since = NULL
     WHERE n = :n
"""

TAKE_OVER = f"""
    UPDATE task SET holder = :me, fence = fence + 1, changed = :now, seq = :seq
     WHERE n IN (SELECT n FROM task WHERE holder = :from AND status = 'in_progress' LIMIT :limit)
 RETURNING {rows.TASK_COLUMNS}
"""

CLAIM_STOPPING = f"""
    UPDATE task SET holder = :me WHERE stopping = 1 AND (holder IS NULL OR holder = :me)
 RETURNING {rows.TASK_COLUMNS}
"""


def claim(tx: Tx, me: str, now: float, limit: int, limits: Limits = NO_LIMITS) -> list[Claimed]:
    """Take the next ready tasks, the highest priority and oldest first, as the limits allow."""
    if lanes.promote(tx, now):
        tx.loud = True
    picked = lanes.pick(tx, limits, now, limit)
    if not picked:
        return []
    tx.loud = True
    values = {"me": me, "now": now, "picked": json.dumps(picked), "seq": tx.seq}
    return [_claimed(tx, row) for row in tx.execute(CLAIM, values).fetchall()]


def take_over(
    tx: Tx,
    me: str,
    dead: str,
    now: float,
    limit: int,
    carries: Callable[[Task, Sequence[Stage]], bool] = lambda task, stages: True,
) -> tuple[list[Claimed], int]:
    """Take tasks that a worker held which is gone; a waiting writer of it is fenced off.

    Args:
        carries: whether a task is carried on at once; if not, it goes back to its queue.

    Returns:
        those to be carried on, and how many went back.
    """
    found = tx.execute(
        TAKE_OVER, {"me": me, "from": dead, "now": now, "limit": limit, "seq": tx.seq}
    ).fetchall()
    # One that was cancelled or reassigned is nobody's now; its agent must still be stopped.
    tx.execute("UPDATE task SET holder = NULL WHERE holder = ? AND stopping = 1", (dead,))
    taken, queued = [], 0
    for row in found:
        tx.loud = True
        claimed = _claimed(tx, row, interrupted=True)
        task, facts = claimed.task, {"from": dead}
        if carries(task, claimed.stages):
            taken.append(claimed)
        else:
            queued += 1
            facts["then"] = "queued"
            tx.execute(REQUEUE, {"n": task.n, "now": now})
            tx.execute(
                "UPDATE stage SET status = ? WHERE task_n = ? AND position = ? AND status = ?",
                (StageStatus.WAITING.value, task.n, task.stage, StageStatus.RUNNING.value),
            )
        add_event(tx, task.n, now, "taken over", task.stage, "engine", "worker", facts)
    return taken, queued


def still_held(reader: Reader, me: str, n: int) -> Claimed | None:
    """Return a task that this worker holds, as one that was interrupted; None when it does not."""
    row = reader.execute(
        f"SELECT {rows.TASK_COLUMNS} FROM task WHERE n = ? AND holder = ? AND status = ?",
        (n, me, Status.IN_PROGRESS.value),
    ).fetchone()
    return None if row is None else _claimed(reader, row, interrupted=True)


def fences(reader: Reader, ns: Sequence[int]) -> dict[int, int]:
    """Return the present fences of tasks, by their numbers."""
    marks = ", ".join("?" * len(ns))
    return dict(reader.execute(f"SELECT n, fence FROM task WHERE n IN ({marks})", ns).fetchall())


def _claimed(tx: Reader, row: object, *, interrupted: bool = False) -> Claimed:
    task = rows.task(row)
    stages = tuple(stages_of(tx, task))
    begun = any(stage.status is StageStatus.WAITING for stage in stages)
    return Claimed(task, stages, interrupted or begun)


def any_ready(reader: Reader, now: float, limits: Limits = NO_LIMITS) -> bool:
    """Return whether a claim would find anything."""
    return lanes.timed_out(reader, now) or bool(lanes.pick(reader, limits, now, 1))


def next_due(reader: Reader, now: float) -> float | None:
    """Return when, after `now`, something is next due by the clock; None is never."""
    ready = reader.execute(
        f"SELECT min(ready_at) FROM task WHERE {lanes.TIMED} AND ready_at > ?", (now,)
    ).fetchone()[0]
    late = reader.execute(
        "SELECT min(deadline) FROM blocker WHERE state = 'open' AND deadline > ?"
        " AND default_action IS NOT NULL",
        (now,),
    ).fetchone()[0]
    times = (ready, late, lanes.next_opening(reader, now), lanes.next_deadline(reader, now))
    return min((float(time) for time in times if time is not None), default=None)


def any_to_stop(reader: Reader, me: str) -> bool:
    """Return whether there are tasks whose agent must be stopped, by us or by anybody."""
    return (
        reader.execute(
            "SELECT 1 FROM task WHERE stopping = 1 AND (holder IS NULL OR holder = ?) LIMIT 1",
            (me,),
        ).fetchone()
        is not None
    )


def claim_stopping(tx: Tx, me: str) -> list[tuple[Task, Stage]]:
    """Take the tasks whose agent must be stopped, each with the stage that agent works on.

    Those we hold already are among them.
    """
    found = []
    for task in map(rows.task, tx.execute(CLAIM_STOPPING, {"me": me}).fetchall()):
        row = tx.execute(
            f"SELECT {rows.STAGE_COLUMNS} FROM stop WHERE task_n = ?", (task.n,)
        ).fetchone()
        if row is None:
            stopped(tx, task.n)
        else:
            found.append((task, rows.stage(task.id, row)))
    return found


def stopped(tx: Tx, n: int) -> None:
    """Note that the agent of a cancelled or reassigned task does not run any more."""
    tx.loud = True
    tx.execute("DELETE FROM stop WHERE task_n = ?", (n,))
    tx.execute("UPDATE task SET stopping = 0, holder = NULL, seq = ? WHERE n = ?", (tx.seq, n))


# Workers


def beat(tx: Tx, me: str, who: Identity, version: str, now: float, until: float) -> None:
    """Put a worker on the list, or renew its lease."""
    tx.execute(
        "INSERT INTO worker (id, host, boot, pid, start, version, started, seen, lease_until)"
        " VALUES (:id, :host, :boot, :pid, :start, :version, :now, :now, :until)"
        " ON CONFLICT (id) DO UPDATE SET seen = :now, lease_until = :until",
        {
            "id": me,
            "host": who.host,
            "boot": who.boot,
            "pid": who.pid,
            "start": who.start,
            "version": version,
            "now": now,
            "until": until,
        },
    )


def asked_to_stop(reader: Reader, me: str) -> bool:
    row = reader.execute("SELECT stop FROM worker WHERE id = ?", (me,)).fetchone()
    return row is not None and bool(row[0])


def leave(tx: Tx, me: str) -> None:
    """Take a worker off the list; tasks it still holds are free to be taken over at once."""
    tx.loud = True
    tx.execute("DELETE FROM worker WHERE id = ?", (me,))


def ask_to_stop(tx: Tx, ids: Sequence[str]) -> None:
    tx.loud = True
    for id_ in ids:
        tx.execute("UPDATE worker SET stop = 1 WHERE id = ?", (id_,))


def workers(reader: Reader, now: float) -> list[WorkerInfo]:
    """Return the workers on the list, with whether each is alive.

    One of this machine is dead as soon as its process is; one elsewhere when its lease is over.
    """
    found = []
    for row in reader.execute(
        "SELECT id, host, boot, pid, start, started, seen, lease_until, version FROM worker"
    ).fetchall():
        id_, host, boot, pid, start, started, seen, until, version = row
        who = Identity(host, boot, pid, start)
        alive = until > now and not who.gone()
        found.append(WorkerInfo(id_, pid, host, started, seen, alive, who.here, version))
    return found


def orphans(reader: Reader, me: str, now: float) -> list[str]:
    """Return the holders, other than us, of tasks in progress that are dead or off the list."""
    alive = {worker.id for worker in workers(reader, now) if worker.alive}
    found = reader.execute(
        "SELECT DISTINCT holder FROM task WHERE holder IS NOT NULL AND holder <> ?", (me,)
    ).fetchall()
    return [holder for (holder,) in found if holder not in alive]


def forget_dead(tx: Tx, me: str, now: float) -> None:
    """Take workers off the list that are dead and hold nothing."""
    for worker in workers(tx, now):
        if worker.alive or worker.id == me:
            continue
        held = tx.execute("SELECT 1 FROM task WHERE holder = ? LIMIT 1", (worker.id,)).fetchone()
        if held is None:
            tx.execute("DELETE FROM worker WHERE id = ?", (worker.id,))


def work_left(reader: Reader) -> bool:
    """Return whether any task runs, waits for its turn or a person, or has a deadline to meet."""
    return (
        reader.execute(
            "SELECT 1 FROM task WHERE status IN (?, ?, ?) OR stopping = 1"
            " OR (deadline IS NOT NULL AND ended IS NULL) LIMIT 1",
            (Status.PENDING.value, Status.IN_PROGRESS.value, Status.BLOCKED.value),
        ).fetchone()
        is not None
    )
