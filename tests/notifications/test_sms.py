"""Text messages: short, answered with a code, and never sent twice because an answer was lost."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from sms_server import ACCOUNT, TOKEN, Twilio

from taskhub_tui.notifications.channels.sms import SmsChannel
from taskhub_tui.notifications.message import DeliveryError, Message

BUTTONS = (("approve", "Approve"), ("deny", "Deny"))


@pytest.fixture
async def twilio(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Twilio]:
    monkeypatch.setenv("TASKHUB_SMS", TOKEN)
    async with Twilio().running() as server:
        yield server


@asynccontextmanager
async def texting(server: str, **more: object) -> AsyncIterator[SmsChannel]:
    given = {
        "account": ACCOUNT, "token": "env:TASKHUB_SMS", "sender": "+15005550006",
        "to": "+4915112345678", "url": server, "timeout": 5.0,
    }  # fmt: skip
    channel = SmsChannel(**(given | more))
    try:
        yield channel
    finally:
        await channel.close()


def question(**changes: object) -> Message:
    given = {
        "key": "taskhub-7", "title": "Needs you: Deploy", "body": "Deploy the secret plan?",
        "buttons": BUTTONS, "code": "K7QM", "thread": "ab12",
    }  # fmt: skip
    return Message(**(given | changes))


async def refused(channel: SmsChannel) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await channel.send(question())
    return caught.value


async def test_without_details_it_says_that_a_task_needs_an_answer_and_how(twilio: Twilio) -> None:
    async with texting(twilio.url) as channel:
        assert await channel.available() is None
        await channel.send(question())
        await channel.send(Message("k", "Done: Deploy", "The secret plan", thread="ab12"))
    assert [one["body"] for one in twilio.sent] == [
        "TaskHub: task ab12 needs you Answer: K7QM approve or deny",
        "TaskHub: task ab12 has news",
    ]
    assert (twilio.sent[0]["from"], twilio.sent[0]["to"]) == ("+15005550006", "+4915112345678")


async def test_it_knows_what_of_a_message_the_person_sees(twilio: Twilio) -> None:
    async with texting(twilio.url, details=True) as channel:
        seen = channel.seen(question())
        assert (seen.text, seen.whole) == ("Needs you: Deploy. Deploy the secret plan?", True)
        assert not channel.seen(question(body="x" * 260)).whole, "its code takes some of the room"
    async with texting(twilio.url) as channel:
        hidden = channel.seen(question())
        assert (hidden.text, hidden.hidden) == ("TaskHub: task ab12 needs you", True)
        await channel.send(Message("k", "TaskHub", "This is a test.", own=True))
    assert twilio.sent[-1]["body"] == "TaskHub. This is a test."


async def test_with_details_long_words_are_cut_but_never_the_code(twilio: Twilio) -> None:
    async with texting(twilio.url, details=True) as channel:
        await channel.send(question(body="ä\x1b[1m\u202e\n" * 900))
    (sent,) = twilio.sent
    assert sent["body"].startswith("Needs you: Deploy. ä ä")
    assert sent["body"].endswith("… Answer: K7QM approve or deny")
    assert len(sent["body"]) == 300
    assert "\x1b" not in sent["body"]


async def test_a_message_that_arrived_though_no_answer_came_is_not_sent_again(
    twilio: Twilio,
) -> None:
    async with texting(twilio.url, timeout=0.3) as channel:
        twilio.mishaps.append("lost")
        error = await refused(channel)
        assert error.retry
        await channel.send(question())
        assert len(twilio.sent) == 1
        # Another question with the same words is another message.
        await channel.send(question(key="taskhub-8"))
    assert len(twilio.sent) == 2


async def test_a_message_that_did_not_arrive_is_sent_again(twilio: Twilio) -> None:
    async with texting(twilio.url, timeout=0.3) as channel:
        twilio.mishaps.append("hang")
        assert (await refused(channel)).retry
        await channel.send(question())
    assert len(twilio.sent) == 1


@pytest.mark.parametrize(
    ("mishap", "retry", "after", "words"),
    [
        (
            (429, {"Retry-After": "5"}),
            True,
            5.0,
            "wants fewer messages for now (Too Many Requests)",
        ),
        (500, True, None, "cannot take it now: HTTP 500"),
        (401, False, None, "refused the account or its token (Authenticate)"),
        (400, False, None, "HTTP 400 (The 'To' number is not a valid phone number.)"),
    ],
)
async def test_each_failure_is_a_sentence_that_says_if_it_may_work_later(
    twilio: Twilio, mishap: object, retry: bool, after: float | None, words: str
) -> None:
    async with texting(twilio.url) as channel:
        twilio.mishaps.append(mishap)
        error = await refused(channel)
        assert (error.retry, error.after) == (retry, after)
        assert words in str(error)
        await channel.send(question())
    assert len(twilio.sent) == 1


async def test_a_wrong_token_is_shown_to_nobody(
    twilio: Twilio, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("TASKHUB_SMS", "hush-wrong")
    async with texting(twilio.url) as channel:
        error = await refused(channel)
    assert not error.retry
    assert "hush-wrong" not in f"{error} {error.hint} {caplog.text}"
    assert ACCOUNT not in caplog.text


async def test_settings_that_cannot_work_are_said_before_anything_is_sent(twilio: Twilio) -> None:
    for changes, words in (
        ({"url": "http://sms.example"}, "must begin with https://"),
        ({"account": "../x"}, "account must be"),
        ({"to": "0151 1234"}, "`to` must be written like"),
        ({"sender": "a name that is long"}, "sender must be"),
        ({"token": "env:TASKHUB_NONE"}, "TASKHUB_NONE is not set"),
        ({"token": ""}, "needs a `token`"),
    ):
        async with texting(twilio.url, **changes) as channel:
            assert words in (await channel.available() or "")
            error = await refused(channel)
            assert words in str(error)
            assert not error.retry
    assert not twilio.sent
