"""How far the answers of a channel have been read: a mark that outlives the worker."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

log = logging.getLogger("taskhub.answers")

_ID = re.compile(r"[A-Za-z0-9]{1,64}")


class Mark(NamedTuple):
    """The last answer that was read."""

    id: str = ""
    at: float = 0.0
    """When the server took that one, in its own time."""


class Bookmark(Protocol):
    """Keeps the mark over restarts."""

    def hold(self) -> bool: ...
    def load(self) -> Mark: ...
    def save(self, mark: Mark) -> None: ...
    def release(self) -> None: ...


class FileBookmark:
    """A mark in a file of the hub's folder; a lost one only means that answers come again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: BinaryIO | None = None

    def hold(self) -> bool:
        """Be the one on this machine who reads; False while another worker is."""
        try:
            import fcntl

            lock = open(self._path.with_name(f"{self._path.name}.lock"), "ab")  # noqa: SIM115
        except (ImportError, OSError):
            # Without locks two workers may read: the second answer is too late, that is all.
            return True
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            return False
        self._lock = lock
        return True

    def release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def load(self) -> Mark:
        try:
            id_, at = self._path.read_text(encoding="ascii").split()
            return Mark(id_ if _ID.fullmatch(id_) else "", float(at))
        except (OSError, ValueError):
            return Mark()

    def save(self, mark: Mark) -> None:
        new = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            number = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(number, "w", encoding="ascii") as file:
                file.write(f"{mark.id} {mark.at:.0f}")
            os.replace(new, self._path)
        except OSError as error:
            log.warning("the mark of the last answer was not kept: %s", error.strerror)
