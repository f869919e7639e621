"""What reaches the terminal while nobody looks at the app: the bytes, in a real pty and tmux."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hubs import Seed
from outside import HOSTILE
from scenes import asked
from support import eventually, working
from terminal import Terminal
from wire import BIDI, CONTROLS, INVISIBLE

from taskhub_tui.config import Paths
from taskhub_tui.domain.model import Action, BlockerKind, Task
from taskhub_tui.hub import Hub

pytestmark = pytest.mark.slow

ALONE = [sys.executable, str(Path(__file__).with_name("hostile.py"))]
"""The app with nothing that runs tasks."""
LOOK, LEAVE = "\x1b[I", "\x1b[O"
"""What a terminal says when it comes to the front, and when another window does."""
TEXT = "[^\x00-\x1f\x7f-\x9f]*"
KITTY = (
    "\x1b\\]99;i=taskhub-[0-9]+:d=0;Needs you: Deploy\x1b\\\\"
    rf"\x1b\]99;i=taskhub-[0-9]+:d=1:p=body;May it run\?{TEXT}\x1b\\"
)
NOTIFY = rf"\x1b\]777;notify;Needs you: Deploy;May it run\?{TEXT}\x07"
ITERM = rf"\x1b\]9;Needs you: Deploy: May it run\?{TEXT}\x07"
SENT = re.compile(rb"\x1b\](?:9|99|777);|\x07")
"""Where a message, or a bell, may begin; the title of the window ends in one, too."""
MARKS = ("TMUX", "STY", "ZELLIJ", "WT_SESSION", "VTE_VERSION", "KITTY_WINDOW_ID", "WEZTERM_PANE")


def env(**more: str) -> dict[str, str]:
    """The environment of a plain terminal that is no remote one, whatever the tests run in."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in (*MARKS, "NO_COLOR", "SSH_CONNECTION", "SSH_TTY", "LC_TERMINAL")
        and not name.startswith(("TERM_PROGRAM", "ConEmu", "TMUX", "ITERM", "KONSOLE", "ALACRITTY"))
    }
    return {**kept, "TASKHUB_CALM": "1", **more}


def opened(*, TERM: str = "xterm-256color", **environ: str) -> Terminal:
    """Open the app in a terminal with these marks."""
    return Terminal(ALONE, env(**environ), term=TERM)


@pytest.fixture
def at_once(where: Paths) -> None:
    """A question comes to the terminal as soon as it may."""
    write(where, "unanswered_after = 0")


def write(where: Paths, *lines: str, idle: float = 600) -> None:
    where.config.write_text(
        f"[notifications]\nidle_after = {idle}\n[notifications.desktop]\nenabled = false\n"
        "[notifications.terminal]\n" + "\n".join(lines) + "\n"
    )


@asynccontextmanager
async def worker(where: Paths) -> AsyncIterator[None]:
    from taskhub_tui import config

    async with working(where, config.settings(where)):
        yield


def news(written: bytes) -> str:
    """Return what was written but the title and the shape of the pointer, as text."""
    return re.sub(rb"\x1b\]22?;[^\x07]*\x07", b"", written).decode("utf-8", "replace")


async def comes(terminal: Terminal, pattern: str) -> re.Match[str]:
    """Read until `pattern` was written."""
    found: list[re.Match[str]] = []

    async def there() -> bool:
        terminal.read(0.02)
        match = re.search(pattern, news(terminal.bytes))
        found[:] = [match] if match else []
        return bool(found)

    try:
        await eventually(there)
    except TimeoutError:
        raise AssertionError(f"No {pattern!r} in {news(terminal.bytes)[-2000:]!r}") from None
    return found[0]


async def left(terminal: Terminal, hub: Hub, told: bool | None) -> None:
    """Wait until the hub knows whether somebody looks at the app."""

    async def known() -> bool:
        terminal.read(0.02)
        rows = await hub._store.read(
            lambda reader: reader.execute("SELECT focused FROM presence").fetchall()
        )
        return [bool(one) for (one,) in rows] == [told]

    await eventually(known)


