"""Variables whose values are given apart from a task, which keeps their names only. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from taskhub_tui.domain.change import Change
from taskhub_tui.domain.evolve import replace
from taskhub_tui.domain.model import Stage, StageStatus, Task
from taskhub_tui.domain.modify import Known, check_options

NAMES = "secret_env"
"""The option that holds the names; a stage runs only when all of them have a value."""


def named(options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names in these options; those that are no text belong to no variable."""
    names = options.get(NAMES)
    return tuple(n for n in names if isinstance(n, str)) if isinstance(names, list | tuple) else ()


def wanted(task: Task, stages: Iterable[Stage]) -> tuple[str, ...]:
    """Return the names that a task and its stages want, each once."""
    found = [*named(task.options)]
    for stage in stages:
        found += named(stage.options)
    return tuple(dict.fromkeys(found))


def given(
    task: Task, stages: Sequence[Stage], names: Iterable[str], known: Known
) -> tuple[Task, list[Stage]]:
    """Return a task and its stages that want these variables as well.

    Args:
        known: the options that the agents know.

    Raises:
        BadInput: no stage that is left to do could use them.
    """
    names = sorted(names)
    check_options(task, stages, {NAMES: names}, known)
    # The names of a stage stand in the place of the task's.
    after = [
        replace(stage, options=_with(stage.options, names))
        if NAMES in stage.options and stage.status is not StageStatus.DONE
        else stage
        for stage in stages
    ]
    return replace(task, options=_with(task.options, names)), after


def give(change: Change, stages: Sequence[Stage], names: Iterable[str], known: Known) -> Change:
    """Return a change that leaves all `stages` as they are, with these variables given besides.

    Raises:
        BadInput: no stage that is left to do could use them.
    """
    names = sorted(names)
    task, after = given(change.task, stages, names, known)
    first, *others = change.events
    told = replace(first, data={**first.data, "variables": names})
    changed = tuple(new for new, old in zip(after, stages, strict=True) if new is not old)
    return replace(change, task=task, stages=changed, events=(told, *others))


def _with(options: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {**options, NAMES: list(dict.fromkeys([*named(options), *names]))}
