"""Desktop notifications with buttons, whose clicks come back to the process that sent them."""

import asyncio
import logging
import os
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from taskhub_tui.notifications.message import OPEN, REPLY, DeliveryError, Message, Pressed
from taskhub_tui.text import clean

logger = logging.getLogger(__name__)

Ref = int | str
"""The notification server's own ID of a bubble."""
_REMEMBERED = 256
"""Bubbles kept after they left the screen: a click in the desktop's history still counts."""
_CLOSED_BY_US = "3"


class Desktop(Protocol):
    """A notification server, as the channel needs it."""

    async def connect(self) -> None: ...
    async def probe(self) -> None: ...
    async def show(self, message: Message) -> Ref: ...
    async def take_back(self, ref: Ref) -> None: ...
    async def drop(self) -> None: ...


@dataclass(slots=True, eq=False)
class _Bubble:
    """One message on its way to, or on, the screen."""

    message: Message
    sending: asyncio.Task[None] | None = None
    """Set until the server has answered, even if the caller stopped waiting."""
    ref: Ref | None = None
    open: bool = False
    unwanted: bool = False
    """Withdrawn while still on its way."""


def hindrance(environ: Mapping[str, str], platform: str = sys.platform) -> str | None:
    """Say why there can be no desktop notification in this environment, or None."""
    if environ.get("SSH_CONNECTION") or environ.get("SSH_TTY"):
        return (
            "This is an SSH session: a desktop notification would appear on the other "
            "machine's screen."
        )
    if platform.startswith("linux"):
        from taskhub_tui.notifications.channels.desktop_linux import bus_address

        if bus_address(environ) is None:
            return "There is no desktop session here: no D-Bus session bus was found."
    return None


