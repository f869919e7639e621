"""The one way to write: transactions of many callers share one commit, so one fsync.

While one commit is under way, what others want to write gathers; it all goes into the next
transaction, and callers wake only after the COMMIT.

A commit on a quick disk takes less time than handing it to another thread and back, and two threads
that both run Python hinder each other. So a worker commits in the thread of its event loop as long
as that is quick and nobody else has the lock; otherwise the connection's own thread waits.
"""

import asyncio
import logging
import math
import random
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from json import JSONDecodeError
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from taskhub_tui.domain.errors import Outdated, StoreError
from taskhub_tui.storage.database import BUSY_MS, explain, misread, tolerant, undecodable
from taskhub_tui.storage.guard import Guard

T = TypeVar("T")

log = logging.getLogger("taskhub.storage")

MAX_BATCH = 256
"""Most requests in one transaction."""
MAX_HERE = 64
"""Most requests of a transaction that the thread of the event loop runs."""
SLOW = 0.003
"""Seconds from which a COMMIT is slow; after two such in a row the other thread does it."""
PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds for which it is left to the other thread then; twice as long each time."""


@dataclass(slots=True)
class Tx:
    """An open transaction."""

    execute: Callable[..., sqlite3.Cursor]
    executemany: Callable[..., sqlite3.Cursor]
    seq: int
    """Number of this commit, to be stamped on every row it changes."""
    loud: bool = False
    """Set by a request that changed something other processes wait for."""
    ready: bool = False
    """Set by a request that left something to be done for an engine."""
    told: bool = False
    """Set by a request that wrote or took back a notification."""
    late: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    """Rows that nobody reads in this transaction, by the statement that writes them at its end."""
    rows: int = 0
    """How many of those there were."""
    here: bool = False
    """True in the thread of the event loop."""

    def long(self) -> None:
        """Say, before anything is changed, that what follows takes long: the loop must not wait."""
        if self.here:
            raise _Taken

    def later(self, statement: str, row: tuple[Any, ...]) -> None:
        """Write a row at the end, with all others of its kind in one call."""
        rows = self.late.get(statement)
        if rows is None:
            rows = self.late[statement] = []
        rows.append(row)
        self.rows += 1

    def write_late(self) -> None:
        """Write now what was left for the end."""
        for statement, rows in self.late.items():
            self.executemany(statement, rows)
        self.late.clear()


Request = Callable[[Tx], Any]


class _Spoilt(Exception):
    """A request failed after it had written something."""


class _Taken(Exception):
    """Another connection has the write lock, or what is to be done takes long."""


class _Garbled(Exception):
    """A request read a text that is damaged."""


class Writer:
    """Runs requests in `BEGIN IMMEDIATE` transactions on one connection."""

    def __init__(
        self,
        connection: aiosqlite.Connection,
        path: Path,
        after_commit: Callable[[Tx], None],
        guard: Guard,
        *,
        version: int,
        here: bool = False,
    ) -> None:
        """
        Args:
            version: of the schema for which this process writes.
            after_commit: called after each commit that had a loud request.
            here: commit in the thread of the event loop where that is quick.
        """
        self._connection = connection
        self._path = path
        self._after_commit = after_commit
        self._guard = guard
        self._version = version
        self._waiting: list[tuple[Request, asyncio.Future[Any]]] = []
        self._flusher: asyncio.Task[None] | None = None
        self._called = False
        """True while a flush in the thread of the event loop is about to come."""
        self._elsewhere_until = 0.0 if here else math.inf
        self._pause = PAUSE
        self._took = 0.0
        """Seconds the last COMMIT took."""
        self._slow = False
        """True when the last one here was slow."""
        self._closed = False

    async def run(self, request: Callable[[Tx], T]) -> T:
        """Run `request` in a transaction and return its result once that is on disk.

        A request that raises is undone alone. It may be run a second time, when another one spoilt
        the transaction. Cancelling the caller does not undo a request that has been handed over.

        Raises:
            StoreError: the transaction could not be committed; nothing of it was kept.
        """
        if self._closed:
            raise StoreError("The database is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._waiting.append((request, future))
        if self._flusher is None and not self._called:
            # Not at once: whoever else is about to run now may have something to write as well.
            self._called = True
            loop.call_soon(self._flush_here)
        return await future

    async def close(self) -> None:
        """Wait until everything handed over is on disk; nothing is accepted any more."""
        self._closed = True
        while self._called:
            await asyncio.sleep(0)
        while self._flusher is not None and not self._flusher.done():
            await asyncio.wait([self._flusher])

    def _flush_here(self) -> None:
        """Commit in this thread, or start the task that lets the other one do it."""
        self._called = False
        while self._waiting:
            batch = self._waiting
            if len(batch) > MAX_HERE or time.monotonic() < self._elsewhere_until:
                break
            try:
                done = self._try_here([request for request, _ in batch])
            except BaseException as error:
                self._waiting = []
                self._refuse(batch, error)
                continue
            if done is None:
                break
            self._waiting = []
            self._tell(batch, *done)
        else:
            return
        self._flusher = asyncio.get_running_loop().create_task(
            self._flush(), name="database writer"
        )

    def _try_here(self, requests: list[Request]) -> tuple[list[tuple[bool, Any]], Tx | None] | None:
        """Commit, unless somebody else is at it: this thread waits for nobody."""
        if not self._guard.take():
            return None
        try:
            done = self._commit(requests, wait=False)
        except _Taken:
            return None
        finally:
            self._guard.give_back()
        if self._took <= SLOW:
            self._slow, self._pause = False, PAUSE
        elif not self._slow:
            self._slow = True  # Perhaps it was a checkpoint, which is not for every commit.
        else:
            self._elsewhere_until = time.monotonic() + self._pause
            self._pause = min(LONGEST_PAUSE, self._pause * 2)
        return done

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
                    results, tx = await run(self._guarded, requests)
                except (Exception, asyncio.CancelledError, KeyboardInterrupt, SystemExit) as error:
                    self._refuse(batch, error)
                    me = asyncio.current_task()
                    if me is not None and me.cancelling():
                        raise
                    continue
                self._tell(batch, results, tx)
        finally:
            self._flusher = None

    def _refuse(
        self, batch: list[tuple[Request, asyncio.Future[Any]]], error: BaseException
    ) -> None:
        """Tell all callers that nothing was committed; none must wait for ever.

        Raises:
            BaseException: `error`, where it is meant for the whole program.
        """
        told = (
            self._told(error)
            if isinstance(error, Exception)
            else StoreError(f"The transaction was given up: {type(error).__name__}")
        )
        self._tell(batch, [(False, told)] * len(batch), None)
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise error

    def _tell(
        self,
        batch: list[tuple[Request, asyncio.Future[Any]]],
        results: list[tuple[bool, Any]],
        tx: Tx | None,
    ) -> None:
        """Wake the callers, and say that something was committed."""
        for (_, future), (ok, value) in zip(batch, results, strict=True):
            if future.done():
                continue  # Its caller was cancelled.
            if ok:
                future.set_result(value)
            else:
                future.set_exception(value)
                # A caller that is cancelled now does not come for its error.
                future.exception()
        if tx is not None and tx.loud:
            try:
                self._after_commit(tx)
            except Exception:
                # Such as no file descriptor left to ring with. Others look by themselves;
                # what waits here to be written must not wait with them.
                log.exception("a commit could not be announced")

    def _guarded(self, requests: list[Request]) -> tuple[list[tuple[bool, Any]], Tx | None]:
        """Commit; the guard is held until the checkpoint that a COMMIT may run has ended."""
        with self._guard:
            return self._commit(requests)

    def _commit(
        self, requests: list[Request], *, wait: bool = True
    ) -> tuple[list[tuple[bool, Any]], Tx | None]:
        """Run one transaction for all requests; the guard is held.

        Raises:
            _Taken: another has the write lock, and we are not to `wait`; nothing was done.
        """
        connection = self._connection._conn
        try:
            try:
                return self._transact(connection, requests, careful=False, wait=wait)
            except _Garbled:
                connection.execute("ROLLBACK")
                # Slower, so only from the first damaged text on.
                connection.text_factory = tolerant
                return self._commit(requests, wait=wait)
            except _Spoilt as spoilt:
                connection.execute("ROLLBACK")
                if len(requests) == 1:
                    return [(False, spoilt.args[0])], None
                try:
                    return self._transact(connection, requests, careful=True, wait=wait)
                except _Garbled:
                    connection.execute("ROLLBACK")
                    connection.text_factory = tolerant
                    return self._transact(connection, requests, careful=True, wait=wait)
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _transact(
        self,
        connection: sqlite3.Connection,
        requests: list[Request],
        *,
        careful: bool,
        wait: bool,
    ) -> tuple[list[tuple[bool, Any]], Tx]:
        """Run all requests and commit; `careful` makes each a savepoint that can be undone.

        Raises:
            _Spoilt: one that wrote something failed, and there is no savepoint to go back to.
            _Taken: another has the write lock.
        """
        execute = connection.execute
        self._begin(execute, wait)
        if execute("PRAGMA user_version").fetchone()[0] != self._version:
            # What this process writes would lack what the new version relies on, such as a seal.
            raise Outdated(
                "TaskHub was updated while this was open; nothing was changed", "Start it anew"
            )
        seq = execute("UPDATE meta SET seq = seq + 1 RETURNING seq").fetchone()[0]
        tx = Tx(execute, connection.executemany, seq, here=not wait)
        results: list[tuple[bool, Any]] = []
        for request in requests:
            if careful:
                execute("SAVEPOINT request")
            before = connection.total_changes + tx.rows
            try:
                value = request(tx)
                if careful:
                    tx.write_late()
                results.append((True, value))
            except _Taken:
                execute("ROLLBACK")
                raise
            except Exception as error:
                if not connection.in_transaction:
                    raise  # SQLite has undone all of it, as it does when the disk is full.
                if undecodable(error):
                    raise _Garbled from error
                if careful:
                    tx.late.clear()
                    execute("ROLLBACK TO request")
                elif connection.total_changes + tx.rows != before:
                    raise _Spoilt(self._told(error)) from error
                results.append((False, self._told(error)))
            if careful:
                execute("RELEASE request")
        try:
            tx.write_late()
        except sqlite3.IntegrityError as error:
            raise _Spoilt(self._told(error)) from error
        began = time.perf_counter()
        execute("COMMIT" if any(ok for ok, _ in results) else "ROLLBACK")
        self._took = time.perf_counter() - began
        return results, tx

    def _begin(self, execute: Callable[..., sqlite3.Cursor], wait: bool) -> None:
        """Take the write lock.

        SQLite itself looks again after longer and longer pauses, so that who waits longest is
        overtaken most: of six busy processes one waited a second. Short random ones are fair.
        """
        end = time.monotonic() + BUSY_MS / 1000
        while True:
            try:
                execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise
                if not wait:
                    raise _Taken from error
            time.sleep(random.uniform(0.0002, 0.002))

    def _told(self, error: Exception) -> Exception:
        if isinstance(error, sqlite3.Error | UnicodeDecodeError):
            return explain(error, self._path)
        if isinstance(error, StopIteration):  # No future takes that.
            return RuntimeError("StopIteration was raised in a transaction")
        return misread(error, self._path) if isinstance(error, JSONDecodeError) else error
