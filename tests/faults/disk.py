"""A disk that fails when told to: the C library `faultfs.c`, built, loaded and armed.

A process that was started with `preloaded(...)` in its environment can `arm` itself, or what it
forks can.
"""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path

SOURCE = Path(__file__).with_name("faultfs.c")


class Fault(IntEnum):
    """What goes wrong; the numbers are those of `enum mode` in the source."""

    COUNT = 1
    """Nothing; each call is written to the report."""
    KILL = 2
    """SIGKILL instead of the call."""
    TORN = 3
    """Half of a write, then SIGKILL; a call that has no halves is made first."""
    FULL = 4
    """No space left, once."""
    FULL_FOR = 5
    """No space left for everything that grows a file, for a while."""
    BAD = 6
    """Input/output error, once."""
    BAD_KILL = 7
    """Input/output error, and SIGKILL instead of the next call."""
    SHORT = 8
    """Half of a write, and it says so."""

    @property
    def kills(self) -> bool:
        return self in (Fault.KILL, Fault.TORN, Fault.BAD_KILL)


def build(folder: Path) -> Path:
    """Compile the library into `folder` and return its path.

    Raises:
        RuntimeError: there is no C compiler, or it refuses; the message says what to do.
    """
    compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise RuntimeError(
            "The sweep of disk faults needs a C compiler, and there is no `cc` or `gcc`; install"
            " one (on Debian: apt-get install gcc libc6-dev), or name it in the variable CC"
        )
    library = folder / "faultfs.so"
    command = [compiler, "-O1", "-Wall", "-Wextra", "-shared", "-fPIC", "-o", str(library)]
    made = subprocess.run(
        [*command, str(SOURCE), "-ldl", "-lpthread"], capture_output=True, text=True
    )
    if made.returncode != 0:
        raise RuntimeError(f"{SOURCE.name} cannot be compiled with {compiler}:\n{made.stderr}")
    return library


def preloaded(library: Path, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment whose processes can be armed."""
    return {**(os.environ if environ is None else environ), "LD_PRELOAD": str(library)}


def full_while(library: Path, prefix: Path, switch: Path) -> dict[str, str]:
    """Return variables for a program whose disk, as far as `prefix` goes, is full while `switch`
    exists.
    """
    return {"LD_PRELOAD": str(library), "FAULTFS_FULL": f"{prefix}:{switch}"}


def arm(prefix: Path, fault: Fault, n: int, report: Path, *, seconds: float = 0.0) -> None:
    """Let the n-th call of this process on a file that begins with `prefix` go wrong.

    `report` gets one line, "N KIND", for the call that went wrong, or for every call if `fault` is
    COUNT. `seconds` is how long FULL_FOR lasts.

    Raises:
        RuntimeError: this process was not started with the library.
    """
    this = ctypes.CDLL(None)
    if not hasattr(this, "faultfs_arm"):
        raise RuntimeError("This process was started without the library of disk faults")
    call = this.faultfs_arm
    call.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_long, ctypes.c_long, ctypes.c_char_p]
    if call(os.fsencode(prefix), int(fault), n, int(seconds * 1000), os.fsencode(report)) != 0:
        raise RuntimeError(f"The report {report} cannot be written")
