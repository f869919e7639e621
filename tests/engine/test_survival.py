"""What becomes of running stages when their worker dies, leaves, or is only thought dead."""

import asyncio
import os
import sqlite3
import subprocess
import time
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from typing import Any

import pytest
from support import (
    PATIENCE,
    House,
    ScriptedAgent,
    eventually,
    house,
    soon,
    until,
    until_told,
    working,
)

from taskhub_tui.agents.port import AgentError, Blocker, Result, Stage, StageContext
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.model import Action, BlockerKind, Interrupt, StageSpec, Status
from taskhub_tui.engine import runner
from taskhub_tui.storage import rows, seals
from taskhub_tui.storage.writer import Tx
from taskhub_tui.worker import Worker, serve


def gone_pid() -> int:
    """The ID of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


async def bury(worker: Worker, pid: int | None = None) -> None:
    """Make a worker look as one whose process is gone; it still works, as a late writer."""
    pid = gone_pid() if pid is None else pid

    def write(tx: Tx) -> None:
        tx.loud = True
        tx.execute("UPDATE worker SET pid = ? WHERE id = ?", (pid, worker.engine.me))

    await worker._store.write(write)


async def _left(h: House, worker: Worker) -> bool:
    return worker.engine.me not in await leases(h)


async def leases(h: House) -> dict[str, float]:
    """When the lease of each worker is over."""
    return dict(
        await h.hub._store.read(
            lambda reader: reader.execute("SELECT id, lease_until FROM worker").fetchall()
        )
    )


def held_up(habit: Interrupt = "ask", **more: object) -> tuple[ScriptedAgent, asyncio.Event]:
    """An agent whose first run saves a state and then waits for ever; later ones end at once."""
    saved = asyncio.Event()

    async def work(stage: Stage, ctx: StageContext) -> Result:
        if not saved.is_set():
            ctx.log("kept")
            await ctx.save(job="j1")
            ctx.log("said again")
            saved.set()
            await asyncio.Event().wait()
        ctx.log("said again")
        return Result(f"{stage.attempt} {stage.state}")

    return ScriptedAgent("actor", work, on_interrupt=habit, **more), saved  # type: ignore[arg-type]


@pytest.mark.parametrize("habit", ["adopt", "rerun"])
async def test_a_stage_whose_worker_died_goes_on_with_its_state_and_key(
    where: Paths, settings: Settings, habit: Interrupt
) -> None:
    actor, saved = held_up(habit)
    # A dead worker's lease is not waited for: this one would outlast the test.
    async with house(where, settings, actor) as h, h.worker(lease=3600) as first:
        task = await h.submit()
        await saved.wait()

        async def written() -> bool:
            # Else the first worker, which is not really dead, could still add its last line.
            return len(await h.said(task.id)) == 2

        await eventually(written)
        await bury(first)
        async with h.worker():
            view = await until(h.hub, task.id, Status.COMPLETED)
        assert view.task.summary == "1 {'job': 'j1'}"
        kinds = await h.kinds(task.id)
        assert kinds == [
            "created",
            "started",
            "taken over",
            "adopted",
            "checkpoint",
            "completed",
        ]
        # What was said after the last save is said again, once.
        assert await h.said(task.id) == ["kept", "said again"]
    assert len({run.idempotency_key for run in actor.runs}) == 1


@pytest.mark.parametrize("how", ["", "saves", "saves and says nothing", "the machine went down"])
async def test_a_stage_under_which_workers_die_again_and_again_is_asked_about(
    where: Paths, settings: Settings, how: str
) -> None:
    saves = how.startswith("saves")

    async def work(stage: Stage, ctx: StageContext) -> Result:
        if how != "saves and says nothing":
            ctx.log("reading much")
        if saves:
            await ctx.save(read=len(actor.runs))
        if len(actor.runs) <= runner.DEATHS:
            await asyncio.Event().wait()
        return Result("done")

    actor = ScriptedAgent("actor", work, on_interrupt="rerun")
    async with house(where, settings, actor) as h, AsyncExitStack() as workers:
        task = await h.submit()
        last: Worker | None = None
        for number in range(1, runner.DEATHS + 1):
            worker = await workers.enter_async_context(h.worker(lease=3600))

            async def at_work(number: int = number) -> bool:
                state = (await h.hub.status(task.id)).stages[0].state
                return len(actor.runs) == number and (not saves or state == {"read": number})

            await eventually(at_work)
            if last is not None:
                last.engine.stop()  # It is not really dead, and would take the task again.
                await eventually(lambda: _left(h, last))  # noqa: B023
            await bury(worker)
            if how == "the machine went down":
                with closing(sqlite3.connect(where.database, isolation_level=None)) as other:
                    other.execute("UPDATE worker SET boot = 'an earlier one'")
            last = worker
        await workers.enter_async_context(h.worker(lease=3600))
        if how:
            await until(h.hub, task.id, Status.COMPLETED)
            return
        view = await until(h.hub, task.id, Status.BLOCKED)
        assert view.blocker is not None
        assert view.blocker.kind is BlockerKind.INTERRUPTED
        assert "has died under it 3 times" in str(view.blocker.detail["reason"])
        assert last is not None
        last.engine.stop()
        await eventually(lambda: _left(h, last))
        await h.hub.decide(task.id, Action.RETRY)
        await until(h.hub, task.id, Status.COMPLETED)


async def test_a_stage_that_must_not_be_repeated_asks_when_its_worker_died(
    where: Paths, settings: Settings
) -> None:
    actor, saved = held_up("ask")
    async with house(where, settings, actor) as h, h.worker() as first:
        task = await h.submit()
        await saved.wait()
        await bury(first)
        async with h.worker():
            view = await until(h.hub, task.id, Status.BLOCKED)
            assert view.blocker is not None
            assert view.blocker.kind is BlockerKind.INTERRUPTED
            assert set(view.legal) == {
                Action.RETRY,
                Action.MODIFY,
                Action.REASSIGN,
                Action.CANCEL,
            }
            assert len(actor.runs) == 1
            first.engine.stop()  # It would claim the task as well, and be taken for dead again.
            await eventually(lambda: _left(h, first))
            await h.hub.decide(task.id, Action.RETRY)
            view = await until(h.hub, task.id, Status.COMPLETED)
        assert view.task.summary == "2 None"


async def test_a_stages_own_habit_comes_before_the_agents(where: Paths, settings: Settings) -> None:
    actor, saved = held_up("adopt")
    async with house(where, settings, actor) as h, h.worker() as first:
        task = await h.submit(stages=(StageSpec("pay", "actor", on_interrupt="ask"),))
        await saved.wait()
        await bury(first)
        async with h.worker():
            await until(h.hub, task.id, Status.BLOCKED)
    assert len(actor.runs) == 1


async def test_a_late_writer_is_refused_and_changes_nothing(
    where: Paths, settings: Settings
) -> None:
    wake, saved = asyncio.Event(), asyncio.Event()

    async def work(stage: Stage, ctx: StageContext) -> Result:
        if not saved.is_set():
            await ctx.save(who="first")
            saved.set()
            await wake.wait()
            await ctx.save(who="late")
            raise AssertionError("a late save must not return")
        return Result(f"second, after {stage.state}")

    actor = ScriptedAgent("actor", work, on_interrupt="rerun")
    async with house(where, settings, actor) as h, h.worker() as first:
        task = await h.submit()
        await saved.wait()
        await bury(first)
        async with h.worker():
            view = await until(h.hub, task.id, Status.COMPLETED)
            before = (view, await h.kinds(task.id))
            wake.set()
            await soon(lambda: len(actor.stops) == 2)
            await soon(lambda: not first.engine.busy)
            view = await h.hub.status(task.id)
            assert (view, await h.kinds(task.id)) == before
        assert view.task.summary == "second, after {'who': 'first'}"
    assert actor.stops == ["no", "detach"]


async def test_a_task_that_was_lost_and_won_back_unnoticed_goes_on(
    where: Paths, settings: Settings
) -> None:
    runs: list[asyncio.Event] = []

    async def work(stage: Stage, ctx: StageContext) -> Result:
        await ctx.save(run=len(runs))
        runs.append(asyncio.Event())
        if len(runs) < 3:
            await asyncio.Event().wait()
        return Result(f"run {len(runs)}")

    actor = ScriptedAgent("actor", work, on_interrupt="rerun")
    async with house(where, settings, actor) as h, h.worker(lease=3600) as first:
        task = await h.submit()
        await soon(lambda: len(runs) == 1)
        await bury(first)
        async with h.worker(lease=3600) as second:
            await soon(lambda: len(runs) == 2)
            await bury(first, os.getpid())
            await bury(second)
            view = await until(h.hub, task.id, Status.COMPLETED)
            assert view.task.summary == "run 3"
    assert actor.stops[0] == "detach"


async def test_workers_whose_leases_a_jump_of_the_clock_ended_leave_each_others_tasks_alone(
    where: Paths, settings: Settings
) -> None:
    ahead = 0.0
    done = asyncio.Event()

    actor = ScriptedAgent("actor", until_told(done), on_interrupt="rerun")
    clocked: dict[str, Any] = {"registry": None, "clock": lambda: time.time() + ahead}
    async with house(where, replace(settings, concurrency=2), actor) as h:
        clocked["registry"] = h.registry
        tasks = [await h.submit() for _ in range(4)]
        async with (
            working(where, h.settings, **clocked) as first,
            working(where, h.settings, **clocked) as second,
        ):
            await soon(lambda: len(actor.runs) == 4)
            ahead = 3600.0
            before = await leases(h)
            for worker in (first, second):
                worker.engine.wake()

            async def renewed() -> bool:
                now = await leases(h)
                return all(now[name] > until for name, until in before.items())

            await eventually(renewed)
            done.set()
            for task in tasks:
                await until(h.hub, task.id, Status.COMPLETED)
                assert "taken over" not in await h.kinds(task.id)


async def test_a_worker_elsewhere_is_waited_for_until_its_lease_is_over(
    where: Paths, settings: Settings
) -> None:
    actor, saved = held_up("rerun")
    async with house(where, settings, actor) as h, h.worker() as first:
        task = await h.submit()
        await saved.wait()
        until_when = time.time() + 0.6

        def move(tx: Tx) -> None:
            tx.execute(
                "UPDATE worker SET host = 'elsewhere', lease_until = ? WHERE id = ?",
                (until_when, first.engine.me),
            )

        await first._store.write(move)
        async with h.worker():
            await until(h.hub, task.id, Status.COMPLETED)
            taken = next(e for e in await h.hub.events(task.id) if e.kind == "taken over")
            assert taken.at >= until_when


@pytest.mark.parametrize("habit", ["adopt", "rerun"])
async def test_a_worker_that_leaves_hands_over_what_runs(
    where: Paths, settings: Settings, habit: Interrupt
) -> None:
    actor, saved = held_up(habit)
    async with house(where, settings, actor) as h:
        async with h.worker():
            task = await h.submit()
            await saved.wait()
        assert actor.stops == ["detach"]
        assert await h.hub.workers() == []
        async with h.worker():
            view = await until(h.hub, task.id, Status.COMPLETED)
        assert view.task.summary == "1 {'job': 'j1'}"
        assert "asked" not in await h.kinds(task.id)


async def test_what_was_done_when_the_worker_left_is_not_done_again(
    where: Paths, settings: Settings
) -> None:
    running = asyncio.Event()

    async def work(stage: Stage, ctx: StageContext) -> Result:
        if stage.stage_id == "first":
            running.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return Result("finished on the way out")
        return Result(stage.inputs[0].text)

    actor = ScriptedAgent("actor", work)
    two = (StageSpec("first", "actor"), StageSpec("second", "actor"))
    async with house(where, settings, actor) as h:
        async with h.worker():
            task = await h.submit(stages=two)
            await running.wait()
        async with h.worker():
            view = await until(h.hub, task.id, Status.COMPLETED)
        assert view.task.summary == "finished on the way out"
    assert [run.stage_id for run in actor.runs] == ["first", "second"]


async def test_cancel_after_the_worker_died_still_ends_the_work(
    where: Paths, settings: Settings
) -> None:
    actor, saved = held_up("adopt")
    async with house(where, settings, actor) as h:
        async with h.worker():
            task = await h.submit()
            await saved.wait()
        await h.hub.decide(task.id, Action.CANCEL)
        async with h.worker():

            async def at_rest() -> bool:
                return not (await h.hub.status(task.id)).task.stopping

            await eventually(at_rest)
        assert (await h.hub.status(task.id)).task.status is Status.CANCELLED
    assert actor.stops == ["detach", "cancel"]
    assert actor.runs[1].state == {"job": "j1"}


async def test_cancel_ends_the_work_of_an_agent_that_was_about_to_leave_it_alone(
    where: Paths, settings: Settings
) -> None:
    leaving = asyncio.Event()

    async def work(stage: Stage, ctx: StageContext) -> Result:
        if ctx.stop == "cancel":
            await ctx.save(ended=stage.state)
            return Result()
        if stage.stage_id == "first":
            return Result()
        await ctx.save(job="j1")
        try:
            await ctx.ask(Blocker("q", BlockerKind.INPUT, "Which?"))
        except asyncio.CancelledError:
            assert ctx.stop == "detach"
            leaving.set()
            # Slow to go: the answer comes meanwhile, and it does not look a second time.
            await asyncio.sleep(PATIENCE)
        return Result()

    actor = ScriptedAgent("actor", work)
    two = (StageSpec("first", "actor"), StageSpec("second", "actor"))
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit(stages=two)
        await leaving.wait()
        await h.hub.decide(task.id, Action.CANCEL)

        async def at_rest() -> bool:
            return not (await h.hub.status(task.id)).task.stopping

        await eventually(at_rest)
        assert not any("could not be stopped" in words for words in await h.said(task.id))
    assert actor.runs[2].state == {"job": "j1"}
    assert len(actor.runs) == 3


async def test_a_save_that_was_cut_short_leaves_nothing_that_looks_damaged(
    where: Paths, settings: Settings
) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        if stage.attempt == 1:
            saving = asyncio.ensure_future(ctx.save(job="j1"))
            await asyncio.sleep(0)
            saving.cancel()
            await asyncio.wait([saving])
            raise AgentError("once more", retryable=True)
        return Result(f"after {stage.state}")

    actor = ScriptedAgent("actor", work)
    async with house(where, settings, actor) as h:
        async with h.worker():
            task = await h.submit(stages=(StageSpec("run", "actor", retries=1, retry_delay=0.01),))
            view = await until(h.hub, task.id, Status.COMPLETED)
        assert view.task.summary == "after None"
        assert await h.hub._store.read(lambda r: [*seals.broken(r, rows.BLOCKER_COLUMNS)]) == []


async def test_work_that_was_lost_asks_and_keeps_its_state(
    where: Paths, settings: Settings
) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        if ctx.stop == "cancel":
            return Result()
        await ctx.save(job="j1")
        raise AgentError("The service does not know job j1 any more", lost=True)

    actor = ScriptedAgent("actor", work, on_interrupt="adopt")
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit()
        view = await until(h.hub, task.id, Status.BLOCKED)
        assert view.blocker is not None
        assert view.blocker.kind is BlockerKind.INTERRUPTED
        assert view.blocker.detail["reason"] == "The service does not know job j1 any more"
        await h.hub.decide(task.id, Action.CANCEL)
        await soon(lambda: len(actor.runs) == 2)
    assert actor.runs[1].state == {"job": "j1"}


async def test_lost_work_that_may_be_repeated_is_repeated_but_not_for_ever(
    where: Paths, settings: Settings
) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        await ctx.save(job=len(actor.runs))
        raise AgentError("it is gone", lost=True)

    actor = ScriptedAgent("actor", work, on_interrupt="rerun")
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit(stages=(StageSpec("run", "actor", retry_delay=0.01),))
        await until(h.hub, task.id, Status.FAILED)
        kinds = await h.kinds(task.id)
    assert len(actor.runs) == 4
    # With the same key, so that a service that has it after all does not do it twice.
    assert {stage.idempotency_key for stage in actor.runs} == {f"{task.id}:0:run:1"}
    assert {stage.state for stage in actor.runs} == {None}
    assert kinds.count("started") == 1
    assert kinds.count("retrying") == 3
    assert kinds.count("resumed") == 3


async def test_an_answered_question_whose_next_worker_died_is_not_asked_about(
    where: Paths, settings: Settings
) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        answer = await ctx.ask(Blocker("q", BlockerKind.INPUT, "Which?"))
        return Result(answer.text or "")

    actor = ScriptedAgent("actor", work, on_interrupt="ask")
    async with house(where, settings, actor) as h:
        async with h.worker() as first:
            task = await h.submit()
            await until(h.hub, task.id, Status.BLOCKED)
            me = first.engine.me
        await h.hub.decide(task.id, Action.PROVIDE_CONTEXT, text="this one")

        def claimed(tx: Tx) -> None:  # by a worker that died before it did anything
            tx.execute(
                "UPDATE task SET status = 'in_progress', holder = ?, fence = fence + 1", (me,)
            )

        await h.hub._store.write(claimed)
        async with h.worker():
            view = await until(h.hub, task.id, Status.COMPLETED)
        assert view.task.summary == "this one"


async def test_two_workers_share_the_work_and_never_a_task(
    where: Paths, settings: Settings
) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        await asyncio.sleep(0.01)
        return Result()

    actor = ScriptedAgent("actor", work)
    async with house(where, settings, actor) as h:
        tasks = [await h.submit() for _ in range(30)]
        async with h.worker(concurrency=4), h.worker(concurrency=4):
            for task in tasks:
                await until(h.hub, task.id, Status.COMPLETED)
    assert sorted(run.task_id for run in actor.runs) == sorted(task.id for task in tasks)


async def test_a_worker_that_is_asked_to_stop_leaves(where: Paths, settings: Settings) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h, h.worker():

        async def here() -> bool:
            return len(await h.hub.workers()) == 1

        await eventually(here)
        assert await h.hub.stop_worker() == 1

        async def left() -> bool:
            return await h.hub.workers() == []

        await eventually(left)
        assert await h.hub.stop_worker() == 0


async def test_an_idle_worker_leaves_but_not_while_somebody_is_asked(
    where: Paths, settings: Settings
) -> None:
    gate = (StageSpec("run", "actor", gate=True),)
    async with house(where, settings, ScriptedAgent("actor")) as h:
        task = await h.submit(stages=gate)
        serving = asyncio.create_task(
            serve(h.where, h.settings, idle_exit=0.2, registry=h.registry)
        )
        await until(h.hub, task.id, Status.BLOCKED)
        await asyncio.wait([serving], timeout=0.6)
        assert not serving.done()
        await h.hub.decide(task.id, Action.APPROVE)
        await asyncio.wait_for(serving, 10)
        assert (await h.hub.status(task.id)).task.status is Status.COMPLETED


async def work_for(seconds: float) -> None:
    """Work for so long by the steady clock."""
    began = time.monotonic()
    await soon(lambda: time.monotonic() - began >= seconds)


def hanging(habit: Interrupt = "adopt") -> tuple[ScriptedAgent, list[float], list[float]]:
    """An agent that hangs, and when each run of it began and ended by the steady clock."""
    began: list[float] = []
    ended: list[float] = []

    async def hang(stage: Stage, ctx: StageContext) -> Result:
        began.append(time.monotonic())
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(time.monotonic())
        raise AssertionError

    return ScriptedAgent("actor", hang, on_interrupt=habit), began, ended


async def test_an_adopted_stage_goes_on_with_what_was_left_of_its_time(
    where: Paths, settings: Settings
) -> None:
    actor, began, ended = hanging()
    async with house(where, settings, actor) as h:
        async with h.worker():
            task = await h.submit(stages=(StageSpec("slow", "actor", timeout=2.0),))
            await soon(lambda: began)
            await work_for(1.6)
        async with h.worker():
            view = await until(h.hub, task.id, Status.FAILED)
        assert "longer than its limit of 2s" in (view.task.error or "")
    assert ended[1] - began[1] < 1.6, "it had its whole time anew"
    assert ended[0] - began[0] + ended[1] - began[1] >= 1.99


async def test_how_long_a_stage_has_worked_is_kept_while_it_runs(
    where: Paths, settings: Settings
) -> None:
    actor, began, _ = hanging()
    async with house(where, settings, actor) as h, h.worker(lease=0.2):
        task = await h.submit(stages=(StageSpec("slow", "actor", timeout=3600.0),))

        async def kept() -> bool:  # A worker that dies now takes little of it along.
            return (await h.hub.status(task.id)).stages[0].worked > 0.3

        await eventually(kept)
        worked = (await h.hub.status(task.id)).stages[0].worked
        assert worked <= time.monotonic() - began[0] + 0.1


async def test_waiting_for_an_answer_costs_an_adopted_stage_none_of_its_time(
    where: Paths, settings: Settings
) -> None:
    went_on, end = asyncio.Event(), asyncio.Event()

    async def work(stage: Stage, ctx: StageContext) -> Result:
        await ctx.ask(Blocker("go", BlockerKind.APPROVAL, "Go on?"))
        went_on.set()
        await end.wait()
        return Result("done")

    actor = ScriptedAgent("actor", work, on_interrupt="adopt")
    async with house(where, settings, actor) as h:
        task = await h.submit(stages=(StageSpec("asks", "actor", timeout=600.0),))
        async with h.worker():
            await until(h.hub, task.id, Status.BLOCKED)
        # An hour later it is answered, and its worker leaves while it goes on.
        clocked: dict[str, Any] = {"registry": h.registry, "clock": lambda: time.time() + 3600}
        await h.hub.decide(task.id, Action.APPROVE)
        async with working(where, settings, **clocked):
            await went_on.wait()
        async with working(where, settings, **clocked):
            await soon(lambda: len(actor.runs) == 3)
            await work_for(0.2)
            end.set()
            await until(h.hub, task.id, Status.COMPLETED)
        assert "adopted" in await h.kinds(task.id)


async def test_a_jump_of_the_clock_costs_an_adopted_stage_none_of_its_time(
    where: Paths, settings: Settings
) -> None:
    actor, began, _ = hanging()
    async with house(where, settings, actor) as h:
        async with h.worker():
            task = await h.submit(stages=(StageSpec("slow", "actor", timeout=600.0),))
            await soon(lambda: began)
        later = working(where, settings, registry=h.registry, clock=lambda: time.time() + 86400)
        async with later:
            await soon(lambda: len(began) == 2)
            await work_for(0.3)
            assert (await h.hub.status(task.id)).task.status is Status.IN_PROGRESS


async def test_an_answer_does_not_give_a_stage_its_whole_time_anew(
    where: Paths, settings: Settings
) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        for i in range(5):
            if (stage.state or {}).get("done", -1) < i:
                await work_for(0.8)
                await ctx.save(done=i)
            await ctx.ask(Blocker(f"go {i}", BlockerKind.APPROVAL, "Go on?"))
        return Result("done")

    async with house(where, settings, ScriptedAgent("actor", work)) as h, h.worker():
        task = await h.submit(stages=(StageSpec("asks", "actor", timeout=2.0),))
        over = (Status.FAILED, Status.COMPLETED)
        view = await until(h.hub, task.id, Status.BLOCKED)
        while view.task.status is Status.BLOCKED:
            await h.hub.decide(task.id, Action.APPROVE)
            await until(h.hub, task.id, Status.IN_PROGRESS, Status.BLOCKED, *over)
            view = await until(h.hub, task.id, Status.BLOCKED, *over)
        assert view.task.status is Status.FAILED
        assert "longer than its limit of 2s" in str(view.task.error)


async def test_a_worker_that_leaves_amid_quick_work_leaves_no_question_behind(
    where: Paths, settings: Settings
) -> None:
    ran: list[str] = []

    async def work(stage: Stage, ctx: StageContext) -> Result:
        ran.append(stage.idempotency_key)
        return Result()

    actor = ScriptedAgent("actor", work, on_interrupt="ask")
    async with house(where, settings, actor) as h:
        tasks = [await h.submit(f"quick {i}") for i in range(60)]
        for goal in range(3, 58, 3):
            async with h.worker():
                await soon(lambda goal=goal: len(ran) >= goal)  # Then it is told to leave.
        async with h.worker():
            for task in tasks:
                await until(h.hub, task.id, Status.COMPLETED, unless=(Status.BLOCKED,))
    # What had really begun was not begun again.
    assert len(set(ran)) == len(ran) == len(tasks)


async def test_lost_work_has_its_whole_time_again(where: Paths, settings: Settings) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        if len(actor.runs) == 1:
            raise AgentError("it is gone", lost=True)
        return Result()

    actor = ScriptedAgent("actor", work, on_interrupt="rerun")
    async with house(where, settings, actor) as h:
        task = await h.submit(stages=(StageSpec("run", "actor", retry_delay=60.0),))
        async with h.worker():

            async def put_off() -> bool:
                view = await h.hub.status(task.id)
                waits = view.task.status is Status.PENDING and view.stages[0].started is None
                return waits and len(actor.runs) == 1

            await eventually(put_off)
        later = working(where, settings, registry=h.registry, clock=lambda: time.time() + 601)
        async with later:
            view = await until(h.hub, task.id, Status.COMPLETED)
        started = view.stages[0].started
        again = [e.at for e in await h.hub.events(task.id) if e.kind == "resumed"]
    assert started is not None
    assert abs(started - again[0]) < 0.01
