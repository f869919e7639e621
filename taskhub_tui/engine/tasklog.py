"""Writing the log file of a running task."""

import os
from pathlib import Path

from taskhub_tui import logs

BUFFER = 256_000
"""Characters gathered before they are written at once."""
LIMIT = 500_000_000
"""Bytes from which a task's log takes only TaskHub's own lines, so that no agent fills the disk."""


class TaskLog:
    """Appends lines; they reach the file at `flush`, or when many have gathered."""

    def __init__(self, path: Path, *, new: bool = False) -> None:
        """`new` says that nothing was ever written there."""
        self._path = path
        self._parts: list[str] = []
        self._size = 0
        self._last = 0.0
        self._known: int | None = 0 if new else None
        """Length of the file in bytes; None before the first look."""
        self._full: bool | None = None

    @property
    def dirty(self) -> bool:
        return bool(self._parts)

    def add(self, at: float, stream: str, text: str) -> None:
        if self._full is None:
            self._full = self._length() >= LIMIT - BUFFER
        if self._full and stream != "hub":
            return
        self._last = at
        line = logs.format_lines(at, stream, text)
        self._parts.append(line)
        self._size += len(line)
        if self._size > BUFFER:
            self.flush()

    def flush(self) -> None:
        """Write what has gathered; a log that cannot be written does not stop the work."""
        if not self._parts:
            return
        data = "".join(self._parts).encode("utf-8", "replace")
        self._parts.clear()
        self._size = 0
        if not self._full and self._length() + len(data) > LIMIT:
            self._full = True
            said = f"The log is full ({LIMIT // 1_000_000} MB); what follows is not kept here"
            data = logs.format_lines(self._last, "hub", said).encode()
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            file = os.open(self._path, flags, 0o600)
        except OSError:
            # The stage and its checkpoint matter more than its log.
            return
        written = 0
        try:
            while written < len(data):
                written += os.write(file, memoryview(data)[written:])
            # Where we stopped; after what anybody else may have written.
            self._known = os.lseek(file, 0, os.SEEK_CUR)
        except OSError:
            # A full disk. No half line stays, for the next would be taken for the rest of it.
            self._known = None
            half = written - (data.rfind(b"\n", 0, written) + 1)
            if half:
                os.ftruncate(file, os.lseek(file, 0, os.SEEK_CUR) - half)
        finally:
            os.close(file)

    def mark(self) -> int:
        """Flush, and return the length of the file in bytes. Free when nothing was said since."""
        self.flush()
        return self._length()

    def _length(self) -> int:
        if self._known is None:
            self._known = self._look()
        return self._known

    def _look(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def cut(self, mark: int) -> None:
        """Take away what follows `mark`: it will be said again."""
        self.flush()
        self._known = self._look()
        if self._known <= mark:
            return
        try:
            os.truncate(self._path, mark)
        except OSError:
            return
        self._known = mark
        self._full = mark >= LIMIT - BUFFER
