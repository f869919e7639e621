"""The stretch of time a report is about, and the one before it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from taskhub_tui.agents.analyst.dates import month_end
from taskhub_tui.agents.port import AgentError
from taskhub_tui.text import one_line

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Window:
    """A stretch of time, both ends included."""

    start: date
    end: date
    name: str

    def holds(self, day: date) -> bool:
        return self.start <= day <= self.end


@dataclass(frozen=True)
class Period:
    """What is reported on, what it is compared with, and why this one."""

    now: Window
    before: Window
    why: str
    unit: str
    """quarter, month, year or period"""


_QUARTER = re.compile(r"^(?:q([1-4])[ -]?(\d{4})|(\d{4})[ -]?q([1-4]))$")
_TWO = re.compile(
    r"^(?:from )?(\d{4}-\d{2}-\d{2})\s*(?:\.\.|/|:|,|to|until|and| - |–)\s*(\d{4}-\d{2}-\d{2})$"
)
_DAYS = re.compile(r"^(?:the )?(?:last |past )?(\d{1,5}) ?(?:d|days?)$")
_UNITS = {"quarter": 3, "month": 1, "year": 12}
_IN_REQUEST = re.compile(
    r"\b(?:(?:last|past|previous|this|current) (?:quarter|month|year|\d{1,4} days)"
    r"|q[1-4][ -]?(?:19|20)\d{2}|(?:19|20)\d{2}[ -]?q[1-4]"
    r"|\d{4}-\d{2}-\d{2} ?(?:\.\.|to|until) ?\d{4}-\d{2}-\d{2})\b",
    re.IGNORECASE,
)


def wanted(option: object, request: str) -> str:
    """What the option says, else what the request says, else the last quarter."""
    if isinstance(option, (list, tuple)) and len(option) == 2:
        return f"{option[0]}..{option[1]}"
    text = str(option or "").strip()
    if not text:
        found = _IN_REQUEST.search(request)
        text = found[0] if found else "last quarter"
    return re.sub(r"\s+", " ", text.lower())


def choose(text: str, days: Sequence[date], frequency: str) -> Period:
    """Resolve a period against the dates that there are.

    Args:
        text: as `wanted` gives it.
        days: every date with a price, sorted.
        frequency: daily, weekly or monthly.

    Raises:
        AgentError: it is no period, or the data have nothing in it.
    """
    first, last = days[0], days[-1]
    bare = text
    for prefix in ("the ", "last ", "past ", "previous "):
        bare = bare.removeprefix(prefix)
    if bare in _UNITS:
        return _last(bare, first, last, frequency)
    running = bare.removeprefix("this ").removeprefix("current ")
    if running in _UNITS:
        now = _span(last, _UNITS[running], running)
        return Period(
            Window(now.start, min(now.end, last), f"{now.name} to {last}"),
            _span(now.start - ONE_DAY, _UNITS[running], running),
            f"the running {running}, as asked",
            running,
        )
    if m := _DAYS.match(text):
        count = max(int(m[1]), 1)
        start = last - timedelta(days=count - 1)
        return _checked(_given(start, last, f"the last {count} days"), days)
    if m := _TWO.match(text):
        start, end = _iso(m[1]), _iso(m[2])
        if start > end:
            start, end = end, start
        return _checked(_given(start, end, f"{start} to {end}"), days)
    if m := _QUARTER.match(bare):
        quarter, year = (m[1], m[2]) if m[1] else (m[4], m[3])
        return _named(date(int(year), 3 * int(quarter), 1), "quarter", days)
    if m := re.match(r"^(\d{4})-(\d{1,2})$", bare):
        if 1 <= int(m[2]) <= 12 and int(m[1]) > 0:
            return _named(date(int(m[1]), int(m[2]), 1), "month", days)
    elif re.match(r"^[12]\d{3}$", bare):
        return _named(date(int(bare), 12, 1), "year", days)
    raise AgentError(
        f"The period {one_line(text, 60)!r} is not understood. Set the option period to "
        "'last quarter', 'month', 'year', '90d', '2024Q1' or two dates '2024-01-01..2024-03-31'."
    )


def _last(unit: str, first: date, last: date, frequency: str) -> Period:
    """The last complete one; without any, the one with the last price."""
    months = _UNITS[unit]
    slack = timedelta(days={"daily": 4, "weekly": 7}.get(frequency, 31))
    running = _span(last, months, unit)
    done = running if last > running.end - slack else _span(running.start - ONE_DAY, months, unit)
    if frequency == "monthly" and (last.year, last.month) != (running.end.year, running.end.month):
        done = _span(running.start - ONE_DAY, months, unit)
    if first <= done.start + slack:
        why = f"the last complete calendar {unit} in the data, which end on {last}"
        return Period(done, _span(done.start - ONE_DAY, months, unit), why, unit)
    why = f"the data ({first} to {last}) hold no complete {unit}; this is the one they end in"
    now = Window(running.start, min(running.end, last), f"{running.name} to {last}")
    return Period(now, _span(running.start - ONE_DAY, months, unit), why, unit)


def _named(inside: date, unit: str, days: Sequence[date]) -> Period:
    now = _span(inside, _UNITS[unit], unit)
    before = _span(now.start - ONE_DAY, _UNITS[unit], unit)
    return _checked(Period(now, before, "as asked", unit), days)


def _given(start: date, end: date, name: str) -> Period:
    length = end - start + ONE_DAY
    before = Window(start - length, start - ONE_DAY, f"the {length.days} days before")
    return Period(Window(start, end, name), before, "as asked", "period")


def _checked(period: Period, days: Sequence[date]) -> Period:
    if not any(period.now.holds(day) for day in days):
        raise AgentError(
            f"There are no prices in {period.now.name}: the data go from {days[0]} to {days[-1]}. "
            "Choose a period inside that."
        )
    return period


def _span(inside: date, months: int, unit: str) -> Window:
    """The calendar month, quarter or year that holds a day."""
    month = (inside.month - 1) // months * months + 1
    start = date(inside.year, month, 1)
    end = month_end(date(inside.year, month + months - 1, 1))
    name = {
        "quarter": f"Q{(month + 2) // 3} {inside.year}",
        "month": f"{inside:%B} {inside.year}",
        "year": str(inside.year),
    }[unit]
    return Window(start, end, name)


def _iso(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise AgentError(
            f"The period holds {text!r}, which is no date. Write two dates as "
            "'2024-01-01..2024-03-31'."
        ) from error
