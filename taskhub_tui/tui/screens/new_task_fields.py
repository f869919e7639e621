"""What stands in the new-task form, and the task it makes. No widgets here."""

import contextlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskhub_tui.domain.errors import BadInput, TaskHubError
from taskhub_tui.domain.model import Interrupt, NewTask, Priority, StageSpec
from taskhub_tui.hub import Hub
from taskhub_tui.records import dataclass
from taskhub_tui.text import clean, one_line
from taskhub_tui.tui.handing import short
from taskhub_tui.tui.widgets import values
from taskhub_tui.tui.widgets.stage_plan import asked as asked_of

if TYPE_CHECKING:
    from taskhub_tui.domain.delegation import Ranked
    from taskhub_tui.hub import PlaybookFile

RANKED_BY = 20_000
"""Characters of a request by which the agents are ranked while one types."""
BEST = "best"
"""The choice that leaves it to the hub which agent fits."""
AGENT = "agent:"
PLAYBOOK = "playbook:"
"""A choice is `BEST`, or one of these followed by a name."""


HABITS: Mapping[str, Interrupt] = {"adopt": "adopt", "rerun": "rerun", "ask": "ask"}


@dataclass(frozen=True, slots=True)
class Fields:
    """The form as it is typed."""

    request: str = ""
    who: str = BEST
    file: str = ""
    command: str = ""
    asks: tuple[tuple[int, str, bool, bool], ...] = ()
    """What was said about stages: position, name, ask before, ask after; the plan says the rest."""
    when: str = ""
    priority: int = Priority.NORMAL
    folder: str = ""
    after: str = ""
    deadline: str = ""
    habit: str = ""
    """What to do when the worker dies under a stage; empty is the agent's own habit."""
    options: str = ""


def fields_of(new: NewTask | None, workdir: str) -> Fields:
    """Return the form that would make `new`."""
    if new is None:
        return Fields(folder=workdir)
    options = dict(new.options)
    file = options.pop("file", "")
    argv = options.pop("argv", [])
    who = f"{AGENT}{new.agent}" if new.agent else BEST
    return Fields(
        request=clean(new.request),
        who=f"{PLAYBOOK}{new.playbook}" if new.playbook else who,
        file=clean(str(file)),
        command=clean(argv if isinstance(argv, str) else shlex.join(map(str, argv))),
        when=values.write_time(new.not_before) if new.not_before is not None else "",
        priority=new.priority,
        folder=clean(short(Path(new.workdir)) if new.workdir else workdir),
        after=clean(" ".join(new.after)),
        deadline=_deadline_words(new),
        habit=_habit(new.stages),
        options=values.to_toml(options),
    )


@dataclass(frozen=True, slots=True)
class Made:
    """What a form makes: a task, or the sentences that say why it makes none."""

    new: NewTask | None
    plan: tuple[StageSpec, ...] = ()
    problems: Mapping[str, str] = field(default_factory=dict)
    """A sentence by the name of the field it is about."""


def make(
    fields: Fields, hub: Hub, playbooks: "Sequence[PlaybookFile]", initial: NewTask | None = None
) -> Made:
    """Return the task that the form makes, with its stages, or what is wrong with the form.

    Args:
        initial: what the form was opened with; its title and its stages are kept where the form
            still asks for the same agents.
    """
    problems: dict[str, str] = {}
    now = hub.clock()
    options: dict[str, Any] = {}
    try:
        options = values.read_options(fields.options)
    except ValueError as error:
        problems["options"] = str(error)
    folder = Path(fields.folder.strip() or ".").expanduser()
    if not folder.is_absolute() or not folder.is_dir():
        problems["folder"] = f"There is no folder {one_line(fields.folder)}; give its full path"
    if file := fields.file.strip():
        options["file"] = str(Path(file).expanduser()) if file.startswith("~") else file
        path = folder / options["file"]
        if not path.exists() and "folder" not in problems:
            problems["file"] = f"There is no file {one_line(str(path))}"
    command = fields.command.strip()
    if command:
        try:
            options["argv"] = values.read_argv(command)
        except ValueError as error:
            problems["command"] = str(error)
    elif _wants(fields, hub, "argv"):
        problems["command"] = "Write the program to run and its arguments"
    # A command needs no more words than itself.
    request = clean(fields.request).strip() or (clean(command) if "argv" in options else "")
    if not request:
        problems["request"] = "Say in a sentence what is to be done"
    not_before = None
    try:
        not_before = values.read_when(fields.when, now)
    except ValueError as error:
        problems["when"] = str(error)
    deadline, within = None, None
    try:
        deadline, within = values.read_due(fields.deadline, now)
    except ValueError as error:
        problems["deadline"] = str(error)
    if deadline is not None and not_before is not None and deadline <= not_before:
        problems["deadline"] = "That is before it may start; give it more time, or none"
    new = NewTask(
        request=request,
        title=initial.title if initial is not None and initial.request == request else None,
        agent=_named(fields.who, AGENT),
        playbook=_named(fields.who, PLAYBOOK),
        options=options,
        workdir=str(folder),
        priority=Priority(fields.priority),
        after=tuple(fields.after.replace(",", " ").split()),
        not_before=not_before,
        deadline=deadline,
        within=within,
    )
    plan: tuple[StageSpec, ...] = ()
    if request or fields.who != BEST:
        try:
            plan = _plan(new, fields, hub, playbooks, initial)
        except TaskHubError as error:
            problems["who"] = _sentence(error, fields.who)
    asks = fields.asks or fields.habit
    if asks or new.playbook or (initial is not None and initial.stages):
        new = replace(new, stages=plan)
    if not fields.deadline.strip():
        new = replace(new, within=usual_deadline(fields, playbooks))
    return Made(None if problems else new, plan, problems)


