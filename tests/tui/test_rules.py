"""Always-allow rules in the app: made in the dialog, listed, revoked, and that taken back."""

import pytest
from hubs import Seed
from play import Play, User
from scenes import approval, dangerous, question, review, ruled

from taskhub_tui.domain.model import Status
from taskhub_tui.domain.rules import Scope


async def held(t: User) -> list[tuple[str, str]]:
    return [(rule.scope.value, rule.value) for rule in await t.hub.rules()]


def hold(t: User, seconds: float = 5.0) -> None:
    """Let what is decided be taken back for so long; the time stands still."""
    from dataclasses import replace

    t.hub.settings = replace(t.hub.settings, undo=seconds)
    t.app.asker.sender.monotonic = lambda: 0.0


async def test_the_list_says_who_made_a_rule_and_how_often_it_was_used(play: Play) -> None:
    async with play(120, 36, before=ruled) as t:
        await t.press("Y")
        await t.sees("4 rules", "/srv/billing/staging", "12 times, 3h00 ago", "never")
        await t.press("end")
        await t.sees("Made by ann (app), 12 Sep.", "what it has decided stands")


async def test_every_key_moves_the_cursor(play: Play) -> None:
    async with play(80, 24, before=ruled) as t:
        await t.press("Y")
        await t.sees("4 rules")
        rows = t.app.screen.query_one("#list")
        for key, place in (
            ("j", 1), ("down", 2), ("k", 1), ("up", 0), ("G", 3), ("g", 0), ("end", 3),
            ("home", 0), ("ctrl+d", 3), ("ctrl+u", 0), ("pagedown", 3), ("pageup", 0),
        ):  # fmt: skip
            await t.press(key)
            await t.until(lambda place=place: rows.highlighted == place, key)
        await t.press("q")
        await t.is_on("MainScreen")
        await t.press("Y", "escape")
        await t.is_on("MainScreen")


async def test_a_rule_is_revoked_after_a_yes_and_that_can_be_taken_back(play: Play) -> None:
    async with play(80, 24, before=ruled) as t:
        hold(t)
        await t.press("Y")
        await t.sees("4 rules")
        await t.press("X")
        await t.sees("Revoke this rule?")
        await t.press("n")
        await t.does_not_see("Revoke this rule?")
        assert len(await held(t)) == 4
        await t.press("delete", "y")
        await t.sees("Revoking: Always allow the command", "to be revoked", "5s")
        assert len(await held(t)) == 4
        await t.press("u")
        await t.does_not_see("to be revoked")
        await t.sees("Revoking taken back")
        await t.press("X", "y")
        await t.sees("to be revoked")
        t.app.asker.sender.monotonic = lambda: 6.0
        await t.sees("3 rules", "Revoked: Always allow")
        assert ("command", "git status *") not in await held(t)


async def test_without_rules_it_says_how_to_make_one(play: Play) -> None:
    async with play(80, 24) as t:
        await t.press("Y")
        await t.sees("There are no rules", "A in a question")
        await t.press("X")
        await t.pilot.pause()
        assert not t.shows("Revoke this rule?")


async def test_a_view_that_only_shows_revokes_nothing(play: Play) -> None:
    async with play(80, 24, before=ruled) as t:
        t.hub.read_only = True
        await t.press("Y")
        await t.sees("4 rules")
        await t.press("X")
        await t.sees("This view only shows")


async def the_question(t: User) -> str:
    (task,) = await t.hub.tasks(status=[Status.BLOCKED])
    return task.id


async def test_a_question_is_approved_and_a_rule_made_of_it(play: Play) -> None:
    async with play(120, 36, before=approval) as t:
        task_id = await the_question(t)
        await t.decides("A")
        await t.sees("Approve this, and from now on without asking")
        await t.press("enter")
        assert await held(t) == [], "Enter alone chooses nothing"
        await t.press("down", "down", "enter")
        await t.sees(f"Always allow what task {task_id} asks?")
        await t.press("enter")
        await t.does_not_see("Press y to do it")
        assert await held(t) == [], "Enter alone decides nothing"
        await t.decides("A", "down", "down", "enter")
        await t.sees("Press y to do it")
        await t.press("y")
        await t.sees("Approved, and always allowed")
        assert await held(t) == [("task", task_id)]
        assert (await t.hub.status(task_id)).task.status is not Status.BLOCKED


async def test_of_a_command_a_pattern_can_be_written(play: Play) -> None:
    async with play(120, 36, before=approval) as t:
        await t.decides("A")
        await t.press("down")
        await t.sees("tab edits it")
        await t.press("tab")
        await t.is_in("pattern")
        field = t.app.screen.query_one("#pattern")
        for value, said in (
            ("* --force", "must name the program"),
            ("git *", "would not allow what is asked now"),
            ("./bin/migrate *; rm *", "is no pattern of a command"),
        ):
            field.value = value
            await t.press("enter")
            await t.sees(said)
            assert await held(t) == []
        field.value = "./bin/migrate --database staging *"
        await t.press("enter")
        await t.sees("Always allow the command `./bin/migrate --database staging *`?")
        await t.press("y")
        await t.sees("Approved, and always allowed")
        assert await held(t) == [("command", "./bin/migrate --database staging *")]


async def test_a_rule_can_be_taken_back_with_its_approval(play: Play) -> None:
    async with play(120, 36, before=approval) as t:
        hold(t)
        task_id = await the_question(t)
        await t.decides("A", "down", "enter")
        await t.sees("Press y to do it")
        await t.press("y")
        await t.sees("Always allowing: Migrate billing")
        await t.press("u")
        await t.does_not_see("Always allowing")
        await t.waits_for_the_dialog()
        assert await held(t) == []
        assert (await t.hub.status(task_id)).task.status is Status.BLOCKED


@pytest.mark.parametrize("put", [dangerous, review, question])
async def test_no_rule_is_offered_where_none_can_be(play: Play, put) -> None:
    async def only(seed: Seed) -> None:
        await put(seed)

    async with play(120, 36, before=only) as t:
        await t.waits_for_the_dialog()
        assert not t.shows("always allow")
        await t.press("A")
        await t.pilot.pause()
        assert not t.shows("from now on without asking")


async def test_the_line_of_keys_leads_there_with_the_mouse(play: Play) -> None:
    async with play(120, 36, before=approval) as t:
        await t.waits_for_the_dialog()
        await t.clicks("always allow")
        await t.sees("from now on without asking")
        await t.clicks("esc back")
        await t.does_not_see("from now on without asking")


async def test_a_rule_made_elsewhere_appears(play: Play) -> None:
    async with play(80, 24) as t:
        await t.press("Y")
        await t.sees("There are no rules")
        await t.hub.allow(Scope.AGENT, "command")
        await t.sees("1 rule", "Always allow what the agent `command` asks.")


async def test_the_palette_leads_there_too(play: Play) -> None:
    async with play(80, 24, before=ruled) as t:
        await t.press("ctrl+p")
        await t.types("always allowed")
        await t.sees("What is always allowed")
        await t.press("enter")
        await t.sees("4 rules")
        await t.press("ctrl+p")
        await t.types("revoke")
        await t.sees("End the rule; asks first")
        await t.press("enter")
        await t.sees("Revoke this rule?")


async def test_what_a_rule_is_about_is_never_markup(play: Play) -> None:
    async with play(120, 36) as t:
        await t.hub.allow(Scope.AGENT, "[/red] [@click=app.quit]x[/] \x1b[2J")
        await t.press("Y")
        await t.sees("1 rule", "[/red] [@click=app.quit]x[/]")
        assert "\x1b" not in "".join(t.lines())
