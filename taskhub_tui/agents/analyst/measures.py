"""The figures: one instrument's prices in, plain numbers out. What cannot be told is None."""

import math
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

AVERAGES = {"daily": (20, 50, 200), "weekly": (4, 13), "monthly": (3, 12)}
ROLLING = {"daily": 20, "weekly": 13, "monthly": 12}
SIDEWAYS_R2 = 0.3
"""A straight line explaining less than this share of the movement is no trend."""


@dataclass(frozen=True)
class Span:
    """A stretch of time, both ends included."""

    start: date
    end: date


def own(grid: "pl.DataFrame", k: int) -> "pl.DataFrame":
    """date and price of instrument `k`, without empty dates."""
    return grid.select("date", f"c{k}").drop_nulls().rename({f"c{k}": "price"})


def within(frame: "pl.DataFrame", span: Span) -> "pl.DataFrame":
    """Rows inside the span."""
    import polars as pl

    return frame.filter(pl.col("date").is_between(span.start, span.end))


def change(frame: "pl.DataFrame", span: Span) -> dict[str, object]:
    """From the last price before the span to the last price in it.

    Where there is none before, the first price inside is the base. The change in percent is None
    where the base is not above zero.
    """
    import polars as pl

    inside = within(frame, span)
    if inside.is_empty():
        return {
            "base": None,
            "base_date": None,
            "last": None,
            "last_date": None,
            "change": None,
            "percent": None,
        }
    earlier = frame.filter(pl.col("date") < span.start).tail(1)
    start = earlier if earlier.height else inside.head(1)
    if not earlier.height and inside.height == 1:
        base = None
    else:
        base = float(start["price"][0])
    last = float(inside["price"][-1])
    return {
        "base": base,
        "base_date": None if base is None else str(start["date"][0]),
        "last": last,
        "last_date": str(inside["date"][-1]),
        "change": None if base is None else last - base,
        "percent": None if base is None or base <= 0 else last / base - 1,
    }


def log_returns(frame: "pl.DataFrame") -> "pl.DataFrame":
    """date and r, the log return; null where this price or the one before is not above zero."""
    import polars as pl

    price = pl.col("price")
    valid = (price > 0) & (price.shift(1) > 0)
    return frame.select("date", pl.when(valid).then((price / price.shift(1)).log()).alias("r"))


def volatility(returns: "pl.Series", per_year: int) -> float | None:
    """Standard deviation of log returns over a year; None with fewer than two."""
    clean = returns.drop_nulls()
    if clean.len() < 2:
        return None
    return number(clean.std() * math.sqrt(per_year))


def drawdowns(frame: "pl.DataFrame") -> "pl.DataFrame":
    """date and d, the distance below the highest price so far; null until one is above zero."""
    import polars as pl

    peak = pl.col("price").cum_max()
    return frame.select("date", pl.when(peak > 0).then(pl.col("price") / peak - 1).alias("d"))


def worst_fall(frame: "pl.DataFrame") -> dict[str, object]:
    """The deepest drawdown: depth, day of peak and trough, day of recovery or None."""
    import polars as pl

    nothing = {"depth": None, "peak": None, "trough": None, "recovered": None}
    falls = drawdowns(frame).drop_nulls()
    if falls.is_empty() or falls["d"].min() >= 0:
        return {**nothing, "depth": 0.0 if falls.height else None}
    at = int(falls["d"].arg_min())
    trough: date = falls["date"][at]
    before = frame.filter(pl.col("date") <= trough)
    top = before["price"].max()
    peak: date = before.filter(pl.col("price") == top)["date"][-1]
    after = frame.filter((pl.col("date") > trough) & (pl.col("price") >= top))
    return {
        "depth": float(falls["d"][at]),
        "peak": str(peak),
        "trough": str(trough),
        "recovered": str(after["date"][0]) if after.height else None,
    }


def averages(frame: "pl.DataFrame", windows: tuple[int, ...]) -> "pl.DataFrame":
    """The frame with m<window>, the mean of so many last prices, null until there are enough."""
    import polars as pl

    return frame.with_columns(
        pl.col("price").rolling_mean(window).alias(f"m{window}") for window in windows
    )


def crossings(with_averages: "pl.DataFrame", short: int, long: int) -> list[tuple[date, str]]:
    """Days on which the short average passed the long one, and the way: up or down.

    A day on which both are equal is no crossing; the side before it counts.
    """
    import polars as pl

    side = (pl.col(f"m{short}") - pl.col(f"m{long}")).sign()
    frame = (
        with_averages.select("date", side.alias("side"))
        .drop_nulls()
        .filter(pl.col("side") != 0)
        .with_columns(pl.col("side").shift(1).alias("was"))
        .filter((pl.col("side") != pl.col("was")) & pl.col("was").is_not_null())
    )
    return [(day, "up" if s > 0 else "down") for day, s in frame.select("date", "side").rows()]


def trend(inside: "pl.DataFrame") -> dict[str, object]:
    """A straight line through the prices: slope per step in percent of the mean, and its fit.

    None with fewer than five prices: through so few a line always fits.
    """
    n = inside.height
    if n < 5:
        return {"slope": None, "r2": None, "direction": None}
    y = inside["price"].to_list()
    mean_x, mean_y = (n - 1) / 2, sum(y) / n
    sxx = sum((x - mean_x) ** 2 for x in range(n))
    sxy = sum((x - mean_x) * (v - mean_y) for x, v in enumerate(y))
    syy = sum((v - mean_y) ** 2 for v in y)
    slope = sxy / sxx
    r2 = 0.0 if syy == 0 else sxy * sxy / (sxx * syy)
    direction = "sideways" if r2 < SIDEWAYS_R2 else "rising" if slope > 0 else "falling"
    return {
        "slope": number(slope / mean_y) if mean_y > 0 else None,
        "r2": number(r2),
        "direction": direction,
    }


def tail(returns: "pl.Series") -> tuple[float | None, float | None]:
    """The return not reached in the worst 5 % of steps, and the mean of those steps.

    None with fewer than 60 returns: a twentieth of less is no sample.
    """
    clean = returns.drop_nulls().sort()
    if clean.len() < 60:
        return None, None
    worst = clean.head(max(1, math.floor(clean.len() * 0.05)))
    return number(worst[-1]), number(worst.mean())


def correlation(a: "pl.DataFrame", b: "pl.DataFrame") -> float | None:
    """Correlation of log returns on the dates both have one; None with fewer than five."""
    import polars as pl

    both = a.join(b, on="date", suffix="_b").drop_nulls()
    if both.height < 5:
        return None
    return number(both.select(pl.corr("r", "r_b")).item())


def number(value: object) -> float | None:
    """The value as a float where it is a finite number, else None."""
    if isinstance(value, (int, float)) and math.isfinite(value):
        return float(value)
    return None
