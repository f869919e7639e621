"""Tasks of which the engine cannot even write that they failed: they are not left to nobody."""

from typing import Any

import pytest
from support import ScriptedAgent, house, until

from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.errors import Damaged, StoreBusy
from taskhub_tui.domain.model import Status
from taskhub_tui.engine import engine, outcome


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
