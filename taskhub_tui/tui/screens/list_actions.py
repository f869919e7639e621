"""What the person does with the list as a whole: sort, group, save views, act on many tasks."""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.screen import Screen

from taskhub_tui.domain.batch import Deed, forecast
from taskhub_tui.domain.errors import ReadOnly, TaskHubError
from taskhub_tui.domain.listing import Group, SavedView, Sort
from taskhub_tui.domain.model import Action, Blocker, Decision, Priority, Status, Task
from taskhub_tui.hub import Hub
from taskhub_tui.text import clean, one_line
from taskhub_tui.tui.background import start
from taskhub_tui.tui.sending import Taken
from taskhub_tui.tui.theme import Glyphs
from taskhub_tui.tui.widgets.filter import FilterLine
from taskhub_tui.tui.widgets.task_table import TaskTable

if TYPE_CHECKING:
    from taskhub_tui.tui.app import TaskHubApp

DEEDS = {Action.CANCEL.value: Deed.CANCEL, Action.RETRY.value: Deed.RETRY}
DEEDS_AS = {deed: Action(name) for name, deed in DEEDS.items()}
_SORT_KEYS = {
    Sort.NEEDS: "n",
    Sort.AGE: "a",
    Sort.PROGRESS: "p",
    Sort.LEFT: "l",
    Sort.TITLE: "t",
    Sort.AGENT: "g",
    Sort.PRIORITY: "r",
}
_GROUP_KEYS = {Group.NONE: "n", Group.STATUS: "s", Group.AGENT: "a", Group.PLAYBOOK: "p"}


