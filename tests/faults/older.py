"""A database as the first version of the schema had it, with a task that waits for its turn."""

import contextlib
import json
import sqlite3
from pathlib import Path

from plan import PLAN

from taskhub_tui.storage import database

TASK = "bcdfghjk"
"""The ID of the task, which is the `house` of the plan."""

_TASK = {
    "id": TASK,
    "title": "house",
    "request": "house",
    "owner": "ann",
    "agent": "actor",
    "workdir": "/",
    "status": "pending",
    "created": 1.8e9,
    "changed": 1.8e9,
    "seq": 1,
    "options": "{}",
    "context": "[]",
    "priority": 0,
    "stage": 0,
    "stages": len(PLAN["house"]),
    "stage_name": PLAN["house"][0].name,
    "note": "",
    "ready_at": 0.0,
    "deps_left": 0,
    "fence": 0,
    "stopping": 0,
    "pausing": 0,
}


def make(path: Path) -> None:
    """Create the database at `path`."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        database.migrate(connection, database.migrations()[:1])
        connection.execute("UPDATE meta SET seq = 1")
        _insert(connection, "task", _TASK)
        for position, spec in enumerate(PLAN["house"]):
            stage = {
                "task_n": 1,
                "position": position,
                "name": spec.name,
                "agent": spec.agent,
                "status": "pending",
                "prompt": "",
                "options": json.dumps(dict(spec.options)),
                "gate": int(spec.gate),
                "review": int(spec.review),
                "weight": 1.0,
                "retries": 0,
                "retry_delay": 5.0,
                "on_interrupt": spec.on_interrupt,
                "attempt": 0,
                "failures": 0,
                "approved": 0,
                "note": "",
                "log_mark": 0,
            }
            _insert(connection, "stage", stage)


def _insert(connection: sqlite3.Connection, table: str, values: dict[str, object]) -> None:
    names = ", ".join(values)
    connection.execute(f"INSERT INTO {table} ({names}) VALUES (:{', :'.join(values)})", values)
