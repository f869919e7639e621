"""One simulated world: clocks, processes, what goes wrong in it, and the trace it leaves."""

import asyncio
import contextlib
import hashlib
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulation.agents import HABITS, Ledger, SimAgent
from simulation.desktop import SimDesktop
from simulation.disk import Connections, Guards, Thread
from simulation.loop import PROC, Proc, SimLoop
from simulation.patches import no_garbage, patched
from simulation.people import Person
from simulation.promise import Promise
from taskhub_tui import doorbell
from taskhub_tui.agents.registry import Registry
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.errors import StoreError
from taskhub_tui.domain.stall import Patience
from taskhub_tui.hub import Hub
from taskhub_tui.worker import Worker, serve

FAULTS = (
    "crash",  # a worker dies, at any time and between any two steps of its database's thread
    "front",  # a front end dies
    "reboot",  # everything on a machine dies
    "leave",  # a worker leaves in good order
    "stop",  # a worker stands still past its lease, and goes on
    "clock",  # the wall clock jumps
    "slow",  # the disk takes long for every step
    "busy",  # somebody else keeps the database locked
    "full",  # the database cannot grow
    "bell",  # doorbells are not heard
    "agents",  # agents fail in every way they can
    "desktop",  # notifications are not taken, and lost
)
START = 1_700_000_000.0
"""The time on every clock when the world begins."""
LIMIT = 400
"""How often, at most, everything is answered before a task counts as stuck."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one seed."""

    seed: int
    trace: str
    """SHA-256 of all lines of the trace."""
    lines: list[str]
    broken: str | None
    """What was not as promised."""
    counts: Counter[str]


