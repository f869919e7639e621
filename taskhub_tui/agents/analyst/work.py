"""What the stages share: one desk for files between stages, progress from a thread, giving up."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from taskhub_tui.agents.port import AgentError
from taskhub_tui.text import one_line

Facts = dict[str, Any]
"""What one stage found, as JSON."""


class GivenUp(Exception):
    """The task was cancelled while a thread worked for it; nobody reads this."""


def _nothing(*_: object) -> None:
    return None


@dataclass(frozen=True)
class Desk:
    """Folder of a task's intermediate files, and the way back to the engine.

    `log` and `progress` may be called from a worker thread.
    """

    datadir: Path
    outdir: Path
    log: Callable[[str], None] = _nothing
    progress: Callable[[float, str], None] = _nothing
    stopped: threading.Event = field(default_factory=threading.Event)

    def check(self) -> None:
        """Leave the thread if the task was cancelled.

        Raises:
            GivenUp: it was.
        """
        if self.stopped.is_set():
            raise GivenUp

    def data(self, name: str) -> Path:
        """Path of an intermediate file."""
        return self.datadir / name

    def has(self, *names: str) -> bool:
        """True when all these intermediate files exist."""
        return all(self.data(name).is_file() for name in names)

    @contextmanager
    def replacing(self, path: Path) -> Iterator[Path]:
        """Give a temporary path that becomes `path` in one step, or vanishes.

        Raises:
            AgentError: the folder or file cannot be written.
        """
        part = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            yield part
            self.check()
            os.replace(part, path)
        except OSError as error:
            raise AgentError(
                f"{one_line(str(path))} cannot be written: {error.strerror or error}. "
                "Make room or change the rights of the folder, then retry."
            ) from error
        finally:
            with suppress(OSError):
                part.unlink()

    def write_json(self, path: Path, facts: Facts) -> None:
        """Write JSON in one step; what is no JSON number becomes null before it comes here."""
        with self.replacing(path) as part:
            text = json.dumps(facts, ensure_ascii=False, indent=1, allow_nan=False)
            part.write_text(text + "\n", encoding="utf-8")

    def write_text(self, path: Path, text: str) -> None:
        """Write UTF-8 text in one step."""
        with self.replacing(path) as part:
            part.write_text(text, encoding="utf-8")

    def read_json(self, name: str) -> Facts:
        """What an earlier stage wrote."""
        facts: Facts = json.loads(self.data(name).read_text(encoding="utf-8"))
        return facts
