"""The log of a task, read by pieces: whatever its length, a few pieces are held."""

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip

from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.domain.views import LogLine
from taskhub_tui.hub import Hub
from taskhub_tui.tui.background import start
from taskhub_tui.tui.theme import UNICODE, Glyphs
from taskhub_tui.tui.widgets.lines import LinesView

PIECE = 128 * 1024
HELD = 8
REACH = 16 * 1024 * 1024
"""Bytes at the end of a log that can be scrolled through; earlier ones are in its file."""


@dataclass(slots=True)
class _Piece:
    start: int
    end: int
    first: int
    """Number of its first line."""
    lines: int


class LogView(LinesView):
    """Shows the end and follows it, until the user scrolls up."""

    def __init__(self, hub: Hub, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:
        super().__init__(id=id)
        self._hub = hub
        self._glyphs = glyphs
        self._shown: str | None = None
        self._pieces: list[_Piece] = []
        self._held: OrderedDict[int, list[LogLine]] = OrderedDict()
        self._fetching: set[int] = set()
        self._reading = asyncio.Lock()
        self._cut = False
        self.following = True

    @property
    def count(self) -> int:
        last = self._pieces[-1] if self._pieces else None
        return (last.first + last.lines if last else 0) + self._cut

    async def show(self, task_id: str | None) -> None:
        """Show the log of a task from its end."""
        if task_id != self._shown:
            self._shown = task_id
            self._forget()
            self.following = True
            self.resized()
        await self.poll()

    def _forget(self) -> None:
        self._pieces.clear()
        self._held.clear()
        self._fetching.clear()
        self._widest = self._shift = 0
        self._cut = False

    async def poll(self) -> None:
        """Read what was written since."""
        async with self._reading:
            task_id = self._shown
            if task_id is None:
                return
            before = self.count
            try:
                while await self._read_on(task_id):
                    pass
            except TaskHubError as error:
                self.app.log.warning(str(error))
            if task_id == self._shown and self.count != before:
                self.resized()
                self._keep_up()

    async def _read_on(self, task_id: str) -> bool:
        """Read one piece more; return whether there is another."""
        if not self._pieces:
            start = 0
            head = await self._hub.read_log(task_id, -REACH, 1)
            if not head.at_end and head.offset > 65536:
                start = head.offset  # A line ends here; the file is longer than our reach.
            self._cut = start > 0
        else:
            start = self._pieces[-1].end
        chunk = await self._hub.read_log(task_id, start, PIECE)
        if task_id != self._shown:
            return False
        if chunk.offset < start:
            # The worker has cut the log back, to repeat what followed the last save.
            self._forget()
            return True
        if chunk.lines:
            self._add(start, chunk.offset, list(chunk.lines))
        return not chunk.at_end and bool(chunk.lines)

    def _add(self, start: int, end: int, lines: list[LogLine]) -> None:
        self._widest = max(self._widest, max(cell_len(line.text) for line in lines) + 10)
        last = self._pieces[-1] if self._pieces else None
        number = len(self._pieces) - 1
        if last is not None and end - last.start <= PIECE:
            if number in self._held:
                self._held[number].extend(lines)
            last.end = end
            last.lines += len(lines)
            return
        first = last.first + last.lines if last else 0
        self._pieces.append(_Piece(start, end, first, len(lines)))
        self._hold(number + 1, lines)

    def _hold(self, number: int, lines: list[LogLine]) -> None:
        self._held[number] = lines
        while len(self._held) > HELD:
            self._held.popitem(last=False)

    def _find(self, y: int) -> int | None:
        low, high = 0, len(self._pieces)
        while low < high:
            middle = (low + high) // 2
            if self._pieces[middle].first + self._pieces[middle].lines <= y:
                low = middle + 1
            else:
                high = middle
        return low if low < len(self._pieces) else None

    def line(self, y: int) -> Strip | None:
        muted = self.theme_style("muted")
        if self._cut:
            if y == 0:
                where = self._hub.paths.log(self._shown or "")
                return Strip([Segment(f"Earlier lines are in {where}", muted)])
            y -= 1
        number = self._find(y)
        if number is None:
            if not self._pieces and y == 0:
                return Strip([Segment("Nothing in the log yet" if self._shown else "", muted)])
            return None
        piece = self._pieces[number]
        lines = self._held.get(number)
        if lines is None:
            if number not in self._fetching:
                self._fetching.add(number)
                fetch = partial(self._fetch, number)
                start(self, fetch, group="log pieces")
            return None
        self._held.move_to_end(number)
        if y - piece.first >= len(lines):
            return None
        said = lines[y - piece.first]
        stamp = time.strftime("%H:%M:%S", time.localtime(said.at)) if said.at else " " * 8
        quiet = said.stream in ("hub", "thought")
        text = said.text.expandtabs(4)
        style = muted if quiet else self.theme_style("foreground")
        return Strip([Segment(stamp + " ", muted), Segment(text, style)])

    async def _fetch(self, number: int) -> None:
        task_id, piece = self._shown, self._pieces[number]
        try:
            chunk = await self._hub.read_log(task_id or "", piece.start, piece.end - piece.start)
            if task_id == self._shown and number < len(self._pieces):
                self._hold(number, list(chunk.lines))
                self.refresh()
        finally:
            self._fetching.discard(number)

    def toggle_follow(self) -> bool:
        """Follow the end, or stop following; return which."""
        self.following = not self.following
        self._keep_up()
        return self.following

    def _keep_up(self) -> None:
        if self.following:
            self.scroll_to(y=self.max_scroll_y, animate=False, force=True)

    def on_resize(self) -> None:
        self._keep_up()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if new_value < old_value and new_value < self.max_scroll_y:
            self.following = False
        elif new_value >= self.max_scroll_y:
            self.following = True
