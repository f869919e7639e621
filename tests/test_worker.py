"""What reaches a person, what is taken back, and what a press on the desktop does.

The channel here records what it is given; the real desktop is tested in tests/notifications.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from support import House, ScriptedAgent, eventually, house, soon, until, working

from taskhub_tui.agents.port import AgentError, Result
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.errors import BadInput, StoreError
from taskhub_tui.domain.model import Action, StageSpec, Status
from taskhub_tui.notifications.message import OPEN, REPLY, DeliveryError, Message, Pressed
from taskhub_tui.storage import notices, outbox
from taskhub_tui.storage.queries import Reader
from taskhub_tui.storage.writer import Tx
from taskhub_tui.worker import Repeats, Worker

GATE = (StageSpec("run", "actor", gate=True),)


class Screen:
    """A desktop that records: what is on it, and what was ever shown."""

    def __init__(self) -> None:
        self.shown: dict[str, Message] = {}
        self.sent: list[Message] = []
        self.refuse: list[Exception] = []
        """What the next attempts to send raise."""
        self.closed = False
        self.press: Callable[[Pressed], Awaitable[None]]
        self.restarted: Callable[[tuple[str, ...]], Awaitable[None]]

    def plug(self, pressed: Any, restarted: Any) -> "Screen":
        self.press, self.restarted = pressed, restarted
        return self

    async def available(self) -> str | None:
        return None

    async def send(self, message: Message) -> None:
        if self.refuse:
            raise self.refuse.pop(0)
        self.sent.append(message)
        self.shown[message.key] = message

    async def withdraw(self, key: str) -> None:
        self.shown.pop(key, None)

    async def close(self) -> None:
        self.closed = True
        self.shown.clear()

    def asking(self) -> list[Message]:
        return [message for message in self.shown.values() if message.buttons]


@pytest.fixture
def settings() -> Settings:
    return Settings(owner="ann")


@asynccontextmanager
async def screened(h: House, screen: Screen, **more: Any) -> AsyncIterator[Worker]:
    options = {"registry": h.registry, "desktop": screen.plug}
    async with working(h.where, replace(h.settings, **more), **options) as worker:
        yield worker


async def test_a_question_is_shown_and_taken_back_when_it_is_answered_in_the_hub(
    where: Paths, settings: Settings
) -> None:
    screen = Screen()
    async with house(where, settings, ScriptedAgent("actor")) as h, screened(h, screen):
        task = await h.submit("Delete \x1b[31mit", stages=GATE)
        await soon(screen.asking)
        (message,) = screen.asking()
        assert message.title == "Needs you: Delete it"
        assert [action for action, _ in message.buttons] == ["approve", "deny", "cancel"]
        assert task.id in message.body
        await h.hub.decide(task.id, Action.APPROVE)
        await soon(lambda: not screen.asking())
        await until(h.hub, task.id, Status.COMPLETED)
        note = next(n for n in await h.hub.notifications() if n.blocker_id)
        assert note.withdrawn is not None
    assert screen.closed


async def test_a_press_decides_and_a_second_one_is_told_it_is_too_late(
    where: Paths, settings: Settings
) -> None:
    screen = Screen()
    async with house(where, settings, ScriptedAgent("actor")) as h, screened(h, screen):
        task = await h.submit(stages=GATE)
        await soon(screen.asking)
        (message,) = screen.asking()
        await screen.press(Pressed(message.key, "approve", None))
        await until(h.hub, task.id, Status.COMPLETED)
        decided = [e for e in await h.hub.events(task.id) if e.kind == "decided"]
        assert [(e.by, e.channel, e.data["action"]) for e in decided] == [
            ("ann", "desktop", "approve")
        ]
        await screen.press(Pressed(message.key, "deny", None))
        assert screen.sent[-1].body.startswith("Too late: ann (desktop) chose APPROVE ")
        assert (await h.kinds(task.id)).count("decided") == 1
        assert (await h.hub.status(task.id)).task.status is Status.COMPLETED


async def test_a_reply_is_context_and_a_click_opens_the_task(
    where: Paths, settings: Settings
) -> None:
    screen = Screen()
    async with house(where, settings, ScriptedAgent("actor")) as h, screened(h, screen):
        task = await h.submit(stages=GATE)
        await soon(screen.asking)
        (message,) = screen.asking()
        assert message.reply
        seq = (await h.hub.changes(0)).seq
        await screen.press(Pressed(message.key, OPEN, None))
        assert list((await h.hub.changes(seq)).opened) == [task.id]
        assert (await h.hub.status(task.id)).task.status is Status.BLOCKED
        await screen.press(Pressed(message.key, REPLY, "go easy"))
        view = await until(h.hub, task.id, Status.COMPLETED)
        assert view.task.context == ("go easy",)


async def test_a_press_on_nothing_known_does_nothing(where: Paths, settings: Settings) -> None:
    screen = Screen()
    async with house(where, settings, ScriptedAgent("actor")) as h, screened(h, screen):
        for key in ("taskhub-999", "other", "taskhub-", "taskhub--1"):
            await screen.press(Pressed(key, "approve", None))
        assert screen.sent == []


async def test_a_press_on_a_failure_that_was_mended_meanwhile_is_too_late(
    where: Paths, settings: Settings
) -> None:
    async def fail_once(stage: Any, ctx: Any) -> Any:
        if stage.attempt == 1:
            raise AgentError("broke")
        return Result("mended")

    screen = Screen()
    actor = ScriptedAgent("actor", fail_once)
    async with house(where, settings, actor) as h, screened(h, screen):
        task = await h.submit()
        await soon(screen.asking)
        (message,) = screen.asking()
        assert message.title.startswith("Failed: ")
        await h.hub.decide(task.id, Action.RETRY)
        await until(h.hub, task.id, Status.COMPLETED)
        await screen.press(Pressed(message.key, "retry", None))
        assert screen.sent[-1].body.startswith("Too late")
    assert len(actor.runs) == 2


async def test_a_press_that_cannot_be_saved_is_said_and_decides_nothing(
    where: Paths, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Screen()
    async with house(where, settings, ScriptedAgent("actor")) as h, screened(h, screen):
        task = await h.submit(stages=GATE)
        await soon(screen.asking)
        (message,) = screen.asking()

        def full(*_: object, **__: object) -> None:
            raise StoreError("The disk is full; nothing was changed")

        with monkeypatch.context() as patch:
            patch.setattr("taskhub_tui.storage.tokens.spend", full)
            await screen.press(Pressed(message.key, "approve", None))
        assert screen.sent[-1].body == "The disk is full; nothing was changed"
        assert (await h.hub.status(task.id)).task.status is Status.BLOCKED


async def test_a_question_of_a_dead_worker_is_shown_again(where: Paths, settings: Settings) -> None:
    first, second = Screen(), Screen()
    async with house(where, settings, ScriptedAgent("actor")) as h:
        async with screened(h, first):
            task = await h.submit(stages=GATE)
            await soon(first.asking)
        # The buttons died with their worker.
        async with screened(h, second):
            async with asyncio.timeout(5):
                await soon(second.asking)
            (message,) = second.asking()
            assert message.key == first.sent[-1].key, "a receiver can drop the repeat"
            await second.press(Pressed(message.key, "approve", None))
            await until(h.hub, task.id, Status.COMPLETED)


async def test_a_desktop_that_lost_all_is_shown_what_is_open(
    where: Paths, settings: Settings
) -> None:
    screen = Screen()
    async with house(where, settings, ScriptedAgent("actor")) as h, screened(h, screen):
        await h.submit(stages=GATE)
        await soon(screen.asking)
        lost = tuple(screen.shown)
        screen.shown.clear()
        await screen.restarted(lost)
        await soon(screen.asking)


async def test_what_was_taken_but_not_noted_as_sent_is_sent_again(
    where: Paths, settings: Settings
) -> None:
    def noted(reader: Reader) -> bool:
        states = reader.execute("SELECT state FROM delivery").fetchall()
        return bool(screen.asking()) and {state for (state,) in states} == {"sent"}

    screen = Screen()
    async with house(where, settings, ScriptedAgent("actor")) as h, screened(h, screen) as worker:
        await h.submit(stages=GATE)
        await eventually(lambda: h.hub._store.read(noted))
        screen.shown.clear()

        def unsent(tx: Tx) -> None:  # as when the disk was full at that moment
            tx.loud = True
            tx.execute(
                "UPDATE delivery SET state = 'sending' WHERE worker = ?", (worker.engine.me,)
            )

        await h.hub._store.write(unsent)
        await soon(screen.asking)


async def test_a_channel_that_refuses_is_tried_again_later(
    where: Paths, settings: Settings
) -> None:
    screen = Screen()
    screen.refuse = [DeliveryError("the bus is away", retry=True)]
    async with house(where, settings, ScriptedAgent("actor")) as h, screened(h, screen):
        await h.submit(stages=GATE)
        await soon(screen.asking)
        assert screen.refuse == []


async def test_a_channel_with_a_bug_stops_neither_the_rest_nor_the_work(
    where: Paths, settings: Settings
) -> None:
    screen = Screen()
    screen.refuse = [KeyError("a bug")]
    async with house(where, settings, ScriptedAgent("actor")) as h, screened(h, screen):
        one = await h.submit(stages=GATE)
        await until(h.hub, one.id, Status.BLOCKED)
        await soon(lambda: screen.refuse == [])
        await h.submit(stages=GATE)
        await soon(lambda: len(screen.asking()) == 2)


async def test_a_crowd_of_questions_does_not_flood_the_desktop(
    where: Paths, settings: Settings
) -> None:
    screen = Screen()
    soon_together = {"coalesce": 2}
    async with (
        house(where, settings, ScriptedAgent("actor")) as h,
        screened(h, screen, notifications=soon_together),
    ):
        tasks = [await h.submit(f"{i}", stages=GATE) for i in range(30)]
        for task in tasks:
            await until(h.hub, task.id, Status.BLOCKED)

        async def all_told() -> bool:
            notes = [note for note in await h.hub.notifications() if note.blocker_id]
            keys = list(screen.shown)
            found = [await h.hub._store.read(partial(notices.told_of, key=k)) for k in keys]
            return {note.id for note in notes} == {id_ for ids in found for id_ in ids}

        await eventually(all_told)
        assert len(screen.sent) <= 6
        together = [message for message in screen.sent if not message.buttons]
        assert "tasks need you" in together[0].title
        for task in tasks:
            await h.hub.decide(task.id, Action.APPROVE)
        await soon(lambda: not screen.shown)


async def test_many_new_notifications_are_planned_in_few_commits(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        for i in range(150):
            await h.submit(f"{i}", stages=GATE, not_before=time.time() + 3600)
        before = (await h.hub.changes(0)).seq
        async with screened(h, Screen()):

            async def all_planned() -> bool:
                return await h.hub._store.read(outbox.unplanned) == []

            await eventually(all_planned)
        # Also the worker comes, keeps its lease, tells what is due, and goes.
        assert (await h.hub.changes(0)).seq - before < 75


async def test_settings_of_notifications_that_are_wrong_are_said(
    where: Paths, settings: Settings
) -> None:
    wrong = replace(settings, notifications={"desktop": {"loud": True}})
    with pytest.raises(BadInput, match=r"`notifications\.desktop\.loud`"):
        async with working(where, wrong):
            pass


def test_a_trouble_that_lasts_is_logged_now_and_then() -> None:
    repeats = Repeats()

    def passes(words: str, at: float) -> bool:
        record = logging.LogRecord("taskhub", logging.WARNING, "", 0, "%s", (words,), None)
        record.created = at
        return repeats.filter(record)

    said = [at for at in range(1, 700) if passes("The database is damaged", at)]
    assert said == [1, 301, 601]
    assert passes("The disk is full", 700.0)
    assert passes("The disk is full", 10.0), "the clock was put back"
