"""Opening the SQLite file: permissions, pragmas, migrations, and errors in words."""

import asyncio
import contextlib
import errno
import os
import sqlite3
import stat
import time
from pathlib import Path
from typing import Any

import aiosqlite

from taskhub_tui.config import make_private
from taskhub_tui.domain import ids
from taskhub_tui.domain.errors import DiskFull, Outdated, StoreBusy, StoreError
from taskhub_tui.storage import filesystem
from taskhub_tui.storage.guard import Guard

APPLICATION_ID = 0x5461736B
"""What marks a file as ours: `Task` in ASCII."""
REPLACED = "replaced-"
"""Begin of the name of a folder beside it in which `restore` keeps what it has replaced."""
BUSY_MS = 10_000
"""How long one writer waits for another process, in milliseconds."""


def create(path: Path) -> Guard:
    """Create the file where there is none, private, and return the guard of whoever writes to it.

    Raises:
        StoreError: it cannot be created, or opened.
    """
    filesystem.refuse_network(path.parent)
    refuse_lost(path)
    _create_private(path)
    return Guard(path.parent, BUSY_MS / 1000)


async def connect(path: Path, guard: Guard | None) -> aiosqlite.Connection:
    """Open the database; the caller closes it, or the process never ends.

    Args:
        guard: of a connection that writes; None opens the file for reading only.

    Raises:
        StoreError: the file cannot be opened, or is no database of TaskHub's.
    """
    while True:
        opened = which(path)
        connection = await _opened(path, "ro" if guard is None else "rw")
        try:
            await connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
            if guard is None or await _use_wal(connection, guard, path, opened):
                if guard is not None:
                    await connection.execute("PRAGMA synchronous = FULL")
                await connection.execute("PRAGMA foreign_keys = ON")
                return connection
        except BaseException as error:
            # Left open, its thread would keep the process from ending.
            await connection.close()
            if isinstance(error, sqlite3.Error | UnicodeDecodeError):
                raise explain(error, path) from error
            raise
        await connection.close()


