"""The stage context: what a running agent's words become."""

import asyncio
import logging
import mimetypes
import os
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from taskhub_tui.agents import port
from taskhub_tui.agents.port import Stop, Stream
from taskhub_tui.domain import durations, execution, ids, progress
from taskhub_tui.domain.errors import DiskFull, LeaseLost, Outdated, StoreBusy, TaskHubError
from taskhub_tui.domain.evolve import replace
from taskhub_tui.domain.legal import GATE, INTERRUPTED, LEGAL, REVIEW, STALLED
from taskhub_tui.domain.limits import GOT_ON, sane
from taskhub_tui.domain.model import Action, Artifact, Blocker, Choice, Stage, Status
from taskhub_tui.engine.ending import PATIENCE, Ending
from taskhub_tui.engine.tasklog import TaskLog
from taskhub_tui.storage import changes, queries, rules, stages
from taskhub_tui.storage.stages import Progressed, Worked
from taskhub_tui.storage.writer import Tx
from taskhub_tui.text import clean, clean_json, one_line, plain_json

if TYPE_CHECKING:
    from taskhub_tui.engine.held import Held

log = logging.getLogger("taskhub.engine")

WRITE_TRIES = 60
"""How often something is written again while the database is busy; some five minutes. A full disk
is waited for however long: nobody else could go on either."""
RETELL = 5.0
"""Seconds after which the time remaining is reckoned again, though nothing was reported."""
STATE_LIMIT = 1_000_000
"""Most characters an agent's state may have as JSON."""
_LONGEST = 1e9
"""Seconds that a question's timeout must be below; more is no time that anybody means."""
_UNSURE = {"": "unsure"}
"""Equal to no state that is ever written: it says that what the database has is not known."""
_DEFAULTS = {"approve": Action.APPROVE, "deny": Action.DENY, "cancel": Action.CANCEL}


