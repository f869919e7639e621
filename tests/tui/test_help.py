"""The help and the command palette: every key, those of the place first; what can be done now."""

import asyncio
from typing import Any

from hubs import Seed, text, until
from play import Play, User
from textual import events
from textual.command import CommandList

from taskhub_tui.domain.model import Status, Task
from taskhub_tui.domain.waiting import Waiting
from taskhub_tui.tui.actions import ACTIONS
from taskhub_tui.tui.app import TaskHubApp
from taskhub_tui.tui.commands import TASKS, legal
from taskhub_tui.tui.keymap import PLAIN
from taskhub_tui.tui.screens.decision import DecisionScreen
from taskhub_tui.tui.screens.help import HelpScreen, numbered
from taskhub_tui.tui.screens.inbox import InboxScreen
from taskhub_tui.tui.screens.new_task import NewTaskScreen
from taskhub_tui.tui.widgets.detail import Detail


async def test_help_shows_the_keys_of_its_place_first(app: TaskHubApp, seed: Seed) -> None:
    await seed.put("Deploy", Status.BLOCKED, question="May I?")
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await until(pilot, lambda: isinstance(app.screen, DecisionScreen))
        await pilot.press("question_mark")
        await until(pilot, lambda: "In a dialog that asks" in text(app))
        edge, first, *_ = text(app).splitlines()
        assert "Help" in edge
        assert "In a dialog that asks" in first
        assert "not now" in next(line for line in text(app).splitlines() if "failed stage" in line)
        await pilot.press("question_mark")
        assert isinstance(app.screen, DecisionScreen)
        await until(pilot, lambda: app.screen._awake)
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, InboxScreen))
        await pilot.press("question_mark")
        await until(pilot, lambda: "In the inbox" in text(app).splitlines()[1])


async def test_the_inbox_is_read_on_under_the_help_and_says_so_until_then(play: Play) -> None:
    async with play(120, 36, calm=True) as t:
        await t.given("Deploy", Status.BLOCKED, question="Go on?")
        read, waiting = asyncio.Event(), t.app.asker.waiting

        async def slowly() -> list[Waiting]:
            await read.wait()
            return await waiting()

        t.app.asker.waiting = slowly  # type: ignore[method-assign]
        await t.press("i")
        await t.is_on("InboxScreen")
        await t.sees("Inbox", "Looking …")
        await t.press("question_mark")
        await t.is_on("HelpScreen")
        read.set()
        await t.sees("Needs you", "Help")


async def test_help_comes_after_what_was_pressed_before_it(play: Play) -> None:
    async with play(120, 36, calm=True) as t:
        await t.given("Deploy", Status.BLOCKED, question="Go on?")
        for key in ("i", "?"):  # Both at once, as who types fast does.
            t.app.post_message(events.Key(key if key == "i" else "question_mark", key))
        await t.is_on("HelpScreen")
        await t.sees("In the inbox")
        assert [type(one).__name__ for one in t.app.screen_stack[1:]] == [
            "InboxScreen",
            "HelpScreen",
        ]


async def test_in_a_dialog_help_does_not_deny_what_the_palette_offers(play: Play) -> None:
    async with play(100, 60) as t:
        await t.given("Deploy", Status.BLOCKED, question="Go on?")
        await t.waits_for_the_dialog()
        await t.press("question_mark")
        await t.sees("Choose the colours")
        assert not t.shows("Choose the colours  not now")


async def test_in_a_field_a_question_mark_is_a_letter(app: TaskHubApp) -> None:
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await until(pilot, lambda: app._seen_notice is not None)
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, NewTaskScreen))
        await pilot.press(*"Why", "question_mark", "colon", "slash")
        await until(pilot, lambda: "Why?:/" in text(app))
        assert isinstance(app.screen, NewTaskScreen)
        await pilot.press("f1")
        await until(pilot, lambda: "In the form for a new task" in text(app))
        await pilot.press("escape")
        assert isinstance(app.screen, NewTaskScreen)


async def test_help_is_searched_by_words(app: TaskHubApp, seed: Seed) -> None:
    await seed.put("One")
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await until(pilot, lambda: "One" in text(app))
        await pilot.press("question_mark", "slash", *"page down")
        await until(pilot, lambda: "Next task" not in text(app))
        assert text(app).count("A page down") >= 2
        await pilot.press(*" zebra")
        await until(pilot, lambda: "Nothing matches" in text(app))
        await pilot.press("escape")
        await until(pilot, lambda: "Next task" in text(app))
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("j", "ctrl+d", "k", "ctrl+u", "escape")
        assert len(app.screen_stack) == 1


async def test_every_action_can_be_found_in_the_help(app: TaskHubApp) -> None:
    async with app.run_test(size=(100, 400), notifications=True) as pilot:
        await until(pilot, lambda: app._seen_notice is not None)
        await pilot.press("question_mark")
        await until(pilot, lambda: "What it is" in text(app))
        shown = text(app)
        one_line = [*numbered(PLAIN)]
        assert [act.id for act, _, meaning in one_line if meaning not in shown] == []
        left = {act.id for act in ACTIONS} - {act.id for act, _, _ in one_line}
        assert all(name.rpartition("_")[2].isdigit() for name in left), "one of nine only"
        assert shown.count("1–9") == 3


async def test_the_palette_offers_what_is_legal_with_its_keys(app: TaskHubApp, seed: Seed) -> None:
    await seed.put("Waits")
    async with app.run_test(size=(120, 40), notifications=True) as pilot:
        await until(pilot, lambda: app.query_one(Detail).view is not None)
        await pilot.press("colon")
        await until(pilot, lambda: "X        Cancel" in text(app))
        assert "Retry" not in text(app)
        assert "Decide" not in text(app)
        await pilot.press(*"hold it after")
        await until(pilot, lambda: "Cancel" not in text(app))
        await pilot.press("enter")
        await until(pilot, lambda: "1 paused" in text(app))


