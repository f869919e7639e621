"""The one way to write: transactions of many callers share one commit, so one fsync.

While one commit is under way, what others want to write gathers; it all goes into the next
transaction, each request under its own savepoint, and callers wake only after the COMMIT.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from taskhub_tui.domain.errors import StoreError
from taskhub_tui.storage.database import explain
from taskhub_tui.storage.guard import Guard

T = TypeVar("T")

MAX_BATCH = 256


@dataclass(slots=True)
class Tx:
    """An open transaction."""

    execute: Callable[..., sqlite3.Cursor]
    seq: int
    """Number of this commit, to be stamped on every row it changes."""
    loud: bool = field(default=False)
    """Set by a request that changed something other processes wait for."""


Request = Callable[[Tx], Any]


class Writer:
    """Runs requests in `BEGIN IMMEDIATE` transactions on one connection."""

    def __init__(
        self,
        connection: aiosqlite.Connection,
        path: Path,
        after_commit: Callable[[], None],
        guard: Guard,
    ) -> None:
        """`after_commit` is called after each commit that had a loud request."""
        self._connection = connection
        self._path = path
        self._after_commit = after_commit
        self._guard = guard
        self._waiting: list[tuple[Request, asyncio.Future[Any]]] = []
        self._flusher: asyncio.Task[None] | None = None
        self._closed = False

    async def run(self, request: Callable[[Tx], T]) -> T:
        """Run `request` in a transaction and return its result once that is on disk.

        A request that raises is undone alone. Cancelling the caller does not undo a request that
        has been handed over.

        Raises:
            StoreError: the transaction could not be committed; nothing of it was kept.
        """
        if self._closed:
            raise StoreError("The database is closed")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._flusher is None:
            self._flusher = asyncio.create_task(self._flush(), name="database writer")
        return await asyncio.shield(future)

    async def close(self) -> None:
        """Wait until everything handed over is on disk; nothing is accepted any more."""
        self._closed = True
        while self._flusher is not None:
            await asyncio.wait([self._flusher])

    async def _flush(self) -> None:
        try:
            while self._waiting:
                batch = self._waiting[:MAX_BATCH]
                del self._waiting[:MAX_BATCH]
                requests = [request for request, _ in batch]
                # aiosqlite offers one statement a thread hop; this is its own way to run a
                # function there, and makes a commit one hop (tests/storage holds it to that).
                run: Any = self._connection._execute
                try:
                    results, loud = await run(self._guarded, requests)
                except (sqlite3.Error, StoreError, ValueError) as error:
                    reason = (
                        explain(error, self._path) if isinstance(error, sqlite3.Error) else error
                    )
                    results, loud = [(False, reason)] * len(batch), False
                for (_, future), (ok, value) in zip(batch, results, strict=True):
                    if future.done():
                        continue
                    if ok:
                        future.set_result(value)
                    else:
                        future.set_exception(value)
                        # A caller that was cancelled does not come for its error.
                        future.exception()
                if loud:
                    self._after_commit()
        finally:
            self._flusher = None

    def _guarded(self, requests: list[Request]) -> tuple[list[tuple[bool, Any]], bool]:
        """Commit; the guard is held until the checkpoint that a COMMIT may run has ended."""
        with self._guard:
            return self._commit(requests)

    def _commit(self, requests: list[Request]) -> tuple[list[tuple[bool, Any]], bool]:
        """Run in the connection's thread: one transaction for all requests."""
        connection = self._connection._conn
        results: list[tuple[bool, Any]] = []
        connection.execute("BEGIN IMMEDIATE")
        try:
            seq = connection.execute("UPDATE meta SET seq = seq + 1 RETURNING seq").fetchone()[0]
            tx = Tx(connection.execute, seq)
            alone = len(requests) == 1
            for request in requests:
                if alone:
                    results.append((True, request(tx)))
                    break
                connection.execute("SAVEPOINT request")
                try:
                    results.append((True, request(tx)))
                except Exception as error:
                    if not connection.in_transaction:
                        raise  # SQLite has undone all of it, as it does when the disk is full.
                    connection.execute("ROLLBACK TO request")
                    results.append((False, self._told(error)))
                connection.execute("RELEASE request")
            connection.execute("COMMIT")
        except Exception as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error) or len(requests) > 1:
                raise
            return [(False, error)], False
        return results, tx.loud

    def _told(self, error: Exception) -> Exception:
        return explain(error, self._path) if isinstance(error, sqlite3.Error) else error
