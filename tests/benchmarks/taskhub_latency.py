"""Child: how long an idle worker takes from what is on disk to the stage that runs."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks import children, front, product
from benchmarks.front import Stamp
from benchmarks.report import quantile

from taskhub_tui.agents.port import Stage
from taskhub_tui.agents.registry import Registry

REST = 0.05
"""Seconds between two measurements, so that each finds the worker idle."""


class _Remote:
    """A front end in another process."""

    def __init__(self, process: children.Companion) -> None:
        self._process = process

    async def submit(self, agent: str) -> Stamp:
        return await self._ask(submit=agent)

    async def approve(self, task_id: str) -> Stamp:
        return await self._ask(approve=task_id)

    async def _ask(self, **what: Any) -> Stamp:
        self._process.tell(**what)
        return Stamp(**await asyncio.to_thread(self._process.hear))


@asynccontextmanager
async def _front(home: Path, other: bool) -> AsyncIterator[_Remote | front.Front]:
    if not other:
        async with front.opened(home) as here:
            yield here
        return
    with children.Companion("front", home) as process:
        await asyncio.to_thread(process.until, "up")
        yield _Remote(process)


async def latency(home: Path, *, times: int, other: bool) -> dict[str, Any]:
    """Hand over, and then approve, `times` times; `other` does so from another process."""
    reached: dict[str, float] = {}
    news = asyncio.Event()

    def note(stage: Stage) -> None:
        reached[stage.task_id] = time.monotonic()
        news.set()

    async def until(task_id: str) -> float:
        while task_id not in reached:
            news.clear()
            await news.wait()
        return reached.pop(task_id)

    agents = Registry({"t": product.TrivialAgent(note), "ask": product.AskingAgent(note)})
    started: list[tuple[float, float]] = []
    resumed: list[tuple[float, float]] = []
    async with product.worker(home, agents, 16) as worker, _front(home, other) as ends:

        async def rest() -> None:
            await product.settled(worker.engine)
            await asyncio.sleep(REST)

        for _ in range(times + 3):
            stamp = await ends.submit("t")
            at = await until(stamp.task_id)
            started.append((at - stamp.on_disk, at - stamp.called))
            await rest()
        for _ in range(times + 3):
            stamp = await ends.submit("ask")
            while not product.rows(
                home, "SELECT 1 FROM task WHERE id = ? AND status = 'blocked'", stamp.task_id
            ):
                await asyncio.sleep(0.005)
            await rest()
            stamp = await ends.approve(stamp.task_id)
            at = await until(stamp.task_id)
            resumed.append((at - stamp.on_disk, at - stamp.called))
            await rest()
    return {"started": _summary(started[3:]), "resumed": _summary(resumed[3:])}


def _summary(took: list[tuple[float, float]]) -> dict[str, float]:
    on_disk, called = zip(*took, strict=True)
    return {
        "p50": quantile(on_disk, 0.5),
        "p99": quantile(on_disk, 0.99),
        "from call": quantile(called, 0.5),
    }


def measure(home: Path, **what: Any) -> dict[str, Any]:
    return asyncio.run(latency(home, **what))


if __name__ == "__main__":
    children.answer(measure)
