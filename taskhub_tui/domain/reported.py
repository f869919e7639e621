"""What agents may tell of a task beside its result: what could be done next, and what it cost.

Both stand in the `data` of results, which comes from outside: everything is checked and cleaned
here, and what does not fit is left out.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from taskhub_tui.domain.model import NewTask, Options, Stage, StageStatus, TaskView
from taskhub_tui.records import dataclass
from taskhub_tui.text import clean, clean_json, one_line

MOST = 9
"""Most follow-ups that are shown: one for each digit."""
_NAMES = {
    "cost_usd": "cost",
    "cost": "cost",
    "input_tokens": "tokens in",
    "output_tokens": "tokens out",
    "total_tokens": "tokens",
    "cached_tokens": "tokens from cache",
    "seconds": "time of the agent",
    "requests": "requests",
    "model": "model",
}


@dataclass(frozen=True, slots=True)
class FollowUp:
    """A task that could come next."""

    title: str
    request: str
    agent: str | None = None
    """None: the best fit."""
    options: Options = field(default_factory=dict)


def follow_ups(stages: Sequence[Stage]) -> tuple[FollowUp, ...]:
    """Return what the last stage that says something about it suggests."""
    for stage in reversed(stages):
        if stage.status is not StageStatus.DONE:
            continue
        said = _data(stage).get("follow_ups")
        if isinstance(said, Sequence) and not isinstance(said, str):
            found = [made for one in said[:100] if (made := _follow_up(one)) is not None]
            if found:
                return tuple(found[:MOST])
    return ()


def _follow_up(said: Any) -> FollowUp | None:
    if not isinstance(said, Mapping):
        return None
    request, title, agent = said.get("request"), said.get("title"), said.get("agent")
    if not isinstance(request, str) or not clean(request).strip():
        return None
    request = clean(request, 20_000).strip()
    title = one_line(title if isinstance(title, str) and title.strip() else request, 100)
    options = said.get("options")
    return FollowUp(
        title,
        request,
        one_line(agent, 100) if isinstance(agent, str) and agent.strip() else None,
        clean_json(options) if isinstance(options, Mapping) else {},
    )


def next_task(view: TaskView, chosen: FollowUp, agents: Sequence[str]) -> NewTask:
    """Return a follow-up as a task to hand over, with what the first one knew and made.

    Args:
        agents: those that are installed; another one is not named, and the best fit does it.
    """
    task = view.task
    agent = chosen.agent if chosen.agent in agents else None
    # Options are an agent's own: they mean nothing to another one.
    carried = dict(task.options) if agent == task.agent else {}
    files = [one_line(one.path, 1000) for one in view.artifacts if _telling(one.media_type)]
    if task.result and task.result not in files:
        files.insert(0, one_line(task.result, 1000))
    request = chosen.request
    if files:
        listed = "\n".join(f"- {path}" for path in files[:10])
        request += (
            f"\n\nIt follows `{one_line(task.title, 200)}` ({task.id}), which made:\n{listed}"
        )
    return NewTask(
        request,
        title=chosen.title,
        agent=agent,
        options={**carried, **chosen.options},
        workdir=task.workdir,
        priority=task.priority,
    )


def _telling(media_type: str) -> bool:
    return not media_type.startswith("image/")


def usage(stages: Sequence[Stage]) -> list[tuple[str, str]]:
    """Return what the stages have cost, as names and values; empty where no agent says so."""
    sums: dict[str, float] = {}
    words: dict[str, list[str]] = {}
    for stage in stages:
        said = _data(stage).get("usage")
        if not isinstance(said, Mapping):
            continue
        for key, value in list(said.items())[:50]:
            name = _NAMES.get(str(key))
            if name is None or isinstance(value, bool):
                continue
            if isinstance(value, int | float) and math.isfinite(value) and value >= 0:
                sums[name] = sums.get(name, 0.0) + value
            elif isinstance(value, str) and (word := one_line(value, 60)):
                known = words.setdefault(name, [])
                if word not in known:
                    known.append(word)
    found = [(name, _amount(name, value)) for name, value in sums.items()]
    return found + [(name, ", ".join(some)) for name, some in words.items() if name not in sums]


def _amount(name: str, value: float) -> str:
    if name == "cost":
        return f"${value:,.2f}" if value >= 0.1 or not value else f"${value:,.4f}"
    if name == "time of the agent":
        return f"{value:,.0f}s"
    return f"{value:,.0f}"


def _data(stage: Stage) -> Mapping[str, Any]:
    data = (stage.output or {}).get("data")
    return data if isinstance(data, Mapping) else {}
