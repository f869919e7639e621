"""Opening a result outside TaskHub: with the desktop's program, or in a pager."""

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from textual.app import App, SuspendNotSupported


def desktop_opener() -> str | None:
    """Return the program that opens a file as the desktop would; None without a desktop."""
    if sys.platform == "darwin":
        return shutil.which("open")
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return shutil.which("xdg-open")
    return None


def pager() -> list[str] | None:
    """Return the user's pager, or less, or more; None when there is none."""
    with contextlib.suppress(ValueError):
        wanted = shlex.split(os.environ.get("PAGER", ""))
        if wanted and shutil.which(wanted[0]):
            return wanted
    for name in ("less", "more"):
        if path := shutil.which(name):
            return [path]
    return None


async def open_result(app: App[None], path: Path) -> str:
    """Open `path`, and return a sentence that says what was done, or why it could not be."""
    # Absolute, so that no name can be read as an option.
    path = path.absolute()
    if not await asyncio.to_thread(path.exists):
        return f"{path} is not there any more"
    if opener := desktop_opener():
        try:
            process = await asyncio.create_subprocess_exec(
                opener,
                str(path),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            return f"{opener} could not be started: {error.strerror}"
        try:
            code = await asyncio.wait_for(process.wait(), 3)
        except TimeoutError:
            code = 0
        if code == 0:
            return f"Opened {path}"
    if path.is_dir() or (program := pager()) is None:
        return f"There is no display to open it on; it is {path}"
    return await _page(app, program, path)


async def _page(app: App[None], program: list[str], path: Path) -> str:
    # The text came from outside: the pager may not run commands, nor preprocess its input.
    env = {k: v for k, v in os.environ.items() if k not in ("LESSOPEN", "LESS", "LESSCLOSE")}
    env["LESSSECURE"] = "1"
    try:
        # The loop goes on while the pager has the terminal, for the sake of an embedded engine,
        # so the app must not paint.
        with app.batch_update(), app.suspend():
            before = signal.signal(signal.SIGINT, signal.SIG_IGN)
            try:
                await asyncio.to_thread(subprocess.run, [*program, str(path)], env=env, check=False)
            finally:
                signal.signal(signal.SIGINT, before)
    except SuspendNotSupported:
        return f"There is no terminal to page it on; it is {path}"
    except OSError as error:
        return f"{program[0]} could not be started: {error.strerror}"
    app.refresh(layout=True)
    return f"Paged {path}"
