"""A provider that takes nothing for a while: seen, waited for, and no retry used up."""

import asyncio
import time
from typing import Any

from support import ScriptedAgent, eventually, house, soon, until

from taskhub_tui.agents.port import AgentError, ProviderLimit, Result, Stage, StageContext
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.model import Action, StageSpec, StageStatus, Status, WaitingOn


def limited(*waits: float | None, **more: Any) -> ScriptedAgent:
    """An agent whose provider says no so often, and then yes."""
    left = list(waits)

    async def work(stage: Stage, ctx: StageContext) -> Result:
        if left:
            await ctx.save(operation="op-7")
            raise ProviderLimit("429 Too Many Requests", retry_after=left.pop(0), **more)
        return Result("done")

    return ScriptedAgent("actor", work)


async def test_a_provider_limit_is_waited_for_and_uses_up_no_retry(
    where: Paths, settings: Settings
) -> None:
    actor = limited(0.05, 0.05, 0.05)
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit(stages=(StageSpec("ask", "actor", retries=0),))
        view = await until(h.hub, task.id, Status.COMPLETED)
        kinds = await h.kinds(task.id)
        assert kinds.count("limited") == 3
        assert (view.stages[0].failures, view.stages[0].limited, view.task.error) == (0, None, None)
    assert [run.attempt for run in actor.runs] == [1] * 4, "the same attempt went on"
    assert len({run.idempotency_key for run in actor.runs}) == 1
    assert actor.runs[1].state == {"operation": "op-7"}


async def test_it_is_never_tried_before_the_time_the_provider_named(
    where: Paths, settings: Settings
) -> None:
    tried: list[float] = []

    async def work(stage: Stage, ctx: StageContext) -> Result:
        tried.append(time.monotonic())
        if len(tried) == 1:
            raise ProviderLimit("not now", retry_after=0.4)
        if len(tried) == 2:
            raise AgentError("overloaded", retryable=True, retry_after=0.3)
        return Result("done")

    async with house(where, settings, ScriptedAgent("actor", work)) as h, h.worker():
        task = await h.submit(stages=(StageSpec("ask", "actor", retries=1, retry_delay=0.01),))
        await until(h.hub, task.id, Status.COMPLETED)
    assert tried[1] - tried[0] >= 0.4
    assert tried[2] - tried[1] >= 0.3


async def test_the_wait_is_in_sight_and_holds_back_the_agents_queue(
    where: Paths, settings: Settings
) -> None:
    actor = limited(3600.0)
    async with house(where, settings, actor, ScriptedAgent("other")) as h, h.worker():
        first = await h.submit("first")
        view = await until(h.hub, first.id, Status.PENDING)
        await eventually(lambda: waits(h, first.id))
        view = await h.hub.status(first.id)
        assert view.stages[0].status is StageStatus.WAITING
        assert 3500 < view.task.ready_at - h.hub.clock() <= 3610
        second = await h.submit("second")
        await eventually(lambda: waits(h, second.id))
        view = await h.hub.status(second.id)
        assert 3500 < view.task.ready_at - h.hub.clock() <= 3610
        assert view.legal[0] is Action.RETRY
        other = await h.submit("other", agent="other")
        await until(h.hub, other.id, Status.COMPLETED)
        assert len(actor.runs) == 1, "the second did not run into the same limit"


async def waits(h: Any, task_id: str) -> bool:
    return (await h.hub.status(task_id)).task.waiting_on is WaitingOn.PROVIDER


async def test_retry_starts_it_now_and_lets_the_queue_go(where: Paths, settings: Settings) -> None:
    actor = limited(3600.0)
    async with house(where, settings, actor) as h, h.worker():
        first = await h.submit("first")
        await eventually(lambda: waits(h, first.id))
        second = await h.submit("second")
        await eventually(lambda: waits(h, second.id))
        await h.hub.decide(second.id, Action.RETRY)
        await until(h.hub, second.id, Status.COMPLETED)
        await h.hub.decide(first.id, Action.RETRY)
        view = await until(h.hub, first.id, Status.COMPLETED)
        assert view.stages[0].attempt == 1


async def test_a_limit_of_one_account_holds_back_nobody_else(
    where: Paths, settings: Settings
) -> None:
    actor = limited(3600.0, alone=True)
    async with house(where, settings, actor) as h, h.worker():
        first = await h.submit("first")
        await eventually(lambda: waits(h, first.id))
        second = await h.submit("second")
        await until(h.hub, second.id, Status.COMPLETED)


async def test_a_task_between_two_stages_waits_for_the_limit_of_its_agent_too(
    where: Paths, settings: Settings
) -> None:
    begun = asyncio.Event()

    async def work(stage: Stage, ctx: StageContext) -> Result:
        if stage.request == "limit":
            await begun.wait()
            raise ProviderLimit("quota", retry_after=3600.0)
        if stage.stage_id == "one":
            begun.set()
            await eventually(lambda: waits(h, limit.id))
        return Result("done")

    begun = asyncio.Event()

    actor = ScriptedAgent("actor", work)
    two = (StageSpec("one", "actor"), StageSpec("two", "actor"))
    async with house(where, settings, actor) as h, h.worker():
        limit = await h.submit("limit")
        task = await h.submit("two", stages=two)
        await eventually(lambda: waits(h, task.id))
        view = await h.hub.status(task.id)
        assert (view.task.stage, view.stages[0].status) == (1, StageStatus.DONE)


async def test_a_limit_for_longer_than_anybody_waits_is_a_failure_that_says_so(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, limited(40 * 86400.0)) as h, h.worker():
        task = await h.submit()
        view = await until(h.hub, task.id, Status.FAILED)
        assert view.task.error == (
            "429 Too Many Requests\nIt makes sense again in 40d 00h, and TaskHub waits for a"
            " provider at most 1d; RETRY tries again"
        )
        await h.hub.decide(task.id, Action.RETRY)
        await until(h.hub, task.id, Status.COMPLETED)


async def test_a_limit_outlives_the_worker_that_met_it(where: Paths, settings: Settings) -> None:
    actor = limited(3600.0)
    async with house(where, settings, actor) as h:
        first = await h.submit("first")
        async with h.worker():
            await eventually(lambda: waits(h, first.id))
        second = await h.submit("second")
        async with h.worker():
            await eventually(lambda: waits(h, second.id))
            await h.hub.decide(first.id, Action.CANCEL)

            async def stopped() -> bool:
                return not (await h.hub.status(first.id)).task.stopping

            await eventually(stopped)
    await soon(lambda: actor.stops)
    assert actor.stops == ["no", "cancel"], "what it began at the provider was ended"


async def test_what_another_worker_learnt_of_a_provider_holds_before_we_have_heard_of_it(
    where: Paths, settings: Settings
) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        until = h.hub.clock() + 3600.0
        note = "INSERT INTO agent_limit (agent, until, said) VALUES ('other', ?, 'quota')"
        await h.hub._store.write(lambda tx: tx.execute(note, (until,)))  # And rings no bell.
        return Result("done")

    actor, other = ScriptedAgent("actor", work), ScriptedAgent("other")
    two = (StageSpec("one", "actor"), StageSpec("two", "other"))
    async with house(where, settings, actor, other) as h, h.worker():
        task = await h.submit("two", stages=two)
        await eventually(lambda: waits(h, task.id))
        assert other.runs == []
