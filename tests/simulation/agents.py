"""Agents that do what the seed says, and hold what they see of the engine against the promise."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from simulation.loop import PROC, Proc
from taskhub_tui.agents.port import (
    AgentCard,
    AgentError,
    Artifact,
    Blocker,
    BlockerKind,
    Choice,
    ProviderLimit,
    Result,
    Stage,
    StageContext,
)
from taskhub_tui.domain.model import Interrupt

if TYPE_CHECKING:
    from simulation.world import World

HABITS: Mapping[str, Interrupt] = {"adopter": "adopt", "rerunner": "rerun", "asker": "ask"}
"""The agents there are, and what each wants done when its worker died under it."""

Key = tuple[str, int, int]
"""Task, position of the stage, attempt."""


@dataclass(slots=True)
class Run:
    """One call of `run`, not one that only stops what ran."""

    key: Key
    proc: Proc
    fence: int
    """The task's fence when it began."""
    valid: bool
    """False when the worker had lost the task before it began."""
    lost: int = 0
    """How often this attempt had been lost and repeated before."""
    asking: bool = False
    """True while, or once for all, it waits in `ask`, or for its provider."""
    ended: bool = False
    ctx: StageContext | None = None
    began: float = 0.0
    """When it was called, by the clock of the loop, as all times here."""
    heard: float = 0.0
    """When it last gave a sign of life."""
    gaps: list[tuple[float, float]] = field(default_factory=list)
    """When each silence of it ended, and how long it was."""
    paused: float = 0.0
    """When it last began to ask, or was refused by its provider."""
    until: float | None = None
    """When it ended, or was killed."""
    noted: bool = False
    """True once it is on disk that it stopped to ask, or to wait for its provider."""


SIGNS = ("log", "progress", "save", "ask", "artifact")


class Heard:
    """What an agent is given: notes, apart from the product, when it gives a sign of life."""

    def __init__(self, ctx: StageContext, run: Run, world: "World") -> None:
        self._ctx, self._run, self._world = ctx, run, world

    def __getattr__(self, name: str) -> Any:
        if name in SIGNS:
            run, now = self._run, self._world.loop.now
            self._world.promise.times.within(run)
            run.gaps.append((now, now - run.heard))
            run.heard = now
        return getattr(self._ctx, name)


@dataclass(slots=True)
class Operation:
    """Something that goes on elsewhere, whatever happens to workers."""

    until: float
    """When it is done, by the clock of the loop."""
    cancelled: bool = False
    lost: bool = False


@dataclass(slots=True)
class Ledger:
    """What happened outside of TaskHub's own memory: it survives every crash."""

    runs: list[Run] = field(default_factory=list)
    saved: dict[Key, dict[str, Any]] = field(default_factory=dict)
    """What `save` has acknowledged."""
    lost: dict[Key, int] = field(default_factory=dict)
    """How often the work of an attempt was lost and is repeated."""
    refused: dict[Key, list[float | None]] = field(default_factory=dict)
    """What the provider said each time it refused an attempt: in how many seconds to come again."""
    operations: dict[str, Operation] = field(default_factory=dict)
    answers: dict[tuple[Key, str], tuple[Any, ...]] = field(default_factory=dict)

    def of(self, key: Key) -> list[Run]:
        return [run for run in self.runs if run.key == key]

    def active(self, task: str) -> list[Run]:
        """Return the runs of one task that go on in processes that live."""
        return [r for r in self.runs if r.key[0] == task and not r.ended and r.proc.alive]


