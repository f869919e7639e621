"""What goes wrong in a simulated world: machines, clocks, the disk, and doorbells."""

import contextlib
import math
import random
import sqlite3
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from simulation.loop import PROC, Proc
from taskhub_tui import doorbell

if TYPE_CHECKING:
    from simulation.world import World

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


class Trouble:
    """All that goes wrong in one world, but for what agents and desktops do."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._disk = world.rng("delays")
        names = ("here", "there") if world.rng("hosts").random() < 0.3 else ("here",)
        self.hosts = dict.fromkeys(names, 0)
        """Machines, with how often each was started."""
        self._offsets = dict.fromkeys(names, 0.0)
        self._slow: dict[str, float] = {}
        self._trouble: dict[str, str] = {}
        self.last = self.stood = -math.inf
        """When anybody was last hindered by a disk, and when one that stood still last went on; by
        the clock of the loop."""
        self._lock = sqlite3.connect(world.paths.database, isolation_level=None)

    def ends(self) -> None:
        """Let nothing go wrong any more; all clocks show the same."""
        latest = max(0.0, *self._offsets.values())
        self._offsets = dict.fromkeys(self._offsets, latest)
        self._trouble.clear()
        self._slow.clear()

    def close(self) -> None:
        self._lock.close()

    # Clocks

    def clock(self, host: str) -> Callable[[], float]:
        """Return the wall clock of a machine."""
        return lambda: START + self._world.loop.now + self._offsets[host]

    # The disk

    def disk_delay(self, proc: Proc) -> float:
        """Return how long the next step of a database's thread takes."""
        if self._world.over:
            return 0.0
        if self._world.loop.now < self._slow.get(proc.host, 0.0):
            self.last = self._world.loop.now
            return self._disk.random() * self._world.settings.lease / 4
        draw = self._disk.random()
        return 0.0 if draw < 0.6 else (draw - 0.6) * 0.02 * self._world.pace

    @contextlib.contextmanager
    def disk_fault(self, proc: Proc, connection: sqlite3.Connection) -> Iterator[None]:
        """Let one step of a database's thread meet real trouble, if there is any."""
        trouble = "" if self._world.calm else self._trouble.get(proc.host, "")
        if trouble:
            self.last = self._world.loop.now
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

    # What goes wrong

    async def go_wrong(self, fault: str) -> None:
        rng, pace = self._world.rng(fault), self._world.pace
        often = rng.choice((3, 8, 20))
        while not self._world.calm:
            await self._world.idle(pace * often * rng.random())
            if not self._world.may(fault):
                return
            workers = [p for p in self._world.procs if p.alive and p.worker and not p.stopped]
            host = rng.choice(sorted(self.hosts))
            match fault:
                case "crash" if workers:
                    self._world.kill(rng.choice(workers))
                case "front":
                    if fronts := [p for p in self._world.procs if p.alive and p.front]:
                        self._world.kill(rng.choice(fronts))
                case "reboot" if rng.random() < 0.3:
                    self.hosts[host] += 1
                    self._world.say(f"{host} is started again")
                    for proc in [p for p in self._world.procs if p.alive and p.host == host]:
                        self._world.kill(proc)
                case "leave" if workers:
                    proc = rng.choice(workers)
                    self._world.say(f"{proc} is asked to leave")
                    proc.context.run(self._world.leave[proc])
                case "stop" if workers:
                    await self._stand_still(rng.choice(workers), rng)
                case "clock":
                    jump = rng.choice((-1, 1)) * rng.choice((1, 20, 200)) * pace * rng.random()
                    self._offsets[host] += jump
                    self._world.say(f"the clock of {host} jumps by {jump:.3f}")
                case "slow":
                    self._slow[host] = self._world.loop.now + pace * 3 * rng.random()
                    self._world.say(f"the disk of {host} is slow")
                case "busy" | "full":
                    self._trouble[host] = fault
                    self._world.say(f"the database is {fault} for {host}")
                    await self._world.idle(pace * rng.choice((0.3, 3, 10)) * rng.random())
                    self._trouble.pop(host, None)
                    self._world.say(f"the database is well again for {host}")

    async def _stand_still(self, proc: Proc, rng: random.Random) -> None:
        proc.stopped = True
        self._world.say(f"{proc} is stopped")
        await self._world.idle(
            self._world.settings.lease * rng.choice((0.2, 1.2, 2)) * rng.random()
        )
        if proc.alive:
            self._world.say(f"{proc} goes on")
            self.stood = self._world.loop.now
            proc.go_on()


class Bells:
    """The doorbells of all processes, of which some ring unheard."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._chance = world.rng("chance")
        self._bells: list[tuple[Proc, doorbell.Doorbell]] = []

    def die(self, proc: Proc) -> None:
        """Forget the bells of a process that died."""
        self._bells = [pair for pair in self._bells if pair[0] is not proc]

    def listen(self, bell: doorbell.Doorbell) -> None:
        proc = PROC.get()
        assert proc is not None
        self._bells.append((proc, bell))

    def hush(self, bell: doorbell.Doorbell) -> None:
        self._bells = [pair for pair in self._bells if pair[1] is not bell]

    def ring(self, bell: doorbell.Doorbell) -> None:
        for proc, other in self._bells:
            if other is bell or (self._world.may("bell") and self._chance.random() < 0.5):
                continue
            when = self._world.loop.now + self._chance.random() * 0.001
            self._world.loop.call_at(when, other.knock, context=proc.context)
