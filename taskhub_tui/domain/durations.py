"""Durations as people write them: `90`, `90s`, `10m`, `1h30m`, `2d`."""

import math
import re

LAST = 253_402_300_799.0
"""The end of the year 9999, which is as far as dates go; more seconds than that nobody means."""
LONGEST = 3650 * 86400.0
"""Most seconds that anything may be set to; beyond lie clocks that cannot count so far."""
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])", re.IGNORECASE)


def parse(text: str) -> float:
    """Return the seconds that `text` names.

    Raises:
        ValueError: it is not a duration; the message is a sentence.
    """
    bare = text.strip().lower()
    if re.fullmatch(r"\d+(?:\.\d+)?", bare):
        return float(bare)
    parts = _PART.findall(bare)
    if not parts or _PART.sub("", bare).strip():
        raise ValueError(f"`{text}` is not a duration; write it like 90s, 10m, 1h30m or 2d")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


_BARE_SECONDS = re.compile(r"(?<!m )\b\d+s\b")


def in_seconds(text: str) -> bool:
    """Return whether a text names less than a minute, in seconds: what will read differently soon.

    The seconds of `1m 30s` are not the last that matters.
    """
    return "s" in text and _BARE_SECONDS.search(text) is not None


def countdown(seconds: float) -> str:
    """Return `seconds` to the last one that matters: 45s, 1m 30s, 2h 05m, 3d 04h."""
    left = max(0, math.ceil(seconds))
    for whole, big, part, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "m")):
        if left >= whole:
            return f"{left // whole}{big} {left % whole // part:02d}{small}"
    return f"{left // 60}m {left % 60:02d}s" if left >= 60 else f"{left}s"


def spell(seconds: float) -> str:
    """Return `seconds` in at most five characters: 40s, 12m, 1h04, 3d, 12d."""
    seconds = max(0.0, seconds)
    if seconds < 60:
        return f"{int(seconds)}s"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes}m"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h{minutes:02d}"
    return f"{hours // 24}d"
