"""Which process is meant: a process id alone is reused, so start time and boot go with it."""

import os
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path


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

    def gone(self) -> bool:
        """True when the process surely does not run any more; False if that cannot be known."""
        if not self.here:
            return False
        if self.boot != boot():
            return True
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
        return bool(self.start) and start_time(self.pid) != self.start


@cache
def host() -> str:
    """Return the name of this machine."""
    return socket.gethostname()


@cache
def boot() -> str:
    """Return what names this boot of the machine; empty where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def start_time(pid: int) -> str:
    """Return when a process started; empty when it is gone, a zombie, or cannot be told."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    # The second field is the name in brackets, which may hold anything.
    fields = stat.rpartition(")")[2].split()
    return "" if fields[0] in "ZX" else fields[19]


def identity(pid: int | None = None) -> Identity:
    """Return the identity of a process, by default of this one."""
    pid = pid or os.getpid()
    return Identity(host(), boot(), pid, start_time(pid))
