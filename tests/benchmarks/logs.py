"""What a command does to the others that says very much."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import product
from benchmarks.children import ChildFailed, Companion, environment
from benchmarks.report import Figure, Size, number

TITLE = "Commands that say very much"

ONE_LINE = "out = open(1, 'w'); [out.write('x' * 1_000_000) for _ in range({count})]"
SHORT_LINES = "out = open(1, 'w'); [print('line', i, file=out) for i in range({count})]"
"""Buffered, whatever the environment says: the command is not what is measured."""
MEMORY = 64
"""MiB by which the worker may grow for one command, however much that says."""
STALL = 0.1
"""Seconds for which others may wait: what a person takes for at once."""


def measure(size: Size) -> Iterator[Figure]:
    megabytes, lines = size.pick(1, 100, 100), size.pick(1000, 1_000_000, 1_000_000)
    for what, code in (
        (f"{megabytes} MB in one line", ONE_LINE.format(count=megabytes)),
        (f"{lines:,} short lines", SHORT_LINES.format(count=lines)),
    ):
        try:
            with TemporaryDirectory(prefix="taskhub-bench-") as folder:
                yield from _figures(Path(folder), what, code)
        except ChildFailed as error:
            yield Figure(what, "not measured", met=False, beside=str(error))


def _figures(home: Path, what: str, code: str) -> Iterator[Figure]:
    with (
        Companion("front", home) as front,
        Companion("worker_process", home, concurrency=16, pulse=True) as worker,
    ):
        front.until("up")
        worker.until("up")
        # One that says nothing first: what the agent loads is not the output's doing.
        _finish(home, front, [sys.executable, "-c", "pass"])
        worker.tell(fare=True)
        before = worker.until("fare")
        bare = _bare(home, code)
        began = time.monotonic()
        task = _finish(home, front, [sys.executable, "-c", code])
        took = time.monotonic() - began
        worker.tell(fare=True)
        after = worker.until("fare")
    grown = (after["peak"] - before["rss"]) / 1024
    yield Figure(
        f"{what}: memory of the worker",
        f"{number(grown)} MiB more at its peak",
        f"bounded: ≤ {MEMORY} MiB",
        grown <= MEMORY,
        f"{after['peak'] / 1024:.0f} MiB in all; {number(took)} s from hand-over to the end"
        f" ({number(bare)} s into a plain file),"
        f" {number(after['cpu before'] - before['cpu'])} s of the worker's processor time",
    )
    yield Figure(
        f"{what}: longest stall of the worker's loop",
        f"{after['stall'] * 1000:.0f} ms",
        f"≤ {STALL * 1000:.0f} ms, or as without",
        after["stall"] <= max(STALL, before["stall"]),
        f"{before['stall'] * 1000:.0f} ms with a command that says nothing",
    )
    seconds, peak, kept = _printed(home, task)
    yield Figure(
        f"{what}: `taskhub logs`",
        f"{number(seconds)} s",
        beside=f"{peak:.0f} MiB at its peak, {number(kept / 1e6)} MB printed",
    )


def _bare(home: Path, code: str) -> float:
    """Return the seconds the same takes that writes into a plain file."""
    began = time.monotonic()
    with (home / "bare").open("wb") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    return time.monotonic() - began


def _finish(home: Path, front: Companion, argv: list[str]) -> str:
    """Run a command as a task; return the task's ID once it is completed."""
    front.tell(run=argv)
    task: str = front.until("task")
    while True:
        ((status, error),) = product.rows(home, "SELECT status, error FROM task WHERE id = ?", task)
        if status == "completed":
            return task
        if status in ("failed", "blocked"):
            raise ChildFailed(f"the command's task is {status}: {error}")
        time.sleep(0.02)


PRINT = """
import sys
from pathlib import Path
from taskhub_tui.cli import main
code = main()
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0], file=sys.stderr)
sys.exit(code)
"""
"""What `taskhub` does, and then the peak of its memory in KiB."""


def _printed(home: Path, task: str) -> tuple[float, float, int]:
    """Return the seconds `taskhub logs` takes, its peak memory in MiB, and what it prints."""
    began = time.perf_counter()
    with (home / "printed").open("wb") as out:
        done = subprocess.run(
            [sys.executable, "-c", PRINT, "logs", task],
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(home),
            check=False,
        )
    took = time.perf_counter() - began
    if done.returncode:
        raise ChildFailed(f"`taskhub logs` ended with {done.returncode}: {done.stderr[-200:]}")
    peak = int(done.stderr.split()[-1]) / 1024
    return took, peak, (home / "printed").stat().st_size