def which(path: Path) -> tuple[int, int]:
    """Return which file has this name now.

    Between the moment in which SQLite opens a file and its first lock, `restore` may put another in
    its place. Whoever went on with the old one would write a log under the name of the new one's.

    Raises:
        StoreError: there is none.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise StoreError(f"The database {path} cannot be opened: {error.strerror}") from error
    return found.st_dev, found.st_ino


async def _opened(path: Path, mode: str) -> aiosqlite.Connection:
    try:
        return await aiosqlite.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            cached_statements=256,
            # A worker writes in the thread of its event loop as well, never in both at once.
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise explain(error, path) from error


async def connect_to_look(path: Path) -> aiosqlite.Connection:
    """Open for reading only where the disk is full; see `how_to_look`.

    Raises:
        StoreError: the file cannot be read, or not with what this TaskHub knows.
    """
    connection = await _opened(path, how_to_look(path))

    def look() -> None:
        version = _version(connection._conn)
        if _mark(connection._conn) != APPLICATION_ID or version != len(migrations()):
            raise DiskFull(path)  # It would have to be made, or brought up to date.

    run: Any = connection._execute
    try:
        await run(look)
    except BaseException as error:
        await connection.close()
        if isinstance(error, sqlite3.Error | UnicodeDecodeError):
            raise explain(error, path) from error
        raise
    return connection


def how_to_look(path: Path) -> str:
    """Return the mode of a URI that opens the database for reading where no file can grow.

    Even to read, SQLite makes a file that all who use the database share as memory. One that is
    there and empty will do: SQLite then keeps that memory for itself, until somebody shares it.
    """
    log, memory = (path.with_name(path.name + end) for end in ("-wal", "-shm"))
    if not log.exists() or log.stat().st_size == 0:
        return "ro&immutable=1"  # All that was written is in the file.
    # One that is there is not opened, as in `_create_private`.
    with contextlib.suppress(OSError):
        os.close(os.open(memory, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    return "ro&readonly_shm=1"


async def _use_wal(
    connection: aiosqlite.Connection, guard: Guard, path: Path, opened: tuple[int, int]
) -> bool:
    """Switch to WAL; False when another file was put in the place of the one that was opened.

    Where several switch at once SQLite refuses without waiting: try again.
    """

    def switch() -> bool:
        with guard:
            if which(path) != opened:
                return False
            connection._conn.execute("PRAGMA journal_mode = WAL")
            return True

    run: Any = connection._execute
    end = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            same: bool = await run(switch)
            return same
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
        await asyncio.sleep(0.01)


def refuse_lost(path: Path) -> None:
    """Raise StoreError where a database is gone, or empty, that was in use."""
    # Looked at twice: what lies beside it may be that of a hub which was new a moment ago.
    if _empty(path) and (left := remains(path)) and _empty(path):
        raise _lost(path, left)


def _empty(path: Path) -> bool:
    try:
        return path.stat().st_size == 0
    except FileNotFoundError:
        return True
    except OSError:
        return False  # Whoever opens it will say what is wrong.


def remains(path: Path) -> str:
    """Return, in words, what lies beside a database that only one which was in use leaves.

    Nothing, where the hub may be new.
    """
    home = path.parent
    folders, copies = home / "tasks", home / "backups"
    found = []
    with contextlib.suppress(OSError):
        count = sum(ids.is_id(one.name) for one in os.scandir(folders))
        if count:
            found.append(f"{'1 folder' if count == 1 else f'{count} folders'} in {folders}")
    with contextlib.suppress(OSError):
        count = sum(one.name.endswith(".db") for one in os.scandir(copies))
        if count:
            found.append(f"{'1 backup' if count == 1 else f'{count} backups'} in {copies}")
    return " and ".join(found)


def _lost(path: Path, left: str) -> StoreError:
    return StoreError(
        f"The database {path} is empty or gone, but there are {left}, so it is not taken for that"
        " of a new hub",
        "`taskhub restore` puts the newest backup back; to begin anew, move those aside",
    )


def _create_private(path: Path) -> None:
    """Create the file with mode 0600 before SQLite does it with the default mode.

    The -wal and -shm files take the mode of the database. A file that is there is not opened: when
    any descriptor of it is closed, the system drops all locks that this process has on it, those
    of its open connections too, and the next process to leave would delete the log under them.
    """
    make_private(path.parent)
    try:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        found = path.lstat().st_mode
        for code, wrong in (
            (errno.ELOOP, stat.S_ISLNK(found)),
            (errno.EISDIR, stat.S_ISDIR(found)),
            (errno.EACCES, not os.access(path, os.R_OK | os.W_OK)),
        ):
            if wrong:
                raise OSError(code, os.strerror(code))
        if stat.S_IMODE(found) & 0o077:
            path.chmod(0o600)
    except OSError as error:
        raise StoreError(f"The database {path} cannot be opened: {error.strerror}") from error


def migrations() -> list[str]:
    """Return the scripts, oldest first; the n-th one leads to schema version n."""
    # Not by `importlib.resources`, which takes longer to import than these take to read.
    folder = Path(__file__).with_name("migrations")
    return [script.read_text(encoding="utf-8") for script in sorted(folder.glob("*.sql"))]


def migrate(
    connection: sqlite3.Connection, scripts: list[str] | None = None, *, path: Path | None = None
) -> int:
    """Bring the schema up to date, all in one transaction, and return its version.

    Args:
        path: of the database of a hub, which is not made anew where an earlier one was lost.

    Raises:
        StoreError: the file was written by a newer TaskHub, or holds nothing of what it held.
    """
    scripts = migrations() if scripts is None else scripts
    if _version(connection) == len(scripts) and _mark(connection) == APPLICATION_ID:
        return len(scripts)
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Read only now: another process may have migrated while we waited for the lock.
        _refuse_strangers(connection)
        version = _version(connection)
        if version == 0 and path is not None and (left := remains(path)):
            raise _lost(path, left)
        if version > len(scripts):
            raise Outdated(
                f"The database has schema {version}, but this TaskHub knows only {len(scripts)}",
                "Update TaskHub; the file is unchanged",
            )
        for number in range(version, len(scripts)):
            # Not executescript, which commits first: a crash in the middle would leave half.
            for statement in _statements(scripts[number]):
                connection.execute(statement)
        if path is not None and 0 < version < len(scripts):
            # They are too old now, and cannot even say that they leave.
            connection.execute("UPDATE worker SET stop = 1")
        connection.execute(f"PRAGMA user_version = {len(scripts)}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return len(scripts)


def _refuse_strangers(connection: sqlite3.Connection) -> None:
    """Raise StoreError when the file holds the tables of another program."""
    if _mark(connection) == APPLICATION_ID:
        return
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables:
        raise StoreError(
            "The file is an SQLite database, but not one of TaskHub's",
            "Move it aside, or name another folder with TASKHUB_HOME",
        )


def _mark(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA application_id").fetchone()[0])


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _statements(script: str) -> list[str]:
    statements, part = [], ""
    for line in script.splitlines(keepends=True):
        part += line
        if sqlite3.complete_statement(part):
            statements.append(part)
            part = ""
    return statements


def tolerant(raw: bytes) -> str:
    """Read a text of the database in which a byte may be damaged; its seal will not fit it."""
    return raw.decode(errors="replace")


def undecodable(error: BaseException) -> bool:
    """Return whether a text could not be read because it is no UTF-8 any more."""
    return isinstance(error, sqlite3.OperationalError) and "decode to UTF-8" in str(error)


def misread(error: ValueError | TypeError, path: Path) -> StoreError:
    """Return what it means that a stored value is none that we know."""
    return StoreError(
        f"The database {path} holds a value that cannot be right: {error}",
        "Was it written by another version of TaskHub, or by hand?",
    )


def explain(error: sqlite3.Error | UnicodeDecodeError, path: Path) -> StoreError:
    """Return what an SQLite error means to a person.

    Where the names of tables are damaged, so is what SQLite says of it, and cannot be decoded.
    On a full disk SQLite speaks of an input/output error where a file beside the database is to
    grow, and of one that cannot be opened where it is to be made.
    """
    said = "malformed schema" if isinstance(error, UnicodeDecodeError) else str(error)
    if "locked" in said or "busy" in said:
        return StoreBusy(
            f"The database {path} is kept busy by another process", "Try again in a moment"
        )
    if "full" in said or (_code(error) in _GROWING and filesystem.full(path.parent)):
        return DiskFull(path)
    if "malformed" in said or "not a database" in said:
        return StoreError(
            f"The database {path} is damaged: {said}",
            "`taskhub restore` puts the newest backup back; `taskhub doctor` says more",
        )
    if "readonly" in said or "unable to open" in said:
        return StoreError(f"The database {path} cannot be opened or written: {said}")
    if "I/O" in said:
        return StoreError(
            f"The disk that holds {path} gave an error: {said}",
            "Look what the system's log says of this disk, and that it is not full",
        )
    return StoreError(f"The database {path} gave an error: {said}")


_GROWING = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
_PASSING = (*_GROWING, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)
_DATA = (
    sqlite3.SQLITE_IOERR_SHORT_READ, sqlite3.SQLITE_IOERR_DATA, sqlite3.SQLITE_IOERR_CORRUPTFS,
)  # fmt: skip


def says_nothing(error: sqlite3.Error | UnicodeDecodeError) -> bool:
    """Return whether the file cannot be read now, which says nothing of what is in it."""
    whole = getattr(error, "sqlite_errorcode", 0)
    return _code(error) in _PASSING and whole not in _DATA


def _code(error: sqlite3.Error | UnicodeDecodeError) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
