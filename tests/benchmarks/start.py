"""How soon a new worker is of use on a database with a long past."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import finished, front_door
from benchmarks.children import ChildFailed, Companion
from benchmarks.report import Figure, Size, Spread, number

TITLE = "A worker that starts on a long past"


def measure(size: Size) -> Iterator[Figure]:
    count, times = size.pick(100, 100_000, 100_000), size.pick(1, 3, 5)
    try:
        with TemporaryDirectory(prefix="taskhub-bench-") as folder:
            home = Path(folder)
            before, _ = _starts(home, times)
        with TemporaryDirectory(prefix="taskhub-bench-") as folder:
            home = Path(folder)
            asyncio.run(finished.fill(home, count))
            took, up = _starts(home, times)
            lists = [front_door.run(home, (*front_door.HUB, "list")) for _ in range(times + 1)][1:]
            weight = sum(file.stat().st_size for file in home.glob("taskhub.db*")) / 1e6
    except ChildFailed as error:
        yield Figure("start", "not measured", met=False, beside=str(error))
        return
    yield Figure(
        f"from a worker's process to a stage of a new task, {count:,} finished tasks in the file",
        f"{took} s",
        "≤ 1 s",
        took.median <= 1,
        f"{number(took.median / before.median)} × that with none ({before} s);"
        f" {number(up.median)} s of it until the database is open; {weight:,.0f} MB",
    )
    yield Figure(f"`taskhub list` with {count:,} finished tasks", f"{Spread(tuple(lists))} s")


def _starts(home: Path, times: int) -> tuple[Spread, Spread]:
    """Return the seconds from the start of a process to a stage, and to an open database."""
    took, ups = [], []
    with Companion("front", home) as front:
        front.until("up")
        for _ in range(times):
            front.tell(submit="t")
            front.until("task_id")
            time.sleep(0.2)
            with Companion("worker_process", home, concurrency=16) as worker:
                worker.tell(expect="t", count=1)
                ups.append(worker.until("up") - worker.began)
                took.append(worker.until("all")["first"] - worker.began)
    return Spread(tuple(took)), Spread(tuple(ups))
