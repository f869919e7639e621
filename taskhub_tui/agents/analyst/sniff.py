"""What a file is made of: bytes, encoding, separator, header. Reads in pieces, keeps none."""

import codecs
import csv
import gzip
import hashlib
import io
import re
import zlib
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from taskhub_tui.agents.analyst import dates
from taskhub_tui.agents.analyst.files import megabytes, too_large
from taskhub_tui.agents.port import AgentError
from taskhub_tui.regular import open_regular
from taskhub_tui.text import one_line

_PIECE = 1 << 20
_HEAD = 1 << 18
_MAGIC = {
    b"PK\x03\x04": "an Excel workbook or zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"\x7fELF": "a program",
    b"SQLite format 3": "a database",
    b"7z\xbc\xaf": "an archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
}
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_SEPARATORS = ("\t", ";", "|", ",")


@dataclass(frozen=True)
class Source:
    """A file that can be read, as it is."""

    kind: Literal["text", "parquet"]
    sha256: str
    """Of the file as it lies on the disk."""
    encoding: str
    head: str
    """The first lines, decoded; empty for Parquet."""
    readable: Path
    """The file itself, or a copy of it unpacked and as UTF-8."""


@dataclass(frozen=True)
class Layout:
    """How the text is cut into columns."""

    separator: str
    header: tuple[str, ...]
    first_line: int
    """Line number of the first row of data, from 1."""
    sample: list[list[str]]
    """Rows of data from the head of the file."""


def examine(path: Path, scratch: Path, max_mb: float, check: Callable[[], None]) -> Source:
    """Go through the file once: hash, kind and encoding. Where needed make a copy as UTF-8.

    Args:
        scratch: the copy's place; written only when the file is packed or not UTF-8.
        max_mb: largest size after unpacking.
        check: called between pieces; may raise to give up.

    Raises:
        AgentError: it holds no text.
    """
    shown = one_line(path.name)
    digest = hashlib.sha256()
    with _opened(path) as raw:
        start = raw.read(16)
        raw.seek(0)
        while piece := raw.read(_PIECE):
            check()
            digest.update(piece)
    for magic, what in _MAGIC.items():
        if start.startswith(magic):
            raise AgentError(f"{shown} is {what}, not text. Export the prices as CSV, then retry.")
    if start.startswith(b"PAR1"):
        return Source("parquet", digest.hexdigest(), "Parquet", "", path)
    packed = start.startswith(b"\x1f\x8b")
    with closing(_pieces(path, packed, max_mb)) as pieces:
        head = next(pieces, b"")
        if not head.strip():
            raise AgentError(f"{shown} holds nothing but blanks. Export the prices again.")
        encoding = _encoding(head, shown)
        if encoding == "utf-8" and not _all_utf8(head, pieces, check):
            encoding = "cp1252"
    text_head = head[:_HEAD].decode(encoding, "replace").removeprefix("\ufeff")
    old_mac = "\n" not in text_head and "\r" in text_head
    readable = path
    if packed or old_mac or encoding not in ("utf-8", "utf-8-sig"):
        with closing(_pieces(path, packed, max_mb)) as pieces:
            _copy(pieces, encoding, scratch, check)
        readable = scratch
    text_head = text_head.replace("\r\n", "\n").replace("\r", "\n")
    if len(head) >= _HEAD and "\n" in text_head:
        text_head = text_head[: text_head.rindex("\n")]
    name = f"{encoding}, gzip" if packed else encoding
    return Source("text", digest.hexdigest(), name, text_head, readable)


def layout(source: Source, shown: str) -> Layout:
    """Find separator and header: the separator under which a column of dates appears.

    Raises:
        AgentError: no such separator, or no header line.
    """
    best: tuple[float, Layout] | None = None
    for separator in _SEPARATORS:
        found = _try(source.head, separator)
        if found and (best is None or found[0] > best[0] + 1e-9):
            best = found
    if best is None:
        raise AgentError(_no_columns(source.head, shown))
    if not best[1].header:
        raise AgentError(
            f"{shown} has no header: line 1 is already a row of data. "
            "Put a first line with the names of the columns, such as Date,Close."
        )
    return best[1]


def _try(head: str, separator: str) -> tuple[float, Layout] | None:
    reader = csv.reader(io.StringIO(head), delimiter=separator)
    rows: list[tuple[int, list[str]]] = []
    before = 0
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((before + 1, [cell.strip() for cell in row]))
            before = reader.line_num
            if len(rows) >= 400:
                break
    except csv.Error:
        return None
    if not rows:
        return None
    widths = Counter(len(row) for _, row in rows)
    width = max((n, w) for w, n in widths.items() if w > 1)[1] if max(widths) > 1 else 0
    if not width:
        return None
    steady = widths[width] / len(rows)
    column, share = _date_column([row for _, row in rows if len(row) == width], width)
    if column is None:
        return None
    first = next(
        i for i, (_, row) in enumerate(rows) if len(row) > column and _is_date(row[column])
    )
    header = _header([row for _, row in rows[:first]], width)
    data = [row for _, row in rows[first:]]
    score = 2 * share + steady + (0.5 if header else 0) + min(width, 50) / 1000
    return score, Layout(separator, header, rows[first][0], data)


