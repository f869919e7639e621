"""The list as a whole: filters, sorts, groups, marks, views, and what waits beside it."""

import asyncio
import time
from dataclasses import replace

import pytest
from hubs import Seed, text, until
from play import Play, opened
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from taskhub_tui import care
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.listing import Arranged, Group, Listing, Sort
from taskhub_tui.domain.model import Action, Priority, Status
from taskhub_tui.hub import Hub
from taskhub_tui.tui.app import TaskHubApp
from taskhub_tui.tui.screens.choose import ChooseScreen, NameScreen
from taskhub_tui.tui.screens.main import MainScreen
from taskhub_tui.tui.screens.preflight import REST, PreflightScreen
from taskhub_tui.tui.widgets.filter import FilterLine
from taskhub_tui.tui.widgets.header import HubHeader
from taskhub_tui.tui.widgets.inbox_pane import InboxPane
from taskhub_tui.tui.widgets.task_table import TaskTable
from tests.tui.forms import Moments


def main(app: TaskHubApp) -> MainScreen:
    screen = app.screen_stack[0]
    assert isinstance(screen, MainScreen)
    return screen


def table(app: TaskHubApp) -> TaskTable:
    return main(app).table


def titles(app: TaskHubApp) -> list[str]:
    """The titles in the list, from top to bottom, with heads in brackets."""
    shown = []
    for place in range(len(table(app)._order)):
        head, task = table(app)._head_at(place), table(app)._row(place)
        shown.append(f"[{head.name} {head.count}]" if head else task.title if task else "?")
    return shown


async def listed(pilot: Pilot[None], app: TaskHubApp, count: int) -> None:
    await until(pilot, lambda: len(table(app)) == count and "?" not in titles(app))


