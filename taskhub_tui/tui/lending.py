"""The terminal as the app has it: its title and taskbar, and that it is lent to other programs."""

import asyncio
import sys
import time
from typing import TYPE_CHECKING

from textual.app import App
from textual.driver import Driver

from taskhub_tui.tui.resting import Resting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskhub_tui.domain.views import Posted
    from taskhub_tui.terminals import Terminal
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
        self._terminal: Terminal | None = None
        """What the terminal was when a message was written to it last."""

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

    # Messages

    @property
    def has_terminal(self) -> bool:
        """True when messages can be written to a terminal: no browser, and nobody's test."""
        return not (self.is_headless or self.is_web)

    async def show_message(self, posted: "Posted") -> None:
        """Show a message as this terminal takes it."""
        from taskhub_tui import terminals

        # Anew each time: whoever is in tmux may look from another terminal by now.
        self._terminal = await asyncio.to_thread(terminals.here)
        self._write(terminals.message(self._terminal, posted.key, posted.title, posted.body))

    @property
    def takes_messages_back(self) -> bool:
        """True when a message was shown that this terminal can take back."""
        if self._terminal is None:
            return False
        from taskhub_tui import terminals

        return terminals.takes_back(self._terminal)

    def take_messages_back(self, keys: "Sequence[str]") -> None:
        from taskhub_tui import terminals

        if self._terminal is not None:
            for key in keys:
                self._write(terminals.withdrawal(self._terminal, key))

    async def try_terminal(self) -> str:
        """Write a test message to the terminal; return in a sentence what was written."""
        from taskhub_tui import terminals

        if not self.has_terminal:
            return "This is no terminal that messages could be written to"
        found = await asyncio.to_thread(terminals.here)
        words = "This is a test: notifications work."
        self._write(terminals.message(found, f"taskhub-trial-{time.time():.0f}", "TaskHub", words))
        return terminals.saying(found)

    def _write(self, sequence: str) -> None:
        if self._driver is not None and not self.is_headless:
            self._driver.write(sequence)
