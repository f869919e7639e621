"""Writing one `Change` of one task: its rows, events, notification, and who waits for it."""

from collections.abc import Iterable, Sequence
from typing import Any

from taskhub_tui.domain.change import Change, Notice
from taskhub_tui.domain.errors import LeaseLost
from taskhub_tui.domain.evolve import replace
from taskhub_tui.domain.legal import LEGAL
from taskhub_tui.domain.model import (
    Blocker,
    BlockerKind,
    NoticeKind,
    Stage,
    StageStatus,
    Status,
    Task,
    WaitingOn,
)
from taskhub_tui.records import dataclass
from taskhub_tui.storage import rows, seals
from taskhub_tui.storage.queries import Reader, stages_of
from taskhub_tui.storage.writer import Tx

_SET = ", ".join

_UNEDITED = " AND edits = ?"
# What an agent reports between two steps is written by `stages`, beside these.
_TASK_DIFF = rows.Diff[Task](
    "task",
    (*(name for name in rows.ENGINE if name != "seq"), "pausing"),
    always=("changed", "fraction", "note", "eta"),
    rest=f", seq = ? WHERE n = ? AND fence = ?{_UNEDITED}",
)
_STAGE_DIFF = rows.Diff[Stage](
    "stage",
    rows.STAGE_ENGINE,
    always=("fraction", "note", "log_mark"),
    rest=", seal = ? WHERE task_n = ? AND position = ?",
    sealed=True,
)

FULL_WRITE = f"""
    UPDATE task SET {_SET(f"{name} = :{name}" for name in rows.PERSON + rows.ENGINE)},
                    edits = edits + 1, seal = :seal
     WHERE n = :n
"""

STAGE_WRITE = f"""
    INSERT OR REPLACE INTO stage (task_n, {rows.STAGE_COLUMNS}, history, seal, plan_seal)
    VALUES (?, {", ".join("?" * len(rows.STAGE))}, ?, ?, ?)
"""

BLOCKER_WRITE = f"""
    INSERT INTO blocker (task_n, {", ".join(rows.BLOCKER)}, seq, seal)
    VALUES (?, {", ".join("?" * len(rows.BLOCKER))}, ?, ?)
    ON CONFLICT (id) DO UPDATE SET
        {_SET(f"{name} = excluded.{name}" for name in (*rows.BLOCKER, "seq", "seal"))}
"""  # Not REPLACE, which would take an answered question away for another with its key.


MANY = 200
"""Rows from which changing them all takes too long for the thread of an event loop."""
KNOWN_READ = f"SELECT {rows.TASK_COLUMNS}, seal, edits FROM task WHERE n = ?"

PLAN_READ = f"SELECT seal, {', '.join(seals.TASK_PLAN)} FROM task WHERE n = ?"

EVENT_WRITE = """
    INSERT INTO event (task_n, at, kind, stage, by, channel, data, seq)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""

SEALED_EVENT_WRITE = """
    INSERT INTO event (task_n, at, kind, stage, by, channel, data, seq, seal)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""

