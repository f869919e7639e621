"""What is sent once more: its worker is gone, its screen was lost, or its channel was mended."""

from collections.abc import Sequence

from taskhub_tui.storage.outbox import DAY, DESKTOP
from taskhub_tui.storage.queries import Reader
from taskhub_tui.storage.writer import Tx


def _forsaken(me: str, alive: Sequence[str], now: float) -> tuple[str, tuple[object, ...]]:
    """Return the condition of a delivery whose worker is gone, and its values."""
    marks = ", ".join("?" * len(alive))  # SQLite allows an empty list; NULL in it matches none
    return (
        f"worker IS NOT NULL AND worker <> ? AND worker NOT IN ({marks})"
        " AND (state = 'sending' OR (state = 'sent' AND asks = 1 AND step = 0"
        " AND channel = ? AND notification_id IN (SELECT id FROM notification"
        "                      WHERE withdrawn IS NULL AND created > ?)))",
        (me, *alive, DESKTOP, now - DAY),
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
        " AND state = 'sent' AND asks = 1 AND step = 0"
        " AND notification_id IN (SELECT id FROM notification WHERE withdrawn IS NULL)",
        (now, me, channel),
    )


def begin(tx: Tx, channels: Sequence[str], now: float) -> None:
    """Give what no channel took for good another chance; leave what has no channel any more.

    A worker does so when it starts: the settings may have been mended, or have lost a channel.
    """
    marks = ", ".join("?" * len(channels))
    tx.execute(
        "UPDATE delivery SET state = 'dead', error = 'The channel is not set up any more'"
        f" WHERE state = 'queued' AND channel NOT IN ({marks})",
        tuple(channels),
    )
    tx.execute(
        "UPDATE delivery SET state = 'queued', due = ?"
        f" WHERE state = 'dead' AND asks = 1 AND channel IN ({marks}) AND notification_id IN"
        "   (SELECT id FROM notification WHERE withdrawn IS NULL)",
        (now, *channels),
    )


def anything_begun(reader: Reader, channels: Sequence[str]) -> bool:
    """Return whether `begin` would change anything."""
    marks = ", ".join("?" * len(channels))
    return (
        reader.execute(
            "SELECT 1 FROM delivery JOIN notification ON notification.id = notification_id"
            f" WHERE (delivery.state = 'queued' AND channel NOT IN ({marks}))"
            f"    OR (delivery.state = 'dead' AND asks = 1 AND channel IN ({marks})"
            "        AND notification.withdrawn IS NULL) LIMIT 1",
            (*channels, *channels),
        ).fetchone()
        is not None
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
