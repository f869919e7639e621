"""The app on a real hub: what it shows, what the keys do, and that it looks after the work."""

import asyncio
import sys
import time

import pytest
from hubs import Seed, asleep, text, until
from textual import events

from taskhub_tui import care
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.errors import BadInput, StoreError, TaskHubError, WorkerError
from taskhub_tui.domain.model import NewTask, Status
from taskhub_tui.hub import Hub
from taskhub_tui.tui import commands
from taskhub_tui.tui.app import TaskHubApp
from taskhub_tui.tui.screens.decision import DecisionScreen
from taskhub_tui.tui.screens.help import HelpScreen
from taskhub_tui.tui.widgets.detail import Detail
from taskhub_tui.tui.widgets.filter import FilterLine
from taskhub_tui.tui.widgets.header import HubHeader
from taskhub_tui.tui.widgets.task_table import TaskTable
from taskhub_tui.worker import serve


def command(code: str, *, title: str | None = None) -> NewTask:
    argv = [sys.executable, "-u", "-c", code]
    return NewTask("Run it", title=title, agent="command", options={"argv": argv})


async def test_an_empty_hub_says_what_it_is_and_offers_three_keys(app: TaskHubApp) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "walk away" in text(app) and "help, and" in text(app))
        shown = text(app)
        for key, meaning in (("n", "a task of yours"), ("s", "a sample report"), ("?", "help")):
            assert f"{key}   {meaning}" in shown
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        await until(pilot, lambda: "With the task under the cursor" in text(app))
        await pilot.press("escape")
        assert not isinstance(app.screen, HelpScreen)


async def test_ascii_means_ascii_everywhere(hub: Hub, seed: Seed) -> None:
    await seed.put("Plain", Status.IN_PROGRESS, names=("a", "b"), at=1, fraction=0.3, log="x")
    app = TaskHubApp(hub, ascii=True, services=[asleep])
    async with app.run_test(size=(120, 60), notifications=True) as pilot:
        await until(pilot, lambda: app.query_one(Detail).view is not None)
        await until(pilot, lambda: "Nothing in the log" in text(app) or " x" in text(app))
        assert {c for c in text(app) if not c.isascii()} == set()
        await pilot.press("question_mark")
        await until(pilot, lambda: "In the list" in text(app))
        assert {c for c in text(app) if not c.isascii()} == set()
        await pilot.press("escape", "n")
        await until(pilot, lambda: "New task" in text(app))
        assert {c for c in text(app) if not c.isascii()} == set()


async def test_ascii_means_ascii_in_a_question_too(hub: Hub, seed: Seed) -> None:
    await seed.put("Migrate", Status.BLOCKED, question="May the stage “run” start?")
    app = TaskHubApp(hub, ascii=True, services=[asleep])
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: 'May the stage "run" start?' in text(app))
        assert {c for c in text(app) if not c.isascii()} == set()


async def test_a_task_appears_runs_in_the_window_and_shows_its_log(
    hub: Hub, where: Paths, settings: Settings
) -> None:
    app = TaskHubApp(hub, services=[lambda: serve(where, settings)])
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        await until(pilot, lambda: app._seen_notice is not None)
        task = await hub.submit(command("print('twelve apples')", title="Count [b]apples[/]"))
        await app.look()
        await until(pilot, lambda: "Count [b]apples[/]" in text(app))
        await until(pilot, lambda: isinstance(app.focused, TaskTable))
        await until(pilot, lambda: app.query_one(HubHeader).counts.done == 1, seconds=15)
        assert task.id in text(app)
        app.query_one(Detail).tab = "log"
        await until(pilot, lambda: "twelve apples" in text(app))
        app.query_one(Detail).tab = "events"
        await until(pilot, lambda: "Handed over" in text(app))
    assert all(service.done() for service in app._tasks)


@pytest.mark.slow
async def test_where_no_worker_is_alive_one_is_started(hub: Hub) -> None:
    app = TaskHubApp(hub)
    try:
        async with app.run_test(size=(100, 24), notifications=True) as pilot:
            task = await hub.submit(command("print('done')"))

            async def completed() -> bool:
                return (await hub.status(task.id)).task.status is Status.COMPLETED

            await until(pilot, completed, seconds=20)
    finally:
        await hub.stop_worker()


@pytest.mark.parametrize("kind", [WorkerError, BadInput])
async def test_a_worker_that_cannot_be_started_is_said_in_words(
    hub: Hub, seed: Seed, monkeypatch: pytest.MonkeyPatch, kind: type[TaskHubError]
) -> None:
    async def cannot() -> None:
        raise kind("No process may be started here")

    monkeypatch.setattr(hub, "ensure_worker", cannot)
    await seed.put("Waits")
    app = TaskHubApp(hub)
    async with app.run_test(size=(100, 24), notifications=True) as pilot:
        await until(pilot, lambda: "1 task waits for one. No process may" in text(app))


