"""A list of entries of two lines each, drawn only where it is in sight."""

from collections.abc import Callable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from taskhub_tui.records import dataclass
from taskhub_tui.tui import render
from taskhub_tui.tui.theme import UNICODE, Glyphs
from taskhub_tui.tui.widgets.selecting import Selecting

Part = tuple[str, str]
"""Words, and the names of their look separated by blanks."""
TALL = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """Two lines; a heading has only the words of its first, and takes no cursor."""

    id: str
    first: tuple[Part, ...]
    second: tuple[Part, ...] = ()
    right: Part = ("", "muted")
    """What stands at the right of the first line."""
    glyph: Part = (" ", "muted")
    heading: bool = False


class EntryList(Selecting, ScrollView, can_focus=True, inherit_bindings=False):
    """The cursor and the marks belong to entries, not to places."""

    COMPONENT_CLASSES = {
        f"entries--{name}"
        for name in ("row", "cursor", "strong", "muted", "faint", "needs", "running", "done")
    } | {"entries--failed"}
    DEFAULT_CSS = """
    EntryList {
        height: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; background: $background;
        scrollbar-background: $background; scrollbar-color: $faint;
        scrollbar-background-hover: $background; scrollbar-color-hover: $muted;
        scrollbar-background-active: $background; scrollbar-color-active: $muted;
        & .entries--row { color: $foreground; }
        & .entries--cursor { background: $cursor; }
        & .entries--strong { text-style: bold; }
        & .entries--muted { color: $muted; }
        & .entries--faint { color: $faint; }
        & .entries--needs { color: $needs; }
        & .entries--running { color: $running; }
        & .entries--done { color: $done; }
        & .entries--failed { color: $failed; }
    }
    """

    class Moved(Message):
        """The cursor stands on another entry."""

        def __init__(self, id: str | None, by_person: bool) -> None:
            super().__init__()
            self.id = id
            self.by_person = by_person
            """False when the entry it stood on has gone."""

    class Opened(Message):
        """An entry was chosen with the mouse."""

    def __init__(self, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:
        super().__init__(id=id)
        self._glyphs = glyphs
        self._entries: Sequence[str] = ()
        self._headings: frozenset[str] = frozenset()
        self._draw: Callable[[str], Entry | None] = lambda id: None
        self._cursor = 0
        self.marked: set[str] = set()
        self._styles: dict[str, Style] = {}

    # What it holds

    def set_entries(
        self,
        ids: Sequence[str],
        headings: frozenset[str],
        draw: Callable[[str], Entry | None],
    ) -> None:
        """Show these; the cursor stays on its entry, or else at its place."""
        here, at = self.here, self._cursor
        if [*ids] != [*self._entries]:
            self.unselect()
        self._entries, self._headings, self._draw = ids, headings, draw
        self.marked &= set(ids)
        self.virtual_size = Size(0, len(ids) * TALL)
        place = ids.index(here) if here in ids else at
        line = at * TALL - self.scroll_offset.y
        self._cursor = self._free(place, 1)
        if here is not None and here in ids and self._cursor != at:
            self.scroll_to(y=max(0, self._cursor * TALL - line), animate=False, force=True)
        self._show_cursor()
        self.refresh()
        if self.here != here:
            self.post_message(self.Moved(self.here, False))

    @property
    def here(self) -> str | None:
        """The entry under the cursor; None when there is none."""
        if not self._entries or self._cursor >= len(self._entries):
            return None
        found = self._entries[self._cursor]
        return None if found in self._headings else found

    @property
    def ids(self) -> list[str]:
        """All entries but the headings, in their order."""
        return [one for one in self._entries if one not in self._headings]

    def _free(self, place: int, step: int) -> int:
        """Return the place nearest to `place` that takes the cursor."""
        top = len(self._entries) - 1
        place = max(0, min(top, place))
        for way in (step, -step):
            at = place
            while 0 <= at <= top:
                if self._entries[at] not in self._headings:
                    return at
                at += way
        return 0

    # The cursor

    def go(self, place: int, step: int = 1) -> None:
        """Put the cursor at a place, or where one may stand beyond it in direction `step`."""
        before = self.here
        self._cursor = self._free(place, step)
        self._show_cursor()
        self.refresh()
        if self.here != before:
            self.post_message(self.Moved(self.here, True))

    def go_to(self, id: str) -> bool:
        """Put the cursor on an entry; False when it is not there."""
        if id not in self._entries:
            return False
        self.go([*self._entries].index(id))
        return True

    def move(self, by: int) -> None:
        self.go(self._cursor + by, 1 if by > 0 else -1)

    def page(self, sign: int) -> None:
        self.move(sign * max(1, self.size.height // TALL - 1))

    def top(self) -> None:
        self.scroll_to(y=0, animate=False, force=True)
        self.go(0)

    def end(self) -> None:
        self.go(len(self._entries) - 1, -1)

    def _show_cursor(self) -> None:
        top, height, y = self.scroll_offset.y, self.size.height, self._cursor * TALL
        if y < top:
            before = self._cursor > 0 and self._entries[self._cursor - 1] in self._headings
            self.scroll_to(y=y - (TALL if before else 0), animate=False, force=True)
        elif height > 0 and y + TALL > top + height:
            self.scroll_to(y=y + TALL - height, animate=False, force=True)

    def on_resize(self) -> None:
        self._show_cursor()

    def on_click(self, event: events.Click) -> None:
        if self.text_selection:
            return  # It was a drag.
        place = (event.y + self.scroll_offset.y) // TALL
        if 0 <= place < len(self._entries) and self._entries[place] not in self._headings:
            self.go(place)
            if event.chain == 2:
                self.post_message(self.Opened())

    # Drawing

    def notify_style_update(self) -> None:
        self._styles.clear()
        super().notify_style_update()

    def _style(self, names: str, cursor: bool) -> Style:
        key = f"{names}|{cursor}"
        if (style := self._styles.get(key)) is None:
            style = self.get_component_rich_style("entries--row")
            for name in (*names.split(), *(("cursor",) if cursor else ())):
                style += self.get_component_rich_style(f"entries--{name}", partial=True)
            self._styles[key] = style
        return style

    def render_line(self, y: int) -> Strip:
        y += self.scroll_offset.y
        return self.selectable(self._line(y), y)

    def text_of(self, y: int) -> str:
        return self._line(y).text

    def _line(self, y: int) -> Strip:
        width = self.scrollable_size.width
        place, line = divmod(y, TALL)
        blank = self._style("", False)
        entry = self._draw(self._entries[place]) if place < len(self._entries) else None
        if entry is None:
            return Strip.blank(width, blank)
        if entry.heading:
            if line == 0:
                return Strip.blank(width, blank)
            parts = [Segment(f"  {words}", self._style(look, False)) for words, look in entry.first]
            return Strip(parts).adjust_cell_length(width, blank)
        cursor = place == self._cursor
        mark = self._glyphs.mark if cursor and self.has_focus else " "
        star = "*" if entry.id in self.marked else " "
        head = [
            Segment(mark, self._style("running", cursor)),
            Segment(star, self._style("needs strong", cursor)),
        ]
        if line == 0:
            right = entry.right[0]
            head.append(Segment(f"{entry.glyph[0]} ", self._style(entry.glyph[1], cursor)))
            body = self._fit(entry.first, width - 4 - len(right) - 2, cursor)
            body.append(Segment(f" {right} ", self._style(entry.right[1], cursor)))
        else:
            head.append(Segment("  ", self._style("", cursor)))
            body = self._fit(entry.second, width - 5, cursor)
        return Strip([*head, *body]).adjust_cell_length(width, self._style("", cursor))

    def _fit(self, parts: Sequence[Part], room: int, cursor: bool) -> list[Segment]:
        """Return the words in exactly `room` cells; the last that does not fit is cut."""
        found: list[Segment] = []
        for words, look in parts:
            if room <= 0:
                break
            wide = Segment(words).cell_length
            if wide > room:
                words, wide = render.fit(words, room, self._glyphs), room
            found.append(Segment(words, self._style(look, cursor)))
            room -= wide
        if room > 0:
            found.append(Segment(" " * room, self._style("", cursor)))
        return found
