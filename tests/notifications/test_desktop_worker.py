"""From a stage's question to a button on a real screen and back, through a real worker."""

import asyncio
import importlib.util
from pathlib import Path

import pytest
from desktop_session import wait_for

from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.errors import AlreadyDecided
from taskhub_tui.domain.model import Action, NewTask, StageSpec, Status
from taskhub_tui.hub import Hub

_spec = importlib.util.spec_from_file_location("shared", Path(__file__).parents[1] / "conftest.py")
assert _spec is not None
assert _spec.loader is not None
shared = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(shared)

pytestmark = pytest.mark.desktop


@pytest.fixture
def settings() -> Settings:
    return Settings(owner="ann")


def guarded() -> NewTask:
    command = {"argv": ["sh", "-c", "echo deployed"]}
    return NewTask(
        "Deploy <b>now</b> & for good",
        agent="command",
        stages=(StageSpec("deploy", "command", options=command, gate=True),),
    )


async def shown(session, number: int) -> None:
    await asyncio.to_thread(wait_for, lambda: session.shown() == number, f"{number} bubbles")


async def test_approved_on_the_desktop_the_task_goes_on(
    session, where: Paths, settings: Settings
) -> None:
    await asyncio.to_thread(session.start_dunst)
    async with (
        await Hub.open(paths=where, settings=settings, autostart=False) as hub,
        shared.working(where, settings),
    ):
        task = await hub.submit(guarded())
        await shared.until(hub, task.id, Status.BLOCKED)
        await shown(session, 1)
        await asyncio.to_thread(session.press, "Approve")
        view = await shared.until(hub, task.id, Status.COMPLETED)
        assert view.task.summary == "deployed"
        (decided,) = [e for e in await hub.events(task.id) if e.kind == "decided"]
        assert (decided.by, decided.channel) == ("ann", "desktop")
        await shown(session, 0)


async def test_answered_in_the_app_the_bubble_goes_and_a_later_answer_is_told(
    session, where: Paths, settings: Settings
) -> None:
    await asyncio.to_thread(session.start_dunst)
    async with (
        await Hub.open(paths=where, settings=settings, autostart=False) as hub,
        shared.working(where, settings),
    ):
        task = await hub.submit(guarded())
        view = await shared.until(hub, task.id, Status.BLOCKED)
        assert view.blocker is not None
        await shown(session, 1)
        await hub.decide(task.id, Action.DENY, text="not today", blocker_id=view.blocker.id)
        await shared.until(hub, task.id, Status.FAILED)
        # Who has just denied it need not be told that it failed.
        await shown(session, 0)
        with pytest.raises(AlreadyDecided, match=r"ann .* chose DENY"):
            await hub.decide(task.id, Action.APPROVE, blocker_id=view.blocker.id)


async def test_a_question_on_screen_when_its_worker_dies_is_shown_by_the_next(
    session, where: Paths, settings: Settings
) -> None:
    await asyncio.to_thread(session.start_dunst)
    async with await Hub.open(paths=where, settings=settings, autostart=False) as hub:
        async with shared.working(where, settings):
            task = await hub.submit(guarded())
            await shared.until(hub, task.id, Status.BLOCKED)
            await shown(session, 1)
        await shown(session, 0)
        async with shared.working(where, settings):
            await shown(session, 1)
            await asyncio.to_thread(session.press, "Approve")
            await shared.until(hub, task.id, Status.COMPLETED)