async def test_trouble_with_the_store_is_one_line_and_passes(
    hub: Hub, app: TaskHubApp, seed: Seed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await seed.put("Draft release notes")
    async with app.run_test(size=(100, 24), notifications=True) as pilot:
        await until(pilot, lambda: "Draft release" in text(app))
        good = hub.changes

        async def bad(since: int) -> object:
            raise StoreError("The disk is full")

        monkeypatch.setattr(hub, "changes", bad)
        await until(pilot, lambda: "The disk is full" in text(app))
        assert "Draft release" in text(app)
        monkeypatch.setattr(hub, "changes", good)
        await until(pilot, lambda: "The disk is full" not in text(app))


async def test_below_110_columns_the_task_takes_the_place_of_the_list(
    app: TaskHubApp, seed: Seed
) -> None:
    await seed.put("Fetch price lists", Status.IN_PROGRESS, names=("fetch", "merge"), log="hello")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "Fetch price lists" in text(app))
        assert "Events" not in text(app)
        await pilot.press("enter")
        await until(pilot, lambda: "hello" in text(app))
        assert "1 fetch" in text(app)
        assert "PROGRESS" not in text(app)
        await pilot.press("right_square_bracket")
        assert app.query_one(Detail).tab == "result"
        await pilot.press("escape")
        assert "PROGRESS" in text(app)
        assert isinstance(app.focused, TaskTable)


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 50)])
async def test_the_keys_of_the_last_line_are_never_cut(
    app: TaskHubApp, seed: Seed, size: tuple[int, int]
) -> None:
    await seed.put("Broken", Status.PAUSED, names=("a", "b"), result="/nowhere/report.md")
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: "File" in text(app).splitlines()[-1])
        last = text(app).splitlines()[-1]
        assert len(last) == size[0]
        for label in ("Open", "New", "Help", "q Quit"):
            assert label in last
        await pilot.press("enter")
        await until(pilot, lambda: "esc Back" in text(app).splitlines()[-1])
        assert "q Quit" in text(app).splitlines()[-1]


async def test_a_filter_is_live_and_escape_clears_it(app: TaskHubApp, seed: Seed) -> None:
    for name in ("Rotate keys", "Audit licences", "Audit costs"):
        await seed.put(name)
    await seed.put("Audit stuck", Status.PAUSED)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        table = app.query_one(TaskTable)
        await until(pilot, lambda: len(table) == 4)
        await pilot.press("slash", *"audit")
        await until(pilot, lambda: len(table) == 3)
        app.query_one(FilterLine).value = "audit status:paused"
        await until(pilot, lambda: len(table) == 1)
        await pilot.press("enter")
        assert isinstance(app.focused, TaskTable)
        app.query_one(FilterLine).value = "nothing of the kind"
        await until(pilot, lambda: "Nothing matches" in text(app))
        await pilot.press("escape")
        await until(pilot, lambda: len(table) == 4)


async def test_rows_stand_still_until_the_user_asks_or_is_away(app: TaskHubApp, seed: Seed) -> None:
    await seed.put("First")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        table = app.query_one(TaskTable)
        await until(pilot, lambda: len(table) == 1)
        app.typed = time.monotonic()
        await seed.put("Second")
        await until(pilot, lambda: "1 new ↑" in text(app))
        assert len(table) == 1
        await pilot.press("g")
        await until(pilot, lambda: len(table) == 2)
        app.typed = time.monotonic() - 61
        app.screen._sorted_at = 0.0
        await seed.put("Third")
        await until(pilot, lambda: len(table) == 3)
        assert table.here is not None
        assert table.here.title == "Second"


async def test_pause_and_resume_with_one_key(app: TaskHubApp, seed: Seed) -> None:
    task = await seed.put("Long one")
    async with app.run_test(size=(120, 24), notifications=True) as pilot:
        await until(pilot, lambda: "Long one" in text(app))
        await pilot.press("p")
        await until(pilot, lambda: app.query_one(HubHeader).counts.paused == 1)
        await pilot.press("p")
        await until(pilot, lambda: app.query_one(HubHeader).counts.paused == 0)
        await pilot.press("y")
        assert app.clipboard == task.id


