"""A database with very many finished tasks, made from a few that the engine really ran.

Every table's rows that belong to a task are copied under new numbers; columns are taken from the
file itself, so a migration needs no change here.
"""

import asyncio
import contextlib
import sqlite3
from pathlib import Path

from benchmarks import product

from taskhub_tui.agents.registry import Registry

REAL = 50


async def fill(home: Path, count: int) -> None:
    """Make `count` finished tasks in an empty folder; the first of them are really run."""
    real = min(REAL, count)
    ran = product.Countdown(real * product.STAGES)
    registry = Registry({"t": product.TrivialAgent(ran)})
    async with product.hub(home, registry) as front:
        await product.submit(front, real)
    async with product.engine(home, registry, 16) as engine:
        await ran.over.wait()
        await product.settled(engine)
    product.check(home, real)
    await asyncio.to_thread(multiply, home, real, count)


def multiply(home: Path, real: int, count: int) -> None:
    """Copy the `real` tasks in the file until there are `count`."""
    database = product.where(home).database
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -200000")
        connection.execute("BEGIN IMMEDIATE")
        seq = connection.execute("SELECT seq FROM meta").fetchone()[0]
        connection.execute("UPDATE notification SET planned = 1")
        for table in ("task", "stage", "event", "notification"):
            _copy(connection, table, real, count, seq)
        connection.execute("UPDATE meta SET seq = seq * ?", (count // real + 2,))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    found = product.rows(home, "SELECT count(*) FROM task WHERE status = 'completed'")[0][0]
    if found != count:
        raise AssertionError(f"{found} finished tasks are in the file, not {count}")


def _copy(connection: sqlite3.Connection, table: str, real: int, count: int, seq: int) -> None:
    """Copy the rows of one table; the c-th copy of task n has the number n + c * real."""
    number = "n" if table == "task" else "task_n"
    shifted = {
        number: f"{number} + c * :real",
        "seq": "seq + c * :seq",
    }
    names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    # A row's own number is left to the table, except where it is the task's.
    names = [name for name in names if table == "task" or name != "id"]
    if table == "task":
        shifted["id"] = "substr(id, 1, 4) || printf('%08d', n + c * :real)"
    values = [shifted.get(name, name) for name in names]
    connection.execute(
        f"WITH RECURSIVE copy (c) AS (SELECT 1 UNION ALL SELECT c + 1 FROM copy WHERE c < :copies)"
        f" INSERT INTO {table} ({', '.join(names)})"
        f" SELECT {', '.join(values)} FROM copy CROSS JOIN {table}"
        f"  WHERE {number} <= :real AND {number} + c * :real <= :count",
        {"real": real, "copies": count // real, "seq": seq, "count": count},
    )
