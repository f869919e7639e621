"""What the desktop channel does when the notification server is slow, wrong, early or gone."""

import asyncio
import logging

import pytest
from dbus_fast import DBusError
from notification_service import serving

from taskhub_tui.notifications.message import DeliveryError, Message, Pressed

pytestmark = pytest.mark.desktop

BUTTONS = (("approve", "Approve"), ("deny", "Deny"))


def question(key: str = "q", **changes) -> Message:
    return Message(**({"key": key, "title": "T-1", "body": "Go on?", "buttons": BUTTONS} | changes))


async def test_a_question_carries_its_buttons_and_stays_until_answered(bus, open_channel):
    async with serving(bus.address) as server, open_channel() as (channel, person):
        await channel.send(question(urgent=True))
        (shown,) = server.shown
        assert shown["actions"] == {"default": "", "b0": "Approve", "b1": "Deny"}
        assert (shown["app"], shown["urgency"], shown["timeout"]) == ("TaskHub", 2, 0)
        server.ActionInvoked(1, "b1")
        assert await person.next() == Pressed("q", "deny", None)
        await server.until_closed(1)


async def test_a_click_on_the_body_opens_the_task(bus, open_channel):
    async with serving(bus.address) as server, open_channel() as (channel, person):
        await channel.send(Message("done", "T-1", "Report ready"))
        assert server.shown[0]["timeout"] == -1
        server.ActionInvoked(1, "default")
        assert await person.next() == Pressed("done", "open", None)


async def test_a_button_pressed_before_the_number_is_known_still_counts(bus, open_channel):
    async with serving(bus.address) as server, open_channel() as (channel, person):
        server.at_once = "b0"
        for n in range(50):
            await channel.send(question(f"q{n}"))
        got = {(await person.next()).key for _ in range(50)}
        assert got == {f"q{n}" for n in range(50)}


async def test_buttons_of_other_programs_and_unknown_buttons_do_nothing(bus, open_channel):
    async with serving(bus.address) as server, open_channel() as (channel, person):
        await channel.send(question())
        server.ActionInvoked(77, "b0")
        server.ActionInvoked(1, "b9")
        server.ActionInvoked(1, "approve")
        server.NotificationReplied(1, "nobody asked for this")
        server.ActionInvoked(1, "b0")
        server.ActionInvoked(1, "b1")  # the second click comes too late
        assert await person.next() == Pressed("q", "approve", None)
        await server.until_closed(1)
        assert person.pressed.empty()


async def test_a_reply_field_is_offered_only_where_the_server_has_one(bus, open_channel):
    wanted = question(reply=True)
    async with serving(bus.address) as server, open_channel() as (channel, _):
        await channel.send(wanted)
        assert "inline-reply" not in server.shown[0]["actions"]
    async with (
        serving(bus.address, "body", "actions", "inline-reply") as server,
        open_channel() as (channel, person),
    ):
        await channel.send(wanted)
        assert "inline-reply" in server.shown[0]["actions"]
        server.NotificationReplied(1, "use \x1b[31mstaging\u202e\r\nplease\x07")
        assert await person.next() == Pressed("q", "reply", "use staging\nplease")


async def test_a_server_without_buttons_gets_a_hint_instead(bus, open_channel):
    async with serving(bus.address, "body") as server, open_channel() as (channel, _):
        await channel.send(question())
        assert set(server.shown[0]["actions"]) <= {"default"}
        assert "Answer in TaskHub" in server.shown[0]["body"]


@pytest.mark.parametrize(
    ("capability", "body"),
    [("body-markup", "1 &lt; 2 &amp; &lt;a href=x&gt;"), ("persistence", "1 < 2 & <a href=x>")],
)
async def test_markup_is_escaped_exactly_where_it_would_be_read(
    bus, open_channel, capability, body
):
    async with (
        serving(bus.address, "body", "actions", capability) as server,
        open_channel() as (channel, _),
    ):
        await channel.send(Message("m", "<b>T-1</b>", "1 < 2 & <a href=x>"))
        assert server.shown[0]["body"] == body
        assert server.shown[0]["title"] == "<b>T-1</b>"  # a title is never markup


async def test_hostile_text_is_cleaned_and_still_delivered(bus, open_channel):
    async with serving(bus.address) as server, open_channel() as (channel, _):
        await channel.send(
            Message(
                "h",
                "T\x00-1\ud800\nsecond",
                "\x1b]0;x\x07a\u202eb\n" + "c" * 9000,
                (("x", "\x1b"),),
            )
        )
        (shown,) = server.shown
        assert shown["title"] == "T-1 second"
        assert shown["body"].startswith("ab\nccc")
        assert len(shown["body"]) == 2000
        assert shown["actions"]["b0"] == "x"


async def test_a_silent_server_is_reported_in_time_and_the_message_not_shown_twice(
    bus, open_channel
):
    async with serving(bus.address) as server, open_channel(timeout=0.3) as (channel, person):
        await channel.available()
        server.answer.clear()
        for _ in range(2):
            with pytest.raises(DeliveryError, match=r"did not answer within 0\.3 s") as caught:
                await channel.send(question())
            assert caught.value.retry
        server.answer.set()
        await channel.send(question())
        assert len(server.shown) == 1
        server.ActionInvoked(1, "b0")
        assert await person.next() == Pressed("q", "approve", None)


async def test_a_message_withdrawn_on_its_way_is_closed_when_it_arrives(bus, open_channel):
    async with serving(bus.address) as server, open_channel(timeout=0.3) as (channel, _):
        await channel.available()
        server.answer.clear()
        with pytest.raises(DeliveryError):
            await channel.send(question())
        await channel.withdraw("q")
        server.answer.set()
        await server.until_closed(1)


