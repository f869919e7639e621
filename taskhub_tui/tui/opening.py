"""Other programs: opening a file with the desktop's own, the user's pager, the user's editor.

None of them is started by a shell, and no text from outside is ever read as a command or an option.
"""

import asyncio
import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from textual.app import App, SuspendNotSupported

from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.text import clean

_WEB = re.compile(r"https?://[!-~]+")
_MOST_EDITED = 1_000_000
"""Most bytes that come back from an editor."""


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


async def open_link(link: str) -> str:
    """Open a web address, and return a sentence that says what was done, or why it was not."""
    if not _WEB.fullmatch(link):
        return "Only addresses that begin with http:// or https:// are opened"
    opener = desktop_opener()
    if opener is None:
        return f"There is no display to open it on: {link}"
    code, why = await _start(opener, link)
    return f"Opened {link}" if code == 0 else why or f"{link} could not be opened"


async def _start(opener: str, what: str) -> tuple[int | None, str]:
    """Start the desktop's program; return its code, or why it did not start."""
    try:
        process = await asyncio.create_subprocess_exec(
            opener,
            what,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        return None, f"{opener} could not be started: {error.strerror}"
    try:
        return await asyncio.wait_for(process.wait(), 3), ""
    except TimeoutError:
        return 0, ""


async def open_result(app: App[None], path: Path) -> str:
    """Open `path`, and return a sentence that says what was done, or why it could not be."""
    # Absolute, so that no name can be read as an option.
    path = path.absolute()
    if not await asyncio.to_thread(path.exists):
        return f"{path} is not there any more"
    if opener := desktop_opener():
        code, why = await _start(opener, str(path))
        if code == 0:
            return f"Opened {path}"
        if code is None:
            return why
    if path.is_dir() or pager() is None or not await asyncio.to_thread(_is_text, path):
        return f"There is no display to open it on; it is {path}"
    return await page(app, _lines_of(path), str(path)) or f"Paged {path}"


def _is_text(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b"\0" not in file.read(8192)
    except OSError:
        return False


async def _lines_of(path: Path) -> AsyncIterator[str]:
    with path.open("rb") as file:
        while lines := await asyncio.to_thread(file.readlines, 1 << 18):
            yield b"".join(lines).decode("utf-8", "replace")


async def page(app: App[None], text: AsyncIterator[str], what: str) -> str:
    """Show text in the user's pager, and return "" or a sentence that says why it could not be.

    The text came from outside: it is cleaned when it comes here, and the pager may neither run
    commands nor preprocess its input.

    Args:
        what: names it in the sentence.
    """
    program = pager()
    if program is None:
        return f"There is no pager for {what}: install less, or set PAGER"
    unsafe = ("LESSOPEN", "LESS", "LESSCLOSE", "LESSKEY", "LESSKEYIN", "LESS_TERMCAP_DEBUG")
    env = {k: v for k, v in os.environ.items() if k not in unsafe}
    env["LESSSECURE"] = "1"
    try:
        async with _away(app):
            process = await asyncio.create_subprocess_exec(*program, stdin=subprocess.PIPE, env=env)
            await _feed(process, text)
            await process.wait()
    except SuspendNotSupported:
        return f"There is no terminal to page {what} on"
    except OSError as error:
        return f"{program[0]} could not be started: {error.strerror}"
    return ""


async def _feed(process: asyncio.subprocess.Process, text: AsyncIterator[str]) -> None:
    """Write to a program as fast as it reads; one that is left reads no more."""
    pipe = process.stdin
    assert pipe is not None
    try:
        async for part in text:
            pipe.write(clean(part, 1 << 24).encode("utf-8", "replace"))
            await pipe.drain()
        pipe.close()
        await pipe.wait_closed()
    except (BrokenPipeError, ConnectionResetError):
        pass
    except TaskHubError as error:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            pipe.write(f"\n{error}\n".encode())
            pipe.close()


@contextlib.asynccontextmanager
async def _away(app: App[None]) -> AsyncIterator[None]:
    """Give the terminal to another program.

    The loop goes on meanwhile, for the sake of an embedded engine, so the app must not paint.
    """
    with app.batch_update(), app.suspend():
        # Programs that are started inherit this: ctrl+c is theirs, where they want it.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
    app.refresh(layout=True)


# The editor


def editor() -> list[str] | None:
    """Return the user's editor: $VISUAL, $EDITOR, or one that is there; None without any."""
    for name in ("VISUAL", "EDITOR"):
        with contextlib.suppress(ValueError):
            wanted = shlex.split(os.environ.get(name, ""))
            if wanted and shutil.which(wanted[0]):
                return wanted
    for known in ("sensible-editor", "nano", "vim", "vi"):
        if path := shutil.which(known):
            return [path]
    return None


async def edit(app: App[None], text: str, suffix: str = ".txt") -> str | None:
    """Let the user edit `text` in their editor; return what they made of it, cleaned.

    None when they changed nothing, or it could not be done: that is said in a toast. The text lies
    in a private file meanwhile, which is removed.

    Args:
        suffix: end of the file's name, by which editors know what it is: `.toml`, `.md`.
    """
    program = editor()
    if program is None:
        _say(app, "There is no editor: set EDITOR to one")
        return None
    folder = await asyncio.to_thread(tempfile.mkdtemp, prefix="taskhub-")
    path = Path(folder, f"edit{suffix}")
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text.encode("utf-8", "replace"))
        async with _away(app):
            process = await asyncio.create_subprocess_exec(*program, str(path))
            code = await process.wait()
        if code:
            _say(app, f"{program[0]} ended with code {code}; nothing was changed")
            return None
        if path.stat().st_size > _MOST_EDITED:
            _say(app, f"That is too long: at most {_MOST_EDITED:,} bytes")
            return None
        made = clean(path.read_bytes().decode("utf-8", "replace"), _MOST_EDITED)
        # Editors end the last line.
        made = made if text.endswith("\n") else made.removesuffix("\n")
        return None if made == text else made
    except SuspendNotSupported:
        _say(app, "There is no terminal to edit it on")
    except OSError as error:
        _say(app, f"It could not be edited with {program[0]}: {error.strerror}")
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, True)
    return None


def _say(app: App[None], words: str) -> None:
    app.notify(words, severity="warning", timeout=6, markup=False)
