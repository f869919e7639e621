"""Which task stands where in the table: the order, the pages of rows, and the cursor.

The order is a list of task numbers; rows are fetched by page when they come into sight. Changes are
merged in place and never move a row: the order changes only through `set_order`, and the cursor
stays on its task, on the same line of the screen where that can be.
"""

from array import array
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import partial

from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView

from taskhub_tui.domain import filtering
from taskhub_tui.domain.listing import Group, Head, Sort
from taskhub_tui.domain.model import Task
from taskhub_tui.tui import render
from taskhub_tui.tui.background import start
from taskhub_tui.tui.widgets.selecting import Selecting
from taskhub_tui.tui.widgets.standing import FOLDED, UNSEEN, Standing
from taskhub_tui.tui.widgets.task_rows import LIVE

PAGE = 100
PAGES = 40
"""Pages of rows that are kept."""
RANKS = 20_000
"""Tasks of which it is known what their place depends on."""


class TaskOrder(Selecting, ScrollView):
    """The table without its looks: the first line of the window is its head, rows come below."""

    cursor: reactive[int] = reactive(0, repaint=False)

    class Highlighted(Message):
        """The cursor stands on another task, or on this one for the first time."""

        def __init__(self, task: Task | None) -> None:
            super().__init__()
            self.task = task

    class Marked(Message):
        """Other tasks are marked than before."""

    def __init__(
        self,
        fetch: Callable[[Sequence[int]], Awaitable[Iterable[Task]]],
        *,
        id: str | None = None,
    ) -> None:
        """
        Args:
            fetch: reads the tasks with these numbers.
        """
        super().__init__(id=id)
        self._fetch = fetch
        self._order = array("q")
        self._standing = Standing()
        self._pages: OrderedDict[int, list[Task | None]] = OrderedDict()
        self._loading: set[int] = set()
        self._told: int | None = None
        self._numbers = array("q")
        self._heads: Sequence[Head] = ()
        self._folded: set[str] = set()
        self._unseen: set[int] = set()
        self._ranks: dict[int, int] = {}
        self.marks: set[int] = set()
        """Numbers of the tasks that are marked."""
        self.sort = Sort.NEEDS
        self.group = Group.NONE
        self.wanted: Callable[[Task], bool] = lambda task: True
        """Whether a task belongs to the list; asked about those that are not in it."""

    def forget_drawn(self) -> None:
        """Forget what was drawn: other tasks, or the same ones otherwise, stand there now."""

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

    def in_order(self, numbers: Iterable[int]) -> list[int]:
        """Return tasks in the order in which they stand here."""
        return sorted(numbers, key=self._standing.of)

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
        self.forget_drawn()
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
        self.set_reactive(TaskOrder.cursor, place)
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
