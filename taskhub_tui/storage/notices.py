"""Notifications as they are read: what they ask, what became of them, and who has seen them."""

import json
from collections.abc import Sequence

from taskhub_tui.domain.model import Blocker, NoticeKind, Notification, Task
from taskhub_tui.domain.telling import Telling, Told
from taskhub_tui.storage import rows
from taskhub_tui.storage.changes import add_event
from taskhub_tui.storage.queries import Reader, open_blocker, task_by_id
from taskhub_tui.storage.writer import Tx

ASKS = frozenset({NoticeKind.BLOCKER, NoticeKind.ERROR})
"""What a person has to act on; it is taken back once it is answered."""


def notification_by_id(reader: Reader, notification_id: int) -> Notification | None:
    row = reader.execute(
        f"SELECT {rows.NOTIFICATION_COLUMNS} FROM notification"
        " JOIN task ON task.n = notification.task_n WHERE notification.id = ?",
        (notification_id,),
    ).fetchone()
    return None if row is None else rows.notification(row)


def asked_by(reader: Reader, note: Notification, task: Task) -> Blocker | None:
    """Return the question that a notification tells of; None once it is answered or changed.

    Raises:
        Damaged: it is not what was asked.
    """
    blocker = open_blocker(reader, task, checked=False)
    # Asked anew, it has a later time, and a notification of its own.
    if blocker is None or blocker.id != note.blocker_id or blocker.created > note.created:
        return None
    return blocker


def overdue(reader: Reader, blocker_id: str | None) -> tuple[float | None, str | None, str | None]:
    """Return a question's deadline, its default, and what else becomes of it then."""
    row = reader.execute(
        "SELECT deadline, default_action, unanswered FROM blocker WHERE id = ?", (blocker_id,)
    ).fetchone()
    return (None, None, None) if row is None else (row[0], row[1], row[2])


def told(reader: Reader, task: Task) -> list[Told]:
    """Return the notifications of a task, newest first, and what became of them."""
    found = reader.execute(
        f"SELECT steps, {rows.NOTIFICATION_COLUMNS} FROM notification"
        " JOIN task ON task.n = notification.task_n"
        " LEFT JOIN notification_plan ON notification_id = notification.id"
        " WHERE notification.task_n = ? ORDER BY notification.id DESC",
        (task.n,),
    ).fetchall()
    return [_told(reader, rows.notification(row), steps) for steps, *row in found]


def _told(reader: Reader, note: Notification, steps: str | None) -> Told:
    ways = {
        (channel, step): rest_of
        for channel, step, *rest_of in reader.execute(
            "SELECT channel, step, state, due, sent, error FROM delivery WHERE notification_id = ?",
            (note.id,),
        ).fetchall()
    }
    planned = json.loads(steps) if steps else []
    return Told(
        note,
        [
            Telling(channel, due, reason, *ways.get((channel, step), ()))
            for channel, step, due, reason in planned
        ],
    )


def told_of(reader: Reader, key: str) -> list[int]:
    """Return the notifications that a message with this key told of, those still open first."""
    number = key.removeprefix("taskhub-").split("-")[0]
    if number.isdigit():
        return [int(number)]
    found = reader.execute(
        "SELECT notification.id FROM delivery"
        " JOIN notification ON notification.id = notification_id"
        " WHERE batch = ? ORDER BY notification.withdrawn IS NOT NULL, delivery.id",
        (key,),
    ).fetchall()
    return [int(id_) for (id_,) in found]


def first_told_of(reader: Reader, key: str) -> Notification | None:
    """Return the notification that a message is about; of many, the first that is still open."""
    found = told_of(reader, key)
    return notification_by_id(reader, found[0]) if found else None


def mark_read(tx: Tx, ids: Sequence[int], now: float) -> None:
    """Note that the user has seen these notifications."""
    tx.loud = True
    for id_ in ids:
        tx.execute(
            "UPDATE notification SET read = ?, seq = ? WHERE id = ? AND read IS NULL",
            (now, tx.seq, id_),
        )


def ask_to_open(tx: Tx, task_id: str) -> None:
    """Ask the open front ends to show a task: its notification was clicked."""
    task = task_by_id(tx, task_id)
    tx.loud = True
    add_event(tx, task.n, task.changed, "opened", None, task.owner, "desktop", {})
    tx.execute("UPDATE task SET seq = ? WHERE n = ?", (tx.seq, task.n))
