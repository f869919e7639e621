"""The stages of a task as a timeline: when each began, how long it took, what is to come."""

from collections.abc import Sequence

from textual import events
from textual.content import Content
from textual.widgets import Static

from taskhub_tui.domain import progress
from taskhub_tui.domain.durations import countdown, in_seconds, spell
from taskhub_tui.domain.limits import waits
from taskhub_tui.domain.model import Stage, StageStatus, Task
from taskhub_tui.text import one_line
from taskhub_tui.tui.glyphs import STAGE_LOOK, Glyphs
from taskhub_tui.tui.render import clock, fit, percent

_BAR = 24
"""Cells of the bars that show the stages on one line of time."""
_SETTLED = (StageStatus.PENDING, StageStatus.CANCELLED)
_HERE = (StageStatus.RUNNING, StageStatus.BLOCKED, StageStatus.FAILED, StageStatus.WAITING)


def put(static: Static, content: Content) -> bool:
    """Show `content` if it differs from what is shown; return whether it did."""
    shown = static.content
    if isinstance(shown, Content) and shown.is_same(content):
        return False
    # Laying out the whole screen anew costs much more than a word that has changed.
    static.update(content, layout=not _fits_as(static, shown, content))
    return True


def _fits_as(static: Static, shown: object, content: Content) -> bool:
    """Return whether `content` takes as many lines as what is shown; False where unknown."""
    if not isinstance(shown, Content) or static.styles.is_auto_width:
        return False
    before, after = shown.split("\n"), content.split("\n")
    width = static.content_size.width
    return len(before) == len(after) and all(one.cell_length <= width for one in (*before, *after))


def took(stage: Stage, now: float) -> str:
    """Return how long a stage took or has run; of one to come what it usually takes; or ""."""
    match stage.status:
        case StageStatus.PENDING:
            return f"~{spell(stage.estimate)}" if stage.estimate is not None else ""
        case StageStatus.CANCELLED | StageStatus.FAILED if stage.ended is None:
            return ""
    if stage.started is None:
        return ""
    return countdown((now if stage.ended is None else stage.ended) - stage.started)


def told(stage: Stage, task: Task, now: float) -> list[str]:
    """Return what else there is to say of a stage, most important first."""
    said = []
    match stage.status:
        case StageStatus.RUNNING:
            if task.silent_since is not None:
                said.append(f"silent {countdown(now - task.silent_since)}")
            else:
                if (rest := progress.left(stage, now)) is not None:
                    said.append(f"~{spell(rest)} left")
            if stage.fraction is not None:
                said.append(percent(stage.fraction).strip())
        case StageStatus.BLOCKED:
            said.append(f"waiting {spell(now - task.changed)}")
        case StageStatus.WAITING:
            said.append(waits(task, now) or "goes on in its turn")
        case StageStatus.FAILED if stage.ended is not None:
            said.append(f"failed {spell(now - stage.ended)} ago")
        case StageStatus.PENDING if stage.position == task.stage and not task.status.over:
            if waiting := waits(task, now):
                said.append(waiting)
    if stage.attempt > 1:
        said.append(f"{_nth(stage.attempt)} try")
    coming = stage.status in (StageStatus.PENDING, StageStatus.RUNNING, StageStatus.WAITING)
    if stage.gate and (stage.approved or stage.status is StageStatus.PENDING):
        said.append("approved" if stage.approved else "asks first")
    if stage.review and (coming or stage.status is StageStatus.DONE):
        said.append("review after" if coming else "reviewed")
    if stage.status is StageStatus.RUNNING and stage.note:
        said.append(one_line(stage.note, 200))
    return said


def young(stages: Sequence[Stage], task: Task, now: float) -> bool:
    """Return whether a time of a stage that goes on is told in seconds, without minutes."""
    for stage in stages:
        if stage.status not in (StageStatus.DONE, StageStatus.CANCELLED):
            said = told(stage, task, now)
            if stage.status is StageStatus.RUNNING:
                said.append(took(stage, now))
            if any(map(in_seconds, said)):
                return True
    return False


def _nth(number: int) -> str:
    last = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10)
    return f"{number}{last or 'th'}"