@pytest.mark.parametrize(
    ("kind", "retry"),
    [
        ("org.freedesktop.DBus.Error.InvalidArgs", False),
        ("org.freedesktop.Notifications.Error.ExcessNotificationGenerated", True),
    ],
)
async def test_a_refusal_is_an_error_and_says_if_trying_again_makes_sense(
    bus, open_channel, kind, retry
):
    async with serving(bus.address) as server, open_channel() as (channel, _):
        server.refusal = DBusError(kind, "no \x1b[31mroom")
        with pytest.raises(DeliveryError, match="refused the message: no room") as caught:
            await channel.send(question())
        assert caught.value.retry is retry
        server.refusal = None
        await channel.send(question())
        assert len(server.shown) == 1


async def test_no_daemon_is_said_in_words_and_one_that_comes_later_is_used(bus, open_channel):
    async with open_channel() as (channel, _):
        assert await channel.available() == "No notification daemon is running on this desktop."
        with pytest.raises(DeliveryError, match="No notification daemon") as caught:
            await channel.send(question())
        assert caught.value.retry
        async with serving(bus.address) as server:
            assert await channel.available() is None
            await channel.send(question())
            assert len(server.shown) == 1


async def test_a_bus_that_takes_the_connection_and_says_nothing_does_not_hang(
    tmp_path, monkeypatch, no_ssh, open_channel
):
    left = asyncio.Queue()

    async def nothing(reader, writer):
        await reader.read()
        writer.close()
        await writer.wait_closed()
        left.put_nowait(None)

    server = await asyncio.start_unix_server(nothing, tmp_path / "mute")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path / 'mute'}")
    async with server, open_channel(timeout=0.2) as (channel, _):
        assert "did not answer" in (await channel.available() or "")
        with pytest.raises(DeliveryError, match="did not answer"):
            await channel.send(question())
        async with asyncio.timeout(5):  # and no connection is left behind
            await left.get()
            await left.get()


async def test_a_repeat_is_dropped_and_a_change_replaces(bus, open_channel):
    async with serving(bus.address) as server, open_channel() as (channel, person):
        await asyncio.gather(*(channel.send(question()) for _ in range(3)))
        assert len(server.shown) == 1
        await channel.send(question(body="Go on now?"))
        await server.until_closed(1)
        assert [shown["body"] for shown in server.shown] == ["Go on?", "Go on now?"]
        server.ActionInvoked(2, "b0")
        assert await person.next() == Pressed("q", "approve", None)


async def test_withdrawing_takes_it_off_the_screen_and_never_fails(bus, open_channel):
    async with serving(bus.address) as server, open_channel() as (channel, person):
        await channel.withdraw("never sent")
        await channel.send(question())
        await channel.withdraw("q")
        assert server.closed == [1]
        server.ActionInvoked(1, "b0")
        await channel.withdraw("q")
        await channel.send(question("r"))
        server.ActionInvoked(2, "b0")
        assert await person.next() == Pressed("r", "approve", None)
        await channel.withdraw("r")


async def test_a_bubble_that_ran_out_can_still_be_answered_from_the_history(bus, open_channel):
    async with serving(bus.address) as server, open_channel() as (channel, person):
        await channel.send(question())
        server.NotificationClosed(1, 1)
        server.ActionInvoked(1, "b0")
        assert await person.next() == Pressed("q", "approve", None)


async def test_a_restarted_server_is_noticed_and_open_questions_can_be_sent_again(
    bus, open_channel
):
    async with open_channel() as (channel, person):
        async with serving(bus.address) as first:
            await channel.send(question("open"))
            await channel.send(question("answered"))
            first.ActionInvoked(2, "b0")
            assert await person.next() == Pressed("answered", "approve", None)
        async with serving(bus.address, "body", "actions", "body-markup") as second:
            assert await person.next_lost() == ("open",)
            await channel.send(question("open", body="a & b"))
            assert second.shown[0]["body"] == "a &amp; b"  # it asked what the new one can do
            second.ActionInvoked(1, "b1")
            assert await person.next() == Pressed("open", "deny", None)


async def test_a_restarted_bus_is_connected_to_again(bus, open_channel):
    async with open_channel() as (channel, person):
        async with serving(bus.address):
            await channel.send(question())
            await asyncio.to_thread(bus.stop)
        with pytest.raises(DeliveryError, match="message bus cannot be used") as caught:
            await channel.send(question())
        assert caught.value.retry
        await asyncio.to_thread(bus.start)
        async with serving(bus.address) as server:
            await channel.send(question("new"))
            assert await person.next_lost() == ("q",)
            assert len(server.shown) == 1


async def test_a_callback_that_fails_is_logged_in_one_line_and_the_next_click_works(
    bus, open_channel, caplog
):
    from taskhub_tui.notifications.channels.desktop import DesktopChannel

    done = asyncio.Event()

    async def on_pressed(pressed: Pressed) -> None:
        if pressed.key == "bad":
            raise RuntimeError("the store is read-only")
        done.set()

    caplog.set_level(logging.INFO)
    async with serving(bus.address) as server:
        channel = DesktopChannel(on_pressed)
        await channel.send(question("bad"))
        await channel.send(question("good"))
        server.ActionInvoked(1, "b0")
        server.ActionInvoked(2, "b0")
        async with asyncio.timeout(5):
            await done.wait()
        await channel.close()
    errors = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.getMessage() for record in errors] == [
        "What was pressed on the desktop could not be carried out: the store is read-only"
    ]
    assert errors[0].exc_info is None


async def test_closing_takes_questions_off_the_screen_and_leaves_results(bus, open_channel):
    async with serving(bus.address) as server:
        async with open_channel() as (channel, _):
            await channel.send(question())
            await channel.send(Message("done", "T-1", "Report ready"))
        assert server.closed == [1]
