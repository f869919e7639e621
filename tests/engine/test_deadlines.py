"""Tasks that must be done by a time, and stages that give no sign of life."""

import asyncio
import re
import time
from dataclasses import replace
from typing import Any

import pytest
from support import House, ScriptedAgent, eventually, house, soon, until, until_told, working

from taskhub_tui.agents.port import Answer, Blocker, BlockerKind, Result, Stage, StageContext
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.errors import BadInput, StoreBusy
from taskhub_tui.domain.model import Action, NoticeKind, StageSpec, Status, WaitingOn
from taskhub_tui.domain.model import BlockerKind as Kind
from taskhub_tui.domain.stall import Patience
from taskhub_tui.worker import Worker


async def _for_ever(stage: Stage, ctx: StageContext) -> Result:
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_running_task_is_stopped_and_failed_at_its_deadline(
    where: Paths, settings: Settings
) -> None:
    actor = ScriptedAgent("actor", _for_ever)
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit(within=0.3)
        view = await until(h.hub, task.id, Status.FAILED)
        assert "was not done by its deadline, 1s after it was handed over" in str(view.task.error)
        assert view.task.ended is not None
        assert task.deadline is not None
        assert view.task.ended >= task.deadline
        assert list(view.legal) == [Action.RETRY, Action.MODIFY, Action.REASSIGN, Action.CANCEL]
        notes = await h.hub.notifications()
        assert (notes[0].kind, notes[0].actions) == (NoticeKind.ERROR, tuple(view.legal))
        await soon(lambda: actor.stops == ["cancel"])


