"""TaskHub as it is measured: its real hub, store, engine and worker, with an agent that does least.

Whatever is measured is checked: a run whose rows are not all there raises.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from taskhub_tui.agents.port import (
    AgentCard,
    Blocker,
    BlockerKind,
    Result,
    Stage,
    StageContext,
)
from taskhub_tui.agents.registry import Registry
from taskhub_tui.config import Backups, Paths, Settings, paths
from taskhub_tui.domain.model import NewTask, StageSpec, Task
from taskhub_tui.engine.engine import Engine
from taskhub_tui.hub import Hub
from taskhub_tui.storage.store import Store
from taskhub_tui.worker import Worker, serve

STAGES = 3
THREE = tuple(StageSpec(name, "t") for name in ("first", "second", "third"))


class TrivialAgent:
    """Does nothing, and says when it has done so."""

    card = AgentCard("t", "Trivial", "Does nothing", on_interrupt="rerun")

    def __init__(self, ran: Callable[[Stage], None] = lambda stage: None) -> None:
        self.ran = ran

    async def run(self, stage: Stage, ctx: StageContext) -> Result:
        self.ran(stage)
        return Result("done")


class HoldingAgent:
    """Never ends by itself, as work of hours does."""

    card = AgentCard("hold", "Holding", "Does not end", on_interrupt="rerun")

    def __init__(self, ran: Callable[[Stage], None] = lambda stage: None) -> None:
        self.ran = ran

    async def run(self, stage: Stage, ctx: StageContext) -> Result:
        self.ran(stage)
        await asyncio.Event().wait()
        raise AssertionError("it has ended")


class AskingAgent:
    """Asks a person, and is done once there is an answer."""

    card = AgentCard("ask", "Asking", "Asks", on_interrupt="rerun")

    def __init__(self, answered: Callable[[Stage], None] = lambda stage: None) -> None:
        self.answered = answered

    async def run(self, stage: Stage, ctx: StageContext) -> Result:
        await ctx.ask(Blocker("may", BlockerKind.APPROVAL, "May I go on?"))
        self.answered(stage)
        return Result("done")


def one(agent: str) -> tuple[StageSpec, ...]:
    """Return the stages of a task with one stage."""
    return (StageSpec("only", agent),)


class Countdown:
    """Waits until a number of stages have run."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.over = asyncio.Event()

    def __call__(self, stage: Stage) -> None:
        self.left -= 1
        if self.left == 0:
            self.over.set()


def settings(**more: Any) -> Settings:
    """Settings of a measured worker.

    The desktop of who runs it is left alone, and the daily backup comes at another time.
    """
    return Settings(
        owner="bench",
        notifications={"desktop": {"enabled": False}},
        backup=Backups(enabled=False),
        **more,
    )


def where(home: Path) -> Paths:
    return paths({"TASKHUB_HOME": str(home)})


@asynccontextmanager
async def hub(home: Path, registry: Registry) -> AsyncIterator[Hub]:
    """Open a front end that starts no worker."""
    opened = await Hub.open(
        paths=where(home), settings=settings(), autostart=False, registry=registry
    )
    async with opened as front:
        yield front


async def submit(
    front: Hub, count: int, *, stages: tuple[StageSpec, ...] = THREE, at_once: int = 64
) -> list[Task]:
    """Hand over `count` tasks, `at_once` at a time."""
    made: list[Task] = []
    for first in range(0, count, at_once):
        these = range(first, min(count, first + at_once))
        new = [NewTask(f"Trivial work {i}", agent="t", stages=stages) for i in these]
        made += await asyncio.gather(*(front.submit(one) for one in new))
    return made


@asynccontextmanager
async def engine(home: Path, registry: Registry, concurrency: int) -> AsyncIterator[Engine]:
    """Run an engine alone, without worker, notifier and doorbell."""
    at = where(home)
    store = await Store.open(at.database, here=True)
    try:
        made = Engine(store, registry, at, settings(concurrency=concurrency))
        store.after_commit = lambda tx: made.wake() if tx.ready else None
        running = asyncio.create_task(made.run())
        try:
            yield made
        finally:
            made.stop()
            await running
    finally:
        await store.close()


@asynccontextmanager
async def worker(home: Path, registry: Registry, concurrency: int) -> AsyncIterator[Worker]:
    """Run a whole worker in this event loop."""
    up: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve(
            where(home),
            settings(concurrency=concurrency),
            registry=registry,
            ready=up.set_result,
        )
    )
    await asyncio.wait([up, serving], return_when=asyncio.FIRST_COMPLETED)
    if not up.done():
        await serving
    try:
        yield up.result()
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


async def settled(engine: Engine) -> None:
    """Wait until the engine carries nothing: what its stages did is on disk."""
    while engine.busy:
        await asyncio.sleep(0.0005)


def rows(home: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Return what the database on disk says, by a connection of its own."""
    reading = sqlite3.connect(f"{where(home).database.as_uri()}?mode=ro", uri=True)
    with contextlib.closing(reading) as connection:
        return connection.execute(sql, values).fetchall()


def check(home: Path, tasks: int, stages: int = STAGES) -> None:
    """Raise when not exactly these tasks, each with all its stages, are done on disk."""
    done = rows(home, "SELECT count(*) FROM task WHERE status = 'completed'")[0][0]
    steps = rows(home, "SELECT count(*) FROM stage WHERE status = 'done'")[0][0]
    kept = rows(home, "SELECT count(*) FROM event WHERE kind = 'checkpoint'")[0][0]
    if (done, steps, kept) != (tasks, tasks * stages, tasks * stages):
        raise AssertionError(
            f"{done} tasks, {steps} stages and {kept} checkpoints are on disk,"
            f" not {tasks} tasks of {stages} stages"
        )
