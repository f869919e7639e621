"""What came of a stage: its checkpoint, or the question, the wait or the failure it ends in."""

import json
import secrets
from collections.abc import Mapping
from typing import Any

from taskhub_tui.agents import port
from taskhub_tui.agents.port import AgentError, ProviderLimit
from taskhub_tui.domain import durations, execution, ids, limits, questions
from taskhub_tui.domain.change import Change
from taskhub_tui.domain.evolve import replace
from taskhub_tui.domain.model import Interrupt, Stage
from taskhub_tui.engine.held import Held
from taskhub_tui.storage import lanes
from taskhub_tui.storage.claims import Claimed
from taskhub_tui.storage.writer import Tx
from taskhub_tui.text import clean, one_line, plain_json

ERROR_LIMIT = 4000
LOST_RERUNS = 3
"""How often work that was lost, and may be repeated, is repeated without asking."""
RESULT_LIMIT = 400_000
"""Most characters of a result's text, and of its data as JSON."""


async def checkpointed(held: Held, position: int, result: port.Result) -> Change | None:
    """Record a result; returns what is still to be written, or None when the task waits."""
    stage = held.stages[position]
    now = held.clock()
    data, problem = _json(result.data) if result.data else ({}, "")
    if problem:
        held.log.add(now, "hub", f"The data of the result was left out: {problem}")
    output = {"text": clean(result.text, RESULT_LIMIT), "data": data}
    if stage.review:
        held.put(replace(stage, output=output, fraction=1.0, note=""))
        stage = held.stages[position]
        asked = questions.review(stage, held.task, ids.new_id(secrets.randbelow), now)
        blocked = execution.ask(held.task, held.stages, stage, asked, now)
        await held.write(None, blocked)
        return None
    change = execution.checkpoint(held.task, held.stages, stage, output, now)
    held.put(change.stages[0])
    if held.stopping != "no":
        # No next stage will start here: what is done must be on disk before we leave.
        if execution.current(held.stages) is None:
            change = execution.joined(change, execution.complete(change.task, held.stages, now))
        await held.write(None, change)
        return None
    return change


async def agent_error(held: Held, stage: Stage, error: AgentError, habit: Interrupt) -> None:
    """Record what the agent said went wrong: the stage waits, asks, is tried again, or fails."""
    said = clean(str(error), ERROR_LIMIT).strip() or "The agent failed and does not say why"
    detail, _ = _json(error.detail)
    if isinstance(error, ProviderLimit):
        await _limited(held, stage, error, said)
        return
    if error.lost and habit != "rerun":
        await ask_interrupted(held, stage, said)
    elif error.lost and stage.failures < max(stage.retries, LOST_RERUNS):
        await _repeat(held, stage, said, error.retry_after)
    else:
        await failed(
            held,
            stage,
            said,
            retryable=error.retryable and not error.lost,
            after=error.retry_after,
            detail=detail,
        )


async def failed(
    held: Held,
    stage: Stage,
    error: str,
    *,
    retryable: bool = False,
    after: float | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Record a failure; one that is `retryable` is tried again while the stage has tries left."""
    now = held.clock()
    held.log.add(now, "hub", error)
    if retryable and stage.failures < stage.retries:
        delay = limits.retry_delay(stage.retry_delay, stage.failures, held.rng.random(), after)
        change = execution.retry_later(held.task, held.stages, stage, error, delay, now)
    else:
        change = execution.fail(held.task, held.stages, stage, error, now, detail or {})
    await held.write(None, change)


async def ask_interrupted(held: Held, stage: Stage, said: str) -> None:
    """Ask a person whether an interrupted stage may be run again; `said` is why it was."""
    now = held.clock()
    asked = questions.interrupted(stage, held.task, ids.new_id(secrets.randbelow), now, said)
    await held.write(None, execution.ask(held.task, held.stages, stage, asked, now))


async def _repeat(held: Held, stage: Stage, said: str, after: float | None) -> None:
    """Do again what was lost, with the same key: it may be repeated, but not for ever."""
    now = held.clock()
    held.log.add(now, "hub", said)
    delay = limits.retry_delay(stage.retry_delay, stage.failures, held.rng.random(), after)
    stage = replace(stage, log_mark=held.log.mark())
    await held.write(None, execution.repeat(held.task, held.stages, stage, said, delay, now))


async def _limited(held: Held, stage: Stage, error: ProviderLimit, said: str) -> None:
    """Let the stage go on when its provider takes it again; for too long, a person decides."""
    now = held.clock()
    waited = stage.limited or 0.0
    delay = limits.limit_delay(waited, held.rng.random(), error.retry_after)
    if waited + delay > limits.LONGEST_WAIT:
        spelled = durations.countdown(delay)
        most = durations.spell(limits.LONGEST_WAIT)
        await failed(
            held,
            stage,
            f"{said}\nIt makes sense again in {spelled}, and TaskHub waits for a provider at"
            f" most {most}; RETRY tries again",
        )
        return
    held.log.add(now, "hub", f"{said}: going on in {durations.countdown(delay)}")
    stage = replace(stage, log_mark=held.log.mark())
    change = execution.wait_for_provider(held.task, held.stages, stage, said, delay, now)
    until = now + delay

    def note(tx: Tx) -> list[Claimed]:
        lanes.waited(tx, held.task.n, stage.position)
        if not error.alone:
            lanes.limit(tx, stage.agent, until, one_line(said, 300))
        return []

    if not error.alone:
        held.limited_until(stage.agent, until)
    await held.write(None, change, note)


async def give_up(held: Held, error: Exception) -> None:
    """Fail the task because the engine itself cannot carry it."""
    stage = execution.current(held.stages) or held.stages[-1]
    said = one_line(f"{type(error).__name__}: {error}", 300)
    await failed(held, stage, f"TaskHub has a bug: {said}; the worker's log has the details")
    held.log.flush()


def _json(value: Any) -> tuple[dict[str, Any], str]:
    """Return `value` as JSON can hold it; too large or strange, it is empty, and a reason."""
    try:
        text = json.dumps(plain_json(dict(value or {})), default=str)
    except (TypeError, ValueError, RecursionError) as error:
        return {}, one_line(str(error), 200)
    if len(text) > RESULT_LIMIT:
        return {}, f"it has {len(text)} characters, and {RESULT_LIMIT} are the most"
    return dict(json.loads(text)), ""