def timeline(
    stages: Sequence[Stage],
    task: Task,
    now: float,
    glyphs: Glyphs,
    width: int,
    rows: int | None = None,
) -> list[Content]:
    """Return the stages as lines of at most `width` cells.

    Args:
        rows: most lines; the current stage is among them, and what is left out is counted. None
            is all.
    """
    shown = range(len(stages))
    above = below = 0
    if rows is not None and len(stages) > rows:
        room = max(1, rows - 2)
        first = min(max(0, task.stage - room // 2), len(stages) - room)
        # A fold line that would stand for one stage shows that stage instead.
        first = 0 if first <= 1 else first
        last = min(len(stages), first + room + (first == 0))
        last = len(stages) if len(stages) - last <= 1 else last
        shown, above, below = range(first, last), first, len(stages) - last
    columns = _Columns(stages, task, now, glyphs, width)
    lines = [columns.line(stages[number]) for number in shown]
    if above:
        done = sum(stage.status is StageStatus.DONE for stage in stages[:above])
        words = f"{above} before, done" if done == above else f"{above} before"
        lines.insert(0, Content.styled(f"{glyphs.more} {words}", "$muted"))
    if below:
        lines.append(Content.styled(f"{glyphs.more} {below} more", "$muted"))
    return lines


class _Columns:
    """How wide each column is, and what stands in it."""

    def __init__(
        self, stages: Sequence[Stage], task: Task, now: float, glyphs: Glyphs, width: int
    ) -> None:
        self._task, self._now, self._glyphs, self._width = task, now, glyphs, width
        self._digits = len(str(len(stages)))
        names = max((len(one_line(stage.name, 40)) for stage in stages), default=0)
        self._name = min(names, 12 if width < 60 else 18 if width < 90 else 28)
        others = [stage.agent for stage in stages if stage.agent != task.agent]
        agents = max((len(one_line(name, 40)) for name in others), default=0)
        self._agent = min(agents, 12 if width < 90 else 18) if width >= 56 else 0
        self._starts = progress.starts(stages, now) if not task.status.over else []
        began = max((len(self._began(stage)) for stage in stages), default=0)
        self._clock = 0 if width < 40 else began
        self._took = max([len(took(stage, now)) for stage in stages] + [7])
        self._bar = _BAR if width >= 100 else 0
        begun = [stage.started for stage in stages if stage.started is not None]
        self._from = min(begun, default=now)
        ends = [stage.ended for stage in stages if stage.ended is not None]
        rest = progress.remaining(stages, now) if not task.status.over else None
        self._to = max(
            [*ends, now + (rest or 0.0)] if not task.status.over else [*ends, self._from]
        )

    def line(self, stage: Stage) -> Content:
        glyph, colour = STAGE_LOOK[stage.status]
        here = stage.status in _HERE
        strong = "bold $foreground" if here else "$muted" if stage.status in _SETTLED else ""
        quiet = "$foreground" if here else "$muted"
        name = fit(one_line(stage.name, 40), self._name, self._glyphs)
        parts: list[tuple[str, str]] = [
            (getattr(self._glyphs, glyph) + " ", f"${colour}"),
            (f"{stage.position + 1:>{self._digits}} {name}", strong or "$foreground"),
        ]
        if self._agent:
            other = stage.agent if stage.agent != self._task.agent else ""
            parts.append(("  " + fit(one_line(other, 40), self._agent, self._glyphs), "$muted"))
        if self._clock:
            parts.append((f"  {self._began(stage):>{self._clock}}", "$muted"))
        time = took(stage, self._now) or self._glyphs.dash
        parts.append((f" {time:>{self._took}}", quiet))
        if self._bar:
            filled, rest = self._spread(stage)
            parts += [("  ", "")] + [
                (text, f"${colour}" if on else "$faint") for on, text in (*filled, *rest)
            ]
        room = self._width - sum(len(text) for text, _ in parts) - 2
        words = f" {self._glyphs.dot} ".join(told(stage, self._task, self._now))
        if words and room > 3:
            short = fit(words, room, self._glyphs).rstrip()
            parts.append(("  " + short, "$failed" if stage.status is StageStatus.FAILED else quiet))
        return Content.assemble(*parts)

    def _began(self, stage: Stage) -> str:
        if stage.started is not None:
            return clock(stage.started, self._now)
        at = self._starts[stage.position] if stage.position < len(self._starts) else None
        # What was to begin already waits for something, and nobody knows for how long.
        if at is None or at <= self._now:
            return self._glyphs.dash
        return "~" + clock(at, self._now)

    def _spread(self, stage: Stage) -> tuple[list[tuple[bool, str]], list[tuple[bool, str]]]:
        """Return the bar of a stage over the task's time, in parts that are filled or not."""
        whole = self._to - self._from
        if stage.started is None or whole <= 0:
            return [(False, self._glyphs.rest * self._bar)], []
        begin = (stage.started - self._from) / whole * self._bar
        end = ((stage.ended or self._now) - self._from) / whole * self._bar
        first = min(self._bar - 1, max(0, int(begin)))
        last = min(self._bar, max(first + 1, round(end)))
        return (
            [(False, self._glyphs.rest * first), (True, self._glyphs.filled * (last - first))],
            [(False, self._glyphs.rest * (self._bar - last))],
        )


class StagesView(Static):
    """Shows as many stages as there is room for; a click shows all, or folds them again."""

    DEFAULT_CSS = """
    StagesView { height: auto; margin: 1 0; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self) -> None:
        super().__init__("", markup=False)
        self._open = False
        self._folds = False

    def show(
        self,
        stages: Sequence[Stage],
        task: Task,
        now: float,
        glyphs: Glyphs,
        *,
        width: int,
        height: int,
    ) -> None:
        """Show these stages in a pane of this size."""
        rows = max(3, height * (3 if self._open else 2) // (4 if self._open else 5))
        self._folds = len(stages) > rows or self._open
        put(self, Content("\n").join(timeline(stages, task, now, glyphs, width, rows)))

    def on_click(self, event: events.Click) -> None:
        if self._folds:
            self._open = not self._open
            self.refresh()
