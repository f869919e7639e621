"""Whether a stage costs the same however much waits and however much is in the file."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import finished
from benchmarks.children import ChildFailed, child
from benchmarks.report import Figure, Size, Spread, number

TITLE = "Cost as it grows"

PAST = {"tiny": (50, 100), "quick": (1000, 50_000), "full": (1000, 100_000, 1_000_000)}

MOST = 20
"""Per cent of the fastest by which the slowest may lie below it."""

Case = tuple[str, Path | None, dict[str, int]]
"""What it is called, the folder it is measured in if that is filled, and what is measured."""


def measure(size: Size) -> Iterator[Figure]:
    few, many = size.pick(6, 100, 300), size.pick(12, 600, 2000)
    if size.name != "tiny":
        every = size.name == "full"
        for what, key, steps, concurrency in (
            ("tasks that can run", "ready", (1, 10, 100, 1000, 10_000) if every else (1, 5000), 1),
            ("tasks that can run", "ready", (100, 1000, 10_000) if every else (100, 5000), 64),
            ("tasks scheduled for later", "later", (0, size.pick(0, 2000, 10_000)), 64),
        ):
            tasks = many if concurrency > 1 else few
            same = {"concurrency": concurrency, "tasks": tasks}
            cases: list[Case] = [(f"{step:,}", None, {key: step, **same}) for step in steps]
            yield from _row(size, f"{what}, {_at_once(concurrency)}", cases)
    with ExitStack() as stack:
        homes = {}
        for past in PAST[size.name]:
            home = stack.enter_context(TemporaryDirectory(prefix="taskhub-bench-"))
            homes[past] = Path(home)
            asyncio.run(finished.fill(homes[past], past))
        for concurrency, tasks in ((1, few), (64, many)):
            same = {"concurrency": concurrency, "tasks": tasks}
            cases = [(f"{past:,}", home, same) for past, home in homes.items()]
            yield from _row(size, f"finished tasks in the file, {_at_once(concurrency)}", cases)


def _at_once(concurrency: int) -> str:
    return f"{concurrency} at a time" if concurrency > 1 else "one at a time"


def _row(size: Size, what: str, cases: list[Case]) -> Iterator[Figure]:
    """Measure the cases in turns, and compare the fastest with the slowest."""
    found: dict[str, list[dict[str, Any]]] = {label: [] for label, _, _ in cases}
    try:
        for _ in range(size.pick(1, 1, 3)):
            for label, home, case in cases:
                found[label].append(child("taskhub_growth", home, **case))
    except ChildFailed as error:
        yield Figure(what, "not measured", f"within {MOST} %", False, str(error))
        return
    rate = {label: Spread(tuple(one["rate"] for one in runs)) for label, runs in found.items()}
    cpu = {label: Spread(tuple(one["cpu"] for one in runs)) for label, runs in found.items()}
    spread = _spread([one.median for one in rate.values()])
    yield Figure(
        f"{what}: {' / '.join(rate)}",
        " / ".join(number(one.median) for one in rate.values()) + " /s",
        f"within {MOST} %",
        spread <= MOST,
        f"spread {spread:.0f} %; µs of CPU a stage:"
        f" {' / '.join(number(one.median) for one in cpu.values())},"
        f" spread {_spread([one.median for one in cpu.values()]):.0f} %",
    )


def _spread(values: list[float]) -> float:
    """Return by how many per cent of the largest the smallest lies below it."""
    return (max(values) - min(values)) / max(values) * 100
