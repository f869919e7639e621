"""The charts: each as a picture beside the report, and as plain text for the terminal."""

import itertools
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskhub_tui.agents.analyst import measures as m
from taskhub_tui.text import one_line

if TYPE_CHECKING:
    import polars as pl

# Okabe-Ito first: told apart by colour-blind people too.
COLOURS = ("#56B4E9", "#E69F00", "#3FA98A", "#E8743B", "#0072B2", "#CC79A7", "#7A6FB0", "#8A8F98")
MOST_LINES = len(COLOURS)
MOST_PANELS = 4
_INK, _QUIET, _GRID, _PAPER = "#2B2F36", "#6B7280", "#E3E5E8", "#FFFFFF"
_TEXT_WIDTH = 90
_PLOTEXT = threading.Lock()  # plotext keeps one figure for the whole process


@dataclass(frozen=True)
class Line:
    """One curve."""

    name: str
    days: list[date]
    values: list[float]
    marks: list[tuple[date, float, str]] = field(default_factory=list)
    """Points to mark: day, value, up or down."""
    others: list[tuple[str, list[date], list[float]]] = field(default_factory=list)
    """Quieter curves in the same panel."""


@dataclass(frozen=True)
class Chart:
    """What is shown; drawn by `picture` and `text`."""

    name: str
    title: str
    lines: list[Line]
    unit: str = ""
    """'%' when the values are shares; else nothing."""
    band: tuple[date, date] | None = None
    """The period, shaded."""
    level: float | None = None
    """A horizontal line, such as 100."""
    panels: bool = False
    """A panel of its own for each line (with its own scale)."""
    fill: bool = False


def line_of(frame: "pl.DataFrame", column: str, name: str, first: date, last: date) -> Line:
    """A curve from a frame with `date`, from `first` to `last`."""
    cut = m.within(frame.select("date", column).drop_nulls(), m.Span(first, last))
    return Line(name, cut["date"].to_list(), cut[column].to_list())


def picture(chart: Chart, path: Path) -> None:
    """Draw as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    count = len(chart.lines) if chart.panels else 1
    columns = 2 if count > 1 else 1
    rows = math.ceil(count / columns)
    figure = Figure(figsize=(10.0, 4.2 if rows == 1 else 3.1 * rows), dpi=144, layout="constrained")
    FigureCanvasAgg(figure)
    figure.set_facecolor(_PAPER)
    axes = figure.subplots(rows, columns, squeeze=False)
    figure.suptitle(
        _shown(chart.title), x=0.012, ha="left", color=_INK, fontsize=13, fontweight="bold"
    )
    flat = [ax for row in axes for ax in row]
    for ax in flat[count:]:
        ax.set_visible(False)
    for ax in flat[:count]:
        _dress(ax, chart)
    if chart.panels:
        for ax, line in zip(flat, chart.lines, strict=False):
            _panel(ax, line)
        handles, labels = flat[0].get_legend_handles_labels()
        if len(labels) > 1:
            figure.legend(
                handles, labels, loc="outside upper right", ncols=4, frameon=False,
                fontsize=9, labelcolor=_QUIET,
            )  # fmt: skip
    else:
        ends: list[tuple[float, str, str]] = []
        for line, colour in zip(chart.lines, COLOURS, strict=False):
            flat[0].plot(
                line.days,
                line.values,
                color=colour,
                lw=1.8 if len(line.days) < 300 else 1.2,
                solid_capstyle="round",
            )
            if chart.fill:
                flat[0].fill_between(line.days, line.values, color=colour, alpha=0.10, lw=0)
            ends.append((line.values[-1], line.name, colour))
        _label_ends(flat[0], chart, ends)
    figure.savefig(path, format="png", facecolor=_PAPER, metadata={"Software": None})


def heat_map(title: str, names: Sequence[str], matrix: Any, path: Path) -> None:
    """Draw a correlation matrix as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure

    size = len(names)
    side = 2.2 + 0.55 * size
    figure = Figure(figsize=(max(side + 1.4, 6.0), side), dpi=144, layout="constrained")
    FigureCanvasAgg(figure)
    figure.set_facecolor(_PAPER)
    ax = figure.subplots()
    colours = LinearSegmentedColormap.from_list("muted", [COLOURS[3], "#FAFAF8", COLOURS[4]])
    values = [[math.nan if v is None else v for v in row] for row in matrix]
    image = ax.imshow(values, cmap=colours, vmin=-1, vmax=1)
    short = [_shown(_shorter(name, 18)) for name in names]
    ax.set_xticks(
        range(size),
        short,
        rotation=40 if size > 4 else 0,
        ha="right" if size > 4 else "center",
        fontsize=9,
        color=_INK,
    )
    ax.set_yticks(range(size), short, fontsize=9, color=_INK)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_xticks([x - 0.5 for x in range(1, size)], minor=True)
    ax.set_yticks([y - 0.5 for y in range(1, size)], minor=True)
    ax.grid(which="minor", color=_PAPER, lw=2)
    ax.tick_params(which="minor", length=0)
    for y, row in enumerate(matrix):
        for x, value in enumerate(row):
            ink = _PAPER if value is not None and abs(value) > 0.6 else _INK
            shown = "–" if value is None else f"{value:.2f}".replace("-", "−")
            ax.text(x, y, shown, ha="center", va="center", fontsize=9, color=ink)
    bar = figure.colorbar(image, ax=ax, shrink=0.7, aspect=22, ticks=[-1, -0.5, 0, 0.5, 1])
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelsize=8, labelcolor=_QUIET)
    figure.suptitle(_shown(title), x=0.02, ha="left", color=_INK, fontsize=12, fontweight="bold")
    figure.savefig(path, format="png", facecolor=_PAPER, metadata={"Software": None})


