"""The durable outbox: which notification goes over which channel, and how far it got."""

import contextlib
import json
from collections.abc import Sequence
from math import inf
from typing import Any

from taskhub_tui.domain.errors import Damaged
from taskhub_tui.domain.model import Blocker, NoticeKind, Notification, Task
from taskhub_tui.domain.reported import follow_ups
from taskhub_tui.records import dataclass
from taskhub_tui.storage import rows
from taskhub_tui.storage.changes import add_event
from taskhub_tui.storage.notices import ASKS, asked_by, notification_by_id
from taskhub_tui.storage.queries import Reader, stages_of, task_by_id
from taskhub_tui.storage.writer import Tx

BURST = 3
"""Messages that may follow one another on a channel before the next ones are told as one."""
MOST = 200
"""Most deliveries that one message tells of."""
DAY = 86400.0
DESKTOP, TERMINAL = "desktop", "terminal"
LIVE = (DESKTOP, TERMINAL)
"""Channels on which only the process that shows something can take it back."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One notification on its way over one channel."""

    id: int
    channel: str
    step: int
    attempts: int
    notification: Notification
    task: Task
    blocker: Blocker | None = None
    """What it asks, while that is open and was not asked anew."""
    suggested: tuple[str, ...] = ()
    """What the agent suggests to do next, for a completion."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What the policy made of a notification on one channel, at one time."""

    channel: str
    due: float | None
    reason: str
    step: int = 0
    digest: bool = False
    send: bool = True
    """False: it is only written down, such as for the app, which needs no delivery."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How much of a channel may be used."""

    caps: tuple[tuple[int, float], ...] = ()
    """At most so many messages in any such time."""
    news: tuple[tuple[int, float], ...] | None = None
    """The same for what nobody has to act on, which leaves some room; None is no less."""
    coalesce: float = 0.0
    """Seconds in which what comes after the first few is told as one message."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message to be sent: a delivery, or many of them told as one."""

    key: str
    deliveries: tuple[Delivery, ...]
    use: int
    """Where the use of the channel is counted."""


@dataclass(frozen=True, slots=True)
class Rest:
    """A channel that is left alone for a while."""

    until: float
    failures: int
    since: float
    said: str


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


def plan(tx: Tx, note: Notification, steps: Sequence[Planned]) -> None:
    """Write where a notification goes, and why. Planning twice changes nothing."""
    changed = tx.execute(
        "UPDATE notification SET planned = 1 WHERE id = ? AND planned = 0", (note.id,)
    )
    if changed.rowcount == 0:
        return
    tx.execute(
        "INSERT OR REPLACE INTO notification_plan (notification_id, steps) VALUES (?, ?)",
        (note.id, rows.dump([(one.channel, one.step, one.due, one.reason) for one in steps])),
    )
    asks = note.kind in ASKS
    for one in steps:
        if one.send and one.due is not None:
            tx.execute(
                "INSERT OR IGNORE INTO delivery"
                " (notification_id, channel, step, state, asks, digest, due)"
                " VALUES (?, ?, ?, 'queued', ?, ?, ?)",
                (note.id, one.channel, one.step, int(asks), int(one.digest), one.due),
            )


def key_of(notification_id: int, step: int = 0) -> str:
    """Return the delivery key of a notification; told again, it is another message."""
    return f"taskhub-{notification_id}" + (f"-{step}" if step else "")


