"""Child: what a stage costs while much waits, or much is in the file."""

import asyncio
import time
from pathlib import Path
from typing import Any

from benchmarks import children, product

from taskhub_tui.agents.port import Stage
from taskhub_tui.agents.registry import Registry
from taskhub_tui.domain.model import NewTask


class _Window:
    """Takes the time from the first stage that runs to the last one that counts."""

    def __init__(self, stages: int) -> None:
        self.stages = stages
        self.seen = 0
        self.over = asyncio.Event()

    def __call__(self, stage: Stage) -> None:
        if self.seen == 0:
            self.began, self.cpu = time.perf_counter(), time.process_time()
        self.seen += 1
        if self.seen == self.stages:
            self.took = time.perf_counter() - self.began
            self.cpu = time.process_time() - self.cpu
            self.over.set()


async def queued(home: Path, *, ready: int, later: int, tasks: int) -> None:
    """Hand over tasks of which `ready` can run at any time, and `later` not for an hour.

    Where fewer can run than are to be measured, the others wait for them in as many chains.
    """
    registry = Registry({"t": product.TrivialAgent()})
    async with product.hub(home, registry) as front:
        if later:
            when = time.time() + 3600
            for _ in range(0, later, 100):
                new = NewTask("Later", agent="t", stages=product.THREE, not_before=when)
                await asyncio.gather(*(front.submit(new) for _ in range(min(100, later))))
        made = [task.id for task in await product.submit(front, ready)]
        while len(made) < tasks:
            wave = [
                NewTask("Next", agent="t", stages=product.THREE, after=(before,))
                for before in made[-ready:]
            ]
            made += [task.id for task in await asyncio.gather(*map(front.submit, wave))]


def done(home: Path) -> int:
    """Return how many stages are done on disk; none while there is no database."""
    if not product.where(home).database.exists():
        return 0
    found: int = product.rows(home, "SELECT count(*) FROM stage WHERE status = 'done'")[0][0]
    return found


async def growth(
    home: Path, *, concurrency: int, tasks: int, ready: int = 0, later: int = 0
) -> dict[str, Any]:
    """Measure `tasks` tasks, on what is in the file already."""
    before = done(home)
    await queued(home, ready=ready or tasks, later=later, tasks=tasks)
    window = _Window(tasks * product.STAGES)
    registry = Registry({"t": product.TrivialAgent(window)})
    async with product.engine(home, registry, concurrency):
        await window.over.wait()
    # The last of those at work when the clock stopped may not have ended.
    if (more := done(home) - before) < window.stages - concurrency:
        raise AssertionError(f"{more} stages are done on disk, not {window.stages}")
    return {
        "rate": window.stages / window.took,
        "cpu": window.cpu / window.stages * 1e6,
    }


def measure(home: Path, **what: Any) -> dict[str, Any]:
    return asyncio.run(growth(home, **what))


if __name__ == "__main__":
    children.answer(measure)
