"""Going from one place of the app to another."""

from textual import on
from textual.app import App
from textual.command import CommandPalette
from textual.message import Message
from textual.screen import Screen

from taskhub_tui.hub import Hub
from taskhub_tui.tui.places import name_of, place
from taskhub_tui.tui.screens.main import MainScreen
from taskhub_tui.tui.theme import Glyphs


class GoingApp(App[None]):
    """The list lies under all other screens; of these one at most is open, and dialogs over it."""

    hub: Hub
    glyphs: Glyphs
    _main: MainScreen

    class HelpWanted(Message):
        """Goes the way that a key goes, from what has the focus outwards."""

    def action_go(self, name: str) -> None:
        """Go to one of the `places`, in the stead of the one that is open; not from a dialog."""
        if not self.can_go(name):
            return
        if len(self.screen_stack) > 1:
            self.screen.dismiss(None)
        self.push_screen(place(name, self.hub, self.glyphs), self._came_back)

    def can_go(self, name: str) -> bool:
        """Return whether one can go there from here; the palette is no place, and closes first."""
        stack = [one for one in self.screen_stack if not isinstance(one, CommandPalette)]
        here = name_of(stack[-1]) if stack else None
        return len(stack) == 1 or (len(stack) == 2 and here is not None and here != name)

    def action_pane(self, name: str) -> None:
        """Go to the list, the task, what waits, or the agents; not from a dialog."""
        main = self._main
        if name == "inbox" and self.screen is main and main.pane.display:
            main.pane.take_focus()
        elif name in ("inbox", "agents"):
            self.action_go(name)
        elif self.can_pane(name):
            if self.screen is not main:
                self.screen.dismiss(None)
            self.call_later(main.show_list if name == "list" else main.action_open)

    def can_pane(self, name: str) -> bool:
        if not self.screen_stack or (self.screen is not self._main and not name_of(self.screen)):
            return False
        match name:
            case "list":
                return True
            case "task":
                return self._main.task_here is not None
            case _:
                return self.can_go(name)

    def can_show(self, screen: Screen[object]) -> bool:
        """Return whether a task can be shown instead of what `screen` shows; not over a dialog."""
        return screen is self._main or name_of(screen) is not None

    def show_task(self, task_id: str) -> None:
        """Show a task, from the list or from the place that is open."""
        if name_of(self.screen) is not None:
            self.screen.dismiss(task_id)
        else:
            self._main.show_task(task_id)

    def _came_back(self, task_id: str | None) -> None:
        if task_id:
            self._main.show_task(task_id)

    def action_help(self) -> None:
        """Show every key, those of this screen first; again, and the help goes."""
        # In its turn: the key before it may be on its way to the screen still, and open another.
        (self.focused or self.screen).post_message(self.HelpWanted())

    @on(HelpWanted)
    def _help(self) -> None:
        from taskhub_tui.tui.screens import help as helping

        screen = self.screen
        if isinstance(screen, helping.HelpScreen):
            screen.dismiss(None)
            return
        here, legal = helping.places(screen), helping.legal(screen)
        self.push_screen(
            helping.HelpScreen(self.hub, self.glyphs, here=[*here, "app"], legal=legal)
        )
