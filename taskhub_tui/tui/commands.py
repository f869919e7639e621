"""The command palette: what can be done now, with its keys, and the saved views."""

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import Screen

from taskhub_tui.domain.listing import SavedView
from taskhub_tui.records import dataclass
from taskhub_tui.text import one_line
from taskhub_tui.tui import keymap
from taskhub_tui.tui.actions import ACTIONS, BY_ID, Act
from taskhub_tui.tui.screens.list_actions import ListActions, about

if TYPE_CHECKING:
    from textual.app import App


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
    """Finds actions by any words of their name and their meaning."""

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
                yield Hit(score, self._line(command), command.run, text=act.label)
        for view, show in views(self.screen):
            words = f"View {view.name}"
            if (score := matcher.match(words)) > 0:
                yield Hit(score, self._view(view), show, text=words)

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
