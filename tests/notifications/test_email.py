"""Mail as it arrives at a real server, and what the server's refusals mean."""

import asyncio
import logging
import re
import ssl
from collections.abc import AsyncIterator
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path

import pytest
from smtp_server import Post, certificate, serving

from taskhub_tui.notifications.channels.email import EmailChannel
from taskhub_tui.notifications.channels.imap import Mailbox
from taskhub_tui.notifications.message import DeliveryError, Message

PASSWORD = "hush-hush-hush"
TOKENS = {"approve": "A" * 43, "deny": "D" * 43}
LINK = "https://hub.example/a/tok?x=1&y=2"


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    async with serving() as server:
        yield server


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("tls"))


def mailing(port: int, **more: object) -> EmailChannel:
    given = {"port": port, "security": "none", "hub": "h1", "timeout": 5.0} | more
    return EmailChannel("localhost", "hub@example.org", "Ann <ann@example.org>", **given)


def question(**changes: object) -> Message:
    given = {
        "key": "taskhub-7",
        "title": "Needs you: Deploy",
        "body": "Deploy now?\ntask ab12",
        "buttons": (("approve", "Approve"), ("deny", "Deny")),
        "link": LINK,
        "tokens": TOKENS,
        "thread": "ab12",
    }
    return Message(**(given | changes))


def part(mail: EmailMessage, kind: str) -> str:
    found = mail.get_body((kind,))
    assert found is not None
    return str(found.get_content()).replace("\r\n", "\n")


async def refused(channel: EmailChannel) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await channel.send(question())
    return caught.value


async def test_a_mail_says_what_is_asked_and_where_to_answer(post: Post) -> None:
    channel = mailing(post.port)
    assert await channel.available() is None
    await channel.send(question(code="K7QM"))
    (mail,) = post.mails
    assert post.recipients == [["ann@example.org"]]
    assert mail["Subject"] == "Needs you: Deploy"
    assert (mail["From"], mail["To"]) == ("TaskHub <hub@example.org>", "ann@example.org")
    assert mail["Auto-Submitted"] == "auto-generated"
    for kind in ("plain", "html"):
        assert "Deploy now?\ntask ab12" in part(mail, kind)
        assert "K7QM" in part(mail, kind)
    assert LINK in part(mail, "plain")
    assert f'href="{LINK.replace("&", "&amp;")}"' in part(mail, "html")
    assert not any(token in post.raw[0].decode() for token in TOKENS.values())


async def test_repeats_have_one_id_and_mails_of_a_task_stand_together(post: Post) -> None:
    channel = mailing(post.port)
    await channel.send(question())
    await channel.send(question())
    await channel.send(question(key="taskhub-8", title="Done"))
    await mailing(post.port, hub="h2").send(question())
    ids = [mail["Message-ID"] for mail in post.mails]
    assert ids[0] == ids[1] == "<taskhub-7.h1@example.org>"
    assert len(set(ids)) == 3
    threads = [mail["References"] for mail in post.mails]
    assert threads[:3] == ["<task-ab12.h1@example.org>"] * 3
    assert threads[3] != threads[0]
    assert all(mail["In-Reply-To"] == mail["References"] for mail in post.mails)


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.found.append((tag, dict(attrs)))


HOSTILE = (
    '<img src=x onerror=a()></p><a href="//evil">y</a>&amp;"\'\x1b]0;t\x07\r\nBcc: b@c.d\r\n.\r\n'
)


async def test_nothing_from_outside_becomes_a_header_or_a_tag(post: Post) -> None:
    channel = mailing(post.port)
    await channel.send(
        question(title=HOSTILE, body=HOSTILE, thread=HOSTILE, key=HOSTILE, code=HOSTILE)
    )
    await channel.send(question(link='javascript:alert(1)//"><img src=x>'))
    mail, other = post.mails
    assert mail["Bcc"] is None
    assert post.recipients[0] == ["ann@example.org"]
    assert "\x1b" not in post.raw[0].decode()
    assert {tag for tag, _ in Tags(part(mail, "html")).found} == {
        "html", "head", "meta", "body", "p", "a", "b",
    }  # fmt: skip
    assert [found["href"] for tag, found in Tags(part(mail, "html")).found if tag == "a"] == [LINK]
    assert "<img src=x onerror=a()>" in part(mail, "plain")
    assert not any(tag in ("a", "img") for tag, _ in Tags(part(other, "html")).found)
    assert re.fullmatch(r"<[-._A-Za-z0-9]+@example\.org>", mail["Message-ID"])


