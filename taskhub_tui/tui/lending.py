"""The terminal as the app has it: its title and taskbar, and that it is lent to other programs."""

import asyncio
import sys
import time
from typing import TYPE_CHECKING

from textual.app import App
from textual.driver import Driver

from taskhub_tui.tui.resting import Resting

if TYPE_CHECKING:
    from taskhub_tui.tui.taskbar import Taskbar


class TerminalApp(App[None]):
    """Takes the terminal, lends it, and leaves it with the title that it had."""

    def __init__(self) -> None:
        super().__init__()
        self.typed = -60.0
        """`time.monotonic()` of the last key or click, or of when the terminal came back."""
        self.lent = False
        """True while another program, or the shell, has the terminal."""
        self.taskbar: Taskbar | None = None
        """None where the terminal has none, and where there is no terminal."""
        self._terminal_title = ""

    def get_driver_class(self) -> type[Driver]:
        found = super().get_driver_class()
        if found.__name__ == "LinuxDriver":
            from taskhub_tui.tui.terminal import GuardedDriver

            return GuardedDriver
        return found

    async def take_terminal(self, *, taskbar: bool | None) -> None:
        """Begin to use it; `taskbar` is whether it has one, None is to find out."""
        self._write("\x1b[22;2t")  # The terminal keeps its title until we leave.
        if self.is_headless:
            return
        from taskhub_tui.tui import taskbar as bar

        if sys.platform != "win32":
            from taskhub_tui.tui.terminal import heed_signals

            heed_signals(lambda code: self.exit(return_code=code))
        self.taskbar = await asyncio.to_thread(bar.taskbar, taskbar, self._write)

    def leave_terminal(self) -> None:
        """Leave it as it was."""
        if self.taskbar is not None:
            self.taskbar.clear()
        self._write("\x1b[23;2t")

    def lend(self) -> None:
        """Leave the terminal to another program; nothing is raised until it is taken back."""
        self.lent = True

    def take_back(self) -> None:
        """Have the terminal again: keys that were meant for the other program come now."""
        if not self.lent:
            return
        self.lent = False
        self.typed = time.monotonic()
        for screen in self.screen_stack:
            if isinstance(screen, Resting):
                screen.rest()

    def draw_anew(self) -> None:
        """Draw all of it: the other program has written over everything, the title too."""
        title, self._terminal_title = self._terminal_title, ""
        self.entitle(title)
        self.refresh(layout=True)
        self.screen.refresh(layout=True)

    def entitle(self, title: str) -> None:
        """Give the terminal a title."""
        if title != self._terminal_title:
            self._terminal_title = title
            self._write(f"\x1b]2;{title}\x07")

    def _write(self, sequence: str) -> None:
        if self._driver is not None and not self.is_headless:
            self._driver.write(sequence)
