"""What a reader must know to trust the report: quality of the data, method, source."""

from taskhub_tui.agents.analyst import grid as grids
from taskhub_tui.agents.analyst import measures, quality
from taskhub_tui.agents.analyst.files import megabytes
from taskhub_tui.agents.analyst.markdown import code, percent, price, safe, several, table
from taskhub_tui.agents.analyst.work import Facts

_LISTED = 10


def quality_section(ingest: Facts, facts: Facts) -> list[str]:
    """What was found missing or odd."""
    lines = ["## Quality of the data", ""]
    lines += [f"- {note}" for note in _notes(ingest, facts)]
    if facts["gaps"]:
        rows = [
            [safe(g["name"], 40), g["start"], g["end"], str(g["length"])]
            for g in facts["gaps"][:_LISTED]
        ]
        title = "Longest gaps" if facts["gap_count"] > len(rows) else "Gaps"
        lines += ["", f"{title}:", "", *table(["Instrument", "From", "To", "Prices"], rows)]
    if facts["outliers"]:
        rows = [
            [
                safe(o["name"], 40),
                o["date"],
                price(o["price"]),
                percent(o["return"]),
                f"{abs(o['deviations']):.0f}",
                "reverts at once: an error?" if o["reverts"] else "",
            ]
            for o in facts["outliers"][:_LISTED]
        ]
        head = ["Instrument", "Date", "Price", "Return", "Deviations", "Remark"]
        title = "Largest outliers" if facts["outlier_count"] > len(rows) else "Outliers"
        lines += ["", f"{title} (listed, not removed):", "", *table(head, rows)]
    return [*lines, ""] if lines[-1] else lines


def _notes(ingest: Facts, facts: Facts) -> list[str]:
    notes: list[str] = []
    if facts["holes"]:
        notes.append(
            f"**Holes that change the answer** in {several(len(facts['hole_names']), 'instrument')}"
            f": {safe(facts['policy_done'], 400)} (by {facts['policy_by']})."
        )
        for hole in facts["holes"][:_LISTED]:
            name = safe(facts["hole_names"][str(hole["i"])], 40)
            window = facts["period"]["now" if hole["window"] == "period" else "before"]["name"]
            notes.append(f"{name}, {window}: {'; '.join(hole['reasons'])}.")
    else:
        notes.append("No holes that change the answer.")
    notes.append(
        f"{several(facts['gap_prices'], 'expected price')} missing in "
        f"{several(facts['gap_count'], 'gap')} over all the data."
    )
    for key, what in (
        ("undated", "rows without a date"),
        ("unreadable", "cells that are no price"),
    ):
        found = ingest[key]
        if found["count"]:
            examples = ", ".join(
                f"line {e[0]} {code(str(e[-1]), 40)}" for e in found["examples"][:3]
            )
            notes.append(f"{found['count']:,} {what} were left out: {examples}.")
    twice = ingest["duplicates"]
    if twice["count"]:
        day, line = twice["examples"][0][1:]
        notes.append(
            f"{several(twice['count'], 'repeated date')}, {twice['different']:,} of them with "
            f"another price (first: {day}, line {line}); the last row counts."
        )
    if ingest["intraday"]:
        notes.append("Several prices a day: the last of each day counts.")
    if ingest["future"]["count"]:
        notes.append(
            f"{several(ingest['future']['count'], 'price')} dated after {ingest['today']} "
            f"(from line {ingest['future']['line']}) were left out."
        )
    if ingest["order"] != "oldest first":
        notes.append(f"The rows are {ingest['order']}; they were sorted by date.")
    for entry in facts["below_zero"]:
        notes.append(
            f"{safe(entry['name'])}: {several(entry['count'], 'price')} at or below zero (lowest "
            f"{price(entry['lowest'])}, {', '.join(entry['days'])}). Log returns are not defined "
            "there; changes from such a price have no percentage."
        )
    if facts["mixed"]:
        each = ", ".join(f"{safe(n)} {f}" for n, f in list(facts["mixed"].items())[:10])
        notes.append(f"Mixed frequencies ({each}): all are compared {facts['frequency']}.")
    for key, why in (
        ("few", "have fewer than three prices"),
        ("absent", "have no price in the period, or only one so far"),
    ):
        if facts[key]:
            named = ", ".join(safe(n) for n in facts[key][:10])
            notes.append(f"Left out, as they {why}: {named}.")
    for name, first in facts["late"][:10]:
        notes.append(f"{safe(name)} begins on {first}: what is compared begins there.")
    if ingest["empty"]:
        notes.append(f"Without any price: {', '.join(safe(n) for n in ingest['empty'][:10])}.")
    if facts["no_spread"]:
        named = ", ".join(safe(n) for n in facts["no_spread"][:10])
        notes.append(f"Prices that mostly stand still, so that outliers cannot be told: {named}.")
    if ingest["left_out"]:
        each = ", ".join(f"{safe(n, 40) or '(no name)'} ({w})" for n, w in ingest["left_out"][:8])
        notes.append(f"Columns not used: {each}.")
    return notes


