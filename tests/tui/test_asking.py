"""Questions come to the user, one at a time, at a good moment, and are answered once."""

import time
from dataclasses import replace

import pytest
from hubs import Seed, text, until
from play import Play, User
from textual.widgets import Input, OptionList

from taskhub_tui.domain.model import Action, BlockerKind, NoticeKind, Status
from taskhub_tui.hub import Hub
from taskhub_tui.tui.app import TaskHubApp
from taskhub_tui.tui.screens.decision import DecisionScreen
from taskhub_tui.tui.screens.help import HelpScreen


def raised(app: TaskHubApp) -> bool:
    return isinstance(app.screen, DecisionScreen) and "esc" in text(app)


def rest(app: TaskHubApp) -> None:
    """Let the moment pass in which the dialog takes no keys."""
    assert isinstance(app.screen, DecisionScreen)
    app.screen._quiet_since = time.monotonic() - 1


async def test_a_question_that_waits_is_raised_and_one_key_answers_it(
    app: TaskHubApp, hub: Hub, seed: Seed
) -> None:
    task = await seed.put("Migrate", Status.BLOCKED, question="Run it on staging?")
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await until(pilot, lambda: raised(app))
        await until(pilot, lambda: "Run it on staging?" in text(app))
        rest(app)
        await pilot.press("a")
        await until(pilot, lambda: not raised(app))

        async def answered() -> bool:
            return (await hub.status(task.id)).blocker is None

        await until(pilot, answered)
        await until(pilot, lambda: "Approved: Migrate" in text(app))
        event = (await hub.events(task.id))[-1]
        assert (event.data["action"], event.channel) == ("approve", "app")


async def test_several_are_raised_one_after_the_other(app: TaskHubApp, seed: Seed) -> None:
    for name in ("One", "Two", "Three"):
        await seed.put(name, Status.BLOCKED, question=f"{name}?")
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await until(pilot, lambda: "1 of 3" in text(app))
        rest(app)
        await pilot.press("escape")
        app.typed = 0.0
        await until(pilot, lambda: "1 of 2" in text(app))
        rest(app)
        await pilot.press("a")
        app.typed = 0.0
        await until(pilot, lambda: "Three?" in text(app) and raised(app))


async def test_none_is_raised_while_somebody_types_or_reads_a_dialog(
    app: TaskHubApp, seed: Seed
) -> None:
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await seed.put("Calm one")
        await until(pilot, lambda: "Calm one" in text(app))
        await pilot.press("slash")
        await until(pilot, lambda: isinstance(app.focused, Input))
        await seed.put("Migrate", Status.BLOCKED)
        await until(pilot, lambda: len(app.asker._queue) == 1)
        app.typed = 0.0
        app.asker.consider()
        await pilot.pause(0.1)
        assert not raised(app)
        await pilot.press("escape")
        app.asker.consider()  # A key was pressed just now.
        await pilot.pause(0.1)
        assert not raised(app)
        await pilot.press("question_mark")
        app.typed = 0.0
        app.asker.consider()
        await pilot.pause(0.1)
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("escape")
        app.typed = 0.0
        await until(pilot, lambda: raised(app))


@pytest.mark.parametrize(("key", "screen"), [("A", "AgentsScreen"), ("comma", "SettingsScreen")])
async def test_one_comes_up_over_a_whole_screen_which_stays_as_it_is(
    play: Play, key: str, screen: str
) -> None:
    async with play() as t:
        await t.given("Calm one")
        await t.press(key)
        await t.is_on(screen)
        task = await t.given("Migrate", Status.BLOCKED, question="Run it on staging?")
        await t.waits_for_the_dialog()
        await t.sees("Run it on staging?")
        await t.press("a")
        await t.is_on(screen)
        await t.sees("Approved: Migrate")

        async def answered() -> bool:
            return (await t.hub.status(task.id)).blocker is None

        await t.until(answered)


async def test_none_comes_up_over_a_setting_that_is_typed_or_a_key_that_is_waited_for(
    play: Play,
) -> None:
    async def is_raised(t: User) -> bool:
        t.app.typed = 0.0
        t.app.asker.consider()
        await t.pilot.pause(0.1)
        return isinstance(t.app.screen, DecisionScreen)

    async with play() as t:
        await t.press("comma")
        await t.is_on("SettingsScreen")
        rows = t.app.screen.query_one("#list", OptionList)
        rows.highlighted = rows.get_option_index("set:concurrency")
        await t.press("enter")
        await t.is_in("typed")
        await t.given("Migrate", Status.BLOCKED)
        await t.sees("1 question waits for you")
        assert not await is_raised(t)
        await t.press("escape")
        rows.highlighted = rows.get_option_index("key:hub.new")
        await t.press("enter")
        await t.sees("Press the new key for hub.new")
        assert not await is_raised(t)
        await t.press("escape")
        await t.waits_for_the_dialog()


