"""From a question to a mail and a reply to it, through a real worker, mail server and mailbox."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from email.message import EmailMessage
from pathlib import Path

import pytest
from imap_server import PASSWORD, USER, Imap, mailbox
from replies import reply_to
from smtp_server import Post, serving
from support import House, ScriptedAgent, eventually, house, soon, until, working

from taskhub_tui import diagnosis
from taskhub_tui.agents.port import Blocker, Result, Stage, StageContext
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.model import BlockerKind, Status, Task
from taskhub_tui.notifications.channels import mail_replies
from taskhub_tui.notifications.channels.bookmark import FileBookmark
from taskhub_tui.notifications.channels.imap import Mailbox
from taskhub_tui.notifications.channels.mail_replies import FIRST, LONGEST, MailReplies
from taskhub_tui.notifications.channels.mail_reply import Reply
from taskhub_tui.worker import serve

pytestmark = pytest.mark.mailbox


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKHUB_BOX", PASSWORD)
    monkeypatch.setattr(mail_replies, "EVERY", 0.05)


@dataclass
class Scene:
    """A hub whose agent asks by mail, and the person's mailbox and that of the hub."""

    h: House
    post: Post
    imap: Imap

    async def ask(self, title: str = "Do it") -> tuple[Task, EmailMessage]:
        task = await self.h.submit(title)
        await soon(lambda: self.mails_of(task))
        return task, self.mails_of(task)[-1]

    def mails_of(self, task: Task) -> list[EmailMessage]:
        return [one for one in self.post.mails if f"<task-{task.id}." in str(one["References"])]

    async def verdicts(self) -> list[str]:
        found = await self.h.hub.audit()
        return sorted(one.verdict for one in found if one.verdict)

    async def until_refused(self, *verdicts: str) -> None:
        async def so() -> bool:
            return await self.verdicts() == sorted(verdicts)

        await eventually(so)

    async def decided(self, task: Task) -> list[tuple[str, str, str | None]]:
        events = await self.h.hub.events(task.id)
        found = [e for e in events if e.kind == "decided"]
        return [(e.by, e.channel, e.data["action"]) for e in found]


def settings_for(settings: Settings, post: Post, imap: Imap) -> Settings:
    mail = {
        "enabled": True, "unanswered_after": 0, "host": "127.0.0.1", "port": post.port,
        "security": "none", "sender": "hub@example.org", "to": "Ann <ann@example.org>",
        "imap_host": "127.0.0.1", "imap_port": imap.port, "imap_security": "none",
        "imap_user": USER, "imap_password": "env:TASKHUB_BOX",
    }  # fmt: skip
    wishes = {"desktop": {"enabled": False}, "email": mail, "quiet": {"enabled": False}}
    return replace(settings, notifications=wishes)


@asynccontextmanager
async def scene(
    where: Paths,
    settings: Settings,
    *,
    risk: str = "low",
    kind: BlockerKind = BlockerKind.APPROVAL,
) -> AsyncIterator[Scene]:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        answer = await ctx.ask(Blocker("may-i", kind, "Drop the table?", risk=risk))
        return Result(f"{answer.action}: {answer.text}")

    async with serving() as post, mailbox() as imap:
        settings = settings_for(settings, post, imap)
        async with house(where, settings, ScriptedAgent("actor", work)) as h:
            yield Scene(h, post, imap)


@asynccontextmanager
async def at_work(s: Scene) -> AsyncIterator[None]:
    async with working(s.h.where, s.h.settings, registry=s.h.registry):
        yield


