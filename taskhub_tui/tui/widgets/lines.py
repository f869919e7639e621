"""A view of many lines, drawn line by line: it scrolls both ways, is searched, and copied from."""

from collections.abc import Callable, Sequence

from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from taskhub_tui.domain.finding import Words
from taskhub_tui.text import clean
from taskhub_tui.tui import keymap
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.theme import for_rich
from taskhub_tui.tui.widgets.selecting import Selecting, styled


class LinesView(Selecting, ScrollView, can_focus=True):
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

    class Told(Message):
        """What the search says has changed: see `told`."""

        def __init__(self, view: "LinesView") -> None:
            super().__init__()
            self.view = view

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines: list[Strip] = []
        self._shift = 0
        self._widest = 0
        self.finder: Callable[[], None] | None = None
        """Opens the line in which words are typed, where there is one. It is called at once: what
        is typed next is meant for that line already."""
        self.words = Words("")
        self.told = ""
        """What the search says: how many there are, and which of them this is."""
        self.at: int | None = None
        """The line that is marked: the one that was found, or chosen."""
        self._found: list[int] = []
        self._looks: dict[str, Style] = {}
        """Styles that were worked out; a screen of lines asks for the same ones again and again."""

    # What is shown

    def set_lines(self, lines: Sequence[Strip], *, keep: bool = False) -> None:
        """Show these lines; `keep` leaves the view where it is."""
        self._lines = list(lines)
        self._widest = max((strip.cell_length for strip in self._lines), default=0)
        if not keep:
            self._shift = 0
            self.at = None
            self.scroll_to(y=0, animate=False, force=True)
        self.resized()
        if self.words.text:
            self.find(self.words.text)

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
        y += self.scroll_offset.y
        width = self.scrollable_size.width
        strip = self.line(y)
        if strip is None:
            return Strip.blank(width, self._plain)
        strip = self._dressed(strip, y)
        if self._shift:
            strip = strip.crop(self._shift)
        return self._fitted(strip, y, self._shift)

    def _dressed(self, strip: Strip, y: int) -> Strip:
        """Return a line with what is selected and found in it."""
        text = strip.text if self.words.text else ""
        if self.words.text and (spans := self.words.spans(text)):
            how = self.theme_style("needs") + Style(reverse=y == self.at, underline=True, bold=True)
            strip = styled(strip, text, spans, how)
        return self.with_selection(strip, y)

    def _fitted(self, strip: Strip, y: int, x: int) -> Strip:
        """Return a line, or a part of it from `x` on, as wide as the view."""
        width, style = self.scrollable_size.width, self._plain
        if y == self.at:
            style = style + self._theme_background("cursor")
        return strip.apply_style(style).adjust_cell_length(width, style).apply_offsets(x, y)

    def theme_style(self, name: str, *, bold: bool = False) -> Style:
        """Return the colour of a theme variable as a style for segments."""
        key = f"{name}{'+' if bold else ''}"
        if (style := self._looks.get(key)) is None:
            colour = for_rich(self.app.theme_variables).get(name)
            style = self._looks[key] = Style(color=colour, bold=bold or None)
        return style

    def _theme_background(self, name: str) -> Style:
        if (style := self._looks.get(f"on {name}")) is None:
            colour = for_rich(self.app.theme_variables).get(name)
            style = self._looks[f"on {name}"] = Style(bgcolor=colour)
        return style

    @property
    def _plain(self) -> Style:
        """The style of the view itself."""
        if (style := self._looks.get("")) is None:
            style = self._looks[""] = self.rich_style
        return style

    def notify_style_update(self) -> None:
        self._looks.clear()
        super().notify_style_update()

    # Scrolling

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

    def bring(self, y: int) -> None:
        """Mark line `y`, and scroll until it is in sight."""
        self.at = y
        top, height = self.scroll_offset.y, self.size.height
        if not top <= y < top + height:
            self.scroll_to(y=max(0, y - height // 3), animate=False, force=True)
        self.refresh()

    # Finding

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "find":
                return self.finder is not None
            case "find_next" | "clear_find":
                return bool(self.words.text)
            case "copy":
                return self.at is not None or self.text_selection is not None
        return True

    def action_find(self) -> None:
        if self.finder is not None:
            self.finder()

    def opens(self, key: str) -> bool:
        """Open the line in which words are typed, if this key does so; see `App.on_event`."""
        found = self.finder is not None and key in keymap.of(self.app).keys("scroll.find")
        if found and self.finder is not None:
            self.finder()
        return found

    def find(self, words: str) -> None:
        """Find `words` in all lines, and go to the nearest; "" ends the search."""
        self.words = Words(words)
        self._found = []
        if words:
            self._found = [
                y for y, strip in enumerate(self._lines) if self.words.pattern.search(strip.text)
            ]
            self._nearest()
        self._tell()

    def _nearest(self) -> None:
        top = self.scroll_offset.y
        later = [y for y in self._found if y >= (top if self.at is None else self.at)]
        if self._found:
            self.bring(later[0] if later else self._found[0])

    def action_find_next(self, by: int) -> None:
        """Go to the next line with the words, or the one before."""
        if not self._found:
            return
        here = self.scroll_offset.y if self.at is None else self.at
        beyond = [y for y in self._found if (y > here if by > 0 else y < here)]
        self.bring((beyond or self._found)[0 if by > 0 else -1])
        self._tell()

    keeps_mark = False
    """True where a line is marked at all times."""

    def action_clear_find(self) -> None:
        if not self.keeps_mark:
            self.at = None
        self.find("")

    def _tell(self) -> None:
        if not self.words.text:
            self.say("")
        elif not self._found:
            self.say("not found")
        else:
            place = self._found.index(self.at) + 1 if self.at in self._found else 0
            self.say(f"{place:,} of {len(self._found):,}")

    def say(self, words: str) -> None:
        """Say how the search goes."""
        self.told = words
        self.refresh()
        self.post_message(self.Told(self))

    # Copying

    double_click_selects = True

    def text_of(self, y: int) -> str:
        """Return line `y` as it is shown."""
        strip = self.line(y)
        return strip.text if strip is not None else ""

    def copied(self, y: int) -> str:
        """Return what is copied of line `y`."""
        return self.text_of(y).strip()

    def action_copy(self) -> None:
        """Copy what is selected, or the line that is marked."""
        chosen = self.screen.get_selected_text() if self.text_selection is not None else None
        text = clean(chosen or (self.copied(self.at) if self.at is not None else ""))
        if text:
            self.app.copy_to_clipboard(text)
            lines = text.count("\n") + 1
            said = f"Copied {lines:,} lines" if lines > 1 else f"Copied {_short(text)}"
            self.app.notify(said, timeout=2, markup=False)

    def on_click(self, event: events.Click) -> None:
        """Mark the line that is clicked."""
        y = self.line_at(event.y)
        if y is not None and self.marks_clicked and not self.text_selection:
            self.at = None if y == self.at else y
            self.refresh()
            self.screen.refresh_bindings()

    marks_clicked = False
    """True where a click marks a line."""

    def line_at(self, row: int) -> int | None:
        """Return which line is drawn in a row of the view."""
        y = row + self.scroll_offset.y
        return y if 0 <= y < self.count else None


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"
