"""Random decisions from several front ends, also at one moment, against a plain model of a task.

Real hubs and a real worker on a real file, in simulated processes; hypothesis chooses what happens
and finds the shortest way to a mistake. `TASKHUB_SEEDS` above 1000 makes it the long form.
"""

import asyncio
import os
import tempfile
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from simulation.lifecycle_model import ModelStage, ModelTask, Refused
from simulation.loop import Proc
from simulation.patches import patched
from simulation.run import create
from simulation.world import FAULTS, World
from taskhub_tui.agents.port import (
    AgentCard,
    AgentError,
    Blocker,
    BlockerKind,
    Result,
    Stage,
    StageContext,
)
from taskhub_tui.agents.registry import Registry
from taskhub_tui.config import Backups
from taskhub_tui.domain.errors import BadInput, NotLegal
from taskhub_tui.domain.model import Action, NewTask, StageSpec, Status
from taskhub_tui.hub import Hub

LONG = int(os.environ.get("TASKHUB_SEEDS", "0")) > 1000
QUIET = 5.0
"""Virtual seconds in which a worker does all that can be done."""
PLANS = ["done", "fail", "slow", "approval", "input", "auth"]
CHANGES: list[dict[str, Any]] = [
    {"title": "other"},
    {"request": "other"},
    {"options": {"mark": 1}},
    {"arguments": {"a": 1}},
    {"title": "another", "options": {"mark": 2}},
]

stages = st.lists(
    st.tuples(
        st.booleans(), st.booleans(), st.lists(st.sampled_from(PLANS), min_size=0, max_size=3)
    ),
    min_size=1,
    max_size=3,
)
choices = st.tuples(
    st.sampled_from(list(Action)),
    st.sampled_from(CHANGES),
    st.booleans(),
)
"""Action, what a MODIFY changes, and whether the question that was seen is named."""


class Planned:
    """Does at each start of a stage what its options say; slow work ends when the world says so."""

    def __init__(self, name: str, world: "Office") -> None:
        self.card = AgentCard(name, name, "", on_interrupt="rerun")
        self._world = world

    async def run(self, stage: Stage, ctx: StageContext) -> Result:
        if ctx.stop == "cancel":
            return Result()
        seen = self._world.seen.setdefault((stage.task_id, stage.position, stage.stage_id), [])
        if stage.attempt not in seen:
            seen.append(stage.attempt)
        left = stage.options.get("plan", [])[seen.index(stage.attempt) :]
        what = left[0] if left else "done"
        if what == "fail":
            raise AgentError("It failed")
        if what in ("approval", "input", "auth"):
            await ctx.ask(Blocker("q", BlockerKind(what), "Well?"))
        while what == "slow" and not self._world.slow_ends:
            await asyncio.sleep(1)
        return Result("done")


class Office(World):
    """A world without faults whose agents are planned."""

    seen: dict[tuple[str, int, str], list[int]]
    slow_ends = False

    def _agents(self) -> Registry:
        return Registry(extra={name: Planned(name, self) for name in ("one", "two")})


