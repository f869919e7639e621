"""What the engine's steps make of a task. Pure, like `lifecycle`, which has people's decisions."""

from collections.abc import Mapping, Sequence
from typing import Any

from taskhub_tui.domain import progress
from taskhub_tui.domain.change import Change, Happened, Notice
from taskhub_tui.domain.evolve import replace
from taskhub_tui.domain.legal import LEGAL
from taskhub_tui.domain.model import (
    Blocker,
    BlockerKind,
    NoticeKind,
    Stage,
    StageStatus,
    Status,
    Task,
    WaitingOn,
)

LONG_STAGE = 60.0
"""Seconds from which the end of a stage is worth a notification of progress."""


def current(stages: Sequence[Stage]) -> Stage | None:
    """Return the first stage that is not done; None when all are."""
    return next((stage for stage in stages if stage.status is not StageStatus.DONE), None)


def begin(task: Task, stages: Sequence[Stage], stage: Stage, now: float, log_mark: int) -> Change:
    """Start a new attempt of `stage`."""
    started = replace(
        stage,
        status=StageStatus.RUNNING,
        attempt=stage.attempt + 1,
        fraction=None,
        note="",
        started=now,
        ended=None,
        state=None,
        output=None,
        error=None,
        log_mark=log_mark,
        worked=0.0,
    )
    happened = Happened(
        "started", stage.position, {"agent": stage.agent, "attempt": started.attempt}
    )
    return Change(_at(task, stages, started, now), (started,), events=(happened,))


def go_on(task: Task, stages: Sequence[Stage], stage: Stage, now: float, why: str) -> Change:
    """Continue the same attempt of `stage`: its question was answered, or its worker died."""
    started = now if stage.started is None else stage.started
    running = replace(stage, status=StageStatus.RUNNING, error=None, started=started)
    happened = Happened(why, stage.position, {"agent": stage.agent, "attempt": stage.attempt})
    return Change(_at(task, stages, running, now), (running,), events=(happened,))


def checkpoint(
    task: Task, stages: Sequence[Stage], stage: Stage, output: Mapping[str, Any], now: float
) -> Change:
    """Record the result of `stage`; it is never run again."""
    done = replace(
        stage,
        status=StageStatus.DONE,
        output=dict(output),
        fraction=1.0,
        ended=now,
        failures=0,
        limited=None,
    )
    after = _put(stages, done)
    task = replace(
        task,
        changed=now,
        fraction=progress.fraction(after),
        note="",
        error=None,
        waiting_on=None,
        silent_since=None,
    )
    took = now - (stage.started or now)
    happened = Happened("checkpoint", stage.position, {"seconds": round(took, 3)})
    notice = None
    if took >= LONG_STAGE and current(after) is not None:
        share = f", {task.fraction:.0%} done" if task.fraction is not None else ""
        notice = Notice(NoticeKind.PROGRESS, task.title, f"{stage.name} is complete{share}")
    return Change(task, (done,), events=(happened,), notice=notice)


def complete(task: Task, stages: Sequence[Stage], now: float) -> Change:
    """Every stage is done."""
    last = stages[-1].output or {}
    summary = str(last.get("text") or "")
    task = replace(
        task,
        status=Status.COMPLETED,
        waiting_on=None,
        stage=len(stages),
        stage_name="",
        fraction=1.0,
        note="",
        eta=None,
        ended=now,
        changed=now,
        summary=summary,
        error=None,
        holder=None,
        silent_since=None,
    )
    notice = Notice(NoticeKind.COMPLETED, task.title, summary or "Completed")
    return Change(task, events=(Happened("completed"),), notice=notice, unblocks=True)


def ask(task: Task, stages: Sequence[Stage], stage: Stage, blocker: Blocker, now: float) -> Change:
    """Stop `stage` until a person has answered `blocker`."""
    blocked = replace(stage, status=StageStatus.BLOCKED)
    task = replace(
        _at(task, stages, blocked, now),
        status=Status.BLOCKED,
        waiting_on=WaitingOn.USER,
        eta=None,
        holder=None,
    )
    happened = Happened(
        "asked",
        stage.position,
        {
            "blocker": blocker.id,
            "key": blocker.key,
            "kind": blocker.kind.value,
            "question": blocker.question,
            "detail": dict(blocker.detail),
        },
    )
    notice = Notice(
        NoticeKind.BLOCKER,
        task.title,
        blocker.question,
        LEGAL[(Status.BLOCKED, blocker.kind)],
        blocker.id,
    )
    return Change(task, (blocked,), blocker=blocker, events=(happened,), notice=notice)


def retry_later(
    task: Task, stages: Sequence[Stage], stage: Stage, error: str, delay: float, now: float
) -> Change:
    """Repeat a failed attempt after `delay` seconds."""
    waiting = replace(
        stage,
        status=StageStatus.PENDING,
        failures=stage.failures + 1,
        limited=None,
        fraction=None,
        ended=now,
        error=error,
    )
    return _retrying(task, stages, waiting, error, delay, now)


def repeat(
    task: Task, stages: Sequence[Stage], stage: Stage, error: str, delay: float, now: float
) -> Change:
    """Do lost work again after `delay` seconds: the same attempt and key, but from its start."""
    waiting = replace(
        stage,
        status=StageStatus.WAITING,
        failures=stage.failures + 1,
        limited=None,
        fraction=None,
        note="",
        error=error,
        state=None,
        started=None,
        worked=0.0,
    )
    return _retrying(task, stages, waiting, error, delay, now, lost=True)


