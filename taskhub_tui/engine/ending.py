"""Ending an agent that does not end: told first, then closed from outside.

An agent that swallows its cancellation must hold neither its task nor the worker for ever.
"""

import asyncio
import contextlib
import logging
from typing import Any

from taskhub_tui.agents.port import Stop

log = logging.getLogger("taskhub.engine")

PATIENCE: dict[Stop, float] = {"cancel": 60.0, "detach": 10.0}
"""Seconds an agent has to end by itself; on `cancel`, twice its option `grace` comes on top."""


class Ending:
    """Sees to it that an agent that was told to end does so, in the time it has for that."""

    def __init__(self, runner: asyncio.Task[Any], seconds: float) -> None:
        self._runner = runner
        self.forced = False
        """True once the agent was ended from outside."""
        self._timer = asyncio.get_running_loop().call_later(seconds, self._force)
        runner.add_done_callback(self._over)

    def stop(self) -> None:
        """Wait no more, and do nothing."""
        self._timer.cancel()

    def _over(self, runner: asyncio.Task[Any]) -> None:
        self._timer.cancel()
        if self.forced and not runner.cancelled():
            runner.exception()  # What it says of its end is no news.

    def _force(self) -> None:
        """Close the coroutine, in which nothing goes on then, and let its task find that out."""
        log.warning("%s does not end when told to; ending it from outside", self._runner.get_name())
        self.forced = True
        coroutine: Any = self._runner.get_coro()
        with contextlib.suppress(Exception):
            coroutine.close()
        self._runner.cancel()
