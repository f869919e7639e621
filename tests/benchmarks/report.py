"""A table of figures: what was measured, what was to be reached, and what stands beside it."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

SizeName = Literal["tiny", "quick", "full"]


@dataclass(frozen=True, slots=True)
class Size:
    """How much work a run does: `tiny` only shows that the harness itself works."""

    name: SizeName
    peers: bool = True
    """False leaves other engines out."""

    def pick(self, tiny: int, quick: int, full: int) -> int:
        """Return the number that belongs to this size."""
        return {"tiny": tiny, "quick": quick, "full": full}[self.name]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table."""

    what: str
    measured: str
    reach: str = ""
    """What is to be reached, in words; empty where nothing was asked for."""
    met: bool | None = None
    beside: str = ""
    """Ratios to others, spread, and what else a reader needs to judge the figure."""

    def cells(self) -> tuple[str, str, str, str, str]:
        met = {True: "yes", False: "**no**", None: ""}[self.met]
        return self.what, self.measured, self.reach, met, self.beside


HEAD = ("figure", "measured", "to reach", "met", "beside it")


def markdown(title: str, figures: Sequence[Figure]) -> str:
    """Return one part of the table, under its title, as Markdown."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    for figure in figures:
        cells = [cell.replace("|", "\\|") for cell in figure.cells()]
        lines.append("| " + " | ".join(cells) + " |")
    return f"### {title}\n\n" + "\n".join(lines) + "\n"


def line(figure: Figure) -> str:
    """Return one figure for a terminal."""
    text = f"  {figure.what:<46} {figure.measured:<26}"
    if figure.reach:
        met = {True: "met", False: "NOT MET", None: "?"}[figure.met]
        text += f" [{figure.reach}: {met}]"
    return f"{text} {figure.beside}".rstrip()


@dataclass(frozen=True, slots=True)
class Spread:
    """Several measurements of one thing."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def __str__(self) -> str:
        if len(self.values) == 1:
            return number(self.values[0])
        return f"{number(self.median)} ({number(min(self.values))} to {number(max(self.values))})"


def number(value: float) -> str:
    """Return a number as a person would round it."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` of all do not pass."""
    ranked = sorted(values)
    # Rounded first: 0.07 * 100 is a little more than 7.
    return ranked[max(0, math.ceil(round(share * len(ranked), 6)) - 1)]