async def test_waiting_for_a_person_counts_and_the_question_is_taken_back(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h, h.worker():
        task = await h.submit(stages=(StageSpec("go", "actor", gate=True),), within=0.4)
        blocked = await until(h.hub, task.id, Status.BLOCKED)
        await until(h.hub, task.id, Status.FAILED)
        assert await h.hub.blockers() == []
        asked = [n for n in await h.hub.notifications() if n.kind is NoticeKind.BLOCKER]
        assert [note.withdrawn is not None for note in asked] == [True]
        assert blocked.blocker is not None


async def test_a_task_that_never_got_its_turn_fails_at_its_deadline_too(
    where: Paths, settings: Settings
) -> None:
    actor = ScriptedAgent("actor", _for_ever)
    async with house(where, settings, actor) as h, h.worker(concurrency=1):
        first = await h.submit("first")
        await soon(lambda: actor.runs)
        task = await h.submit("second", within=0.2)
        await until(h.hub, task.id, Status.FAILED)
        assert (await h.hub.status(first.id)).task.status is Status.IN_PROGRESS
    assert len(actor.runs) == 1


async def test_retry_runs_it_without_a_deadline_and_modify_gives_it_another(
    where: Paths, settings: Settings
) -> None:
    go = asyncio.Event()

    async with house(where, settings, ScriptedAgent("actor", until_told(go))) as h, h.worker():
        one, two = [await h.submit(str(i), within=0.2) for i in range(2)]
        for task in (one, two):
            await until(h.hub, task.id, Status.FAILED)
        later = h.hub.clock() + 3600
        await h.hub.decide(one.id, Action.RETRY)
        await h.hub.decide(two.id, Action.MODIFY, data={"deadline": later})
        go.set()
        assert (await until(h.hub, one.id, Status.COMPLETED)).task.deadline is None
        assert (await until(h.hub, two.id, Status.COMPLETED)).task.deadline == later


async def test_a_deadline_can_be_moved_while_the_task_runs_and_taken_away(
    where: Paths, settings: Settings
) -> None:
    go = asyncio.Event()

    actor = ScriptedAgent("actor", until_told(go))
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit(within=3600.0)
        await soon(lambda: actor.runs)
        with pytest.raises(BadInput, match="has passed already"):
            await h.hub.decide(task.id, Action.MODIFY, data={"deadline": 5.0})
        view = await h.hub.decide(task.id, Action.MODIFY, data={"deadline": None})
        assert (view.task.deadline, view.task.status) == (None, Status.IN_PROGRESS)
        go.set()
        await until(h.hub, task.id, Status.COMPLETED)
    assert len(actor.runs) == 1


async def test_a_deadline_before_the_start_is_refused(where: Paths, settings: Settings) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        now = h.hub.clock()
        with pytest.raises(BadInput, match="not after the time the task may start"):
            await h.submit(not_before=now + 100, deadline=now + 50)
        task = await h.submit(not_before=now + 100, within=50.0)
        assert task.deadline == pytest.approx(now + 150, abs=0.01)


@pytest.mark.parametrize(
    "decision", [{"action": Action.RETRY}, {"action": Action.MODIFY, "data": {"deadline": None}}]
)
async def test_a_stage_that_is_done_stays_so_when_the_deadline_passes_before_the_next(
    where: Paths, settings: Settings, decision: dict[str, Any]
) -> None:
    actor = ScriptedAgent("actor")
    stages = (StageSpec("one", "actor", review=True), StageSpec("two", "actor"))
    async with house(where, settings, actor) as h:
        task = await h.submit(stages=stages, within=600.0)
        async with h.worker():
            await until(h.hub, task.id, Status.BLOCKED)
        await h.hub.decide(task.id, Action.APPROVE)
        h.hub.clock = lambda: time.time() + 700
        async with working(where, settings, registry=h.registry, clock=h.hub.clock):
            await until(h.hub, task.id, Status.FAILED)
            await h.hub.decide(task.id, **decision)
            await until(h.hub, task.id, Status.COMPLETED)
    assert [run.stage_id for run in actor.runs] == ["one", "two"]


async def test_what_missed_its_deadline_does_not_wait_for_a_task_cancelled_since(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        first = await h.submit(not_before=time.time() + 3600)
        second = await h.submit(after=(first.id,), within=0.1)
        async with h.worker():
            await until(h.hub, second.id, Status.FAILED)
            since = (await h.hub.changes(0)).seq
            await h.hub.decide(first.id, Action.CANCEL)
            assert {t.id for t in (await h.hub.changes(since)).tasks} == {first.id, second.id}
            await h.hub.decide(second.id, Action.RETRY)
            await until(h.hub, second.id, Status.COMPLETED)


# No sign of life

QUICK = Patience(shown_after=0.2, ask_after=0.4)


async def _asked(h: House, task_id: str) -> bool:
    return (await h.hub.status(task_id)).blocker is not None


async def test_a_silent_stage_is_shown_then_asked_about_and_runs_on(
    where: Paths, settings: Settings
) -> None:
    speak, end = asyncio.Event(), asyncio.Event()

    async def work(stage: Stage, ctx: StageContext) -> Result:
        ctx.progress(None, "hashing")
        await speak.wait()
        ctx.log("still here")
        await end.wait()
        return Result("done")

    actor = ScriptedAgent("actor", work)
    settings = replace(settings, stall=QUICK)
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit()
        await eventually(lambda: _asked(h, task.id))
        view = await h.hub.status(task.id)
        assert (view.task.status, view.task.waiting_on) == (Status.IN_PROGRESS, WaitingOn.USER)
        assert view.task.silent_since is not None
        assert view.blocker is not None
        assert view.blocker.kind is Kind.STALLED
        assert view.blocker.detail["last said"] == "hashing"
        assert list(view.legal)[:2] == [Action.APPROVE, Action.RETRY]
        note = (await h.hub.notifications())[0]
        assert (note.kind, note.blocker_id) == (NoticeKind.BLOCKER, view.blocker.id)
        assert Action.APPROVE in note.actions
        speak.set()

        async def taken_back() -> bool:
            return not await _asked(h, task.id)

        await eventually(taken_back)
        view = await h.hub.status(task.id)
        assert (view.task.waiting_on, view.task.silent_since) == (None, None)
        assert (await h.hub.notifications())[0].withdrawn is not None
        kinds = await h.kinds(task.id)
        assert kinds[:5] == ["created", "started", "stalled", "asked", "alive"]
        end.set()
        await until(h.hub, task.id, Status.COMPLETED)
    assert len(actor.runs) == 1


async def test_a_silent_stage_that_ends_takes_the_question_with_it(
    where: Paths, settings: Settings
) -> None:
    end = asyncio.Event()

    two = (StageSpec("one", "actor"), StageSpec("two", "actor"))
    settings = replace(settings, stall=QUICK)
    async with house(where, settings, ScriptedAgent("actor", until_told(end))) as h, h.worker():
        task = await h.submit(stages=two)
        await eventually(lambda: _asked(h, task.id))
        end.set()
        view = await until(h.hub, task.id, Status.COMPLETED)
        assert (view.blocker, view.task.silent_since, view.task.waiting_on) == (None, None, None)
        assert await h.hub.blockers() == []
        asked = [n for n in await h.hub.notifications() if n.kind is NoticeKind.BLOCKER]
        assert all(note.withdrawn for note in asked)


async def test_a_silent_agent_may_ask_its_own_question(where: Paths, settings: Settings) -> None:
    ask = asyncio.Event()

    async def work(stage: Stage, ctx: StageContext) -> Result:
        await ask.wait()
        answer: Answer = await ctx.ask(Blocker("stalled 1", BlockerKind.INPUT, "Which?"))
        return Result(f"chose {answer.text}")

    settings = replace(settings, stall=QUICK)
    async with house(where, settings, ScriptedAgent("actor", work)) as h, h.worker():
        task = await h.submit()
        await eventually(lambda: _asked(h, task.id))
        ask.set()
        view = await until(h.hub, task.id, Status.BLOCKED)
        assert view.blocker is not None
        assert (view.blocker.kind, view.blocker.question) == (Kind.INPUT, "Which?")
        await h.hub.decide(task.id, Action.PROVIDE_CONTEXT, text="this")
        view = await until(h.hub, task.id, Status.COMPLETED)
        assert view.task.summary == "chose this"


async def test_leaving_it_alone_answers_the_question_and_it_is_asked_again_later(
    where: Paths, settings: Settings
) -> None:
    actor = ScriptedAgent("actor", _for_ever)
    settings = replace(settings, stall=QUICK)
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit()
        await eventually(lambda: _asked(h, task.id))
        first = (await h.hub.status(task.id)).blocker
        assert first is not None
        view = await h.hub.decide(task.id, Action.APPROVE, blocker_id=first.id)
        assert (view.task.status, view.task.waiting_on) == (Status.IN_PROGRESS, None)
        assert view.task.silent_since is not None, "it is silent still"
        await eventually(lambda: _asked(h, task.id))
        second = (await h.hub.status(task.id)).blocker
        assert second is not None
        assert first.id != second.id
    assert actor.stops == ["detach"], "nobody has stopped it"


async def test_retry_stops_the_silent_agent_and_starts_anew(
    where: Paths, settings: Settings
) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        if stage.attempt == 1:
            await asyncio.Event().wait()
        return Result("done")

    actor = ScriptedAgent("actor", work)
    settings = replace(settings, stall=QUICK)
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit()
        await eventually(lambda: _asked(h, task.id))
        await h.hub.decide(task.id, Action.RETRY)
        await until(h.hub, task.id, Status.COMPLETED)
    assert actor.stops == ["cancel", "no"]
    assert [run.attempt for run in actor.runs] == [1, 2]


async def test_a_stage_that_asks_a_person_is_not_shown_as_silent(
    where: Paths, settings: Settings
) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        held: Any = ctx._held  # type: ignore[attr-defined]
        glance, held.store = held.store.glance, Slow(held.store)

        async def slowly(query: Any) -> Any:
            found = await glance(query)
            await soon(lambda: held.task.silent_since is not None)
            return found

        held.store.glance = slowly
        await ctx.ask(Blocker("q", BlockerKind.INPUT, "Which?"))
        return Result("It was answered")

    settings = replace(settings, stall=Patience(shown_after=0.05, ask_after=0))
    async with house(where, settings, ScriptedAgent("actor", work)) as h, h.worker():
        task = await h.submit()
        view = await until(h.hub, task.id, Status.BLOCKED)
        assert "stalled" in await h.kinds(task.id)
        assert view.task.silent_since is None


class Slow:
    """A store of which single methods are replaced."""

    def __init__(self, store: Any) -> None:
        self.write = store.write
        self.read = store.read


async def test_a_sign_of_life_that_could_not_be_written_is_written_later(
    where: Paths, settings: Settings
) -> None:
    speak, end = asyncio.Event(), asyncio.Event()

    async def work(stage: Stage, ctx: StageContext) -> Result:
        await speak.wait()
        while not end.is_set():
            ctx.log("still here")
            await asyncio.sleep(0.01)
        return Result("It is done")

    refused: list[str] = []
    settings = replace(settings, stall=Patience(shown_after=0.2, ask_after=0))
    async with house(where, settings, ScriptedAgent("actor", work)) as h, h.worker() as worker:
        store = Slow(worker.engine._watchdog._store)
        write = store.write

        async def busy(request: Any) -> Any:
            if speak.is_set() and not refused:
                refused.append("once")
                raise StoreBusy("The database is kept busy")
            return await write(request)

        store.write = busy
        worker.engine._watchdog._store = store  # type: ignore[assignment]
        task = await h.submit()

        async def silent() -> bool:
            return (await h.hub.status(task.id)).task.silent_since is not None

        async def heard() -> bool:
            return not await silent()

        await eventually(silent)
        speak.set()
        await eventually(heard)
        assert refused == ["once"]
        assert (await h.kinds(task.id))[-2:] == ["stalled", "alive"]
        end.set()
        await until(h.hub, task.id, Status.COMPLETED)


async def test_a_stage_says_how_long_it_may_be_silent(where: Paths, settings: Settings) -> None:
    actor = ScriptedAgent("actor", _for_ever)
    settings = replace(settings, stall=Patience(shown_after=0.1, ask_after=0.2))
    async with house(where, settings, actor) as h, h.worker():
        quiet = await h.submit(stages=(StageSpec("quiet", "actor", stall=0),))
        patient = await h.submit(stages=(StageSpec("patient", "actor", stall=3600.0),))
        usual = await h.submit()
        await eventually(lambda: _asked(h, usual.id))
        for task in (quiet, patient):
            view = await h.hub.status(task.id)
            assert (view.task.silent_since, view.blocker) == (None, None)


async def test_a_jump_of_the_clock_makes_nobody_silent(where: Paths, settings: Settings) -> None:
    ahead, end = 0.0, asyncio.Event()

    async def work(stage: Stage, ctx: StageContext) -> Result:
        if stage.request == "quiet":
            await asyncio.Event().wait()
        while not end.is_set():
            ctx.log("still here")
            await asyncio.sleep(0.01)
        return Result("It is done")

    # Asked about after longer than this test may take, but much less than the jump.
    settings = replace(settings, stall=Patience(shown_after=600.0, ask_after=900.0))
    async with house(where, settings, ScriptedAgent("actor", work)) as h:
        h.hub.clock = lambda: time.time() + ahead
        async with working(where, settings, registry=h.registry, clock=h.hub.clock) as worker:
            tasks = [await h.submit(words) for words in ("loud", "quiet")]
            await soon(lambda: len(worker.engine._held) == 2)
            looked = watched(worker)
            ahead = 3600.0
            await soon(lambda: len(looked) >= 2)
            for task in tasks:
                view = await h.hub.status(task.id)
                assert (view.task.silent_since, view.blocker) == (None, None)
                assert "stalled" not in await h.kinds(task.id)
            end.set()


async def test_silence_is_seen_and_asked_about_again_though_the_clock_was_put_back(
    where: Paths, settings: Settings
) -> None:
    ahead = 0.0
    settings = replace(settings, stall=QUICK)
    async with house(where, settings, ScriptedAgent("actor", _for_ever)) as h:
        h.hub.clock = lambda: time.time() + ahead
        async with working(where, settings, registry=h.registry, clock=h.hub.clock):
            first = await h.submit("first")
            await eventually(lambda: _asked(h, first.id))
            ahead = -86400.0
            await h.hub.decide(first.id, Action.APPROVE)
            ahead = -2 * 86400.0
            await eventually(lambda: _asked(h, first.id))
            second = await h.submit("second")
            await eventually(lambda: _asked(h, second.id))
            asked = (await h.hub.status(second.id)).blocker
            assert asked is not None
            assert re.search(r"no sign of life for \d+s\.", asked.question), asked.question


async def test_how_long_a_stage_has_been_silent_is_shown_right_after_a_jump_of_the_clock(
    where: Paths, settings: Settings
) -> None:
    ahead = 0.0
    settings = replace(settings, stall=replace(QUICK, ask_after=0))
    async with house(where, settings, ScriptedAgent("actor", _for_ever)) as h:
        h.hub.clock = lambda: time.time() + ahead
        async with working(where, settings, registry=h.registry, clock=h.hub.clock):
            task = await h.submit()

            async def shown() -> bool:
                since = (await h.hub.status(task.id)).task.silent_since
                return since is not None and abs(h.hub.clock() - since) < 60

            await eventually(shown)
            for jump in (7200.0, -14400.0):
                ahead += jump
                assert not await shown()
                await eventually(shown)
            assert (await h.kinds(task.id)).count("stalled") == 1


def watched(worker: Worker) -> list[float]:
    """Return a list to which each look of a worker's watchdog is added from now on."""
    looks: list[float] = []
    look = worker.engine._watchdog.look

    async def counted(tasks: Any, now: float) -> None:
        await look(tasks, now)
        looks.append(now)

    worker.engine._watchdog.look = counted  # type: ignore[method-assign]
    return looks


async def test_a_damaged_question_about_silence_is_asked_anew_and_blinds_nobody(
    where: Paths, settings: Settings
) -> None:
    actor = ScriptedAgent("actor", _for_ever)
    settings = replace(settings, stall=QUICK)
    async with house(where, settings, actor) as h, h.worker():
        first = await h.submit("first")
        await eventually(lambda: _asked(h, first.id))
        before = (await h.hub.status(first.id)).blocker
        harm = "UPDATE blocker SET question = replace(question, 'Leave', 'Heave')"
        await h.hub._store.write(lambda tx: tx.execute(harm))
        second = await h.submit("second")
        await eventually(lambda: _asked(h, second.id))

        async def anew() -> bool:
            open_one = (await h.hub.status(first.id)).blocker
            return before is not None and open_one is not None and open_one.id != before.id

        await eventually(anew)
        view = await h.hub.decide(first.id, Action.APPROVE)
        assert (view.task.status, view.task.waiting_on) == (Status.IN_PROGRESS, None)
    assert actor.stops == ["detach", "detach"], "both ran on"


async def test_a_damaged_task_that_is_silent_fails_alone_and_its_agent_is_stopped(
    where: Paths, settings: Settings
) -> None:
    actor = ScriptedAgent("actor", _for_ever)
    settings = replace(settings, stall=QUICK)
    async with house(where, settings, actor) as h, h.worker():
        first = await h.submit("first")
        await soon(lambda: actor.runs)
        harm = "UPDATE task SET options = '{' WHERE n = 1"
        await h.hub._store.write(lambda tx: tx.execute(harm))
        second = await h.submit("second")
        await eventually(lambda: _asked(h, second.id))
        view = await until(h.hub, first.id, Status.FAILED)
        assert "is damaged" in str(view.task.error)
        await soon(lambda: actor.stops == ["cancel"])
        assert (await h.hub.status(second.id)).task.status is Status.IN_PROGRESS
