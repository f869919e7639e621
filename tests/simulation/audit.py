"""Each task as the audit trail tells it, moved along one event after the other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from taskhub_tui.domain.legal import LEGAL
from taskhub_tui.domain.model import Action, BlockerKind, Status, WaitingOn

if TYPE_CHECKING:
    from simulation.promise import Promise

LOST_RERUNS = 3
"""How often, at least, lost work that may be repeated is repeated before a person decides."""
STALLED = "stalled"


@dataclass(slots=True)
class Model:
    """A task as its audit trail tells it."""

    n: int
    status: str = "pending"
    done: set[int] = field(default_factory=set)
    attempts: dict[int, int] = field(default_factory=dict)
    asked: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    """Key, kind and stage of every question."""
    open: str | None = None
    taken_over: bool = False
    pausing: bool = False
    silent: bool = False
    """True while it is shown that the agent gives no sign of life."""
    comes_back: bool = False
    """True from a failed attempt until the next one begins: that can be asked for at once."""
    failures: dict[int, int] = field(default_factory=dict)
    """How often each stage was repeated by itself since a person last decided."""
    context: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    given_up: set[tuple[int, int]] = field(default_factory=set)
    """Interrupted attempts that a person had repeated, whatever goes on elsewhere."""
    fence: int = 0
    holder: str | None = None

    @property
    def over(self) -> bool:
        return self.status in ("completed", "cancelled")

    @property
    def stalled(self) -> bool:
        """Return whether it is asked whether its stage is stuck; it runs on meanwhile."""
        return self.open is not None and self.asked[self.open][1] == STALLED


STEPS = ("started", "adopted", "checkpoint", "asked", "retrying", "limited", "failed", "completed")
"""Events that say that a stage has got on, or will not: it is not silent any more."""


class Audit:
    """Moves the models of one world along."""

    def __init__(self, promise: "Promise") -> None:
        self._promise = promise
        self._hold = promise.hold
        self.models: dict[str, Model] = {}
        self.again: set[str] = set()
        """Tasks of which a run has begun that has not told its progress yet."""

    def happened(
        self, task: str, kind: str, stage: int | None, by: str, channel: str, data: Any
    ) -> None:
        """Take one event, which must fit what came before.

        Raises:
            Broken: it does not.
        """
        model = self.models[task]
        where = f"{task}, stage {stage}: {kind} {data}"
        running = model.status in ("pending", "in_progress")
        if kind in ("started", "adopted", "resumed"):
            self.again.add(task)
        if stage is not None and kind in ("started", "adopted", "resumed", "checkpoint", "asked"):
            self._hold(stage not in model.done, f"{where}, but its checkpoint was committed")
            self._hold(model.done >= set(range(stage)), f"{where}, but only {model.done} are done")
        self._gets_on(model, kind, stage, by, data)
        match kind:
            case "created" | "opened" | "told":
                pass
            case "stalled":
                self._hold(model.status == "in_progress", f"{where}: {model.status}")
                assert stage is not None
                self._promise.stalled(task, stage, where)
                model.silent = True
            case "alive":
                self._hold(model.status == "in_progress", f"{where}: {model.status}")
            case "queued":
                self._hold(running, f"{where}: {model.status}")
                model.status = "pending"
            case "started":
                self._hold(running, f"{where}: {model.status}")
                assert stage is not None
                before = model.attempts.get(stage, 0)
                self._hold(data["attempt"] > before, f"{where}, the last was {before}")
                model.attempts[stage] = data["attempt"]
                self._runs(model)
                model.comes_back = False
            case "adopted" | "resumed" if stage is not None:
                self._hold(running, f"{where}: {model.status}")
                self._hold(data["attempt"] == model.attempts.get(stage), where)
                self._hold(
                    kind == "resumed" or self._promise.habit(model.n, stage) != "ask",
                    f"{where}, though it is to be asked about",
                )
                self._runs(model)
            case "resumed":
                if model.status == "paused":
                    model.status = "pending"
                    # Its hour may lie ahead again, when the clock was put back.
                    # It has been claimed before: by a clock that was put back, that is yet to come.
                    model.comes_back = bool(
                        self._promise.rows(
                            "SELECT started IS NOT NULL FROM task WHERE n = ?", model.n
                        )[0][0]
                    )
                model.pausing = False
            case "taken over":
                self._hold(running, f"{where}: {model.status}")
                model.taken_over = True
                if data.get("then") == "queued":
                    model.status, model.comes_back = "pending", True
            case "checkpoint":
                assert stage is not None
                self._hold(model.status == "in_progress", f"{where}: {model.status}")
                model.done.add(stage)
                model.failures.pop(stage, None)
            case "asked":
                self._hold(running, f"{where}: {model.status}")
                self._hold(model.open is None, f"{where}, but {model.open} is open")
                assert stage is not None
                model.asked[data["blocker"]] = (data["key"], data["kind"], stage)
                model.open = data["blocker"]
                if data["kind"] != STALLED:
                    model.status = "blocked"
                    if data["kind"] != "interrupted":
                        self._promise.times.waits((task, stage, model.attempts.get(stage, 0)))
                else:
                    self._hold(model.status == "in_progress", f"{where}: {model.status}")
                    self._promise.asked_stalled(task, stage, where)
            case "retrying" | "limited" | "failed":
                self._ends_attempt(task, model, where, kind, stage, channel, data)
            case "completed":
                self._hold(running, f"{where}: {model.status}")
                model.status = "completed"
            case "pause asked":
                model.pausing = True
            case "paused":
                self._hold(running, f"{where}: {model.status}")
                model.status = "paused"
                if by == "engine":
                    model.pausing = False
                    self._promise.taken_back(task, model)
            case "decided":
                self._decided(model, where, data)
            case _:
                self._hold(False, f"{where}: an event that nobody knows")

    @staticmethod
    def _runs(model: Model) -> None:
        model.status, model.taken_over = "in_progress", False

    @staticmethod
    def _gets_on(model: Model, kind: str, stage: int | None, by: str, data: Any) -> None:
        """Note what takes back that a stage is silent, and the question about that."""
        here = kind == "resumed" and stage is not None
        waits = (kind == "paused" and by == "engine") or data.get("then") == "queued"
        steps = kind in STEPS and data.get("kind") != STALLED
        if here or waits or steps or kind in ("alive", "queued"):
            model.silent = False
            if model.stalled:
                model.open = None

    def _ends_attempt(
        self,
        task: str,
        model: Model,
        where: str,
        kind: str,
        stage: int | None,
        channel: str,
        data: Any,
    ) -> None:
        self._hold(not model.over, f"{where}: {model.status}")
        self._times(task, where, kind, stage, data)
        if kind == "failed":
            if channel == "deadline":
                self._promise.late(task, where)
            else:
                blocked = model.open is not None
                self._hold(not blocked, f"{where}, but {model.open} is open")
            model.status, model.open, model.comes_back = "failed", None, False
            return
        assert stage is not None
        self._hold(model.status == "in_progress", f"{where}: {model.status}")
        model.status, model.comes_back = "pending", True
        if kind == "retrying":
            times = model.failures[stage] = model.failures.get(stage, 0) + 1
            most = self._promise.retries(model.n, stage)
            if data.get("lost"):
                most = max(most, LOST_RERUNS)
                self._hold(data["attempt"] == model.attempts.get(stage), f"{where}: another key")
                self._hold(
                    self._promise.habit(model.n, stage) == "rerun",
                    f"{where}, though it may not be repeated",
                )
                self._promise.forgets((task, stage, data["attempt"]))
            self._hold(times <= most, f"{where}: repeated {times} times, {most} are the most")

    def _times(self, task: str, where: str, kind: str, stage: int | None, data: Any) -> None:
        """Check that what ends an attempt for a time was not before that time."""
        error = data.get("error", "")
        if stage is None or not ("attempt" in data or kind == "limited"):
            return
        attempt = data.get("attempt", self.models[task].attempts.get(stage, 0))
        key = (task, stage, attempt)
        if kind == "limited":
            self._promise.times.limited(key, data["again in"], where)
        elif "took longer than its limit" in error:
            self._promise.times.too_long(key, where)
        elif "waits for a provider at most" in error:
            self._promise.times.waited_too_long(key, where)

    def _decided(self, model: Model, where: str, data: Mapping[str, Any]) -> None:
        action = Action(data["action"])
        key, kind, stage = "", None, 0
        if model.open is not None:
            key, kind_name, stage = model.asked[model.open]
            kind = BlockerKind(kind_name)
        legal = LEGAL[(Status(model.status), kind)]
        if model.status == "pending" and (
            model.comes_back or self._promise.provider_closed(model.n)
        ):
            legal = LEGAL[(Status.PENDING, WaitingOn.RETRY)]
        self._hold(action in legal, f"{where}: not legal, {model.status}, {kind}")
        self._hold(data.get("blocker") == model.open, f"{where}: but the question is {model.open}")
        words = data.get("text")
        changed = data.get("data", {})
        if action is Action.MODIFY and "options" in changed:
            model.options.update(changed["options"])
        plain = key in ("", "gate", "review") or kind is BlockerKind.STALLED
        if words and (action is Action.REASSIGN or (action is Action.PROVIDE_CONTEXT and plain)):
            model.context.append(words)
        waits = model.status in ("pending", "in_progress", "paused")
        aside = set(changed) <= {"title", "priority", "deadline"} and not (
            model.status == "failed" and "deadline" in changed
        )
        answers = not (action is Action.MODIFY and (waits or aside)) and not (
            action is Action.PROVIDE_CONTEXT and (model.open is None or waits)
        )
        if action is Action.CANCEL:
            model.status = "cancelled"
        elif action is Action.REASSIGN:
            model.status = "paused" if model.status == "paused" else "pending"
        elif answers and not (kind is BlockerKind.STALLED and action is Action.APPROVE):
            model.status = "pending"
            if action is Action.APPROVE and key == "review":
                model.done.add(stage)
            if action is Action.DENY and key in ("gate", "review"):
                model.status = "failed"
        if action is Action.RETRY:
            model.pausing = False
            if key == "interrupted" or kind is BlockerKind.STALLED:
                model.given_up.add((stage, model.attempts.get(stage, 0)))
        if answers:
            model.open = None
            model.failures.clear()
        if model.status != "in_progress":
            model.silent = False
