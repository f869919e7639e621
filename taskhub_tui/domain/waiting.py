"""What waits for a person, and which of it comes first. Pure; every front end shows the same."""

import json
import shlex
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeGuard

from taskhub_tui.domain import durations
from taskhub_tui.domain.legal import GATE, REVIEW, legal
from taskhub_tui.domain.model import Action, Blocker, BlockerKind, Choice, Status, Task
from taskhub_tui.records import dataclass
from taskhub_tui.text import one_line

Case = tuple[str, object]
"""What makes a question this one and no other: its ID and version, or the moment of a failure."""
COMMANDS = ("command", "commands", "cmd", "argv", "script")
"""Names in the detail of a question under which a command is proposed."""


class Need(StrEnum):
    """Why something waits, in a word for a person."""

    APPROVAL = "approval"
    REVIEW = "review"
    QUESTION = "question"
    SIGN_IN = "sign-in"
    INTERRUPTED = "interrupted"
    SILENT = "silent"
    FAILED = "failed"
    PAUSED = "paused"


_NEEDS = {
    BlockerKind.APPROVAL: Need.APPROVAL,
    BlockerKind.INPUT: Need.QUESTION,
    BlockerKind.AUTH: Need.SIGN_IN,
    BlockerKind.INTERRUPTED: Need.INTERRUPTED,
    BlockerKind.STALLED: Need.SILENT,
}
_LAST = {Need.FAILED: 1, Need.PAUSED: 2}


@dataclass(frozen=True, slots=True)
class Waiting:
    """One task that waits for a person, and why."""

    task: Task
    blocker: Blocker | None = None
    """None: it failed, or was paused because it came from a backup or another place."""

    @property
    def need(self) -> Need:
        if self.blocker is None:
            return Need.FAILED if self.task.status is Status.FAILED else Need.PAUSED
        if self.blocker.key == REVIEW:
            return Need.REVIEW
        return _NEEDS[self.blocker.kind]

    @property
    def case(self) -> Case:
        if self.blocker is not None:
            return self.blocker.id, self.blocker.version
        return self.task.id, self.since

    @property
    def since(self) -> float:
        """When it began to wait."""
        if self.blocker is not None:
            return self.blocker.created
        return self.task.ended or self.task.changed

    @property
    def due(self) -> float | None:
        """When something happens without an answer; None is never."""
        ends = (self.task.deadline,) if not self.task.status.over else ()
        asked = (self.blocker.deadline,) if self.blocker is not None else ()
        return min((at for at in (*ends, *asked) if at is not None), default=None)

    @property
    def risky(self) -> bool:
        return self.blocker is not None and self.blocker.risk == "high"

    @property
    def legal(self) -> tuple[Action, ...]:
        return legal(self.task, self.blocker)


def case_of(task: Task, blocker: Blocker | None) -> Case | None:
    """Return the question that a task raises, or None."""
    if blocker is None and task.status is not Status.FAILED:
        return None
    return Waiting(task, blocker).case


def in_order(found: Iterable[Waiting]) -> list[Waiting]:
    """Return the most urgent first: by risk, deadline, priority, and age.

    Of equal priority, questions come before failures, and those before what is only paused.
    """

    def urgency(one: Waiting) -> tuple[Any, ...]:
        due = one.due
        last = _LAST.get(one.need, 0)
        return (
            not one.risky,
            due is None,
            due or 0.0,
            -one.task.priority,
            last,
            one.since,
            one.task.n,
        )

    return sorted(found, key=urgency)


def question(blocker: Blocker, task: Task, now: float) -> str:
    """Return what is asked; of a silent stage with the time that it is silent by now."""
    if blocker.kind is BlockerKind.STALLED and task.silent_since is not None:
        then = durations.countdown(blocker.created - task.silent_since)
        silent = durations.countdown(now - task.silent_since)
        return blocker.question.replace(f" {then}.", f" {silent}.")
    return blocker.question


def line(one: Waiting, now: float) -> str:
    """Return in one line what is asked, with the command that is proposed, or what went wrong."""
    if one.blocker is not None:
        words = one_line(question(one.blocker, one.task, now), 300)
        command = proposal(one.blocker)
        return f"{words} $ {command}" if command and one.need is Need.APPROVAL else words
    if one.need is Need.FAILED:
        return one_line(one.task.error or "It failed without saying why", 300)
    return "Paused, since it came from a backup or another place: may it go on?"


def proposal(blocker: Blocker) -> str:
    """Return in one line what would run; empty when the question names no command."""
    for name in COMMANDS:
        value = blocker.detail.get(name)
        if _words(value):
            value = "; ".join(value) if name == "commands" else shlex.join(value)
        if isinstance(value, str) and value.strip():
            return one_line(value, 300)
    return ""


