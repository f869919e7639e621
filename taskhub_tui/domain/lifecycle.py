"""What a decision, or a deadline that passes, makes of a task. Pure: copies go in and come out.

Which decision fits which state is said in `legal`; the engine's own steps are in `execution`.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from taskhub_tui.domain import durations, progress
from taskhub_tui.domain.change import Change, Happened, Notice
from taskhub_tui.domain.errors import BadInput, NotLegal
from taskhub_tui.domain.fresh import anew, instead
from taskhub_tui.domain.legal import GATE, LEGAL, REVIEW, legal
from taskhub_tui.domain.model import (
    Action,
    Blocker,
    BlockerKind,
    Decision,
    NoticeKind,
    Stage,
    StageSpec,
    StageStatus,
    Status,
    Task,
    WaitingOn,
)
from taskhub_tui.domain.modify import ASIDE, Known, check_names, modified
from taskhub_tui.domain.variables import given
from taskhub_tui.records import dataclass

ANSWER_TO = "Answer to "
"""How the context begins that was the answer to an agent's question."""


def decide(
    task: Task,
    stages: Sequence[Stage],
    blocker: Blocker | None,
    decision: Decision,
    now: float,
    plan: Sequence[StageSpec] = (),
    known: Known | None = None,
) -> Change:
    """Return what `decision` makes of the task.

    Args:
        blocker: the open one, if a question is open.
        plan: for REASSIGN, the new agent's own stages.
        known: for MODIFY, the options that the agents know; None accepts any.

    Raises:
        NotLegal: the table has no such decision for this state; the message says what it has.
        BadInput: the decision lacks something, or MODIFY names what cannot be changed, or nothing
            that is left to do could use what is given.
    """
    allowed = legal(task, blocker)
    if decision.action not in allowed:
        names = ", ".join(action.name for action in allowed)
        state = task.status.value.replace("_", " ")
        raise NotLegal(
            f"{decision.action.name} does not fit: task {task.id} is {state}",
            f"Now it could be: {names}" if names else None,
        )
    if decision.variables and decision.action in (Action.DENY, Action.CANCEL):
        raise BadInput(f"{decision.action.name} lets nothing run that could use a variable")
    base = _Case(task, tuple(stages), blocker, _choosing(decision, blocker), now, known or {})
    match decision.action:
        case Action.CANCEL:
            return base.cancel()
        case Action.REASSIGN:
            return base.reassign(plan)
        case Action.RETRY:
            return base.again()
        case Action.MODIFY:
            return base.modify()
        case Action.PROVIDE_CONTEXT:
            return base.context()
        case Action.APPROVE:
            return base.approve()
        case Action.DENY:
            return base.deny()


def _choosing(decision: Decision, blocker: Blocker | None) -> Decision:
    """Return a decision whose words are exactly one of the choices as that choice."""
    if blocker is None or decision.choice is not None or not decision.text:
        return decision
    said = decision.text.strip().casefold()
    for offered in blocker.choices:
        if said in (offered.id.casefold(), offered.label.casefold()):
            return replace(decision, choice=offered.id)
    return decision


