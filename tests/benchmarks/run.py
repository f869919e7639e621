"""Print TaskHub's figures in one table, each beside its peers in the same run.

python tests/benchmarks/run.py [--quick] [--only throughput,latency] [--write FILE]
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import machine
from benchmarks.report import Figure, Size, line, markdown

PARTS = (
    "throughput",
    "latency",
    "waiting",
    "kill",
    "start",
    "front_door",
    "growth",
    "logs",
    "app",
)
PART = "<!-- part: "
SAME = ("processor", "memory", "system", "Python", "SQLite")
"""What must be alike for two parts to stand in one table."""
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measure TaskHub beside its peers")
    parser.add_argument("--quick", action="store_true", help="less work: a few minutes")
    parser.add_argument("--tiny", action="store_true", help="only show that it works")
    parser.add_argument("--no-peers", action="store_true", help="leave other engines out")
    parser.add_argument("--only", default="", help=f"some of: {','.join(PARTS)}")
    parser.add_argument(
        "--write",
        type=Path,
        metavar="FILE",
        help=f"put the table into this Markdown file, between `{BEGIN}` and `{END}`",
    )
    given = parser.parse_args(argv)
    only = [name for name in given.only.split(",") if name] or list(PARTS)
    if unknown := [one for one in only if one not in PARTS]:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    if given.write and not all(mark in given.write.read_text() for mark in (BEGIN, END)):
        parser.error(f"{given.write} has no place for the table")
    size = Size(
        "tiny" if given.tiny else "quick" if given.quick else "full", peers=not given.no_peers
    )
    facts = machine.describe()
    for what, value in facts:
        print(f"{what:<18} {value}")
    for one in only:
        module = part(one)
        title = f"{module.TITLE} ({machine.now()})"
        print(f"\n{title}", flush=True)
        figures: list[Figure] = []
        for figure in module.measure(size):
            figures.append(figure)
            print(line(figure), flush=True)
        if given.write:
            put(given.write, facts, one, markdown(title, figures))
    return 0


def part(name: str) -> Any:
    """Return the module that measures one part of the table."""
    return import_module(f"benchmarks.{name}")


def put(file: Path, facts: Sequence[tuple[str, str]], name: str, table: str) -> None:
    """Write one part of the table into a page.

    What stands there of other parts is kept, if it was taken on the same processor and system.
    """
    before, _, rest = file.read_text(encoding="utf-8").partition(BEGIN)
    there, _, after = rest.partition(END)
    told = "\n".join(f"| {what} | {value} |" for what, value in facts)
    kept: dict[str, str] = {}
    if all(f"| {what} | {value} |" in there for what, value in facts if what in SAME):
        for section in there.split(PART)[1:]:
            title, _, text = section.partition(" -->\n")
            kept[title] = text.strip() + "\n"
    kept[name] = table
    sections = [f"{PART}{one} -->\n{kept[one]}" for one in PARTS if one in kept]
    text = f"| the machine | |\n|---|---|\n{told}\n\n" + "\n".join(sections)
    file.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
