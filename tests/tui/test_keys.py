"""Keys that stand beside another one for the same thing, in every place that has them.

Arrows and letters, `home` and `g`, `pageup` and `ctrl+u` are habits of different people: each has
to do all that the other does, and what they do is looked at, not only that they are taken.
"""

import time
from pathlib import Path

import pytest
from hubs import Seed, finished, picture
from play import Play, User
from textual.widgets import Input, Select

from taskhub_tui.domain.model import Action, BlockerKind, Choice, Status
from taskhub_tui.tui import editor, opening
from taskhub_tui.tui.screens.decision import DecisionScreen
from taskhub_tui.tui.screens.preflight import PreflightScreen
from taskhub_tui.tui.widgets.entries import EntryList
from taskhub_tui.tui.widgets.files import FilesView
from taskhub_tui.tui.widgets.options import Options
from taskhub_tui.tui.widgets.path_input import PathInput
from taskhub_tui.tui.widgets.stage_plan import StagePlan
from tests.tui.forms import CARDS, NOW, Host, Moments, view

LINES = [("j", "k"), ("down", "up")]
PAGES = [("ctrl+d", "ctrl+u"), ("pagedown", "pageup"), ("space", "pageup")]
ENDS = [("G", "g"), ("end", "home")]


async def many(seed: Seed) -> None:
    for number in range(40):
        await seed.put(f"Backfill shard {number}")


async def test_the_list_is_walked_through(play: Play) -> None:
    async with play(80, 24, before=many) as t:
        await t.until(lambda: len(t.table) == 40)
        for there, back in (*LINES, *PAGES[:2], *ENDS):
            await t.press("g", there)
            await t.until(lambda: t.table.cursor > 0, f"{there} leading down")
            await t.press(back)
            await t.until(lambda: t.table.cursor == 0, f"{back} leading up again")
        for all_of_them in ("V", "ctrl+a"):
            await t.press(all_of_them)
            await t.sees("40 marked")
            await t.press("escape")
            await t.until(lambda: not t.table.marks)


async def test_a_log_is_walked_through_and_its_lines_are_marked(play: Play) -> None:
    async with play(80, 24) as t:
        log = "\n".join(f"line {n} {'x' * 200}" for n in range(200))
        await t.given("Talks", Status.IN_PROGRESS, log=log)
        await t.press("2")
        view = t.app._main.detail.content
        await t.until(lambda: view.count == 200)
        for there, back in (*LINES, *PAGES, *ENDS):
            await t.press("g")
            await t.until(lambda: view.scroll_offset.y == 0)
            await t.press(there)
            await t.until(lambda: view.scroll_offset.y > 0, f"{there} leading down")
            await t.press(back)
            await t.until(lambda: view.scroll_offset.y == 0, f"{back} leading up again")
        for there, back in (("l", "h"), ("right", "left")):
            await t.press(there)
            await t.until(lambda: view._shift > 0, f"{there} leading to the right")
            await t.press(back)
            await t.until(lambda: view._shift == 0, f"{back} leading to the left again")
        for there, back in (("J", "K"), ("shift+down", "shift+up")):
            await t.press(there, there)
            first = view.at
            assert first is not None
            await t.press(back)
            assert view.at == first - 1


async def waiting(seed: Seed) -> None:
    for number in range(20):
        await seed.put(f"Deploy {number}", Status.BLOCKED, question=f"Deploy part {number}?")


async def test_the_inbox_is_walked_through(play: Play) -> None:
    async with play(80, 24, calm=True, before=waiting) as t:
        for leave in ("escape", "q"):
            await t.press("i")
            await t.is_on("InboxScreen")
            await t.press(leave)
            await t.is_on("MainScreen")
        await t.press("i")
        await t.sees("20 need you")
        entries = t.app.screen.query_one(EntryList)
        first = entries.here
        for there, back in (*LINES, *PAGES[:2], *ENDS):
            await t.press(there)
            await t.until(lambda: entries.here != first, f"{there} leading down")
            await t.press(back)
            await t.until(lambda: entries.here == first, f"{back} leading up again")


async def test_the_table_before_several_are_decided_is_walked_through(play: Play) -> None:
    async with play(80, 24, before=many) as t:
        await t.until(lambda: len(t.table) == 40)
        for leave in ("escape", "n", "q"):
            await t.press("V", "X")
            await listens(t)
            rows = t.app.screen.query_one("#rows")
            for there, back in (*LINES, *PAGES, *ENDS):
                await t.press(there)
                await t.until(lambda rows=rows: rows.scroll_offset.y > 0, f"{there} leading down")
                await t.press(back)
                await t.until(lambda rows=rows: rows.scroll_offset.y == 0, f"{back} leading up")
            await t.press(leave)
            await t.is_on("MainScreen")
            await t.press("escape")
        assert (await t.hub.counts()).cancelled == 0


