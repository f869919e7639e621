"""A program of the person's that gets each message as JSON on its input."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

from taskhub_tui.env import submit_env
from taskhub_tui.notifications.message import DeliveryError, Message
from taskhub_tui.text import clean, one_line

_SAID = 4096
"""Bytes kept of what it says on its error output."""


class CommandChannel:
    """Runs a program for each message, without a shell, and with nothing secret around it.

    What is told stands in its input only: the words of a task are never words of a command line.
    """

    name = "command"

    def __init__(self, argv: Sequence[str], *, timeout: float = 30.0) -> None:
        """
        Args:
            timeout: seconds after which it is ended, with all that it started.
        """
        self._argv = tuple(argv)
        self._timeout = timeout
        self._who = f"The command {one_line(Path(argv[0]).name, 60)}" if argv else "The command"

    async def available(self) -> str | None:
        """Return None when the program is there, else a sentence that says why not."""
        if not self._argv or not all(one.isprintable() for one in self._argv):
            return 'The command needs `argv`, a list such as ["/usr/local/bin/tell-me"]'
        if shutil.which(_expanded(self._argv[0])) is None:
            return f"{self._who} is not there, or cannot be run"
        return None

    async def send(self, message: Message) -> None:
        """Run the program; returns once it has ended well. Raises DeliveryError."""
        if (wrong := await self.available()) is not None:
            raise DeliveryError(wrong, retry=False)
        told = {
            "key": message.key,
            "title": one_line(message.title),
            "body": clean(message.body, 20_000),
            "task": message.thread,
            "asks": message.asks,
            "urgent": message.urgent,
        }
        process = await self._start()
        try:
            async with asyncio.timeout(self._timeout):
                said, code = await _through(process, json.dumps(told).encode() + b"\n")
        except TimeoutError:
            raise DeliveryError(
                f"{self._who} was not done within {self._timeout:g} s, and was ended", retry=True
            ) from None
        finally:
            # Also what it left running, and also when we are cancelled.
            await _end(process)
        if code:
            why = one_line(said.decode(errors="replace"), 160)
            how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            raise DeliveryError(f"{self._who} ended {how}{f' ({why})' if why else ''}", retry=True)

    async def withdraw(self, key: str) -> None:
        """Do nothing: what a program did stays done."""

    async def close(self) -> None:
        """Do nothing: nothing is kept."""

    async def _start(self) -> asyncio.subprocess.Process:
        try:
            return await asyncio.create_subprocess_exec(
                _expanded(self._argv[0]),
                *self._argv[1:],
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                env=submit_env(os.environ),
                cwd=Path.home() if Path.home().is_dir() else "/",
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "its words cannot be used"
            raise DeliveryError(f"{self._who} could not be started: {why}", retry=False) from None


async def _through(process: asyncio.subprocess.Process, told: bytes) -> tuple[bytes, int]:
    """Give it its input; return the end of what it says, and its exit code."""
    assert process.stdin is not None
    assert process.stderr is not None
    reading = asyncio.create_task(_tail(process.stderr))
    try:
        # Who does not read what is told may have its reasons.
        with contextlib.suppress(ConnectionError):
            process.stdin.write(told)
            await process.stdin.drain()
        process.stdin.close()
        with contextlib.suppress(ConnectionError):
            await process.stdin.wait_closed()
        code = await process.wait()
        # A child of its may hold the pipe open; what it says is not waited for.
        await asyncio.wait([reading], timeout=0.2)
        return (reading.result() if reading.done() else b""), code
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _tail(stream: asyncio.StreamReader) -> bytes:
    kept = b""
    while piece := await stream.read(65536):
        kept = (kept + piece)[-_SAID:]
    return kept


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _expanded(program: str) -> str:
    return os.path.expanduser(program)
