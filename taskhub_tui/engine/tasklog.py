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

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parts: list[str] = []
        self._size = 0
        self._last = 0.0
        self._full = self._length() >= LIMIT - BUFFER

    @property
    def dirty(self) -> bool:
        return bool(self._parts)

    def add(self, at: float, stream: str, text: str) -> None:
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
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
            with os.fdopen(os.open(self._path, flags, 0o600), "ab") as file:
                file.write(data)
        except OSError:
            # A full disk: the stage and its checkpoint matter more than its log.
            pass

    def mark(self) -> int:
        """Flush, and return the length of the file in bytes."""
        self.flush()
        return self._length()

    def _length(self) -> int:
        try:
            return self._path.stat().st_size
        except OSError:
            return 0

    def cut(self, mark: int) -> None:
        """Take away what follows `mark`: it will be said again."""
        self.flush()
        try:
            if self._path.stat().st_size > mark:
                os.truncate(self._path, mark)
                self._full = mark >= LIMIT - BUFFER
        except OSError:
            pass
