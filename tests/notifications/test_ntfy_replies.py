"""Answers from the phone: each is handed on once, whatever the connection and strangers do."""

import asyncio
import json
import logging
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from ntfy_server import Ntfy, Phone
from support import soon

from taskhub_tui.domain.errors import StoreBusy
from taskhub_tui.notifications.channels.bookmark import FileBookmark, Mark
from taskhub_tui.notifications.channels.ntfy import NtfyChannel
from taskhub_tui.notifications.channels.ntfy_replies import ReplyStream
from taskhub_tui.notifications.message import Message

ACCESS = "tk_hush0123456789hush"


def line(number: int, said: str = "approve") -> str:
    return f"{number:x>43} {said}"


class Person:
    """What came in, and what is done with it."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.busy = 0

    async def __call__(self, answer: str) -> None:
        if self.busy:
            self.busy -= 1
            raise StoreBusy("The database is busy")
        self.said.append(answer)


@pytest.fixture
async def ntfy() -> AsyncIterator[Ntfy]:
    async with Ntfy(keepalive=0.1).running() as server:
        yield server


@pytest.fixture
def person() -> Person:
    return Person()


@pytest.fixture
def listening(ntfy: Ntfy, person: Person, tmp_path: Path) -> Callable:
    @asynccontextmanager
    async def listen(**more: object) -> AsyncIterator[ReplyStream]:
        async def briefly(seconds: float) -> None:
            pauses.append(seconds)
            await asyncio.sleep(0.01)

        pauses: list[float] = []
        stream = ReplyStream(
            ntfy.url,
            "answers",
            person,
            FileBookmark(tmp_path / "phone.mark"),
            **({"sleep": briefly, "timeout": 1.0} | more),
        )
        stream.pauses = pauses
        running = asyncio.create_task(stream.run())
        try:
            yield stream
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    return listen


async def test_a_button_that_is_pressed_on_the_phone_arrives(
    ntfy: Ntfy, person: Person, listening: Callable
) -> None:
    channel = NtfyChannel(ntfy.url, "alarms", reply_topic="answers")
    token = "t" * 43
    async with listening():
        await channel.send(
            Message("k", "T", "?", (("approve", "Approve"),), tokens={"approve": token})
        )
        phone = Phone(ntfy, "alarms")
        await phone.press(phone.shown[0], "Approve")
        await soon(lambda: person.said == [f"{token} approve"])
    await channel.close()


async def test_it_goes_on_after_the_last_one_when_the_stream_breaks_off(
    ntfy: Ntfy, person: Person, listening: Callable
) -> None:
    async with listening() as stream:
        await soon(lambda: ntfy.streams == 1)
        first = ntfy.put("answers", line(1))
        await soon(lambda: len(person.said) == 1)
        ntfy.drop_streams()
        ntfy.put("answers", line(2))
        await soon(lambda: len(person.said) == 2)
        assert ntfy.since == ["all", first["id"]]
        assert stream.problem is None
    assert person.said == [line(1), line(2)]


async def test_what_came_while_no_worker_ran_is_taken_in_and_nothing_twice(
    ntfy: Ntfy, person: Person, listening: Callable
) -> None:
    async with listening():
        ntfy.put("answers", line(1))
        await soon(lambda: len(person.said) == 1)
    ntfy.put("answers", line(2))
    async with listening():
        await soon(lambda: len(person.said) == 2)
        assert ntfy.since[-1] != "all"
    assert person.said == [line(1), line(2)]


async def test_a_server_that_sends_everything_again_changes_nothing(
    ntfy: Ntfy, person: Person, listening: Callable
) -> None:
    async with listening():
        kept = [ntfy.put("answers", line(n)) for n in range(3)]
        await soon(lambda: len(person.said) == 3)
        # The last one is gone from its cache, so its ID is unknown and all the others come again.
        ntfy.kept.remove(kept[-1])
        ntfy.drop_streams()
        await soon(lambda: ntfy.streams == 2)
        for one in kept:
            ntfy.say(json.dumps(one).encode() + b"\n")
        ntfy.put("answers", line(9))
        await soon(lambda: person.said[-1] == line(9))
    assert person.said == [line(0), line(1), line(2), line(9)]


async def test_what_is_old_is_not_read_again_after_a_restart(
    ntfy: Ntfy, person: Person, listening: Callable, tmp_path: Path
) -> None:
    FileBookmark(tmp_path / "phone.mark").save(Mark("forgotten", 10_000))
    ntfy.put("answers", line(1), time=9_000)
    ntfy.put("answers", line(2), time=10_001)
    async with listening():
        await soon(lambda: bool(person.said))
    assert person.said == [line(2)]


async def test_garbage_is_passed_over(ntfy: Ntfy, person: Person, listening: Callable) -> None:
    async with listening():
        await soon(lambda: ntfy.streams == 1)
        for raw in (
            b"\xff\xfe\n",
            b"{\n",
            b"[]\n",
            b"[" * 50_000 + b"\n",
            b"null\n\n",
            b'{"event": "message"}\n',
            b'{"event": "message", "id": 7, "message": "x", "time": 1, "topic": "answers"}\n',
            json.dumps(
                {"event": "message", "id": "../x", "time": 1, "topic": "answers",
                 "message": line(1)}
            ).encode() + b"\n",
            json.dumps(
                {"event": "message", "id": "a", "time": 1 << 60, "topic": "answers",
                 "message": line(1)}
            ).encode() + b"\n",
            json.dumps(
                {"event": "message", "id": "b", "time": 1, "topic": "another", "message": line(1)}
            ).encode() + b"\n",
            b"x" * 300_000 + line(1).encode() + b"\n",
        ):  # fmt: skip
            ntfy.say(raw)
        for text in ("", "hello", "short approve", "x" * 43, line(1, "x" * 5000), "\x00" * 9):
            ntfy.put("answers", text)
        ntfy.put("answers", line(2, "reply Yes, but\nslowly"))
        await soon(lambda: bool(person.said))
    assert person.said == [line(2, "reply Yes, but\nslowly")]


async def test_an_answer_that_could_not_be_taken_is_read_again(
    ntfy: Ntfy, person: Person, listening: Callable
) -> None:
    person.busy = 3
    async with listening():
        ntfy.put("answers", line(1))
        ntfy.put("answers", line(2))
        await soon(lambda: len(person.said) == 2)
    assert person.said == [line(1), line(2)]


async def test_a_stream_that_says_nothing_is_taken_for_dead(
    ntfy: Ntfy, person: Person, listening: Callable
) -> None:
    ntfy.mishaps.append("hang")
    async with listening(silence=0.3):
        ntfy.put("answers", line(1))
        await soon(lambda: person.said == [line(1)])


async def test_keepalives_keep_one_stream_open(
    ntfy: Ntfy, person: Person, listening: Callable
) -> None:
    async with listening(silence=0.5):
        await soon(lambda: ntfy.streams == 1)
        # Ten of them take longer than the silence that is borne.
        await soon(lambda: ntfy.keepalives >= 10)
        assert ntfy.streams == 1


async def test_failures_are_told_once_and_waited_out(
    ntfy: Ntfy, person: Person, listening: Callable, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ntfy.mishaps.extend([500, 500, 500, (429, {"Retry-After": "33"}), "drop", "garbage", 401, 503])
    async with listening() as stream:
        ntfy.put("answers", line(1))
        await soon(lambda: person.said == [line(1)])
        assert stream.problem is None
    assert caplog.text.count("cannot take it now: HTTP 500") == 1
    assert caplog.text.count("refused the token") == 1
    # Each wait is longer than the one before, those that the server asks for are kept.
    first, second, third, limited = stream.pauses[:4]
    assert first < second < third < limited == 33.0
    assert stream.pauses[6] >= 48, "a wrong token is not tried again at once"
    for secret in ("answers", line(1)):
        assert secret not in caplog.text


async def test_a_topic_that_only_the_worker_may_read_is_read_with_the_token(
    ntfy: Ntfy, person: Person, listening: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    ntfy.access, ntfy.write_only = {ACCESS: {"answers"}}, {"answers"}
    monkeypatch.setenv("TASKHUB_TOKEN", ACCESS)
    async with listening() as stream:
        await soon(lambda: "refused the token" in (stream.problem or ""))
    async with listening(token="env:TASKHUB_TOKEN"):
        ntfy.put("answers", line(1))
        await soon(lambda: person.said == [line(1)])


async def test_of_two_workers_one_reads(
    ntfy: Ntfy, person: Person, tmp_path: Path, listening: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr("taskhub_tui.notifications.channels.ntfy_replies.TURN", 0.05)
    async with listening():
        await soon(lambda: ntfy.streams == 1)
        async with listening():
            ntfy.put("answers", line(1))
            await soon(lambda: person.said == [line(1)])
            assert ntfy.streams == 1
            assert not FileBookmark(tmp_path / "phone.mark").hold()
    async with listening():
        await soon(lambda: ntfy.streams == 2)


def test_a_mark_is_private_and_a_broken_one_is_none(tmp_path: Path) -> None:
    bookmark = FileBookmark(tmp_path / "phone.mark")
    assert bookmark.load() == Mark()
    bookmark.save(Mark("abc", 17.0))
    assert bookmark.load() == Mark("abc", 17.0)
    assert stat.S_IMODE((tmp_path / "phone.mark").stat().st_mode) == 0o600
    for wrong in ("", "abc", "../x 3", "a b c", "é 3"):
        (tmp_path / "phone.mark").write_text(wrong)
        assert bookmark.load().id == ""
