"""The audit trail of a task, in words."""

import datetime as dt
from collections.abc import Sequence

from rich.segment import Segment
from textual.strip import Strip

from taskhub_tui.domain.model import Event
from taskhub_tui.text import one_line
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
}
_TOLD = ("question", "error", "reason", "text", "summary", "title", "agent", "choice", "message")


def sentence(event: Event) -> str:
    """Return what happened as a line: which stage, what, who, where, and the words that fell."""
    data = event.data
    what = _WORDS.get(event.kind, event.kind.replace("_", " "))
    if event.kind == "decided":
        what = "decided " + str(data.get("action", "")).upper()
    parts = []
    if event.stage is not None and event.kind not in ("created", "completed"):
        parts.append(f"stage {event.stage + 1}")
    parts.append(what)
    if event.by and event.kind in ("created", "decided", "answered", "paused", "resumed"):
        parts.append(f"by {event.by}" + (f" ({event.channel})" if event.channel else ""))
    line = " ".join(parts)
    said = [one_line(str(data[key]), 300) for key in _TOLD if data.get(key)]
    line = f"{line}: {' · '.join(said)}" if said else line
    return line[:1].upper() + line[1:]


class EventsView(LinesView):
    """One line for each event, oldest first."""

    def show(self, events: Sequence[Event], *, keep: bool = False) -> None:
        """Show these events; `keep` leaves the view where it is."""
        muted, plain = self.theme_style("muted"), self.theme_style("foreground")
        strong = self.theme_style("foreground", bold=True)
        lines = []
        day = None
        for event in events:
            at = dt.datetime.fromtimestamp(event.at)
            if at.date() != day:
                day = at.date()
                lines.append(Strip([Segment(f"{at:%A %d %B %Y}", muted)]))
            style = strong if event.kind == "decided" else plain
            lines.append(
                Strip([Segment(f"{at:%H:%M:%S} ", muted), Segment(sentence(event), style)])
            )
        self.set_lines(lines, keep=keep)
