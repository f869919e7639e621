"""One task in full: its stages, its log, its result, and what has happened to it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import ContentSwitcher, Static

from taskhub_tui.domain.durations import countdown
from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.domain.limits import waits
from taskhub_tui.domain.model import Artifact, Status, TaskView, WaitingOn
from taskhub_tui.hub import Hub
from taskhub_tui.text import clean, one_line
from taskhub_tui.tui import render
from taskhub_tui.tui.theme import UNICODE, Glyphs, task_look
from taskhub_tui.tui.widgets.events import EventsView
from taskhub_tui.tui.widgets.lines import LinesView
from taskhub_tui.tui.widgets.log_view import LogView
from taskhub_tui.tui.widgets.markdown_view import LIMIT, MarkdownView
from taskhub_tui.tui.widgets.stages import StagesView, put

Tab = Literal["log", "result", "events"]
TABS: tuple[Tab, ...] = ("log", "result", "events")
_MARKDOWN = (".md", ".markdown")
_PLAIN = (".txt", ".log", ".csv", ".tsv", ".json", ".toml", ".yaml", ".yml", ".xml", ".py", ".sh")


class TabLine(Widget):
    """The names of the three tabs on a thin line."""

    DEFAULT_CSS = "TabLine { height: 1; }"
    tab: reactive[Tab] = reactive("log")

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._spots: list[tuple[int, int, Tab]] = []

    def render(self) -> Content:
        line = Content.styled(self._glyphs.rest * 2, "$faint")
        self._spots = []
        for tab in TABS:
            start = line.cell_length
            style = "bold $foreground" if tab == self.tab else "$muted"
            line = line + Content.styled(f" {tab.capitalize()} ", style)
            self._spots.append((start, line.cell_length, tab))
        rest = max(0, self.size.width - line.cell_length)
        return line + Content.styled(self._glyphs.rest * rest, "$faint")

    def on_click(self, event: events.Click) -> None:
        for start, end, tab in self._spots:
            if start <= event.x < end:
                self.tab = tab


class Detail(Vertical):
    """Shows the task that it is given, and follows it."""

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
        self._trail = -1
        self._heading = Static("", markup=False, classes="heading")
        self._about = Static("", markup=False, classes="about")
        self._waits = Static("", markup=False, classes="waits")
        self._asked = Static("", markup=False, classes="asked")
        self._stages = StagesView()
        self._tabs = TabLine(glyphs)
        self._log = LogView(hub, glyphs=glyphs, id="log")
        self._report = MarkdownView(id="result")
        self._events = EventsView(id="events")

    def compose(self) -> ComposeResult:
        yield self._heading
        yield self._about
        yield self._waits
        yield self._asked
        yield self._stages
        yield self._tabs
        with ContentSwitcher(initial="log"):
            yield self._log
            yield self._report
            yield self._events

    def on_mount(self) -> None:
        self.watch(self._tabs, "tab", self._switched, init=False)

    # Which task

    async def show(self, view: TaskView | None) -> None:
        """Show a task, or its newer state."""
        other = (self.view.task.id if self.view else None) != (view.task.id if view else None)
        done = not other and self.view is not None and not self.view.task.status.over
        self.view = view
        if other:
            self._result, self._trail = (), -1
            # A finished task is opened for its result, another one to see what it does.
            if view is not None:
                self.tab = "result" if view.task.status is Status.COMPLETED else "log"
        elif (
            done
            and view is not None
            and view.task.status is Status.COMPLETED
            and self.tab == "log"  # Whoever reads something else is not torn away from it.
        ):
            self.tab = "result"
        self.draw()
        await self.fill()

    def draw(self) -> None:
        """Draw everything but the three tabs; ages are of now."""
        view, now = self.view, self._clock()
        if view is None:
            for static in (self._heading, self._about, self._waits, self._asked):
                put(static, Content(""))
            self._stages.display = False
            return
        task = view.task
        put(self._heading, Content(one_line(task.title)))
        dot = f" {self._glyphs.dot} "
        facts = [task.id, task.agent]
        facts.append(f"{task.status.value.replace('_', ' ')} {render.age(task, now)}")
        if remaining := render.left(task, now):
            facts.append(f"{remaining} left")
        if task.started is not None:
            facts.append("started " + time.strftime("%H:%M", time.localtime(task.started)))
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
        self._stages.display = True
        self._stages.show(view.stages, task, now, self._glyphs)

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
        return Content.assemble(
            (f"{glyph} ", f"bold {colour}"),
            (one_line(words, 300), "$foreground"),
            ("  a", "bold $needs"),
            ("\u00a0decide", "$muted"),
        )

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
        views: dict[Tab, LinesView] = {
            "log": self._log,
            "result": self._report,
            "events": self._events,
        }
        return views[self.tab]

    async def _switched(self, tab: Tab) -> None:
        focused = isinstance(self.screen.focused, LinesView)
        self.query_one(ContentSwitcher).current = tab
        if focused:
            self.content.focus()
        self.screen.refresh_bindings()
        await self.fill()

    def action_tab(self, by: int) -> None:
        self.tab = TABS[(TABS.index(self.tab) + by) % len(TABS)]

    def action_follow(self) -> None:
        following = self._log.toggle_follow()
        self.app.notify("The log runs along" if following else "The log stands still", timeout=2)

    async def fill(self) -> None:
        """Fill the open tab with what there is by now."""
        view = self.view
        if self.tab == "log":
            await self._log.show(view.task.id if view else None)
        elif self.tab == "result":
            await self._fill_result(view)
        else:
            await self._fill_events(view)

    async def _fill_events(self, view: TaskView | None) -> None:
        if view is None or self._trail == view.task.seq:
            return
        try:
            trail = await self._hub.events(view.task.id)
        except TaskHubError:
            return  # The watcher says what is wrong with the store.
        if self.view is view:
            keep = self._trail >= 0
            self._trail = view.task.seq
            self._events.show(trail, keep=keep)

    async def _fill_result(self, view: TaskView | None) -> None:
        if view is None:
            return
        task = view.task
        key = (task.id, task.result, task.summary, task.status, task.ended, len(view.artifacts))
        if key == self._result:
            return
        keep = bool(self._result) and self._result[:2] == key[:2]
        self._result = key
        source, folder = await asyncio.to_thread(_report, view)
        if self.view is not None and self.view.task.id == task.id:
            self._report.show(source, folder, keep=keep)


def _report(view: TaskView) -> tuple[str, Path | None]:
    """Return the result of a task as Markdown, and the folder it lies in."""
    task = view.task
    files = _files(view.artifacts, task.result)
    if task.result is None:
        words = task.summary or ("No result" if task.status.over else "No result yet")
        return clean(words) + files, None
    path = Path(task.result)
    kind = path.suffix.lower()
    try:
        size = path.stat().st_size
        if kind not in (*_MARKDOWN, *_PLAIN):
            return (
                f"The result is `{one_line(path.name)}`, {size:,} bytes: `o` opens it{files}",
                None,
            )
        with path.open("rb") as file:
            text = clean(file.read(LIMIT).decode("utf-8", "replace"), LIMIT)
    except OSError as error:
        why = (error.strerror or "it cannot be read").lower()
        return f"The result `{one_line(path.name)}` cannot be shown: {why}{files}", None
    if size > LIMIT:
        text += f"\n\n*Cut here: the file has {size:,} bytes; `o` opens all of it*"
    if kind in _PLAIN:
        fence = "`" * (max(3, _longest_run(text) + 1))
        text = f"{fence}\n{text}\n{fence}"
    return text + files, path.parent


def _longest_run(text: str) -> int:
    """Return the length of the longest run of backticks."""
    longest = run = 0
    for character in text:
        run = run + 1 if character == "`" else 0
        longest = max(longest, run)
    return longest


def _files(artifacts: Sequence[Artifact], result: str | None) -> str:
    """Return the list of files that belong to the result, as Markdown."""
    paths = [one_line(artifact.path, 300) for artifact in artifacts]
    if result and result not in paths:
        paths.insert(0, one_line(result, 300))
    listed = "\n".join(path.replace("`", "'") for path in paths)
    return f"\n\n## Files\n\n```\n{listed}\n```\n" if paths else ""
