"""Holds one command so that it outlives the worker. Standard library only; run by its path.

    python -I -S runner.py FOLDER

FOLDER/job.json says what to run. The runner leaves behind, all mode 0600:

    claimed    who runs it; made once, so that two runners never start one command twice
    pid.json   the command's identity, written by the command's own process before it begins
    out        everything it prints, standard output and error in order
    in         lines for its standard input, one JSON text each, appended by the agent
    rc         how it ended; last, by rename, after everything in `out` is there
    runner.log what went wrong with the runner itself

It ends when the command ends, also where FOLDER was deleted meanwhile, and not when its output
does, because a daemon left behind may keep the pipe open for ever.
"""

import contextlib
import errno
import json
import os
import re
import select
import signal
import sys
import time
from typing import Any, NoReturn

CHUNK = 1 << 16
KEPT = 1 << 16  #: bytes of the end that are kept once the limit on output is reached
HELD = 1 << 20  #: bytes that are held in memory while the disk has no room for them
NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
SIGNALS = re.compile(rb'^(?:::taskhub[ \t]|\{"taskhub")[^\n]*\n', re.M)


def identity(pid: int) -> dict[str, Any]:
    """Return `pid`, its start time and the boot it lives in; `start` is None when it is gone.

    Start times are in clock ticks since boot on Linux and the words of `ps` elsewhere; they are
    only ever compared with each other.
    """
    return {"pid": pid, "start": start_time(pid), "boot": boot_id()}


def start_time(pid: int) -> str | None:
    """Return when process `pid` started; None when there is none, or it is a zombie."""
    if os.path.exists("/proc/self/stat"):
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                fields = file.read().rsplit(b")", 1)[1].split()
        except OSError:
            return None
        return None if fields[0] in (b"Z", b"X") else fields[19].decode()
    state, _, start = _words("ps", "-o", "stat=,lstart=", "-p", str(pid)).partition(" ")
    return start.strip() if start and not state.startswith("Z") else None


