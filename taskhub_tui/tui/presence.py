"""Whether the person is at the app: reported, so that notifications know whether they look."""

import contextlib
import time

from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.hub import Hub

_EVERY = 15.0
"""Seconds between two reports that the person is typing."""
_AGAIN = 30.0
"""Seconds after which it is reported all the same: whoever is silent for a minute has gone."""


class Presence:
    """Tells the hub at once where the keys go, and now and then that some were pressed."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.focused: bool | None = None
        """Whether this window has the keys; None while its terminal has not said so."""
        self.last_input: float | None = None
        """When a key was pressed last, or the app was opened or came to the front."""
        self._reported: tuple[bool | None, float | None] | None = None
        self.reported_at = -_EVERY
        """`time.monotonic()` of the last report."""

    def typed(self) -> None:
        """Take note that a key was pressed, or the mouse."""
        self.last_input = self._hub.clock()

    async def focus(self, focused: bool) -> None:
        """Take note whether this window has the keys, and report it."""
        self.focused = focused
        if focused:
            self.typed()
        await self.report()

    async def report(self) -> None:
        """Report where the person is, if it is time."""
        now = time.monotonic()
        news = (self.focused, self.last_input)
        moved = self._reported is None or self._reported[0] != self.focused
        every = _AGAIN if news == self._reported else _EVERY
        if moved or now - self.reported_at >= every:
            self._reported, self.reported_at = news, now
            # The watcher says what is wrong with the store.
            with contextlib.suppress(TaskHubError):
                await self._hub.report_presence(focused=news[0], last_input=news[1])
