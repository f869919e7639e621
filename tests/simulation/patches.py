"""Putting a world where the product asks for time, chance, processes, threads and sockets."""

import contextlib
import gc
import logging
import math
import os
import secrets
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiosqlite.core

from simulation.disk import NoThread, Thread
from simulation.loop import PROC, Proc
from taskhub_tui import doorbell, process
from taskhub_tui.agents import registry
from taskhub_tui.engine import engine
from taskhub_tui.notifications import notifier
from taskhub_tui.storage import guard, writer

if TYPE_CHECKING:
    from simulation.world import World


@contextlib.contextmanager
def patched(world: "World") -> Iterator[None]:
    """Put the world where the product asks for time, chance, processes, threads and sockets."""
    below, hexa = world.rng("ids"), world.rng("names")

    def here() -> Proc:
        proc = PROC.get()
        assert proc is not None
        return proc

    def pid() -> int:
        proc = PROC.get()
        return real_pid() if proc is None else proc.pid

    def running(number: int) -> bool:
        return any(p.alive and p.pid == number for p in world.procs)

    def kill(number: int, signal: int) -> None:
        assert signal == 0
        if not running(number):
            raise ProcessLookupError(number)

    def at_once(its: writer.Writer, requests: list[Any]) -> Any:
        thread: Any = its._connection._tx
        return thread.at_once(lambda: try_here(its, requests))

    try_here = writer.Writer._try_here
    real_pid = os.getpid
    init = world._connections.init
    hears = _Hears(world)
    values: list[tuple[Any, str, Any]] = [
        (os, "getpid", pid),
        (secrets, "randbelow", below.randrange),
        (secrets, "token_hex", lambda n=8: f"{hexa.randrange(256**n):0{2 * n}x}"),
        (process, "os", SimpleNamespace(getpid=pid, kill=kill)),
        (process, "host", lambda: here().host),
        (process, "boot", lambda: here().boot),
        (process, "start_time", lambda number: "1" if running(number) else ""),
        # One that lives past its lease was stopped: no agent here keeps its event loop so long.
        (process, "at_work", lambda number: False),
        (doorbell.Doorbell, "listen", lambda bell: world.bells.listen(bell)),
        (doorbell.Doorbell, "ring", lambda bell: world.bells.ring(bell)),
        (doorbell.Doorbell, "close", lambda bell: world.bells.hush(bell)),
        (aiosqlite.core, "SimpleQueue", lambda: Thread(world)),
        (aiosqlite.core, "Thread", NoThread),
        (aiosqlite.core.Connection, "__init__", lambda *a, **more: init(*a, **more)),
        (engine, "LOOK", world.look),
        (engine, "TICK", world.look / 4),
        (notifier, "LOOK", world.look),
        (registry, "_named_by_others", lambda: False),
        # Who holds the lock lets go of it only when this step is over.
        (writer, "BUSY_MS", -1),
        (writer, "SLOW", math.inf),  # Real time, which is another at every run.
        (writer.Writer, "_try_here", at_once),
        (guard.Guard, "__init__", lambda *a, **more: world.guards(*a, **more)),
    ]
    logger = logging.getLogger("taskhub")
    before = [(owner, name, owner.__dict__[name]) for owner, name, _ in values]
    spreads, logger.propagate = logger.propagate, False
    logger.addHandler(hears)
    try:
        for owner, name, value in values:
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)
        logger.removeHandler(hears)
        logger.propagate = spreads


@contextlib.contextmanager
def no_garbage() -> Iterator[None]:
    """Collect no garbage in between: it takes a fifth of the time, and comes when it likes."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class _Hears(logging.Handler):
    """Puts what the product logs into the trace; an error is a bug."""

    def __init__(self, world: "World") -> None:
        super().__init__()
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        self._world.say(f"log: {record.getMessage()}")
        if record.levelno >= logging.ERROR and not self._world.over:
            why = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
            self._world.breaks(f"{record.getMessage()}\n{why}")
