"""Lets every write of a run go wrong, one at a time, and holds what comes of it to the promise.

    python tests/faults/sweep.py [--every K] [--role ROLE] [--fault FAULT] [--jobs N]

Starts itself once more with the library of disk faults. All modules are loaded once; each case is
a fork of that process, and the processes of the case are forks of it in turn: a worker, a front
end, or both in one. After the fault whoever died is started again on a sound disk, and the work
must complete.
"""

import argparse
import asyncio
import atexit
import contextlib
import faulthandler
import json
import os
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import older
import plan
from caring import ACTS, Care
from disk import Fault, arm, build, preloaded
from plan import Actor, Ledger
from promise import Promise, done_stages

from taskhub_tui.agents.registry import Registry
from taskhub_tui.config import Paths
from taskhub_tui.domain.errors import TaskHubError

OPENING = ("first start", "upgrade")
ROLES = ("together", "worker", "front end", *OPENING, *ACTS)
"""Whose disk fails: that of front end and worker in one process, or of one of the two; of who opens
the hub for the first time, or the first time after an upgrade; or of who cares for it.
"""
PATIENCE = 30.0
"""Seconds after which a process is taken to hang."""
FULL_SECONDS = 0.7
"""How long a full disk stays full."""
CRASHED = 70
"""Exit status of a process that met an error it has no sentence for."""

AT = {
    "write": tuple(fault for fault in Fault if fault is not Fault.COUNT),
    "grow": (Fault.KILL, Fault.TORN, Fault.FULL, Fault.BAD),
    "truncate": (Fault.KILL, Fault.TORN, Fault.BAD),
    "create": (Fault.KILL, Fault.TORN, Fault.FULL, Fault.BAD),
    "sync": (Fault.KILL, Fault.TORN, Fault.BAD, Fault.BAD_KILL),
    "unlink": (Fault.KILL, Fault.TORN, Fault.BAD),
    "rename": (Fault.KILL, Fault.TORN, Fault.BAD),
    "link": (Fault.KILL, Fault.TORN, Fault.BAD),
}
"""What can go wrong at each kind of call."""


@dataclass(frozen=True)
class Case:
    """One fault at one place."""

    role: str
    fault: Fault
    n: int

    def __str__(self) -> str:
        return f"{self.role}, {self.fault.name}, call {self.n}"


@dataclass
class Outcome:
    """What came of a case."""

    case: Case
    met: str = ""
    """The kind of call that went wrong; empty when the run made fewer calls."""
    broken: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    """What front ends were told of."""
    seconds: float = 0.0


_finished: list[Path] = []
"""The folder of a hub in which all is done, once there is one: forks begin with copies of it."""


