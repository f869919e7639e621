"""An input for the path of a file, completed from what is really there."""

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.widgets import Input

from taskhub_tui.text import one_line
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.background import start

LOOK_AT = 50_000
"""Most entries of a folder that are looked at; a larger one is not completed to the last."""
SHOWN = 6
"""How many of the paths that fit are shown below the field."""


def matches(text: str, folder: str, *, folders: bool = False) -> list[str]:
    """Return the paths that begin with `text`, relative ones seen from `folder`; sorted.

    What is returned begins as `text` does, tilde included; a folder ends in a slash. Names that
    hold control characters are left out, and hidden ones unless `text` begins their name. With
    `folders` only those are returned.
    """
    if text in ("~", ".."):
        return [text + "/"]
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
                    inside = entry.is_dir()
                    if inside or not folders:
                        found.append(head + name + ("/" if inside else ""))
    except (OSError, RuntimeError):
        return []
    return sorted(found)


def complete(text: str, folder: str, *, folders: bool = False) -> str:
    """Return `text` as far as all paths that begin with it agree."""
    found = matches(text, folder, folders=folders)
    return os.path.commonprefix(found) if found else text  # noqa: RUF071 - letters, not parts


class CleanInput(Input):
    """An input into which nothing is pasted that could be an escape sequence."""

    def _on_paste(self, event: events.Paste) -> None:
        # Textual's own handler comes next, with what is left. It would refuse what is too long
        # as a whole, with a beep.
        text = one_line(event.text, 10_000)
        if self.max_length:
            text = text[: max(0, self.max_length - len(self.value) + len(self.selected_text))]
        event.text = text


class PathInput(CleanInput):
    """Shows what fits while one types; tab completes, and goes on where there is nothing to."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("path")]

    class Found(Message):
        """What fits has changed: the paths that are shown, which is chosen, and how many more."""

        def __init__(
            self, field: "PathInput", paths: Sequence[str], chosen: int | None, more: int
        ) -> None:
            super().__init__()
            self.field = field
            self.paths, self.chosen, self.more = paths, chosen, more

        @property
        def control(self) -> "PathInput":
            return self.field

    def __init__(self, folder: Callable[[], str], *, folders: bool = False, **how: Any) -> None:
        """
        Args:
            folder: gives the folder that relative paths are seen from.
            folders: only folders are wanted.
        """
        super().__init__(**how)
        self._folder = folder
        self._folders = folders
        self._found: list[str] = []
        self._chosen: int | None = None
        self._taken = ""

    async def _matches(self, text: str) -> list[str]:
        return await asyncio.to_thread(matches, text, self._folder(), folders=self._folders)

    def watch_has_focus(self, focused: bool) -> None:
        super().watch_has_focus(focused)
        self._found, self._chosen = [], None
        self._tell()

    def on_input_changed(self) -> None:
        if self.has_focus and self.value and self.value != self._taken:
            start(self, self._look, group="paths", exclusive=True)
        else:
            self._found, self._chosen = [], None
            self._tell()

    async def _look(self) -> None:
        text = self.value
        found = await self._matches(text)
        if self.value == text:
            self._found = [] if found == [text] else found
            self._chosen = None
            self._tell()

    def _tell(self) -> None:
        first = max(0, (self._chosen or 0) - SHOWN + 1)
        shown = self._found[first : first + SHOWN]
        chosen = None if self._chosen is None else self._chosen - first
        more = len(self._found) - len(shown)
        self.post_message(self.Found(self, shown, chosen, more))

    def action_choose(self, by: int) -> None:
        if self._found:
            at = -1 if self._chosen is None and by > 0 else (self._chosen or 0)
            self._chosen = (at + by) % len(self._found)
            self._tell()

    def take(self, path: str) -> None:
        """Put a path that was chosen into the field; in a folder one goes on."""
        if not path.endswith("/"):
            self._taken = path
        self.value = path
        self.cursor_position = len(path)
        self._chosen = None

    async def action_submit(self) -> None:
        if self._chosen is not None and self._found:
            self.take(self._found[self._chosen])
        else:
            await super().action_submit()

    async def action_complete(self) -> None:
        if self._chosen is not None and self._found:
            self.take(self._found[self._chosen])
            return
        text = self.value
        longer = text
        if text:
            found = await self._matches(text)
            longer = os.path.commonprefix(found) if found else text  # noqa: RUF071
        if longer != text and self.value == text:
            self.value = longer
            self.cursor_position = len(longer)
        else:
            self.screen.focus_next()
