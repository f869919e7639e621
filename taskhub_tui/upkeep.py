"""What a worker does for the store by itself: backups, what the user wants deleted, and room."""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Awaitable, Callable

from taskhub_tui.config import DAY, Paths, Settings
from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.storage import backups, compaction, retention
from taskhub_tui.storage.soundness import Stopped
from taskhub_tui.storage.store import Store

log = logging.getLogger("taskhub.upkeep")

FIRST = 20.0
"""Seconds after its start at which a worker looks first: new tasks come before."""
LOOK = 60.0
"""Seconds between two looks."""
AGAIN = 3600.0
"""Seconds after a failed backup until the next try."""
LONG_LOG = 4_500_000
"""Bytes of the log of writes from which its room is given back; it grows to 4 MB by itself."""

Tell = Callable[[str, str], Awaitable[None]]
"""Shows a title and a sentence on this machine's screen."""


class Upkeep:
    """Looks after one store until cancelled. Several workers may do so: each job is done once."""

    def __init__(
        self,
        store: Store,
        paths: Paths,
        settings: Settings,
        tell: Tell,
        idle: Callable[[], bool],
        *,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] | None = None,
    ) -> None:
        """
        Args:
            idle: tells whether the worker has nothing to do now.
            steady: a clock that never jumps, for what only we measure; None is the event loop's.
        """
        self._store = store
        self._idle = idle
        self._paths = paths
        self._settings = settings
        self._tell = tell
        self._clock = clock
        self._steady = steady or asyncio.get_running_loop().time
        self._stop = threading.Event()
        self._looking = asyncio.Lock()
        self._looked = False
        self._not_before = self._prune_after = -math.inf
        """When to do the one or the other again, by the steady clock."""

    async def run(self) -> None:
        """Work until cancelled; what is being copied or deleted then is given up."""
        try:
            await asyncio.sleep(FIRST)
            while True:
                await self.look()
                await asyncio.sleep(LOOK)
        finally:
            self._stop.set()

    async def finish(self) -> bool:
        """Do what is due unless that was done; return whether there was anything to wait for.

        This is for a worker that wants to leave: one that does so soon would never come to it,
        and one that is at it would have to begin anew.
        """
        if self._looked and not self._looking.locked():
            return False
        await self.look()
        return True

    async def look(self) -> None:
        """Do what is due."""
        async with self._looking:
            await self._do()
            self._looked = True

    async def _do(self) -> None:
        for job in (self._back_up, self._prune, self._truncate):
            try:
                await job()
            except Stopped:
                return
            except TaskHubError as error:
                log.warning("%s", error)
            except Exception:
                # Whatever is wrong here, the work itself goes on.
                log.exception("the upkeep has a bug")

    async def _back_up(self) -> None:
        wish, now = self._settings.backup, self._clock()
        folder = self._paths.backups
        if not wish.enabled or self._steady() < self._not_before:
            return
        if not await asyncio.to_thread(backups.due, folder, wish.every, now):
            return
        known = await asyncio.to_thread(backups.damage, folder)
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
            await self._failed(error)
        else:
            if copy is not None:
                await asyncio.to_thread(backups.note_failure, folder, None)
                log.info("backed up to %s", copy.path)
                if copy.damaged:
                    log.error("damaged, and backed up as it is: %s", copy.damaged)
                    if copy.damaged != known:
                        await self._tell("TaskHub's database holds damaged tasks", copy.damaged)

    async def _failed(self, error: TaskHubError) -> None:
        self._not_before = self._steady() + AGAIN
        said = str(error)
        log.error("the backup failed: %s", said)
        news = await asyncio.to_thread(backups.failure, self._paths.backups) != said
        await asyncio.to_thread(backups.note_failure, self._paths.backups, said)
        if news:
            await self._tell("TaskHub could not be backed up", said)

    async def _prune(self) -> None:
        """Delete what the user wants deleted, once a day; after the daily backup."""
        wish, now = self._settings.retention, self._clock()
        if not wish.enabled or self._steady() < self._prune_after:
            return
        before = await self._store.read(
            lambda reader: retention.lived_before(reader, now, wish.older_than)
        )
        found = await self._store.read(lambda reader: retention.old(reader, before, wish.status))
        would = await asyncio.to_thread(
            retention.look,
            self._paths,
            found,
            keep_results=wish.keep_results,
            stop=self._stop,
        )
        done = await retention.prune(
            self._store,
            self._paths,
            would.tasks,
            before,
            wish.status,
            keep_results=wish.keep_results,
            by="retention",
            now=now,
            stop=self._stop,
        )
        self._prune_after = self._steady() + DAY
        if done.tasks:
            log.info("deleted %d tasks that were over for long", len(done.tasks))

    async def _truncate(self) -> None:
        path = self._paths.database
        if self._idle() and compaction.log_size(path) > LONG_LOG:
            await asyncio.to_thread(compaction.truncate, path)
