"""The log is searched, wrapped, marked, copied and paged, whatever its length."""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from hubs import Seed, text, until
from terminal import Terminal
from textual import events

from taskhub_tui import logs
from taskhub_tui.config import Paths
from taskhub_tui.domain.finding import Errors, Words
from taskhub_tui.domain.model import Status
from taskhub_tui.tui.app import TaskHubApp
from taskhub_tui.tui.widgets import log_search, log_view
from taskhub_tui.tui.widgets.log_search import LogSearch, NotYet
from taskhub_tui.tui.widgets.log_view import LogView


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of some kilobytes is as a log of some megabytes."""
    monkeypatch.setattr(log_view, "PIECE", 2048)
    monkeypatch.setattr(log_view, "NEAR", 8192)
    monkeypatch.setattr(log_search, "SLICE", 4096)


def numbered(count: int, **special: str) -> str:
    return "\n".join(special.get(f"at{n}", f"line {n}") for n in range(count))


@pytest.mark.usefixtures("small_pieces")
async def test_words_are_found_far_from_where_one_looks(app: TaskHubApp, seed: Seed) -> None:
    said = numbered(5000, at7="a needle", at2500="two NEEDLES", at4990="last needle")
    task = await seed.put("Talks", Status.IN_PROGRESS, log=said)
    async with app.run_test(size=(120, 30)) as pilot:
        log = app.query_one(LogView)
        await until(pilot, lambda: log.count == 5000)
        await pilot.press("enter", "slash", *"needle")
        await until(pilot, lambda: "3 of 3" in text(app) and log.at == 4990)
        await pilot.press("enter", "n")
        await until(pilot, lambda: log.at == 7 and "1 of 3" in text(app))
        assert "a needle" in text(app)
        await pilot.press("n")
        await until(pilot, lambda: log.at == 2500)
        await pilot.press("N", "N")
        await until(pilot, lambda: log.at == 4990)
        # What is written meanwhile is found too, and nothing moves.
        seed.log(task, "one more needle")
        await until(pilot, lambda: "3 of 4" in text(app))
        assert log.at == 4990
        await pilot.press("y")
        assert app.clipboard == "last needle"
        await pilot.press("escape")
        await until(pilot, lambda: log.at is None and "/needle" not in text(app))
        assert log.has_focus, "the first escape ends the search only"
        await pilot.press("slash", *"nowhere")
        await until(pilot, lambda: "not found" in text(app))
        await pilot.press("escape")
        await until(pilot, lambda: log.has_focus and "not found" not in text(app))


@pytest.mark.usefixtures("small_pieces")
async def test_keys_that_come_at_once_are_words_and_not_commands(
    app: TaskHubApp, seed: Seed
) -> None:
    await seed.put("Talks", Status.IN_PROGRESS, log=numbered(50, at3="a quine"))
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: "line 49" in text(app))
        await pilot.press("enter")
        for key, character in (("slash", "/"), *((one, one) for one in "quine")):
            app.post_message(events.Key(key, character))
        await until(pilot, lambda: "/quine" in text(app) and "1 of 1" in text(app))
        assert app.is_running
        assert len(app.screen_stack) == 1


@pytest.mark.usefixtures("small_pieces")
async def test_one_goes_from_mistake_to_mistake(app: TaskHubApp, seed: Seed, where: Paths) -> None:
    said = numbered(3000, at10="ERROR: disk is full", at2000="0 errors, all well")
    task = await seed.put("Talks", Status.IN_PROGRESS, log=said)
    with where.log(task.id).open("a") as file:
        file.write(logs.format_lines(5.0, "err", "Something\nover three\nlines"))
        file.write(logs.format_lines(6.0, "out", numbered(40)))
    async with app.run_test(size=(120, 30)) as pilot:
        log = app.query_one(LogView)
        await until(pilot, lambda: log.count == 3043)
        await pilot.press("enter", "E")
        await until(pilot, lambda: log.at == 3000)
        assert "▌Something" in text(app)
        await pilot.press("E")
        await until(pilot, lambda: log.at == 10 and "ERROR: disk is full" in text(app))
        await pilot.press("e")
        await until(pilot, lambda: log.at == 3000)
        await pilot.press("e")
        await until(pilot, lambda: log.at == 10)


async def test_a_log_without_mistakes_says_so(app: TaskHubApp, seed: Seed) -> None:
    await seed.put("Talks", Status.IN_PROGRESS, log="all is well")
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: "all is well" in text(app))
        await pilot.press("enter", "e")
        await until(pilot, lambda: "no mistakes in the log" in text(app))


@pytest.mark.parametrize("width", [80, 120, 200])
async def test_long_lines_are_wrapped_under_a_clear_column_of_times(
    app: TaskHubApp, seed: Seed, width: int
) -> None:
    long = " ".join(f"w{n:03d}" for n in range(80))
    await seed.put("Talks", Status.IN_PROGRESS, log=f"first\n{long}\nlast")
    async with app.run_test(size=(width, 30)) as pilot:
        await until(pilot, lambda: app.query_one(LogView).count == 3)
        await pilot.press("enter")
        log = app.query_one(LogView)
        assert "w079" not in text(app) or width == 200
        await pilot.press("w")
        await until(pilot, lambda: "w079" in text(app).replace("\n", ""))
        rows = [log.render_line(y).text for y in range(log.size.height)]
        shown = "".join(row[9:].rstrip(" ") + (" " if row.rstrip() != row else "") for row in rows)
        assert shown.replace(" ", "").startswith("first" + long.replace(" ", "") + "last")
        times = [row[:9] for row in rows if row.strip()]
        assert sum(bool(one.strip()) for one in times) == 3
        await pilot.press("w")
        await until(pilot, lambda: not log.wrapped)


async def test_the_last_line_stays_in_sight_while_lines_are_wrapped(
    app: TaskHubApp, seed: Seed
) -> None:
    task = await seed.put("Talks", Status.IN_PROGRESS, log="\n".join(["word " * 60] * 50))
    async with app.run_test(size=(120, 30)) as pilot:
        log = app.query_one(LogView)
        await until(pilot, lambda: log.count == 50)
        await pilot.press("enter", "w")
        for n in range(3):
            seed.log(task, f"newest {n} " + "x" * 100)
            await until(pilot, lambda n=n: f"newest {n}" in text(app))
        await pilot.press("k")
        assert not log.following
        before = text(app)
        assert "newest 2" not in before
        seed.log(task, "newest 3")
        await log.poll()
        assert "newest 3" not in text(app)


async def test_a_marked_line_is_copied(app: TaskHubApp, seed: Seed) -> None:
    await seed.put("Talks", Status.IN_PROGRESS, log="one\ntwo\n  three [b]")
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: "three" in text(app))
        await pilot.press("enter", "K", "y")
        assert app.clipboard == "  three [b]"
        await pilot.press("K", "K", "J", "y")
        assert app.clipboard == "two"


async def test_what_is_selected_with_the_mouse_is_copied(app: TaskHubApp, seed: Seed) -> None:
    await seed.put("Talks", Status.IN_PROGRESS, log="alpha beta\ngamma delta\nepsilon")
    async with app.run_test(size=(120, 30)) as pilot:
        await until(pilot, lambda: "epsilon" in text(app))
        log = app.query_one(LogView)
        await pilot.press("enter")
        await pilot.mouse_down(log, offset=(15, 0))
        await pilot.hover(log, offset=(14, 1))
        await pilot.mouse_up(log, offset=(14, 1))
        await pilot.press("y")
        first, second = app.clipboard.split("\n")
        assert first == "beta"
        assert second.endswith("gamma"[: len(second) - 9])


async def test_a_search_that_is_given_up_stops(seed: Seed, monkeypatch: pytest.MonkeyPatch) -> None:
    search = LogSearch(Words("x"))
    task = await seed.put("Talks", Status.IN_PROGRESS, log=numbered(5000))
    pieces = await seed.hub.log_pieces(task.id, 0, 2048)
    search.take(pieces, here=4999)
    asked = 0

    async def find(start: int, end: int, wanted: object) -> list[int]:
        nonlocal asked
        asked += 1
        return []

    with pytest.raises(NotYet):
        search.after(0)
    monkeypatch.setattr(log_search, "SLICE", 1)
    running = asyncio.create_task(search.run(find, lambda: running.cancel() and None))
    with pytest.raises(asyncio.CancelledError):
        await running
    assert asked == 1


async def test_mistakes_on_lines_that_follow_each_other_are_one(seed: Seed, where: Paths) -> None:
    task = await seed.put("Talks", Status.IN_PROGRESS, log="fine")
    with where.log(task.id).open("a") as file:
        for n in range(200):
            file.write(logs.format_lines(float(n), "err", f"bad {n}\nworse {n}"))
        file.write(logs.format_lines(9.0, "out", "fine\nERROR"))
    search = LogSearch(Errors(), together=True)
    search.take(await seed.hub.log_pieces(task.id, 0, 512))

    async def find(start: int, end: int, wanted: Errors) -> list[int]:
        return await seed.hub.find_in_log(task.id, start, end, wanted)

    await search.run(find, lambda: None)  # type: ignore[arg-type]
    assert search.count == 401
    assert search.after(-1) == 1
    assert search.after(1) == 402
    assert search.before(402) == 1
    assert search.after(402) is None
    assert search.place(402) == 401


async def test_the_whole_log_is_paged_clean_and_the_terminal_comes_back(
    seed: Seed, where: Paths, tmp_path: Path
) -> None:
    task = await seed.put("Talks", Status.IN_PROGRESS, log=numbered(3000))
    with where.log(task.id).open("a") as file:
        file.write("1.0\tout\tLAST\x1b]52;c;aGk=\x07\x1b[2J of all\n")
    pager = tmp_path / "page"
    pager.write_text(
        f"#!{sys.executable}\nimport os, sys\nsaid = sys.stdin.read()\n"
        "print('PAGING', os.environ['LESSSECURE'], len(said.splitlines()), ascii(said[-30:]))\n"
        "sys.stdout.flush(); open('/dev/tty').readline()\n"
    )
    pager.chmod(0o700)
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TMUX", "STY")}
    script = Path(__file__).with_name("hostile.py")
    env |= {"PAGER": str(pager), "LESSOPEN": "|touch /tmp/never %s"}
    with Terminal([sys.executable, str(script)], env) as terminal:
        terminal.until("of all")
        terminal.settle(0.4)
        terminal.press("\r")
        terminal.settle(0.4)
        terminal.press("o")
        terminal.until("PAGING 1 3001")
        terminal.settle(0.5)
        assert b"LAST of all" in terminal.bytes
        assert b"\x1b]52;" not in terminal.bytes
        terminal.press("\r")
        terminal.settle(0.5)
        terminal.press("\x1b")
        terminal.settle(0.3)
        terminal.press("q")
        assert terminal.end() == 0
