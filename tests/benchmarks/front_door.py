"""How long a person waits for a command, each time in a new process."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import finished, product
from benchmarks.children import ChildFailed, Companion, environment
from benchmarks.report import Figure, Size, quantile

TITLE = "Commands, each in a new process"

PLAIN = ("-c", "pass")
LIBRARIES = ("-c", "import asyncio, sqlite3")
HUB = ("-m", "taskhub_tui")
FINISHED = 100
"""Tasks in the file."""
HEAVY = frozenset(
    ("textual", "rich", "pydantic", "polars", "matplotlib", "plotext", "desktop_notifier")
)


def measure(size: Size) -> Iterator[Figure]:
    with TemporaryDirectory(prefix="taskhub-bench-") as folder:
        home = Path(folder)
        (home / "config.toml").write_text("[notifications.desktop]\nenabled = false\n")
        asyncio.run(finished.fill(home, FINISHED))
        try:
            yield from _figures(home, size.pick(1, 10, 20))
        except ChildFailed as error:
            yield Figure("commands", "not measured", met=False, beside=str(error))


def _figures(home: Path, times: int) -> Iterator[Figure]:
    commands: dict[str, Sequence[str]] = {
        "python -c pass": PLAIN,
        "python, importing asyncio and sqlite3": LIBRARIES,
        "taskhub add": (*HUB, "add", "--agent", "command", "--in", "1h", "Be there later"),
        "taskhub list": (*HUB, "list"),
        "taskhub --help": (*HUB, "--help"),
    }
    took: dict[str, list[float]] = {name: [] for name in commands}
    with Companion("worker_process", home, concurrency=16) as worker:
        worker.until("up")
        for _ in range(times + 1):
            for name, words in commands.items():
                took[name].append(run(home, words))
        # While a worker is there: else it would start one, which is not what is measured.
        modules = _modules(home, commands["taskhub list"]) - _modules(home, LIBRARIES)
    bare = quantile(took["python -c pass"][1:], 0.5)
    for name, seconds in took.items():
        ours = name in ("taskhub add", "taskhub list")
        p50 = quantile(seconds[1:], 0.5)
        yield Figure(
            f"`{name}`" if name.startswith("taskhub") else name,
            f"p50 {_ms(p50)}, p95 {_ms(quantile(seconds[1:], 0.95))}",
            "p50 ≤ 250 ms" if ours else "",
            p50 <= 0.25 if ours else None,
            "" if name == "python -c pass" else f"{p50 / bare:.1f} × bare Python",
        )
    heavy = sorted({name.partition(".")[0] for name in modules} & HEAVY)
    yield Figure(
        "modules `taskhub list` imports beyond asyncio and sqlite3",
        f"{len(modules)}",
        beside=f"heavy ones: {', '.join(heavy) or 'none'}",
    )
    made = product.rows(home, "SELECT count(*) FROM task")[0][0] - FINISHED
    if made != times + 1:
        raise AssertionError(f"{made} tasks were added, not {times + 1}")


def run(home: Path, words: Sequence[str]) -> float:
    """Run Python with `words`; return the seconds it took."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *words],
        cwd=home,
        env=environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    took = time.perf_counter() - began
    if done.returncode:
        raise ChildFailed(f"{' '.join(words)}: {os.fsdecode(done.stderr).strip()[:200]}")
    return took


def _modules(home: Path, words: Sequence[str]) -> set[str]:
    """Return the names of the modules that Python loads for `words`."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *words],
        cwd=home,
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in said[1:]}


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