class SimAgent:
    """Does for each attempt of a stage what the seed says."""

    def __init__(self, name: str, world: "World") -> None:
        self.card = AgentCard(name, name, "", on_interrupt=HABITS[name])
        self._world = world

    async def run(self, stage: Stage, ctx: StageContext) -> Result:
        world = self._world
        key = (stage.task_id, stage.position, stage.attempt)
        if ctx.stop == "cancel":
            return await self._clean_up(stage, ctx)
        proc = PROC.get()
        assert proc is not None
        run = world.promise.begins(key, proc, stage)
        run.began = run.heard = world.loop.now
        run.ctx = ctx
        ctx = cast(StageContext, Heard(ctx, run, world))
        world.ledger.runs.append(run)
        world.say(f"run {'/'.join(map(str, key))} by {self.card.name}, state {stage.state}")
        rng = world.rng(f"script {key}")
        try:
            return await self._attempt(stage, ctx, run, rng)
        except asyncio.CancelledError:
            if ctx.stop == "cancel":
                self._cancel(stage.idempotency_key)
            if rng.random() < 0.2:
                # Slow to go; the engine waits for it.
                await asyncio.sleep(rng.random() * world.pace)
            if ctx.stop == "detach" and not run.asking and rng.random() < 0.1:
                self._cancel(stage.idempotency_key)
                return self._result(stage)
            raise
        finally:
            run.ended = True
            run.until = world.loop.now if run.until is None else run.until
            world.promise.times.within(run)
            world.say(f"run {'/'.join(map(str, key))} ends, stop {ctx.stop}")

    async def _clean_up(self, stage: Stage, ctx: StageContext) -> Result:
        """End what an earlier run left behind."""
        self._world.say(f"clean up {stage.idempotency_key}, state {stage.state}")
        rng = self._world.rng(f"clean up {stage.idempotency_key}")
        await asyncio.sleep(rng.random() * self._world.pace)
        ctx.log("cleaning up")
        ctx.progress(rng.random(), "cleaning up")
        try:
            await ctx.save(cleaned=True)
        except Exception as error:
            self._world.breaks(f"clean up of {stage.idempotency_key} cannot save: {error!r}")
        if stage.state and "operation" in stage.state:
            self._cancel(stage.state["operation"])
        if rng.random() < 0.1 and self._world.may("agents"):
            raise AgentError("It could not be cleaned up")
        return Result()

    def _cancel(self, operation: str) -> None:
        if (found := self._world.ledger.operations.get(operation)) is not None:
            found.cancelled = True

    async def _attempt(
        self, stage: Stage, ctx: StageContext, run: Run, rng: random.Random
    ) -> Result:
        world, key = self._world, run.key
        kinds = ("sleep", "save", "progress", "ask", "artifact", "log")
        steps = rng.choices(kinds, (4, 3, 3, 1.3, 0.4, 1), k=rng.randint(0, 5))
        start = int((stage.state or {}).get("step", 0))
        if self.card.on_interrupt == "adopt":
            await self._operate(stage, ctx, run, rng)
        for i, step in enumerate(steps):
            # Drawn for the steps that are left out too, so that the others stay the same.
            how_long = world.pace * rng.choice((0.02, 0.2, 0.5, 1, 6)) * rng.random()
            draw = rng.random()
            if i < start:
                continue
            if step == "sleep":
                await world.idle(how_long)
            elif step == "save":
                await ctx.save(step=i)
                if ctx.stop != "cancel":
                    world.promise.saved(run, step=i)
            elif step == "progress":
                ctx.progress(i / len(steps), f"step {i}")
            elif step == "ask":
                await self._ask(f"question {i}", stage, ctx, run, draw)
            elif step == "artifact":
                await self._hand_over(stage, ctx, i)
            else:
                ctx.log(f"{key} step {i}\n" + "x" * int(draw * 300))
        if self.card.on_interrupt == "adopt":
            await self._wait_for_operation(stage)
        if world.may("agents"):
            await self._misbehave(stage, run, rng)
        return self._result(stage)

    @staticmethod
    def _result(stage: Stage) -> Result:
        return Result(f"result of {stage.idempotency_key}", {"attempt": stage.attempt})

    async def _operate(self, stage: Stage, ctx: StageContext, run: Run, rng: random.Random) -> None:
        """Start a remote operation, once; a repetition finds it."""
        world, name = self._world, stage.idempotency_key
        length = world.pace * rng.choice((0.2, 1, 6)) * rng.random()
        lost = rng.random() < 0.1 and world.may("agents")
        if "operation" not in (stage.state or {}):
            await ctx.save(operation=name)
            if ctx.stop != "cancel":
                world.promise.saved(run, operation=name)
        known = world.ledger.operations.get(name)
        if known is None or (known.lost and "operation" not in (stage.state or {})):
            world.ledger.operations[name] = Operation(world.loop.now + length, lost=lost)

    async def _wait_for_operation(self, stage: Stage) -> None:
        operation = self._world.ledger.operations[stage.idempotency_key]
        if operation.lost:
            raise AgentError("The service does not know the operation any more", lost=True)
        while self._world.loop.now < operation.until and not operation.cancelled:
            await self._world.idle(operation.until - self._world.loop.now + 0.001)
            if self._world.calm:
                operation.until = min(operation.until, self._world.loop.now)

    async def _ask(self, name: str, stage: Stage, ctx: StageContext, run: Run, draw: float) -> None:
        world = self._world
        kind = (BlockerKind.APPROVAL, BlockerKind.INPUT, BlockerKind.AUTH)[int(draw * 30) % 3]
        limited = draw < 0.5
        default = ("deny", "cancel", "deny")[int(draw * 300) % 3]
        if kind is BlockerKind.APPROVAL and draw < 0.2:
            default = "approve"
        run.asking, run.paused = True, world.loop.now
        answer = await ctx.ask(
            Blocker(
                name,
                kind,
                f"{name} of {stage.idempotency_key}?",
                choices=(Choice("one", "First"), Choice("two", "Second")) if draw > 0.7 else (),
                detail={"draw": round(draw, 3)},
                timeout=world.pace * 20 * draw if limited else None,
                default=default if limited else None,  # type: ignore[arg-type]
            )
        )
        run.asking = False
        world.promise.answered(run, name, answer)
        if answer.action == "cancel":
            self._cancel(stage.idempotency_key)
            raise AgentError("Nobody answered")

    async def _hand_over(self, stage: Stage, ctx: StageContext, i: int) -> None:
        path = stage.datadir / f"file-{stage.position}-{i}"
        path.write_text("made\n")
        await ctx.artifact(Artifact(path.name, path, "text/plain", main=i % 2 == 0))
        if ctx.stop != "cancel":
            self._world.promise.handed_over(stage, path.name)

    async def _misbehave(self, stage: Stage, run: Run, rng: random.Random) -> None:
        """Fail in one of the ways agents fail."""
        world = self._world
        kinds = (
            "well",
            "again",
            "later",
            "lost",
            "for good",
            "bug",
            "hang",
            "quit",
            "give up",
            "limit",
        )
        match rng.choices(kinds, (60, 10, 6, 8, 4, 3, 6, 2, 2, 40))[0]:
            case "again":
                raise AgentError("It did not work; again", retryable=True)
            case "later":
                after = world.pace * rng.random() * 10
                raise AgentError("Come back later", retryable=True, retry_after=after)
            case "lost":
                raise AgentError("It is gone", lost=True)
            case "for good":
                raise AgentError("It cannot be done", detail={"why": "it cannot"})
            case "bug":
                raise ZeroDivisionError("a bug of the agent")
            case "quit":
                raise SystemExit(3)
            case "give up":
                raise asyncio.CancelledError
            case "limit":
                key = (stage.task_id, stage.position, stage.attempt)
                refused = world.ledger.refused.setdefault(key, [])
                after = rng.choice(
                    (None, world.pace * rng.random(), *[world.pace * 5] * 4, 200_000.0)
                )
                if len(refused) < 3:
                    refused.append(after)
                    world.count("provider limits")
                    run.asking, run.paused = True, world.loop.now
                    alone = rng.random() < 0.3
                    raise ProviderLimit("Too many requests", retry_after=after, alone=alone)
            case "hang":
                while not world.calm:
                    await world.idle(world.pace * 5)
