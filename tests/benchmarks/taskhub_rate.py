"""Child: how many durable stages a second TaskHub does."""

import asyncio
import time
from pathlib import Path
from typing import Any

from benchmarks import children, product

from taskhub_tui.agents.registry import Registry


def measure(home: Path, **what: Any) -> dict[str, Any]:
    return asyncio.run(rate(home, **what))


async def rate(
    home: Path, *, tasks: int, concurrency: int, whole: bool = False, handed: bool = True
) -> dict[str, Any]:
    """Run `tasks` of three stages; the clock starts with them on disk and ends when all are done.

    Args:
        whole: run the whole worker, with its notifier, instead of the engine alone.
        handed: False puts handing them over inside the clock.
    """
    count = product.Countdown(tasks * product.STAGES)
    registry = Registry({"t": product.TrivialAgent(count)})
    run = product.worker if whole else product.engine
    async with product.hub(home, registry) as front:
        if handed:
            await product.submit(front, tasks)
        began, cpu = time.perf_counter(), time.process_time()
        async with run(home, registry, concurrency) as running:
            if not handed:
                await product.submit(front, tasks)
            await count.over.wait()
            await product.settled(getattr(running, "engine", running))
            took, cpu = time.perf_counter() - began, time.process_time() - cpu
            product.check(home, tasks)
    stages = tasks * product.STAGES
    return {"rate": stages / took, "cpu": cpu / stages * 1e6}


if __name__ == "__main__":
    children.answer(measure)