async def test_a_reply_decides_once_and_what_is_no_reply_changes_nothing(
    where: Paths, settings: Settings
) -> None:
    async with scene(where, settings) as s, at_work(s):
        task, asked = await s.ask()
        s.imap.deliver(b"From: shop@example.org\r\nSubject: Buy!\r\n\r\napprove\r\n")
        s.imap.deliver(reply_to(asked, "approve", **{"Auto-Submitted": "auto-replied"}))
        s.imap.deliver(reply_to(asked, "approve", sender="Eve <eve@example.org>"))
        await s.until_refused("refused")
        assert (await s.h.hub.status(task.id)).task.status is Status.BLOCKED
        assert len(s.mails_of(task)) == 1, "a stranger is told nothing"

        s.imap.deliver(reply_to(asked, "No, not on\na Friday"))
        view = await until(s.h.hub, task.id, Status.COMPLETED)
        assert view.task.summary == "decline: not on\na Friday"
        assert await s.decided(task) == [("ann", "email", "deny")]

        other, asked_too = await s.ask("Another one")
        s.imap.deliver(reply_to(asked, "yes"))
        await soon(lambda: len(s.mails_of(task)) == 2)
        told = s.mails_of(task)[-1]
        assert told["Subject"] == "Your answer was not taken"
        assert "[taskhub " not in told.as_string()
        s.imap.deliver(reply_to(asked_too, "yes", quotes=False))
        await until(s.h.hub, other.id, Status.COMPLETED)
        assert await s.verdicts() == ["refused", "spent"]
        assert len(s.imap.mails()) >= 1
        assert all("S" not in flags for flags in s.imap.mails())


async def test_what_may_not_be_undone_takes_the_code_that_the_mail_names(
    where: Paths, settings: Settings
) -> None:
    async with scene(where, settings, risk="high") as s, at_work(s):
        task, asked = await s.ask()
        body = asked.get_body(("plain",))
        assert body is not None
        code = body.get_content().partition("To approve, write: approve ")[2].split()[0]
        wrong = "AAAA" if code != "AAAA" else "BBBB"
        for words in ("approve", f"approve {wrong} please"):
            s.imap.deliver(reply_to(asked, words))
        await s.until_refused("code", "code")
        await soon(lambda: len(s.mails_of(task)) == 3)
        assert "Type the four letters" in s.mails_of(task)[-1].as_string()
        assert (await s.h.hub.status(task.id)).task.status is Status.BLOCKED
        s.imap.deliver(reply_to(asked, f"Approve {code.lower()}, go on"))
        view = await until(s.h.hub, task.id, Status.COMPLETED)
        assert view.task.summary == "accept: go on"
        assert await s.decided(task) == [("ann", "email", "approve")]


async def test_words_answer_a_question_that_wants_words(where: Paths, settings: Settings) -> None:
    async with scene(where, settings, kind=BlockerKind.INPUT) as s, at_work(s):
        task, asked = await s.ask()
        s.imap.deliver(reply_to(asked, "No, take eu-1\nand nothing else"))
        view = await until(s.h.hub, task.id, Status.COMPLETED)
        assert view.task.summary == "accept: No, take eu-1\nand nothing else"


async def test_the_next_worker_reads_on_where_the_last_one_stood(
    where: Paths, settings: Settings
) -> None:
    async with scene(where, settings, risk="high") as s:
        async with at_work(s):
            _, asked = await s.ask()
            s.imap.deliver(reply_to(asked, "approve ABCD"))
            await s.until_refused("code")
        # It came while nobody looked.
        s.imap.deliver(reply_to(asked, "approve EFGH"))
        async with at_work(s):
            await s.until_refused("code", "code")
            task, second = await s.ask("Another one")
            s.imap.deliver(reply_to(second, "no"))
            await until(s.h.hub, task.id, Status.COMPLETED)
        assert await s.verdicts() == ["code", "code"], "each is looked at once"


