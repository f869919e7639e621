"""The settings and the agents, as a person uses them in the app, with a real hub and worker."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hubs import Seed, text, until
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.model import Status
from taskhub_tui.domain.views import AgentRecord
from taskhub_tui.hub import Hub
from taskhub_tui.tui import editor
from taskhub_tui.tui.app import TaskHubApp
from taskhub_tui.tui.screens.agents import AgentsScreen
from taskhub_tui.tui.screens.new_task import NewTaskScreen
from taskhub_tui.tui.screens.settings import SettingsScreen
from tests.support import working

SIZES = [(80, 24), (120, 36)]


def put_cursor(app: TaskHubApp, row: str) -> None:
    options = app.screen.query_one("#list", OptionList)
    options.highlighted = options.get_option_index(row)


@pytest.mark.parametrize("size", SIZES)
async def test_a_setting_is_changed_in_place_and_written(
    app: TaskHubApp, hub: Hub, where: Paths, size: tuple[int, int]
) -> None:
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        await pilot.press("comma")
        await until(pilot, lambda: isinstance(app.screen, SettingsScreen))
        put_cursor(app, "set:concurrency")
        await pilot.press("enter")
        field = app.screen.query_one("#typed", Input)
        assert app.focused is field
        field.value = ""
        await pilot.press("0", "enter")
        # It names the file first, so it may be wrapped anywhere.
        await until(pilot, lambda: "must be at least 1" in " ".join(text(app).split()))
        assert not where.config.exists()
        field.value = "4"
        await pilot.press("enter")
        await until(pilot, lambda: where.config.exists())
        assert where.config.read_text() == "concurrency = 4\n"
        await until(pilot, lambda: "w asks them to leave" in text(app))
        await pilot.press("D")
        await until(pilot, lambda: where.config.read_text() == "")


async def keys_of_settings(app: TaskHubApp, pilot: Pilot[None], row: str) -> None:
    await pilot.pause()
    await pilot.press("comma")
    await until(pilot, lambda: isinstance(app.screen, SettingsScreen))
    put_cursor(app, row)


async def test_a_key_is_changed_by_pressing_it_and_holds_at_once(
    app: TaskHubApp, where: Paths, seed: Seed
) -> None:
    await seed.put("Nightly import")
    async with app.run_test(size=(100, 30)) as pilot:
        await keys_of_settings(app, pilot, "key:hub.new")
        await pilot.press("enter")
        await until(pilot, lambda: "Press the new key for hub.new" in text(app))
        await pilot.press("ctrl+g")
        await until(pilot, lambda: where.config.exists())
        assert where.config.read_text() == '[keys]\n"hub.new" = "ctrl+g"\n'
        await until(pilot, lambda: "set in the file" in text(app))
        await pilot.press("escape")
        await until(pilot, lambda: "ctrl+g New" in text(app))
        await pilot.press("n")
        assert not isinstance(app.screen, NewTaskScreen)
        await pilot.press("ctrl+g")
        await until(pilot, lambda: isinstance(app.screen, NewTaskScreen))


async def test_a_key_that_means_something_there_is_refused_and_says_what(
    app: TaskHubApp, where: Paths
) -> None:
    async with app.run_test(size=(120, 30)) as pilot:
        await keys_of_settings(app, pilot, "key:hub.new")
        await pilot.press("enter", "a")
        await until(
            pilot, lambda: "`a` is the key of both `task.decide` and `hub.new`" in text(app)
        )
        # Neither help nor leaving comes of it: each was pressed as a key to have.
        await pilot.press("question_mark")
        await until(pilot, lambda: "`?` is the key of both" in text(app))
        await pilot.press("ctrl+q")
        await until(pilot, lambda: "`ctrl+q` cannot be the key of `hub.new`" in text(app))
        await pilot.press("escape")
        await until(pilot, lambda: "hub.new: the default" in text(app))
        assert isinstance(app.screen, SettingsScreen)
        assert not where.config.exists()
        put_cursor(app, "key:form.submit")
        await pilot.press("enter", "x")
        await until(pilot, lambda: "`x` is a letter in the fields" in text(app))


async def test_the_key_an_action_comes_with_is_given_back(app: TaskHubApp, where: Paths) -> None:
    where.config.write_text('# mine\n[keys]\n"hub.new" = ["N", "f5"]\n')
    app.hub.reread()
    async with app.run_test(size=(100, 30)) as pilot:
        app.take_keys()
        await keys_of_settings(app, pilot, "key:hub.new")
        await until(pilot, lambda: "N f5" in text(app))
        await pilot.press("D")
        await until(pilot, lambda: "hub.new" not in where.config.read_text())
        assert where.config.read_text().startswith("# mine\n")
        await until(pilot, lambda: app.own_keys.keys("hub.new") == ("n",))


async def test_a_theme_is_seen_while_it_is_chosen(app: TaskHubApp, where: Paths) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        await pilot.press("comma")
        await until(pilot, lambda: isinstance(app.screen, SettingsScreen))
        put_cursor(app, "set:theme")
        await pilot.press("enter")
        field = app.screen.query_one("#typed", Input)
        field.value = "taskhub-light"
        await until(pilot, lambda: app.theme == "taskhub-light")
        await pilot.press("escape")
        assert app.theme == "taskhub"
        await pilot.press("enter")
        field.value = "taskhub-light"
        await pilot.press("enter")
        await until(pilot, lambda: where.config.exists())
        assert app.theme == "taskhub-light"


async def test_a_mistake_in_the_file_is_said_with_its_line(
    app: TaskHubApp, where: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        where.config.write_text("# mine\nconcurrency = 0\n")
        await pilot.press("comma")
        await until(pilot, lambda: "Line 2: " in text(app))
        put_cursor(app, "set:ascii")
        await pilot.press("enter")
        await pilot.pause()
        assert where.config.read_text() == "# mine\nconcurrency = 0\n"
    monkeypatch.setenv("VISUAL", "")
    vi = tmp_path / "vi"
    vi.touch(mode=0o700)
    monkeypatch.setenv("EDITOR", str(vi))
    assert editor.command(where.config, 2) == [str(vi), "+2", str(where.config)]


async def test_a_channel_is_tried_out_and_the_answer_is_said(
    app: TaskHubApp, where: Paths, settings: Settings
) -> None:
    async with working(where, settings), app.run_test(size=(100, 40)) as pilot:
        await pilot.pause()
        await pilot.press("comma")
        await until(pilot, lambda: isinstance(app.screen, SettingsScreen))
        options = app.screen.query_one("#list", OptionList)
        await until(pilot, lambda: "channel:desktop" in [o.id for o in options.options], seconds=20)
        put_cursor(app, "channel:in-app")
        await pilot.press("t")
        await until(pilot, lambda: "Shown in this window" in text(app))
        put_cursor(app, "channel:desktop")
        await pilot.press("t")
        await until(pilot, lambda: "it is switched off" in text(app), seconds=20)


async def test_every_row_can_be_visited_and_what_doctor_finds_is_there(app: TaskHubApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        await pilot.press("comma")
        await until(pilot, lambda: isinstance(app.screen, SettingsScreen))
        options = app.screen.query_one("#list", OptionList)
        await until(pilot, lambda: "check:0" in [o.id for o in options.options], seconds=20)
        for row in [option.id for option in options.options if option.id]:
            put_cursor(app, row)
            await pilot.pause(0)
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, SettingsScreen))


@pytest.mark.parametrize("size", SIZES)
async def test_agents_are_shown_with_what_came_of_their_work(
    app: TaskHubApp, seed: Seed, size: tuple[int, int]
) -> None:
    for number in range(3):
        await seed.put(f"Done {number}", Status.COMPLETED, stage_agent="command")
    await seed.put("Broken", Status.FAILED, error="it broke", stage_agent="command")
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "Broken" in text(app))
        await pilot.press("A")
        await until(pilot, lambda: isinstance(app.screen, AgentsScreen) and "75%" in text(app))
        screen = text(app)
        assert "Financial Analyst" in screen
        assert "SUCCESS" in screen
        await pilot.press("j")
        await until(pilot, lambda: "3 done, 1 failed, 0 cancelled" in text(app))
        assert "0 running, 0 waiting, no limit" in text(app)
        await pilot.press("f")
        await until(pilot, lambda: not isinstance(app.screen, AgentsScreen))
        assert app._main._filter.value == "agent:command"


async def test_the_list_and_the_card_say_the_same_of_how_long_an_agent_takes(
    app: TaskHubApp, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def records(names: Sequence[str]) -> dict[str, AgentRecord]:
        return {name: AgentRecord(name, done=3, usual=12.4) for name in names}

    monkeypatch.setattr(hub, "records", records)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("A")
        await until(pilot, lambda: "usually 12s of work" in text(app))
        assert "100%      12s" in text(app)


@pytest.mark.parametrize("key", ["n", "enter"])
async def test_an_agent_is_given_a_task(app: TaskHubApp, key: str) -> None:
    async with app.run_test(size=(100, 30)) as pilot:
        await pilot.pause()
        await pilot.press("A")
        await until(pilot, lambda: "Command" in text(app))
        await pilot.press("j", key)
        await until(pilot, lambda: isinstance(app.screen, NewTaskScreen))
        await until(pilot, lambda: "Command: " in text(app))


async def test_the_same_task_is_handed_over_again(app: TaskHubApp, seed: Seed, hub: Hub) -> None:
    await seed.put("Count the sheep", Status.COMPLETED)
    async with app.run_test(size=(100, 36)) as pilot:
        await until(pilot, lambda: "Count the sheep" in text(app))
        await pilot.press("d")
        await until(pilot, lambda: isinstance(app.screen, NewTaskScreen))
        await until(pilot, lambda: "Count the sheep" in text(app))
        app.screen.query_one("#command", Input).value = "true"
        await pilot.press("ctrl+s")

        async def twice() -> bool:
            return (await hub.counts()).total == 2

        await until(pilot, twice)


@pytest.mark.parametrize("size", [(80, 24), (200, 50)])
async def test_the_welcome_says_how_to_go_on(app: TaskHubApp, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: "Desktop notifications are switched off" in text(app))
        screen = text(app)
        for words in ("walk away", "s   a sample report", "n   a task of yours", "taskhub run"):
            assert words in screen


async def test_what_an_agent_says_of_itself_stands_in_a_column_of_its_own(
    app: TaskHubApp,
) -> None:
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await pilot.press("A")
        await until(pilot, lambda: "Found by" in text(app))
        about = app.screen.query_one("#card").region
        lines = [line[about.x : about.right] for line in text(app).split("\n")]
        first = next(number for number, line in enumerate(lines) if "Found by" in line)
        name, words = lines[first + 1][:12], lines[first + 1][12:]
        assert not name.strip()
        assert words[0] != " "


async def test_the_home_folder_is_a_tilde_in_the_path_of_the_settings(
    app: TaskHubApp, where: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(where.config.parent.parent))
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.pause()
        await pilot.press("comma")
        short = f"Settings   ~/{where.config.parent.name}/{where.config.name}"
        await until(pilot, lambda: short in text(app))