class Context:
    """One agent's line to the engine while one stage runs."""

    def __init__(self, held: "Held", stage: Stage, log: TaskLog, lost: Callable[[], None]) -> None:
        """`lost` is called when it turns out that the task was taken from us."""
        self._held = held
        self._stage = stage
        self._worked = stage.worked
        """Seconds the attempt had worked before."""
        self._log = log
        self._lost = lost
        self._stop: Stop = "no"
        self._state: dict[str, Any] = dict(stage.state or {})
        self.task: asyncio.Task[Any] | None = None
        """The agent's coroutine."""
        self.suspended = False
        """True once the agent was let go because a person must answer first."""
        self.gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Opens when the agent has ended."""
        self._ending: Ending | None = None
        self._ended_for: Stop = "no"
        self.dirty = False
        self.note = stage.note
        self.fraction = stage.fraction
        # Not the time of day, which jumps, and goes on while the machine sleeps.
        self._time = asyncio.get_running_loop().time
        self._got_on = False
        """True once the agent has saved what it had not, or come further than ever."""
        self.begin()

    def begin(self) -> None:
        """Count from now: the agent is about to be called."""
        self._began = self.heard = self.told = self._time()
        """When it was called, when it last said anything, and when its progress was last written;
        all by the steady clock of the event loop."""

    @property
    def stop(self) -> Stop:
        return self._stop

    def cancel(self, why: Stop) -> None:
        """Cancel the agent; the first reason stays, but `cancel` outweighs `detach`."""
        if self._stop == "no" or why == "cancel":
            self._stop = why
        self._end()

    def patience(self) -> float:
        """Return the seconds the agent has to end by itself."""
        options = {**self._held.task.options, **self._stage.options}
        grace = sane(options.get("grace")) or 0.0
        return PATIENCE[self._stop] + (2 * grace if self._stop == "cancel" else 0.0)

    @property
    def worked(self) -> float:
        """Return the seconds that this attempt has worked so far, under whatever worker."""
        return self._worked + self._time() - self._began

    @property
    def limited(self) -> float | None:
        """Return how long its provider made the stage wait since it last got on."""
        if self._got_on or self._time() - self._began >= GOT_ON:
            return None
        return self._stage.limited

    @property
    def forced(self) -> bool:
        """True when the agent did not end by itself."""
        return self._ending is not None and self._ending.forced

    def _end(self) -> None:
        """Tell the agent to end, and see to it that it does."""
        if self.task is None or self.task.done():
            return
        self.task.cancel()
        if self._ending is None or self._ended_for != self._stop:
            if self._ending is not None:
                self._ending.stop()
            # A coroutine that has not begun opens no gate when it is cancelled.
            self.task.add_done_callback(self.open)
            self._ended_for = self._stop
            self._ending = Ending(self.task, self.patience())

    def open(self, _: object = None) -> None:
        """Let go whoever waits at the gate."""
        if not self.gate.done():
            self.gate.set_result(None)

    def close(self) -> None:
        """Put up another gate, since whoever waited at this one was cancelled."""
        self.gate = asyncio.get_running_loop().create_future()
        if self.task is not None:
            self.task.add_done_callback(self.open)

    # What agents call

    def log(self, text: str, *, stream: Stream = "agent", data: Any = None) -> None:
        self.heard = self._time()
        self._log.add(self._held.clock(), stream, text)

    def progress(self, fraction: float | None = None, note: str | None = None) -> None:
        self.heard = self._time()
        if fraction is not None and fraction == fraction:
            fraction = min(1.0, max(0.0, float(fraction)))
            self._got_on = self._got_on or fraction > (self._stage.fraction or 0.0)
            self.fraction = fraction
        if note is not None:
            self.note = one_line(note, 200)
        self.dirty = True

    async def save(self, **state: Any) -> None:
        self.heard = self._time()
        self._state.update(plain_json(state))
        await self._save()

    async def _save(self) -> None:
        if self._stop == "cancel":
            return  # Nobody goes on from here.
        size = len(repr(self._state))
        if size > STATE_LIMIT:
            raise port.AgentError(
                f"The agent wants to keep {size} characters of state; {STATE_LIMIT} are the most"
            )
        task, mark, snapshot = self._held.task, self._log.mark(), dict(self._state)
        self._got_on = self._got_on or snapshot != (self._stage.state or {})
        kept = replace(self._stage, state=snapshot, log_mark=mark)
        try:
            await self._fenced(lambda tx: stages.save(tx, task.n, task.fence, kept))
        except asyncio.CancelledError:
            # It may be written all the same, so the next step writes the state whatever it is.
            self._held.saved(kept.position, _UNSURE, mark)
            raise
        self._held.saved(kept.position, snapshot, mark)
        # Else a later write of this stage, such as the question after a loss, would undo it.
        self._stage = replace(self._stage, state=snapshot, log_mark=mark)
        self._held.put(self._stage)

    async def ask(self, blocker: port.Blocker) -> port.Answer:
        self.heard = self._time()
        task = self._held.task
        key = one_line(blocker.key, 200)
        if key in (GATE, REVIEW, INTERRUPTED) or key.startswith(STALLED):
            key = f"agent {key}"  # The bare ones are the engine's own questions.
        default = _DEFAULTS.get(blocker.default or "")
        if default is not None and default not in LEGAL[(Status.BLOCKED, blocker.kind)]:
            raise port.AgentError(
                f"The agent asks for {blocker.kind.value}, where {default.name} is no answer,"
                " but names it as the default; its author must mend that"
            )
        known = await self._held.store.glance(
            lambda reader: queries.blocker_by_key(
                reader, task, self._stage.position, self._stage.attempt, key
            )
        )
        if known is not None and known.answer is not None:
            said = known.answer
            return port.Answer(
                said["action"],
                said["choice"],
                said["text"],
                said["data"] or {},
                timed_out=known.state == "expired",
            )
        if self._stop != "no":
            return await self._never()
        if not _is_time(blocker.timeout):
            raise port.AgentError(
                f"The agent asks “{key}” with a timeout that is no number of seconds above 0; its"
                " author must mend that"
            )
        now, limit = self._held.clock(), sane(blocker.timeout)
        question = Blocker(
            id=known.id if known else ids.new_id(secrets.randbelow),
            task_id=task.id,
            stage=self._stage.position,
            key=key,
            kind=blocker.kind,
            question=clean(blocker.question, 4000) or "The agent asks, but says nothing",
            version=known.version + 1 if known else 1,
            created=now,
            choices=tuple(
                Choice(one_line(c.id, 100), one_line(c.label, 200), c.effect)
                for c in blocker.choices[:50]
            ),
            detail=clean_json(blocker.detail),
            risk=blocker.risk,
            attempt=self._stage.attempt,
            deadline=None if limit is None else min(durations.LAST, now + limit),
            default=default,
            unanswered=blocker.unanswered,
        )
        # Saved with the mark of the log, so that nothing is said twice when the agent goes on.
        await self._save()
        stage = replace(self._stage, state=dict(self._state), log_mark=self._log.mark())
        stage = replace(stage, fraction=self.fraction, note=self.note)
        stage = replace(stage, worked=self.worked, limited=self.limited)
        task = self._held.task  # That it is silent may have been written meanwhile.
        change = execution.ask(task, self._held.stages, stage, question, now)
        if task.silent_since is not None:
            change = replace(change, alive=True)
        self._stop = "detach"
        self.suspended = True
        try:
            before = self._held.known

            def write(tx: Tx) -> None:
                changes.write_held(tx, change, before)
                rules.apply(tx, task.id, question, now)

            await self._fenced(write)
        except port.AgentError:
            self._stop, self.suspended = "no", False
            raise
        self._end()
        return await self._never()

    async def artifact(self, artifact: port.Artifact) -> None:
        self.heard = self._time()
        try:
            size = artifact.path.stat().st_size
        except OSError as error:
            raise port.AgentError(
                f"The file {one_line(str(artifact.path))} was to be handed over,"
                f" but cannot be read: {error.strerror}"
            ) from error
        try:
            path = str(artifact.path.absolute())
            path.encode()
        except UnicodeEncodeError:
            shown = one_line(os.fsencode(artifact.path).decode(errors="replace"))
            raise port.AgentError(
                f"The file {shown} was to be handed over, but its name is not valid UTF-8"
            ) from None
        made = Artifact(
            self._held.task.id,
            self._stage.position,
            one_line(artifact.name, 200) or artifact.path.name,
            path,
            artifact.media_type or mimetypes.guess_type(artifact.path.name)[0] or "",
            size,
            self._held.clock(),
        )
        task, main = self._held.task, artifact.main
        await self._fenced(lambda tx: stages.artifact(tx, task.n, task.fence, made, main=main))
        self._held.handed_over(made)
        if main:
            self._held.task = replace(self._held.task, result=made.path)

    # What the engine reads

    def stale(self) -> bool:
        """Return whether the time remaining must be told anew.

        An agent that gets on no further makes it grow; it must not run down by the clock alone.
        """
        return self._held.task.eta is not None and self._time() - self.told >= RETELL

    def progressed(self) -> Progressed:
        """Return what is to be written about the progress so far."""
        held = self._held
        self.dirty = False
        self.told, now = self._time(), held.clock()
        stage = replace(self._stage, fraction=self.fraction, note=self.note)
        self._stage = stage
        held.put(stage)
        left = progress.remaining(held.stages, now)
        fraction = progress.fraction(held.stages)
        eta = None if left is None else now + left
        held.task = replace(held.task, fraction=fraction, note=self.note, eta=eta)
        return Progressed(
            held.task.n,
            held.task.fence,
            stage.position,
            self.fraction,
            fraction,
            self.note,
            eta,
        )

    def to_note(self) -> Worked | None:
        """Return how long the attempt has worked, where a limit goes by it."""
        stage, task = self._stage, self._held.task
        if self._stop != "no" or (stage.timeout is None and stage.limited is None):
            return None
        return Worked(task.n, task.fence, stage.position, self.worked, self.limited)

    def noted(self, made: Worked) -> None:
        """Take in what the database has of that now."""
        if self._stop == "no" and self._held.context is self:  # Else a later step has its own.
            self._stage = replace(self._stage, worked=made.seconds, limited=made.limited)
            self._held.noted(self._stage)

    async def _fenced(self, request: Any) -> None:
        tries = 0
        while self._stop != "cancel":
            try:
                await self._held.store.write(request)
                return
            except LeaseLost:
                # Why, a cancellation or another worker, is for the engine to find out.
                self._lost()
                await self._never()
            except Outdated as error:
                # Nor is it the agent's mistake: another worker goes on with what it has begun.
                self._held.outdated(error)
                self._lost()
                await self._never()
            except StoreBusy as error:
                # A full disk, or a file kept busy: what the agent has done is worth waiting for.
                tries += 1
                given_up = tries > WRITE_TRIES and not isinstance(error, DiskFull)
                if given_up or (self._stop != "no" and not self.suspended):
                    raise port.AgentError(str(error), retryable=True) from error
                log.warning("task %s: %s; trying again", self._held.task.id, error)
                await asyncio.sleep(min(5.0, 0.5 * tries))
            except TaskHubError as error:
                raise port.AgentError(str(error), retryable=True) from error

    async def _never(self) -> NoReturn:
        """Wait for the cancellation that is on its way."""
        while True:
            await asyncio.Event().wait()


def _is_time(seconds: object) -> bool:
    """Return whether an agent gave a time that can be stored, and waited for, or none at all."""
    if seconds is None:
        return True
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return False
    return 0 < seconds < _LONGEST
