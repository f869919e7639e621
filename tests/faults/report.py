"""The fault report: all tests of faults in one table, as Markdown.

    python tests/faults/report.py                      # the short forms, a few minutes
    python tests/faults/report.py --full               # the long ones, some two hours
    python tests/faults/report.py --only sweep,storm   # some of them
    python tests/faults/report.py --into FILE          # also put it where FILE has room for it

FILE has the line `<!-- fault report -->` above and `<!-- end -->` below the place.
"""

import argparse
import contextlib
import json
import os
import platform
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import corruption
import disk_full
import kills
import load
import soak
import storm
from disk import build
from found import Found, spell
from scene import Scene

HERE = Path(__file__).resolve().parent
KILLS, TASKS = (30, 1000), (1000, 10_000)
LOAD = ((20, 0.3), (3600, 1.0))
STORM = ((6, 300), (8, 5000))
EVERY = (53, 1)
COPIES = (10, 200)
"""Short form and long form of each."""


@contextlib.contextmanager
def a_scene() -> Iterator[Scene]:
    """Make a hub of its own."""
    with tempfile.TemporaryDirectory(prefix="taskhub-") as folder:
        home = Path(folder) / "home"
        home.mkdir(mode=0o700)
        os.environ["TASKHUB_HOME"] = str(home)
        scene = Scene(home, Path(folder) / "work")
        try:
            yield scene
        finally:
            scene.kill_all()
            del os.environ["TASKHUB_HOME"]


def sweep(full: bool) -> Found:
    found = Found(0)
    with tempfile.TemporaryDirectory(prefix="taskhub-") as folder:
        lines = Path(folder) / "outcomes"
        argv = [str(HERE / "sweep.py"), "--every", str(EVERY[full]), "--json", str(lines)]
        ran = subprocess.run([sys.executable, *argv], capture_output=True, text=True)
        outcomes = [json.loads(line) for line in lines.read_text().splitlines()]
    if ran.returncode not in (0, 1) or f"{len(outcomes)} cases, " not in ran.stdout:
        found.broken.append(f"the sweep ended with {ran.returncode}: {ran.stderr[-2000:]}")
    met = [outcome for outcome in outcomes if outcome["met"]]
    found.cases = len(met)
    found.broken += [f"{o['case']}: {'; '.join(o['broken'])}" for o in outcomes if o["broken"]]
    kinds = Counter(outcome["met"] for outcome in met)
    told = sum(bool(outcome["told"]) for outcome in met)
    places = {(o["case"]["role"], o["case"]["n"]) for o in met}
    found.note = (
        f"{len(places)} places in {len({role for role, _ in places})} kinds of work: "
        + ", ".join(f"{count} × {kind}" for kind, count in kinds.most_common())
        + f"; in {told} cases somebody was told of it in a sentence"
    )
    return found


def killing(full: bool) -> Found:
    seed = str(random.SystemRandom().randrange(10**6))
    with a_scene() as scene:
        found = kills.run(scene, KILLS[full], seed)
    found.note += f" (seed {seed})"
    return found


def full_disk(full: bool) -> Found:
    with tempfile.TemporaryDirectory(prefix="taskhub-") as folder, a_scene() as scene:
        library = build(Path(folder))
        pretended = disk_full.PretendedDisk(library, scene.home, scene.work / "full")
        found = disk_full.run(scene, pretended)
    found.note = "by a library that says so to every program"
    with a_scene() as scene:
        try:
            with disk_full.small_disk(scene.home) as disk:
                more = disk_full.run(scene, disk)
                found.cases += more.cases
                found.broken += more.broken
                found.note += f"; and on a file system of {disk_full.SIZE // 1_000_000} MB"
        except PermissionError:
            found.note += "; a small file system could not be mounted here, so none was tried"
    return found


def storming(full: bool) -> Found:
    with a_scene() as scene:
        return storm.run(scene, *STORM[full])


def loading(full: bool) -> Found:
    with a_scene() as scene:
        return load.run(scene, *LOAD[full])


def soaking(full: bool) -> Found:
    with a_scene() as scene:
        return soak.run(scene, TASKS[full])


def damaging(full: bool) -> Found:
    with tempfile.TemporaryDirectory(prefix="taskhub-") as folder:
        return corruption.run(Path(folder), COPIES[full])


ALL: dict[str, tuple[str, Callable[[bool], Found]]] = {
    "sweep": ("each write goes wrong", sweep),
    "kills": ("SIGKILL at random moments", killing),
    "disk": ("full disk", full_disk),
    "storm": ("many writers", storming),
    "damage": ("damaged copies", damaging),
    "load": ("two workers, three front ends", loading),
    "soak": ("soak", soaking),
}


def machine() -> str:
    """Say what this was taken on."""
    with contextlib.suppress(OSError, AttributeError):
        words = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
        chip = words[1] if words else platform.processor()
    system = f"{platform.system()} {platform.release()}"
    python = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    load_average = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} × {chip}, {system}, {python}, load {load_average:.1f} at the start,"
        f" {time.strftime('%Y-%m-%d')}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="the long forms")
    parser.add_argument("--only", default=",".join(ALL), help="some of: %(default)s")
    parser.add_argument("--into", type=Path, help="a file with a place for the report")
    args = parser.parse_args()
    names = args.only.split(",")
    if strange := set(names) - ALL.keys():
        parser.error(f"there is no {', '.join(sorted(strange))}; there are {', '.join(ALL)}")
    form = "long" if args.full else "short"
    lines = [
        f"Taken on {machine()}, {form} forms.",
        "",
        "| what | cases | breaches | time | |",
        "|---|---:|---:|---:|---|",
    ]
    tables: list[str] = []
    broken: list[str] = []
    print("\n".join(lines))
    for name in names:
        what, run = ALL[name]
        began = time.monotonic()
        found = run(args.full)
        took = spell(time.monotonic() - began)
        row = f"| {what} | {found.cases} | {len(found.broken)} | {took} | {found.note} |"
        print(row, flush=True)
        lines.append(row)
        tables += ["", found.table] if found.table else []
        broken += [f"{name}: {breach}" for breach in found.broken]
    print("\n".join(tables))
    for breach in broken:
        print("BROKEN", breach, file=sys.stderr)
    if args.into:
        text = args.into.read_text()
        head, mark, rest = text.partition("<!-- fault report -->\n")
        _, end, tail = rest.partition("<!-- end -->\n")
        if not mark or not end:
            parser.error(f"{args.into} has no place for the report")
        report = "\n".join([*lines, *tables])
        args.into.write_text(f"{head}{mark}\n{report}\n\n{end}{tail}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
