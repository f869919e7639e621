"""Everything that is printed: data to standard output, talk to standard error."""

import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TextIO, cast

from taskhub_tui.domain.errors import TaskHubError, WorkerError
from taskhub_tui.text import clean

_COLOURS = {
    "bold": "1",
    "dim": "2",
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
}


class CannotPrint(TaskHubError):
    """What was to be printed could not be, such as for a full disk at the other end of `>`."""

    def __init__(self, error: OSError) -> None:
        super().__init__(
            f"The output cannot be written: {error.strerror}",
            "What the command was to do may be done all the same: look before you repeat it",
        )


class _Stream:
    """A stream whose errors are told from those of other files."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise CannotPrint(error) from error

    def flush(self) -> None:
        try:
            self._stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise CannotPrint(error) from error


class Cell(NamedTuple):
    """A piece of text with a colour of its own."""

    text: str
    colour: str = ""


class Output:
    """Where one command prints to.

    Args:
        as_json: data is printed as JSON, and tables are not printed at all.
    """

    def __init__(
        self,
        out: TextIO | None = None,
        err: TextIO | None = None,
        *,
        as_json: bool = False,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.out = cast("TextIO", _Stream(out or sys.stdout))
        self.err = cast("TextIO", _Stream(err or sys.stderr))
        self.as_json = as_json
        env = os.environ if environ is None else environ
        plain = bool(env.get("NO_COLOR")) or env.get("TERM") == "dumb"
        self.terminal = self.out.isatty()
        self._coloured = {
            id(stream): stream.isatty() and not plain for stream in (self.out, self.err)
        }
        encoding = (getattr(self.out, "encoding", None) or "ascii").lower().replace("-", "")
        self.unicode = encoding == "utf8"

    @property
    def width(self) -> int | None:
        """Columns of the terminal; None when there is none, and nothing is cut."""
        if not self.terminal:
            return None
        from shutil import get_terminal_size

        return get_terminal_size((80, 24)).columns

    def paint(self, text: str, colour: str, stream: TextIO | None = None) -> str:
        """Return `text` in a colour, if the stream shows colours."""
        if not colour or not self._coloured.get(id(stream or self.out)):
            return text
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"

    def data(self, value: Any) -> None:
        """Print one JSON value."""
        import json

        # Escaped, so that a terminal or an odd locale cannot be harmed by what somebody stored.
        print(json.dumps(value, indent=2), file=self.out)

    def data_lines(self, values: Iterable[Any]) -> None:
        """Print JSON values, one a line."""
        import json

        self.out.write("".join(f"{json.dumps(value)}\n" for value in values))

    def line(self, *parts: str | Cell) -> None:
        """Print a line of data; the parts follow each other without a gap."""
        print("".join(self._cell(part) for part in parts), file=self.out)

    def lines(self, text: str, head: Sequence[str | Cell] = (), colour: str = "") -> None:
        """Print the lines of `text`, each one after `head` and in a colour. Made for many."""
        before, mark = "".join(map(self._cell, head)), self.paint("\0", colour)
        start, _, end = mark.partition("\0")
        lines = clean(text).replace("\n", f"{end}\n{before}{start}")
        self.out.write(f"{before}{start}{lines}{end}\n")

    def text(self, text: str, indent: str = "") -> None:
        """Print a text of several lines, each one indented."""
        for line in clean(text).splitlines():
            print(f"{indent}{line}".rstrip(), file=self.out)

    def say(self, text: str, colour: str = "") -> None:
        """Print a sentence for a person to standard error."""
        print(self.paint(clean(text), colour, self.err), file=self.err, flush=True)

    def error(self, message: str, hint: str | None = None) -> None:
        """Print what went wrong and what to do."""
        word = self.paint("error:", "red", self.err)
        print(f"{word} {clean(message).strip()}", file=self.err)
        if hint:
            word = self.paint("hint:", "cyan", self.err)
            print(f"\n{word} {clean(hint).strip()}", file=self.err)
        self.err.flush()

    def no_worker(self, why: WorkerError | None) -> None:
        """Say that nobody works on what is there, unless somebody does."""
        if why is not None:
            self.say(str(why), "yellow")
            if why.hint:
                self.say(why.hint, "dim")

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str | Cell]]) -> None:
        """Print rows under a head; on a terminal the last column is cut at its edge."""
        cells = [[_as_cell(cell) for cell in row] for row in rows]
        last = len(head) - 1
        widths = [
            max([columns(name), *(columns(row[i].text) for row in cells)])
            for i, name in enumerate(head)
        ]
        if self.width is not None:
            widths[last] = max(8, self.width - sum(widths[:last]) - 2 * last)
        self._row([Cell(name, "dim") for name in head], widths)
        for row in cells:
            self._row(row, widths)

    def _row(self, row: Sequence[Cell], widths: Sequence[int]) -> None:
        parts = []
        for i, cell in enumerate(row):
            if i == len(row) - 1:
                text = cell.text if self.width is None else cut(cell.text, widths[i])
                parts.append(self.paint(text, cell.colour))
            else:
                pad = " " * (widths[i] - columns(cell.text))
                parts.append(self.paint(cell.text, cell.colour) + pad)
        print("  ".join(parts).rstrip(), file=self.out)

    def _cell(self, part: str | Cell) -> str:
        cell = _as_cell(part)
        return self.paint(cell.text, cell.colour)


def _as_cell(part: str | Cell) -> Cell:
    text, colour = (part.text, part.colour) if isinstance(part, Cell) else (part, "")
    return Cell(clean(text).replace("\n", " ").replace("\t", " "), colour)


def columns(text: str) -> int:
    """Return how many columns of a terminal `text` takes."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


def _columns(letter: str) -> int:
    import unicodedata

    if unicodedata.combining(letter) or unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def cut(text: str, width: int) -> str:
    """Return `text` in at most `width` columns, with an ellipsis where it was cut."""
    if columns(text) <= width:
        return text
    taken, room = [], width - 1
    for letter in text:
        room -= _columns(letter)
        if room < 0:
            break
        taken.append(letter)
    return "".join(taken).rstrip() + "…"


def iso(at: float | None) -> str | None:
    """Return a time as ISO 8601 in UTC with milliseconds, as all JSON of TaskHub has it."""
    if at is None:
        return None
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def local(at: float | None, now: float) -> str:
    """Return a time in the local zone for a person: today without the date."""
    if at is None:
        return "-"
    moment = time.localtime(at)
    if moment[:3] == time.localtime(now)[:3]:
        return time.strftime("%H:%M:%S", moment)
    return time.strftime("%Y-%m-%d %H:%M", moment)


def size(count: int) -> str:
    """Return a number of bytes for a person."""
    number = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{count} B"
