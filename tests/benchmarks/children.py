"""Each engine is measured in a process of its own, so that none disturbs another.

A child is a module of this folder with a function `measure(home, **what)` that returns JSON; it
calls `answer(measure)` when it is run.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from taskhub_tui.text import one_line

TESTS = Path(__file__).parents[1]
MARK = "benchmark: "


class ChildFailed(Exception):
    """A child ended without an answer; the message is the last thing it said."""


def environment(home: Path) -> dict[str, str]:
    """Return the environment of a process that is measured."""
    return {
        **os.environ,
        "TASKHUB_HOME": str(home),
        "PYTHONPATH": str(TESTS),
        "PYTHONUNBUFFERED": "1",
    }


def child(module: str, **what: Any) -> dict[str, Any]:
    """Run `benchmarks.<module>` in a process and an empty folder of its own; return its answer.

    Raises:
        ChildFailed: it gave none.
    """
    with tempfile.TemporaryDirectory(prefix="taskhub-bench-") as folder:
        run = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{module}", folder, json.dumps(what)],
            env=environment(Path(folder)),
            capture_output=True,
            text=True,
            check=False,
        )
    for said in reversed(run.stdout.splitlines()):
        if said.startswith(MARK):
            found: dict[str, Any] = json.loads(said.removeprefix(MARK))
            return found
    last = [said for said in run.stderr.splitlines() if said.strip()][-1:]
    raise ChildFailed(one_line(f"{module} ended with {run.returncode}: {''.join(last)}", 300))


def answer(measure: Callable[..., dict[str, Any]]) -> None:
    """Measure what the command line asks for and print the answer."""
    folder, what = sys.argv[1:]
    print(MARK + json.dumps(measure(Path(folder), **json.loads(what))), flush=True)
