"""Workers, their leases, and the tasks they hold.

A worker's lease is one row, renewed for all its tasks at once. A task names its holder and has a
fence; whoever takes it over raises the fence, so that a late writer changes no row.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from taskhub_tui.domain import execution
from taskhub_tui.domain.change import Change
from taskhub_tui.domain.evolve import replace
from taskhub_tui.domain.limits import NO_LIMITS, Limits
from taskhub_tui.domain.model import Action, Artifact, Stage, StageStatus, Status, Task
from taskhub_tui.domain.views import WorkerInfo
from taskhub_tui.process import Identity
from taskhub_tui.records import dataclass
from taskhub_tui.storage import lanes, queries, rows
from taskhub_tui.storage.changes import (
    KNOWN_READ,
    Known,
    add_event,
    read_known,
    write_held,
)
from taskhub_tui.storage.damage import sound
from taskhub_tui.storage.queries import Reader
from taskhub_tui.storage.writer import Tx


@dataclass(frozen=True, slots=True)
class Claimed:
    """A task that this worker now holds."""

    known: Known
    interrupted: bool = False
    """True when it was taken from a worker that is gone."""
    begun: bool = False
    """True when its stage was started, or went on, in the same transaction."""
    artifacts: Sequence[Artifact] | None = None
    """What its stages have handed over; None where that was not read."""

    @property
    def new(self) -> bool:
        """True when nothing has ever been done for it before."""
        return self.begun and self.task.fence == 1

    @property
    def task(self) -> Task:
        return self.known.task

    @property
    def stages(self) -> tuple[Stage, ...]:
        return self.known.stages


Start = Callable[[Task, Sequence[Stage]], Change | None]
"""Says how the first stage of a task just claimed is started; None when more is to be done."""


DUE = f"""
    UPDATE task SET waiting_on = NULL, seq = :seq
     WHERE n IN (SELECT n FROM {lanes.TIMED} AND ready_at <= :now)
"""

TAKE_OVER = f"""
    UPDATE task SET holder = :me, fence = fence + 1, changed = :now, seq = :seq
     WHERE n IN (SELECT n FROM task WHERE holder = :from AND status = 'in_progress' LIMIT :limit)
 RETURNING {rows.TASK_COLUMNS}, seal, edits
"""

CLAIM_STOPPING = f"""
    UPDATE task SET holder = :me WHERE stopping = 1 AND (holder IS NULL OR holder = :me)
 RETURNING {rows.TASK_COLUMNS}
