"""What tasks cost that wait for a person."""

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import product
from benchmarks.children import ChildFailed, Companion
from benchmarks.report import Figure, Size, number

TITLE = "Tasks that wait for a person"


def measure(size: Size) -> Iterator[Figure]:
    tasks, idle = size.pick(20, 2000, 10_000), size.pick(1, 5, 20)
    try:
        with TemporaryDirectory(prefix="taskhub-bench-") as folder:
            yield from _figures(Path(folder), tasks, idle)
    except ChildFailed as error:
        yield Figure(f"{tasks:,} tasks", "not measured", met=False, beside=str(error))


def _figures(home: Path, tasks: int, idle: int) -> Iterator[Figure]:
    with Companion("front", home) as front, Companion("worker_process", home, concurrency=64) as w:
        front.until("up")
        w.until("up")
        # The first ones fill caches that are there once, however many tasks wait.
        warm = min(200, tasks)
        _park(home, front, warm)
        before = _fare(w)
        began = time.monotonic()
        _park(home, front, tasks)
        took = time.monotonic() - began
        after = _fare(w)
        time.sleep(idle)
        rested = _fare(w)
    each = (after["rss"] - before["rss"]) / tasks
    yield Figure(
        f"{tasks:,} tasks wait: memory of the worker for each",
        f"{number(max(each, 0.0))} KiB",
        "≤ 2 KiB",
        each <= 2,
        f"{after['rss'] / 1024:.0f} MiB in all; handed over and asked in {number(took)} s",
    )
    more = after["coroutines"] - before["coroutines"]
    yield Figure(
        "coroutines they keep in the worker",
        f"{max(more, 0)}",
        "none",
        more <= 0,
        f"{after['coroutines']} asyncio tasks in all",
    )
    share = (rested["cpu before"] - after["cpu"]) / (rested["at"] - after["at"]) * 100
    yield Figure(
        f"processor time of the worker, over {idle} s",
        f"{share:.2f} % of a core",
        "< 0.5 %",
        share < 0.5,
    )
    # Who was there when they were asked has grown by its work; who comes later has not.
    with Companion("worker_process", home, concurrency=64) as later:
        later.until("up")
        time.sleep(1)
        loaded = _fare(later)
    with (
        TemporaryDirectory(prefix="taskhub-bench-") as empty,
        Companion("worker_process", Path(empty), concurrency=64) as none,
    ):
        none.until("up")
        time.sleep(1)
        base = _fare(none)
    each = (loaded["rss"] - base["rss"]) / (tasks + warm)
    yield Figure(
        "memory for each in a worker that starts later",
        f"{number(max(each, 0.0))} KiB",
        "≤ 2 KiB",
        each <= 2,
        f"{loaded['rss'] / 1024:.0f} MiB in all, {base['rss'] / 1024:.0f} without any task",
    )


def _park(home: Path, front: Companion, count: int) -> None:
    """Hand over tasks that ask, and wait until each has asked."""
    sql = "SELECT count(*) FROM task WHERE status = 'blocked'"
    there = product.rows(home, sql)[0][0]
    front.tell(many=count, agent="ask")
    front.until("made")
    while product.rows(home, sql)[0][0] < there + count:
        time.sleep(0.05)
    while product.rows(home, "SELECT 1 FROM notification WHERE planned = 0 LIMIT 1"):
        time.sleep(0.05)


def _fare(worker: Companion) -> dict[str, float]:
    """Return how a worker fares once it has nothing more to do."""
    while True:
        worker.tell(fare=True)
        found: dict[str, float] = worker.until("fare")
        if not found["busy"]:
            return found
        time.sleep(0.05)
