"""A process that only looks: whatever it is asked to do, it starts nothing and writes no file.

The hub of such a process refuses every decision. This is the wall behind it, for all that does not
go through the hub: Python itself refuses to start programs, to open databases and connections, and
to change files. What fails fails with a PermissionError.
"""

import errno
import os
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

_NEVER = frozenset(
    {
        "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile",
        "os.system", "pty.spawn", "socket.connect", "sqlite3.connect", "subprocess.Popen",
        "webbrowser.open",
    }
)  # fmt: skip
_CHANGES = frozenset(
    {
        "os.chflags", "os.chmod", "os.chown", "os.link", "os.mkdir", "os.remove", "os.rename",
        "os.rmdir", "os.setxattr", "os.symlink", "os.truncate", "os.utime",
    }
)  # fmt: skip
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def seal(but: Collection[Path]) -> None:
    """Seal this process for good.

    Args:
        but: folders in which files may be written all the same.
    """
    sys.dont_write_bytecode = True
    allowed = tuple(os.fspath(folder.absolute()) for folder in but)

    def within(path: Any) -> bool:
        if isinstance(path, int):
            return True
        name = os.path.normpath(os.path.join(os.getcwd(), os.fsdecode(path)))
        return any(name == folder or name.startswith(folder + os.sep) for folder in allowed)

    def check(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = args
            writes = bool(flags & _WRITES) if isinstance(flags, int) else "r" not in (mode or "r")
            if writes and path != os.devnull and not within(path):
                raise _refused(f"{path} is not written")
        elif event in _NEVER:
            raise _refused(f"{event} is not done")
        elif event in _CHANGES and not within(args[0]):
            raise _refused(f"{args[0]} is not changed")

    sys.addaudithook(check)


def _refused(what: str) -> PermissionError:
    return PermissionError(errno.EPERM, f"This view only shows: {what}")