@dataclass(frozen=True, slots=True)
class _Case:
    task: Task
    stages: tuple[Stage, ...]
    blocker: Blocker | None
    decision: Decision
    now: float
    known: Known

    @property
    def current(self) -> Stage:
        return self.stages[min(self.task.stage, len(self.stages) - 1)]

    @property
    def begun(self) -> bool:
        """True when an agent is, or may still be, at work on the current stage."""
        if self.task.status is Status.IN_PROGRESS:
            return True
        asked = self.blocker is not None and self.blocker.key not in (GATE, REVIEW)
        return self.task.status in (Status.BLOCKED, Status.PENDING, Status.PAUSED) and (
            self.current.status in (StageStatus.RUNNING, StageStatus.WAITING)
            or (self.current.status is StageStatus.BLOCKED and (asked or self.blocker is None))
        )

    @property
    def stop(self) -> bool:
        """True when an agent must be stopped first; one that is being stopped stays so."""
        return self.task.stopping or self.begun

    # The seven decisions

    def cancel(self) -> Change:
        stages = tuple(
            replace(stage, status=StageStatus.CANCELLED, ended=self.now)
            for stage in self.stages
            if stage.status is not StageStatus.DONE
        )
        task = replace(
            self.task,
            status=Status.CANCELLED,
            waiting_on=None,
            ended=self.now,
            eta=None,
            silent_since=None,
            stopping=self.stop,
            fence=self.task.fence + 1,
        )
        return self._done(task, stages, self._answer("cancel"), drops=True)

    def reassign(self, plan: Sequence[StageSpec]) -> Change:
        agent = self.decision.agent
        if not agent:
            raise BadInput("REASSIGN needs the name of an agent", "Add it with --agent NAME")
        first = next((s for s in self.stages if s.status is not StageStatus.DONE), None)
        if first is None:
            raise NotLegal(
                f"Every stage of task {self.task.id} is done; nothing is left for another agent",
                "A new task can be given to that one",
            )
        replan = self.task.playbook is None and bool(plan)
        if replan:
            fresh = instead(self.stages[first.position :], plan)
        else:
            fresh = [
                anew(stage, agent=agent if stage.agent == first.agent else stage.agent)
                for stage in self.stages[first.position :]
            ]
        task = self._waiting(
            agent=agent if first.agent == self.task.agent else self.task.agent,
            stage=first.position,
            stage_name=fresh[0].name,
            stages=first.position + len(fresh) if replan else len(self.stages),
            stopping=self.stop,
            fence=self.task.fence + 1,
        )
        if self.decision.text:
            task = replace(task, context=(*task.context, self.decision.text))
        return self._done(task, tuple(fresh), self._answer("cancel"), replan=replan)

    def again(self) -> Change:
        if self.current.status is StageStatus.WAITING:
            # It goes on where it was; only the wait is cut short, and counts no more.
            waited = self.current.limited is not None
            stages = (replace(self.current, limited=None),) if waited else ()
            return self._done(self._ready(pausing=False), stages, None)
        # What was interrupted may be at work still, as a command is that outlived its worker.
        stop = self.stop
        ready = self._ready(
            pausing=False, stopping=stop, fence=self.task.fence + (1 if stop else 0)
        )
        return self._done(ready, self._anew(self.current), self._answer("accept"))

    def modify(self) -> Change:
        data = dict(self.decision.data)
        if data or not self.decision.variables:
            check_names(data)
        key = self.blocker.key if self.blocker else None
        proposed = (
            self.blocker is not None
            and self.blocker.kind is BlockerKind.APPROVAL
            and key not in (GATE, REVIEW)
        )
        if "arguments" in data and not proposed:
            raise BadInput("No arguments were proposed here, so there are none to modify")
        task, stages = modified(self.task, self.stages, data, self.known, self.now)
        waits = self.task.status in (Status.PENDING, Status.IN_PROGRESS, Status.PAUSED)
        again = self.task.status is Status.FAILED and "deadline" in data
        aside = ASIDE.issuperset(data) and not self.decision.variables
        if waits or (aside and not again):
            # A new title answers no question.
            return self._done(task, tuple(stages), None)
        current = stages[self.task.stage] if self.task.stage < len(stages) else stages[-1]
        ready = self._ready(task)
        if key == GATE:
            stages[current.position] = replace(current, status=StageStatus.PENDING, approved=True)
            return self._done(ready, tuple(stages), self._answer("accept"))
        if "arguments" in data:
            return self._done(ready, tuple(stages), self._answer("accept", data["arguments"]))
        # What was proposed belongs to the old request; it is not approved by changing that.
        for fresh in self._anew(current):
            stages[fresh.position] = fresh
        stop = self.stop
        ready = replace(ready, stopping=stop, fence=ready.fence + (1 if stop else 0))
        return self._done(ready, tuple(stages), self._answer("cancel"))

    def context(self) -> Change:
        words = self.decision.text or self._label(self.decision.choice)
        if not words:
            raise BadInput("PROVIDE_CONTEXT needs words", "Add them with --text")
        task = self.task
        if task.status is not Status.BLOCKED or self.blocker is None:
            task = replace(task, context=(*task.context, words))
            return self._done(task, (), None)
        if self.blocker.key == GATE:
            stage = replace(self.current, status=StageStatus.PENDING, approved=True)
            ready = self._ready(replace(task, context=(*task.context, words)))
            return self._done(ready, (stage,), self._answer("accept"))
        if self.blocker.key == REVIEW:
            ready = self._ready(replace(task, context=(*task.context, words)))
            return self._done(ready, (anew(self.current),), self._answer("decline"))
        # An agent's question keeps its answer for the agent; the context tells later stages.
        noted = f"{ANSWER_TO}“{self.blocker.question}”: {words}"
        ready = self._ready(replace(task, context=(*task.context, noted)))
        yes = self.blocker.kind is BlockerKind.INPUT
        return self._done(ready, (), self._answer("accept" if yes else "decline"))

    def approve(self) -> Change:
        assert self.blocker is not None
        if self.blocker.kind is BlockerKind.STALLED:
            return self._done(replace(self.task, waiting_on=None), (), self._answer("accept"))
        if self.blocker.key == GATE:
            stage = replace(self.current, status=StageStatus.PENDING, approved=True)
            return self._done(self._ready(), (stage,), self._answer("accept"))
        if self.blocker.key == REVIEW:
            stage = replace(self.current, status=StageStatus.DONE)
            return self._done(self._ready(), (stage,), self._answer("accept"))
        return self._done(self._ready(), (), self._answer("accept"))

    def deny(self) -> Change:
        assert self.blocker is not None
        reason = f": {self.decision.text}" if self.decision.text else ""
        who = "No answer in time" if self.decision.channel == "timeout" else self.decision.by
        if self.blocker.key in (GATE, REVIEW):
            what = "Denied by" if self.blocker.key == GATE else "The result was refused by"
            error = f"{what} {who}{reason}"
            stage = replace(self.current, status=StageStatus.FAILED, error=error, ended=self.now)
            task = replace(
                self.task,
                status=Status.FAILED,
                waiting_on=None,
                error=error,
                ended=self.now,
                eta=None,
            )
            return self._done(task, (stage,), self._answer("decline"))
        return self._done(self._ready(), (), self._answer("decline"))

    # What they share

    def _ready(self, task: Task | None = None, **changes: Any) -> Task:
        """Return the task as one that a worker may take at once."""
        task = task or self.task
        late = task.deadline is not None and task.deadline <= self.now
        return replace(
            task,
            **{
                "status": Status.PENDING,
                "waiting_on": WaitingOn.DEPENDENCY if self.task.deps_left else None,
                "ready_at": self.now,
                "error": None,
                "ended": None,
                "silent_since": None,
                # Whoever wants it done after its deadline wants it done without one.
                "deadline": None if late else task.deadline,
                **changes,
            },
        )

    def _waiting(self, **changes: Any) -> Task:
        """Return the task as `_ready` does, but still paused, or early for its hour, if it was."""
        task = self._ready(**changes)
        if self.task.started is None and self.task.ready_at > self.now:
            why = task.waiting_on or WaitingOn.SCHEDULE
            task = replace(task, ready_at=self.task.ready_at, waiting_on=why)
        if self.task.status is Status.PAUSED:
            task = replace(task, status=Status.PAUSED, waiting_on=None)
        return task

    def _anew(self, stage: Stage) -> tuple[Stage, ...]:
        """Return the stage as one to be started anew, unless it is done.

        A task whose deadline passed between two stages stands at one that is.
        """
        return () if stage.status is StageStatus.DONE else (anew(stage),)

    def _label(self, choice: str | None) -> str | None:
        if choice is None or self.blocker is None:
            return None
        for offered in self.blocker.choices:
            if offered.id == choice:
                return offered.label
        ids = ", ".join(f"`{offered.id}`" for offered in self.blocker.choices) or "none"
        raise BadInput(f"`{choice}` is not one of the choices", f"There are: {ids}")

    def _answer(self, action: str, data: Any = None) -> Blocker | None:
        if self.blocker is None:
            return None
        self._label(self.decision.choice)
        return replace(
            self.blocker,
            state="expired" if self.decision.channel == "timeout" else "answered",
            answer={
                "action": action,
                "choice": self.decision.choice,
                "text": self.decision.text,
                "data": data or {},
            },
            answered=self.now,
            by=self.decision.by,
            channel=self.decision.channel,
        )

    def _done(
        self,
        task: Task,
        stages: tuple[Stage, ...],
        blocker: Blocker | None,
        *,
        replan: bool = False,
        drops: bool = False,
    ) -> Change:
        by_position = {stage.position: stage for stage in self.stages}
        if not replan:
            stages = tuple(stage for stage in stages if by_position[stage.position] != stage)
        by_position.update({stage.position: stage for stage in stages})
        after = [by_position[i] for i in sorted(by_position) if i < task.stages]
        if self.decision.variables:
            task, wanting = given(task, after, self.decision.variables, self.known)
            fresh = {stage.position for stage in stages}
            stages = tuple(
                new for new, old in zip(wanting, after, strict=True)
                if new.position in fresh or new is not old
            )  # fmt: skip
            after = wanting
        task = replace(
            task,
            changed=self.now,
            fraction=progress.fraction(after),
            stage_agent=after[min(task.stage, len(after) - 1)].agent,
        )
        told = {
            "action": self.decision.action.value,
            "text": self.decision.text,
            "choice": self.decision.choice,
            "data": dict(self.decision.data),
            "agent": self.decision.agent,
            "rule": self.decision.rule,
            "variables": list(self.decision.variables),
            "blocker": self.blocker.id if self.blocker else None,
            "version": self.blocker.version if self.blocker else None,
        }
        event = Happened(
            "decided",
            self.task.stage if self.task.stages else None,
            {key: value for key, value in told.items() if value},
        )
        mended = self.task.status is Status.FAILED and task.status is not Status.FAILED
        settles = blocker is not None or mended
        return Change(
            task,
            stages,
            replan=replan,
            blocker=blocker,
            events=(event,),
            withdraw=settles or self.decision.action is Action.CANCEL,
            drops=drops,
        )


