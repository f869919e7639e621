"""The command palette: what can be done now, with its keys, the saved views, and tasks."""

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from textual import on
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widgets import Input
from textual.worker import Worker, WorkerState

from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.domain.listing import SavedView
from taskhub_tui.domain.model import Task
from taskhub_tui.records import dataclass
from taskhub_tui.text import one_line
from taskhub_tui.tui import keymap
from taskhub_tui.tui.actions import ACTIONS, BY_ID, Act
from taskhub_tui.tui.screens.list_actions import ListActions, about
from taskhub_tui.tui.theme import task_look

if TYPE_CHECKING:
    from textual.app import App

    from taskhub_tui.tui.app import TaskHubApp

PLACEHOLDER = "a command, or a part of a task's title or ID"
TASKS = 8
"""Tasks that are shown; more letters, or a filter of the list, find the others."""
_AMONG = 100
"""Tasks of which these are chosen: those whose title or ID has the words go first."""
_LETTERS = 2
"""Letters from which tasks are looked for: one is in nearly all of them."""
_NAMED, _TASK = 2000.0, 1000.0
"""What is added to the score of a command whose name has what was typed, and of a task: a task
stands below the commands of that name, and above those that only sound like it."""


class Palette(CommandPalette):
    """Enter means what was typed, also when it comes before that has been looked up.

    Textual would take what stands on top still: the best for the letters before.
    """

    _early = False
    """True when Enter waits for what is being looked up."""

    def __init__(self) -> None:
        super().__init__(placeholder=PLACEHOLDER, id="--command-palette")

    @on(Input.Submitted)
    def _wait(self, event: Input.Submitted) -> None:
        if any(self._looks(worker) and not worker.is_finished for worker in self.workers):
            event.stop()
            event.prevent_default()
            self._early = True

    @on(Worker.StateChanged)
    def _looked(self, event: Worker.StateChanged) -> None:
        if self._early and self._looks(event.worker) and event.state is WorkerState.SUCCESS:
            self._early = False
            self._select_or_command()

    def _looks(self, worker: "Worker[Any]") -> bool:
        return worker.node is self and worker.group == self._GATHER_COMMANDS_GROUP


@dataclass(frozen=True, slots=True)
class Command:
    """An action that is legal now."""

    act: Act
    keys: str
    run: Callable[[], Awaitable[object]]


def legal(app: "App[Any]", screen: Screen[Any]) -> Iterator[Command]:
    """Yield what can be done on `screen` now, in the order of the list of actions."""
    here: dict[str, DOMNode] = {}
    for active in screen.active_bindings.values():
        if active.enabled and active.binding.id:
            here.setdefault(active.binding.id, active.node)
    for act in ACTIONS:
        # A dialog hides the bindings of the app from Textual's list.
        node = here.get(act.id, app if act.where == "app" else None)
        if act.named and node is not None:
            yield Command(
                act,
                keymap.of(app).shown(act.id),
                partial(app.run_action, act.action, node),
            )


def views(screen: Screen[Any]) -> Iterator[tuple[SavedView, Callable[[], None]]]:
    """Yield the saved views that `screen` can show, and what shows each."""
    if isinstance(screen, ListActions):
        for view in screen.views:
            yield view, partial(screen.use_view, view)


class Commands(Provider):
    """Finds actions by any words of their name and their meaning, and tasks by title or ID."""

    async def discover(self) -> Hits:
        for command in legal(self.app, self.screen):
            yield DiscoveryHit(self._line(command), command.run, text=command.act.label)
        for view, show in views(self.screen):
            yield DiscoveryHit(self._view(view), show, text=f"View {view.name}")

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for command in legal(self.app, self.screen):
            act = command.act
            # A name counts for more than a word of the meaning.
            score = max(
                matcher.match(act.label), 0.9 * matcher.match(f"{act.label} {act.meaning} {act.id}")
            )
            if score > 0:
                score += self._named(query, act.label)
                yield Hit(score, self._line(command), command.run, text=act.label)
        for view, show in views(self.screen):
            words = f"View {view.name}"
            if (score := matcher.match(words)) > 0:
                score += self._named(query, words)
                yield Hit(score, self._view(view), show, text=words)
        for place, task in enumerate(await self._tasks(query)):
            run = partial(cast("TaskHubApp", self.app).show_task, task.id)
            yield Hit(_TASK - place, self._task(task), run, text=one_line(task.title, 200))

    @staticmethod
    def _named(query: str, name: str) -> float:
        return _NAMED if query.casefold() in name.casefold() else 0.0

    async def _tasks(self, query: str) -> list[Task]:
        """Return a few tasks with these words, in the order of the list; none over a dialog."""
        app = cast("TaskHubApp", self.app)
        if len(query) < _LETTERS or not app.can_show(self.screen):
            return []
        try:
            found = await app.hub.tasks(text=query, limit=_AMONG)
        except TaskHubError:
            return []  # The watcher says what is wrong with the store.
        words = query.casefold().split()

        def named(task: Task) -> bool:
            shown = f"{task.title} {task.id}".casefold()
            return all(word in shown for word in words)

        return sorted(found, key=named, reverse=True)[:TASKS]

    def _task(self, task: Task) -> Content:
        glyph, colour = task_look(task, cast("TaskHubApp", self.app).glyphs)
        return Content.assemble(
            (f"{task.id:<8} ", "not bold $muted"),
            (f"{glyph} ", f"bold ${colour}"),
            (one_line(task.title, 200), "not bold $foreground"),
        )

    @staticmethod
    def _line(command: Command) -> Content:
        act = BY_ID[command.act.id]
        return Content.assemble(
            (f"{command.keys:<8} ", "bold $needs"),
            (f"{act.label:<13}", "bold $foreground"),
            (act.meaning, "not bold $muted"),
        )

    @staticmethod
    def _view(view: SavedView) -> Content:
        words = f"{one_line(view.name, 40)}   {one_line(about(view))}".rstrip()
        return Content.assemble(
            (f"{'':<8} ", ""), (f"{'View':<13}", "bold $foreground"), (words, "not bold $muted")
        )
