"""The live table of tasks. Its cost is bounded by the lines on screen, not by the number of tasks.

The order is a list of task numbers; rows are fetched by page when they come into sight. Changes are
merged in place and never move a row: the order changes only through `set_order`, and the cursor
stays on its task, on the same line of the screen where that can be.
"""

import time
from array import array
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from taskhub_tui.domain.model import Status, Task
from taskhub_tui.tui import render
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.background import start
from taskhub_tui.tui.theme import UNICODE, Glyphs, task_look

PAGE = 100
PAGES = 40
"""Pages of rows that are kept."""
_BAR = 8
_LIVE = 22
"""Cells at the left of a row that change often: repainting only these saves most of the bytes."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Widths of the columns, in cells; 0 is not shown."""

    title: int
    stage: int
    agent: int
    left: int
    age: int

    @classmethod
    def of(cls, width: int) -> "Columns":
        stage = 13 if width < 90 else 16
        agent = 12 if width >= 100 else 0
        left = 5 if width >= 60 else 0
        age = 5
        # Mark, glyph, blank, bar, percent, and the blanks between.
        rest = width - (1 + 1 + 1 + _BAR + 4 + 1) - (stage + 1) - (agent + 1 if agent else 0)
        return cls(max(8, rest - left - age - 2), stage, agent, left, age)