def text(chart: Chart) -> str:
    """The chart in plain characters, without colour codes: a panel for each line."""
    values = [v for line in chart.lines[:MOST_PANELS] for v in line.values]
    shared = None if chart.panels or not values else (min(values), max(values))
    blocks = [chart.title, ""]
    for line in chart.lines[:MOST_PANELS]:
        blocks.append(_text_panel(chart, line, shared))
    rest = [line.name for line in chart.lines[MOST_PANELS:]]
    if rest:
        blocks.append(f"In the picture also: {', '.join(rest)}.")
    return "\n".join(blocks).rstrip() + "\n"


def heat_text(title: str, names: Sequence[str], matrix: Any) -> str:
    """The correlation matrix in plain characters: shade and number."""
    width = max(len(_shorter(name, 16)) for name in names)
    rows = [title, ""]
    marks = [f"{_letter(i)}" for i in range(len(names))]
    rows.append(" " * (width + 4) + "".join(f"{mark:>7}" for mark in marks))
    for i, name in enumerate(names):
        cells = []
        for value in matrix[i]:
            if value is None:
                cells.append("      –")
            else:
                shade = "·░▒▓█"[min(4, int(abs(value) * 5))]
                cells.append(f" {shade}" + f"{value:.2f}".replace("-", "−").rjust(5))
        rows.append(f" {marks[i]}  {_shorter(name, 16):<{width}}" + "".join(cells))
    return "\n".join(rows) + "\n\nThe darker the mark, the stronger; − is in opposite ways.\n"


def _text_panel(chart: Chart, line: Line, shared: tuple[float, float] | None) -> str:
    import plotext

    scale = 100.0 if chart.unit == "%" else 1.0
    days = [day.toordinal() for day in line.days]
    values = [v * scale for v in line.values]
    low, high = shared or (min(line.values), max(line.values))
    low, high = low * scale, high * scale
    if high - low < 1e-12 * max(abs(high), 1e-9):
        low, high = low - 1, high + 1
    with _PLOTEXT:
        plotext.clear_figure()
        plotext.theme("clear")
        plotext.plotsize(_TEXT_WIDTH, 14)
        for _, other_days, other in line.others[:1]:
            plotext.plot(
                [d.toordinal() for d in other_days], [v * scale for v in other], marker="·"
            )
        plotext.plot(days, values, marker="braille")
        plotext.ylim(low, high)
        plotext.xlim(days[0], max(days[-1], days[0] + 1))
        ticks = _ticks(line.days[0], line.days[-1], 6)
        plotext.xticks([day.toordinal() for day in ticks], [_tick(day, ticks) for day in ticks])
        steps = [low + (high - low) * n / 4 for n in range(5)]
        digits = 0 if high - low >= 20 else 1 if high - low >= 2 else 2 if high - low > 0.2 else 4
        plotext.yticks(steps, [f"{step:,.{digits}f}{chart.unit}" for step in steps])
        drawn = plotext.uncolorize(plotext.build())
        plotext.clear_figure()
    last = f"{values[-1]:,.2f}{' %' if chart.unit else ''}"
    beside = f"  · {line.others[0][0]}" if line.others else ""
    lines = [row.rstrip() for row in drawn.splitlines()]
    return "\n".join([f"{_shorter(line.name, 40)}   last {last}{beside}", *lines, ""])