async def ask(seed: Seed, title: str = "Deploy", words: str = "May it run?") -> Task:
    return await asked(seed, title, BlockerKind.APPROVAL, words, ago=0.0)


@pytest.mark.parametrize(
    ("environ", "pattern"),
    [
        ({"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1"}, KITTY),
        ({"TERM_PROGRAM": "ghostty", "TERM_PROGRAM_VERSION": "1.2.0"}, NOTIFY),
        ({"TERM_PROGRAM": "iTerm.app", "TERM_PROGRAM_VERSION": "3.5.14"}, ITERM),
        ({"TERM_PROGRAM": "WezTerm", "WEZTERM_PANE": "0"}, NOTIFY),
        ({"WT_SESSION": "3fa8"}, NOTIFY + "\x07"),
        ({"VTE_VERSION": "7600"}, "\x07"),
        ({"TERM_PROGRAM": "Apple_Terminal", "TERM_PROGRAM_VERSION": "455"}, "\x07"),
    ],
    ids=["kitty", "ghostty", "iterm2", "wezterm", "windows", "vte", "apple"],
)
async def test_each_terminal_gets_what_it_is_known_to_take_and_nothing_else(
    where: Paths, hub: Hub, seed: Seed, at_once: None, environ: dict[str, str], pattern: str
) -> None:
    with opened(**environ) as terminal:
        terminal.until("a task of yours")
        terminal.press(LEAVE)
        await left(terminal, hub, False)
        async with worker(where):
            await ask(seed)
            found = await comes(terminal, pattern)
            terminal.settle(2.5)
        written = news(terminal.bytes)
        rest = written[: found.start()] + written[found.end() :]
        progress = re.sub(r"\x1b\]9;4;[0-9;]*\x07", "", rest)
        assert SENT.search(progress.encode()) is None, "told once, and in one way"


async def test_who_looks_at_the_app_is_not_told_in_the_terminal_before_they_leave(
    where: Paths, hub: Hub, seed: Seed, at_once: None
) -> None:
    with opened(TERM_PROGRAM="ghostty") as terminal:
        terminal.until("a task of yours")
        terminal.press(LOOK)
        await left(terminal, hub, True)
        async with worker(where):
            task = await ask(seed)

            async def planned() -> bool:
                terminal.read(0.02)
                return any(
                    one.channel == "terminal" and one.state == "queued"
                    for told in await hub.told(task.id)
                    for one in told.tellings
                )

            await eventually(planned)
            terminal.settle(2.5)
            assert SENT.search(news(terminal.bytes).encode()) is None
            terminal.press(LEAVE)
            await comes(terminal, NOTIFY)


async def test_an_app_that_is_not_touched_is_not_looked_at_whatever_the_terminal_says(
    where: Paths, hub: Hub, seed: Seed
) -> None:
    write(where, idle=1)
    with opened(TERM_PROGRAM="ghostty") as terminal:
        terminal.until("a task of yours")
        terminal.press(LOOK)
        await left(terminal, hub, True)
        async with worker(where):
            terminal.settle(1.5)
            await ask(seed)
            await comes(terminal, NOTIFY)


async def test_what_was_answered_is_taken_back_from_a_terminal_that_can(
    where: Paths, hub: Hub, seed: Seed, at_once: None
) -> None:
    with opened(TERM="xterm-kitty") as terminal:
        terminal.until("a task of yours")
        terminal.press(LEAVE)
        await left(terminal, hub, False)
        async with worker(where):
            task = await ask(seed)
            await comes(terminal, KITTY)
            await hub.decide(task.id, Action.DENY)
            await comes(terminal, r"\x1b\]99;i=taskhub-[0-9]+:p=close;\x1b\\")


