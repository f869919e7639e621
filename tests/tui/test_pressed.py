"""Every key of the app is pressed by a test; the last test of a whole run looks whether it was."""

from play import Play
from pressed import every_key, noted, pressed

from taskhub_tui.domain.model import Status


async def test_a_key_counts_when_it_does_what_it_is_for(play: Play) -> None:
    async with play() as t:
        await t.given("Audit")
        await t.row("Audit").is_under_cursor()
        with noted() as found:
            await t.press("B")
            await t.is_on("ChooseScreen")
            assert found == {("list.group", "B")}


async def test_a_key_that_means_nothing_now_or_is_a_letter_does_not_count(play: Play) -> None:
    async with play(calm=True) as t:
        await t.given("Audit", Status.COMPLETED)
        await t.row("Audit").is_under_cursor()
        with noted() as found:
            await t.press("r", "X", "slash", "S")
            await t.is_in("FilterLine")
            assert found == {("hub.filter", "slash")}


def test_every_key_was_pressed_by_some_test() -> None:
    # Left out, by `conftest`, unless all tests of the app have run before it.
    never = sorted(every_key() - pressed())
    assert not never, "no test presses " + ", ".join(f"{key} ({act})" for act, key in never)
