"""The tabs of a task: its result and what follows, its files, what happened, and what it is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hubs import Seed, finished, picture, text, until

from taskhub_tui.domain.model import Action, Event, Status
from taskhub_tui.hub import Hub
from taskhub_tui.tui import opening, pictures
from taskhub_tui.tui.app import TaskHubApp
from taskhub_tui.tui.screens import save_as
from taskhub_tui.tui.screens.new_task import NewTaskScreen
from taskhub_tui.tui.widgets import files, markdown_view
from taskhub_tui.tui.widgets.detail import Detail
from taskhub_tui.tui.widgets.events import exactly, sentence
from taskhub_tui.tui.widgets.result import ResultView


async def shown(pilot: Any, app: TaskHubApp) -> Detail:
    detail = app.query_one(Detail)
    await until(pilot, lambda: detail.view is not None)
    return detail


# Tabs


async def test_the_chosen_tab_stays_while_one_moves_over_the_tasks(
    app: TaskHubApp, seed: Seed
) -> None:
    await seed.put("First", Status.COMPLETED, summary="one")
    await seed.put("Second", Status.IN_PROGRESS, log="hello")
    async with app.run_test(size=(120, 30)) as pilot:
        detail = await shown(pilot, app)
        await until(pilot, lambda: "hello" in text(app))
        await pilot.press("j")
        await until(pilot, lambda: detail.tab == "result" and "one" in text(app))
        await pilot.press("right_square_bracket", "right_square_bracket")
        assert detail.tab == "events"
        await pilot.press("k")
        await until(pilot, lambda: "Second" in text(app).splitlines()[1])
        assert detail.tab == "events"
        await pilot.press("enter", "1")
        await until(pilot, lambda: "hello" in text(app))
        await pilot.press("5")
        await until(pilot, lambda: "Handed over" in text(app))


async def test_a_tab_is_chosen_with_the_mouse(app: TaskHubApp, seed: Seed) -> None:
    await seed.put("Second", Status.IN_PROGRESS, log="hello")
    async with app.run_test(size=(120, 30)) as pilot:
        detail = await shown(pilot, app)
        await pilot.pause()
        await pilot.click("TabLine", offset=(text(app).split("\n")[6].find("Events") - 76, 0))
        await until(pilot, lambda: detail.tab == "events" and "Handed over" in text(app))


async def test_a_tab_keeps_its_place_while_it_is_the_same_task(app: TaskHubApp, seed: Seed) -> None:
    task = await seed.put("Talks", Status.IN_PROGRESS, log="\n".join(map(str, range(200))))
    async with app.run_test(size=(120, 30)) as pilot:
        detail = await shown(pilot, app)
        await until(pilot, lambda: detail.content.count == 200)
        await pilot.press("enter", "g", "j", "j")
        await until(pilot, lambda: detail.content.scroll_offset.y == 2)
        await pilot.press("5", "1")
        await seed.become(replace(await seed.now(task), note="news"))
        await pilot.pause(0.5)
        assert detail.content.scroll_offset.y == 2


# The result


async def test_what_could_be_next_opens_a_form_filled_in(
    app: TaskHubApp, seed: Seed, tmp_path: Path
) -> None:
    report = tmp_path / "report.md"
    report.write_text("# Done")
    said = [
        {"title": "[b]The year[/x]", "request": "Report on [the] year", "agent": "command"},
        {"title": "Another", "request": "Do another thing"},
    ]
    await finished(seed, {"follow_ups": said}, result=str(report))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "1  [b]The year[/x]" in text(app))
        await pilot.press("enter", "1")
        await until(pilot, lambda: isinstance(app.screen, NewTaskScreen))
        fields = app.screen.fields()  # type: ignore[attr-defined]
        assert fields.request.startswith("Report on [the] year\n\nIt follows `Analyse`")
        assert str(report) in fields.request
        assert fields.who == "agent:command"
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)
        # A digit without a follow-up is the tab's again.
        await pilot.press("4")
        await until(pilot, lambda: app.query_one(Detail).tab == "events")


async def test_a_failed_task_says_why_and_shows_its_last_lines(app: TaskHubApp, seed: Seed) -> None:
    await seed.put(
        "Fails",
        Status.FAILED,
        error="No [column] `close`",
        log="\n".join(f"l{n}" for n in range(50)),
    )
    app.asker.consider = lambda: None  # type: ignore[method-assign]
    async with app.run_test(size=(120, 50)) as pilot:
        await shown(pilot, app)
        await pilot.press("enter", "2")
        await until(pilot, lambda: "It failed" in text(app) and "l49" in text(app))
        assert "l30" in text(app)
        assert "l29" not in text(app)


async def test_links_are_stepped_through_and_only_web_addresses_are_any(
    app: TaskHubApp, seed: Seed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    async def note(link: str) -> str:
        opened.append(link)
        return "Opened"

    monkeypatch.setattr(opening, "open_link", note)
    report = tmp_path / "report.md"
    report.write_text(
        "[a](https://example.org/a) [b](javascript:x) <file:///etc> [c](http://example.org/c_(d))"
        "\n\nSee https://example.org/e."
    )
    await seed.put("Analyse", Status.COMPLETED, result=str(report))
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: "See" in text(app))
        view = app.query_one(ResultView)
        assert view.links[0] == "https://example.org/a"
        assert view.links[-1] == "https://example.org/e"
        assert all(link.startswith("http") for link in view.links)
        await pilot.press("enter", "L")
        await until(pilot, lambda: "link 1 of 3: https://example.org/a" in text(app))
        await pilot.press("enter")
        await until(pilot, lambda: opened == ["https://example.org/a"])
        row = next(y for y in range(view.count) if "See" in view.text_of(y))
        await pilot.click(view, offset=(8, row), control=True)
        await until(pilot, lambda: opened[1:] == ["https://example.org/e"])


async def test_words_are_found_in_a_report(app: TaskHubApp, seed: Seed, tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    report.write_text("\n\n".join(f"Paragraph {n}" for n in range(100)))
    await seed.put("Analyse", Status.COMPLETED, result=str(report))
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: app.query_one(ResultView).count > 190)
        await pilot.press("enter", "slash", *"paragraph 9", "enter")
        await until(pilot, lambda: "1 of 11" in text(app))
        await pilot.press("n")
        await until(pilot, lambda: "2 of 11" in text(app) and "Paragraph 90" in text(app))


async def test_a_picture_is_drawn_where_the_report_shows_it(
    app: TaskHubApp, seed: Seed, tmp_path: Path
) -> None:
    report = tmp_path / "report.md"
    picture(tmp_path / "red.png")
    report.write_text("Look:\n\n![red](red.png)\n\n![out](../x.png)\n\nEnd")
    await seed.put("Analyse", Status.COMPLETED, result=str(report))
    async with app.run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: "End" in text(app))
        assert "▀" * 40 in text(app)


def test_code_is_told_apart_by_colour_and_keeps_its_words() -> None:
    colours = {"running": "#0000ff", "muted": "#888888", "done": "#00ff00", "foreground": "#ffffff"}
    source = "def f():\n\treturn 'x' # why\n"
    lines = markdown_view.draw("code python", source, 40, colours)
    assert [line.text for line in lines][:2] == ["  def f():", "      return 'x' # why"]
    assert len({segment.style for line in lines for segment in line}) > 3
    unknown = markdown_view.draw("code nonsense", source, 40, colours)
    assert [line.text for line in unknown] == [line.text for line in lines]


# Pictures


def test_a_picture_fits_and_keeps_its_shape(tmp_path: Path) -> None:
    lines = pictures.drawn(picture(tmp_path / "wide.png", (400, 100)), 80, 50)
    assert len(lines) == 10
    assert all(line.cell_length == 80 for line in lines)
    tall = pictures.drawn(picture(tmp_path / "tall.png", (10, 1000)), 80, 20)
    assert len(tall) == 20
    tiny = pictures.drawn(picture(tmp_path / "tiny.png", (1, 1)), 80, 20)
    assert len(tiny) == 1


@pytest.mark.parametrize("data", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\x00" * 50])
def test_what_is_no_picture_is_said_plainly(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(data)
    with pytest.raises(pictures.BadPicture):
        pictures.drawn(path, 80, 20)


def test_a_picture_that_ends_too_early_or_is_too_large_is_not_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = picture(tmp_path / "x.png", (300, 300))
    monkeypatch.setattr(pictures, "_MOST_POINTS", 1000)
    with pytest.raises(pictures.BadPicture, match="300 × 300"):
        pictures.drawn(path, 80, 20)
    path.write_bytes(path.read_bytes()[:-200])
    monkeypatch.undo()
    with pytest.raises(pictures.BadPicture):
        pictures.drawn(path, 80, 20)


# Files


async def test_files_are_listed_opened_saved_and_copied(
    app: TaskHubApp, seed: Seed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, table, gone = (tmp_path / name for name in ("[b]out.md", "table.csv", "gone.txt"))
    report.write_text("# Done")
    table.write_text("1,2" * 1000)
    task = await seed.put("Analyse", Status.COMPLETED, result=str(report))
    await seed.files(task, table, gone, report)
    opened = []

    async def note(_: object, path: Path) -> str:
        opened.append(path)
        return f"Opened {path}"

    monkeypatch.setattr(opening, "open_result", note)
    async with app.run_test(size=(170, 30), notifications=True) as pilot:
        await shown(pilot, app)
        await pilot.press("enter", "3")
        await until(pilot, lambda: "✓ [b]out.md" in text(app))
        assert "Files 3" in text(app)
        assert "3.0 kB" in text(app)
        await pilot.press("z")  # Its kind is told where there is room.
        await until(pilot, lambda: "text/csv" in text(app))
        await pilot.press("z", "enter", "3")
        await until(pilot, lambda: "text/csv" not in text(app))
        assert "gone" in next(line for line in text(app).split("\n") if "✗ gone.txt" in line)
        await pilot.press("o")
        await until(pilot, lambda: opened == [report])
        await pilot.press("j", "j")
        await pilot.press("y")
        chosen = Path(app.clipboard)
        assert chosen in (table, gone)
        if chosen == gone:
            await pilot.press("k")
        await pilot.press("s")
        await until(pilot, lambda: isinstance(app.screen, save_as.SaveAsScreen))
        # It is there already: nothing is replaced without asking.
        there = tmp_path / "there"
        there.mkdir()
        (there / "table.csv").write_text("old")
        await pilot.press("home", *f"{there}/", "enter")
        await until(pilot, lambda: "Replace it?" in text(app))
        await pilot.press("n")
        await pilot.press("end", *".bak", "enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)
    assert (there / "table.csv").read_text() == "old"
    assert (there / "table.csv.bak").read_text() == table.read_text()


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (9_949, "9.9 kB"), (9_960, "10 kB"),
     (999_600, "1.0 MB"), (5_200_000_000, "5.2 GB")],
)  # fmt: skip
def test_a_size_is_short(count: int, said: str) -> None:
    assert files.size(count) == said


async def test_a_picture_is_looked_at_in_the_terminal(
    app: TaskHubApp, seed: Seed, tmp_path: Path
) -> None:
    task = await seed.put("Draw", Status.COMPLETED)
    await seed.files(task, picture(tmp_path / "red.png", (400, 200)))
    async with app.run_test(size=(120, 30)) as pilot:
        await shown(pilot, app)
        await pilot.press("enter", "3")
        await until(pilot, lambda: "red.png" in text(app))
        await pilot.press("v")
        await until(pilot, lambda: "▀" * 50 in text(app))
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)


# Events


async def test_an_event_opens_to_what_exactly_was_decided(
    app: TaskHubApp, hub: Hub, seed: Seed
) -> None:
    task = await seed.put("Ask", Status.BLOCKED, question="Which [vault]?")
    await hub.decide(task.id, Action.DENY, text="None\nof them")
    async with app.run_test(size=(200, 40)) as pilot:
        await shown(pilot, app)
        await pilot.press("enter", "4")
        await until(pilot, lambda: "decided DENY by ann (app)" in text(app))
        await pilot.press("slash", *"deny", "enter")
        await until(pilot, lambda: "Handed over" not in text(app))
        await pilot.press("enter")
        await until(pilot, lambda: "action: deny" in text(app) and "of them" in text(app))
        assert "channel app" in text(app)
        await pilot.press("enter")
        await until(pilot, lambda: "action: deny" not in text(app))
        await pilot.press("escape")
        await until(pilot, lambda: "Handed over" in text(app))


def test_a_rule_that_decided_is_named() -> None:
    event = Event(1, "t", 0.0, "decided", 0, "timeout", "timeout", {"action": "deny"}, 1)
    assert sentence(event) == "Stage 1 decided DENY by the rule for a deadline that passed"
    done = Event(1, "t", 0.0, "checkpoint", 0, "w", "engine", {"seconds": 75.2}, 1)
    assert sentence(done) == "Stage 1 finished after 1m 16s"


def test_all_that_is_recorded_is_told_clean_and_within_its_width() -> None:
    data = {"question": "a\x1b[2Jb\nsecond", "detail": {"command": ["rm", "-rf", "x" * 300]}}
    lines = exactly(Event(1, "t", 0.0, "asked", None, "w1", "engine", data, 1), 60)
    assert all(len(line) <= 75 and "\x1b" not in line for line in lines)
    assert "question: ab" in lines
    assert any("-rf" in line for line in lines)


# About


async def test_what_a_task_is_and_what_it_has_cost(app: TaskHubApp, seed: Seed) -> None:
    usage = {"cost_usd": 0.42, "input_tokens": 12_345}
    await finished(seed, {"usage": usage}, context=("Look at [May] too",), playbook="nightly")
    async with app.run_test(size=(120, 50)) as pilot:
        await shown(pilot, app)
        await pilot.press("enter", "5")
        await until(pilot, lambda: "$0.42" in text(app))
        said = " ".join(text(app).split())
        for words in ("Cost", "12,345", "Playbook", "nightly", "Look at [May] too", "Owner", "me"):
            assert words in said
        assert "Deadline" not in said, "what is not known is not shown"
