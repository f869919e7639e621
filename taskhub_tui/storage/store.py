"""The store: one writing and one reading connection to the SQLite file.

What is written and read is said in the sibling modules, as plain functions of a transaction or a
connection; this one runs them.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from taskhub_tui.domain.errors import DiskFull, StoreBusy, StoreError
from taskhub_tui.storage import database, newest
from taskhub_tui.storage.guard import Guard
from taskhub_tui.storage.writer import Tx, Writer

T = TypeVar("T")


class Store:
    """Open with `Store.open`; close it, or the process never ends."""

    def __init__(self, path: Path, *, here: bool = False) -> None:
        self.path = path
        self.after_commit: Callable[[Tx], None] = lambda tx: None
        """Called after each commit that other processes may wait for."""
        self.full: DiskFull | None = None
        """Why nothing can be written, where the disk was full when this was opened; it is tried
        again at each write."""
        self._reading: aiosqlite.Connection
        self._writing: aiosqlite.Connection
        self._guard: Guard
        self._note: newest.Newest
        self._writer: Writer
        self._opening = asyncio.Lock()
        self._here = here
        self._asked = self._answered = 0
        """How many reads the other thread was given, and has done."""
        self._closed = False
        self._refusal: Callable[[], Exception] | None = None

    @classmethod
    async def open(cls, path: Path, *, here: bool = False) -> "Store":
        """Open, and create or migrate, the database at `path`.

        Where the disk is full, a front end gets one that only reads; see `full`.

        Args:
            here: write in the thread of the event loop while that is quick: for workers, where
                much is written; a front end would rather never stand still.

        Raises:
            StoreError: it cannot be used; the message says why.
        """
        store = cls(path, here=here)
        try:
            await store._open()
        except DiskFull as error:
            if here:
                raise
            store._reading = await database.connect_to_look(path)
            store.full = error
        return store

    async def _open(self) -> None:
        writing, guard, version = await _open_to_write(self.path)
        try:
            self._reading = await database.connect(self.path, None)
        except BaseException:
            await _close(writing, guard)
            raise
        self._writing, self._guard = writing, guard
        self._note = newest.Newest(self.path)
        self._writer = Writer(
            writing,
            self.path,
            lambda tx: self.after_commit(tx),
            guard,
            self._note,
            version=version,
            here=self._here,
        )

    async def close(self) -> None:
        """Wait for what is being written, then close both connections."""
        async with self._opening:
            if self._closed:
                return
            try:
                if self.full is None:
                    await self._writer.close()
            finally:
                self._closed = True
                await self._reading.close()
                if self.full is None:
                    await _close(self._writing, self._guard)
                    self._note.close()

    def write(self, request: Callable[[Tx], T]) -> Coroutine[Any, Any, T]:
        """Run `request` in a transaction; its result comes once it is on disk.

        Raises:
            StoreError: it could not be committed.
        """
        if self._refusal is not None:
            return _raise(self._refusal())
        if self.full is not None:
            return self._write_after_all(request)
        return self._writer.run(request)

    async def _write_after_all(self, request: Callable[[Tx], T]) -> T:
        """Write, if there is room by now.

        Raises:
            DiskFull: there is none.
        """
        async with self._opening:
            if self._closed:
                raise StoreError("The database is closed")
            if self.full is not None:
                # First of all: it shares the memory it may not write with all of this process.
                await self._reading.close()
                try:
                    await self._open()
                except BaseException:
                    self._reading = await database.connect_to_look(self.path)
                    raise
                self.full = None
        return await self._writer.run(request)

    def refuse(self, why: Callable[[], Exception]) -> None:
        """From now on write nothing: whoever asks for it is told `why`."""
        self._refusal = why

    async def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run `query` in one snapshot of the database; it must fetch all it wants.

        Raises:
            StoreError: the file cannot be read.
        """
        if self.full is not None:
            async with self._opening:
                if self.full is not None and not self._closed:
                    # Each time anew: it may have been opened as a file that nobody changes.
                    await self._reading.close()
                    self._reading = await database.connect_to_look(self.path)
                return await self._read(query)
        return await self._read(query)

    async def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        self._asked += 1

        def run() -> T:
            try:
                return self._in_snapshot(query)
            finally:
                self._answered += 1

        execute: Any = self._reading._execute
        with self._explained():
            result: T = await execute(run)
            return result

    async def glance(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Read, like `read`, what an index finds at once: a worker needs no other thread for it.

        Raises:
            StoreError: the file cannot be read.
        """
        if not self._here or self._asked != self._answered or self._closed:
            return await self.read(query)
        with self._explained():
            return self._in_snapshot(query)

    def _in_snapshot(self, query: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._reading._conn
        connection.execute("BEGIN")
        try:
            return query(connection)
        except sqlite3.OperationalError as error:
            if not database.undecodable(error):
                raise
            # Slower, so only from the first damaged text on.
            connection.text_factory = database.tolerant
            return query(connection)
        finally:
            # Open statements would hold the snapshot, and the write-ahead log would grow.
            try:
                connection.execute("COMMIT")
            except sqlite3.DatabaseError:
                # After a page that could not be read; what was read before is as good as it was.
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """Say in words what goes wrong when something is read."""
        try:
            yield
        except sqlite3.Error as error:
            raise database.explain(error, self.path) from error
        except (ValueError, TypeError) as error:
            if self._closed:
                raise StoreError("The database is closed") from error
            raise database.misread(error, self.path) from error


async def _open_to_write(path: Path) -> tuple[aiosqlite.Connection, Guard, int]:
    """Open, and create or bring up to date, the database; returns its version, too.

    Raises:
        StoreError: it cannot be used.
    """
    noted = newest.known(path)
    database.refuse_lost(path)
    if noted and not path.exists():
        raise newest.gone(path)
    guard = database.create(path)
    try:
        writing = await database.connect(path, guard)
    except BaseException:
        guard.close()
        raise

    def migrate() -> int:
        newest.check(writing._conn, path, noted)
        with guard:
            version = database.migrate(writing._conn, path=path)
        # From now on the writer waits for its turn itself.
        writing._conn.execute("PRAGMA busy_timeout = 0")
        return version

    try:
        run: Any = writing._execute
        version: int = await run(migrate)
    except BaseException as error:
        await _close(writing, guard)
        if isinstance(error, sqlite3.Error | UnicodeDecodeError):
            raise database.explain(error, path) from error
        raise
    return writing, guard, version


async def _raise(error: Exception) -> Any:
    raise error


async def _close(writing: aiosqlite.Connection, guard: Guard) -> None:
    """Close a connection that writes; the last one of all writes back what the log holds."""

    def close() -> None:
        try:
            with guard:
                writing._conn.close()
        except StoreBusy:
            # Whoever holds the guard has the file open, so ours is not the last connection, and
            # its end writes nothing.
            writing._conn.close()

    run: Any = writing._execute
    try:
        await run(close)
    finally:
        await writing.close()
        guard.close()
