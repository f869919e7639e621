"""What a task is: who asked for what, how it is to be done, and what it has cost."""

import datetime as dt
import json
import textwrap
from collections.abc import Sequence

from rich.segment import Segment
from textual.strip import Strip

from taskhub_tui.domain.durations import countdown
from taskhub_tui.domain.model import Priority, TaskView
from taskhub_tui.domain.reported import usage
from taskhub_tui.text import clean, one_line
from taskhub_tui.tui.theme import Glyphs
from taskhub_tui.tui.widgets.lines import LinesView
from taskhub_tui.tui.widgets.stages import timeline

_NAME = 12
_MOST = 2000
"""Lines of one text."""


class AboutView(LinesView):
    """The facts of a task, one a line, and its long texts in full."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._glyphs = glyphs
        self._view: TaskView | None = None
        self._now = 0.0

    def show(self, view: TaskView, now: float, *, keep: bool = False) -> None:
        """Show what is known of a task."""
        self._view, self._now = view, now
        self.set_lines(self._drawn(view, now), keep=keep)

    def on_resize(self) -> None:
        if self._view is not None:
            self.set_lines(self._drawn(self._view, self._now), keep=True)

    def _drawn(self, view: TaskView, now: float) -> list[Strip]:
        muted, plain = self.theme_style("muted"), self.theme_style("foreground")
        width = max(20, self.size.width - 1)
        lines: list[Strip] = []
        for name, value in facts(view, now):
            rows = wrapped(value, width - _NAME)
            for number, row in enumerate(rows):
                head = name if number == 0 else ""
                lines.append(Strip([Segment(f"{head:<{_NAME}}", muted), Segment(row, plain)]))
        for title, text in texts(view):
            lines += [Strip([]), Strip([Segment(title, self.theme_style("running", bold=True))])]
            lines += [Strip([Segment(row, plain)]) for row in wrapped(text, width)]
        lines += [Strip([]), Strip([Segment("Stages", self.theme_style("running", bold=True))])]
        for content in timeline(view.stages, view.task, now, self._glyphs, width):
            lines.append(Strip([Segment(content.plain, plain)]))
        for stage in view.stages:
            if stage.error and stage.error != view.task.error:
                words = f"{stage.position + 1} {one_line(stage.name, 40)}: {clean(stage.error)}"
                lines += [Strip([Segment(row, muted)]) for row in wrapped(words, width)]
        return lines


def facts(view: TaskView, now: float) -> list[tuple[str, str]]:
    """Return names and values; what is not known is left out."""
    task = view.task
    found = [
        ("ID", task.id),
        ("Agent", one_line(task.agent)),
        ("Owner", one_line(task.owner)),
        ("Folder", one_line(task.workdir, 2000)),
    ]
    if task.playbook:
        found.append(("Playbook", one_line(task.playbook)))
    if task.priority is not Priority.NORMAL:
        found.append(("Priority", task.priority.name.lower()))
    if view.after:
        found.append(("After", ", ".join(view.after)))
    found.append(("Handed over", _moment(task.created)))
    if task.started is not None:
        found.append(("Started", _moment(task.started)))
    if task.ended is not None:
        took = f", after {countdown(task.ended - task.started)}" if task.started else ""
        found.append(("Ended", _moment(task.ended) + took))
    if task.deadline is not None:
        left = f", in {countdown(task.deadline - now)}" if task.deadline > now else ""
        found.append(("Deadline", _moment(task.deadline) + ("" if task.status.over else left)))
    tries = sum(max(0, stage.attempt - 1) for stage in view.stages)
    if tries:
        found.append(("Tried again", "once" if tries == 1 else f"{tries} times"))
    if task.result:
        found.append(("Result", one_line(task.result, 2000)))
    return found + [(name.capitalize(), value) for name, value in usage(view.stages)]


def texts(view: TaskView) -> list[tuple[str, str]]:
    """Return the long texts, each with its title."""
    task = view.task
    found = [("Request", clean(task.request))]
    if task.summary:
        found.append(("In short", clean(task.summary)))
    if task.error:
        found.append(("What went wrong", clean(task.error)))
    if task.context:
        found.append(("Context that was added", "\n\n".join(clean(one) for one in task.context)))
    if task.options:
        options = json.dumps(dict(task.options), ensure_ascii=False, indent=2, default=str)
        found.append(("Options", clean(options)))
    return found


def wrapped(text: str, width: int) -> Sequence[str]:
    """Return a text as lines of at most `width` characters."""
    lines: list[str] = []
    for line in text.expandtabs(4).split("\n")[:_MOST]:
        lines += textwrap.wrap(line, max(10, width), replace_whitespace=False) or [""]
    return lines


def _moment(at: float) -> str:
    return f"{dt.datetime.fromtimestamp(at):%a %d %b %Y %H:%M:%S}"
