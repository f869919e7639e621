"""Whether a stage costs the same however much waits and however much is in the file."""

from collections.abc import Iterator
from typing import Any

from benchmarks.children import ChildFailed, child
from benchmarks.report import Figure, Size, Spread, number

TITLE = "Cost as it grows"

PAST = {"quick": (1000, 50_000), "full": (1000, 100_000, 1_000_000)}

MOST = 20
"""Per cent of the fastest by which the slowest may lie below it."""


def measure(size: Size) -> Iterator[Figure]:
    few, many = size.pick(6, 100, 300), size.pick(12, 600, 2000)
    if size.name == "tiny":
        cases = _cases("past", (50, 100), concurrency=64, tasks=many)
        yield from _row(size, "finished tasks in the file", cases)
        return
    for what, key, steps, concurrency in (
        ("tasks that can run", "ready", (1, 10, 100, 1000, 10_000), 1),
        ("tasks that can run", "ready", (100, 1000, 10_000), 64),
        ("tasks scheduled for later", "later", (0, size.pick(0, 2000, 10_000)), 64),
        ("finished tasks in the file", "past", PAST[size.name], 1),
        ("finished tasks in the file", "past", PAST[size.name], 64),
    ):
        at_once = f"{concurrency} at a time" if concurrency > 1 else "one at a time"
        tasks = many if concurrency > 1 else few
        cases = _cases(key, steps, concurrency=concurrency, tasks=tasks)
        yield from _row(size, f"{what}, {at_once}", cases)


def _cases(key: str, steps: tuple[int, ...], **same: int) -> list[tuple[str, dict[str, Any]]]:
    return [(f"{step:,}", {key: step, **same}) for step in steps]


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