@pytest.fixture
def quiet(app: TaskHubApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """No failure is raised as a dialog by itself."""

    async def nothing() -> None:
        return

    monkeypatch.setattr(app.asker, "consider", nothing)


async def choose(pilot: Pilot[None], app: TaskHubApp, opens: str, key: str) -> None:
    await pilot.press(opens)
    await until(pilot, lambda: isinstance(app.screen, ChooseScreen))
    await pilot.press(key)
    await until(pilot, lambda: isinstance(app.screen, MainScreen))


async def test_a_wrong_filter_says_so_and_the_last_good_one_stays(
    app: TaskHubApp, seed: Seed
) -> None:
    await seed.put("Audit costs", Status.PAUSED)
    await seed.put("Audit keys")
    async with app.run_test(size=(100, 24), notifications=True) as pilot:
        await listed(pilot, app, 2)
        await pilot.press("slash")
        line = app.screen.query_one(FilterLine)
        line.value = "status:paused"
        await until(pilot, lambda: titles(app) == ["Audit costs"])
        await until(pilot, lambda: "1 of 2" in text(app))
        line.value = "status:paused colour:red"
        await until(pilot, lambda: "`colour` is not a field. Fields: status" in text(app))
        assert titles(app) == ["Audit costs"]
        line.value = "!status:paused"
        await until(pilot, lambda: titles(app) == ["Audit keys"])
        assert "is not a field" not in text(app)


async def test_tab_takes_what_the_filter_offers(app: TaskHubApp, seed: Seed) -> None:
    await seed.put("Audit", agent="analyst")
    async with app.run_test(size=(100, 24), notifications=True) as pilot:
        await listed(pilot, app, 1)
        await pilot.press("slash", *"ag")
        line = app.screen.query_one(FilterLine)
        await until(pilot, lambda: line._suggestion == "agent:")
        await pilot.press("tab", *"an")
        await until(pilot, lambda: line._suggestion == "agent:analyst")
        await pilot.press("tab")
        assert line.value == "agent:analyst"


async def test_only_what_fits_the_filter_is_announced_as_new(app: TaskHubApp, seed: Seed) -> None:
    await seed.put("Audit costs")
    async with app.run_test(size=(100, 24), notifications=True) as pilot:
        await listed(pilot, app, 1)
        await pilot.press("slash", *"audit", "enter")
        await until(pilot, lambda: bool(main(app)._filter.filter))
        app.typed = time.monotonic() + 60
        await seed.put("Rotate keys")
        await seed.put("Audit keys")
        await until(pilot, lambda: "1 new ↑" in text(app))
        assert titles(app) == ["Audit costs"]
        await until(pilot, lambda: app.screen.query_one(HubHeader).counts.queued == 3)
        assert table(app).unseen == 1
        await pilot.press("g")
        await until(pilot, lambda: titles(app) == ["Audit keys", "Audit costs"])


async def test_keys_pressed_while_the_order_is_read_anew_count(
    app: TaskHubApp, hub: Hub, seed: Seed, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("Third", "Second", "First"):
        await seed.put(name)
    async with app.run_test(size=(100, 24), notifications=True) as pilot:
        await listed(pilot, app, 3)
        await pilot.press("G")
        read, asked, goes = hub.arranged, asyncio.Event(), asyncio.Event()

        async def slow(wanted: Listing) -> Arranged:
            asked.set()
            await goes.wait()
            return await read(wanted)

        monkeypatch.setattr(hub, "arranged", slow)
        await pilot.press("g")
        await asked.wait()
        await pilot.press("j", "j")
        assert table(app).cursor == 2
        laid = table(app)._order
        goes.set()
        await until(pilot, lambda: table(app)._order is not laid)
        assert table(app).cursor == 2


async def test_sorted_by_what_was_chosen_and_the_column_says_so(
    app: TaskHubApp, seed: Seed
) -> None:
    await seed.put("Beta", Status.IN_PROGRESS, fraction=0.2)
    await seed.put("Alpha", Status.IN_PROGRESS, fraction=0.9)
    await seed.put("Gamma", Status.IN_PROGRESS, fraction=0.5)
    async with app.run_test(size=(100, 24), notifications=True) as pilot:
        await listed(pilot, app, 3)
        await choose(pilot, app, "S", "t")
        await until(pilot, lambda: titles(app) == ["Alpha", "Beta", "Gamma"])
        assert "TASK ↓" in text(app)
        await pilot.click(TaskTable, offset=(5, 0))
        await until(pilot, lambda: titles(app) == ["Alpha", "Gamma", "Beta"])
        assert table(app).sort is Sort.PROGRESS
        await pilot.click(TaskTable, offset=(5, 0))
        await until(pilot, lambda: table(app).sort is Sort.NEEDS)


async def test_groups_have_heads_with_counts_that_fold(app: TaskHubApp, seed: Seed) -> None:
    await seed.put("Done", Status.COMPLETED)
    await seed.put("Waits")
    await seed.put("Waits too")
    async with app.run_test(size=(100, 24), notifications=True) as pilot:
        await listed(pilot, app, 3)
        await choose(pilot, app, "B", "s")
        grouped = ["[queued 2]", "Waits too", "Waits", "[done 1]", "Done"]
        await until(pilot, lambda: titles(app) == grouped)
        assert table(app).here is None
        await pilot.press("enter")
        assert titles(app) == ["[queued 2]", "[done 1]", "Done"]
        await pilot.press("space")
        assert titles(app) == grouped
        await pilot.press("j")
        assert table(app).here is not None
        await pilot.press("Z")
        assert titles(app) == ["[queued 2]", "[done 1]"]
        await pilot.press("Z", "j")
        await choose(pilot, app, "B", "n")
        await until(pilot, lambda: "[" not in "".join(titles(app)))


@pytest.mark.parametrize("group", [Group.NONE, Group.STATUS])
async def test_tasks_that_vanish_leave_their_places_and_nothing_else_moves(
    app: TaskHubApp, hub: Hub, seed: Seed, group: Group
) -> None:
    await seed.put("First done", Status.COMPLETED)
    kept = await seed.put("Runs", Status.IN_PROGRESS)
    await seed.put("Waits")
    async with app.run_test(size=(100, 24), notifications=True) as pilot:
        await listed(pilot, app, 3)
        table(app).group = group
        await main(app).sort(top=True)
        table(app).go_to(kept.n)
        app.typed = time.monotonic() + 60
        await seed.become(await seed.now(await seed.put("Newer")))
        await care.prune(hub.paths, -60, [Status.COMPLETED], by="ann")
        await until(pilot, lambda: "First done" not in titles(app))
        assert [one for one in titles(app) if "[" not in one] == ["Runs", "Waits"]
        assert table(app).here is not None
        assert table(app).here.title == "Runs"
        await until(pilot, lambda: table(app).unseen == 1)


async def listens(pilot: Pilot[None], app: TaskHubApp) -> None:
    """Let the moment pass in which the table takes no keys."""
    screen = app.screen
    assert isinstance(screen, PreflightScreen)
    screen._touched = time.monotonic() - 60
    await until(pilot, lambda: screen.awake)


async def test_marked_tasks_are_cancelled_together_after_a_look(
    app: TaskHubApp, seed: Seed
) -> None:
    made = [await seed.put(f"Task {n}") for n in range(3)]
    done = await seed.put("[/] over", Status.COMPLETED)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await listed(pilot, app, 4)
        await pilot.press("space", "j", "v", "G", "space")
        assert table(app).marks == {task.n for task in (*made, done)}
        await until(pilot, lambda: "4 marked" in text(app))
        await pilot.press("X")
        await until(pilot, lambda: isinstance(app.screen, PreflightScreen))
        await until(pilot, lambda: "Cancel · 3 of 4" in text(app) and "it is done" in text(app))
        await listens(pilot, app)
        await pilot.press("enter")
        assert isinstance(app.screen, PreflightScreen)
        # Somebody is faster with one of them.
        await seed.hub.decide(made[0].id, Action.CANCEL)
        await pilot.press("y")
        await until(pilot, lambda: "2 cancelled, 1 was faster" in text(app))
        for task in made:
            assert (await seed.now(task)).status is Status.CANCELLED
        assert not table(app).marks


async def test_what_is_done_to_marked_tasks_can_be_taken_back(
    app: TaskHubApp, hub: Hub, seed: Seed
) -> None:
    made = [await seed.put(f"Task {n}") for n in range(2)]
    moments = Moments()
    app.asker.sender.monotonic = moments
    hub.settings = replace(hub.settings, undo=5)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await listed(pilot, app, 2)
        await pilot.press("V", "X")
        await until(pilot, lambda: isinstance(app.screen, PreflightScreen))
        await listens(pilot, app)
        await pilot.press("y")
        await until(pilot, lambda: "Cancelling: 2 tasks · u undoes" in text(app))
        await pilot.press("u")
        await until(pilot, lambda: not app.asker.sender.held)
        moments.at += 10
        app.asker.sender.tick()
        await pilot.pause()
        assert [(await seed.now(task)).status for task in made] == [Status.PENDING] * 2


async def test_a_task_that_came_to_ask_meanwhile_is_not_cancelled(
    app: TaskHubApp, hub: Hub, seed: Seed
) -> None:
    task, moments = await seed.put("Task", Status.IN_PROGRESS), Moments()
    app.asker.sender.monotonic = moments
    app.asker.consider = lambda: None  # type: ignore[method-assign]
    hub.settings = replace(hub.settings, undo=5)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await listed(pilot, app, 1)
        await pilot.press("V", "X")
        await until(pilot, lambda: isinstance(app.screen, PreflightScreen))
        await listens(pilot, app)
        await pilot.press("y")
        await until(pilot, lambda: bool(app.asker.sender.held))
        now = await seed.now(task)
        await seed.become(replace(now, status=Status.BLOCKED), question="Go on?")
        moments.at += 10
        app.asker.sender.tick()
        await until(pilot, lambda: "It asks something by now" in text(app))
        assert (await seed.now(task)).status is Status.BLOCKED


async def test_keys_are_dead_while_the_preflight_has_just_opened(
    app: TaskHubApp, seed: Seed
) -> None:
    task = await seed.put("Task")
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await listed(pilot, app, 1)
        await pilot.press("space", "p")
        await until(pilot, lambda: isinstance(app.screen, PreflightScreen))
        screen = app.screen
        assert isinstance(screen, PreflightScreen)
        now = [0.0]
        screen._now, screen._touched = lambda: now[0], 0.0
        await pilot.press("y")
        assert app.screen is screen
        now[0] = REST
        await pilot.press("y")
        await until(pilot, lambda: isinstance(app.screen, MainScreen))
        await until(pilot, lambda: "Paused: Task" in text(app))
        assert (await seed.now(task)).status is Status.PAUSED


async def test_marks_out_of_sight_are_gone_and_escape_takes_the_rest(
    app: TaskHubApp, seed: Seed
) -> None:
    await seed.put("Audit")
    await seed.put("Rotate")
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await listed(pilot, app, 2)
        await pilot.press("V")
        assert len(table(app).marks) == 2
        await pilot.press("slash", *"audit", "enter")
        await listed(pilot, app, 1)
        assert len(table(app).marks) == 1
        await pilot.press("escape")
        assert not table(app).marks
        assert main(app)._filter.value == "audit"
        await pilot.press("escape")
        await listed(pilot, app, 2)


async def test_priority_of_the_task_here(app: TaskHubApp, seed: Seed) -> None:
    task = await seed.put("Audit")
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await listed(pilot, app, 1)
        await choose(pilot, app, "P", "h")
        await until(pilot, lambda: "Priority high: Audit" in text(app))
        assert (await seed.now(task)).priority is Priority.HIGH


async def test_keys_that_come_at_once_are_the_filter_and_no_commands(
    app: TaskHubApp, seed: Seed
) -> None:
    await seed.put("Acquire a licence", Status.PAUSED)
    await seed.put("Rotate", Status.PAUSED)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await listed(pilot, app, 2)
        for key, character in (("slash", "/"), *((one, one) for one in "acqui"), ("enter", None)):
            app.post_message(events.Key(key, character))
        await until(pilot, lambda: titles(app) == ["Acquire a licence"])
        assert app.query_one(FilterLine).value == "acqui"
        assert len(app.screen_stack) == 1


async def test_a_name_that_is_pasted_is_cleaned_and_cut(app: TaskHubApp, seed: Seed) -> None:
    await seed.put("Rotate")
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await listed(pilot, app, 1)
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, NameScreen))
        await pilot.press("M", "y", "space")
        app.post_message(events.Paste("\x1b[31mfailures\x9b2J" + "x" * 60))
        await until(pilot, lambda: app.screen.query_one(Input).value == "My failures" + "x" * 29)


