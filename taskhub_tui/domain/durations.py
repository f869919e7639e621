"""Durations as people write them: `90`, `90s`, `10m`, `1h30m`, `2d`."""

import re

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
