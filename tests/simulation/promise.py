"""What must be true after every commit, when an agent begins, and when all is over.

Knows the rules from the documentation only: it reads the database with SQL of its own, and keeps a
plain model of each task that it moves along by the events of the audit trail.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulation.agents import HABITS, Key, Run
from simulation.loop import Proc
from simulation.rules import ANY, AT_REST, NEVER
from taskhub_tui.agents.port import Answer, Stage
from taskhub_tui.domain.legal import LEGAL
from taskhub_tui.domain.model import Action, BlockerKind, Status, WaitingOn
from taskhub_tui.storage import rows, seals

if TYPE_CHECKING:
    from simulation.world import World


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
    comes_back: bool = False
    """True from a failed attempt until the next one begins: that can be asked for at once."""
    context: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    given_up: set[tuple[int, int]] = field(default_factory=set)
    """Interrupted attempts that a person had repeated, whatever goes on elsewhere."""
    fence: int = 0
    holder: str | None = None


class Broken(AssertionError):
    """The promise was broken."""


class Promise:
    """Watches one world."""

    def __init__(self, world: "World", reading: sqlite3.Connection) -> None:
        self._world = world
        self._reading = reading
        self._event = 0
        self.models: dict[str, Model] = {}
        self._ids: dict[int, str] = {}
        self._again: set[str] = set()
        """Tasks of which a run has begun that has not told its progress yet."""
        self._states: dict[tuple[int, int], str] = {}
        self.seen: set[int] = set()
        """Notifications that a desktop has shown."""
        self._fractions: dict[tuple[Key, int], float] = {}

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self._reading.execute(sql, values).fetchall()

    def _hold(self, fact: object, said: str) -> None:
        if not fact:
            raise Broken(said)

    # After each commit

    def committed(self, proc: Proc) -> str:
        """Check what a process has committed; return it as a line for the trace."""
        line = []
        holders = {model.n: model.holder for model in self.models.values()}
        for n, id_ in self._rows("SELECT n, id FROM task WHERE n > ?", len(self._ids)):
            self._ids[n] = id_
            self.models[id_] = Model(n)
        for row in self._rows(
            "SELECT id, task_n, kind, stage, by, channel, data FROM event WHERE id > ? ORDER BY id",
            self._event,
        ):
            self._event = row[0]
            n, kind, stage, by, channel, data = row[1:]
            task = self._ids[n]
            line.append(f"{task} {kind} {'' if stage is None else stage} {by} {channel} {data}")
            self._happened(task, kind, stage, by, channel, json.loads(data))
        if self._rows(ANY)[0][0]:
            for said, sql in NEVER.items():
                found = self._rows(sql)
                self._hold(not found, f"{said}; not so: {found}")
        done: dict[int, set[int]] = {}
        for n, position in self._rows("SELECT task_n, position FROM stage WHERE status = 'done'"):
            done.setdefault(n, set()).add(position)
        opened: dict[int, list[str]] = {}
        for n, id_ in self._rows("SELECT task_n, id FROM blocker WHERE state = 'open'"):
            opened.setdefault(n, []).append(id_)
        for n, *row in self._rows(
            "SELECT n, status, fence, holder, stage, fraction, ready_at, pausing, context, options"
            " FROM task"
        ):
            task = self._ids[n]
            line.append(self._compare(task, row, done.get(n, set()), opened.get(n, [])))
        self._progress()
        self._saves(proc, holders)
        return " | ".join(line)

    def _saves(self, proc: Proc, before: dict[int, str | None]) -> None:
        """Only who holds a task writes what its agent saves."""
        states = {}
        for n, position, state in self._rows(
            "SELECT task_n, position, state FROM stage WHERE state IS NOT NULL"
        ):
            states[n, position] = state
            if self._states.get((n, position)) != state:
                self._hold(
                    before.get(n) == proc.worker,
                    f"{proc} saved a state of {self._ids[n]}, which {before.get(n)} holds",
                )
        self._states = states

    def _compare(self, task: str, row: list[Any], done: set[int], opened: list[str]) -> str:
        """Hold a task's row against what its events told."""
        model = self.models[task]
        status, fence, holder, stage, fraction, ready_at, pausing, context, options = row
        claimed = model.status == "pending" and status == "in_progress"
        self._hold(
            status == model.status or claimed,
            f"{task} is {status}, but its events say {model.status}",
        )
        self._hold(
            done == model.done, f"{task}: stages {done} are done, but events say {model.done}"
        )
        self._hold(
            opened == ([model.open] if model.open else []),
            f"{task}: {opened} is open, but events say {model.open}",
        )
        self._hold(fence >= model.fence, f"{task}: its fence fell from {model.fence} to {fence}")
        if holder != model.holder and holder is not None and status == "in_progress":
            self._hold(fence > model.fence, f"{task} was claimed without raising its fence")
        self._hold(
            bool(pausing) == model.pausing,
            f"{task}: pausing is {pausing}, but events say {model.pausing}",
        )
        plain = [words for words in json.loads(context) if not words.startswith("Answer to ")]
        self._hold(plain == model.context, f"{task}: the context is {plain}, not {model.context}")
        if model.options:
            kept = json.loads(options)
            for name, value in model.options.items():
                self._hold(
                    kept.get(name) == value, f"{task}: the option {name} is {kept.get(name)}"
                )
        model.fence, model.holder = fence, holder
        return f"{task} {status} {fence} {holder} {stage} {fraction} {ready_at:.3f}"

    def _progress(self) -> None:
        """While one run goes on its fraction only grows."""
        for n, position, attempt, fence, fraction in self._rows(
            "SELECT n, position, attempt, fence, stage.fraction FROM stage JOIN task ON n = task_n"
            " WHERE stage.status = 'running' AND stage.fraction IS NOT NULL"
        ):
            task = self._ids[n]
            key = ((task, position, attempt), fence)
            before = self._fractions.get(key, 0.0)
            if fraction < before:
                # One that goes on elsewhere may have to begin with less.
                self._hold(task in self._again, f"{task}: progress went back to {fraction}")
                self._again.discard(task)
            self._fractions[key] = fraction

    # One event after the other

    def _happened(
        self, task: str, kind: str, stage: int | None, by: str, channel: str, data: Any
    ) -> None:
        model = self.models[task]
        where = f"{task}, stage {stage}: {kind} {data}"
        if kind in ("started", "adopted", "resumed"):
            self._again.add(task)
        if stage is not None and kind in ("started", "adopted", "resumed", "checkpoint", "asked"):
            self._hold(stage not in model.done, f"{where}, but its checkpoint was committed")
            self._hold(model.done >= set(range(stage)), f"{where}, but only {model.done} are done")
        match kind:
            case "created" | "opened" | "queued" | "stalled" | "alive":
                pass
            case "started":
                self._hold(model.status in ("pending", "in_progress"), f"{where}: {model.status}")
                assert stage is not None
                before = model.attempts.get(stage, 0)
                self._hold(data["attempt"] > before, f"{where}, the last was {before}")
                model.attempts[stage] = data["attempt"]
                model.status, model.taken_over = "in_progress", False
                model.comes_back = False
            case "adopted" | "resumed" if stage is not None:
                self._hold(model.status in ("pending", "in_progress"), f"{where}: {model.status}")
                self._hold(data["attempt"] == model.attempts.get(stage), where)
                self._hold(
                    kind == "resumed" or self._habit(model.n, stage) != "ask",
                    f"{where}, though it is to be asked about",
                )
                model.status, model.taken_over = "in_progress", False
            case "resumed":
                if model.status == "paused":
                    model.status = "pending"
                    # Its hour may lie ahead again, when the clock was put back.
                    model.comes_back = bool(model.attempts)
                model.pausing = False
            case "taken over":
                self._hold(model.status in ("pending", "in_progress"), f"{where}: {model.status}")
                model.taken_over = True
                if data.get("then") == "queued":
                    model.status, model.comes_back = "pending", True
            case "checkpoint":
                assert stage is not None
                self._hold(model.status == "in_progress", f"{where}: {model.status}")
                model.done.add(stage)
            case "asked":
                self._hold(model.status in ("pending", "in_progress"), f"{where}: {model.status}")
                self._hold(model.open is None, f"{where}, but {model.open} is open")
                assert stage is not None
                model.asked[data["blocker"]] = (data["key"], data["kind"], stage)
                model.open, model.status = data["blocker"], "blocked"
            case "retrying" | "limited" | "failed":
                self._hold(not self._over(model), f"{where}: {model.status}")
                model.status = "failed" if kind == "failed" else "pending"
                model.comes_back = kind != "failed"
            case "completed":
                self._hold(model.status in ("pending", "in_progress"), f"{where}: {model.status}")
                model.status = "completed"
            case "pause asked":
                model.pausing = True
            case "paused":
                self._hold(model.status in ("pending", "in_progress"), f"{where}: {model.status}")
                model.status = "paused"
                if by == "engine":
                    model.pausing = False
                    self._taken_back(task, model)
            case "decided":
                self._decided(model, where, data, channel)
            case _:
                raise Broken(f"{where}: an event that nobody knows")

    def _taken_back(self, task: str, model: Model) -> None:
        """A start that met a wish to pause is taken back, if nothing was begun."""
        for position, attempt in self._rows(
            "SELECT position, attempt FROM stage WHERE task_n = ?", model.n
        ):
            key = (task, position, attempt + 1)
            if model.attempts.get(position) == key[2] and not self._world.ledger.of(key):
                model.attempts[position] = attempt

    @staticmethod
    def _over(model: Model) -> bool:
        return model.status in ("completed", "cancelled")

    def _decided(self, model: Model, where: str, data: Mapping[str, Any], channel: str) -> None:
        action = Action(data["action"])
        key, kind, stage = "", None, 0
        if model.open is not None:
            key, kind_name, stage = model.asked[model.open]
            kind = BlockerKind(kind_name)
        legal = LEGAL[(Status(model.status), kind)]
        if model.status == "pending" and model.comes_back:
            legal = LEGAL[(Status.PENDING, WaitingOn.RETRY)]
        self._hold(action in legal, f"{where}: not legal, {model.status}, {kind}")
        self._hold(data.get("blocker") == model.open, f"{where}: but the question is {model.open}")
        words = data.get("text")
        changed = data.get("data", {})
        if action is Action.MODIFY and "options" in changed:
            model.options.update(changed["options"])
        plain = key in ("", "gate", "review")
        if words and (action is Action.REASSIGN or (action is Action.PROVIDE_CONTEXT and plain)):
            model.context.append(words)
        waits = model.status in ("pending", "in_progress", "paused")
        answers = not (action is Action.MODIFY and (waits or set(changed) == {"title"})) and not (
            action is Action.PROVIDE_CONTEXT and model.open is None
        )
        if action is Action.CANCEL:
            model.status = "cancelled"
        elif action is Action.REASSIGN:
            model.status = "paused" if model.status == "paused" else "pending"
        elif answers:
            model.status = "pending"
            if action is Action.APPROVE and key == "review":
                model.done.add(stage)
            if action is Action.DENY and key in ("gate", "review"):
                model.status = "failed"
        if action is Action.RETRY:
            model.pausing = False
            if key == "interrupted":
                model.given_up.add((stage, model.attempts.get(stage, 0)))
        if answers:
            model.open = None

    # What agents see

    def begins(self, key: Key, proc: Proc, stage: Stage) -> Run:
        """Check that this attempt may run now, and here."""
        task, position, _ = key
        model = self.models[task]
        where = f"{proc} runs {key}"
        row = self._rows("SELECT status, holder, fence FROM task WHERE n = ?", model.n)[0]
        status, holder, fence = row
        valid = status == "in_progress" and holder == proc.worker
        run = Run(key, proc, fence, valid)
        self._hold(position not in model.done or not valid, f"{where} after its checkpoint")
        if not valid:
            # It was taken away after the step was written and before the agent was called.
            self._world.count("begun too late")
            return run
        habit = self._habit(model.n, position)
        earlier = self._world.ledger.of(key)
        if habit == "ask":
            cut = [other for other in earlier if not other.asking and other.valid]
            self._hold(not cut, f"{where} again, though it is to be asked about")
        for other in self._world.ledger.active(task):
            gone = other.proc is not proc and other.fence < fence
            self._hold(
                gone and other.proc.worker != holder,
                f"{where} while {other.proc} runs {other.key} with fence {other.fence} of {fence}",
            )
        saved = self._world.ledger.saved.get(key, {})
        state = dict(stage.state or {})
        self._hold({**state, **saved} == state, f"{where} with {state}, though {saved} was saved")
        self._hold(
            [output.text for output in stage.inputs]
            == [
                (json.loads(text or "{}")).get("text")
                for (text,) in self._rows(
                    "SELECT output FROM stage WHERE task_n = ? AND position < ? ORDER BY position",
                    model.n,
                    position,
                )
            ],
            f"{where} with other inputs than were checkpointed",
        )
        return run

    def _habit(self, n: int, position: int) -> str:
        """Return what is to be done with a stage whose worker died under it."""
        own, agent = self._rows(
            "SELECT on_interrupt, agent FROM stage WHERE task_n = ? AND position = ?", n, position
        )[0]
        return str(own or HABITS.get(agent, "rerun"))

    def answered(self, run: Run, key: str, answer: Answer) -> None:
        """Check an answer that an agent got against the one on disk, and against the last time."""
        task, position, attempt = run.key
        rows = self._rows(
            "SELECT answer FROM blocker WHERE task_n = ? AND stage = ? AND attempt = ?"
            " AND key = ? AND answer IS NOT NULL",
            self.models[task].n,
            position,
            attempt,
            key,
        )
        told = {
            "action": answer.action,
            "choice": answer.choice,
            "text": answer.text,
            "data": dict(answer.data),
        }
        self._hold(
            told in [json.loads(text) for (text,) in rows],
            f"{run.key} was told {told} to {key}, but {rows} is recorded",
        )

    def handed_over(self, stage: Stage, name: str) -> None:
        """Check that a file that was acknowledged is on record."""
        found = self._rows(
            "SELECT 1 FROM artifact WHERE task_n = ? AND stage = ? AND name = ?",
            self.models[stage.task_id].n,
            stage.position,
            name,
        )
        self._hold(found, f"the file {name} of {stage.idempotency_key} is not on record")

    def shown(self, key: str) -> None:
        """Note that a notification was seen."""
        self.seen.add(int(key.removeprefix("taskhub-")))

    # When all is over

    def left(self) -> list[str]:
        """Say what has not come to rest yet."""
        found = []
        for said, sql in AT_REST.items():
            if rows := self._rows(sql):
                found.append(f"{said}: {rows}")
        return found

    def at_rest(self) -> None:
        """Check what must be true once everything has come to rest."""
        self._hold(self._rows("PRAGMA integrity_check") == [("ok",)], "the file is damaged")
        self._hold(self._rows("PRAGMA foreign_key_check") == [], "a foreign key is wrong")
        damaged = [*seals.broken(self._reading, rows.BLOCKER_COLUMNS)]
        self._hold(not damaged, f"without any damage: {damaged}")
        for operation, state in self._world.ledger.operations.items():
            task, position, _, attempt = operation.split(":")
            over = state.cancelled or state.lost or state.until <= self._world.loop.now
            given_up = (int(position), int(attempt)) in self.models[task].given_up
            self._hold(over or given_up, f"the operation {operation} was left running")
        sent = {
            n for (n,) in self._rows("SELECT notification_id FROM delivery WHERE sent IS NOT NULL")
        }
        self._hold(sent <= self.seen, f"{sent - self.seen} were said to be sent, and were not")
        self._notices()
        self._decisions()

    def _notices(self) -> None:
        pairs = {"asked": "blocker", "failed": "error", "completed": "completed"}
        for task, model in self.models.items():
            events = [k for (k,) in self._rows("SELECT kind FROM event WHERE task_n = ?", model.n)]
            notes = [
                k for (k,) in self._rows("SELECT kind FROM notification WHERE task_n = ?", model.n)
            ]
            for event, note in {**pairs, "created": "acknowledged"}.items():
                wanted, found = events.count(event), notes.count(note)
                self._hold(
                    wanted == found,
                    f"{task}: {wanted} times {event}, but {found} notifications",
                )

    def _decisions(self) -> None:
        """Every acknowledged decision is on record once, and no refused one is."""
        made: dict[str, list[Mapping[str, Any]]] = {}
        for task, data in self._rows(
            "SELECT task.id, data FROM event JOIN task ON n = task_n WHERE kind = 'decided'"
        ):
            told = json.loads(data)
            made.setdefault(told.get("text") or "", []).append({**told, "task": task})
        for nonce, (task, blocker, fate) in self._world.decisions.items():
            times = len(made.get(nonce, ()))
            if fate == "taken":
                self._hold(times == 1, f"the decision {nonce} on {task} is there {times} times")
                if blocker is not None:
                    self._hold(
                        made[nonce][0].get("blocker") == blocker,
                        f"the decision {nonce} answered {made[nonce][0].get('blocker')}",
                    )
            elif fate == "refused":
                self._hold(times == 0, f"the decision {nonce} was refused, but is on record")
            else:
                self._hold(times <= 1, f"the decision {nonce} is there {times} times")
        for id_, state, answer in self._rows("SELECT id, state, answer FROM blocker"):
            if state not in ("answered", "expired"):
                continue
            words = json.loads(answer)["text"]
            answers = [told for told in made.get(words or "", ()) if told.get("blocker") == id_]
            self._hold(len(answers) == 1, f"{id_} was answered by {answers}")

    def acknowledged(self, task: str) -> None:
        """Check that a task that was handed over is on record."""
        self._hold(task in self.models, f"{task} was acknowledged, but is not there")