async def test_a_mailbox_that_cannot_be_read_is_said_and_left_alone_for_longer_and_longer(
    where: Paths, settings: Settings, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    async with serving() as post, mailbox() as imap:
        settings = settings_for(settings, post, imap)

        async def said() -> tuple[str, str]:
            tried = await diagnosis.try_channels(where, settings, ["email"])
            checks = await diagnosis.checks(where, settings)
            (check,) = [one for one in checks if one.name == "mail replies"]
            return f"{tried[0].state}: {tried[0].said}", f"{check.state}: {check.message}"

        tried, check = await said()
        assert tried.startswith("ok: 127.0.0.1 took a mail for ")
        assert tried.endswith("Replies to it can be read.")
        assert check == "ok: 127.0.0.1 can be read"
        monkeypatch.setenv("TASKHUB_BOX", "wrong-hush")
        tried, check = await said()
        assert "fail: Mails go out, but replies to them cannot be read" in tried
        assert check.startswith("warn: The mailbox at 127.0.0.1 refused the user or the password")
        assert "wrong-hush" not in tried + check + caplog.text

        box = Mailbox("127.0.0.1", USER, "env:TASKHUB_BOX", port=imap.port, security="none")
        reading = MailReplies(box, nothing, always, FileBookmark(where.home / "mark"))
        assert await reading.look() == LONGEST, "or the account may be locked"
    waits = [await reading.look() for _ in range(7)]
    assert waits == [FIRST * 2, FIRST * 4, FIRST * 8, FIRST * 16, LONGEST, LONGEST, LONGEST]
    words = [r.message for r in caplog.records if r.name == "taskhub.mail"]
    assert len(words) == 2, "the same is said once"


async def nothing(reply: Reply) -> None:
    raise AssertionError(reply)


async def always() -> float | None:
    return 0.0


async def test_while_no_answer_is_awaited_nobody_is_connected(home: Path) -> None:
    async with mailbox() as imap:
        waits: list[float | None] = [None, 0.0, None]
        taken: list[Reply] = []

        async def since() -> float | None:
            return waits.pop(0)

        async def answered(reply: Reply) -> None:
            taken.append(reply)

        box = Mailbox("127.0.0.1", USER, "env:TASKHUB_BOX", port=imap.port, security="none")
        reading = MailReplies(box, answered, since, FileBookmark(home / "mark"), every=9.0)
        assert await reading.look() == 9.0
        assert "Login" not in imap.said()
        assert await reading.look() == 9.0
        await soon(lambda: "Login: user=<hub>" in imap.said())
        assert await reading.look() == 9.0
        await soon(lambda: "Logged out" in imap.said())
        assert taken == []


async def test_an_answer_that_could_not_be_taken_is_read_again(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from replies import TOKENS, sent_by_us

    from taskhub_tui.domain.errors import StoreError

    caplog.set_level(logging.WARNING)
    async with mailbox() as imap:
        taken: list[str] = []

        async def answered(reply: Reply) -> None:
            taken.append(reply.line)
            if len(taken) == 1:
                raise StoreError("The database is busy")

        box = Mailbox("127.0.0.1", USER, "env:TASKHUB_BOX", port=imap.port, security="none")
        reading = MailReplies(box, answered, always, FileBookmark(home / "mark"), every=9.0)
        imap.deliver(reply_to(sent_by_us(), "no"))
        assert await reading.look() == FIRST
        assert await reading.look() == 9.0
        assert await reading.look() == 9.0
        assert taken == [f"{TOKENS['deny']} deny"] * 2
        # Numbered anew, the mailbox gives all of it again; the time it came in tells.
        await box.close()
        imap.number_anew()
        imap.deliver(reply_to(sent_by_us(), "yes"))
        await reading.look()
        assert taken[2:] == [f"{TOKENS['approve']} approve"]
        await box.close()


async def test_what_is_only_suggested_keeps_no_worker_waiting_for_a_reply(
    where: Paths, settings: Settings
) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        follow_up = {"title": "Watch it", "request": "Watch it for an hour", "agent": "actor"}
        return Result("done", data={"follow_ups": [follow_up]})

    async with serving() as post, mailbox() as imap:
        settings = settings_for(settings, post, imap)
        settings.notifications["email"]["completion_after"] = 0  # type: ignore[index]
        async with house(where, settings, ScriptedAgent("actor", work)) as h:
            task = await h.submit()
            async with asyncio.timeout(30):
                await serve(where, settings, registry=h.registry, idle_exit=0.4)
            (mail,) = post.mails
            assert "Next, if you like: Watch it" in mail.as_string()
            assert (await h.hub.status(task.id)).task.status is Status.COMPLETED