def proposed(blocker: Blocker) -> list[tuple[str, str]]:
    """Return all that a question proposes, as names and values: nothing of it is cut."""
    found = []
    for name, value in blocker.detail.items():
        if name in COMMANDS and _words(value):
            text = "\n".join(value) if name == "commands" else shlex.join(value)
        elif isinstance(value, str):
            text = value
        else:
            text = json.dumps(value, ensure_ascii=False, indent=1)
        if text.strip():
            found.append((one_line(name, 60), text))
    return found


def _words(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)


def consequence(one: Waiting, now: float) -> str:
    """Return what happens if nobody answers, and when; empty where nothing does."""
    due = one.due
    if due is None:
        return "it runs on meanwhile" if one.need is Need.SILENT else ""
    when = f"in {durations.spell(due - now)}" if due > now else "now"
    blocker = one.blocker
    if blocker is None or blocker.deadline != due:
        return f"fails {when} if it is not done"
    then = {
        Action.APPROVE: "approved",
        Action.DENY: "denied",
        Action.CANCEL: "cancelled",
        None: "expires",
    }
    return f"{then.get(blocker.default, str(blocker.default))} {when} if nobody answers"


def proposes(blocker: Blocker) -> bool:
    """True when an agent asks to use arguments that can be changed."""
    engine = blocker.key in (GATE, REVIEW)
    return blocker.kind is BlockerKind.APPROVAL and not engine and "arguments" in blocker.detail


def approves(blocker: Blocker | None, action: Action) -> bool:
    """True when `action` lets go ahead what was asked about."""
    if blocker is None:
        return False
    if action is Action.APPROVE:
        return True
    if action is Action.PROVIDE_CONTEXT:
        return blocker.key == GATE
    return action is Action.MODIFY and (blocker.key == GATE or proposes(blocker))


def meant(blocker: Blocker, choice: Choice) -> Action:
    """Return the decision that choosing `choice` is."""
    if choice.effect == "deny":
        return Action.DENY
    if blocker.kind is BlockerKind.INPUT:
        return Action.PROVIDE_CONTEXT
    return Action.APPROVE


# One decision for several


@dataclass(frozen=True, slots=True)
class Together:
    """What a decision for several would do to one of them."""

    waiting: Waiting
    what: str
    """What would happen; or why it cannot be decided with the others."""
    possible: bool
    action: Action | None
    """None lets a paused task go on."""
    choice: str | None = None
    risky: bool = False
    """It is of high risk and would be let go ahead: that wants more than one key."""


_CANNOT: Mapping[Action, str] = {
    Action.APPROVE: "there is nothing to approve",
    Action.DENY: "there is nothing to deny",
    Action.RETRY: "there is nothing to run again",
    Action.CANCEL: "it cannot be cancelled",
}


def together(
    chosen: Iterable[Waiting], action: Action | None, choice: Choice | None = None
) -> list[Together]:
    """Return what one decision would do to each.

    Args:
        action: None lets paused tasks go on. With `choice`, what that choice means.
    """
    return [_one(one, action, choice) for one in chosen]


def _one(one: Waiting, action: Action | None, choice: Choice | None) -> Together:
    blocker = one.blocker
    if choice is not None:
        if blocker is None or choice not in blocker.choices:
            return Together(one, "it does not offer this answer", False, action)
        action = meant(blocker, choice)
    if action is None:
        paused = one.need is Need.PAUSED
        return Together(one, "goes on" if paused else "it is not paused", paused, None)
    if action not in one.legal:
        return Together(one, _CANNOT.get(action, "it does not fit"), False, action)
    risky = one.risky and approves(blocker, action)
    picked = choice.id if choice is not None else None
    what = f"is answered “{one_line(choice.label, 80)}”" if choice else _effect(one, action)
    return Together(one, what, True, action, picked, risky)


def _effect(one: Waiting, action: Action) -> str:
    blocker, stage = one.blocker, one_line(one.task.stage_name, 40)
    match action:
        case Action.APPROVE if one.need is Need.SILENT:
            return "is left running"
        case Action.APPROVE if one.need is Need.REVIEW:
            return f"the result of “{stage}” stands"
        case Action.APPROVE if blocker is not None and (command := proposal(blocker)):
            return f"$ {command}"
        case Action.APPROVE if blocker is not None and blocker.key == GATE:
            return f"the stage “{stage}” starts"
        case Action.APPROVE if one.need is Need.SIGN_IN:
            return "goes on, signed in"
        case Action.APPROVE:
            return "is told yes"
        case Action.DENY if blocker is not None and blocker.key in (GATE, REVIEW):
            return "fails, with your reason"
        case Action.DENY:
            return "is told no, with your reason"
        case Action.RETRY if one.need is Need.SILENT:
            return f"is stopped, and “{stage}” begins anew"
        case Action.RETRY:
            return f"“{stage}” runs again"
        case _:
            return "ends; nothing more of it runs"


__all__ = [
    "COMMANDS",
    "Case",
    "Need",
    "Together",
    "Waiting",
    "approves",
    "case_of",
    "consequence",
    "in_order",
    "line",
    "meant",
    "proposal",
    "proposed",
    "proposes",
    "question",
    "together",
]
