"""Stages that have not been started: as a plan has them, or to be started anew."""

from dataclasses import replace
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
