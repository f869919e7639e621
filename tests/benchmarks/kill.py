"""How long work stands still when its worker is killed."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import product
from benchmarks.children import ChildFailed, Companion
from benchmarks.report import Figure, Size, number

TITLE = "A worker killed with its work in flight"


def measure(size: Size) -> Iterator[Figure]:
    tasks = size.pick(10, 1000, 1000)
    for other in (False, True):
        what = (
            f"SIGKILL with {tasks:,} in flight: "
            f"{'taken over by a living worker' if other else 'resumed by the next worker'}"
        )
        took: list[float] = []
        ready: list[float] = []
        try:
            for _ in range(size.pick(1, 1, 3)):
                with TemporaryDirectory(prefix="taskhub-bench-") as folder:
                    all_at, up = _killed(Path(folder), tasks, other)
                    took.append(all_at)
                    ready.append(up)
        except ChildFailed as error:
            yield Figure(what, "not measured", met=False, beside=str(error))
            continue
        most = 5 if other else 1
        beside = (
            "counted from the kill"
            if other
            else (
                f"counted from the start of its process, which needs {number(max(ready))} s"
                " until it opens the database"
            )
        )
        yield Figure(
            what, f"all within {number(max(took))} s", f"≤ {most} s", max(took) <= most, beside
        )


def _killed(home: Path, tasks: int, other: bool) -> tuple[float, float]:
    """Return after how many seconds all went on, and the worker that carries them was up."""
    with contextlib.ExitStack() as stack:
        front = stack.enter_context(Companion("front", home))
        front.until("up")
        first = stack.enter_context(Companion("worker_process", home, concurrency=tasks))
        first.until("up")
        first.tell(expect="hold", count=tasks)
        front.tell(many=tasks, agent="hold")
        front.until("made")
        first.until("all")
        second = None
        if other:
            second = stack.enter_context(Companion("worker_process", home, concurrency=tasks))
            second.until("up")
            time.sleep(1.5)  # It has had its first looks, and is idle.
            second.tell(expect="hold", count=tasks)
        at = first.kill()
        if second is None:
            second = stack.enter_context(Companion("worker_process", home, concurrency=tasks))
            at = second.began
            second.tell(expect="hold", count=tasks)
            up = second.until("up") - at
        else:
            up = 0.0
        took = second.until("all")["last"] - at
        again = product.rows(home, "SELECT count(*) FROM event WHERE kind = 'taken over'")[0][0]
        if again < tasks:
            raise AssertionError(f"{again} tasks were taken over, not {tasks}")
        second.kill()
    return took, up
