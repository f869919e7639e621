"""What MODIFY may change of a task, and what it refuses."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from taskhub_tui.domain.errors import BadInput
from taskhub_tui.domain.model import Priority, Stage, StageStatus, Task

MODIFIABLE = ("title", "request", "options", "arguments", "deadline", "priority")
"""What MODIFY may change; `arguments` are those an agent proposed in its question."""
ASIDE = frozenset({"title", "deadline", "priority"})
"""What may change while a question is open without being an answer to it."""
Known = Mapping[str, Collection[str]]
"""The options that each agent knows, by its name; one that declares none is left out."""


def check_names(data: Mapping[str, Any]) -> None:
    """Refuse to change nothing, or what cannot be changed.

    Raises:
        BadInput: names it, and what can be changed.
    """
    unknown = [key for key in data if key not in MODIFIABLE]
    if unknown or not data:
        raise BadInput(
            f"MODIFY cannot change `{unknown[0]}`" if unknown else "MODIFY changes nothing",
            "It can change: " + ", ".join(MODIFIABLE),
        )


def modified(
    task: Task, stages: Sequence[Stage], data: Mapping[str, Any], known: Known, now: float
) -> tuple[Task, list[Stage]]:
    """Return the task and all its stages with the values of `data`.

    Raises:
        BadInput: a value is none that can be used; says which.
    """
    stages = list(stages)
    for key in ("title", "request"):
        if key in data:
            if not isinstance(data[key], str) or not data[key].strip():
                raise BadInput(f"`{key}` must be a text that is not empty")
            task = replace(task, **{key: data[key].strip()})
    if "deadline" in data:
        task = replace(task, deadline=_deadline(data["deadline"], now))
    if "priority" in data:
        names = [priority.name.lower() for priority in Priority]
        if data["priority"] not in names:
            raise BadInput("`priority` must be one of " + ", ".join(names))
        task = replace(task, priority=Priority[data["priority"].upper()])
    if "options" in data:
        if not isinstance(data["options"], Mapping):
            raise BadInput("`options` must be a table of names and values")
        check_options(task, stages, data["options"], known)
        task = replace(task, options=_merged(task.options, data["options"]))
        for stage in tuple(stages):
            own = {k: v for k, v in data["options"].items() if k in stage.options}
            if own and stage.status is not StageStatus.DONE:
                stages[stage.position] = replace(stage, options=_merged(stage.options, own))
    return task, stages


def _deadline(given: Any, now: float) -> float | None:
    if given is None:
        return None
    number = isinstance(given, int | float) and not isinstance(given, bool)
    if not number or not math.isfinite(given):
        raise BadInput("`deadline` must be a time in seconds since 1970, or nothing")
    if given <= now:
        raise BadInput("The new deadline has passed already", "Give one that is to come")
    return float(given)


def check_options(
    task: Task, stages: Sequence[Stage], options: Mapping[str, Any], known: Known
) -> None:
    """Refuse a new value for an option that no stage still to be done can use.

    Raises:
        BadInput: names the option, and those that would be used.
    """
    left = [stage for stage in stages if stage.status is not StageStatus.DONE]
    left = left or [stages[min(task.stage, len(stages) - 1)]]
    if any(stage.agent not in known for stage in left):
        return  # Its agent does not say what it knows.
    usable = {name for stage in left for name in (*known[stage.agent], *stage.options)}
    unused = [name for name in options if name not in usable]
    # One that no stage uses may still be taken away.
    unused = [n for n in unused if options[n] is not None or n not in task.options]
    if unused:
        agents = ", ".join(f"`{name}`" for name in dict.fromkeys(stage.agent for stage in left))
        what = "stage left to do" if len(left) == 1 else "stages left to do"
        names = ", ".join(f"`{name}`" for name in sorted(usable)) or "none"
        raise BadInput(
            f"The option `{unused[0]}` would be of no use to the {what}, by {agents}",
            f"Options of use: {names}",
        )


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return `old` with the values of `new`; a value of None takes a name away."""
    both = {**old, **new}
    return {key: value for key, value in both.items() if value is not None}
