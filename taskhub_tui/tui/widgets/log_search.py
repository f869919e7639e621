"""Searching a log of any length: by slices, from where the user looks, while the keys go on."""

import asyncio
from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from taskhub_tui.domain.finding import Wanted
from taskhub_tui.domain.views import LogPiece

SLICE = 128 * 1024
"""Bytes that are looked through at once: a few milliseconds, between which the app has its turn."""


class NotYet(Exception):
    """What was asked for may lie in a part that has not been looked through."""


@dataclass(slots=True)
class _Part:
    start: int
    end: int
    first: int
    """Number of its first line."""
    lines: int
    found: "array[int] | None" = None
    """Numbers of the lines that are wanted; None until it was looked through."""


class LogSearch:
    """What was found so far of `wanted`; takes new lines as they come."""

    def __init__(self, wanted: Wanted, *, together: bool = False) -> None:
        """
        Args:
            together: of wanted lines that follow each other the first stands for all.
        """
        self.wanted = wanted
        self._together = together
        self._parts: list[_Part] = []
        self._firsts: list[int] = []
        self._todo: deque[_Part] = deque()
        self.count = 0
        """How many lines were found so far."""

    @property
    def done(self) -> bool:
        return not self._todo

    @property
    def share(self) -> float:
        """How much was looked through, 0 to 1."""
        return 1 - len(self._todo) / len(self._parts) if self._parts else 1.0

    @property
    def end(self) -> int:
        """Offset up to which lines are known to the search."""
        return self._parts[-1].end if self._parts else -1

    def take(self, pieces: Sequence[LogPiece], *, here: int = 0, forward: bool = False) -> None:
        """Take note of where the lines of the log lie now.

        Args:
            here: number of the line from which to look.
            forward: look after it first, and then before it.
        """
        first = 0
        fresh: list[_Part] = []
        known = self._parts[-1] if self._parts else None
        for piece in pieces:
            start, lines, at = piece.start, piece.lines, first
            first += piece.lines
            if known is not None:
                if piece.end <= known.end:
                    continue
                if start < known.end:  # It has grown.
                    at = known.first + known.lines
                    start, lines = known.end, first - at
            part = fresh[-1] if fresh else None
            if part is not None and piece.end - part.start <= SLICE:
                part.end, part.lines = piece.end, part.lines + lines
            else:
                fresh.append(_Part(start, piece.end, at, lines))
        self._parts += fresh
        self._firsts += [part.first for part in fresh]
        if known is not None:
            self._todo.extend(fresh)
            return
        cut = max(0, bisect_right(self._firsts, here) - 1)
        if forward:
            self._todo.extend([*fresh[cut:], *reversed(fresh[:cut])])
        else:
            self._todo.extend([*reversed(fresh[: cut + 1]), *fresh[cut + 1 :]])

    async def run(
        self,
        find: Callable[[int, int, Wanted], Awaitable[list[int]]],
        told: Callable[[], None],
    ) -> None:
        """Look through what was not yet looked through; `told` is called after each slice."""
        while self._todo:
            part = self._todo[0]
            numbers = await find(part.start, part.end, self.wanted)
            part.found = array("q", [part.first + n for n in numbers if n < part.lines])
            self.count += len(part.found)
            if self._todo and self._todo[0] is part:
                self._todo.popleft()
            told()
            await asyncio.sleep(0)

    def after(self, line: int) -> int | None:
        """Return the first one after `line`, or None; raises NotYet."""
        for part in self._parts[max(0, bisect_right(self._firsts, line + 1) - 1) :]:
            if part.found is None:
                raise NotYet
            for number in part.found[bisect_right(part.found, line) :]:
                if not self._goes_on(number):
                    return number
        return None

    def before(self, line: int) -> int | None:
        """Return the last one before `line`, or None; raises NotYet."""
        for part in reversed(self._parts[: bisect_right(self._firsts, max(0, line - 1))]):
            if part.found is None:
                raise NotYet
            for number in reversed(part.found[: bisect_right(part.found, line - 1)]):
                if not self._goes_on(number):
                    return number
        return None

    def place(self, line: int) -> int | None:
        """Return which one of all that were found `line` is, from 1; None is unknown."""
        before = 0
        for part in self._parts:
            if part.found is None:
                return None
            if part.first + part.lines > line:
                at = bisect_right(part.found, line)
                return before + at if at and part.found[at - 1] == line else None
            before += len(part.found)
        return None

    def _goes_on(self, line: int) -> bool:
        return self._together and self._has(line - 1)

    def _has(self, line: int) -> bool:
        number = bisect_right(self._firsts, line) - 1
        found = self._parts[number].found if number >= 0 else None
        if found is None:
            return False
        at = bisect_right(found, line)
        return at > 0 and found[at - 1] == line
