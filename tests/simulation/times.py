"""How long agents work, wait and say nothing: by the clock of the loop, and what they did alone.

Nothing that the product computed is believed here: not since when it takes an agent to be silent,
not how long it takes an attempt to have worked.
"""

import asyncio
from typing import TYPE_CHECKING, Any

from simulation.agents import Key, Run

if TYPE_CHECKING:
    from simulation.promise import Promise
    from simulation.world import World

ROUNDING = 1e-3
"""Seconds by which two sums of the same times may differ."""
TENTH = 0.1
"""What is told of a pause is told to a tenth of a second."""


class Times:
    """Holds what is said of times in one world against what happened."""

    def __init__(self, promise: "Promise", world: "World") -> None:
        self._promise = promise
        self._world = world
        self._hold = promise.hold
        self._slack = 5 * world.look
        """Seconds that the product may take to notice, where nothing is in its way."""

    # Silence

    def silent(self, task: str, position: int, least: float, where: str) -> None:
        """Check that the agent that works on a stage has said nothing for so long, just now."""
        if not self._world.ledger.runs:
            return  # These are agents that note nothing.
        now = self._world.loop.now
        since = now - self._world.settings.lease - self._slack
        found = [run for run in self._world.ledger.runs if run.key[:2] == (task, position)]
        longest = 0.0
        for run in found:
            # It may have spoken, or ended, while that was being written.
            gaps = [gap for ended, gap in run.gaps if ended >= since]
            if run.until is None or run.until >= since:
                gaps.append((now if run.until is None else run.until) - run.heard)
            longest = max(longest, *gaps, 0.0)
        self._hold(
            longest >= least - ROUNDING,
            f"{where}: it was silent for {longest:.3f} s at most, not for {least}",
        )

    # Limits of time

    def too_long(self, key: Key, where: str) -> None:
        """Check that an attempt that is ended for its limit of time has worked for so long."""
        limit = self._limit(key)
        worked = sum((run.until or self._world.loop.now) - run.began for run in self._of(key))
        self._hold(
            limit is not None and worked >= limit - ROUNDING,
            f"{where}: it worked for {worked:.3f} s, and may work for {limit}",
        )
        self._world.count("took too long")

    def waits(self, key: Key) -> None:
        """Note that an attempt has stopped to ask, or to wait: what it has worked is on disk."""
        found = [run for run in self._of(key) if run.asking]
        if found:
            max(found, key=lambda run: run.began).noted = True

    def _of(self, key: Key) -> list[Run]:
        """Return the runs of an attempt since its work was last lost."""
        ledger = self._world.ledger
        lost = ledger.lost.get(key, 0)
        return [run for run in ledger.of(key) if run.valid and run.lost == lost]

    def _limit(self, key: Key) -> float | None:
        n = self._promise.audit.models[key[0]].n
        found = self._promise.rows(
            "SELECT timeout FROM stage WHERE task_n = ? AND position = ?", n, key[1]
        )
        return None if found[0][0] is None else float(found[0][0])

    # Providers

    def limited(self, key: Key, pause: float, where: str) -> None:
        """Check a pause against what the provider said, and what it said before."""
        self.waits(key)
        *before, last = self._world.ledger.refused[key]
        most = self._bounds([*before, last])[-1]
        least = 0.0 if last is None else last
        self._hold(
            least - TENTH <= pause <= most + TENTH,
            f"{where}: after {before} and {last} it is to wait between {least} and {most} s",
        )

    def waited_too_long(self, key: Key, where: str) -> None:
        """Check that a stage that is not let wait any more had to wait for a day in all."""
        waits = self._bounds(self._world.ledger.refused[key])
        self._hold(
            sum(waits) >= self._world.day - TENTH,
            f"{where}: it was to wait for {sum(waits):.1f} s, and a day has {self._world.day}",
        )
        self._world.count("waited for a day")

    def _bounds(self, said: list[float | None]) -> list[float]:
        """Return the longest pause for each word of a provider; None named no time."""
        world, waits = self._world, list[float]()
        for after in said:
            grown = min(world.hour, max(world.first, sum(waits)))
            waits.append((grown if after is None else after) + world.first / 4)
        return waits

    # What must happen in time

    async def watch(self) -> None:
        """Look now and then whether anything is late, until all is calm."""
        while not self._world.calm:
            await asyncio.sleep(self._world.look)
            for run in list(self._world.ledger.runs):
                if not self._world.calm and run.until is None:
                    self._told_in_time(run)
                    if not run.asking:
                        self.within(run)

    def _told_in_time(self, run: Run) -> None:
        late = self._world.loop.now - self._world.trouble.last < self._slack  # It may be.
        since = self._unhindered(run)
        if run.asking or late or since is _HINDERED:
            return
        task, position, _ = run.key
        shown = self._promise.patience(self._promise.audit.models[task].n, position).shown_after
        silent = self._world.loop.now - run.heard
        if 0 < shown <= silent - self._slack:
            said = f"{run.key} has been silent for {silent:.3f} s, not {shown}, and nobody is told"
            self._hold(since is not None, said)

    def within(self, run: Run) -> None:
        """Check that an attempt that works has not worked for longer than it may."""
        limit = self._limit(run.key)
        if limit is None or self._unhindered(run) is _HINDERED:
            return
        # Of what did not stop to ask or to wait, as when its worker dies, some may be lost.
        before = sum(
            other.paused - other.began
            for other in self._of(run.key)
            if other is not run and other.noted
        )
        worked = before + self._world.loop.now - run.began
        said = f"{run.key} has worked for {worked:.3f} s, may for {limit}, and goes on"
        self._hold(worked <= limit + self._world.pace / 10, said)

    def _unhindered(self, run: Run) -> Any:
        """Return since when its task is shown as silent, if its worker can do what it should."""
        world, proc = self._world, run.proc
        if world.over or run.ctx is None or run.ctx.stop != "no" or not run.valid:
            return _HINDERED
        if proc.stopped or not proc.alive or world.loop.now - world.trouble.stood < self._slack:
            return _HINDERED
        task, position, _ = run.key
        *row, since = self._promise.rows(
            "SELECT status, stage, holder, fence, silent_since FROM task WHERE id = ?", task
        )[0]
        return since if row == ["in_progress", position, proc.worker, run.fence] else _HINDERED


_HINDERED = object()