class Decisions(RuleBasedStateMachine):
    """Front ends decide; a worker works when it is called; the model says what must come out."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(
            prefix="taskhub-state-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None
        )
        root = Path(self.folder.name)
        asyncio.run(create(root / "empty.db"))
        self.world = Office(0, root, root / "empty.db", without=FAULTS)
        self.world.seen = {}
        self.world.settings = replace(
            self.world.settings,
            concurrency=50,
            notifications={"desktop": {"enabled": False}},
            backup=Backups(enabled=False),
        )
        self.patches = patched(self.world)
        self.patches.__enter__()
        self.tasks: dict[str, ModelTask] = {}
        self.said = 0
        self.hubs: list[tuple[Proc, Hub]] = []

    @initialize()
    def open(self) -> None:
        for name in ("ann", "bob", "cem"):
            proc = self.world.start(name, "here", lambda _: asyncio.sleep(1e9))
            hub = self.run(
                proc,
                Hub.open(
                    paths=self.world.paths,
                    settings=self.world.settings,
                    channel="sim",
                    actor=name,
                    clock=self.world.trouble.clock("here"),
                    autostart=False,
                    registry=self.world._agents(),
                ),
            )
            self.hubs.append((proc, hub))

    def teardown(self) -> None:
        self.world._end()
        self.patches.__exit__(None, None, None)
        self.folder.cleanup()

    def run(self, proc: Proc, coro: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine in a simulated process to its end."""
        loop = self.world.loop
        return loop.run_until_complete(loop.create_task(coro, context=proc.context))

    def run_all(self, coros: list[tuple[Proc, Coroutine[Any, Any, Any]]]) -> list[Any]:
        """Run coroutines in their processes at one time; an exception is returned."""
        loop = self.world.loop
        tasks = [loop.create_task(coro, context=proc.context) for proc, coro in coros]
        loop.run_until_complete(asyncio.wait(tasks))
        return [task.exception() or task.result() for task in tasks]

    # What may happen

    @precondition(lambda self: len(self.tasks) < 4)
    @rule(specs=stages, playbook=st.booleans(), waits=st.booleans(), who=st.integers(0, 2))
    def submit(
        self, specs: list[tuple[bool, bool, list[str]]], playbook: bool, waits: bool, who: int
    ) -> None:
        proc, hub = self.hubs[who]
        after = [id_ for id_, task in self.tasks.items() if task.status is not Status.CANCELLED]
        after = after[-1:] if waits else []
        new = NewTask(
            "request",
            agent="one",
            stages=tuple(
                StageSpec(
                    f"s{i}", "one", gate=gate, review=review, prompt=f"p{i}", options={"plan": plan}
                )
                for i, (gate, review, plan) in enumerate(specs)
            ),
            playbook="book" if playbook else None,
            workdir=str(self.world.folder),
            after=tuple(after),
        )
        task = self.run(proc, hub.submit(new))
        made = [ModelStage(gate, review, list(plan)) for gate, review, plan in specs]
        model = ModelTask(made, playbook)
        model.after = {id_ for id_ in after if self.tasks[id_].status is not Status.COMPLETED}
        self.tasks[task.id] = model

    @rule(slow_ends=st.booleans())
    def work(self, slow_ends: bool) -> None:
        """Let a worker do what can be done, then leave."""
        world = self.world
        world.slow_ends = slow_ends
        proc = world.start("worker", "here", world._work)
        world.loop.run_until_complete(asyncio.sleep(QUIET))
        proc.context.run(world.leave[proc])
        world.loop.run_until_complete(world.ended(proc))
        for _ in self.tasks:
            for id_, task in self.tasks.items():
                task.work(slow_ends=slow_ends)
                if task.status is Status.COMPLETED:
                    for other in self.tasks.values():
                        other.after.discard(id_)

    @precondition(lambda self: self.tasks)
    @rule(data=st.data(), many=st.lists(choices, min_size=1, max_size=3))
    def decide(self, data: st.DataObject, many: list[tuple[Action, dict[str, Any], bool]]) -> None:
        """One front end decides, or several at one moment about one task."""
        id_ = data.draw(st.sampled_from(sorted(self.tasks)), label="task")
        first, hub = self.hubs[0]
        view = self.run(first, hub.status(id_))
        open_ = view.blocker.id if view.blocker else None
        calls, meant = [], {}
        for (proc, hub), (action, changes, named) in zip(self.hubs, many, strict=False):
            self.said += 1
            words = f"words {self.said}"
            more: dict[str, Any] = {"text": words}
            if action is Action.REASSIGN:
                more["agent"] = "two"
            if action is Action.MODIFY:
                more["data"] = changes
            if named and open_:
                more["blocker_id"] = open_
            meant[words] = (action, frozenset(changes), named and open_ is not None)
            calls.append((proc, hub.decide(id_, action, **more)))
        results = dict(zip(meant, self.run_all(calls), strict=True))
        self._check(id_, open_, meant, results)

    def _check(
        self,
        id_: str,
        open_: str | None,
        meant: dict[str, tuple[Action, frozenset[str], bool]],
        results: dict[str, Any],
    ) -> None:
        """Move the model along by what was recorded; what was refused must have been illegal."""
        proc, hub = self.hubs[0]
        events = self.run(proc, hub.events(id_))
        made = [e.data["text"] for e in events if e.kind == "decided" and e.data["text"] in meant]
        model = self.tasks[id_]
        states = [(model.copy(), True)]
        for words in made:
            action, changes, named = meant[words]
            assert not named or states[-1][1], f"{action} answered a question that was not open"
            before = model.kind
            model.decide(action, words, changes)
            states.append((model.copy(), states[-1][1] and model.kind is before))
        for words, result in results.items():
            if not isinstance(result, Exception):
                assert made.count(words) == 1, f"{words} was acknowledged, but is not on record"
                continue
            assert isinstance(result, NotLegal | BadInput), result
            assert words not in made, f"{words} was refused, but is on record"
            action, changes, named = meant[words]
            assert any(
                (named and not still) or not allowed(state, action, changes)
                for state, still in states
            ), f"{action} was refused, though it was legal: {result}"
        if model.status is Status.CANCELLED:
            for other in self.tasks.values():
                if id_ in other.after and other.status in (Status.PENDING, Status.PAUSED):
                    other.after.clear()
                    other._over(Status.FAILED)

    @precondition(lambda self: self.tasks)
    @rule(data=st.data(), hold=st.booleans(), who=st.integers(0, 2))
    def hold(self, data: st.DataObject, hold: bool, who: int) -> None:
        """Pause a task, or let it go on."""
        id_ = data.draw(st.sampled_from(sorted(self.tasks)), label="task")
        proc, hub = self.hubs[who]
        model = self.tasks[id_]
        legal = True
        try:
            (model.pause if hold else model.resume)()
        except Refused:
            legal = False
        (result,) = self.run_all([(proc, (hub.pause if hold else hub.resume)(id_))])
        assert isinstance(result, NotLegal) is not legal, result

    # What must be true

    @invariant()
    def all_front_ends_see_what_the_model_says(self) -> None:
        for id_, model in self.tasks.items():
            proc, hub = self.hubs[len(id_) % 3]
            view = self.run(proc, hub.status(id_))
            asked = view.blocker.kind if view.blocker else None
            assert (view.task.status, asked) == (model.status, model.kind), (id_, model)
            assert tuple(view.legal) == model.legal
            done = [stage.status == "done" for stage in view.stages]
            assert done == [stage.done for stage in model.stages], (id_, model)
            told = [words for words in view.task.context if not words.startswith("Answer to ")]
            assert told == model.context
        assert self.world._broken is None, self.world._broken


def allowed(state: ModelTask, action: Action, changes: frozenset[str]) -> bool:
    """Return whether the model allows a decision in this state."""
    try:
        state.copy().decide(action, "words", changes)
    except Refused:
        return False
    return True


TestDecisions = Decisions.TestCase
TestDecisions.settings = settings(
    max_examples=3000 if LONG else 60,
    stateful_step_count=60 if LONG else 40,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
