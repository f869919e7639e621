"""Run many seeds: `PYTHONPATH=tests python -m simulation --seeds 10000`.

One that breaks the promise is printed with the end of its trace and how to run it again.
"""

import argparse
import sys
import time
from collections import Counter

from simulation.run import simulate, workshop
from simulation.trouble import FAULTS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="run this seed alone, and print its whole trace")
    parser.add_argument("--twice", action="store_true", help="run each seed twice and compare")
    parser.add_argument(
        "--without", action="append", default=[], choices=FAULTS, help="leave a fault out"
    )
    parser.add_argument("--keep-going", action="store_true", help="do not stop at a failing seed")
    given = parser.parse_args()
    seeds = (
        [given.seed] if given.seed is not None else range(given.first, given.first + given.seeds)
    )
    began, counts, failed = time.monotonic(), Counter[str](), []
    with workshop() as shop:
        for seed in seeds:
            outcome = simulate(seed, shop, without=given.without)
            counts += outcome.counts
            again = f"python -m simulation --seed {seed}"
            if given.seed is not None:
                print("\n".join(outcome.lines))
            if given.twice and simulate(seed, shop, without=given.without).trace != outcome.trace:
                print(f"seed {seed}: two runs left different traces")
                failed.append(seed)
            if outcome.broken is not None:
                failed.append(seed)
                if given.seed is None:
                    print("\n".join(outcome.lines[-25:]))
                print(f"seed {seed}: {outcome.broken}\nrun it again: {again}", flush=True)
            if failed and not given.keep_going:
                break
    took = time.monotonic() - began
    print(f"{len(seeds)} seeds in {took:.1f} s, {len(failed)} failed {failed}; {dict(counts)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
