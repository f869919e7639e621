"""The log of a task, read by pieces: whatever its length, a few pieces are held."""

import asyncio
import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import AsyncIterator
from functools import partial
from itertools import accumulate

from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip

from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.domain.finding import Errors, Wanted, Words
from taskhub_tui.domain.views import LogLine, LogPiece
from taskhub_tui.hub import Hub
from taskhub_tui.tui import opening
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.background import start
from taskhub_tui.tui.theme import UNICODE, Glyphs
from taskhub_tui.tui.widgets.log_search import LogSearch, NotYet
from taskhub_tui.tui.widgets.log_wrap import STAMP, WrappedLines

PIECE = 32 * 1024
"""Bytes of one piece; most lines may be as short as one letter, and each is an object then."""
HELD = 8
NEAR = 1024 * 1024
"""Bytes at the end of a log that are looked for first, so that its last lines are there at once."""
REACH = 1024 * 1024 * 1024
"""Bytes at the end of a log that can be scrolled through; earlier ones are in its file."""
_MADE = 400
"""Lines that are kept as strips."""
_TELL_EVERY = 0.1
"""Seconds between two words about how far a search is."""


class LogView(WrappedLines):
    """Shows the end and follows it, until the user scrolls up."""

    BINDINGS = [*bindings("log")]
    marks_clicked = True

    def __init__(self, hub: Hub, *, glyphs: Glyphs = UNICODE, id: str | None = None) -> None:
        super().__init__(glyphs=glyphs, id=id)
        self._hub = hub
        self._shown: str | None = None
        self._pieces: list[LogPiece] = []
        self._firsts: list[int] = []
        """Number of the first line of each piece."""
        self._held: OrderedDict[int, list[LogLine]] = OrderedDict()
        """Lines of a few pieces, by the offset at which they start."""
        self._fetching: set[int] = set()
        self._made: dict[int, tuple[LogLine, int, Strip | None]] = {}
        """Lines as strips, by their numbers: of what each was made, and how long it may be."""
        self._reading = asyncio.Lock()
        self._cut = False
        self._extending: str | None = None
        """The task whose earlier lines are being looked for."""
        self._whole = False
        """True once it is known where all lines lie, not the last ones only."""
        self._search: LogSearch | None = None
        self._errors: LogSearch | None = None
        self._going: tuple[LogSearch, int, int] | None = None
        """A search, and from which line to go on to its next (1) or last (-1) hit."""
        self._told_at = 0.0
        self._stamp: tuple[int, int, int] | None = None
        self.following = True

    @property
    def count(self) -> int:
        return self._total + self._cut

    @property
    def _total(self) -> int:
        return self._firsts[-1] + self._pieces[-1].lines if self._pieces else 0

    async def show(self, task_id: str | None) -> None:
        """Show the log of a task from its end."""
        if task_id != self._shown:
            self._shown = task_id
            self._forget()
            self.following = True
            self.at = None
            self.resized()
        await self.poll()

    def _forget(self) -> None:
        self._pieces.clear()
        self._firsts.clear()
        self._held.clear()
        self._fetching.clear()
        self._stamp = None
        self._widest = self._shift = 0
        self._cut = self._whole = False
        self._errors = self._going = None
        if self._search is not None:
            # The words stay, and are looked for in what comes instead.
            self._search = LogSearch(self.words)

    async def poll(self) -> None:
        """Take note of what was written since; what is shown of it is read."""
        async with self._reading:
            task_id = self._shown
            if task_id is None:
                return
            stamp = self._hub.log_stamp(task_id)
            if stamp == self._stamp and (self._whole or not self._pieces):
                return
            try:
                changed = await self._look(task_id)
                self._stamp = stamp
                if changed and task_id == self._shown:
                    self.resized()
                    self.keep_up()
                if not self._whole and self._pieces and self._extending != task_id:
                    self._extending = task_id
                    start(self, partial(self._extend, task_id), group="log reach", exclusive=True)
                if changed and self._search is not None and self._whole:
                    self._search_on(self._search)
            except TaskHubError as error:
                self.app.log.warning(str(error))

    async def _look(self, task_id: str) -> bool:
        """Find where the new lines lie, and read the last ones; return whether there are any."""
        last = self._pieces[-1] if self._pieces else None
        begin = last.start if last else -min(NEAR, REACH)
        found = await self._hub.log_pieces(task_id, begin, PIECE)
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
            self._firsts.pop()
            self._held.pop(last.start, None)
        else:
            self._whole = found[0].start == 0
        for one in found:
            self._firsts.append(self._total)
            self._pieces.append(one)
            if one.start in read:
                self._hold(one.start, read[one.start])
        return True

    async def _extend(self, task_id: str) -> None:
        """Find where the earlier lines lie, which are not in sight yet."""
        first = self._pieces[0].start if self._pieces else 0
        begin = max(0, (self._pieces[-1].end if self._pieces else 0) - REACH)
        found = []
        try:
            if begin < first:
                found = await self._hub.log_pieces(task_id, begin, PIECE, first)
        finally:
            self._extending = None
        async with self._reading:
            if task_id != self._shown or self._whole or not self._pieces:
                return
            if self._pieces[0].start != first:
                return  # It was cut back meanwhile; the next look begins anew.
            before = self.count
            self._pieces[:0] = [one for one in found if one.lines]
            ends = [*accumulate(one.lines for one in self._pieces)]
            self._firsts = [0, *ends[:-1]]
            self._cut, self._whole = self._pieces[0].start > 0, True
            added = self.count - before
            if added:
                y = self.scroll_offset.y
                self.at = None if self.at is None else self.at + added
                self.resized()
                if self.following:
                    self.keep_up()
                else:
                    self.scroll_to(y=y + added, animate=False, force=True, immediate=True)
            for search in (self._search, self._errors):
                if search is not None:
                    here = 0
                    if self._going is not None and self._going[0] is search:
                        here, by = self._going[1] + added - self._cut, self._going[2]
                        self._going = (search, here, by)
                    self._search_on(search, here=max(0, here))

    async def _read(self, task_id: str, piece: LogPiece) -> list[LogLine]:
        chunk = await self._hub.read_log(task_id, piece.start, piece.end - piece.start)
        return chunk.lines[: piece.lines]

    def _hold(self, key: int, lines: list[LogLine]) -> None:
        widest = max((_width(line.text) for line in lines), default=0)
        self._widest = max(self._widest, widest + STAMP + 1)
        self._held[key] = lines
        self._held.move_to_end(key)
        while len(self._held) > HELD:
            self._held.popitem(last=False)

    # What is shown of it

    def _said(self, y: int) -> LogLine | None:
        """Return line `y` of the log; None where it is not there, or is being fetched."""
        number = bisect_right(self._firsts, y) - 1
        if not 0 <= y < self._total or number < 0:
            return None
        piece = self._pieces[number]
        lines = self._held.get(piece.start)
        if lines is None:
            if piece.start not in self._fetching:
                self._fetching.add(piece.start)
                start(self, partial(self._fetch, piece), group="log pieces")
            return None
        self._held.move_to_end(piece.start)
        y -= self._firsts[number]
        return lines[y] if y < len(lines) else None

    def line(self, y: int) -> Strip | None:
        # A line may be very long, and more than the window holds is never seen.
        most = 2 * (self._shift + self.scrollable_size.width)
        said = self._said(y - self._cut) if y >= self._cut else None
        if said is None:
            return self.strip(y, most)
        made = self._made.get(y)
        if made is None or made[0] is not said or made[1] != most:
            if len(self._made) >= _MADE:
                self._made.clear()
            made = self._made[y] = (said, most, self.strip(y, most))
        return made[2]

    def notify_style_update(self) -> None:
        self._made.clear()
        super().notify_style_update()

    def strip(self, y: int, most: int) -> Strip | None:
        muted = self.theme_style("muted")
        if self._cut:
            if y == 0:
                where = self._hub.paths.log(self._shown or "")
                return Strip([Segment(f"Earlier lines are in {where}", muted)])
            y -= 1
        said = self._said(y)
        if said is None:
            if not self._pieces and y == 0:
                return Strip([Segment("Nothing in the log yet" if self._shown else "", muted)])
            return None
        stamp = time.strftime("%H:%M:%S", time.localtime(said.at)) if said.at else " " * 8
        quiet = said.stream in ("hub", "thought")
        style = muted if quiet else self.theme_style("foreground")
        mark = Segment(" ", muted)
        if said.stream == "err":
            # Shape before colour: stderr has a mark of its own.
            mark = Segment(self._glyphs.mark, self.theme_style("failed"))
        return Strip([Segment(stamp, muted), mark, Segment(said.text[:most].expandtabs(4), style)])

    async def _fetch(self, piece: LogPiece) -> None:
        task_id = self._shown
        try:
            lines = await self._read(task_id or "", piece)
            if task_id == self._shown and piece in self._pieces:
                self._hold(piece.start, lines)
                self.refresh()
        finally:
            self._fetching.discard(piece.start)

    def text_of(self, y: int) -> str:
        strip = self.strip(y, 20_000)
        return strip.text.replace(self._glyphs.mark, " ", 1) if strip is not None else ""

    def copied(self, y: int) -> str:
        said = self._said(y - self._cut)
        return said.text if said is not None else ""

    # Following

    def toggle_follow(self) -> bool:
        """Follow the end, or stop following; return which."""
        self.following = not (self.following and self.at is None)
        if self.following:
            self.at = None
        self.keep_up()
        return self.following

    def keep_up(self) -> None:
        # A line that is marked stays where it is, also at the end.
        if self.following and self.at is None:
            self.scroll_to(y=self.max_scroll_y, animate=False, force=True)

    def on_resize(self) -> None:
        if self.wrapped:
            self.resized()
        self.keep_up()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if new_value < old_value and new_value < self.max_scroll_y:
            self.following = False
        elif new_value >= self.max_scroll_y:
            self.following = True

    # Marking a line

    def action_mark(self, by: int) -> None:
        """Mark the next line, or the one before, to be copied."""
        bottom = min(self.count, self.scroll_offset.y + self.size.height) - 1
        y = bottom if self.at is None else self.at + by
        if 0 <= y < self.count:
            self._still()
            self.bring(y)
            self.screen.refresh_bindings()

    def _still(self) -> None:
        """Stay where the user looks, whatever is written at the end."""
        self.following = False

    # Searching

    def find(self, words: str) -> None:
        self.words = Words(words)
        if not words:
            self._search = self._going = None
            self.workers.cancel_node(self)
            self._fetching.clear()
            self.say("")
            return
        search = self._search = LogSearch(self.words)
        here = self.scroll_offset.y + self.size.height - 1 - self._cut
        here = min(max(0, self._total - 1), here if self.at is None else self.at - self._cut)
        self._going = (search, here + 1, -1)
        self._search_on(search, here=here)
        self.refresh()

    def action_find_next(self, by: int) -> None:
        if self._search is not None:
            self._go(self._search, by)

    def action_error(self, by: int) -> None:
        """Go to the next line that tells of a mistake, or to the one before."""
        if self._errors is None:
            self._errors = LogSearch(Errors(), together=True)
        self._go(self._errors, by)

    def _go(self, search: LogSearch, by: int) -> None:
        if not self._total:
            return
        here = self.at
        if here is None:
            # Nothing is marked: from the edge of what is in sight.
            here = self.scroll_offset.y + (0 if by > 0 else self.size.height - 1)
            here += -1 if by > 0 else 1
        self._going = (search, here - self._cut, by)
        self._search_on(search, here=max(0, here - self._cut), forward=by > 0)
        self._arrive()

    def _search_on(self, search: LogSearch, *, here: int = 0, forward: bool = False) -> None:
        """Look through what was not looked through; runs beside the screen, one at a time."""
        if not self._whole:
            return  # Lines have no numbers yet.
        if self._pieces and search.end != self._pieces[-1].end:
            search.take(self._pieces, here=here, forward=forward)
        group = "log errors" if search is self._errors else "log search"
        start(self, partial(self._run, search), group=group, exclusive=True)

    async def _run(self, search: LogSearch) -> None:
        task_id = self._shown
        if task_id is None:
            return

        async def find(begin: int, end: int, wanted: Wanted) -> list[int]:
            return await self._hub.find_in_log(task_id, begin, end, wanted)

        await search.run(find, lambda: self._came(search, task_id))
        self._came(search, task_id, last=True)

    def _came(self, search: LogSearch, task_id: str, *, last: bool = False) -> None:
        if task_id != self._shown or search not in (self._search, self._errors):
            return
        now = time.monotonic()
        if self._going is not None and self._going[0] is search:
            self._arrive(last=last)
        if last or now - self._told_at >= _TELL_EVERY:
            self._told_at = now
            self._tell_of(search)

    def _arrive(self, *, last: bool = False) -> None:
        """Go where the search was to go, as soon as that is known."""
        if self._going is None:
            return
        search, here, by = self._going
        try:
            found = search.after(here) if by > 0 else search.before(here)
            if found is None:  # On from the other end.
                found = search.after(-1) if by > 0 else search.before(self._total)
        except NotYet:
            return
        self._going = None
        if found is not None:
            self._still()
            self.bring(found + self._cut)
            self.screen.refresh_bindings()
        self._tell_of(search)

    def _tell_of(self, search: LogSearch) -> None:
        if search is self._errors and self._going is None and self.words.text:
            return  # The words that are looked for have the line.
        place = search.place(self.at - self._cut) if self.at is not None else None
        of = f"{place:,} of {search.count:,}" if place else f"{search.count:,}"
        if search.done and not search.count:
            said = "no mistakes in the log" if search is self._errors else "not found"
        elif search is self._errors:
            lines = "line tells" if search.count == 1 else "lines tell"
            said = f"{of} {lines} of a mistake"
        else:
            said = of if place else f"{of} lines"
        if not search.done:
            said += f"  {int(search.share * 100)}%"
        if said != self.told:
            self.say(said)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        match action:
            case "find_next":
                return self._search is not None
            case "clear_find":
                return self._search is not None or self.at is not None or bool(self.told)
            case "error" | "page_log" | "wrap" | "mark":
                return self._shown is not None
        return super().check_action(action, parameters)

    def action_clear_find(self) -> None:
        self.at = None
        self._errors = None
        super().action_clear_find()

    # In the pager

    def action_page_log(self) -> None:
        """Show all of the log in the user's pager."""
        if self._shown is not None:
            start(self, partial(self._page, self._shown), group="pager", exclusive=True)

    async def _page(self, task_id: str) -> None:
        said = await opening.page(self.app, self._all(task_id), "the log")
        if said:
            self.app.notify(said, timeout=4, markup=False)

    async def _all(self, task_id: str) -> AsyncIterator[str]:
        offset = 0
        while True:
            chunk = await self._hub.read_log(task_id, offset, 256 * 1024)
            if chunk.runs:
                yield await asyncio.to_thread(_paged, chunk.lines)
            if chunk.at_end or chunk.offset <= offset:
                return
            offset = chunk.offset


def _paged(lines: list[LogLine]) -> str:
    said = []
    for line in lines:
        stamp = time.strftime("%H:%M:%S", time.localtime(line.at)) if line.at else " " * 8
        said.append(f"{stamp} {line.text}\n")
    return "".join(said)


def _width(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)
