"""The user's editor: for a text that is being written here, and for a file of their own."""

import asyncio
import contextlib
import os
import shlex
import shutil
import tempfile
from pathlib import Path

from textual.app import App, SuspendNotSupported

from taskhub_tui.text import clean
from taskhub_tui.tui.opening import away

_MOST = 1_000_000
"""Most bytes that come back from an editor."""
_KNOWN = ("sensible-editor", "nano", "vim", "vi")
_AT_LINE = ("vi", "vim", "nvim", "nano", "emacs", "emacsclient", "micro", "kak", "joe", "ne", "ed")
"""Editors that take `+LINE` before the file."""


def editor() -> list[str] | None:
    """Return the user's editor: $VISUAL, $EDITOR, or one that is there; None without any."""
    for name in ("VISUAL", "EDITOR"):
        with contextlib.suppress(ValueError):
            wanted = shlex.split(os.environ.get(name, ""))
            if wanted and shutil.which(wanted[0]):
                return wanted
    return next(([found] for one in _KNOWN if (found := shutil.which(one))), None)


def command(path: Path, line: int = 1) -> list[str] | None:
    """Return the words that open a file in the user's editor, at a line where it can do that."""
    program = editor()
    if program is None:
        return None
    at = [f"+{line}"] if line > 1 and Path(program[0]).name in _AT_LINE else []
    return [*program, *at, str(path.absolute())]


async def open_file(app: App[None], path: Path, line: int = 1) -> str | None:
    """Let the user edit a file; return a sentence that says why that was not possible, or None."""
    words = command(path, line)
    if words is None:
        return "There is no editor: set EDITOR to one"
    try:
        async with away(app):
            process = await asyncio.create_subprocess_exec(*words)
            code = await process.wait()
    except SuspendNotSupported:
        return "There is no terminal to edit on"
    except OSError as error:
        return f"{words[0]} could not be started: {error.strerror}"
    return f"{words[0]} ended with code {code}" if code else None


async def edit(app: App[None], text: str, suffix: str = ".txt") -> str | None:
    """Let the user edit `text` in their editor; return what they made of it, cleaned.

    None when they changed nothing, or it could not be done: that is said in a toast. The text lies
    in a private file meanwhile, which is removed.

    Args:
        suffix: end of the file's name, by which editors know what it is: `.toml`, `.md`.
    """
    made: str | None = None
    try:
        folder = await asyncio.to_thread(tempfile.mkdtemp, prefix="taskhub-")
    except OSError as error:
        _say(app, f"It cannot be edited: {error.strerror}")
        return None
    path = Path(folder, f"edit{suffix}")
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text.encode("utf-8", "replace"))
        wrong = await open_file(app, path)
        if wrong is not None:
            _say(app, f"{wrong}; nothing was changed")
        elif path.stat().st_size > _MOST:
            _say(app, f"That is too long: at most {_MOST:,} bytes")
        else:
            made = clean(path.read_bytes().decode("utf-8", "replace"), _MOST)
            # Editors end the last line.
            made = made if text.endswith("\n") else made.removesuffix("\n")
    except OSError as error:
        _say(app, f"What was edited cannot be read: {error.strerror}")
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, True)
    return None if made == text else made


def _say(app: App[None], words: str) -> None:
    app.notify(words, severity="warning", timeout=6, markup=False)
