"""Push messages: what the phone shows, what goes when it was answered, and what failures mean."""

import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path

import pytest
from ntfy_server import Ntfy, Phone

from taskhub_tui.notifications.channels import http
from taskhub_tui.notifications.channels.ntfy import NtfyChannel
from taskhub_tui.notifications.message import DeliveryError, Message

TOKEN = "tk_hush0123456789hush"
BUTTONS = (("approve", "Approve"), ("deny", "Deny"), ("cancel", "Cancel task"), ("retry", "Retry"))
TOKENS = {action: f"{action:x<43}" for action, _ in BUTTONS}


@pytest.fixture
async def ntfy() -> AsyncIterator[Ntfy]:
    async with Ntfy().running() as server:
        yield server


@asynccontextmanager
async def open_channel(server: Ntfy, **more: object) -> AsyncIterator[NtfyChannel]:
    channel = NtfyChannel(server.url, "alarms", **({"reply_topic": "answers"} | more))
    try:
        yield channel
    finally:
        await channel.close()


def question(key: str = "taskhub-7", **changes: object) -> Message:
    return Message(
        **({"key": key, "title": "Needs you: T", "body": "Go on?", "buttons": BUTTONS} | changes)
    )


async def refused(channel: NtfyChannel, message: Message | None = None) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await channel.send(message or question())
    return caught.value


async def test_a_question_has_the_first_three_buttons_and_each_posts_its_token(ntfy: Ntfy) -> None:
    phone = Phone(ntfy, "alarms")
    async with open_channel(ntfy) as channel:
        assert await channel.available() is None
        await channel.send(question(tokens=TOKENS))
        (shown,) = phone.shown
        assert (shown["title"], shown["message"]) == ("Needs you: T", "Go on?")
        assert [one["label"] for one in shown["actions"]] == ["Approve", "Deny", "Cancel task"]
        assert await phone.press(shown, "Deny") == 200
    assert ntfy.kept[1]["topic"] == "answers"
    assert ntfy.kept[1]["message"] == f"{TOKENS['deny']} deny"
    assert not phone.shown


async def test_a_button_without_a_token_or_a_reply_topic_is_left_out(ntfy: Ntfy) -> None:
    phone = Phone(ntfy, "alarms")
    async with open_channel(ntfy) as channel:
        await channel.send(question(tokens={"deny": TOKENS["deny"]}))
        assert [one["label"] for one in phone.shown[0]["actions"]] == ["Deny"]
    async with open_channel(ntfy, reply_topic="") as channel:
        await channel.send(question("k2", tokens=TOKENS))
        assert "actions" not in phone.shown[-1]


async def test_a_link_opens_by_a_tap_and_by_a_button_if_there_is_room(ntfy: Ntfy) -> None:
    phone = Phone(ntfy, "alarms")
    link = "https://hub.example/a/tok"
    async with open_channel(ntfy) as channel:
        await channel.send(question(tokens={"deny": TOKENS["deny"]}, link=link))
        await channel.send(question("k2", tokens=TOKENS, link=link))
    assert [one["click"] for one in phone.shown] == [link, link]
    assert [one["label"] for one in phone.shown[0]["actions"]] == ["Deny", "Open"]
    assert [one["label"] for one in phone.shown[1]["actions"]] == ["Approve", "Deny", "Cancel task"]


async def test_how_loud_it_is_follows_from_what_it_asks(ntfy: Ntfy) -> None:
    async with open_channel(ntfy) as channel:
        await channel.send(question(urgent=True))
        await channel.send(question())
        await channel.send(Message("k", "Done", "x"))
        await channel.send(Message("k", "Digest", "x", quiet=True))
    assert [one["priority"] for one in ntfy.kept] == [5, 4, 3, 2]


async def test_a_changed_message_takes_the_place_of_the_old_and_a_withdrawn_one_goes(
    ntfy: Ntfy,
) -> None:
    phone = Phone(ntfy, "alarms")
    async with open_channel(ntfy) as channel:
        await channel.send(question("a b/c"))
        await channel.send(question("a b/c", body="Go on, please?"))
        await channel.send(question("other"))
        assert [one["message"] for one in phone.shown] == ["Go on, please?", "Go on?"]
        await channel.withdraw("a b/c")
        assert [one["sequence_id"] for one in phone.shown] == ["other"]
        await channel.withdraw("never sent")


async def test_on_an_old_server_withdrawing_does_nothing(ntfy: Ntfy) -> None:
    ntfy.old = True
    async with open_channel(ntfy) as channel:
        await channel.send(question())
        await channel.withdraw("taskhub-7")
    assert len(Phone(ntfy, "alarms").shown) == 1


async def test_a_withdrawal_that_does_not_arrive_may_be_tried_again(ntfy: Ntfy) -> None:
    async with open_channel(ntfy) as channel:
        ntfy.mishaps.append(503)
        with pytest.raises(DeliveryError) as caught:
            await channel.withdraw("taskhub-7")
    assert caught.value.retry


async def test_long_and_hostile_text_arrives_whole_enough_and_clean(ntfy: Ntfy) -> None:
    async with open_channel(ntfy) as channel:
        title, body = "\x1b]0;x\x07ä" * 400, "\x1b[31m€\x00\u202e\ud800" * 4000
        await channel.send(question(title=title, body=body, tokens=TOKENS))
    (kept,) = ntfy.kept
    assert set(kept["title"]) == {"ä", "…"}
    assert set(kept["message"]) == {"€", "…"}
    assert len(kept["message"].encode()) <= 3500
    assert len(kept["title"].encode()) <= 240


