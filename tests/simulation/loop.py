"""An event loop whose time moves only when nothing is left to do, and processes that can die in it.

A simulated process is a context: whatever is scheduled in it belongs to it. When it is killed
nothing of it runs any more, not even a `finally`; when it is stopped, all of it waits.
"""

import asyncio
import contextvars
import selectors
from collections.abc import Callable, Coroutine
from typing import Any

PROC: contextvars.ContextVar["Proc | None"] = contextvars.ContextVar("process", default=None)
"""The simulated process that runs now."""


class Stuck(Exception):
    """Nothing is scheduled, so nothing will ever happen again."""


class Proc:
    """One simulated process."""

    def __init__(self, name: str, host: str, boot: str, pid: int, *, front: bool) -> None:
        self.front = front
        """True for a front end, False for a worker."""
        self.name, self.host, self.boot, self.pid = name, host, boot, pid
        self.alive = True
        """False once it was killed, or has ended."""
        self.stopped = False
        """True while it is stopped, as by SIGSTOP."""
        self.worker: str = ""
        """The ID under which its engine is on the list of workers; empty before that."""
        self.context = contextvars.copy_context()
        self.context.run(PROC.set, self)
        self._late: list[Callable[[], None]] = []
        self._tasks: list[asyncio.Task[Any]] = []

    def __repr__(self) -> str:
        return self.name

    def may_run(self, otherwise: Callable[[], None]) -> bool:
        """Return whether it runs now; one that does not keeps `otherwise` until it goes on."""
        if self.alive and not self.stopped:
            return True
        self._late.append(otherwise)
        return False

    def go_on(self) -> None:
        """Run what came while it was stopped, in order.

        For one that was killed that is when the world ends: its coroutines must end somehow.
        """
        self.alive, self.stopped = True, False
        late, self._late = self._late, []
        for callback in late:
            callback()

    def keep(self, task: asyncio.Task[Any]) -> None:
        """Hold a task, so that one of a dead process is not closed by the garbage collector."""
        if len(self._tasks) > 200:
            self._tasks = self.pending()
        self._tasks.append(task)

    def pending(self) -> list[asyncio.Task[Any]]:
        """Return its tasks that have not ended."""
        return [task for task in self._tasks if not task.done()]


class _Selector(selectors.SelectSelector):
    """Selects nothing: there are no files to wait for. Moves the time to the next timer."""

    loop: "SimLoop"

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Stuck("nothing is scheduled")
        if timeout > 0:
            # Exactly onto the timer: adding what is left could fall short for ever.
            self.loop.now = max(self.loop.now, self.loop.next_timer())
        return []


class SimLoop(asyncio.SelectorEventLoop):
    """Runs callbacks of processes that live; time is `now`, in seconds from 0."""

    def __init__(self) -> None:
        selector = _Selector()
        selector.loop = self
        self.now = 0.0
        super().__init__(selector)

    def time(self) -> float:
        return self.now

    def next_timer(self) -> float:
        """Return when the next timer is due."""
        scheduled: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        return scheduled[0].when()

    def call_soon(
        self,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        guard = _Guard(self, callback, args, context)
        guard.origin = super().call_soon(guard, context=guard.context)
        return guard.origin

    def call_at(
        self,
        when: float,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        guard = _Guard(self, callback, args, context)
        guard.origin = handle = super().call_at(when, guard, context=guard.context)
        return handle

    def call_soon_threadsafe(  # type: ignore[override]
        self,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.Handle:
        return self.call_soon(callback, *args, context=context)

    def create_task(self, coro: Coroutine[Any, Any, Any], **more: Any) -> asyncio.Task[Any]:  # type: ignore[override]
        task = super().create_task(coro, **more)
        context = more.get("context")
        proc = PROC.get() if context is None else context.get(PROC)
        if proc is not None:
            proc.keep(task)
        return task

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        """Run it in one step of its own: there are no threads here."""
        future = self.create_future()

        def run() -> None:
            try:
                result = func(*args)
            except Exception as error:
                if not future.done():
                    future.set_exception(error)
            else:
                if not future.done():
                    future.set_result(result)

        self.call_soon(run)
        return future


class _Guard:
    """A callback that runs only while its process does."""

    __slots__ = ("args", "callback", "context", "loop", "origin", "proc")

    def __init__(
        self,
        loop: SimLoop,
        callback: Callable[..., Any],
        args: tuple[Any, ...],
        context: contextvars.Context | None,
    ) -> None:
        self.loop, self.callback, self.args = loop, callback, args
        self.context = contextvars.copy_context() if context is None else context
        self.proc = self.context.get(PROC)
        self.origin: asyncio.Handle | None = None
        """What the loop gave to whoever scheduled it."""

    def __call__(self) -> None:
        # One that waited in a stopped process may have been cancelled since.
        if self.origin is not None and self.origin.cancelled():
            return
        if self.proc is None or self.proc.may_run(self.again):
            # Forgotten first: the loop's handle and this hold each other, and what is in them.
            callback, args = self.callback, self.args
            self.origin, self.callback, self.args = None, _nothing, ()
            callback(*args)

    def again(self) -> None:
        asyncio.SelectorEventLoop.call_soon(self.loop, self, context=self.context)


def _nothing() -> None:
    pass
