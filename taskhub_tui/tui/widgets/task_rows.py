"""The lines of the table of tasks: columns, the line that names them, heads of groups, and rows."""

from collections.abc import Callable

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from taskhub_tui.domain.listing import Head, Sort
from taskhub_tui.domain.model import Status, Task
from taskhub_tui.records import dataclass
from taskhub_tui.tui import render
from taskhub_tui.tui.theme import Glyphs, task_look

_BAR = 8
LIVE = 22
"""Cells at the left of a row that change often: repainting only these saves most of the bytes."""
Styles = Callable[..., Style]
_PHRASE = {"needs": "needs you", "": "no playbook"}


@dataclass(frozen=True, slots=True)
class Columns:
    """Widths of the columns, in cells; 0 is not shown."""

    title: int
    stage: int
    agent: int
    left: int
    age: int

    @classmethod
    def of(cls, width: int) -> "Columns":
        stage = 13 if width < 90 else 16
        agent = 12 if width >= 90 else 0
        left = 5 if width >= 60 else 0
        age = 5
        # Mark, glyph, blank, bar, percent, and the blanks between.
        rest = width - (1 + 1 + 1 + _BAR + 4 + 1) - (stage + 1) - (agent + 1 if agent else 0)
        return cls(max(8, rest - left - age - 2), stage, agent, left, age)

    def spans(self) -> "list[tuple[int, int, Sort | None]]":
        """Return where each column stands in the first line, and what a click there sorts by."""
        at = 3
        found: list[tuple[int, int, Sort | None]] = []
        for width, sort in (
            (_BAR + 5, Sort.PROGRESS),
            (self.title + 1, Sort.TITLE),
            (self.stage + 1, None),
            (self.agent + 1 if self.agent else 0, Sort.AGENT),
            (self.left + 1 if self.left else 0, Sort.LEFT),
            (self.age + 1, Sort.AGE),
        ):
            if width:
                found.append((at, at + width, sort))
            at += width
        return found


def first_line(
    columns: Columns,
    width: int,
    sort: Sort,
    marked: int,
    unseen: int,
    glyphs: Glyphs,
    style: Styles,
) -> Strip:
    """Return the names of the columns; the one that the order goes by is marked."""
    muted, strong = style("head"), style("row", "strong")

    def name(word: str, by: Sort) -> tuple[str, Style]:
        return (f"{word} {glyphs.down}", strong) if by is sort else (word, muted)

    said = f"   {marked:,} marked " if marked else ""
    new = f"   {unseen:,} new {glyphs.up}" if unseen else ""
    title, look = name("TASK", Sort.TITLE)
    if sort is Sort.PRIORITY:
        title, look = f"TASK   by priority {glyphs.down}", strong
    room = columns.title - len(said) - cell_len(new)
    if room < 6:
        said, room = "", columns.title - cell_len(new)
    progress, progress_look = name("PROGRESS", Sort.PROGRESS)
    parts = [
        Segment(f"   {progress:<{_BAR + 4}} ", progress_look),
        Segment(render.fit(title, room, glyphs), look),
        Segment(said, style("mark")),
        Segment(new, style("running")),
        Segment(f" {'STAGE':<{columns.stage}}", muted),
    ]
    if columns.agent:
        word, look = name("AGENT", Sort.AGENT)
        parts.append(Segment(f" {word:<{columns.agent}}", look))
    if columns.left:
        # Here is no room for the sign as well.
        look = strong if sort is Sort.LEFT else muted
        parts.append(
            Segment(
                f" {'LEFT' if sort is not Sort.LEFT else glyphs.down + 'LEFT':>{columns.left}}",
                look,
            )
        )
    look = strong if sort is Sort.AGE else muted
    parts.append(
        Segment(f" {'AGE' if sort is not Sort.AGE else glyphs.down + 'AGE':>{columns.age}}", look)
    )
    return Strip([part for part in parts if part.text]).adjust_cell_length(width, muted)


def head_line(
    head: Head,
    folded: bool,
    at_cursor: bool,
    focused: bool,
    width: int,
    glyphs: Glyphs,
    style: Styles,
) -> Strip:
    """Return the head of a group: its name, and how many tasks it has."""

    def look(*names: str) -> Style:
        return style(*names, cursor=at_cursor)

    count = f"{head.count:,}"
    name = render.fit(
        _PHRASE.get(head.name, head.name), max(4, width - 8 - len(count)), glyphs
    ).rstrip()
    parts = [
        Segment(glyphs.mark if at_cursor and focused else " ", look("mark")),
        Segment(glyphs.folded if folded else glyphs.unfolded, look("muted")),
        Segment(" " + name, look("strong")),
        Segment("  " + count, look("muted")),
    ]
    return Strip(parts).adjust_cell_length(width, look())


def row_line(
    task: Task,
    columns: Columns,
    times: tuple[str, str, str],
    width: int,
    *,
    at_cursor: bool,
    focused: bool,
    marked: bool,
    glyphs: Glyphs,
    styles: Styles,
) -> Strip:
    """Return the line of a task."""
    stage, left, age = times
    glyph, colour = task_look(task, glyphs)
    quiet = task.status in (Status.COMPLETED, Status.CANCELLED) or (
        task.status is Status.PENDING and not task.stage and task.fraction is None
    )

    def style(*names: str) -> Style:
        return styles(*names, cursor=at_cursor)

    over = task.status in (Status.COMPLETED, Status.CANCELLED)
    filled, rest = render.bar(task.fraction or 0.0, _BAR, glyphs)
    if over:
        filled, rest = "", " " * _BAR
    number = "    " if over or quiet else render.percent(task.fraction)
    title = ("muted",) if quiet else ("strong",) if render.calls(task) else ()
    parts = [
        Segment(glyphs.mark if at_cursor and focused else " ", style("mark")),
        Segment(glyph, style(colour, "strong") if colour == "needs" else style(colour)),
        Segment(glyphs.marked if marked else " ", style("mark")),
        Segment(filled, style(colour)),
        Segment(rest, style("faint")),
        Segment(number + " ", style("muted")),
        Segment(render.fit(task.title, columns.title, glyphs) + " ", style(*title)),
        Segment(render.fit(stage, columns.stage, glyphs), style("muted")),
    ]
    if columns.agent:
        parts.append(Segment(" " + render.fit(task.agent, columns.agent, glyphs), style("muted")))
    if columns.left:
        parts.append(Segment(f" {left:>{columns.left}}", style("muted")))
    parts.append(Segment(f" {age:>{columns.age}}", style("muted")))
    return Strip([part for part in parts if part.text]).adjust_cell_length(width, style())
