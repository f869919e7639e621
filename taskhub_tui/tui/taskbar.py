"""How far the work is, in the taskbar or the tab of terminals that can show it (OSC 9;4)."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from taskhub_tui.domain.views import Glance

_AGAIN = 8.0
"""Seconds after which progress is said again: some terminals take it away from who is silent."""


def takes_progress(environ: Mapping[str, str]) -> bool:
    """Tell whether the terminal is known to show progress (OSC 9;4).

    Others may take the sequence for a message to be shown, so a doubt is a no.
    """
    if environ.get("TMUX"):
        return _tmux("show-options", "-gv", "allow-passthrough") in ("on", "all") and _known(
            *_tmux("display-message", "-p", "#{client_termtype}").replace("(", " ").split(" ")[:2]
        )
    if environ.get("STY"):  # GNU screen hands nothing on.
        return False
    if environ.get("WT_SESSION") or environ.get("ConEmuPID"):
        return True
    if environ.get("KITTY_WINDOW_ID") and environ.get("TERM") == "xterm-kitty":
        return True
    if (vte := environ.get("VTE_VERSION", "")).isdigit():
        return int(vte) >= 8000
    return _known(environ.get("TERM_PROGRAM", ""), environ.get("TERM_PROGRAM_VERSION", ""))


def _known(program: str = "", version: str = "") -> bool:
    least: dict[str, tuple[int, ...]] = {
        "ghostty": (1, 2),
        "iterm.app": (3, 6, 6),
        "iterm2": (3, 6, 6),
        "kitty": (0, 40),
        "mintty": (3, 5),
    }
    wanted = least.get(program.lower())
    if wanted is None:
        return False
    parts = version.strip("()").split("-")[0].split(".")
    return tuple(int(part) for part in parts if part.isdigit()) >= wanted


def _tmux(*words: str) -> str:
    with suppress(OSError, subprocess.SubprocessError):
        return subprocess.run(
            ["tmux", *words], capture_output=True, text=True, timeout=2, check=False
        ).stdout.strip()
    return ""


class Taskbar:
    """Shows in the terminal's taskbar or tab how far the work is."""

    def __init__(self, write: Callable[[str], None], environ: Mapping[str, str]) -> None:
        self._write = write
        self._in_tmux = bool(environ.get("TMUX"))
        self._shown = ""
        self._said = 0.0

    def show(self, glance: Glance) -> None:
        """Show the progress of what runs; red for a failure nobody saw, yellow for a question."""
        percent = round(100 * glance.fraction) if glance.fraction is not None else None
        if glance.failed:
            state = f"2;{percent or 100}"
        elif glance.needs_you:
            state = f"4;{percent or 100}"
        elif not glance.running:
            state = "0;0"
        else:
            state = f"1;{percent}" if percent is not None else "3;0"
        self._say(state)

    def clear(self) -> None:
        """Take the progress away."""
        self._say("0;0")

    def _say(self, state: str) -> None:
        nothing = state == "0;0"
        now = time.monotonic()
        if (state == self._shown and (nothing or now - self._said < _AGAIN)) or (
            nothing and not self._shown
        ):
            return
        self._shown, self._said = state, now
        sequence = f"\x1b]9;4;{state}\x07"
        if self._in_tmux:
            sequence = "\x1bPtmux;" + sequence.replace("\x1b", "\x1b\x1b") + "\x1b\\"
        self._write(sequence)


def taskbar(wanted: bool | None, write: Callable[[str], None]) -> Taskbar | None:
    """Return the taskbar; None where it is not wanted, or not known to be safe."""
    if takes_progress(os.environ) if wanted is None else wanted:
        return Taskbar(write, os.environ)
    return None
