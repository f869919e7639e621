"""A small org.freedesktop.Notifications server on a private bus, for what real ones seldom do.

It really speaks D-Bus; each test says how it behaves: silent, refusing, answering before its reply.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from dbus_fast import DBusError
from dbus_fast.aio import MessageBus
from dbus_fast.constants import NameFlag
from dbus_fast.service import ServiceInterface, dbus_method, dbus_signal

NAME = "org.freedesktop.Notifications"
PATH = "/org/freedesktop/Notifications"


class Service(ServiceInterface):
    """Records what it is asked to show; sends whatever signal a test wants."""

    def __init__(self, *capabilities: str) -> None:
        super().__init__(NAME)
        self.capabilities = list(capabilities or ("body", "actions"))
        self.shown: list[dict[str, object]] = []
        self.closed: list[int] = []
        self.asked = asyncio.Event()
        """Set when a message has come in."""
        self.answer = asyncio.Event()
        """Cleared: messages are taken in but not answered."""
        self.answer.set()
        self.refusal: DBusError | None = None
        self.at_once: str | None = None
        """A button that is pressed before the number of the bubble is told."""
        self.number = 0
        self.changed = asyncio.Condition()

    @dbus_method()
    def GetCapabilities(self) -> "as":  # noqa: F722
        return self.capabilities

    @dbus_method()
    def GetServerInformation(self) -> "ssss":  # noqa: F821
        return ["Service", "TaskHub tests", "1", "1.2"]

    @dbus_method()
    async def Notify(
        self,
        app: "s",  # noqa: F821
        replaces: "u",  # noqa: F821
        icon: "s",  # noqa: F821
        summary: "s",  # noqa: F821
        body: "s",  # noqa: F821
        actions: "as",  # noqa: F722
        hints: "a{sv}",  # noqa: F722
        timeout: "i",  # noqa: F821
    ) -> "u":  # noqa: F821
        self.asked.set()
        if self.refusal is not None:
            raise self.refusal
        self.number += 1
        number = self.number
        self.shown.append(
            {
                "number": number,
                "app": app,
                "title": summary,
                "body": body,
                "actions": dict(zip(actions[::2], actions[1::2], strict=True)),
                "urgency": hints["urgency"].value,
                "timeout": timeout,
            }
        )
        if self.at_once is not None:
            self.ActionInvoked(number, self.at_once)
        await self.answer.wait()
        return number

    @dbus_method()
    async def CloseNotification(self, number: "u"):  # noqa: F821
        async with self.changed:
            self.closed.append(number)
            self.changed.notify_all()
        self.NotificationClosed(number, 3)

    async def until_closed(self, *numbers: int) -> None:
        """Return once these bubbles were closed, in any order."""
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: set(numbers) <= set(self.closed))

    @dbus_signal()
    def ActionInvoked(self, number, key) -> "us":  # noqa: F821
        return [number, key]

    @dbus_signal()
    def NotificationReplied(self, number, text) -> "us":  # noqa: F821
        return [number, text]

    @dbus_signal()
    def NotificationClosed(self, number, reason) -> "uu":  # noqa: F821
        return [number, reason]


@contextlib.asynccontextmanager
async def serving(address: str, *capabilities: str) -> AsyncIterator[Service]:
    """Run the service on this bus until the block ends."""
    bus = await MessageBus(address).connect()
    service = Service(*capabilities)
    bus.export(PATH, service)
    await bus.request_name(NAME, NameFlag.DO_NOT_QUEUE)
    try:
        yield service
    finally:
        service.answer.set()
        if bus.connected:
            # Leaving with an answer half sent can leave dbus-fast waiting for ever.
            await bus.release_name(NAME)
            bus.unexport(PATH)
            bus.disconnect()
        # Also after the bus died: the error is asked for here, or asyncio complains about it later.
        with contextlib.suppress(Exception):
            async with asyncio.timeout(1):
                await bus.wait_for_disconnect()
