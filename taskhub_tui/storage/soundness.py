"""Is a database file sound? What SQLite finds in its structure, and what only we can see."""

import sqlite3
import threading
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from taskhub_tui.domain.errors import DiskFull
from taskhub_tui.domain.model import Priority, Status
from taskhub_tui.storage import newest, rows, seals
from taskhub_tui.storage.database import (
    APPLICATION_ID,
    explain,
    how_to_look,
    says_nothing,
    tolerant,
)

_SAID = 3
"""Problems of one kind that are told; the rest is as bad."""
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
    return connection


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=10, isolation_level=None)
    connection.text_factory = tolerant
    return connection


def stop_when(connection: sqlite3.Connection, stop: threading.Event | None) -> None:
    """Let what runs on `connection` end with an OperationalError soon after `stop` is set."""
    if stop is not None:
        connection.set_progress_handler(stop.is_set, _STEPS)


def problems(path: Path, *, alone: bool = False, stop: threading.Event | None = None) -> list[str]:
    """Read a whole file, and return what is wrong with it, in sentences; none is good.

    That its newest commits are missing is said last, and only where nothing else is wrong.

    Raises:
        StoreError: it cannot be read now, such as for want of room: that says nothing of it.
        Stopped: `stop` was set meanwhile.
    """
    if path.exists() and path.stat().st_size == 0:
        return ["The file is empty"]  # SQLite would delete the log beside it, and find it sound.
    noted = newest.known(path)
    found: list[str] = []
    connection = None
    try:
        connection = read_only(path, alone=alone)
        stop_when(connection, stop)
        connection.execute("BEGIN")
        for look in _LOOKS:
            found += look(connection)
            if found:
                break  # What follows relies on what was looked at first.
        else:
            if (lost := newest.said(path, noted, newest.found(connection))) is not None:
                found.append(lost)
    except (sqlite3.Error, UnicodeDecodeError) as error:  # What SQLite says names what is damaged.
        if stop is not None and stop.is_set():
            raise Stopped from None
        if says_nothing(error):
            raise explain(error, path) from error
        found.append(str(explain(error, path)))
    finally:
        if connection is not None:
            connection.close()
    return found


def _ours(connection: sqlite3.Connection) -> list[str]:
    mark = connection.execute("PRAGMA application_id").fetchone()[0]
    return [] if mark == APPLICATION_ID else ["The file is no database of TaskHub's"]


def _structure(connection: sqlite3.Connection) -> list[str]:
    said = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({_SAID})")]
    return [] if said == ["ok"] else said


def _references(connection: sqlite3.Connection) -> list[str]:
    lost = connection.execute("PRAGMA foreign_key_check").fetchmany(_SAID)
    return [f"A row of `{table}` belongs to a task that is gone" for table, _, _, _ in lost]


def _sealed(connection: sqlite3.Connection) -> list[str]:
    known = connection.execute("SELECT 1 FROM pragma_table_info('event') WHERE name = 'seal'")
    if known.fetchone() is None:
        return []  # A copy from before there were seals.
    return list(islice(seals.broken(connection, rows.BLOCKER_COLUMNS), _SAID))


def _readable(connection: sqlite3.Connection) -> list[str]:
    said = []
    for column, known in _KNOWN.items():
        marks = ", ".join("?" * len(known))
        found = connection.execute(
            f"SELECT id FROM task WHERE {column} NOT IN ({marks}) LIMIT {_SAID}", known
        )
        said += [f"The {column} of task {task_id} is none there is" for (task_id,) in found]
    return said[:_SAID]


def _waiting(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute(
        "SELECT id FROM task"
        " WHERE deps_left <> (SELECT count(*) FROM dependency WHERE task_n = n)"
        f" LIMIT {_SAID}"
    )
    return [f"What task {task_id} waits for is not what was written" for (task_id,) in found]


_KNOWN: dict[str, list[str | int]] = {
    "status": [status.value for status in Status],
    "priority": [int(priority) for priority in Priority],
}


_LOOKS: tuple[Callable[[sqlite3.Connection], list[str]], ...] = (
    _ours, _structure, _references, _readable, _waiting, _sealed,
)  # fmt: skip
