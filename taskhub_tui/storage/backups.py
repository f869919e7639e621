"""Copies of the database: made while others write, verified before they count, the newest kept."""

import contextlib
import fcntl
import os
import re
import shutil
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from taskhub_tui.config import make_private
from taskhub_tui.domain.errors import BadInput, DiskFull, StoreBusy, StoreError
from taskhub_tui.domain.views import Copy
from taskhub_tui.storage import filesystem
from taskhub_tui.storage.database import explain, refuse_lost
from taskhub_tui.storage.soundness import Stopped, look, read_only

_NAME = re.compile(r"taskhub-(\d{8}T\d{6}Z)(-damaged)?\.db")
_STAMP = "%Y%m%dT%H%M%SZ"
_PART = ".part"
"""End of the name of a copy that is not finished."""
_STEP = 256
"""Pages, of 4 KiB mostly, copied at once."""
_REST = 0.5
"""Share of the time in which nothing is copied, so that the disk is there for others."""
_ROOM = 20_000_000
"""Bytes that must be left on the disk besides the copy."""
FAILED = "backup-failed.txt"
"""Says why the last try failed; gone once one has succeeded. It lies beside the folder of the
copies, since that folder may be what is wrong."""
DAMAGED = "backup-damaged.txt"
"""Says which tasks in the last copy are damaged; gone once one was made that is sound."""


class UnderWay(StoreBusy):
    """Another process is making a backup just now."""


def listed(folder: Path) -> list[Copy]:
    """Return the finished copies in `folder`, the newest first."""
    found = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for path in folder.iterdir():
            if (name := _NAME.fullmatch(path.name)) and not path.is_symlink():
                made = datetime.strptime(name[1], _STAMP).replace(tzinfo=UTC).timestamp()
                if (size := path.stat().st_size) == 0:
                    continue  # A name that was taken, and whose taker was killed, see _give_name.
                found.append(Copy(str(path), made, size, sound=not name[2]))
    return sorted(found, key=lambda copy: copy.made, reverse=True)


def failure(folder: Path) -> str | None:
    """Return why the last try by itself failed; None when it did not."""
    return _noted(folder.with_name(FAILED))


def note_failure(folder: Path, said: str | None) -> None:
    """Keep for `failure` why a try failed; None says that one has succeeded."""
    _note(folder.with_name(FAILED), said)


def damage(folder: Path) -> str | None:
    """Return which tasks in the last copy are damaged; None when it is sound."""
    return _noted(folder.with_name(DAMAGED))


def note_damage(folder: Path, said: str | None) -> None:
    """Keep for `damage` which tasks are damaged; None says that none is."""
    _note(folder.with_name(DAMAGED), said)


def _noted(note: Path) -> str | None:
    try:
        return note.read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _note(note: Path, said: str | None) -> None:
    with contextlib.suppress(OSError):
        if said is None:
            note.unlink(missing_ok=True)
        else:
            file = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with os.fdopen(file, "w", encoding="utf-8") as lines:
                lines.write(said + "\n")


def due(folder: Path, every: float, now: float) -> bool:
    """Return whether no copy is younger than `every` seconds; those of the future do not count."""
    return not any(now - every < copy.made <= now + 60 for copy in listed(folder))


def make(
    database: Path,
    folder: Path,
    *,
    keep: int,
    now: float,
    every: float = 0.0,
    stop: threading.Event | None = None,
) -> Copy | None:
    """Make a verified copy in `folder`, and remove all but the newest `keep`.

    Where tasks are damaged, a copy is made all the same, as all else is sound: its name says so,
    and `damage` which they are. The newest copy that is sound stays, however old.

    Nothing is made, and None returned, when another process has made one within `every` seconds.

    Raises:
        UnderWay: another process is making one.
        StoreBusy: there is no room for it.
        StoreError: it could not be made, or the file is damaged; older copies are kept.
        Stopped: `stop` was set meanwhile.
    """
    make_private(folder)
    with _alone(folder):
        if every and not due(folder, every, now):
            return None
        for part in folder.glob(f"*{_PART}*"):
            part.unlink(missing_ok=True)  # Of a process that was killed: nobody else is at work.
        for path in folder.iterdir():
            left = path.lstat()
            if _NAME.fullmatch(path.name) and stat.S_ISREG(left.st_mode) and left.st_size == 0:
                path.unlink()
        name = f"taskhub-{datetime.fromtimestamp(now, UTC):{_STAMP}}"
        copy = write(database, folder / f"{name}.db", folder / f"{name}-damaged.db", stop=stop)
        note_damage(folder, copy.damaged or None)
        # Those of the future are newer than the one just made, and must not push it out.
        others = [other for other in listed(folder) if other.path != copy.path]
        last = None if copy.sound else next((other for other in others if other.sound), None)
        for old in others[keep - 1 :]:
            if old != last:
                Path(old.path).unlink(missing_ok=True)
        return copy


