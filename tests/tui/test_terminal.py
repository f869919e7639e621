"""The app in a real terminal: it is lost, it is small, it has no colours, it takes progress."""

import base64
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hubs import Seed
from support import eventually
from terminal import Terminal

from taskhub_tui.config import Paths
from taskhub_tui.domain.model import Status
from taskhub_tui.domain.views import Glance
from taskhub_tui.hub import Hub
from taskhub_tui.tui.taskbar import Taskbar, takes_progress

pytestmark = pytest.mark.slow

APP = [sys.executable, "-m", "taskhub_tui"]
ALONE = [sys.executable, str(Path(__file__).with_name("hostile.py"))]
"""The app with nothing that runs tasks, so that tasks stay as they are."""
PATIENCE = 60.0
WELCOME = "a task of yours"
COLOUR = re.compile(r"^(3[0-8]|4[0-8]|9[0-7]|10[0-7])$")


def env(**more: str) -> dict[str, str]:
    """The environment of a plain terminal, whatever the tests run in."""
    known = ("NO_COLOR", "TMUX", "STY", "WT_SESSION", "VTE_VERSION", "KITTY_WINDOW_ID")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in known and not name.startswith(("TERM_PROGRAM", "ConEmu"))
    }
    return {**kept, **more}


def colours(written: bytes) -> list[str]:
    """Return the sequences that set a colour."""
    found = re.findall(r"\x1b\[([0-9;:]*)m", written.decode("utf-8", "replace"))
    return [one for one in found if any(map(COLOUR.match, re.split("[;:]", one)))]


@pytest.fixture
def app(home: Path) -> Iterator[Terminal]:
    with Terminal(APP, env()) as terminal:
        terminal.until(WELCOME)
        yield terminal


def test_a_terminal_that_is_gone_ends_the_app_though_nobody_tells_it(home: Path) -> None:
    deaf = ["sh", "-c", 'trap "" HUP; exec "$0" "$@"', *APP]
    with Terminal(deaf, env()) as terminal:
        terminal.until(WELCOME)
        used = sum(psutil.Process(terminal.pid).cpu_times()[:2])
        before = sum(os.times()[2:4])  # Of children that were waited for.
        terminal.hang_up()
        assert terminal.gone() == 129
        # It has not burnt a core until it was noticed by chance.
        assert sum(os.times()[2:4]) - before - used < 10


