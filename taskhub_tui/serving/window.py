"""One window: a process of the app, driven over its standard input and output.

The app speaks the protocol of Textual's web driver: packets of a letter, a length of four bytes and
that many bytes, where D is what a terminal would show or type, and M is JSON about the window.
"""

import asyncio
import contextlib
import json
import signal
import subprocess
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from taskhub_tui.text import clean

_READY = b"__GANGLION__\n"
"""What the driver says before its first packet."""
_LARGEST = 1 << 26
"""Bytes of a packet; more is no packet of the app."""
_LEAVE, _END = 3.0, 2.0
"""Seconds that the app has to leave when it is asked to, and when it is told to."""
_TOLD = 20_000
"""Bytes that are kept of what it says when it cannot start."""


class Window:
    """Make it with `open`, and `close` it, whatever happens."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._said = b""
        self._listening = asyncio.create_task(self._listen(), name="window errors")

    @classmethod
    async def open(cls, command: Sequence[str]) -> "Window":
        """Start the app; `command` is its words, and no shell reads them."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Ctrl-C in the terminal is for the server, which ends its windows in order.
            start_new_session=True,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def shown(self) -> AsyncIterator[bytes | dict[str, Any]]:
        """Yield what the terminal is to show, and what is said about the window, to the end."""
        out = self._process.stdout
        assert out is not None
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await out.readuntil(b"\n") != _READY:
                pass
            while True:
                kind = await out.readexactly(1)
                length = int.from_bytes(await out.readexactly(4), "big")
                if length > _LARGEST:
                    return
                packet = await out.readexactly(length)
                if kind == b"D":
                    yield packet
                elif kind == b"M":
                    said = json.loads(packet)
                    if said.get("type") == "exit":
                        return
                    yield said

    async def trouble(self) -> str:
        """Return what the app said when it ended with an error; empty when all was well."""
        code = await self._process.wait()
        await self._listening
        said = clean(self._said.decode("utf-8", "replace")).strip()
        return (said or f"It ended with exit code {code}") if code else ""

    async def type(self, keys: str) -> None:
        """Press keys."""
        await self._send(b"D", keys.encode("utf-8", "replace"))

    async def tell(self, what: Mapping[str, Any]) -> None:
        """Say something about the window: its size, or that it has the focus."""
        await self._send(b"M", json.dumps(what).encode())

    async def _send(self, kind: bytes, packet: bytes) -> None:
        into = self._process.stdin
        assert into is not None
        with contextlib.suppress(ConnectionError, RuntimeError):
            into.write(kind + len(packet).to_bytes(4, "big") + packet)
            await into.drain()

    async def close(self) -> None:
        """End the app, and return when it has ended."""
        if self._process.returncode is None:
            into = self._process.stdin
            assert into is not None
            quit_ = json.dumps({"type": "quit"}).encode()
            with contextlib.suppress(ConnectionError, RuntimeError):
                # Not waited for: an app that reads nothing any more is told otherwise.
                into.write(b"M" + len(quit_).to_bytes(4, "big") + quit_)
                into.close()
            for number, patience in ((None, _LEAVE), (signal.SIGTERM, _END), (signal.SIGKILL, 60)):
                if number is not None:
                    with contextlib.suppress(ProcessLookupError):
                        self._process.send_signal(number)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(patience):
                        await self._drained()
                    break
        self._listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._listening

    async def _drained(self) -> None:
        """Wait for the end of the process; what it still says would else hold it up."""
        out = self._process.stdout
        assert out is not None
        with contextlib.suppress(ConnectionError):
            while await out.read(1 << 16):
                pass
        await self._process.wait()

    async def _listen(self) -> None:
        err = self._process.stderr
        assert err is not None
        while piece := await err.read(1 << 12):
            self._said = (self._said + piece)[:_TOLD]
