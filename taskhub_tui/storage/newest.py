"""The number of the newest commit, in a small file beside the database.

A database whose log of writes is missing, damaged or exchanged for an older one is whole, and older
than it was: its last commits are gone, though they were acknowledged, and nothing in it says so.
This note does. It is written after each COMMIT, when that commit is on disk, and never synced: it
survives the process, costs a microsecond, and after a power cut says too little at worst. So it
never says more than was committed, and a database that is older than its note has lost something.

It belongs to one file: whatever puts an older database there on purpose takes the note away first.
"""

import contextlib
import os
import sqlite3
from pathlib import Path
from struct import Struct
from zlib import crc32

from taskhub_tui.domain.errors import StoreError

_NUMBER, _SUM = Struct("<Q").pack, Struct("<I").pack
_SIZE = 12
"""Bytes of a note: the number and its checksum."""


def place(path: Path) -> Path:
    """Return where the note of the database at `path` lies."""
    return path.with_name(path.name + "-newest")


def known(path: Path) -> int:
    """Return the newest commit that is noted for a database; 0 where none is, or none that fits.

    To be read before the database is: what is committed in between must not look like a loss.
    """
    try:
        file = os.open(place(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        return _read(os.pread(file, _SIZE, 0))
    except OSError:
        return 0
    finally:
        os.close(file)


def _bytes(seq: int) -> bytes:
    number = _NUMBER(seq)
    return number + _SUM(crc32(number))


def _read(note: bytes) -> int:
    seq = int.from_bytes(note[:8], "little")
    return seq if note == _bytes(seq) else 0


def found(connection: sqlite3.Connection) -> int | None:
    """Return the newest commit in a database; None where it is none of ours, as others say."""
    try:
        return int(connection.execute("SELECT seq FROM meta").fetchone()[0])
    except sqlite3.OperationalError:
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        return None if tables else 0


def said(path: Path, noted: int, left: int | None) -> str | None:
    """Return what it means that `noted` was committed and `left` is there; None is all right."""
    if left is None or left >= noted:
        return None
    some = "newest commit is" if noted - left == 1 else f"{noted - left} newest commits are"
    return (
        f"The database {path} {LOST}: its {some} missing. The log of writes beside it,"
        f" {path.name}-wal, was removed, damaged or exchanged"
    )


LOST = "has lost what was on disk"
REMEDY = (
    "If you have that log, put it back first. Else go on with what is left: `taskhub backup`, then"
    " `taskhub restore`; what was not over is paused then, since it may have gone on before"
)


def check(connection: sqlite3.Connection, path: Path, noted: int) -> None:
    """Refuse a database that has lost what was committed: nobody must decide on what is left of it.

    Raises:
        StoreError: says what is missing, and what to do.
    """
    while noted and (words := said(path, noted, found(connection))) is not None:
        before, noted = noted, known(path)
        if noted == before:
            raise StoreError(words, REMEDY)
        # Another database was put there meanwhile, and the note of the old one was taken away.


def gone(path: Path) -> StoreError:
    """Return the error for a database that is not there any more."""
    return StoreError(
        f"The database {path} is gone",
        "`taskhub restore` puts the newest backup back; to begin anew, move the folder"
        f" {path.parent} aside",
    )


def forget(path: Path) -> None:
    """Take the note away, before another database is put in the place of its own."""
    place(path).unlink(missing_ok=True)


class Newest:
    """Writes the note of one database, as far as that is possible: nothing depends on it."""

    def __init__(self, path: Path) -> None:
        self._file = -1
        with contextlib.suppress(OSError):
            self._file = os.open(
                place(path), os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
            )

    def note(self, seq: int) -> None:
        """Note a commit that is on disk."""
        if self._file >= 0:
            try:  # Called with each commit, where `suppress` would be half of what it takes.
                os.pwrite(self._file, _bytes(seq), 0)
            except OSError:
                return

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
