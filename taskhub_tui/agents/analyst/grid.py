"""Prices on one calendar: frequency, slots, expected dates, gaps, holes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby, pairwise
from statistics import median
from typing import TYPE_CHECKING

from taskhub_tui.agents.analyst.period import Period, Window
from taskhub_tui.agents.port import AgentError

if TYPE_CHECKING:
    import polars as pl

PER_YEAR = {"daily": 252, "daily, 7 days a week": 365, "weekly": 52, "monthly": 12}
_RANK = {"daily": 0, "weekly": 1, "monthly": 2}
LONGEST_HOLIDAY = 5  # weekdays without any price in a row; more is a gap, not a holiday
MISSING_SHARE = 0.05
LONGEST_RUN = {"daily": 5, "weekly": 1, "monthly": 0}


@dataclass(frozen=True)
class Hole:
    """Missing prices of one instrument that can change the answer."""

    i: int
    window: str
    missing: int
    expected: int
    longest: int
    reasons: tuple[str, ...]
    days: tuple[date, ...]


@dataclass(frozen=True)
class Gap:
    """A run of expected dates without a price of one instrument."""

    i: int
    start: date
    end: date
    length: int


def frequency_of(days: Sequence[date]) -> str | None:
    """daily, weekly or monthly by the usual step of the last 260 dates; None for rarer ones."""
    steps = [(b - a).days for a, b in pairwise(days[-261:])]
    if not steps:
        return None
    step = median(steps)
    if step <= 4:
        return "daily"
    if 5 <= step <= 10:
        return "weekly"
    return "monthly" if 20 <= step <= 45 else None


def coarsest(frequencies: Sequence[str | None], names: Sequence[str]) -> str:
    """The frequency at which all of them can be compared.

    Raises:
        AgentError: an instrument has prices too rarely.
    """
    for frequency, name in zip(frequencies, names, strict=True):
        if frequency is None:
            raise AgentError(
                f"{name} has a price less often than once a month (or irregularly). Daily, weekly "
                "or monthly prices are needed; take that column or instrument out of the file."
            )
    return max((f for f in frequencies if f), key=_RANK.__getitem__)


def wide(prices: "pl.DataFrame", count: int, frequency: str) -> "pl.DataFrame":
    """Columns date, c0, c1, …: a row for each date, week or month that has any price.

    A week or month is dated by its last price of any instrument, and holds each instrument's last.
    """
    import polars as pl

    every = {"weekly": "1w", "monthly": "1mo"}.get(frequency)
    if every:
        slot = prices.with_columns(pl.col("date").dt.truncate(every).alias("slot"))
        prices = (
            slot.with_columns(pl.col("date").max().over("slot").alias("shown"))
            .sort("i", "date")
            .unique(["i", "slot"], keep="last", maintain_order=True)
            .select("i", pl.col("shown").alias("date"), "price")
        )
    grid = prices.select("date").unique().sort("date")
    parts = prices.partition_by("i", as_dict=True, include_key=False)
    empty = pl.DataFrame(schema={"date": pl.Date, "price": pl.Float64})
    if count <= 50:
        for i in range(count):
            part = parts.get((i,), empty).rename({"price": f"c{i}"})
            grid = grid.join(part, on="date", how="left", maintain_order="left")
        return grid
    table = prices.with_columns(pl.format("c{}", "i").alias("name")).pivot(
        on="name", index="date", values="price"
    )
    absent = [pl.lit(None, pl.Float64).alias(f"c{i}") for i in range(count)]
    absent = [e for i, e in enumerate(absent) if f"c{i}" not in table.columns]
    return table.with_columns(absent).sort("date").select("date", *(f"c{i}" for i in range(count)))


def complete(grid: "pl.DataFrame", frequency: str) -> "pl.DataFrame":
    """The grid with rows for dates on which a price was to be expected and none has any.

    Daily: runs of more than five weekdays without any price (a shorter run is a holiday).
    Weekly and monthly: every week and month between the first and the last.
    """
    import polars as pl

    days: list[date] = grid["date"].to_list()
    added: list[date] = []
    if frequency == "daily":
        for a, b in pairwise(days):
            if (b - a).days > LONGEST_HOLIDAY + 2:
                between = [a + timedelta(days=n) for n in range(1, (b - a).days)]
                weekdays = [day for day in between if day.weekday() < 5]
                if len(weekdays) > LONGEST_HOLIDAY:
                    added += weekdays
    elif frequency == "weekly":
        for a, b in pairwise(days):
            weeks = round((b - a).days / 7)
            added += [a + timedelta(weeks=n) for n in range(1, weeks)]
    else:
        for a, b in pairwise(days):
            months = (b.year - a.year) * 12 + b.month - a.month
            added += [_months_after(a, n) for n in range(1, months)]
    if not added:
        return grid
    extra = pl.DataFrame({"date": sorted(set(added) - set(days))}, schema={"date": pl.Date})
    return pl.concat([grid, extra], how="diagonal").sort("date")


def on_weekends(days: Sequence[date]) -> bool:
    """True for an instrument that is priced on weekends too."""
    recent = days[-260:]
    return sum(day.weekday() >= 5 for day in recent) > 0.1 * len(recent)


def gaps(i: int, days: Sequence[date], have: Sequence[bool], weekends: bool) -> list[Gap]:
    """Runs without a price between an instrument's first price and its last."""
    inside = [k for k, there in enumerate(have) if there]
    if not inside:
        return []
    expected = [
        (day, there)
        for day, there in zip(
            days[inside[0] : inside[-1] + 1], have[inside[0] : inside[-1] + 1], strict=True
        )
        if weekends or day.weekday() < 5 or there
    ]
    found: list[Gap] = []
    for there, run in groupby(expected, key=lambda pair: pair[1]):
        if not there:
            missed = [day for day, _ in run]
            found.append(Gap(i, missed[0], missed[-1], len(missed)))
    return found


