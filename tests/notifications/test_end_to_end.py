"""The whole way: a real worker process, a real desktop, a loopback ntfy and a loopback mail server.

Nobody has the app open. A question comes to the desktop, then to the phone, then by mail, as the
settings say; it is answered on the phone, and then nothing asks it any more.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientSession
from desktop_session import Session, wait_for
from imap_server import PASSWORD, Imap, mailbox
from ntfy_server import Ntfy, Phone
from replies import reply_to
from smtp_server import Post, serving
from support import eventually, soon, until

from taskhub_tui.domain.model import NewTask, StageSpec, Status, Task
from taskhub_tui.hub import Hub

pytestmark = pytest.mark.desktop

SETTINGS = """
owner = "ann"
[notifications.phone]
enabled = true
server = "{ntfy}"
topic = "alarms"
reply_topic = "answers"
unanswered_after = 0.4
[notifications.email]
enabled = true
host = "127.0.0.1"
port = {smtp}
security = "none"
sender = "hub@example.org"
to = "ann@example.org"
unanswered_after = 0.8
{mailbox}
[notifications.quiet]
enabled = false
[notifications.callback]
enabled = true
"""
MAILBOX = """
imap_host = "127.0.0.1"
imap_port = {port}
imap_security = "none"
imap_user = "hub"
imap_password = "env:TASKHUB_BOX"
"""


def write(home: Path, ntfy: Ntfy, post: Post, imap: Imap | None = None) -> None:
    box = "" if imap is None else MAILBOX.format(port=imap.port)
    text = SETTINGS.format(ntfy=ntfy.url, smtp=post.port, mailbox=box)
    (home / "config.toml").write_text(text)


@asynccontextmanager
async def worker(session: Session, home: Path) -> AsyncIterator[None]:
    """Run a worker as the keeper does, on this desktop."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "taskhub_tui.worker",
        env={**os.environ, **session.env, "TASKHUB_HOME": str(home)},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        async with asyncio.timeout(20):
            await process.wait()


async def warm(session: Session, hub: Hub) -> None:
    """Have the worker load what it needs for a desktop, which takes longer than the waits here."""
    await hub.try_channel("desktop")

    async def tried() -> bool:
        trial = await hub.trial("desktop")
        return trial is not None and trial.tried is not None and trial.said is None

    await eventually(tried)
    await asyncio.to_thread(session.run, "dunstctl", "close-all")


async def ways(hub: Hub, task: Task) -> list[str]:
    """Over which channels a task was told, in this order."""
    return [event.channel for event in await hub.events(task.id) if event.kind == "told"]


async def status_of(link: str) -> int:
    async with ClientSession() as http, http.get(link) as page:
        return page.status


async def press(phone: Phone, label: str) -> None:
    (asked,) = phone.shown
    assert await phone.press(asked, label) == 200


def link_in(post: Post) -> str:
    (mail,) = post.mails
    body = mail.get_body(("plain",))
    assert body is not None
    return next(line for line in body.get_content().splitlines() if line.startswith("http://"))


async def test_it_comes_by_three_ways_one_after_the_other_and_one_answer_takes_all_back(
    session: Session, home: Path
) -> None:
    await asyncio.to_thread(session.start_dunst)
    async with Ntfy().running() as ntfy, serving() as post:
        write(home, ntfy, post)
        phone = Phone(ntfy, "alarms")
        command = ["sh", "-c", "echo deployed"]
        stage = StageSpec("deploy", "command", options={"argv": command}, gate=True)
        async with (
            await Hub.open(autostart=False) as hub,
            worker(session, home),
        ):
            await warm(session, hub)
            task = await hub.submit(NewTask("Deploy", agent="command", stages=(stage,)))
            await soon(lambda: post.mails)

            async def told_everywhere() -> bool:
                return len(await ways(hub, task)) == 3

            await eventually(told_everywhere)
            assert await ways(hub, task) == ["desktop", "phone", "email"]
            assert session.shown() == 1
            (asked,) = phone.shown
            assert asked["title"] == "Needs you: Deploy"
            for words in ("echo deployed", task.id, f"taskhub show {task.id}"):
                assert words in asked["message"]
            link = link_in(post)
            assert await status_of(link) == 200
            assert (await hub.status(task.id)).task.status is Status.BLOCKED

            await press(phone, "Approve")
            view = await until(hub, task.id, Status.COMPLETED)
            assert view.task.summary == "deployed"
            (decided,) = [e for e in await hub.events(task.id) if e.kind == "decided"]
            assert (decided.by, decided.channel) == ("ann", "phone")

            async def all_taken_back() -> bool:
                told = [one for one in await hub.told(task.id) if one.notification.blocker_id]
                states = {way.channel: way.state for one in told for way in one.tellings}
                return {states[name] for name in ("desktop", "phone", "email")} == {"withdrawn"}

            await eventually(all_taken_back)
            await asyncio.to_thread(wait_for, lambda: session.shown() == 0, "the bubble is gone")
            assert phone.shown == []
            assert ("DELETE", f"/alarms/{asked['sequence_id']}") in [r[:2] for r in ntfy.requests]
            assert await status_of(link) == 410
            assert await ways(hub, task) == ["desktop", "phone", "email"]
            assert len(post.mails) == 1


