"""Tasks of which the engine cannot even write that they failed: they are not left to nobody."""

import asyncio
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from support import ScriptedAgent, house, soon, until

from taskhub_tui.agents.port import Blocker, BlockerKind, Result, Stage, StageContext
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.errors import Damaged, DiskFull, StoreBusy
from taskhub_tui.domain.model import Action, StageSpec, StageStatus, Status
from taskhub_tui.engine import context, engine, held, outcome
from taskhub_tui.storage import changes, rules, stages
from taskhub_tui.storage.database import migrations


async def test_a_mistake_of_the_engine_that_cannot_be_written_is_met_again_later(
    where: Paths, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[str] = []
    record, give_up = outcome.checkpointed, outcome.give_up

    async def mistaken(*args: Any) -> Any:
        if len(refused) < 2:
            raise ZeroDivisionError("a mistake of the engine")
        return await record(*args)

    async def busy(*args: Any) -> None:
        if len(refused) < 2:
            refused.append("busy")
            raise StoreBusy("The database is kept busy")
        await give_up(*args)

    monkeypatch.setattr(outcome, "checkpointed", mistaken)
    monkeypatch.setattr(outcome, "give_up", busy)
    actor = ScriptedAgent("actor", on_interrupt="rerun")
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit()
        await until(h.hub, task.id, Status.COMPLETED)
    assert refused == ["busy", "busy"]


async def test_damage_that_cannot_be_noted_is_met_again_later(
    where: Paths, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[str] = []
    condemn = engine.condemn

    async def damaged(*args: Any) -> Any:
        raise Damaged("The stage is damaged", position=0)

    def busy(*args: Any) -> None:
        if len(refused) < 2:
            refused.append("busy")
            raise StoreBusy("The database is kept busy")
        condemn(*args)

    monkeypatch.setattr(outcome, "checkpointed", damaged)
    monkeypatch.setattr(engine, "condemn", busy)
    actor = ScriptedAgent("actor", on_interrupt="rerun")
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit()
        view = await until(h.hub, task.id, Status.FAILED)
    assert view.task.error == "The stage is damaged"
    assert refused == ["busy", "busy"]


async def test_a_worker_that_is_too_old_leaves_an_agent_alone_that_wants_to_save(
    where: Paths, settings: Settings
) -> None:
    """A newer TaskHub goes on with what the agent has begun, so the agent must not give it up."""
    begun, go, told = asyncio.Event(), asyncio.Event(), []

    async def work(stage: Stage, ctx: StageContext) -> Result:
        begun.set()
        await go.wait()
        try:
            await ctx.save(operation="op-1")
        except Exception as error:
            told.append(error)
            raise
        return Result("saved")

    actor = ScriptedAgent("actor", work, on_interrupt="adopt")
    async with house(where, settings, actor) as h:
        task = await h.submit()
        serving = h.worker(lease=3600)
        worker = await serving.__aenter__()
        try:
            await begun.wait()
            with closing(sqlite3.connect(where.database, isolation_level=None)) as newer:
                newer.execute(f"PRAGMA user_version = {len(migrations()) + 1}")
            go.set()
            await soon(lambda: actor.stops)
            await soon(lambda: worker.engine.outdated)
        finally:
            await serving.__aexit__(None, None, None)
        assert (actor.stops, told) == (["detach"], [])
        assert worker.left_work
        view = await h.hub.status(task.id)
        assert (view.task.status, view.stages[0].status) == (
            Status.IN_PROGRESS, StageStatus.RUNNING,
        )  # fmt: skip


async def test_a_limit_of_time_that_is_over_while_a_question_cannot_be_written_ends_nothing(
    where: Paths, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stage has asked, and waits: it is written once there is room, however long that takes."""
    monkeypatch.setattr(context, "WRITE_TRIES", 0)

    async def work(stage: Stage, ctx: StageContext) -> Result:
        answer = await ctx.ask(Blocker("k", BlockerKind.INPUT, "Which?"))
        return Result(answer.text or "")

    actor = ScriptedAgent("actor", work, on_interrupt="ask")
    refused = 0
    async with house(where, settings, actor) as h, h.worker():
        ask = rules.apply

        def full(*args: Any) -> Any:
            nonlocal refused
            refused += 1
            if refused < 3:
                raise DiskFull(where.home)
            return ask(*args)

        monkeypatch.setattr(context.rules, "apply", full)
        task = await h.submit(stages=(StageSpec("one", "actor", timeout=0.3),))
        view = await until(h.hub, task.id, Status.BLOCKED)
        assert view.blocker is not None
        assert refused == 3
        assert actor.stops == ["detach"]
        # What is left of its time is enough: it waited, and did not work.
        await h.hub.decide(task.id, Action.PROVIDE_CONTEXT, text="this one")
        assert (await until(h.hub, task.id, Status.COMPLETED)).task.summary == "this one"


@pytest.mark.parametrize("what", ["a save", "a result"])
async def test_a_full_disk_is_waited_for_however_long(
    where: Paths, settings: Settings, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(context, "WRITE_TRIES", 0)
    monkeypatch.setattr(held, "WRITE_TRIES", 0)
    refused = 0

    def filled(real: Any) -> Any:
        def write(*args: Any, **options: Any) -> Any:
            nonlocal refused
            if refused < 2:
                refused += 1
                raise DiskFull(where.home)
            return real(*args, **options)

        return write

    async def work(stage: Stage, ctx: StageContext) -> Result:
        if what == "a save":
            monkeypatch.setattr(stages, "save", filled(stages.save))
            await ctx.save(job="j1")
        else:
            monkeypatch.setattr(changes, "write_held", filled(changes.write_held))
        return Result("dear")

    actor = ScriptedAgent("actor", work, on_interrupt="ask")
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit()
        view = await until(h.hub, task.id, Status.COMPLETED)
        assert view.task.summary == "dear"
    assert (refused, len(actor.runs)) == (2, 1)