def write(
    database: Path,
    target: Path,
    damaged: Path | None = None,
    *,
    stop: threading.Event | None = None,
) -> Copy:
    """Copy the database to `target`, verify the copy, and only then give it its name.

    Args:
        damaged: the name it gets instead where tasks in it are not what was written.

    Raises:
        BadInput: there is a file of that name already, or it cannot be made.
        StoreError: the database cannot be read, or its file is damaged.
        Stopped: `stop` was set meanwhile.
    """
    refuse_lost(database)
    if not database.exists():
        raise BadInput("There is nothing to back up: no task was ever handed over")
    if target.exists() or target.is_symlink():
        raise BadInput(f"{target} exists already", "Name another file")
    part = target.with_name(f".{target.name}{_PART}")
    try:
        _check_room(database, target.parent)
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        try:
            copy_pages(database, part, stop=stop)
            found = look(part, alone=True, stop=stop)
            if found.file:
                raise StoreError(
                    f"The database {database} is damaged, so it was not backed up: {found.file[0]}",
                    "`taskhub doctor` says more; `taskhub restore` puts an older copy back",
                )
            if found.rows and damaged is not None:
                target = damaged
            sync(part)
            _give_name(part, target)
            sync(target.parent)
        finally:
            for left in target.parent.glob(f"{part.name}*"):
                left.unlink(missing_ok=True)
    except OSError as error:
        if filesystem.no_room(error):
            raise DiskFull(target.parent) from error
        raise BadInput(f"{target} cannot be written: {error.strerror}") from error
    size = target.stat().st_size
    return Copy(str(target), time.time(), size, sound=not found.rows, damaged=found.damaged)


def _give_name(part: Path, target: Path) -> None:
    """Give a finished copy its name; a file that has it is never replaced."""
    try:
        os.link(part, target)
    except OSError as error:
        if error.errno not in filesystem.NO_LINKS:
            raise
    else:
        return
    # FAT and its like have no second names. A rename replaces, so the name is taken first.
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    try:
        part.replace(target)
    except OSError:
        target.unlink(missing_ok=True)
        raise


def copy_pages(
    database: Path, part: Path, *, alone: bool = False, stop: threading.Event | None = None
) -> None:
    """Copy one snapshot page by page into `part`; writers go on meanwhile.

    Args:
        alone: nobody writes to `database`, and it needs no log of writes beside it.

    Raises:
        StoreError: it cannot be read.
        Stopped: `stop` was set meanwhile.
    """
    begun = time.monotonic()

    def rest(status: int, remaining: int, total: int) -> None:
        nonlocal begun
        if stop is not None and stop.is_set():
            raise Stopped
        took = time.monotonic() - begun
        time.sleep(min(0.1, took * _REST / (1 - _REST)))
        begun = time.monotonic()

    try:
        source = read_only(database, alone=alone)
        try:
            target = sqlite3.connect(part, isolation_level=None)
            try:
                target.execute("PRAGMA synchronous = OFF")  # It is written to disk at the end.
                # One snapshot for all steps; else each commit of another would begin it anew.
                source.execute("BEGIN")
                source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
                source.backup(target, pages=_STEP, progress=rest)
                source.execute("COMMIT")
                # A file that stands for itself, and can be read without writing beside it.
                target.execute("PRAGMA journal_mode = DELETE")
            finally:
                target.close()
        finally:
            source.close()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise explain(error, database) from error


def _check_room(database: Path, folder: Path) -> None:
    size = sum(
        file.stat().st_size
        for file in (database, database.with_name(database.name + "-wal"))
        if file.exists()
    )
    free = shutil.disk_usage(folder).free
    if free < size + _ROOM:
        raise StoreBusy(
            f"The disk that holds {folder} is too full for a backup: it needs"
            f" {(size + _ROOM) / 1e6:.0f} MB, and"
            f" {free / 1e6:.0f} MB are free",
            "Free some space, or set `[backup] keep` lower",
        )


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Be the only one that makes copies in `folder`."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UnderWay(
                "Another backup is being made just now", "`taskhub backup --list` shows it soon"
            ) from None
        yield
    finally:
        os.close(file)


def sync(path: Path) -> None:
    """Have what was written to a file, or the names in a folder, on disk."""
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
