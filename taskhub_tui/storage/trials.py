"""Trying out a channel: a front end asks, and the worker that owns it says what came of it."""

from taskhub_tui.domain.views import Trial
from taskhub_tui.storage.queries import Reader
from taskhub_tui.storage.writer import Tx


def ask(tx: Tx, channel: str, now: float) -> None:
    """Ask the workers for a message on a channel; one that was asked for before is forgotten."""
    tx.loud = tx.told = True
    tx.execute(
        "INSERT OR REPLACE INTO channel_test (channel, asked, tried, said)"
        " VALUES (?, ?, NULL, NULL)",
        (channel, now),
    )


def wanted(reader: Reader, since: float) -> list[str]:
    """Return the channels to be tried; what was asked for before `since` is out of date."""
    found = reader.execute(
        "SELECT channel FROM channel_test WHERE tried IS NULL AND asked > ?", (since,)
    ).fetchall()
    return [str(channel) for (channel,) in found]


def take(tx: Tx, channel: str, now: float) -> bool:
    """Take a trial upon oneself; False when another worker was faster."""
    changed = tx.execute(
        "UPDATE channel_test SET tried = ?, said = 'It has not been heard of since'"
        " WHERE channel = ? AND tried IS NULL",
        (now, channel),
    )
    return bool(changed.rowcount)


def done(tx: Tx, channel: str, now: float, said: str | None) -> None:
    """Note what came of a trial; `said` is why it did not work."""
    tx.loud = True
    tx.execute(
        "UPDATE channel_test SET tried = ?, said = ? WHERE channel = ?", (now, said, channel)
    )


def trial(reader: Reader, channel: str) -> Trial | None:
    """Return the last trial of a channel; None when it was never tried."""
    row = reader.execute(
        "SELECT asked, tried, said FROM channel_test WHERE channel = ?", (channel,)
    ).fetchone()
    return None if row is None else Trial(*row)
