"""The form for a new task: it makes the task a person means, and says what is missing."""

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, Select, TextArea

from taskhub_tui.agents.port import Result, Stage, StageContext
from taskhub_tui.domain.model import AgentCard, NewTask, StageSpec
from taskhub_tui.hub import Hub
from taskhub_tui.tui.screens import new_task_fields as form
from taskhub_tui.tui.screens.new_task import NewTaskScreen
from taskhub_tui.tui.widgets import values
from taskhub_tui.tui.widgets.path_input import complete
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
        assert "1 draft  2 polish" in text
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
        app.screen.query_one("#gate").toggle()
        app.screen.query_one("#review").toggle()
        text = await seen(app, pilot)
        assert "1 draft (asks first)  2 polish (asks after)" in text
        assert "[x] before it starts" in text
        await pilot.press("ctrl+s")
        await pilot.pause()
    first, last = app.answers[0].stages
    assert (first.gate, first.review, last.gate, last.review) == (True, False, False, True)


async def test_a_playbook_brings_its_stages(greeting: Hub, tmp_path: Path) -> None:
    app = host(greeting, tmp_path, NewTask("Release it"))
    async with app.run_test(size=(100, 36)) as pilot:
        await pilot.pause()
        app.screen.query_one("#who", Select).value = form.PLAYBOOK + "release"
        assert "2 publish (asks first)  · at most 15m" in await seen(app, pilot)
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
        for words in ("Request", "Agent", "File", "Stages", "ctrl+s start the task"):
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