async def test_letters_of_all_languages_arrive(post: Post) -> None:
    await mailing(post.port).send(question(title="Würzburg 駅 🚉", body="é" * 3000 + "\ud800"))
    assert post.mails[0]["Subject"] == "Würzburg 駅 🚉"
    assert "é" * 3000 in part(post.mails[0], "plain")


async def test_details_can_be_kept_back(post: Post) -> None:
    await mailing(post.port, details=False).send(question(body="the secret plan"))
    (mail,) = post.mails
    assert mail["Subject"] == "Task ab12 needs you"
    assert "secret plan" not in post.raw[0].decode() + part(mail, "plain") + part(mail, "html")
    assert "Deploy" not in part(mail, "plain")
    assert LINK in part(mail, "plain")


@pytest.mark.parametrize(
    ("when", "says", "retry", "words"),
    [
        ("DATA", "451 try later", True, "did not take the mail (451 try later)"),
        ("DATA", "552 too large", False, "did not take the mail (552 too large)"),
        ("RCPT", "450 greylisted", True, "does not take mail for the address in `to` (450"),
        ("RCPT", "550 no such user", False, "in `to` (550 no such user)"),
    ],
)
async def test_a_refusal_says_if_it_is_for_good(
    post: Post, when: str, says: str, retry: bool, words: str
) -> None:
    post.says[when] = says
    error = await refused(mailing(post.port))
    assert error.retry is retry
    assert str(error).startswith("The mail server localhost ")
    assert words in str(error)
    assert not post.mails


