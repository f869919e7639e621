"""How many stages may run at once, what an agent's queue waits for, and how long waits may be.

Everything here is for tasks that could run, but must not yet: no slot is free, or the provider
behind their agent has said "not now".
"""

import math
from collections.abc import Mapping
from dataclasses import field, replace

from taskhub_tui.domain import durations
from taskhub_tui.domain.model import Status, Task, WaitingOn
from taskhub_tui.records import dataclass

RETRY_CEILING = 3600.0
"""Most seconds that a growing pause between attempts grows to; a `retry_delay` may be longer."""
LIMIT_FIRST = 15.0
"""Seconds a provider's limit is waited for at first, where the provider does not say how long."""
LONGEST_WAIT = 86400.0
"""Seconds that TaskHub waits for a provider before it fails the task and lets a person decide."""

GOT_ON = 300.0
"""Seconds of work after which a stage got on, so that what it waited before does not count."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many stages may run at once over all workers of one database."""

    total: int | None = None
    """Over all agents; None is no limit."""
    agents: Mapping[str, int] = field(default_factory=dict)
    """By agent; one that is not named has no limit of its own."""


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Load:
    """How busy the workers are now, and which agents' providers have set a limit."""

    limits: Limits = NO_LIMITS
    busy: Mapping[str, int] = field(default_factory=dict)
    """Stages that run now, by agent; agents that are being stopped included."""
    limited: Mapping[str, float] = field(default_factory=dict)
    """By agent, the time until which its provider takes nothing."""

    def room(self, agent: str) -> int | None:
        """Return how many more stages of `agent` may start by its own limit; None is any number."""
        most = self.limits.agents.get(agent)
        return None if most is None else max(0, most - self.busy.get(agent, 0))

    def room_in_all(self) -> int | None:
        """Return how many more stages may start by the limit on all; None is any number."""
        if self.limits.total is None:
            return None
        return max(0, self.limits.total - sum(self.busy.values()))


def seen(task: Task, load: Load, now: float) -> Task:
    """Return a task that waits for its turn with what holds it back; others as they are.

    This is for people's eyes, and is not to be stored: the next moment may be different.
    """
    if task.status is not Status.PENDING or task.waiting_on is not None or task.stopping:
        return task
    until = load.limited.get(task.stage_agent, 0.0)
    if until > now:
        return replace(task, waiting_on=WaitingOn.PROVIDER, ready_at=until)
    for room, busy, whose in (
        (load.room(task.stage_agent), load.busy.get(task.stage_agent, 0), task.stage_agent),
        (load.room_in_all(), sum(load.busy.values()), ""),
    ):
        if room == 0:
            most = load.limits.agents[whose] if whose else load.limits.total
            of = f" of {whose}" if whose else ""
            note = f"waits for a free slot{of} ({busy} of {most} busy)"
            return replace(task, waiting_on=WaitingOn.LIMIT, note=note)
    return task


def sane(seconds: float | None) -> float | None:
    """Return what an agent gave as a pause if it is one: a number, not below zero."""
    if seconds is None or isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    return max(0.0, float(seconds)) if math.isfinite(seconds) else None


def retry_delay(first: float, failures: int, jitter: float, after: float | None) -> float:
    """Return the seconds before a failed attempt is repeated.

    Args:
        first: the pause after the first failure; it doubles with each, up to an hour.
        failures: how many came before this one.
        jitter: 0 to 1; adds up to a quarter, so that many that failed together come back apart.
        after: what the provider asked for (`Retry-After`); never cut short.
    """
    grown = first * 2.0 ** min(failures, 64)
    pause = min(grown, max(first, RETRY_CEILING)) * (1 + jitter / 4)
    return max(pause, sane(after) or 0.0)


def limit_delay(waited: float, jitter: float, after: float | None) -> float:
    """Return the seconds before a stage that met its provider's limit goes on.

    Args:
        waited: seconds that the stage was made to wait since it last got on; without a word of
            the provider the pause grows with it, which doubles the whole wait each time, up to
            an hour a pause.
        jitter: 0 to 1; adds up to a quarter.
        after: what the provider asked for; never cut short.
    """
    asked = sane(after)
    if asked is None:
        asked = min(RETRY_CEILING, max(LIMIT_FIRST, waited))
    # Later than asked for by a little: those who wait for the same moment come back apart.
    return asked + jitter / 4 * min(asked, LIMIT_FIRST)


def waits(task: Task, now: float) -> str:
    """Return in words what a task that does not run waits for; empty when for nothing."""
    if task.status is not Status.PENDING:
        return ""
    left = durations.countdown(task.ready_at - now)
    match task.waiting_on:
        case WaitingOn.SCHEDULE:
            return f"starts in {left}"
        case WaitingOn.RETRY:
            return f"next try in {left}"
        case WaitingOn.PROVIDER:
            return f"provider limit, resumes in {left}"
        case WaitingOn.LIMIT:
            return task.note or "waits for a free slot"
        case WaitingOn.DEPENDENCY:
            others = f"{task.deps_left} tasks" if task.deps_left > 1 else "another task"
            return f"waits for {others}"
        case _:
            return ""
