"""Durable stages a second: TaskHub, its peers, and the bare group commit, in turns."""

from collections.abc import Iterator
from typing import Any

from benchmarks.children import ChildFailed, child
from benchmarks.report import Figure, Size, Spread, number

TITLE = "Durable stages per second"

Runs = dict[str, list[dict[str, Any]]]


def measure(size: Size) -> Iterator[Figure]:
    for concurrency, reach in ((64, 10_000), (1, 2_500)):
        yield from _at(size, concurrency, reach)


def _at(size: Size, concurrency: int, reach: int) -> Iterator[Figure]:
    tasks = size.pick(20, 1000, 4000) if concurrency > 1 else size.pick(5, 300, 1000)
    ours: dict[str, dict[str, Any]] = {
        "engine": {"module": "taskhub_rate", "tasks": tasks},
        "worker": {"module": "taskhub_rate", "tasks": tasks, "whole": True},
        "handed": {"module": "taskhub_rate", "tasks": tasks, "whole": True, "handed": False},
        "bare": {"module": "group_commit", "tasks": tasks},
    }
    runs: Runs = {}
    failed: dict[str, str] = {}
    for _ in range(size.pick(1, 2, 3)):
        for name, what in ours.items():
            if name in failed:
                continue
            try:
                found = child(**what, concurrency=concurrency)
                runs.setdefault(name, []).append(found)
            except ChildFailed as error:
                failed[name] = str(error)
    rate = {name: Spread(tuple(one["rate"] for one in found)) for name, found in runs.items()}
    cpu = {name: Spread(tuple(one["cpu"] for one in found)) for name, found in runs.items()}
    at_once = f"{concurrency} tasks at once" if concurrency > 1 else "one task at a time"
    if "engine" in rate:
        best = rate["engine"].median
        yield Figure(
            f"engine, {at_once}",
            f"{rate['engine']} /s",
            f"≥ {reach:,}",
            best >= reach,
            f"{number(cpu['engine'].median)} µs of CPU a stage",
        )
    for name, words in (
        ("worker", f"whole worker with notifier, {at_once}"),
        ("handed", f"the same, handing over inside the clock, {at_once}"),
    ):
        if name in rate:
            yield Figure(
                words, f"{rate[name]} /s", beside=f"{number(cpu[name].median)} µs of CPU a stage"
            )
    if "bare" in rate and "engine" in rate:
        ratio = rate["bare"].median / rate["engine"].median
        yield Figure(
            f"bare group commit of the same rows, {at_once}",
            f"{rate['bare']} /s",
            "≤ 3 × the engine" if concurrency > 1 else "",
            ratio <= 3 if concurrency > 1 else None,
            f"{ratio:.1f} × the engine; {number(cpu['bare'].median)} µs of CPU a stage,"
            f" {runs['bare'][-1]['stages per commit']:.1f} stages a commit,"
            f" {runs['bare'][-1]['statements']:.1f} statements a stage",
        )
    for name, why in failed.items():
        yield Figure(f"{name}, {at_once}", "could not be measured", beside=why)
