"""A few lines at the end of a terminal that are drawn anew in place, below what was printed before.

Nothing of the screen is taken away: no other screen, no hidden cursor. What was drawn last stays.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TextIO

from taskhub_tui.cli.output import Cell, Output, columns
from taskhub_tui.text import clean

Row = Sequence[str | Cell]
"""The pieces of a line, each with its colour."""


class Live:
    """The lines; the cursor rests at the beginning of the line after the last one."""

    def __init__(self, out: Output, size: Callable[[], os.terminal_size], more: str) -> None:
        """
        Args:
            more: ends a line that was cut.
        """
        self._out = out
        self._size = size
        self._more = more
        self._drawn: list[tuple[str, int]] = []
        """What was written of each line, and how many columns it takes."""
        self._width = 0

    @property
    def room(self) -> tuple[int, int]:
        """Columns and lines that may be drawn: a full line, or screen, would scroll."""
        size = self._size()
        return max(8, size.columns - 1), max(1, size.lines - 1)

    def draw(self, rows: Sequence[Row], history: Sequence[Row] = ()) -> bool:
        """Show these lines instead of those before; return whether anything had to be written.

        Args:
            history: lines that are written above and stay there for good.
        """
        width, height = self.room
        wanted = [self._line(row, width) for row in rows[:height]]
        same = self._width == width
        if wanted == self._drawn and same and not history:
            return False
        up = sum(_lines(taken, width + 1) for _, taken in self._drawn)
        old = self._drawn if same and not history else []
        said = [f"\x1b[{up}A" if up else "", "\r"]
        if history or not same:
            said.append("\x1b[J")
        said += [self._line(row, width)[0] + "\x1b[K\n" for row in history]
        for number, line in enumerate(wanted):
            kept = number < len(old) and old[number] == line
            said.append("\n" if kept else line[0] + "\x1b[K\n")
        if len(wanted) < len(old):
            said.append("\x1b[J")
        self._drawn, self._width = wanted, width
        self._out.out.write("".join(said))
        self._out.out.flush()
        return True

    def forget(self) -> None:
        """Draw below whatever stands there now, as after another program had the terminal."""
        self._drawn = []

    def _line(self, row: Row, width: int) -> tuple[str, int]:
        parts, left = [], width
        for piece in row:
            text, colour = (piece.text, piece.colour) if isinstance(piece, Cell) else (piece, "")
            text = clean(text).replace("\n", " ").replace("\t", " ")
            if (wide := columns(text)) > left:
                text = cut(text, left, self._more)
                wide = columns(text)
                parts.append(self._out.paint(text, colour))
                left -= wide
                break
            parts.append(self._out.paint(text, colour))
            left -= wide
        return "".join(parts), width - left


def _lines(taken: int, width: int) -> int:
    """Return how many lines of a terminal a line takes that may have become narrower since."""
    return max(1, -(-taken // width))


def cut(text: str, width: int, more: str) -> str:
    """Return `text` in at most `width` columns; what is cut off ends in `more`, a letter."""
    if columns(text) <= width:
        return text
    taken, room = [], width - 1
    for letter in text:
        room -= columns(letter)
        if room < 0:
            break
        taken.append(letter)
    return "".join(taken).rstrip() + more if width > 0 else ""


def fit(text: str, width: int, more: str) -> str:
    """Return `text` in exactly `width` columns."""
    text = cut(clean(text).replace("\n", " ").replace("\t", " "), width, more)
    return text + " " * (width - columns(text))


@contextlib.contextmanager
def quiet_keys(stream: TextIO | None = None) -> Iterator[Callable[[], None]]:
    """Keep the terminal from showing what is typed: a return would shift the lines.

    Yields what does so again, for when another program has had the terminal.
    """
    import termios

    try:
        keys = (stream or sys.stdin).fileno()
        before = termios.tcgetattr(keys)
    except (OSError, ValueError, termios.error):
        yield lambda: None
        return

    def set_(modes: Any) -> None:
        # In the background the terminal is somebody else's, and to touch it would stop us.
        with contextlib.suppress(OSError, termios.error):
            if os.tcgetpgrp(keys) == os.getpgrp():
                termios.tcsetattr(keys, termios.TCSADRAIN, modes)

    def quiet() -> None:
        modes = list(before)
        modes[3] = before[3] & ~termios.ECHO
        set_(modes)

    quiet()
    try:
        yield quiet
    finally:
        set_(before)
