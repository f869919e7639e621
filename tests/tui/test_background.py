"""What is done beside the screen: a mistake of ours in it is said, and the app goes on."""

import logging

import pytest
from play import Play

from taskhub_tui.tui.background import start


async def test_a_mistake_in_the_background_is_said_and_noted(
    play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> None:
        raise KeyError("no such part")

    async with play(80, 24) as t:
        with caplog.at_level(logging.ERROR, "taskhub.app"):
            start(t.app.screen, broken, group="doing")
            await t.sees("That did not work (KeyError)")
        assert "no such part" in caplog.text


async def test_what_ends_after_its_screen_has_gone_says_nothing(play: Play) -> None:
    async with play(80, 24) as t:
        await t.press("i")
        await t.is_on("InboxScreen")
        screen = t.app.screen
        await t.press("escape")
        await t.is_on("MainScreen")
        for part in ("#top", "#list", "#text"):
            await screen.query(part).remove()
        screen._tick()  # type: ignore[attr-defined]
        assert screen.check_action("answer", ()) is True
        assert not t.shows("did not work")
