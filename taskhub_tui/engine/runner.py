"""Carrying one task that this worker holds from stage to stage until it ends, or waits."""

import asyncio
import json
import logging
import random
import secrets
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from taskhub_tui.agents import port
from taskhub_tui.agents.port import Agent, AgentError, Output, ProviderLimit, Stop
from taskhub_tui.agents.registry import Registry
from taskhub_tui.config import Paths, make_private
from taskhub_tui.domain import durations, execution, ids, limits
from taskhub_tui.domain.change import Change
from taskhub_tui.domain.errors import Damaged, LeaseLost, StoreBusy, TaskHubError
from taskhub_tui.domain.evolve import replace
from taskhub_tui.domain.lifecycle import ANSWER_TO
from taskhub_tui.domain.limits import NO_LIMITS, Limits
from taskhub_tui.domain.model import Artifact, Interrupt, Stage, StageStatus, Status, Task
from taskhub_tui.engine.context import WRITE_TRIES, Context
from taskhub_tui.engine.tasklog import TaskLog
from taskhub_tui.storage import changes, lanes, queries
from taskhub_tui.storage.claims import Claimed
from taskhub_tui.storage.store import Store
from taskhub_tui.storage.writer import Tx
from taskhub_tui.text import clean, clean_json, one_line

log = logging.getLogger("taskhub.engine")

