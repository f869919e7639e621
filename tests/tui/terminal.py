"""A small terminal: runs a program in a real pty, answers its questions, keeps every byte."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from types import TracebackType


class Terminal:
    """Use it as a context manager; the program is killed at the end."""

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        size: tuple[int, int] = (120, 36),
        term: str = "xterm-256color",
    ) -> None:
        self.bytes = b""
        self._fd: int | None
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            own = {name: value for name, value in env.items() if name not in ("COLUMNS", "LINES")}
            os.execvpe(argv[0], list(argv), {**own, "TERM": term})
        self.resize(*size)
        self.status: int | None = None

    @property
    def fd(self) -> int:
        """Our side of the terminal."""
        return self._fd

    def resize(self, columns: int, lines: int) -> None:
        """Give the terminal another size; the program is told."""
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if self._fd is not None:
            os.close(self._fd)

    def hang_up(self) -> None:
        """Take the terminal away."""
        os.close(self._fd)
        self._fd = None

    def gone(self, seconds: float = 20.0) -> int:
        """Wait until the program has ended, with or without a terminal; return its exit code."""
        end = time.monotonic() + seconds
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < end, "It did not end"
            time.sleep(0.02)

    def stopped(self, seconds: float = 20.0) -> bool:
        """Read until the program is suspended; False when it ends instead."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG | os.WUNTRACED)
            if pid:
                return os.WIFSTOPPED(status)
        raise AssertionError("It was not suspended")

    def read(self, seconds: float = 0.05) -> bool:
        """Take what the program has written; False once it has ended."""
        # Not `select`, which takes no number above 1023: a long run has many files open.
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        if not poll.poll(seconds * 1000):
            return True
        try:
            data = os.read(self._fd, 1 << 16)
        except OSError:
            data = b""
        if not data:
            self.status = os.waitpid(self.pid, 0)[1]
            return False
        self.bytes += data
        for question, answer in ((b"\x1b[?2026$p", b"\x1b[?2026;2$y"), (b"\x1b[?2048$p", b"")):
            if question in data and answer:
                os.write(self._fd, answer)
        return True

    def until(self, words: str, seconds: float = 15.0) -> None:
        """Read until `words` have been written; fail with the last bytes otherwise."""
        end = time.monotonic() + seconds
        start = len(self.bytes)
        wanted = words.encode()
        while wanted not in self.bytes[max(0, start - len(wanted)) :]:
            assert self.read(), f"It ended before {words!r}: {self.bytes[-3000:]!r}"
            assert time.monotonic() < end, f"No {words!r} in {self.bytes[-3000:]!r}"

    def has(self, words: str, seconds: float = 15.0) -> None:
        """Read until `words` have been written at any time since `bytes` began."""
        end = time.monotonic() + seconds
        while words.encode() not in self.bytes:
            assert self.read(), f"It ended before {words!r}: {self.bytes[-3000:]!r}"
            assert time.monotonic() < end, f"No {words!r} in {self.bytes[-3000:]!r}"

    def press_until(self, keys: str, words: str, *, every: float, tries: int = 10) -> None:
        """Press `keys` again and again until `words` are written: a dialog may not listen yet."""
        start, wanted = len(self.bytes), words.encode()
        for _ in range(tries):
            self.press(keys)
            self.settle(every)
            if wanted in self.bytes[start:]:
                return
        raise AssertionError(f"No {words!r} in {self.bytes[-3000:]!r}")

    def press(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def click(self, x: int, y: int) -> None:
        """Press and release the left button; the first column and line are 1."""
        self.press(f"\x1b[<0;{x};{y}M\x1b[<0;{x};{y}m")

    def settle(self, seconds: float) -> None:
        """Read for a while: ages tick, so the program is never quite still."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.read():
            pass

    def end(self, seconds: float = 10.0) -> int:
        """Read until the program ends; return its exit code."""
        limit = time.monotonic() + seconds
        while self.status is None:
            assert time.monotonic() < limit, "It did not end"
            with contextlib.suppress(OSError):
                self.read()
        return os.waitstatus_to_exitcode(self.status)
