"""Carrying one task that this worker holds from stage to stage until it ends, or waits."""

import secrets
from collections.abc import Sequence

from taskhub_tui.config import make_private
from taskhub_tui.domain import execution, ids, questions
from taskhub_tui.domain.change import Change
from taskhub_tui.domain.errors import LeaseLost, StoreBusy, StoreError
from taskhub_tui.domain.evolve import replace
from taskhub_tui.domain.limits import NO_LIMITS
from taskhub_tui.domain.model import Interrupt, Stage, StageStatus, Status, Task
from taskhub_tui.engine import call, outcome
from taskhub_tui.engine.held import Held
from taskhub_tui.storage import claims, lanes
from taskhub_tui.storage.writer import Tx

DEATHS = 3
"""Workers that may die under one attempt, with nothing saved in between, before a person is asked.

Memory that runs out takes all that a worker does with it, and the next one would begin the same.
"""


async def carry(held: Held) -> None:
    """Go on until the task is over, waits for somebody, or is ours no more."""
    try:
        try:
            make_private(held.datadir)
        except StoreBusy:
            raise  # It passes.
        except StoreError as error:
            await outcome.failed(
                held, execution.current(held.stages) or held.stages[-1], str(error)
            )
            return
        await _stages(held)
    except LeaseLost:
        held.note_lost()
    finally:
        held.log.flush()


def first(task: Task, stages: Sequence[Stage]) -> Change | None:
    """Return how a task just claimed starts or goes on, if nothing is to be done before."""
    stage = execution.current(stages)
    if stage is None or task.pausing or (stage.gate and not stage.approved):
        return None
    if stage.status is StageStatus.BLOCKED:
        return execution.go_on(task, stages, stage, task.changed, "resumed")
    if task.fence != 1 or stage.attempt:
        return None
    # Nothing has happened yet, so its log is empty.
    return execution.begin(task, stages, stage, task.changed, 0)


async def _stages(held: Held) -> None:
    before: Change | None = None
    """A checkpoint not yet written: it goes with the start of the next stage."""
    while True:
        stage = execution.current(held.stages)
        now = held.clock()
        if stage is None:
            done = execution.complete(_after(held, before), held.stages, now)
            held.carry_next(await held.write(before, done, held.follow))
            return
        if held.task.pausing and stage.status is StageStatus.PENDING:
            await held.write(before, execution.paused(_after(held, before), now))
            return
        if stage.gate and not stage.approved:
            asked = questions.gate(
                stage, held.task, held.stages, ids.new_id(secrets.randbelow), now
            )
            await held.write(
                before,
                execution.ask(_after(held, before), held.stages, stage, asked, now),
            )
            return
        agent, habit = held.agent(stage)
        how: str | None = "started"
        if held.begun:
            held.begun = False  # In the transaction that claimed the task.
        else:
            how = await _start(held, before, stage, habit, now)
            if how is None:
                return
        stage = held.stages[stage.position]
        result = await call.run(held, agent, stage, habit, adopted=how == "adopted")
        if result is None:
            return
        before = await outcome.checkpointed(held, stage.position, result)
        if before is None:
            return


async def _start(
    held: Held, before: Change | None, stage: Stage, habit: Interrupt, now: float
) -> str | None:
    """Write that `stage` starts or goes on, and return which; None when it must wait."""
    if stage.status is StageStatus.PENDING or stage.attempt == 0:
        start = execution.begin(_after(held, before), held.stages, stage, now, held.log.mark())
    elif held.interrupted and habit == "ask" and stage.status is StageStatus.RUNNING:
        await outcome.ask_interrupted(held, stage, "Its worker ended while it was running")
        return None
    elif await _kills(held, stage, habit):
        said = f"Its worker has died under it {DEATHS} times, and it may be what kills it"
        await outcome.ask_interrupted(held, stage, said)
        return None
    else:
        if held.interrupted:
            held.log.cut(stage.log_mark)
        running = stage.status is StageStatus.RUNNING
        why = "adopted" if held.interrupted and running else "resumed"
        start = execution.go_on(_after(held, before), held.stages, stage, now, why)
    held.interrupted = False
    how = start.events[-1].kind
    if stage.agent == held.slot and held.limited_until(stage.agent) <= now:
        await held.write(before, start)
    elif not await _start_or_wait(held, before, start, stage, now):
        return None
    if held.task.pausing and how == "started":
        # Asked for while the checkpoint was written; the attempt has done nothing yet.
        await _unstart(held, stage)
        return None
    return how


async def _kills(held: Held, stage: Stage, habit: Interrupt) -> bool:
    """Return whether a stage that is run in the worker has been its end again and again."""
    if not held.interrupted or habit != "rerun" or stage.status is not StageStatus.RUNNING:
        return False
    return await held.store.read(lambda r: claims.deaths(r, held.task.n, stage)) >= DEATHS


async def _start_or_wait(
    held: Held, before: Change | None, start: Change, stage: Stage, now: float
) -> bool:
    """Write that `stage` starts, or that it waits for its agent's turn; return which."""
    agent = stage.agent
    wait = execution.wait_for_turn(_after(held, before), held.stages, stage, now)
    limits = NO_LIMITS if agent == held.slot else held.limits

    def free(tx: Tx) -> bool:
        return lanes.may_start(tx, held.task, agent, limits, now)

    # Asked of the database: what we know of another agent's provider may be of long ago, after
    # this process stood still.
    await held.write(before, start, unless=(free, wait))
    held.slot = agent
    return held.task.status is Status.IN_PROGRESS


async def _unstart(held: Held, stage: Stage) -> None:
    back = replace(stage, status=StageStatus.PENDING)
    change = execution.paused(held.task, held.clock())
    await held.write(None, replace(change, stages=(back,)))


def _after(held: Held, before: Change | None) -> Task:
    return before.task if before is not None else held.task