def _date_column(rows: list[list[str]], width: int) -> tuple[int | None, float]:
    best: tuple[int | None, float] = (None, 0.5)
    body = rows[1:] or rows
    for column in range(min(width, 40)):
        cells = [row[column] for row in body if row[column]]
        if len(cells) * 2 < len(body) or not cells:
            continue
        share = sum(_is_date(cell) for cell in cells) / len(cells)
        if share > best[1]:
            best = (column, share)
    return best


def _is_date(text: str) -> bool:
    bare, _ = dates.split_time(text)
    try:
        return dates.parse([bare], numbers=True, order="day").days[0] is not None or (
            dates.parse([bare], numbers=True, order="month").days[0] is not None
        )
    except OverflowError:
        return False


def _header(above: list[list[str]], width: int) -> tuple[str, ...]:
    """Names from the lines right above the data; several of them (as pivot tables have) join."""
    block: list[list[str]] = []
    for row in reversed(above):
        if len(row) not in (width, width - 1, width + 1) or len(block) == 3:
            break
        block.insert(0, row + [""] * (width - len(row)))
    if not block:
        return ()
    names: list[str] = []
    for column in range(width):
        parts: list[str] = []
        for row in block:
            if row[column] and row[column] not in parts:
                parts.append(row[column])
        names.append(" ".join(parts))
    return tuple(names)


def _no_columns(head: str, shown: str) -> str:
    lines = head.splitlines()
    line = next((text for text in lines if text.strip()), "")
    if len([text for text in lines if text.strip()]) == 1:
        return (
            f"{shown} has one line only, and no rows of prices: “{one_line(line, 120)}”. "
            "Export the prices again."
        )
    return (
        f"No column of dates was found in {shown}. Its first line is “{one_line(line, 120)}”. "
        "A row needs a date, such as 2024-01-31, and prices, cut by comma, semicolon, tab or |."
    )


def _opened(path: Path) -> IO[bytes]:
    try:
        return open_regular(path)
    except OSError as error:
        raise AgentError(
            f"{one_line(str(path))} cannot be opened: {error.strerror or error}."
        ) from error


def _pieces(path: Path, packed: bool, max_mb: float) -> Generator[bytes, None, None]:
    total = 0
    shown = one_line(path.name)
    with _opened(path) as raw:
        stream: IO[bytes] = gzip.GzipFile(fileobj=raw) if packed else raw  # type: ignore[assignment]
        while True:
            try:
                piece = stream.read(_PIECE)
            except (OSError, EOFError, zlib.error) as error:
                raise AgentError(
                    f"{shown} is damaged after {megabytes(total)}: {one_line(str(error), 120)}. "
                    "Fetch or export it again."
                ) from error
            if not piece:
                return
            total += len(piece)
            if total > max_mb * 1e6:
                raise AgentError(too_large(shown, "is, unpacked", max_mb))
            yield piece


def _encoding(head: bytes, shown: str) -> str:
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if head.startswith(mark):
            return name
    sample = head[:_HEAD]
    nul_even, nul_odd = sample[::2].count(0), sample[1::2].count(0)
    half = max(len(sample) // 2, 1)
    if nul_odd > 0.7 * half and nul_even < 0.05 * half:
        return "utf-16-le"
    if nul_even > 0.7 * half and nul_odd < 0.05 * half:
        return "utf-16-be"
    high = sum(byte >= 0x80 for byte in sample[:20_000]) / max(len(sample[:20_000]), 1)
    bad = len(_CONTROL.findall(sample))
    if b"\0" in sample or bad > 0.01 * len(sample) or (high > 0.3 and not _is_utf8(sample)):
        raise AgentError(
            f"{shown} is binary, not text. Export the prices as CSV (or Parquet), then retry."
        )
    return "utf-8"


def _is_utf8(sample: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def _all_utf8(head: bytes, rest: Iterator[bytes], check: Callable[[], None]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(head)
        for piece in rest:
            check()
            decoder.decode(piece)
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        return False
    return True


def _copy(pieces: Iterator[bytes], encoding: str, scratch: Path, check: Callable[[], None]) -> None:
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    lines = io.IncrementalNewlineDecoder(decoder, translate=True)
    with scratch.open("w", encoding="utf-8", newline="") as out:
        for piece in pieces:
            check()
            out.write(lines.decode(piece))
        out.write(lines.decode(b"", final=True))