async def test_nobody_there_and_a_server_that_is_silent_are_worth_another_try() -> None:
    error = await refused(mailing(9))
    assert error.retry
    assert "cannot be reached" in str(error)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        gone.set()

    gone = asyncio.Event()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        channel = mailing(server.sockets[0].getsockname()[1], timeout=0.3)
        error = await refused(channel)
        await gone.wait()
    assert error.retry
    assert str(error) == "The mail server localhost did not answer within 0.3 s"


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_the_password_goes_over_tls_to_a_server_that_is_trusted(
    security: str, pair: tuple[Path, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    kept = tmp_path / "password"
    kept.write_text(PASSWORD)
    kept.chmod(0o600)
    trust = ssl.create_default_context(cafile=pair[1])
    async with serving(pair, tls=security == "tls", auth_required=True) as post:
        post.password = PASSWORD.encode()
        given = {"security": security, "user": "ann", "password": f"file:{kept}"}
        await mailing(post.port, tls=trust, **given).send(question())
        assert (post.logins, post.encrypted) == ([(b"ann", PASSWORD.encode())], [True])

        error = await refused(mailing(post.port, **given))
        assert "certificate is not trusted" in str(error)

        kept.write_text("wrong-hush")
        error = await refused(mailing(post.port, tls=trust, **given))
        assert not error.retry
        assert "refused the user or the password (535" in str(error)
        assert "wrong-hush" not in f"{error} {error.hint} {caplog.text}"
    assert PASSWORD not in caplog.text
    assert len(post.mails) == 1


async def test_without_tls_where_it_was_asked_for_nothing_is_sent(post: Post) -> None:
    error = await refused(mailing(post.port, security="starttls"))
    assert not error.retry
    assert "STARTTLS" in str(error)
    assert not post.mails


async def test_settings_that_cannot_work_are_said_before_anything_is_sent() -> None:
    for given, words in (
        (("", "a@b.c", "a@b.c", {}), "host must be"),
        (("h", "nobody", "a@b.c", {}), "sender must be"),
        (("h", "a@b.c", "a@b.c, d@e.f", {}), "to must be one address"),
        (("h", "a@b.c", "a@b.c\nBcc: x@y.z", {}), "to must be one address"),
        (("h", "a@b.c", "a@b.c", {"user": "a", "security": "none"}), "in the clear"),
        (("h", "a@b.c", "a@b.c", {"password": "env:TASKHUB_NONE"}), "TASKHUB_NONE is not set"),
    ):
        host, sender, to, more = given
        channel = EmailChannel(host, sender, to, **more)
        assert words in (await channel.available() or "")
        assert not (await refused(channel)).retry


def mailbox() -> Mailbox:
    return Mailbox("localhost", "hub", "env:TASKHUB_NONE", port=9, security="none")


async def test_only_where_replies_are_read_a_mail_says_how_to_reply(post: Post) -> None:
    await mailing(post.port, mailbox=mailbox(), reply_to="Hub <in@example.org>").send(question())
    await mailing(post.port, mailbox=mailbox()).send(question(link="", code="K7QM"))
    await mailing(post.port).send(question())
    mail, coded, unread = post.mails
    assert mail["Reply-To"] == "in@example.org"
    assert coded["Reply-To"] is None, "replies go to the sender by themselves"
    for kind in ("plain", "html"):
        said = part(mail, kind)
        assert "Reply to this mail: begin with approve or deny; add what you have to say." in said
        assert f"[taskhub approve={TOKENS['approve']} deny={TOKENS['deny']}]" in said
        assert "To approve, write: approve K7QM" in part(coded, kind)
        assert "If the page asks" not in part(coded, kind), "there is no page"
        assert "Reply to" not in part(unread, kind)
    assert [one.partition("@")[0] for one in mail["References"].split()] == [
        "<task-ab12.h1",
        f"<taskhub-answer.approve.{TOKENS['approve']}",
        f"<taskhub-answer.deny.{TOKENS['deny']}",
    ]
    assert unread["References"] == unread["In-Reply-To"]


async def test_a_question_that_wants_words_is_answered_by_them(post: Post) -> None:
    tokens = {"context": "C" * 43, "deny": "D" * 43, "next-1": "N" * 43}
    asking = question(buttons=(("deny", "Deny"),), tokens=tokens, words=True)
    await mailing(post.port, mailbox=mailbox()).send(asking)
    said = part(post.mails[0], "plain")
    assert "Reply to this mail with your answer." in said
    assert "One of these words alone decides instead: deny." in said
    assert f"[taskhub answer={tokens['context']} deny={tokens['deny']}]" in said
    assert tokens["next-1"] not in post.raw[0].decode(), "what starts a task is looked at first"


async def test_what_a_mail_hides_is_not_approved_by_a_reply_to_it(post: Post) -> None:
    await mailing(post.port, mailbox=mailbox(), details=False).send(question())
    assert TOKENS["approve"] not in post.raw[0].decode()
    assert f"[taskhub deny={TOKENS['deny']}]" in part(post.mails[0], "plain")


async def test_ids_are_whole_however_long_the_domain_is(post: Post) -> None:
    sender = f"hub@{'a' * 60}.{'b' * 60}.example.org"
    box = mailbox()
    given = {"port": post.port, "security": "none", "hub": "0123456789ab", "mailbox": box}
    await EmailChannel("localhost", sender, "ann@example.org", **given).send(question())
    head = post.raw[0].decode().partition("\r\n\r\n")[0]
    assert "=?utf-8?" not in head
    for name in (post.mails[0]["Message-ID"], *TOKENS.values()):
        assert name in head


async def test_whoever_stops_it_is_heard_wherever_it_is(post: Post) -> None:
    # `wait_for` of Python 3.11 forgets it where the server answers just then: workers never ended.
    for turns in range(60):
        sending = asyncio.create_task(mailing(post.port).send(question()))
        for _ in range(turns):
            await asyncio.sleep(0)
        if sending.cancel():
            with pytest.raises(asyncio.CancelledError):
                await sending
