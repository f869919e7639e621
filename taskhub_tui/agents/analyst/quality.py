"""What is missing or odd in the prices, and what is done about holes that change the answer."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING

from taskhub_tui.agents.analyst import grid as grids
from taskhub_tui.agents.analyst import period as periods
from taskhub_tui.agents.analyst.work import Desk, Facts
from taskhub_tui.agents.port import AgentError
from taskhub_tui.text import one_line

if TYPE_CHECKING:
    import polars as pl

OUTLIER_MADS = 8.0
"""A return this many robust standard deviations from the median is listed as an outlier."""
_MAD_TO_SIGMA = 1.4826
POLICIES = {
    "drop": "Drop those dates for all",
    "carry": "Carry the last price forward",
    "leave": "Leave the instrument out",
    "keep": "Keep as it is",
}
_LISTED = 100


def policy_of(text: str) -> str | None:
    """One of the policies, from an option or an answer in words; None when it says none."""
    low = text.strip().lower()
    for policy, said in (
        ("drop", ("drop", "delete", "skip")),
        ("carry", ("carry", "forward", "fill", "last price")),
        ("leave", ("leave", "exclude", "without", "remove")),
        ("keep", ("keep", "as it is", "as is", "go on", "ignore", "nothing")),
    ):
        if low == policy or any(word in low for word in said):
            return policy
    return None


def survey(desk: Desk, period_option: object, request: str) -> tuple["pl.DataFrame", Facts]:
    """Put the prices on one calendar and look at them.

    Returns:
        The grid (date, c0, c1, …) and what was found; instruments without a price in the period
        are already left out (`kept` holds those that stay).
    """
    import polars as pl

    ingest = desk.read_json("ingest.json")
    names: list[str] = ingest["names"]
    prices = pl.read_parquet(desk.data("prices.parquet"))
    by_instrument: dict[int, list[date]] = {
        int(key[0]): part["date"].to_list()
        for key, part in prices.partition_by("i", as_dict=True, maintain_order=True).items()
    }
    few = [i for i, days in by_instrument.items() if len(days) < 3]
    usable = [i for i in by_instrument if i not in few]
    if not usable:
        raise AgentError(
            f"{ingest['name']} holds fewer than three dates with a price; no trend can be told."
        )
    own = [grids.frequency_of(by_instrument[i]) for i in usable]
    frequency = grids.coarsest(own, [names[i] for i in usable])
    mixed = {names[i]: f for i, f in zip(usable, own, strict=True)} if len(set(own)) > 1 else {}
    desk.check()
    prices = prices.filter(pl.col("i").is_in(usable))
    grid = grids.complete(grids.wide(prices, len(names), frequency), frequency)
    days: list[date] = grid["date"].to_list()
    wanted = periods.wanted(period_option, request)
    period = periods.choose(wanted, days, frequency)
    kept, absent, late = _present(grid, usable, period, names)
    facts: Facts = {
        "frequency": frequency,
        "mixed": mixed,
        "dates": len(days),
        "period": _period_facts(period),
        "few": [names[i] for i in few],
        "absent": absent,
        "late": late,
        "kept": kept,
        "names": [names[i] for i in kept],
        "weekends": [frequency == "daily" and grids.on_weekends(by_instrument[i]) for i in kept],
    }
    if not kept:
        raise AgentError(
            f"No instrument has two prices up to the end of {period.now.name} and one in it. "
            "Choose another period with the option period."
        )
    desk.check()
    facts |= _look(grid, kept, facts["weekends"], names, period, frequency, desk.check)
    return grid, facts


def settle(desk: Desk, grid: "pl.DataFrame", facts: Facts, policy: str, by: str) -> Facts:
    """Apply a policy to the holes and write grid and facts for the later stages.

    Args:
        policy: one of `POLICIES`; has no effect without holes.
        by: who chose it, for the report.
    """
    import polars as pl

    kept: list[int] = facts["kept"]
    names: list[str] = facts["names"]
    weekends: list[bool] = facts["weekends"]
    done = ""
    holed = sorted({hole["i"] for hole in facts["holes"]})
    if holed and policy == "leave":
        stay = [k for k, i in enumerate(kept) if i not in holed]
        if not stay:
            raise AgentError(
                "Every instrument has holes, so none is left when they are left out. "
                "Retry and drop the dates or carry the last price forward."
            )
        gone = [names[k] for k, i in enumerate(kept) if i in holed]
        done = f"left out: {', '.join(gone[:10])}" + (" and more" if len(gone) > 10 else "")
        kept, names = [kept[k] for k in stay], [names[k] for k in stay]
        weekends = [weekends[k] for k in stay]
    elif holed and policy == "drop":
        days = sorted({date.fromisoformat(day) for hole in facts["holes"] for day in hole["days"]})
        rest = grid.filter(~pl.col("date").is_in(days))
        now = facts["period"]["now"]
        start, end = date.fromisoformat(now["start"]), date.fromisoformat(now["end"])
        left = rest.filter(pl.col("date").is_between(start, end)).height
        if left < 2:
            raise AgentError(
                f"Dropping the dates with holes leaves {left} of the period. "
                "Retry and carry the last price forward, or leave the instrument out."
            )
        grid = rest
        done = f"{len(days)} dates dropped for all instruments"
    elif holed and policy == "carry":
        expressions = []
        for i in holed:
            own = [hole["days"] for hole in facts["holes"] if hole["i"] == i]
            every = sorted({date.fromisoformat(day) for days in own for day in days})
            column = pl.col(f"c{i}")
            expressions.append(
                pl.when(pl.col("date").is_in(every) & column.is_null())
                .then(column.forward_fill())
                .otherwise(column)
                .alias(f"c{i}")
            )
        before = sum(grid[f"c{i}"].null_count() for i in holed)
        grid = grid.with_columns(expressions)
        count = before - sum(grid[f"c{i}"].null_count() for i in holed)
        done = f"{count} prices carried forward"
    elif holed:
        done = "kept as they are: each instrument is measured on its own dates"
    facts = {
        **facts,
        "kept": kept,
        "names": names,
        "weekends": weekends,
        "policy": policy if holed else "",
        "policy_by": by if holed else "",
        "policy_done": done,
    }
    out = grid.select("date", *(pl.col(f"c{i}").alias(f"c{k}") for k, i in enumerate(kept)))
    with desk.replacing(desk.data("grid.parquet")) as part:
        out.write_parquet(part)
    desk.write_json(desk.data("quality.json"), facts)
    return facts


def question(facts: Facts) -> str:
    """The question about the holes, in full."""
    lines = [
        f"{one_line(facts['hole_names'][str(hole['i'])], 40)} "
        f"({facts['period']['now' if hole['window'] == 'period' else 'before']['name']}): "
        f"{'; '.join(hole['reasons'])}"
        for hole in facts["holes"][:4]
    ]
    more = len(facts["holes"]) - 4
    tail = f" And {more} more." if more > 0 else ""
    return (
        f"The prices have holes that change the answer. {'. '.join(lines)}.{tail} "
        "What shall I do about them?"
    )


def _present(
    grid: "pl.DataFrame", usable: Sequence[int], period: periods.Period, names: Sequence[str]
) -> tuple[list[int], list[str], list[list[str]]]:
    """Instruments to keep, those without a price in the period, those that begin late."""
    import polars as pl

    kept: list[int] = []
    absent: list[str] = []
    late: list[list[str]] = []
    inside = pl.col("date").is_between(period.now.start, period.now.end)
    for i in usable:
        own = grid.select("date", f"c{i}").filter(pl.col(f"c{i}").is_not_null())
        upto = own.filter(pl.col("date") <= period.now.end)
        if own.filter(inside).is_empty() or upto.height < 2:
            absent.append(names[i])
            continue
        kept.append(i)
        first: date = own["date"][0]
        if first >= period.before.start and first > grid["date"][0]:
            late.append([names[i], str(first)])
    return kept, absent, late


def _period_facts(period: periods.Period) -> Facts:
    def window(w: periods.Window) -> Facts:
        return {"start": str(w.start), "end": str(w.end), "name": w.name}

    return {
        "now": window(period.now),
        "before": window(period.before),
        "why": period.why,
        "unit": period.unit,
    }


def _look(
    grid: "pl.DataFrame",
    kept: Sequence[int],
    weekends: Sequence[bool],
    names: Sequence[str],
    period: periods.Period,
    frequency: str,
    check: Callable[[], None],
) -> Facts:
    """Gaps, holes, outliers and prices at or below zero."""
    days: list[date] = grid["date"].to_list()
    all_gaps: list[grids.Gap] = []
    all_holes: list[grids.Hole] = []
    outliers: list[Facts] = []
    below: list[Facts] = []
    quiet: list[str] = []
    for i, seven in zip(kept, weekends, strict=True):
        check()
        column = grid[f"c{i}"]
        have = column.is_not_null().to_list()
        every = seven or frequency != "daily"
        all_gaps += grids.gaps(i, days, have, every)
        all_holes += grids.holes(i, days, have, seven, period, frequency)
        own = grid.select("date", f"c{i}").drop_nulls().rename({f"c{i}": "price"})
        bad = own.filter(own["price"] <= 0)
        if bad.height:
            below.append(
                {
                    "name": names[i],
                    "count": bad.height,
                    "days": [str(day) for day in bad["date"].head(5)],
                    "lowest": bad["price"].min(),
                }
            )
        found = _outliers(own)
        if found is None:
            quiet.append(names[i])
        else:
            outliers += [{"name": names[i], **entry} for entry in found]
    outliers.sort(key=lambda o: -abs(o["deviations"]))
    longest = sorted(all_gaps, key=lambda g: (-g.length, g.start))
    return {
        "gap_count": len(all_gaps),
        "gap_prices": sum(g.length for g in all_gaps),
        "gaps": [
            {"name": names[g.i], "start": str(g.start), "end": str(g.end), "length": g.length}
            for g in longest[:_LISTED]
        ],
        "holes": [
            {**asdict(h), "reasons": list(h.reasons), "days": [str(day) for day in h.days]}
            for h in all_holes
        ],
        "hole_names": {str(h.i): names[h.i] for h in all_holes},
        "outlier_count": len(outliers),
        "outliers": outliers[:_LISTED],
        "no_spread": quiet,
        "below_zero": below,
    }


def _outliers(own: "pl.DataFrame") -> list[Facts] | None:
    """Returns far from the median, by the median absolute deviation; None where that is zero."""
    import polars as pl

    price = pl.col("price")
    valid = (price > 0) & (price.shift(1) > 0)
    frame = own.with_columns(pl.when(valid).then(price / price.shift(1) - 1).alias("r"))
    returns = frame["r"].drop_nulls()
    if returns.len() < 20:
        return []
    middle = float(returns.median())
    mad = float((returns - middle).abs().median()) * _MAD_TO_SIGMA
    if mad == 0:
        return None
    frame = frame.with_columns(((pl.col("r") - middle) / mad).alias("z")).with_columns(
        pl.col("z").shift(-1).alias("next")
    )
    found = frame.filter(pl.col("z").abs() > OUTLIER_MADS)
    return [
        {
            "date": str(day),
            "price": price,
            "return": r,
            "deviations": z,
            "reverts": after is not None and abs(after) > OUTLIER_MADS and after * z < 0,
        }
        for day, price, r, z, after in found.select("date", "price", "r", "z", "next").rows()
    ]
