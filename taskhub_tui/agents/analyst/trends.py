"""The trends stage: where each price went, and where it stands against its averages."""

import itertools
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from taskhub_tui.agents.analyst import measures as m
from taskhub_tui.agents.analyst.dates import month_end
from taskhub_tui.agents.analyst.work import Desk, Facts

if TYPE_CHECKING:
    import polars as pl

_QUARTERS = 8


def spans(quality: Facts) -> tuple[m.Span, m.Span]:
    """The period and the one before it."""
    period = quality["period"]

    def span(window: Facts) -> m.Span:
        return m.Span(date.fromisoformat(window["start"]), date.fromisoformat(window["end"]))

    return span(period["now"]), span(period["before"])


def run(desk: Desk) -> Facts:
    """Compute, and write `trends.json`."""
    import polars as pl

    quality = desk.read_json("quality.json")
    grid = pl.read_parquet(desk.data("grid.parquet"))
    now, before = spans(quality)
    windows = m.AVERAGES[quality["frequency"]]
    names: list[str] = quality["names"]
    quarters = _quarters(grid["date"][0], grid["date"][-1])
    each: list[Facts] = []
    for k, name in enumerate(names):
        desk.check()
        desk.progress(k / len(names), name)
        each.append(_one(m.own(grid, k), name, now, before, windows, quarters))
    ranked = [e for e in each if e["now"]["percent"] is not None]
    ranked.sort(key=lambda e: -float(e["now"]["percent"]))
    facts: Facts = {
        "windows": list(windows),
        "instruments": each,
        "best": ranked[0]["name"] if ranked else None,
        "worst": ranked[-1]["name"] if ranked else None,
        "ranking": [e["name"] for e in ranked],
        "up": sum(1 for e in ranked if e["now"]["percent"] > 0),
        "down": sum(1 for e in ranked if e["now"]["percent"] < 0),
    }
    desk.write_json(desk.data("trends.json"), facts)
    return facts


def _one(
    frame: "pl.DataFrame",
    name: str,
    now: m.Span,
    before: m.Span,
    windows: tuple[int, ...],
    quarters: list[tuple[str, m.Span]],
) -> Facts:
    import polars as pl

    upto = frame.filter(pl.col("date") <= now.end)
    inside = m.within(frame, now)
    high, low = inside["price"].max(), inside["price"].min()
    changed = m.change(frame, now)
    earlier = m.change(frame, before)
    after = m.change(frame, m.Span(now.end + timedelta(days=1), frame["date"][-1]))
    return {
        "name": name,
        "prices": inside.height,
        "now": changed,
        "before": earlier,
        "since": after,
        "difference": _minus(changed["percent"], earlier["percent"]),
        "high": high,
        "high_date": str(inside.filter(pl.col("price") == high)["date"][0]),
        "low": low,
        "low_date": str(inside.filter(pl.col("price") == low)["date"][0]),
        "mean": m.number(inside["price"].mean()),
        "mean_before": m.number(m.within(frame, before)["price"].mean()),
        "trend": m.trend(inside),
        **_steps(upto, now),
        **_averages(upto, now, windows),
        "quarters": {label: m.change(frame, span)["percent"] for label, span in quarters},
    }


def _steps(upto: "pl.DataFrame", now: m.Span) -> Facts:
    """The best and the worst single step, and the share of rising ones."""
    import polars as pl

    price = pl.col("price")
    steps = m.within(
        upto.select(
            "date",
            pl.when(price.shift(1) > 0).then(price / price.shift(1) - 1).alias("r"),
        ),
        now,
    ).drop_nulls()
    if steps.is_empty():
        return {"best": None, "worst": None, "rising_share": None}
    top, bottom = int(steps["r"].arg_max()), int(steps["r"].arg_min())
    return {
        "best": {"date": str(steps["date"][top]), "return": steps["r"][top]},
        "worst": {"date": str(steps["date"][bottom]), "return": steps["r"][bottom]},
        "rising_share": m.number((steps["r"] > 0).mean()),
    }


def _averages(upto: "pl.DataFrame", now: m.Span, windows: tuple[int, ...]) -> Facts:
    frame = m.averages(upto, windows)
    last: dict[str, Any] = frame.row(-1, named=True)
    found: list[Facts] = []
    latest: dict[str, Facts] = {}
    for short, long in itertools.pairwise(windows):
        for day, way in m.crossings(frame, short, long):
            entry = {"date": str(day), "short": short, "long": long, "way": way}
            latest[f"{short}/{long}"] = entry
            if now.start <= day <= now.end:
                found.append(entry)
    return {
        "averages": {str(w): m.number(last[f"m{w}"]) for w in windows},
        "crossings": sorted(found, key=lambda e: (e["date"], e["short"])),
        "last_crossings": latest,
    }


def _minus(a: object, b: object) -> float | None:
    return a - b if isinstance(a, float) and isinstance(b, float) else None


def _quarters(first: date, last: date) -> list[tuple[str, m.Span]]:
    """The last calendar quarters that the data touch, oldest first."""
    found: list[tuple[str, m.Span]] = []
    day = last
    while len(found) < _QUARTERS and day >= first:
        month = (day.month - 1) // 3 * 3 + 1
        start = date(day.year, month, 1)
        end = month_end(date(day.year, month + 2, 1))
        open_end = " *" if last < end - timedelta(days=4) and not found else ""
        found.append((f"Q{(month + 2) // 3} {day.year}{open_end}", m.Span(start, end)))
        day = start - timedelta(days=1)
    return found[::-1]
