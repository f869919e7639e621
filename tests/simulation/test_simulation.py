"""Many seeds of the simulated world: each must keep the promise, and be the same each time.

`TASKHUB_SEEDS=10000` runs more of them; `python -m simulation --seed N` shows one from close by.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from simulation.run import simulate, workshop

SEEDS = int(os.environ.get("TASKHUB_SEEDS", "500"))
SHARE = 50
"""How many seeds make one test."""


@pytest.fixture(scope="module")
def shop() -> Iterator[Path]:
    with workshop() as folder:
        yield folder


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, SEEDS, SHARE))
def test_the_promise_is_kept_whatever_goes_wrong(first: int, shop: Path) -> None:
    counts: Counter[str] = Counter()
    for seed in range(first, min(first + SHARE, SEEDS)):
        outcome = simulate(seed, shop)
        end = "\n".join(outcome.lines[-15:])
        assert outcome.broken is None, (
            f"seed {seed}: {outcome.broken}\n{end}\n"
            f"run it again: PYTHONPATH=tests python -m simulation --seed {seed}"
        )
        counts += outcome.counts
    # Else the faults had nothing to spoil, and nothing was proven.
    assert min(counts["decisions"], counts["crashes"]) > SHARE, counts


@pytest.mark.parametrize("seed", [1, 3, 7, 18, 25])
def test_a_seed_leaves_the_same_trace_each_time(seed: int, shop: Path) -> None:
    first, again = simulate(seed, shop), simulate(seed, shop)
    assert first.lines == again.lines
    assert first.trace == again.trace
    assert len(first.lines) > 50


def test_a_seed_leaves_the_same_trace_in_another_process(shop: Path) -> None:
    code = (
        "from simulation.run import *\n"
        "with workshop() as shop: print(*(simulate(seed, shop).trace for seed in (1, 3, 7)))"
    )
    tests = str(Path(__file__).parents[1])
    told = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": tests, "PYTHONHASHSEED": order},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for order in ("1", "2")
    ]
    assert told[0] == told[1] == [simulate(seed, shop).trace for seed in (1, 3, 7)]
