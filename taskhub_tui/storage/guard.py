"""A cure for SQLite's WAL-reset bug where the installed SQLite still has it.

The bug (https://sqlite.org/wal.html#walresetbug): while one connection begins a checkpoint, another
commits a transaction that starts the write-ahead log anew. The first may then note pages as copied
that never were, and a later checkpoint skips them: what was committed is lost. Both must happen at
one instant, so the guard lets one connection at a time write or checkpoint: it is held around a
whole transaction, from before `BEGIN` until the checkpoint that `COMMIT` may run has ended.

It is held whatever SQLite this process has: another process may have an older one. It also keeps
who opens the database apart from who puts another file in its place.

It is a lock on the folder of the database: there is no file of its own to be removed, replaced or
left behind, and the kernel frees it when its holder dies. Readers take no part in it: they open the
file for reading only, and can neither write nor checkpoint.
"""

import fcntl
import os
import sqlite3
import time
from pathlib import Path
from types import TracebackType

from taskhub_tui.domain.errors import StoreBusy, StoreError

FIXED = ((3, 44, 6), (3, 50, 7))
"""Where the bug is cured in older branches; everything from 3.51.3 on is."""
_LONGEST = 0.004
"""Seconds between two looks at a lock that is taken; the first are shorter."""


def exposed(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> bool:
    """Return whether this SQLite has the WAL-reset bug; see https://sqlite.org/changes.html."""
    cured = any(version[:2] == branch[:2] and version >= branch for branch in FIXED)
    return (3, 7) <= version < (3, 51, 3) and not cured


class Guard:
    """Held with `with` by whoever writes to, or checkpoints, the database in `folder`.

    It is not reentrant, and belongs to one thread at a time. Two guards exclude each other in one
    process as in two.
    """

    def __init__(self, folder: Path, patience: float) -> None:
        """
        Args:
            patience: seconds to wait for another holder before giving up.

        Raises:
            StoreError: the folder cannot be opened.
        """
        self._folder = folder
        self._patience = patience
        try:
            self._file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise StoreError(f"The folder {folder} cannot be used: {error.strerror}") from error

    def __enter__(self) -> None:
        """Wait until nobody else holds it.

        Raises:
            StoreBusy: another process did not let go in time.
        """
        if self.take():
            return
        end = time.monotonic() + self._patience
        pause = 0.0001
        while True:
            time.sleep(pause)
            if self.take():
                return
            if time.monotonic() > end:
                raise StoreBusy(
                    f"The database in {self._folder} is kept busy by another process",
                    "Try again in a moment",
                )
            pause = min(_LONGEST, pause * 1.5)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.give_back()

    def take(self) -> bool:
        """Take it if nobody else holds it, and return whether it is held now."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise StoreError(
                f"The folder {self._folder} cannot be locked: {error.strerror}",
                "Does it lie on a disk of this machine?",
            ) from error
        return True

    def give_back(self) -> None:
        """Let go."""
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the folder back to the system; the guard is of no use afterwards."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
