"""A provider that takes nothing for a while: seen, waited for, and no retry used up."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support import House, ScriptedAgent, eventually, house, soon, until, working

from taskhub_tui.agents.port import AgentError, ProviderLimit, Result, Stage, StageContext
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.model import Action, StageSpec, StageStatus, Status, WaitingOn
from taskhub_tui.engine import context


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


async def test_a_day_of_work_between_two_limits_is_no_day_of_waiting(
    where: Paths, settings: Settings
) -> None:
    ahead = 0.0
    runs = 0

    async def work(stage: Stage, ctx: StageContext) -> Result:
        nonlocal ahead, runs
        runs += 1
        if runs == 1:
            raise ProviderLimit("429", retry_after=0.05)
        if runs == 2:
            ahead = 25 * 3600.0
            raise ProviderLimit("429 again", retry_after=0.05)
        return Result("done")

    async with house(where, settings, ScriptedAgent("actor", work)) as h:
        task = await h.submit()
        h.hub.clock = lambda: time.time() + ahead
        async with working(where, settings, registry=h.registry, clock=h.hub.clock):
            await until(h.hub, task.id, Status.COMPLETED)
    assert runs == 3


async def _pauses(h: House, task_id: str, number: int, clock: list[float]) -> list[float]:
    """Let each wait pass by the clock, and return how long they were, without their chance."""
    found: list[float] = []

    async def another() -> bool:
        events = [e for e in await h.hub.events(task_id) if e.kind == "limited"]
        if len(events) > len(found):
            found.append(float(str(events[len(found)].data["again in"])))
            clock[0] += found[-1] + 1
        return len(found) == number

    await eventually(another)
    return found


@pytest.mark.parametrize("sign", ["saves", "progress", "neither"])
async def test_the_pauses_grow_only_while_the_stage_gets_on_no_further(
    where: Paths, settings: Settings, sign: str
) -> None:
    runs = 0

    async def work(stage: Stage, ctx: StageContext) -> Result:
        nonlocal runs
        runs += 1
        if sign == "saves":
            await ctx.save(page=runs)
        elif sign == "progress":
            ctx.progress(runs / 100)
        else:
            await ctx.save(operation="op-7")
            ctx.progress(0.5, f"Trying for the {runs}. time")
        raise ProviderLimit("429")

    ahead = [0.0]
    async with house(where, settings, ScriptedAgent("actor", work)) as h:
        task = await h.submit()
        h.hub.clock = lambda: time.time() + ahead[0]
        async with working(where, settings, registry=h.registry, clock=h.hub.clock):
            pauses = await _pauses(h, task.id, 5, ahead)
    if sign == "neither":
        assert pauses[4] >= 120 > 20 > pauses[0]
    else:
        assert max(pauses) < 20


async def test_a_day_of_waiting_in_vain_is_a_failure_and_retry_counts_anew(
    where: Paths, settings: Settings
) -> None:
    ahead = [0.0]
    actor = limited(*[30_000.0] * 4)
    async with house(where, settings, actor) as h:
        task = await h.submit()
        h.hub.clock = lambda: time.time() + ahead[0]
        async with working(where, settings, registry=h.registry, clock=h.hub.clock):
            await _pauses(h, task.id, 2, ahead)
            view = await until(h.hub, task.id, Status.FAILED)
            assert "waits for a provider at most 1d" in str(view.task.error)
            await h.hub.decide(task.id, Action.RETRY)
            await eventually(lambda: waits(h, task.id))
            await h.hub.decide(task.id, Action.RETRY)
            await until(h.hub, task.id, Status.COMPLETED)


async def test_retry_on_one_that_waits_makes_what_it_waited_count_no_more(
    where: Paths, settings: Settings
) -> None:
    actor = limited(*[50_000.0] * 3)
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit()
        for number in range(1, 4):
            await soon(lambda number=number: len(actor.runs) == number)
            await eventually(lambda: waits(h, task.id))
            await h.hub.decide(task.id, Action.RETRY)
        await until(h.hub, task.id, Status.COMPLETED)


async def test_how_long_it_waited_outlives_the_worker_and_ends_with_long_work(
    where: Paths, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "GOT_ON", 0.3)
    end = asyncio.Event()

    async def work(stage: Stage, ctx: StageContext) -> Result:
        if len(actor.runs) == 1:
            raise ProviderLimit("429", retry_after=0.05)
        await end.wait()
        return Result("done")

    actor = ScriptedAgent("actor", work)
    async with house(where, settings, actor) as h, h.worker(lease=0.2):
        task = await h.submit()

        async def waited() -> float | None:
            return (await h.hub.status(task.id)).stages[0].limited

        await eventually(lambda: _is(waited, lambda found: found is not None and found >= 0.05))
        await soon(lambda: len(actor.runs) == 2)
        await eventually(lambda: _is(waited, lambda found: found is None))
        end.set()
        await until(h.hub, task.id, Status.COMPLETED)


async def _is(
    value: Callable[[], Awaitable[float | None]], fact: Callable[[float | None], bool]
) -> bool:
    return fact(await value())


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
