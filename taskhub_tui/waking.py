"""The worker as a front end sees it: started where it is missing, asked to leave.

What only one call needs is imported there, as in `hub`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from taskhub_tui import config
from taskhub_tui.domain.errors import WorkerError
from taskhub_tui.seeing import Seeing
from taskhub_tui.storage import queries

if TYPE_CHECKING:
    from collections.abc import Callable

    from taskhub_tui.config import Paths, Settings
    from taskhub_tui.storage.store import Store

PAUSE = 3.0
"""Seconds in which a worker that was started need not be alive yet."""


class Waking(Seeing):
    """The part of a hub that has work done by somebody."""

    def __init__(
        self,
        paths: Paths,
        settings: Settings,
        store: Store,
        clock: Callable[[], float],
        *,
        autostart: bool,
    ) -> None:
        super().__init__(paths, settings, store, clock)
        self._autostart = autostart
        self._started_worker = -1e9
        self.trouble: WorkerError | None = None
        """Why no worker could be started for what was written last; it is on disk all the same."""

    async def ensure_worker(self) -> None:
        """Start a worker, detached from this process, unless one is alive.

        Raises:
            WorkerError: none could be started.
            BadInput: one would end at once, because the settings have a mistake.
        """
        if not await self._served():
            self._check_room()
            self._check_settings()
            self._start()

    async def rouse(self) -> None:
        """Start a worker where work is left and none is alive, as after one was killed.

        Raises:
            WorkerError, BadInput: as `ensure_worker`.
        """
        self._check_room()
        if (
            self._autostart
            and not await self._served()
            and await self._store.read(queries.work_left)
        ):
            self._check_settings()
            self._start()

    async def stop_worker(self) -> int:
        """Ask the workers of this machine to stop; return how many were asked.

        Running commands are left alone, and adopted by the next worker.
        """
        from taskhub_tui import keeper
        from taskhub_tui.storage import claims

        keeper.satisfied(self.paths.home)
        here = [worker.id for worker in await self.workers() if worker.alive and worker.here]
        await self._store.write(lambda tx: claims.ask_to_stop(tx, here))
        return len(here)

    async def _served(self) -> bool:
        return await self._store.read(lambda reader: queries.served(reader, self.clock()))

    async def _check_before(self) -> None:
        """Refuse to write what no worker would do, as none can start with these settings.

        Raises:
            BadInput: the settings have a mistake that the hub itself does not meet.
        """
        if self._autostart and self.settings.notifications and not await self._served():
            self._check_settings()

    def _check_room(self) -> None:
        if (full := self._store.full) is not None:
            raise WorkerError(
                f"The disk that holds {self.paths.home} is full, so no worker can save anything",
                full.hint,
            )

    def _check_settings(self) -> None:
        # A worker reads the file, which may have changed since we did.
        settings = config.settings(self.paths)
        if settings.notifications:
            # Takes long to import, and most people have no such section.
            from taskhub_tui import diagnosis

            diagnosis.check_notifications(self.paths, settings)

    async def _wake(self) -> None:
        """Start a worker for what was just written; that none can be is noted in `trouble`."""
        self.trouble = None
        if self._autostart and not await self._served():
            try:
                self._start()
            except WorkerError as error:
                self.trouble = error

    def _start(self) -> None:
        if time.monotonic() - self._started_worker < PAUSE:
            return
        self._started_worker = time.monotonic()
        from taskhub_tui import keeper

        keeper.start(self.paths)
