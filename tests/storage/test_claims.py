"""Who may take which task, who waits for whom, and what a front end is told."""

from collections.abc import Sequence

import pytest
from support import ScriptedAgent, house, until

from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain import execution
from taskhub_tui.domain.change import Change
from taskhub_tui.domain.errors import BadInput, LeaseLost, UnknownTask
from taskhub_tui.domain.model import Action, NoticeKind, Priority, Stage, Status, Task, WaitingOn
from taskhub_tui.hub import Hub
from taskhub_tui.storage import changes, claims, lanes, queries, stages


def no_start(task: Task, stages: Sequence[Stage]) -> Change | None:
    return None


async def claim(hub: Hub, me: str, limit: int = 100, now: float | None = None) -> Sequence[str]:
    when = hub.clock() if now is None else now
    found = await hub._store.write(lambda tx: claims.claim(tx, me, when, limit, no_start))
    return [one.task.id for one in found]


async def test_two_workers_never_claim_one_task(where: Paths, settings: Settings) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        ids = [(await h.submit()).id for _ in range(10)]
        first, second = await claim(h.hub, "a", 6), await claim(h.hub, "b", 100)
        assert (sorted([*first, *second]), len(first)) == (sorted(ids), 6)
        assert await claim(h.hub, "c") == []