async def test_none_is_raised_while_another_program_has_the_terminal_nor_right_after(
    app: TaskHubApp, seed: Seed
) -> None:
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await seed.put("Calm one")
        await until(pilot, lambda: "Calm one" in text(app))
        app.lend()
        await seed.put("Migrate", Status.BLOCKED)
        await until(pilot, lambda: len(app.asker._queue) == 1)
        app.typed = 0.0
        app.asker.consider()
        await pilot.pause(0.1)
        assert not raised(app)
        assert not app.asker._announced, "nor is it said, where nobody sees it"
        app.take_back()
        app.asker.consider()
        await pilot.pause(0.1)
        assert not raised(app)
        app.typed = 0.0
        await until(pilot, lambda: raised(app))


async def test_one_that_is_being_read_up_when_the_terminal_is_lent_comes_later(
    app: TaskHubApp, hub: Hub, seed: Seed
) -> None:
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await seed.put("Migrate", Status.BLOCKED)
        app.lend()
        await until(pilot, lambda: len(app.asker._queue) == 1)
        app.take_back()
        app.typed = 0.0
        app.asker.consider()
        app.lend()
        await until(pilot, lambda: not app.asker._busy)
        assert not raised(app)
        app.take_back()
        app.typed = 0.0
        await until(pilot, lambda: raised(app))


@pytest.mark.parametrize("keys", ["a", "enter", "escape"])
async def test_a_dialog_rests_again_when_the_terminal_comes_back(
    app: TaskHubApp, hub: Hub, seed: Seed, keys: str
) -> None:
    task = await seed.put("Migrate", Status.BLOCKED)
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        app.typed = 0.0
        await until(pilot, lambda: raised(app))
        dialog = app.screen
        dialog._quiet_since -= 60
        await until(pilot, lambda: dialog._listens())
        app.lend()
        app.take_back()
        await pilot.press(keys)
        assert app.screen is dialog
        dialog._quiet_since -= 60
        await pilot.press("a")
        await until(pilot, lambda: not raised(app))
        await app.asker.leave()
        assert (await hub.status(task.id)).task.status is not Status.BLOCKED


async def test_one_that_is_put_off_comes_back_by_key_or_when_it_changes(
    app: TaskHubApp, hub: Hub, seed: Seed
) -> None:
    task = await seed.put("Migrate", Status.BLOCKED, question="First wording?")
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await until(pilot, lambda: raised(app))
        rest(app)
        await pilot.press("escape")
        await until(pilot, lambda: not raised(app))
        app.typed = 0.0
        app.asker.consider()
        await pilot.pause(0.1)
        assert not raised(app)
        await pilot.press("a")
        await until(pilot, lambda: raised(app))
        rest(app)
        await pilot.press("escape")
        await until(pilot, lambda: not raised(app))
        await hub.decide(task.id, Action.APPROVE)
        await seed.become(await seed.now(task), question="")
        asked = replace(await seed.now(task), status=Status.BLOCKED)
        await seed.become(asked, question="Second wording?")
        app.typed = 0.0
        await until(pilot, lambda: raised(app) and "Second wording?" in text(app))


async def test_an_answer_given_elsewhere_closes_the_dialog_and_says_whose_it_was(
    app: TaskHubApp, other: Hub, seed: Seed
) -> None:
    task = await seed.put("Migrate", Status.BLOCKED)
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await until(pilot, lambda: raised(app))
        await other.decide(task.id, Action.DENY, text="not today")
        await until(pilot, lambda: not raised(app))
        await until(pilot, lambda: "Peter (desktop) chose DENY: Migrate" in text(app))


async def test_an_answer_is_called_an_answer(app: TaskHubApp, other: Hub, seed: Seed) -> None:
    task = await seed.put("Migrate", Status.BLOCKED, kind=BlockerKind.INPUT)
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await until(pilot, lambda: raised(app))
        await other.decide(task.id, Action.PROVIDE_CONTEXT, text="eu-1")
        await until(pilot, lambda: "Peter (desktop) answered: Migrate" in text(app))


