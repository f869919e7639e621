"""Stages that have not been started: as a plan has them, or to be started anew."""

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from taskhub_tui.domain.model import Stage, StageSpec, StageStatus


def stage_from(task_id: str, position: int, spec: StageSpec) -> Stage:
    """Return the stage that `spec` asks for, not yet started."""
    return Stage(
        task_id=task_id,
        position=position,
        name=spec.name,
        agent=spec.agent,
        status=StageStatus.PENDING,
        prompt=spec.prompt,
        options=spec.options,
        gate=spec.gate,
        review=spec.review,
        weight=spec.weight,
        timeout=spec.timeout,
        retries=spec.retries,
        retry_delay=spec.retry_delay,
        on_interrupt=spec.on_interrupt,
        stall=spec.stall,
    )


_LIMITS = ("timeout", "retries", "retry_delay", "stall")
"""What a person says of all stages of a task, and no agent of its own."""
_USUAL = {one.name: one.default for one in fields(StageSpec)}


def instead(left: Sequence[Stage], plan: Sequence[StageSpec]) -> list[Stage]:
    """Return the stages of `plan` in the place of those that are left.

    A person's wishes outlive the plan: to be asked before anything of it starts, or about its
    result, and the limits and habits that were given to all of its stages.
    """
    first = left[0]
    fresh = [stage_from(first.task_id, first.position + i, spec) for i, spec in enumerate(plan)]
    given = {n: getattr(first, n) for n in _LIMITS if len({getattr(s, n) for s in left}) == 1}
    if all(stage.on_interrupt == "ask" for stage in left):
        given["on_interrupt"] = "ask"  # The others are an agent's habit, and may not suit another.
    fresh = [
        replace(stage, **{n: v for n, v in given.items() if getattr(stage, n) == _USUAL[n]})
        for stage in fresh
    ]
    gate = fresh[0].gate or any(stage.gate and not stage.approved for stage in left)
    # Attempts go on counting: what the old agent asked, and what was said of its start, is no
    # answer for the new one. What it saved goes when the next attempt begins, as with `anew`.
    attempt = anew(first).attempt + (gate and first.approved)
    fresh[0] = replace(fresh[0], gate=gate, attempt=attempt, state=first.state)
    fresh[-1] = replace(fresh[-1], review=fresh[-1].review or any(s.review for s in left))
    return fresh


def anew(stage: Stage, **changes: Any) -> Stage:
    """Return the stage as one to be started anew; its gate stays passed."""
    # A start that was asked for and not allowed counts, so that it can be asked for again.
    asked = stage.status in (StageStatus.BLOCKED, StageStatus.FAILED)
    refused = stage.gate and not stage.approved and asked
    return replace(
        stage,
        **{
            "status": StageStatus.PENDING,
            "attempt": stage.attempt + refused,
            "failures": 0,
            "fraction": None,
            "note": "",
            "started": None,
            "ended": None,
            "output": None,
            "error": None,
            "limited": None,
            "worked": 0.0,
            **changes,
        },
    )
