"""A decision can be taken back for some seconds; then it is sent, once, or said to be too late."""

from dataclasses import replace

import pytest
from hubs import Seed, asleep, text, until
from textual.widgets import Input, TextArea

from taskhub_tui.config import Settings
from taskhub_tui.domain.model import Action, Decision, Priority, Status, Task
from taskhub_tui.hub import Hub
from taskhub_tui.tui.app import TaskHubApp
from taskhub_tui.tui.screens.choose import ChooseScreen
from taskhub_tui.tui.screens.decision import DecisionScreen
from taskhub_tui.tui.screens.help import HelpScreen
from taskhub_tui.tui.sending import Taken
from tests.tui.forms import Moments


@pytest.fixture
def settings() -> Settings:
    return Settings(owner="ann", undo=5, notifications={"desktop": {"enabled": False}})


async def approve(app: TaskHubApp, hub: Hub, task: Task) -> None:
    view = await hub.status(task.id)
    taken = Taken(view.task, view.blocker, Decision(Action.APPROVE, "", "app"))
    await app.asker.sender.take([taken])


def listen(app: TaskHubApp) -> None:
    """Let the moment pass in which the dialog takes no keys."""
    assert isinstance(app.screen, DecisionScreen)
    app.screen._awake = True


async def is_open(hub: Hub, task: Task) -> bool:
    return (await hub.status(task.id)).blocker is not None


def quiet(hub: Hub) -> tuple[TaskHubApp, Moments]:
    """Return an app that raises nothing by itself, and its time for taking back."""
    app, moments = TaskHubApp(hub, services=[asleep]), Moments()
    app.asker.consider = lambda: None  # type: ignore[method-assign]
    app.asker.sender.monotonic = moments
    return app, moments


async def test_it_counts_down_and_is_sent_when_the_time_is_over(hub: Hub, seed: Seed) -> None:
    task = await seed.put("Migrate", Status.BLOCKED)
    app, moments = quiet(hub)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "Migrate" in text(app))
        await approve(app, hub, task)
        await until(pilot, lambda: "Approving: Migrate · u undoes · 5s" in text(app))
        moments.at += 3
        await until(pilot, lambda: "u undoes · 2s" in text(app))
        assert await is_open(hub, task)
        moments.at += 2
        await until(pilot, lambda: "Approved: Migrate" in text(app))
        assert not await is_open(hub, task)
        await until(pilot, lambda: "undoes" not in text(app))


async def test_taken_back_the_question_returns_and_nothing_was_sent(hub: Hub, seed: Seed) -> None:
    task = await seed.put("Migrate", Status.BLOCKED, question="Now?")
    app, moments = quiet(hub)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "Migrate" in text(app))
        await approve(app, hub, task)
        await until(pilot, lambda: "u undoes" in text(app))
        await pilot.press("u")
        await until(pilot, lambda: isinstance(app.screen, DecisionScreen) and "Now?" in text(app))
        moments.at += 10
        app.asker.sender.tick()
        await pilot.pause()
        assert await is_open(hub, task)


async def test_a_second_decision_does_not_take_the_first_one_back(hub: Hub, seed: Seed) -> None:
    one, two = [await seed.put(name, Status.BLOCKED) for name in ("One", "Two")]
    app, moments = quiet(hub)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "Two" in text(app))
        await approve(app, hub, one)
        moments.at += 1
        await approve(app, hub, two)
        await until(pilot, lambda: "One · click undoes" in text(app) and "Two · u" in text(app))
        await pilot.press("u")
        moments.at += 5
        app.asker.sender.tick()
        await until(pilot, lambda: not app.asker.sender.cases)
        assert not await is_open(hub, one)
        assert await is_open(hub, two)


async def test_u_works_in_the_next_dialog_at_once_and_puts_the_question_again(
    hub: Hub, seed: Seed
) -> None:
    one, two = [await seed.put(n, Status.BLOCKED, question=f"{n}?") for n in ("One", "Two")]
    app, _ = quiet(hub)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "Two" in text(app))
        await approve(app, hub, one)
        app.asker.ask(two.id)
        await until(pilot, lambda: isinstance(app.screen, DecisionScreen) and "Two?" in text(app))
        await until(pilot, lambda: "Approving: One" in text(app))
        await pilot.press("u")
        await until(pilot, lambda: isinstance(app.screen, DecisionScreen) and "One?" in text(app))


