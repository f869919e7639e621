"""What the decision dialog says: pure functions from a task to words and blocks of text."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from textual.content import Content

from taskhub_tui.domain import durations, waiting
from taskhub_tui.domain.legal import GATE, REVIEW
from taskhub_tui.domain.model import Action, BlockerKind, Stage, Status, TaskView
from taskhub_tui.records import dataclass
from taskhub_tui.text import clean, one_line
from taskhub_tui.tui import render
from taskhub_tui.tui.theme import Glyphs, task_look
from taskhub_tui.tui.widgets.values import to_json

KEYS: Mapping[Action, str] = {
    Action.APPROVE: "a",
    Action.RETRY: "r",
    Action.DENY: "d",
    Action.PROVIDE_CONTEXT: "c",
    Action.MODIFY: "m",
    Action.REASSIGN: "t",
    Action.CANCEL: "X",
}
"""The key of each decision; no two decisions that contradict each other lie on one key."""

_COMMANDS = waiting.COMMANDS
RISK = "High risk"
LOG_LINES = 10
"""How many lines of a log are shown at first."""
_FIRST = (*_COMMANDS, "diff", "patch", "arguments")
_LABELS = {"reason": "Why", "why": "Why", "cwd": "Folder", "workdir": "Folder"}


@dataclass(frozen=True, slots=True)
class Fact:
    """Something a person should know before deciding."""

    label: str
    text: Content
    block: bool = False
    """True: the text stands below its label, as it is; False: beside it."""


def stage_of(view: TaskView) -> Stage | None:
    """Return the stage the decision is about; None when the task has none."""
    if not view.stages:
        return None
    position = view.blocker.stage if view.blocker else view.task.stage
    return view.stages[max(0, min(position, len(view.stages) - 1))]


def heading(view: TaskView, glyphs: Glyphs) -> tuple[str, str]:
    """Return the dialog's title and the theme variable of its colour."""
    task, blocker = view.task, view.blocker
    if task.status is Status.FAILED:
        return f"{glyphs.failed} Failed", "failed"
    if task.status is Status.BLOCKED and blocker is not None:
        match blocker.kind:
            case BlockerKind.APPROVAL:
                what = "Review needed" if blocker.key == REVIEW else "Approval needed"
                return f"{glyphs.needs} {what}", "needs"
            case BlockerKind.INPUT:
                return "? Answer needed", "needs"
            case BlockerKind.AUTH:
                return f"{glyphs.needs} Sign-in needed", "needs"
            case BlockerKind.INTERRUPTED:
                return f"{glyphs.needs} Interrupted", "needs"
    if _stalled(view):
        return f"{glyphs.needs} No sign of life", "needs"
    glyph, colour = task_look(task, glyphs)
    words = task.status.value.replace("_", " ")
    return f"{glyph} {words.capitalize()}", colour


def about(view: TaskView, now: float) -> Content:
    """Return the line under the title: which task, whose, where it stands, for how long."""
    task, stage = view.task, stage_of(view)
    words = [one_line(stage.agent if stage else task.agent, 40)]
    if stage is not None:
        words.append(f"stage {stage.position + 1}/{len(view.stages)} {one_line(stage.name, 40)}")
    if _stalled(view) and task.silent_since is not None:
        words.append(f"silent {durations.countdown(now - task.silent_since)}")
    elif view.blocker is not None:
        words.append(f"waiting {durations.spell(now - view.blocker.created)}")
    elif task.status is Status.FAILED and task.ended is not None:
        words.append(f"{durations.spell(now - task.ended)} ago")
    elif task.started is not None and not task.status.over:
        words.append(durations.spell(now - task.started))
    return Content.assemble(
        (one_line(task.title, 300), "bold"), "  ", (" · ".join(words), "$muted")
    )


def asked(view: TaskView, now: float) -> Content:
    """Return what happened or what is asked, in the words of who asks."""
    if view.blocker is not None:
        return Content(clean(render.question(view.blocker, view.task, now)).strip())
    stage = stage_of(view)
    error = view.task.error or (stage.error if stage else None)
    if view.task.status is Status.FAILED:
        return Content.styled(clean(error or "It failed without saying why.").strip(), "$failed")
    return Content(clean(view.task.request).strip())