async def test_the_palette_leads_to_every_place_from_the_list_and_from_another(play: Play) -> None:
    async with play(100, 30) as t:
        await t.given("Draft notes")
        for name, screen in (("Inbox", "InboxScreen"), ("Agents", "AgentsScreen"),
                             ("Settings", "SettingsScreen")):  # fmt: skip
            await t.press("colon")
            await t.is_on("Palette")
            await t.types(name.lower())
            await t.until(lambda name=name: name in offered(t)[0] and len(offered(t)) < 9)
            await t.press("enter")
            await t.is_on(screen)
        await t.press("colon")
        await t.sees("Agents       ")
        # Where one is, one need not go.
        assert not any("Settings     " in one for one in offered(t))


async def test_a_task_is_found_in_the_palette_by_a_part_of_its_title(play: Play) -> None:
    async with play(100, 30) as t:
        await t.given("Rotate staging [/credentials]", Status.IN_PROGRESS)
        await t.given("Draft notes")
        await t.row("Draft").is_there()
        await t.press("colon")
        await t.sees("X        Cancel")
        assert results(t) == []
        await t.types("ging [/c")
        await t.until(lambda: results(t) == ["▸ Rotate staging [/credentials]"])
        await t.press("enter")
        await t.row("Rotate").is_under_cursor()
        await t.is_in("LogView")


async def test_a_task_is_found_in_the_palette_by_its_id_from_a_whole_screen(play: Play) -> None:
    async with play(100, 30) as t:
        task = await t.given("Rotate staging", Status.IN_PROGRESS)
        await t.given("Draft notes")
        await t.press("A")
        await t.is_on("AgentsScreen")
        await t.press("colon")
        await t.types(task.id[:6].upper())
        await t.until(lambda: results(t) == ["▸ Rotate staging"])
        await t.press("enter")
        await t.is_on("MainScreen")
        await t.row("Rotate").is_under_cursor()


async def test_the_palette_shows_a_few_tasks_those_so_called_first(play: Play) -> None:
    async with play(100, 40) as t:
        for n in range(12):
            await t.given(f"Task {n}", agent="zebra")
        await t.given("The zebra", Status.COMPLETED)
        await t.press("colon")
        await t.types("z")
        await t.sees("Give the task the whole screen")
        assert results(t) == []
        await t.types("ebra")
        await t.until(lambda: len(results(t)) == TASKS)
        assert results(t)[0] == "✓ The zebra"


async def test_enter_in_the_palette_means_what_was_typed_however_fast(play: Play) -> None:
    async with play(100, 30) as t:
        await t.given("Rotate staging", Status.IN_PROGRESS)
        await t.given("Draft notes")
        tasks, found = t.hub.tasks, asyncio.Event()

        async def slowly(**more: Any) -> list[Task]:
            await found.wait()
            return await tasks(**more)

        t.hub.tasks = slowly  # type: ignore[method-assign]
        await t.press("colon")
        await t.is_on("Palette")
        await t.types("rotate")
        await t.press("enter")
        await t.is_on("Palette")
        found.set()
        await t.is_on("MainScreen")
        await t.row("Rotate").is_under_cursor()
        await t.is_in("LogView")


async def test_a_command_of_that_name_stands_above_the_tasks(play: Play) -> None:
    async with play(100, 30) as t:
        await t.given("Group the settings")
        await t.press("colon")
        await t.types("settings")
        await t.sees("· Group the settings")
        shown = "\n".join(t.lines())
        assert shown.index("Every setting") < shown.index("· Group the settings")


async def test_over_a_question_the_palette_leads_to_no_task(play: Play) -> None:
    async with play(100, 30) as t:
        await t.given("Deploy", Status.BLOCKED, question="May I?")
        await t.given("Approve the layout")
        await t.waits_for_the_dialog()
        await t.press("colon")
        await t.types("approve")
        await t.sees("Approve, or accept the result")
        assert results(t) == []


def offered(t: User) -> list[str]:
    """Return what the palette shows, line by line."""
    found = t.app.screen.query_one(CommandList)
    return [str(found.get_option_at_index(at).prompt) for at in range(found.option_count)] or [""]


def results(t: User) -> list[str]:
    """Return the tasks that the palette shows, with their signs."""
    return [one[9:] for one in offered(t) if one[9:11] in ("▸ ", "· ", "✓ ", "! ")]


async def test_a_dialog_offers_its_own_actions(app: TaskHubApp, seed: Seed) -> None:
    await seed.put("Deploy", Status.BLOCKED, question="May I?")
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await until(pilot, lambda: isinstance(app.screen, DecisionScreen))
        offered = {command.act.id for command in legal(app, app.screen)}
        assert {"decision.approve", "decision.later", "app.theme"} <= offered
        assert not {"decision.retry", "task.pause", "hub.quit"} & offered


async def test_a_theme_is_chosen_in_the_palette(app: TaskHubApp) -> None:
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await until(pilot, lambda: app._seen_notice is not None)
        await pilot.press("colon", *"theme")
        await until(pilot, lambda: "Choose the colours" in text(app))
        await pilot.press("enter")
        await until(pilot, lambda: "Search for themes" in text(app))
        await pilot.press(*"nord")
        await until(pilot, lambda: "dracula" not in text(app) and "nord" in text(app))
        await pilot.press("enter")
        await until(pilot, lambda: app.theme == "nord")
        await until(pilot, lambda: 'theme = "nord"' in text(app))
