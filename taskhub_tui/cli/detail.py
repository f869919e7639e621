"""How tasks look in a terminal."""

import json
import shlex
from collections.abc import Mapping, Sequence

from taskhub_tui import variables
from taskhub_tui.cli.output import Cell, Output, cut, local, size
from taskhub_tui.domain import durations, limits, stall
from taskhub_tui.domain.model import (
    Action,
    Blocker,
    Event,
    Stage,
    StageStatus,
    Status,
    Task,
    TaskView,
    WaitingOn,
)
from taskhub_tui.domain.variables import wanted

_COLOUR = {
    Status.BLOCKED: "yellow",
    Status.FAILED: "red",
    Status.IN_PROGRESS: "cyan",
    Status.COMPLETED: "green",
    Status.PAUSED: "magenta",
    Status.CANCELLED: "dim",
}
_STAGE_COLOUR = {
    StageStatus.RUNNING: "cyan",
    StageStatus.BLOCKED: "yellow",
    StageStatus.WAITING: "magenta",
    StageStatus.DONE: "green",
    StageStatus.FAILED: "red",
    StageStatus.CANCELLED: "dim",
}


def state(task: Task, now: float, *, short: bool = False) -> Cell:
    """Where a task stands, in the words of its status, and what it waits for."""
    text, colour = task.status.value.replace("_", " "), _COLOUR.get(task.status, "")
    if task.status is Status.BLOCKED:
        text = "needs you"
    elif task.status is Status.IN_PROGRESS and task.waiting_on is WaitingOn.USER:
        text, colour = "needs you, runs on", _COLOUR[Status.BLOCKED]
    if task.stopping:
        text += " (stopping)"
    elif task.pausing:
        text += " (pausing)"
    elif task.status is Status.PENDING and task.waiting_on is not None:
        slot = task.waiting_on is WaitingOn.LIMIT and short
        text = "waits for a slot" if slot else limits.waits(task, now)
    elif task.silent_since is not None and short:
        text += f", silent {durations.countdown(now - task.silent_since)}"
    return Cell(text, colour)


def tasks(out: Output, found: Sequence[Task], now: float) -> None:
    """Print a table of tasks."""
    rows: list[list[str | Cell]] = [
        [
            Cell(task.id, "bold"),
            state(task, now, short=True),
            _percent(task.fraction),
            left(task, now),
            durations.spell(now - task.created),
            task.agent,
            task.title,
        ]
        for task in found
    ]
    out.table(("ID", "STATE", "DONE", "LEFT", "AGE", "AGENT", "TITLE"), rows)


def left(task: Task, now: float) -> str:
    """How long it will probably take; a dash when that is unknown or means nothing."""
    if task.eta is None or task.status.over:
        return "-"
    return durations.spell(task.eta - now)


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{int(fraction * 100)}%"


def view(
    out: Output,
    it: TaskView,
    now: float,
    others: Mapping[str, Status] | None = None,
    gone: Sequence[str] = (),
) -> None:
    """Print all of a task that a person wants to know.

    Args:
        others: the tasks it waits for.
        gone: variables that it needs, and whose values are not here.
    """
    task = it.task
    out.line(Cell(task.title, "bold"))
    out.line(Cell(task.id, "bold"), "  ", state(task, now), _done(task, now))
    _facts(out, it, now, others or {}, gone)
    if task.request.strip() != task.title.strip():
        _section(out, "Request")
        out.text(task.request, "  ")
    if task.context:
        _section(out, "Added")
        for words in task.context:
            out.text(words, "  ")
    _section(out, "Stages")
    _stages(out, it.stages, now)
    if task.error:
        _section(out, "Error", "red")
        out.text(task.error, "  ")
    if task.summary:
        _section(out, "Summary")
        out.text(task.summary, "  ")
    if it.artifacts:
        _section(out, "Files")
        for file in it.artifacts:
            mark = "* " if file.path == task.result else "  "
            out.line(mark, file.path, Cell(f"  {size(file.size)}", "dim"))
    if it.blocker is not None:
        _question(out, it.blocker, now)
    waits = task.waiting_on in (WaitingOn.PROVIDER, WaitingOn.RETRY)
    if it.legal and (it.blocker is not None or waits or task.status is Status.FAILED):
        _section(out, "You can")
        for action in it.legal:
            out.line("  ", command(task.id, action, it.blocker))


def _done(task: Task, now: float) -> str:
    words = []
    if task.fraction is not None and not task.status.over:
        words.append(_percent(task.fraction))
    if task.eta is not None and not task.status.over:
        words.append(f"{left(task, now)} left")
    if task.note and task.status is Status.IN_PROGRESS:
        words.append(task.note)
    if task.silent_since is not None:
        words.append(stall.silence(task.silent_since, now))
    return "".join(f" · {word}" for word in words)


