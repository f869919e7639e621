"""The part of the outbox that open apps empty: what is to be shown in their terminals."""

from taskhub_tui.storage import outbox, withdrawals
from taskhub_tui.storage.outbox import DESKTOP, TERMINAL, Parcel, Rules
from taskhub_tui.storage.queries import Reader
from taskhub_tui.storage.withdrawals import Gone
from taskhub_tui.storage.writer import Tx

STALE = 300.0
"""Seconds after which news that no app could show are no news any more; a question waits."""
TURN = 10.0
"""Seconds that the desktop may take to show the same."""


def due(reader: Reader, now: float, *, news: bool = False) -> bool:
    """Return whether anything is to be shown by now, or any news."""
    only = "AND asks = 0" if news else ""
    found = reader.execute(
        "SELECT 1 FROM delivery"
        f" WHERE state = 'queued' AND channel = ? AND due <= ? {only} LIMIT 1",
        (TERMINAL, now),
    ).fetchone()
    return found is not None


def drop_news(tx: Tx, before: float, why: str) -> None:
    """Give up what asks nothing and was due before then; `why` is a sentence for who asks."""
    tx.execute(
        "UPDATE delivery SET state = 'withdrawn', error = ?"
        " WHERE state = 'queued' AND channel = ? AND asks = 0 AND due <= ?",
        (why, TERMINAL, before),
    )


def leave_to_desktop(tx: Tx, now: float, why: str) -> bool:
    """Give up what the desktop has shown; return whether it may yet show something else."""
    tx.execute(
        "UPDATE delivery SET state = 'withdrawn', error = ?"
        " WHERE state = 'queued' AND channel = ? AND due <= ? AND notification_id IN"
        "   (SELECT notification_id FROM delivery WHERE channel = ? AND state = 'sent')",
        (why, TERMINAL, now, DESKTOP),
    )
    found = tx.execute(
        "SELECT 1 FROM delivery AS mine JOIN delivery AS other USING (notification_id)"
        " WHERE mine.state = 'queued' AND mine.channel = ? AND mine.due <= ? AND mine.due > ?"
        "   AND other.channel = ? AND other.state IN ('queued', 'sending') AND other.due <= ?"
        " LIMIT 1",
        (TERMINAL, now, now - TURN, DESKTOP, now),
    ).fetchone()
    return found is not None


def take(tx: Tx, me: str, now: float, rules: Rules) -> Parcel | float | None:
    """Take what is shown next as `outbox.take`, and note it as told: a terminal says nothing back.

    An app that dies right then leaves it unsaid, which is seen when an app is opened again. It is
    never said twice.
    """
    taken = outbox.take(tx, TERMINAL, me, now, rules)
    if isinstance(taken, Parcel):
        tx.loud = True
        outbox.sent(tx, taken, now)
    return taken


def answered(reader: Reader, me: str) -> list[Gone]:
    """Return what this app has shown and was answered since."""
    return withdrawals.to_withdraw(reader, TERMINAL, me)
