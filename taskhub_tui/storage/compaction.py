"""Giving room back: the database after much was deleted, and its log of writes when idle."""

import os
import shutil
import sqlite3
from pathlib import Path

from taskhub_tui.domain.errors import StoreBusy
from taskhub_tui.domain.views import Compacted
from taskhub_tui.storage import newest
from taskhub_tui.storage.database import BUSY_MS, explain, refuse_lost, which
from taskhub_tui.storage.guard import Guard
from taskhub_tui.storage.restore import closed

AT_WORK = 200_000_000
"""Bytes up to which a database is compacted while others use it: they wait for a few seconds, and
not so long that they give up."""
_ROOM = 20_000_000
"""Bytes that must be left on the disk besides what compacting needs."""


def compact(path: Path) -> Compacted:
    """Rewrite the database without the room that deleted rows left in it.

    Nobody can write meanwhile. That is short for a file of usual size, and others wait; a larger
    one is compacted only when no other process has it open.

    Raises:
        StoreBusy: the file is large and in use, or there is no room for the copy.
        StoreError: the file cannot be read or written.
    """
    refuse_lost(path)
    if not path.exists():
        return Compacted(0, 0)
    before = _size(path)
    if before > AT_WORK:
        with closed(path):
            pass
    free = shutil.disk_usage(path.parent).free
    if free < 2 * before + _ROOM:
        raise StoreBusy(
            f"The disk that holds {path} is too full to compact it: that needs"
            f" {(2 * before + _ROOM) / 1e6:.0f} MB, and"
            f" {free / 1e6:.0f} MB are free",
            "Free some space",
        )
    # SQLite reads this when it is first used; the copy is no business of a shared folder.
    os.environ.setdefault("SQLITE_TMPDIR", str(path.parent))
    _run(path, BUSY_MS, "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)")
    return Compacted(before, _size(path))


def truncate(path: Path) -> None:
    """Write the log of writes back, and give its room back, unless somebody is in the way.

    Raises:
        StoreError: the file cannot be read or written.
    """
    _run(path, 100, "PRAGMA wal_checkpoint(TRUNCATE)")


def log_size(path: Path) -> int:
    """Return the bytes of the log of writes."""
    try:
        return path.with_name(path.name + "-wal").stat().st_size
    except FileNotFoundError:
        return 0


def _run(path: Path, patience: int, *statements: str) -> None:
    """Run statements that write or checkpoint, on a connection of their own."""
    noted = newest.known(path)
    guard = Guard(path.parent, patience / 1000)
    try:
        opened = which(path)
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            isolation_level=None,
            timeout=patience / 1000,
        )
        try:
            with guard:
                if which(path) != opened:
                    raise StoreBusy(f"Another file was just put at {path}", "Try again")
                newest.check(connection, path, noted)
                for statement in ("PRAGMA synchronous = FULL", *statements):
                    connection.execute(statement).fetchall()
        finally:
            with guard:
                connection.close()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise explain(error, path) from error
    finally:
        guard.close()


def _size(path: Path) -> int:
    return path.stat().st_size + log_size(path)
