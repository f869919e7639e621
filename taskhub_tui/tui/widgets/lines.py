"""A view of many lines, drawn line by line: it scrolls both ways, is searched, and copied from."""

from collections.abc import Callable, Sequence

from rich.style import Style
from textual import events
from textual.geometry import Region, Size, Spacing
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar
from textual.strip import Strip

from taskhub_tui.domain.finding import Words
from taskhub_tui.text import clean
from taskhub_tui.tui import keymap
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.theme import for_rich
from taskhub_tui.tui.widgets.selecting import Selecting, styled

_NO_GUTTER = Spacing()
_DRAWN = 400
"""Lines that are kept as they were drawn."""


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
        self._kept: dict[int, tuple[Strip, tuple[object, ...], Strip]] = {}
        """Lines as they were drawn: of what it was made, how it was looked at, and the line."""
        self._widened: dict[int, tuple[Strip, Strip]] = {}
        """The same, and as wide as the view with its scroll bar."""

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
        # With each step of scrolling the lines are asked for anew; Textual, too, keeps what it
        # has made of a strip as long as it is the same one.
        how = (width, self._shift, y == self.at, self.words.text)
        drawn = self._kept.get(y) if self.text_selection is None else None
        if drawn is not None and drawn[0] is strip and drawn[1] == how:
            return drawn[2]
        shown = self._dressed(strip, y)
        if self._shift:
            shown = shown.crop(self._shift)
        shown = self._fitted(shown, y, self._shift)
        if self.text_selection is None:
            if len(self._kept) >= _DRAWN:
                self._kept.clear()
            self._kept[y] = (strip, how, shown)
        return shown

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the lines in a part of the view.

        As Textual does it for what has no border and no padding. It makes a new strip of each line
        every time, and then nothing that it notes of a strip for later is of use.
        """
        styles = self.styles
        if styles.gutter != _NO_GUTTER or styles.tint.a or self.opacity != 1.0 or self.BLANK:
            return super().render_lines(crop)
        width, top = self.region.width, self.scroll_offset.y
        filters, background = self.get_line_filters(), self.background_colors[1]
        strips = []
        for row in crop.line_range:
            strip = self._to_the_edge(self.render_line(row), row + top, width)
            for one in filters:
                strip = strip.apply_filter(one, background)
            strips.append(strip)
        if crop.column_span != (0, width):
            strips = [strip.crop(*crop.column_span) for strip in strips]
        return strips

    def _to_the_edge(self, strip: Strip, y: int, width: int) -> Strip:
        """Return a line as wide as the view with its scroll bar."""
        whole = self._widened.get(y)
        if whole is None or whole[0] is not strip or whole[1].cell_length != width:
            if len(self._widened) >= _DRAWN:
                self._widened.clear()
            whole = self._widened[y] = (strip, strip.adjust_cell_length(width, self._plain))
        return whole[1]

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
        self._kept.clear()
        self._widened.clear()
        super().notify_style_update()

    # Scrolling

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        # In long texts a step moves the thumb by nothing that is seen: no need to paint it anew.
        if self.show_vertical_scrollbar:
            bar = self.vertical_scrollbar
            if self._thumb(bar.position) == self._thumb(new_value):
                bar.set_reactive(ScrollBar.position, bar.validate_position(new_value))
        super().watch_scroll_y(old_value, new_value)

    def _thumb(self, position: float) -> int:
        """Return where the thumb of the scroll bar begins, in eighths of a cell."""
        bar = self.vertical_scrollbar
        size, window, whole = bar.size.height, bar.window_size, bar.window_virtual_size
        if not window or whole <= window:
            return 0
        thumb = max(1.0, window * size / whole)
        return int((size - thumb) * position / (whole - window) * 8)

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
