"""The report stage: charts, `figures.json` and `report.md`, saved where the user finds them."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskhub_tui.agents.analyst import charts, onward, risk, words
from taskhub_tui.agents.analyst import measures as m
from taskhub_tui.agents.analyst.trends import spans
from taskhub_tui.agents.analyst.work import Desk, Facts

if TYPE_CHECKING:
    import polars as pl

_HISTORY = timedelta(days=3 * 365)


@dataclass(frozen=True)
class Made:
    """What the report consists of."""

    files: list[tuple[Path, str]]
    """Path and media type; the report itself comes first."""
    summary: str
    figures: Facts
    """The main numbers, small, and `follow_ups`."""


@dataclass(frozen=True)
class Drawn:
    """A chart that was written, and the sentence under it."""

    key: str
    alt: str
    note: str = ""


def run(desk: Desk) -> Made:
    """Write everything into `desk.outdir`."""
    import polars as pl

    facts: Facts = {
        name: desk.read_json(f"{name}.json") for name in ("ingest", "quality", "trends", "risk")
    }
    grid = pl.read_parquet(desk.data("grid.parquet"))
    drawn = _draw(desk, grid, facts)
    desk.progress(0.9, "writing the report")
    report = desk.outdir / "report.md"
    desk.write_text(report, words.report(facts, {d.key: d for d in drawn}))
    figures = desk.outdir / "figures.json"
    desk.write_json(figures, _figures(facts))
    files = [(report, "text/markdown"), (figures, "application/json")]
    for one in drawn:
        files.append((desk.outdir / f"{one.key}.png", "image/png"))
        files.append((desk.outdir / f"{one.key}.txt", "text/plain"))
    summary, main = words.summary(facts)
    return Made(files, summary, {**main, "follow_ups": onward.follow_ups(facts)})


def _draw(desk: Desk, grid: "pl.DataFrame", facts: Facts) -> list[Drawn]:
    quality = facts["quality"]
    names: list[str] = quality["names"]
    ranking: list[str] = facts["trends"]["ranking"]
    now, before = spans(quality)
    last: date = grid["date"][-1]
    drawn: list[Drawn] = []
    some = risk.pick(ranking, names, charts.MOST_LINES)
    chosen = _note(some, names, "the best and the worst of the period")
    steps: list[Callable[[], tuple[charts.Chart, str]]] = [
        lambda: _prices(grid, some, names, now, before, last, quality, chosen),
        lambda: _trends(grid, names, ranking, now, quality, facts["trends"]),
        lambda: _falls(grid, names, now, facts["risk"]),
        lambda: _volatility(grid, names, now, quality, facts["risk"]),
    ]
    for n, make in enumerate(steps):
        desk.check()
        desk.progress(0.1 + 0.18 * n, "drawing charts")
        chart, note = make()
        if not chart.lines:
            continue
        with desk.replacing(desk.outdir / f"{chart.name}.png") as part:
            charts.picture(chart, part)
        desk.write_text(desk.outdir / f"{chart.name}.txt", charts.text(chart))
        drawn.append(Drawn(chart.name, chart.title, note))
    together = facts["risk"]["correlation"]
    if together:
        desk.check()
        title = f"Correlation of returns, {quality['period']['now']['name']}"
        with desk.replacing(desk.outdir / "correlation.png") as part:
            charts.heat_map(title, together["names"], together["matrix"], part)
        desk.write_text(
            desk.outdir / "correlation.txt",
            charts.heat_text(title, together["names"], together["matrix"]),
        )
        note = _note(together["names"], names, "the best and the worst of the period")
        drawn.append(Drawn("correlation", title, note))
    return drawn


def _note(shown: list[str], names: list[str], which: str) -> str:
    if len(shown) == len(names):
        return ""
    return f"{len(shown)} of {len(names)} instruments are drawn: {which}."


def _prices(
    grid: "pl.DataFrame",
    some: list[str],
    names: list[str],
    now: m.Span,
    before: m.Span,
    last: date,
    quality: Facts,
    note: str,
) -> tuple[charts.Chart, str]:
    """Every price as 100 at the last one before the period."""
    import polars as pl

    lines: list[charts.Line] = []
    without: list[str] = []
    for name in some:
        frame = m.own(grid, names.index(name))
        base = m.change(frame, now)["base"]
        if not isinstance(base, float) or base <= 0:
            without.append(name)
            continue
        rebased = frame.with_columns(pl.col("price") / base * 100)
        line = charts.line_of(rebased, "price", name, before.start, last)
        if len(line.days) > 1:
            lines.append(line)
    if without:
        note = f"{note} Without a base above zero and not drawn: {len(without)}.".strip()
    period = quality["period"]["now"]["name"]
    title = f"Prices, 100 = last price before {period}"
    return charts.Chart("prices", title, lines, band=(now.start, now.end), level=100.0), note


def _trends(
    grid: "pl.DataFrame",
    names: list[str],
    ranking: list[str],
    now: m.Span,
    quality: Facts,
    trends: Facts,
) -> tuple[charts.Chart, str]:
    """Price, averages and crossings, a panel each."""
    windows = m.AVERAGES[quality["frequency"]]
    some = risk.pick(ranking, names, charts.MOST_PANELS)
    days = {"daily": 365, "weekly": 3 * 365, "monthly": 6 * 365}[quality["frequency"]]
    first = now.end - timedelta(days=days)
    last: date = grid["date"][-1]
    lines: list[charts.Line] = []
    for name in some:
        frame = m.averages(m.own(grid, names.index(name)), windows)
        line = charts.line_of(frame, "price", name, first, last)
        others = [
            (f"mean of {w}", o.days, o.values)
            for w in windows
            if len((o := charts.line_of(frame, f"m{w}", name, first, last)).days) > 1
        ]
        marks: list[tuple[date, float, str]] = []
        for short, long in itertools.pairwise(windows):
            level = dict(frame.select("date", f"m{long}").rows())
            for day, way in m.crossings(frame, short, long):
                if line.days and line.days[0] <= day:
                    marks.append((day, level[day], way))
        if len(line.days) > 1:
            lines.append(charts.Line(name, line.days, line.values, marks, others))
    note = "▲ ▼ mark days on which a shorter average passed the next longer one."
    note = f"{note} {_note(some, names, 'the best and the worst of the period')}".strip()
    unit = {"daily": "days", "weekly": "weeks", "monthly": "months"}[quality["frequency"]]
    title = f"Price and its means of {', '.join(map(str, windows))} {unit}"
    return (
        charts.Chart("trends", title, lines, band=(now.start, now.end), panels=True),
        note,
    )


def _falls(
    grid: "pl.DataFrame", names: list[str], now: m.Span, found: Facts
) -> tuple[charts.Chart, str]:
    """Distance below the highest price so far."""
    depth = {e["name"]: e["below_peak"] for e in found["instruments"]}
    some = sorted(names, key=lambda name: depth[name] if depth[name] is not None else 0.0)
    some = [name for name in names if name in set(some[: charts.MOST_LINES - 2])]
    last: date = grid["date"][-1]
    lines: list[charts.Line] = []
    for name in some:
        falls = m.drawdowns(m.own(grid, names.index(name)))
        line = charts.line_of(falls, "d", name, now.end - _HISTORY, last)
        if len(line.days) > 1:
            lines.append(line)
    note = _note(some, names, "those furthest below their peak")
    chart = charts.Chart(
        "drawdown",
        "Drawdown: distance below the highest price so far",
        lines,
        unit="%",
        band=(now.start, now.end),
        fill=len(lines) == 1,
    )
    return chart, note


def _volatility(
    grid: "pl.DataFrame", names: list[str], now: m.Span, quality: Facts, found: Facts
) -> tuple[charts.Chart, str]:
    """Standard deviation over the last steps, a year's worth."""
    import polars as pl

    window = m.ROLLING[quality["frequency"]]
    size = {e["name"]: e["volatility"] or 0.0 for e in found["instruments"]}
    some = sorted(names, key=lambda name: -float(size[name]))
    some = [name for name in names if name in set(some[: charts.MOST_LINES - 2])]
    last: date = grid["date"][-1]
    lines: list[charts.Line] = []
    for name in some:
        k = names.index(name)
        scale = risk.per_year_of(quality, k) ** 0.5
        rolled = m.log_returns(m.own(grid, k)).with_columns(pl.col("r").rolling_std(window) * scale)
        line = charts.line_of(rolled, "r", name, now.end - _HISTORY, last)
        if len(line.days) > 1:
            lines.append(line)
    note = _note(some, names, "those that moved most in the period")
    title = f"Volatility over the last {window} returns, a year's worth"
    chart = charts.Chart("volatility", title, lines, unit="%", band=(now.start, now.end))
    return chart, note


def _figures(facts: Facts) -> Facts:
    """Everything that was computed, for a program to read."""
    ingest: dict[str, Any] = {k: v for k, v in facts["ingest"].items() if k != "path"}
    quality = {
        k: v for k, v in facts["quality"].items() if k not in ("kept", "hole_names", "weekends")
    }
    return {
        "source": ingest,
        "quality": quality,
        "trends": facts["trends"],
        "risk": facts["risk"],
    }
