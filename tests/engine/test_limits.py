"""How many stages run at once, whose turn it is, and what is taken over by a smaller worker."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace

from support import ScriptedAgent, eventually, house, soon, until

from taskhub_tui.agents.port import Result, Stage, StageContext
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.limits import Limits
from taskhub_tui.domain.model import Action, Priority, StageSpec, Status, WaitingOn


class Crowd:
    """Agents that count who is at work, and wait until they are let go."""

    def __init__(self) -> None:
        self.now: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.order: list[str] = []
        self.go = asyncio.Event()

    def agent(self, name: str, **card: object) -> ScriptedAgent:
        async def work(stage: Stage, ctx: StageContext) -> Result:
            self.order.append(stage.request)
            for whom in (name, "all"):
                self.now[whom] += 1
                self.most[whom] = max(self.most[whom], self.now[whom])
            try:
                await self.go.wait()
                await asyncio.sleep(0)
                return Result("done")
            finally:
                self.now[name] -= 1
                self.now["all"] -= 1

        return ScriptedAgent(name, work, **card)  # type: ignore[arg-type]


async def test_no_more_stages_of_an_agent_run_than_its_limit_over_all_workers(
    where: Paths, settings: Settings
) -> None:
    crowd = Crowd()
    limited = replace(settings, limits=Limits(agents={"slow": 3}))
    async with house(where, limited, crowd.agent("slow"), crowd.agent("quick")) as h:
        slow = [await h.submit(f"slow {i}", agent="slow") for i in range(10)]
        quick = [await h.submit(f"quick {i}", agent="quick") for i in range(4)]
        async with AsyncExitStack() as workers:
            for _ in range(3):
                await workers.enter_async_context(h.worker())
            await soon(lambda: crowd.now == {"slow": 3, "quick": 4, "all": 7})
            view = await h.hub.status(slow[-1].id)
            assert (view.task.status, view.task.waiting_on) == (Status.PENDING, WaitingOn.LIMIT)
            assert view.task.note == "waits for a free slot of slow (3 of 3 busy)"
            crowd.go.set()
            for task in (*slow, *quick):
                await until(h.hub, task.id, Status.COMPLETED)
    assert crowd.most == {"slow": 3, "quick": 4, "all": crowd.most["all"]}
    assert sorted(crowd.order) == sorted(task.request for task in (*slow, *quick))


async def test_the_limit_on_all_holds_over_all_workers(where: Paths, settings: Settings) -> None:
    crowd = Crowd()
    limited = replace(settings, limits=Limits(total=4))
    async with house(where, limited, crowd.agent("a"), crowd.agent("b")) as h:
        tasks = [await h.submit(str(i), agent="ab"[i % 2]) for i in range(12)]
        async with h.worker(), h.worker():
            await soon(lambda: crowd.now["all"] == 4)
            view = await h.hub.status(tasks[-1].id)
            assert view.task.note == "waits for a free slot (4 of 4 busy)"
            crowd.go.set()
            for task in tasks:
                await until(h.hub, task.id, Status.COMPLETED)
    assert crowd.most["all"] == 4


async def test_priority_goes_first_and_then_age_whichever_agent(
    where: Paths, settings: Settings
) -> None:
    crowd = Crowd()
    crowd.go.set()
    async with house(where, settings, crowd.agent("a"), crowd.agent("b")) as h:
        given = [
            ("b", "second", Priority.NORMAL),
            ("a", "third", Priority.NORMAL),
            ("b", "first", Priority.CRITICAL),
            ("a", "fifth", Priority.LOW),
            ("b", "fourth", Priority.NORMAL),
        ]
        tasks = [await h.submit(name, agent=agent, priority=p) for agent, name, p in given]
        async with h.worker(concurrency=1):
            for task in tasks:
                await until(h.hub, task.id, Status.COMPLETED)
    assert crowd.order == ["first", "second", "third", "fourth", "fifth"]


async def test_a_full_agent_holds_up_no_other_however_many_wait_for_it(
    where: Paths, settings: Settings
) -> None:
    crowd = Crowd()
    limited = replace(settings, limits=Limits(agents={"full": 1}))
    async with house(where, limited, crowd.agent("full"), ScriptedAgent("free")) as h:
        for i in range(60):
            await h.submit(str(i), agent="full", priority=Priority.CRITICAL)
        late = await h.submit("late", agent="free", priority=Priority.LOW)
        async with h.worker():
            await until(h.hub, late.id, Status.COMPLETED)
            assert crowd.most["full"] == 1


async def test_a_task_that_moves_on_to_a_busy_agent_waits_in_sight_and_holds_no_place(
    where: Paths, settings: Settings
) -> None:
    crowd = Crowd()
    limited = replace(settings, limits=Limits(agents={"slow": 1}))
    async with house(where, limited, crowd.agent("slow"), ScriptedAgent("quick")) as h:
        stages = (StageSpec("prepare", "quick"), StageSpec("render", "slow"))
        first = await h.submit("first", agent="slow")
        async with h.worker(concurrency=2):
            await soon(lambda: crowd.now["slow"] == 1)
            second = await h.submit("second", agent="quick", stages=stages)

            async def waits() -> bool:
                task = (await h.hub.status(second.id)).task
                return task.waiting_on is WaitingOn.LIMIT and task.stage == 1

            await eventually(waits)
            other = await h.submit("other", agent="quick")
            await until(h.hub, other.id, Status.COMPLETED)  # A place was free for it.
            crowd.go.set()
            await until(h.hub, first.id, Status.COMPLETED)
            await until(h.hub, second.id, Status.COMPLETED)
            assert await h.kinds(second.id) == [
                "created", "started", "checkpoint", "queued", "started", "checkpoint", "completed",
            ]  # fmt: skip
    assert crowd.most["slow"] == 1


async def test_who_moves_on_to_a_limited_agent_does_not_overtake_its_queue(
    where: Paths, settings: Settings
) -> None:
    crowd = Crowd()
    crowd.go.set()
    hold = asyncio.Event()

    async def prepare(stage: Stage, ctx: StageContext) -> Result:
        await hold.wait()
        return Result("prepared")

    limited = replace(settings, limits=Limits(agents={"slow": 1}))
    async with house(where, limited, crowd.agent("slow"), ScriptedAgent("quick", prepare)) as h:
        stages = (StageSpec("prepare", "quick"), StageSpec("render", "slow"))
        mover = await h.submit("mover", agent="quick", stages=stages, priority=Priority.LOW)
        async with h.worker(concurrency=1):
            await until(h.hub, mover.id, Status.IN_PROGRESS)
            # The only place is taken, so these queue though their agent is free.
            queued = [await h.submit(f"queued {i}", agent="slow") for i in range(2)]
            hold.set()
            for task in (*queued, mover):
                await until(h.hub, task.id, Status.COMPLETED)
    assert crowd.order == ["queued 0", "queued 1", "mover"]


async def test_an_agent_that_is_being_stopped_keeps_its_place_until_it_has_ended(
    where: Paths, settings: Settings
) -> None:
    ending, ended = asyncio.Event(), asyncio.Event()

    async def work(stage: Stage, ctx: StageContext) -> Result:
        if stage.request == "second":
            assert ended.is_set(), "two at once"
            return Result("done")
        try:
            await asyncio.Event().wait()
        finally:
            await ending.wait()
            ended.set()
        raise AssertionError

    actor = ScriptedAgent("actor", work)
    limited = replace(settings, limits=Limits(agents={"actor": 1}))
    async with house(where, limited, actor) as h, h.worker():
        first = await h.submit("first")
        await soon(lambda: actor.runs)
        second = await h.submit("second")
        await h.hub.decide(first.id, Action.CANCEL)
        async with h.worker():  # Another one might take it for free.
            view = await h.hub.status(second.id)
            assert view.task.waiting_on is WaitingOn.LIMIT
            ending.set()
            await until(h.hub, second.id, Status.COMPLETED)


async def test_a_small_worker_takes_over_many_tasks_and_runs_as_many_as_it_may(
    where: Paths, settings: Settings
) -> None:
    crowd = Crowd()
    async with house(where, settings, crowd.agent("actor", on_interrupt="rerun")) as h:
        tasks = [await h.submit(str(i)) for i in range(30)]
        async with h.worker(concurrency=30):
            await soon(lambda: crowd.now["actor"] == 30)
        crowd.most.clear()
        async with h.worker(concurrency=4):
            await soon(lambda: crowd.now["actor"] == 4)

            async def the_rest_is_queued() -> bool:
                return (await h.hub.counts()).queued == 26

            await eventually(the_rest_is_queued)
            crowd.go.set()
            for task in tasks:
                view = await until(h.hub, task.id, Status.COMPLETED)
                assert view.stages[0].attempt == 1, "it was the same attempt that went on"
    assert crowd.most["actor"] <= 4


async def test_what_goes_on_by_itself_is_followed_at_once_by_however_small_a_worker(
    where: Paths, settings: Settings
) -> None:
    crowd = Crowd()
    async with house(where, settings, crowd.agent("actor", on_interrupt="adopt")) as h:
        tasks = [await h.submit(str(i)) for i in range(20)]
        async with h.worker(concurrency=20):
            await soon(lambda: crowd.now["actor"] == 20)
        async with h.worker(concurrency=2):
            await soon(lambda: crowd.now["actor"] == 20)
            late = await h.submit("late")
            crowd.go.set()
            for task in (*tasks, late):
                await until(h.hub, task.id, Status.COMPLETED)
