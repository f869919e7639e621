"""What becomes of a task of which the database holds what was never written: it does not go on."""

from collections.abc import Sequence
from typing import Any

from taskhub_tui.domain.change import Notice
from taskhub_tui.domain.errors import Damaged
from taskhub_tui.domain.legal import GATE, LEGAL, REVIEW
from taskhub_tui.domain.model import NoticeKind, Priority, Status
from taskhub_tui.storage import queries, rows, seals
from taskhub_tui.storage.changes import KNOWN_READ, Known, add_event, add_notice, known_of
from taskhub_tui.storage.writer import Tx

_STAGE = ", ".join(f"stage.{name}" for name in rows.STAGE)
_N, _ID = rows.TASK.index("n"), rows.TASK.index("id")


def sound(tx: Tx, row: Sequence[Any], seal: int | None, edits: int, now: float) -> Known | None:
    """Return what is known of a task by its row; None when it is damaged, and has failed for it."""
    try:
        return known_of(tx, row, seal, edits)
    except Damaged as error:
        condemn(tx, row[_N], error, now)
    except (ValueError, TypeError):  # What stands there is no JSON, or no value we know.
        said = f"What the database holds of task {row[_ID]} is damaged"
        condemn(tx, row[_N], Damaged(said, "`taskhub restore` puts a backup back"), now)
    return None


def sound_by_id(tx: Tx, task_id: str, now: float) -> Known | None:
    """Return what is known of a task by its ID; None when it is damaged, and has failed for it."""
    n = queries.number(tx, task_id)
    *row, seal, edits = tx.execute(KNOWN_READ, (n,)).fetchone()
    return sound(tx, row, seal, edits, now)


def condemn(tx: Tx, n: int, damage: Damaged, now: float) -> None:
    """Fail the task with number `n`; RETRY begins the damaged stage anew.

    One that is completed or cancelled stays so: nothing goes on from it.
    """
    over = (Status.COMPLETED.value, Status.CANCELLED.value)
    if tx.execute("SELECT status FROM task WHERE n = ?", (n,)).fetchone()[0] in over:
        return
    tx.loud = tx.ready = True
    said = f"{damage}. {damage.hint}" if damage.hint else str(damage)
    at = _place(tx, n, damage.position)
    # What cannot be read would keep the task, and every list with it, from being shown.
    tx.execute("UPDATE task SET options = '{}' WHERE n = ? AND NOT json_valid(options)", (n,))
    tx.execute("UPDATE task SET context = '[]' WHERE n = ? AND NOT json_valid(context)", (n,))
    known = ", ".join(str(int(priority)) for priority in Priority)
    tx.execute(f"UPDATE task SET priority = 0 WHERE n = ? AND priority NOT IN ({known})", (n,))
    tx.execute("UPDATE stage SET options = '{}' WHERE task_n = ? AND NOT json_valid(options)", (n,))
    # It was said; from now on it holds as a person sees it, and lets go on.
    tx.execute("UPDATE task SET seal = NULL WHERE n = ?", (n,))
    tx.execute("UPDATE stage SET plan_seal = NULL WHERE task_n = ?", (n,))
    stopped = _stop(tx, n)
    task_id, title = tx.execute(
        "UPDATE task SET status = 'failed', waiting_on = NULL, eta = NULL,"
        " holder = CASE WHEN :stop THEN holder END,"  # It is his agent that must end.
        " fence = fence + 1, edits = edits + 1, stage = :at, error = :said, ended = :now,"
        " changed = :now, seq = :seq, stopping = stopping OR :stop, silent_since = NULL,"
        " stage_agent = (SELECT agent FROM stage WHERE task_n = :n AND position = :at)"
        " WHERE n = :n"
        " RETURNING id, title",
        {"at": at, "said": said, "now": now, "seq": tx.seq, "stop": stopped, "n": n},
    ).fetchone()
    name, attempt, approved = tx.execute(
        "UPDATE stage SET status = 'failed', state = NULL, output = NULL, error = ?"
        " WHERE task_n = ? AND position = ? RETURNING name, attempt, approved",
        (said, n, at),
    ).fetchone()
    seal = seals.stage(task_id, at, name, attempt, approved, "failed", None, None)
    tx.execute("UPDATE stage SET seal = ? WHERE task_n = ? AND position = ?", (seal, n, at))
    # Without a seal: nobody is to answer it, or to rely on its answer.
    tx.execute(
        "UPDATE blocker SET state = 'withdrawn', seq = ?, seal = NULL"
        " WHERE task_n = ? AND (stage = ? OR state = 'open')",
        (tx.seq, n, at),
    )
    tx.execute(
        "UPDATE notification SET withdrawn = ?, seq = ?"
        " WHERE task_n = ? AND withdrawn IS NULL AND kind IN ('blocker', 'error')",
        (now, tx.seq, n),
    )
    add_event(tx, n, now, "failed", at, "engine", "hub", {"error": said})
    legal = LEGAL[(Status.FAILED, None)]
    add_notice(tx, n, now, Notice(NoticeKind.ERROR, title, said, legal))


def _stop(tx: Tx, n: int) -> bool:
    """Have the agent stopped that may be at work on the current stage; return whether one may be.

    What it has saved says what there is to stop. Where that is damaged it is not relied on, and the
    agent finds by the names of task, stage and attempt what it can.
    """
    found = tx.execute(
        f"SELECT task.id, stage.seal, {_STAGE} FROM stage JOIN task ON task.n = task_n"
        " WHERE task_n = ? AND position = task.stage"
        "   AND stage.status NOT IN ('pending', 'done', 'failed', 'cancelled')"
        # Before a gate, or after the result, no agent is at work.
        "   AND NOT EXISTS (SELECT 1 FROM blocker WHERE blocker.task_n = task.n"
        "                    AND state = 'open' AND key IN (?, ?))",
        (n, GATE, REVIEW),
    ).fetchone()
    if found is None:
        return False
    task_id, seal, *row = found
    try:
        rows.check_stage(task_id, row, seal)
    except Damaged:
        row[rows.STAGE.index("state")] = None
    marks = ", ".join("?" * len(row))
    tx.execute(
        f"INSERT OR IGNORE INTO stop (task_n, {rows.STAGE_COLUMNS}) VALUES (?, {marks})", (n, *row)
    )
    return True


def _place(tx: Tx, n: int, wanted: int | None) -> int:
    """Return the position to begin anew at: the wanted one, else the task's current one."""
    found = tx.execute(
        "SELECT position FROM stage WHERE task_n = :n"
        " ORDER BY position = :wanted DESC,"
        "          position = (SELECT stage FROM task WHERE n = :n) DESC, position LIMIT 1",
        {"n": n, "wanted": -1 if wanted is None else wanted},
    ).fetchone()
    return int(found[0])
