"""A task that this worker holds: what is known of it, what runs for it, and how it is written."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from taskhub_tui.agents.port import Agent, Stop
from taskhub_tui.agents.registry import Registry
from taskhub_tui.config import Paths
from taskhub_tui.domain import execution
from taskhub_tui.domain.change import Change
from taskhub_tui.domain.errors import DiskFull, Outdated, StoreBusy, TaskHubError
from taskhub_tui.domain.evolve import replace
from taskhub_tui.domain.limits import NO_LIMITS, Limits
from taskhub_tui.domain.model import Artifact, Interrupt, Stage, Task
from taskhub_tui.engine.context import WRITE_TRIES, Context
from taskhub_tui.engine.tasklog import TaskLog
from taskhub_tui.storage import changes
from taskhub_tui.storage.claims import Claimed
from taskhub_tui.storage.store import Store
from taskhub_tui.storage.writer import Tx
from taskhub_tui.text import clean_json

log = logging.getLogger("taskhub.engine")


class Limited(Protocol):
    """Tells until when the provider of an agent takes nothing; given a time, notes it."""

    def __call__(self, agent: str, until: float | None = None) -> float: ...


def _never(agent: str, until: float | None = None) -> float:
    return 0.0


class Held:
    """A task that this worker holds: what is known of it, and what runs for it."""

    def __init__(
        self,
        claimed: Claimed,
        store: Store,
        registry: Registry,
        paths: Paths,
        *,
        clock: Callable[[], float],
        rng: random.Random,
        lost: Callable[[], None],
        outdated: Callable[[Outdated], None] = lambda error: None,
        limits: Limits = NO_LIMITS,
        limited: Limited = _never,
        follow: Callable[[Tx], list[Claimed]] = lambda tx: [],
        carry: Callable[[list[Claimed]], None] = lambda claimed: None,
    ) -> None:
        """
        Args:
            lost: called when it turns out that the task was taken from us.
            outdated: called when it turns out that a newer TaskHub has changed the database.
            limits: how many stages may run at once.
            limited: knows the agents whose provider takes nothing now.
            follow: claims, in the transaction that completes this task, what comes in its place.
            carry: is given what `follow` returned, once that is on disk.
        """
        self.limits = limits
        self.limited_until = limited
        self.slot = claimed.task.stage_agent
        """The agent whose place this task has, where the number of those is limited."""
        self.known = claimed.known
        """The task as the database has it."""
        self.task: Task = claimed.task
        self.stages: tuple[Stage, ...] = claimed.stages
        self.store = store
        self.clock = clock
        self.context: Context | None = None
        self.coroutine: asyncio.Task[None] | None = None
        """What carries the task; set by the engine."""
        self.lost = False
        """True once a write was refused because the fence is stale."""
        self.datadir = paths.task(claimed.task.id)
        self.log = TaskLog(self.datadir / "log", new=claimed.new)
        self.interrupted = claimed.interrupted
        """True until the stage that was running when another worker ended has been dealt with."""
        self.begun = claimed.begun
        """True when the stage began in the transaction that claimed the task."""
        self.artifacts: Sequence[Artifact] | None = claimed.artifacts
        """What its stages have handed over; None until it was read."""
        self.folders: tuple[Path, Path, Path] | None = None
        """Where its agents work, keep what is theirs, and leave results; made when first used."""
        self.registry = registry
        self.paths = paths
        self.rng = rng
        self._tell_lost = lost
        self.outdated = outdated
        self.follow = follow
        self.carry_next = carry
        self.stopping: Stop = "no"
        """Why it was told to stop, if it was."""

    def put(self, stage: Stage) -> None:
        """Replace what is known of one stage."""
        stages = list(self.stages)
        stages[stage.position] = stage
        self.stages = tuple(stages)

    def saved(self, position: int, state: Mapping[str, Any], log_mark: int) -> None:
        """Note that the database has this state of a stage."""
        stages = list(self.known.stages)
        stages[position] = replace(stages[position], state=state, log_mark=log_mark)
        self.known = replace(self.known, stages=tuple(stages))

    def noted(self, stage: Stage) -> None:
        """Note that the database has how long a stage has worked, and waited for its provider."""
        self.put(stage)
        stages = list(self.known.stages)
        known = stages[stage.position]
        stages[stage.position] = replace(known, worked=stage.worked, limited=stage.limited)
        self.known = replace(self.known, stages=tuple(stages))

    def handed_over(self, made: Artifact) -> None:
        """Note a file that the database has; one of the same name is replaced by it."""
        if self.artifacts is not None:
            same = (made.stage, made.name)
            others = [a for a in self.artifacts if (a.stage, a.name) != same]
            self.artifacts = [*others, made]

    def stop(self, why: Stop) -> bool:
        """Stop the agent, and with it this task's coroutine.

        Returns False when no agent hears that: none runs, though the work of one may, or it has
        been told to leave its work alone and is about to end.
        """
        self.stopping = why
        if self.context is not None and self.context.task is not None:
            heard = self.context.stop != "detach" and not self.context.task.done()
            self.context.cancel(why)
            return heard
        if self.coroutine is not None:
            self.coroutine.cancel()
        return False

    async def ended(self) -> None:
        """Leave the task, which is not ours under this fence any more, and wait for the agent.

        A cancellation waits as well: two agents must never work on one stage.
        """
        cancelled = False
        if self.context is None or self.context.stop == "no":
            self.stop("detach")
        while self.coroutine is not None and not self.coroutine.done():
            try:
                await asyncio.wait([self.coroutine])
            except asyncio.CancelledError:
                cancelled = True
        if cancelled:
            raise asyncio.CancelledError

    async def write(
        self,
        before: Change | None,
        change: Change,
        follow: Callable[[Tx], list[Claimed]] = lambda tx: [],
        *,
        unless: tuple[Callable[[Tx], bool], Change] | None = None,
    ) -> list[Claimed]:
        """Commit one step, together with the checkpoint before it if there is one.

        Args:
            follow: what else is done in the same transaction; what it returns is returned.
            unless: a test, made in the transaction, and the step to take where it says no.
        """
        if self.task.silent_since is not None:
            change = replace(change, alive=True)
            unless = unless and (unless[0], replace(unless[1], alive=True))
        if before is not None:
            change = execution.joined(before, change)
            unless = unless and (unless[0], execution.joined(before, unless[1]))
        if change.blocker is not None:
            # The plan it shows has options as they were given: exact, and perhaps hostile.
            shown = replace(change.blocker, detail=clean_json(change.blocker.detail))
            change = replace(change, blocker=shown)
        known = self.known
        tries = 0

        def write(tx: Tx) -> tuple[changes.Known, list[Claimed]]:
            step = change if unless is None or unless[0](tx) else unless[1]
            return changes.write_held(tx, step, known), follow(tx)

        while True:
            try:
                now, claimed = await self.store.write(write)
                break
            except StoreBusy as error:
                # A full disk, or a file kept busy: what was done is worth waiting for.
                tries += 1
                given_up = tries > WRITE_TRIES and not isinstance(error, DiskFull)
                if self.stopping != "no" or given_up:
                    raise
                log.warning("task %s: %s; trying again", self.task.id, error)
                await asyncio.sleep(min(5.0, 0.5 * tries))
        self.known = now
        self.task, self.stages = now.task, now.stages
        return claimed

    def agent(self, stage: Stage) -> tuple[Agent | None, Interrupt]:
        """Return the agent of a stage, if it can be used, and what to do after an interruption."""
        try:
            agent = self.registry.agent(stage.agent)
        except TaskHubError:
            return None, stage.on_interrupt or "ask"
        return agent, stage.on_interrupt or agent.card.on_interrupt

    def note_lost(self) -> None:
        """Note that the task is not ours any more, and tell the engine."""
        self.lost = True
        self._tell_lost()
