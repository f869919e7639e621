"""What a front end may see: tasks as they are at this moment, what changed, what belongs to them.

What only one call needs is imported there, as in `hub`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING

from taskhub_tui.domain.errors import UnknownTask
from taskhub_tui.domain.model import Event, Notification, Options, StageSpec, Status, Task, TaskView
from taskhub_tui.storage import queries

if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable, Collection, Sequence

    from taskhub_tui.config import Paths, Settings
    from taskhub_tui.domain.audit import Entry
    from taskhub_tui.domain.filtering import Filter
    from taskhub_tui.domain.finding import Wanted
    from taskhub_tui.domain.listing import Arranged, Listing, SavedView
    from taskhub_tui.domain.model import Blocker, NoticeKind
    from taskhub_tui.domain.telling import Told
    from taskhub_tui.domain.views import (
        AgentRecord,
        Changes,
        Counts,
        Glance,
        LogChunk,
        LogPiece,
        Trial,
        Unread,
        WorkerInfo,
    )
    from taskhub_tui.domain.waiting import Waiting
    from taskhub_tui.storage.store import Store


class Seeing:
    """What both halves of a hub stand on, and the half that changes nothing."""

    def __init__(
        self, paths: Paths, settings: Settings, store: Store, clock: Callable[[], float]
    ) -> None:
        self.paths = paths
        self.settings = settings
        self.clock = clock
        self._store = store

    # Tasks

    async def find(self, prefix: str) -> str:
        """Return the one task ID that begins with `prefix`.

        Raises:
            UnknownTask: there is none, or more than one.
        """
        return await self._store.read(lambda reader: queries.find(reader, prefix))

    async def status(self, task_id: str) -> TaskView:
        """Return a task with its stages, open question, artifacts and legal decisions."""

        def read(reader: queries.Reader) -> TaskView:
            return self._seen_view(reader, queries.view(reader, task_id))

        return await self._store.read(read)

    async def statuses(self, task_ids: Sequence[str]) -> dict[str, TaskView]:
        """Return these tasks as `status` does, by ID, all of one moment; without what is gone."""

        def read(reader: queries.Reader) -> dict[str, TaskView]:
            found = {}
            for task_id in task_ids:
                with contextlib.suppress(UnknownTask):
                    found[task_id] = self._seen_view(reader, queries.view(reader, task_id))
            return found

        return await self._store.read(read)

    async def tasks(
        self, *, status: Collection[Status] = (), text: str = "", limit: int | None = None
    ) -> list[Task]:
        """Return tasks in the order in which they are shown; every word of `text` must occur."""
        return await self._store.read(
            lambda reader: [*self._seen(reader, queries.tasks(reader, text, status, limit))]
        )

    async def matching(self, wanted: Filter, *, limit: int | None = None) -> list[Task]:
        """Return the tasks that fit a filter, in the order in which they are shown."""
        from taskhub_tui.storage import listings

        now = self.clock()
        return await self._store.read(
            lambda reader: [*self._seen(reader, listings.tasks(reader, wanted, limit, now))]
        )

    async def arranged(self, wanted: Listing) -> Arranged:
        """Return the numbers (`Task.n`) of the tasks of a listing, in its order."""
        from taskhub_tui.storage import listings

        now = self.clock()
        return await self._store.read(lambda reader: listings.arranged(reader, wanted, now))

    async def existing(self) -> array[int]:
        """Return the numbers of all tasks, in no particular order."""
        from taskhub_tui.storage import listings

        return await self._store.read(listings.existing)

    async def known_values(self) -> dict[str, list[str]]:
        """Return what one may filter by, for each field that only the database knows."""
        from taskhub_tui.storage import listings

        return await self._store.read(listings.known)

    async def views(self) -> list[SavedView]:
        """Return the views that come with TaskHub, and those that have been saved."""
        from taskhub_tui.domain.listing import BUILT_IN
        from taskhub_tui.storage import listings

        return [*BUILT_IN, *await self._store.read(listings.views)]

    async def with_questions(self, ns: Sequence[int]) -> list[tuple[Task, Blocker | None]]:
        """Return the tasks with these numbers, each with its open question if there is one."""

        def read(reader: queries.Reader) -> list[tuple[Task, Blocker | None]]:
            tasks = self._seen(reader, queries.tasks_by_number(reader, ns))
            return [(task, queries.open_blocker(reader, task, checked=False)) for task in tasks]

        return await self._store.read(read)

    async def latest(
        self, *, text: str = "", status: Collection[Status] = (), limit: int = 200
    ) -> list[Task]:
        """Return the newest tasks in which every word of `text` occurs, newest first."""
        return await self._store.read(lambda reader: queries.latest(reader, text, status, limit))

    def _seen(self, reader: queries.Reader, tasks: Sequence[Task]) -> Sequence[Task]:
        """Return tasks with what holds those back that wait for their turn."""
        if not any(task.status is Status.PENDING and not task.waiting_on for task in tasks):
            return tasks
        from taskhub_tui.domain import limits
        from taskhub_tui.storage import lanes

        now = self.clock()
        load = lanes.load(reader, self.settings.limits, now)
        return [limits.seen(task, load, now) for task in tasks]

    def _seen_view(self, reader: queries.Reader, view: TaskView) -> TaskView:
        (task,) = self._seen(reader, [view.task])
        if task is view.task:
            return view
        from taskhub_tui.domain.evolve import replace
        from taskhub_tui.domain.legal import legal

        return replace(view, task=task, legal=legal(task, view.blocker))

    async def order(self, *, text: str = "", status: Collection[Status] = ()) -> list[int]:
        """Return the numbers (`Task.n`) of tasks in the order in which they are shown."""
        return await self._store.read(lambda reader: queries.order(reader, text, status))

    async def rows(self, ns: Sequence[int]) -> list[Task]:
        """Return the tasks with these numbers, in no particular order."""
        return await self._store.read(
            lambda reader: [*self._seen(reader, queries.tasks_by_number(reader, ns))]
        )

    async def counts(self) -> Counts:
        """Return how many tasks there are of each kind."""
        return await self._store.read(queries.counts)

    async def glance(self) -> Glance:
        """Return the hub in a few words."""
        return await self._store.read(queries.glance)

    async def waiting(self) -> list[Waiting]:
        """Return what waits for a person, the most urgent first.

        These are the open questions, the newest failures that nobody has put away, and tasks that
        came paused out of a backup or from another place.
        """
        from taskhub_tui.storage import waits

        return (await self._store.read(waits.waiting))[0]

    async def beginning(self, limit: int) -> tuple[Changes, Counts, Sequence[Task]]:
        """Return where to watch from, the counts, and the first tasks of the list."""

        def read(reader: queries.Reader) -> tuple[Changes, Counts, Sequence[Task]]:
            changes, counts, first = queries.beginning(reader, limit)
            return changes, counts, self._seen(reader, first)

        return await self._store.read(read)

    async def changes(self, since: int) -> Changes:
        """Return what changed after sequence number `since`; 0 gives everything."""

        def read(reader: queries.Reader) -> Changes:
            from taskhub_tui.domain.evolve import replace

            found = queries.changes(reader, since)
            return replace(found, tasks=self._seen(reader, found.tasks))

        return await self._store.read(read)

    def remaining(self, view: TaskView) -> float | None:
        """Return the seconds until a task is probably done; None is unknown."""
        from taskhub_tui.domain import progress

        return None if view.task.status.over else progress.remaining(view.stages, self.clock())

    # What past runs tell

    async def expected(self, plan: Sequence[StageSpec], options: Options) -> list[float | None]:
        """Return the seconds each stage of a plan takes by its past runs; None is unknown."""
        from taskhub_tui.storage import history

        return await self._store.read(lambda reader: history.expected(reader, plan, options))

    async def records(self, agents: Sequence[str]) -> dict[str, AgentRecord]:
        """Return how these agents are doing, by name."""
        from taskhub_tui.storage import history

        return await self._store.read(lambda reader: history.records(reader, agents, self.clock()))

    async def trial(self, channel: str) -> Trial | None:
        """Return what came of the last trial of a channel; None when it was never tried."""
        from taskhub_tui.storage import trials

        return await self._store.read(lambda reader: trials.trial(reader, channel))

    # What belongs to a task, and to all

    async def backup_trouble(self) -> str | None:
        """Return in a sentence what is wrong with the last backup; None when nothing is."""
        from taskhub_tui.storage import backups

        folder = self.paths.backups

        def noted() -> str | None:
            # What to do comes first: where the line is cut, it loses the end of the reason.
            if self.settings.backup.enabled and (why := backups.failure(folder)):
                return f"The backup failed, see `taskhub doctor`: {why}"
            if damage := backups.damage(folder):
                return f"Damaged in the last backup, see `taskhub doctor`: {damage}"
            return None

        return await asyncio.to_thread(noted)

    async def notifications(self, limit: int = 200) -> list[Notification]:
        """Return the latest notifications, newest first."""
        return await self._store.read(lambda reader: queries.notifications(reader, limit))

    async def unread(
        self, *, kind: NoticeKind | None = None, task_ids: Collection[str] | None = None
    ) -> list[Unread]:
        """Return which notifications nobody has read yet, however old: of these tasks, or of all.

        Args:
            kind: only those of this kind.
        """
        return await self._store.read(lambda reader: queries.unread(reader, kind, task_ids))

    async def told(self, task_id: str) -> list[Told]:
        """Return the notifications of a task, newest first, and where each was told, and why.

        Raises:
            UnknownTask: there is none with this ID.
        """
        from taskhub_tui.storage import notices

        return await self._store.read(
            lambda reader: notices.told(reader, queries.task_by_id(reader, task_id))
        )

    async def events(self, task_id: str) -> list[Event]:
        """Return the audit trail of a task, oldest first."""
        return await self._store.read(
            lambda reader: queries.events(reader, queries.task_by_id(reader, task_id))
        )

    async def audit(self, task_id: str | None = None, *, limit: int = 50) -> list[Entry]:
        """Return who decided what, of a task or of all, the newest first.

        Answers from outside that were not taken are among them, and what became of rules.
        """
        from taskhub_tui.storage import audit, rows

        def read(reader: queries.Reader) -> list[Entry]:
            task = None
            if task_id is not None:
                task = queries.task_by_id(reader, task_id, read=rows.task_to_show)
            return audit.entries(reader, task, limit)

        return await self._store.read(read)

    async def read_log(self, task_id: str, offset: int = 0, limit: int = 65536) -> LogChunk:
        """Return whole lines of a task's log from byte `offset` on.

        A negative offset counts from the end. `limit` is in bytes; at least one line is returned.
        """
        from taskhub_tui import logs

        return await asyncio.to_thread(logs.read, self.paths.log(task_id), offset, limit)

    def log_stamp(self, task_id: str) -> tuple[int, int, int] | None:
        """Return what differs once a log was written to or cut back; None while there is none.

        Asked often, so that the log itself is only looked into when there is something new.
        """
        try:
            found = os.stat(self.paths.log(task_id))
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    async def log_pieces(
        self, task_id: str, offset: int, size: int, until: int | None = None
    ) -> list[LogPiece]:
        """Return where whole lines of a log lie from byte `offset` on, without reading them.

        Each piece has at most `size` bytes, or one longer line. A negative offset counts from the
        end. There is always one piece at least, and where the log is shorter than `offset` it
        begins earlier. `until` is where to stop, the beginning of a line.
        """
        from taskhub_tui import logs

        return await asyncio.to_thread(logs.pieces, self.paths.log(task_id), offset, size, until)

    async def find_in_log(self, task_id: str, start: int, end: int, wanted: Wanted) -> list[int]:
        """Return which of the lines of a log between two offsets are wanted, numbered from 0.

        A few hundred kilobytes take some milliseconds: long logs are looked through by pieces.
        """
        from taskhub_tui import logs

        return await asyncio.to_thread(logs.find, self.paths.log(task_id), start, end, wanted)

    async def workers(self) -> list[WorkerInfo]:
        """Return the workers that have been seen, dead ones included."""
        from taskhub_tui.storage import claims

        return await self._store.read(lambda reader: claims.workers(reader, self.clock()))