async def listens(t: User) -> None:
    """Let the moment pass in which the table takes no keys."""
    await t.is_on("PreflightScreen")
    screen = t.app.screen
    assert isinstance(screen, PreflightScreen)
    await t.until(lambda: bool(screen.query("#keys")))
    screen._touched = time.monotonic() - 60
    await t.until(lambda: screen.awake)


async def test_the_help_is_walked_through(play: Play) -> None:
    async with play(80, 24) as t:
        for opens, closes in (("question_mark", "q"), ("f1", "escape")):
            await t.press(opens)
            await t.is_on("HelpScreen")
            page = t.app.screen.query_one("#keys")
            for there, back in (*LINES, *PAGES, *ENDS):
                await t.press(there)
                await t.until(lambda page=page: page.scroll_offset.y > 0, f"{there} leading down")
                await t.press(back)
                await t.until(lambda page=page: page.scroll_offset.y == 0, f"{back} leading up")
            await t.press(closes)
            await t.is_on("MainScreen")


async def test_a_dialog_that_asks_is_read_line_by_line(play: Play) -> None:
    async with play(80, 24) as t:
        question = "\n\n".join(f"Part {n}" for n in range(60))
        await t.given("Deploy", Status.BLOCKED, question=question)
        await t.waits_for_the_dialog()
        body = t.app.screen.query_one("#body")
        await t.press("j")
        await t.until(lambda: body.scroll_offset.y > 0)
        await t.press("k")
        await t.until(lambda: body.scroll_offset.y == 0)


# One of nine


NINE = tuple(Choice(f"c{n}", f"Answer {n}") for n in range(1, 10))


@pytest.mark.parametrize("number", range(1, 10))
async def test_in_a_dialog_each_of_nine_choices_has_its_number(number: int) -> None:
    def make() -> DecisionScreen:
        asked = view(BlockerKind.INPUT, choices=NINE)
        screen = DecisionScreen(asked, CARDS, clock=lambda: NOW, monotonic=Moments())
        screen._awake = True
        return screen

    app = Host(make)
    async with app.run_test(size=(100, 40)) as pilot:
        await pilot.pause()
        await pilot.press(str(number))
        await pilot.pause()
    (decided,) = app.answers
    assert (decided.action, decided.choice) == (Action.PROVIDE_CONTEXT, f"c{number}")


async def test_what_could_be_next_is_chosen_by_any_of_nine_numbers(play: Play) -> None:
    said = [{"title": f"Next {n}", "request": f"Do number {n}"} for n in range(1, 10)]

    async def report(seed: Seed) -> None:
        await finished(seed, {"follow_ups": said})

    async with play(120, 50, before=report) as t:
        await t.sees("9  Next 9")
        await t.press("2")
        for number in range(1, 10):
            await t.press(str(number))
            await t.is_on("NewTaskScreen")
            assert t.app.screen.fields().request.startswith(f"Do number {number}")
            await t.press("escape")
            await t.is_on("MainScreen")


# Other places


async def test_two_keys_send_what_is_written(play: Play) -> None:
    async with play() as t:
        for number, key in enumerate(("ctrl+s", "ctrl+enter")):
            task = await t.given(f"Migrate {number}", Status.BLOCKED)
            await t.decides("d")
            await t.types("no")
            await t.press(key)
            await t.is_on("MainScreen")
            await t.sees(f"Denied: Migrate {number}")
            assert (await t.hub.events(task.id))[-1].data["text"] == "no"
        for number, key in enumerate(("ctrl+s", "ctrl+enter")):
            await t.press("d")
            await t.is_on("NewTaskScreen")
            t.app.screen.query_one("#command", Input).value = f"echo {number}"
            await t.press(key)
            await t.is_on("MainScreen")

            async def there(count: int = 3 + number) -> bool:
                return (await t.hub.counts()).total == count

            await t.until(there)