def take(tx: Tx, channel: str, me: str, now: float, rules: Rules) -> Parcel | float | None:
    """Take what is to be sent next over a channel.

    Returns:
        What to send; or when to look again, if something is due but must wait; or None.

    One we took before and could not note as sent is taken again, under the same key.
    """
    tx.execute(
        "UPDATE delivery SET state = 'queued'"
        " WHERE state = 'sending' AND worker = ? AND channel = ?",
        (me, channel),
    )
    tx.execute(
        "UPDATE delivery SET state = 'withdrawn' WHERE state = 'queued' AND channel = ?"
        " AND notification_id IN (SELECT id FROM notification WHERE withdrawn IS NOT NULL)",
        (channel,),
    )
    found = tx.execute(
        "SELECT delivery.id, notification_id, step, delivery.attempts, batch, digest,"
        "       asks, task.priority = 2"
        "  FROM delivery JOIN notification ON notification.id = notification_id"
        "  JOIN task ON task.n = notification.task_n"
        " WHERE delivery.state = 'queued' AND channel = ? AND due <= ?"
        " ORDER BY asks DESC, task.priority DESC, due, delivery.id LIMIT ?",
        (channel, now, MOST),
    ).fetchall()
    if not found:
        return None
    rested = rest(tx, channel)
    if rested is not None and rested.until > now:
        return rested.until
    tx.execute("DELETE FROM channel_use WHERE at < ?", (now - 2 * DAY,))
    # Another worker may be a moment ahead of us. But a clock that was put back must not hold all
    # up until it is there again.
    times = [at for at in uses(tx, channel, now - DAY) if at <= now + 60]
    critical, asks = bool(found[0][-1]), bool(found[0][-2])
    free = [
        (count - len([at for at in times if at > now - window]), count, window)
        for count, window in (rules.caps if asks or rules.news is None else rules.news)
    ]
    if rules.coalesce > 0 and not critical:
        close = len([at for at in times if at > now - rules.coalesce])
        free.append((BURST - close, BURST, rules.coalesce))
    full = [(count, window) for left, count, window in free if left <= 0]
    if full:
        return max(times[-count] + window for count, window in full)
    chosen = _together(found, min((left for left, _, _ in free), default=MOST))
    return _parcel(tx, channel, me, now, chosen)


def _together(found: list[Any], left: int) -> list[Any]:
    """Return which of the due deliveries, most urgent first, the next message tells of."""
    begun = next((row[4] for row in found if row[4] is not None), None)
    if begun is not None:
        # As it was when a worker died under it, so that a repeat has the same key.
        return [row for row in found if row[4] == begun]
    if len(found) > 1 and left <= 1:
        asking = [row for row in found if row[6]]
        # Told with others it has no buttons; news can wait for it.
        return asking if len(asking) == 1 else found
    digest = [row for row in found if row[5]]
    return digest if digest and len(digest) == len(found) else [r for r in found if not r[5]][:1]


def _parcel(tx: Tx, channel: str, me: str, now: float, chosen: list[Any]) -> Parcel:
    batch = None
    if len(chosen) > 1:
        batch = chosen[0][4] or f"taskhub-all-{min(row[0] for row in chosen)}"
    deliveries = []
    for id_, notification_id, step, attempts, *_ in chosen:
        tx.execute(
            "UPDATE delivery SET state = 'sending', attempts = attempts + 1, worker = ?, batch = ?"
            " WHERE id = ?",
            (me, batch, id_),
        )
        note = notification_by_id(tx, notification_id)
        assert note is not None
        deliveries.append(delivery(tx, id_, channel, step, attempts + 1, note))
    key = batch or key_of(deliveries[0].notification.id, deliveries[0].step)
    use = tx.execute("INSERT INTO channel_use (channel, at) VALUES (?, ?)", (channel, now))
    assert use.lastrowid is not None
    return Parcel(key, tuple(deliveries), use.lastrowid)


def delivery(
    reader: Reader, id_: int, channel: str, step: int, attempts: int, note: Notification
) -> Delivery:
    """Return a delivery with all that its message says."""
    task, blocker = _task(reader, note), None
    suggested: tuple[str, ...] = ()
    # What is damaged can still be told of: whoever answers it finds out.
    with contextlib.suppress(Damaged):
        if note.kind is NoticeKind.COMPLETED:
            suggested = tuple(
                one.title for one in follow_ups(stages_of(reader, task, checked=False))
            )
        elif note.blocker_id is not None:
            blocker = asked_by(reader, note, task)
    return Delivery(id_, channel, step, attempts, note, task, blocker, suggested)


