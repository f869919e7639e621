"""Calling the agent of one stage: what it is given, and waiting for its end."""

import asyncio
import traceback
from pathlib import Path
from typing import Any

from taskhub_tui.agents import port
from taskhub_tui.agents.port import Agent, AgentError, Output
from taskhub_tui.domain import durations
from taskhub_tui.domain.errors import Damaged, LeaseLost, TaskHubError
from taskhub_tui.domain.evolve import replace
from taskhub_tui.domain.lifecycle import ANSWER_TO
from taskhub_tui.domain.model import Interrupt, Stage
from taskhub_tui.engine import outcome
from taskhub_tui.engine.context import Context
from taskhub_tui.engine.held import Held
from taskhub_tui.storage import queries
from taskhub_tui.text import one_line


async def run(
    held: Held, agent: Agent | None, stage: Stage, habit: Interrupt
) -> port.Result | None:
    """Run the agent; None when the task waits, failed or was taken away meanwhile."""
    if agent is None:
        try:
            held.registry.agent(stage.agent)
        except TaskHubError as error:
            await outcome.failed(held, stage, str(error), retryable=False)
        return None
    context = Context(held, stage, held.log, held.note_lost)
    held.context = context
    await _load(held)
    context.begin()
    runner = asyncio.create_task(
        _call(agent, _work(held, stage), context), name=f"{stage.agent} {held.task.id}"
    )
    context.task = runner
    if held.stopping != "no":
        context.cancel(held.stopping)
    expiry = None
    timed_out = False
    if stage.timeout is not None:

        def expire() -> None:
            nonlocal timed_out
            if context.suspended:
                return  # It has asked, and waits for an answer now.
            timed_out = True
            context.cancel("cancel")

        # What goes on, after an answer or under another worker, has used up some already.
        left = max(0.0, stage.timeout - context.worked)
        expiry = asyncio.get_running_loop().call_later(left, expire)
    try:
        await _finished(runner, context)
    finally:
        held.context = None
        if expiry is not None:
            expiry.cancel()
    stage = replace(
        held.stages[stage.position],
        fraction=context.fraction,
        note=context.note,
        worked=context.worked,
        limited=context.limited,
    )
    if context.forced:
        _note_forced(held, stage)
    if context.suspended or held.lost:
        return None
    if context.forced or runner.cancelled():
        if timed_out:
            await outcome.failed(
                held,
                stage,
                f"The stage “{stage.name}” took longer than its limit of"
                f" {durations.spell(stage.timeout or 0)}",
                retryable=True,
            )
        elif context.stop == "no":
            await outcome.failed(held, stage, f"The agent `{stage.agent}` gave up by itself")
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
        await outcome.agent_error(held, stage, problem, habit)
    elif isinstance(problem, LeaseLost):
        held.note_lost()
    elif isinstance(problem, Damaged):
        await outcome.failed(held, stage, f"{problem}; {problem.hint}")
    else:
        lines = traceback.format_exception(problem)
        held.log.add(held.clock(), "hub", "".join(lines))
        said = one_line(f"{type(problem).__name__}: {problem}", 300)
        await outcome.failed(
            held,
            stage,
            f"The agent `{stage.agent}` has a bug: {said}; the log has the details",
            retryable=False,
        )
    return None


async def _load(held: Held) -> None:
    """Read what `_work` needs, unless that has been done."""
    if held.artifacts is None:
        held.artifacts = await held.store.read(
            lambda reader: queries.artifacts_of(reader, held.task)
        )


def _work(held: Held, stage: Stage) -> port.Stage:
    """Return what the agent is to do, with all that went before."""
    made = held.artifacts or ()
    inputs = []
    for earlier in held.stages[: stage.position]:
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
    prompt = stage.prompt or held.task.request
    wishes = [words for words in held.task.context if not words.startswith(ANSWER_TO)]
    if held.task.context:
        added = "\n".join(f"- {words}" for words in held.task.context)
        prompt = f"{prompt}\n\nContext added since:\n{added}"
    workdir, datadir, outdir = held.folders or _make_folders(held)
    return port.Stage(
        task_id=held.task.id,
        stage_id=stage.name,
        position=stage.position,
        attempt=stage.attempt,
        prompt=prompt,
        # The latest wish first: it outweighs what was said before.
        request="\n".join([*reversed(wishes), stage.prompt or held.task.request]),
        options={**held.task.options, **stage.options},
        workdir=workdir,
        datadir=datadir,
        outdir=outdir,
        inputs=inputs,
        context=held.task.context,
        state=stage.state,
    )


def _make_folders(held: Held) -> tuple[Path, Path, Path]:
    task = held.task
    name = f"{_slug(task.title)}-{task.id}".lstrip("-")
    held.folders = Path(task.workdir), held.datadir, held.paths.results / name
    return held.folders


async def stop_agent(held: Held, stage: Stage) -> None:
    """End work that outlived its worker: run the agent once with `stop == "cancel"`."""
    agent, _ = held.agent(stage)
    if agent is None:
        said = f"The agent `{stage.agent}` cannot be loaded; what it started may still run"
        held.log.add(held.clock(), "hub", said)
        held.log.flush()
        return
    context = Context(held, stage, held.log, lambda: None)
    context.cancel("cancel")
    await _load(held)
    runner = asyncio.create_task(
        _call(agent, _work(held, stage), context), name=f"stop {held.task.id}"
    )
    context.task = runner
    await asyncio.wait([runner], timeout=context.patience())
    if not runner.done():
        context.cancel("cancel")
        await _finished(runner, context)
        _note_forced(held, stage)
    elif not runner.cancelled() and (error := runner.exception()) is not None:
        held.log.add(held.clock(), "hub", one_line(f"It could not be stopped cleanly: {error}"))
    held.log.flush()


def _note_forced(held: Held, stage: Stage) -> None:
    said = f"The agent `{stage.agent}` did not end when it was told to"
    held.log.add(held.clock(), "hub", f"{said}; what it has started may still run")


async def _call(agent: Agent, work: port.Stage, context: Context) -> port.Result:
    try:
        return await agent.run(work, context)
    except SystemExit as error:
        raise RuntimeError(f"it called sys.exit({error.code!r})") from error
    finally:
        context.open()


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
