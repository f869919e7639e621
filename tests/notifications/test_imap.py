"""A mailbox as a real server has it, and servers that refuse, hang, or say too much."""

import asyncio
import logging
import ssl
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from imap_server import PASSWORD, USER, mailbox
from smtp_server import certificate
from support import soon

from taskhub_tui.notifications.channels import imap as reading
from taskhub_tui.notifications.channels.imap import MAIL, Mailbox, News
from taskhub_tui.notifications.message import DeliveryError

pytestmark = pytest.mark.mailbox

HELLO = b"From: ann@example.org\r\nSubject: Hello\r\n\r\nHello\r\n"
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKHUB_BOX", PASSWORD)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("tls"))


def box(port: int, host: str = "127.0.0.1", **more: object) -> Mailbox:
    given = {"port": port, "security": "none", "timeout": 10.0} | more
    return Mailbox(host, USER, "env:TASKHUB_BOX", **given)


async def refused(mailbox: Mailbox) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await mailbox.new("", 0.0)
    return caught.value


def threads() -> list[str]:
    return [one.name for one in threading.enumerate() if one.name == "mailbox"]


async def test_what_is_new_is_given_once_and_nothing_in_the_mailbox_changes() -> None:
    async with mailbox() as imap:
        hub = box(imap.port)
        assert await hub.new("", time.time()) == News([], False, False)
        imap.deliver(HELLO)
        imap.deliver(b"Subject: long\r\n\r\n" + b"x" * 3 * MAIL)
        imap.deliver(HELLO, ago=9 * 86400)
        found = await hub.new("", time.time())
        assert [mail.raw[:14] for mail in found.mails] == [b"From: ann@exam", b"Subject: long\r"]
        assert all(abs(mail.at - time.time()) < 60 for mail in found.mails)
        assert [len(mail.raw) for mail in found.mails] == [len(HELLO), MAIL]
        last = found.mails[-1].place
        assert [mail.place for mail in (await hub.new(last, time.time())).mails] != [last]
        imap.deliver(HELLO)
        (new,) = [m for m in (await hub.new(last, 0.0)).mails if m.at > time.time() - 86400]
        assert new.raw == HELLO
        assert await hub.new(new.place, 0.0) == News([], False, True)
        await hub.close()
        assert all("S" not in flags for flags in imap.mails()), "none is marked as read"
        # A mailbox that was put back from a copy has numbers of its own.
        imap.number_anew()
        again = await hub.new(new.place, time.time())
        assert not again.numbered
        assert HELLO in [mail.raw for mail in again.mails]
        await hub.close()


async def test_many_mails_are_taken_in_by_and_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "AT_ONCE", 3)
    async with mailbox() as imap:
        hub, seen, place, more = box(imap.port), [], "", True
        for number in range(8):
            imap.deliver(b"Subject: %d\r\n\r\n" % number)
        while more:
            found = await hub.new(place, time.time())
            more, place = found.more, found.mails[-1].place
            assert len(found.mails) <= 3
            seen += [mail.raw.split()[1] for mail in found.mails]
        assert sorted(seen) == [b"%d" % number for number in range(8)]
        await hub.close()