class Play:
    """One hub, and the processes that work on it."""

    def __init__(self, folder: Path, case: Case) -> None:
        self.folder, self.case = folder, case
        self.home = folder / "h"
        self.home.mkdir(mode=0o700)
        self.paths = Paths(self.home, self.home / "config.toml", folder / "results")
        self.report = folder / "report"
        self.ledger = folder / "ledger"
        self.ledger.touch()
        self.broken: list[str] = []
        self._running: dict[int, str] = {}

    def run(self) -> Outcome:
        began = time.monotonic()
        if self.case.role in ACTS:
            self._care()
            return self._outcome(began)
        if self.case.role == "upgrade":
            older.make(self.paths.database)
            Ledger(self.ledger).write("task", "house", older.TASK)
        if self.case.role in OPENING:
            self._wait(self._start("open", armed=True))
            self._look()
            if self.case.fault is not Fault.COUNT:
                self._wait_well(self._start("together"))
        elif self.case.role == "together":
            self._together()
        else:
            self._apart()
        if not self.broken and self.case.fault is not Fault.COUNT:
            self.broken += Promise(self.home, self.ledger).broken
        return self._outcome(began)

    def _outcome(self, began: float) -> Outcome:
        met = self.report.read_text().split() if self.report.exists() else []
        words = [line.split(maxsplit=1) for line in self.ledger.read_text().splitlines()]
        return Outcome(
            self.case,
            met[1] if met else "",
            self.broken,
            [rest for word, *more in words for rest in more if word == "told"],
            time.monotonic() - began,
        )

    def _together(self) -> None:
        if self._wait(self._start("together", armed=True)) != 0 and not self.broken:
            self._look()
            self._wait_well(self._start("together"))

    def _care(self) -> None:
        """Have a finished hub cared for, cut that short, and do it again on a sound disk."""
        if _finished:
            shutil.copytree(_finished[0], self.home, dirs_exist_ok=True)
        else:
            self.finish()
        self._acts = Care(self.case.role, self.paths)
        status = self._wait(self._start("care", armed=True))
        if self.case.fault is Fault.COUNT or self.broken:
            return
        self.broken += self._acts.broken(again=status == 0)
        if status != 0 and not self.broken:
            self._acts.wait()
            self._wait_well(self._start("care"))
            self.broken += self._acts.broken(again=True)

    def finish(self) -> None:
        """Make a hub in which all is done, whose last commits stand in the log only."""
        self._wait_well(self._start("open"))
        # Open here too, so that nobody is the last one, who would write the log back.
        with contextlib.closing(sqlite3.connect(self.paths.database)) as holder:
            holder.execute("SELECT 1 FROM meta").fetchall()
            self._wait_well(self._start("together"))
            log = self.home / "taskhub.db-wal"
            kept = [(path, path.read_bytes()) for path in (self.paths.database, log)]
        for path, data in kept:
            path.write_bytes(data)

    def _apart(self) -> None:
        names = ("worker", "front end")
        pids = {name: self._start(name, armed=name == self.case.role) for name in names}
        # Both may end: the front end when all is done, and whoever's disk failed.
        while pids["front end"] in self._running:
            pid, status = self._wait_any()
            if pid is None:
                break
            name = "worker" if pid == pids["worker"] else "front end"
            if status != 0 and name == self.case.role:
                pids[name] = self._start(name)
            elif status != 0 or name == "worker":
                self.broken.append(f"the {name} ended with {status}")
                break
        if pids["worker"] in self._running:
            os.kill(pids["worker"], signal.SIGTERM)
            status = self._wait(pids["worker"])
            if status != 0 and self.case.role == "worker":
                self._wait_well(self._start("together"))
            elif status != 0:
                self.broken.append(f"the worker left with {status}")
        for pid in list(self._running):
            os.kill(pid, signal.SIGKILL)
            self._wait(pid)

    def _look(self) -> None:
        """Note which stages are done, before anybody works again."""
        found = done_stages(self.paths.database)
        if isinstance(found, str):
            self.broken.append(found)
            return
        ledger = Ledger(self.ledger)
        for task, name in found:
            ledger.write("done", task, name)

    # Processes

    def _start(self, name: str, *, armed: bool = False) -> int:
        pid = os.fork()
        if pid:
            self._running[pid] = name
            return pid
        status = CRASHED
        try:
            errors = os.open(self.folder / "errors", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.dup2(errors, 1)
            os.dup2(errors, 2)
            faulthandler.dump_traceback_later(PATIENCE - 2)
            if armed:
                case = self.case
                prefix = self.paths.database
                if case.fault is Fault.FULL_FOR or case.role in ACTS:
                    prefix = self.home  # A full disk is full for every file on it.
                arm(prefix, case.fault, case.n, self.report, seconds=FULL_SECONDS)
            status = self._act(name)
            for thread in threading.enumerate():
                # As Python itself does at the end of a program: one left over lets it hang.
                if thread is not threading.current_thread() and not thread.daemon:
                    thread.join()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _act(self, name: str) -> int:
        ledger = Ledger(self.ledger)
        registry = Registry(extra={"actor": Actor(ledger)})
        work: Callable[[], Coroutine[Any, Any, None]] = {
            "care": lambda: self._acts.act(),
            "open": lambda: plan.opened(self.paths, registry),
            "together": lambda: plan.together(self.paths, registry, ledger, self.ledger),
            "front end": lambda: plan.front_end(self.paths, registry, ledger, self.ledger),
            "worker": lambda: plan.stoppable_worker(self.paths, registry, ledger),
        }[name]
        try:
            asyncio.run(work())
        except TaskHubError as error:
            ledger.write("told", type(error).__name__, error)
            return error.exit_code
        return 0

    def _wait(self, pid: int) -> int:
        """Return how a process ended; one that hangs is killed, which is a breach."""
        watch = os.pidfd_open(pid)
        try:
            ready, _, _ = select.select([watch], [], [], PATIENCE)
            if not ready:
                self.broken.append(f"the {self._running[pid]} hangs")
                os.kill(pid, signal.SIGKILL)
        finally:
            os.close(watch)
        return self._reap(pid)

    def _wait_any(self) -> tuple[int | None, int]:
        """Return who ended first, and how; None when nobody does."""
        watches = {os.pidfd_open(pid): pid for pid in self._running}
        try:
            ready, _, _ = select.select([*watches], [], [], PATIENCE)
            if not ready:
                self.broken.append("neither comes to an end")
                return None, 0
            pid = watches[ready[0]]
            return pid, self._reap(pid)
        finally:
            for watch in watches:
                os.close(watch)

    def _reap(self, pid: int) -> int:
        name = self._running.pop(pid)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status == CRASHED:
            self.broken.append(f"the {name} met an error it has no sentence for")
        return status

    def _wait_well(self, pid: int) -> None:
        status = self._wait(pid)
        if status != 0:
            self.broken.append(f"on a sound disk the next one ended with {status}")


def calls(role: str) -> list[str]:
    """Return the kinds of calls that a run without faults makes, in order."""
    with tempfile.TemporaryDirectory(prefix="sweep-") as folder:
        play = Play(Path(folder), Case(role, Fault.COUNT, 0))
        if role in ACTS and not _finished:
            play.finish()
            _finished.append(Path(tempfile.mkdtemp(prefix="sweep-")) / "finished")
            atexit.register(shutil.rmtree, _finished[0].parent, ignore_errors=True)
            shutil.copytree(play.home, _finished[0], ignore=shutil.ignore_patterns("run"))
        outcome = play.run()
        if outcome.broken:
            errors = Path(folder) / "errors"
            raise AssertionError(f"without a fault: {outcome.broken}\n{errors.read_text()}")
        return [line.split()[1] for line in play.report.read_text().splitlines()]


def cases(role: str, every: int, faults: Sequence[Fault]) -> list[Case]:
    """Return the cases of one role: every K-th write, with each fault that fits it.

    Calls of other kinds are rarer, so of these more are taken, some of each. The places differ from
    fault to fault, so that few are left out by all.
    """
    found = []
    kinds = calls(role)
    seen: Counter[str] = Counter()
    for n, kind in enumerate(kinds, 1):
        seen[kind] += 1
        step = every if kind == "write" else max(1, min(every // 4, kinds.count(kind) // 2))
        for shift, fault in enumerate(AT[kind]):
            if fault in faults and (seen[kind] + shift) % step == 0:
                found.append(Case(role, fault, n))
    return found


def _neither_file_nor_folder(folder: str, names: list[str]) -> list[str]:
    """Return what cannot be copied: the sockets of doorbells and of commands."""
    paths = ((Path(folder) / name, name) for name in names)
    return [name for path, name in paths if not (path.is_file() or path.is_dir())]


def run_forked(case: Case, keep: Path | None) -> tuple[int, int]:
    """Run one case in a fork; return its process and the pipe on which its outcome comes."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid:
        os.close(theirs)
        return pid, ours
    folder = Path(tempfile.mkdtemp(prefix="sweep-"))
    try:
        outcome = Play(folder, case).run()
        if outcome.broken and keep is not None:
            to = keep / str(case).replace(" ", "-").replace(",", "")
            shutil.copytree(folder, to, ignore=_neither_file_nor_folder)
    except BaseException:
        outcome = Outcome(case, broken=[f"the test itself: {traceback.format_exc()}"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    os.write(theirs, json.dumps(asdict(outcome)).encode()[:60_000])
    os._exit(0)


def outcomes(todo: Sequence[Case], jobs: int, keep: Path | None) -> Iterator[Outcome]:
    """Run the cases, some at a time; most of their time is waiting."""
    waiting = list(reversed(todo))
    running: dict[int, tuple[int, Case]] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            case = waiting.pop()
            pid, pipe = run_forked(case, keep)
            running[pipe] = (pid, case)
        for pipe in select.select([*running], [], [])[0]:
            pid, case = running.pop(pipe)
            with open(pipe, "rb") as said:
                values = json.loads(said.read() or b'{"broken": ["the case died"]}')
            os.waitpid(pid, 0)
            yield Outcome(**{**values, "case": case})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--every", type=int, default=1, help="only each K-th place")
    parser.add_argument("--role", action="append", choices=ROLES)
    parser.add_argument("--fault", action="append", choices=[f.name for f in Fault])
    parser.add_argument("--at", type=int, help="only this place")
    parser.add_argument("--jobs", type=int, default=3, help="cases at a time")
    parser.add_argument("--keep", type=Path, help="where the folders of broken cases go")
    parser.add_argument("--json", type=Path, help="where the outcomes go, one a line")
    args = parser.parse_args()
    if "LD_PRELOAD" not in os.environ:
        with tempfile.TemporaryDirectory() as folder:
            env = preloaded(build(Path(folder)))
            return subprocess.run([sys.executable, *sys.argv], env=env).returncode
    Registry().cards()  # So that no case has to load them.
    faults = [Fault[name] for name in args.fault] if args.fault else list(Fault)
    broken = total = 0
    for role in args.role or ROLES:
        began = time.monotonic()
        todo = [c for c in cases(role, args.every, faults) if args.at in (None, c.n)]
        seen: Counter[str] = Counter()
        for outcome in outcomes(todo, args.jobs, args.keep):
            seen[outcome.case.fault.name if outcome.met else "not reached"] += 1
            if args.json:
                with args.json.open("a") as lines:
                    lines.write(json.dumps(asdict(outcome)) + "\n")
            if outcome.broken:
                broken += 1
                print(f"{outcome.case} ({outcome.met}): {'; '.join(outcome.broken)}", flush=True)
        total += len(todo)
        counts = ", ".join(f"{name} {count}" for name, count in sorted(seen.items()))
        print(
            f"{role}: {len(todo)} cases in {time.monotonic() - began:.0f} s ({counts})", flush=True
        )
    print(f"{total} cases, {broken} broken")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
