"""Opening files that somebody else has made: only what is a file can be read to its end.

An agent can leave a named pipe, a device or a link to one where its result should be. To open a
pipe waits for who writes into it, for ever; to open a device may do something.
"""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

_NAMES = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class NotAFile(OSError):
    """What was to be read is no file; `strerror` says what it is."""

    def __init__(self, path: Path, mode: int) -> None:
        what = _NAMES.get(stat.S_IFMT(mode), "something else")
        super().__init__(errno.EINVAL, f"it is {what}, not a file", str(path))


def open_regular(path: Path) -> BinaryIO:
    """Open a file to be read; never waits for anything but the disk.

    Raises:
        NotAFile: it is a folder, a named pipe, a socket or a device.
        OSError: it is not there, or cannot be read.
    """
    try:
        # Looked at first, since to open a device may do something; and again when it is open.
        check(path, os.stat(path))
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except ValueError as error:  # A zero byte in its name.
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from error
    try:
        check(path, os.fstat(file))
        return os.fdopen(file, "rb")
    except BaseException:
        os.close(file)
        raise


def check(path: Path, found: os.stat_result) -> None:
    """Raise NotAFile unless `found` is a regular file."""
    if not stat.S_ISREG(found.st_mode):
        raise NotAFile(path, found.st_mode)


def why(error: OSError) -> str:
    """Say why a file could not be used, as the end of a sentence."""
    return (error.strerror or str(error) or "it cannot be read").lower()