async def test_what_may_not_be_undone_is_asked_twice_on_the_phone_and_never_by_the_desktop(
    session: Session, home: Path
) -> None:
    await asyncio.to_thread(session.start_dunst)
    async with Ntfy().running() as ntfy, serving() as post:
        write(home, ntfy, post)
        phone = Phone(ntfy, "alarms")
        script = '"$TASKHUB_ASK" --risk high "Delete the old data?" && echo deleted'
        stage = StageSpec("tidy", "command", options={"argv": ["sh", "-c", script]})
        async with (
            await Hub.open(autostart=False) as hub,
            worker(session, home),
        ):
            await warm(session, hub)
            task = await hub.submit(NewTask("Tidy up", agent="command", stages=(stage,)))
            await soon(lambda: post.mails)
            await asyncio.to_thread(session.press, "Deny it by another name")
            menu = session.folder / "menu"
            await soon(lambda: menu.exists() and "#Deny " in menu.read_text())
            assert "#Approve " not in menu.read_text()

            await press(phone, "Approve")
            await soon(
                lambda: [one["title"] for one in phone.shown] == ["Sure? Needs you: Tidy up"]
            )
            assert "Delete the old data?" in phone.shown[0]["message"]
            assert (await hub.status(task.id)).task.status is Status.BLOCKED
            await press(phone, "Yes, approve")
            view = await until(hub, task.id, Status.COMPLETED)
            assert view.task.summary == "deleted"
            tried = [(e.channel, e.action, e.what) for e in await hub.audit(task.id)]
            assert tried == [("phone", "approve", "decided"), ("phone", "approve", "asked again")]
            await asyncio.to_thread(wait_for, lambda: session.shown() == 0, "the bubble is gone")
            await soon(lambda: phone.shown == [])


@pytest.mark.mailbox
async def test_a_mail_is_answered_by_a_reply_and_the_other_copies_go_away(
    session: Session, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKHUB_BOX", PASSWORD)
    await asyncio.to_thread(session.start_dunst)
    async with Ntfy().running() as ntfy, serving() as post, mailbox() as imap:
        write(home, ntfy, post, imap)
        phone = Phone(ntfy, "alarms")
        script = 'reply=$("$TASKHUB_ASK" --input "Which vault first?") && echo "$reply"'
        stage = StageSpec("tidy", "command", options={"argv": ["sh", "-c", script]})
        async with (
            await Hub.open(autostart=False) as hub,
            worker(session, home),
        ):
            await warm(session, hub)
            task = await hub.submit(NewTask("Back up", agent="command", stages=(stage,)))
            await soon(lambda: post.mails and phone.shown)
            (mail,) = post.mails
            assert (await hub.status(task.id)).task.status is Status.BLOCKED
            imap.deliver(reply_to(mail, "No vault but eu-1, please\n\n-- \nAnn"))
            view = await until(hub, task.id, Status.COMPLETED)
            assert view.task.summary == "No vault but eu-1, please"
            (decided,) = [e for e in await hub.events(task.id) if e.kind == "decided"]
            assert (decided.by, decided.channel) == ("ann", "email")
            tried = [(e.channel, e.action, e.what) for e in await hub.audit(task.id)]
            assert tried == [("email", "context", "decided")]
            await asyncio.to_thread(wait_for, lambda: session.shown() == 0, "the bubble is gone")
            await soon(lambda: phone.shown == [])
            assert await status_of(link_in(post)) == 410
    for file in home.rglob("*"):
        if file.is_file():
            assert PASSWORD.encode() not in file.read_bytes(), file
