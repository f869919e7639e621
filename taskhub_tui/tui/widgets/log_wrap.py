"""The lines of a log, wrapped where they are long: a few of them stand in many rows."""

from typing import Any, Self

from rich.segment import Segment
from textual.geometry import Size
from textual.strip import Strip

from taskhub_tui.tui import keymap
from taskhub_tui.tui.theme import UNICODE, Glyphs
from taskhub_tui.tui.widgets.lines import LinesView

STAMP = 9
"""Cells of the time before each line."""


class WrappedLines(LinesView):
    """A step of the scroll bar is a line of the log, whatever rows it has."""

    def __init__(self, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:
        super().__init__(id=id)
        self._glyphs = glyphs
        self._laid: list[tuple[int, Strip]] | None = None
        """Line number and strip of each row in sight, while long lines are wrapped."""
        self.wrapped = False

    def strip(self, y: int, most: int) -> Strip | None:
        """Return line `y` with its time, `most` cells of it; None where it is not there, or yet."""
        raise NotImplementedError

    def keep_up(self) -> None:
        """Go to the end, where that is followed."""

    def action_wrap(self) -> None:
        """Wrap long lines, or leave each on one row."""
        self.wrapped = not self.wrapped
        self._shift = 0
        self.resized()
        self.keep_up()
        words = "Long lines are wrapped" if self.wrapped else "Each line has one row"
        self.app.notify(words, timeout=2, markup=False)

    def refresh(self, *regions: Any, **how: Any) -> Self:
        self._laid = None
        super().refresh(*regions, **how)
        return self

    def resized(self) -> None:
        if self.wrapped and (height := self.size.height):
            self.virtual_size = Size(0, self.count - self._fit() + height)
            self.refresh()
        else:
            super().resized()

    def _fit(self) -> int:
        """Return how many of the last lines are in sight whole when the end is."""
        fit = rows = 0
        height = self.size.height
        while fit < self.count:
            strip = self._wrappable(self.count - 1 - fit)
            rows += len(self._rows(strip)) if strip is not None else 1
            if rows > height:
                break
            fit += 1
        return max(1, fit)

    def _wrappable(self, y: int) -> Strip | None:
        return self.strip(y, self.scrollable_size.width * max(1, self.size.height))

    def _rows(self, strip: Strip) -> list[Strip]:
        """Return a line cut into rows, under a clear column of times."""
        wide = max(10, self.scrollable_size.width - STAMP)
        length = strip.cell_length - STAMP
        if length <= wide:
            return [strip]
        head, clear = strip.crop(0, STAMP), Strip([Segment(" " * STAMP)])
        rows = [
            Strip.join([clear if at else head, strip.crop(STAMP + at, STAMP + at + wide)])
            for at in range(0, length, wide)
        ]
        most = max(1, self.size.height)
        if len(rows) >= most > 1:
            own = keymap.of(self.app)
            ways = [("log.wrap", "unwraps it"), ("log.page", "opens the pager")]
            said = [f"{key} {what}" for one, what in ways if (key := own.short(one))]
            words = f"{self._glyphs.more} goes on{': ' if said else ''}{', '.join(said)}"
            rows[most - 1 :] = [Strip([Segment(" " * STAMP + words, self.theme_style("muted"))])]
        return rows

    def render_line(self, y: int) -> Strip:
        if not self.wrapped:
            return super().render_line(y)
        if self._laid is None:
            self._laid = self._lay()
        if y >= len(self._laid):
            return Strip.blank(self.scrollable_size.width, self.rich_style)
        return self._laid[y][1]

    def _lay(self) -> list[tuple[int, Strip]]:
        laid: list[tuple[int, Strip]] = []
        y, height = self.scroll_offset.y, self.size.height
        wide = max(10, self.scrollable_size.width - STAMP)
        while len(laid) < height and y < max(1, self.count):
            strip = self._wrappable(y)
            rows = [Strip([])] if strip is None else self._rows(self._dressed(strip, y))
            laid += [(y, self._fitted(row, y, wide * n)) for n, row in enumerate(rows)]
            y += 1
        return laid[:height]

    def line_at(self, row: int) -> int | None:
        if not self.wrapped:
            return super().line_at(row)
        laid = self._laid or []
        return laid[row][0] if row < len(laid) else None