async def test_links_are_stepped_through_both_ways(play: Play, tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    report.write_text("See https://example.org/a and https://example.org/b.")
    async with play() as t:
        await t.given("Analyse", Status.COMPLETED, result=str(report))
        await t.sees("See https")
        await t.press("2", "L", "L")
        await t.sees("link 2 of 2: https://example.org/b")
        await t.press("H")
        await t.sees("link 1 of 2: https://example.org/a")


async def test_files_and_a_picture_by_all_their_keys(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    async def note(_: object, path: Path) -> str:
        opened.append(path)
        return f"Opened {path.name}"

    monkeypatch.setattr(opening, "open_result", note)
    async with play() as t:
        task = await t.given("Draw", Status.COMPLETED)
        one, two = (picture(tmp_path / name) for name in ("one.png", "two.png"))
        await t.seed.files(task, one, two)
        await t.app.look()
        await t.press("2", "3")
        await t.sees("one.png", "two.png")
        view = t.app._main.detail.content
        assert isinstance(view, FilesView)
        for there, back in LINES:
            await t.press(there)
            assert view.chosen is not None
            assert view.chosen.path == two
            await t.press(back)
            assert view.chosen.path == one
        for key in ("enter", "o"):
            await t.press(key)
            await t.until(lambda: len(opened) == 1)
            assert opened.pop() == one
        for leave in ("escape", "q", "v"):
            await t.press("v")
            await t.is_on("PictureScreen")
            for key in ("enter", "o"):
                await t.press(key)
                await t.until(lambda: len(opened) == 1)
                assert opened.pop() == one
            await t.press(leave)
            await t.is_on("MainScreen")


async def test_events_are_walked_through_and_opened(play: Play) -> None:
    async with play() as t:
        task = await t.given("Ask", Status.BLOCKED, question="Which vault?")
        await t.decides("escape")
        await t.hub.decide(task.id, Action.DENY, text="None of them")
        await t.press("2", "4")
        await t.sees("decided DENY")
        view = t.app._main.detail.content
        for there, back in LINES:
            await t.press(back, back, back, back)
            assert view.at == 0
            await t.press(there)
            assert view.at == 1
        await t.press("slash", *"deny", "enter")
        for key in ("enter", "space"):
            await t.press(key)
            await t.sees("action: deny")
            await t.press(key)
            await t.does_not_see("action: deny")


async def test_a_view_is_deleted_by_two_keys_and_the_choice_left_by_two(play: Play) -> None:
    async with play() as t:
        await t.given("Audit", Status.PAUSED)
        for key in ("delete", "ctrl+x"):
            await t.press("slash", *"audit", "enter", "w")
            await t.is_on("NameScreen")
            await t.types("mine")
            await t.press("enter")
            await t.sees("Saved as mine")
            await t.press("W")
            await t.is_on("ChooseScreen")
            await t.press("j", "k", key)
            await t.sees("Deleted the view mine")
            t.app.clear_notifications()
        for leave in ("escape", "q"):
            await t.press("W")
            await t.is_on("ChooseScreen")
            await t.press(leave)
            await t.is_on("MainScreen")


@pytest.mark.parametrize(("opens", "screen"), [("A", "AgentsScreen"), ("comma", "SettingsScreen")])
async def test_a_whole_screen_is_left_by_two_keys(play: Play, opens: str, screen: str) -> None:
    async with play() as t:
        for leave in ("escape", "q"):
            await t.press(opens)
            await t.is_on(screen)
            await t.press(leave)
            await t.is_on("MainScreen")


@pytest.mark.parametrize("key", ["colon", "ctrl+p"])
async def test_all_commands_come_by_two_keys(play: Play, key: str) -> None:
    async with play() as t:
        await t.press(key)
        await t.is_on("Palette")


async def test_what_waits_at_the_right_is_walked_through(play: Play) -> None:
    async with play(200, 50, calm=True, before=waiting) as t:
        await t.sees("20 open")
        await t.press("3")
        await t.is_in("Waits")
        waits = t.app.focused
        first = waits.highlighted
        await t.press("j")
        await t.until(lambda: waits.highlighted != first)
        await t.press("k")
        await t.until(lambda: waits.highlighted == first)


@pytest.mark.parametrize(
    ("key", "form"),
    [("c", "WordsForm"), ("m", "ModifyForm"), ("t", "AgentForm"), ("X", "YesForm"), ("r", "")],
)
@pytest.mark.parametrize("place", ["list", "inbox"])
async def test_what_is_wanted_of_a_task_opens_its_form(
    play: Play, place: str, key: str, form: str
) -> None:
    async with play(calm=True) as t:
        status = Status.FAILED if key == "r" else Status.BLOCKED
        await t.given("Migrate", status)
        await t.row("Migrate").is_under_cursor()
        if place == "inbox":
            await t.press("i")
            await t.sees("Needs you")

        def offered() -> bool:
            found = t.app.screen.active_bindings.get(key)
            return found is not None and found.enabled

        await t.until(offered)
        await t.press(key)
        await t.is_on("DecisionScreen")
        screen = t.app.screen
        assert isinstance(screen, DecisionScreen)
        await t.until(lambda: (type(screen._form).__name__ if screen._form else "") == form)


async def test_from_the_inbox_a_task_is_opened(play: Play) -> None:
    async with play(calm=True) as t:
        await t.given("Migrate", Status.BLOCKED)
        await t.press("i")
        await t.sees("Needs you", "Migrate")
        await t.press("o")
        await t.is_on("MainScreen")
        await t.is_in("LogView")


async def test_more_of_a_failures_log_is_shown_and_less_again(play: Play) -> None:
    async with play() as t:
        log = "\n".join(f"line {n}" for n in range(60))
        await t.given("Nightly", Status.FAILED, error="No space left", log=log)
        await t.waits_for_the_dialog()
        body = t.app.screen.query_one("#body")
        short = body.virtual_size.height
        await t.press("l")
        await t.until(lambda: body.virtual_size.height > short)
        await t.press("l")
        await t.until(lambda: body.virtual_size.height == short)


async def test_the_log_is_paged_and_searched(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    paged: list[str] = []

    async def page(_: object, lines: object, what: str) -> str:
        paged.append(what)
        return ""

    monkeypatch.setattr(opening, "page", page)
    async with play() as t:
        await t.given("Talks", Status.IN_PROGRESS, log="one\ntwo")
        await t.press("2")
        await t.sees("two")
        await t.press("o")
        await t.until(lambda: paged == ["the log"])
        await t.press("slash")
        await t.types("two")
        await t.sees("1 of 1")


async def test_the_sample_is_tried_in_an_empty_hub(play: Play) -> None:
    async with play() as t:
        await t.sees("a sample report")
        await t.press("s")

        async def there() -> bool:
            return (await t.hub.counts()).total == 1

        await t.until(there)


async def test_the_form_is_written_in_an_editor_and_walked_through(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def edit(_: object, text: str, suffix: str) -> str:
        return "Written elsewhere"

    monkeypatch.setattr(editor, "edit", edit)
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
    async with play(120, 50) as t:
        await t.given("Audit")
        await t.press("n")
        await t.is_on("NewTaskScreen")
        form = t.app.screen
        await t.press("ctrl+e")
        await t.until(lambda: form.fields().request == "Written elsewhere")
        form.query_one("#who", Select).value = "agent:analyst"
        plan = form.query_one(StagePlan)
        await t.until(lambda: len(plan._plan) == 5)
        plan.focus()
        for there, back in LINES:
            await t.press(there)
            assert plan._at == 1
            await t.press(back)
            assert plan._at == 0
        for there, back in (("l", "h"), ("right", "left")):
            await t.press(there)
            assert plan._side == 1
            await t.press(back)
            assert plan._side == 0
        folder = form.query_one("#folder", PathInput)
        folder.focus()
        folder.value = f"{tmp_path}/"
        folder.cursor_position = len(folder.value)
        await t.press("t")
        await t.until(lambda: len(folder._found) == 2)
        await t.press("down", "down", "up")
        assert folder._chosen == 0
        await t.press("ctrl+o")
        await t.is_on("PickTaskScreen")
        rows = t.app.screen.query_one(Options)
        await t.until(lambda: rows.option_count == 1)
        await t.press("down", "up")
        assert rows.highlighted == 0
        await t.press("escape")
        await t.is_on("NewTaskScreen")


async def test_where_a_name_or_a_place_is_asked_for_one_can_go_back(
    play: Play, tmp_path: Path
) -> None:
    async with play() as t:
        task = await t.given("Draw", Status.COMPLETED)
        await t.seed.files(task, picture(tmp_path / "one.png"))
        await t.app.look()
        await t.press("w")
        await t.is_on("NameScreen")
        await t.press("escape")
        await t.is_on("MainScreen")
        await t.press("2", "3")
        await t.sees("one.png")
        await t.press("s")
        await t.is_on("SaveAsScreen")
        await t.press("escape")
        await t.is_on("MainScreen")


async def test_the_settings_are_changed_looked_through_and_read_anew(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited: list[Path] = []

    async def open_file(_: object, path: Path, line: int) -> None:
        edited.append(path)

    monkeypatch.setattr(editor, "open_file", open_file)
    async with play() as t:
        await t.press("comma")
        await t.is_on("SettingsScreen")
        await t.press("space")
        await t.is_in("typed")
        await t.press("escape", "e")
        await t.until(lambda: edited == [t.hub.paths.config])
        await t.press("w")
        await t.sees("The engine runs in this window")
        screen = t.app.screen
        await t.until(lambda: screen._checks is not None)
        before = screen._checks
        await t.press("c")
        await t.until(lambda: screen._checks is not None and screen._checks is not before)