def usual_deadline(fields: Fields, playbooks: "Sequence[PlaybookFile]") -> float | None:
    """Return the seconds that the chosen playbook gives a task; None when it sets no deadline."""
    name = _named(fields.who, PLAYBOOK)
    found = [file.playbook for file in playbooks if file.playbook.name == name]
    return found[0].deadline if found else None


def ranking(fields: Fields, hub: Hub) -> "list[Ranked]":
    """Return the agents, the one that fits the request best first, each with its reason."""
    try:
        options = values.read_options(fields.options)
    except ValueError:
        options = {}
    if fields.file.strip():
        options["file"] = fields.file.strip()
    if fields.command.strip():
        options["argv"] = [fields.command.strip()]
    # Beyond that nobody speaks of somebody else; a hundred pages are not searched at each key.
    return hub.suggest(fields.request[:RANKED_BY], options)


def best(found: "Sequence[Ranked]") -> str:
    """Return who would get the request, and why; empty when nobody stands out."""
    if not found or found[0].score <= 0:
        return ""
    words = f"best fit: {one_line(found[0].card.title)} – {one_line(found[0].why)}"
    if len(found) > 1 and found[1].score > 0:
        words += f"\nnext: {one_line(found[1].card.title)} – {one_line(found[1].why)}"
    return words


def takes(fields: Fields, hub: Hub, option: str) -> bool:
    """True when the form should offer `option`: the chosen agent knows it, or none is chosen."""
    if _named(fields.who, AGENT) is None:
        return option == "file" or bool(fields.command.strip())
    return _wants(fields, hub, option)


def all_options(fields: Fields) -> dict[str, Any]:
    """Return the options as far as they can be read: by them past runs are found."""
    try:
        options = values.read_options(fields.options)
    except ValueError:
        options = {}
    with contextlib.suppress(ValueError):
        if fields.command.strip():
            options["argv"] = values.read_argv(fields.command)
    return options


def when_words(fields: Fields, now: float) -> str:
    """Return in words when the task would start; empty for now, and for what is no time."""
    try:
        at = values.read_when(fields.when, now)
    except ValueError:
        return ""
    return "" if at is None else values.say_time(at, now)


def _wants(fields: Fields, hub: Hub, option: str) -> bool:
    name = _named(fields.who, AGENT)
    return any(card.name == name and option in card.options for card in hub.agents())


def _named(who: str, kind: str) -> str | None:
    return who.removeprefix(kind) if who.startswith(kind) else None


def _plan(
    new: NewTask,
    fields: Fields,
    hub: Hub,
    playbooks: "Sequence[PlaybookFile]",
    initial: NewTask | None,
) -> tuple[StageSpec, ...]:
    asked = new
    if new.playbook is not None:
        found = [file.playbook for file in playbooks if file.playbook.name == new.playbook]
        if found:
            asked = replace(new, stages=found[0].specs())
        elif initial is None or initial.playbook != new.playbook:
            raise BadInput(f"There is no playbook `{new.playbook}`; choose another")
    if not asked.stages and initial is not None and fields.who == fields_of(initial, "").who:
        asked = replace(new, stages=initial.stages)
    plan = list(hub.plan(asked))
    said = {(at, name): (gate, review) for at, name, gate, review in fields.asks}
    plan = list(asked_of(plan, said))
    if fields.habit:
        habit = HABITS[fields.habit]
        plan = [replace(stage, on_interrupt=habit) for stage in plan]
    return tuple(plan)


def _deadline_words(new: NewTask) -> str:
    if new.within is not None:
        return values.write_span(new.within)
    if new.deadline is not None:
        return values.write_time(new.deadline)
    # Of a playbook that sets one, somebody has said so.
    return "none" if new.playbook else ""


def _habit(stages: Sequence[StageSpec]) -> str:
    """Return the habit that all stages are given; empty when they differ or are given none."""
    given = {stage.on_interrupt or "" for stage in stages}
    return given.pop() if len(given) == 1 else ""


def _sentence(error: TaskHubError, who: str) -> str:
    """Return the error as this form says it: the hub's own hints speak of the command line."""
    return f"{error}; choose one" if who == BEST else str(error)
