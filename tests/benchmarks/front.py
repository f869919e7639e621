"""A front end that says when each of its rows was on disk; here, or as a process of its own."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import product

from taskhub_tui.agents.registry import Registry
from taskhub_tui.domain.model import Action, NewTask
from taskhub_tui.hub import Hub
from taskhub_tui.storage.writer import Tx


@dataclass(frozen=True, slots=True)
class Stamp:
    """When something was handed over, by the monotonic clock that all processes share."""

    task_id: str
    called: float
    on_disk: float


class Front:
    """A hub whose commits are timed."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._committed = 0.0
        ring = hub._store.after_commit

        def committed(tx: Tx) -> None:
            self._committed = time.monotonic()
            ring(tx)

        hub._store.after_commit = committed

    async def submit(self, agent: str) -> Stamp:
        called = time.monotonic()
        (task,) = await product.submit(self.hub, 1, stages=product.one(agent))
        return Stamp(task.id, called, self._committed)

    async def approve(self, task_id: str) -> Stamp:
        called = time.monotonic()
        await self.hub.decide(task_id, Action.APPROVE)
        return Stamp(task_id, called, self._committed)


def registry() -> Registry:
    """Return the agents as a front end knows them; it runs none."""
    agents = (product.TrivialAgent(), product.AskingAgent(), product.HoldingAgent())
    return Registry({agent.card.name: agent for agent in agents})


@asynccontextmanager
async def opened(home: Path) -> AsyncIterator[Front]:
    async with product.hub(home, registry()) as hub:
        yield Front(hub)


async def serve(home: Path) -> None:
    """Do what standard input says, line by line, and answer each on standard output."""
    async with opened(home) as front:
        say({"up": time.monotonic()})
        while line := await asyncio.to_thread(sys.stdin.readline):
            asked = json.loads(line)
            if "submit" in asked:
                say(asdict(await front.submit(asked["submit"])))
            elif "many" in asked:
                stages = product.one(asked["agent"])
                made = await product.submit(front.hub, asked["many"], stages=stages)
                say({"made": [task.id for task in made]})
            elif "run" in asked:
                options = {"argv": asked["run"]}
                task = await front.hub.submit(
                    NewTask("Run it", agent="command", options=options, workdir=str(home))
                )
                say({"task": task.id})
            else:
                say(asdict(await front.approve(asked["approve"])))


def say(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
