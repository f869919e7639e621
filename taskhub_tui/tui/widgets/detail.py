"""One task in full: its stages, its log, its result and files, and what has happened to it."""

import asyncio
import time
from collections.abc import Callable
from functools import partial

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import ContentSwitcher, Static

from taskhub_tui.domain.durations import countdown, in_seconds
from taskhub_tui.domain.errors import ReadOnly, TaskHubError
from taskhub_tui.domain.limits import waits
from taskhub_tui.domain.model import NewTask, Status, TaskView, WaitingOn
from taskhub_tui.domain.reported import next_task
from taskhub_tui.hub import Hub
from taskhub_tui.text import one_line
from taskhub_tui.tui import keymap, opening, render
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.background import start
from taskhub_tui.tui.theme import UNICODE, Glyphs, task_look
from taskhub_tui.tui.widgets.about import AboutView
from taskhub_tui.tui.widgets.events import EventsView
from taskhub_tui.tui.widgets.files import FilesView, counted, files_of
from taskhub_tui.tui.widgets.find_line import FindLine
from taskhub_tui.tui.widgets.lines import LinesView
from taskhub_tui.tui.widgets.log_view import LogView
from taskhub_tui.tui.widgets.result import ResultView, report
from taskhub_tui.tui.widgets.stages import StagesView, put
from taskhub_tui.tui.widgets.stages import young as any_young
from taskhub_tui.tui.widgets.tabs import TABS, Tab, TabLine

_PAUSE = 0.08
"""Seconds without a key before what was typed is looked for."""