def miss_deadline(
    task: Task, stages: Sequence[Stage], blocker: Blocker | None, now: float
) -> Change | None:
    """Return what a deadline that has passed makes of a task; None when it does not matter."""
    if task.status.over or task.deadline is None or task.deadline > now:
        return None
    case = _Case(task, tuple(stages), blocker, Decision(Action.CANCEL, "", ""), now, {})
    had = durations.countdown(task.deadline - task.created)
    error = (
        f"It was not done by its deadline, {had} after it was handed over;"
        " RETRY runs it without one, MODIFY gives it another"
    )
    current = case.current
    stage = current
    if current.status is not StageStatus.DONE:
        stage = replace(current, status=StageStatus.FAILED, error=error, ended=now)
    failed = replace(
        task,
        status=Status.FAILED,
        waiting_on=None,
        silent_since=None,
        error=error,
        ended=now,
        changed=now,
        eta=None,
        stopping=task.stopping or case.begun,
        fence=task.fence + 1,
    )
    facts = {"error": error, "deadline": task.deadline}
    notice = Notice(NoticeKind.ERROR, task.title, error, LEGAL[(Status.FAILED, None)])
    happened = Happened("failed", current.position, facts)
    return Change(failed, (stage,), events=(happened,), notice=notice, withdraw=True)