@pytest.mark.parametrize(
    ("mishap", "retry", "after", "words"),
    [
        (429, True, None, "wants fewer messages for now (limit reached: too many requests"),
        ((429, {"Retry-After": "17"}), True, 17.0, "wants fewer"),
        ((503, {"Retry-After": "99999"}), True, 3600.0, "cannot take it now: HTTP 503"),
        ((429, {"Retry-After": "soon"}), True, None, "wants fewer"),
        (500, True, None, "cannot take it now: HTTP 500 (internal server error)"),
        (401, False, None, "refused the token (unauthorized)"),
        (403, False, None, "refused the token (forbidden)"),
        (404, False, None, "did not take it: HTTP 404 (page not found)"),
        (413, False, None, "did not take it: HTTP 413 (JSON body too large)"),
        ((302, {"Location": "https://evil.example/"}), False, None, "which is not followed"),
        ("hang", True, None, "did not answer within 0.3 s"),
        ("drip", True, None, "did not answer within 0.3 s"),
        ("drop", True, None, "broke off"),
    ],
)
async def test_each_failure_is_a_sentence_that_says_if_it_may_work_later(
    ntfy: Ntfy, mishap: object, retry: bool, after: float | None, words: str
) -> None:
    async with open_channel(ntfy, timeout=0.3) as channel:
        ntfy.mishaps.append(mishap)
        error = await refused(channel)
        assert (error.retry, error.after) == (retry, after)
        assert str(error).startswith("The ntfy server 127.0.0.1 ")
        assert words in str(error)
        # What came before spoils nothing.
        await channel.send(question())
    assert len(ntfy.kept) == 1


async def test_after_a_burst_the_server_wants_fewer(ntfy: Ntfy) -> None:
    async with open_channel(ntfy) as channel:
        for n in range(60):
            await channel.send(question(f"k{n}"))
        assert (await refused(channel)).retry


def test_a_date_to_wait_for_is_understood() -> None:
    now = time.time()
    for seconds, meant in ((90, 90), (-90, 0), (90_000, 3600)):
        reply = http.Reply(429, {"retry-after": formatdate(now + seconds, usegmt=True)}, b"")
        assert http.retry_after(reply, now) == pytest.approx(meant, abs=1.5)


async def test_nobody_there_is_worth_another_try() -> None:
    channel = NtfyChannel("http://127.0.0.1:9", "alarms")
    error = await refused(channel)
    await channel.close()
    assert error.retry
    assert "cannot be reached: " in str(error)


async def test_the_access_token_is_read_when_it_is_used(ntfy: Ntfy, tmp_path: Path) -> None:
    ntfy.access = {TOKEN: {"alarms"}}
    file = tmp_path / "token"
    async with open_channel(ntfy, token=f"file:{file}") as channel:
        assert "cannot be read" in (await channel.available() or "")
        assert not (await refused(channel)).retry
        file.write_text("tk_wrong")
        file.chmod(0o600)
        error = await refused(channel)
        assert "refused the token (unauthorized)" in str(error)
        assert "tk_wrong" not in f"{error} {error.hint}"
        file.write_text(TOKEN)
        assert await channel.available() is None
        await channel.send(question())
    assert len(ntfy.kept) == 1


async def test_settings_that_cannot_work_are_said_before_anything_is_sent() -> None:
    for server, topic, reply, words in (
        ("https://ntfy.sh", "", "", "topic must be"),
        ("https://ntfy.sh", "my topic", "", "topic must be"),
        ("https://ntfy.sh", "a", "b/c", "reply_topic must be"),
        ("https://ntfy.sh", "a", "a", "must not be its topic"),
        ("ntfy.sh", "a", "", "server must be an address"),
        ("https://", "a", "", "server must be an address"),
    ):
        channel = NtfyChannel(server, topic, reply_topic=reply)
        assert words in (await channel.available() or "")
        assert not (await refused(channel)).retry


def test_a_topic_is_public_unless_a_token_or_a_network_of_ones_own_keeps_others_out() -> None:
    token = "env:TASKHUB_TOKEN"
    for server in ("https://ntfy.sh", "https://NTFY.SH.", "http://ntfy.sh:80", "https://a.ntfy.sh"):
        assert NtfyChannel(server, "a", token=token).public, server
    for server in ("https://push.example", "https://8.8.8.8", "https://ntfy.sh.example"):
        assert NtfyChannel(server, "a").public, server
        assert not NtfyChannel(server, "a", token=token).public, server
    for server in (
        "http://localhost:80", "http://127.0.0.1", "http://[::1]", "http://10.1.2.3",
        "http://192.168.0.7:8080", "https://pi.local", "http://nas.home.arpa",
    ):  # fmt: skip
        assert not NtfyChannel(server, "a").public, server


async def test_neither_topics_nor_tokens_get_into_the_log(
    ntfy: Ntfy, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("TASKHUB_TOKEN", TOKEN)
    async with open_channel(ntfy, token="env:TASKHUB_TOKEN", timeout=0.2) as channel:
        await channel.send(question(tokens=TOKENS))
        for mishap in (401, 500, "drop", "hang"):
            ntfy.mishaps.append(mishap)
            await refused(channel)
        await channel.withdraw("taskhub-7")
    for secret in (TOKEN, "alarms", "answers", *TOKENS.values()):
        assert secret not in caplog.text
