"""An input for the path of a file, completed from what is really there."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.suggester import Suggester
from textual.widgets import Input

LOOK_AT = 2000
"""Most entries of a folder that are looked at; a larger one is not completed to the last."""


def matches(text: str, folder: str) -> list[str]:
    """Return the paths that begin with `text`, relative ones seen from `folder`; sorted.

    What is returned begins as `text` does, tilde included; a folder ends in a slash. Names that
    hold control characters are left out.
    """
    head, _, start = text.rpartition("/")
    head = text[: len(head) + 1] if "/" in text else ""
    where = Path(folder).expanduser() / Path(head).expanduser() if head else Path(folder)
    found = []
    try:
        with os.scandir(where) as entries:
            for number, entry in enumerate(entries):
                if number >= LOOK_AT:
                    break
                name = entry.name
                hidden = name.startswith(".") and not start.startswith(".")
                if name.startswith(start) and not hidden and name.isprintable():
                    found.append(head + name + ("/" if entry.is_dir() else ""))
    except (OSError, RuntimeError):
        return []
    return sorted(found)


def complete(text: str, folder: str) -> str:
    """Return `text` as far as all paths that begin with it agree."""
    found = matches(text, folder)
    return os.path.commonprefix(found) if found else text  # noqa: RUF071 - letters, not parts


class _Paths(Suggester):
    def __init__(self, folder: Callable[[], str]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._folder = folder

    async def get_suggestion(self, value: str) -> str | None:
        found = await asyncio.to_thread(matches, value, self._folder()) if value else []
        return found[0] if found else None


class PathInput(Input):
    """Suggests paths while one types; tab completes, and goes on where there is nothing to."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("tab", "complete", "Complete", show=False)]

    def __init__(self, folder: Callable[[], str], **how: Any) -> None:
        """`folder` gives the folder that relative paths are seen from."""
        super().__init__(suggester=_Paths(folder), **how)
        self._folder = folder

    async def action_complete(self) -> None:
        text = self.value
        longer = await asyncio.to_thread(complete, text, self._folder()) if text else text
        if longer != text and self.value == text:
            self.value = longer
            self.cursor_position = len(longer)
        else:
            self.screen.focus_next()