async def test_when_somebody_else_was_faster_a_sentence_says_so(
    hub: Hub, other: Hub, seed: Seed
) -> None:
    task = await seed.put("Migrate", Status.BLOCKED)
    app, _ = quiet(hub)
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await until(pilot, lambda: "Migrate" in text(app))
        await approve(app, hub, task)
        await other.decide(task.id, Action.DENY)
        await until(pilot, lambda: "Peter (desktop) chose DENY: Migrate" in text(app))
        await until(pilot, lambda: "Your decision was" in text(app))
        assert not app.asker.sender.held


async def test_leaving_sends_at_once(hub: Hub, seed: Seed) -> None:
    task = await seed.put("Migrate", Status.BLOCKED)
    app, _ = quiet(hub)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Migrate" in text(app))
        await approve(app, hub, task)
        await pilot.press("q")
        await until(pilot, lambda: not app.is_running or app._exit)
    assert not await is_open(hub, task)


async def test_a_failure_that_came_again_meanwhile_is_not_retried(hub: Hub, seed: Seed) -> None:
    task = await seed.put("Nightly", Status.FAILED, error="No column")
    seen = await hub.status(task.id)
    app, moments = quiet(hub)
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await until(pilot, lambda: "Nightly" in text(app))
        taken = Taken(seen.task, None, Decision(Action.RETRY, "", "app"))
        async with app._watcher._looking:  # The news has not come through yet.
            await app.asker.sender.take([taken])
            now = await seed.now(task)
            await seed.become(replace(now, ended=(now.ended or 0) + 1))
            moments.at += 6
            app.asker.sender.tick()
            await until(pilot, lambda: "It is not the failure that you saw" in text(app))
        assert (await hub.status(task.id)).task.status is Status.FAILED


async def test_a_decision_is_taken_back_while_another_screen_is_open(hub: Hub, seed: Seed) -> None:
    task = await seed.put("Migrate", Status.BLOCKED)
    hub.settings = replace(hub.settings, keys={"undo.undo": ("f8",)})
    app, _ = quiet(hub)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "Migrate" in text(app))
        for opens, screen in (("question_mark", HelpScreen), ("B", ChooseScreen)):
            await approve(app, hub, task)
            await pilot.press(opens)
            await until(pilot, lambda screen=screen: isinstance(app.screen, screen))  # type: ignore[misc]
            app.asker.sender.tick()
            await until(pilot, lambda: "f8 undoes" in text(app))
            await pilot.press("f8")
            await until(pilot, lambda: not app.asker.sender.held)
            await pilot.press("escape")
            await until(pilot, lambda: len(app.screen_stack) == 1)
        assert await is_open(hub, task)


async def test_what_was_typed_is_there_again_when_the_decision_is_taken_back(
    hub: Hub, seed: Seed
) -> None:
    task = await seed.put("Migrate", Status.BLOCKED)
    app, _ = quiet(hub)
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "Migrate" in text(app))
        app.asker.ask(task.id, action=Action.DENY)
        await until(pilot, lambda: isinstance(app.focused, Input))
        listen(app)
        await pilot.press(*"not_yet", "enter")
        await until(pilot, lambda: "Denying: Migrate" in text(app))
        await pilot.press("u")
        await until(pilot, lambda: isinstance(app.focused, Input))
        await until(pilot, lambda: "not_yet" in text(app))
        assert await is_open(hub, task)


async def test_what_was_typed_and_left_is_there_again_and_leaving_the_app_asks(
    hub: Hub, seed: Seed
) -> None:
    task = await seed.put("Migrate", Status.BLOCKED)
    app, _ = quiet(hub)
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await until(pilot, lambda: "Migrate" in text(app))
        app.asker.ask(task.id, action=Action.PROVIDE_CONTEXT)
        await until(pilot, lambda: isinstance(app.focused, TextArea))
        listen(app)
        await pilot.press(*"mind_it")
        await pilot.press("ctrl+q")
        await until(pilot, lambda: "What you typed is not sent yet" in text(app))
        assert not app._leaving
        await pilot.press("escape", "escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        app.asker.ask(task.id, action=Action.PROVIDE_CONTEXT)
        await until(pilot, lambda: isinstance(app.focused, TextArea) and "mind_it" in text(app))


async def test_the_keys_under_a_dialog_offer_to_undo_only_while_that_is_possible(
    hub: Hub, seed: Seed
) -> None:
    first = await seed.put("First", Status.BLOCKED)
    second = await seed.put("Second", Status.BLOCKED)
    app, moments = quiet(hub)
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "Second" in text(app))
        await approve(app, hub, first)
        await until(pilot, lambda: "u Undo" in text(app))
        app.asker.ask(second.id)
        await until(pilot, lambda: isinstance(app.screen, DecisionScreen))
        await until(pilot, lambda: "decide later" in text(app))
        # The line that counts down comes over the keys with its next second.
        await until(pilot, lambda: "u Undo" in text(app) or "u undoes" in text(app))
        moments.at += 10
        app.asker.sender.tick()
        await until(pilot, lambda: "u Undo" not in text(app))
        assert isinstance(app.screen, DecisionScreen)
        assert "q Quit" in text(app)


