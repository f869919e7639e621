"""The help and the command palette: every key, those of the place first; what can be done now."""

from hubs import Seed, text, until

from taskhub_tui.domain.model import Status
from taskhub_tui.tui.actions import ACTIONS
from taskhub_tui.tui.app import TaskHubApp
from taskhub_tui.tui.commands import legal
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
