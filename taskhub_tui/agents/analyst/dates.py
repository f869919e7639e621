"""Dates as people write them, read without guessing where the file itself can tell."""

import re
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from statistics import median
from typing import Literal

Order = Literal["day", "month"]
"""Which number comes first in 03/04/2024."""

_TIME = re.compile(
    r"[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?\s*([AaPp])?\.?[Mm]?\.?"
    r"\s*(?:Z|UTC|GMT|[A-Z]{3,4}|[+-]\d{2}:?\d{2})?$"
)
_WEEKDAY = re.compile(r"^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+", re.IGNORECASE)
_YMD = re.compile(r"^(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})$")
_COMPACT = re.compile(r"^(\d{4})(\d{2})(\d{2})$")
_YM = re.compile(r"^(\d{4})[-/.Mm](\d{1,2})$")
_YM_COMPACT = re.compile(r"^(\d{4})(\d{2})$")
_MY = re.compile(r"^(\d{1,2})[-/.](\d{4})$")
_XX = re.compile(r"^(\d{1,2})([-/. ])(\d{1,2})[-/. ](\d{4}|\d{2})$")
_WORD = r"([A-Za-z]{3,9})\.?"
_D_WORD_Y = re.compile(rf"^(\d{{1,2}})[ \-/.]*{_WORD}[ \-/,]*(\d{{4}}|\d{{2}})$")
_WORD_D_Y = re.compile(rf"^{_WORD}[ \-/]*(\d{{1,2}})(?:st|nd|rd|th)?[ ,\-/]+(\d{{4}})$")
_WORD_Y = re.compile(rf"^{_WORD}[ \-/,']*(\d{{4}}|\d{{2}})$")
_Y_WORD = re.compile(rf"^(\d{{4}})[ \-/]*{_WORD}$")
_EPOCH = re.compile(r"^\d{9,10}(?:\.0+)?$|^\d{12,13}$")
_MONTHS = "january february march april may june july august september october november december"
_FULL = _MONTHS.split()


@dataclass(frozen=True)
class Parsed:
    """The dates of one column; `days` goes with the texts that were given."""

    days: list[date | None]
    order: Order | None
    """None where it made no difference."""
    how: str
    """A few words on how the order was settled."""


class Ambiguous(Exception):
    """Every date can be read day first or month first, and nothing in the file tells."""

    def __init__(self, example: str, day_first: date, month_first: date) -> None:
        super().__init__(example)
        self.example = example
        self.day_first = day_first
        self.month_first = month_first


def split_time(text: str) -> tuple[str, str]:
    """Text of the date alone, and the time as sortable HH:MM:SS ('' when there is none)."""
    found = _TIME.search(text)
    if not found:
        return text, ""
    hour, minute, second, half = found.groups()
    number = int(hour) % 12 + 12 * (half in "pP") if half else int(hour)
    return text[: found.start()], f"{number:02d}:{minute}:{second or '00'}"


def parse(texts: Sequence[str], *, numbers: bool, order: Order | None = None) -> Parsed:
    """Read the texts of a column of dates (without times); unreadable ones become None.

    Args:
        texts: in the order of the file, each once.
        numbers: also take plain numbers, such as 20240131 or seconds since 1970, for dates.
        order: settles day against month first; None lets the file tell.

    Raises:
        Ambiguous: the file cannot tell.
    """
    how = "as told"
    if order is None:
        order, how = _order_of(texts, numbers)
    days = [_one(text, order or "day", numbers) for text in texts]
    return Parsed(days, order, how)


def month_end(day: date) -> date:
    """Last day of the month."""
    return day.replace(day=monthrange(day.year, day.month)[1])


def _order_of(texts: Sequence[str], numbers: bool) -> tuple[Order | None, str]:
    found = [(text, m) for text in texts if (m := _XX.match(text))]
    if not found:
        return None, ""
    over_first = sum(int(m[1]) > 12 for _, m in found)
    over_second = sum(int(m[3]) > 12 for _, m in found)
    if over_first or over_second:
        return (
            ("day", "a first number above 12")
            if over_first >= over_second
            else (
                "month",
                "a second number above 12",
            )
        )
    same = [text for text, m in found if int(m[1]) != int(m[3])]
    if not same:
        return None, ""
    if all(m[2] == "." for _, m in found):
        return "day", "the points between the numbers"
    readings: dict[Order, list[date]] = {
        "day": [d for text, _ in found if (d := _one(text, "day", numbers))],
        "month": [d for text, _ in found if (d := _one(text, "month", numbers))],
    }
    rough = {order: _roughness(days) for order, days in readings.items()}
    best: Order = "day" if rough["day"] < rough["month"] else "month"
    if len(found) >= 6 and rough[best] <= 4 and max(rough.values()) >= 4 * rough[best] + 4:
        return best, "the steps between the dates"
    day, month = _one(same[0], "day", numbers), _one(same[0], "month", numbers)
    if day is None or month is None:
        return ("day", "the calendar") if day else ("month", "the calendar")
    raise Ambiguous(same[0], day, month)


def _roughness(days: Sequence[date]) -> float:
    """Longest step over the usual one, in file order; infinite when the order goes both ways."""
    steps = [(b - a).days for a, b in pairwise(days) if a != b]
    if not steps:
        return float("inf")
    if any(s > 0 for s in steps) and any(s < 0 for s in steps):
        return float("inf")
    sizes = [abs(s) for s in steps]
    return max(sizes) / median(sizes)


def _one(text: str, order: Order, numbers: bool) -> date | None:
    text = _WEEKDAY.sub("", text.strip())
    if m := _YMD.match(text):
        return _day(m[1], m[2], m[3])
    if m := _XX.match(text):
        first, second = (m[1], m[3]) if order == "day" else (m[3], m[1])
        return _day(_year(m[4]), second, first)
    if m := _YM.match(text):
        return _month(m[1], m[2])
    if m := _MY.match(text):
        return _month(m[2], m[1])
    if m := _D_WORD_Y.match(text):
        return _day(_year(m[3]), _named(m[2]), m[1])
    if m := _WORD_D_Y.match(text):
        return _day(m[3], _named(m[1]), m[2])
    if m := _WORD_Y.match(text):
        return _month(_year(m[2]), _named(m[1]))
    if m := _Y_WORD.match(text):
        return _month(m[1], _named(m[2]))
    return _number(text) if numbers else None


def _number(text: str) -> date | None:
    text = text.removesuffix(".0")
    if m := _COMPACT.match(text):
        return _day(m[1], m[2], m[3])
    if m := _YM_COMPACT.match(text):
        return _month(m[1], m[2])
    if _EPOCH.match(text):
        seconds = float(text)
        try:
            return datetime.fromtimestamp(seconds / (1e3 if seconds > 1e11 else 1), UTC).date()
        except (OverflowError, OSError, ValueError):
            return None
    return None


def _year(text: str) -> int:
    year = int(text)
    if len(text) == 4:
        return year
    return 2000 + year if year < 70 else 1900 + year


def _named(word: str) -> int:
    word = word.lower()
    if word == "sept":
        return 9
    hits = [i for i, name in enumerate(_FULL, 1) if name.startswith(word)]
    return hits[0] if len(hits) == 1 else 0


def _day(year: int | str, month: int | str, day: int | str) -> date | None:
    try:
        found = date(int(year), int(month), int(day))
    except ValueError:
        return None
    return found if 1700 <= found.year <= 2200 else None


def _month(year: int | str, month: int | str) -> date | None:
    first = _day(year, month, 1)
    return month_end(first) if first else None