def boot_id() -> str | None:
    """Return what differs after each start of the machine; None where nothing tells."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return _words("sysctl", "-n", "kern.boottime").strip() or None


def _words(*argv: str) -> str:
    import subprocess  # slow to import, and not needed on Linux

    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=5).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def sync(path: str) -> None:
    """Make a file, or the entries of a folder, durable."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def claim(folder: str, who: dict[str, Any]) -> bool:
    """Take the right to start the command of `folder`; False when somebody else has it.

    A hard link appears at once with its content, and it is on disk before this returns, so that
    not even a power cut lets a second runner in. Where there are no links, as on FAT, it appears
    empty first.
    """
    draft, claimed = f"{folder}/claimed.{os.getpid()}", f"{folder}/claimed"
    with open(draft, "w") as file:
        json.dump(who, file)
        file.flush()
        os.fsync(file.fileno())
    try:
        try:
            os.link(draft, claimed)
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            try:
                place = os.open(claimed, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                return False
            with os.fdopen(place, "w") as file:
                json.dump(who, file)
                file.flush()
                os.fsync(file.fileno())
    finally:
        os.unlink(draft)
    # The folder and the two above it are as new as the claim.
    for path in (folder, os.path.dirname(folder), os.path.dirname(os.path.dirname(folder))):
        sync(path)
    return True


def write_json(path: str, value: object, *, durable: bool = False) -> None:
    """Write `path` at once or not at all."""
    draft = f"{path}.{os.getpid()}.tmp"
    with open(draft, "w") as file:
        json.dump(value, file)
        file.flush()
        if durable:
            os.fsync(file.fileno())
    os.replace(draft, path)
    if durable:
        sync(os.path.dirname(path))


class Store:
    """The file `out`. Past its limit it keeps the signals, and at the end the last 64 KiB."""

    def __init__(self, path: str, limit: int) -> None:
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.left, self.limit = limit, limit
        self.full = self.dropped = False
        self.problem: str | None = None
        """Why not all could be kept; None when it was, or may still be."""
        self.held = b""
        """What the disk has had no room for yet."""
        self.lost = False
        self.carry = self.tail = b""

    def write(self, data: bytes) -> None:
        """Keep `data`; never fails, so that a full disk does not stop the command."""
        if not self.full and len(data) > self.left:
            keep = data[: self.left].rfind(b"\n") + 1
            self._put(data[:keep])
            data = data[keep:]
            self.full = True
            self._put(
                b"[taskhub] the output limit of %d MB is reached; from here only signals "
                b"and the last lines are kept\n" % (self.limit >> 20)
            )
        if not self.full:
            self.left -= len(data)
            self._put(data)
            return
        whole, newline, rest = (self.carry + data).rpartition(b"\n")
        self._put(b"".join(SIGNALS.findall(whole + newline)))
        self.carry = rest[:KEPT]
        self.dropped |= len(self.tail) + len(data) > KEPT
        self.tail = (self.tail + data)[-KEPT:]

    def end(self) -> None:
        """Write what was held back."""
        if self.full:
            # Signals in the tail were stored when they came.
            tail = SIGNALS.sub(b"", self.tail[self.tail.find(b"\n") + 1 if self.dropped else 0 :])
            self._put(b"[taskhub] the last lines:\n" + tail)

    def _put(self, data: bytes) -> None:
        self.held += data
        self.flush()

    def flush(self) -> bool:
        """Write what is held; return whether all of it is kept now.

        A full disk has room again some day: until then what is not too much waits, and of more the
        signals and the last lines.
        """
        try:
            while self.held:
                self.held = self.held[os.write(self.fd, self.held) :]
        except OSError as error:
            self.problem = error.strerror
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EINTR):
                self.held, self.lost = b"", True
                return True  # It would be the same the next time.
            if len(self.held) > HELD:
                self.lost = True
                early, late = self.held[:-KEPT], self.held[-KEPT:]
                cut = late.find(b"\n") + 1
                signals = b"".join(SIGNALS.findall(early + late[:cut]))[-HELD // 2 :]
                gap = b"\n[taskhub] the disk was full; of what follows here some is missing\n"
                self.held = gap + signals + late[cut:]
            return False
        if not self.lost:
            self.problem = None
        return True


class Stdin:
    """Hands the lines of the file `in` to the command, each once."""

    def __init__(self, path: str, fd: int) -> None:
        self.path, self.fd, self.read, self.queue = path, fd, 0, b""
        os.set_blocking(fd, False)

    def pump(self) -> None:
        """Pass on what is new; what the command does not take yet waits."""
        with contextlib.suppress(FileNotFoundError), open(self.path, "rb") as file:
            file.seek(self.read)
            lines = file.read().rpartition(b"\n")
            self.read += len(lines[0]) + len(lines[1])
            for line in lines[0].splitlines():
                self.queue += json.loads(line)["text"].encode() + b"\n"
        with contextlib.suppress(OSError):
            while self.queue:
                self.queue = self.queue[os.write(self.fd, self.queue) :]


def become(folder: str, job: dict[str, Any], fds: tuple[int, int, int], who: Any) -> NoReturn:
    """Turn this process into the command; what stops that is written to the third of `fds`."""
    stdin, stdout, failure = fds
    part = "start"
    try:
        os.setsid()
        if job["pty"]:
            import fcntl
            import termios

            fcntl.ioctl(stdin, termios.TIOCSCTTY, 0)
        # Written from here, the command cannot exist without it.
        write_json(f"{folder}/pid.json", {**identity(os.getpid()), "runner": who})
        signal.set_wakeup_fd(-1)
        for name in ("HUP", "INT", "TERM", "PIPE", "XFSZ", "CHLD"):
            signal.signal(signal.Signals[f"SIG{name}"], signal.SIG_DFL)
        for source, target in ((stdin, 0), (stdout, 1), (stdout, 2)):
            os.dup2(source, target)
        os.umask(job["umask"])
        part = "cwd"
        os.chdir(job["cwd"])
        part = "argv"
        os.execvpe(job["argv"][0], job["argv"], os.environ)
    except OSError as error:
        os.write(failure, json.dumps({"errno": error.errno, "part": part}).encode())
    except BaseException as error:
        os.write(failure, json.dumps({"errno": 0, "part": repr(error)}).encode())
    finally:
        os._exit(127)


def hold(folder: str, ready: int, umask: int) -> None:
    """Start the command of `folder` unless it was started before, and stay until it has ended.

    Args:
        ready: closed once the command has begun, or will not.
        umask: the command's own, where the job names none.
    """
    who = identity(os.getpid())
    if not claim(folder, who):
        return
    with open(f"{folder}/job.json") as file:
        job = json.load(file)
    if job["umask"] is None:
        job["umask"] = umask
    began = time.time()
    wake, waker = os.pipe()
    for fd in (wake, waker):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    store = Store(f"{folder}/out", job["limit"])
    failed, failure = os.pipe()
    feed = -1
    if job["pty"]:
        import fcntl
        import struct
        import termios

        source, stdout = os.openpty()
        stdin = stdout
        # A terminal of 0 columns makes tqdm print nothing.
        fcntl.ioctl(source, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        feed = os.dup(source)
    else:
        source, stdout = os.pipe()
        if job["stdin"]:
            stdin, feed = os.pipe()
        else:
            stdin = os.open(os.devnull, os.O_RDONLY)
    child = os.fork()
    if child == 0:
        become(folder, job, (stdin, stdout, failure), who)
    for fd in {stdin, stdout, failure}:
        os.close(fd)

    def forward(number: int, _: object) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, number)

    signal.signal(signal.SIGTERM, forward)
    signal.signal(signal.SIGINT, forward)
    error = os.read(failed, 4096)  # ends when the command begins, or says why it cannot
    os.close(ready)
    status = follow(
        child, source, wake, store, Stdin(f"{folder}/in", feed) if job["stdin"] else None
    )
    store.end()
    code = os.waitstatus_to_exitcode(status)
    report: dict[str, Any] = {"began": began, "ended": time.time()}
    if error:
        report["error"] = json.loads(error)
    elif code < 0:
        report["signal"] = -code
    else:
        report["code"] = code
    # A full disk must not lose the one thing that cannot be found out later; a folder that was
    # deleted has nobody who looks into it.
    while os.path.isdir(folder):
        if store.flush():
            report["problem"] = store.problem
            try:
                write_json(f"{folder}/rc", report, durable=True)
                return
            except OSError:
                pass
        time.sleep(1)


def follow(child: int, source: int, wake: int, store: Store, stdin: Stdin | None) -> int:
    """Keep all output of `child` until it has ended; return its wait status."""
    open_, status = True, None
    while status is None:
        fds = [source, wake] if open_ else [wake]
        ready = select.select(fds, [], [], 0.1 if stdin else 0.5 if store.held else None)[0]
        if source in ready:
            open_ = keep(source, store)
        if wake in ready:
            os.read(wake, 512)
        if store.held:
            store.flush()
        if stdin:
            stdin.pump()
        pid, found = os.waitpid(child, os.WNOHANG)
        status = found if pid else None
    # What it printed is in the pipe now, all of it. A grandchild that prints on is not waited for.
    # The bound is the largest pipe Linux grants a user (1 MiB), in pieces of at least one page.
    for _ in range(256):
        if not open_ or not select.select([source], [], [], 0)[0]:
            break
        open_ = keep(source, store)
    return status


def keep(source: int, store: Store) -> bool:
    """Store one piece of output; False at its end."""
    try:
        data = os.read(source, CHUNK)
    except BlockingIOError:
        return True
    except OSError:  # EIO: the last process on the terminal is gone
        return False
    store.write(data)
    return bool(data)


def main(folder: str) -> None:
    """Leave the caller: the grandchild holds the command, and is nobody's zombie."""
    umask = os.umask(0o077)
    wait, ready = os.pipe()
    if os.fork():
        os.close(ready)
        os.read(wait, 1)  # ends when the command has begun, or will not
        os._exit(0)
    os.close(wait)
    os.chdir("/")
    hold(folder, ready, umask)


if __name__ == "__main__":
    main(sys.argv[1])