def _dress(ax: Any, chart: Chart) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.ticker import FuncFormatter

    ax.set_facecolor(_PAPER)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color(_GRID)
    ax.grid(axis="y", color=_GRID, lw=0.7)
    ax.set_axisbelow(True)
    ax.tick_params(length=0, labelsize=9, labelcolor=_QUIET)
    locator = AutoDateLocator(minticks=3, maxticks=8)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    ax.xaxis.get_offset_text().set_color(_QUIET)
    if chart.unit == "%":
        ax.yaxis.set_major_formatter(
            FuncFormatter(lambda v, _: f"{100 * v:.0f} %".replace("-", "−"))
        )
    else:
        ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:,.4g}".replace("-", "−")))
    if chart.band:
        ax.axvspan(chart.band[0], chart.band[1], color="#F3F4F6", lw=0, zorder=0)
    if chart.level is not None:
        ax.axhline(chart.level, color=_QUIET, lw=0.8, ls=(0, (4, 3)), zorder=1)


def _panel(ax: Any, line: Line) -> None:
    ax.set_title(_shown(_shorter(line.name, 40)), loc="left", fontsize=10, color=_INK)
    for (name, days, values), colour in zip(line.others, COLOURS[1:], strict=False):
        ax.plot(days, values, color=colour, lw=1.2, label=_shown(name))
    ax.plot(line.days, line.values, color=COLOURS[0], lw=1.5, label="price", zorder=2)
    for day, value, way in line.marks:
        up = way == "up"
        ax.plot(
            [day],
            [value],
            marker="^" if up else "v",
            ms=8,
            color=COLOURS[2 if up else 3],
            mec=_PAPER,
            mew=1,
            zorder=4,
        )


def _label_ends(ax: Any, chart: Chart, ends: list[tuple[float, str, str]]) -> None:
    """Names right of the curves' ends, pushed apart where they would touch."""
    low, high = ax.get_ylim()
    room = (high - low) * 0.062
    placed: list[list[Any]] = [[value, name, colour] for value, name, colour in sorted(ends)]
    for _ in range(60):
        moved = False
        for under, over in itertools.pairwise(placed):
            overlap = room - (over[0] - under[0])
            if overlap > 1e-9:
                under[0] -= overlap / 2
                over[0] += overlap / 2
                moved = True
        if not moved:
            break
    shift = max(0.0, low - placed[0][0]) if placed else 0.0
    values = {name: value for value, name, _ in ends}
    for y, name, colour in placed:
        value = values[name]
        shown = f"{100 * value:.0f} %" if chart.unit == "%" else f"{value:,.4g}"
        ax.annotate(
            f"{_shown(_shorter(name, 18))}  {shown}".replace("-", "−"),
            xy=(1.008, y + shift), xycoords=("axes fraction", "data"), color=colour,
            fontsize=9, va="center", fontweight="bold", annotation_clip=False,
        )  # fmt: skip


def _ticks(first: date, last: date, most: int) -> list[date]:
    """First days of months, at most so many; the ends where there are none."""
    months = [
        date(first.year + n // 12, n % 12 + 1, 1)
        for n in range(first.month - 1, first.month - 1 + 1200)
        if date(first.year + n // 12, n % 12 + 1, 1) <= last
    ]
    inside = [day for day in months if day >= first]
    if len(inside) < 2:
        return [first, last] if last > first + timedelta(days=1) else [first]
    step = math.ceil(len(inside) / most)
    for nice in (1, 2, 3, 6, 12, 24, 60, 120, 240):
        if nice >= step:
            step = nice
            break
    return [day for day in inside if ((day.year * 12 + day.month - 1) % step) == 0] or inside[:1]


def _tick(day: date, ticks: Sequence[date]) -> str:
    if day.day != 1:
        return f"{day:%d %b %Y}"
    return f"{day:%Y}" if all(tick.month == 1 for tick in ticks) else f"{day:%b %Y}"


def _shorter(name: str, most: int) -> str:
    return one_line(name, most)


def _shown(name: str) -> str:
    """A name that the picture's font can draw and that is not read as mathematics ($…$)."""
    known = _glyphs()
    drawn = "".join(c if ord(c) in known else "□" for c in name)
    return drawn.replace("\\", "∖").replace("$", r"\$")


@cache
def _glyphs() -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont("DejaVu Sans")).get_charmap())


def _letter(i: int) -> str:
    return chr(ord("A") + i)
