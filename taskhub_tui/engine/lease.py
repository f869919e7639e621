"""The lease of one worker: while it lasts, what the worker holds is nobody else's."""

import asyncio
from collections.abc import Callable

from taskhub_tui import __version__
from taskhub_tui.process import identity
from taskhub_tui.storage import claims
from taskhub_tui.storage.store import Store
from taskhub_tui.storage.writer import Tx


class Lease:
    """A worker's claim on all it holds, for `seconds` from each time it is renewed."""

    def __init__(self, store: Store, me: str, seconds: float, clock: Callable[[], float]) -> None:
        self._store = store
        self._me = me
        self._seconds = seconds
        self._clock = clock
        self._until = 0.0
        self._patient_until = 0.0
        """By the clock of the event loop: until then nothing is taken from others."""

    async def renew(self) -> None:
        """Tell others that we are alive, for as long as a lease lasts."""
        now = self._clock()
        who, until = identity(), now + self._seconds

        def beat(tx: Tx) -> None:
            claims.beat(tx, self._me, who, __version__, now, until)
            claims.forget_dead(tx, self._me, now)

        await self._store.write(beat)
        self._until = until

    async def awake(self, now: float) -> bool:
        """Return whether others have had the time to renew their leases.

        When the clock jumped, or the machine slept, all leases are over at once, ours with them:
        workers that live would take everything from each other.
        """
        running = asyncio.get_running_loop().time()
        if now >= self._until:
            self._patient_until = running + self._seconds / 2
            await self.renew()
        return running >= self._patient_until
