"""Child: the least that the same rows cost, as a bare group commit.

A small run of the engine is recorded, statement by statement with its values. What changed rows is
then written again to a copy of the database as it was before, in the same transactions, by plain
`sqlite3`: no asyncio, no thread, no objects.
"""

import asyncio
import contextlib
import shutil
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks import children, product

from taskhub_tui.agents.registry import Registry

KEPT = ("INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "BEGIN", "COMMIT")
"""What is recorded; savepoints and questions are no part of a bare group commit."""
Step = tuple[str, Any, bool]
"""A statement, its values, and whether it has many rows of them."""


class _Cursor(sqlite3.Cursor):
    def execute(self, sql: str, values: Any = (), /) -> "_Cursor":
        self.connection.note(sql, values, False)  # type: ignore[attr-defined]
        return super().execute(sql, values)

    def executemany(self, sql: str, values: Iterable[Any], /) -> "_Cursor":
        kept = list(values)
        self.connection.note(sql, kept, True)  # type: ignore[attr-defined]
        return super().executemany(sql, kept)


class _Recorder(sqlite3.Connection):
    """A connection that remembers what it was told."""

    made: list["_Recorder"] = []

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.steps: list[Step] = []
        _Recorder.made.append(self)

    def note(self, sql: str, values: Any, many: bool) -> None:
        if _word(sql) in KEPT:
            self.steps.append((sql, dict(values) if isinstance(values, dict) else values, many))

    def cursor(self, factory: Any = _Cursor) -> Any:
        return super().cursor(factory)

    def execute(self, sql: str, values: Any = (), /) -> sqlite3.Cursor:
        return self.cursor().execute(sql, values)

    def executemany(self, sql: str, values: Iterable[Any], /) -> sqlite3.Cursor:
        return self.cursor().executemany(sql, values)


@contextlib.contextmanager
def recording() -> Any:
    """Make every new connection of this process a recorder."""
    real = sqlite3.connect

    def connect(*args: Any, **options: Any) -> sqlite3.Connection:
        return real(*args, **{**options, "factory": _Recorder})

    sqlite3.connect = connect  # type: ignore[assignment]
    try:
        yield
    finally:
        sqlite3.connect = real


async def record(home: Path, tasks: int, concurrency: int) -> list[Step]:
    """Run the engine once; leave the database as it was before beside it, as `before.db`."""
    count = product.Countdown(tasks * product.STAGES)
    registry = Registry({"t": product.TrivialAgent(count)})
    async with product.hub(home, registry) as front:
        await product.submit(front, tasks)
    copy(product.where(home).database, home / "before.db")
    with recording():
        async with product.engine(home, registry, concurrency) as engine:
            await count.over.wait()
            await product.settled(engine)
            product.check(home, tasks)
    writing = [one.steps for one in _Recorder.made if any(_changes(step) for step in one.steps)]
    if len(writing) != 1:
        raise AssertionError(f"{len(writing)} connections changed rows, not one")
    return writing[0]


def _changes(step: Step) -> bool:
    return _word(step[0]) not in ("BEGIN", "COMMIT")


def _word(sql: str) -> str:
    return sql.lstrip().split(None, 1)[0].upper().rstrip(";")


def copy(database: Path, to: Path) -> None:
    """Copy a database with nothing left in its write-ahead log."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(database, to)


def replay(database: Path, steps: list[Step]) -> tuple[float, float]:
    """Write the steps again; return the seconds and the seconds of CPU."""
    with contextlib.closing(
        sqlite3.connect(database, isolation_level=None, cached_statements=256)
    ) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        execute, many = connection.execute, connection.executemany
        began, cpu = time.perf_counter(), time.process_time()
        for sql, values, rows in steps:
            if rows:
                many(sql, values)
            else:
                execute(sql, values).fetchall()
        return time.perf_counter() - began, time.process_time() - cpu


def measure(home: Path, *, tasks: int, concurrency: int) -> dict[str, Any]:
    steps = asyncio.run(record(home, tasks, concurrency))
    after = product.rows(home, "SELECT n, status, stage, fence, seq FROM task ORDER BY n")
    events = product.rows(home, "SELECT kind, count(*) FROM event GROUP BY kind ORDER BY kind")
    again = home / "again"
    again.mkdir(mode=0o700)
    shutil.copy(home / "before.db", again / "taskhub.db")
    took, cpu = replay(again / "taskhub.db", steps)
    product.check(again, tasks)
    if (
        product.rows(again, "SELECT n, status, stage, fence, seq FROM task ORDER BY n") != after
        or product.rows(again, "SELECT kind, count(*) FROM event GROUP BY kind ORDER BY kind")
        != events
    ):
        raise AssertionError("the bare group commit did not write the same rows")
    stages = tasks * product.STAGES
    commits = sum(_word(sql) == "COMMIT" for sql, _, _ in steps)
    return {
        "rate": stages / took,
        "cpu": cpu / stages * 1e6,
        "stages per commit": stages / commits,
        "statements": (len(steps) - 2 * commits) / stages,
    }


if __name__ == "__main__":
    children.answer(measure)
