"""Sanitising of text that came from outside: agent output, titles, logs, file names, replies.

Every border (agent, command line, file, desktop reply) passes its text through here before it is
stored, so that nothing in the store can be an escape sequence. What is displayed as plain text is
safe then; markup is a matter of the widget, which must never interpret outside text as markup.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

# Whole escape sequences: OSC/DCS/APC/PM/SOS strings up to BEL or ST, CSI, and short ESC forms.
_ESCAPES = re.compile(
    "(?:\x1b[\\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\\\|\x9c)?"
    "|(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]?"
    "|\x1b[ -/]*[0-~]?"
)
# C0 but tab and newline, DEL and C1, bidi controls, zero width and line separators, surrogates,
# tags (U+E0000 block) that hide text.
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


DEPTH = 24
"""How deep JSON may be nested: deeper is nothing that an agent or a person wrote."""


def clean(text: str, limit: int = 1_000_000) -> str:
    """Return `text` without escape sequences, control, bidi and invisible characters.

    Newlines and tabs stay; CR LF and lone CR become newlines. What is longer than `limit`
    characters is cut and ends in an ellipsis.
    """
    if _CONTROLS.search(text):
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        text = _CONTROLS.sub("", _ESCAPES.sub("", text))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def one_line(text: str, limit: int = 500) -> str:
    """Return `text` cleaned and folded onto one line, runs of white space as one blank."""
    return clean(" ".join(clean(text, limit * 4).split()), limit)


def clean_json(value: Any, depth: int = 0) -> Any:
    """Return a JSON value with every text in it cleaned; what is no JSON becomes text."""
    if isinstance(value, str):
        return clean(value, 200_000)
    if isinstance(value, Mapping) and depth < 8:
        return {one_line(str(k), 100): clean_json(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list | tuple) and depth < 8:
        return [clean_json(v, depth + 1) for v in value]
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return clean(_spelled(value), 200_000)


def check_json(value: Any, most: int = DEPTH) -> None:
    """Raise ValueError where a value is none that every JSON can hold, or nested too deep."""
    _check_json(value, most, most)


def _check_json(value: Any, left: int, most: int) -> None:
    if left < 0:
        raise ValueError(f"it is nested more than {most} deep")
    if isinstance(value, Mapping):
        for one in value.values():
            _check_json(one, left - 1, most)
    elif isinstance(value, list | tuple):
        for one in value:
            _check_json(one, left - 1, most)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("a number is not finite")


def plain_json(value: Any) -> Any:
    """Return a value as every JSON can hold it; itself, where it is that already.

    A number that is not finite becomes null, and what is nested too deep text.
    """
    try:
        check_json(value)
    except ValueError:
        return _plain_json(value, DEPTH)
    return value


def _plain_json(value: Any, left: int) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if not isinstance(value, Mapping | list | tuple):
        return value
    if left <= 0:
        return clean(_spelled(value), 200_000)
    if isinstance(value, Mapping):
        return {key: _plain_json(one, left - 1) for key, one in value.items()}
    return [_plain_json(one, left - 1) for one in value]


def _spelled(value: Any) -> str:
    try:
        return str(value)
    except RecursionError:
        return "…"
