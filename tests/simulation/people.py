"""Front ends: they hand over, decide, change their minds, and look on, through real hubs."""

import asyncio
import random
from typing import TYPE_CHECKING, Any

from simulation.agents import HABITS
from taskhub_tui.domain.errors import BadInput, NotLegal, StoreError, TaskHubError
from taskhub_tui.domain.model import (
    Action,
    Blocker,
    NewTask,
    Priority,
    StageSpec,
    Status,
    Task,
    TaskView,
)
from taskhub_tui.hub import Hub

if TYPE_CHECKING:
    from simulation.world import World

SHOWN = (
    "status", "title", "request", "agent", "waiting_on", "stage", "stage_name", "fraction", "note",
    "eta", "error", "summary", "result", "priority", "context", "stopping", "pausing", "deps_left",
    "ended", "deadline", "silent_since",
)  # fmt: skip
"""What a live view shows of a task."""


class Person:
    """One front end and who sits before it."""

    def __init__(self, world: "World", hub: Hub, name: str, rng: random.Random) -> None:
        self._world, self._hub, self._name, self._rng = world, hub, name, rng
        self._said = 0
        self._seq = 0
        self._mirror: dict[int, Task] = {}

    async def work(self) -> None:
        """Do something now and then, until faults end; then look on until all is at rest."""
        world, rng = self._world, self._rng
        while not world.calm:
            await world.idle(world.pace * rng.choice((0.01, 0.05, 0.1, 0.3, 1)) * rng.random())
            if world.calm:
                break
            try:
                await self._something()
            except StoreError as error:
                world.say(f"{self._name} was told: {error}")
        while not world.rest:
            await asyncio.sleep(world.look * (1 + rng.random()))
            await self.watch()
        await self.compare()

    async def _something(self) -> None:
        kinds = ("submit", "answer", "meddle", "hold", "watch")
        match self._rng.choices(kinds, (3, 6, 1.5, 1.2, 0.7))[0]:
            case "submit" if len(self._world.tasks) < self._world.most_tasks:
                await self._submit()
            case "answer":
                await self._answer()
            case "meddle":
                await self._meddle()
            case "hold":
                await self._hold()
            case "watch":
                await self.watch()

    # Handing over

    async def _submit(self) -> None:
        world, rng = self._world, self._rng
        stages = tuple(self._spec(i) for i in range(rng.randint(1, 3)))
        after: tuple[str, ...] = ()
        if world.tasks and rng.random() < 0.35:
            after = tuple(rng.sample(sorted(world.tasks), rng.randint(1, min(2, len(world.tasks)))))
        later = world.pace * 10 * rng.random() if rng.random() < 0.2 else None
        new = NewTask(
            f"request of {self._name}",
            agent=stages[0].agent,
            stages=stages,
            playbook="book" if rng.random() < 0.5 else None,
            workdir=str(world.folder),
            options={"mark": 0},
            priority=rng.choice(list(Priority)),
            after=after,
            not_before=None if later is None else self._hub.clock() + later,
            within=world.pace * rng.choice((1, 5, 20)) if rng.random() < 0.15 else None,
        )
        try:
            task = await self._hub.submit(new)
        except BadInput as refused:
            if "was cancelled" not in str(refused):
                raise
            return
        world.tasks.add(task.id)
        world.promise.acknowledged(task.id)

    def _spec(self, i: int) -> StageSpec:
        rng, pace = self._rng, self._world.pace
        return StageSpec(
            f"stage{i}",
            rng.choice(sorted(HABITS)),
            gate=rng.random() < 0.2,
            review=rng.random() < 0.15,
            weight=rng.choice((1.0, 1.0, 3.0)),
            timeout=pace * rng.choice((3, 10, 30)) * rng.random() if rng.random() < 0.3 else None,
            retries=rng.choice((0, 0, 1, 3)),
            retry_delay=pace * rng.random(),
            on_interrupt=rng.choice((None, None, None, "adopt", "rerun", "ask")),
            options={"own": 1} if rng.random() < 0.2 else {},
            stall=pace * rng.random() if rng.random() < 0.2 else None,
        )

    # Deciding

    async def _answer(self) -> None:
        """Look at the open questions, think about one, and answer it."""
        world, rng = self._world, self._rng
        asked = await self._hub.blockers()
        if not asked:
            return
        # Most look at the same one: the most urgent.
        blocker, task = asked[0] if rng.random() < 0.7 else rng.choice(asked)
        view = await self._hub.status(task.id)
        if rng.random() < 0.5:
            await world.idle(world.pace * rng.random())
        legal = list(view.legal) if view.blocker and view.blocker.id == blocker.id else []
        if not legal:
            return
        often = [4 if a in (Action.APPROVE, Action.RETRY) else 1 for a in legal]
        action = rng.choices(legal, often)[0]
        known = rng.random() < 0.8
        await self._decide(task.id, action, blocker if known else None, view)

    async def _meddle(self) -> None:
        """Decide anything on any task, legal or not."""
        if not self._world.tasks:
            return
        task = self._rng.choice(sorted(self._world.tasks))
        view = await self._hub.status(task)
        action = self._rng.choice(list(view.legal) or list(Action))
        if self._rng.random() < 0.1:
            action = self._rng.choice(list(Action))
        await self._decide(task, action, None, view)

    async def _decide(
        self, task: str, action: Action, blocker: Blocker | None, view: TaskView
    ) -> None:
        world, rng = self._world, self._rng
        self._said += 1
        nonce = f"{self._name}.{self._said}"
        more: dict[str, Any] = {"text": nonce}
        if blocker is not None:
            more |= {"blocker_id": blocker.id, "version": blocker.version}
        if action is Action.REASSIGN:
            more["agent"] = rng.choice(sorted(HABITS))
        if action is Action.MODIFY:
            more["data"] = rng.choice(
                (
                    {"title": f"title {nonce}"},
                    {"request": f"request {nonce}"},
                    {"options": {"mark": nonce}},
                    {"options": {"own": nonce, "mark": nonce}, "title": f"both {nonce}"},
                    {"arguments": {"changed": nonce}},
                    {"priority": rng.choice(("low", "high"))},
                    {"deadline": self._hub.clock() + world.pace * 10 * rng.random()},
                    {"deadline": None},
                )
            )
        id_ = blocker.id if blocker else None
        world.decisions[nonce] = (task, id_, "unknown")
        try:
            await self._hub.decide(task, action, **more)
        except (NotLegal, BadInput) as refused:
            world.decisions[nonce] = (task, id_, "refused")
            world.say(f"{nonce} {action} on {task} refused: {refused}")
            return
        world.decisions[nonce] = (task, id_, "taken")
        world.count("decisions")

    async def _hold(self) -> None:
        if not self._world.tasks:
            return
        task = self._rng.choice(sorted(self._world.tasks))
        try:
            if self._rng.random() < 0.5:
                await self._hub.pause(task)
            else:
                await self._hub.resume(task)
        except NotLegal:
            pass

    # Looking on

    async def watch(self) -> None:
        """Bring a live view up to date by asking only for what changed."""
        changes = await self._hub.changes(self._seq)
        assert changes.seq >= self._seq
        self._seq = changes.seq
        self._mirror |= {task.n: task for task in changes.tasks}

    async def compare(self) -> None:
        """Hold the live view against the whole list."""
        while True:
            await self.watch()
            whole = {task.n: task for task in await self._hub.tasks()}
            # What somebody wrote between the two is in one of them only.
            if (await self._hub.changes(self._seq)).seq == self._seq:
                break
        assert whole.keys() == self._mirror.keys()
        for n, task in whole.items():
            for name in SHOWN:
                seen, real = getattr(self._mirror[n], name), getattr(task, name)
                assert seen == real, f"a live view shows {name} {seen} of {task.id}, not {real}"

    async def settle(self) -> None:
        """Answer everything that is open, so that all can end."""
        for blocker, task in await self._hub.blockers():
            view = await self._hub.status(task.id)
            if view.blocker is None or view.blocker.id != blocker.id:
                continue
            for action in (Action.APPROVE, Action.RETRY, Action.PROVIDE_CONTEXT):
                if action in view.legal:
                    await self._decide(task.id, action, blocker, view)
                    break
        for task in await self._hub.tasks():
            try:
                if task.status is Status.FAILED:
                    await self._decide(task.id, Action.RETRY, None, await self._hub.status(task.id))
                elif task.status is Status.PAUSED or task.pausing:
                    await self._hub.resume(task.id)
            except TaskHubError as refused:
                self._world.say(f"{self._name}: {refused}")