async def test_who_comes_too_late_is_told_so(app: TaskHubApp, other: Hub, seed: Seed) -> None:
    task = await seed.put("Migrate", Status.BLOCKED)
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await until(pilot, lambda: raised(app))
        async with app._watcher._looking:  # The news has not come through yet.
            await other.decide(task.id, Action.APPROVE)
            rest(app)
            await pilot.press("a")
            await until(pilot, lambda: "Too late: Peter (desktop) chose APPROVE" in text(app))


async def test_a_failure_is_raised_with_the_end_of_its_log(
    app: TaskHubApp, hub: Hub, seed: Seed
) -> None:
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        task = await seed.put(
            "Nightly", Status.FAILED, log="line 2041 is odd", error="Schema mismatch"
        )
        await until(pilot, lambda: raised(app))
        assert "Schema mismatch" in text(app)
        assert "line 2041 is odd" in text(app)
        rest(app)
        await pilot.press("r")
        await until(pilot, lambda: not raised(app))

        async def retried() -> bool:
            return (await hub.status(task.id)).task.status is Status.PENDING

        await until(pilot, retried)


async def untold(hub: Hub) -> bool:
    """Return whether nothing is left that was told about a failure and not read."""
    return not await hub.unread(kind=NoticeKind.ERROR)


async def test_a_failure_that_is_left_for_later_stays_in_the_inbox_and_rests(play: Play) -> None:
    async with play() as t:
        await t.given("Nightly", Status.FAILED, error="Schema mismatch")
        await t.waits_for_the_dialog()
        await t.sees("esc decide later", "e put away")
        await t.press("escape")
        await t.is_on("MainScreen")
        await t.until(lambda: t.app.asker._queue == [])
        t.app.typed = 0.0
        await t.later(60)
        t.app.asker.consider()
        await t.pilot.pause(0.1)
        await t.is_on("MainScreen")
        assert not await untold(t.hub)
        await t.press("i")
        await t.sees("1 failed", "Schema mismatch")


async def test_a_failure_that_is_put_away_leaves_the_inbox_for_good(
    play: Play, hub: Hub, app: TaskHubApp
) -> None:
    async with play() as t:
        task = await t.given("Nightly", Status.FAILED, error="Schema mismatch")
        await t.decides("e")
        await t.is_on("MainScreen")
        await t.until(lambda: untold(t.hub))
        assert (await t.stands(task, Status.FAILED)).task.error == "Schema mismatch"
        await t.press("a")
        await t.waits_for_the_dialog()
        await t.sees("esc close")
        assert not t.shows("put away")
        await t.press("escape", "i")
        await t.sees("Nothing waits for you")
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await until(pilot, lambda: app._seen_notice is not None)
        await pilot.pause()
        assert app.asker._queue == []


async def test_a_failure_that_was_left_for_later_is_raised_when_the_app_is_opened_again(
    play: Play,
) -> None:
    async with play() as t:
        await t.given("Nightly", Status.FAILED, error="Schema mismatch")
        await t.decides("escape")
        await t.is_on("MainScreen")
    async with play() as t:
        await t.waits_for_the_dialog()
        await t.sees("Schema mismatch")


async def test_a_running_task_can_be_cancelled_from_the_list_and_asks_first(
    app: TaskHubApp, hub: Hub, seed: Seed
) -> None:
    task = await seed.put("Backfill", Status.IN_PROGRESS)
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await until(pilot, lambda: bool(app.screen.check_action("act", ("cancel",))))
        await pilot.press("X")
        await until(pilot, lambda: raised(app) and "Cancel this task?" in text(app))
        assert (await hub.status(task.id)).task.status is Status.IN_PROGRESS


async def test_where_many_wait_all_are_left_for_later_with_one_key(play: Play) -> None:
    async def three(seed: Seed) -> None:
        for name in ("One", "Two", "Three"):
            await seed.put(name, Status.BLOCKED, question=f"{name}?")

    async with play(120, 36, before=three) as t:
        await t.sees("1 of 3", "i see all 3")
        await t.decides("i")
        await t.is_on("InboxScreen")
        await t.sees("3 need you", "One?", "Two?", "Three?")
        await t.press("escape")
        await t.is_on("MainScreen")
        t.app.typed = 0.0
        t.app.asker.consider()
        assert not t.app.asker._busy, "what was left for later does not come up by itself"
        # One that is asked later is raised, and alone it offers no list.
        await t.given("Four", Status.BLOCKED, question="Four?")
        await t.waits_for_the_dialog()
        await t.sees("Four?", "decide later")
        assert not t.shows("see all")
