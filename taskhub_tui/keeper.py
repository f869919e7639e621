"""Starting a worker apart from any terminal, and keeping one alive.

The keeper is a small process. It starts the worker, starts it again within a second or two should
it be killed, and leaves when the worker leaves by itself, or fails to start again and again. Only
one keeper works for a hub at a time.

Whoever wants a worker says so in the lock file before its keeper tries the lock: a byte in it. A
keeper that finds the lock taken waits a while, and leaves; the one that has it looks at the byte
after it let the lock go. So of two, one is always there; the worker takes the byte away once all
can see it, and then nobody waits any more.
"""

import contextlib
import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from taskhub_tui.config import Paths, make_private
from taskhub_tui.domain.errors import StoreBusy, StoreError, WorkerError
from taskhub_tui.text import one_line

LOG_LIMIT = 5_000_000
"""Size in bytes from which the worker's log is begun anew; the old one is kept beside it."""
QUICK = 5.0
"""A worker that dies within so many seconds may be unable to start at all."""
TRIES = 8
LEFT_WORK = 75
"""With which a worker ends that found, as it left for want of work, that there was some."""
TOO_OLD = 76
"""With which a worker ends that finds a database of a newer TaskHub."""
LEFT = 77
"""With which a worker ends that has left in good order."""
LEFT_AS = "TASKHUB_LEFT_AS"
"""Variable that tells a worker so: one that ends with 0 may have been ended by what it ran, and an
older keeper knows no other number."""
PATIENCE = 30.0
"""Seconds for which a keeper waits for one that may be about to leave, while a worker is wanted."""
KILLED_PAUSE = 0.5
"""Seconds before a worker that was killed early is replaced; it is replaced however often."""

_started: list[subprocess.Popen[bytes]] = []


def start(paths: Paths) -> None:
    """Start a keeper in a session of its own; one that finds another at work leaves at once.

    Raises:
        WorkerError: no process can be started; or the one that this process started before could
            keep no worker alive, though another is trying now.
    """
    make_private(paths.home)
    _want(paths.home)
    failed = False
    for old in [process for process in _started if process.poll() is not None]:
        _started.remove(old)
        failed = failed or old.returncode > 0
    said = _last_line(paths.worker_log) if failed else ""
    env = dict(os.environ)
    if "TASKHUB_HOME" in env:
        # The keeper works in another folder, where a relative path would mean something else.
        env["TASKHUB_HOME"] = str(paths.home)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        with os.fdopen(os.open(paths.worker_log, flags, 0o600), "ab") as log:
            _started.append(
                subprocess.Popen(
                    [sys.executable, "-m", "taskhub_tui.keeper", str(paths.home)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=paths.home,
                    env=env,
                    start_new_session=True,
                )
            )
    except OSError as error:
        raise WorkerError(
            f"No worker could be started: {error.strerror}: {error.filename or sys.executable}",
            f"`taskhub worker` starts one in the foreground; {paths.worker_log} may say more",
        ) from error
    if failed:
        raise WorkerError(
            f"The last worker could not be kept alive: {said or 'it did not say why'}",
            "`taskhub doctor` may say what to do; another is being tried",
        )


def _last_line(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return ""
    return one_line(next((line for line in reversed(lines) if line.strip()), ""), 300)


@contextlib.contextmanager
def kept_away(paths: Paths) -> Iterator[None]:
    """Make sure that no keeper is at work, and that none begins.

    Raises:
        StoreBusy: one is.
        StoreError: that cannot be told.
    """
    make_private(paths.home)
    try:
        lock = _lock(paths.home)
    except OSError as error:
        raise StoreError(
            f"The file {paths.home / 'keeper.lock'} cannot be made: {error.strerror}"
        ) from error
    wanted = False
    try:
        if not _taken(lock):
            raise StoreBusy(
                "A worker is at work here", "Run `taskhub worker --stop`, and try again"
            )
        try:
            yield
        finally:
            wanted = _wanted(lock)
    finally:
        os.close(lock)
        if wanted:
            # Somebody's keeper has found us here, and left.
            with contextlib.suppress(WorkerError):
                start(paths)


def _want(home: Path) -> None:
    """Say that a worker is wanted.

    Raises:
        WorkerError: no keeper could use the lock, so none is to be started.
    """
    try:
        lock = _lock(home)
        try:
            os.write(lock, b"w")
        finally:
            os.close(lock)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise WorkerError(
                f"No worker can be started: {home / 'keeper.lock'}: {error.strerror}",
                "`taskhub doctor` says what to do",
            ) from error
        # A full disk: then it is as with a stopped machine.


def _wanted(lock: int) -> bool:
    return os.fstat(lock).st_size > 0


def _taken(lock: int) -> bool:
    """Take the lock if nobody has it, and return whether it is ours."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def satisfied(home: Path) -> None:
    """Note that a worker is at work, or that none is to be, whoever has wanted one."""
    with contextlib.suppress(OSError):
        os.truncate(home / "keeper.lock", 0)


def _lock(home: Path) -> int:
    return os.open(home / "keeper.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def set_umask() -> None:
    """Keep our own files private; commands get the mask of who started us."""
    mask = os.umask(0o077)
    os.environ.setdefault("TASKHUB_UMASK", f"{mask:03o}")


def main(home: Path) -> int:
    """Keep one worker alive until it leaves by itself."""
    set_umask()
    try:
        return _keep(home)
    except OSError as error:
        what = error.filename or sys.executable
        print(f"keeper: no worker can be kept alive: {what}: {error.strerror}", file=sys.stderr)  # noqa: T201
        return 1


def _keep(home: Path) -> int:
    lock = _lock(home)
    end = time.monotonic() + PATIENCE
    while not _taken(lock):
        if time.monotonic() > end or not _wanted(lock):
            return 0
        time.sleep(0.1)
    _roll(home / "worker.log")
    child: subprocess.Popen[bytes] | None = None
    leaving = False

    def pass_on(number: int, frame: FrameType | None) -> None:
        nonlocal leaving
        leaving = True
        if child is not None and child.poll() is None:
            child.send_signal(number)

    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    quick = 0
    while not leaving:
        begun = time.monotonic()
        child = subprocess.Popen(
            [sys.executable, "-m", "taskhub_tui.worker", "--detached"],
            env={**os.environ, LEFT_AS: str(LEFT)},
        )
        code = child.wait()
        if leaving:
            break
        if code == LEFT_WORK:
            continue
        if code == LEFT:
            fcntl.flock(lock, fcntl.LOCK_UN)
            # If it is taken, the keeper of whoever wanted a worker has come meanwhile.
            if not _wanted(lock) or not _taken(lock):
                return 0
            continue
        if code == TOO_OLD:
            return 0  # The keeper of the newer TaskHub takes our place.
        lived = time.monotonic() - begun
        # One that was killed, by a person or for want of memory, says nothing of the next.
        killed = code == -signal.SIGKILL
        quick = quick + 1 if lived < QUICK and not killed else 0
        print(f"keeper: the worker ended with {code} after {lived:.1f}s", file=sys.stderr)  # noqa: T201
        if quick >= TRIES:
            return 1
        pause = KILLED_PAUSE if killed and lived < KILLED_PAUSE else min(30.0, 0.1 * 2**quick)
        until = time.monotonic() + pause
        while not leaving and time.monotonic() < until:
            time.sleep(0.05)
    return 0


def _roll(path: Path) -> None:
    try:
        if path.stat().st_size > LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))
    except FileNotFoundError:
        pass


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
