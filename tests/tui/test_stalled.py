"""A stage that gives no sign of life: shown, asked about while it runs, and taken back."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from hubs import asleep, text, until
from support import House, ScriptedAgent, house
from textual.pilot import Pilot

from taskhub_tui.agents.port import Result, Stage, StageContext
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.model import Action, Status
from taskhub_tui.domain.stall import Patience
from taskhub_tui.tui.app import TaskHubApp
from taskhub_tui.tui.screens.decision import DecisionScreen

SHOWN = Patience(shown_after=0.1, ask_after=0)
ASKED = Patience(shown_after=0.1, ask_after=0.3)


class Silent:
    """An agent that says one line, and then nothing until it is told to."""

    def __init__(self) -> None:
        self.speak = asyncio.Event()
        self.end = asyncio.Event()
        self.agent = ScriptedAgent("actor", self._run)

    async def _run(self, stage: Stage, ctx: StageContext) -> Result:
        ctx.log("linking vmlinux")
        ctx.progress(0.3)
        await self.speak.wait()
        ctx.log("vmlinux is linked")
        await self.end.wait()
        return Result("done")


@pytest.fixture
def silent() -> Silent:
    return Silent()


class Room:
    """The app beside a worker, and a task whose agent is silent."""

    def __init__(self, app: TaskHubApp, pilot: Pilot[None], h: House, task_id: str) -> None:
        self.app, self.pilot, self.h, self.task_id = app, pilot, h, task_id

    def raised(self) -> bool:
        return isinstance(self.app.screen, DecisionScreen) and "No sign of life" in text(self.app)

    async def question(self) -> None:
        """Wait until the question is put, and until the dialog takes keys."""

        def put() -> bool:
            self.app.typed = 0.0
            return self.raised()

        await until(self.pilot, put, seconds=15)
        assert isinstance(self.app.screen, DecisionScreen)
        self.app.screen._quiet_since = time.monotonic() - 1

    async def kinds(self) -> list[str]:
        return await self.h.kinds(self.task_id)


@asynccontextmanager
async def room(
    where: Paths, settings: Settings, silent: Silent, stall: Patience
) -> AsyncIterator[Room]:
    settings = replace(settings, stall=stall)
    async with house(where, settings, silent.agent) as h, h.worker():
        task = await h.submit("Compile the kernel")
        app = TaskHubApp(h.hub, services=[asleep])
        async with app.run_test(size=(120, 30), notifications=True) as pilot:
            yield Room(app, pilot, h, task.id)


async def test_silence_is_shown_where_the_stage_stands_and_nobody_is_asked(
    where: Paths, settings: Settings, silent: Silent
) -> None:
    async with room(where, settings, silent, SHOWN) as here:
        await until(here.pilot, lambda: " silent " in text(here.app), seconds=15)
        await until(
            here.pilot,
            lambda: re.search(r"run .* silent \d+s", text(here.app)) is not None,
            seconds=15,
        )
        assert "1 running" in text(here.app)
        assert "need" not in text(here.app)
        assert "~" not in text(here.app), "what remains is unknown while it is silent"
        silent.speak.set()
        await until(here.pilot, lambda: "vmlinux is linked" in text(here.app), seconds=15)
        await until(here.pilot, lambda: " silent " not in text(here.app), seconds=15)
        assert (await here.kinds())[-2:] == ["stalled", "alive"]


async def test_a_silent_stage_needs_you_while_it_runs_and_is_left_running_by_one_key(
    where: Paths, settings: Settings, silent: Silent
) -> None:
    async with room(where, settings, silent, ASKED) as here:
        await here.question()
        shown = text(here.app)
        for words in (
            "! 1 needs you",
            "▸ 1 running",
            "has given no sign of life for",
            "actor · stage 1/1",
            "· silent ",
            "Running",
            "linking vmlinux",
            "a leave it running",
            "r stop and run again",
            "X cancel task",
        ):
            assert words in shown
        assert " deny" not in shown
        await here.pilot.press("a")

        async def decided() -> bool:
            events = await here.h.hub.events(here.task_id)
            return [e.data["action"] for e in events if e.kind == "decided"] == ["approve"]

        await until(here.pilot, decided)
        assert silent.agent.stops == []
        silent.speak.set()
        silent.end.set()
        await until(here.pilot, lambda: "1 done" in text(here.app), seconds=15)
        assert len(silent.agent.runs) == 1


async def test_a_question_is_taken_back_when_the_agent_says_something(
    where: Paths, settings: Settings, silent: Silent
) -> None:
    async with room(where, settings, silent, ASKED) as here:
        await here.question()
        silent.speak.set()
        said = "It has given a sign of life: Compile the kernel"
        await until(here.pilot, lambda: said in text(here.app), seconds=15)
        assert not here.raised()
        assert "need" not in text(here.app).splitlines()[0]


async def test_a_silent_stage_is_stopped_and_run_again_by_one_key(
    where: Paths, settings: Settings, silent: Silent
) -> None:
    async with room(where, settings, silent, ASKED) as here:
        await here.question()
        await here.pilot.press("r")
        await until(here.pilot, lambda: len(silent.agent.runs) == 2, seconds=15)
        assert silent.agent.stops == ["cancel"]
        assert [run.attempt for run in silent.agent.runs] == [1, 2]


async def test_a_silent_task_is_cancelled_only_after_a_second_key(
    where: Paths, settings: Settings, silent: Silent
) -> None:
    async with room(where, settings, silent, ASKED) as here:
        await here.question()
        await here.pilot.press("X")
        await until(here.pilot, lambda: "Press y to do it" in text(here.app))
        assert (await here.h.hub.status(here.task_id)).task.status is Status.IN_PROGRESS
        await here.pilot.press("y")

        async def cancelled() -> bool:
            return (await here.h.hub.status(here.task_id)).task.status is Status.CANCELLED

        await until(here.pilot, cancelled, seconds=15)
        await until(here.pilot, lambda: silent.agent.stops == ["cancel"], seconds=15)


async def test_a_silent_task_comes_to_the_top_and_offers_to_decide(
    where: Paths, settings: Settings, silent: Silent
) -> None:
    async with room(where, settings, silent, ASKED) as here:
        other = await here.h.submit("Newer", not_before=here.h.hub.clock() + 900)
        await here.question()
        await here.pilot.press("escape")
        await until(here.pilot, lambda: not here.raised())
        await here.pilot.press("g")
        await until(here.pilot, lambda: here.app._main.table.here is not None)
        lines = text(here.app).splitlines()
        assert lines[2].startswith("▌!")
        assert "Compile the kernel" in lines[2]
        assert "a Decide" in lines[-1]
        await here.h.hub.decide(other.id, Action.CANCEL)
        await here.pilot.press("a")
        await until(here.pilot, here.raised)
