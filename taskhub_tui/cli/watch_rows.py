"""What a live view says of tasks, as lines."""

from collections.abc import Mapping, Sequence

from taskhub_tui.cli import detail
from taskhub_tui.cli.live import Row, fit
from taskhub_tui.cli.output import Cell, columns
from taskhub_tui.domain.durations import spell
from taskhub_tui.domain.model import Stage, StageStatus, Status, Task, TaskView
from taskhub_tui.text import one_line
from taskhub_tui.tui import words
from taskhub_tui.tui.glyphs import STAGE_LOOK, Glyphs, task_look

_COLOUR = {
    "needs": "yellow",
    "running": "cyan",
    "failed": "red",
    "done": "green",
    "muted": "dim",
}
_BAR = 8
_ID, _STAGE, _LEFT, _AGE = 8, 18, 5, 5
"""Columns for the ID, the stage, the time left and the age."""
_WIDE = 95
"""Columns from which on IDs are shown."""
_TITLE = 16
"""Columns that a title has at least; where there is less room, other columns give theirs."""


def task(it: Task, now: float, width: int, glyphs: Glyphs, *, took: bool = False) -> Row:
    """Return one line: glyph, bar, percent, title, ID where there is room, stage, time left, age.

    Args:
        took: instead of its age, say how long it took.
    """
    glyph, look = task_look(it, glyphs)
    colour = _COLOUR[look]
    over = it.status in (Status.COMPLETED, Status.CANCELLED)
    done = 1.0 if it.status is Status.COMPLETED else it.fraction or 0.0
    filled, rest = words.bar(done, _BAR, glyphs)
    percent = words.percent(done if it.status is Status.COMPLETED else it.fraction)
    age = words.age(it, now)
    if took:
        age = spell(it.ended - it.started) if it.started and it.ended else ""
    columns_ = [
        (it.id, _ID),
        (words.stage(it, now, glyphs), _STAGE),
        (words.left(it, now), _LEFT),
        (age, _AGE),
    ]
    if width < _WIDE:
        columns_.pop(0)
    room = width - 3 - _BAR - 5 - 1
    while len(columns_) > 1 and room - sum(wide + 2 for _, wide in columns_) < _TITLE:
        columns_.pop(0)
    title = max(1, room - sum(wide + 2 for _, wide in columns_))
    quiet = "dim" if over or it.status in (Status.PENDING, Status.PAUSED) else ""
    row: list[str | Cell] = [
        Cell(f" {glyph} ", colour),
        Cell(filled, colour),
        Cell(rest, "dim"),
        Cell(f" {percent} ", quiet),
        Cell(fit(it.title, title, glyphs.more), "bold" if words.calls(it) and not quiet else quiet),
    ]
    for text, wide in columns_:
        said = fit(text, wide, glyphs.more)
        if wide == _AGE:  # numbers stand at the right
            said = " " * (wide - columns(said.rstrip())) + said.rstrip()
        row.append(Cell("  " + said, "dim"))
    return row


def stages(view: TaskView, now: float, glyphs: Glyphs) -> list[Row]:
    """Return a line for each stage."""
    names = [one_line(stage.name, 40) for stage in view.stages]
    wide = min(24, max(map(columns, names), default=0))
    digits = len(str(len(names)))
    return [
        _stage(one, fit(name, wide, glyphs.more), digits, view.task, now, glyphs)
        for one, name in zip(view.stages, names, strict=True)
    ]


def _stage(one: Stage, name: str, digits: int, it: Task, now: float, glyphs: Glyphs) -> Row:
    glyph, look = STAGE_LOOK[one.status]
    quiet = "dim" if one.status in (StageStatus.PENDING, StageStatus.CANCELLED) else ""
    row: list[str | Cell] = [
        "     ",
        Cell(f"{getattr(glyphs, glyph)} ", _COLOUR[look]),
        Cell(f"{one.position + 1:>{digits}} {name}", quiet),
        Cell(f"  {words.told(one, it, now)}", "dim"),
    ]
    if one.status is StageStatus.RUNNING and one.note:
        row.append(Cell(f"  {one_line(one.note, 200)}", "dim"))
    return row


def asked(view: TaskView, now: float, glyphs: Glyphs) -> list[Row]:
    """Return what a person is asked about a task, and the command that answers."""
    if view.blocker is None or not view.legal:
        return []
    question = one_line(words.question(view.blocker, view.task, now), 300)
    risk = [Cell("High risk: ", "red")] if view.blocker.risk == "high" else []
    answer = detail.command(view.task.id, view.legal[0], view.blocker)
    return [["     ", *risk, Cell(question, "yellow")], ["     ", Cell(answer, "bold")]]


