"""A second wall behind a hub that only looks, against mistakes of ours.

The hub of such a process refuses every decision. What does not go through the hub ends here:
before Python does one of the following it says so (an audit event, PEP 578), and it is refused
with a PermissionError:

- to start a program, to send a signal, to load a library with ctypes;
- to open a database or a connection, to send, to listen, or to ask for an address by its name;
- to write or create a file, and to change, rename, link or delete one;
- to list a folder, but those that Python imports from.

This is no sandbox. It holds what is written in Python and makes such a call by mistake, or is
talked into it. Native code is not seen, and a few calls are not reported, such as `os.mkfifo`.
Files that are there can be read.
"""

import errno
import os
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

_NEVER = frozenset(
    {
        "ctypes.dlopen", "ctypes.dlsym", "os.exec", "os.fork", "os.forkpty", "os.kill", "os.killpg",
        "os.posix_spawn", "os.spawn", "os.startfile", "os.system", "pty.spawn",
        "signal.pthread_kill", "socket.connect", "socket.getaddrinfo", "socket.gethostbyaddr",
        "socket.gethostbyname", "socket.getnameinfo", "socket.sendmsg", "socket.sendto",
        "sqlite3.connect", "sqlite3.load_extension", "subprocess.Popen", "webbrowser.open",
    }
)  # fmt: skip
_CHANGES = {
    "os.chflags": (0,), "os.chmod": (0,), "os.chown": (0,), "os.link": (0, 1), "os.mkdir": (0,),
    "os.remove": (0,), "os.removexattr": (0,), "os.rename": (0, 1), "os.rmdir": (0,),
    "os.setxattr": (0,), "os.symlink": (1,), "os.truncate": (0,), "os.utime": (0,),
}  # fmt: skip
"""Which arguments name what is changed."""
_LISTS = frozenset({"os.listdir", "os.scandir"})
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def seal(but: Collection[Path], lists: Collection[Path] = ()) -> None:
    """Seal this process for good.

    Args:
        but: folders in which files may be made and changed, sockets too, all the same.
        lists: folders that may be listed all the same, with those in them.
    """
    sys.dont_write_bytecode = True
    here = os.getcwd()
    imported = [Path(one) for one in sys.path if one and os.path.abspath(one) != here]
    imported += [Path(__file__).parents[1], Path(os.__file__).parent]
    changed = _within(but)
    listed = _within([*but, *lists, *imported])

    def check(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = args
            writes = bool(flags & _WRITES) if isinstance(flags, int) else "r" not in (mode or "r")
            # A number is a file that is open already.
            if writes and path != os.devnull and not isinstance(path, int) and not changed(path):
                raise _refused(f"{path} is not written")
        elif event in _NEVER:
            raise _refused(f"{event} is not done")
        elif event in _CHANGES:
            for place in _CHANGES[event]:
                if not changed(args[place]):
                    raise _refused(f"{args[place]} is not changed")
        elif event == "socket.bind":
            if not isinstance(args[1], str | bytes) or not changed(args[1]):
                raise _refused("it listens nowhere")
        elif event in _LISTS and not listed(args[0] if args[0] is not None else "."):
            raise _refused(f"{args[0]} is not listed")

    sys.addaudithook(check)


def _within(folders: Collection[Path]) -> Callable[[Any], bool]:
    """Return what tells whether a path lies in one of these folders, also by its links."""
    allowed = tuple(os.path.realpath(folder) for folder in folders)

    def within(path: Any) -> bool:
        # What a relative path, or a number, is about may have been said apart (`dir_fd`).
        if isinstance(path, int) or not os.path.isabs(path):
            return False
        name = os.path.realpath(os.fsdecode(path))
        return any(name == folder or name.startswith(folder + os.sep) for folder in allowed)

    return within


def _refused(what: str) -> PermissionError:
    return PermissionError(errno.EPERM, f"This view only shows: {what}")
