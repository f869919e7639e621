"""A worker as a process of its own, which says when its stages run and how it fares.

It reads words from standard input, one JSON object a line: `expect` a number of stages, and how
it fares (`fare`). It leaves when the input ends.
"""

import asyncio
import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import product
from benchmarks.front import say

from taskhub_tui.agents.port import Stage
from taskhub_tui.agents.registry import Registry

BEAT = 0.01
"""Seconds between two beats of the loop; what is longer was a stall."""


class Pulse:
    """Knows the longest time for which the loop did nothing else."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def beat(self) -> None:
        before = time.monotonic()
        while True:
            await asyncio.sleep(BEAT)
            now = time.monotonic()
            self.longest = max(self.longest, now - before - BEAT)
            before = now


class Register:
    """Counts the stages that run, and says when those expected all have."""

    def __init__(self) -> None:
        self.expected = 0
        self.seen: set[str] = set()
        self.first = 0.0

    def __call__(self, stage: Stage) -> None:
        self.first = self.first or time.monotonic()
        self.seen.add(f"{stage.task_id}/{stage.position}")
        self.look()

    def look(self) -> None:
        if self.expected and len(self.seen) >= self.expected:
            say({"all": {"first": self.first, "last": time.monotonic()}})
            self.expected = 0


def memory() -> dict[str, int]:
    """Return the resident memory of this process now, and its peak, in KiB."""
    status = Path("/proc/self/status").read_text().splitlines()
    found = dict(line.split(":", 1) for line in status if ":" in line)
    return {"rss": int(found["VmRSS"].split()[0]), "peak": int(found["VmHWM"].split()[0])}


async def serve(home: Path, *, concurrency: int, pulse: bool = False) -> None:
    held, trivial = Register(), Register()
    agents = (
        product.HoldingAgent(held),
        product.TrivialAgent(trivial),
        product.AskingAgent(),
    )
    registry = Registry({agent.card.name: agent for agent in agents})
    heart = Pulse()
    if pulse:
        beating = asyncio.create_task(heart.beat())
    async with product.worker(home, registry, concurrency) as worker:
        say({"up": time.monotonic()})
        while line := await asyncio.to_thread(sys.stdin.readline):
            asked = json.loads(line)
            if "expect" in asked:
                register = held if asked["expect"] == "hold" else trivial
                register.expected = asked["count"]
                register.look()
            else:
                say({"fare": fare(heart, worker)})
    if pulse:
        beating.cancel()


def fare(heart: Pulse, worker: Any) -> dict[str, Any]:
    """Return how this process does now, and forget the longest stall."""
    before, longest = time.process_time(), heart.longest
    gc.collect()
    heart.longest = 0.0
    return {
        "cpu before": before,
        **memory(),
        "coroutines": len(asyncio.all_tasks()),
        "busy": worker.engine.busy,
        "cpu": time.process_time(),
        "at": time.monotonic(),
        "stall": longest,
        "pid": os.getpid(),
    }


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), **json.loads(sys.argv[2])))
