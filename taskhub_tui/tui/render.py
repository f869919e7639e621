"""Drawing text that came from outside: cells of fixed width, bars, and the last guard."""

import re
import time

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from taskhub_tui.domain.durations import countdown, spell
from taskhub_tui.domain.model import Blocker, BlockerKind, Status, Task, WaitingOn
from taskhub_tui.tui.theme import Glyphs

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


def bar(fraction: float, width: int, glyphs: Glyphs) -> tuple[str, str]:
    """Return the filled and the empty part of a bar; a full one means done, not nearly done."""
    part = min(1.0, max(0.0, fraction))
    full = width if part >= 1 else min(width - 1, round(part * width))
    return glyphs.filled * full, glyphs.rest * (width - full)


def percent(fraction: float | None) -> str:
    """Return a percentage in four cells, rounded down; blank when it is unknown."""
    return "    " if fraction is None else f"{int(min(1.0, max(0.0, fraction)) * 100):3d}%"


def age(task: Task, now: float) -> str:
    """Return how long the task has been as it is."""
    match task.status:
        case Status.IN_PROGRESS:
            since = task.started or task.changed
        case Status.COMPLETED | Status.FAILED | Status.CANCELLED:
            since = task.ended or task.changed
        case Status.PENDING:
            since = task.created
        case _:
            since = task.changed
    return spell(now - since)


def calls(task: Task) -> bool:
    """True when a person is asked about the task."""
    running = task.status is Status.IN_PROGRESS
    return task.status is Status.BLOCKED or (running and task.waiting_on is WaitingOn.USER)


def question(blocker: Blocker, task: Task, now: float) -> str:
    """Return what is asked; of a silent stage with the time that it is silent by now."""
    if blocker.kind is BlockerKind.STALLED and task.silent_since is not None:
        then = countdown(blocker.created - task.silent_since)
        return blocker.question.replace(f" {then}.", f" {countdown(now - task.silent_since)}.")
    return blocker.question


def left(task: Task, now: float) -> str:
    """Return the time remaining, such as `~4m`; empty when it is unknown or nothing runs.

    Of a stage that gives no sign of life it is unknown: it would only grow.
    """
    if task.status is not Status.IN_PROGRESS or task.silent_since is not None:
        return ""
    if task.eta is None or task.eta <= now:
        return ""
    return "~" + spell(task.eta - now)


def stage(task: Task, now: float, glyphs: Glyphs) -> str:
    """Return where the task is, `3/5 review`, or what it waits for."""
    if task.status.over and task.status is not Status.FAILED:
        return f"{min(task.stage, task.stages)}/{task.stages}"
    if task.stopping:
        return "stopping"
    if task.pausing:
        return "pausing"
    if task.status is Status.PENDING:
        match task.waiting_on:
            case WaitingOn.SCHEDULE:
                return "in " + spell(task.ready_at - now)
            case WaitingOn.DEPENDENCY:
                return f"after {task.deps_left}" if task.deps_left else "after others"
            case WaitingOn.RETRY:
                return "again " + countdown(task.ready_at - now)
            case WaitingOn.PROVIDER:
                return "limit " + countdown(task.ready_at - now)
            case WaitingOn.LIMIT:
                return "no free slot"
            case _ if not task.stage:
                return glyphs.dash
    if task.silent_since is not None:
        return "silent " + spell(now - task.silent_since)
    return f"{min(task.stage + 1, task.stages)}/{task.stages} {task.stage_name}"


def clock(at: float) -> str:
    """Return a time of day; the day instead of what is not near today."""
    then = time.localtime(at)
    near = abs(at - time.time()) < 86400 * 0.9
    return time.strftime("%H:%M", then) if near else time.strftime("%d %b", then)
