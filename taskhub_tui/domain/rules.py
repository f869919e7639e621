"""Always-allow rules: what is approved without asking. Pure.

A rule speaks for the person who made it, so it never goes beyond what that person could foresee. It
approves what agents ask, never what is of high risk, and never a gate or a review: those were put
there to be asked. Of a command it must know every word.
"""

import re
import shlex
from collections.abc import Iterable
from enum import StrEnum

from taskhub_tui.domain.errors import BadInput
from taskhub_tui.domain.legal import GATE, REVIEW
from taskhub_tui.domain.model import Blocker, BlockerKind, Status, Task
from taskhub_tui.domain.waiting import COMMANDS
from taskhub_tui.records import dataclass
from taskhub_tui.text import clean

LONGEST = 2000
"""Most characters of what a rule is about."""
_SHELL = re.compile(r"[;&|<>$`()\n\\{}?!#~\[\]]")
"""What makes a shell do more than run one program with these words."""


class Scope(StrEnum):
    """For what a rule holds."""

    TASK = "task"
    PLAYBOOK = "playbook"
    AGENT = "agent"
    FOLDER = "folder"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule."""

    id: str
    scope: Scope
    value: str
    """ID of the task, name of the playbook or the agent, folder, or pattern of commands."""
    created: float
    by: str
    channel: str
    revoked: float | None = None
    revoked_by: str | None = None
    uses: int = 0
    """How many decisions it took."""
    used: float | None = None


def words(scope: Scope, value: str) -> str:
    """Say what a rule does."""
    match scope:
        case Scope.TASK:
            return f"Always allow what task {value} asks"
        case Scope.PLAYBOOK:
            return f"Always allow what tasks of the playbook “{value}” ask"
        case Scope.AGENT:
            return f"Always allow what the agent `{value}` asks"
        case Scope.FOLDER:
            return f"Always allow what is asked by tasks in {value}"
        case Scope.COMMAND:
            return f"Always allow the command `{value}`"


def checked(scope: Scope, value: str) -> str:
    """Return what a rule is about as it is kept.

    Raises:
        BadInput: there is no such thing, or it would allow everything.
    """
    value = clean(value, LONGEST + 1).strip()
    if not value or len(value) > LONGEST:
        raise BadInput(f"A rule for a {scope.value} must name it, in {LONGEST} characters at most")
    if scope is Scope.FOLDER:
        if not value.startswith("/") or ".." in value.split("/"):
            raise BadInput(f"`{value}` is not the whole path of a folder")
        value = "/" + "/".join(part for part in value.split("/") if part not in ("", "."))
        if value == "/":
            raise BadInput("A rule for every folder would allow everything", "Name a smaller one")
    if scope is Scope.COMMAND:
        parts = _split(value, stars=True)
        if parts is None and "*" in value:
            raise BadInput(
                f"`{value}` is no pattern of a command: what a shell reads has no `*`",
                "A pattern is a program and its words; a last `*` stands for any others",
            )
        if parts is not None and (not parts or "*" in parts[0]):
            raise BadInput("A pattern must name the program, such as `git status *`")
    return value


def proposed(task: Task, blocker: Blocker, scope: Scope) -> str:
    """Return what a rule of this scope would be about that allows this question.

    Raises:
        BadInput: no rule of this scope can.
    """
    if (why := never(blocker)) is not None:
        raise BadInput(f"No rule can allow this: {why}", "Approve it by itself")
    found = {
        Scope.TASK: task.id,
        Scope.PLAYBOOK: task.playbook or "",
        Scope.AGENT: task.stage_agent or task.agent,
        Scope.FOLDER: task.workdir,
        Scope.COMMAND: "",
    }[scope]
    if scope is Scope.COMMAND:
        commands = _commands(blocker)
        if len(commands) != 1 or isinstance(commands[0], _Odd):
            raise BadInput("This question proposes no command, or more than one")
        one = commands[0]
        found = one.strip() if isinstance(one, str) else shlex.join(one)
        if "*" in found:
            raise BadInput("The command has a `*`, which a rule would take for any word")
    if not found:
        raise BadInput(f"Task {task.id} has no {scope.value}")
    return found


def never(blocker: Blocker) -> str | None:
    """Say why no rule can answer a question; None when one can."""
    if blocker.kind is not BlockerKind.APPROVAL:
        return "it does not ask for an approval"
    if blocker.key in (GATE, REVIEW):
        return "a gate or a review was put there to be asked"
    if blocker.risk != "low":
        return "it is of high risk"
    return None


def allowing(rules: Iterable[Rule], task: Task, blocker: Blocker) -> Rule | None:
    """Return the rule that approves a question, the narrowest first; None when none does."""
    if blocker.state != "open" or task.status is not Status.BLOCKED or never(blocker) is not None:
        return None
    order = (Scope.COMMAND, Scope.TASK, Scope.FOLDER, Scope.PLAYBOOK, Scope.AGENT)
    fit = [one for one in rules if one.revoked is None and _fits(one, task, blocker)]
    return min(fit, key=lambda one: (order.index(one.scope), one.created), default=None)


def _fits(rule: Rule, task: Task, blocker: Blocker) -> bool:
    match rule.scope:
        case Scope.TASK:
            return rule.value == task.id
        case Scope.PLAYBOOK:
            return rule.value == task.playbook
        case Scope.AGENT:
            return rule.value == (task.stage_agent or task.agent)
        case Scope.FOLDER:
            parts = task.workdir.split("/")
            inside = task.workdir == rule.value or task.workdir.startswith(f"{rule.value}/")
            return inside and ".." not in parts
        case Scope.COMMAND:
            commands = _commands(blocker)
            return bool(commands) and all(_allowed(rule.value, one) for one in commands)


class _Odd:
    """A command that is none we can read."""


def _commands(blocker: Blocker) -> list[str | list[str] | _Odd]:
    """Return every command that a question proposes, under whatever name.

    A list of words is run as it stands; a text is read by a shell.
    """
    found: list[str | list[str] | _Odd] = []
    places = [blocker.detail]
    if isinstance(arguments := blocker.detail.get("arguments"), dict):
        places.append(arguments)
    for place in places:
        for name in COMMANDS:
            value = place.get(name)
            if value is None or value in ("", []):
                continue
            if isinstance(value, str):
                found.append(value)
            elif not isinstance(value, list) or not all(isinstance(one, str) for one in value):
                found.append(_Odd())
            elif name == "commands":
                found += value
            else:
                found.append(value)
    return found


def _allowed(pattern: str, command: str | list[str] | _Odd) -> bool:
    if isinstance(command, _Odd):
        return False
    text = command.strip() if isinstance(command, str) else shlex.join(command)
    if text == pattern:
        return True
    given = _split(command) if isinstance(command, str) else command
    wanted = _split(pattern, stars=True)
    if given is None or not wanted:
        return False
    rest = len(wanted) > 1 and wanted[-1] == "*"
    if rest:
        wanted = wanted[:-1]
        if len(given) < len(wanted):
            return False
        given = given[: len(wanted)]
    return len(given) == len(wanted) and all(map(_word, wanted, given))


def _split(text: str, *, stars: bool = False) -> list[str] | None:
    """Return the words of a command; None where a shell would do more than run them.

    A star is allowed in a pattern; in a command it names files that nobody has seen.
    """
    if _SHELL.search(text) or ("*" in text and not stars):
        return None
    try:
        return shlex.split(text)
    except ValueError:
        return None


def _word(wanted: str, given: str) -> bool:
    parts = map(re.escape, wanted.split("*"))
    return re.fullmatch(".*".join(parts), given, re.DOTALL) is not None
