"""Each engine is measured in a process of its own, so that none disturbs another.

A child is a module of this folder with a function `measure(home, **what)` that returns JSON; it
calls `answer(measure)` when it is run.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from taskhub_tui.text import one_line

TESTS = Path(__file__).parents[1]
MARK = "benchmark: "
PATIENCE = 1200
"""Seconds after which a child is taken to hang."""


class ChildFailed(Exception):
    """A child ended without an answer; the message is the last thing it said."""


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a process that is measured."""
    # Modules are compiled once, as on any machine, whatever the shell of who measures asks for.
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return {**env, "TASKHUB_HOME": str(home), "PYTHONPATH": str(TESTS)}


def child(module: str, home: Path | None = None, **what: Any) -> dict[str, Any]:
    """Run `benchmarks.<module>` in a process of its own and return its answer.

    Args:
        home: the folder of its hub; by default an empty one, which is removed afterwards.

    Raises:
        ChildFailed: it gave none.
    """
    if home is None:
        with tempfile.TemporaryDirectory(prefix="taskhub-bench-") as folder:
            return child(module, Path(folder), **what)
    try:
        run = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{module}", str(home), json.dumps(what)],
            env=environment(home),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
    except subprocess.TimeoutExpired:
        raise ChildFailed(f"{module} had no answer after {PATIENCE} s") from None
    for said in reversed(run.stdout.splitlines()):
        if said.startswith(MARK):
            found: dict[str, Any] = json.loads(said.removeprefix(MARK))
            return found
    last = [said for said in run.stderr.splitlines() if said.strip()][-1:]
    raise ChildFailed(one_line(f"{module} ended with {run.returncode}: {''.join(last)}", 300))


class Companion:
    """A process that is talked to in lines of JSON, while others go on; use it with `with`."""

    def __init__(self, module: str, home: Path, **what: Any) -> None:
        self.began = time.monotonic()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed in __exit__)
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.{module}", str(home), json.dumps(what)],
            env=environment(home),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self.pid = self._process.pid

    def __enter__(self) -> "Companion":
        return self

    def __exit__(self, *problem: object) -> None:
        """Let it end by itself: there is nothing more to read for it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
        self._errors.close()

    def kill(self) -> float:
        """End it with SIGKILL; return when, by the monotonic clock all processes share."""
        self._process.kill()
        at = time.monotonic()
        self._process.wait()
        return at

    def tell(self, **what: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(what) + "\n")
        self._process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """Return the next thing it says.

        Raises:
            ChildFailed: it has ended.
        """
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        if not said:
            self._errors.seek(0)
            last = self._errors.read().decode(errors="replace").strip().splitlines()[-1:]
            raise ChildFailed(one_line(f"a process has ended: {''.join(last)}", 300))
        found: dict[str, Any] = json.loads(said)
        return found

    def until(self, word: str) -> Any:
        """Return the value it says of `word`, passing over everything else it says."""
        while word not in (found := self.hear()):
            pass
        return found[word]


def answer(measure: Callable[..., dict[str, Any]]) -> None:
    """Measure what the command line asks for and print the answer."""
    folder, what = sys.argv[1:]
    print(MARK + json.dumps(measure(Path(folder), **json.loads(what))), flush=True)
