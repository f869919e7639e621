"""The line that counts down to a decision, and takes it back when it is clicked."""

from collections.abc import Callable, Sequence
from typing import Any

from textual import events
from textual.app import App
from textual.content import Content
from textual.style import Style

from taskhub_tui.tui import keymap
from taskhub_tui.tui.theme import UNICODE, Glyphs
from taskhub_tui.tui.widgets.footer import KeyLine
from taskhub_tui.tui.widgets.plain import Plain

Line = tuple[Any, str, int]
"""What is held, what is being done, and the seconds that are left."""
_MOST = 3


class UndoLine(Plain):
    """Stands above the line of keys, or at the bottom of a dialog."""

    DEFAULT_CSS = """
    UndoLine {
        dock: bottom; height: auto; width: 1fr; background: $panel; color: $foreground;
        padding: 0 2;
    }
    UndoLine.-inline { dock: initial; }
    """

    def __init__(self, undo: Callable[[Any], None], glyphs: Glyphs = UNICODE) -> None:
        super().__init__(classes="undo")
        self._undo = undo
        self._glyphs = glyphs
        self._held: list[Any] = []

    @classmethod
    def show_on(
        cls,
        app: App[Any],
        lines: Sequence[Line],
        undo: Callable[[Any], None],
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """Show `lines` on the screen in front, and on no other; nothing where there are none."""
        if not app.screen_stack:
            return
        here = app.screen
        for screen in app.screen_stack:
            if screen is not here or not lines:
                screen.query(cls).remove()
        if not lines:
            return
        there = [*here.query(cls)]
        if there:
            there[-1].show_lines(lines)
            return
        made = cls(undo, glyphs)
        made.show_lines(lines)
        if keys := [*here.query(KeyLine)]:
            made.add_class("-inline")
            here.mount(made, before=keys[-1])
        else:
            here.mount(made)

    def show_lines(self, lines: Sequence[Line]) -> None:
        """Show these; the last one is what the key takes back."""
        shown = lines[-_MOST:]
        self._held = [held for held, _, _ in shown]
        said = []
        for place, (_, doing, left) in enumerate(shown):
            last = place == len(shown) - 1
            key = keymap.of(self.app).short("undo.undo") if last else ""
            how = Content.styled("click undoes", "$muted")
            if key:
                how = Content.assemble((key, "bold $needs"), (" undoes", "$foreground"))
            dot = Content.styled(f" {self._glyphs.dot} ", "$muted")
            words = Content.assemble((doing, "bold"), dot, how, dot, (f"{left}s", "$muted"))
            said.append(words.stylize(Style.from_meta({"held": place})))
        self.update(Content("\n").join(said))

    def on_click(self, event: events.Click) -> None:
        place = event.style.meta.get("held")
        event.stop()
        if isinstance(place, int) and place < len(self._held):
            self._undo(self._held[place])