async def test_keys_that_are_not_legal_now_are_not_offered(app: TaskHubApp, seed: Seed) -> None:
    await seed.put("Done already", Status.COMPLETED)
    async with app.run_test(size=(120, 24), notifications=True) as pilot:
        await until(pilot, lambda: app.query_one(Detail).view is not None)
        for action, parameter in (("decide", ()), ("act", ("cancel",)), ("pause", ())):
            assert not app.screen.check_action(action, parameter)
        assert app.screen.check_action("act", ("retry",)) is False


async def test_a_task_can_be_opened_by_the_start_of_its_id(hub: Hub, seed: Seed) -> None:
    wanted = await seed.put("Wanted", log="found me")
    await seed.put("Newer")
    app = TaskHubApp(hub, services=[asleep], initial_task=wanted.id[:6])
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "found me" in text(app))


async def test_an_unknown_id_is_said_plainly(hub: Hub, seed: Seed) -> None:
    await seed.put("Newer")
    app = TaskHubApp(hub, services=[asleep], initial_task="zzz[/]")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "no task `zzz[/]`" in text(app))


async def test_the_hub_learns_whether_the_user_is_here(
    hub: Hub, app: TaskHubApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[bool | None, float | None]] = []

    async def report(*, focused: bool | None, last_input: float | None) -> None:
        told.append((focused, last_input))

    monkeypatch.setattr(hub, "report_presence", report)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: [focused for focused, _ in told] == [None])
        app.post_message(events.AppBlur())
        await until(pilot, lambda: told[-1][0] is False)
        app.post_message(events.AppFocus())
        await until(pilot, lambda: told[-1][0] is True)
        opened, came = told[0][1], told[-1][1]
        assert opened is not None
        assert opened <= came
        await pilot.press("j", "k")
        assert len(told) == 3
        app._presence.reported_at -= 16
        await until(pilot, lambda: len(told) == 4)
        assert told[-1][1] > came
        # Whoever says nothing for a minute is taken to have gone.
        app._presence.reported_at -= 31
        await until(pilot, lambda: len(told) == 5)
        assert told[-1] == told[-2]


async def test_a_question_that_came_up_while_another_window_had_the_keys_gets_them(
    hub: Hub, app: TaskHubApp, seed: Seed
) -> None:
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        app.post_message(events.AppBlur())
        await seed.put("Migrate", Status.BLOCKED, question="Go on?")
        await until(pilot, lambda: isinstance(app.screen, DecisionScreen))
        assert app.screen.focused is None
        app.post_message(events.AppFocus())
        await until(pilot, lambda: app.screen.focused is not None)


async def test_leaving_says_what_becomes_of_the_work(
    hub: Hub, seed: Seed, capsys: pytest.CaptureFixture[str]
) -> None:
    await seed.put("Waits")
    app = TaskHubApp(hub, services=[asleep])
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until(pilot, lambda: "Waits" in text(app))
        await pilot.press("ctrl+c")
        assert app.is_running
        await pilot.press("q")
    assert "1 task will go on when TaskHub is opened again" in capsys.readouterr().err


async def test_a_service_is_cancelled_and_awaited_at_the_end(hub: Hub) -> None:
    seen: list[str] = []

    async def service() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            seen.append("cleaned up")

    async with TaskHubApp(hub, services=[service]).run_test() as pilot:
        await pilot.pause()
    assert seen == ["cleaned up"]


async def test_a_service_that_fails_is_said_in_words(hub: Hub) -> None:
    async def service() -> None:
        raise StoreError("The database is from a newer TaskHub")

    app = TaskHubApp(hub, services=[service])
    async with app.run_test(size=(100, 24), notifications=True) as pilot:
        await until(pilot, lambda: "has stopped: The database is from a newer" in text(app))


async def test_all_commands_can_be_found_by_name(app: TaskHubApp, seed: Seed) -> None:
    await seed.put("Waits")
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        await until(pilot, lambda: app.query_one(Detail).view is not None)
        names = {command.act.label for command in commands.legal(app, app.screen)}
        assert {"New", "Cancel", "Pause", "Inbox", "Theme"} <= names
        assert "Retry" not in names


async def test_tasks_that_were_deleted_leave_the_list(hub: Hub, seed: Seed) -> None:
    await seed.put("Old", Status.COMPLETED)
    await seed.put("Running", Status.IN_PROGRESS)
    app = TaskHubApp(hub, services=[asleep])
    async with app.run_test(size=(100, 24), notifications=True) as pilot:
        await until(pilot, lambda: len(app.query_one(TaskTable)) == 2)
        await care.prune(hub.paths, -60, [Status.COMPLETED], by="ann")
        await until(pilot, lambda: len(app.query_one(TaskTable)) == 1)
        await until(pilot, lambda: "Old" not in text(app))
