"""From a question to a button on a phone and back, through a real worker and a loopback ntfy."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ntfy_server import Ntfy, Phone
from support import House, Script, ScriptedAgent, eventually, house, soon, until, working

from taskhub_tui.agents.port import Blocker, Result, Stage, StageContext
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.model import Action, BlockerKind, Status
from taskhub_tui.worker import Worker


@asynccontextmanager
async def at_work(
    where: Paths, settings: Settings, work: Script, **wishes: Any
) -> AsyncIterator[tuple[House, Ntfy, Phone, Worker]]:
    """Run a worker that tells the phone at once."""
    async with Ntfy().running() as server:
        table = {"enabled": True, "server": server.url, "topic": "alarms", "reply_topic": "answers"}
        told = {
            "desktop": {"enabled": False},
            "phone": {**table, "unanswered_after": 0, **wishes},
            "quiet": {"enabled": False},
        }
        settings = replace(settings, notifications=told)
        async with (
            house(where, settings, ScriptedAgent("actor", work)) as h,
            working(where, settings, registry=h.registry) as worker,
        ):
            yield h, server, Phone(server, "alarms"), worker


async def test_what_could_be_next_is_shown_whole_and_started_by_a_second_press(
    where: Paths, settings: Settings
) -> None:
    request = "Watch it for an hour, and say what you see"

    async def work(stage: Stage, ctx: StageContext) -> Result:
        if stage.prompt.startswith("Watch"):
            return Result("It is quiet")
        later = {"title": "Watch it", "request": request, "agent": "actor"}
        return Result("It is up", data={"follow_ups": [later]})

    async with at_work(where, settings, work, completion_after=0) as (h, _, phone, worker):
        first = await h.submit("Deploy")
        await soon(lambda: phone.shown)
        (done,) = phone.shown
        assert done["title"] == "Done: Deploy"
        assert [one["label"] for one in done["actions"]] == ["Watch it"]
        assert await worker._awaits_answers(), "it stays, or nobody hears the button"
        await phone.press(done, "Watch it")
        await soon(lambda: [one["title"] for one in phone.shown] == ["Start this? Watch it"])
        assert len(await h.hub.tasks()) == 1, "nothing is started that was not seen"
        (sure,) = phone.shown
        assert request in sure["message"]
        assert "agent: actor" in sure["message"]
        assert [one["label"] for one in sure["actions"]] == ["Start it"]
        for _ in range(2):
            await phone.press(sure, "Start it")

        async def second_is_done() -> bool:
            found = await h.hub.tasks()
            return len(found) == 2 and all(one.status is Status.COMPLETED for one in found)

        await eventually(second_is_done)
        second = next(one for one in await h.hub.tasks() if one.id != first.id)
        assert (second.title, second.summary) == ("Watch it", "It is quiet")
        assert not await worker._awaits_answers()

        async def all_is_written_down() -> bool:
            found = [(one.what, one.action) for one in await h.hub.audit(first.id)]
            return found == [
                ("refused", "next-1"),
                ("started", "next-1"),
                ("asked again", "next-1"),
            ]

        await eventually(all_is_written_down)
        (event,) = [e for e in await h.hub.events(first.id) if e.kind == "followed"]
        assert (event.by, event.channel, event.data["task"]) == ("ann", "phone", second.id)


async def test_answered_on_the_phone_the_task_goes_on_and_a_second_press_is_too_late(
    where: Paths, settings: Settings, home: Path
) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        answer = await ctx.ask(Blocker("may-i", BlockerKind.APPROVAL, "May I?"))
        return Result(answer.action)

    async with at_work(where, settings, work) as (h, server, phone, _):
        first = await h.submit()
        await soon(lambda: phone.shown)
        (shown,) = phone.shown
        assert [one["label"] for one in shown["actions"]] == ["Approve", "Deny", "Cancel task"]
        await phone.press(shown, "Approve")
        await until(h.hub, first.id, Status.COMPLETED)
        await phone.press(shown, "Deny")

        second = await h.submit()
        await until(h.hub, second.id, Status.BLOCKED)
        await soon(lambda: phone.shown)
        await h.hub.decide(second.id, Action.DENY)
        await soon(lambda: not phone.shown)

        async def both_are_written_down() -> bool:
            found = {(e.what, e.channel, e.action) for e in await h.hub.audit(first.id)}
            wanted = {("decided", "phone", "approve"), ("refused", "phone", "deny")}
            return found == wanted

        await eventually(both_are_written_down)
    secret = [one["message"].split()[0] for one in server.kept if one["topic"] == "answers"]
    assert len(secret) == 2
    for path in home.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert [one for one in secret if one.encode() in data] == [], path
