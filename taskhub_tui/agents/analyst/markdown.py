"""Writing Markdown with words from outside, so that none of them is read as Markdown or HTML."""

import re
from collections.abc import Sequence

from taskhub_tui.text import one_line

# ASCII punctuation that can begin or end something in Markdown (CommonMark, tables, autolinks).
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#!|~$&])")
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()<>#!|~$&:.+\->=)])")
_LINKS = re.compile(r"(?i)\b(https?|ftp|mailto|javascript|data|file|www)([:.])")
_LINE_START = re.compile(r"^([-+>=]|\d+[.)])")


def safe(text: str, limit: int = 60) -> str:
    """`text` on one line, shown letter for letter: no link, tag, emphasis or table cut."""
    line = _SPECIAL.sub(r"\\\1", one_line(text, limit))
    line = _LINKS.sub(r"\1\\\2", line)
    return _LINE_START.sub(lambda m: m[0][:-1] + "\\" + m[0][-1], line)


def plain(text: str) -> str:
    """`text`, written with `safe`, as words that are not Markdown."""
    return _ESCAPED.sub(r"\1", text)


def code(text: str, limit: int = 200) -> str:
    """`text` as inline code."""
    return "`" + one_line(text, limit).replace("`", "'") + "`"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table; the first column to the left, the others to the right."""
    marks = ["---", *["---:"] * (len(head) - 1)]
    lines = [head, marks, *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines] + [""]


def percent(value: float | None, digits: int = 1, sign: bool = True) -> str:
    """0.123 as +12.3 %; a dash where there is no value."""
    if value is None:
        return "–"
    text = f"{100 * value:+,.{digits}f}" if sign else f"{100 * value:,.{digits}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("+-")
    return text.replace("-", "−") + " %"


def price(value: float | None) -> str:
    """A price with the digits that its size calls for."""
    if value is None:
        return "–"
    size = abs(value)
    digits = 2 if size >= 1 else 4
    if size and size < 0.01:
        return f"{value:.3g}".replace("-", "−")
    return f"{value:,.{digits}f}".replace("-", "−")


def several(count: int, one: str, many: str | None = None) -> str:
    """1 gap, 2 gaps."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
