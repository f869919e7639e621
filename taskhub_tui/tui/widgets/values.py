"""What people type into forms, and back: options as TOML or JSON, argument lists, points in time.

Every function that reads raises ValueError with a sentence that says what is wrong and what would
be right.
"""

import datetime as dt
import json
import re
import shlex
import tomllib
from collections.abc import Mapping
from typing import Any

from taskhub_tui.domain import durations
from taskhub_tui.text import clean

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_CLOCK = re.compile(r"(?:(today|tomorrow)\s+(?:at\s+)?)?(\d{1,2}):(\d{2})")
_FAR = 3.2e9
"""Seconds; what lies a hundred years ahead is a slip of the finger."""
_PLACE = re.compile(r" \(at (line \d+, column \d+|end of document)\)$")


def to_toml(options: Mapping[str, Any]) -> str:
    """Return `options` as TOML lines, or as JSON where they hold what TOML cannot say (null)."""
    try:
        return "\n".join(f"{_key(name)} = {_toml(value)}" for name, value in options.items())
    except TypeError:
        return to_json(options)


def to_json(value: Any) -> str:
    """Return `value` as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def read_options(text: str) -> dict[str, Any]:
    """Return the table that `text` writes in TOML, or in JSON when it begins with a brace."""
    bare = text.strip()
    if bare.startswith("{"):
        value = read_json(bare)
        assert isinstance(value, dict)
        return value
    try:
        table = tomllib.loads(clean(text))
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        place = _PLACE.search(message)
        where = f"at the {place[1]}" if place and "end" in place[1] else place and place[1]
        said = _PLACE.sub("", message)
        raise ValueError(
            f"Not valid TOML ({where or 'somewhere'}): {said[:1].lower()}{said[1:]};"
            ' write lines like name = 3 or name = "text"'
        ) from None
    plain: dict[str, Any] = _plain(table)
    return plain


def read_json(text: str) -> Any:
    """Return the value that `text` writes in JSON."""
    try:
        return json.loads(clean(text), parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        said = f"{error.msg[:1].lower()}{error.msg[1:]}"
        raise ValueError(
            f"Not valid JSON (line {error.lineno}, column {error.colno}): {said}"
        ) from None
    except RecursionError:
        raise ValueError("Not valid JSON here: it is nested too deeply") from None


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return what differs in `new`; a name that is gone has the value None."""
    changed = {
        name: value for name, value in new.items() if name not in old or not same(old[name], value)
    }
    return {**changed, **{name: None for name in old if name not in new}}


def same(one: Any, other: Any) -> bool:
    """True when both are the same JSON; 1, 1.0 and true are three different things."""
    return json.dumps(one, sort_keys=True, default=str) == json.dumps(
        other, sort_keys=True, default=str
    )


def read_argv(text: str) -> list[str]:
    """Return the words of a command line, split as a shell does; nothing is expanded."""
    try:
        words = shlex.split(text.replace("\n", " "))
    except ValueError as error:
        said = "a quotation mark is not closed" if "quotation" in str(error) else str(error).lower()
        raise ValueError(f"The command cannot be split into words: {said}") from None
    if not words:
        raise ValueError("The command is empty; write a program and its arguments")
    return words


