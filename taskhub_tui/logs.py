"""The log file of a task: one line each, `seconds TAB stream TAB text`, UTF-8, already clean."""

import os
from pathlib import Path

from taskhub_tui.domain.views import LogChunk, LogLine
from taskhub_tui.text import clean

LINE_LIMIT = 16_000
"""Most characters of one line; longer ones are cut and end in an ellipsis."""


def format_lines(at: float, stream: str, text: str) -> str:
    """Return `text` as lines of the log; every line of it becomes one."""
    lines = clean(text, 4_000_000).split("\n")
    stamp = f"{at:.3f}\t{stream}\t"
    return "".join(f"{stamp}{_cut(line)}\n" for line in lines)


def _cut(line: str) -> str:
    return line if len(line) <= LINE_LIMIT else line[: LINE_LIMIT - 1] + "…"


def read(path: Path, offset: int, limit: int) -> LogChunk:
    """Read whole lines from byte `offset`; a negative one counts from the end of the file."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            skip = False
            if offset < 0:
                offset = max(0, size + offset)
                skip = offset > 0
            # The worker cuts the log back when it repeats what followed the last save.
            start = min(offset, size)
            file.seek(start)
            data = file.read(max(limit, 1))
            while data and b"\n" not in data and (more := file.read(65536)):
                data += more
    except FileNotFoundError:
        return LogChunk((), 0, True)
    if skip:
        # It began in the middle of a line.
        cut = data.find(b"\n") + 1
        data, start = data[cut:], start + cut
    end = data.rfind(b"\n") + 1
    lines = []
    for raw in data[:end].decode("utf-8", "replace").split("\n")[:-1]:
        stamp, _, rest = raw.partition("\t")
        stream, _, text = rest.partition("\t")
        try:
            lines.append(LogLine(float(stamp), stream, text))
        except ValueError:
            lines.append(LogLine(0.0, "hub", clean(raw)))
    return LogChunk(lines, start + end, start + end >= size)
