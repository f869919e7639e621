"""The Linux desktop: desktop-notifier's D-Bus backend made dependable.

desktop-notifier 6.2 sends well but listens badly: `send()` only logs a failure, a dead bus is never
left, a click that arrives before the server's reply is lost, a notification can be taken back
only until it was clicked, and a body reaches markup-reading servers unescaped. Everything that
differs is in this file. It leans on private names of desktop-notifier (`PRIVATE`), which is
why pyproject.toml bounds it to >=6.2,<7 and a test checks that they are still there.
"""

import asyncio
import contextlib
import html
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from dbus_fast.aio.message_bus import MessageBus
from dbus_fast.aio.proxy_object import ProxyInterface
from dbus_fast.constants import MessageType
from dbus_fast.errors import (
    AuthError,
    DBusError,
    DBusFastError,
    InterfaceNotFoundError,
    InvalidAddressError,
)
from dbus_fast.message import Message as BusMessage
from desktop_notifier.backends.dbus import DBusDesktopNotifier
from desktop_notifier.common import Icon

from taskhub_tui.notifications.channels.desktop_system import Heard, build
from taskhub_tui.notifications.message import DeliveryError, Message
from taskhub_tui.text import one_line

PRIVATE = (
    "_send",
    "_init_dbus",
    "_on_action",
    "_on_reply",
    "_on_closed",
    "_get_capabilities",
    "_capabilities",
    "_platform_to_interface_notification_identifier",
)
BUS = "org.freedesktop.DBus"
SERVICE = "org.freedesktop.Notifications"
OBJECT = "/org/freedesktop/Notifications"

_FINAL = {
    "org.freedesktop.DBus.Error.AccessDenied",
    "org.freedesktop.DBus.Error.InvalidArgs",
    "org.freedesktop.DBus.Error.NotSupported",
    "org.freedesktop.DBus.Error.UnknownMethod",
}
_NOBODY = {
    "org.freedesktop.DBus.Error.NameHasNoOwner",
    "org.freedesktop.DBus.Error.ServiceUnknown",
}


def bus_address(environ: Mapping[str, str]) -> str | None:
    """Return the address of the user's session bus, or None when there is none.

    The environment of a job started by cron or an old tmux server lacks the variable; the well
    known socket of the login session (systemd's `$XDG_RUNTIME_DIR/bus`) is the fallback.
    """
    if address := environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return address
    folder = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    socket = Path(folder) / "bus"
    with contextlib.suppress(OSError):
        if socket.is_socket():
            return f"unix:path={socket}"
    return None


def explain(error: Exception) -> DeliveryError:
    """Turn what went wrong on the bus into a sentence for a person."""
    if isinstance(error, DeliveryError):
        return error
    if isinstance(error, DBusError):
        kind, said = str(error.type), one_line(error.text, 200)
        if kind in _NOBODY:
            return DeliveryError(
                "No notification daemon is running on this desktop.",
                retry=True,
                hint="Start one, for example dunst or mako.",
            )
        if ".Spawn." in kind:
            return DeliveryError(
                f"The notification daemon could not be started: {said}", retry=True
            )
        return DeliveryError(
            f"The notification daemon refused the message: {said}", retry=kind not in _FINAL
        )
    if isinstance(error, OSError | EOFError | AuthError | InvalidAddressError):
        reason = one_line(str(error), 200) or "it went away"
        return DeliveryError(f"The desktop's message bus cannot be used: {reason}", retry=True)
    return DeliveryError(
        "The notification daemon speaks a dialect of the protocol that TaskHub does not know.",
        retry=False,
    )


def _escape(body: str) -> str:
    return html.escape(body, quote=False)


