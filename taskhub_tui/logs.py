"""The log file of a task: one line each, `seconds TAB stream TAB text`, UTF-8, already clean."""

import os
from pathlib import Path

from taskhub_tui.domain.views import LogChunk, LogLine
from taskhub_tui.text import clean

STREAMS = frozenset({"agent", "out", "err", "thought", "tool", "hub"})
LINE_LIMIT = 16_000
"""Most characters of one line; longer ones are cut and end in an ellipsis."""


def format_lines(at: float, stream: str, text: str) -> str:
    """Return `text` as lines of the log; every line of it becomes one."""
    lines = clean(text, 4_000_000).split("\n")
    stamp = f"{at:.3f}\t{stream if stream in STREAMS else 'agent'}\t"
    return "".join(f"{stamp}{_cut(line)}\n" for line in lines)


def _cut(line: str) -> str:
    return line if len(line) <= LINE_LIMIT else line[: LINE_LIMIT - 1] + "…"


def read(path: Path, offset: int, limit: int) -> LogChunk:
    """Read whole lines from byte `offset`; a negative one counts from the end of the file.

    At least one line is returned, where there is one. An offset within a line means the next one.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            # The worker cuts the log back when it repeats what followed the last save.
            start = max(0, size + offset) if offset < 0 else min(offset, size)
            if start:
                file.seek(start - 1)
                start += len(file.readline()) - 1
            file.seek(start)
            data = file.read(max(limit, 1))
            while data and b"\n" not in data and (more := file.read(65536)):
                data += more
            at_end = not file.read(1)
    except FileNotFoundError:
        return LogChunk((), 0, True)
    end = data.rfind(b"\n") + 1
    lines = []
    for raw in data[:end].decode("utf-8", "replace").split("\n")[:-1]:
        stamp, _, rest = raw.partition("\t")
        stream, _, text = rest.partition("\t")
        try:
            lines.append(LogLine(float(stamp), stream, text))
        except ValueError:
            lines.append(LogLine(0.0, "hub", clean(raw)))
    return LogChunk(lines, start + end, at_end)
