"""Selecting with the mouse what is drawn line by line: rows, entries, options, a log."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.selection import Selection
from textual.strip import Strip

if TYPE_CHECKING:
    from textual.scroll_view import ScrollView as _Base
    from textual.widget import Widget
else:
    # No widget: Textual takes the styles and keys of the first base that is one.
    _Base = object

_MOST_COPIED = 10_000
"""Lines that are copied at most."""


class Selecting(_Base):
    """Stands before the widget in a list of bases; that one draws through `selectable`."""

    double_click_selects = False
    """True where two clicks select all; else they mean what the widget does with them."""

    def selectable(self, strip: Strip, y: int) -> Strip:
        """Return line `y` as it is drawn: what is selected of it is marked."""
        strip = self.with_selection(strip, y)
        # Where each letter stands is asked for while a button is down only, and dear to note.
        return strip.apply_offsets(0, y) if getattr(self.app, "pressed", True) else strip

    def with_selection(self, strip: Strip, y: int) -> Strip:
        """Return line `y` with what is selected marked."""
        if (selection := self.text_selection) and (span := selection.get_span(y)) is not None:
            start, end = span
            text = strip.text
            chosen = self.screen.get_component_rich_style("screen--selection")
            strip = styled(strip, text, [(start, len(text) if end < 0 else end)], chosen)
        return strip

    def text_of(self, y: int) -> str:
        """Return line `y` as it is shown; "" when it is not known."""
        raise NotImplementedError

    @property
    def count(self) -> int:
        """How many lines there are."""
        return self.virtual_size.height

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """Return the text of what was selected with the mouse."""
        start = selection.start.y if selection.start is not None else 0
        end = selection.end.y if selection.end is not None else self.count - 1
        texts = []
        for y in range(start, min(end + 1, start + _MOST_COPIED)):
            text = self.text_of(y)
            if (span := selection.get_span(y)) is not None:
                left, right = span
                text = text[left:] if right < 0 else text[left:right]
            texts.append(text.rstrip())
        return "\n".join(texts), "\n"

    def selection_updated(self, selection: Selection | None) -> None:
        self.refresh()

    def unselect(self) -> None:
        """Forget what was selected here: other lines stand there by now."""
        if self.is_attached and self.text_selection is not None:
            self.screen.clear_selection()

    def text_select_all(self) -> None:
        if self.double_click_selects:
            super().text_select_all()

    @property
    def select_container(self) -> "Widget":
        """What three clicks select all of."""
        return super().select_container if self.double_click_selects else self


def styled(strip: Strip, text: str, spans: Sequence[tuple[int, int]], style: Style) -> Strip:
    """Return a strip, whose text is given, with a style over some of its characters."""
    cuts: list[int] = []
    flat = text.isascii()
    for start, end in spans[:200]:
        cuts += [start, end] if flat else [cell_len(text[:start]), cell_len(text[:end])]
    parts = strip.divide([*cuts, strip.cell_length]) if cuts else [strip]
    return Strip.join([_over(part, style) if n % 2 else part for n, part in enumerate(parts)])


def _over(strip: Strip, style: Style) -> Strip:
    return Strip([Segment(s.text, s.style + style if s.style else style) for s in strip])