def facts(view: TaskView, now: float, log_tail: Sequence[str] = ()) -> list[Fact]:
    """Return everything proposed or known, uncut, in the order a person needs it."""
    found: list[Fact] = []
    blocker, stage = view.blocker, stage_of(view)
    detail = dict(blocker.detail) if blocker is not None else {}
    names = [name for name in _FIRST if name in detail]
    names += [name for name in detail if name not in names]
    # A review is of a result: show it where the question did not bring it.
    if blocker is not None and blocker.key == REVIEW and stage is not None:
        text = (stage.output or {}).get("text")
        if isinstance(text, str) and text and text not in detail.values():
            found.append(Fact("Result", Content(clean(text).strip()), block=True))
    # What the lines above say already is no fact to be read again.
    known = {"agent": stage.agent if stage else None, "request": view.task.title}
    found += [_fact(name, detail[name]) for name in names if detail[name] != known.get(name, name)]
    if blocker is not None and blocker.key == GATE and stage is not None:
        prompt = stage.prompt or view.task.request
        if prompt not in detail.values():
            found.append(_fact("request", prompt))
    if blocker is not None and blocker.key == REVIEW:
        here = [item.path for item in view.artifacts if item.stage == blocker.stage]
        if here:
            found.append(Fact("Files", Content(clean("\n".join(here)))))
    if blocker is not None and blocker.risk == "high":
        said = "an approval asks you to type y and press Enter"
        found.append(Fact(RISK, Content.styled(said, "$failed")))
    if blocker is not None and blocker.deadline is not None:
        found.append(Fact("Deadline", _deadline(blocker.deadline, blocker.default, now)))
    if view.task.status is Status.FAILED and stage is not None:
        tried, most = max(stage.failures, 1), stage.retries + 1
        given_up = "; this kind of failure is not repeated by itself" if tried < most else ""
        found.append(Fact("Attempts", Content(f"{tried} of {max(most, tried)}{given_up}")))
    if _stalled(view) and stage is not None and stage.started is not None:
        usual = f", usually {durations.spell(stage.estimate)}" if stage.estimate else ""
        found.append(Fact("Running", Content(f"for {durations.spell(now - stage.started)}{usual}")))
    if log_tail and (view.task.status is Status.FAILED or _interrupted(view) or _stalled(view)):
        lines = "\n".join(clean(line.rstrip("\n")) for line in log_tail)
        found.append(Fact("Log", Content.styled(lines, "$muted"), block=True))
    return found


def label(view: TaskView, action: Action) -> str:
    """Return what `action` is called in this case."""
    key = view.blocker.key if view.blocker else None
    asks = view.blocker is not None and view.blocker.kind is BlockerKind.INPUT
    match action:
        case Action.APPROVE if _stalled(view):
            return "leave it running"
        case Action.RETRY if _stalled(view):
            return "stop and run again"
        case Action.RETRY if view.task.status is Status.PENDING:
            return "start now"
        case Action.APPROVE:
            return "accept result" if key == REVIEW else "approve"
        case Action.DENY:
            return "refuse result" if key == REVIEW else "decline" if asks else "deny"
        case Action.PROVIDE_CONTEXT:
            return "answer" if asks else "ask for changes" if key == REVIEW else "add context"
        case Action.RETRY:
            return "run it again" if _interrupted(view) else "retry"
        case Action.CANCEL:
            return "cancel task"
        case _:
            return action.value


def effect(view: TaskView, action: Action) -> str:
    """Return a sentence: what `action` will do in this case."""
    blocker = view.blocker
    key = blocker.key if blocker else None
    if _stalled(view):
        match action:
            case Action.APPROVE:
                return "It runs on; you are asked again if it stays silent."
            case Action.RETRY:
                return "Its agent is stopped, and the stage begins anew."
            case Action.MODIFY | Action.PROVIDE_CONTEXT:
                return "It counts from the next stage that starts; this one runs on."
    match action:
        case Action.DENY if key == GATE:
            return "The stage does not run and the task fails; it can be retried later."
        case Action.DENY if key == REVIEW:
            return "The result is refused and the task fails; it can be retried later."
        case Action.DENY:
            return "The agent is told no, with your reason, and goes on from there."
        case Action.PROVIDE_CONTEXT if key == GATE:
            return "This approves: the stage starts and reads what you write."
        case Action.PROVIDE_CONTEXT if key == REVIEW:
            return "The stage runs again and reads what you write."
        case Action.PROVIDE_CONTEXT if blocker is None:
            return "It is added to the task; the next stage to start reads it."
        case Action.PROVIDE_CONTEXT if blocker is not None and blocker.kind is BlockerKind.INPUT:
            return "The agent gets this as its answer."
        case Action.PROVIDE_CONTEXT:
            return "The agent is told not to do this, and why; it goes on from there."
        case Action.MODIFY if key == GATE:
            return "This approves: the stage starts with your changes."
        case Action.MODIFY if blocker is not None and waiting.proposes(blocker):
            return "Changed arguments are approved; a changed request starts the stage anew."
        case Action.MODIFY if blocker is None and view.task.status is not Status.FAILED:
            return "It counts from the next stage that starts."
        case Action.MODIFY:
            return "The stage runs again with your changes."
        case Action.REASSIGN:
            return "Finished stages stay; the new agent goes on from here."
        case Action.RETRY if view.task.status is Status.PENDING:
            return "It is tried at once, whatever its provider asked for."
        case Action.RETRY:
            return "The stage runs again from its start."
        case Action.CANCEL:
            return "The task ends. Finished stages stay; nothing more will run."
        case _:
            return "It goes on at once."


