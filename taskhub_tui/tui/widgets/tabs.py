"""The names of a task's tabs on a thin line."""

from typing import Literal

from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from taskhub_tui.tui.theme import Glyphs

Tab = Literal["log", "result", "files", "events", "about"]
TABS: tuple[Tab, ...] = ("log", "result", "files", "events", "about")


class TabLine(Widget):
    """Each name can be clicked."""

    DEFAULT_CSS = "TabLine { height: 1; padding: 0 1 0 0; }"
    tab: reactive[Tab] = reactive("log")
    files: reactive[int] = reactive(0)
    """How many files there are, said beside the name."""

    class Chosen(Message):
        """Somebody clicked a name."""

        def __init__(self, tab: Tab) -> None:
            super().__init__()
            self.tab = tab

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._spots: list[tuple[int, int, Tab]] = []

    def render(self) -> Content:
        line = Content.styled(self._glyphs.rest * 2, "$faint")
        self._spots = []
        for tab in TABS:
            start = line.cell_length
            name = tab.capitalize()
            if tab == "files" and self.files:
                name += f" {self.files}"
            # The open one is told by its brackets, so that it is without colours, and in words.
            open_ = tab == self.tab
            named = f"[{name}]" if open_ else f" {name} "
            line = line + Content.styled(named, "bold $foreground" if open_ else "$muted")
            self._spots.append((start, line.cell_length, tab))
        rest = max(0, self.content_size.width - line.cell_length)
        return line + Content.styled(self._glyphs.rest * rest, "$faint")

    def on_click(self, event: events.Click) -> None:
        for start, end, tab in self._spots:
            if start <= event.x < end:
                self.post_message(self.Chosen(tab))
