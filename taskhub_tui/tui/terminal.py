"""The terminal that the app runs in: that it is still there, its title, its taskbar."""

import os
import select
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO, Any

from textual.drivers.linux_driver import LinuxDriver

from taskhub_tui.domain.views import Glance

LOST = 129
"""Exit code when the terminal has gone, as of a program that SIGHUP has ended."""
_LOOK = 1.0
_AGAIN = 8.0
"""Seconds after which progress is said again: some terminals take it away from who is silent."""


class GuardedDriver(LinuxDriver):
    """Notices when the terminal is gone.

    From a terminal that was hung up one can read at once, and for ever, that there is nothing;
    Textual's own driver then reads in a loop. And what it writes fails in its thread, after which
    its queue is full and the app stands still. Both would go on when no SIGHUP reaches the app.
    """

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self._file: Any = _Forgiving(self._file)
        self._watched = threading.Event()

    def start_application_mode(self) -> None:
        super().start_application_mode()  # type: ignore[no-untyped-call]
        if self.input_tty:
            self._watched = over = threading.Event()
            watch = threading.Thread(target=self._watch, args=(over,), daemon=True)
            watch.name = "terminal"
            watch.start()

    def stop_application_mode(self) -> None:
        self._watched.set()
        super().stop_application_mode()

    def _watch(self, over: threading.Event) -> None:
        poll = select.poll()
        poll.register(self.fileno, 0)
        while not over.is_set():
            gone = select.POLLHUP | select.POLLERR | select.POLLNVAL
            hung_up = any(mask & gone for _, mask in poll.poll(_LOOK * 1000))
            if hung_up or not os.isatty(self.fileno):
                self.exit_event.set()  # Nothing will be typed any more.
                with suppress(RuntimeError):  # The app has ended meanwhile.
                    self._loop.call_soon_threadsafe(self._app.exit, None, LOST)
                return


class _Forgiving:
    """A file whose other end may go away."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            return self._file.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._file.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


# The taskbar


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