async def test_a_wrong_password_a_folder_that_is_not_there_and_nobody_at_all(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with mailbox() as imap:
        error = await refused(box(imap.port, folder='No "such" \\ place'))
        assert 'does not open the folder No "such" \\ place' in str(error)
        assert not error.retry
        monkeypatch.setenv("TASKHUB_BOX", "wrong-hush")
        error = await refused(box(imap.port))
        assert "refused the user or the password ([AUTHENTICATIONFAILED]" in str(error)
        assert not error.retry
        assert "imap_password" in (error.hint or "")
        assert "wrong-hush" not in f"{error} {error.hint} {caplog.text}"
    error = await refused(box(imap.port))
    assert error.retry
    assert "cannot be reached" in str(error)
    error = await refused(box(993, "no..such.name", security="tls"))
    assert "The mailbox at no..such.name" in str(error)


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_the_password_goes_over_tls_to_a_server_that_is_trusted(
    security: str, pair: tuple[Path, Path]
) -> None:
    trust = ssl.create_default_context(cafile=pair[1])
    async with mailbox(pair) as imap:
        imap.deliver(HELLO)
        port = imap.tls_port if security == "tls" else imap.port
        hub = box(port, "localhost", security=security, tls=trust)
        (mail,) = (await hub.new("", time.time())).mails
        assert mail.raw == HELLO
        await hub.close()
        error = await refused(box(port, "localhost", security=security))
        assert "certificate is not trusted" in str(error)
    async with mailbox() as imap:
        error = await refused(box(imap.port, security="starttls"))
        assert "offers no STARTTLS" in str(error)
        assert not error.retry


async def test_a_connection_that_the_server_ended_is_opened_anew() -> None:
    async with mailbox() as imap:
        hub = box(imap.port)
        await hub.new("", time.time())
        assert hub._line is not None
        hub._line.sock.shutdown(2)
        imap.deliver(HELLO)
        assert len((await hub.new("", time.time())).mails) == 1
        await hub.close()


def test_settings_that_cannot_work_are_said() -> None:
    for given, words in (
        (("", "u", "env:TASKHUB_BOX", {}), "imap_host"),
        (("h x", "u", "env:TASKHUB_BOX", {}), "imap_host"),
        (("h", "", "", {}), "imap_user"),
        (("h", "u", "env:TASKHUB_NONE", {}), "TASKHUB_NONE is not set"),
        (("h", "u", "env:TASKHUB_BOX", {"security": "none"}), "in the clear"),
        (("h", "u", "env:TASKHUB_BOX", {"folder": "Entwürfe"}), "imap_folder"),
    ):
        host, user, reference, more = given
        assert words in (Mailbox(host, user, reference, **more).problem() or "")
    assert Mailbox("h", "u", "env:TASKHUB_BOX").problem() is None


@asynccontextmanager
async def acting(script: Script) -> AsyncIterator[int]:
    """A server on loopback that does as the test says, and ends with it."""
    running: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.append(asyncio.current_task())  # type: ignore[arg-type]
        try:
            await script(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def answer(writer: asyncio.StreamWriter, *lines: bytes) -> None:
    writer.write(b"".join(line + b"\r\n" for line in lines))
    await writer.drain()


async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def trickles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"* OK ")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def talks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await answer(writer, b"* OK hello")
    line = await reader.readline()
    while True:
        await answer(writer, *[b"* " + b"x" * 60_000] * 10, line)


async def ends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await answer(writer, b"* OK hello")
    await reader.readline()


async def gives_too_much(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await answer(writer, b"* OK hello")
    while line := await reader.readline():
        tag, what = line.split()[:2]
        if what == b"CAPABILITY":
            await answer(writer, b"* CAPABILITY IMAP4rev1", tag + b" OK done")
        elif what == b"LOGIN":
            await answer(writer, b"* 1 FETCH (BODY[] {99999999999}", b"x" * 1000)
        else:
            await answer(writer, tag + b" BAD what?")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (hangs, "did not answer within 0.5 s"),
        (trickles, "did not answer within 0.5 s"),
        (talks, ""),
        (ends, "broke off"),
        (gives_too_much, "it says more than was asked for"),
    ],
)
async def test_whatever_a_server_does_a_look_ends_and_leaves_no_thread(
    script: Script, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKHUB_BOX", "plain-hush")
    async with acting(script) as port:
        began = time.monotonic()
        error = await refused(box(port, timeout=0.5))
        assert time.monotonic() - began < 5
        assert error.retry
        assert words in str(error)
        await soon(lambda: not threads())


async def test_a_worker_that_stops_waits_for_no_server() -> None:
    async with acting(hangs) as port:
        looking = asyncio.create_task(box(port, timeout=60.0).new("", 0.0))
        await soon(threads)
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking
        await soon(lambda: not threads())
