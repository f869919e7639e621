"""What the open front ends say about their user: does anybody look?"""

from dataclasses import dataclass

from taskhub_tui.storage.queries import Reader
from taskhub_tui.storage.writer import Tx


@dataclass(frozen=True, slots=True)
class Presence:
    """What the open front ends say about their user."""

    focused: bool | None
    """True when any of them has the focus; None when none can tell."""
    last_input: float | None


def report(tx: Tx, id_: str, focused: bool | None, last_input: float | None, now: float) -> None:
    tx.execute(
        "INSERT OR REPLACE INTO presence (id, focused, last_input, seen) VALUES (?, ?, ?, ?)",
        (id_, None if focused is None else int(focused), last_input, now),
    )
    tx.execute("DELETE FROM presence WHERE seen < ?", (now - 3600,))


def forget(tx: Tx, id_: str) -> None:
    tx.execute("DELETE FROM presence WHERE id = ?", (id_,))


def seen(reader: Reader, now: float, besides: str = "") -> Presence:
    """Return whether a user looks at any front end that was heard of in the last minute.

    Args:
        besides: ID of one that is left out.
    """
    found = reader.execute(
        "SELECT focused, last_input FROM presence WHERE seen > ? AND id <> ?", (now - 60, besides)
    ).fetchall()
    known = [bool(focused) for focused, _ in found if focused is not None]
    inputs = [last for _, last in found if last is not None]
    if not found:
        return Presence(False, None)
    return Presence(any(known) if known else None, max(inputs, default=None))
