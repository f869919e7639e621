"""What of an agent's files is handed to the desktop, which starts whatever it has for a file.

An agent must not get a program started by giving it the name of a report. So only kinds that are
looked at or listened to are handed over, and only when what is in the file agrees with its name:
pictures, PDF, sound, video, and plain text. Web pages are not: a browser gives a page from the
disk more rights than one from the net, and it may run scripts.
"""

import errno
import os
import re
import shutil
import stat
import sys
from pathlib import Path

from taskhub_tui import regular
from taskhub_tui.records import dataclass

_BEGINNINGS = {
    ".png": rb"\x89PNG\r\n\x1a\n",
    ".jpg": rb"\xff\xd8\xff",
    ".jpeg": rb"\xff\xd8\xff",
    ".gif": rb"GIF8[79]a",
    ".webp": rb"RIFF....WEBP",
    ".bmp": rb"BM",
    ".pdf": rb"%PDF-",
    ".wav": rb"RIFF....WAVE",
    ".mp3": rb"ID3|\xff[\xe2-\xff]",
    ".ogg": rb"OggS",
    ".mp4": rb"....ftyp",
    ".m4a": rb"....ftyp",
    ".mov": rb"....(ftyp|moov|mdat|wide|free)",
    ".webm": rb"\x1a\x45\xdf\xa3",
    ".mkv": rb"\x1a\x45\xdf\xa3",
}
"""How files with these names begin."""
_TEXTS = (".md", ".markdown", ".txt", ".log", ".csv", ".tsv", ".json", ".toml", ".yaml", ".yml")
# Some desktops look at what is in a file rather than at its name.
_STARTS = re.compile(rb"\s*(#!|<(!doctype|html|svg|script|\?xml))|.*\[desktop entry\]", re.I | re.S)
_HEAD = 8192

KINDS = "only pictures, PDF, sound, video and plain text are"
NAMED = "it is not what its name says"
RUNS = "it may be run as a program"


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of a file or a folder before it is opened."""

    folder: bool
    against: str
    """Why it is not handed to the desktop; empty when it is."""
    text: bool
    """It can be read as text."""


def look(path: Path) -> Look:
    """Look at what an agent has made.

    Raises:
        OSError: it is not there, cannot be read, or is no file and no folder.
    """
    try:
        found = os.stat(path)
    except ValueError as error:  # A zero byte in its name.
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from error
    if stat.S_ISDIR(found.st_mode):
        return Look(True, "", False)
    with regular.open_regular(path) as file:
        head = file.read(_HEAD)
        mode = os.fstat(file.fileno()).st_mode
    text = b"\0" not in head
    return Look(False, _against(path.suffix.lower(), head, mode, text), text)


def _against(suffix: str, head: bytes, mode: int, text: bool) -> str:
    if begins := _BEGINNINGS.get(suffix):
        return "" if re.match(begins, head, re.S) else NAMED
    if suffix not in _TEXTS:
        return KINDS
    if mode & 0o111:
        return RUNS
    return "" if text and not _STARTS.match(head) else NAMED


def opener() -> str | None:
    """Return the program that opens things as the desktop would; None without a desktop."""
    if sys.platform == "darwin":
        return shutil.which("open")
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return shutil.which("xdg-open")
    return None


def command(program: str, path: Path, found: Look) -> list[str]:
    """Return the words that have `opener()` open a path; none of them can be read as an option."""
    # On a Mac a folder may be a program, which is shown where it lies instead.
    reveal = ["-R"] if sys.platform == "darwin" and found.folder else []
    return [program, *reveal, str(path.absolute())]
