"""How far the work is, in the taskbar or the tab of terminals that can show it (OSC 9;4)."""

import os
import time
from collections.abc import Callable, Mapping

from taskhub_tui.domain.views import Glance
from taskhub_tui.terminals import known, wrapped

_AGAIN = 8.0
"""Seconds after which progress is said again: some terminals take it away from who is silent."""


def takes_progress(environ: Mapping[str, str]) -> bool:
    """Tell whether the terminal is known to show progress (OSC 9;4).

    Others may take the sequence for a message to be shown, so a doubt is a no.
    """
    return known(environ).progress


class Taskbar:
    """Shows in the terminal's taskbar or tab how far the work is."""

    def __init__(self, write: Callable[[str], None], tmux: int = 0) -> None:
        """`tmux` is how many of them lie between."""
        self._write = write
        self._tmux = tmux
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
        self._write(wrapped(f"\x1b]9;4;{state}\x07", self._tmux))


def taskbar(wanted: bool | None, write: Callable[[str], None]) -> Taskbar | None:
    """Return the taskbar; None where it is not wanted, or not known to be safe."""
    if wanted is False:
        return None
    terminal = known(os.environ)
    return Taskbar(write, terminal.tmux) if wanted or terminal.progress else None
