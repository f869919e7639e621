"""`taskhub watch`: tasks as they go on, in a few lines of a shell, or a line for each change."""

import asyncio
import contextlib
import shutil
import signal
import time
from abc import ABC, abstractmethod
from argparse import Namespace
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from taskhub_tui.cli import shapes, watch_rows
from taskhub_tui.cli.live import Live, Row, quiet_keys
from taskhub_tui.cli.look import exit_code, rouse
from taskhub_tui.cli.output import Cell, Output, iso
from taskhub_tui.domain.errors import BadInput, StoreBusy, WorkerError
from taskhub_tui.domain.model import Status, Task, TaskView
from taskhub_tui.text import one_line
from taskhub_tui.tui import words
from taskhub_tui.tui.glyphs import ASCII, UNICODE, Glyphs

if TYPE_CHECKING:
    from taskhub_tui.hub import Hub

REST = 0.25
"""Seconds between two looks: nothing is drawn more than four times a second."""
_TICK = 1.0
"""Seconds after which times are drawn anew where nothing else has changed."""
_WORKER_EVERY = 5.0
_OPEN = (Status.BLOCKED, Status.IN_PROGRESS, Status.PAUSED, Status.PENDING)
_FOREVER = 1 << 62
_SHOWN = 100
"""So many open tasks are read; no screen has room for more."""
_ASKED = 20
"""Of so many that need a person it is read what they ask."""
_MANY = 20
"""So many tasks that end at once are told one by one."""
_TAIL = 4096
"""Bytes at the end of a log among which its last line is looked for."""
_LOGS = 8
"""So many logs are looked at."""


def watch(args: Namespace, out: Output) -> int:
    """Show tasks until those that were given are over; the exit code says how they ended."""
    return asyncio.run(_watch(args, out))


async def _watch(args: Namespace, out: Output) -> int:
    from taskhub_tui.hub import Hub

    async with await Hub.open(channel="cli") as hub:
        ids = list(dict.fromkeys([await hub.find(prefix) for prefix in args.ids]))
        await rouse(hub, out)
        plain = vars(args).get("ascii") or hub.settings.ascii or not out.unicode
        looking = _Given(hub, ids) if ids else _Found(hub)
        if out.as_json or not out.terminal:
            return await _told(hub, out, looking)
        return await _drawn(hub, out, looking, ASCII if plain else UNICODE)


class _Looking(ABC):
    """What is watched, as it stood at the last look."""

    def __init__(self, hub: "Hub") -> None:
        self.hub = hub
        self.views: dict[str, TaskView] = {}
        """What is known in full, by ID."""
        self.news: list[Task] = []
        """Tasks that have changed since the look before."""
        self.trouble = ""
        """Why nobody does the work, as a sentence."""
        self._seq: int | None = None
        self._roused = time.monotonic()

    async def look(self) -> None:
        """Read what has changed."""
        since = _FOREVER if self._seq is None else self._seq
        # A number beyond all others gives the present one, and no tasks.
        changes = await self.hub.changes(since)
        self.news = [] if self._seq is None else list(changes.tasks)
        await self.read(first=self._seq is None)
        self._seq = changes.seq
        if time.monotonic() - self._roused >= _WORKER_EVERY:
            self._roused = time.monotonic()
            self.trouble = ""
            try:
                await self.hub.rouse()
            except (BadInput, WorkerError) as error:
                self.trouble = str(error)

    @property
    def ready(self) -> bool:
        """True once anything was read."""
        return self._seq is not None

    @abstractmethod
    async def read(self, *, first: bool) -> None:
        """Read in full what has changed."""

    @abstractmethod
    def rows(self, room: tuple[int, int], glyphs: Glyphs) -> list[Row]:
        """Return the lines to draw, for so many columns and lines."""

    def history(self, width: int, glyphs: Glyphs) -> list[Row]:
        """Return lines that are to stay above the others."""
        return []

    @property
    def over(self) -> bool:
        return False

    @property
    def code(self) -> int:
        return 0


class _Given(_Looking):
    """The tasks with these IDs."""

    def __init__(self, hub: "Hub", ids: Sequence[str]) -> None:
        super().__init__(hub)
        self._ids = ids
        self._said: dict[str, str] = {}

    async def read(self, *, first: bool) -> None:
        changed = {task.id for task in self.news}
        for task_id in self._ids:
            if first or task_id in changed:
                self.views[task_id] = await self.hub.status(task_id)
        if first:
            self.news = [self.views[task_id].task for task_id in self._ids]
        self.news = [task for task in self.news if task.id in self.views]

    async def listen(self) -> None:
        """Read the last line that the tasks have said."""
        at_work = [one for one in self.views.values() if one.task.status is Status.IN_PROGRESS]
        self._said = {}
        for view in at_work[:_LOGS]:
            chunk = await self.hub.read_log(view.task.id, -_TAIL, _TAIL)
            said = [line for run in chunk.runs for line in run.text.split("\n") if line.strip()]
            if said:
                self._said[view.task.id] = one_line(said[-1])

    def rows(self, room: tuple[int, int], glyphs: Glyphs) -> list[Row]:
        views = [self.views[task_id] for task_id in self._ids]
        return watch_rows.given(views, self._said, self.hub.clock(), room, glyphs)

    @property
    def over(self) -> bool:
        return all(view.task.status.over for view in self.views.values())

    @property
    def code(self) -> int:
        return exit_code(view.task.status for view in self.views.values())


