"""The terminal that the app runs in: whether it is still there, and signals to leave it."""

import asyncio
import os
import select
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any

from textual.drivers.linux_driver import LinuxDriver

LOST = 129
"""Exit code when the terminal has gone, as of a program that SIGHUP has ended."""
_LOOK = 1.0


class GuardedDriver(LinuxDriver):
    """Notices when the terminal is gone.

    From a terminal that was hung up one can read at once, and for ever, that there is nothing;
    Textual's own driver then reads in a loop. And what it writes fails in its thread, after which
    its queue is full and the app stands still. Both would go on when no SIGHUP reaches the app.

    While the terminal is lent, to a pager or to the shell, nothing is written: the thread that
    would do it has ended. The app is told before it is lent, and when it is back, before any key
    is read.
    """

    def __init__(self, app: Any, **options: Any) -> None:
        super().__init__(app, **options)
        self._told = app
        self._file: Any = _Forgiving(self._file)
        self._watched = threading.Event()
        self._lent = False

    def write(self, data: str) -> None:
        if not self._lent:
            super().write(data)

    def suspend_application_mode(self) -> None:
        self._told.lend()
        super().suspend_application_mode()
        self._lent = True

    def resume_application_mode(self) -> None:
        self._key_thread = None
        self._lent = False
        self._told.take_back()
        super().resume_application_mode()
        if self._key_thread is None:
            # Woken in the background (`bg`): the shell keeps the terminal.
            self._lent = True
            self._told.lend()

    def start_application_mode(self) -> None:
        super().start_application_mode()  # type: ignore[no-untyped-call]
        if self.input_tty and self._key_thread is not None:
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


def heed_signals(end: Callable[[int], None]) -> None:
    """Call `end` with an exit code when the terminal hangs up, or the process is asked to end.

    A signal that was ignored when the process started stays so, as of a program under `nohup`.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) is not signal.SIG_IGN:
            # Only the main thread may.
            with suppress(RuntimeError, ValueError):
                loop.add_signal_handler(number, end, 128 + number)
