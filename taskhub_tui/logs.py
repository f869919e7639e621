"""The log file of a task: `seconds TAB stream TAB text` a line, UTF-8, already clean.

A line that begins with a tab was said in the same breath as the one before it: it has the same time
and stream, and its text is what follows the tab. So short lines cost one byte more than they have.
The line that names time and stream stands at most `REACH` bytes before; reading can begin anywhere.
"""

import os
import re
from pathlib import Path
from typing import BinaryIO

from taskhub_tui.domain.finding import Wanted
from taskhub_tui.domain.views import LogChunk, LogPiece, LogRun
from taskhub_tui.text import clean

STREAMS = frozenset({"agent", "out", "err", "thought", "tool", "hub"})
LINE_LIMIT = 16_000
"""Most characters of one line; longer ones are cut and end in an ellipsis."""
REACH = 16_384
"""Bytes within which time and stream of every line are named."""
_RUN = 4000
"""Characters of one breath, of at most four bytes each: fewer bytes than `REACH` in any case."""
_SCAN = 1 << 20
"""Bytes looked through at once for the ends of lines."""
_SAID = re.compile(r"([^\t\n]*+\t[^\t\n]*+\t)[^\n]*+(?:\n(?:\t|\1)[^\n]*+)*+\n|[^\n]*+\n")
"""Lines of one breath, also where each names it, as they once did; or a line that is torn."""


def format_lines(at: float, stream: str, text: str) -> str:
    """Return `text` as lines of the log; every line of it becomes one."""
    text = clean(text, 4_000_000)
    stamp = f"{at:.3f}\t{stream if stream in STREAMS else 'agent'}\t"
    parts, start = [], 0
    while True:
        end = _end_of_run(text, start)
        run = text[start:end]
        if len(run) > _RUN:  # then it is one line
            run = _cut(run)
        parts.append(stamp + run.replace("\n", "\n\t") + "\n")
        if end == len(text):
            return "".join(parts)
        start = end + 1


def _end_of_run(text: str, start: int) -> int:
    """Return where the lines that share one stamp end: at a newline, or at the end of `text`."""
    if len(text) - start <= _RUN:
        return len(text)
    end = text.rfind("\n", start, start + _RUN)
    if end < 0:
        end = text.find("\n", start + _RUN)
    return len(text) if end < 0 else end


def _cut(line: str) -> str:
    return line if len(line) <= LINE_LIMIT else line[: LINE_LIMIT - 1] + "…"


def read(path: Path, offset: int, limit: int) -> LogChunk:
    """Read whole lines from byte `offset`; a negative one counts from the end of the file.

    At least one line is returned, where there is one. An offset within a line means the next one.
    """
    try:
        with path.open("rb") as file:
            start = _seek_line(file, offset)
            data = file.read(max(limit, 1))
            while data and b"\n" not in data and (more := file.read(65536)):
                data += more
            at_end = not file.read(1)
            data = data[: data.rfind(b"\n") + 1]
            before = _head(file, start) if data.startswith(b"\t") else b""
    except FileNotFoundError:
        return LogChunk((), 0, True)
    return LogChunk(_runs(before, data), start + len(data), at_end)


def pieces(path: Path, offset: int, size: int, until: int | None = None) -> list[LogPiece]:
    """Return where whole lines lie from byte `offset` on, without reading what they say.

    Each piece has at most `size` bytes, or one line that is longer. A negative offset counts from
    the end of the file; where the file is shorter than `offset`, one empty piece says how long.
    `until` is where to stop, the end of a line; None is the end of the file.
    """
    found: list[LogPiece] = []
    try:
        with path.open("rb") as file:
            start = _seek_line(file, offset)
            rest = b""
            while data := file.read(_some(file, until)):
                rest += data
                at = 0
                while len(rest) - at > size:
                    end = rest.rfind(b"\n", at, at + size) + 1 or rest.find(b"\n", at + size) + 1
                    if not end:
                        break
                    found.append(LogPiece(start + at, start + end, rest.count(b"\n", at, end)))
                    at = end
                rest, start = rest[at:], start + at
    except FileNotFoundError:
        return [LogPiece(0, 0, 0)]
    end = rest.rfind(b"\n") + 1
    if end or not found:
        found.append(LogPiece(start, start + end, rest.count(b"\n", 0, end)))
    return found


def _some(file: BinaryIO, until: int | None) -> int:
    return _SCAN if until is None else max(0, min(_SCAN, until - file.tell()))


def find(path: Path, start: int, end: int, wanted: Wanted) -> list[int]:
    """Return which of the lines between two offsets are wanted, by their numbers from 0.

    Both offsets are where lines begin.
    """
    try:
        with path.open("rb") as file:
            file.seek(start)
            data = file.read(max(0, end - start))
            before = _head(file, start) if data.startswith(b"\t") else b""
    except FileNotFoundError:
        return []
    if not wanted.may_hold((before + data).decode("utf-8", "replace")):
        return []
    found: list[int] = []
    line = 0
    for run in _runs(before, data):
        found += [line + number for number in wanted.lines(run.text, run.stream)]
        line += run.text.count("\n") + 1
    return found


def _seek_line(file: BinaryIO, offset: int) -> int:
    """Go to the first line that begins at `offset` or after it; return where that is."""
    size = os.fstat(file.fileno()).st_size
    # The worker cuts the log back when it repeats what followed the last save.
    start = max(0, size + offset) if offset < 0 else min(offset, size)
    if start:
        file.seek(start - 1)
        start += len(file.readline()) - 1
    file.seek(start)
    return start


def _head(file: BinaryIO, start: int) -> bytes:
    """Return time and stream of the line before `start`; empty where they are not to be found."""
    begin = max(0, start - REACH)
    file.seek(begin)
    lines = file.read(start - begin).split(b"\n")
    # The first is a line only if we begin where one does.
    for line in reversed(lines[:-1] if begin == 0 else lines[1:-1]):
        if not line.startswith(b"\t"):
            return b"\t".join(line.split(b"\t")[:2]) + b"\t"
    return b""


def _runs(before: bytes, data: bytes) -> list[LogRun]:
    if not data:
        return []
    if data.startswith(b"\t") and before:
        data = before + data[1:]
    runs = []
    for said in _SAID.finditer(data.decode("utf-8", "replace")):
        head, lines = said[1] or "", said[0][:-1]
        stamp, _, stream = head[:-1].partition("\t")
        try:
            at = float(stamp)
        except ValueError:
            strange = lines.replace("\n\t", "\n").removeprefix("\t")
            # Lines are counted by their ends: one made of a CR would push out the last.
            runs.append(LogRun(0.0, "hub", clean(strange.replace("\r", " "))))
            continue
        text = lines[len(head) :].replace(f"\n{head}", "\n\t")
        runs.append(LogRun(at, stream, text.replace("\n\t", "\n")))
    return runs
