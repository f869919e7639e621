"""The live table of tasks. Its cost is bounded by the lines on screen, not by the number of tasks.

The order is a list of task numbers; rows are fetched by page when they come into sight. Changes are
merged in place and never move a row: the order changes only through `set_order`, and the cursor
stays on its task, on the same line of the screen where that can be.
"""

import time
from array import array
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from taskhub_tui.domain import filtering
from taskhub_tui.domain.durations import in_seconds
from taskhub_tui.domain.listing import Group, Head, Sort
from taskhub_tui.domain.model import Task
from taskhub_tui.tui import keymap, render
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.background import start
from taskhub_tui.tui.theme import UNICODE, Glyphs
from taskhub_tui.tui.widgets.selecting import Selecting
from taskhub_tui.tui.widgets.standing import FOLDED, UNSEEN, Standing
from taskhub_tui.tui.widgets.task_rows import LIVE, Columns, first_line, head_line, row_line

PAGE = 100
PAGES = 40
"""Pages of rows that are kept."""
RANKS = 20_000
"""Tasks of which it is known what their place depends on."""
_STEP = 10.0
"""Seconds by which ages go in the last minute: a table that ticks everywhere is never calm."""


class TaskTable(Selecting, ScrollView, can_focus=True):
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

    cursor: reactive[int] = reactive(0, repaint=False)

    class Highlighted(Message):
        """The cursor stands on another task, or on this one for the first time."""

        def __init__(self, task: Task | None) -> None:
            super().__init__()
            self.task = task

    class Opened(Message):
        """A task was chosen with the mouse."""

    class SortWanted(Message):
        """The user asked for a fresh order, or one by something else."""

        def __init__(self, sort: Sort | None = None) -> None:
            super().__init__()
            self.sort = sort

    class Marked(Message):
        """Other tasks are marked than before."""

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
        self._standing = Standing()
        self._pages: OrderedDict[int, list[Task | None]] = OrderedDict()
        self._loading: set[int] = set()
        self._strips: dict[tuple[object, ...], Strip] = {}
        self._drawn: dict[int, tuple[str, str, str]] = {}
        self._told: int | None = None
        self._styles: dict[str, Style] = {}
        self._numbers = array("q")
        self._heads: Sequence[Head] = ()
        self._folded: set[str] = set()
        self._unseen: set[int] = set()
        self._ranks: dict[int, int] = {}
        self._last_mark: int | None = None
        self.marks: set[int] = set()
        """Numbers of the tasks that are marked."""
        self.sort = Sort.NEEDS
        self.group = Group.NONE
        self.wanted: Callable[[Task], bool] = lambda task: True
        """Whether a task belongs to the list; asked about those that are not in it."""
        self.empty_words = ""
        self.finder: Callable[[], None] | None = None
        """Opens the line in which a filter is typed, at once."""

    # What it holds

    def __len__(self) -> int:
        """How many tasks there are, those under folded heads included."""
        return len(self._numbers)

    @property
    def unseen(self) -> int:
        """How many tasks belong to the list but are not in the order yet."""
        return len(self._unseen)

    @property
    def here(self) -> Task | None:
        """The task under the cursor; None when there is none or it is not read yet."""
        return self._row(self.cursor) if self._order else None

    @property
    def newest(self) -> int:
        """The largest number of a task in the list; 0 when it is empty."""
        return max(self._numbers, default=0)

    @property
    def head_here(self) -> Head | None:
        """The head of a group under the cursor."""
        return self._head_at(self.cursor)

    def _head_at(self, place: int) -> Head | None:
        number = self._order[place] if place < len(self._order) else 0
        return self._heads[-1 - number] if number < 0 else None

    def set_order(
        self,
        numbers: Iterable[int],
        rows: Iterable[Task] = (),
        *,
        heads: Sequence[Head] = (),
        top: bool = False,
    ) -> None:
        """Show the tasks with these numbers, in this order; forget what was cached.

        Args:
            rows: tasks known already, such as those of the first page.
            heads: the groups that they stand in; none when they are not grouped.
            top: put the cursor on the first; else it stays on its task.
        """
        self._numbers = numbers if isinstance(numbers, array) else array("q", numbers)
        self._unseen.clear()
        self._lay_out(heads, rows, top=top)

    def drop(self, existing: Iterable[int]) -> None:
        """Take out the tasks that exist no more; all others stay in their order."""
        left = set(existing)
        heads, start = [], 0
        for head in self._heads:
            part = self._numbers[start : start + head.count]
            start += head.count
            if count := sum(n in left for n in part):
                heads.append(Head(head.name, count))
        self._numbers = array("q", [n for n in self._numbers if n in left])
        self._unseen &= left
        self._ranks = {n: rank for n, rank in self._ranks.items() if n in left}
        self._lay_out(heads)

    def _lay_out(
        self, heads: Sequence[Head], rows: Iterable[Task] = (), *, top: bool = False
    ) -> None:
        """Put heads and rows in their places."""
        held: int | str | None = None
        if self._order and not top:
            head = self.head_here
            held = self._order[self.cursor] if head is None else head.name
        line = self.cursor - self.scroll_offset.y
        self.unselect()
        known = {task.n: task for page in self._pages.values() for task in page if task}
        known.update({task.n: task for task in rows})
        self._heads = heads
        if not heads:
            self._order = self._numbers
            self._standing = Standing(self._numbers)
            self._standing.lay(self._order, 0)
        else:
            self._order, self._standing, start = array("q"), Standing(self._numbers), 0
            for i, head in enumerate(heads):
                self._order.append(-1 - i)
                part = self._numbers[start : start + head.count]
                start += head.count
                if head.name in self._folded:
                    self._standing.lay(part, FOLDED)
                else:
                    self._standing.lay(part, len(self._order))
                    self._order += part
        if gone := {n for n in self.marks if self._standing.of(n) == UNSEEN}:
            # What is out of sight must not be acted upon.
            self.marks -= gone
            self.post_message(self.Marked())
        self._pages.clear()
        self._loading.clear()
        self._strips.clear()
        self._fill(known)
        self.virtual_size = Size(0, len(self._order) + 1)
        place = self.cursor if not top else 0
        if isinstance(held, str):
            names = [head.name for head in heads]
            if held in names:
                place = self._order.index(-1 - names.index(held))
        elif held is not None and self._standing.of(held) >= 0:
            place = self._standing.of(held)
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
            if all(n in known for n in numbers if n >= 0):
                self._pages[page] = [known.get(n) for n in numbers]

    def apply(self, changed: Iterable[Task]) -> bool:
        """Merge changed tasks into their rows; return whether a fresh order would differ."""
        stale = False
        top, bottom = self.scroll_offset.y, self.scroll_offset.y + self.size.height
        for task in changed:
            place = self._standing.of(task.n)
            if place == UNSEEN:
                if self.wanted(task) is not (task.n in self._unseen):
                    self._unseen ^= {task.n}
                    self.refresh(Region(0, 0, self.size.width, 1))
                stale = stale or task.n in self._unseen
                continue
            held = self._pages.get(place // PAGE) if place >= 0 else None
            before = held[place % PAGE] if held is not None else None
            stale = self._note(before, task) or stale
            if held is None:
                continue
            held[place % PAGE] = task
            moved = (
                before is None
                or before.status is not task.status
                or render.calls(before) != render.calls(task)
            )
            if top <= place + 1 < bottom:
                width = LIVE if not moved and self._same(before, task) else self.size.width
                self.refresh(Region(0, place + 1 - top, width, 1))
            if place == self.cursor and moved:
                self._told = None
                self._tell()
        return stale

    def _note(self, before: Task | None, task: Task) -> bool:
        """Return whether the order may depend on what changed, and remember what it depends on.

        Rows out of sight are held by nobody: of these only a number is kept, so that the first
        change of each makes the order stale, and later ones only when they can move it.
        """
        rank = self._rank(task)
        known = self._ranks.get(task.n)
        if known is None and before is not None:
            known = self._rank(before)
        if len(self._ranks) >= RANKS and task.n not in self._ranks:
            self._ranks.clear()
        self._ranks[task.n] = rank
        return rank != known

    def _rank(self, task: Task) -> int:
        """Return a number that differs when the task may belong elsewhere in the list."""
        by: object = None
        match self.sort:
            case Sort.PROGRESS:
                by = task.fraction
            case Sort.LEFT:
                by = task.eta
            case Sort.AGE:
                by = filtering.since(task)
            case Sort.TITLE:
                by = task.title
            case Sort.PRIORITY:
                by = task.priority
        agent = task.agent if self.sort is Sort.AGENT or self.group is Group.AGENT else None
        # The bare value: an enumeration's own hash is made in Python, a thousand times a second.
        status: str = task.status._value_
        return hash((status, render.calls(task), by, agent, self.wanted(task)))

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
        if place < len(self._order) and self._order[place] < 0:
            return None
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
            wanted = [n for n in numbers if n >= 0]
            rows = {task.n: task for task in await self._fetch(wanted)}
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
        if not self._order or self.head_here is not None:
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
        place = self._standing.of(number)
        if place == FOLDED:
            self._folded.clear()
            self._lay_out(self._heads)
            place = self._standing.of(number)
        if place >= 0:
            self.cursor = place
        return place >= 0

    def opens(self, key: str) -> bool:
        """Open the line in which a filter is typed, if this key does so; see `App.on_event`."""
        found = self.finder is not None and key in keymap.of(self.app).keys("hub.filter")
        if found and self.finder is not None:
            self.finder()
        return found

    def action_move(self, by: int) -> None:
        self.cursor += by

    def action_page(self, sign: int) -> None:
        self.cursor += sign * max(1, self.size.height - 2)

    def action_top(self) -> None:
        self.cursor = 0
        self.post_message(self.SortWanted())

    def action_end(self) -> None:
        self.cursor = len(self._order) - 1

    # Groups and marks

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "fold":
            return self.head_here is not None
        if action == "unmark":
            return bool(self.marks)
        return True

    def action_fold(self) -> None:
        if (head := self.head_here) is not None:
            self._folded ^= {head.name}
            self._lay_out(self._heads)

    def action_fold_all(self) -> None:
        """Fold all groups, or unfold them when all are folded."""
        names = {head.name for head in self._heads}
        self._folded = set() if names <= self._folded else names
        self._lay_out(self._heads)

    def action_mark(self) -> None:
        if self.head_here is not None:
            self.action_fold()
        elif self._order:
            number = self._order[self.cursor]
            self._last_mark = number
            self._mark(self.marks ^ {number})
            self.cursor += 1

    def action_mark_range(self) -> None:
        """Mark everything between the task marked last and the cursor."""
        if not self._order:
            return
        start = self._standing.of(self._last_mark)
        if start < 0:
            start = self.cursor
        low, high = sorted((start, self.cursor))
        part = [n for n in self._order[low : high + 1] if n >= 0]
        self._last_mark = part[-1 if start == low else 0] if part else self._last_mark
        self._mark(self.marks | set(part))

    def action_mark_all(self) -> None:
        """Mark every task in the list but those under folded heads; once more unmarks them."""
        shown = {n for n in self._order if n >= 0}
        self._mark(set() if shown == self.marks else shown)

    def action_unmark(self) -> None:
        self._last_mark = None
        self._mark(set())

    def _mark(self, marks: set[int]) -> None:
        self.marks = marks
        self._strips.clear()
        self.refresh()
        self.post_message(self.Marked())

    def on_click(self, event: events.Click) -> None:
        if self.text_selection:
            return  # It was a drag.
        place = event.y + self.scroll_offset.y - 1
        if event.y == 0:
            columns = Columns.of(self.scrollable_size.width)
            by = next((sort for low, high, sort in columns.spans() if low <= event.x < high), None)
            if by is Sort.TITLE and self.unseen:
                by = None
            # A second click takes the order back to the usual one.
            self.post_message(self.SortWanted(Sort.NEEDS if by is self.sort else by))
        elif 0 <= place < len(self._order):
            self.cursor = place
            if self.head_here is not None:
                self.action_fold()
            elif event.ctrl:
                self._last_mark = self._order[place]
                self._mark(self.marks ^ {self._order[place]})
            elif event.shift:
                self.action_mark_range()
            elif event.chain == 2:
                self.post_message(self.Opened())

    def on_resize(self) -> None:
        self._strips.clear()
        self._show_cursor()

    # Drawing

    def tick(self, *, young: bool = False) -> None:
        """Repaint the rows in sight whose age or time remaining reads differently by now.

        Args:
            young: only those that tell it in seconds.
        """
        now = self._clock()
        for y in range(1, self.size.height):
            place = y + self.scroll_offset.y - 1
            drawn = self._drawn.get(place)
            if drawn is None or place >= len(self._order):
                continue
            if young and not any(map(in_seconds, drawn)):
                continue
            task = self._row(place)
            if task is not None and self._times(task, now) != drawn:
                self.refresh_line(place + 1)

    def _times(self, task: Task, now: float) -> tuple[str, str, str]:
        return (
            render.stage(task, now, self._glyphs),
            render.left(task, now, step=_STEP),
            render.age(task, now, step=_STEP),
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
            marked = len(self.marks)
            return first_line(
                columns, width, self.sort, marked, self.unseen, self._glyphs, self._style
            )
        place = y + self.scroll_offset.y - 1
        return self.selectable(self._line(place, y, columns, width), place)

    def text_of(self, y: int) -> str:
        width = self.scrollable_size.width
        return self._line(y, y + 1, Columns.of(width), width).text

    def _line(self, place: int, y: int, columns: Columns, width: int) -> Strip:
        """Return the line of a place in the order, which is drawn in line `y` of the window."""
        blank = self._style()
        if place >= len(self._order):
            if not self._order and y == 2 and self.empty_words:
                words = render.fit("  " + self.empty_words, width, self._glyphs)
                return Strip([Segment(words, self._style("muted"))], width)
            return Strip.blank(width, blank)
        at_cursor = place == self.cursor
        if (head := self._head_at(place)) is not None:
            folded = head.name in self._folded
            return head_line(
                head, folded, at_cursor, self.has_focus, width, self._glyphs, self._style
            )
        task = self._row(place)
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
            task.n in self.marks,
            width,
            times,
        )
        if (strip := self._strips.get(key)) is None:
            if len(self._strips) > 2000:
                self._strips.clear()
            strip = self._strips[key] = row_line(
                task,
                columns,
                times,
                width,
                at_cursor=at_cursor,
                focused=self.has_focus,
                marked=task.n in self.marks,
                glyphs=self._glyphs,
                styles=self._style,
            )
        return strip
