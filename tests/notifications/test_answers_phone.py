"""From a question to a button on a phone and back, through a real worker and a loopback ntfy."""

from dataclasses import replace
from pathlib import Path

from ntfy_server import Ntfy, Phone
from support import ScriptedAgent, eventually, house, soon, until, working

from taskhub_tui.agents.port import Blocker, Result, Stage, StageContext
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.model import Action, BlockerKind, Status
from taskhub_tui.notifications.channels.ntfy import NtfyChannel
from taskhub_tui.notifications.policy import Channel


async def test_answered_on_the_phone_the_task_goes_on_and_a_second_press_is_too_late(
    where: Paths, settings: Settings, home: Path
) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        answer = await ctx.ask(Blocker("may-i", BlockerKind.APPROVAL, "May I?"))
        return Result(answer.action)

    async with Ntfy().running() as server:
        phone = Phone(server, "alarms")
        table = {"enabled": True, "server": server.url, "topic": "alarms", "reply_topic": "answers"}
        wishes = {
            "desktop": {"enabled": False},
            "phone": {**table, "unanswered_after": 0},
            "quiet": {"enabled": False},
        }
        settings = replace(settings, notifications=wishes)
        more = {
            Channel.PHONE: NtfyChannel(server.url, "alarms", reply_topic="answers"),
        }
        async with (
            house(where, settings, ScriptedAgent("actor", work)) as h,
            working(where, settings, registry=h.registry, more=lambda _: more),
        ):
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