ERROR_LIMIT = 4000
LOST_RERUNS = 3
"""How often work that was lost, and may be repeated, is repeated without asking."""
RESULT_LIMIT = 400_000
"""Most characters of a result's text, and of its data as JSON."""


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
        limits: Limits = NO_LIMITS,
        limited: Limited = _never,
        follow: Callable[[Tx], list[Claimed]] = lambda tx: [],
        carry: Callable[[list[Claimed]], None] = lambda claimed: None,
    ) -> None:
        """
        Args:
            lost: called when it turns out that the task was taken from us.
            limits: how many stages may run at once.
            limited: knows the agents whose provider takes nothing now.
            follow: claims, in the transaction that completes this task, what comes in its place.
            carry: is given what `follow` returned, once that is on disk.
        """
        self._limits = limits
        self._limited_until = limited
        self._slot = claimed.task.stage_agent
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
        self._interrupted = claimed.interrupted
        self._begun = claimed.begun
        self._artifacts: Sequence[Artifact] | None = claimed.artifacts
        """What its stages have handed over; None until it was read."""
        self._folders: tuple[Path, Path, Path] | None = None
        self._registry = registry
        self._paths = paths
        self._rng = rng
        self._tell_lost = lost
        self._follow = follow
        self._carry_next = carry
        self._stop: Stop = "no"

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

    def handed_over(self, made: Artifact) -> None:
        """Note a file that the database has; one of the same name is replaced by it."""
        if self._artifacts is not None:
            same = (made.stage, made.name)
            others = [a for a in self._artifacts if (a.stage, a.name) != same]
            self._artifacts = [*others, made]

    def stop(self, why: Stop) -> bool:
        """Stop the agent, and with it this task's coroutine.

        Returns False when no agent hears that: none runs, though the work of one may, or it has
        been told to leave its work alone and is about to end.
        """
        self._stop = why
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

    async def carry(self) -> None:
        """Go on until the task is over, waits for somebody, or is ours no more."""
        try:
            make_private(self.datadir)
            await self._stages()
        except LeaseLost:
            self._note_lost()
        finally:
            self.log.flush()

    @staticmethod
    def first(task: Task, stages: Sequence[Stage]) -> Change | None:
        """Return how a task just claimed starts or goes on, if nothing is to be done before."""
        stage = execution.current(stages)
        if stage is None or task.pausing or (stage.gate and not stage.approved):
            return None
        if stage.status is StageStatus.BLOCKED:
            return execution.go_on(task, stages, stage, task.changed, "resumed")
        if task.fence != 1 or stage.attempt:
            return None
        # Nothing has happened yet, so its log is empty.
        return execution.begin(task, stages, stage, task.changed, 0)

    async def _stages(self) -> None:
        before: Change | None = None
        """A checkpoint not yet written: it goes with the start of the next stage."""
        while True:
            stage = execution.current(self.stages)
            now = self.clock()
            if stage is None:
                done = execution.complete(self._after(before), self.stages, now)
                self._carry_next(await self._write(before, done, self._follow))
                return
            if self.task.pausing and stage.status is StageStatus.PENDING:
                await self._write(before, execution.paused(self._after(before), now))
                return
            if stage.gate and not stage.approved:
                asked = execution.gate(
                    stage, self.task, self.stages, ids.new_id(secrets.randbelow), now
                )
                await self._write(
                    before,
                    execution.ask(self._after(before), self.stages, stage, asked, now),
                )
                return
            agent, habit = self._agent(stage)
            how: str | None = "started"
            if self._begun:
                self._begun = False  # In the transaction that claimed the task.
            else:
                how = await self._start(before, stage, habit, now)
                if how is None:
                    return
            stage = self._current(stage.position)
            result = await self._run(agent, stage, habit, adopted=how == "adopted")
            if result is None:
                return
            before = await self._checkpointed(stage.position, result)
            if before is None:
                return

    async def _start(
        self, before: Change | None, stage: Stage, habit: Interrupt, now: float
    ) -> str | None:
        """Write that `stage` starts or goes on, and return which; None when it must wait."""
        if stage.status is StageStatus.PENDING or stage.attempt == 0:
            start = execution.begin(self._after(before), self.stages, stage, now, self.log.mark())
        elif self._interrupted and habit == "ask" and stage.status is StageStatus.RUNNING:
            await self._ask_interrupted(stage, "Its worker ended while it was running")
            return None
        else:
            if self._interrupted:
                self.log.cut(stage.log_mark)
            running = stage.status is StageStatus.RUNNING
            why = "adopted" if self._interrupted and running else "resumed"
            start = execution.go_on(self._after(before), self.stages, stage, now, why)
        self._interrupted = False
        how = start.events[-1].kind
        if stage.agent == self._slot and self._limited_until(stage.agent) <= now:
            await self._write(before, start)
        elif not await self._start_or_wait(before, start, stage, now):
            return None
        if self.task.pausing and how == "started":
            # Asked for while the checkpoint was written; the attempt has done nothing yet.
            await self._unstart(stage)
            return None
        return how

    async def _start_or_wait(
        self, before: Change | None, start: Change, stage: Stage, now: float
    ) -> bool:
        """Write that `stage` starts, or that it waits for its agent's turn; return which."""
        agent = stage.agent
        wait = execution.wait_for_turn(self._after(before), self.stages, stage, now)
        limits = NO_LIMITS if agent == self._slot else self._limits

        def free(tx: Tx) -> bool:
            return lanes.may_start(tx, self.task, agent, limits, now)

        limited = self._limited_until(agent) > now or agent in limits.agents
        await self._write(before, start, unless=(free, wait) if limited else None)
        self._slot = agent
        return self.task.status is Status.IN_PROGRESS

    def _after(self, before: Change | None) -> Task:
        return before.task if before is not None else self.task

    def _current(self, position: int) -> Stage:
        return self.stages[position]

    async def _write(
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
                if self._stop != "no" or tries > WRITE_TRIES:
                    raise
                log.warning("task %s: %s; trying again", self.task.id, error)
                await asyncio.sleep(min(5.0, 0.5 * tries))
        self.known = now
        self.task, self.stages = now.task, now.stages
        return claimed

    async def _unstart(self, stage: Stage) -> None:
        back = replace(stage, status=StageStatus.PENDING)
        change = execution.paused(self.task, self.clock())
        await self._write(None, replace(change, stages=(back,)))

    def _agent(self, stage: Stage) -> tuple[Agent | None, Interrupt]:
        """Return the agent of a stage, if it can be used, and what to do after an interruption."""
        try:
            agent = self._registry.agent(stage.agent)
        except TaskHubError:
            return None, stage.on_interrupt or "ask"
        return agent, stage.on_interrupt or agent.card.on_interrupt

    # Running one stage

    async def _run(
        self, agent: Agent | None, stage: Stage, habit: Interrupt, *, adopted: bool
    ) -> port.Result | None:
        """Run the agent; None when the task waits, failed or was taken away meanwhile."""
        if agent is None:
            try:
                self._registry.agent(stage.agent)
            except TaskHubError as error:
                await self._failed(stage, str(error), retryable=False)
            return None
        context = Context(self, stage, self.log, self._note_lost)
        self.context = context
        await self.load()
        runner = asyncio.create_task(
            _call(agent, self.work(stage), context), name=f"{stage.agent} {self.task.id}"
        )
        context.task = runner
        if self._stop != "no":
            context.cancel(self._stop)
        expiry = None
        timed_out = False
        if stage.timeout is not None:

            def expire() -> None:
                nonlocal timed_out
                timed_out = True
                context.cancel("cancel")

            # What was adopted has used up time already; waiting for a person costs none.
            used = self.clock() - (stage.started or 0.0) if adopted else 0.0
            left = max(0.0, stage.timeout - used)
            expiry = asyncio.get_running_loop().call_later(left, expire)
        try:
            await _finished(runner, context)
        finally:
            self.context = None
            if expiry is not None:
                expiry.cancel()
        stage = replace(self._current(stage.position), fraction=context.fraction, note=context.note)
        if context.forced:
            said = f"The agent `{stage.agent}` did not end when it was told to"
            self.log.add(self.clock(), "hub", f"{said}; what it has started may still run")
        if context.suspended or self.lost:
            return None
        if context.forced or runner.cancelled():
            if timed_out:
                await self._failed(
                    stage,
                    f"The stage “{stage.name}” took longer than its limit of"
                    f" {durations.spell(stage.timeout or 0)}",
                    retryable=True,
                )
            elif context.stop == "no":
                await self._failed(stage, f"The agent `{stage.agent}` gave up by itself")
            return None
        problem = runner.exception()
        if problem is None:
            result: Any = runner.result()
            if isinstance(result, port.Result) and isinstance(result.text, str):
                return result
            problem = TypeError(f"run() returned {one_line(repr(result), 100)}, not a Result")
        if context.stop != "no" and not timed_out:
            return None
        if isinstance(problem, AgentError):
            await self._agent_error(stage, problem, habit)
        elif isinstance(problem, LeaseLost):
            self._note_lost()
        elif isinstance(problem, Damaged):
            await self._failed(stage, f"{problem}; {problem.hint}")
        else:
            lines = traceback.format_exception(problem)
            self.log.add(self.clock(), "hub", "".join(lines))
            said = one_line(f"{type(problem).__name__}: {problem}", 300)
            await self._failed(
                stage,
                f"The agent `{stage.agent}` has a bug: {said}; the log has the details",
                retryable=False,
            )
        return None

    async def load(self) -> None:
        """Read what `work` needs, unless that has been done."""
        if self._artifacts is None:
            self._artifacts = await self.store.read(
                lambda reader: queries.artifacts_of(reader, self.task)
            )

    def work(self, stage: Stage) -> port.Stage:
        """Return what the agent is to do, with all that went before."""
        made = self._artifacts or ()
        inputs = []
        for earlier in self.stages[: stage.position]:
            output = earlier.output or {}
            files = tuple(
                port.Artifact(a.name, Path(a.path), a.media_type)
                for a in made
                if a.stage == earlier.position
            )
            inputs.append(
                Output(
                    earlier.name,
                    earlier.agent,
                    str(output.get("text") or ""),
                    output.get("data") or {},
                    files,
                )
            )
        prompt = stage.prompt or self.task.request
        wishes = [words for words in self.task.context if not words.startswith(ANSWER_TO)]
        if self.task.context:
            added = "\n".join(f"- {words}" for words in self.task.context)
            prompt = f"{prompt}\n\nContext added since:\n{added}"
        workdir, datadir, outdir = self._folders or self._make_folders()
        return port.Stage(
            task_id=self.task.id,
            stage_id=stage.name,
            position=stage.position,
            attempt=stage.attempt,
            prompt=prompt,
            # The latest wish first: it outweighs what was said before.
            request="\n".join([*reversed(wishes), stage.prompt or self.task.request]),
            options={**self.task.options, **stage.options},
            workdir=workdir,
            datadir=datadir,
            outdir=outdir,
            inputs=inputs,
            context=self.task.context,
            state=stage.state,
        )

    def _make_folders(self) -> tuple[Path, Path, Path]:
        task = self.task
        name = f"{_slug(task.title)}-{task.id}".lstrip("-")
        self._folders = Path(task.workdir), self.datadir, self._paths.results / name
        return self._folders

    # What came of it

    async def _checkpointed(self, position: int, result: port.Result) -> Change | None:
        """Record a result; returns what is still to be written, or None when the task waits."""
        stage = self._current(position)
        now = self.clock()
        data, problem = _json(result.data) if result.data else ({}, "")
        if problem:
            self.log.add(now, "hub", f"The data of the result was left out: {problem}")
        output = {"text": clean(result.text, RESULT_LIMIT), "data": data}
        if stage.review:
            self.put(replace(stage, output=output, fraction=1.0, note=""))
            stage = self._current(position)
            asked = execution.review(stage, self.task, ids.new_id(secrets.randbelow), now)
            blocked = execution.ask(self.task, self.stages, stage, asked, now)
            await self._write(None, blocked)
            return None
        change = execution.checkpoint(self.task, self.stages, stage, output, now)
        self.put(change.stages[0])
        if self._stop != "no":
            # No next stage will start here: what is done must be on disk before we leave.
            if execution.current(self.stages) is None:
                change = execution.joined(change, execution.complete(change.task, self.stages, now))
            await self._write(None, change)
            return None
        return change

    async def _agent_error(self, stage: Stage, error: AgentError, habit: Interrupt) -> None:
        said = clean(str(error), ERROR_LIMIT).strip() or "The agent failed and does not say why"
        detail, _ = _json(error.detail)
        if isinstance(error, ProviderLimit):
            await self._limited(stage, error, said)
            return
        if error.lost and habit != "rerun":
            await self._ask_interrupted(stage, said)
        elif error.lost and stage.failures < max(stage.retries, LOST_RERUNS):
            await self._repeat(stage, said, error.retry_after)
        else:
            await self._failed(
                stage,
                said,
                retryable=error.retryable and not error.lost,
                after=error.retry_after,
                detail=detail,
            )

    async def _repeat(self, stage: Stage, said: str, after: float | None) -> None:
        """Do again what was lost, with the same key: it may be repeated, but not for ever."""
        now = self.clock()
        self.log.add(now, "hub", said)
        delay = limits.retry_delay(stage.retry_delay, stage.failures, self._rng.random(), after)
        stage = replace(stage, log_mark=self.log.mark())
        await self._write(None, execution.repeat(self.task, self.stages, stage, said, delay, now))

    async def _limited(self, stage: Stage, error: ProviderLimit, said: str) -> None:
        """Let the stage go on when its provider takes it again; for too long, a person decides."""
        now = self.clock()
        since = stage.limited if stage.limited is not None else now
        delay = limits.limit_delay(now - since, self._rng.random(), error.retry_after)
        if now - since + delay > limits.LONGEST_WAIT:
            spelled = durations.countdown(delay)
            most = durations.spell(limits.LONGEST_WAIT)
            await self._failed(
                stage,
                f"{said}\nIt makes sense again in {spelled}, and TaskHub waits for a provider at"
                f" most {most}; RETRY tries again",
            )
            return
        self.log.add(now, "hub", f"{said}: going on in {durations.countdown(delay)}")
        stage = replace(stage, log_mark=self.log.mark())
        change = execution.wait_for_provider(self.task, self.stages, stage, said, delay, now)
        until = now + delay

        def note(tx: Tx) -> list[Claimed]:
            lanes.waited(tx, self.task.n, stage.position)
            if not error.alone:
                lanes.limit(tx, stage.agent, until, one_line(said, 300))
            return []

        if not error.alone:
            self._limited_until(stage.agent, until)
        await self._write(None, change, note)

    async def _ask_interrupted(self, stage: Stage, said: str) -> None:
        now = self.clock()
        asked = execution.interrupted(stage, self.task, ids.new_id(secrets.randbelow), now, said)
        await self._write(None, execution.ask(self.task, self.stages, stage, asked, now))

    async def _failed(
        self,
        stage: Stage,
        error: str,
        *,
        retryable: bool = False,
        after: float | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        now = self.clock()
        self.log.add(now, "hub", error)
        if retryable and stage.failures < stage.retries:
            delay = limits.retry_delay(stage.retry_delay, stage.failures, self._rng.random(), after)
            change = execution.retry_later(self.task, self.stages, stage, error, delay, now)
        else:
            change = execution.fail(self.task, self.stages, stage, error, now, detail or {})
        await self._write(None, change)

    async def give_up(self, error: Exception) -> None:
        """Fail the task because the engine itself cannot carry it."""
        stage = execution.current(self.stages) or self.stages[-1]
        said = one_line(f"{type(error).__name__}: {error}", 300)
        await self._failed(stage, f"TaskHub has a bug: {said}; the worker's log has the details")
        self.log.flush()

    def _note_lost(self) -> None:
        self.lost = True
        self._tell_lost()


async def _finished(runner: asyncio.Task[Any], context: Context) -> None:
    """Wait for the agent to end, however often we are cancelled meanwhile.

    A cancelled engine means `detach`: the agent is told, and waited for.
    """
    me = asyncio.current_task()
    assert me is not None
    before = me.cancelling()
    while not runner.done():
        if context.gate.done():
            context.close()
        try:
            await context.gate
        except asyncio.CancelledError:
            if me.cancelling() > before:
                context.cancel("detach")
    if me.cancelling() > before:
        if not runner.cancelled():
            runner.exception()
        raise asyncio.CancelledError


def _slug(title: str) -> str:
    """Return what a folder may be called after a title."""
    slug = "".join(c if c.isalnum() and c.isascii() else "-" for c in title.lower())
    return "-".join(part for part in slug.split("-") if part)[:40].strip("-")


async def _call(agent: Agent, work: port.Stage, context: Context) -> port.Result:
    try:
        return await agent.run(work, context)
    except SystemExit as error:
        raise RuntimeError(f"it called sys.exit({error.code!r})") from error
    finally:
        context.open()


async def stop_agent(held: Held, stage: Stage) -> None:
    """End work that outlived its worker: run the agent once with `stop == "cancel"`."""
    agent, _ = held._agent(stage)
    if agent is None:
        said = f"The agent `{stage.agent}` cannot be loaded; what it started may still run"
        held.log.add(held.clock(), "hub", said)
        held.log.flush()
        return
    context = Context(held, stage, held.log, lambda: None)
    context.cancel("cancel")
    await held.load()
    runner = asyncio.create_task(
        _call(agent, held.work(stage), context), name=f"stop {held.task.id}"
    )
    context.task = runner
    await asyncio.wait([runner], timeout=context.patience())
    if not runner.done():
        context.cancel("cancel")
        await _finished(runner, context)
        said = f"The agent `{stage.agent}` did not end when it was told to"
        held.log.add(held.clock(), "hub", f"{said}; what it has started may still run")
    elif not runner.cancelled() and (error := runner.exception()) is not None:
        held.log.add(held.clock(), "hub", one_line(f"It could not be stopped cleanly: {error}"))
    held.log.flush()


def _json(value: Any) -> tuple[dict[str, Any], str]:
    """Return `value` as JSON can hold it; too large or strange, it is empty, and a reason."""
    try:
        text = json.dumps(dict(value or {}), default=str)
    except (TypeError, ValueError, RecursionError) as error:
        return {}, one_line(str(error), 200)
    if len(text) > RESULT_LIMIT:
        return {}, f"it has {len(text)} characters, and {RESULT_LIMIT} are the most"
    return dict(json.loads(text)), ""