async def test_the_highest_priority_and_then_the_oldest_is_claimed(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        low = await h.submit(priority=Priority.LOW)
        old = await h.submit()
        new = await h.submit()
        high = await h.submit(priority=Priority.HIGH)
        order = [(await claim(h.hub, "a", 1))[0] for _ in range(4)]
        assert order == [high.id, old.id, new.id, low.id]


async def test_a_task_is_not_claimed_before_its_hour(where: Paths, settings: Settings) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        due = h.hub.clock() + 3600
        task = await h.submit(not_before=due)
        assert task.waiting_on is WaitingOn.SCHEDULE
        assert await claim(h.hub, "a") == []
        next_due = await h.hub._store.read(lambda r: claims.next_due(r, h.hub.clock()))
        assert next_due == due
        await h.hub._store.write(lambda tx: claims.make_ready(tx, due))
        assert await claim(h.hub, "a", now=due) == [task.id]


async def test_a_task_waits_for_all_it_comes_after(where: Paths, settings: Settings) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        one, two = await h.submit("one"), await h.submit("two")
        last = await h.submit("last", after=(one.id, two.id[:6]))
        assert (last.waiting_on, last.deps_left) == (WaitingOn.DEPENDENCY, 2)
        assert set((await h.hub.status(last.id)).after) == {one.id, two.id}
        assert set(await claim(h.hub, "x")) == {one.id, two.id}
        await h.hub._store.write(lambda tx: claims.leave(tx, "x"))
        async with h.worker():
            await until(h.hub, last.id, Status.COMPLETED, unless=())
        events = {task.id: await h.hub.events(task.id) for task in (one, two, last)}
        begun = next(e.seq for e in events[last.id] if e.kind == "started")
        assert all(events[task.id][-1].seq < begun for task in (one, two))


async def test_what_waits_for_a_cancelled_task_fails_in_words_and_can_run_all_the_same(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        first = await h.submit()
        second = await h.submit(after=(first.id,))
        await h.hub.decide(first.id, Action.CANCEL)
        view = await h.hub.status(second.id)
        assert view.task.status is Status.FAILED
        assert view.task.error == (
            f"Task {first.id}, which this one waits for, was cancelled; RETRY runs it all the same"
        )
        assert (await h.hub.notifications())[0].kind is NoticeKind.ERROR
        with pytest.raises(BadInput, match="was cancelled, so nothing can come after it"):
            await h.submit(after=(first.id,))
        await h.hub.decide(second.id, Action.RETRY)
        async with h.worker():
            await until(h.hub, second.id, Status.COMPLETED)


async def test_a_failed_task_lets_others_wait_until_it_is_retried(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        first = await h.submit()
        cancelled = await h.submit(after=(first.id,))
        await h.hub.decide(cancelled.id, Action.CANCEL)
        before = await h.hub.status(cancelled.id)
        async with h.worker():
            await until(h.hub, first.id, Status.COMPLETED)
        after = await h.hub.status(cancelled.id)
        assert (after.task.status, after.task.waiting_on) == (Status.CANCELLED, None)
        assert before.task.ended == after.task.ended


async def test_after_a_task_that_does_not_exist_is_refused_and_leaves_nothing(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        with pytest.raises(UnknownTask, match="There is no task `nosuch`"):
            await h.submit(after=("nosuch",))
        assert await h.hub.tasks() == []
        assert not where.tasks.exists() or list(where.tasks.iterdir()) == []


async def test_every_write_with_a_stale_fence_is_refused_and_writes_nothing(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        await h.submit()
        store, now = h.hub._store, h.hub.clock()
        (mine,) = await store.write(lambda tx: claims.claim(tx, "dead", now, 1, no_start))
        (theirs,) = await store.write(lambda tx: claims.take_over(tx, "alive", "dead", now, 10))
        assert theirs.task.fence == mine.task.fence + 1
        assert theirs.interrupted
        before = await h.hub.status(mine.task.id)
        fence, n, known = mine.task.fence, mine.task.n, mine.known
        start = execution.begin(mine.task, mine.stages, mine.stages[0], now, 0)
        with pytest.raises(LeaseLost, match="has been taken over"):
            await store.write(lambda tx: changes.write_held(tx, start, known))
        with pytest.raises(LeaseLost):
            await store.write(lambda tx: stages.save(tx, n, fence, mine.stages[0]))
        late = stages.Progressed(n, fence, 0, 0.5, 0.5, "late", None)
        await store.write(lambda tx: stages.progress(tx, [late], now))
        assert await h.hub.status(mine.task.id) == before
        good = execution.begin(theirs.task, theirs.stages, theirs.stages[0], now, 0)
        await store.write(lambda tx: changes.write_held(tx, good, theirs.known))


async def test_changes_since_are_exactly_what_changed(where: Paths, settings: Settings) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        tasks = [await h.submit(f"{i}") for i in range(5)]
        everything = await h.hub.changes(0)
        assert [task.id for task in everything.tasks] == [task.id for task in tasks]
        assert len(everything.notifications) == 5
        nothing = await h.hub.changes(everything.seq)
        assert (nothing.seq, nothing.tasks, nothing.notifications) == (everything.seq, (), ())

        await h.hub.decide(tasks[2].id, Action.PROVIDE_CONTEXT, text="more")
        some = await h.hub.changes(everything.seq)
        assert [task.id for task in some.tasks] == [tasks[2].id]
        assert some.tasks[0].context == ("more",)
        assert list(some.notifications) == []

        await h.hub.mark_read([everything.notifications[0].id])
        read = await h.hub.changes(some.seq)
        assert (list(read.tasks), len(read.notifications)) == ([], 1)

        async with h.worker():
            for task in tasks:
                await until(h.hub, task.id, Status.COMPLETED)
        last = await h.hub.changes(read.seq)
        assert {task.id for task in last.tasks} == {task.id for task in tasks}
        assert len(last.notifications) == 5
        assert (await h.hub.changes(last.seq)).tasks == ()


async def test_a_claim_reads_no_more_than_it_takes_however_many_wait(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:

        def plan(reader: queries.Reader) -> list[str]:
            found = reader.execute(f"EXPLAIN QUERY PLAN {lanes.IN_LANE}", ("actor", 1)).fetchall()
            found += reader.execute(f"EXPLAIN QUERY PLAN {lanes.NEXT_LANE}", ("a",)).fetchall()
            return [step[-1] for step in found]

        assert await h.hub._store.read(plan) == [
            "SEARCH task USING INDEX task_ready (stage_agent=?)",
            "SEARCH task USING INDEX task_ready (stage_agent>?)",
        ]


async def test_a_worker_that_lost_a_stop_to_another_changes_nothing(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor"), ScriptedAgent("other")) as h:
        task = await h.submit()
        store = h.hub._store

        async def row() -> tuple[object, ...]:
            now = (await h.hub.status(task.id)).task
            return now.status, now.holder, now.stopping

        await claim(h.hub, "a")
        await h.hub.decide(task.id, Action.REASSIGN, agent="other")
        assert await store.write(lambda tx: claims.claim_stopping(tx, "a"))
        # It stood still past its lease: another stopped the agent, and began with the next one.
        await store.write(lambda tx: claims.take_over(tx, "b", "a", h.hub.clock(), 10))
        assert await store.write(lambda tx: claims.claim_stopping(tx, "b"))
        await store.write(lambda tx: claims.stopped(tx, "b", task.n))
        assert await claim(h.hub, "b") == [task.id]
        before = await row()
        assert before == (Status.IN_PROGRESS, "b", False)
        await store.write(lambda tx: claims.stopped(tx, "a", task.n))
        assert await row() == before
