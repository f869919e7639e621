"""What was answered, and is to be taken back from the channels that it went over."""

from collections.abc import Sequence
from dataclasses import dataclass

from taskhub_tui.storage.notices import ASKS, notification_by_id
from taskhub_tui.storage.outbox import LIVE, Delivery, delivery, key_of
from taskhub_tui.storage.queries import Reader
from taskhub_tui.storage.writer import Tx


@dataclass(frozen=True, slots=True)
class Gone:
    """A delivery that was sent, and answered since."""

    id: int
    key: str
    left: tuple[Delivery, ...] = ()
    """What its message told of besides, and is not answered."""

    @property
    def asks(self) -> bool:
        """True while its message tells of another question that is open."""
        return any(one.notification.kind in ASKS for one in self.left)


def to_withdraw(reader: Reader, channel: str, me: str) -> list[Gone]:
    """Return what was sent over a channel and answered since."""
    found = reader.execute(
        "SELECT delivery.id, notification_id, step, batch FROM delivery"
        " JOIN notification ON notification.id = notification_id"
        " WHERE delivery.state = 'sent' AND asks = 1 AND channel = ?"
        " AND notification.withdrawn IS NOT NULL AND (channel NOT IN (?, ?) OR worker = ?)",
        (channel, *LIVE, me),
    ).fetchall()
    return [
        Gone(
            id_,
            batch or key_of(notification_id, step),
            () if batch is None else _left(reader, batch),
        )
        for id_, notification_id, step, batch in found
    ]


def unneeded(reader: Reader, channel: str) -> list[int]:
    """Return what was still to be sent over a channel, perhaps in hours, and was answered."""
    found = reader.execute(
        "SELECT delivery.id FROM delivery JOIN notification ON notification.id = notification_id"
        " WHERE delivery.state = 'queued' AND channel = ? AND notification.withdrawn IS NOT NULL",
        (channel,),
    ).fetchall()
    return [int(id_) for (id_,) in found]


def _left(reader: Reader, batch: str) -> tuple[Delivery, ...]:
    """Return what a message of many tells of that still holds."""
    found = reader.execute(
        "SELECT delivery.id, notification_id, channel, step, attempts FROM delivery"
        " JOIN notification ON notification.id = notification_id"
        " WHERE batch = ? AND delivery.state = 'sent' AND notification.withdrawn IS NULL"
        " ORDER BY delivery.id",
        (batch,),
    ).fetchall()
    left = []
    for id_, notification_id, channel, step, attempts in found:
        note = notification_by_id(reader, notification_id)
        assert note is not None
        left.append(delivery(reader, id_, channel, step, attempts, note))
    return tuple(left)


def withdrawn(tx: Tx, ids: Sequence[int]) -> None:
    for id_ in ids:
        tx.execute("UPDATE delivery SET state = 'withdrawn' WHERE id = ?", (id_,))