async def test_a_view_is_saved_chosen_and_deleted(app: TaskHubApp, hub: Hub, seed: Seed) -> None:
    await seed.put("Audit", Status.PAUSED)
    await seed.put("Rotate")
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await listed(pilot, app, 2)
        await pilot.press("slash", *"status:pau", "enter")
        await listed(pilot, app, 1)
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, NameScreen))
        app.screen.query_one(Input).value = "Held [b]"
        await pilot.press("enter")
        await until(pilot, lambda: "Saved as Held [b]" in text(app))
        await choose(pilot, app, "W", "1")
        await listed(pilot, app, 2)
        await choose(pilot, app, "W", "5")
        await listed(pilot, app, 1)
        await choose(pilot, app, "W", "1")
        await listed(pilot, app, 2)
        # The palette has it by its name.
        await pilot.press("ctrl+p", *"view held")
        await until(pilot, lambda: "Held [b]   status:pau" in text(app))
        await pilot.press("enter")
        await listed(pilot, app, 1)
        await pilot.press("W")
        await until(pilot, lambda: isinstance(app.screen, ChooseScreen))
        await pilot.press("delete")
        await until(pilot, lambda: "Deleted the view" in text(app))
        assert all(view.built_in for view in await hub.views())


@pytest.mark.usefixtures("quiet")
async def test_a_click_on_a_count_filters_by_it(app: TaskHubApp, seed: Seed) -> None:
    await seed.put("Broken", Status.FAILED)
    await seed.put("Waits")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await listed(pilot, app, 2)
        place = text(app).splitlines()[0].index("failed")
        await pilot.click(HubHeader, offset=(place, 0))
        await until(pilot, lambda: titles(app) == ["Broken"])
        await pilot.click(HubHeader, offset=(place, 0))
        await listed(pilot, app, 2)