class TaskTable(ScrollView, can_focus=True):
    """Rows are addressed by their place in the order."""

    BINDINGS = [*bindings("list")]
    COMPONENT_CLASSES = {
        "task-table--head",
        "task-table--row",
        "task-table--cursor",
        "task-table--strong",
        "task-table--faint",
        "task-table--needs",
        "task-table--running",
        "task-table--done",
        "task-table--failed",
        "task-table--muted",
        "task-table--mark",
    }
    DEFAULT_CSS = """
    TaskTable {
        height: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; background: $background;
        scrollbar-background: $background; scrollbar-color: $faint;
        scrollbar-background-hover: $background; scrollbar-color-hover: $muted;
        scrollbar-background-active: $background; scrollbar-color-active: $muted;
        & .task-table--head { color: $muted; }
        & .task-table--row { color: $foreground; }
        & .task-table--cursor { background: $cursor; }
        & .task-table--strong { text-style: bold; }
        & .task-table--faint { color: $faint; }
        & .task-table--needs { color: $needs; }
        & .task-table--running { color: $running; }
        & .task-table--done { color: $done; }
        & .task-table--failed { color: $failed; }
        & .task-table--muted { color: $muted; }
        & .task-table--mark { color: $running; }
    }
    """

    cursor: reactive[int] = reactive(0)

    class Highlighted(Message):
        """The cursor stands on another task, or on this one for the first time."""

        def __init__(self, task: Task | None) -> None:
            super().__init__()
            self.task = task

    class Opened(Message):
        """A task was chosen with the mouse."""

    class SortWanted(Message):
        """The user asked for a fresh order."""

    def __init__(
        self,
        fetch: Callable[[Sequence[int]], Awaitable[Iterable[Task]]],
        *,
        glyphs: Glyphs = UNICODE,
        clock: Callable[[], float] = time.time,
        id: str | None = None,
    ) -> None:
        super().__init__(id=id)
        self._fetch = fetch
        self._glyphs = glyphs
        self._clock = clock
        self._order = array("q")
        self._place: dict[int, int] = {}
        self._pages: OrderedDict[int, list[Task | None]] = OrderedDict()
        self._loading: set[int] = set()
        self._strips: dict[tuple[object, ...], Strip] = {}
        self._drawn: dict[int, tuple[str, str, str]] = {}
        self._told: int | None = None
        self._styles: dict[str, Style] = {}
        self.unseen = 0
        """Tasks that exist but are not in the order yet."""
        self.empty_words = ""

    # What it holds

    def __len__(self) -> int:
        return len(self._order)

    @property
    def here(self) -> Task | None:
        """The task under the cursor; None when there is none or it is not read yet."""
        return self._row(self.cursor) if self._order else None

    def set_order(
        self, numbers: Iterable[int], rows: Iterable[Task] = (), *, top: bool = False
    ) -> None:
        """Show the tasks with these numbers, in this order; forget what was cached.

        Args:
            rows: tasks known already, such as those of the first page.
            top: put the cursor on the first; else it stays on its task.
        """
        held = self._order[self.cursor] if self._order and not top else None
        line = self.cursor - self.scroll_offset.y
        self._order = array("q", numbers)
        self._place = {n: i for i, n in enumerate(self._order)}
        known = {task.n: task for page in self._pages.values() for task in page if task}
        known.update({task.n: task for task in rows})
        self._pages.clear()
        self._loading.clear()
        self._strips.clear()
        self._fill(known)
        self.unseen = 0
        self.virtual_size = Size(0, len(self._order) + 1)
        place = self._place.get(held, 0 if top else self.cursor) if held is not None else 0
        place = max(0, min(len(self._order) - 1, place))
        self.set_reactive(TaskTable.cursor, place)
        self.scroll_to(y=max(0, place - line) if held is not None else 0, animate=False, force=True)
        self._show_cursor()
        self._told = None
        self._tell()
        self.refresh()

    def _fill(self, known: dict[int, Task]) -> None:
        """Build the pages all of whose rows are known."""
        for page in range(min(PAGES, -(-len(self._order) // PAGE))):
            numbers = self._order[page * PAGE : (page + 1) * PAGE]
            if all(n in known for n in numbers):
                self._pages[page] = [known[n] for n in numbers]

    def apply(self, changed: Iterable[Task]) -> bool:
        """Merge changed tasks into their rows; return whether a fresh order would differ."""
        stale = False
        top, bottom = self.scroll_offset.y, self.scroll_offset.y + self.size.height
        for task in changed:
            place = self._place.get(task.n)
            if place is None:
                self.unseen += 1
                stale = True
                self._place[task.n] = -1
                self.refresh(Region(0, 0, self.size.width, 1))
                continue
            page, at = divmod(place, PAGE)
            if place < 0 or (held := self._pages.get(page)) is None:
                stale = True
                continue
            before = held[at]
            held[at] = task
            moved = (
                before is None
                or before.status is not task.status
                or render.calls(before) != render.calls(task)
            )
            stale = stale or moved
            if top <= place + 1 < bottom:
                width = _LIVE if not moved and self._same(before, task) else self.size.width
                self.refresh(Region(0, place + 1 - top, width, 1))
            if place == self.cursor and moved:
                self._told = None
                self._tell()
        return stale

    @staticmethod
    def _same(before: Task | None, task: Task) -> bool:
        return before is not None and (
            before.title,
            before.stage,
            before.stopping,
            before.pausing,
        ) == (
            task.title,
            task.stage,
            task.stopping,
            task.pausing,
        )

    def _row(self, place: int) -> Task | None:
        page, at = divmod(place, PAGE)
        if (rows := self._pages.get(page)) is not None:
            self._pages.move_to_end(page)
            return rows[at] if at < len(rows) else None
        if page not in self._loading:
            self._loading.add(page)
            start(self, partial(self._load, page), group="pages")
        return None

    async def _load(self, page: int) -> None:
        order = self._order
        numbers = order[page * PAGE : (page + 1) * PAGE]
        try:
            rows = {task.n: task for task in await self._fetch(numbers)}
        finally:
            if order is self._order:
                self._loading.discard(page)
        if order is not self._order:
            return  # It was sorted anew meanwhile.
        self._pages[page] = [rows.get(n) for n in numbers]
        while len(self._pages) > PAGES:
            self._pages.popitem(last=False)
        self.refresh()
        self._tell()

    # The cursor

    def validate_cursor(self, place: int) -> int:
        return max(0, min(len(self._order) - 1, place))

    def watch_cursor(self, old: int, new: int) -> None:
        self.refresh_line(old + 1)
        self.refresh_line(new + 1)
        self._show_cursor()
        self._tell()

    def _show_cursor(self) -> None:
        top, height = self.scroll_offset.y, self.size.height - 1
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif height > 0 and self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, force=True)

    def _tell(self) -> None:
        if not self._order:
            if self._told != -1:
                self._told = -1
                self.post_message(self.Highlighted(None))
            return
        task = self.here
        if task is not None and self._told != task.n:
            self._told = task.n
            self.post_message(self.Highlighted(task))

    def go_to(self, number: int) -> bool:
        """Put the cursor on the task with this number; False when it is not in the list."""
        place = self._place.get(number, -1)
        if place >= 0:
            self.cursor = place
        return place >= 0

    def action_move(self, by: int) -> None:
        self.cursor += by

    def action_page(self, sign: int) -> None:
        self.cursor += sign * max(1, self.size.height - 2)

    def action_top(self) -> None:
        self.cursor = 0
        self.post_message(self.SortWanted())

    def action_end(self) -> None:
        self.cursor = len(self._order) - 1

    def on_click(self, event: events.Click) -> None:
        place = event.y + self.scroll_offset.y - 1
        if event.y == 0:
            self.post_message(self.SortWanted())
        elif 0 <= place < len(self._order):
            self.cursor = place
            if event.chain == 2:
                self.post_message(self.Opened())

    def on_resize(self) -> None:
        self._strips.clear()
        self._show_cursor()

    # Drawing

    def tick(self) -> None:
        """Repaint the rows in sight whose age or time remaining reads differently by now."""
        now = self._clock()
        for y in range(1, self.size.height):
            place = y + self.scroll_offset.y - 1
            drawn = self._drawn.get(place)
            if drawn is None or place >= len(self._order):
                continue
            task = self._row(place)
            if task is not None and self._times(task, now) != drawn:
                self.refresh_line(place + 1)

    def _times(self, task: Task, now: float) -> tuple[str, str, str]:
        return (
            render.stage(task, now, self._glyphs),
            render.left(task, now),
            render.age(task, now),
        )

    def notify_style_update(self) -> None:
        self._strips.clear()
        self._styles.clear()
        super().notify_style_update()

    def _style(self, *names: str, cursor: bool = False) -> Style:
        key = "+".join(names) + ("|" if cursor else "")
        if (style := self._styles.get(key)) is None:
            style = self.get_component_rich_style("task-table--row")
            for name in (*names, "cursor") if cursor else names:
                style += self.get_component_rich_style(f"task-table--{name}", partial=True)
            self._styles[key] = style
        return style

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_size.width
        columns = Columns.of(width)
        if y == 0:
            return self._head(columns, width)
        place = y + self.scroll_offset.y - 1
        blank = self._style()
        if place >= len(self._order):
            if not self._order and y == 2 and self.empty_words:
                words = render.fit("  " + self.empty_words, width, self._glyphs)
                return Strip([Segment(words, self._style("muted"))], width)
            return Strip.blank(width, blank)
        task, at_cursor = self._row(place), place == self.cursor
        if task is None:
            return Strip([Segment("   …".ljust(width), self._style("muted"))], width)
        times = self._times(task, self._clock())
        self._drawn[place] = times
        if len(self._drawn) > 500:
            self._drawn = {place: times}
        key = (
            task.n,
            task.seq,
            task.fraction,
            task.status,
            at_cursor,
            self.has_focus,
            width,
            times,
        )
        if (strip := self._strips.get(key)) is None:
            if len(self._strips) > 2000:
                self._strips.clear()
            strip = self._strips[key] = self._line(task, columns, times, at_cursor, width)
        return strip

    def _head(self, columns: Columns, width: int) -> Strip:
        new = f"   {self.unseen} new {self._glyphs.up}" if self.unseen else ""
        title = render.fit("TASK", columns.title - len(new) if new else columns.title, self._glyphs)
        muted = self._style("head")
        parts = [
            Segment(f"   {'PROGRESS':<{_BAR + 4}} ", muted),
            Segment(title, muted),
            Segment(new, self._style("running")),
            Segment(f" {'STAGE':<{columns.stage}}", muted),
        ]
        if columns.agent:
            parts.append(Segment(f" {'AGENT':<{columns.agent}}", muted))
        if columns.left:
            parts.append(Segment(f" {'LEFT':>{columns.left}}", muted))
        parts.append(Segment(f" {'AGE':>{columns.age}}", muted))
        return Strip(parts).adjust_cell_length(width, muted)

    def _line(
        self,
        task: Task,
        columns: Columns,
        times: tuple[str, str, str],
        at_cursor: bool,
        width: int,
    ) -> Strip:
        glyphs = self._glyphs
        stage, left, age = times
        glyph, colour = task_look(task, glyphs)
        quiet = task.status in (Status.COMPLETED, Status.CANCELLED) or (
            task.status is Status.PENDING and not task.stage and task.fraction is None
        )

        def style(*names: str) -> Style:
            return self._style(*names, cursor=at_cursor)

        over = task.status in (Status.COMPLETED, Status.CANCELLED)
        filled, rest = render.bar(task.fraction or 0.0, _BAR, glyphs)
        if over:
            filled, rest = "", " " * _BAR
        number = "    " if over or quiet else render.percent(task.fraction)
        title = ("muted",) if quiet else ("strong",) if render.calls(task) else ()
        parts = [
            Segment(glyphs.mark if at_cursor and self.has_focus else " ", style("mark")),
            Segment(glyph, style(colour, "strong") if colour == "needs" else style(colour)),
            Segment(" ", style()),
            Segment(filled, style(colour)),
            Segment(rest, style("faint")),
            Segment(number + " ", style("muted")),
            Segment(render.fit(task.title, columns.title, glyphs) + " ", style(*title)),
            Segment(render.fit(stage, columns.stage, glyphs), style("muted")),
        ]
        if columns.agent:
            parts.append(
                Segment(" " + render.fit(task.agent, columns.agent, glyphs), style("muted"))
            )
        if columns.left:
            parts.append(Segment(f" {left:>{columns.left}}", style("muted")))
        parts.append(Segment(f" {age:>{columns.age}}", style("muted")))
        return Strip([part for part in parts if part.text]).adjust_cell_length(width, style())