class World:
    """Everything of one seed."""

    def __init__(
        self, seed: int, folder: Path, template: Path, *, without: tuple[str, ...] = ()
    ) -> None:
        self.seed = seed
        self.folder = folder
        self._where = str(folder)
        rng = self.rng("world")
        # Each seed has some of the faults only: where all rage, little gets done.
        self.faults = {fault for fault in FAULTS if rng.random() < 0.5} - set(without)
        self.pace = rng.choice((0.3, 1.0, 1.0, 1.0, 3.0, 3.0, 10.0, 60.0))
        """Seconds that things take, more or less."""
        self.look = max(1.0, self.pace)
        self.most_tasks = rng.randint(1, 6)
        self.horizon = self.pace * rng.choice((6, 10, 20))
        self.crash_rate = rng.choice((0.0005, 0.002, 0.005))
        self.settings = Settings(
            owner="ann",
            concurrency=rng.randint(1, 4),
            lease=max(6.0, self.pace * rng.choice((3, 10))),
            notifications={"desktop": {"enabled": rng.random() < 0.5, "completion_after": 0}},
            stall=Patience(0, 0),  # Silence is not simulated.
        )
        self._hosts = {"here": 0, "there": 0} if rng.random() < 0.3 else {"here": 0}
        """Machines, with how often each was started."""
        self._offsets = dict.fromkeys(self._hosts, 0.0)
        self.loop = SimLoop()
        self.calm = False
        """True once nothing goes wrong any more."""
        self.rest = False
        """True once everything has been answered and has ended."""
        self.over = False
        self.ledger = Ledger()
        self.threads: list[Thread] = []
        self.tasks: set[str] = set()
        """What `submit` has acknowledged."""
        self.decisions: dict[str, tuple[str, str | None, str]] = {}
        """Task, question, and taken, refused or unknown, of each decision by its words."""
        self.counts: Counter[str] = Counter()
        self.lines: list[str] = []
        self._digest = hashlib.sha256()
        self._broken: str | None = None
        self._disk, self._chance = self.rng("disk"), self.rng("chance")
        self._slow: dict[str, float] = {}
        self._trouble: dict[str, str] = {}
        self._bells: list[tuple[Proc, doorbell.Doorbell]] = []
        self._procs: list[Proc] = []
        self._ends: dict[Proc, asyncio.Future[None]] = {}
        self._leave: dict[Proc, Callable[[], None]] = {}
        self._connections = Connections()
        self.guards = Guards()
        self._pids = 100
        self._at_once: asyncio.Event | None = None

        home = folder / "home"
        home.mkdir(mode=0o700)
        self.paths = Paths(home, folder / "config.toml", folder / "results")
        shutil.copy(template, self.paths.database)
        self._lock = sqlite3.connect(self.paths.database, isolation_level=None)
        self._seeing = sqlite3.connect(
            f"{self.paths.database.as_uri()}?mode=ro", uri=True, isolation_level=None
        )
        self._seq = self._seeing.execute("SELECT seq FROM meta").fetchone()[0]
        self.promise = Promise(self, self._seeing)

    def rng(self, name: str) -> random.Random:
        """Return a source of chance of its own, so that one thing does not shift all others."""
        return random.Random(f"{self.seed} {name}")

    def may(self, fault: str) -> bool:
        """Return whether this may go wrong now."""
        return not self.calm and fault in self.faults

    def say(self, words: str) -> None:
        """Add a line to the trace."""
        if self.over:
            return
        proc = PROC.get()
        line = f"{self.loop.now:12.4f} {proc or 'world'}: {words}".replace(self._where, "…")
        self.lines.append(line)
        self._digest.update(line.encode() + b"\n")

    def count(self, what: str) -> None:
        self.counts[what] += 1

    def breaks(self, words: str) -> None:
        """Note that the promise was broken; the first time counts."""
        if self._broken is None:
            self._broken = words
            self.say(f"BROKEN: {words}")
            if self._at_once is not None:
                self._at_once.set()

    async def idle(self, seconds: float) -> None:
        """Wait, but not long once all is calm."""
        piece = max(self.pace, seconds / 20)
        while seconds > 0 and not self.calm:
            await asyncio.sleep(min(piece, seconds))
            seconds -= piece

    # Clocks

    def clock(self, host: str) -> Callable[[], float]:
        """Return the wall clock of a machine."""
        return lambda: START + self.loop.now + self._offsets[host]

    # The disk

    def disk_delay(self, proc: Proc) -> float:
        """Return how long the next step of a database's thread takes."""
        if self.over:
            return 0.0
        if self.loop.now < self._slow.get(proc.host, 0.0):
            return self._disk.random() * self.settings.lease / 4
        draw = self._disk.random()
        return 0.0 if draw < 0.6 else (draw - 0.6) * 0.02 * self.pace

    @contextlib.contextmanager
    def disk_fault(self, proc: Proc, connection: sqlite3.Connection) -> Iterator[None]:
        """Let one step of a database's thread meet real trouble, if there is any."""
        trouble = "" if self.calm else self._trouble.get(proc.host, "")
        if trouble == "busy" and self._disk.random() < 0.7:
            connection.execute("PRAGMA busy_timeout = 0")
            self._lock.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                self._lock.execute("ROLLBACK")
                with contextlib.suppress(sqlite3.ProgrammingError):
                    connection.execute("PRAGMA busy_timeout = 10000")
        elif trouble == "full":
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages}")
            try:
                yield
            finally:
                with contextlib.suppress(sqlite3.ProgrammingError):
                    connection.execute("PRAGMA max_page_count = 1000000000")
        else:
            yield

    def dies_before(self, proc: Proc) -> bool:
        """Return whether a process dies instead of doing its next step on disk."""
        return self._dies(proc, self.crash_rate)

    def committed(self, proc: Proc) -> bool:
        """Look at what was committed; return whether the process died right then."""
        seq = self._seeing.execute("SELECT seq FROM meta").fetchone()[0]
        if seq == self._seq:
            return False
        try:
            if seq != self._seq + 1:
                self.breaks(f"the number of the last commit went from {self._seq} to {seq}")
            self._seq = seq
            self.count("commits")
            self.say(f"commit {seq}: {self.promise.committed(proc)}")
        except AssertionError as broken:
            self.breaks(str(broken))
        return self._dies(proc, self.crash_rate * 10)

    def _dies(self, proc: Proc, chance: float) -> bool:
        kind = "front" if proc.front else "crash"
        if self.may(kind) and self._disk.random() < chance:
            self.kill(proc)
            return True
        return False

    # Processes

    def kill(self, proc: Proc) -> None:
        """End a process as SIGKILL does."""
        if not proc.alive:
            return
        proc.alive = False
        self.count("crashes")
        self.say(f"{proc} dies")
        self._bells = [pair for pair in self._bells if pair[0] is not proc]
        for thread in self.threads:
            if thread.proc is proc:
                thread.close()
        if not (end := self._ends[proc]).done():
            end.set_result(None)

    def start(
        self, name: str, host: str, main: Callable[[Proc], Coroutine[Any, Any, None]]
    ) -> Proc:
        """Start a process; `ended` of it is awaited for its end."""
        self._pids += 1
        proc = Proc(name, host, f"{host}-{self._hosts[host]}", self._pids, front=main != self._work)
        self._procs.append(proc)
        self._ends[proc] = self.loop.create_future()
        self.say(f"{proc} starts")
        task = self.loop.create_task(main(proc), context=proc.context)
        task.add_done_callback(lambda task: self._ended(proc, task), context=proc.context)
        return proc

    async def ended(self, proc: Proc) -> None:
        """Wait until a process is gone."""
        await self._ends[proc]

    def _ended(self, proc: Proc, task: "asyncio.Task[None]") -> None:
        error = None if task.cancelled() else task.exception()
        if self.over:
            return
        self.say(f"{proc} ends: {error!r}")
        proc.alive = False
        if error is not None and not isinstance(error, StoreError):
            self.breaks(f"{proc} ended with {type(error).__name__}: {error}")
        if not (end := self._ends[proc]).done():
            end.set_result(None)

    async def _work(self, proc: Proc) -> None:
        """Be a worker."""
        rng = self.rng(f"engine {proc.pid}")

        def ready(worker: Worker) -> None:
            proc.worker = worker.engine.me
            self._leave[proc] = worker.engine.stop
            worker.engine._rng = rng

        await serve(
            self.paths,
            self.settings,
            registry=self._agents(),
            clock=self.clock(proc.host),
            desktop=lambda pressed, lost: SimDesktop(self, proc, pressed, lost),
            ready=ready,
        )

    def _agents(self) -> Registry:
        return Registry(extra={name: SimAgent(name, self) for name in HABITS})

    async def _sit(self, proc: Proc) -> None:
        """Be a front end."""
        hub = await Hub.open(
            paths=self.paths,
            settings=self.settings,
            channel="sim",
            actor=proc.name,
            clock=self.clock(proc.host),
            autostart=False,
            registry=self._agents(),
        )
        async with hub:
            person = Person(self, hub, proc.name, self.rng(f"person {proc.pid}"))
            await person.work()

    async def _settle(self, proc: Proc) -> None:
        """Answer everything until all is at rest."""
        hub = await Hub.open(
            paths=self.paths,
            settings=self.settings,
            channel="sim",
            actor=proc.name,
            clock=self.clock(proc.host),
            autostart=False,
            registry=self._agents(),
        )
        async with hub:
            person = Person(self, hub, proc.name, self.rng("settler"))
            for _ in range(LIMIT):
                await person.settle()
                await person.watch()
                if not (left := self.promise.left()):
                    break
                await asyncio.sleep(self.look)
            else:
                self.breaks(f"it never came to rest: {left}")
            await person.compare()
            self.rest = True

    # Keeping them running

    async def _keep(self, slot: str, main: Callable[[Proc], Coroutine[Any, Any, None]]) -> None:
        """Start a process again whenever it is gone."""
        rng = self.rng(f"keep {slot}")
        hosts = sorted(self._hosts)
        for life in range(1_000_000):
            proc = self.start(f"{slot}.{life}", rng.choice(hosts), main)
            await self.ended(proc)
            if self.calm and main == self._sit:
                return
            await asyncio.sleep(0.2 + rng.random() * (0.5 if self.calm else 2 * self.pace))

    # What goes wrong

    async def _go_wrong(self, fault: str) -> None:
        rng, pace = self.rng(fault), self.pace
        often = rng.choice((3, 8, 20))
        while not self.calm:
            await self.idle(pace * often * rng.random())
            if not self.may(fault):
                return
            workers = [p for p in self._procs if p.alive and p.worker and not p.stopped]
            host = rng.choice(sorted(self._hosts))
            match fault:
                case "crash" if workers:
                    self.kill(rng.choice(workers))
                case "front":
                    if fronts := [p for p in self._procs if p.alive and p.front]:
                        self.kill(rng.choice(fronts))
                case "reboot" if rng.random() < 0.3:
                    self._hosts[host] += 1
                    self.say(f"{host} is started again")
                    for proc in [p for p in self._procs if p.alive and p.host == host]:
                        self.kill(proc)
                case "leave" if workers:
                    proc = rng.choice(workers)
                    self.say(f"{proc} is asked to leave")
                    proc.context.run(self._leave[proc])
                case "stop" if workers:
                    await self._stand_still(rng.choice(workers), rng)
                case "clock":
                    jump = rng.choice((-1, 1)) * rng.choice((1, 20, 200)) * pace * rng.random()
                    self._offsets[host] += jump
                    self.say(f"the clock of {host} jumps by {jump:.3f}")
                case "slow":
                    self._slow[host] = self.loop.now + pace * 3 * rng.random()
                    self.say(f"the disk of {host} is slow")
                case "busy" | "full":
                    self._trouble[host] = fault
                    self.say(f"the database is {fault} for {host}")
                    await self.idle(pace * rng.choice((0.3, 3, 10)) * rng.random())
                    self._trouble.pop(host, None)
                    self.say(f"the database is well again for {host}")

    async def _stand_still(self, proc: Proc, rng: random.Random) -> None:
        proc.stopped = True
        self.say(f"{proc} is stopped")
        await self.idle(self.settings.lease * rng.choice((0.2, 1.2, 2)) * rng.random())
        if proc.alive:
            self.say(f"{proc} goes on")
            proc.go_on()

    # Doorbells

    def listen(self, bell: doorbell.Doorbell) -> None:
        proc = PROC.get()
        assert proc is not None
        self._bells.append((proc, bell))

    def hush(self, bell: doorbell.Doorbell) -> None:
        self._bells = [pair for pair in self._bells if pair[1] is not bell]

    def ring(self, bell: doorbell.Doorbell) -> None:
        for proc, other in self._bells:
            if other is bell or (self.may("bell") and self._chance.random() < 0.5):
                continue
            when = self.loop.now + self._chance.random() * 0.001
            self.loop.call_at(when, other.knock, context=proc.context)

    # All of it

    def run(self) -> Outcome:
        """Let it happen, and say what came of it."""
        with patched(self), no_garbage():
            try:
                asyncio.set_event_loop(self.loop)
                self.loop.run_until_complete(self._all())
            finally:
                self._end()
        return Outcome(self.seed, self._digest.hexdigest(), self.lines, self._broken, self.counts)

    async def _all(self) -> None:
        self._at_once = asyncio.Event()
        self.loop.set_exception_handler(
            lambda _, context: self.breaks(f"the loop: {context.get('exception') or context}")
        )
        rng = self.rng("all")
        self.say(f"faults {sorted(self.faults)}, pace {self.pace}, {self.settings}")
        running = [
            self.loop.create_task(coro)
            for coro in (
                *(self._keep(f"worker{i}", self._work) for i in range(rng.choice((1, 1, 2, 3)))),
                *(self._keep(f"front{i}", self._sit) for i in range(rng.choice((1, 2, 3)))),
                *(self._go_wrong(fault) for fault in sorted(self.faults)),
            )
        ]
        story = self.loop.create_task(self._story())
        stop = self.loop.create_task(self._at_once.wait())
        await asyncio.wait([story, stop, *running], return_when=asyncio.FIRST_COMPLETED)
        while not story.done() and not stop.done():
            for task in running:
                if task.done() and task.exception() is not None:
                    raise task.exception()  # type: ignore[misc]
            left = [task for task in running if not task.done()]
            await asyncio.wait([story, stop, *left], return_when=asyncio.FIRST_COMPLETED)
        if story.done():
            story.result()
        for task in [story, stop, *running]:
            task.cancel()
        await asyncio.gather(story, stop, *running, return_exceptions=True)

    async def _story(self) -> None:
        await asyncio.sleep(self.horizon)
        self.calm = True
        self.say("all is calm")
        latest = max(0.0, *self._offsets.values())
        self._offsets = dict.fromkeys(self._offsets, latest)
        self._trouble.clear()
        self._slow.clear()
        for proc in self._procs:
            if proc.stopped:
                proc.go_on()
        await self.ended(self.start("settler", "here", self._settle))
        for proc in self._procs:
            if proc.alive and proc.front:
                await self.ended(proc)
        if self._broken is None:
            try:
                self.promise.at_rest()
            except AssertionError as broken:
                self.breaks(str(broken))

    def _end(self) -> None:
        """Let everything that still waits end, without a word and without a trace."""
        self.over = self.calm = True
        self.loop.set_exception_handler(lambda *_: None)
        for proc in self._procs:
            proc.go_on()
        for thread in self.threads:
            thread.close()
        for _ in range(50):
            tasks = [task for proc in self._procs for task in proc.pending()]
            if not tasks:
                break
            for task in tasks:
                # What writes ends by itself, and whoever closes a store waits for that.
                if task.get_name() != "database writer":
                    task.cancel()
            self.loop.run_until_complete(asyncio.wait(tasks, timeout=1))
        self._connections.end()
        self.guards.end()
        self._lock.close()
        self._seeing.close()
        asyncio.set_event_loop(None)
        self.loop.close()
