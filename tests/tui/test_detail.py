"""One task in full: a log of any length, reports, plots, and what has happened, in words."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hubs import Seed, text, until
from play import Play
from rich.cells import cell_len
from textual.geometry import Region

from taskhub_tui.config import Paths
from taskhub_tui.domain.model import (
    Action,
    Event,
    NewTask,
    Stage,
    StageStatus,
    Status,
    Task,
    WaitingOn,
)
from taskhub_tui.hub import Hub
from taskhub_tui.tui.app import TaskHubApp
from taskhub_tui.tui.render import clock
from taskhub_tui.tui.theme import UNICODE
from taskhub_tui.tui.widgets import log_view, markdown_view
from taskhub_tui.tui.widgets.detail import Detail
from taskhub_tui.tui.widgets.events import sentence
from taskhub_tui.tui.widgets.log_view import LogView
from taskhub_tui.tui.widgets.stages import timeline, told, took, young

TASK = Task("t", 1, "", "", "", "command", "", Status.IN_PROGRESS, 0, 70, 1)
COLOURS = {"foreground": "#ffffff", "muted": "#888888", "running": "#0000ff", "faint": "#333333"}


def numbered(word: str, count: int) -> str:
    return "\n".join(f"{word} {i}" for i in range(count))


async def test_the_log_follows_its_end_until_the_user_scrolls_up(
    app: TaskHubApp, seed: Seed
) -> None:
    task = await seed.put("Talks", Status.IN_PROGRESS, log=numbered("line", 99))
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: "line 98" in text(app))
        seed.log(task, "the newest")
        await until(pilot, lambda: "the newest" in text(app))
        await pilot.press("enter", "g")
        await until(pilot, lambda: "line 0" in text(app))
        log = app.query_one(LogView)
        assert not log.following
        seed.log(task, "one more")
        await log.poll()
        assert "line 0" in text(app)
        await pilot.press("f")
        await until(pilot, lambda: "one more" in text(app))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"waiting_on": WaitingOn.PROVIDER, "ready_at": 600}, "↻ provider limit, resumes in 9m"),
        ({"waiting_on": WaitingOn.RETRY, "ready_at": 600}, "↻ next try in 9m"),
        ({"waiting_on": WaitingOn.SCHEDULE, "ready_at": 600}, "· starts in 9m"),
        ({"waiting_on": WaitingOn.DEPENDENCY, "deps_left": 2}, "· waits for 2 tasks"),
        ({"deadline": 7200}, "· deadline in 1h 59m"),
        (
            {"waiting_on": WaitingOn.PROVIDER, "ready_at": 600, "deadline": 7200},
            "· deadline in 1h 59m",
        ),
    ],
)
@pytest.mark.parametrize("width", [80, 120, 200])
async def test_what_a_task_waits_for_and_its_deadline_are_said_at_every_width(
    app: TaskHubApp, hub: Hub, seed: Seed, more: dict[str, Any], said: str, width: int
) -> None:
    times = {n: hub.clock() + v for n, v in more.items() if n in ("ready_at", "deadline")}
    await seed.put("Fetch vendor price lists", Status.PENDING, **{**more, **times})
    async with app.run_test(size=(width, 24)) as pilot:
        await until(pilot, lambda: app.query_one(Detail).view is not None)
        await pilot.press("enter")
        await until(pilot, lambda: said in " ".join(text(app).replace("▏", " ").split()))


async def test_a_task_that_waits_for_another_names_it(app: TaskHubApp, hub: Hub) -> None:
    options = {"argv": ["true"]}
    first = await hub.submit(NewTask("First", agent="command", options=options))
    await hub.submit(NewTask("Second", agent="command", options=options, after=(first.id,)))
    async with app.run_test(size=(120, 24)) as pilot:
        await until(pilot, lambda: f"· waits for {first.id}" in text(app))


async def test_a_long_log_is_read_by_pieces_of_which_few_are_held(
    app: TaskHubApp, hub: Hub, seed: Seed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_view, "PIECE", 4096)
    lines = 5000
    await seed.put("Talks", Status.IN_PROGRESS, log="\n".join(f"line {i} é" for i in range(lines)))
    async with app.run_test(size=(120, 30)) as pilot:
        log = app.query_one(LogView)
        await until(pilot, lambda: log.count == lines)
        assert len(log._held) <= log_view.HELD < len(log._pieces)
        for wanted in (0, 2500, 4990):

            def shown(wanted: int = wanted) -> bool:
                # Again each time: it may still be on its way to the end, which it follows.
                log.scroll_to(y=wanted, animate=False)
                return f"line {wanted} é" in text(app)

            await until(pilot, shown)
        assert len(log._held) <= log_view.HELD


async def test_of_a_huge_log_the_end_is_shown_and_the_rest_is_said_to_be_in_its_file(
    app: TaskHubApp, seed: Seed, where: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_view, "REACH", 100_000)
    words = "x" * 100
    task = await seed.put(
        "Talks", Status.IN_PROGRESS, log="\n".join(f"{i} {words}" for i in range(3000))
    )
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: "2999 xxx" in text(app))
        log = app.query_one(LogView)

        def told() -> bool:
            first = log.line(0)
            return first is not None and str(where.log(task.id)) in first.text

        await until(pilot, told)
        second = log.line(1)
        assert second is None or " xxx" in second.text


async def test_a_log_that_was_cut_back_is_read_anew(
    app: TaskHubApp, seed: Seed, where: Paths
) -> None:
    task = await seed.put("Talks", Status.IN_PROGRESS, log=numbered("old", 50))
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: "old 49" in text(app))
        path = where.log(task.id)
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:5]))
        seed.log(task, "new words")
        await until(pilot, lambda: "new words" in text(app) and "old 49" not in text(app))


async def test_a_report_is_opened_with_its_plot_in_place_of_the_picture(
    app: TaskHubApp, seed: Seed, tmp_path: Path
) -> None:
    report = tmp_path / "report.md"
    table = "| a | b |\n|--|--|\n| 1 | 2 |\n"
    report.write_text(f"# Trends\n\nThey **rose**.\n\n![The trend](trend.png)\n\n{table}")
    (tmp_path / "trend.txt").write_text("3 ┤ ╭──\n2 ┼─╯")
    await seed.put("Analyse", Status.COMPLETED, result=str(report))
    async with app.run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: "They rose." in text(app))
        shown = text(app)
        assert "3 ┤ ╭──" in shown
        assert "![" not in shown
        assert "Files" in shown


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("clip.mp4", b"\x00\x01", "The result is clip.mp4, 2 bytes: o opens it"),
        ("out.txt", b"plain ``` text", "plain ``` text"),
        ("gone.md", None, "cannot be shown: no such file"),
    ],
)
async def test_a_result_of_any_kind_is_shown_or_named(
    app: TaskHubApp, seed: Seed, tmp_path: Path, name: str, data: bytes | None, words: str
) -> None:
    path = tmp_path / name
    if data is not None:
        path.write_bytes(data)
    await seed.put("Make it", Status.COMPLETED, result=str(path))
    async with app.run_test(size=(200, 36)) as pilot:
        await until(pilot, lambda: words in text(app))


async def test_what_stops_a_task_is_said_with_the_key_that_answers(
    app: TaskHubApp, seed: Seed
) -> None:
    await seed.put("Ask", Status.BLOCKED, names=("a", "b"), at=1, question="Which vault?")
    app.asker.consider = lambda: None  # type: ignore[method-assign]
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: "! Which vault?  a\u00a0decide" in text(app))
        assert "2 b" in text(app)


async def test_the_audit_trail_is_told_in_words(app: TaskHubApp, hub: Hub, seed: Seed) -> None:
    task = await seed.put("Ask", Status.BLOCKED, question="Which vault?")
    await hub.decide(task.id, Action.DENY, text="None of them")
    async with app.run_test(size=(200, 30)) as pilot:
        await until(pilot, lambda: app.query_one(Detail).view is not None)
        app.query_one(Detail).tab = "events"
        await until(pilot, lambda: "decided DENY by ann (app): None of them" in text(app))


def test_an_event_of_a_kind_not_known_here_is_still_a_sentence() -> None:
    event = Event(1, "t", 0.0, "lease_lost", 1, "w1", "engine", {"reason": "a\x1b[2Jb\nc"}, 1)
    assert sentence(event) == "Stage 2 lease lost: ab c"


def test_a_stage_tells_its_time() -> None:
    stage = Stage("t", 0, "build", "command", StageStatus.RUNNING, started=40.0, fraction=0.5)
    task = Task("t", 1, "", "", "", "", "", Status.IN_PROGRESS, 0, 70, 1)
    assert told(replace(stage, estimate=90.0), task, 100.0) == ["~45s left", "50%"]
    assert took(stage, 100.0) == "1m 00s"
    assert took(replace(stage, status=StageStatus.DONE, ended=50.0), 100.0) == "10s"
    assert took(replace(stage, status=StageStatus.PENDING, estimate=720.0), 100.0) == "~12m"
    assert took(replace(stage, status=StageStatus.PENDING, started=None), 100.0) == ""
    assert told(replace(stage, fraction=None), task, 100.0) == []
    assert told(replace(stage, status=StageStatus.BLOCKED), task, 100.0) == ["waiting 30s"]
    pending = replace(stage, status=StageStatus.PENDING, started=None)
    gated = replace(pending, gate=True, review=True)
    assert told(gated, task, 100.0) == ["asks first", "review after"]
    passed = replace(gated, status=StageStatus.DONE, approved=True)
    assert told(passed, task, 100.0) == ["approved", "reviewed"]
    assert told(replace(stage, attempt=2), task, 100.0)[-1] == "2nd try"
    assert told(replace(stage, attempt=11), task, 100.0)[-1] == "11th try"


def test_a_stage_is_young_while_a_time_of_it_goes_on_in_seconds() -> None:
    stage = Stage("t", 0, "build", "command", StageStatus.RUNNING, started=40.0)
    task = Task("t", 1, "", "", "", "", "", Status.IN_PROGRESS, 0, 70, 1)
    assert young([stage], task, 99.0)
    assert not young([stage], task, 100.0)  # 1m 00s
    assert young([replace(stage, estimate=150.0)], task, 131.0)  # ~59s left
    assert young([replace(stage, status=StageStatus.BLOCKED)], task, 100.0)
    # What is over took so many seconds, and always will have.
    assert not young([replace(stage, status=StageStatus.DONE, ended=50.0)], task, 100.0)


def fifty(at: int) -> tuple[list[Stage], Task]:
    def status(n: int) -> StageStatus:
        ahead = StageStatus.RUNNING if n == at else StageStatus.PENDING
        return StageStatus.DONE if n < at else ahead

    stages = [
        Stage("t", n, f"step {n + 1}", "command", status(n), started=9.0 if n <= at else None)
        for n in range(50)
    ]
    return stages, replace(TASK, stage=at, stages=50)


@pytest.mark.parametrize("at", [0, 1, 2, 7, 25, 46, 47, 48, 49])
@pytest.mark.parametrize("width", [30, 44, 76, 116, 196])
def test_of_many_stages_those_around_the_current_one_are_shown(at: int, width: int) -> None:
    stages, task = fifty(at)
    lines = [line.plain for line in timeline(stages, task, 100.0, UNICODE, width, 9)]
    assert len(lines) <= 9
    assert any(f"{at + 1:>2} step {at + 1}" in line for line in lines)
    assert all(cell_len(line) <= width for line in lines)
    hidden = sum(int(line.split()[1]) for line in lines if line.startswith("…"))
    assert hidden + sum(not line.startswith("…") for line in lines) == 50
    assert hidden != 1, "a line that stands for one stage could show it"


def test_what_is_to_come_says_when_as_far_as_that_is_known() -> None:
    now = time.time()
    stages = [
        Stage("t", 0, "plan", "a", StageStatus.DONE, started=now - 600, ended=now - 300),
        Stage("t", 1, "build", "b", StageStatus.RUNNING, started=now - 300, estimate=600.0),
        Stage("t", 2, "test", "a", StageStatus.PENDING, estimate=720.0),
        Stage("t", 3, "ship", "a", StageStatus.PENDING, estimate=60.0, gate=True),
    ]
    task = replace(TASK, agent="a", stage=1, stages=4)
    plan, build, test, ship = (line.plain for line in timeline(stages, task, now, UNICODE, 110))
    assert "5m 00s" in plan
    assert " b " in build
    assert "~5m left" in build
    assert f"~{clock(now + 300, now)}" in test
    assert "~12m" in test
    # A person comes before it, and nobody knows how long they take.
    assert "–" in ship
    assert "asks first" in ship
    assert "━" in plan
    assert plan.index("━") < build.index("━")


# Markdown


def blocks(source: str, folder: Path | None = None) -> list[tuple[str, str]]:
    return list(markdown_view.blocks(source, folder))


def test_code_and_tables_keep_their_width() -> None:
    parts = blocks("Words\n```py\nx = 1\n# no heading\n```\n|a|b|\n|-|-|\n\nmore")
    assert [kind for kind, _ in parts] == ["text", "code py", "table", "text"]
    (line, _) = markdown_view.draw("code", "x" * 300, 40, COLOURS)
    assert line.cell_length == 302


def test_a_fence_that_is_never_closed_swallows_only_itself() -> None:
    assert blocks("a\n~~~\nb\n```\nc") == [("text", "a"), ("code", "b\n```\nc")]


@pytest.mark.parametrize("target", ["../secret.png", "/etc/passwd.png", "https://x.org/a.png"])
def test_a_plot_is_taken_only_from_beside_the_report(tmp_path: Path, target: str) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    assert blocks(f"![x]({target})", folder) == [("text", f"![x]({target})")]


def test_a_plot_may_not_be_a_link_to_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / "report"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "plot.txt").symlink_to(tmp_path / "secret.txt")
    assert blocks("![x](plot.png)", folder) == [("text", "![x](plot.png)")]


def test_links_are_words_and_cannot_be_followed() -> None:
    lines = markdown_view.draw("text", "[here](javascript:alert(1)) <file:///x>", 60, COLOURS)
    segments = [segment for line in lines for segment in line]
    assert all(segment.style is None or segment.style.link is None for segment in segments)
    assert all("@click" not in (s.style.meta if s.style else {}) for s in segments)
    assert "javascript:alert(1)" in "".join(segment.text for segment in segments)


def test_a_long_report_is_cut_into_pieces_at_blank_lines() -> None:
    source = "\n\n".join(f"Paragraph {i} " + "word " * 50 for i in range(200))
    parts = blocks(source)
    assert len(parts) > 10
    assert "".join(part for _, part in parts).count("Paragraph") == 200


@pytest.mark.parametrize("bullet", ["- ", "* ", "+ "])
def test_a_long_list_is_drawn_in_pieces_as_it_would_be_at_once(
    bullet: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [f"{bullet}item {i} with **words** " + "and more " * (i % 9) for i in range(100)]
    items[50] += "\n  - a list in it\n  - of two"
    source = "Before:\n" + "\n".join(items) + "\n\nAnd after it."

    def drawn() -> list[str]:
        lines = [
            line
            for kind, part in blocks(source)
            for line in markdown_view.draw(kind, part, 50, COLOURS)
        ]
        return [line.text.rstrip() for line in lines]

    # It stands under a paragraph here: that, and what comes before the first blank line, is one.
    assert [kind for kind, _ in blocks(source)] == ["text", "text"]
    source = source.replace("Before:\n", "Before:\n\n")
    kinds = [kind for kind, _ in blocks(source)]
    assert kinds.count("list") > 3
    assert "\n".join(part for _, part in blocks(source)).count("item") == 100
    pieces = drawn()
    monkeypatch.setattr(markdown_view, "_BULLETS", ())
    assert pieces == drawn()


async def test_a_step_in_a_log_draws_only_the_line_that_comes_into_sight(
    app: TaskHubApp, seed: Seed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await seed.put("Talks", Status.IN_PROGRESS, log=numbered("line", 99))
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: "line 98" in text(app))
        await pilot.press("enter")
        log = app.query_one(LogView)
        drawn: list[int] = []
        made = LogView.strip
        monkeypatch.setattr(
            LogView, "strip", lambda self, y, most: drawn.append(y) or made(self, y, most)
        )
        top = log.scroll_offset.y
        await pilot.press("k")
        await until(pilot, lambda: log.scroll_offset.y == top - 1)
        await until(pilot, lambda: f"line {top - 1}" in text(app))
        assert set(drawn) == {top - 1}
        # What was found, and what the theme has other colours for, is drawn anew.
        before = log.render_line(0)
        log.find("line")
        assert log.render_line(0) is not before
        log.find("")
        again = log.render_line(0)
        app.theme = "taskhub-light"
        await pilot.pause()
        assert log.render_line(0) is not again


async def test_the_thumb_of_the_scroll_bar_is_where_it_belongs(app: TaskHubApp, seed: Seed) -> None:
    await seed.put("Talks", Status.IN_PROGRESS, log=numbered("line", 5000))
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: "line 4999" in text(app))
        await pilot.press("enter")
        log = app.query_one(LogView)
        bar = log.vertical_scrollbar
        whole = Region(0, 0, 1, bar.size.height)
        for y in (0, 1, 2, 60, 2500, 2501, 4000, 4999):
            log.scroll_to(y=y, animate=False, force=True)
            await pilot.pause()
            assert bar.position == log.scroll_offset.y
            kept = bar.render_lines(whole)
            bar.refresh()
            await pilot.pause()
            assert bar.render_lines(whole) == kept


def test_how_long_a_person_is_waited_for_is_never_cut() -> None:
    now = 1_790_000_000.0
    asks = Stage("t", 2, "migrate", "a", StageStatus.BLOCKED, started=now - 4000)
    stages = [
        Stage("t", 0, "plan", "a", StageStatus.DONE, started=now - 4600, ended=now - 4300),
        Stage("t", 1, "implement", "a", StageStatus.DONE, started=now - 4300, ended=now - 4000),
        asks,
    ]
    task = replace(TASK, agent="a", stage=2, stages=3, changed=now - 3900, eta=None)
    last = timeline(stages, task, now, UNICODE, 45)[-1].plain
    assert last.endswith("waiting 1h05"), last


async def test_the_last_line_stands_still_under_a_dialog(play: Play) -> None:
    async with play(120, 36) as t:
        await t.given("Port parser")
        await t.row("Port parser").is_under_cursor()
        await t.sees("Open")
        before = t.lines()[-1]
        for key in ("n", "question_mark", "W"):
            await t.press(key)
            await t.until(lambda: len(t.app.screen_stack) == 2)
            # Whatever makes it draw again.
            t.app._main.bindings_updated_signal.publish(t.app._main)
            await t.pilot.pause()
            assert t.lines()[-1] == before, key
            await t.press("escape")
            await t.is_on("MainScreen")