"""


def claim(
    tx: Tx, me: str, now: float, limit: int, start: Start, limits: Limits = NO_LIMITS
) -> list[Claimed]:
    """Take the next ready tasks, the highest priority and oldest first, as the limits allow.

    What `start` makes of each is written with the claim.
    """
    found = []
    for n in lanes.pick(tx, limits, now, limit):
        *row, seal, edits = tx.execute(KNOWN_READ, (n,)).fetchone()
        known = sound(tx, row, seal, edits, now)
        if known is None:
            continue
        was = known.task
        task = replace(
            was,
            status=Status.IN_PROGRESS,
            waiting_on=None,
            holder=me,
            fence=was.fence + 1,
            started=now if was.started is None else was.started,
            changed=now,
        )
        change = start(task, known.stages)
        known = write_held(tx, change or Change(task), known)
        waited = any(stage.status is StageStatus.WAITING for stage in known.stages)
        made: Sequence[Artifact] | None = None
        if change is not None:
            made = () if task.fence == 1 else queries.artifacts_of(tx, task)
        found.append(Claimed(known, waited, begun=change is not None, artifacts=made))
    return found


def make_ready(tx: Tx, now: float) -> None:
    """Queue the tasks whose time has come: they wait for nothing but their turn."""
    if tx.execute(DUE, {"seq": tx.seq, "now": now}).rowcount:
        tx.loud = True


Carries = Callable[[Task, Sequence[Stage]], bool]
"""Says whether a task of a dead worker is carried on at once; if not, it goes to its queue."""


def take_over(
    tx: Tx, me: str, dead: str, now: float, limit: int, carries: Carries | None = None
) -> list[Claimed]:
    """Take tasks that a worker held which is gone; a waiting writer of it is fenced off.

    Returns those that `carries` says are carried on at once; it is asked about each.
    """
    if limit > 50:
        tx.long()
    found = tx.execute(
        TAKE_OVER, {"me": me, "from": dead, "now": now, "limit": limit, "seq": tx.seq}
    ).fetchall()
    # One that was cancelled or reassigned is nobody's now; its agent must still be stopped.
    tx.execute("UPDATE task SET holder = NULL WHERE holder = ? AND stopping = 1", (dead,))
    taken: list[Claimed] = []
    died = _died(tx, dead)
    for *row, seal, edits in found:
        tx.loud = True
        known = sound(tx, row, seal, edits, now)
        if known is None:
            continue
        task = known.task
        facts: dict[str, Any] = {"from": dead}
        if died and task.stage < len(known.stages):
            stage = known.stages[task.stage]
            facts["died"] = [stage.attempt, stage.log_mark, rows.stage_seal(stage)]
        if carries is None or carries(task, known.stages):
            taken.append(Claimed(known, interrupted=True))
        else:
            facts["then"] = "queued"
            write_held(tx, execution.requeue(task, known.stages, now), known)
        add_event(tx, task.n, now, "taken over", task.stage, "engine", "worker", facts)
    return taken


def _died(reader: Reader, holder: str) -> bool:
    """Return whether a worker ended in the middle of its work, and not with the whole machine.

    One that left in good order is off the list, and one that is late may live.
    """
    row = reader.execute(
        "SELECT host, boot, pid, start FROM worker WHERE id = ?", (holder,)
    ).fetchone()
    if row is None:
        return False
    who = Identity(*row)
    return who.gone() and not who.before_boot


def deaths(reader: Reader, n: int, stage: Stage) -> int:
    """Return how many workers have died under this attempt of a stage since it last saved."""
    found = reader.execute(
        "SELECT count(*) FROM event WHERE task_n = ? AND stage = ? AND kind = 'taken over'"
        " AND json_extract(data, '$.died[0]') = ? AND json_extract(data, '$.died[1]') = ?"
        " AND json_extract(data, '$.died[2]') = ?",
        (n, stage.position, stage.attempt, stage.log_mark, rows.stage_seal(stage)),
    ).fetchone()
    return int(found[0])


def still_held(reader: Reader, me: str, n: int) -> Claimed | None:
    """Return a task that this worker holds, as one that was interrupted; None when it does not."""
    found = reader.execute(
        "SELECT 1 FROM task WHERE n = ? AND holder = ? AND status = ?",
        (n, me, Status.IN_PROGRESS.value),
    ).fetchone()
    return None if found is None else Claimed(read_known(reader, n), interrupted=True)


def fences(reader: Reader, ns: Sequence[int]) -> dict[int, int]:
    """Return the present fences of tasks, by their numbers."""
    marks = ", ".join("?" * len(ns))
    return dict(reader.execute(f"SELECT n, fence FROM task WHERE n IN ({marks})", ns).fetchall())


@dataclass(frozen=True, slots=True)
class Seen:
    """What a worker finds when it looks around, in one moment."""

    asked_to_stop: bool
    orphans: Sequence[str]
    """Holders of tasks in progress, other than us, that are dead or off the list."""
    to_stop: bool
    """True when there are tasks whose agent must be stopped, by us or by anybody."""
    overdue: Sequence[tuple[str, str, Action]]
    """Questions that nobody answered in time: task, blocker, default answer."""
    late: Sequence[str]
    """Tasks that are not over though their deadline has passed."""
    limited: Mapping[str, float]
    """Agents whose provider takes nothing now, with the time until which."""
    ready: bool
    """True when a claim would find something."""
    due: bool
    """True when the time of some task has come."""
    next_due: float | None
    """When something is next due by the clock; None is never."""


def look(reader: Reader, me: str, now: float, limits: Limits = NO_LIMITS) -> Seen:
    """Look for all that a worker might have to do."""
    asked = reader.execute("SELECT stop FROM worker WHERE id = ?", (me,)).fetchone()
    to_stop = reader.execute(
        "SELECT 1 FROM task WHERE stopping = 1 AND (holder IS NULL OR holder = ?) LIMIT 1", (me,)
    ).fetchone()
    return Seen(
        asked is not None and bool(asked[0]),
        orphans(reader, me, now),
        to_stop is not None,
        queries.overdue(reader, now),
        lanes.expired(reader, now),
        lanes.limited(reader, now),
        any_ready(reader, now, limits),
        reader.execute(f"SELECT 1 FROM {lanes.TIMED} AND ready_at <= ?", (now,)).fetchone()
        is not None,
        next_due(reader, now),
    )


def any_ready(reader: Reader, now: float, limits: Limits = NO_LIMITS) -> bool:
    """Return whether a claim would find anything."""
    return bool(lanes.pick(reader, limits, now, 1))


def next_due(reader: Reader, now: float) -> float | None:
    """Return when, after `now`, something is next due by the clock; None is never."""
    ready = reader.execute(
        f"SELECT min(ready_at) FROM {lanes.TIMED} AND ready_at > ?", (now,)
    ).fetchone()[0]
    late = reader.execute(
        "SELECT min(deadline) FROM blocker WHERE state = 'open' AND deadline > ?"
        " AND default_action IS NOT NULL",
        (now,),
    ).fetchone()[0]
    times = (ready, late, lanes.next_opening(reader, now), lanes.next_deadline(reader, now))
    return min((float(time) for time in times if time is not None), default=None)


def claim_stopping(tx: Tx, me: str) -> list[tuple[Task, Stage]]:
    """Take the tasks whose agent must be stopped, each with the stage that agent works on.

    Those we hold already are among them.
    """
    found = []
    for task in map(rows.task_to_show, tx.execute(CLAIM_STOPPING, {"me": me}).fetchall()):
        row = tx.execute(
            f"SELECT {rows.STAGE_COLUMNS} FROM stop WHERE task_n = ?", (task.n,)
        ).fetchone()
        if row is None:
            stopped(tx, me, task.n)
        else:
            found.append((task, rows.stage_to_show(task.id, row)))
    return found


def stopped(tx: Tx, me: str, n: int) -> None:
    """Note that the agent of a cancelled or reassigned task does not run any more.

    Changes nothing when we have lost that to another worker, whose new agent may be at work.
    """
    changed = tx.execute(
        "UPDATE task SET stopping = 0, holder = NULL, seq = ?"
        " WHERE n = ? AND stopping = 1 AND holder = ?",
        (tx.seq, n, me),
    )
    if changed.rowcount:
        tx.loud = tx.ready = True
        tx.execute("DELETE FROM stop WHERE task_n = ?", (n,))


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


def leave(tx: Tx, me: str) -> bool:
    """Take a worker off the list; tasks it still holds are free to be taken over at once.

    Returns whether work is left. Whoever left some before saw the worker there, and started none.
    """
    tx.loud = tx.ready = True
    tx.execute("DELETE FROM worker WHERE id = ?", (me,))
    return queries.work_left(tx)


def ask_to_stop(tx: Tx, ids: Sequence[str]) -> None:
    tx.loud = tx.ready = True
    for id_ in ids:
        tx.execute("UPDATE worker SET stop = 1 WHERE id = ?", (id_,))


def workers(reader: Reader, now: float) -> list[WorkerInfo]:
    """Return the workers on the list, with whether each is alive.

    See `Identity.alive`.
    """
    found = []
    for row in reader.execute(
        "SELECT id, host, boot, pid, start, started, seen, lease_until, version FROM worker"
    ).fetchall():
        id_, host, boot, pid, start, started, seen, until, version = row
        who = Identity(host, boot, pid, start)
        alive = who.alive(until, now)
        found.append(WorkerInfo(id_, pid, host, started, seen, alive, who.here, version))
    return found


def orphans(reader: Reader, me: str, now: float) -> list[str]:
    """Return the holders, other than us, of tasks in progress that are dead or off the list."""
    found = reader.execute(
        "SELECT DISTINCT holder FROM task WHERE holder IS NOT NULL AND holder <> ?", (me,)
    ).fetchall()
    if not found:
        return []  # Whether a process is gone is not asked of the system without need.
    alive = {worker.id for worker in workers(reader, now) if worker.alive}
    return [holder for (holder,) in found if holder not in alive]


def forget_dead(tx: Tx, me: str, now: float) -> None:
    """Take workers off the list that are dead and hold nothing."""
    for worker in workers(tx, now):
        if worker.alive or worker.id == me:
            continue
        held = tx.execute("SELECT 1 FROM task WHERE holder = ? LIMIT 1", (worker.id,)).fetchone()
        if held is None:
            tx.execute("DELETE FROM worker WHERE id = ?", (worker.id,))
