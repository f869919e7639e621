"""Agents that do not end when they are told to hold neither their task nor their worker."""

import asyncio

import pytest
from support import ScriptedAgent, eventually, house, soon, until

from taskhub_tui.agents.port import Result, Stage, StageContext
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.model import Action, StageSpec, Status
from taskhub_tui.engine import ending


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    for why in ("cancel", "detach"):
        monkeypatch.setitem(ending.PATIENCE, why, 0.1)


async def _deaf(stage: Stage, ctx: StageContext) -> Result:
    """Swallows every cancellation."""
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue


async def _mad(stage: Stage, ctx: StageContext) -> Result:
    """Swallows everything there is, as a bare `except:` in a loop does."""
    while True:
        try:
            await asyncio.sleep(0.01)
        except BaseException:
            continue


# What an agent swallows while its memory is freed, Python reports as a warning.
MAD = pytest.param(
    _mad, marks=pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
)


@pytest.mark.parametrize("script", [_deaf, MAD])
async def test_a_task_is_cancelled_though_its_agent_will_not_end(
    where: Paths, settings: Settings, script: object, caplog: pytest.LogCaptureFixture
) -> None:
    actor = ScriptedAgent("actor", script)  # type: ignore[arg-type]
    async with house(where, settings, actor) as h, h.worker(concurrency=1):
        task = await h.submit("first")
        await soon(lambda: actor.runs)
        await h.hub.decide(task.id, Action.CANCEL)

        async def stopped() -> bool:
            return not (await h.hub.status(task.id)).task.stopping

        await eventually(stopped)
        said = (
            "The agent `actor` did not end when it was told to; what it has started may still run"
        )
        assert any(line.startswith(said) for line in await h.said(task.id))
        actor.script = None
        after = await h.submit("second")
        await until(h.hub, after.id, Status.COMPLETED)  # Its place is free again.
    assert "does not end when told to" in caplog.text


@pytest.mark.parametrize("script", [_deaf, MAD])
async def test_a_worker_leaves_though_an_agent_will_not_end(
    where: Paths, settings: Settings, script: object
) -> None:
    actor = ScriptedAgent("actor", script, on_interrupt="rerun")  # type: ignore[arg-type]
    async with house(where, settings, actor) as h:
        async with h.worker():
            task = await h.submit()
            await soon(lambda: actor.runs)
        actor.script = None
        async with h.worker():
            await until(h.hub, task.id, Status.COMPLETED)


async def test_a_limit_in_time_holds_for_an_agent_that_will_not_end(
    where: Paths, settings: Settings
) -> None:
    actor = ScriptedAgent("actor", _deaf)
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit(stages=(StageSpec("slow", "actor", timeout=0.05),))
        view = await until(h.hub, task.id, Status.FAILED)
        assert view.task.error == "The stage “slow” took longer than its limit of 0s"
