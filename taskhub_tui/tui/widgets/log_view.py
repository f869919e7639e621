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
from taskhub_tui.domain.views import LogLine, LogPiece
from taskhub_tui.hub import Hub
from taskhub_tui.tui.background import start
from taskhub_tui.tui.theme import UNICODE, Glyphs
from taskhub_tui.tui.widgets.lines import LinesView

PIECE = 32 * 1024
"""Bytes of one piece; most lines may be as short as one letter, and each is an object then."""
HELD = 8
REACH = 16 * 1024 * 1024
"""Bytes at the end of a log that can be scrolled through; earlier ones are in its file."""


@dataclass(frozen=True, slots=True)
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
        """Take note of what was written since; what is shown of it is read."""
        async with self._reading:
            task_id = self._shown
            if task_id is None:
                return
            try:
                changed = await self._look(task_id)
            except TaskHubError as error:
                self.app.log.warning(str(error))
                return
            if changed and task_id == self._shown:
                self.resized()
                self._keep_up()

    async def _look(self, task_id: str) -> bool:
        """Find where the new lines lie, and read the last ones; return whether there are any."""
        last = self._pieces[-1] if self._pieces else None
        found = await self._hub.log_pieces(task_id, last.start if last else -REACH, PIECE)
        if last and (found[0].start, found[-1].end) == (last.start, last.end):
            return False
        if task_id != self._shown:
            return False
        if last and (found[0].start != last.start or found[-1].end < last.end):
            # The worker has cut the log back, to repeat what followed the last save.
            self._forget()
            return await self._look(task_id) or True
        read = {one.start: await self._read(task_id, one) for one in found[-2:]}
        if task_id != self._shown or not found[-1].lines:
            return False
        if last:
            self._pieces.pop()
            self._held.pop(len(self._pieces), None)
        else:
            self._cut = found[0].start > 0
        for one in found:
            first = self._pieces[-1].first + self._pieces[-1].lines if self._pieces else 0
            self._pieces.append(_Piece(one.start, one.end, first, one.lines))
            if one.start in read:
                self._hold(len(self._pieces) - 1, read[one.start])
        return True

    async def _read(self, task_id: str, piece: LogPiece | _Piece) -> list[LogLine]:
        chunk = await self._hub.read_log(task_id, piece.start, piece.end - piece.start)
        return chunk.lines[: piece.lines]

    def _hold(self, number: int, lines: list[LogLine]) -> None:
        widest = max((_width(line.text) for line in lines), default=0)
        self._widest = max(self._widest, widest + 10)
        self._held[number] = lines
        self._held.move_to_end(number)
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
        # A line may be very long, and more than the window holds is never seen.
        text = said.text[: 2 * (self._shift + self.scrollable_size.width)].expandtabs(4)
        style = muted if quiet else self.theme_style("foreground")
        return Strip([Segment(stamp + " ", muted), Segment(text, style)])

    async def _fetch(self, number: int) -> None:
        task_id, piece = self._shown, self._pieces[number]
        try:
            lines = await self._read(task_id or "", piece)
            if task_id == self._shown and self._pieces[number : number + 1] == [piece]:
                self._hold(number, lines)
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


def _width(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)