def holes(
    i: int,
    days: Sequence[date],
    have: Sequence[bool],
    weekends: bool,
    period: Period,
    frequency: str,
) -> list[Hole]:
    """What is missing in the period, or the one before, so that the answer changes."""
    first = next((day for day, there in zip(days, have, strict=True) if there), None)
    found: list[Hole] = []
    for which, window in (("period", period.now), ("before", period.before)):
        hole = _hole(i, which, window, first, days, have, weekends, frequency)
        if hole:
            found.append(hole)
    return found


def _hole(
    i: int,
    which: str,
    window: Window,
    first: date | None,
    days: Sequence[date],
    have: Sequence[bool],
    weekends: bool,
    frequency: str,
) -> Hole | None:
    expected = [
        (day, there)
        for day, there in zip(days, have, strict=True)
        if window.holds(day) and (weekends or frequency != "daily" or day.weekday() < 5 or there)
    ]
    if first is None or not any(there for _, there in expected):
        return None  # nothing at all: it is left out of this window, no question
    expected = [(day, there) for day, there in expected if day >= first]
    missed = [day for day, there in expected if not there]
    runs = [len(list(run)) for there, run in groupby(e[1] for e in expected) if not there]
    longest = max(runs, default=0)
    reasons: list[str] = []
    if len(missed) > MISSING_SHARE * len(expected):
        reasons.append(f"{len(missed)} of {len(expected)} prices are missing")
    if longest > LONGEST_RUN[frequency]:
        reasons.append(f"{longest} in a row are missing")
    if expected and not expected[0][1]:
        reasons.append(f"the first date, {expected[0][0]}, is missing")
    if expected and not expected[-1][1]:
        reasons.append(f"the last date, {expected[-1][0]}, is missing")
    if not reasons:
        return None
    return Hole(i, which, len(missed), len(expected), longest, tuple(reasons), tuple(missed))


def _months_after(day: date, months: int) -> date:
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    for last in (day.day, 30, 29, 28):
        try:
            return date(year, month, last)
        except ValueError:
            continue
    raise ValueError(day)
