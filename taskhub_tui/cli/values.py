"""What people write on the command line, made into values: times, options, stages, variables."""

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from taskhub_tui.domain import durations
from taskhub_tui.domain.errors import BadInput
from taskhub_tui.text import clean

if TYPE_CHECKING:
    from datetime import time

_FAR = 100 * 366 * 86400.0
"""Seconds ahead that are certainly a slip of the hand."""
_TIMES = "18:00, `tomorrow 08:30`, `2031-05-04 08:30` or 2031-05-04T08:30:00Z"


def duration(text: str, option: str) -> float:
    """Return the seconds that `text` names; `option` is what it was given to.

    Raises:
        BadInput: it is no duration, or one that nobody means.
    """
    try:
        seconds = durations.parse(text)
    except ValueError as error:
        raise BadInput(f"{option}: {error}") from None
    if seconds > _FAR:
        raise BadInput(f"{option}: `{text}` is more than a hundred years")
    return seconds


def due(text: str, now: float, option: str) -> tuple[float | None, float | None]:
    """Return the time that `text` names, or else the seconds.

    Raises:
        BadInput: it is neither, or lies in the past.
    """
    try:
        durations.parse(text)
    except ValueError:
        return moment(text, now, option), None
    return None, duration(text, option)


def moment(text: str, now: float, option: str = "--at") -> float:
    """Return the time that `text` names, in the local zone unless it names another.

    A time of day is the next one: today, or tomorrow if it has passed.

    Raises:
        BadInput: it is no time, or lies in the past.
    """
    from datetime import datetime, timedelta

    here = datetime.fromtimestamp(now).astimezone()
    bare = " ".join(text.split())
    day, _, rest = bare.partition(" ")
    if day.lower() in ("today", "tomorrow"):
        date = here.date() + timedelta(days=1 if day.lower() == "tomorrow" else 0)
        found = datetime.combine(date, _time_of_day(rest or "00:00", text, option))
        return _ahead(found.timestamp(), now, text, option)
    if ":" in bare and len(bare) <= 8:
        clock = _time_of_day(bare, text, option)
        found = datetime.combine(here.date(), clock)
        if found.timestamp() <= now:
            found = datetime.combine(here.date() + timedelta(days=1), clock)
        return found.timestamp()
    try:
        return _ahead(datetime.fromisoformat(bare).timestamp(), now, text, option)
    except (ValueError, OverflowError, OSError):
        raise BadInput(f"{option}: `{text}` is not a time", f"Write it like {_TIMES}") from None


def _time_of_day(text: str, whole: str, option: str) -> "time":
    from datetime import time

    try:
        hour, _, rest = text.partition(":")
        found = time.fromisoformat(f"{int(hour):02d}:{rest}")
    except ValueError:
        raise BadInput(f"{option}: `{whole}` is not a time", f"Write it like {_TIMES}") from None
    if found.tzinfo is not None:
        raise BadInput(
            f"{option}: a zone needs a date as well in `{whole}`", f"Write it like {_TIMES}"
        )
    return found


def _ahead(at: float, now: float, text: str, option: str) -> float:
    if at <= now:
        raise BadInput(
            f"{option}: `{text}` has passed", f"Give one that is to come, or leave {option} away"
        )
    if at > now + _FAR:
        raise BadInput(f"{option}: `{text}` is more than a hundred years ahead")
    return at


def pairs(given: Iterable[str], option: str) -> dict[str, Any]:
    """Return `name=value` pairs; a value that TOML can read (`3`, `true`, `["a"]`) is that value.

    Raises:
        BadInput: one has no name or no `=`.
    """
    found: dict[str, Any] = {}
    for text in given:
        name, sign, value = text.partition("=")
        name = name.strip()
        if not sign or not name:
            raise BadInput(f"{option}: `{text}` is not of the form name=value")
        if name in found:
            raise BadInput(f"{option}: `{name}` is given twice")
        found[utf8(name, option)] = _value(utf8(value, option))
    return found


def _value(text: str) -> Any:
    """Read a TOML value that JSON knows as well; everything else is a string as it stands."""
    import tomllib

    try:
        table = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    if set(table) != {"value"} or not _is_json(table["value"]):
        return text
    return table["value"]


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_json(item) for item in value.values())
    if isinstance(value, list):
        return all(_is_json(item) for item in value)
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, str | int | bool)


def stage(text: str) -> tuple[str, str | None]:
    """Split `name` or `name:agent`.

    Raises:
        BadInput: a part is empty.
    """
    name, sign, agent = (part.strip() for part in text.partition(":"))
    if not name or (sign and not agent):
        raise BadInput(f"--stage: `{text}` is not of the form name or name:agent")
    return clean(name, 60), agent or None


def variables(given: Iterable[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Return environment variables from `NAME=VALUE` or `NAME`, which takes the shell's value.

    Raises:
        BadInput: the shell has no such variable, or the name is none. The value is never shown.
    """
    found: dict[str, str] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not name or not name.isascii() or not name.replace("_", "a").isalnum():
            shown = clean(name, 60)
            raise BadInput(f"--env: `{shown}` cannot be the name of a variable")
        if not sign:
            if name not in environ:
                raise BadInput(
                    f"--env: {name} is not set here", f"Set it first, or write --env {name}=VALUE"
                )
            value = environ[name]
        found[name] = utf8(value, f"--env {name}")
    return found


def utf8(text: str, where: str) -> str:
    """Return `text` if it can be stored.

    Raises:
        BadInput: it holds bytes that are no UTF-8, or a NUL.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadInput(f"{where}: the text is not valid UTF-8") from None
    if "\0" in text:
        raise BadInput(f"{where}: the text holds a NUL character")
    return text