async def test_a_pause_can_be_taken_back_and_its_key_takes_it_back_too(
    hub: Hub, seed: Seed
) -> None:
    task = await seed.put("Backfill")
    app, moments = quiet(hub)
    async with app.run_test(size=(100, 24), notifications=True) as pilot:
        await until(pilot, lambda: app._main.task_here is not None)
        for back in ("u", "p"):
            await pilot.press("p")
            await until(pilot, lambda: "Pausing: Backfill · u undoes" in text(app))
            await pilot.press(back)
            await until(pilot, lambda: "Pausing taken back: Backfill" in text(app))
            assert not app.asker.sender.held
            app.clear_notifications()
        await pilot.press("p")
        await until(pilot, lambda: bool(app.asker.sender.held))
        moments.at += 10
        app.asker.sender.tick()
        await until(pilot, lambda: "Paused: Backfill" in text(app))
        assert (await seed.now(task)).status is Status.PAUSED
        await until(pilot, lambda: app._main.task_here.status is Status.PAUSED)
        await pilot.press("p")
        await until(pilot, lambda: "Letting go on: Backfill · u undoes" in text(app))
        await pilot.press("u")
        await until(pilot, lambda: not app.asker.sender.held)
        assert (await seed.now(task)).status is Status.PAUSED


async def test_a_change_of_priority_can_be_taken_back_and_the_last_one_counts(
    hub: Hub, seed: Seed
) -> None:
    task = await seed.put("Backfill")
    app, moments = quiet(hub)

    async def choose(key: str) -> None:
        await pilot.press("P")
        await until(pilot, lambda: isinstance(app.screen, ChooseScreen))
        await pilot.press(key)

    async with app.run_test(size=(100, 24), notifications=True) as pilot:
        await until(pilot, lambda: app._main.task_here is not None)
        await choose("h")
        await until(pilot, lambda: "Setting priority high: Backfill · u undoes" in text(app))
        await pilot.press("u")
        await until(pilot, lambda: not app.asker.sender.held)
        await choose("h")
        await until(pilot, lambda: bool(app.asker.sender.held))
        await choose("l")
        await until(pilot, lambda: "Setting priority low: Backfill · u undoes" in text(app))
        assert "Setting priority high: Backfill" not in text(app)
        moments.at += 10
        app.asker.sender.tick()
        await until(pilot, lambda: "Priority low: Backfill" in text(app))
        assert (await seed.now(task)).priority is Priority.LOW


async def test_what_was_typed_about_a_task_outlives_a_change_of_its_priority(
    hub: Hub, seed: Seed
) -> None:
    task = await seed.put("Backfill", Status.BLOCKED, question="Now?")
    app, moments = quiet(hub)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await until(pilot, lambda: app._main.task_here is not None)
        app.asker._drafts[task.id] = (None, {Action.DENY: {"": "Not today"}})
        await pilot.press("P")
        await until(pilot, lambda: isinstance(app.screen, ChooseScreen))
        await pilot.press("h")
        await until(pilot, lambda: bool(app.asker.sender.held))
        assert app.asker.unsent
        await pilot.press("u")
        await until(pilot, lambda: not app.asker.sender.held)
        assert not isinstance(app.screen, DecisionScreen)
        await pilot.press("P")
        await until(pilot, lambda: isinstance(app.screen, ChooseScreen))
        await pilot.press("h")
        await until(pilot, lambda: bool(app.asker.sender.held))
        moments.at += 10
        app.asker.sender.tick()
        await until(pilot, lambda: "Priority high: Backfill" in text(app))
        assert app.asker.unsent
        assert await is_open(hub, task)
