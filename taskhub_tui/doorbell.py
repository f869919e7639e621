"""Telling other processes of one hub that something was committed.

Each process that wants to know binds a datagram socket in one private folder; who has committed
sends an empty datagram to all the others. It is a hint that makes waiting short, never the only
way to know: whoever waits also looks by itself now and then.
"""

import asyncio
import contextlib
import os
import socket
from pathlib import Path

from taskhub_tui.config import make_private
from taskhub_tui.domain.errors import StoreError

_LONGEST = 90
"""A socket's path may have some 104 bytes; the file name takes up to 14 of them."""


def folder(home: Path) -> Path:
    """Return where the sockets of the hub at `home` lie."""
    run = home / "run"
    if len(os.fsencode(run)) <= _LONGEST:
        return run
    import hashlib
    import tempfile

    name = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"taskhub-{os.getuid()}" / name


GAP = 0.02
"""Seconds from one ring to the next of a process that commits all the time."""


class Doorbell:
    """One process's bell; use it inside a running event loop."""

    def __init__(self, home: Path) -> None:
        self._folder = folder(home)
        self._socket: socket.socket | None = None
        self._path: Path | None = None
        self._rung = asyncio.Event()
        self._coming: asyncio.TimerHandle | None = None
        """The ring that comes when the time for it has come."""
        self._quiet_until = 0.0

    def listen(self) -> None:
        """Start to hear others; where sockets cannot be had, `wait` just takes its time."""
        with contextlib.suppress(OSError, StoreError):
            make_private(self._folder)
            bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            try:
                bell.setblocking(False)
                path = self._folder / f"{os.getpid()}-{os.urandom(2).hex()}"
                bell.bind(str(path))
            except OSError:
                bell.close()
                raise
            self._socket, self._path = bell, path
            asyncio.get_running_loop().add_reader(bell, self._heard)

    def _heard(self) -> None:
        assert self._socket is not None
        with contextlib.suppress(OSError):
            while True:
                self._socket.recv(16)
        self._rung.set()

    def knock(self) -> None:
        """Wake this process's own `wait`."""
        self._rung.set()

    def ring_soon(self) -> None:
        """Ring at once, but no more than once in a while: for who commits all the time."""
        loop = asyncio.get_running_loop()
        if self._coming is not None:
            return
        if loop.time() >= self._quiet_until:
            self._ring_now()
        else:
            self._coming = loop.call_at(self._quiet_until, self._ring_now)

    def _ring_now(self) -> None:
        self._coming = None
        self._quiet_until = asyncio.get_running_loop().time() + GAP
        self.ring()

    def ring(self) -> None:
        """Wake all other processes that listen."""
        try:
            names = os.listdir(self._folder)
        except OSError:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            for name in names:
                path = self._folder / name
                if path == self._path:
                    continue
                try:
                    out.sendto(b"", str(path))
                except (ConnectionRefusedError, FileNotFoundError):
                    # Its process is gone and could not clean up.
                    path.unlink(missing_ok=True)
                except OSError:
                    pass  # A full queue: that process has been woken already.

    async def wait(self, timeout: float) -> bool:
        """Wait until rung, or for `timeout` seconds; return whether it rang."""
        try:
            async with asyncio.timeout(timeout):
                await self._rung.wait()
        except TimeoutError:
            return False
        self._rung.clear()
        return True

    def close(self) -> None:
        if self._coming is not None:
            self._coming.cancel()
            self._coming = None
            self.ring()
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        if self._path is not None:
            self._path.unlink(missing_ok=True)