class _Found(_Looking):
    """All that is open, those that need a person first."""

    def __init__(self, hub: "Hub") -> None:
        super().__init__(hub)
        self._tasks: list[Task] = []
        self._open = 0
        self._ended: list[Task] = []
        self._since = hub.clock()

    async def read(self, *, first: bool) -> None:
        if not first and not self.news:
            return
        order = await self.hub.order(status=_OPEN)
        self._open = len(order)
        place = {n: at for at, n in enumerate(order[:_SHOWN])}
        shown = await self.hub.rows(list(place))
        self._tasks = sorted(shown, key=lambda task: place[task.n])
        if first:
            self.news = self._tasks
        else:
            self._ended += [
                task for task in self.news if task.status.over and (task.ended or 0) >= self._since
            ]
        changed = {task.id for task in self.news}
        calling = [task.id for task in self._tasks if words.calls(task)][:_ASKED]
        self.views = {
            task_id: self.views[task_id]
            if task_id in self.views and task_id not in changed
            else await self.hub.status(task_id)
            for task_id in calling
        }

    def rows(self, room: tuple[int, int], glyphs: Glyphs) -> list[Row]:
        now = self.hub.clock()
        return watch_rows.found(self._tasks, self.views, self._open, now, room, glyphs)

    def history(self, width: int, glyphs: Glyphs) -> list[Row]:
        ended, self._ended = self._ended, []
        now = self.hub.clock()
        rows = [row for task in ended[:_MANY] for row in
                watch_rows.history(task, now, width, glyphs)]  # fmt: skip
        if len(ended) > _MANY:
            rows.append([Cell(f"   and {len(ended) - _MANY:,} more are over", "dim")])
        return rows


async def _drawn(hub: "Hub", out: Output, looking: _Looking, glyphs: Glyphs) -> int:
    """Draw on a terminal until all is over."""
    live = Live(out, lambda: shutil.get_terminal_size((80, 24)), glyphs.more)
    with quiet_keys() as quiet:
        async with _signals() as signals:
            trouble = ""
            while True:
                try:
                    await looking.look()
                    if isinstance(looking, _Given):
                        await looking.listen()
                    trouble = looking.trouble
                except StoreBusy as error:
                    trouble = f"{error}. Trying again {glyphs.more}"
                if signals.resumed:
                    signals.resumed = False
                    quiet()
                    live.forget()
                room = live.room
                rows = looking.rows(room, glyphs) if looking.ready else []
                if trouble:
                    rows = [*rows[: room[1] - 1], [Cell(f" {trouble}", "yellow")]]
                live.draw(rows, looking.history(room[0], glyphs))
                if looking.ready and looking.over:
                    return looking.code
                if signals.ended:
                    return signals.ended
                await signals.wait(hub)


async def _told(hub: "Hub", out: Output, looking: _Looking) -> int:
    """Print a line for each change until all is over."""
    before: dict[str, tuple[object, ...]] = {}
    while True:
        with contextlib.suppress(StoreBusy):
            await looking.look()
            now = hub.clock()
            for task in looking.news:
                view = looking.views.get(task.id)
                if out.as_json:
                    whole = shapes.task(task)
                    if view is not None and view.blocker is not None:
                        whole["blocker"] = shapes.blocker(view.blocker)
                    out.data_lines([whole])
                    continue
                mark = _mark(task, view)
                if before.get(task.id) != mark:
                    before[task.id] = mark
                    at = (iso(now) or "")[:19] + "Z"
                    out.line(f"{at}  ", watch_rows.change(view or task, now))
                if task.status.over and not isinstance(looking, _Given):
                    before.pop(task.id, None)
            out.out.flush()
            if looking.over:
                return looking.code
        await hub.changed(_TICK)
        await asyncio.sleep(REST)


def _mark(task: Task, view: TaskView | None) -> tuple[object, ...]:
    """Return what of a task must differ for a new line: of its progress, every tenth."""
    tenth = None if task.fraction is None else int(task.fraction * 10)
    asked = view.blocker.id if view is not None and view.blocker is not None else None
    silent = task.silent_since is not None
    return (task.status, task.waiting_on, task.stage, tenth, asked, task.stopping, silent)


class _Signals:
    """What the terminal or a person has told this process, apart from Ctrl-C."""

    def __init__(self) -> None:
        self.resumed = False
        self.ended = 0
        """The exit code with which to end; 0 is to go on."""
        self._woken = asyncio.Event()

    def resize(self) -> None:
        self._woken.set()

    def resume(self) -> None:
        self.resumed = True
        self._woken.set()

    def end(self, number: int) -> None:
        self.ended = 128 + number
        self._woken.set()

    async def wait(self, hub: "Hub") -> None:
        """Wait until the hub or a signal has news, but for a second at most."""
        ringing = asyncio.ensure_future(hub.changed(_TICK))
        woken = asyncio.ensure_future(self._woken.wait())
        try:
            done, _ = await asyncio.wait([ringing, woken], return_when=asyncio.FIRST_COMPLETED)
            if woken not in done:
                # Whatever comes now is drawn with the rest.
                await asyncio.wait([woken], timeout=REST)
        finally:
            for one in (ringing, woken):
                one.cancel()
        self._woken.clear()


@contextlib.asynccontextmanager
async def _signals() -> AsyncIterator[_Signals]:
    signals = _Signals()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, signals.end, number)
    loop.add_signal_handler(signal.SIGWINCH, signals.resize)
    loop.add_signal_handler(signal.SIGCONT, signals.resume)
    try:
        yield signals
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH, signal.SIGCONT):
            loop.remove_signal_handler(number)
