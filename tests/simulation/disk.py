"""The thread of a database connection, as a part of the simulation.

aiosqlite gives each connection a thread and a queue. Here both are replaced, and nothing else: what
the thread would run, runs in one step at a moment that the seed chose, in the order of the queue,
and its result comes back at another such moment. In between the process may die or be stopped.
"""

import asyncio
import sqlite3
import weakref
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import aiosqlite.core

from simulation.loop import PROC, Proc
from taskhub_tui.storage.guard import Guard

if TYPE_CHECKING:
    from simulation.world import World


class NoThread:
    """Stands where aiosqlite starts its thread."""

    def __init__(self, *args: Any, **more: Any) -> None:
        pass

    def start(self) -> None:
        pass


class Thread:
    """Both ends of one connection's queue: what is put here is run, one after the other."""

    def __init__(self, world: "World") -> None:
        proc = PROC.get()
        assert proc is not None, "only simulated processes open connections"
        self._world = world
        self.proc: Proc = proc
        self._waiting: deque[tuple[asyncio.Future[Any] | None, Callable[[], Any]]] = deque()
        self._busy = False
        self._connection: sqlite3.Connection | None = None
        self._changes = 0
        world.threads.append(self)

    def put_nowait(self, item: tuple[asyncio.Future[Any] | None, Callable[[], Any]]) -> None:
        self._waiting.append(item)
        if not self._busy:
            self._next()

    def _next(self) -> None:
        self._busy = bool(self._waiting)
        if self._busy:
            future, function = self._waiting.popleft()
            self._later(
                self._world.trouble.disk_delay(self.proc), lambda: self._run(future, function)
            )

    def _later(self, delay: float, step: Callable[[], None]) -> None:
        # The thread belongs to the process, and stops and dies with it.
        loop = self._world.loop
        if delay > 0:
            loop.call_at(loop.now + delay, step, context=self.proc.context)
        else:
            loop.call_soon(step, context=self.proc.context)

    def _run(self, future: asyncio.Future[Any] | None, function: Callable[[], Any]) -> None:
        world = self._world
        if world.over:
            _told(future, None, ValueError("the simulation is over"))
            self._next()
            return
        if world.dies_before(self.proc):
            return
        result, error = None, None
        try:
            if self._connection is None:
                result = function()
                if isinstance(result, sqlite3.Connection):
                    self._connection = result
            else:
                with world.trouble.disk_fault(self.proc, self._connection):
                    result = function()
        except BaseException as raised:
            error = raised
        if self._changed() and world.committed(self.proc):
            return
        self._later(
            world.trouble.disk_delay(self.proc),
            lambda: (_told(future, result, error), self._next())[-1],
        )

    def at_once(self, function: Callable[[], Any]) -> Any:
        """Run it now, in the thread of the event loop, if the disk is quick; None if not.

        None as well when the process dies meanwhile: nothing of it runs any more.
        """
        world = self._world
        quick = not world.over and world.trouble.disk_delay(self.proc) == 0
        if not quick or self._connection is None or world.dies_before(self.proc):
            return None
        world.count("at once")
        with world.trouble.disk_fault(self.proc, self._connection):
            result = function()
        if self._changed() and world.committed(self.proc):
            return None
        return result

    def _changed(self) -> bool:
        """Return whether the last step may have changed something."""
        try:
            changes = 0 if self._connection is None else self._connection.total_changes
        except sqlite3.ProgrammingError:  # It was closed.
            self._connection, changes = None, self._changes
        before, self._changes = self._changes, changes
        return changes != before

    def close(self) -> None:
        """Close the connection as the end of its process does: nothing is written."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _told(future: asyncio.Future[Any] | None, result: Any, error: BaseException | None) -> None:
    if future is None or future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


class Connections:
    """Remembers aiosqlite's own objects, to end them without a word when the world ends."""

    def __init__(self) -> None:
        self._all: weakref.WeakSet[aiosqlite.core.Connection] = weakref.WeakSet()
        self._init = aiosqlite.core.Connection.__init__

    def init(self, connection: aiosqlite.core.Connection, *args: Any, **more: Any) -> None:
        self._init(connection, *args, **more)
        self._all.add(connection)

    def end(self) -> None:
        for connection in list(self._all):
            connection._connection = None


class Guards:
    """Remembers the locks of processes that died, to give their files back to the system."""

    def __init__(self) -> None:
        self._all: list[Guard] = []
        self._init = Guard.__init__

    def __call__(self, guard: Guard, *args: Any, **more: Any) -> None:
        self._init(guard, *args, **more)
        self._all.append(guard)

    def end(self) -> None:
        for guard in self._all:
            guard.close()