def history(it: Task, now: float, width: int, glyphs: Glyphs) -> list[Row]:
    """Return what stays on the screen of a task that is over."""
    rows = [task(it, now, width, glyphs, took=True)]
    if it.status is Status.FAILED:
        why = one_line(it.error or "It failed", 300)
        rows += [["     ", Cell(why, "red")], ["     ", Cell(f"taskhub retry {it.id}", "bold")]]
    return rows


def given(
    views: Sequence[TaskView],
    said: Mapping[str, str],
    now: float,
    room: tuple[int, int],
    glyphs: Glyphs,
) -> list[Row]:
    """Return the lines for tasks that were asked for by ID: with their stages and last words.

    Where the lines are too few, first the stages that are of no news go, then all, then tasks.

    Args:
        said: the last line of a task's log, by ID.
    """
    width, height = room
    blocks: list[list[Row]] = []
    for level in range(4):
        blocks = [_block(view, said.get(view.task.id, ""), now, width, glyphs, level)
                  for view in views]  # fmt: skip
        if sum(map(len, blocks)) <= height:
            break
    return _fitted(blocks, height)


def _block(
    view: TaskView, said: str, now: float, width: int, glyphs: Glyphs, level: int
) -> list[Row]:
    block: list[Row] = [task(view.task, now, width, glyphs, took=view.task.status.over)]
    over = view.task.status.over
    if level == 0 or (level == 1 and not over):
        many = len(view.stages) > 1
        for row, stage in zip(stages(view, now, glyphs), view.stages, strict=True):
            news = stage.status not in (StageStatus.DONE, StageStatus.PENDING)
            if many and (news or level == 0):
                block.append(row)
        if said and not over:
            block.append(["     ", Cell(said, "dim")])
    if level < 3:
        if view.task.status is Status.FAILED:
            block += history(view.task, now, width, glyphs)[1:]
        else:
            block += asked(view, now, glyphs)
    return block


def found(
    tasks: Sequence[Task],
    views: Mapping[str, TaskView],
    open_: int,
    now: float,
    room: tuple[int, int],
    glyphs: Glyphs,
) -> list[Row]:
    """Return the lines for open tasks, those first that need a person.

    Args:
        views: what is known of those that need one, by ID.
        open_: how many open tasks there are, also those that are not in `tasks`.
    """
    width, height = room
    if not open_:
        return [[Cell(" No task is open. Ctrl-C ends this.", "dim")]]
    calling = sum(words.calls(it) for it in tasks)
    # Questions leave half of the room to the rest, if that wants so much; where many ask, the
    # answers alone are shown.
    rest = min(open_ - calling, height - height // 2)
    kept = slice(0, 2) if 3 * calling + rest <= height else slice(1, 2)
    if 2 * calling > height:
        kept = slice(0, 0)
    blocks: list[list[Row]] = []
    for it in tasks:
        block: list[Row] = [task(it, now, width, glyphs)]
        if words.calls(it) and it.id in views:
            block += asked(views[it.id], now, glyphs)[kept]
        blocks.append(block)
    return _fitted(blocks, height, open_)


def _fitted(blocks: Sequence[list[Row]], height: int, total: int | None = None) -> list[Row]:
    """Return as many blocks as fit, and a line that says how many more there are."""
    total = len(blocks) if total is None else total
    rows: list[Row] = []
    shown = 0
    for block in blocks:
        last = shown + 1 == total
        if len(rows) + len(block) > (height if last else height - 1):
            break
        rows += block
        shown += 1
    if shown < total:
        rest = total - shown
        rows.append([Cell(f"   and {rest:,} more" if shown else f" {rest:,} tasks", "dim")])
    return rows


def change(it: TaskView | Task, now: float) -> str:
    """Return a line for whoever reads no terminal: ID, state, percent, stage, title, and more."""
    one = it.task if isinstance(it, TaskView) else it
    state = detail.state(one, now).text
    done = "-" if one.fraction is None else f"{int(one.fraction * 100)}%"
    place = f"{min(one.stage + 1, one.stages)}/{one.stages} {one.stage_name}".strip()
    parts = [one.id, state, done, place, one_line(one.title)]
    if isinstance(it, TaskView) and it.blocker is not None and it.legal:
        parts.append(one_line(words.question(it.blocker, one, now), 300))
        parts.append(detail.command(one.id, it.legal[0], it.blocker))
    elif one.status is Status.FAILED:
        parts += [one_line(one.error or "", 300), f"taskhub retry {one.id}"]
    if one.status.over and one.started is not None and one.ended is not None:
        parts.append(f"after {spell(one.ended - one.started)}")
    return "  ".join(part for part in parts if part)