class DesktopChannel:
    """Sends messages to the desktop and hands back what was pressed on them.

    Lives in one event loop; the buttons work as long as it does, so `close()` takes unanswered
    questions off the screen. `on_daemon_restart` is called with the keys that vanished when
    the notification server, or its bus, was restarted: send again what is still wanted.
    """

    name = "desktop"

    def __init__(
        self,
        on_pressed: Callable[[Pressed], Awaitable[None]],
        *,
        on_daemon_restart: Callable[[tuple[str, ...]], Awaitable[None]] | None = None,
        app_name: str = "TaskHub",
        timeout: float = 3.0,
    ) -> None:
        self._on_pressed = on_pressed
        self._on_daemon_restart = on_daemon_restart
        self._app_name = app_name
        self._timeout = timeout
        """Seconds the desktop may take to answer."""
        self._desktop: Desktop | None = None
        self._connecting = asyncio.Lock()
        self._bubbles: dict[str, _Bubble] = {}
        self._by_ref: dict[Ref, _Bubble] = {}
        self._lost: dict[str, None] = {}
        self._flying = 0
        """Messages handed to the server that it has not yet given a number."""
        self._early: deque[tuple[Ref, Literal["action", "reply", "closed"], str]] = deque(maxlen=64)
        self._tasks: set[asyncio.Task[None]] = set()

    async def available(self) -> str | None:
        """Return None when a message can be shown now, else a sentence that says why not."""
        if problem := hindrance(os.environ):
            return problem
        try:
            async with asyncio.timeout(self._timeout):
                desktop = await self._connected()
                try:
                    await desktop.probe()
                except Exception as error:
                    raise self._explain(error) from error
        except DeliveryError as error:
            return str(error)
        except TimeoutError:
            return self._silence()
        return None

    async def send(self, message: Message) -> None:
        """Show a message; return once the desktop has taken it.

        The same message under the same key is not shown twice while it is on the screen, a changed
        one takes the place of the old. Raises DeliveryError.
        """
        if problem := hindrance(os.environ):
            raise DeliveryError(problem, retry=False)
        try:
            async with asyncio.timeout(self._timeout):
                await self._connected()
                await self._send(message)
        except TimeoutError:
            raise DeliveryError(self._silence(), retry=True) from None

    async def withdraw(self, key: str) -> None:
        """Take a message off the screen, or stop it on its way. Unknown keys are fine."""
        self._lost.pop(key, None)
        bubble = self._bubbles.get(key)
        if bubble is None:
            return
        if bubble.ref is None:
            bubble.unwanted = True
            return
        self._forget(bubble)
        await self._take_back(bubble.ref)

    async def close(self) -> None:
        """Take questions off the screen, finish running callbacks, leave the bus."""
        # A button without its process behind it would do nothing when it is pressed.
        for bubble in list(self._bubbles.values()):
            if bubble.open and bubble.message.asks:
                await self.withdraw(bubble.message.key)
        sending = [b.sending for b in self._bubbles.values() if b.sending is not None]
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._timeout)
        for task in (*self._tasks, *sending):
            task.cancel()
        await asyncio.gather(*self._tasks, *sending, return_exceptions=True)
        self._bubbles.clear()
        self._by_ref.clear()
        if self._desktop is not None:
            await self._desktop.drop()

    # Sending

    async def _connected(self) -> Desktop:
        """Return the desktop, connected; connects again when its bus went away."""
        async with self._connecting:
            if self._desktop is None:
                self._desktop = self._make()
            try:
                async with asyncio.timeout(self._timeout):
                    await self._desktop.connect()
            except TimeoutError:
                raise DeliveryError(self._silence(), retry=True) from None
            return self._desktop

    def _make(self) -> Desktop:
        if sys.platform.startswith("linux"):
            from taskhub_tui.notifications.channels.desktop_linux import LinuxDesktop

            return LinuxDesktop(self._app_name, self._heard, self._owner_changed)
        from taskhub_tui.notifications.channels.desktop_system import SystemDesktop

        return SystemDesktop(self._app_name, self._heard)

    async def _send(self, message: Message) -> None:
        # A call that ran into the time limit may still be answered: waiting for it, instead of
        # calling again, is what keeps a slow desktop from showing the message twice.
        while (old := self._bubbles.get(message.key)) and old.sending is not None:
            await asyncio.shield(old.sending)
        if old is not None and old.open and old.message == message:
            return
        bubble = _Bubble(message)
        self._bubbles[message.key] = bubble
        bubble.sending = asyncio.create_task(self._show(bubble, old), name=f"show {message.key}")
        bubble.sending.add_done_callback(_retrieved)
        await asyncio.shield(bubble.sending)

    async def _show(self, bubble: _Bubble, old: _Bubble | None) -> None:
        self._flying += 1
        try:
            bubble.ref = await self._show_once_more(bubble.message)
            self._by_ref[bubble.ref] = bubble
            bubble.open = True
        except BaseException:
            self._bubbles.pop(bubble.message.key, None)
            if old is not None and old.open:
                self._bubbles[bubble.message.key] = old
            raise
        finally:
            self._flying -= 1
            bubble.sending = None
        self._replay(bubble.ref)
        if old is not None and old.ref is not None:
            self._by_ref.pop(old.ref, None)
            if old.open:
                await self._take_back(old.ref)
        if bubble.unwanted:
            self._forget(bubble)
            await self._take_back(bubble.ref)
        self._prune()

    async def _show_once_more(self, message: Message) -> Ref:
        """Show it; when the bus turns out to be gone, connect again and try once more."""
        desktop = await self._connected()
        try:
            return await desktop.show(message)
        except ConnectionError:
            desktop = await self._connected()
        try:
            return await desktop.show(message)
        except ConnectionError:
            raise DeliveryError("The desktop's message bus keeps going away.", retry=True) from None

    async def _take_back(self, ref: Ref) -> None:
        if self._desktop is None:
            return
        try:
            async with asyncio.timeout(self._timeout):
                await self._desktop.take_back(ref)
        except TimeoutError:
            logger.info("The desktop did not confirm that it closed a notification.")

    # Listening

    def _heard(self, ref: Ref, what: Literal["action", "reply", "closed"], value: str) -> None:
        """Take in what happened to a bubble; those of other programs are ignored."""
        bubble = self._by_ref.get(ref)
        if bubble is None:
            if self._flying:
                self._early.append((ref, what, value))
            return
        if what == "closed":
            bubble.open = False
            if value == _CLOSED_BY_US:
                self._forget(bubble)
            return
        pressed = _meaning(bubble.message, what, value)
        if pressed is None:
            return
        self._forget(bubble)
        # Some servers leave an answered bubble on the screen.
        self._spawn(self._take_back(ref))
        self._spawn(self._tell(self._on_pressed(pressed)))

    def _replay(self, ref: Ref) -> None:
        """Act on what was pressed before the server's answer told us the number."""
        early = [event for event in self._early if event[0] == ref]
        if not self._flying:
            self._early.clear()
        for event in early:
            self._heard(*event)

    def _owner_changed(self, present: bool) -> None:
        """The notification server, or the way to it, has gone or has come (back)."""
        if not present:
            self._lost.update((key, None) for key, b in self._bubbles.items() if b.open)
            # The next server counts from one again: an old number would mean another bubble.
            for bubble in (*self._by_ref.values(), *self._bubbles.values()):
                bubble.open, bubble.ref = False, None
            self._by_ref.clear()
            self._early.clear()
            for key in [key for key, b in self._bubbles.items() if b.sending is None]:
                del self._bubbles[key]
        elif self._lost:
            lost = tuple(self._lost)
            self._lost.clear()
            if self._on_daemon_restart is not None:
                self._spawn(self._tell(self._on_daemon_restart(lost)))

    async def _tell(self, callback: Awaitable[None]) -> None:
        try:
            await callback
        except Exception as error:
            logger.error("What was pressed on the desktop could not be carried out: %s", error)
            logger.debug("The error in full", exc_info=True)

    # Book-keeping

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _forget(self, bubble: _Bubble) -> None:
        bubble.open = False
        if bubble.ref is not None:
            self._by_ref.pop(bubble.ref, None)
        if self._bubbles.get(bubble.message.key) is bubble:
            del self._bubbles[bubble.message.key]

    def _prune(self) -> None:
        closed = [b for b in self._by_ref.values() if not b.open]
        for bubble in closed[:-_REMEMBERED]:
            self._forget(bubble)

    def _silence(self) -> str:
        return f"The desktop's notification service did not answer within {self._timeout:g} s."

    @staticmethod
    def _explain(error: Exception) -> DeliveryError:
        if isinstance(error, DeliveryError):
            return error
        if sys.platform.startswith("linux"):
            from taskhub_tui.notifications.channels.desktop_linux import explain

            return explain(error)
        return DeliveryError(f"The notification centre cannot be used: {error}", retry=True)


def _meaning(message: Message, what: str, value: str) -> Pressed | None:
    """Translate a key of the wire; None for one that was not offered."""
    if what == "reply":
        text = clean(value, 10_000).strip()
        return Pressed(message.key, REPLY, text) if message.reply and text else None
    if value == "default":
        return Pressed(message.key, OPEN, None)
    keys = {f"b{index}": action for index, (action, _) in enumerate(message.buttons)}
    return Pressed(message.key, keys[value], None) if value in keys else None


def _retrieved(task: asyncio.Task[None]) -> None:
    """Look at the result of a call nobody may be waiting for any more, so asyncio stays quiet."""
    if not task.cancelled() and (error := task.exception()):
        logger.info("A desktop notification was not shown: %s", error)