@pytest.mark.parametrize("width", [30, 50, 80, 120, 200])
async def test_no_count_is_cut(app: TaskHubApp, seed: Seed, width: int) -> None:
    for status in Status:
        if status is not Status.BLOCKED:
            await seed.put(status.value, status)
    async with app.run_test(size=(width, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.screen_stack[0].query_one(HubHeader).counts.total == 6)
        line = main(app).query_one(HubHeader).render().plain
        assert len(line) <= width - 4
        if width >= 50:
            assert all(sign in line for sign in "✗▸·=✓⊘")


@pytest.mark.usefixtures("quiet")
async def test_what_waits_stands_at_the_right_of_a_wide_screen(app: TaskHubApp, seed: Seed) -> None:
    await seed.put("Waits")
    await seed.put("Broken [b]", Status.FAILED, error="No such [/] table")
    async with app.run_test(size=(200, 40), notifications=True) as pilot:
        await until(pilot, lambda: "failed · " in text(app))
        await until(pilot, lambda: "Inbox  1 open" in text(app))
        table(app).cursor = 1
        await pilot.press("I")
        assert main(app).query_one(InboxPane).has_keys
        await pilot.press("enter")
        await until(
            pilot, lambda: table(app).here is not None and table(app).here.title == "Broken [b]"
        )
        await pilot.resize_terminal(100, 30)
        await until(pilot, lambda: not main(app).pane.display)


async def test_the_last_line_names_what_a_field_takes_and_no_letter(play: Play) -> None:
    async with play(120, 36, calm=True) as t:
        await t.given("Nightly", Status.IN_PROGRESS, log="1.0\tagent\tone\n")
        await t.row("Nightly").is_there()
        await t.press("slash")
        await t.until(lambda: t.lines()[-1].strip() == "⏎ Keep  tab Complete  esc Clear  f1 Help")
        await t.types("night")
        await t.press("enter")
        await t.until(lambda: "n New" in t.lines()[-1] and "q Quit" in t.lines()[-1])
        await t.press("escape", "enter")
        await t.is_in("LogView")
        await t.press("slash")
        await t.until(lambda: "⏎ Keep  esc End" in t.lines()[-1])
        assert "n Next" not in t.lines()[-1]


async def test_what_would_be_done_stands_in_the_order_of_the_list(play: Play) -> None:
    async with play(100, 40, calm=True) as t:
        for name in ("One", "Two", "Three"):
            await t.given(name)
        await t.row("One").is_there()
        await t.press("g")
        await t.until(lambda: t.table.unseen == 0, "all of them in the list")
        shown = sorted(("One", "Two", "Three"), key=lambda name: t.row(name).line() or 0)
        await t.press("V", "X")
        await t.sees("Cancel · 3 of 3")
        said = "\n".join(t.lines())
        said = said[said.index("Cancel · 3 of 3") :]
        assert sorted(shown, key=lambda name: said.index(f"  {name} ")) == shown


async def test_enter_is_not_offered_where_it_has_led_already(play: Play) -> None:
    async with play(120, 36, calm=True) as t:
        await t.given("Nightly", Status.IN_PROGRESS)
        await t.until(lambda: "⏎ Open" in t.lines()[-1])
        await t.press("enter")
        await t.is_in("LogView")
        await t.until(lambda: "⏎" not in t.lines()[-1] and "w Wrap" in t.lines()[-1])


async def test_a_head_has_its_key_in_the_last_line_where_there_are_heads(play: Play) -> None:
    async with play(80, 24, calm=True) as t:
        await t.given("Nightly", Status.IN_PROGRESS)
        await t.row("Nightly").is_there()
        assert "Fold" not in t.lines()[-1]
        await t.press("B", "s")
        await t.until(lambda: "⏎ Fold  Z Fold all" in t.lines()[-1])
        await t.press("j")
        await t.until(lambda: "⏎ Open" in t.lines()[-1] and "Z Fold all" in t.lines()[-1])


async def test_a_filter_that_is_left_with_a_mistake_leaves_no_line_behind(play: Play) -> None:
    async with play(120, 36, calm=True) as t:
        await t.given("Nightly", Status.IN_PROGRESS)
        await t.row("Nightly").is_there()
        await t.press("slash")
        await t.types("older:xx")
        await t.sees("is not a duration")
        await t.press("escape")
        await t.is_in("TaskTable")
        await t.does_not_see("a phrase")


async def test_it_says_by_the_users_own_key_how_to_be_rid_of_a_filter(
    where: Paths, settings: Settings
) -> None:
    own = replace(settings, keys={"hub.back": ("ctrl+b",)})
    async with opened(where, own, (80, 24), calm=True) as t:
        await t.given("Nightly", Status.IN_PROGRESS)
        await t.press("slash")
        await t.types("zebra")
        await t.press("enter")
        await t.sees("Nothing matches. ctrl+b clears the filter")
