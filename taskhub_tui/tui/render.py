"""Drawing text that came from outside: cells of fixed width, bars, and the last guard."""

import re
import time
from functools import lru_cache

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

from taskhub_tui.tui.glyphs import Glyphs
from taskhub_tui.tui.words import age as age
from taskhub_tui.tui.words import bar as bar
from taskhub_tui.tui.words import calls as calls
from taskhub_tui.tui.words import left as left
from taskhub_tui.tui.words import percent as percent
from taskhub_tui.tui.words import question as question
from taskhub_tui.tui.words import stage as stage

# Nothing of this may reach the terminal inside a line: C0, DEL, C1, bidi and invisible characters.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_SAFE_LINK = re.compile(r"https?://[!-~]+")


class ControlFilter(LineFilter):
    """Takes out of every line what a terminal would obey, and links that are not web addresses.

    A backstop: text is sanitised where it comes in, and no widget should hold any of it. Textual
    itself passes such characters on to the terminal.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [_guarded(segment) for segment in segments]


class NoColour(LineFilter):
    """Takes all colours out; bold, underlined and reversed stay."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            segment
            if segment.style is None or segment.style.color is segment.style.bgcolor is None
            else Segment(segment.text, _colourless(segment.style))
            for segment in segments
        ]


@lru_cache(1024)
def _colourless(style: Style) -> Style:
    return style.without_color + Style(dim=False)


_PLAIN = str.maketrans(
    {
        **dict.fromkeys("─━╌╍═–—−", "-"),
        **dict.fromkeys("│┃▌▏▎▍▐▕", "|"),
        **dict.fromkeys("╭╮╰╯┌┐└┘├┤┬┴┼", "+"),
        **dict.fromkeys("▁▂▃▄▅▆▇█▀■▪", "#"),
        **dict.fromkeys("“”„", '"'),
        **dict.fromkeys("‘’", "'"),
        "·": "-",
        "…": "~",
        "•": "*",
        "×": "x",
        "▲": "^",
        "▼": "v",
        "▶": ">",
        "\u00a0": " ",
        "↓": "v",
        "↑": "^",
        "←": "<",
        "→": ">",
    }
)
"""One character for one, each a cell wide."""


class AsciiFilter(LineFilter):
    """Draws frames, scroll bars and marks with ASCII; letters of other scripts stay."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            segment
            if segment.text.isascii()
            else Segment(segment.text.translate(_PLAIN), segment.style)
            for segment in segments
        ]


def _guarded(segment: Segment) -> Segment:
    text, style, _ = segment
    if style is not None and style.link is not None and not _SAFE_LINK.fullmatch(style.link):
        style = style.update_link(None)
    if not text.isprintable() and _UNSAFE.search(text):
        width = cell_len(text)
        text = set_cell_size(_UNSAFE.sub("", text), width)
    elif style is segment.style:
        return segment
    return Segment(text, style)


def fit(text: str, width: int, glyphs: Glyphs) -> str:
    """Return `text` in exactly `width` cells; what is cut off ends in an ellipsis."""
    if width <= 0:
        return ""
    text = _UNSAFE.sub(" ", text)
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(set_cell_size(text, width - 1).rstrip() + glyphs.more, width)


def clock(at: float, now: float) -> str:
    """Return a time of day; the day instead of what is not near `now`."""
    then = time.localtime(at)
    near = abs(at - now) < 86400 * 0.9
    return time.strftime("%H:%M", then) if near else time.strftime("%d %b", then)
