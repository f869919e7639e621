"""Is the watch awake? Mistakes are planted in a copy of the product, and seeds must notice each.

PYTHONPATH=tests python -m simulation.mistakes              # all of them, some minutes
PYTHONPATH=tests python -m simulation.mistakes --seeds 500  # how many seeds each may take
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import taskhub_tui

PRODUCT = Path(taskhub_tui.__file__).parent
TESTS = Path(__file__).parents[1]
SEEDS = 200


@dataclass(frozen=True)
class Mistake:
    """One that somebody could make: a place of the product, and what stands there instead."""

    what: str
    file: str
    right: str
    wrong: str

    def plant(self, product: Path) -> None:
        """Make it in a copy of the product.

        Raises:
            ValueError: what is right stands there no more, or twice.
        """
        place = product / self.file
        text = place.read_text(encoding="utf-8")
        if text.count(self.right) != 1:
            raise ValueError(f"{self.file} has {text.count(self.right)} × {self.right!r}")
        place.write_text(text.replace(self.right, self.wrong), encoding="utf-8")


MISTAKES = (
    Mistake(
        "progress changes a row without the number of its commit", "storage/stages.py",
        "one.eta, now, tx.seq, one.n", "one.eta, now, tx.seq - 1, one.n",
    ),
    Mistake(
        "what an agent saves is forgotten", "engine/context.py",
        "kept = replace(self._stage, state=snapshot, log_mark=mark)",
        "kept = replace(self._stage, log_mark=mark)",
    ),
    Mistake(
        "a late writer's fence is not compared", "storage/stages.py",
        'seal = ? WHERE task_n = ? AND position = ?"\n'
        '        " AND (SELECT fence FROM task WHERE n = stage.task_n) = ?"',
        'seal = ? WHERE task_n = ? AND position = ?"\n'
        '        " AND (SELECT fence FROM task WHERE n = stage.task_n) >= ?"',
    ),
    Mistake(
        "a task does not wait for another", "storage/submissions.py",
        "deps_left=len(waits_for),", "deps_left=0,",
    ),
    Mistake(
        "a claim raises no fence", "storage/claims.py",
        "fence=was.fence + 1,", "fence=max(1, was.fence),",
    ),
    Mistake(
        "taking over raises no fence", "storage/claims.py",
        "SET holder = :me, fence = fence + 1, changed", "SET holder = :me, changed",
    ),
    Mistake(
        "a notification of what was answered is not taken back", "storage/changes.py",
        "if change.withdraw:", "if change.withdraw and task.status is Status.BLOCKED:",
    ),
    Mistake(
        "one more than an agent's limit goes on", "storage/lanes.py",
        "if busy(tx, agent) >= most:", "if busy(tx, agent) > most:",
    ),
    Mistake(
        "a task is claimed, and carried by nobody", "engine/engine.py",
        "self._backlog = len(claimed) == free\n        for one in claimed:",
        "self._backlog = len(claimed) == free\n        for one in claimed[1:]:",
    ),
)  # fmt: skip


def noticed(mistake: Mistake, seeds: int = SEEDS) -> str | None:
    """Return what the first seed that notices a mistake says; None when none of so many does."""
    with tempfile.TemporaryDirectory(prefix="taskhub-mistake-") as folder:
        product = Path(folder) / PRODUCT.name
        shutil.copytree(PRODUCT, product, ignore=shutil.ignore_patterns("__pycache__"))
        mistake.plant(product)
        ran = subprocess.run(
            [sys.executable, "-m", "simulation", "--seeds", str(seeds)],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{TESTS}"},
            capture_output=True,
            text=True,
        )
    if ran.returncode == 0:
        return None
    said = re.search(r"^seed \d+: .*", ran.stdout, re.MULTILINE)
    return said[0] if said else f"the simulation itself ended: {ran.stderr.strip()[-300:]}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m simulation.mistakes")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="most seeds for each")
    seeds, missed = parser.parse_args().seeds, 0
    for mistake in MISTAKES:
        said = noticed(mistake, seeds)
        missed += said is None
        print(f"{mistake.what}: {said or f'NOT NOTICED by {seeds} seeds'}", flush=True)
    print(f"{len(MISTAKES) - missed} of {len(MISTAKES)} mistakes were noticed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