def _facts(
    out: Output, it: TaskView, now: float, others: Mapping[str, Status], gone: Sequence[str]
) -> None:
    task = it.task
    created = f"{local(task.created, now)} by {task.owner}"
    facts = [("agent", task.agent), ("folder", task.workdir), ("created", created)]
    if task.playbook:
        facts.append(("playbook", task.playbook))
    if task.priority:
        facts.append(("priority", task.priority.name.lower()))
    if names := wanted(task, it.stages):
        facts.append(("env", ", ".join(names)))
        if gone and task.status not in (Status.COMPLETED, Status.CANCELLED):
            how = variables.again(task.id, gone, task.status.value)
            facts.append(("", f"{', '.join(gone)} must be given anew: {how}"))
    if task.ready_at > now and task.status is Status.PENDING:
        name = "starts" if task.waiting_on is WaitingOn.SCHEDULE else "goes on"
        facts.append((name, local(task.ready_at, now)))
    for other in it.after:
        facts.append(("after", other + _stands(others.get(other))))
    if task.deadline is not None and not task.status.over:
        left = durations.countdown(task.deadline - now)
        facts.append(("deadline", f"{local(task.deadline, now)}, in {left}"))
    if task.started is not None:
        facts.append(("started", local(task.started, now)))
    if task.ended is not None:
        took = f" after {durations.spell(task.ended - task.started)}" if task.started else ""
        facts.append(("ended", local(task.ended, now) + took))
    for name, value in facts:
        out.line(Cell(f"  {name:<9}", "dim"), value)


def _stands(status: Status | None) -> str:
    """How a task stands that another one waits for."""
    if status is None:
        return ""
    if status is Status.FAILED:
        return " (failed: RETRY it to go on, or CANCEL it)"
    return f" ({status.value.replace('_', ' ')})"


def _stages(out: Output, stages: Sequence[Stage], now: float) -> None:
    rows: list[list[str | Cell]] = []
    for stage in stages:
        took = "-"
        if stage.started is not None:
            until = stage.ended if stage.ended is not None else now
            took = durations.spell(until - stage.started)
        again = f" (attempt {stage.attempt})" if stage.attempt > 1 else ""
        rows.append(
            [
                f"  {stage.position + 1}",
                stage.name,
                stage.agent,
                Cell(stage.status.value + again, _STAGE_COLOUR.get(stage.status, "")),
                _percent(stage.fraction),
                took,
                stage.error or (stage.output or {}).get("text") or stage.note,
            ]
        )
    out.table(("  #", "STAGE", "AGENT", "STATE", "DONE", "TIME", "NOTE"), rows)


def _question(out: Output, blocker: Blocker, now: float) -> None:
    _section(out, "High risk: question" if blocker.risk == "high" else "Question", "yellow")
    out.text(blocker.question, "  ")
    for choice in blocker.choices:
        out.line("  ", Cell(choice.id, "cyan"), f": {choice.label}")
    for name, value in blocker.detail.items():
        # Shown in full: nobody may have to decide on something that was cut.
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
        if "\n" in text:
            out.line(Cell(f"  {name}:", "dim"))
            out.text(text, "    ")
        else:
            out.line(Cell(f"  {name}: ", "dim"), text)
    if blocker.deadline is not None:
        what = blocker.default.value if blocker.default else "nothing"
        out.line(Cell("  without an answer: ", "dim"), f"{what} at {local(blocker.deadline, now)}")


def command(task_id: str, action: Action, blocker: Blocker | None = None) -> str:
    """The command that takes a decision, such as the answer to `blocker`."""
    match action:
        case Action.APPROVE | Action.DENY | Action.RETRY | Action.CANCEL:
            return f"taskhub {action.value} {task_id}"
        case Action.PROVIDE_CONTEXT:
            how = "--choice CHOICE" if blocker is not None and blocker.choices else "--text WORDS"
            return f"taskhub decide {task_id} context {how}"
        case Action.REASSIGN:
            return f"taskhub decide {task_id} reassign --agent AGENT"
        case Action.MODIFY:
            return f"taskhub decide {task_id} modify --set NAME=VALUE"


def events(out: Output, found: Sequence[Event], now: float) -> None:
    """Print the history of a task; `--json` has it uncut."""
    _section(out, "History")
    rows = []
    for event in found:
        data = " ".join(
            f"{name}={cut(shlex.quote(value) if isinstance(value, str) else json.dumps(value), 60)}"
            for name, value in event.data.items()
        )
        stage = "-" if event.stage is None else str(event.stage + 1)
        who = f"{event.by} ({event.channel})" if event.channel else event.by
        rows.append([f"  {local(event.at, now)}", event.kind, stage, who, data])
    out.table(("  WHEN", "WHAT", "STAGE", "WHO", "DETAILS"), rows)


def _section(out: Output, name: str, colour: str = "bold") -> None:
    out.line()
    out.line(Cell(name, colour))
