"""The list of tasks and the task under the cursor. Shows state, and sends what the user wants."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.timer import Timer
from textual.widgets import Input

from taskhub_tui.domain import filtering
from taskhub_tui.domain.batch import Deed
from taskhub_tui.domain.errors import ReadOnly, TaskHubError
from taskhub_tui.domain.listing import Listing
from taskhub_tui.domain.model import Action, NewTask, Status, Task
from taskhub_tui.domain.views import Changes, Counts
from taskhub_tui.hub import Hub
from taskhub_tui.tui import opening, render
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.background import start
from taskhub_tui.tui.handing import Draft, hand_over, same_again
from taskhub_tui.tui.screens.list_actions import DEEDS, ListActions
from taskhub_tui.tui.sizes import take_size
from taskhub_tui.tui.theme import Glyphs
from taskhub_tui.tui.widgets.detail import Detail
from taskhub_tui.tui.widgets.filter import FilterHint, FilterLine
from taskhub_tui.tui.widgets.footer import KeyLine
from taskhub_tui.tui.widgets.header import HubHeader
from taskhub_tui.tui.widgets.inbox_pane import InboxPane
from taskhub_tui.tui.widgets.lines import LinesView
from taskhub_tui.tui.widgets.task_order import PAGE
from taskhub_tui.tui.widgets.task_table import TaskTable
from taskhub_tui.tui.widgets.welcome import Welcome

if TYPE_CHECKING:
    from taskhub_tui.tui.app import TaskHubApp

IDLE, AWAY = 60.0, 10.0
"""Seconds without a key after which the list is sorted anew by itself: in front, and behind."""
_SORT_EVERY = 3.0
_STEP = 5
"""Seconds between two looks at all times; in between, and in front, those under a minute go on."""
_SETTLE = 0.06
"""Seconds the cursor rests on a task before it is read in full."""
_TYPING = 0.06
"""Seconds without a letter before a filter is asked of the database."""
_PANE_EVERY = 1.0
"""Seconds between two readings of what waits."""
_HELD = (Status.PENDING, Status.IN_PROGRESS, Status.PAUSED)


class MainScreen(ListActions):
    """At 110 columns and more the task stands beside the list; below, it takes its place."""

    BINDINGS = [*bindings("task", "view", "hub", "place", "panes")]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide"), (180, "-huge")]
    AUTO_FOCUS = "TaskTable"
    app: "TaskHubApp"

    def __init__(self, hub: Hub, glyphs: Glyphs) -> None:
        super().__init__()
        self._hub = hub
        self._glyphs = glyphs
        self._stale = False
        self._sorted_at = 0.0
        self._ticks = 0
        self._settling: Timer | None = None
        self._newest = 0
        self._waits: tuple[int, int] | None = None
        self._pane_stale = True
        self._pane_at = 0.0
        self._header = HubHeader(glyphs=glyphs)
        self._filter = FilterLine()
        self._hint = FilterHint(glyphs=glyphs)
        self.pane = InboxPane(glyphs=glyphs, clock=hub.clock)
        self.table = TaskTable(hub.rows, glyphs=glyphs, clock=hub.clock)
        self.table.wanted = self._belongs
        self.table.finder = self.action_filter
        self.detail = Detail(hub, glyphs=glyphs, clock=hub.clock)

    def compose(self) -> ComposeResult:
        take_size(self)
        yield self._header
        yield Welcome(self._hub)
        with Horizontal(id="body"):
            yield self.table
            yield self.detail
            yield self.pane
        yield self._filter
        yield self._hint
        yield KeyLine(glyphs=self._glyphs)

    async def on_mount(self) -> None:
        self.set_interval(1.0, self._tick)
        self.set_interval(0.5, self._poll_log)
        self.app.asker.news.subscribe(self, lambda _: self.waits_changed())
        await self.app.begin()

    @property
    def task_here(self) -> Task | None:
        """The task under the cursor, in its latest known state."""
        return self.table.here

    # What the hub says

    async def apply(
        self, changes: Changes, counts: Counts, *, beginning: Sequence[Task] | None = None
    ) -> None:
        """Show what changed; at first, the beginning of the list."""
        first = beginning is not None
        new = [task.n for task in changes.tasks if task.n > self._newest]
        deleted = not first and counts.total < self._header.counts.total + len(new)
        self._newest = max(new, default=self._newest)
        self._header.counts = counts
        if self.has_class("-empty") != (counts.total == 0):
            self.set_class(counts.total == 0, "-empty")
            self.call_after_refresh(self._focus_something)
        self._stale = self.table.apply(changes.tasks) or self._stale
        if beginning is not None:
            # The beginning of the list can be shown before the order of all is known.
            self.table.set_order([task.n for task in beginning], beginning)
            self._newest = max(self._newest, self.table.newest)
        elif self._stale and not len(self.table):
            await self.sort()
        elif deleted:
            # They leave their places; whatever is left stays in its order.
            self.table.drop(await self._hub.existing())
        waits = (counts.needs_you, counts.failed)
        if waits != self._waits or any(render.calls(task) for task in changes.tasks):
            self._waits, self._pane_stale = waits, True
        self._fill_pane()
        view = self.detail.view
        if view is not None and any(task.id == view.task.id for task in changes.tasks):
            self._read(view.task.id)
            self.refresh_bindings()

    def warn(self, sentence: str) -> None:
        """Say in the header what is wrong; "" takes it away."""
        self._header.warning = sentence

    def remind(self, sentence: str) -> None:
        """Say in the header what should be mended some time; "" takes it away."""
        self._header.reminder = sentence

    def _belongs(self, task: Task) -> bool:
        """Return whether a task that is not in the list would be, were it read anew."""
        wanted = self._filter.filter
        return not wanted or filtering.matches(wanted, task, self._hub.clock())

    async def sort(self, *, top: bool = False) -> None:
        """Read the order anew; the cursor stays on its task unless `top`.

        Keys that are pressed meanwhile count: a cursor that has moved stays with its task too.
        """
        before = self.table.cursor
        self._stale = False
        self._sorted_at = time.monotonic()
        wanted = Listing(self._filter.filter, self.table.sort, self.table.group)
        found = await self._hub.arranged(wanted)
        rows = await self._hub.rows(found.numbers[:PAGE])
        if wanted != Listing(self._filter.filter, self.table.sort, self.table.group):
            return  # Another one was asked for meanwhile, and comes.
        self.table.empty_words = self._nothing() if wanted.filter else ""
        self.table.set_order(
            found.numbers, rows, heads=found.heads, top=top and self.table.cursor == before
        )
        self._say_filter()

    def _nothing(self) -> str:
        """Say that no task fits the filter, and how to be rid of it."""
        key = self.app.own_keys.short("hub.back")
        return f"Nothing matches. {key} clears the filter" if key else "Nothing matches"

    def _say_filter(self) -> None:
        self._hint.say(self._filter, len(self.table), self._header.counts.total)

    # What waits, at the right

    def _fill_pane(self) -> None:
        now = time.monotonic()
        if self.pane.display and self._pane_stale and now - self._pane_at >= _PANE_EVERY:
            self._pane_stale, self._pane_at = False, now
            start(self, self._read_pane, group="pane", exclusive=True)

    async def _read_pane(self) -> None:
        try:
            waiting = await self.app.asker.waiting()
        except TaskHubError as error:
            self.app.say(error)
            return
        self.pane.show(waiting)

    def waits_changed(self) -> None:
        """Read anew what waits: something was decided, or taken back."""
        self._pane_stale = True
        self._fill_pane()

    @on(InboxPane.Chosen)
    def _waiting_chosen(self, event: InboxPane.Chosen) -> None:
        self.show_task(event.task_id)

    def action_inbox_pane(self) -> None:
        self.pane.take_focus()

    @on(HubHeader.Chosen)
    def _count_chosen(self, event: HubHeader.Chosen) -> None:
        same = self._filter.value == event.filter
        self._filter.value = "" if same else event.filter
        self.table.focus()

    # Time

    def _tick(self) -> None:
        self._ticks += 1
        young = self._ticks % _STEP != 0
        if not self.is_current or (young and not self.app.app_focus):
            return
        self.table.tick(young=young)
        if self.detail.display:
            self.detail.tick(young=young)
        if self.pane.display:
            self.pane.draw()
            self._fill_pane()
        now = time.monotonic()
        idle = IDLE if self.app.app_focus else AWAY
        if self._stale and now - self.app.typed >= idle and now - self._sorted_at >= _SORT_EVERY:
            self._try(self.sort)

    async def _poll_log(self) -> None:
        view = self.detail.view
        if view is None or not self.detail.display or self.detail.tab != "log":
            return
        if view.task.status is Status.IN_PROGRESS or view.task.stopping:
            await self.detail.fill()

    # The cursor and the task beside it

    @on(TaskTable.Highlighted)
    def _highlighted(self, event: TaskTable.Highlighted) -> None:
        self.refresh_bindings()
        if self._settling is not None:
            self._settling.stop()
        task = event.task
        if task is None:
            start(self, partial(self.detail.show, None), group="detail", exclusive=True)
        else:
            self._settling = self.set_timer(_SETTLE, partial(self._read, task.id))

    def _read(self, task_id: str) -> None:
        start(self, partial(self._read_task, task_id), group="detail", exclusive=True)

    async def _read_task(self, task_id: str) -> None:
        here = self.task_here
        if here is not None and here.id == task_id:
            try:
                view = await self._hub.status(task_id)
            except TaskHubError as error:
                self.app.say(error)
                return
            await self.detail.show(view)
            self.refresh_bindings()

    @on(TaskTable.SortWanted)
    def _sort_wanted(self, event: TaskTable.SortWanted) -> None:
        if event.sort is not None:
            self.table.sort = event.sort
        self._try(partial(self.sort, top=True))

    @on(TaskTable.Opened)
    def action_open(self) -> None:
        if self.task_here is not None:
            if self.has_class("-narrow"):
                self.add_class("-open")
            self.detail.content.focus()

    def action_zoom(self) -> None:
        self.toggle_class("-open")
        (self.detail.content if self.has_class("-open") else self.table).focus()

    def action_back(self) -> None:
        if self.pane.has_keys:
            self.table.focus()
        elif self.has_class("-open") or isinstance(self.focused, LinesView):
            self.show_list()
        elif self._filter.value:
            self._filter.value = ""

    def on_resize(self) -> None:
        self.call_after_refresh(self._focus_something)

    def _focus_something(self) -> None:
        """Give the keys to what is in sight, after what had them has gone."""
        if self.app.app_focus and (self.focused is None or not self.focused.is_on_screen):
            (self.detail.content if self.has_class("-open") else self.table).focus()

    def show_list(self) -> None:
        """Give the list the keys, and the room that it needs."""
        self.remove_class("-open")
        self.table.focus()

    async def open_task(self, task_id: str) -> None:
        """Put the cursor on a task and open it."""
        view = await self._hub.status(task_id)
        if not self.table.go_to(view.task.n):
            self._clear_filter()
            await self.sort()
            self.table.go_to(view.task.n)
        await self.detail.show(view)
        self.action_open()

    def show_task(self, task_id: str) -> None:
        """Open a task that was chosen elsewhere."""
        self._try(partial(self.open_task, task_id))

    # Tabs

    def action_tab(self, by: int) -> None:
        self.detail.action_tab(by)

    def action_follow(self) -> None:
        self.detail.action_follow()

    # The filter

    def action_filter(self) -> None:
        line = self._filter
        self.remove_class("-open")
        line.add_class("-shown")
        # At once, not in its turn: see `App.on_event`.
        self.app.stylesheet.update(line)
        self.set_focus(line)

        start(self, self._learn_values, group="values", exclusive=True)
        self._say_filter()

    async def _learn_values(self) -> None:
        try:
            self._filter.knows(await self._hub.known_values())
        except TaskHubError:
            return  # They only help; what is wrong with the store is said by the watcher.
        self._say_filter()

    def action_filter_again(self) -> None:
        """Take the filter away, or show by the last one again."""
        self._filter.value = "" if self._filter.value else self._filter.last
        self.table.focus()

    def _clear_filter(self) -> None:
        self._filter.value = ""
        self._filter.read()

    @on(Input.Changed)
    def _filter_changed(self, event: Input.Changed) -> None:
        self._filter.set_class(bool(event.value) or event.input.has_focus, "-shown")
        if self._filter.read():
            if not event.input.has_focus:
                self._filter.remember()
            start(self, self._sort_soon, group="typing", exclusive=True)
        self._say_filter()
        self.refresh_bindings()

    async def _sort_soon(self) -> None:
        await asyncio.sleep(_TYPING)
        try:
            await self.sort(top=True)
        except TaskHubError as error:
            self.app.say(error)

    @on(FilterLine.Closed)
    def _filter_closed(self, event: FilterLine.Closed) -> None:
        line = self._filter
        line.remember()
        if not event.keep:
            line.value = ""
        line.set_class(bool(line.value), "-shown")
        self.table.focus()
        self.call_after_refresh(self._say_filter)

    @on(TaskTable.Marked)
    def _marked(self) -> None:
        self.refresh_bindings()

    # What the user wants

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if not self.is_mounted:
            return True
        task, view = self.task_here, self.detail.view
        beside = self.detail.display
        match action:
            case "open":
                there = isinstance(self.focused, LinesView)
                return task is not None and not self.has_class("-open") and not there
            case "copy_id" | "zoom" | "again":
                return task is not None
            case "decide":
                return task is not None and (task.status is Status.FAILED or render.calls(task))
            case "act" if self.table.marks and str(parameters[0]) in DEEDS:
                return True
            case "act":
                fits = view is not None and task is not None and view.task.id == task.id
                return fits and view is not None and str(parameters[0]) in view.legal
            case "pause" if self.table.marks:
                return True
            case "priority":
                return self.can_priority(task)
            case "inbox_pane":
                return self.pane.display
            case "pause":
                return task is not None and task.status in _HELD and not task.stopping
            case "open_result":
                return task is not None and task.result is not None
            case "tab":
                return task is not None and beside
            case "follow":
                return task is not None and beside and self.detail.tab == "log"
            case "back":
                return bool(
                    self.has_class("-open")
                    or isinstance(self.focused, LinesView)
                    or self.pane.has_keys
                    or self._filter.value
                )
            case "sample":
                return self.has_class("-empty")
            case "filter_again":
                return bool(self._filter.value or self._filter.last)
            case "filter" | "sort_by" | "group_by" | "views" | "save_view":
                return not self.has_class("-empty")
        return True

    def action_decide(self) -> None:
        if self.task_here is not None:
            self.app.asker.ask(self.task_here.id)

    def action_act(self, name: str) -> None:
        if self.table.marks and name in DEEDS:
            self.begin(DEEDS[name])
        elif self.task_here is not None:
            self.app.asker.ask(self.task_here.id, action=Action(name))

    def action_pause(self) -> None:
        if self.table.marks:
            self.begin(Deed.PAUSE)
        elif (task := self.task_here) is not None:
            self.hold(task)

    def action_copy_id(self) -> None:
        if selected := self.get_selected_text():
            self.app.copy_to_clipboard(selected)
            self.clear_selection()
            self.app.notify("Copied what was selected", timeout=2, markup=False)
        elif (task := self.task_here) is not None:
            self.app.copy_to_clipboard(task.id)
            self.app.notify(f"Copied {task.id}", timeout=2, markup=False)

    def action_open_result(self) -> None:
        if (task := self.task_here) is not None and task.result is not None:
            start(self, partial(self._open_result, Path(task.result)))

    async def _open_result(self, path: Path) -> None:
        said = await opening.open_result(self.app, path)
        self.app.notify(said, timeout=4, markup=False)

    def action_new(self) -> None:
        self.hand_over()

    def hand_over(self, initial: NewTask | None = None) -> None:
        """Show the form for a new task; `initial` fills it."""
        if self._hub.read_only:
            self.app.say(ReadOnly())
            return
        start(self, partial(hand_over, self, self._hub, self.app.drafts, initial))

    def action_again(self) -> None:
        if (task := self.task_here) is not None:
            start(self, partial(self._again, task.id))

    async def _again(self, task_id: str) -> None:
        try:
            self.hand_over(await same_again(self._hub, task_id))
        except TaskHubError as error:
            self.app.say(error)

    def show_filter(self, text: str) -> None:
        """Show only the tasks that a filter finds."""
        self._filter.value = text
        self.table.focus()

    @on(Detail.FollowUp)
    def _follow_up(self, event: Detail.FollowUp) -> None:
        self.hand_over(event.new)

    async def submit(self, new: NewTask, draft: Draft | None = None) -> None:
        """Hand over a task, and put the cursor on it; `draft` is what it was typed in."""
        task = await self._hub.submit(new)
        if draft is not None:
            draft.clear()  # It is handed over, whatever follows.
        await self.app.look()
        self._clear_filter()
        await self.sort()
        self.table.go_to(task.n)
        self.app.notify(f"Handed over as {task.id}", timeout=3, markup=False)

    def action_sample(self) -> None:
        from taskhub_tui.samples import SAMPLE_REQUEST, sample_path

        options = {"file": str(sample_path())}
        sample = NewTask(SAMPLE_REQUEST, agent="analyst", options=options)
        self._try(partial(self.submit, sample))

    def action_quit_app(self) -> None:
        self.app.leave()