NOTICE_WRITE = """
    INSERT INTO notification (task_n, kind, title, body, created, seq, blocker_id, actions)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""


def history_key(stage: Stage, options: Any) -> str:
    """Return what the duration of a stage is compared with: the same agent doing the same thing."""
    command = options.get("argv") or options.get("shell")
    return f"{stage.agent}:{stage.name}" + (f":{rows.dump(command)}" if command else "")


@dataclass(frozen=True, slots=True)
class Known:
    """A task and its stages as the database has them, in the eyes of the worker that holds it."""

    task: Task
    stages: tuple[Stage, ...]
    edits: int = 0
    """How often people had changed it then."""


def write_held(tx: Tx, change: Change, known: Known) -> Known:
    """Write what the engine changed in a task that it holds with the fence of `known`.

    Only what differs is written. Returns how the task stands now, with what people changed
    meanwhile.

    Raises:
        LeaseLost: the fence is stale; nothing was written.
    """
    task, was = change.task, known.task
    text, values = _TASK_DIFF(was, task)
    values += (tx.seq, was.n, was.fence)
    # No row: people have changed something, or have taken the task from us, or a worker has.
    ours = tx.execute(text, (*values, known.edits)).rowcount
    if not ours and not tx.execute(text.removesuffix(_UNEDITED), values).rowcount:
        raise LeaseLost(
            f"Task {task.id} has been taken over; fence {was.fence} is stale",
            f"`taskhub show {task.id}` says how it goes on",
        )
    stages = list(known.stages)
    for stage in change.stages:
        write_stage(tx, was.n, stages[stage.position], stage)
        stages[stage.position] = stage
    _write_rest(tx, change, by="engine", channel="worker")
    return Known(task, tuple(stages), known.edits) if ours else read_known(tx, was.n)


def write_stage(tx: Tx, n: int, was: Stage, stage: Stage) -> None:
    """Write what the engine changed in one stage of the task with number `n`."""
    text, values = _STAGE_DIFF(was, stage)
    values += (n, stage.position)
    tx.execute(text, values)


def read_known(reader: Reader, n: int) -> Known:
    """Return how the task with this number stands."""
    *row, seal, edits = reader.execute(KNOWN_READ, (n,)).fetchone()
    return known_of(reader, row, seal, edits)


def known_of(reader: Reader, row: Sequence[Any], seal: int | None, edits: int) -> Known:
    """Return what is known of a task by its row of `TASK_COLUMNS`.

    Raises:
        Damaged: what it asks for, or one of its stages, is not what was written.
    """
    rows.check_task(row, seal)
    task = rows.task(row)
    return Known(task, tuple(stages_of(reader, task)), edits)


def write_decided(tx: Tx, change: Change, *, by: str, channel: str) -> None:
    """Write what a decision made of a task; the caller has read it in the same transaction."""
    tx.ready = True
    if change.task.stopping:
        # Its agent is stopped by what is noted here, whatever becomes of the stage.
        tx.execute(
            f"INSERT OR IGNORE INTO stop (task_n, {rows.STAGE_COLUMNS})"
            f" SELECT task_n, {rows.STAGE_COLUMNS} FROM stage"
            "   WHERE task_n = :n AND position = (SELECT stage FROM task WHERE n = :n)",
            {"n": change.task.n},
        )
    values = rows.task_values(change.task, rows.PERSON + rows.ENGINE)
    stored = rows.task_values(change.task, ("id", "workdir"))
    seal = rows.task_seal({**values, **stored})
    old, *plan = tx.execute(PLAN_READ, (change.task.n,)).fetchone()
    if old is not None and not seals.fits(old, change.task.id, *plan):
        seal = old  # It does not fit, and must not be made to: whoever claims the task says so.
    values.update(n=change.task.n, seq=tx.seq, seal=seal)
    tx.execute(FULL_WRITE, values)
    damaged = _damaged_plans(tx, change.task)
    if change.replan:
        first = min(stage.position for stage in change.stages)
        tx.execute("DELETE FROM stage WHERE task_n = ? AND position >= ?", (change.task.n, first))
        damaged = [(seal, position) for seal, position in damaged if position < first]
    write_stages(tx, change.task, change.stages)
    for seal, position in damaged:
        tx.execute(
            "UPDATE stage SET plan_seal = ? WHERE task_n = ? AND position = ?",
            (seal, change.task.n, position),
        )
    _write_rest(tx, change, by=by, channel=channel)


def _damaged_plans(tx: Tx, task: Task) -> list[tuple[int, int]]:
    """Return the seal and position of each stage whose plan does not fit it.

    Writing what is made of such a plan must not make it good: whoever runs the stage says so.
    """
    columns = ", ".join(seals.STAGE_PLAN)
    return [
        (seal, plan[0])
        for seal, *plan in tx.execute(
            f"SELECT plan_seal, {columns} FROM stage WHERE task_n = ? AND plan_seal IS NOT NULL",
            (task.n,),
        ).fetchall()
        if not seals.fits(seal, task.id, *plan)
    ]


def write_stages(tx: Tx, task: Task, stages: Iterable[Stage]) -> None:
    for stage in stages:
        # How long one takes that waits in the middle says nothing about the work.
        waits = stage.status is StageStatus.WAITING
        key = None if waits else history_key(stage, {**task.options, **stage.options})
        seal = rows.stage_seal(stage)
        values = rows.stage_values(stage)
        plan = rows.plan_seal(task.id, values)
        tx.execute(STAGE_WRITE, (task.n, *values, key, seal, plan))


def write_blocker(tx: Tx, task_n: int, blocker: Blocker) -> None:
    values = rows.blocker_values(blocker)
    seal = seals.row(blocker.task_id, values)
    tx.execute(BLOCKER_WRITE, (task_n, *values, tx.seq, seal))
    if blocker.unanswered is not None:
        # Beside the seal, which older copies of the database have without it.
        tx.execute(
            "UPDATE blocker SET unanswered = ? WHERE id = ?", (blocker.unanswered, blocker.id)
        )


def _write_rest(tx: Tx, change: Change, *, by: str, channel: str) -> None:
    tx.loud = True
    task = change.task
    if change.alive:
        withdraw_stalled(tx, task)
    if change.blocker is not None:
        write_blocker(tx, task.n, change.blocker)
        # Its stage was or will be waited for: its duration says nothing about the work.
        tx.execute(
            "UPDATE stage SET history = NULL WHERE task_n = ? AND position = ?",
            (task.n, change.blocker.stage),
        )
    elif task.status in (Status.CANCELLED, Status.FAILED):
        # Without a seal: nobody relies on a question that was taken back.
        tx.execute(
            "UPDATE blocker SET state = 'withdrawn', seq = ?, seal = NULL"
            " WHERE task_n = ? AND state = 'open'",
            (tx.seq, task.n),
        )
    if task.status in (Status.PENDING, Status.BLOCKED):
        tx.ready = True  # It is due, or its question overdue, at some time.
    if change.withdraw:
        tx.told = True
        tx.execute(
            "UPDATE notification SET withdrawn = ?, seq = ?"
            " WHERE task_n = ? AND withdrawn IS NULL AND kind IN ('blocker', 'error')",
            (task.changed, tx.seq, task.n),
        )
    for happened in change.events:
        add_event(
            tx, task.n, task.changed, happened.kind, happened.stage, by, channel, happened.data
        )
    if change.notice is not None:
        add_notice(tx, task.n, task.changed, change.notice)
    if change.unblocks:
        _unblock(tx, task)
    if change.drops:
        _drop(tx, task)


def add_event(
    tx: Tx,
    task_n: int,
    at: float,
    kind: str,
    stage: int | None,
    by: str,
    channel: str,
    data: Any,
) -> None:
    row = (task_n, at, kind, stage, by, channel, rows.dump(dict(data)), tx.seq)
    if by == "engine":
        tx.later(EVENT_WRITE, row)
    else:
        # One who decides too late is told, in the same transaction perhaps, who was faster.
        tx.write_late()
        tx.execute(SEALED_EVENT_WRITE, (*row, seals.event(*row[:-1])))


def add_notice(tx: Tx, task_n: int, at: float, notice: Notice) -> None:
    tx.told = True
    tx.execute(
        NOTICE_WRITE,
        (
            task_n,
            notice.kind.value,
            notice.title,
            notice.body,
            at,
            tx.seq,
            notice.blocker_id,
            rows.dump([action.value for action in notice.actions]),
        ),
    )


def withdraw_stalled(tx: Tx, task: Task) -> None:
    """Take back that a stage gives no sign of life, and the question about it."""
    tx.execute(
        "UPDATE task SET silent_since = NULL, waiting_on = ?, seq = ? WHERE n = ?",
        (task.waiting_on, tx.seq, task.n),
    )
    for (blocker_id,) in tx.execute(
        "UPDATE blocker SET state = 'withdrawn', seq = ?, seal = NULL"
        " WHERE task_n = ? AND state = 'open' AND kind = ? RETURNING id",
        (tx.seq, task.n, BlockerKind.STALLED.value),
    ).fetchall():
        tx.told = True
        tx.execute(
            "UPDATE notification SET withdrawn = ?, seq = ?"
            " WHERE task_n = ? AND blocker_id = ? AND withdrawn IS NULL",
            (task.changed, tx.seq, task.n, blocker_id),
        )


def _unblock(tx: Tx, task: Task) -> None:
    """Let go the tasks that waited for this one to be completed."""
    waiting = tx.execute(
        "SELECT count(*) FROM (SELECT 1 FROM dependency WHERE after_n = ? LIMIT ?)",
        (task.n, MANY),
    ).fetchone()[0]
    if not waiting:
        return
    if waiting == MANY:
        tx.long()
    tx.ready = True
    tx.execute(
        "UPDATE task SET deps_left = deps_left - 1, seq = :seq, changed = :now,"
        " waiting_on = CASE WHEN deps_left > 1 OR status <> 'pending' THEN waiting_on"
        "                   WHEN ready_at > :now THEN 'schedule' END"
        " WHERE n IN (SELECT task_n FROM dependency WHERE after_n = :n)",
        {"seq": tx.seq, "now": task.changed, "n": task.n},
    )
    tx.execute("DELETE FROM dependency WHERE after_n = ?", (task.n,))


def _drop(tx: Tx, task: Task) -> None:
    """Fail the tasks that waited for this one: it will never be completed."""
    error = f"Task {task.id}, which this one waits for, was cancelled; RETRY runs it all the same"
    from taskhub_tui.storage.damage import sound  # It writes changes, too.

    found = tx.execute(
        f"SELECT {rows.TASK_COLUMNS}, seal, edits FROM task"
        " JOIN dependency ON dependency.task_n = task.n"
        " WHERE dependency.after_n = ? AND task.status IN (?, ?)",
        (task.n, Status.PENDING.value, Status.PAUSED.value),
    ).fetchall()
    if len(found) >= MANY:
        tx.long()
    for *row, seal, edits in found:
        known = sound(tx, row, seal, edits, task.changed)
        if known is None:
            continue  # It has failed for what is damaged.
        waiting, stages = known.task, known.stages
        tx.ready = True
        tx.execute("DELETE FROM dependency WHERE task_n = ?", (waiting.n,))
        tx.execute(
            "UPDATE task SET status = ?, waiting_on = NULL, deps_left = 0, error = ?, ended = ?,"
            " changed = ?, seq = ?, fence = fence + 1 WHERE n = ?",
            (Status.FAILED.value, error, task.changed, task.changed, tx.seq, waiting.n),
        )
        if waiting.stage < len(stages):
            failed = replace(stages[waiting.stage], status=StageStatus.FAILED, error=error)
            write_stages(tx, waiting, (failed,))
        add_event(
            tx, waiting.n, task.changed, "failed", waiting.stage, "engine", "hub", {"error": error}
        )
        legal = LEGAL[(Status.FAILED, None)]
        add_notice(
            tx, waiting.n, task.changed, Notice(NoticeKind.ERROR, waiting.title, error, legal)
        )
    # One that has failed already, such as by its deadline, would wait for ever after RETRY.
    tx.execute(
        "UPDATE task SET deps_left = deps_left - 1, seq = :seq WHERE status = :failed"
        " AND n IN (SELECT task_n FROM dependency WHERE after_n = :n)",
        {"seq": tx.seq, "failed": Status.FAILED.value, "n": task.n},
    )
    tx.execute(
        "DELETE FROM dependency WHERE after_n = :n"
        " AND (SELECT status FROM task WHERE task.n = task_n) = :failed",
        {"failed": Status.FAILED.value, "n": task.n},
    )


def ready_state(deps_left: int, ready_at: float, now: float) -> WaitingOn | None:
    """Return what a pending task waits for."""
    if deps_left:
        return WaitingOn.DEPENDENCY
    return WaitingOn.SCHEDULE if ready_at > now else None
