"""Which file is meant, and whether it may be read at all: looked at before anything is loaded."""

import difflib
import os
import re
import stat
from pathlib import Path

from taskhub_tui.agents.port import AgentError
from taskhub_tui.text import one_line

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet")
_LOOKED_AT = 5000  # entries of a folder; a bigger folder is not searched to its end
_NAMED = re.compile(
    r"""["'`]([^"'`\n]{1,300}?\.(?:csv|tsv|parquet)(?:\.gz)?)["'`]"""
    r"""|([^\s"'`,;()<>]{1,300}\.(?:csv|tsv|parquet)(?:\.gz)?)\b""",
    re.IGNORECASE,
)


def candidates(folder: Path, limit: int = 9) -> list[str]:
    """Names of price files in `folder`, newest first."""
    found: list[tuple[float, str]] = []
    try:
        with os.scandir(folder) as entries:
            for seen, entry in enumerate(entries):
                if seen >= _LOOKED_AT:
                    break
                if entry.name.startswith(".") or not entry.name.lower().endswith(SUFFIXES):
                    continue
                if entry.is_file():
                    found.append((-entry.stat().st_mtime, entry.name))
    except OSError:
        return []
    return [name for _, name in sorted(found)[:limit]]


def named_in(request: str, workdir: Path) -> Path | None:
    """The first file that the request names and that exists, or None."""
    for quoted, bare in _NAMED.findall(request[:20_000]):
        try:
            path = resolve(quoted or bare, workdir)
            if path.is_file():
                return path
        except (AgentError, OSError):
            continue
    return None


def resolve(text: str, workdir: Path) -> Path:
    """Path that a person meant: `~` is the home folder, the rest is relative to `workdir`.

    Raises:
        AgentError: this cannot be a path.
    """
    text = text.strip().strip("\"'").removeprefix("file://")
    if not text or "\0" in text:
        raise AgentError("No file was named. Give the path of a .csv, .tsv or .parquet of prices.")
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        raise AgentError(
            f"{one_line(text)}: this home folder is not known. Give the full path."
        ) from error
    return path if path.is_absolute() else workdir / path


def check(path: Path, max_mb: float) -> int:
    """Size of the file in bytes, when it is one that may be read.

    Raises:
        AgentError: it is missing, a folder, no regular file, empty, closed or too large.
    """
    shown = one_line(str(path))
    try:
        status = path.stat()
    except FileNotFoundError:
        raise AgentError(f"There is no file {shown}.{_nearest(path)}") from None
    except OSError as error:
        raise AgentError(f"{shown} cannot be opened: {error.strerror or error}.") from error
    if stat.S_ISDIR(status.st_mode):
        inside = ", ".join(one_line(name, 80) for name in candidates(path, 5))
        more = f" It holds {inside}: name one of them." if inside else " It holds no .csv file."
        raise AgentError(f"{shown} is a folder, not a file of prices.{more}")
    if not stat.S_ISREG(status.st_mode):
        raise AgentError(f"{shown} is a device or pipe, not a file. Save the prices to a file.")
    if status.st_size == 0:
        raise AgentError(f"{shown} is empty (0 bytes). Export the prices again, then retry.")
    if status.st_size > max_mb * 1e6:
        raise AgentError(too_large(shown, f"is {megabytes(status.st_size)}", max_mb))
    if not os.access(path, os.R_OK):
        raise AgentError(f"{shown} may not be read by you. Change its rights, then retry.")
    return status.st_size


def too_large(shown: str, what: str, max_mb: float) -> str:
    """The sentence for a file above the limit."""
    return (
        f"{shown} {what}, more than the {max_mb:g} MB that are read at most. "
        "Cut it to the dates or instruments you need, or raise the option max_mb."
    )


def megabytes(size: float) -> str:
    """A size for people."""
    if size >= 1e9:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


def limit_of(value: object, default: float) -> float:
    """The option `max_mb` as a number.

    Raises:
        AgentError: it is none, or not above zero.
    """
    if value is None or value == "":
        return default
    try:
        limit = float(str(value))
    except ValueError:
        limit = 0.0
    if not 0 < limit < 1e6:
        raise AgentError(
            f"The option max_mb is {one_line(str(value), 40)!r}; it must be a number of MB, "
            f"such as {default:g}."
        )
    return limit


def _nearest(path: Path) -> str:
    names = candidates(path.parent, 200)
    near = difflib.get_close_matches(path.name, names, 1, 0.5) or names[:3]
    if near:
        listed = ", ".join(one_line(name, 80) for name in near)
        return f" In that folder there is {listed}."
    return " Check the path; it may be relative to the working folder or start with ~."
