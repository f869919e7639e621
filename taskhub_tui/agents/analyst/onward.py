"""What could be looked at next. Each suggestion stands on a finding of this report, or is not made.

None repeats the report: its period differs from the one that was reported on.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from taskhub_tui.agents.analyst.card import NAME
from taskhub_tui.agents.analyst.markdown import percent
from taskhub_tui.agents.analyst.work import Facts
from taskhub_tui.text import one_line

_DEEP = -0.05
"""A fall that is worth a report of its own."""
_LONG = timedelta(days=28)
"""Shorter stretches tell nothing of a trend."""
MOST = 3


def follow_ups(facts: Facts) -> list[Facts]:
    """Return up to three, as `title`, `request`, `agent` and `options`."""
    made = [*_since(facts), *_fall(facts), *_year(facts)]
    return made[:MOST]


def _suggest(title: str, request: str, period: str) -> Facts:
    return {
        "title": title,
        "request": request,
        "agent": NAME,
        # The file and what else was asked for is carried over from this task.
        "options": {"period": period},
    }


def _since(facts: Facts) -> Iterator[Facts]:
    """The prices go on after the period."""
    now = facts["quality"]["period"]["now"]
    later = [e for e in facts["trends"]["instruments"] if e["since"]["percent"] is not None]
    if not later:
        return
    moved = max(later, key=lambda e: abs(float(e["since"]["percent"])))
    start = date.fromisoformat(now["end"]) + timedelta(days=1)
    end = max(date.fromisoformat(e["since"]["last_date"]) for e in later)
    if end - start < _LONG:
        return
    name, change = one_line(moved["name"], 40), percent(moved["since"]["percent"])
    yield _suggest(
        f"What came after {one_line(now['name'], 40)}: {name} {change}",
        f"Report on the prices from {start} to {end}, after {one_line(now['name'], 40)}: {name} "
        f"has moved {change} since, the most of all.",
        f"{start}..{end}",
    )


def _fall(facts: Facts) -> Iterator[Facts]:
    """The deepest fall in all the data, where it is not this period's own."""
    now = facts["quality"]["period"]["now"]
    fallen = [e for e in facts["risk"]["instruments"] if (e["fall_all"]["depth"] or 0) <= _DEEP]
    if not fallen:
        return
    deep = min(fallen, key=lambda e: float(e["fall_all"]["depth"]))
    fall = deep["fall_all"]
    start, end = date.fromisoformat(fall["peak"]), date.fromisoformat(fall["trough"])
    inside = now["start"] <= fall["peak"] and fall["trough"] <= now["end"]
    if inside or end - start < _LONG:
        return
    name, depth = one_line(deep["name"], 40), percent(fall["depth"])
    yield _suggest(
        f"The deepest fall: {name} {depth} by {end}",
        f"Report on the deepest fall in the data: {name} fell {depth} from {start} to {end}. How "
        "did the others move meanwhile?",
        f"{start}..{end}",
    )


def _year(facts: Facts) -> Iterator[Facts]:
    """The quarters of the last year did not all go the same way."""
    quality = facts["quality"]
    period = quality["period"]
    if period["unit"] == "year":
        return
    end = date.fromisoformat(period["now"]["end"])
    start = end - timedelta(days=364)
    if date.fromisoformat(facts["ingest"]["first"]) > start - timedelta(days=365):
        return  # There is no year before to compare with.
    turned = []
    for e in facts["trends"]["instruments"]:
        last = [change for change in list(e["quarters"].values())[-4:] if change is not None]
        if any(change > 0 for change in last) and any(change < 0 for change in last):
            turned.append(e["name"])
    if not turned:
        return
    name = one_line(turned[0], 40)
    more = f" and {len(turned) - 1} more" if len(turned) > 1 else ""
    yield _suggest(
        f"The whole year to {end}",
        f"Report on the year from {start} to {end} against the year before. {name}{more} rose in "
        "some of the last quarters and fell in others: which way does the year go?",
        f"{start}..{end}",
    )
