"""From one pane to another, and from one whole screen to the next."""

import pytest
from play import Play

from taskhub_tui.domain.model import Status
from taskhub_tui.tui.widgets.options import Rows


async def test_numbers_lead_to_the_panes(play: Play) -> None:
    async with play(200, 50, calm=True) as t:
        await t.given("Nightly report", Status.FAILED, error="No space left")
        await t.sees("Inbox  1 open")
        await t.press("2")
        await t.is_in("LogView")
        await t.press("escape", "3")
        await t.is_in("Waits")
        await t.press("1")
        await t.is_in("TaskTable")
        await t.press("4")
        await t.is_on("AgentsScreen")
        await t.press("3")
        await t.is_on("InboxScreen")


@pytest.mark.parametrize("place", ["4", "comma"])
async def test_numbers_lead_back_from_a_whole_screen(play: Play, place: str) -> None:
    async with play(80, 24, calm=True) as t:
        await t.given("Nightly report", Status.FAILED, error="No space left")
        await t.row("Nightly").is_under_cursor()
        await t.press("2")
        await t.sees("Log", "No space left")
        await t.press("escape", place)
        await t.until(lambda: t.app.screen is not t.app._main)
        await t.press("1")
        await t.is_on("MainScreen")
        await t.is_in("TaskTable")
        await t.press(place)
        await t.until(lambda: t.app.screen is not t.app._main)
        await t.press("2")
        await t.is_on("MainScreen")
        await t.is_in("LogView")


@pytest.mark.parametrize("ascii", [False, True])
async def test_the_open_tab_of_a_task_is_told_by_its_brackets(play: Play, ascii: bool) -> None:
    async with play(ascii=ascii) as t:
        await t.given("Audit", Status.COMPLETED)
        await t.row("Audit").is_under_cursor()
        await t.press("2", "1")
        for tab in ("Log", "Result", "Files", "Events", "About"):
            await t.sees(f"[{tab}]")
            others = {"Log", "Result", "Files", "Events", "About"} - {tab}
            assert not any(t.shows(f"[{other}]") for other in others)
            await t.press("right_square_bracket")
        await t.sees("[Log]")


async def test_in_the_task_numbers_are_its_tabs(play: Play) -> None:
    async with play() as t:
        await t.given("Nightly report", Status.FAILED, error="No space left")
        await t.row("Nightly").is_under_cursor()
        await t.press("2", "4")
        await t.is_in("EventsView")
        await t.is_on("MainScreen")


async def test_in_a_field_a_number_is_a_number(play: Play) -> None:
    async with play() as t:
        await t.given("Audit 4")
        await t.press("slash")
        await t.types("4")
        await t.sees("1 of 1")
        await t.is_on("MainScreen")


async def test_the_last_filter_comes_again_and_goes_again(play: Play) -> None:
    async with play() as t:
        await t.given("Audit")
        await t.given("Rotate")
        await t.row("Rotate").is_there()
        await t.press("full_stop")  # There was none yet.
        await t.row("Audit").is_there()
        await t.press("slash")
        await t.types("rot")
        await t.press("enter")
        await t.row("Audit").is_not_there()
        await t.press("full_stop")
        await t.row("Audit").is_there()
        await t.press("full_stop")
        await t.row("Audit").is_not_there()
        await t.press("escape")
        await t.row("Audit").is_there()
        await t.press("full_stop")
        await t.row("Audit").is_not_there()


async def test_a_filter_that_was_given_up_comes_again_but_none_that_made_no_sense(
    play: Play,
) -> None:
    async with play() as t:
        await t.given("Audit")
        await t.given("Rotate")
        await t.press("slash")
        await t.types("rot")
        await t.row("Audit").is_not_there()
        await t.press("escape")
        await t.row("Audit").is_there()
        await t.press("slash", *"nonsense:1")
        await t.sees("nonsense")
        await t.press("escape", "full_stop")
        await t.row("Audit").is_not_there()
        await t.row("Rotate").is_there()


@pytest.mark.parametrize(("place", "top"), [("4", 0), ("comma", 1)])
async def test_in_a_whole_screen_keys_lead_to_the_ends_of_its_list_and_by_pages(
    play: Play, place: str, top: int
) -> None:
    async with play(80, 24) as t:
        await t.press(place)
        await t.until(lambda: t.app.screen is not t.app._main)
        rows = t.app.screen.query_one("#list", Rows)
        await t.until(lambda: rows.option_count > 1)
        for first in ("home", "g"):
            await t.press("G", first)
            assert rows.highlighted == top
        for last in ("end", "G"):
            await t.press("g", last)
            assert rows.highlighted == rows.option_count - 1
        for down, up in (("ctrl+d", "ctrl+u"), ("pagedown", "pageup"), ("j", "k"), ("down", "up")):
            await t.press("g", down)
            below = rows.highlighted
            assert below is not None
            assert below > top
            await t.press(up)
            assert rows.highlighted is not None
            assert top <= rows.highlighted < below
