"""The Textual app: it opens the screens, watches the hub, and tells it whether the user is here."""

import asyncio
import contextlib
import gc
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

from textual import events
from textual.app import App, SystemCommand
from textual.screen import Screen

from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.domain.model import NoticeKind
from taskhub_tui.domain.views import Changes, Counts
from taskhub_tui.hub import Hub
from taskhub_tui.text import one_line
from taskhub_tui.tui.actions import ACTIONS
from taskhub_tui.tui.asking import Asker
from taskhub_tui.tui.places import place
from taskhub_tui.tui.render import AsciiFilter, ControlFilter
from taskhub_tui.tui.screens.main import MainScreen
from taskhub_tui.tui.theme import ASCII, DARK, LIGHT, UNICODE
from taskhub_tui.tui.watch import Watcher

_PRESENCE_EVERY = 15.0
"""Seconds between two reports that the user is typing."""
_HOLD = 0.25
"""Seconds the first painting waits for the tasks at most."""
_PALETTE = ("task", "view", "hub")


class TaskHubApp(App[None]):
    """The terminal front end of a hub; the hub stays open when it ends."""

    TITLE = "TaskHub"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self,
        hub: Hub,
        *,
        ascii: bool = False,
        services: Sequence[Callable[[], Awaitable[None]]] = (),
        initial_task: str | None = None,
    ) -> None:
        """
        Args:
            ascii: draw with ASCII characters only.
            services: run in the background while the app is open, such as an embedded engine;
                they are cancelled and awaited when it ends.
            initial_task: ID, or the beginning of one, of the task to open first.
        """
        super().__init__()
        self.hub = hub
        self.glyphs = ASCII if ascii else UNICODE
        self.set_class(ascii, "-ascii")
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = (
            hub.settings.theme if hub.settings.theme in self.available_themes else DARK.name
        )
        self._filters.append(ControlFilter())
        if ascii:
            self._filters.append(AsciiFilter())
        self._services = services
        self._tasks: list[asyncio.Task[None]] = []
        self._held = contextlib.ExitStack()
        """What keeps the screen from being painted before there is something to see."""
        self._initial_task = initial_task
        self.typed = -60.0
        """`time.monotonic()` of the last key or click."""
        self._last_input: float | None = None
        self._focused: bool | None = None
        self._reported: tuple[bool | None, float | None] | None = None
        self._reported_at = -_PRESENCE_EVERY
        self._seen_notice: int | None = None
        self._counts = Counts()
        self._trouble = ""
        self._terminal_title = ""
        self.asker = Asker(self, hub, self.glyphs, lambda: self.typed)
        self._main = MainScreen(hub, self.glyphs)
        self._watcher = Watcher(
            hub,
            changed=self._changed,
            warn=self._warn,
            remind=self._main.remind,
            embedded=bool(services),
        )

    def get_default_screen(self) -> Screen[None]:
        return self._main

    # Life

    async def on_mount(self) -> None:
        self._write("\x1b[22;2t")  # The terminal keeps its title until we leave.
        for service in self._services:
            self._tasks.append(asyncio.create_task(self._serve(service), name="service"))
        self.set_interval(0.5, self.asker.consider)
        self.set_interval(1.0, self._report_presence)

    def begin(self) -> None:
        """Begin to watch the hub; the main screen has all its parts."""
        # An empty screen is not painted first where the tasks are known in a moment.
        self._held.enter_context(self.batch_update())
        self.set_timer(_HOLD, self._held.close)
        self._tasks.append(asyncio.create_task(self._watch(), name="watch"))

    async def _watch(self) -> None:
        try:
            await self._watcher.run()
        except Exception as error:
            # A mistake of ours: without the watcher the app would go on showing old news.
            self._handle_exception(error)

    async def _serve(self, service: Callable[[], Awaitable[None]]) -> None:
        try:
            await service()
        except TaskHubError as error:
            self._trouble = f"The engine in this window has stopped: {error}"
        except Exception as error:
            self._trouble = f"The engine in this window has stopped: {error!r}"
        self._main.warn(self._trouble)

    async def on_unmount(self) -> None:
        self._held.close()
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._write("\x1b[23;2t")

    def leave(self) -> None:
        """End the app, and say what becomes of the work."""
        at_work = self._counts.running + self._counts.queued
        tasks = "1 task" if at_work == 1 else f"{at_work:,} tasks"
        if not at_work:
            said = "Nothing is running. `taskhub` brings you back."
        elif self._services:
            said = (
                f"{tasks} will go on when TaskHub is opened again: the engine ran in this window."
            )
        else:
            said = f"The work goes on: {tasks}. `taskhub` brings you back."
        self.exit(message=said)

    async def action_quit(self) -> None:
        self.leave()

    def action_go(self, name: str) -> None:
        """Go to one of the `places`, unless it or a dialog is open."""
        if len(self.screen_stack) == 1:
            self.push_screen(place(name, self.hub, self.glyphs), self._came_back)

    def _came_back(self, task_id: str | None) -> None:
        if task_id:
            self._main.show_task(task_id)

    def action_help_quit(self) -> None:
        self.notify("q leaves TaskHub; the work goes on", timeout=3)

    # What the hub says

    async def look(self) -> None:
        """Look at once at what changed, after a change of our own."""
        await self._watcher.look()

    async def _changed(self, changes: Changes, counts: Counts) -> None:
        first = self._seen_notice is None
        self._counts = counts
        await self._main.apply(changes, counts, first=first)
        if first:
            self._held.close()
            await self._painted()
            if counts.total > len(self._main.table):
                await self._main.sort()
            latest = await self.hub.notifications(1)
            self._seen_notice = latest[0].id if latest else 0
            await self.asker.start()
            await self._open_initial()
        else:
            self._tell(changes)
            await self.asker.follow(changes)
        self._entitle(counts)

    async def _painted(self) -> None:
        """Wait until what is known by now is on the screen: reading on would only delay it."""
        shown = asyncio.Event()
        self._main.call_after_refresh(shown.set)
        with contextlib.suppress(TimeoutError):
            # While the terminal is lent to a pager nothing is painted.
            await asyncio.wait_for(shown.wait(), 1.0)
        # Much was made to begin with, and most of it stays: no need to look through it again.
        gc.enable()
        gc.freeze()

    def _tell(self, changes: Changes) -> None:
        """Say what was completed; what needs the user is raised by the asker."""
        last = self._seen_notice or 0
        for notice in changes.notifications:
            if notice.id > last and notice.kind is NoticeKind.COMPLETED:
                words = one_line(f"{self.glyphs.done} {notice.title}: {notice.body}", 200)
                self.notify(words, markup=False)
            self._seen_notice = max(self._seen_notice or 0, notice.id)

    async def _open_initial(self) -> None:
        if self._initial_task is not None:
            try:
                await self._main.open_task(await self.hub.find(self._initial_task))
            except TaskHubError as error:
                self.say(error)

    def _warn(self, sentence: str) -> None:
        self._main.warn(sentence or self._trouble)

    def say(self, error: TaskHubError) -> None:
        """Show what the hub refused, and what to do about it."""
        words = f"{error}\n{error.hint}" if error.hint else str(error)
        self.notify(words, severity="warning", timeout=8, markup=False)

    def _entitle(self, counts: Counts) -> None:
        needs = counts.needs_you
        title = f"! {needs} · TaskHub" if needs else "TaskHub"
        if self.glyphs is ASCII:
            title = title.replace("·", "-")
        if title != self._terminal_title:
            self._terminal_title = title
            self._write(f"\x1b]2;{title}\x07")

    def _write(self, sequence: str) -> None:
        if self._driver is not None and not self.is_headless:
            self._driver.write(sequence)

    # Whether the user is here

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key | events.MouseDown | events.Paste):
            self.typed = time.monotonic()
            self._last_input = self.hub.clock()
        await super().on_event(event)

    async def on_app_focus(self) -> None:
        self._focused = True
        await self._report_presence()

    async def on_app_blur(self) -> None:
        self._focused = False
        await self._report_presence()

    async def _report_presence(self) -> None:
        now = time.monotonic()
        news = (self._focused, self._last_input)
        if news == self._reported:
            return
        moved = self._reported is None or self._reported[0] != self._focused
        if moved or now - self._reported_at >= _PRESENCE_EVERY:
            self._reported, self._reported_at = news, now
            # The watcher says what is wrong with the store.
            with contextlib.suppress(TaskHubError):
                await self.hub.report_presence(focused=news[0], last_input=news[1])

    # All commands by name

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        if screen is self._main:
            for act in ACTIONS:
                if act.where in _PALETTE and act.id != "hub.palette" and self._legal(act.action):
                    yield SystemCommand(
                        act.label, f"{act.meaning} ({act.shown_keys})", self._runner(act.action)
                    )
        other = LIGHT if self.theme != LIGHT.name else DARK
        yield SystemCommand(
            "Theme", f"Switch to {other.name}", lambda: setattr(self, "theme", other.name)
        )

    def _legal(self, action: str) -> bool:
        name, _, rest = action.partition("(")
        parameter = rest.rstrip(")").strip("'")
        return bool(self._main.check_action(name, (parameter,) if parameter else ()))

    def _runner(self, action: str) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            await self.run_action(action, self._main)

        return run