class Detail(Vertical):
    """Shows the task that it is given, and follows it."""

    BINDINGS = [*bindings("tabs")]
    DEFAULT_CSS = """
    Detail {
        padding: 0 0 0 2; background: $background;
        & .heading { height: auto; max-height: 2; text-style: bold; color: $foreground; }
        & .about { height: 1; color: $muted; text-wrap: nowrap; text-overflow: ellipsis; }
        & .waits { height: auto; max-height: 2; color: $muted; display: none; }
        & .asked { height: auto; max-height: 4; margin: 1 0 0 0; display: none; }
        & ContentSwitcher { height: 1fr; }
    }
    """

    class FollowUp(Message):
        """The user wants to hand over `new`, which follows from the task."""

        def __init__(self, new: NewTask) -> None:
            super().__init__()
            self.new = new

    def __init__(
        self,
        hub: Hub,
        *,
        glyphs: Glyphs = UNICODE,
        clock: Callable[[], float] = time.time,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._hub = hub
        self._glyphs = glyphs
        self._clock = clock
        self.view: TaskView | None = None
        self._result: tuple[object, ...] = ()
        self._trail = self._told = -1
        self._files_of: tuple[object, ...] = ()
        self._chosen: Tab | None = None
        """The tab that the user chose; it stays while they move over the tasks."""
        self._typing: Timer | None = None
        self._heading = Static("", markup=False, classes="heading")
        self._about = Static("", markup=False, classes="about")
        self._waits = Static("", markup=False, classes="waits")
        self._asked = Static("", markup=False, classes="asked")
        self._stages = StagesView()
        self._tabs = TabLine(glyphs)
        self._log = LogView(hub, glyphs=glyphs, id="log")
        self._report = ResultView(id="result")
        self._files = FilesView(glyphs, id="files")
        self._events = EventsView(glyphs, id="events")
        self._about_it = AboutView(glyphs, id="about")
        self._views: dict[Tab, LinesView] = {
            "log": self._log,
            "result": self._report,
            "files": self._files,
            "events": self._events,
            "about": self._about_it,
        }
        self._find = FindLine()
        for one in self._views.values():
            one.finder = self._open_find

    def compose(self) -> ComposeResult:
        yield self._heading
        yield self._about
        yield self._waits
        yield self._asked
        yield self._stages
        yield self._tabs
        with ContentSwitcher(initial="log"):
            yield from self._views.values()
        yield self._find

    def on_mount(self) -> None:
        self.watch(self._tabs, "tab", self._switched, init=False)

    # Which task

    async def show(self, view: TaskView | None) -> None:
        """Show a task, or its newer state."""
        other = (self.view.task.id if self.view else None) != (view.task.id if view else None)
        done = not other and self.view is not None and not self.view.task.status.over
        self.view = view
        if other:
            self._result, self._files_of = (), ()
            self._trail = self._told = -1
            # A finished task is opened for its result, another one to see what it does, unless the
            # user has chosen what to look at.
            if view is not None and self._chosen is None:
                self.tab = "result" if view.task.status is Status.COMPLETED else "log"
        elif (
            done
            and view is not None
            and view.task.status is Status.COMPLETED
            and self._chosen is None
            and self.tab == "log"  # Whoever reads something else is not torn away from it.
        ):
            self.tab = "result"
        self.draw()
        await self.fill()

    def tick(self, *, young: bool = False) -> None:
        """Draw the ages of now; with `young` only where one is told in seconds."""
        if not young or self._seconds():
            self.draw()

    def _seconds(self) -> bool:
        """Return whether a time that goes on is told in seconds, without minutes."""
        lines = (self._about, self._waits, self._asked)
        view = self.view
        return any(in_seconds(str(one.content)) for one in lines) or (
            view is not None and any_young(view.stages, view.task, self._clock())
        )

    def draw(self) -> None:
        """Draw everything but the three tabs; ages are of now."""
        view, now = self.view, self._clock()
        if view is None:
            for static in (self._heading, self._about, self._waits, self._asked):
                put(static, Content(""))
            # Without a task, as on the head of a group, there is nothing to switch.
            self._stages.display = self._tabs.display = False
            return
        task = view.task
        put(self._heading, Content(one_line(task.title)))
        dot = f" {self._glyphs.dot} "
        facts = [task.id, task.agent]
        facts.append(f"{task.status.value.replace('_', ' ')} {render.age(task, now)}")
        if remaining := render.left(task, now):
            facts.append(f"{remaining} left")
        if task.started is not None:
            facts.append("started " + render.clock(task.started, now))
        room = self.content_size.width
        while len(facts) > 3 and room and len(dot.join(facts)) > room:
            facts.pop()
        put(self._about, Content(dot.join(facts)))
        waiting = self._waiting(view, now)
        put(self._waits, waiting)
        self._waits.display = bool(waiting.plain)
        asking = self._asking(view, now)
        put(self._asked, asking)
        self._asked.display = bool(asking.plain)
        self._stages.display = self._tabs.display = True
        self._tabs.files = counted(view)
        self._stages.show(
            view.stages,
            task,
            now,
            self._glyphs,
            width=max(20, self.content_size.width - 1),
            height=self.size.height,
        )

    def _waiting(self, view: TaskView, now: float) -> Content:
        """Return what a task waits for, and by when it has to be done."""
        task = view.task
        said = []
        if waiting := waits(task, now):
            if task.waiting_on is WaitingOn.DEPENDENCY and len(view.after) == task.deps_left:
                waiting = f"waits for {', '.join(view.after)}"
            said.append(waiting)
        if task.deadline is not None and not task.status.over:
            said.append(f"deadline in {countdown(task.deadline - now)}")
        if not said:
            return Content("")
        glyph, colour = task_look(task, self._glyphs)
        words = one_line(f" {self._glyphs.dot} ".join(said), 300)
        return Content.assemble((f"{glyph} ", f"${colour}"), (words, "$foreground"))

    def _asking(self, view: TaskView, now: float) -> Content:
        """Return what stops the task, and the key that answers."""
        if view.blocker is not None:
            words = render.question(view.blocker, view.task, now)
            colour, glyph = "$needs", self._glyphs.needs
        elif view.task.status is Status.FAILED:
            words, colour, glyph = view.task.error or "It failed", "$failed", self._glyphs.failed
        else:
            return Content("")
        said = Content.assemble(
            (f"{glyph} ", f"bold {colour}"), (one_line(words, 300), "$foreground")
        )
        if not (key := keymap.of(self.app).short("task.decide")):
            return said
        answer = Content.assemble((key, "bold $needs"), ("\u00a0decide", "$muted"))
        # A key and its meaning stay on one line. What asks has no width of its own before it is
        # shown, but it takes that of the pane.
        width = self.content_size.width or 80
        last = said.wrap(width)[-1].cell_length
        gap = "  " if last + 2 + answer.cell_length <= width else "\n  "
        return said + Content(gap) + answer

    # The tabs

    @property
    def tab(self) -> Tab:
        return self._tabs.tab

    @tab.setter
    def tab(self, tab: Tab) -> None:
        self._tabs.tab = tab

    @property
    def content(self) -> LinesView:
        """The view of the tab that is open."""
        return self._views[self.tab]

    async def _switched(self, tab: Tab) -> None:
        focused = isinstance(self.screen.focused, LinesView)
        self.query_one(ContentSwitcher).current = tab
        if focused:
            self.content.focus()
        self._find.show(self.content.words.text, self.content.told)
        self.screen.refresh_bindings()
        await self.fill()

    @on(TabLine.Chosen)
    def _tab_clicked(self, event: TabLine.Chosen) -> None:
        event.stop()
        self.action_show_tab(event.tab)

    def action_show_tab(self, tab: Tab) -> None:
        """Show this tab, also of the tasks that are looked at next."""
        self._chosen = self.tab = tab

    def action_tab(self, by: int) -> None:
        self.action_show_tab(TABS[(TABS.index(self.tab) + by) % len(TABS)])

    def action_follow(self) -> None:
        following = self._log.toggle_follow()
        self.app.notify("The log runs along" if following else "The log stands still", timeout=2)

    def on_resize(self, event: events.Resize) -> None:
        self.draw()

    async def fill(self) -> None:
        """Fill the open tab with what there is by now."""
        view = self.view
        match self.tab:
            case "log":
                await self._log.show(view.task.id if view else None)
            case _ if view is None:
                pass
            case "result":
                await self._fill_result(view)
            case "files":
                await self._fill_files(view)
            case "events":
                await self._fill_events(view)
            case "about":
                keep = self._told >= 0
                if self._told != view.task.seq:
                    self._told = view.task.seq
                    self._about_it.show(view, self._clock(), keep=keep)

    def _still(self, view: TaskView) -> bool:
        """True while the task is shown that something was read of."""
        return self.view is not None and self.view.task.id == view.task.id

    async def _fill_events(self, view: TaskView) -> None:
        if self._trail == view.task.seq:
            return
        keep, self._trail = self._trail >= 0, view.task.seq
        try:
            trail = await self._hub.events(view.task.id)
        except TaskHubError:
            self._trail = -1
            return  # The watcher says what is wrong with the store.
        if self._still(view):
            self._events.show(trail, keep=keep)

    async def _fill_files(self, view: TaskView) -> None:
        key = (view.task.id, view.task.result, view.task.status.over, *view.artifacts)
        keep = bool(self._files_of) and self._files_of[0] == view.task.id
        self._files_of = key
        found = await asyncio.to_thread(files_of, view)
        if self._still(view):
            self._files.show(found, over=view.task.status.over, keep=keep)

    async def _fill_result(self, view: TaskView) -> None:
        task = view.task
        key = (task.id, task.result, task.summary, task.status, task.ended, task.error)
        if key == self._result:
            return
        keep = bool(self._result) and self._result[:2] == key[:2]
        self._result = key
        source, folder = await report(self._hub, view)
        if self._still(view):
            self._report.show_result(source, folder, view, keep=keep)

    # Finding in the open tab

    def _open_find(self) -> None:
        self._find.open(self.content.words.text)

    @on(FindLine.Typed)
    def _typed(self, event: FindLine.Typed) -> None:
        event.stop()
        if self._typing is not None:
            self._typing.stop()
        self._typing = self.set_timer(_PAUSE, partial(self.content.find, event.words))

    @on(FindLine.Closed)
    def _find_closed(self, event: FindLine.Closed) -> None:
        event.stop()
        view = self.content
        if self._typing is not None:
            self._typing.stop()
            self._typing = None
        words = self._find.words if event.keep else ""
        if words != view.words.text:
            view.find(words)
        view.focus()
        self.call_after_refresh(lambda: self._find.show(view.words.text, view.told))

    @on(LinesView.Told)
    def _told_of(self, event: LinesView.Told) -> None:
        event.stop()
        if event.view is self.content:
            self._find.show(event.view.words.text, event.view.told)
            self.screen.refresh_bindings()

    # Files and what follows

    @on(FilesView.Opened)
    def _open_file(self, event: FilesView.Opened) -> None:
        event.stop()
        if type(event) is not FilesView.Opened:
            return
        path = event.file.path

        async def run() -> None:
            said = await opening.open_result(self.app, path)
            self.app.notify(said, timeout=4, markup=False)

        start(self, run, group="files")

    @on(FilesView.SaveWanted)
    def _save_file(self, event: FilesView.SaveWanted) -> None:
        event.stop()
        if self._hub.read_only:
            self.app.notify(str(ReadOnly()), severity="warning", timeout=4, markup=False)
            return
        from taskhub_tui.tui.screens.save_as import SaveAsScreen

        folder = self.view.task.workdir if self.view is not None else "."
        self.app.push_screen(SaveAsScreen(event.file.path, folder), self._saved)

    def _saved(self, said: str | None) -> None:
        if said:
            self.app.notify(said, timeout=4, markup=False)

    @on(FilesView.LookWanted)
    def _look_at(self, event: FilesView.LookWanted) -> None:
        event.stop()
        from taskhub_tui.tui.screens.picture import PictureScreen

        self.app.push_screen(PictureScreen(event.file.path))

    @on(ResultView.FollowUpWanted)
    def _follow_up(self, event: ResultView.FollowUpWanted) -> None:
        event.stop()
        if self.view is not None:
            agents = [card.name for card in self._hub.agents() if card.problem is None]
            self.post_message(self.FollowUp(next_task(self.view, event.chosen, agents)))