def sent(tx: Tx, parcel: Parcel, now: float) -> None:
    """Note that a message was sent: its channel works."""
    tx.execute("UPDATE channel_use SET at = ? WHERE id = ?", (now, parcel.use))
    tx.execute("DELETE FROM channel_rest WHERE channel = ?", (parcel.deliveries[0].channel,))
    for one in parcel.deliveries:
        again = tx.execute("SELECT sent FROM delivery WHERE id = ?", (one.id,)).fetchone()[0]
        tx.execute(
            "UPDATE delivery SET state = 'sent', sent = ?, error = NULL WHERE id = ?", (now, one.id)
        )
        if again is None:  # Else only its worker or its screen was lost.
            told = {"channel": one.channel, "reason": _reason(tx, one)}
            add_event(tx, one.task.n, now, "told", None, "engine", one.channel, told)


def _reason(reader: Reader, one: Delivery) -> str:
    row = reader.execute(
        "SELECT steps FROM notification_plan WHERE notification_id = ?", (one.notification.id,)
    ).fetchone()
    steps = json.loads(row[0]) if row else []
    said = (reason for channel, step, _, reason in steps if (channel, step) == _place(one))
    return str(next(said, ""))


def _place(one: Delivery) -> tuple[str, int]:
    return one.channel, one.step


def failed(tx: Tx, parcel: Parcel, error: str, again: float | None) -> None:
    """Note a failed attempt; it is tried again at `again`, or never when that is None."""
    tx.execute("DELETE FROM channel_use WHERE id = ?", (parcel.use,))
    for one in parcel.deliveries:
        tx.execute(
            "UPDATE delivery SET state = ?, error = ?, due = COALESCE(?, due), batch = NULL"
            " WHERE id = ?",
            ("dead" if again is None else "queued", error, again, one.id),
        )


def uses(reader: Reader, channel: str, since: float) -> list[float]:
    """Return when a channel was used after `since`, in order."""
    found = reader.execute(
        "SELECT at FROM channel_use WHERE channel = ? AND at > ? ORDER BY at", (channel, since)
    ).fetchall()
    return [float(at) for (at,) in found]


def rest(reader: Reader, channel: str) -> Rest | None:
    """Return why a channel is left alone, and until when; None when it works."""
    row = reader.execute(
        "SELECT until, failures, since, said FROM channel_rest WHERE channel = ?", (channel,)
    ).fetchone()
    return None if row is None else Rest(*row)


def let_rest(tx: Tx, channel: str, now: float, said: str, at_least: float | None) -> float:
    """Leave a channel that failed alone, each time for longer; return until when."""
    before = rest(tx, channel)
    failures = 1 if before is None else before.failures + 1
    pause = max(min(900.0, 2.0 ** min(failures, 10)), min(at_least or 0.0, DAY))
    tx.execute(
        "INSERT OR REPLACE INTO channel_rest (channel, until, failures, since, said)"
        " VALUES (?, ?, ?, ?, ?)",
        (channel, now + pause, failures, now if before is None else before.since, said),
    )
    return now + pause


def next_due(reader: Reader, channel: str, me: str, *, asks: bool | None = None) -> float | None:
    """Return when something is to be sent over a channel; between two messages nothing is.

    Args:
        asks: True for what somebody has to act on, False for the rest; None for all.
    """
    stuck = reader.execute(
        "SELECT 1 FROM delivery WHERE state = 'sending' AND worker = ? AND channel = ? LIMIT 1",
        (me, channel),
    ).fetchone()
    if stuck is not None:
        return -inf
    (due,) = reader.execute(
        "SELECT min(due) FROM delivery WHERE state = 'queued' AND channel = ?1"
        " AND (?2 IS NULL OR asks = ?2)",
        (channel, asks),
    ).fetchone()
    return None if due is None else float(due)


def any_queued(reader: Reader) -> bool:
    """Return whether anything is still to be sent by a worker."""
    found = reader.execute(
        "SELECT 1 FROM delivery WHERE state = 'queued' AND channel <> ? LIMIT 1", (TERMINAL,)
    ).fetchone()
    return found is not None