async def test_a_hostile_title_and_question_stay_text(
    where: Paths, hub: Hub, seed: Seed, at_once: None
) -> None:
    with opened(TERM="xterm-kitty") as terminal:
        terminal.until("a task of yours")
        terminal.press(LEAVE)
        await left(terminal, hub, False)
        async with worker(where):
            await ask(seed, f"{HOSTILE}\x1b\\\x07\x9c;end", f"{HOSTILE}\x1b]52;c;eA==\x07")
            found = await comes(terminal, rf"\x1b\]99;{TEXT}\x1b\\\x1b\]99;{TEXT}\x1b\\")
        inside = found[0].replace("\x1b]", "").replace("\x1b\\", "")
        assert not set(inside) & set(CONTROLS + BIDI + INVISIBLE)
        assert "52;c" not in news(terminal.bytes)


# tmux


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Path]:
    """A folder for the sockets of servers, which end with the test."""
    if shutil.which("tmux") is None:
        pytest.fail("tmux is missing: apt-get install tmux", pytrace=False)
    yield tmp_path
    for socket in ("outer", "inner"):
        subprocess.run(["tmux", "-S", str(tmp_path / socket), "kill-server"], capture_output=True)


def in_tmux(folder: Path, name: str, passing: str, inside: str) -> str:
    """Return a shell command that runs another in a tmux server of its own."""
    config = folder / f"{name}.conf"
    config.write_text(
        f"set -g allow-passthrough {passing}\nset -g focus-events on\nset -g status off\n"
    )
    script = folder / f"{name}.sh"
    script.write_text(f"#!/bin/sh\n{inside}\n")
    script.chmod(0o755)
    return f"env -u TMUX tmux -S {folder / name} -f {config} new-session {script}"


@pytest.mark.tmux
@pytest.mark.parametrize(
    ("outer", "inner", "shown"),
    [("on", None, True), ("off", None, False), ("on", "on", True), ("on", "off", False)],
    ids=["on", "off", "nested", "nested-off"],
)
async def test_through_tmux_it_reaches_the_terminal_outside_where_that_is_allowed(
    where: Paths, hub: Hub, seed: Seed, tmux: Path, outer: str, inner: str | None, shown: bool
) -> None:
    write(where, idle=0)
    run = " ".join(ALONE)
    if inner is not None:
        run = in_tmux(tmux, "inner", inner, run)
    command = in_tmux(tmux, "outer", outer, run)
    with Terminal(["sh", "-c", command], env(TERM_PROGRAM="ghostty")) as terminal:
        terminal.until("a task of yours", 30)
        async with worker(where):
            await ask(seed)
            if shown:
                await comes(terminal, NOTIFY)
            await comes(terminal, "\x07")
            terminal.settle(1.5)
        assert ("777;" in news(terminal.bytes)) is shown
        assert "\x1bPtmux" not in news(terminal.bytes)


# The command, and the settings


@pytest.mark.parametrize(
    ("environ", "written", "said"),
    [
        (
            {"TERM_PROGRAM": "ghostty"},
            "\x1b]777;notify;TaskHub;This is a test: notifications work.\x07",
            "ok   terminal  Written as OSC 777 for Ghostty",
        ),
        ({}, "\x07", "ok   terminal  It rings only: this terminal is not known"),
    ],
)
def test_the_command_tries_its_own_terminal(
    home: Path, environ: dict[str, str], written: str, said: str
) -> None:
    words = [sys.executable, "-m", "taskhub_tui", "notify", "test", "terminal"]
    with Terminal(words, env(NO_COLOR="1", **environ)) as terminal:
        terminal.until(said)
        assert terminal.end() == 0
        assert terminal.bytes.startswith(written.encode())


def test_the_settings_try_the_terminal_that_they_are_in(home: Path) -> None:
    with opened(TERM_PROGRAM="iTerm.app") as terminal:
        terminal.until("a task of yours")
        terminal.press(",")
        terminal.until("reduced_motion")
        terminal.press_until("j", "the terminal that the app runs in", every=0.3, tries=60)
        terminal.press("t")
        terminal.has("\x1b]9;TaskHub: This is a test: notifications work.\x07")
        terminal.until("Written as OSC 9")
        terminal.press("\x11")
        assert terminal.end() == 0