def _retrying(
    task: Task,
    stages: Sequence[Stage],
    waiting: Stage,
    error: str,
    delay: float,
    now: float,
    **more: object,
) -> Change:
    task = replace(
        _at(task, stages, waiting, now),
        status=Status.PENDING,
        waiting_on=WaitingOn.RETRY,
        ready_at=now + delay,
        error=error,
        eta=None,
        holder=None,
    )
    facts = {"error": error, "attempt": waiting.attempt, "again in": round(delay, 1), **more}
    return Change(task, (waiting,), events=(Happened("retrying", waiting.position, facts),))


def wait_for_provider(
    task: Task, stages: Sequence[Stage], stage: Stage, said: str, delay: float, now: float
) -> Change:
    """Let a stage whose provider has set a limit go on, the same attempt, after `delay` seconds."""
    waiting = replace(
        stage,
        status=StageStatus.WAITING,
        note="",
        error=said,
        limited=(stage.limited or 0.0) + delay,
    )
    task = replace(
        _at(task, stages, waiting, now),
        status=Status.PENDING,
        waiting_on=WaitingOn.PROVIDER,
        ready_at=now + delay,
        eta=None,
        holder=None,
    )
    facts = {"agent": stage.agent, "said": said, "again in": round(delay, 1)}
    return Change(task, (waiting,), events=(Happened("limited", stage.position, facts),))


def wait_for_turn(task: Task, stages: Sequence[Stage], stage: Stage, now: float) -> Change:
    """Queue a task whose next stage may not start yet: its agent is busy, or limited."""
    task = replace(
        _at(task, stages, stage, now), status=Status.PENDING, ready_at=now, eta=None, holder=None
    )
    # One taken from a dead worker may have run: whoever takes it next must know.
    ran = stage.status is StageStatus.RUNNING
    waiting = (replace(stage, status=StageStatus.WAITING),) if ran else ()
    happened = Happened("queued", stage.position, {"agent": stage.agent})
    return Change(task, waiting, events=(happened,))


def requeue(task: Task, stages: Sequence[Stage], now: float) -> Change:
    """Put a task back to its queue that a dead worker held; its stage goes on from there."""
    task = replace(
        task,
        status=Status.PENDING,
        waiting_on=None,
        ready_at=now,
        eta=None,
        holder=None,
        silent_since=None,
        changed=now,
    )
    running = [stage for stage in stages if stage.status is StageStatus.RUNNING]
    return Change(
        task, tuple(replace(stage, status=StageStatus.WAITING) for stage in running), alive=True
    )


def ask_about(task: Task, blocker: Blocker, now: float) -> Change:
    """Ask about a stage that gives no sign of life; it runs on meanwhile."""
    task = replace(task, waiting_on=WaitingOn.USER, changed=now)
    facts = {"blocker": blocker.id, "key": blocker.key, "kind": blocker.kind.value}
    happened = Happened("asked", blocker.stage, {**facts, "question": blocker.question})
    actions = LEGAL[(Status.IN_PROGRESS, BlockerKind.STALLED)]
    notice = Notice(NoticeKind.BLOCKER, task.title, blocker.question, actions, blocker.id)
    return Change(task, blocker=blocker, events=(happened,), notice=notice)


def fail(
    task: Task,
    stages: Sequence[Stage],
    stage: Stage,
    error: str,
    now: float,
    detail: Mapping[str, Any],
) -> Change:
    """End the task as failed; a person decides what becomes of it."""
    failed = replace(stage, status=StageStatus.FAILED, error=error, ended=now)
    task = replace(
        _at(task, stages, failed, now),
        status=Status.FAILED,
        waiting_on=None,
        error=error,
        eta=None,
        ended=now,
        holder=None,
    )
    facts = {**detail, "error": error, "attempt": stage.attempt}
    notice = Notice(NoticeKind.ERROR, task.title, error, LEGAL[(Status.FAILED, None)])
    return Change(
        task, (failed,), events=(Happened("failed", stage.position, facts),), notice=notice
    )


def paused(task: Task, now: float) -> Change:
    """Hold a task between two stages, as a person asked."""
    task = replace(
        task,
        status=Status.PAUSED,
        waiting_on=None,
        eta=None,
        changed=now,
        holder=None,
        pausing=False,
        silent_since=None,
    )
    return Change(task, events=(Happened("paused"),))


def joined(first: Change, second: Change) -> Change:
    """Return two steps of one task as one change; at most one of them may ask."""
    stages = {stage.position: stage for stage in (*first.stages, *second.stages)}
    return Change(
        second.task,
        tuple(stages.values()),
        blocker=second.blocker or first.blocker,
        events=(*first.events, *second.events),
        notice=second.notice or first.notice,
        unblocks=first.unblocks or second.unblocks,
        alive=first.alive or second.alive,
    )


def _put(stages: Sequence[Stage], changed: Stage) -> list[Stage]:
    return [changed if stage.position == changed.position else stage for stage in stages]


def _at(task: Task, stages: Sequence[Stage], stage: Stage, now: float) -> Task:
    after = _put(stages, stage)
    left = progress.remaining(after, now)
    return replace(
        task,
        status=Status.IN_PROGRESS,
        waiting_on=None,
        stage=stage.position,
        stage_name=stage.name,
        stage_agent=stage.agent,
        silent_since=None,
        fraction=progress.fraction(after),
        note=stage.note,
        eta=None if left is None else now + left,
        changed=now,
        error=None,
    )
