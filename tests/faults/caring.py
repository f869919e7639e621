"""What cares for a hub, to be hit by faults: backups, putting one back, deleting, compacting.

It works on the copy of a hub in which all is done, whose last commits stand in the log only.
"""

import asyncio
import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from plan import settings

from taskhub_tui import care
from taskhub_tui.config import Paths
from taskhub_tui.domain.model import Status
from taskhub_tui.storage import soundness

OVER = (Status.COMPLETED, Status.CANCELLED)


async def back_up(paths: Paths) -> None:
    await care.back_up(paths, settings())


async def restore(paths: Paths) -> None:
    await care.restore(paths, _copy(paths))


async def prune(paths: Paths) -> None:
    await care.prune(paths, 0.0, OVER, by="ann")


async def compact(paths: Paths) -> None:
    await care.compact(paths)


ACTS: dict[str, Callable[[Paths], Coroutine[Any, Any, None]]] = {
    "backup": back_up,
    "restore": restore,
    "prune": prune,
    "compact": compact,
}


def _copy(paths: Paths) -> Path:
    """A backup that was made in good time, outside of the hub."""
    return paths.home.parent / "copy.db"


def contents(database: Path) -> list[object]:
    """Return all that a database says, as a copy of its files."""
    place = database.parent / "looked-at"
    place.mkdir()
    try:
        for path in (database, database.with_name(database.name + "-wal")):
            if path.exists():
                shutil.copy(path, place)
        with contextlib.closing(sqlite3.connect(place / database.name)) as connection:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            return [
                (name, row)
                for (name,) in sorted(names.fetchall())
                if name not in ("sqlite_stat1", "sqlite_sequence")
                for row in connection.execute(f'SELECT * FROM "{name}"')
            ]
    finally:
        shutil.rmtree(place)


_NOT_RESTORED = ("meta", "worker", "presence", "answer_token")


class Care:
    """One act of care on a finished hub, and what must be true after it was cut short."""

    def __init__(self, role: str, paths: Paths) -> None:
        self._role, self._paths = role, paths
        if role == "restore":
            asyncio.run(care.back_up(paths, settings(), _copy(paths)))
        self._before = contents(paths.database)

    def act(self) -> Coroutine[Any, Any, None]:
        return ACTS[self._role](self._paths)

    def wait(self) -> None:
        """Let time pass: names have seconds in them, and folders that nobody knows are kept for a
        while, as their task may come yet.
        """
        time.sleep(1.001 - time.time() % 1)
        for folder in self._paths.tasks.iterdir():
            os.utime(folder, (0, 0))

    def broken(self, *, again: bool) -> list[str]:
        """Say what is wrong: after a fault, or after the act was done `again` without one."""
        found = [f"the database: {words}" for words in soundness.problems(self._paths.database)]
        if found:
            return found
        for copy in care.copies(self._paths):
            wrong = soundness.problems(Path(copy.path), alone=True)
            found += [f"the backup {Path(copy.path).name}: {words}" for words in wrong]
            if not wrong and contents(Path(copy.path)) != self._before:
                found.append("a backup is not what the database is")
        now = contents(self._paths.database)
        if self._role == "prune":
            found += self._pruned(again=again)
        elif self._role == "restore":
            # One commit more: nothing in it starts by itself, and nobody is there.
            now = [row for row in now if row[0] not in _NOT_RESTORED]  # type: ignore[index]
            was = [row for row in self._before if row[0] not in _NOT_RESTORED]  # type: ignore[index]
            if now != was:
                rows = sorted({*map(repr, now)} ^ {*map(repr, was)})
                found.append(f"not as it was, in the database or in its backup: {rows}"[:500])
        elif now != self._before:
            found.append("something was lost from the database")
        if again:
            left = [path.name for path in self._paths.home.rglob("*.part*")]
            found += [f"{name} was left behind" for name in left]
        return found

    def _pruned(self, *, again: bool) -> list[str]:
        with contextlib.closing(sqlite3.connect(self._paths.database)) as connection:
            tasks = {id_ for (id_,) in connection.execute("SELECT id FROM task")}
            whole = connection.execute(
                "SELECT count(*) FROM task WHERE stages <>"
                " (SELECT count(*) FROM stage WHERE stage.task_n = task.n)"
            ).fetchone()[0]
        found = [f"{whole} tasks have lost some of their stages"] if whole else []
        folders = {path.name for path in self._paths.tasks.iterdir()}
        if gone := tasks - folders:
            found.append(f"the folders of {gone} are gone, and the tasks are there")
        if again and (tasks or folders):
            found.append(f"deleted again, there are still {tasks or folders}")
        return found
