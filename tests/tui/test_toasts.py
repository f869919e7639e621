"""What is said in passing lies over no line of keys, in the smallest window neither."""

from dataclasses import replace

from play import Play, User

from taskhub_tui.domain.model import Status
from tests.tui.forms import Moments

_LONG = "\n".join(f"line {n} of what went wrong while the report was written" for n in range(40))
_SAID = "Something was said that needs more than one line of a window which has only 80 columns"


def keys(t: User) -> str:
    """Return the last lines of the screen that have a key in them."""
    return "\n".join(t.lines()[-4:])


async def test_over_a_dialog_of_full_height_all_its_keys_stay_in_sight(play: Play) -> None:
    async with play(80, 24) as t:
        await t.given("Nightly report", Status.FAILED, error=_LONG)
        await t.waits_for_the_dialog()
        await t.sees("more below", "decide later")
        before = keys(t)
        t.app.notify(_SAID, markup=False, timeout=60)
        t.app.notify("Approved: Another task", markup=False, timeout=60)
        t.app.notify(_SAID, markup=False, severity="warning", timeout=60)
        await t.sees("Something was said", "Approved: Another task")
        assert keys(t) == before
        assert t.shows("more below")


async def test_what_was_decided_is_said_above_the_next_question(play: Play) -> None:
    async with play(80, 24) as t:
        for name in ("First", "Second"):
            await t.given(name, Status.BLOCKED, question=f"{name}? {_LONG}")
        t.hub.settings = replace(t.hub.settings, undo=5)
        moments = t.app.asker.sender.monotonic = Moments()
        await t.sees("1 of 2")
        await t.decides("a")
        await t.waits_for_the_dialog()
        await t.sees("u undoes", "decide later")
        moments.at += 10
        t.app.asker.sender.tick()
        await t.sees("Approved: ")
        await t.does_not_see("u undoes")
        assert "a approve" in keys(t)
        where = next(y for y, line in enumerate(t.lines()) if "Approved: " in line)
        assert where < 4


async def test_on_a_whole_screen_they_leave_the_last_line_alone(play: Play) -> None:
    async with play(80, 24, calm=True) as t:
        await t.given("Audit")
        for key in ("i", "A", "comma"):
            await t.press(key)
            await t.until(lambda: "q Quit" not in t.lines()[-1] and "Help" in t.lines()[-1])
            before = t.lines()[-1]
            for _ in range(3):
                t.app.notify(_SAID, markup=False, timeout=60)
            await t.sees("Something was said")
            assert t.lines()[-1] == before
            t.app.clear_notifications()
            await t.press("escape")
            await t.is_on("MainScreen")


async def test_over_the_form_they_leave_its_fields_alone(play: Play) -> None:
    async with play(80, 24) as t:
        await t.press("n")
        await t.sees("What is to be done", "esc leave")
        first = next(line[2:78] for line in t.lines() if "What is to be done" in line)
        await t.given("Deploy", Status.BLOCKED, question="Go on?")
        await t.sees("1 question waits for you", "New task")
        assert first in [line[2:78] for line in t.lines()]


async def test_they_are_no_wider_than_their_words(play: Play) -> None:
    async with play(80, 24, calm=True) as t:
        await t.given("Deploy", Status.BLOCKED, question="Go on?")
        await t.press("a")
        await t.is_on("DecisionScreen")
        t.app.notify("Denied: Report", markup=False, timeout=60)
        await t.sees("Denied: Report", "1 needs you")
