"""From a question to a code in an SMS and back, through a real worker and a loopback service."""

from dataclasses import replace
from pathlib import Path

import pytest
from sms_server import ACCOUNT, TOKEN, Twilio
from support import ScriptedAgent, eventually, house, soon, until, working

from taskhub_tui.agents.port import Blocker, Result, Stage, StageContext
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.model import BlockerKind, Status
from taskhub_tui.notifications.channels import sms_replies
from taskhub_tui.notifications.channels.bookmark import FileBookmark
from taskhub_tui.notifications.channels.sms import SmsChannel
from taskhub_tui.notifications.channels.sms_replies import SmsReplies

OURS, PERSON = "+15005550006", "+4915112345678"


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKHUB_SMS", TOKEN)
    monkeypatch.setattr(sms_replies, "EVERY", 0.05)


def code_in(sms: dict[str, str]) -> str:
    return sms["body"].rpartition("Answer: ")[2].split()[0]


async def test_the_code_and_a_word_decide_and_what_is_risky_is_no_exception(
    where: Paths, settings: Settings
) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        asked = Blocker("may-i", BlockerKind.APPROVAL, "Drop the table?", risk="high")
        answer = await ctx.ask(asked)
        return Result(f"{answer.action}: {answer.text}")

    async with Twilio().running() as service:
        table = {
            "enabled": True, "unanswered_after": 0, "at_least": "low", "url": service.url,
            "account": ACCOUNT, "token": "env:TASKHUB_SMS", "sender": OURS, "to": PERSON,
        }  # fmt: skip
        wishes = {"desktop": {"enabled": False}, "sms": table, "quiet": {"enabled": False}}
        settings = replace(settings, notifications=wishes)
        async with (
            house(where, settings, ScriptedAgent("actor", work)) as h,
            working(where, settings, registry=h.registry),
        ):
            task = await h.submit()
            await soon(lambda: service.sent)
            (sms,) = service.sent
            assert "Drop the table" not in sms["body"], "details are hidden"
            assert "approve" not in sms["body"], "what nobody sees here, and may not be undone"
            service.write_back(f"{code_in(sms)} yes", of=sms, ago=3600)
            service.write_back("AAAA approve", of=sms)
            service.write_back("Who is this?", of=sms | {"to": "+4900000000"})

            async def wrong_ones_are_written_down() -> bool:
                return len([one for one in await h.hub.audit() if one.verdict == "unknown"]) == 1

            await eventually(wrong_ones_are_written_down)
            assert (await h.hub.status(task.id)).task.status is Status.BLOCKED
            service.write_back(f"{code_in(sms).lower()} No, not on a Friday", of=sms)
            view = await until(h.hub, task.id, Status.COMPLETED)
            assert view.task.summary == "decline: not on a Friday"
            shown = [e.shown for e in await h.hub.audit(task.id) if e.what == "decided"]
            assert shown == [f"TaskHub: task {task.id} needs you"], "and not what it left out"
            (decided,) = [e for e in await h.hub.events(task.id) if e.kind == "decided"]
            assert (decided.by, decided.channel) == ("ann", "sms")
            looks = service.looks
            await h.submit("Another one")
            await soon(lambda: len(service.sent) == 2 and service.looks > looks + 2)
            assert len(await h.hub.audit()) == 2, "each is taken in once"


async def test_nothing_is_asked_of_the_service_while_no_answer_is_awaited(home: Path) -> None:
    async with Twilio().running() as service:
        channel = SmsChannel(ACCOUNT, "env:TASKHUB_SMS", OURS, PERSON, url=service.url)
        waits: list[float | None] = [None, None, 0.0]
        taken: list[str] = []

        async def since() -> float | None:
            return waits.pop(0) if waits else None

        async def answered(line: str) -> None:
            taken.append(line)

        service.write_back("K7PQ approve", of={"from": OURS, "to": PERSON})
        service.came.append({"direction": "inbound", "from": PERSON, "to": OURS, "sid": "../x"})
        mark = FileBookmark(home / "sms-answers")
        replies = SmsReplies(channel, answered, since, mark)
        assert [await replies._look() for _ in range(4)] == [0.05] * 4
        assert (service.looks, taken) == (1, ["K7PQ approve"])
        service.mishaps.append((429, {"Retry-After": "300"}))
        waits.append(0.0)
        assert await replies._look() == 300.0
        await channel.close()

        # The next worker knows what was taken in.
        again = SmsReplies(channel, answered, since, mark)
        again._mark = mark.load()
        waits.append(0.0)
        await again._look()
        assert taken == ["K7PQ approve"]
        await channel.close()


def test_a_sender_that_is_a_mere_name_hears_nothing() -> None:
    for sender, hears in ((OURS, True), ("MG" + "0" * 32, True), ("TaskHub", False)):
        assert SmsChannel(ACCOUNT, "env:T", sender, PERSON).hears is hears
