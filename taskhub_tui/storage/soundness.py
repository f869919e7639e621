"""Is a database file sound? What SQLite finds in its structure, and what only we can see."""

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from taskhub_tui.domain.errors import DiskFull
from taskhub_tui.domain.model import Priority, Status
from taskhub_tui.records import dataclass
from taskhub_tui.storage import newest, rows, seals
from taskhub_tui.storage.database import (
    APPLICATION_ID,
    explain,
    how_to_look,
    says_nothing,
    tolerant,
)
from taskhub_tui.text import one_line

_SAID = 3
"""Problems of one kind that are told; the rest is as bad."""
_NAMED = 20
"""Damaged tasks that are looked for; where there are as many, a look at each helps nobody."""
_STEPS = 20_000
"""Steps of SQLite's machine between two looks at whether to stop."""


class Stopped(Exception):
    """The work was given up because somebody asked for that."""


def read_only(path: Path, *, alone: bool = False) -> sqlite3.Connection:
    """Open a database for reading; `alone` promises that nobody writes to it meanwhile."""
    connection = _connect(path, "ro&immutable=1" if alone else "ro")
    if alone:
        return connection
    try:
        connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        # Anything else is met again by whoever reads on.
        if isinstance(explain(error, path), DiskFull):
            connection.close()
            connection = _connect(path, how_to_look(path))
        elif getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_READONLY_ROLLBACK:
            connection.close()
            _roll_back(path)
            connection = _connect(path, "ro")
    return connection


def _roll_back(path: Path) -> None:
    """Let SQLite take back what was half written as its process was killed.

    That is so only before a database has its log of writes: as one is made, or was put back.
    """
    with contextlib.suppress(sqlite3.Error), contextlib.closing(_connect(path, "rw")) as connection:
        connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone()


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=10, isolation_level=None)
    connection.text_factory = tolerant
    return connection


def stop_when(connection: sqlite3.Connection, stop: threading.Event | None) -> None:
    """Let what runs on `connection` end with an OperationalError soon after `stop` is set."""
    if stop is not None:
        connection.set_progress_handler(stop.is_set, _STEPS)


@dataclass(frozen=True, slots=True)
class Found:
    """What is wrong with a database file; nothing of both is good."""

    file: tuple[str, ...]
    """Sentences on what SQLite cannot read: nothing in such a file can be relied on."""
    rows: tuple[str, ...]
    """A sentence on each task that is not what was written; all else can be used."""

    @property
    def damaged(self) -> str:
        """What `rows` says, on one line; empty when nothing."""
        more = len(self.rows) - _SAID
        least = "at least " if len(self.rows) == _NAMED else ""
        others = f"; and {least}{more} more" if more > 0 else ""
        return "; ".join(self.rows[:_SAID]) + others


def problems(path: Path, *, alone: bool = False, stop: threading.Event | None = None) -> list[str]:
    """Read a whole file, and return what is wrong with it, in sentences; none is good.

    That its newest commits are missing is said only where SQLite can read all of it.

    Raises:
        StoreError: it cannot be read now, such as for want of room: that says nothing of it.
        Stopped: `stop` was set meanwhile.
    """
    found = look(path, alone=alone, stop=stop)
    return [*found.file, *found.rows[:_SAID]]


def look(path: Path, *, alone: bool = False, stop: threading.Event | None = None) -> Found:
    """Read a whole file, and return what is wrong with it.

    Args:
        alone: nobody writes to it meanwhile.

    Raises:
        StoreError: it cannot be read now, such as for want of room: that says nothing of it.
        Stopped: `stop` was set meanwhile.
    """
    if path.exists() and path.stat().st_size == 0:
        # SQLite would delete the log beside it, and find it sound.
        return Found(("The file is empty",), ())
    noted = newest.known(path)
    connection = None
    try:
        connection = read_only(path, alone=alone)
        stop_when(connection, stop)
        connection.execute("BEGIN")
        # What follows relies on what was looked at first.
        file = _ours(connection) or _structure(connection)
        found = Found(tuple(file), () if file else tuple(_damaged(connection)))
        if found.file:
            return found
        lost = newest.said(path, noted, newest.found(connection))
        return found if lost is None else Found((lost,), found.rows)
    except (sqlite3.Error, UnicodeDecodeError) as error:  # What SQLite says names what is damaged.
        if stop is not None and stop.is_set():
            raise Stopped from None
        if says_nothing(error):
            raise explain(error, path) from error
        return Found((str(explain(error, path)),), ())
    finally:
        if connection is not None:
            connection.close()


def _ours(connection: sqlite3.Connection) -> list[str]:
    mark = connection.execute("PRAGMA application_id").fetchone()[0]
    return [] if mark == APPLICATION_ID else ["The file is no database of TaskHub's"]


def _structure(connection: sqlite3.Connection) -> list[str]:
    said = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({_SAID})")]
    return [] if said == ["ok"] else said


def _damaged(connection: sqlite3.Connection) -> list[str]:
    """Return a sentence for each task that is not what was written, up to a number."""
    said: dict[str, str] = {}
    for lookup in _LOOKS:
        for about, words in lookup(connection):
            said.setdefault(about, one_line(words))
            if len(said) == _NAMED:
                return list(said.values())
    return list(said.values())


def _references(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    for table, number, _, _ in connection.execute("PRAGMA foreign_key_check"):
        yield f"{table} {number}", f"A row of `{table}` belongs to a task that is gone"


def _sealed(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    known = connection.execute("SELECT 1 FROM pragma_table_info('event') WHERE name = 'seal'")
    if known.fetchone() is not None:  # Else it is a copy from before there were seals.
        yield from seals.broken(connection, rows.BLOCKER_COLUMNS)


def _readable(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    for column, known in _KNOWN.items():
        marks = ", ".join("?" * len(known))
        found = connection.execute(f"SELECT id FROM task WHERE {column} NOT IN ({marks})", known)
        for (task_id,) in found:
            yield task_id, f"The {column} of task {task_id} is none there is"


def _waiting(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    found = connection.execute(
        "SELECT id FROM task WHERE deps_left <> (SELECT count(*) FROM dependency WHERE task_n = n)"
    )
    for (task_id,) in found:
        yield task_id, f"What task {task_id} waits for is not what was written"


_KNOWN: dict[str, list[str | int]] = {
    "status": [status.value for status in Status],
    "priority": [int(priority) for priority in Priority],
}


_LOOKS: tuple[Callable[[sqlite3.Connection], Iterator[tuple[str, str]]], ...] = (
    _references, _readable, _waiting, _sealed,
)  # fmt: skip