class ListActions(Screen[None]):
    """The half of the main screen that has no state but the list's own."""

    app: "TaskHubApp"
    table: TaskTable
    _hub: Hub
    _glyphs: Glyphs
    _filter: FilterLine
    views: Sequence[SavedView] = ()
    """Known since they were last looked at."""

    if TYPE_CHECKING:
        # Like what is named above, the other half has it.
        async def sort(self, *, top: bool = False) -> None: ...

    def _try(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do something with the hub; what it refuses is said in a toast."""

        async def run() -> None:
            try:
                await work()
            except TaskHubError as error:
                self.app.say(error)

        start(self, run)

    # Sort, group, views

    async def _choose(
        self, title: str, entries: Sequence[tuple[str, str, str, bool]], at: int
    ) -> tuple[int, bool] | None:
        from taskhub_tui.tui.screens.choose import ChooseScreen, Entry

        screen = ChooseScreen(title, [Entry(*one) for one in entries], self._glyphs, at=at)
        return cast("tuple[int, bool] | None", await self.app.push_screen_wait(screen))

    def action_sort_by(self) -> None:
        async def run() -> None:
            sorts = list(Sort)
            entries = [(_SORT_KEYS[one], one.value, "", False) for one in sorts]
            chosen = await self._choose("Sort by", entries, sorts.index(self.table.sort))
            if chosen is not None:
                self.table.sort = sorts[chosen[0]]
                await self.sort(top=True)

        self._try(run)

    def action_group_by(self) -> None:
        async def run() -> None:
            groups = list(Group)
            entries = [(_GROUP_KEYS[one], one.value, "", False) for one in groups]
            chosen = await self._choose("Group by", entries, groups.index(self.table.group))
            if chosen is not None:
                self.table.group = groups[chosen[0]]
                await self.sort(top=True)

        self._try(run)

    def use_view(self, view: SavedView) -> None:
        """Show a saved view."""
        self._filter.value = view.filter
        self._filter.read()
        self.table.sort, self.table.group = view.sort, view.group
        self._try(partial(self.sort, top=True))

    def _now_shown(self) -> SavedView:
        return SavedView(
            "", " ".join(self._filter.value.split()), self.table.sort, self.table.group
        )

    def action_views(self) -> None:
        self._try(self._views)

    async def _views(self) -> None:
        now = self._now_shown()
        self.views = await self._hub.views()
        shown = [(view.filter, view.sort, view.group) for view in self.views]
        here = (now.filter, now.sort, now.group)
        entries = [
            (
                str(place + 1) if place < 9 else "",
                one_line(view.name, 40),
                about(view),
                not view.built_in,
            )
            for place, view in enumerate(self.views)
        ]
        at = shown.index(here) if here in shown else -1
        chosen = await self._choose("Views", entries, at)
        if chosen is None:
            return
        view = self.views[chosen[0]]
        if not chosen[1]:
            self.use_view(view)
            return
        await self._hub.delete_view(view.name)
        self.views = await self._hub.views()
        self.app.notify(f"Deleted the view {view.name}", timeout=3, markup=False)

    def action_save_view(self) -> None:
        self._try(self._save_view)

    async def _save_view(self) -> None:
        from dataclasses import replace

        from taskhub_tui.tui.screens.choose import NameScreen

        view = self._now_shown()
        screen = NameScreen("Save this view", about(view) or "all tasks, needs you first")
        name = await self.app.push_screen_wait(screen)
        if name is not None:
            kept = await self._hub.save_view(replace(view, name=name))
            self.views = await self._hub.views()
            said = f"Saved as {kept.name}"
            if key := self.app.own_keys.short("list.views"):
                said += f"; {key} brings it back"
            self.app.notify(said, timeout=3, markup=False)

    # One wish for many

    def begin(self, deed: Deed) -> None:
        """Do something to all marked tasks, after the person has seen what it would do."""
        if self._hub.read_only:
            self.app.say(ReadOnly())
        else:
            self._try(partial(self._begin, deed))

    async def _begin(self, deed: Deed) -> None:
        priority = None
        if deed is Deed.PRIORITY:
            here = self.table.here
            ranks = list(reversed(Priority))
            entries = [(one.name[0].lower(), one.name.lower(), "", False) for one in ranks]
            at = ranks.index(here.priority) if here is not None and not self.table.marks else -1
            chosen = await self._choose("Priority", entries, at)
            if chosen is None:
                return
            priority = ranks[chosen[0]]
        marks = self.table.in_order(self.table.marks)
        if not marks:
            if self.table.here is not None:
                part = _taken(self.table.here, None, deed, priority)
                await self.app.asker.sender.turn(part)
            return
        place = {n: at for at, n in enumerate(marks)}
        pairs = sorted(
            await self._hub.with_questions(marks), key=lambda pair: place.get(pair[0].n, -1)
        )
        if deed is Deed.PAUSE and not any(forecast(*pair, deed).possible for pair in pairs):
            deed = Deed.RESUME
        await self._ask(deed, pairs, priority)

    async def _ask(
        self, deed: Deed, pairs: Sequence[tuple[Task, Blocker | None]], priority: Priority | None
    ) -> None:
        """Show what it would do to each; then it can be taken back for a moment."""
        from taskhub_tui.tui.screens.preflight import PreflightScreen, Row

        found = [forecast(*pair, deed, priority) for pair in pairs]
        able = sum(row.possible for row in found)
        verb = f"set to {priority.name.lower()}" if priority is not None else deed.value
        tasks = "1 task" if able == 1 else f"{able:,} tasks"
        said = await self.app.push_screen_wait(
            PreflightScreen(
                f"{verb[0].upper()}{verb[1:]}",
                [
                    Row(row.task_id, row.title, row.words, row.possible, _full(task, blocker, deed))
                    for (task, blocker), row in zip(pairs, found, strict=True)
                ],
                yes=f"{verb} {tasks}",
                glyphs=self._glyphs,
            )
        )
        if said is not None:
            parts = [
                _taken(*pair, deed, priority)
                for pair, row in zip(pairs, found, strict=True)
                if row.possible
            ]
            self.table.action_unmark()
            await self.app.asker.sender.take(parts)

    def hold(self, task: Task) -> None:
        """Pause a task, or let it go on; it can be taken back for a moment."""
        if self._hub.read_only:
            self.app.say(ReadOnly())
            return
        held = task.status is Status.PAUSED or task.pausing
        deed = Deed.RESUME if held else Deed.PAUSE
        self._try(partial(self.app.asker.sender.turn, _taken(task, None, deed, None)))

    def action_priority(self) -> None:
        self.begin(Deed.PRIORITY)

    def can_priority(self, task: Task | None) -> bool:
        return bool(self.table.marks) or (task is not None and not task.status.over)


def _full(task: Task, blocker: Blocker | None, deed: Deed) -> list[tuple[str, str]]:
    """Return what is lost or begun: the stage that it stands at, and what it asks."""
    if deed not in (Deed.CANCEL, Deed.RETRY):
        return []
    stage = f"stage {min(task.stage + 1, task.stages)}/{task.stages} {one_line(task.stage_name)}"
    asks = [("Asks", clean(blocker.question).strip())] if blocker is not None else []
    error = [("Failed", clean(task.error).strip())] if task.error else []
    return [("", stage), *asks, *error]


def _taken(task: Task, blocker: Blocker | None, deed: Deed, priority: Priority | None) -> Taken:
    """Return a deed as what is sent later, bound to the question that was shown."""
    match deed:
        case Deed.PAUSE | Deed.RESUME:
            return Taken(task, None, None, pause=deed is Deed.PAUSE, aside=True)
        case Deed.PRIORITY if priority is not None:
            # It answers nothing: a question stays open, and another one does not hinder it.
            changed = {"priority": priority.name.lower()}
            wanted = Decision(Action.MODIFY, by="", channel="app", data=changed)
            return Taken(task, None, wanted, aside=True)
        case _:
            return Taken(task, blocker, Decision(DEEDS_AS[deed], by="", channel="app"))


def about(view: SavedView) -> str:
    """Return what a view shows, in what order, under what heads."""
    parts = [view.filter]
    if view.sort is not Sort.NEEDS:
        parts.append(f"by {view.sort.value}")
    if view.group is not Group.NONE:
        parts.append(f"grouped by {view.group.value}")
    return "  ".join(part for part in parts if part)
