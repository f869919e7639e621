"""Any other desktop (Windows, a macOS application bundle): desktop-notifier's public API as it is.

Also what both ways share: turning our message into desktop-notifier's.
"""

import contextlib
from collections.abc import Callable
from typing import Literal

from desktop_notifier import (
    Button,
    Capability,
    DesktopNotifier,
    Icon,
    Notification,
    ReplyField,
    Urgency,
)

from taskhub_tui.notifications.message import DeliveryError, Message
from taskhub_tui.text import clean, one_line

Heard = Callable[[int | str, Literal["action", "reply", "closed"], str], None]
"""Called with the server's ID, what happened, and the action key, the reply, or the reason."""

CLICK = "default"
"""The protocol's key for a click on the body."""
MAX_BUTTONS = 5
"""Windows shows five, GNOME three; what comes last is left out first."""


def button_key(index: int) -> str:
    """The key a button has on the wire; action IDs may be an agent's words and stay here."""
    return f"b{index}"


def build(
    message: Message,
    *,
    actions: bool = True,
    reply: bool = True,
    escape: Callable[[str], str] = str,
    icon: Icon | None = None,
) -> Notification:
    """Return desktop-notifier's form of a message, cleaned and cut to what a bubble can hold."""
    body = escape(clean(message.body, 2000))
    asks = message.asks
    if (message.buttons or message.reply) and not actions:
        body = f"{body}\n(Answer in TaskHub: this desktop has no buttons.)".strip()
    buttons = [
        Button(one_line(label, 40) or one_line(action, 40) or "?", identifier=button_key(index))
        for index, (action, label) in enumerate(message.buttons[:MAX_BUTTONS])
    ]
    return Notification(
        one_line(message.title, 200),
        body,
        urgency=(
            Urgency.Critical if message.urgent else Urgency.Low if message.quiet else Urgency.Normal
        ),
        icon=icon,
        buttons=tuple(buttons) if actions else (),
        reply_field=ReplyField() if message.reply and reply else None,
        # A question stays until it is answered or withdrawn; the rest goes when the desktop likes.
        timeout=0 if asks else -1,
    )


class SystemDesktop:
    """The notification centre through the public API. Call everything from one event loop."""

    def __init__(self, app_name: str, heard: Heard) -> None:
        # On macOS and Windows there is a real icon of the application; Linux themes have this one.
        self._notifier = DesktopNotifier(app_name, Icon(name="utilities-terminal"))
        self._notifier.on_clicked = lambda ref: heard(ref, "action", CLICK)
        self._notifier.on_button_pressed = lambda ref, key: heard(ref, "action", key)
        self._notifier.on_replied = lambda ref, text: heard(ref, "reply", text)
        self._notifier.on_dismissed = lambda ref: heard(ref, "closed", "2")
        self._notifier.on_dispatched = lambda ref: self._taken.add(ref)
        self._taken: set[str] = set()
        self._offers: frozenset[Capability] = frozenset()

    async def connect(self) -> None:
        """Ask what the system can do. Raises DeliveryError when it cannot notify at all."""
        if Capability.TITLE in self._offers:
            return
        self._offers = await self._notifier.get_capabilities()
        if Capability.TITLE not in self._offers:
            raise DeliveryError(
                "This system lets only an application bundle show notifications, "
                "and TaskHub does not run as one.",
                retry=False,
            )

    async def probe(self) -> None:
        """Raise DeliveryError unless the system lets us notify."""
        await self.connect()
        if not await self._notifier.has_authorisation():
            raise DeliveryError(
                "Notifications are switched off for TaskHub in the system settings.", retry=True
            )

    async def show(self, message: Message) -> str:
        """Show it and return its ID. Raises DeliveryError when the system did not take it."""
        note = build(
            message,
            actions=Capability.BUTTONS in self._offers,
            reply=Capability.REPLY_FIELD in self._offers,
        )
        await self._notifier.send_notification(note)
        # It never raises: that `on_dispatched` ran is the only sign of success.
        if note.identifier not in self._taken:
            raise DeliveryError("The system's notification centre refused the message.", retry=True)
        self._taken.discard(note.identifier)
        return note.identifier

    async def take_back(self, ref: int | str) -> None:
        """Close a notification; one that is closed already is fine. Raises nothing."""
        # After a click the library has forgotten the ID, which it reports as a KeyError.
        with contextlib.suppress(Exception):
            await self._notifier.clear(str(ref))

    async def drop(self) -> None:
        """Nothing to close: the system keeps the connection."""
