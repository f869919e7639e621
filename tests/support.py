"""What tests of the hub and the engine share: waiting for facts, and agents that do as told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from taskhub_tui.agents.port import AgentCard, Result, Stage, StageContext
from taskhub_tui.agents.registry import Registry
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.model import Interrupt, NewTask, StageSpec, Status, Task, TaskView
from taskhub_tui.hub import Hub
from taskhub_tui.worker import Worker, serve

PATIENCE = 20.0
"""Seconds after which a fact that is waited for is taken not to come."""

Script = Callable[[Stage, StageContext], Awaitable[Any]]


class ScriptedAgent:
    """An agent whose `run` is a function of the test; remembers how it was called."""

    def __init__(
        self,
        name: str,
        script: Script | None = None,
        *,
        on_interrupt: Interrupt = "ask",
        stages: tuple[StageSpec, ...] = (),
        **card: Any,
    ) -> None:
        self.card = AgentCard(name, name, "", on_interrupt=on_interrupt, stages=stages, **card)
        self.script = script
        self.runs: list[Stage] = []
        self.stops: list[str] = []
        """`ctx.stop` at the end of each run."""

    async def run(self, stage: Stage, ctx: StageContext) -> Result:
        self.runs.append(stage)
        try:
            if self.script is not None:
                return await self.script(stage, ctx)
            return Result(f"{stage.stage_id} is done")
        finally:
            self.stops.append(ctx.stop)


def until_told(go: asyncio.Event) -> Script:
    """Return what an agent does that is done as soon as `go` is set."""

    async def work(stage: Stage, ctx: StageContext) -> Result:
        await go.wait()
        return Result("done")

    return work


class House:
    """A hub, and what workers of the same agents need."""

    def __init__(self, hub: Hub, where: Paths, settings: Settings, registry: Registry) -> None:
        self.hub = hub
        self.where = where
        self.settings = settings
        self.registry = registry

    async def submit(self, request: str = "Do it", agent: str = "actor", **more: Any) -> Task:
        return await self.hub.submit(NewTask(request, agent=agent, **more))

    @asynccontextmanager
    async def worker(self, **settings: Any) -> AsyncIterator[Worker]:
        changed = replace(self.settings, **settings)
        async with working(self.where, changed, registry=self.registry) as worker:
            yield worker

    async def kinds(self, task_id: str) -> list[str]:
        """The audit trail of a task, as the kinds of its events."""
        return [event.kind for event in await self.hub.events(task_id)]

    async def said(self, task_id: str) -> list[str]:
        """The lines of a task's log."""
        return [line.text for line in (await self.hub.read_log(task_id)).lines]


@asynccontextmanager
async def house(where: Paths, settings: Settings, *agents: ScriptedAgent) -> AsyncIterator[House]:
    """Open a hub that knows these agents besides the installed ones."""
    registry = Registry(extra={agent.card.name: agent for agent in agents})
    hub = await Hub.open(paths=where, settings=settings, autostart=False, registry=registry)
    async with hub:
        yield House(hub, where, settings, registry)


@asynccontextmanager
async def working(where: Paths, settings: Settings, **options: Any) -> AsyncIterator[Worker]:
    """Run a worker for a while; leaving the block detaches it from its work."""
    up: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(where, settings, ready=up.set_result, **options))
    await asyncio.wait([up, serving], return_when=asyncio.FIRST_COMPLETED)
    if not up.done():
        await serving
    try:
        yield up.result()
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def until(
    hub: Hub, task_id: str, *wanted: Status, unless: tuple[Status, ...] = (Status.FAILED,)
) -> TaskView:
    """Wait until a task has one of the wanted states, and fail if it never gets there."""
    unless = tuple(status for status in unless if status not in wanted)
    async with asyncio.timeout(PATIENCE):
        while True:
            view = await hub.status(task_id)
            if view.task.status in wanted:
                return view
            assert view.task.status not in unless, view.task.error
            await hub.changed(0.05)


async def eventually(fact: Callable[[], Awaitable[bool]]) -> None:
    """Wait until `fact` holds."""
    async with asyncio.timeout(PATIENCE):
        while not await fact():
            await asyncio.sleep(0.01)


async def soon(fact: Callable[[], Any]) -> None:
    """Wait until `fact`, which reads no database, holds."""
    async with asyncio.timeout(PATIENCE):
        while not fact():
            await asyncio.sleep(0.005)
