"""What must be true after every commit, when an agent begins, and when all is over.

Knows the rules from the documentation only: it reads the database with SQL of its own, and keeps a
plain model of each task that it moves along by the events of the audit trail.
"""

import json
import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from simulation.agents import HABITS, Key, Run
from simulation.audit import Audit, Model
from simulation.commits import Commits
from simulation.loop import Proc
from simulation.rules import ANY, NEVER
from simulation.times import Times
from taskhub_tui.agents.port import Answer, Stage
from taskhub_tui.domain.stall import Patience

if TYPE_CHECKING:
    from simulation.world import World


def holds(saved: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    """Return whether a state has all that was saved; it may be further on than its agent knows."""
    return all(name in found and found[name] >= value for name, value in saved.items())


class Broken(AssertionError):
    """The promise was broken."""


class Promise:
    """Watches one world."""

    def __init__(self, world: "World", reading: sqlite3.Connection) -> None:
        self._world = world
        self.reading = reading
        self._event = 0
        self._ids: dict[int, str] = {}
        self._states: dict[tuple[int, int], str] = {}
        self.seen: set[int] = set()
        """Notifications that a desktop has shown."""
        self._fractions: dict[tuple[Key, int], float] = {}
        self._proc: Proc | None = None
        """Who has committed."""
        self.audit = Audit(self)
        self._commits = Commits(self, world)
        self.times = Times(self, world)

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self.reading.execute(sql, values).fetchall()

    def hold(self, fact: object, said: str) -> None:
        if not fact:
            # Noted before it is raised: the engine takes it for a bug of the agent that calls.
            self._world.breaks(said)
            raise Broken(said)

    # After each commit

    def committed(self, proc: Proc, seq: int) -> str:
        """Check what a process has committed; return it as a line for the trace."""
        line, decided = [], set()
        self._proc = proc
        holders = {model.n: model.holder for model in self.audit.models.values()}
        for n, id_ in self.rows("SELECT n, id FROM task WHERE n > ?", len(self._ids)):
            self._ids[n] = id_
            self.audit.models[id_] = Model(n)
        for row in self.rows(
            "SELECT id, task_n, kind, stage, by, channel, data FROM event WHERE id > ? ORDER BY id",
            self._event,
        ):
            self._event = row[0]
            n, kind, stage, by, channel, data = row[1:]
            task = self._ids[n]
            line.append(f"{task} {kind} {'' if stage is None else stage} {by} {channel} {data}")
            if kind == "decided":
                decided.add(n)
            self.audit.happened(task, kind, stage, by, channel, json.loads(data))
        if self.rows(ANY)[0][0]:
            for said, sql in NEVER.items():
                found = self.rows(sql)
                self.hold(not found, f"{said}; not so: {found}")
        done: dict[int, set[int]] = {}
        for n, position in self.rows("SELECT task_n, position FROM stage WHERE status = 'done'"):
            done.setdefault(n, set()).add(position)
        opened: dict[int, list[str]] = {}
        for n, id_ in self.rows("SELECT task_n, id FROM blocker WHERE state = 'open'"):
            opened.setdefault(n, []).append(id_)
        for n, *row in self.rows(
            "SELECT n, status, fence, holder, stage, fraction, ready_at, pausing, context, options"
            " FROM task"
        ):
            task = self._ids[n]
            line.append(self._compare(task, row, done.get(n, set()), opened.get(n, [])))
        self._commits.look(proc, seq, decided)
        self._progress()
        self._saves(proc, holders)
        self._kept()
        return " | ".join(line)

    def _saves(self, proc: Proc, before: dict[int, str | None]) -> None:
        """Only who holds a task writes what its agent saves."""
        states = {}
        for n, position, state in self.rows(
            "SELECT task_n, position, state FROM stage WHERE state IS NOT NULL"
        ):
            states[n, position] = state
            if self._states.get((n, position)) != state:
                self.hold(
                    before.get(n) == proc.worker,
                    f"{proc} saved a state of {self._ids[n]}, which {before.get(n)} holds",
                )
        self._states = states

    def _kept(self) -> None:
        """What an agent was told is saved is there while its attempt goes on, or is stopped."""
        saved = self._world.ledger.saved
        for n, position, attempt, state in self.rows(
            "SELECT task_n, position, attempt, state FROM stage"
            " WHERE status IN ('running', 'blocked', 'waiting') UNION ALL"
            " SELECT task_n, position, attempt, state FROM stop"
            " WHERE status IN ('running', 'blocked', 'waiting')"
        ):
            known = saved.get((self._ids[n], position, attempt))
            if known:
                found = json.loads(state or "{}")
                where = f"{self._ids[n]}, stage {position}, attempt {attempt}"
                self.hold(holds(known, found), f"{where}: {known} was saved, now {found}")

    def _compare(self, task: str, row: list[Any], done: set[int], opened: list[str]) -> str:
        """Hold a task's row against what its events told."""
        model = self.audit.models[task]
        status, fence, holder, stage, fraction, ready_at, pausing, context, options = row
        claimed = model.status == "pending" and status == "in_progress"
        self.hold(
            status == model.status or claimed,
            f"{task} is {status}, but its events say {model.status}",
        )
        self.hold(
            done == model.done, f"{task}: stages {done} are done, but events say {model.done}"
        )
        self.hold(
            opened == ([model.open] if model.open else []),
            f"{task}: {opened} is open, but events say {model.open}",
        )
        self.hold(fence >= model.fence, f"{task}: its fence fell from {model.fence} to {fence}")
        if holder != model.holder and holder is not None and status == "in_progress":
            self.hold(fence > model.fence, f"{task} was claimed without raising its fence")
        self.hold(
            bool(pausing) == model.pausing,
            f"{task}: pausing is {pausing}, but events say {model.pausing}",
        )
        plain = [words for words in json.loads(context) if not words.startswith("Answer to ")]
        self.hold(plain == model.context, f"{task}: the context is {plain}, not {model.context}")
        if model.options:
            kept = json.loads(options)
            for name, value in model.options.items():
                self.hold(kept.get(name) == value, f"{task}: the option {name} is {kept.get(name)}")
        model.fence, model.holder = fence, holder
        return f"{task} {status} {fence} {holder} {stage} {fraction} {ready_at:.3f}"

    def _progress(self) -> None:
        """While one run goes on its fraction only grows."""
        for n, position, attempt, fence, fraction in self.rows(
            "SELECT n, position, attempt, fence, stage.fraction FROM stage JOIN task ON n = task_n"
            " WHERE stage.status = 'running' AND stage.fraction IS NOT NULL"
        ):
            task = self._ids[n]
            key = ((task, position, attempt), fence)
            before = self._fractions.get(key, 0.0)
            if fraction < before:
                # One that goes on elsewhere may have to begin with less.
                self.hold(task in self.audit.again, f"{task}: progress went back to {fraction}")
                self.audit.again.discard(task)
            self._fractions[key] = fraction

    # What events must fit

    def patience(self, n: int, position: int) -> Patience:
        """Return how long a stage may be silent."""
        own = self.rows("SELECT stall FROM stage WHERE task_n = ? AND position = ?", n, position)
        base = self._world.settings.stall
        if own[0][0] is None:
            return base
        ratio = base.ask_after / base.shown_after if base.shown_after and base.ask_after else 0.0
        if not base.shown_after and base.ask_after:
            ratio = 3.0
        return Patience(own[0][0], own[0][0] * ratio)

    def stalled(self, task: str, position: int, where: str) -> None:
        """Check that an agent that is said to be silent has been so for long enough."""
        n = self.audit.models[task].n
        patience = self.patience(n, position)
        least = min(s for s in (patience.shown_after, patience.ask_after, 1e9) if s > 0)
        self.times.silent(task, position, least, where)
        self._world.count("silent")

    def asked_stalled(self, task: str, position: int, where: str) -> None:
        """Check that a silent agent is asked about only when it was silent for long enough."""
        least = self.patience(self.audit.models[task].n, position).ask_after
        self.hold(least > 0, f"{where}, though nobody is to be asked")
        self.times.silent(task, position, least, where)
        self._world.count("asked about silence")

    def late(self, task: str, where: str) -> None:
        """Check that a deadline was not met before its time."""
        assert self._proc is not None
        deadline = self.rows("SELECT deadline FROM task WHERE id = ?", task)[0][0]
        now = self._world.trouble.clock(self._proc.host)()
        early = deadline is None or deadline > now
        self.hold(not (early and self._world.steady), f"{where} at {now}")
        self._world.count("deadlines missed")

    def retries(self, n: int, position: int) -> int:
        """Return how often a stage may be repeated by itself."""
        return int(
            self.rows("SELECT retries FROM stage WHERE task_n = ? AND position = ?", n, position)[
                0
            ][0]
        )

    def provider_closed(self, n: int) -> bool:
        """Return whether the agent of a task was limited before this commit."""
        agent = self._commits.agent(n)
        return agent in self._commits.limits

    def forgets(self, key: Key) -> None:
        """Note that work was lost that is repeated from its start, with its key."""
        ledger = self._world.ledger
        ledger.saved.pop(key, None)
        ledger.lost[key] = ledger.lost.get(key, 0) + 1
        self._world.count("lost and repeated")

    def taken_back(self, task: str, model: Model) -> None:
        """A start that met a wish to pause is taken back, if nothing was begun."""
        for position, attempt in self.rows(
            "SELECT position, attempt FROM stage WHERE task_n = ?", model.n
        ):
            key = (task, position, attempt + 1)
            if model.attempts.get(position) == key[2] and not self._world.ledger.of(key):
                model.attempts[position] = attempt

    # What agents see

    def begins(self, key: Key, proc: Proc, stage: Stage) -> Run:
        """Check that this attempt may run now, and here."""
        task, position, _ = key
        model = self.audit.models[task]
        where = f"{proc} runs {key}"
        row = self.rows("SELECT status, holder, fence FROM task WHERE n = ?", model.n)[0]
        status, holder, fence = row
        valid = status == "in_progress" and holder == proc.worker
        run = Run(key, proc, fence, valid, self._world.ledger.lost.get(key, 0))
        self.hold(position not in model.done or not valid, f"{where} after its checkpoint")
        if not valid:
            # It was taken away after the step was written and before the agent was called.
            self._world.count("begun too late")
            return run
        habit = self.habit(model.n, position)
        earlier = self._world.ledger.of(key)
        if habit == "ask":
            cut = [other for other in earlier if not other.asking and other.valid]
            self.hold(not cut, f"{where} again, though it is to be asked about")
        for other in self._world.ledger.active(task):
            if not other.valid:
                continue  # Taken away before it began; its worker is about to find out.
            gone = other.proc is not proc and other.fence < fence
            self.hold(
                gone and other.proc.worker != holder,
                f"{where} while {other.proc} runs {other.key} with fence {other.fence} of {fence}",
            )
        saved = self._world.ledger.saved.get(key, {})
        state = dict(stage.state or {})
        self.hold(holds(saved, state), f"{where} with {state}, though {saved} was saved")
        self.hold(
            [output.text for output in stage.inputs]
            == [
                (json.loads(text or "{}")).get("text")
                for (text,) in self.rows(
                    "SELECT output FROM stage WHERE task_n = ? AND position < ? ORDER BY position",
                    model.n,
                    position,
                )
            ],
            f"{where} with other inputs than were checkpointed",
        )
        return run

    def habit(self, n: int, position: int) -> str:
        """Return what is to be done with a stage whose worker died under it."""
        own, agent = self.rows(
            "SELECT on_interrupt, agent FROM stage WHERE task_n = ? AND position = ?", n, position
        )[0]
        return str(own or HABITS.get(agent, "rerun"))

    def saved(self, run: Run, **values: Any) -> None:
        """Check that what an agent was told is saved is on disk, and remember it."""
        task, position, attempt = run.key
        ledger = self._world.ledger
        if ledger.lost.get(run.key, 0) != run.lost:
            return  # Another worker repeats it, and this one has not noticed yet.
        for known, status, state in self.rows(
            "SELECT attempt, status, state FROM stage WHERE task_n = ? AND position = ?",
            self.audit.models[task].n,
            position,
        ):
            if known == attempt and status in ("running", "blocked", "waiting"):
                found = json.loads(state or "{}")
                self.hold(holds(values, found), f"{run.key} saved {values}, on disk is {found}")
        ledger.saved.setdefault(run.key, {}).update(values)

    def answered(self, run: Run, key: str, answer: Answer) -> None:
        """Check an answer that an agent got against the one on disk, and against the last time."""
        task, position, attempt = run.key
        rows = self.rows(
            "SELECT answer FROM blocker WHERE task_n = ? AND stage = ? AND attempt = ?"
            " AND key = ? AND answer IS NOT NULL",
            self.audit.models[task].n,
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
        self.hold(
            told in [json.loads(text) for (text,) in rows],
            f"{run.key} was told {told} to {key}, but {rows} is recorded",
        )

    def handed_over(self, stage: Stage, name: str) -> None:
        """Check that a file that was acknowledged is on record."""
        found = self.rows(
            "SELECT 1 FROM artifact WHERE task_n = ? AND stage = ? AND name = ?",
            self.audit.models[stage.task_id].n,
            stage.position,
            name,
        )
        self.hold(found, f"the file {name} of {stage.idempotency_key} is not on record")

    def shown(self, key: str) -> None:
        """Note that a notification was seen, or many in one message."""
        number = key.removeprefix("taskhub-").split("-")[0]
        if number.isdigit():
            self.seen.add(int(number))
            return
        if number == "said":  # It asks for nothing, such as that an answer came too late.
            return
        found = self.rows("SELECT notification_id FROM delivery WHERE batch = ?", key)
        self.hold(found, f"{key} tells of nothing")
        self.seen.update(id_ for (id_,) in found)

    def acknowledged(self, task: str) -> None:
        """Check that a task that was handed over is on record."""
        self.hold(task in self.audit.models, f"{task} was acknowledged, but is not there")
