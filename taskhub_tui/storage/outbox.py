"""The durable outbox: which notification goes over which channel, and how far it got."""

from collections.abc import Sequence
from dataclasses import dataclass

from taskhub_tui.domain.model import Notification, Task
from taskhub_tui.storage import rows
from taskhub_tui.storage.changes import add_event
from taskhub_tui.storage.queries import Reader, task_by_id
from taskhub_tui.storage.writer import Tx


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notification on its way over one channel."""

    id: int
    channel: str
    attempts: int
    notification: Notification
    task: Task


@dataclass(frozen=True, slots=True)
class Presence:
    """What the open front ends say about their user."""

    focused: bool | None
    """True when any of them has the focus; None when none can tell."""
    last_input: float | None


def _task(reader: Reader, note: Notification) -> Task:
    """Return what a notification is about; one damaged task must not silence all others."""
    return task_by_id(reader, note.task_id, read=rows.task_to_show)


def unplanned(reader: Reader, limit: int = 100) -> list[tuple[Notification, Task]]:
    """Return notifications that the policy has not seen yet, oldest first."""
    found = reader.execute(
        f"SELECT {rows.NOTIFICATION_COLUMNS} FROM notification"
        " JOIN task ON task.n = notification.task_n WHERE planned = 0"
        " ORDER BY notification.id LIMIT ?",
        (limit,),
    ).fetchall()
    told = [rows.notification(row) for row in found]
    return [(note, _task(reader, note)) for note in told]


def plan(tx: Tx, notification_id: int, deliveries: Sequence[tuple[str, float]]) -> None:
    """Write where a notification goes: channels and times. Planning twice changes nothing."""
    changed = tx.execute(
        "UPDATE notification SET planned = 1 WHERE id = ? AND planned = 0", (notification_id,)
    )
    if changed.rowcount == 0:
        return
    for channel, due in deliveries:
        tx.execute(
            "INSERT OR IGNORE INTO delivery (notification_id, channel, state, due)"
            " VALUES (?, ?, 'queued', ?)",
            (notification_id, channel, due),
        )


def take_due(tx: Tx, me: str, now: float, limit: int = 20) -> list[Delivery]:
    """Take the deliveries that are due; those of answered notifications are withdrawn.

    One we took before and could not note as sent is taken again.
    """
    tx.execute("UPDATE delivery SET state = 'queued' WHERE state = 'sending' AND worker = ?", (me,))
    tx.execute(
        "UPDATE delivery SET state = 'withdrawn' WHERE state = 'queued' AND notification_id IN"
        " (SELECT id FROM notification WHERE withdrawn IS NOT NULL)"
    )
    found = tx.execute(
        "UPDATE delivery SET state = 'sending', attempts = attempts + 1, worker = ?"
        " WHERE id IN (SELECT id FROM delivery WHERE state = 'queued' AND due <= ?"
        "              ORDER BY due, id LIMIT ?)"
        " RETURNING id, channel, attempts, notification_id",
        (me, now, limit),
    ).fetchall()
    return [_delivery(tx, row) for row in found]


def _delivery(reader: Reader, row: tuple[int, str, int, int]) -> Delivery:
    id_, channel, attempts, notification_id = row
    note = notification_by_id(reader, notification_id)
    assert note is not None
    return Delivery(id_, channel, attempts, note, _task(reader, note))


def sent(tx: Tx, delivery_id: int, now: float) -> None:
    tx.execute(
        "UPDATE delivery SET state = 'sent', sent = ?, error = NULL WHERE id = ?",
        (now, delivery_id),
    )


def failed(tx: Tx, delivery_id: int, error: str, again: float | None) -> None:
    """Note a failed attempt; it is tried again at `again`, or never when that is None."""
    tx.execute(
        "UPDATE delivery SET state = ?, error = ?, due = COALESCE(?, due) WHERE id = ?",
        ("dead" if again is None else "queued", error, again, delivery_id),
    )


def to_withdraw(reader: Reader, me: str) -> list[tuple[int, int, str]]:
    """Return our sent deliveries whose notification was answered: id, notification, channel."""
    found: list[tuple[int, int, str]] = reader.execute(
        "SELECT delivery.id, notification.id, channel FROM delivery"
        " JOIN notification ON notification.id = notification_id"
        " WHERE delivery.state = 'sent' AND delivery.worker = ?"
        " AND notification.withdrawn IS NOT NULL",
        (me,),
    ).fetchall()
    return found


def withdrawn(tx: Tx, delivery_id: int) -> None:
    tx.execute("UPDATE delivery SET state = 'withdrawn' WHERE id = ?", (delivery_id,))


def _forsaken(me: str, alive: Sequence[str], now: float) -> tuple[str, tuple[object, ...]]:
    """Return the condition of a delivery whose worker is gone, and its values."""
    marks = ", ".join("?" * len(alive))  # SQLite allows an empty list; NULL in it matches none
    return (
        f"worker IS NOT NULL AND worker <> ? AND worker NOT IN ({marks})"
        " AND (state = 'sending' OR (state = 'sent' AND"
        " notification_id IN (SELECT id FROM notification"
        "                      WHERE withdrawn IS NULL AND kind IN ('blocker', 'error')"
        "                        AND created > ?)))",
        (me, *alive, now - 86400),
    )


def any_forsaken(reader: Reader, me: str, alive: Sequence[str], now: float) -> bool:
    """Return whether `revive` would find anything."""
    where, values = _forsaken(me, alive, now)
    found = reader.execute(f"SELECT 1 FROM delivery WHERE {where} LIMIT 1", values).fetchone()
    return found is not None


def revive(tx: Tx, me: str, alive: Sequence[str], now: float) -> None:
    """Queue again what a worker that is gone was sending, or had on screen with live buttons.

    A button's callback dies with its worker, so an unanswered question is shown once more.
    """
    where, values = _forsaken(me, alive, now)
    tx.execute(f"UPDATE delivery SET state = 'queued', due = ? WHERE {where}", (now, *values))


def resend(tx: Tx, me: str, channel: str, now: float) -> None:
    """Queue again what is open on a channel that lost all it showed."""
    tx.execute(
        "UPDATE delivery SET state = 'queued', due = ? WHERE worker = ? AND channel = ?"
        " AND state = 'sent' AND notification_id IN (SELECT id FROM notification"
        "  WHERE withdrawn IS NULL AND kind IN ('blocker', 'error'))",
        (now, me, channel),
    )


def next_due(reader: Reader, me: str) -> float | None:
    """Return when something is to be sent; between two turns of ours nothing is on its way."""
    queued = reader.execute("SELECT min(due) FROM delivery WHERE state = 'queued'").fetchone()[0]
    stuck = reader.execute(
        "SELECT min(due) FROM delivery WHERE state = 'sending' AND worker = ?", (me,)
    ).fetchone()[0]
    return min((float(due) for due in (queued, stuck) if due is not None), default=None)


def load(reader: Reader, since: float) -> dict[str, list[float]]:
    """Return, by channel, when something was sent after `since` or is planned to be."""
    times: dict[str, list[float]] = {}
    for channel, time in reader.execute(
        "SELECT channel, due FROM delivery WHERE state IN ('queued', 'sending')"
        " UNION ALL SELECT channel, sent FROM delivery WHERE state = 'sent' AND sent > ?",
        (since,),
    ).fetchall():
        times.setdefault(channel, []).append(time)
    return times


def notification_by_id(reader: Reader, notification_id: int) -> Notification | None:
    row = reader.execute(
        f"SELECT {rows.NOTIFICATION_COLUMNS} FROM notification"
        " JOIN task ON task.n = notification.task_n WHERE notification.id = ?",
        (notification_id,),
    ).fetchone()
    return None if row is None else rows.notification(row)


def mark_read(tx: Tx, ids: Sequence[int], now: float) -> None:
    """Note that the user has seen these notifications."""
    tx.loud = True
    for id_ in ids:
        tx.execute(
            "UPDATE notification SET read = ?, seq = ? WHERE id = ? AND read IS NULL",
            (now, tx.seq, id_),
        )


def on_screen(reader: Reader, me: str, since: float) -> bool:
    """Return whether a notification with buttons of ours may still be on a screen."""
    return (
        reader.execute(
            "SELECT 1 FROM delivery JOIN notification ON notification.id = notification_id"
            " WHERE delivery.state = 'sent' AND worker = ? AND sent > ?"
            " AND withdrawn IS NULL AND actions <> '[]' LIMIT 1",
            (me, since),
        ).fetchone()
        is not None
    )


def ask_to_open(tx: Tx, task_id: str) -> None:
    """Ask the open front ends to show a task: its notification was clicked."""
    task = task_by_id(tx, task_id)
    tx.loud = True
    add_event(tx, task.n, task.changed, "opened", None, task.owner, "desktop", {})
    tx.execute("UPDATE task SET seq = ? WHERE n = ?", (tx.seq, task.n))


# Presence


def report(tx: Tx, id_: str, focused: bool | None, last_input: float | None, now: float) -> None:
    tx.execute(
        "INSERT OR REPLACE INTO presence (id, focused, last_input, seen) VALUES (?, ?, ?, ?)",
        (id_, None if focused is None else int(focused), last_input, now),
    )
    tx.execute("DELETE FROM presence WHERE seen < ?", (now - 3600,))


def forget(tx: Tx, id_: str) -> None:
    tx.execute("DELETE FROM presence WHERE id = ?", (id_,))


def presence(reader: Reader, now: float) -> Presence:
    """Return whether a user looks at any front end that was heard of in the last minute."""
    found = reader.execute(
        "SELECT focused, last_input FROM presence WHERE seen > ?", (now - 60,)
    ).fetchall()
    known = [bool(focused) for focused, _ in found if focused is not None]
    inputs = [last for _, last in found if last is not None]
    if not found:
        return Presence(False, None)
    return Presence(any(known) if known else None, max(inputs, default=None))
