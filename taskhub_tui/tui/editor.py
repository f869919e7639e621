"""Opening a file of the user's own in their editor, at a line."""

import asyncio
import os
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

from textual.app import App, SuspendNotSupported

_AT_LINE = ("vi", "vim", "nvim", "nano", "emacs", "emacsclient", "micro", "kak", "joe", "ne", "ed")
"""Editors that take `+LINE` before the file."""


def command(path: Path, line: int) -> list[str] | None:
    """Return what opens a file at a line; None where there is no editor."""
    for name in ("VISUAL", "EDITOR"):
        try:
            wanted = shlex.split(os.environ.get(name, ""))
        except ValueError:
            continue
        if wanted and shutil.which(wanted[0]):
            break
    else:
        found = next((one for one in ("nano", "vim", "vi") if shutil.which(one)), None)
        if found is None:
            return None
        wanted = [found]
    at = [f"+{line}"] if line > 1 and Path(wanted[0]).name in _AT_LINE else []
    return [*wanted, *at, str(path.absolute())]


async def open_file(app: App[None], path: Path, line: int = 1) -> str | None:
    """Let the user edit a file; return a sentence that says why that was not possible, or None."""
    words = command(path, line)
    if words is None:
        return f"There is no editor: set EDITOR to one. The file is {path}"
    try:
        # The loop goes on meanwhile, for the sake of an embedded engine, so the app must not paint.
        with app.batch_update(), app.suspend():
            before = signal.signal(signal.SIGINT, signal.SIG_IGN)
            try:
                await asyncio.to_thread(subprocess.run, words, check=False)
            finally:
                signal.signal(signal.SIGINT, before)
    except SuspendNotSupported:
        return f"There is no terminal to edit it on; the file is {path}"
    except OSError as error:
        return f"{words[0]} could not be started: {error.strerror}"
    app.refresh(layout=True)
    return None
