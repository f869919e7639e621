"""The store: one writing and one reading connection to the SQLite file.

What is written and read is said in the sibling modules, as plain functions of a transaction or a
connection; this one runs them.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from taskhub_tui.domain.errors import StoreError
from taskhub_tui.storage import database
from taskhub_tui.storage.writer import Tx, Writer

T = TypeVar("T")


class Store:
    """Open with `Store.open`; close it, or the process never ends."""

    def __init__(
        self, path: Path, writing: aiosqlite.Connection, reading: aiosqlite.Connection
    ) -> None:
        self.path = path
        self.after_commit: Callable[[Tx], None] = lambda tx: None
        """Called after each commit that other processes may wait for."""
        self._writing = writing
        self._reading = reading
        self._writer = Writer(writing, path, lambda tx: self.after_commit(tx))
        self._closed = False

    @classmethod
    async def open(cls, path: Path) -> "Store":
        """Open, and create or migrate, the database at `path`.

        Raises:
            StoreError: it cannot be used; the message says why.
        """
        writing = await database.connect(path)
        try:
            run: Any = writing._execute
            await run(lambda: database.migrate(writing._conn))
            reading = await database.connect(path, readonly=True)
        except BaseException as error:
            await writing.close()
            if isinstance(error, sqlite3.Error):
                raise database.explain(error, path) from error
            raise
        return cls(path, writing, reading)

    async def close(self) -> None:
        """Wait for what is being written, then close both connections."""
        try:
            await self._writer.close()
        finally:
            self._closed = True
            await self._reading.close()
            await self._writing.close()

    async def write(self, request: Callable[[Tx], T]) -> T:
        """Run `request` in a transaction; its result comes once it is on disk.

        Raises:
            StoreError: it could not be committed.
        """
        return await self._writer.run(request)

    async def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run `query` in one snapshot of the database; it must fetch all it wants.

        Raises:
            StoreError: the file cannot be read.
        """

        def run() -> T:
            connection = self._reading._conn
            connection.execute("BEGIN")
            try:
                return query(connection)
            finally:
                # Open statements would hold the snapshot, and the write-ahead log would grow.
                connection.execute("COMMIT")

        execute: Any = self._reading._execute
        try:
            result: T = await execute(run)
        except sqlite3.Error as error:
            raise database.explain(error, self.path) from error
        except ValueError as error:
            if self._closed:
                raise StoreError("The database is closed") from error
            raise StoreError(
                f"The database {self.path} holds a value that cannot be right: {error}",
                "Was it written by another version of TaskHub, or by hand?",
            ) from error
        return result
