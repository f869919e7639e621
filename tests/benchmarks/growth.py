"""Whether a stage costs the same however much waits and however much is in the file."""

from collections.abc import Iterator
from typing import Any

from benchmarks.children import ChildFailed, child
from benchmarks.report import Figure, Size, Spread, number

TITLE = "Cost as it grows"

MOST = 20
"""Per cent of the fastest by which the slowest may lie below it."""


def measure(size: Size) -> Iterator[Figure]:
    tasks = size.pick(6, 100, 300)
    many = size.pick(12, 600, 2000)
    yield from _row(
        size,
        "tasks that can run, one at a time",
        [
            (f"{ready:,}", {"concurrency": 1, "ready": ready, "tasks": tasks})
            for ready in _steps(size, (1, 10, 100, 1000, 10_000))
        ],
    )
    yield from _row(
        size,
        "tasks that can run, 64 at a time",
        [
            (f"{ready:,}", {"concurrency": 64, "ready": ready, "tasks": many})
            for ready in _steps(size, (100, 1000, 10_000))
        ],
    )
    yield from _row(
        size,
        "tasks scheduled for later, 64 at a time",
        [
            (f"{later:,}", {"concurrency": 64, "later": later, "tasks": many})
            for later in (0, size.pick(100, 1000, 10_000))
        ],
    )
    for concurrency, count in ((1, tasks), (64, many)):
        yield from _row(
            size,
            f"finished tasks in the file, {concurrency} at a time",
            [
                (f"{past:,}", {"concurrency": concurrency, "past": past, "tasks": count})
                for past in (
                    size.pick(50, 1000, 1000),
                    size.pick(100, 50_000, 100_000),
                    *((1_000_000,) if size.name == "full" else ()),
                )
            ],
        )


def _steps(size: Size, steps: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(step for step in steps if step <= size.pick(10, 10_000, 10_000)) or (6, 12)


def _row(size: Size, what: str, cases: list[tuple[str, dict[str, Any]]]) -> Iterator[Figure]:
    """Measure the cases in turns, and compare the fastest with the slowest."""
    found: dict[str, list[dict[str, Any]]] = {label: [] for label, _ in cases}
    try:
        for _ in range(size.pick(1, 1, 3)):
            for label, case in cases:
                found[label].append(child("taskhub_growth", **case))
    except ChildFailed as error:
        yield Figure(what, "not measured", met=False, beside=str(error))
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
