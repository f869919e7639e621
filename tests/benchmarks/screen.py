"""A terminal for a program that is measured: a real pty, and the moment each byte arrived."""

import contextlib
import fcntl
import os
import pty
import random
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from benchmarks.children import ChildFailed

_OTHERS = ("NO_COLOR", "TMUX", "STY", "COLUMNS", "LINES")
"""Variables of the terminal that this runs in."""
SIZE = (120, 36)
PATIENCE = 180.0
"""Seconds after which what is waited for is taken not to come."""
_TICK = os.sysconf("SC_CLK_TCK")
_ANSWERS = ((b"\x1b[?2026$p", b"\x1b[?2026;2$y"),)
"""What a terminal of today answers to the questions that Textual asks."""


class Screen:
    """A program in a pty; use it as a context manager, it is killed at the end."""

    def __init__(
        self, argv: Sequence[str], env: Mapping[str, str], size: tuple[int, int] = SIZE
    ) -> None:
        clean = {k: v for k, v in env.items() if k not in _OTHERS}
        parent, child = pty.openpty()
        fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
        self.began = time.perf_counter()
        self.pid = os.fork()
        if self.pid == 0:
            with contextlib.suppress(BaseException):
                os.close(parent)
                os.login_tty(child)
                os.execvpe(argv[0], [*argv], {**clean, "TERM": "xterm-256color"})
            os._exit(127)
        os.close(child)
        self._fd = parent
        self.bytes = b""
        self.at = self.began
        """When the last bytes came, by `time.perf_counter()`."""

    def __enter__(self) -> "Screen":
        return self

    def __exit__(self, *problem: object) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._fd)

    def read(self, seconds: float) -> None:
        """Take what the program has written, waiting for it for a while.

        Raises:
            ChildFailed: it has ended.
        """
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        if not poll.poll(seconds * 1000):
            return
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:
            data = b""
        self.at = time.perf_counter()
        if not data:
            said = self.bytes[-300:].decode(errors="replace")
            raise ChildFailed(f"the program on the screen has ended: {said}")
        self.bytes += data
        for question, answer in _ANSWERS:
            if question in data:
                os.write(self._fd, answer)

    def until(self, there: Callable[[bytes], bool], what: str) -> float:
        """Read until `there` is true of what was written since the last `forget`; return when.

        Raises:
            ChildFailed: it did not come, or the program has ended.
        """
        end = time.perf_counter() + PATIENCE
        while not there(self.bytes):
            if time.perf_counter() > end:
                raise ChildFailed(f"never on the screen: {what}")
            self.read(0.5)
        return self.at

    def forget(self) -> None:
        self.bytes = b""

    def watch(self, seconds: float) -> None:
        """Read for a while, as a terminal does."""
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            self.read(left)

    def press(self, key: str) -> float:
        """Press a key; return when."""
        self.forget()
        at = time.perf_counter()
        os.write(self._fd, key.encode())
        return at

    def answer(self, key: str, there: Callable[[bytes], bool], what: str) -> float:
        """Press a key; return the seconds until what it does is on the screen."""
        at = self.press(key)
        return self.until(there, what) - at

    def cpu(self) -> float:
        """Return the processor seconds it has used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def share(self, seconds: float) -> float:
        """Return which share of a core it uses while it is watched."""
        before, at = self.cpu(), time.perf_counter()
        self.watch(seconds)
        return (self.cpu() - before) / (time.perf_counter() - at)

    def memory(self) -> float:
        """Return its resident memory in MB."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024 / 1e6


def up_and_down(
    screen: Screen, keys: tuple[str, str], count: int, look: Callable[[int], re.Pattern[bytes]]
) -> list[float]:
    """Walk with two keys, and return the seconds until each step was on the screen.

    Args:
        keys: one that steps on and one that steps back.
        look: returns what the screen is sent when the step to place `n` is taken; begins at 0.
    """
    pauses, place, took = random.Random(7), 0, []
    for step in range(count):
        on = step % 16 < 8
        place += 1 if on else -1
        seen = partial(_seen, look(place))
        took.append(screen.answer(keys[0 if on else 1], seen, f"step {step}"))
        screen.watch(pauses.uniform(0.05, 0.15))
    return took


def _seen(wanted: re.Pattern[bytes], written: bytes) -> bool:
    return wanted.search(written) is not None


def numbers(written: bytes, word: bytes) -> list[int]:
    """Return the numbers that stand behind `word` in what was written."""
    return [int(one) for one in re.findall(rb"%b ([0-9]{7})" % word, written)]
