"""How soon a new worker is of use on a database with a long past."""

import asyncio
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
        with (
            TemporaryDirectory(prefix="taskhub-bench-") as new,
            TemporaryDirectory(prefix="taskhub-bench-") as old,
        ):
            homes = (Path(new), Path(old))
            asyncio.run(finished.fill(homes[0], 1))
            asyncio.run(finished.fill(homes[1], count))
            weight = sum(file.stat().st_size for file in homes[1].glob("taskhub.db*")) / 1e6
            lists = (*front_door.HUB, "list")
            starts: dict[Path, list[tuple[float, float]]] = {home: [] for home in homes}
            listed: dict[Path, list[float]] = {home: [] for home in homes}
            for _ in range(times):
                for home in homes:
                    starts[home].append(_start(home))
                    listed[home].append(front_door.run(home, lists))
    except ChildFailed as error:
        yield Figure("start", "not measured", "≤ 1 s", met=False, beside=str(error))
        return
    before, took = (Spread(tuple(took for took, _ in starts[home])) for home in homes)
    up = Spread(tuple(up for _, up in starts[homes[1]]))
    yield Figure(
        f"from a worker's process to a stage of a new task, {count:,} finished tasks in the file",
        f"{took} s",
        "≤ 1 s",
        took.median <= 1,
        f"{number(took.median / before.median)} × that with one ({before} s);"
        f" {number(up.median)} s of it until the database is open; {weight:,.0f} MB",
    )
    few, many = (Spread(tuple(listed[home])) for home in homes)
    yield Figure(
        f"`taskhub list` with {count:,} finished tasks",
        f"{many} s",
        beside=f"{number(many.median / few.median)} × that with one ({few} s)",
    )


def _start(home: Path) -> tuple[float, float]:
    """Return the seconds from the start of a process to a stage, and to an open database."""
    with Companion("front", home) as front:
        front.until("up")
        front.tell(submit="t")
        front.until("task_id")
    with Companion("worker_process", home, concurrency=16) as worker:
        worker.tell(expect="t", count=1)
        up = worker.until("up") - worker.began
        return worker.until("all")["first"] - worker.began, up
