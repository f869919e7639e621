"""Which process is meant: a process id alone is reused, so start time and boot go with it."""

import os
import socket
from functools import cache
from pathlib import Path

from taskhub_tui.records import dataclass

LATE = 3600.0
"""Seconds past its lease for which a worker of this machine is not taken for dead."""


@dataclass(frozen=True, slots=True)
class Identity:
    """One process of one machine since one boot."""

    host: str
    boot: str
    pid: int
    start: str
    """Start time in the kernel's own unit; empty where the system does not tell."""

    @property
    def here(self) -> bool:
        """True when it runs, or ran, on this machine."""
        return self.host == host()

    @property
    def before_boot(self) -> bool:
        """True when it ran on this machine before that was started anew."""
        return self.here and _parts(self.boot)[0] != _parts(boot())[0]

    def gone(self) -> bool:
        """True when the process surely does not run any more; False if that cannot be known."""
        if not self.here:
            return False
        if self.before_boot:
            return True
        place, here = (_parts(of)[1] for of in (self.boot, boot()))
        if place and place != here:
            return False  # The same number is another process there.
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        return bool(self.start) and start_time(self.pid) != self.start

    def alive(self, until: float, now: float) -> bool:
        """Return whether a worker with a lease until then is to be reckoned with.

        One of this machine is dead as soon as its process is. While that runs it may be late: an
        agent can keep the event loop, or the interpreter, for longer than a lease, and what it does
        must not be done by another as well. One that was stopped, or is elsewhere, has its lease.
        """
        if self.gone():
            return False
        return until > now or (until + LATE > now and self._runs())

    def _runs(self) -> bool:
        seen = self.here and _parts(self.boot)[1] in ("", _parts(boot())[1])
        return seen and at_work(self.pid)


def at_work(pid: int) -> bool:
    """Return whether a process runs, or waits for something, and was not stopped."""
    return _fields(pid)[:1] not in ([], ["T"], ["t"], ["Z"], ["X"])


@cache
def host() -> str:
    """Return the name of this machine."""
    return socket.gethostname()


@cache
def boot() -> str:
    """Return what names this boot of the machine; empty where the system does not tell.

    After a space stands what names the processes that can be seen: a container has others.
    """
    try:
        named = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{named} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def _parts(boot: str) -> tuple[str, str]:
    named, _, place = boot.partition(" ")
    return named, place


def start_time(pid: int) -> str:
    """Return when a process started; empty when it is gone, a zombie, or cannot be told."""
    fields = _fields(pid)
    return "" if not fields or fields[0] in "ZX" else fields[19]


def _fields(pid: int) -> list[str]:
    """Return what the system says of a process, from its state on; nothing when it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    # The second field is the name in brackets, which may hold anything.
    return stat.rpartition(")")[2].split()


def identity(pid: int | None = None) -> Identity:
    """Return the identity of a process, by default of this one."""
    pid = pid or os.getpid()
    return Identity(host(), boot(), pid, start_time(pid))
