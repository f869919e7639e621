"""What a message may be answered with: single-use tokens, and every attempt to use one.

A token itself is in the message only. Whoever reads the database, or a backup of it, cannot answer
with what is there.
"""

import hashlib
import hmac
from collections.abc import Sequence

from taskhub_tui.records import dataclass
from taskhub_tui.storage import rows
from taskhub_tui.storage.queries import Reader
from taskhub_tui.storage.writer import Tx

KEPT = 7 * 86400.0
"""Seconds for which a token is known after it expired, so that it is said what became of it."""
STRANGERS = 1000
"""How many attempts with tokens that are none of ours are kept, the newest."""
TOGETHER = 60.0
"""Seconds in which attempts that are refused for their number count as one line."""

_COLUMNS = (
    "hash, task.id, task.n, notification_id, blocker_id, version, actions, channel, recipient,"
    " code, misses, shown, answer_token.created, expires, used, key, sure"
)
_FROM = "FROM answer_token JOIN task ON task.n = task_n"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token allows."""

    hash: bytes
    task_id: str
    task_n: int
    notification_id: int
    blocker_id: str | None
    """None: it answers a failure."""
    version: int | None
    actions: tuple[str, ...]
    """Values of `Action`, or what begins with `message.NEXT`."""
    channel: str
    recipient: str
    code: bytes | None
    misses: int
    shown: str
    """What the message said."""
    created: float
    expires: float
    used: float | None = None
    key: str = ""
    """Of the message that it is in."""
    sure: bool = True
    """False: what is risky is asked once more before it is taken."""

    def typed(self, code: str) -> bool:
        """Return whether `code` is the one that the message named."""
        return self.code is not None and hmac.compare_digest(self.code, sealed(self.hash, code))


@dataclass(frozen=True, slots=True)
class Attempt:
    """An answer that came from outside."""

    at: float
    action: str
    channel: str
    peer: str
    verdict: str
    recipient: str = ""
    task_n: int | None = None
    blocker_id: str | None = None
    version: int | None = None
    text: str | None = None
    shown: str | None = None


def digest(token: str) -> bytes:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def sealed(hash_: bytes, code: str) -> bytes:
    """Return what is kept of a code; it differs for each token that goes with it."""
    plain = "".join(code.split()).replace("-", "").upper()
    return hashlib.sha256(hash_ + plain.encode("utf-8", "replace")).digest()


def mint(tx: Tx, grant: Grant) -> None:
    """Keep a token, and forget those that have expired long ago."""
    tx.execute(
        "INSERT INTO answer_token (hash, task_n, notification_id, blocker_id, version, actions,"
        " channel, recipient, code, shown, created, expires, key, sure)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            grant.hash,
            grant.task_n,
            grant.notification_id,
            grant.blocker_id,
            grant.version,
            rows.dump(list(grant.actions)),
            grant.channel,
            grant.recipient,
            grant.code,
            grant.shown,
            grant.created,
            grant.expires,
            grant.key,
            int(grant.sure),
        ),
    )
    tx.execute("DELETE FROM answer_token WHERE expires < ?", (grant.created - KEPT,))


def find(reader: Reader, hash_: bytes) -> Grant | None:
    """Return what a token allows; None when it is none of ours."""
    row = reader.execute(f"SELECT {_COLUMNS} {_FROM} WHERE hash = ?", (hash_,)).fetchone()
    return None if row is None else _grant(row)


def live(reader: Reader, channel: str, recipient: str, now: float) -> list[Grant]:
    """Return what a recipient may answer by a channel, the newest first."""
    found = reader.execute(
        f"SELECT {_COLUMNS} {_FROM} WHERE channel = ? AND recipient = ? AND used IS NULL"
        " AND expires > ? ORDER BY answer_token.created DESC",
        (channel, recipient, now),
    ).fetchall()
    return [_grant(row) for row in found]


def awaited(reader: Reader, channels: Sequence[str], now: float) -> bool:
    """Return whether a message that was sent over these channels can still be answered."""
    marks = ", ".join("?" * len(channels))
    found = reader.execute(
        "SELECT 1 FROM answer_token JOIN notification ON notification.id = notification_id"
        f" WHERE channel IN ({marks}) AND used IS NULL AND expires > ? AND withdrawn IS NULL"
        " LIMIT 1",
        (*channels, now),
    ).fetchone()
    return found is not None


def oldest(reader: Reader, channel: str, now: float, *, asks: bool = False) -> float | None:
    """Return when the oldest message of a channel that can still be answered was sent.

    Args:
        asks: count only those that ask, and not what could be done next.
    """
    (found,) = reader.execute(
        "SELECT min(answer_token.created) FROM answer_token"
        " JOIN notification ON notification.id = notification_id"
        " WHERE channel = ? AND used IS NULL AND expires > ? AND withdrawn IS NULL"
        " AND (kind <> 'completed' OR NOT ?)",
        (channel, now, asks),
    ).fetchone()
    return None if found is None else float(found)


def _grant(row: Sequence[object]) -> Grant:
    values = list(row)
    values[6] = tuple(str(name) for name in rows.load(str(values[6])))
    values[-1] = bool(values[-1])
    return Grant(*values)  # type: ignore[arg-type]


def spend(tx: Tx, grant: Grant, now: float) -> None:
    """Use up a token with all others of the same question, on every channel."""
    if grant.blocker_id is None:
        tx.execute(
            "UPDATE answer_token SET used = ? WHERE notification_id = ? AND used IS NULL",
            (now, grant.notification_id),
        )
    else:
        tx.execute(
            "UPDATE answer_token SET used = ? WHERE task_n = ? AND blocker_id = ? AND used IS NULL",
            (now, grant.task_n, grant.blocker_id),
        )


def miss(tx: Tx, grant: Grant, most: int, now: float) -> None:
    """Count a wrong code against a token; at the `most`-th it is used up."""
    tx.execute(
        "UPDATE answer_token SET misses = misses + 1,"
        " used = CASE WHEN misses + 1 >= ? THEN ? ELSE used END WHERE hash = ?",
        (most, now, grant.hash),
    )


def attempted(tx: Tx, attempt: Attempt, *, fold: bool = False) -> None:
    """Write down an attempt; with `fold`, one like those of the last minute is counted there."""
    if fold:
        row = tx.execute(
            "SELECT id FROM answer_attempt WHERE task_n IS NULL AND peer = ? AND channel = ?"
            " AND verdict = ? AND at > ? ORDER BY id DESC LIMIT 1",
            (attempt.peer, attempt.channel, attempt.verdict, attempt.at - TOGETHER),
        ).fetchone()
        if row is not None:
            tx.execute("UPDATE answer_attempt SET times = times + 1 WHERE id = ?", row)
            return
    made = tx.execute(
        "INSERT INTO answer_attempt (at, task_n, blocker_id, version, action, channel, recipient,"
        " peer, verdict, text, shown) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            attempt.at,
            attempt.task_n,
            attempt.blocker_id,
            attempt.version,
            attempt.action,
            attempt.channel,
            attempt.recipient,
            attempt.peer,
            attempt.verdict,
            attempt.text,
            attempt.shown,
        ),
    )
    if attempt.task_n is None:
        tx.execute(
            "DELETE FROM answer_attempt WHERE task_n IS NULL AND id <= ? - ?",
            (made.lastrowid, STRANGERS),
        )