def read_when(text: str, now: float) -> float | None:
    """Return the time that `text` names, None for now.

    Understands nothing or `now`, `in 10m` or `10m`, `at 18:00` or `18:00` (the next one), `today
    18:00`, `tomorrow 8:00`, and `2026-11-23` or `2026-11-23 18:00`, in local time.
    """
    bare = text.strip().lower()
    if bare in ("", "now"):
        return None
    given = bare.removeprefix("at ").removeprefix("in ").strip()
    here = dt.datetime.fromtimestamp(now)
    if clock := _CLOCK.fullmatch(given):
        day, hour, minute = clock[1], int(clock[2]), int(clock[3])
        if hour > 23 or minute > 59:
            raise ValueError(f"`{given}` is no time of day; write it like 18:00")
        then = here.replace(hour=hour, minute=minute, second=0, microsecond=0)
        if day == "today" and then <= here:
            raise ValueError(f"`{given}` has passed; give a time to come")
        late = day == "tomorrow" or (day is None and then <= here)
        return (then + dt.timedelta(days=1) if late else then).timestamp()
    if re.match(r"\d{4}-", given):
        try:
            then = dt.datetime.fromisoformat(given.upper())
        except ValueError:
            raise ValueError(f"`{given}` is no date; write it like 2026-11-23 18:00") from None
        if then.timestamp() < now:
            raise ValueError(f"`{given}` has passed; give a time to come")
        return then.timestamp()
    try:
        pause = durations.parse(given)
    except ValueError:
        raise ValueError(
            f"`{text.strip()}` is no time; write now, in 10m, 18:00, tomorrow 8:00"
            " or 2026-11-23 18:00"
        ) from None
    if pause > _FAR:
        raise ValueError(f"`{text.strip()}` is too far away; give a time you will see")
    return now + pause


def read_due(text: str, now: float) -> tuple[float | None, float | None]:
    """Return the time that `text` names as a deadline, or else the seconds; nothing for none.

    Understands nothing or `none`, `2h` or `in 2h`, and the times of `read_when`.
    """
    bare = text.strip().lower()
    if bare in ("", "none"):
        return None, None
    try:
        within = durations.parse(bare.removeprefix("in "))
    except ValueError:
        pass
    else:
        if not within:
            raise ValueError(f"`{text.strip()}` leaves no time; give some, like 2h")
        if within > _FAR:
            raise ValueError(f"`{text.strip()}` is too far away; leave it empty for no deadline")
        return None, within
    try:
        then = None if bare == "now" else read_when(text, now)
    except ValueError as error:
        if " is no time;" not in str(error):
            raise
        then = None
    if then is None:
        raise ValueError(
            f"`{text.strip()}` is no deadline; write none, 2h, 18:00 or 2026-11-23 18:00"
        )
    return then, None


def write_span(seconds: float) -> str:
    """Return seconds as `read_due` reads them, to the last one."""
    left, words = round(seconds), ""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if left >= size:
            words += f"{left // size}{unit}"
            left %= size
    return words


def write_time(at: float) -> str:
    """Return a point in time as `read_when` and `read_due` read it."""
    then = dt.datetime.fromtimestamp(at)
    return then.strftime("%Y-%m-%d %H:%M:%S" if then.second else "%Y-%m-%d %H:%M")


def say_time(at: float, now: float) -> str:
    """Return a point in time in words: the day, the time, and how long it is until then."""
    then, today = dt.datetime.fromtimestamp(at), dt.datetime.fromtimestamp(now).date()
    days = (then.date() - today).days
    day = {0: "today", 1: "tomorrow"}.get(days, then.strftime("%a %d %b %Y"))
    return f"{day} {then:%H:%M}, in {durations.countdown(at - now)}"


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _toml(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case str():
            return json.dumps(value, ensure_ascii=False)
        case list() | tuple():
            return "[" + ", ".join(_toml(item) for item in value) + "]"
        case Mapping():
            inside = ", ".join(f"{_key(name)} = {_toml(item)}" for name, item in value.items())
            return "{ " + inside + " }" if inside else "{}"
        case _:
            raise TypeError(type(value).__name__)


def _plain(value: Any) -> Any:
    """Return a TOML value as JSON: dates and times become text."""
    match value:
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case dt.datetime() | dt.date() | dt.time():
            return value.isoformat()
        case float() if value != value or value in (float("inf"), float("-inf")):
            raise ValueError(f"`{value}` cannot be kept; write a finite number")
        case _:
            return value


def _no_constant(name: str) -> Any:
    raise ValueError(f"`{name}` is not JSON; write a finite number")