def approves(view: TaskView, action: Action) -> bool:
    """True when `action` lets go ahead what was asked about."""
    return waiting.approves(view.blocker, action)


def _stalled(view: TaskView) -> bool:
    return view.blocker is not None and view.blocker.kind is BlockerKind.STALLED


def _interrupted(view: TaskView) -> bool:
    return view.blocker is not None and view.blocker.kind is BlockerKind.INTERRUPTED


def _deadline(deadline: float, default: Action | None, now: float) -> Content:
    then = {
        Action.APPROVE: "it counts as approved",
        Action.DENY: "it counts as denied",
        Action.CANCEL: "the task is cancelled",
    }
    left = deadline - now
    when = f"in {durations.spell(left)}" if left > 0 else "now"
    what = then.get(default, f"it counts as {default.value}") if default else "the question expires"
    return Content(f"{when}, then {what} by itself")


def _fact(name: str, value: Any) -> Fact:
    words = _LABELS.get(name) or one_line(name.replace("_", " "), 60)
    label = words[:1].upper() + words[1:]
    if name in _COMMANDS and (command := _command(name, value)) is not None:
        return Fact("", command, block=True)
    if name in ("diff", "patch") and isinstance(value, str):
        return Fact(label, _diff(value), block=True)
    if isinstance(value, bool) or value is None:
        return Fact(label, Content({True: "yes", False: "no", None: "none"}[value]))
    if isinstance(value, str):
        text = clean(value).strip("\n")
        return Fact(label, Content(text), block="\n" in text)
    if isinstance(value, int | float):
        return Fact(label, Content(str(value)))
    if isinstance(value, list) and value and all(_short(item) for item in value):
        return Fact(label, Content("\n".join(clean(str(item)) for item in value)))
    if name == "arguments":
        # To the letter: this is what will be used.
        return Fact(label, Content(clean(to_json(value))), block=True)
    if isinstance(value, Mapping) and value and all(_short(item) for item in value.values()):
        width = min(24, max(len(str(key)) for key in value)) + 2
        lines = [
            Content.assemble((f"{one_line(str(key), 60):<{width}}", "$muted"), clean(item))
            for key, item in value.items()
        ]
        return Fact(label, Content("\n").join(lines), block=True)
    if isinstance(value, list) and _is_table(value):
        return Fact(label, Content("\n".join(_outline(value))), block=True)
    return Fact(label, Content(clean(to_json(value))), block=True)


def _is_table(value: list[Any]) -> bool:
    return bool(value) and all(
        isinstance(row, Mapping)
        and all(
            _plain(item) or (isinstance(item, list) and all(_plain(one) for one in item))
            for item in row.values()
        )
        for row in value
    )


def _plain(item: Any) -> bool:
    return _short(item) or (isinstance(item, int | float) and not isinstance(item, bool))


def _outline(rows: list[Mapping[str, Any]]) -> list[str]:
    """Return rows of names and values as lines to be read; a dash begins each row."""
    lines = []
    for row in rows:
        mark = "- "
        for key, item in row.items():
            said = ", ".join(str(one) for one in item) if isinstance(item, list) else str(item)
            lines.append(f"{mark}{one_line(str(key), 60)}: {clean(said)}")
            mark = "  "
    return lines


def _short(item: Any) -> bool:
    return isinstance(item, str) and "\n" not in item


def _command(name: str, value: Any) -> Content | None:
    if isinstance(value, str):
        commands = [value]
    elif isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        commands = list(value) if name == "commands" else [shlex.join(value)]
    else:
        return None
    lines = [clean(command).strip("\n").replace("\n", "\n  ") for command in commands]
    return Content("\n").join(Content.assemble(("$ ", "$muted"), line) for line in lines)


def _diff(text: str) -> Content:
    colours = {"+": "$done", "-": "$failed", "@": "$running"}
    return Content("\n").join(
        Content.styled(line, colours.get(line[:1], "")) for line in clean(text).split("\n")
    )
