"""What a worker does for the store by itself: daily backups, and room given back when idle."""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable

from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.storage import backups
from taskhub_tui.storage.soundness import Stopped

log = logging.getLogger("taskhub.upkeep")

FIRST = 20.0
"""Seconds after its start at which a worker looks first: new tasks come before."""
LOOK = 60.0
"""Seconds between two looks."""
AGAIN = 3600.0
"""Seconds after a failed backup until the next try."""

Tell = Callable[[str, str], Awaitable[None]]
"""Shows a title and a sentence on this machine's screen."""


class Upkeep:
    """Looks after one store until cancelled. Several workers may do so: each job is done once."""

    def __init__(
        self,
        paths: Paths,
        settings: Settings,
        tell: Tell,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._paths = paths
        self._settings = settings
        self._tell = tell
        self._clock = clock
        self._stop = threading.Event()
        self._not_before = 0.0

    async def run(self) -> None:
        """Work until cancelled; a backup that is being made then is given up."""
        try:
            await asyncio.sleep(FIRST)
            while True:
                await self.look()
                await asyncio.sleep(LOOK)
        finally:
            self._stop.set()

    async def look(self) -> None:
        """Do what is due."""
        try:
            await self._back_up()
        except Stopped:
            pass
        except Exception:
            # Whatever is wrong here, the work itself goes on.
            log.exception("the upkeep has a bug")

    async def _back_up(self) -> None:
        wish, now = self._settings.backup, self._clock()
        folder = self._paths.backups
        if not wish.enabled or now < self._not_before:
            return
        if not await asyncio.to_thread(backups.due, folder, wish.every, now):
            return
        try:
            copy = await asyncio.to_thread(
                backups.make,
                self._paths.database,
                folder,
                keep=wish.keep,
                now=now,
                every=wish.every,
                stop=self._stop,
            )
        except backups.UnderWay:
            pass
        except TaskHubError as error:
            await self._failed(error, now)
        else:
            if copy is not None:
                await asyncio.to_thread(backups.note_failure, folder, None)
                log.info("backed up to %s", copy.path)

    async def _failed(self, error: TaskHubError, now: float) -> None:
        self._not_before = now + AGAIN
        said = str(error)
        log.error("the backup failed: %s", said)
        news = await asyncio.to_thread(backups.failure, self._paths.backups) != said
        await asyncio.to_thread(backups.note_failure, self._paths.backups, said)
        if news:
            await self._tell("TaskHub could not be backed up", said)
