"""The live table of tasks: its keys, its marks, and how it is drawn.

Its cost is bounded by the lines on screen, not by the number of tasks; see `task_order`.
"""

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip

from taskhub_tui.domain.durations import in_seconds
from taskhub_tui.domain.listing import Sort
from taskhub_tui.domain.model import Task
from taskhub_tui.tui import keymap, render
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.theme import UNICODE, Glyphs
from taskhub_tui.tui.widgets.task_order import TaskOrder
from taskhub_tui.tui.widgets.task_rows import Columns, first_line, head_line, row_line

_STEP = 10.0
"""Seconds by which ages go in the last minute: a table that ticks everywhere is never calm."""


class TaskTable(TaskOrder, can_focus=True):
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

    class Opened(Message):
        """A task was chosen with the mouse."""

    class SortWanted(Message):
        """The user asked for a fresh order, or one by something else."""

        def __init__(self, sort: Sort | None = None) -> None:
            super().__init__()
            self.sort = sort

    def __init__(
        self,
        fetch: Callable[[Sequence[int]], Awaitable[Iterable[Task]]],
        *,
        glyphs: Glyphs = UNICODE,
        clock: Callable[[], float] = time.time,
        id: str | None = None,
    ) -> None:
        super().__init__(fetch, id=id)
        self._glyphs = glyphs
        self._clock = clock
        self._strips: dict[tuple[object, ...], Strip] = {}
        self._drawn: dict[int, tuple[str, str, str]] = {}
        self._styles: dict[str, Style] = {}
        self._last_mark: int | None = None
        self.empty_words = ""
        self.finder: Callable[[], None] | None = None
        """Opens the line in which a filter is typed, at once."""

    # The cursor

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
        if action == "fold_all":
            return bool(self._heads)
        if action in ("mark", "mark_range", "mark_all"):
            return bool(self._order)
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
        self.forget_drawn()
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
        self.forget_drawn()
        self._show_cursor()

    # Drawing

    def forget_drawn(self) -> None:
        self._strips.clear()

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
