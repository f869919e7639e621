"""One simulated world: its processes, from their start to their end, and the trace it leaves."""

import asyncio
import hashlib
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Coroutine
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
from simulation.rest import Rest
from simulation.trouble import FAULTS, Bells, Trouble
from taskhub_tui.agents.registry import Registry
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.errors import StoreError
from taskhub_tui.domain.limits import Limits
from taskhub_tui.domain.stall import Patience
from taskhub_tui.hub import Hub
from taskhub_tui.worker import Worker, serve

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
        self.first, self.hour, self.day = self.pace * 0.3, self.pace * 2, self.pace * 12
        """How long a provider that names no time is waited for at first, and at most; in all."""
        self.most_tasks = rng.randint(1, 6)
        self.horizon = self.pace * rng.choice((6, 10, 20))
        self.crash_rate = rng.choice((0.0005, 0.002, 0.005))
        self.settings = Settings(
            owner="ann",
            concurrency=rng.randint(1, 4),
            lease=max(6.0, self.pace * rng.choice((3, 10))),
            notifications={"desktop": {"enabled": rng.random() < 0.5, "completion_after": 0}},
            stall=self._patience(rng),
            limits=self._limits(rng),
        )
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
        self._disk = self.rng("disk")
        self.procs: list[Proc] = []
        self._ends: dict[Proc, asyncio.Future[None]] = {}
        self.leave: dict[Proc, Callable[[], None]] = {}
        self._connections = Connections()
        self.guards = Guards()
        self._pids = 100
        self._at_once: asyncio.Event | None = None

        home = folder / "home"
        home.mkdir(mode=0o700)
        self.paths = Paths(home, folder / "config.toml", folder / "results")
        shutil.copy(template, self.paths.database)
        self.trouble = Trouble(self)
        self.bells = Bells(self)
        self._seeing = sqlite3.connect(
            f"{self.paths.database.as_uri()}?mode=ro", uri=True, isolation_level=None
        )
        self._seq = self._seeing.execute("SELECT seq FROM meta").fetchone()[0]
        self.promise = Promise(self, self._seeing)

    def _patience(self, rng: random.Random) -> Patience:
        """Return after how long silence is shown and asked about; in some seeds it never is."""
        shown = self.pace * rng.choice((0.2, 1, 3)) if rng.random() < 0.6 else 0.0
        return Patience(shown, shown * rng.choice((0, 1, 2, 4)))

    @staticmethod
    def _limits(rng: random.Random) -> Limits:
        """Return how many stages may run at once; in most seeds as many as there are places."""
        total = rng.randint(1, 3) if rng.random() < 0.2 else None
        agents = {name: rng.randint(1, 2) for name in HABITS if rng.random() < 0.25}
        return Limits(total, agents)

    @property
    def steady(self) -> bool:
        """Return whether the clocks never jump."""
        return "clock" not in self.faults

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
            self.say(f"commit {seq}: {self.promise.committed(proc, seq)}")
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
        for run in self.ledger.runs:
            if run.proc is proc and run.until is None:
                run.until = self.loop.now
        self.count("crashes")
        self.say(f"{proc} dies")
        self.bells.die(proc)
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
        proc = Proc(
            name, host, f"{host}-{self.trouble.hosts[host]}", self._pids, front=main != self._work
        )
        self.procs.append(proc)
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
            self.leave[proc] = worker.engine.stop
            worker.engine._rng = rng

        await serve(
            self.paths,
            self.settings,
            registry=self._agents(),
            clock=self.trouble.clock(proc.host),
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
            clock=self.trouble.clock(proc.host),
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
            clock=self.trouble.clock(proc.host),
            autostart=False,
            registry=self._agents(),
        )
        async with hub:
            person, rest = (
                Person(self, hub, proc.name, self.rng("settler")),
                Rest(self.promise, self),
            )
            for _ in range(LIMIT):
                await person.settle()
                await person.watch()
                if not (left := rest.left()):
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
        hosts = sorted(self.trouble.hosts)
        for life in range(1_000_000):
            proc = self.start(f"{slot}.{life}", rng.choice(hosts), main)
            await self.ended(proc)
            if self.calm and main == self._sit:
                return
            await asyncio.sleep(0.2 + rng.random() * (0.5 if self.calm else 2 * self.pace))

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
                *(self.trouble.go_wrong(fault) for fault in sorted(self.faults)),
                self.promise.times.watch(),
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
        self.trouble.ends()
        for proc in self.procs:
            if proc.stopped:
                proc.go_on()
        await self.ended(self.start("settler", "here", self._settle))
        for proc in self.procs:
            if proc.alive and proc.front:
                await self.ended(proc)
        if self._broken is None:
            try:
                Rest(self.promise, self).at_rest()
            except AssertionError as broken:
                self.breaks(str(broken))

    def _end(self) -> None:
        """Let everything that still waits end, without a word and without a trace."""
        self.over = self.calm = True
        self.loop.set_exception_handler(lambda *_: None)
        for proc in self.procs:
            proc.go_on()
        for thread in self.threads:
            thread.close()
        for _ in range(50):
            tasks = [task for proc in self.procs for task in proc.pending()]
            if not tasks:
                break
            for task in tasks:
                # What writes ends by itself, and whoever closes a store waits for that.
                if task.get_name() != "database writer":
                    task.cancel()
            self.loop.run_until_complete(asyncio.wait(tasks, timeout=1))
        self._connections.end()
        self.guards.end()
        self.trouble.close()
        self._seeing.close()
        asyncio.set_event_loop(None)
        self.loop.close()