def test_a_terminal_that_hangs_up_ends_the_app(app: Terminal) -> None:
    app.hang_up()
    assert app.gone() == 129


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)]
)
def test_a_signal_ends_the_app_and_leaves_the_terminal_as_it_was(
    app: Terminal, number: int, code: int
) -> None:
    os.kill(app.pid, number)
    assert app.end() == code
    for restored in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l", b"\x1b[?2004l", b"\x1b[23;2t"):
        assert restored in app.bytes
    assert b"Traceback" not in app.bytes


def test_suspended_and_brought_back_the_screen_is_sound(app: Terminal) -> None:
    app.press("\x1a")
    assert app.stopped()
    assert app.bytes.count(b"\x1b[?1049l") == 1
    app.bytes = b""
    os.kill(app.pid, signal.SIGCONT)
    app.has("\x1b[?1049h")
    app.has(WELCOME)
    app.has("\x1b]2;TaskHub")
    app.press("?")
    app.until("With the task under the cursor")
    app.press("\x11")
    assert app.end() == 0


async def test_keys_meant_for_the_shell_answer_no_dialog(
    home: Path, hub: Hub, seed: Seed, where: Paths
) -> None:
    where.config.write_text("undo = 0\n")
    task = await seed.put("Migrate", Status.BLOCKED, question="May it run?")
    with Terminal(APP, env(), (120, 36)) as terminal:
        terminal.until("May it run?")
        terminal.settle(1.5)  # Long enough to rest.
        terminal.press("\x1a")
        assert terminal.stopped()
        terminal.press("a")
        os.kill(terminal.pid, signal.SIGCONT)
        terminal.until("\x1b[?1049h")
        terminal.settle(1.0)
        assert (await hub.status(task.id)).task.status is Status.BLOCKED
        terminal.press_until("a", "Approved", every=1.0)
        assert (await hub.status(task.id)).task.status is not Status.BLOCKED
        terminal.press("\x11")
        assert terminal.end() == 0


def test_the_settings_say_what_doctor_finds(app: Terminal) -> None:
    app.press(",")
    app.until("Colours of the app")
    app.resize(120, 90)
    app.until("Python 3.", PATIENCE)
    app.bytes = b""
    app.press("c")
    app.until("looking", PATIENCE)
    app.settle(1.0)
    assert b"did not work" not in app.bytes
    app.press("\x11")
    assert app.end() == 0


def test_it_may_be_made_tiny_and_large_again(app: Terminal) -> None:
    for keys, words in (
        ("", ""),
        ("?", "With the task"),
        ("\x1b", WELCOME),
        (":", "Leave; the work"),
        ("\x1b", WELCOME),
        ("n", "New task"),
    ):
        if words:
            app.press(keys)
            app.until(words, PATIENCE)
        for width, height in ((20, 5), (1, 1)):
            app.resize(width, height)
            app.settle(0.4)
        app.resize(120, 36)
        app.until(words or WELCOME, PATIENCE)
    app.press("\x11")
    assert app.end(PATIENCE) == 0
    assert b"Traceback" not in app.bytes


async def test_without_colours_none_is_written_and_the_cursor_is_seen(
    home: Path, seed: Seed
) -> None:
    await seed.put("Deploy", Status.COMPLETED)
    await seed.put("Broken", Status.PAUSED)
    with Terminal(ALONE, env(NO_COLOR="1")) as terminal:
        terminal.until("Broken", PATIENCE)
        # The help, the palette, the notifications, the form.
        for key, words in (
            ("?", "In the list"),
            (":", "a part of"),
            ("i", "Latest"),
            ("n", "Priority"),
        ):
            terminal.press(key)
            terminal.until(words, PATIENCE)
            # Once more than needed: on the first screen it does nothing, and right before a letter
            # it would be another key.
            for _ in range(3):
                terminal.settle(0.7)
                terminal.press("\x1b")
            terminal.settle(0.7)
        assert colours(terminal.bytes) == []
        assert re.search(rb"\x1b\[[0-9;]*7m[^\x1b]", terminal.bytes)
        assert colours(b"\x1b[1;38;2;1;2;3mx") != []
        terminal.press("\x11")
        assert terminal.end() == 0


async def test_without_colours_the_cursor_of_each_list_is_seen(home: Path, seed: Seed) -> None:
    await seed.put("Deploy", Status.COMPLETED)
    # A letter of the row may be drawn in a style of its own.
    reverse = rb"\x1b\[(?:[0-9]+;)*7m(?:[^\x1b]|\x1b\[(?:[0-9]+;)*7m)*"
    with Terminal(ALONE, env(NO_COLOR="1")) as terminal:
        terminal.until("Deploy", PATIENCE)
        # The settings, the agents, the views; each stands on its first row.
        for key, row in ((",", b"theme"), ("A", b"Financial Analyst"), ("W", b"All")):
            terminal.bytes = b""
            terminal.press(key)
            end = time.monotonic() + PATIENCE
            while not re.search(reverse + row, terminal.bytes):
                assert time.monotonic() < end, terminal.bytes
                terminal.read(0.2)
            terminal.press_until("\x1b", "PROGRESS", every=1.0)
        # A field that is no line to type in is underlined when it has the focus.
        terminal.press("n")
        terminal.until("What is to be done", PATIENCE)
        terminal.bytes = b""
        terminal.press("\t")
        end = time.monotonic() + PATIENCE
        while not re.search(rb"\x1b\[(?:[0-9]+;)*4mwhoever", terminal.bytes):
            assert time.monotonic() < end, terminal.bytes
            terminal.read(0.2)
        terminal.press_until("\x1b", "PROGRESS", every=1.0)
        terminal.press("\x11")
        assert terminal.end() == 0


def test_the_settings_look_for_what_may_be_wrong_with_this_terminal(app: Terminal) -> None:
    app.press(",")
    app.until("reduced_motion")
    app.press_until("\x1b[6~", "xterm-256color, 120x36", every=1.0)
    app.press("\x11")
    assert app.end() == 0
    assert b"a mistake in TaskHub" not in app.bytes


async def test_the_worker_learns_whether_somebody_looks(home: Path, hub: Hub) -> None:
    async def seen() -> list[bool | None]:
        def read(reader):
            return reader.execute("SELECT focused FROM presence").fetchall()

        return [row[0] for row in await hub._store.read(read)]

    async def read_until(value: bool | None) -> None:
        async def told() -> bool:
            terminal.read(0.05)
            return value in await seen()

        await eventually(told)

    with Terminal(APP, env()) as terminal:
        terminal.until(WELCOME)
        await read_until(None)
        assert b"\x1b[?1004h" in terminal.bytes
        terminal.press("\x1b[O")
        await read_until(False)
        terminal.press("\x1b[I")
        await read_until(True)
        terminal.press("\x11")
        assert terminal.end() == 0


# Copying


def copied(terminal: Terminal, count: int) -> str:
    """Read until this many copies were handed to the terminal; return the last."""
    found: list[bytes] = []
    while len(found) < count:
        assert terminal.read()
        found = re.findall(rb"\x1b\]52;c;([^\x07]*)\x07", terminal.bytes)
    assert len(found) == count
    return base64.b64decode(found[-1]).decode()


async def test_nothing_is_copied_but_on_purpose(home: Path, seed: Seed) -> None:
    task = await seed.put("Report", Status.COMPLETED)
    with Terminal(ALONE, env()) as terminal:
        terminal.until(f"{task.id} · command")
        terminal.settle(0.5)
        # A drag over the line below the task's title, and a click elsewhere.
        terminal.press("\x1b[<0;77;3M\x1b[<32;85;3M\x1b[<32;95;3M\x1b[<0;95;3m")
        terminal.settle(0.5)
        assert b"\x1b]52;" not in terminal.bytes
        terminal.press("\x03")
        assert copied(terminal, 1).strip() == f"{task.id} · command"
        terminal.press("y")
        assert copied(terminal, 2).strip() == f"{task.id} · command"
        terminal.press("y")
        assert copied(terminal, 3) == task.id
        terminal.press("\x11")
        assert terminal.end() == 0


def drag(terminal: Terminal, start: tuple[int, int], end: tuple[int, int]) -> None:
    """Press the left button at a column and line, go, and release it; the first ones are 1."""
    (x, y), (right, bottom) = start, end
    terminal.press(f"\x1b[<0;{x};{y}M\x1b[<32;{x + 1};{y}M")
    terminal.press(f"\x1b[<32;{right};{bottom}M\x1b[<0;{right};{bottom}m")
    terminal.settle(0.5)


async def test_rows_are_selected_by_a_drag_that_does_nothing_else(home: Path, seed: Seed) -> None:
    await seed.put("Weekly report", Status.COMPLETED)
    await seed.put("Wide 日本語 title", Status.PAUSED)
    with Terminal(ALONE, env(), (80, 24)) as terminal:
        terminal.until("Weekly report")
        terminal.settle(0.5)
        drag(terminal, (17, 4), (22, 4))
        terminal.press("\x03")
        assert copied(terminal, 1) == "Weekly"
        # Over letters that are two cells wide, and on into the next row.
        drag(terminal, (22, 3), (29, 4))
        terminal.press("y")
        first, second = copied(terminal, 2).split("\n")
        assert first.startswith("日本語 title ")
        assert second.endswith("Weekly report")
        # The cursor has not moved, and where there is no text nothing is taken away.
        drag(terminal, (20, 15), (40, 17))
        terminal.press("\x03")
        terminal.until("nothing was copied")
        assert terminal.bytes.count(b"\x1b]52;") == 2
        terminal.press("\r")
        terminal.until("command · paused")
        terminal.press("\x1b")
        terminal.settle(0.5)
        terminal.press("A")
        terminal.until("Financial Analyst")
        terminal.settle(0.5)
        drag(terminal, (4, 3), (12, 3))
        terminal.press("\x03")
        assert copied(terminal, 3) == "Financial"
        terminal.press("i")
        terminal.until("Latest")
        terminal.settle(0.5)
        drag(terminal, (5, 6), (10, 6))
        terminal.press("\x03")
        assert copied(terminal, 4) in ("Weekly", "Wide 日"[:6])
        assert b"New task" not in terminal.bytes
        terminal.press("\x11")
        assert terminal.end() == 0


# Deep links


async def test_a_task_is_opened_by_its_id_from_a_shell(home: Path, seed: Seed) -> None:
    wanted = await seed.put("Wanted", Status.COMPLETED)
    await seed.put("Newer", Status.COMPLETED)
    with Terminal([*APP, "open", wanted.id[:6]], env(), (80, 24)) as terminal:
        terminal.until(f"{wanted.id} · command")
        terminal.press("q")
        assert terminal.end() == 0
    with Terminal([*APP, "open", "zzz"], env(), (80, 24)) as terminal:
        terminal.until("no task `zzz`")
        assert terminal.end() == 2


# The taskbar


async def test_progress_is_shown_where_the_terminal_takes_it_and_cleared(
    home: Path, seed: Seed
) -> None:
    running = await seed.put("Build", Status.IN_PROGRESS, fraction=0.4)
    with Terminal(ALONE, env(WT_SESSION="1")) as terminal:
        terminal.until("\x1b]9;4;1;40\x07")
        await seed.put("Deploy", Status.BLOCKED, question="May I?")
        terminal.until("\x1b]9;4;4;40\x07")
        await seed.put("Broken", Status.FAILED)
        terminal.until("\x1b]9;4;2;40\x07")
        terminal.press("\x11")
        assert terminal.end() == 0
        assert re.findall(rb"\x1b\]9;4;[^\x07]*", terminal.bytes)[-1] == b"\x1b]9;4;0;0"
    with Terminal(ALONE, env()) as terminal:
        terminal.until(running.title)
        terminal.settle(2.5)
        assert b"\x1b]9;" not in terminal.bytes


@pytest.mark.parametrize(
    ("environ", "takes"),
    [
        ({"TERM": "xterm-256color"}, False),
        ({"WT_SESSION": "x"}, True),
        ({"ConEmuPID": "7"}, True),
        ({"TERM_PROGRAM": "ghostty", "TERM_PROGRAM_VERSION": "1.2.0"}, True),
        ({"TERM_PROGRAM": "ghostty", "TERM_PROGRAM_VERSION": "1.1.3"}, False),
        ({"TERM_PROGRAM": "iTerm.app", "TERM_PROGRAM_VERSION": "3.5.14"}, False),
        ({"TERM_PROGRAM": "iTerm.app", "TERM_PROGRAM_VERSION": "3.6.9"}, True),
        ({"TERM_PROGRAM": "Apple_Terminal", "TERM_PROGRAM_VERSION": "455"}, False),
        ({"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1"}, True),
        ({"TERM": "screen", "KITTY_WINDOW_ID": "1", "STY": "1"}, False),
        ({"VTE_VERSION": "8000"}, True),
        ({"VTE_VERSION": "7600"}, False),
    ],
)
def test_only_terminals_that_are_known_to_take_it_get_progress(
    environ: dict[str, str], takes: bool
) -> None:
    assert takes_progress(environ) is takes


@pytest.mark.parametrize(
    ("allowed", "terminal", "takes"),
    [
        ("on", "ghostty 1.2.3", True),
        ("all", "iTerm2 3.6.9", True),
        ("on", "kitty(0.42.1)", True),
        ("off", "ghostty 1.2.3", False),
        ("on", "XTerm(379)", False),
        ("on", "", False),
    ],
)
def test_in_tmux_it_depends_on_the_terminal_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: str, terminal: str, takes: bool
) -> None:
    tmux = tmp_path / "tmux"
    said = f'[ "$1" = show-options ] && echo {allowed} || echo "none {terminal}"'
    tmux.write_text(f"#!/bin/sh\n{said}\n")
    tmux.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert takes_progress({"TMUX": "x", "WT_SESSION": "old"}) is takes


def test_the_states_of_the_taskbar() -> None:
    said: list[str] = []
    bar = Taskbar(said.append)
    bar.clear()
    bar.show(Glance())
    assert said == []
    for glance in (
        Glance(1, None),
        Glance(2, 0.505),
        Glance(2, 0.505),
        Glance(2, 0.5, needs_you=True),
        Glance(0, None, failed=True),
        Glance(),
    ):
        bar.show(glance)
    states = [one.removeprefix("\x1b]9;4;").rstrip("\x07") for one in said]
    assert states == ["3;0", "1;50", "4;50", "2;100", "0;0"]
    Taskbar(said.append, tmux=1).show(Glance(1, 1.0))
    assert said[-1] == "\x1bPtmux;\x1b\x1b]9;4;1;100\x07\x1b\\"