class LinuxDesktop(DBusDesktopNotifier):
    """One connection to the notification server of the session bus."""

    def __init__(self, app_name: str, heard: Heard, owner: Callable[[bool], None]) -> None:
        super().__init__(app_name, Icon(name="utilities-terminal"))
        self._heard = heard
        self._owner = owner
        self._bus: MessageBus | None = None
        self._offers: frozenset[str] | None = None
        """What the server says it can do; None until asked, and again after it was replaced."""

    @property
    def connected(self) -> bool:
        """True while the connection to the bus stands; says nothing about the server."""
        return self.interface is not None and self._bus is not None and self._bus.connected

    async def connect(self) -> None:
        """Connect unless connected. Raises DeliveryError; leaves nothing open then."""
        if self.connected:
            return
        await self.drop()
        try:
            await self._init_dbus()
            await self.probe()
        except BaseException as error:
            await self.drop()
            if isinstance(error, Exception):
                raise explain(error) from error
            raise
        self._owner(True)

    async def probe(self) -> None:
        """Ask the server what it can do. Raises what the bus raises."""
        self._offers = None
        await self.offers()

    async def offers(self) -> frozenset[str]:
        """The server's capabilities, such as `actions`, `body-markup`, `inline-reply`."""
        if self._offers is None:
            assert self.interface is not None
            self._offers = frozenset(
                await self.interface.call_get_capabilities()  # type: ignore[attr-defined]
            )
            self._capabilities = None
        return self._offers

    async def show(self, message: Message) -> int:
        """Show it and return the server's ID for it.

        Raises DeliveryError when the server did not take it, ConnectionError when the bus is gone.
        """
        try:
            offers = await self.offers()
            note = build(
                message,
                actions="actions" in offers,
                reply="inline-reply" in offers,
                escape=_escape if "body-markup" in offers else str,
            )
            await self._send(note)
        except Exception as error:
            if not self.connected:
                raise ConnectionError("the bus went away") from error
            raise explain(error) from error
        # Upstream's own map must not keep it: we answer its signals ourselves, and the same
        # number comes back after a restart of the server.
        number = self._platform_to_interface_notification_identifier.inverse.pop(
            note.identifier, None
        )
        if number is None:
            raise explain(InterfaceNotFoundError(SERVICE))
        return int(number)

    async def take_back(self, number: int | str) -> None:
        """Close a notification; one that is closed already is fine. Raises nothing."""
        if not self.connected or self.interface is None:
            return
        # Servers answer differently for one that is gone: with an error, or not at all.
        with contextlib.suppress(DBusError, DBusFastError, OSError, AttributeError):
            await self.interface.call_close_notification(number)  # type: ignore[attr-defined]

    async def drop(self) -> None:
        """Close the connection, if there is one. Raises nothing."""
        bus, self._bus = self._bus, None
        self.interface = None
        self._offers = self._capabilities = None
        if bus is None:
            return
        self._owner(False)
        if bus.connected:
            bus.disconnect()
        with contextlib.suppress(Exception):
            async with asyncio.timeout(1):
                await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]

    async def _init_dbus(self) -> ProxyInterface:
        """Connect as upstream does, but to our address, and watch who owns the name."""
        address = bus_address(os.environ)
        if address is None:
            raise DeliveryError("There is no D-Bus session here.", retry=False)
        self.bus = self._bus = bus = await MessageBus(address).connect()
        bus.add_message_handler(self._owner_changed)
        rule = f"type='signal',sender='{BUS}',member='NameOwnerChanged',arg0='{SERVICE}'"
        await bus.call(
            BusMessage(
                destination=BUS,
                path="/org/freedesktop/DBus",
                interface=BUS,
                member="AddMatch",
                signature="s",
                body=[rule],
            )
        )
        description = await bus.introspect(SERVICE, OBJECT)
        self.proxy_object = bus.get_proxy_object(SERVICE, OBJECT, description)
        self.interface = interface = self.proxy_object.get_interface(SERVICE)
        for signal, handler in (
            ("on_action_invoked", self._on_action),
            ("on_notification_replied", self._on_reply),
            ("on_notification_closed", self._on_closed),
        ):
            if subscribe := getattr(interface, signal, None):
                subscribe(handler)
        return interface

    def _owner_changed(self, message: BusMessage) -> None:
        if (
            message.message_type is MessageType.SIGNAL
            and message.member == "NameOwnerChanged"
            and message.sender == BUS
            and message.body[0] == SERVICE
        ):
            _, before, after = message.body
            self._offers = self._capabilities = None
            if before:
                self._owner(False)
            if after:
                self._owner(True)

    def _on_action(self, nid: int, action_key: str) -> None:
        self._heard(nid, "action", action_key)

    def _on_reply(self, nid: int, reply_text: str) -> None:
        self._heard(nid, "reply", reply_text)

    def _on_closed(self, nid: int, reason: int) -> None:
        self._heard(nid, "closed", str(reason))
