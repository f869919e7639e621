"""Child: huey on SQLite with fsync, one thread for each task at once.

A task is a pipeline of three; huey keeps the result of each. It takes a job off the queue before
it runs, so what runs when its process is killed is lost: it promises less than TaskHub.
"""

import logging
import threading
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import children


def measure(home: Path, *, tasks: int, concurrency: int) -> dict[str, Any]:
    from huey import SqliteHuey
    from huey.signals import SIGNAL_COMPLETE

    logging.disable(logging.INFO)
    huey = SqliteHuey("bench", filename=str(home / "huey.db"), fsync=True)
    left = tasks * 3
    lock, over = threading.Lock(), threading.Event()

    @huey.task()
    def first(i: int) -> str:
        return "done"

    @huey.task()
    def second(before: str) -> str:
        return "done"

    @huey.task()
    def third(before: str) -> str:
        return "done"

    @huey.signal(SIGNAL_COMPLETE)
    def kept(signal: str, task: Any) -> None:
        nonlocal left
        with lock:
            left -= 1
            if left == 0:
                over.set()

    for i in range(tasks):
        huey.enqueue(first.s(i).then(second).then(third))
    consumer = huey.create_consumer(
        workers=concurrency,
        worker_type="thread",
        periodic=False,
        initial_delay=0.001,
        backoff=1.1,
        max_delay=0.01,
        check_worker_health=False,
    )
    began = time.perf_counter()
    consumer.start()
    over.wait()
    took = time.perf_counter() - began
    consumer.stop(graceful=True)
    if huey.result_count() != tasks * 3 or huey.pending_count():
        raise AssertionError(f"{huey.result_count()} results, not {tasks * 3}")
    return {"rate": tasks * 3 / took, "version": version("huey")}


if __name__ == "__main__":
    children.answer(measure)
