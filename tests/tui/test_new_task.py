"""The form for a new task: it makes the task a person means, and says what is missing."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest
from hubs import until
from play import Play
from textual import events
from textual.widgets import Input, Select, TextArea

from taskhub_tui.agents.port import Result, Stage, StageContext
from taskhub_tui.domain.model import AgentCard, NewTask, StageSpec, Status
from taskhub_tui.hub import Hub
from taskhub_tui.tui.handing import Draft
from taskhub_tui.tui.screens import new_task_fields as form
from taskhub_tui.tui.screens.new_task import NewTaskScreen
from taskhub_tui.tui.widgets import values
from taskhub_tui.tui.widgets.path_input import complete, matches
from tests.tui.forms import HOSTILE, NOW, Host

PLAYBOOK = """
name = "release"
agent = "greeter"
[[stage]]
name = "build"
timeout = "10m"
[[stage]]
name = "publish"
gate = true
timeout = "5m"
"""


class Greeter:
    """A small agent that is real enough to be planned with."""

    card = AgentCard(
        "greeter",
        "Greeter " + HOSTILE,
        "greets " + HOSTILE,
        keywords=("greeting card",),
        stages=(StageSpec("draft", "greeter"), StageSpec("polish", "greeter")),
        options={"file": "whom to greet"},
    )

    async def run(self, stage: Stage, ctx: StageContext) -> Result:
        return Result(f"Hello {stage.prompt}")


@pytest.fixture
def greeting(hub: Hub, tmp_path: Path) -> Hub:
    """A hub that knows one more agent, and a playbook for it."""
    hub._planner._registry._extra["greeter"] = Greeter()
    folder = hub.paths.config.parent / "playbooks"
    folder.mkdir()
    (folder / "release.toml").write_text(PLAYBOOK)
    (tmp_path / "people.csv").write_text("name\nAnn\n")
    (tmp_path / "people.txt").write_text("Ann\n")
    return hub


def host(hub: Hub, folder: Path, initial: NewTask | None = None) -> Host:
    return Host(lambda: NewTaskScreen(hub, workdir=str(folder), initial=initial))


async def seen(app: Host, pilot: Any) -> str:
    """What stands on the screen once the preview has followed what was typed."""
    app.screen._preview()
    await pilot.pause()
    return app.text()


async def test_a_request_finds_its_agent_and_shows_the_stages(
    greeting: Hub, tmp_path: Path
) -> None:
    app = host(greeting, tmp_path)
    async with app.run_test(size=(180, 36)) as pilot:
        await pilot.pause()
        app.screen.query_one("#dialog").styles.width = 170
        app.screen.query_one("#request", TextArea).text = "Write a greeting card"
        text = await seen(app, pilot)
        assert "best fit: Greeter" in text
        assert "the request speaks of “greeting card”" in text
        assert " 1 draft " in text
        assert " 2 polish " in text
        await pilot.press("ctrl+s")
        await pilot.pause()
    assert app.answers == [NewTask("Write a greeting card", workdir=str(tmp_path))]
    assert (await greeting.submit(app.answers[0])).agent == "greeter"


async def test_an_empty_request_is_not_sent(greeting: Hub, tmp_path: Path) -> None:
    app = host(greeting, tmp_path)
    async with app.run_test() as pilot:
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert "Say in a sentence what is to be done" in app.text()
        assert app.answers == []


async def test_a_missing_file_and_a_missing_task_are_said(greeting: Hub, tmp_path: Path) -> None:
    app = host(greeting, tmp_path, NewTask("Write a greeting card", options={"file": "none.csv"}))
    async with app.run_test(size=(110, 36)) as pilot:
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert "There is no file" in app.text()
        app.screen.query_one("#file", Input).value = "people.csv"
        app.screen.query_one("#after", Input).value = "zzzz"
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert "There is no file" not in app.text()
        assert "zzzz" in app.text()
        assert app.answers == []
        app.screen.query_one("#after", Input).value = ""
        await pilot.press("ctrl+s")
        await pilot.pause()
    assert app.answers[0].options == {"file": "people.csv"}


async def test_tab_completes_a_path_and_then_goes_on(greeting: Hub, tmp_path: Path) -> None:
    app = host(greeting, tmp_path)
    async with app.run_test() as pilot:
        await pilot.pause()
        field = app.screen.query_one("#file", Input)
        field.focus()
        await pilot.press("p", "e", "tab")
        await app.workers.wait_for_complete()
        assert field.value == "people."
        await pilot.press("c", "tab")
        assert field.value == "people.csv"
        await pilot.press("tab")
        assert app.focused is not field


async def test_gates_and_reviews_are_set_on_the_stages(greeting: Hub, tmp_path: Path) -> None:
    app = host(greeting, tmp_path, NewTask("Write a card", agent="greeter"))
    async with app.run_test(size=(100, 36)) as pilot:
        await pilot.pause()
        app.screen.query_one("#stages").focus()
        await pilot.press("space", "down", "right", "enter")
        text = await seen(app, pilot)
        first, second = (line for line in text.splitlines() if " ask before" in line)
        assert "[x] ask before  [ ] ask after" in first
        assert "[ ] ask before  [x] ask after" in second
        await pilot.press("ctrl+s")
        await pilot.pause()
    first, last = app.answers[0].stages
    assert (first.gate, first.review, last.gate, last.review) == (True, False, False, True)


async def test_a_gate_of_a_playbook_can_be_taken_away_with_the_mouse(
    greeting: Hub, tmp_path: Path
) -> None:
    app = host(greeting, tmp_path, NewTask("Ship it", playbook="release"))
    async with app.run_test(size=(100, 36)) as pilot:
        await pilot.pause()
        plan = app.screen.query_one("#stages")
        line = (await seen(app, pilot)).splitlines()[plan.region.y + 1]
        at = line.index("[x] ask before") - plan.region.x
        await pilot.click("#stages", offset=(at + 1, 1))
        await pilot.press("ctrl+s")
        await pilot.pause()
    assert [stage.gate for stage in app.answers[0].stages] == [False, False]


async def test_a_playbook_brings_its_stages(greeting: Hub, tmp_path: Path) -> None:
    app = host(greeting, tmp_path, NewTask("Release it"))
    async with app.run_test(size=(100, 36)) as pilot:
        await pilot.pause()
        app.screen.query_one("#who", Select).value = form.PLAYBOOK + "release"
        text = await seen(app, pilot)
        assert "at most 15m" in text
        (line,) = (one for one in text.splitlines() if " 2 publish" in one)
        assert "[x] ask before" in line
        await pilot.press("ctrl+s")
        await pilot.pause()
    assert app.answers[0].playbook == "release"
    assert [stage.name for stage in app.answers[0].stages] == ["build", "publish"]


async def test_a_command_is_split_into_words_and_needs_no_request(hub: Hub, tmp_path: Path) -> None:
    app = host(hub, tmp_path, NewTask("", agent="command"))
    async with app.run_test(size=(100, 36)) as pilot:
        await pilot.pause()
        assert app.screen.query_one("#row-command").display
        app.screen.query_one("#command", Input).value = "sh -c 'echo \"a b\"'"
        await pilot.press("ctrl+s")
        await pilot.pause()
    assert app.answers[0].options["argv"] == ["sh", "-c", 'echo "a b"']
    assert app.answers[0].request == "sh -c 'echo \"a b\"'"


async def test_leaving_asks_only_when_something_was_typed(hub: Hub, tmp_path: Path) -> None:
    app = host(hub, tmp_path)
    async with app.run_test() as pilot:
        await pilot.press("escape")
    assert app.answers == [None]
    app = host(hub, tmp_path)
    async with app.run_test() as pilot:
        await pilot.press("h", "i", "escape", "n")
        assert app.answers == []
        assert isinstance(app.focused, TextArea)
        await pilot.press("escape", "y")
    assert app.answers == [None]


async def test_the_essential_fields_fit_80x24_and_hostile_text_is_text(
    greeting: Hub, tmp_path: Path
) -> None:
    first = NewTask(HOSTILE, agent="greeter", options={"file": HOSTILE, "x": HOSTILE})
    app = host(greeting, tmp_path, first)
    async with app.run_test(size=(80, 24)) as pilot:
        text = await seen(app, pilot)
        for words in ("Request", "Agent", "File", "Stages", "ctrl+s hand over"):
            assert words in text
        assert "[@click=app.quit]x[/] [/nope]" in text
        assert "\x1b" not in text


async def test_the_form_of_a_task_makes_the_same_task_again(greeting: Hub, tmp_path: Path) -> None:
    new = NewTask(
        "Write a card",
        title="Card",
        agent="greeter",
        stages=(StageSpec("only", "greeter", gate=True),),
        options={"file": "people.csv", "tone": ["warm", 2, True]},
        workdir=str(tmp_path),
    )
    fields = form.fields_of(new, "/")
    assert form.make(fields, greeting, [], new).new == new


BOOK = """
name = "nightly"
agent = "greeter"
deadline = "90m"
[[stage]]
name = "build"
on_interrupt = "rerun"
[[stage]]
name = "publish"
"""


@pytest.fixture
def nightly(greeting: Hub) -> Hub:
    (greeting.paths.config.parent / "playbooks" / "nightly.toml").write_text(BOOK)
    return greeting


async def test_a_deadline_and_a_habit_are_handed_over_by_keyboard_alone(
    greeting: Hub, tmp_path: Path
) -> None:
    app = host(greeting, tmp_path, NewTask("Write a card", agent="greeter"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        while app.focused is None or app.focused.id != "deadline":
            await pilot.press("tab")
        await pilot.press(*"1h30m", "enter")
        assert app.focused is not None
        assert app.focused.id == "habit"
        await pilot.press("enter", "down", "down", "enter")
        await pilot.pause()
        assert "run the stage again" in app.text()
        assert "If cut off  " in app.text()
        await pilot.press("ctrl+s")
        await pilot.pause()
    (new,) = app.answers
    assert (new.within, new.deadline) == (5400.0, None)
    assert [stage.on_interrupt for stage in new.stages] == ["rerun", "rerun"]
    task = await greeting.submit(new)
    assert task.deadline == pytest.approx(task.created + 5400)
    stages = (await greeting.status(task.id)).stages
    assert [stage.on_interrupt for stage in stages] == ["rerun", "rerun"]


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("soon", "`soon` is no deadline; write none, 2h, 18:00 or"),
        ("now", "`now` is no deadline"),
        ("0m", "`0m` leaves no time"),
        ("2020-01-01", "`2020-01-01` has passed"),
        ("99999w", "`99999w` is too far away"),
        (HOSTILE, "is no deadline"),
    ],
)
async def test_a_deadline_that_is_none_is_said_under_its_field_and_not_sent(
    greeting: Hub, tmp_path: Path, typed: str, sentence: str
) -> None:
    app = host(greeting, tmp_path, NewTask("Write a card", agent="greeter"))
    async with app.run_test(size=(110, 36)) as pilot:
        await pilot.pause()
        app.screen.query_one("#deadline", Input).value = typed
        await pilot.pause()
        assert sentence in await seen(app, pilot)
        await pilot.press("ctrl+s")
        await pilot.pause()
        assert app.answers == []
        assert app.focused is app.screen.query_one("#deadline")
        app.screen.query_one("#deadline", Input).value = "none"
        assert sentence not in await seen(app, pilot)
        await pilot.press("ctrl+s")
        await pilot.pause()
    assert (app.answers[0].deadline, app.answers[0].within) == (None, None)


async def test_a_deadline_before_the_start_is_said_in_the_form(
    greeting: Hub, tmp_path: Path
) -> None:
    app = host(greeting, tmp_path, NewTask("Write a card", agent="greeter"))
    async with app.run_test(size=(110, 36)) as pilot:
        await pilot.pause()
        app.screen.query_one("#when", Input).value = "2099-01-02 10:00"
        app.screen.query_one("#deadline", Input).value = "2099-01-02"
        await pilot.pause()
        assert "That is before it may start" in await seen(app, pilot)
        await pilot.press("ctrl+s")
        assert app.answers == []
        app.screen.query_one("#deadline", Input).value = "2h"
        assert "That is before it may start" not in await seen(app, pilot)
        await pilot.press("ctrl+s")
        await pilot.pause()
    task = await greeting.submit(app.answers[0])
    assert task.deadline == task.ready_at + 7200


async def test_a_playbook_brings_its_deadline_and_habits_which_can_be_taken_away(
    nightly: Hub, tmp_path: Path
) -> None:
    first = NewTask("Ship it", playbook="nightly")
    app = host(nightly, tmp_path, first)
    async with app.run_test(size=(110, 36)) as pilot:
        await pilot.pause()
        field = app.screen.query_one("#deadline", Input)
        field.value = ""
        assert "1h30m from its start, by the playbook" in await seen(app, pilot)
        await pilot.press("ctrl+s")
        await pilot.pause()
    (new,) = app.answers
    assert new.within == 5400.0
    assert [stage.on_interrupt for stage in new.stages] == ["rerun", None]
    app = host(nightly, tmp_path, first)
    async with app.run_test(size=(110, 36)) as pilot:
        await pilot.pause()
        app.screen.query_one("#deadline", Input).value = "none"
        app.screen.query_one("#habit", Select).value = "ask"
        await seen(app, pilot)
        await pilot.press("ctrl+s")
        await pilot.pause()
    (new,) = app.answers
    assert (new.within, new.deadline) == (None, None)
    assert [stage.on_interrupt for stage in new.stages] == ["ask", "ask"]
    again = form.make(form.fields_of(new, "/"), nightly, list(nightly.playbooks()), new)
    assert again.new == new, "what was refused for another reason comes back as it was"


@pytest.mark.parametrize("given", [{"within": 5430.0}, {"deadline": 4_000_000_017.0}, {}])
def test_a_deadline_survives_the_way_back_into_the_form(
    greeting: Hub, tmp_path: Path, given: dict[str, Any]
) -> None:
    new = NewTask("Write a card", agent="greeter", workdir=str(tmp_path), **given)
    assert form.make(form.fields_of(new, "/"), greeting, [], new).new == new


def test_completion_stops_where_names_differ(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "one.csv").touch()
    (tmp_path / ".hidden").touch()
    assert complete("da", str(tmp_path)) == "data/"
    assert complete("data/o", str(tmp_path)) == "data/one.csv"
    assert complete("zz", str(tmp_path)) == "zz"
    assert complete("nowhere/x", str(tmp_path)) == "nowhere/x"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("", None), ("now", None), ("in 10m", 600.0), ("90s", 90.0), ("in 1h30m", 5400.0)],
)
def test_a_time_is_read_as_people_write_it(text: str, seconds: float | None) -> None:
    assert values.read_when(text, NOW) == (None if seconds is None else NOW + seconds)


def test_a_time_of_day_is_the_next_one() -> None:
    for text in ("at 00:00", "18:00", "at 23:59"):
        then = values.read_when(text, NOW)
        assert then is not None
        assert 0 < then - NOW <= 25 * 3600


@pytest.mark.parametrize("text", ["at 25:00", "soon", "2020-01-01", "2026-13-01", "in -3m"])
def test_a_time_that_is_none_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"write|time to come"):
        values.read_when(text, NOW)


@pytest.mark.parametrize(
    "table", [{}, {"a b": 1, "c": [1, {"x": 'y\n"'}], "t": True, "f": 1.5}, {"n": None}]
)
def test_options_survive_being_written_and_read(table: dict[str, Any]) -> None:
    assert values.same(values.read_options(values.to_toml(table)), table)


@pytest.mark.parametrize("text", ["a =", "[x", '{"a": ', "a = nan", '{"a": NaN}', "{" * 9999])
def test_options_that_cannot_be_read_are_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"Not valid|finite"):
        values.read_options(text)


async def test_pasted_text_is_cleaned_and_long_text_stays_quick(hub: Hub, tmp_path: Path) -> None:
    app = host(hub, tmp_path)
    async with app.run_test(size=(100, 36)) as pilot:
        await pilot.pause()
        long = ("word " * 19 + "\n") * 1000
        app.screen.post_message(events.Paste(HOSTILE + "\n" + long))
        field = app.screen.query_one("#request", TextArea)
        await until(pilot, lambda: field.text.count("\n") >= 1000)
        assert field.text.startswith("[@click=app.quit]x[/] [/nope]")
        assert "\x1b" not in field.text
        await pilot.press("x")
        assert field.text.endswith("x")
        app.screen.query_one("#when").focus()
        await pilot.pause()
        app.screen.post_message(events.Paste("in 2h\x1b]52;c;aGk=\x07"))
        await until(pilot, lambda: app.screen.query_one("#when", Input).value == "in 2h")
        assert ", in 2h 00m" in await seen(app, pilot)


async def test_what_was_typed_comes_back(hub: Hub, tmp_path: Path) -> None:
    draft = Draft()
    first = Host(lambda: NewTaskScreen(hub, workdir=str(tmp_path), draft=draft))
    async with first.run_test(size=(100, 36)) as pilot:
        await pilot.press(*"tidy", "escape", "y")
    assert first.answers == [None]
    second = Host(lambda: NewTaskScreen(hub, workdir=str(tmp_path), draft=draft))
    async with second.run_test(size=(100, 36)) as pilot:
        await pilot.pause()
        assert second.screen.query_one("#request", TextArea).text == "tidy"
        await pilot.press("ctrl+l", "y")
        await pilot.pause()
        assert second.screen.query_one("#request", TextArea).text == ""


async def test_each_form_keeps_what_was_typed_into_it(play: Play) -> None:
    async with play(100, 36, calm=True) as t:
        await t.given("Count the sheep", Status.COMPLETED)
        await t.row("Count the sheep").is_under_cursor()

        async def leaves_with(key: str, words: str) -> None:
            await t.press(key)
            await t.is_on("NewTaskScreen")
            await t.is_in("request")
            await t.types(words)
            await t.press("escape")
            await t.sees("Leave?")
            await t.press("y")
            await t.is_on("MainScreen")

        async def finds(key: str, words: str) -> None:
            await t.press(key)
            await t.is_on("NewTaskScreen")
            assert t.app.screen.query_one("#request", TextArea).text == words
            await t.press("escape")
            await t.is_on("MainScreen")

        await leaves_with("n", "tidy")
        await leaves_with("d", "twice ")
        await finds("n", "tidy")
        await finds("d", "twice Count the sheep")
        # What is handed over otherwise takes nothing from them.
        await t.app._main.submit(NewTask("Weekly report", agent="command"))
        await finds("n", "tidy")


async def test_a_form_that_was_emptied_stays_empty(play: Play) -> None:
    async with play(100, 36) as t:
        for keys in (("t", "escape", "y"), ("ctrl+l", "y", "escape"), ()):
            await t.press("n")
            await t.is_on("NewTaskScreen")
            await t.press(*keys)
            if keys:
                await t.is_on("MainScreen")
        assert t.app.screen.query_one("#request", TextArea).text == ""


async def test_a_past_task_fills_the_form(greeting: Hub, tmp_path: Path) -> None:
    new = NewTask("Write a card", agent="greeter", workdir=str(tmp_path), options={"tone": "warm"})
    await greeting.submit(new)
    await greeting.submit(NewTask("Something else", agent="greeter", workdir=str(tmp_path)))
    app = host(greeting, tmp_path)
    async with app.run_test(size=(100, 36)) as pilot:
        await pilot.pause()
        await pilot.press("ctrl+o")
        await until(pilot, lambda: "Something else" in app.text())
        await pilot.press(*"card")
        await until(pilot, lambda: "Something else" not in app.text())
        await pilot.press("enter")
        await until(pilot, lambda: "tone = " in app.screen.query_one("#options", TextArea).text)
        assert app.screen.query_one("#request", TextArea).text == "Write a card"
        await pilot.press("ctrl+s")
        await pilot.pause()
    (made,) = app.answers
    assert (made.request, made.agent, made.options) == (new.request, new.agent, new.options)
    assert [stage.name for stage in made.stages] == ["draft", "polish"]


async def test_a_task_to_wait_for_is_found_by_a_part_of_its_title(
    greeting: Hub, tmp_path: Path
) -> None:
    other = await greeting.submit(NewTask("Nightly import", agent="greeter"))
    app = host(greeting, tmp_path, NewTask("Write a card", agent="greeter"))
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.pause()
        form_screen = app.screen
        field = form_screen.query_one("#after", Input)
        field.focus()
        await pilot.press(*"nightl")
        await until(pilot, lambda: "picks one: Nightly import" in app.text())
        await pilot.press("down")
        await until(pilot, lambda: "After which task?" in app.text() and other.id in app.text())
        await pilot.press("enter")
        await until(pilot, lambda: field.value == other.id and app.screen is form_screen)
        await pilot.press("ctrl+s")
        await pilot.pause()
    assert app.answers[0].after == (other.id,)


async def test_paths_that_fit_are_shown_and_chosen_by_arrow(greeting: Hub, tmp_path: Path) -> None:
    (tmp_path / ".secret").mkdir()
    app = host(greeting, tmp_path)
    async with app.run_test(size=(100, 36)) as pilot:
        await pilot.pause()
        field = app.screen.query_one("#file", Input)
        field.focus()
        await pilot.press("p")
        await until(pilot, lambda: "people.txt" in app.text())
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: field.value == "people.txt")
        folder = app.screen.query_one("#folder", Input)
        folder.focus()
        await pilot.pause()

        def one_line() -> str:
            """What stands there, however it was wrapped."""
            return "".join(app.text().replace("│", " ").split())

        folder.value = f"{tmp_path}/"
        await until(pilot, lambda: f"{tmp_path}/home/" in one_line())
        assert ".secret" not in one_line()
        folder.value = f"{tmp_path}/."
        await until(pilot, lambda: f"{tmp_path}/.secret/" in one_line())


def test_a_large_folder_is_completed_to_the_last(tmp_path: Path) -> None:
    for number in range(5000):
        (tmp_path / f"part-{number:05}").touch()
    assert complete("part-0499", str(tmp_path)) == "part-0499"
    assert complete("part", str(tmp_path)) == "part-0"
    assert len(matches("part", str(tmp_path))) == 5000


@pytest.mark.parametrize("text", ["tomorrow 8:00", "tomorrow at 23:30"])
def test_tomorrow_is_understood(text: str) -> None:
    then = values.read_when(text, NOW)
    assert then is not None
    day = dt.datetime.fromtimestamp(then).date() - dt.datetime.fromtimestamp(NOW).date()
    assert day == dt.timedelta(days=1)


@pytest.mark.parametrize("height", [24, 36, 16])
async def test_its_keys_stay_in_sight_where_one_of_many_tasks_is_picked(
    play: Play, height: int
) -> None:
    async with play(80, height, calm=True) as t:
        for n in range(20):
            await t.given(f"Task {n}")
        await t.press("n")
        await t.is_on("NewTaskScreen")
        await t.press("ctrl+o")
        await t.is_on("PickTaskScreen")
        await t.sees("Task 19", "enter take it", "esc back")
