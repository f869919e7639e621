"""The desktop channel against real notification daemons, on a real (if invisible) screen."""

import asyncio
import os
import subprocess
import time
from pathlib import Path

import pytest
from desktop_session import NOTIFICATION_DAEMON, wait_for

from taskhub_tui.notifications.message import Message, Pressed

pytestmark = pytest.mark.desktop

QUESTION = Message(
    "q",
    "T-42 Deploy to production?",
    "Stage 3 of 5: 1 < 2 & <b>not bold</b>",
    (("approve", "Approve"), ("deny", "Deny"), ("context", "Provide context")),
    urgent=True,
)


def labels(picture: bytes, box: tuple[int, int, int, int], width: int = 1000) -> list[int]:
    """Find the lowest line of text in a bubble: the middle of each of its words or labels.

    `picture` is one grey byte a pixel. Labels are set apart by more than any blank inside one.
    """
    left, top, across, down = box
    inner = range(left + 14, left + across - 14)
    background = picture[(top + 40) * width + left + across // 2]

    def inked(x: int, y: int) -> bool:
        return abs(picture[y * width + x] - background) > 60

    rows = [y for y in range(top + 14, top + down - 14) if any(inked(x, y) for x in inner)]
    lowest = rows[-1]
    line = [y for y in rows if y > lowest - 12]
    columns = [x for x in inner if any(inked(x, y) for y in line)]
    groups = [[columns[0]]]
    for x in columns[1:]:
        if x - groups[-1][-1] > 12:
            groups.append([])
        groups[-1].append(x)
    return [(group[0] + group[-1]) // 2 * 10_000 + (line[0] + line[-1]) // 2 for group in groups]


@pytest.mark.parametrize(
    ("label", "action"),
    [("Approve", "approve"), ("Deny", "deny"), ("Provide context", "context")],
)
async def test_a_button_chosen_in_dunst_comes_back_and_the_bubble_goes(
    session, open_channel, label, action
):
    await asyncio.to_thread(session.start_dunst)
    async with open_channel() as (channel, person):
        assert await channel.available() is None
        await channel.send(QUESTION)
        await asyncio.to_thread(wait_for, lambda: session.shown() == 1, "the bubble is shown")
        before = time.perf_counter()
        await asyncio.to_thread(session.press, label)
        assert await person.next() == Pressed("q", action, None)
        print(f"click to callback: {1000 * (time.perf_counter() - before):.0f} ms")
        await asyncio.to_thread(wait_for, lambda: session.shown() == 0, "the bubble is gone")


async def test_withdrawn_elsewhere_the_bubble_leaves_the_screen(session, open_channel):
    await asyncio.to_thread(session.start_dunst)
    async with open_channel() as (channel, person):
        await channel.send(QUESTION)
        await asyncio.to_thread(wait_for, lambda: session.shown() == 1, "the bubble is shown")
        await channel.withdraw("q")
        await asyncio.to_thread(wait_for, lambda: session.shown() == 0, "the bubble is gone")
        await channel.withdraw("q")
        assert person.pressed.empty()


async def test_an_open_question_comes_back_after_the_daemon_was_restarted(session, open_channel):
    dunst = await asyncio.to_thread(session.start_dunst)
    async with open_channel() as (channel, person):
        await channel.send(QUESTION)
        await asyncio.to_thread(session.stop, dunst)
        await asyncio.to_thread(session.start_dunst)
        assert await person.next_lost() == ("q",)
        await channel.send(QUESTION)
        await asyncio.to_thread(wait_for, lambda: session.shown() == 1, "the bubble is shown")
        await asyncio.to_thread(session.press, "Deny")
        assert await person.next() == Pressed("q", "deny", None)


async def test_the_mouse_presses_the_button_that_is_drawn(session, open_channel, tmp_path):
    await asyncio.to_thread(session.start_notification_daemon)

    def buttons() -> list[int]:
        boxes = session.windows()
        if len(boxes) != 1:
            return []
        session.run("import", "-window", "root", "-depth", "8", f"gray:{tmp_path / 'screen'}")
        return labels((tmp_path / "screen").read_bytes(), boxes[0])

    async with open_channel() as (channel, person):
        for index, (action, _) in enumerate(QUESTION.buttons):
            await channel.send(QUESTION)
            # "Provide context" is one label: the gap between labels is wider than a blank.
            await asyncio.to_thread(wait_for, lambda: len(buttons()) == 3, "three buttons")
            x, y = divmod((await asyncio.to_thread(buttons))[index], 10_000)
            before = time.perf_counter()
            await asyncio.to_thread(session.click, x, y)
            assert await person.next() == Pressed("q", action, None)
            print(f"click to callback: {1000 * (time.perf_counter() - before):.0f} ms")
            await asyncio.to_thread(wait_for, lambda: not session.windows(), "the bubble is gone")
    if pictures := os.environ.get("TASKHUB_TEST_PICTURES"):
        session.picture(Path(pictures) / "desktop.png")


@pytest.fixture
def activating_bus(tmp_path, monkeypatch, session):
    """A second bus without a screen, that starts notification-daemon when it is asked for."""
    services = tmp_path / "services"
    services.mkdir()
    (services / "nd.service").write_text(
        f"[D-BUS Service]\nName=org.freedesktop.Notifications\nExec={NOTIFICATION_DAEMON}\n"
    )
    config = tmp_path / "activating.conf"
    config.write_text(
        (tmp_path / "bus.conf")
        .read_text()
        .replace(str(tmp_path / "bus"), str(tmp_path / "bus2"))
        .replace("<auth>", f"<servicedir>{services}</servicedir><auth>")
    )
    bus = subprocess.Popen(
        ["dbus-daemon", f"--config-file={config}", "--nofork", "--print-address=1"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert bus.stdout.readline()
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", f"unix:path={tmp_path / 'bus2'}")
    yield
    bus.terminate()
    bus.wait()
    bus.stdout.close()


async def test_a_daemon_that_dies_when_the_bus_starts_it_is_a_sentence(
    activating_bus, open_channel
):
    """The trap of machines without a screen: the bus starts the daemon, which aborts."""
    async with open_channel(timeout=10) as (channel, _):
        assert "could not be started" in (await channel.available() or "")
