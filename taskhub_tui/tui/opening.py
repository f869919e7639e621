"""Other programs: opening a file with the desktop's own, and the user's pager.

None of them is started by a shell, and no text from outside is ever read as a command or an option.
"""

import asyncio
import codecs
import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

from textual.app import App, SuspendNotSupported

from taskhub_tui import regular
from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.text import clean
from taskhub_tui.tui import outside

_WEB = re.compile(r"https?://[!-~]+")


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
    opener = outside.opener()
    if opener is None:
        return f"There is no display to open it on: {link}"
    code, why = await _start([opener, link])
    return f"Opened {link}" if code == 0 else why or f"{link} could not be opened"


async def _start(words: list[str]) -> tuple[int | None, str]:
    """Start the desktop's program; return its code, or why it did not start."""
    try:
        process = await asyncio.create_subprocess_exec(
            *words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        return None, f"{words[0]} could not be started: {error.strerror}"
    try:
        return await asyncio.wait_for(process.wait(), 3), ""
    except TimeoutError:
        return 0, ""


async def open_result(app: App[None], path: Path) -> str:
    """Open what an agent has made, and return a sentence that says what was done, or why not.

    The desktop gets what `outside` lets it have; other text is paged.
    """
    path = path.absolute()
    try:
        found = await asyncio.to_thread(outside.look, path)
    except FileNotFoundError:
        return f"{path} is not there any more"
    except OSError as error:
        return f"{path} cannot be opened: {regular.why(error)}"
    opener = outside.opener()
    if opener and not found.against:
        code, why = await _start(outside.command(opener, path, found))
        if code == 0:
            return f"Opened {path}"
        if code is None:
            return why
    if found.text and pager() is not None:
        wrong = await page(app, _text_of(path), str(path))
        but = f"; not opened outside: {found.against}" if found.against else ""
        return wrong or f"Paged {path}{but}"
    if found.against:
        return f"Not opened outside: {found.against}. It is {path}; in Files, its path is copied"
    cannot = f"{opener} cannot open it" if opener else "There is no display to open it on"
    return f"{cannot}; it is {path}"


async def _text_of(path: Path) -> AsyncIterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    try:
        with await asyncio.to_thread(regular.open_regular, path) as file:
            while piece := await asyncio.to_thread(file.read, 1 << 18):
                yield decoder.decode(piece)
            yield decoder.decode(b"", True)
    except OSError as error:
        yield f"\nIt cannot be read: {regular.why(error)}\n"


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
        async with away(app):
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
async def away(app: App[None]) -> AsyncIterator[None]:
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
