"""From what a person asks for to a task with its stages: agents, playbooks, and what is refused."""

import contextlib
import json
import math
import os
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from taskhub_tui.agents.registry import Registry
from taskhub_tui.config import Paths
from taskhub_tui.domain import durations, ids
from taskhub_tui.domain.errors import BadInput, BadPlaybook
from taskhub_tui.domain.fresh import stage_from
from taskhub_tui.domain.model import AgentCard, NewTask, Options, Stage, StageSpec, Status, Task
from taskhub_tui.records import dataclass
from taskhub_tui.text import DEPTH, check_json, clean, one_line

if TYPE_CHECKING:
    from taskhub_tui.domain.delegation import Ranked
    from taskhub_tui.domain.playbook import Playbook

REQUEST_LIMIT = 100_000
OPTIONS_LIMIT = 500_000
"""Most characters of a request, and bytes of its options as JSON."""


@dataclass(frozen=True, slots=True)
class PlaybookFile:
    """A playbook and where it stands."""

    path: Path
    playbook: "Playbook"


class Planner:
    """Knows the agents and the playbooks, and what a request becomes with them."""

    def __init__(self, registry: Registry, paths: Paths) -> None:
        self._registry = registry
        self._paths = paths

    def agents(self) -> Sequence[AgentCard]:
        """Return what each installed agent declares, by name."""
        return self._registry.cards()

    def suggest(self, request: str, options: Options) -> "list[Ranked]":
        """Rank the agents for a request, best first, each with its reason."""
        from taskhub_tui.domain import delegation

        return delegation.rank(request, options, self.agents())

    def usable(self, name: str) -> AgentCard:
        """Return an agent's card.

        Raises:
            BadInput: there is no such agent, or it cannot be used; says why.
        """
        card = self._registry.card(name)
        if card.problem:
            raise BadInput(f"The agent `{name}` cannot be used: {card.problem}")
        return card

    def options(self) -> Mapping[str, Collection[str]]:
        """Return the options each agent knows, by its name; without those that declare none."""
        return {card.name: card.options.keys() for card in self.agents() if card.options}

    def own_stages(self, name: str) -> tuple[StageSpec, ...]:
        """Return the stages an agent has for a request that names none.

        Raises:
            BadInput: there is no such agent, or it cannot be used.
        """
        return self.usable(name).stages or (StageSpec("run", name),)

    def plan(self, new: NewTask) -> tuple[AgentCard, tuple[StageSpec, ...]]:
        """Return who is to do a new task, and its stages.

        Raises:
            BadInput: no agent fits, or one that is named does not exist or cannot be used.
        """
        agent = new.agent
        if agent is None and new.stages:
            agent = new.stages[0].agent
        if agent is None:
            from taskhub_tui.domain import delegation

            agent = delegation.choose(new.request, new.options, self.agents()).card.name
        card = self.usable(agent)
        stages = new.stages or self.own_stages(agent)
        for stage in stages:
            self.usable(stage.agent)
        return card, stages

    def make(self, new: NewTask, owner: str, now: float) -> tuple[Task, list[Stage]]:
        """Return a new task, not yet in the store, and its stages.

        Raises:
            BadInput: something in `new` cannot be used.
        """
        request = clean(new.request, REQUEST_LIMIT).strip()
        if not request:
            raise BadInput("The request is empty", "Say in a sentence what is to be done")
        check_options(new.options)
        workdir = _folder(new.workdir)
        card, specs = self.plan(new)
        for spec in specs:
            _check_stage(spec)
        task_id = ids.new_id(secrets.randbelow)
        stages = [
            replace(
                stage_from(task_id, position, spec),
                name=one_line(spec.name, 60),
                prompt=clean(spec.prompt, REQUEST_LIMIT),
            )
            for position, spec in enumerate(specs)
        ]
        task = Task(
            id=task_id,
            n=0,
            title=one_line(new.title or "", 120) or one_line(request, 120),
            request=request,
            owner=owner,
            agent=card.name,
            workdir=str(workdir),
            status=Status.PENDING,
            created=now,
            changed=now,
            seq=0,
            playbook=new.playbook,
            options=dict(new.options),
            priority=new.priority,
            stages=len(stages),
            stage_name=stages[0].name,
            ready_at=_start(new, now),
            deadline=_deadline(new, now),
            stage_agent=stages[0].agent,
        )
        return task, stages

    def playbooks(self) -> Sequence[PlaybookFile]:
        """Return the playbooks that ship, and the user's own beside the settings file."""
        from importlib import resources

        found = []
        folders = [self._paths.config.parent / "playbooks"]
        with contextlib.suppress(ModuleNotFoundError, TypeError):
            folders.append(Path(str(resources.files("taskhub_tui") / "playbooks")))
        for folder in folders:
            for path in sorted(folder.glob("*.toml")):
                with contextlib.suppress(BadPlaybook):
                    found.append(PlaybookFile(path, self.read_playbook(path)))
        return found

    def read_playbook(self, path: Path) -> "Playbook":
        """Read one playbook.

        Raises:
            BadPlaybook: the file cannot be read, is no TOML, or says what it must not.
        """
        # Most commands read no playbook, and need not wait for the library behind it.
        import tomllib

        from taskhub_tui.domain.playbook import parse

        try:
            if path.stat().st_size > 1_000_000:
                raise BadPlaybook(f"{path} is larger than 1 MB, so it is hardly a playbook")
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise BadPlaybook(f"{path} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise BadPlaybook(f"{path} is not a text in UTF-8") from error
        except tomllib.TOMLDecodeError as error:
            raise BadPlaybook(f"{path} is not valid TOML: {error}") from error
        return parse(table, str(path))


def check_options(options: Options, most: int = DEPTH) -> None:
    """Raise BadInput when options are no JSON, or too large, or nested more than `most` deep."""
    try:
        check_json(options, most)
        size = len(json.dumps(dict(options), ensure_ascii=False).encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise BadInput(f"The options cannot be stored: {one_line(str(error))}") from error
    if size > OPTIONS_LIMIT:
        raise BadInput(f"The options are too large: {size} bytes of {OPTIONS_LIMIT}")


def _check_stage(spec: StageSpec) -> None:
    """Raise BadInput when a stage asks for what no export could hold."""
    check_options(spec.options)
    for name in ("weight", "timeout", "retry_delay", "stall"):
        given = getattr(spec, name)
        if given is not None and not 0 <= given <= durations.LAST:
            raise BadInput(f"`{name}` of the stage “{one_line(spec.name, 60)}” cannot be {given}")


def _start(new: NewTask, now: float) -> float:
    start = max(now, new.not_before or now)
    if not start <= durations.LAST:
        raise BadInput("The task may start only after the year 9999", "Give an earlier time")
    return start


def _deadline(new: NewTask, now: float) -> float | None:
    start = _start(new, now)
    given = [new.deadline] if new.deadline is not None else []
    if new.within is not None:
        given.append(start + new.within)
    if not given:
        return None
    if not math.isfinite(min(given)) or min(given) <= start:
        raise BadInput(
            "The deadline is not after the time the task may start", "Give it more time, or none"
        )
    if min(given) > durations.LAST:
        raise BadInput("The deadline is after the year 9999", "Give an earlier one, or none")
    return min(given)


def _folder(given: str | None) -> Path:
    try:
        folder = Path(given).expanduser().absolute() if given else Path.cwd()
        os.fsencode(folder).decode()
    except RuntimeError as error:
        raise BadInput(f"The folder {one_line(given or '')} has no home: {error}") from error
    except FileNotFoundError as error:
        raise BadInput("The current folder does not exist any more", "Go to another") from error
    except UnicodeError as error:
        raise BadInput(
            f"The name of the folder {one_line(given or '')} is not in UTF-8", "Rename it"
        ) from error
    if not folder.is_dir():
        raise BadInput(f"The folder {one_line(str(folder))} does not exist")
    return folder
