"""Watching the hub for the app: what changed, how many tasks there are, are they looked after."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from taskhub_tui.domain.errors import BadInput, StoreBusy, TaskHubError, WorkerError
from taskhub_tui.domain.model import Task
from taskhub_tui.domain.views import Changes, Counts
from taskhub_tui.hub import Hub

REST = 0.25
"""Seconds between two looks: progress is painted four times a second at most."""
_SHARE, _LONGEST = 8.0, 1.0
"""Where very much changes it rests so many times as long as a look took, up to so many seconds."""
_WAIT = 1.0
_WORKER_EVERY = 2.0
_BACKUP_EVERY = 10.0
_FIRST = 100
"""Tasks that are read at first, so that there is something to see."""


class Watcher:
    """Looks when another process has written, and once a second in any case."""

    def __init__(
        self,
        hub: Hub,
        *,
        changed: Callable[[Changes, Counts], Awaitable[None]],
        warn: Callable[[str], None],
        remind: Callable[[str], None],
        embedded: bool,
    ) -> None:
        """
        Args:
            changed: is awaited with what changed and the new counts; first with no changes.
            warn: is told what is wrong, in a sentence, and "" once it is right again.
            remind: the same of what does not hold up the work, but should be mended.
            embedded: the engine runs in this process, so no worker is started.
        """
        self._hub = hub
        self._changed = changed
        self._warn = warn
        self._remind = remind
        self._embedded = embedded
        self._seq: int | None = None
        self._looking = asyncio.Lock()
        self._counts = Counts()
        self._beginning: asyncio.Task[tuple[Changes, Counts, Sequence[Task]]] | None = None
        self.beginning: Sequence[Task] = ()
        """The first tasks of the list, as they were when watching began."""
        self._took = 0.0
        self._worker_looked = -_WORKER_EVERY
        self._worker_trouble = ""
        self._without = 0
        self._backup_looked = -_BACKUP_EVERY

    def prepare(self) -> None:
        """Begin to read what is seen first; what watches may not be there yet."""
        self._beginning = asyncio.create_task(self._hub.beginning(_FIRST), name="beginning")

    async def leave(self) -> None:
        """Forget what was prepared and is not asked for any more."""
        if self._beginning is not None:
            self._beginning.cancel()
            await asyncio.gather(self._beginning, return_exceptions=True)

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            try:
                await self.look()
                await self._look_after_worker()
                self._warn(self._worker_trouble)
                await self._look_after_backups()
                await self._hub.changed(_WAIT)
            except StoreBusy as error:
                self._warn(f"{error}. Trying again …")
                await asyncio.sleep(_WAIT)
            except TaskHubError as error:
                # A damaged file does not mend itself: say what does.
                self._warn(f"{error}. {error.hint}" if error.hint else str(error))
                await asyncio.sleep(_WAIT)
            await asyncio.sleep(max(REST, min(_LONGEST, _SHARE * self._took)))

    async def look(self) -> None:
        """Read what changed since the last look, and tell of it."""
        async with self._looking:
            began = time.monotonic()
            known = self._seq is not None
            if self._seq is None:
                changes, self._counts, self.beginning = await self._begin()
            else:
                changes = await self._hub.changes(self._seq)
                if changes.seq == self._seq:
                    self._took = 0.0
                    return
                self._counts = await self._hub.counts()
            await self._changed(changes, self._counts)
            self._seq = changes.seq
            if known:
                self._took = time.monotonic() - began

    async def _begin(self) -> tuple[Changes, Counts, Sequence[Task]]:
        if self._beginning is None:
            self.prepare()
        assert self._beginning is not None
        prepared, self._beginning = self._beginning, None
        return await prepared

    async def _look_after_worker(self) -> None:
        """Have a worker started where tasks wait for one; say so when that does not help."""
        now = time.monotonic()
        waiting = self._counts.queued + self._counts.running
        if self._embedded or not waiting:
            self._worker_trouble, self._without = "", 0
            return
        if now - self._worker_looked < _WORKER_EVERY:
            return
        self._worker_looked = now
        if any(worker.alive for worker in await self._hub.workers()):
            self._worker_trouble, self._without = "", 0
            return
        self._without += 1
        tasks = "1 task waits" if waiting == 1 else f"{waiting:,} tasks wait"
        try:
            await self._hub.ensure_worker()
        except (BadInput, WorkerError) as error:
            self._worker_trouble = f"No worker: {tasks} for one. {error}"
        else:
            # A worker needs a moment to start; only its absence after that is news.
            if self._without > 1:
                self._worker_trouble = f"No worker is alive and {tasks} for one. Starting one …"

    async def _look_after_backups(self) -> None:
        """Say so while backups fail, or hold what is damaged.

        The desktop has told it once, and perhaps to nobody.
        """
        now = time.monotonic()
        if now - self._backup_looked < _BACKUP_EVERY:
            return
        self._backup_looked = now
        self._remind(await self._hub.backup_trouble() or "")