def method_section(ingest: Facts, facts: Facts, trends: Facts, risk: Facts) -> list[str]:
    """How the figures came about."""
    frequency = facts["frequency"]
    period = facts["period"]
    years = sorted({e["per_year"] for e in risk["instruments"]})
    windows = ", ".join(str(w) for w in trends["windows"])
    run = grids.LONGEST_RUN[frequency]
    unit = {"daily": "days", "weekly": "weeks", "monthly": "months"}[frequency]
    calendar = (
        "A weekday on which no instrument has a price is a holiday, unless more than "
        f"{grids.LONGEST_HOLIDAY} follow each other"
        if frequency == "daily"
        else f"Every one of the {unit} between the first and the last price is expected"
    )
    lines = [
        f"**Period.** {period['now']['name']} ({period['now']['start']} to "
        f"{period['now']['end']}): {period['why']}. "
        f"It is compared with {period['before']['name']}.",
        "**Change.** From the last price before the period to the last price in it, without "
        "dividends unless the file's prices hold them. pp are percentage points.",
        f"**Returns.** Volatility is the standard deviation of log returns times the root of "
        f"{' or '.join(map(str, years))} ({frequency} prices). Worst 5 % is the return not reached "
        "in the worst twentieth of the last year's returns; it is told from 60 returns on.",
        f"**Averages.** Plain means of the last {windows} prices; a crossing is the day on which a "
        "shorter one passes the next longer one.",
        "**Trend.** A straight line fitted to the prices of the period; sideways where it explains "
        f"less than {percent(measures.SIDEWAYS_R2, 0, sign=False)} of the movement.",
        "**Drawdown.** Distance below the highest price so far in the data. The deepest fall "
        "in the period counts from the last price before it.",
        "**Correlation.** Of log returns within the period, on the dates that both have.",
        f"**Gaps.** {calendar}. Between an instrument's first and last price the rest is missing.",
        "**Holes that change the answer.** In the period or the one before, an instrument misses "
        f"more than {percent(grids.MISSING_SHARE, 0, sign=False)} of its expected prices, "
        + (f"or more than {run} in a row, " if run else "or any one, ")
        + "or the first or the last date.",
        f"**Outliers.** Returns more than {quality.OUTLIER_MADS:g} robust standard deviations "
        "(from the median absolute deviation) from the median. They stay in every figure.",
    ]
    few = min((e["returns"] for e in risk["instruments"]), default=0)
    if few < 15:
        lines.append(
            f"**Caution.** Some volatilities rest on {several(few, 'return')} only; "
            "they say little."
        )
    return ["## Method", "", *[f"- {line}" for line in lines], ""]


def source_section(ingest: Facts) -> list[str]:
    """The file, so that the report can be checked against it."""
    column = f", prices in {code(ingest['price_column'], 60)}" if ingest["price_column"] else ""
    order = f", dates read {ingest['date_order']} first" if ingest["date_order"] else ""
    return [
        "## Source",
        "",
        f"- File: {code(ingest['name'])} ({megabytes(ingest['size'])}, {ingest['encoding']})",
        f"- SHA-256: `{ingest['sha256']}`",
        f"- {ingest['rows']:,} rows, {ingest['prices']:,} prices of "
        f"{several(ingest['instruments'], 'instrument')}, {ingest['first']} to {ingest['last']}",
        f"- Layout: {ingest['layout']}, dates in {code(ingest['date_column'], 60)}{column}{order}",
        "",
    ]
