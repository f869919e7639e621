"""The risk stage: how much the prices moved, how far they fell, how much they moved together."""

from datetime import timedelta
from typing import TYPE_CHECKING

from taskhub_tui.agents.analyst import grid as grids
from taskhub_tui.agents.analyst import measures as m
from taskhub_tui.agents.analyst.trends import spans
from taskhub_tui.agents.analyst.work import Desk, Facts

if TYPE_CHECKING:
    import polars as pl

CORRELATED = 12
"""At most so many instruments are set against each other."""


def run(desk: Desk) -> Facts:
    """Compute, and write `risk.json`."""
    import polars as pl

    quality = desk.read_json("quality.json")
    grid = pl.read_parquet(desk.data("grid.parquet"))
    now, before = spans(quality)
    names: list[str] = quality["names"]
    each: list[Facts] = []
    for k, name in enumerate(names):
        desk.check()
        desk.progress(0.8 * k / len(names), name)
        per_year = per_year_of(quality, k)
        each.append(_one(m.own(grid, k), name, now, before, per_year))
    chosen = pick(desk.read_json("trends.json")["ranking"], names, CORRELATED)
    together = _together(grid, names, chosen, now, before, desk)
    facts: Facts = {"instruments": each, "correlation": together}
    desk.write_json(desk.data("risk.json"), facts)
    return facts


def per_year_of(quality: Facts, k: int) -> int:
    """Steps in a year for instrument `k`."""
    key = "daily, 7 days a week" if quality["weekends"][k] else quality["frequency"]
    return grids.PER_YEAR[key]


def pick(ranking: list[str], names: list[str], most: int) -> list[str]:
    """The most telling instruments: the best and the worst in equal parts, in the file's order."""
    if len(names) <= most:
        return names
    half = most // 2
    wanted = set(ranking[: most - half] + ranking[-half:])
    return [name for name in names if name in wanted]


def _one(frame: "pl.DataFrame", name: str, now: m.Span, before: m.Span, per_year: int) -> Facts:
    import polars as pl

    upto = frame.filter(pl.col("date") <= now.end)
    returns = m.log_returns(upto)
    inside = m.within(returns, now)["r"]
    year = m.within(returns, m.Span(now.end - timedelta(days=365), now.end))["r"]
    falls = m.drawdowns(upto).drop_nulls()
    edge, shortfall = m.tail(year)
    base = upto.filter(pl.col("date") < now.start).tail(1)
    in_period = pl.concat([base, m.within(upto, now)])
    return {
        "name": name,
        "per_year": per_year,
        "returns": inside.drop_nulls().len(),
        "undefined": upto.height - 1 - returns["r"].drop_nulls().len(),
        "volatility": m.volatility(inside, per_year),
        "volatility_before": m.volatility(m.within(returns, before)["r"], per_year),
        "volatility_all": m.volatility(returns["r"], per_year),
        "fall": m.worst_fall(in_period),
        "fall_all": m.worst_fall(upto),
        "below_peak": m.number(falls["d"][-1]) if falls.height else None,
        "worst_5_percent": edge,
        "shortfall": shortfall,
    }


def _together(
    grid: "pl.DataFrame",
    names: list[str],
    chosen: list[str],
    now: m.Span,
    before: m.Span,
    desk: Desk,
) -> Facts | None:
    if len(chosen) < 2:
        return None
    returns = [m.log_returns(m.own(grid, names.index(name))) for name in chosen]
    size = range(len(chosen))
    matrix: list[list[float | None]] = [[None for _ in size] for _ in size]
    earlier: list[list[float | None]] = [[None for _ in size] for _ in size]
    for a in size:
        desk.check()
        matrix[a][a] = earlier[a][a] = 1.0
        for b in range(a):
            for table, span in ((matrix, now), (earlier, before)):
                found = m.correlation(m.within(returns[a], span), m.within(returns[b], span))
                table[a][b] = table[b][a] = found
    pairs = [
        (value, chosen[b], chosen[a])
        for a in size
        for b in range(a)
        if (value := matrix[a][b]) is not None
    ]
    if not pairs:
        return None
    return {
        "names": chosen,
        "matrix": matrix,
        "before": earlier,
        "closest": list(max(pairs)),
        "loosest": list(min(pairs)),
    }
