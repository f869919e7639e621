"""The one definition of progress and of time remaining."""

from collections.abc import Sequence

from taskhub_tui.domain.model import Stage, StageStatus

_SETTLED = 0.02
"""Below this fraction the rate so far says nothing about the rest."""


def fraction(stages: Sequence[Stage]) -> float | None:
    """Return how much of a task is done, 0 to 1, by the weights of its stages.

    A running stage counts with the agent's own fraction, or as nothing while that is unknown.
    None when nothing is done and nothing is known.
    """
    total = done = 0.0
    known = False
    for stage in stages:
        weight = stage.weight
        total += weight
        if stage.status is StageStatus.DONE:
            done += weight
            known = known or weight > 0
        elif stage.fraction is not None:
            done += weight * min(1.0, max(0.0, stage.fraction))
            known = True
    return min(1.0, done / total) if known and total > 0 else None


def remaining(stages: Sequence[Stage], now: float) -> float | None:
    """Return the seconds until the last stage is probably done; None is unknown.

    Past runs of the same stage and agent (`estimate`) come first; the rate so far corrects them as
    the stage goes on. A stage without either is measured by its weight against those that have one.
    Time in which a person is waited for is not part of it.
    """
    seconds = weight = total = 0.0
    unknown = 0.0
    for stage in stages:
        if stage.status is StageStatus.DONE:
            if stage.started is not None and stage.ended is not None:
                seconds += stage.ended - stage.started
                weight += stage.weight
            continue
        if stage.estimate is None and not stage.fraction:
            unknown += stage.weight
            continue
        whole, left = _stage(stage, now)
        if whole is None or left is None:
            unknown += stage.weight
            continue
        seconds += whole
        weight += stage.weight
        total += left
    if unknown == 0:
        return total
    if weight == 0 or seconds <= 0:
        return None
    return total + unknown * seconds / weight


def left(stage: Stage, now: float) -> float | None:
    """Return the seconds that an unfinished stage probably has before it; None is unknown."""
    if stage.status is StageStatus.RUNNING or stage.estimate is not None:
        return _stage(stage, now)[1]
    return None


def starts(stages: Sequence[Stage], now: float) -> list[float | None]:
    """Return when each stage that has not begun will probably start, as a time; None is unknown.

    What comes after a question to a person is unknown, since nobody can tell how long that takes.
    """
    found: list[float | None] = []
    at: float | None = now
    for stage in stages:
        asks = stage.status in (StageStatus.BLOCKED, StageStatus.FAILED, StageStatus.CANCELLED)
        if stage.status is StageStatus.PENDING:
            if stage.gate and not stage.approved:
                at = None
            found.append(at)
        else:
            found.append(None)
        if stage.status is StageStatus.DONE or at is None:
            continue
        rest = left(stage, now)
        at = None if rest is None or asks or stage.review else at + rest
    return found


def _stage(stage: Stage, now: float) -> tuple[float | None, float | None]:
    """Return the whole time and the time left of one unfinished stage."""
    if stage.status is not StageStatus.RUNNING or stage.started is None:
        return stage.estimate, stage.estimate
    elapsed = max(0.0, now - stage.started)
    done = min(1.0, stage.fraction or 0.0)
    if done <= _SETTLED:
        if stage.estimate is None:
            return None, None
        return max(stage.estimate, elapsed), max(0.0, stage.estimate - elapsed)
    by_rate = elapsed * (1 - done) / done
    if stage.estimate is None:
        return elapsed + by_rate, by_rate
    left = done * by_rate + (1 - done) * max(0.0, stage.estimate - elapsed)
    return elapsed + left, left
