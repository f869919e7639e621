"""The audit trail of a task, in words; each line opens to what exactly was shown and decided."""

import datetime as dt
import json
import textwrap
from collections.abc import Sequence

from rich.segment import Segment
from textual import events
from textual.strip import Strip

from taskhub_tui.domain.durations import countdown
from taskhub_tui.domain.finding import Words
from taskhub_tui.domain.model import Event
from taskhub_tui.text import clean, one_line
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.theme import UNICODE, Glyphs
from taskhub_tui.tui.widgets.lines import LinesView

_WORDS = {
    "created": "handed over",
    "started": "started",
    "checkpoint": "finished",
    "asked": "asked",
    "answered": "answered",
    "failed": "failed",
    "retrying": "will be tried again",
    "adopted": "found its work still running, and went on with it",
    "interrupted": "was interrupted when its worker died",
    "paused": "paused",
    "resumed": "resumed",
    "completed": "completed",
    "cancelled": "cancelled",
    "unblocked": "may go on: what it waited for is done",
    "dropped": "cannot go on: what it waited for was not completed",
    "limited": "met its provider's limit",
    "queued": "waits for its turn",
    "pause asked": "will be paused after its stage",
    "opened": "opened from a notification",
    "followed": "started what comes next",
}
_TOLD = ("question", "error", "reason", "text", "summary", "title", "agent", "choice", "message")
_BY = ("created", "decided", "answered", "paused", "resumed", "pause asked", "opened", "followed")
_MOST = 400
"""Lines of detail of one event."""


def sentence(event: Event) -> str:
    """Return what happened as a line: which stage, what, who, where, and the words that fell."""
    data = event.data
    what = _WORDS.get(event.kind, event.kind.replace("_", " "))
    if event.kind == "decided":
        what = "decided " + str(data.get("action", "")).upper()
    if event.kind == "told":
        what = f"told you: {event.channel}"
    parts = []
    if event.stage is not None and event.kind not in ("created", "completed"):
        parts.append(f"stage {event.stage + 1}")
    parts.append(what)
    if event.kind == "checkpoint" and isinstance(data.get("seconds"), int | float):
        parts.append(f"after {countdown(data['seconds'])}")
    if event.by and event.kind in _BY:
        # A rule decides too: a deadline that passed, a default that was set.
        rule = event.by if event.channel != "timeout" else "the rule for a deadline that passed"
        shown = f" ({event.channel})" if event.channel and event.channel != "timeout" else ""
        parts.append(f"by {rule}{shown}")
    line = " ".join(parts)
    said = [one_line(str(data[key]), 300) for key in _TOLD if data.get(key)]
    line = f"{line}: {' · '.join(said)}" if said else line
    return line[:1].upper() + line[1:]


def exactly(event: Event, width: int) -> list[str]:
    """Return everything that is recorded of an event, as lines of at most `width` cells."""
    stage = "" if event.stage is None else f"stage {event.stage + 1}, "
    lines = [f"{stage}kind {event.kind}, by {event.by or '–'}, channel {event.channel or '–'}"]
    for key, value in event.data.items():
        if isinstance(value, str):
            text = value
        else:
            text = json.dumps(value, ensure_ascii=False, indent=2, default=str)
        name = one_line(str(key), 60)
        rows = clean(text, 100_000).expandtabs(4).split("\n")
        lead = name + ": "
        for row in rows:
            wrapped = textwrap.wrap(
                row, max(10, width - 4), break_long_words=True, replace_whitespace=False
            )
            for part in wrapped or [""]:
                lines.append(lead + part if lead else "  " + part)
                lead = ""
    return [one_line_kept(line) for line in lines[:_MOST]]


def one_line_kept(line: str) -> str:
    """Return a line clean, with its blanks as they are."""
    return clean(line).replace("\n", " ")


class EventsView(LinesView):
    """One line for each event, oldest first; one is chosen, and any can be opened."""

    BINDINGS = [*bindings("events")]
    keeps_mark = True

    def __init__(self, glyphs: Glyphs = UNICODE, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._glyphs = glyphs
        self._events: Sequence[Event] = ()
        self._open: set[int] = set()
        self._whose: list[int | None] = []
        """Number of the event that each line belongs to; None for a day."""

    def show(self, events: Sequence[Event], *, keep: bool = False) -> None:
        """Show these events; `keep` leaves the view where it is."""
        self._events = list(events)
        if not keep:
            self._open.clear()
        at_end = keep and self.at is not None and self.at == self.count - 1
        at = self.at if keep else None
        self._draw(keep=keep)
        if self._lines:
            last = len(self._lines) - 1
            self.bring(last if at_end or at is None else min(at, last))

    def on_resize(self) -> None:
        self._draw(keep=True)

    def _draw(self, *, keep: bool = True) -> None:
        muted, plain = self.theme_style("muted"), self.theme_style("foreground")
        strong = self.theme_style("foreground", bold=True)
        lines: list[Strip] = []
        self._whose = []
        day = None
        width = max(20, self.size.width - 13)
        for number, event in enumerate(self._events):
            words = sentence(event)
            if self.words.text and not self.words.pattern.search(words):
                continue
            at = dt.datetime.fromtimestamp(event.at)
            if at.date() != day:
                day = at.date()
                self._whose.append(None)
                lines.append(Strip([Segment(f"{at:%A %d %B %Y}", muted)]))
            style = strong if event.kind == "decided" else plain
            opened = event.id in self._open
            sign = self._glyphs.opened if opened else self._glyphs.running
            head = [Segment(f"{at:%H:%M:%S} ", muted), Segment(f"{sign} ", muted)]
            rows = textwrap.wrap(words, width) if opened else [words]
            for n, row in enumerate(rows or [""]):
                lead = head if n == 0 else [Segment(" " * 11)]
                self._whose.append(number)
                lines.append(Strip([*lead, Segment(row, style)]))
            if opened:
                for row in exactly(event, width):
                    self._whose.append(number)
                    lines.append(Strip([Segment(" " * 11 + row, muted)]))
        if not lines:
            self._whose = [None]
            lines = [Strip([Segment("Nothing has happened with these words", muted)])]
        self._lines = lines
        self._widest = max(strip.cell_length for strip in lines)
        if not keep:
            self._shift = 0
        self.at = min(self.at, len(lines) - 1) if self.at is not None else None
        self.resized()

    # Finding: lines without the words are left out

    def find(self, words: str) -> None:
        self.words = Words(words)
        self._draw()
        self._found = [y for y, whose in enumerate(self._whose) if whose is not None]
        if self._found and self.at not in self._found:
            self.bring(self._found[-1])
        shown = len({whose for whose in self._whose if whose is not None})
        self.say(f"{shown:,} of {len(self._events):,}" if words else "")

    # Opening

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("choose", "unfold", "choose_end"):
            return bool(self._lines)
        return super().check_action(action, parameters)

    def action_choose(self, by: int) -> None:
        """Mark the next line, or the one before."""
        self.bring(max(0, min(self.count - 1, (self.at or 0) + by)))

    def action_unfold(self) -> None:
        """Show all that is recorded of the event, or its line only."""
        if self.at is None or (whose := self._whose[self.at]) is None:
            return
        key = self._events[whose].id
        self._open ^= {key}
        self._draw()
        self.bring(self._whose.index(whose))

    def on_click(self, event: events.Click) -> None:
        y = self.line_at(event.y)
        if y is not None and not self.text_selection:
            same = y == self.at
            self.at = y
            self.refresh()
            if same or event.x < 11:
                self.action_unfold()
