"""Setting up the phone in the app: nothing before the person agrees, a code that can be read."""

import sys
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hubs import text, until
from play import Play, User
from scenes import with_phone
from textual.widgets import Input

from taskhub_tui import qr
from taskhub_tui.config import Paths
from taskhub_tui.tui.screens.phone import PhoneScreen

sys.path.append(str(Path(__file__).parents[1] / "notifications"))

from ntfy_server import Ntfy, Phone

TOPIC = "taskhub-" + "0123456789abcdef" * 2
LINK = f"ntfy://ntfy.sh/{TOPIC}?display=TaskHub"


@pytest.fixture
async def ntfy() -> AsyncIterator[Ntfy]:
    async with Ntfy().running() as server:
        yield server


def section(where: Paths) -> dict:
    return tomllib.loads(where.config.read_text())["notifications"]["phone"]


def seen(t: User) -> list[list[bool]]:
    """Return the code as a camera sees it: what is dark, two rows for each line of the screen."""
    code = t.app.screen.query_one("#code")
    assert code.display
    rows: list[list[bool]] = []
    for y in range(code.region.y, code.region.bottom):
        strip = t.app.screen._compositor.render_strips()[y].crop(code.region.x, code.region.right)
        above: list[bool] = []
        below: list[bool] = []
        for segment in strip:
            assert segment.style is not None
            front, back = segment.style.color, segment.style.bgcolor
            assert front is not None
            assert back is not None
            if segment.style.reverse:
                front, back = back, front
            dark = {"▀": (front, back), "▄": (back, front), "█": (front, front), " ": (back, back)}
            for letter in segment.text:
                up, down = (sum(one.get_truecolor()) < 200 for one in dark[letter])
                above.append(up)
                below.append(down)
        rows += [above, below]
    return rows


async def test_nothing_is_written_before_the_person_agrees(
    play: Play, where: Paths, ntfy: Ntfy
) -> None:
    async with play(200, 50) as t:
        await t.press("comma", "p")
        await t.sees("not set up yet", "https://ntfy.sh", "Nothing is written before")
        await t.press("s")
        await t.is_in("server")
        await t.types("my.ntfy")
        await t.press("enter")
        field = t.app.screen.query_one("#server", Input)
        assert field.value == "my.ntfy", "in the field a letter is a letter"
        await t.until(lambda: t.app.focused is None)
        assert not where.config.exists()
        await t.press("y")
        await t.sees("is no address of an ntfy server", "Write it like")
        assert not where.config.exists()
        await t.press("s", "escape", "s")
        field.value = ntfy.url
        await t.press("enter", "y")
        await t.sees("set up on", "Install the app ntfy", "Written.")
        made = section(where)
        assert made["enabled"] is True
        assert made["server"] == ntfy.url
        assert made["topic"] in "".join(text(t.app).split())
        assert made["reply_topic"] not in "".join(text(t.app).split())


async def test_a_test_is_sent_and_said(play: Play, where: Paths, ntfy: Ntfy) -> None:
    where.config.write_text(
        f'[notifications.phone]\nenabled = true\nserver = "{ntfy.url}"\n'
        'topic = "alarms"\nreply_topic = "answers"\n'
    )
    async with play(200, 50) as t:
        await t.press("comma", "p")
        await t.press("t")
        await t.sees("127.0.0.1 took a message for your phone", "Answers from it can be read")
        assert [one["title"] for one in Phone(ntfy, "alarms").shown] == ["TaskHub"]
        ntfy.mishaps.append(503)
        await t.press("t")
        await t.sees("cannot take it now: HTTP 503")


async def test_new_topics_are_made_when_that_is_meant(play: Play, where: Paths) -> None:
    async with play(80, 24, before=with_phone) as t:
        await t.press("comma", "p")
        await t.sees("Scan the code")
        await t.press("c")
        await t.until(lambda: t.app.clipboard == f"https://ntfy.sh/{TOPIC}")
        await t.press("n", "escape")
        await t.until(lambda: t.app.focused is None)
        assert section(where)["topic"] == TOPIC
        await t.press("n")
        await t.sees("Make new topics?")
        await t.press("y")
        await t.sees("Written.")
        assert section(where)["topic"] != TOPIC
        assert section(where)["reply_topic"] != section(where)["topic"]
        await t.press("q")
        await t.is_on("SettingsScreen")


@pytest.mark.parametrize("theme", ["taskhub", "taskhub-light", "ansi-light", "nord"])
async def test_the_code_is_dark_on_light_in_every_theme(play: Play, theme: str) -> None:
    async with play(80, 24, before=with_phone) as t:
        t.app.theme = theme
        await t.press("comma", "p")
        await t.sees("Scan the code")
        meant = [[bool(one) for one in row] for row in qr.modules(LINK)]
        assert seen(t)[: len(meant)] == meant


async def test_where_no_code_can_be_drawn_or_fits_the_address_is_text(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with play(79, 20, before=with_phone) as t:
        await t.press("comma", "p")
        await t.sees("The code needs a window of 73x22", TOPIC)
        await t.pilot.resize_terminal(80, 24)
        await t.sees("Scan the code")
        await t.pilot.resize_terminal(40, 10)
        await t.sees("Add in it by hand")
        top = t.app.screen.query_one("#said")
        await t.press("j", "down")
        await t.until(lambda: top.scroll_y == 2)
        await t.press("k", "up")
        await t.until(lambda: top.scroll_y == 0)
    async with play(80, 24, before=with_phone, ascii=True) as t:
        await t.press("comma", "p")
        await t.sees("no code is drawn here", LINK)
        assert text(t.app).isascii()
    monkeypatch.setenv("NO_COLOR", "1")
    async with play(80, 24, before=with_phone) as t:
        await t.press("comma", "p")
        await t.sees("Without colours no code is drawn here", LINK)


async def test_the_palette_leads_there_from_everywhere_but_a_dialog(play: Play) -> None:
    async with play(120, 36) as t:
        await t.press("ctrl+p")
        await t.types("set up push")
        await t.sees("Set up push messages")
        await t.press("enter")
        await t.is_on("PhoneScreen")
        await t.press("escape")
        await t.press("n")
        await t.sees("New task")
        assert t.app.check_action("phone", ()) is False


async def test_a_file_with_a_mistake_is_left_alone(play: Play, where: Paths) -> None:
    async with play(80, 24) as t:
        where.config.write_text("[notifications.phone]\ntopics = 1\n")
        await t.press("comma", "p")
        await until(t.pilot, lambda: isinstance(t.app.screen, PhoneScreen))
        await t.sees("There is no such setting")
        await t.press("y")
        await t.pilot.pause()
        await t.sees("There is no such setting")
        assert where.config.read_text() == "[notifications.phone]\ntopics = 1\n"


async def test_a_view_that_only_shows_sets_nothing_up(play: Play, where: Paths) -> None:
    async with play(80, 24) as t:
        t.hub.read_only = True
        await t.press("comma", "p")
        await t.sees("This view only shows")
        await t.is_on("SettingsScreen")
