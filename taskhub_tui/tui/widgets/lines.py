"""A view of many lines, drawn line by line, that scrolls both ways."""

from collections.abc import Sequence

from rich.style import Style
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.theme import for_rich


class LinesView(ScrollView, can_focus=True):
    """Shows strips; a subclass may produce them on demand by overriding `line` and `count`."""

    BINDINGS = [*bindings("scroll")]
    DEFAULT_CSS = """
    LinesView {
        height: 1fr; background: $background; overflow-x: hidden;
        scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0;
        scrollbar-background: $background; scrollbar-color: $faint;
        scrollbar-background-hover: $background; scrollbar-color-hover: $muted;
        scrollbar-background-active: $background; scrollbar-color-active: $muted;
    }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[Strip] = []
        self._shift = 0
        self._widest = 0

    def set_lines(self, lines: Sequence[Strip], *, keep: bool = False) -> None:
        """Show these lines; `keep` leaves the view where it is."""
        self._lines = list(lines)
        self._widest = max((strip.cell_length for strip in self._lines), default=0)
        if not keep:
            self._shift = 0
            self.scroll_to(y=0, animate=False, force=True)
        self.resized()

    def resized(self) -> None:
        """Take note that the number of lines has changed."""
        self.virtual_size = Size(0, self.count)
        self.refresh()

    @property
    def count(self) -> int:
        return len(self._lines)

    def line(self, y: int) -> Strip | None:
        """Return line `y`, or None when it is not there, or not yet."""
        return self._lines[y] if y < len(self._lines) else None

    def render_line(self, y: int) -> Strip:
        width = self.scrollable_size.width
        style = self.rich_style
        strip = self.line(y + self.scroll_offset.y)
        if strip is None:
            return Strip.blank(width, style)
        if self._shift:
            strip = strip.crop(self._shift)
        return strip.apply_style(style).adjust_cell_length(width, style)

    def action_sideways(self, by: int) -> None:
        """Look at what long lines hold at their right."""
        room = max(0, self._widest - self.scrollable_size.width)
        self._shift = max(0, min(room, self._shift + by))
        self.refresh()

    def action_scroll_home(self) -> None:
        self.scroll_to(y=0, animate=False, force=True)

    def action_scroll_end(self) -> None:
        self.scroll_to(y=self.max_scroll_y, animate=False, force=True)

    def action_page_down(self) -> None:
        self.scroll_relative(y=self.size.height - 1, animate=False, force=True)

    def action_page_up(self) -> None:
        self.scroll_relative(y=1 - self.size.height, animate=False, force=True)

    def theme_style(self, name: str, *, bold: bool = False) -> Style:
        """Return the colour of a theme variable as a style for segments."""
        return Style(color=for_rich(self.app.theme_variables).get(name), bold=bold or None)
