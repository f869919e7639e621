"""A plain model of a task's life, for one who decides and an engine that works when told to."""

from copy import deepcopy
from dataclasses import dataclass, field

from taskhub_tui.domain.legal import LEGAL
from taskhub_tui.domain.model import Action, BlockerKind, Status


class Refused(Exception):
    """The model does not allow it."""


@dataclass(slots=True)
class ModelStage:
    """A stage, and what its agent does at each start; beyond the end of `plan` it succeeds."""

    gate: bool
    review: bool
    plan: list[str]
    """done, fail, slow, or the kind of a question."""
    starts: int = 0
    running: bool = False
    answered: bool = False
    approved: bool = False
    done: bool = False

    def again(self) -> None:
        """Make it one to be started anew; its gate stays passed."""
        self.running = self.answered = False


@dataclass(slots=True)
class ModelTask:
    """A task as a person may think of it."""

    stages: list[ModelStage]
    playbook: bool
    after: set[str] = field(default_factory=set)
    status: Status = Status.PENDING
    kind: BlockerKind | None = None
    """What is asked, while it is blocked."""
    key: str = ""
    """gate, review, or question."""
    pausing: bool = False
    context: list[str] = field(default_factory=list)

    @property
    def current(self) -> ModelStage | None:
        return next((stage for stage in self.stages if not stage.done), None)

    @property
    def legal(self) -> tuple[Action, ...]:
        return LEGAL[(self.status, self.kind)]

    def copy(self) -> "ModelTask":
        return deepcopy(self)

    # The engine

    def work(self, *, slow_ends: bool) -> None:
        """Go on until it is over, or waits."""
        if self.status not in (Status.PENDING, Status.IN_PROGRESS) or self.after:
            return
        while (stage := self.current) is not None:
            if self.pausing and not stage.running:
                self.status, self.pausing = Status.PAUSED, False
                return
            if stage.gate and not stage.approved:
                self._ask(BlockerKind.APPROVAL, "gate")
                return
            if not stage.running:
                stage.starts += 1
                stage.running, stage.answered = True, False
            left = stage.plan[stage.starts - 1 :]
            what = left[0] if left else "done"
            if what == "fail":
                stage.running = False
                self.status = Status.FAILED
                return
            if what == "slow" and not slow_ends:
                self.status = Status.IN_PROGRESS
                return
            if what not in ("done", "slow") and not stage.answered:
                self._ask(BlockerKind(what), "question")
                return
            if stage.review:
                self._ask(BlockerKind.APPROVAL, "review")
                return
            stage.done, stage.running = True, False
        self.status = Status.COMPLETED

    def _ask(self, kind: BlockerKind, key: str) -> None:
        self.status, self.kind, self.key = Status.BLOCKED, kind, key

    # People

    def decide(self, action: Action, words: str, changes: frozenset[str]) -> None:
        """Take a decision. `changes` names what a MODIFY changes.

        Raises:
            Refused: it is not legal now.
        """
        if action not in self.legal:
            raise Refused
        stage, key = self.current, self.key
        if action is Action.CANCEL:
            self._over(Status.CANCELLED)
        elif action is Action.REASSIGN:
            self._reassign(words)
        elif action is Action.PROVIDE_CONTEXT:
            if key != "question":
                self.context.append(words)
            if self.status is Status.BLOCKED:
                self._answer(passes=key != "review", again=key == "review")
        elif action is Action.MODIFY:
            self._modify(changes)
        elif action is Action.DENY and key != "question":
            self._over(Status.FAILED)
            assert stage is not None
            stage.again()
        elif action is Action.APPROVE and key == "review":
            assert stage is not None
            stage.done, stage.running = True, False
            self._go()
        elif action is Action.RETRY:
            self.pausing = False
            self._answer(passes=False, again=True)
        else:
            self._answer(passes=True, again=False)

    def _modify(self, changes: frozenset[str]) -> None:
        proposed = self.kind is BlockerKind.APPROVAL and self.key == "question"
        if "arguments" in changes and not proposed:
            raise Refused
        waits = self.status in (Status.PENDING, Status.IN_PROGRESS, Status.PAUSED)
        if waits or changes == {"title"}:
            return
        passes = self.key == "gate" or "arguments" in changes
        self._answer(passes=passes, again=not passes)

    def _reassign(self, words: str) -> None:
        stage = self.current
        if stage is None:
            raise Refused
        self.context.append(words)
        if self.playbook:
            stage.again()
        else:
            at = self.stages.index(stage)
            left = self.stages[at:]
            # A person's wish to be asked outlives the plan.
            gate = any(one.gate and not one.approved for one in left)
            review = any(one.review for one in left)
            self.stages[at:] = [ModelStage(gate=gate, review=review, plan=[])]
        paused = self.status is Status.PAUSED
        self._go()
        if paused:
            self.status = Status.PAUSED

    def _answer(self, *, passes: bool, again: bool) -> None:
        stage = self.current
        assert stage is not None
        if again:
            stage.again()
        if passes and self.key == "gate":
            stage.approved = True
        if passes and self.key == "question":
            stage.answered = True
        self._go()

    def _go(self) -> None:
        self._over(Status.PENDING)

    def _over(self, status: Status) -> None:
        self.status, self.kind, self.key = status, None, ""

    def pause(self) -> None:
        if self.status is Status.PENDING:
            self.status = Status.PAUSED
        elif self.status is Status.IN_PROGRESS:
            self.pausing = True
        else:
            raise Refused

    def resume(self) -> None:
        if self.status is Status.PAUSED:
            self.status, self.pausing = Status.PENDING, False
        elif self.pausing:
            self.pausing = False
        else:
            raise Refused
