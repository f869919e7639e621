"""The work that goes on while the disk fails: an agent with a ledger, and what is asked of it.

Everything that happened, and everything that somebody was told, is one line of the file `ledger`,
so its order is the order of the events. A line is one write to a file opened for appending; the
ledger lies on a disk that does not fail.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from taskhub_tui.agents.port import (
    AgentCard,
    Answer,
    Blocker,
    BlockerKind,
    Result,
    Stage,
    StageContext,
)
from taskhub_tui.agents.registry import Registry
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain import model
from taskhub_tui.domain.errors import NotLegal, TaskHubError
from taskhub_tui.domain.model import Action, NewTask, StageSpec, Status, Task
from taskhub_tui.hub import Hub
from taskhub_tui.notifications.message import Message, Pressed
from taskhub_tui.worker import Worker, serve

UNWANTED = "unwanted"
"""The task that is cancelled while it runs."""


class Ledger:
    """Lines that outlive the process that wrote them."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, *words: object) -> None:
        line = " ".join(str(word) for word in words).replace("\n", " ")
        os.write(self._file, f"{line}\n".encode())


def made(task: str, position: int, name: str) -> str:
    """Return what the output of a stage must say."""
    return f"{task}:{position}:{name}"


class Actor:
    """The agent of all stages; what it is to do stands in the stage's name and options."""

    card = AgentCard("actor", "actor", "", on_interrupt="rerun")

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def run(self, stage: Stage, ctx: StageContext) -> Result:
        me = (stage.task_id, stage.stage_id, stage.attempt)
        if ctx.stop == "cancel":
            self._ledger.write("stopped", *me)
            return Result()
        job = (stage.state or {}).get("job")
        self._ledger.write("start", *me, "-" if job is None else job)
        try:
            return await self._work(stage, ctx, me)
        except asyncio.CancelledError:
            self._ledger.write("left", *me, ctx.stop)
            raise

    async def _work(self, stage: Stage, ctx: StageContext, me: tuple[object, ...]) -> Result:
        for position, earlier in enumerate(stage.inputs):
            wanted = made(stage.task_id, position, earlier.stage)
            if earlier.data.get("made") != wanted:
                self._ledger.write("wrong", *me, "got", earlier.data, "and not", wanted)
        ctx.log(f"{stage.stage_id} is at work")
        ctx.progress(0.5, "half way")
        if stage.options.get("saves"):
            await ctx.save(job=stage.idempotency_key)
            self._ledger.write("saved", *me, stage.idempotency_key)
        if stage.options.get("waits"):
            await asyncio.Event().wait()
        if stage.options.get("asks"):
            answer: Answer = await ctx.ask(Blocker("q", BlockerKind.APPROVAL, "May it go on?"))
            self._ledger.write("heard", *me, answer.action)
        ctx.log(f"{stage.stage_id} is done")
        self._ledger.write("end", *me)
        return Result("done", {"made": made(stage.task_id, stage.position, stage.stage_id)})


class Screen:
    """A desktop that shows everything, and notes it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def available(self) -> str | None:
        return None

    async def send(self, message: Message) -> None:
        self._ledger.write("shown", message.key)

    async def withdraw(self, key: str) -> None:
        self._ledger.write("hidden", key)

    async def close(self) -> None:
        return


def _stage(name: str, interrupt: model.Interrupt = "rerun", **more: bool) -> StageSpec:
    gate, review = more.pop("gate", False), more.pop("review", False)
    return StageSpec(
        name, "actor", gate=gate, review=review, on_interrupt=interrupt, options=dict(more)
    )


PLAN: dict[str, tuple[StageSpec, ...]] = {
    "house": (_stage("dig"), _stage("lay", "adopt", saves=True), _stage("build", gate=True)),
    "book": (_stage("draft", saves=True, asks=True), _stage("print", "adopt", review=True)),
    "bill": (_stage("pay", "ask"), _stage("post", "ask", saves=True)),
    UNWANTED: (_stage("first"), _stage("wait", "adopt", waits=True)),
}
AFTER = "party"
"""One more task, which waits for the first of them."""


class FrontEnd:
    """Hands over the plan and answers all questions, going on where an earlier one was killed."""

    def __init__(self, hub: Hub, ledger: Ledger, path: Path) -> None:
        self._hub, self._ledger = hub, ledger
        lines = [line.split() for line in path.read_text().splitlines()]
        self._known = {words[1]: words[2] for words in lines if words[0] == "task"}
        self._said = sum(words[0] in ("decided", "late", "told") for words in lines)
        self._over = {words[1] for words in lines if words[0] == "over"}

    async def play(self) -> None:
        """Return once all tasks of the plan were acknowledged and are over."""
        while True:
            if await self._try(self._hand_over):
                await self._try(self._answer)
                if await self._try(self._all_over):
                    return
            await self._hub.changed(0.05)

    async def _try(self, step: Callable[[], Awaitable[bool]]) -> bool:
        try:
            return await step()
        except TaskHubError as error:
            self._ledger.write("told", type(error).__name__, error)
            await asyncio.sleep(0.1)  # as a person would, who reads that the disk is full
            return False

    async def _hand_over(self) -> bool:
        for name, stages in PLAN.items():
            await self._submit(name, stages)
        await self._submit(AFTER, (_stage("dance"),), self._known["house"])
        return True

    async def _submit(self, name: str, stages: tuple[StageSpec, ...], *after: str) -> None:
        if name not in self._known:
            new = NewTask(name, title=name, agent="actor", stages=stages, after=after)
            task = await self._hub.submit(new)
            self._ledger.write("task", name, task.id)
            self._known[name] = task.id

    async def _answer(self) -> bool:
        for blocker, task in await self._hub.blockers():
            again = blocker.kind is BlockerKind.INTERRUPTED
            await self._decide(task, Action.RETRY if again else Action.APPROVE, blocker.id)
        for task in await self._hub.tasks(status=[Status.FAILED]):
            await self._decide(task, Action.RETRY, None)
        for task in await self._hub.tasks(status=[Status.IN_PROGRESS]):
            if task.title == UNWANTED and task.stage == 1:
                await self._decide(task, Action.CANCEL, None)
        return True

    async def _decide(self, task: Task, action: Action, blocker: str | None) -> None:
        self._said += 1
        nonce = f"{os.getpid()}-{self._said}"
        try:
            await self._hub.decide(task.id, action, text=nonce, blocker_id=blocker)
        except NotLegal:
            self._ledger.write("late", nonce, blocker)
        else:
            self._ledger.write("decided", nonce, blocker, action.value, task.id)

    async def _all_over(self) -> bool:
        tasks = await self._hub.tasks()
        for task in tasks:
            if task.status in (Status.COMPLETED, Status.CANCELLED) and task.id not in self._over:
                self._over.add(task.id)
                self._ledger.write("over", task.id, task.status.value)
        return len(self._over) == len(tasks) and self._known.keys() >= {*PLAN, AFTER}


def settings() -> Settings:
    """Return settings under which everything is shown at once."""
    desktop = {"per_minute": 1000, "completion_after": 0}
    return Settings(owner="ann", lease=2.0, notifications={"desktop": desktop})


async def opened(paths: Paths, registry: Registry) -> None:
    """Open the hub, look, and close it."""
    async with await Hub.open(
        paths=paths, settings=settings(), autostart=False, registry=registry
    ) as hub:
        await hub.tasks()


async def front_end(paths: Paths, registry: Registry, ledger: Ledger, path: Path) -> None:
    """Play the front end in a process of its own."""
    hub = await Hub.open(
        paths=paths, settings=settings(), actor="ann", autostart=False, registry=registry
    )
    async with hub:
        await FrontEnd(hub, ledger, path).play()


async def worker(
    paths: Paths,
    registry: Registry,
    ledger: Ledger,
    ready: Callable[[Worker], None] | None = None,
) -> None:
    """Be a worker until told to stop."""

    def screen(
        pressed: Callable[[Pressed], Awaitable[None]],
        restarted: Callable[[tuple[str, ...]], Awaitable[None]],
    ) -> Screen:
        return Screen(ledger)

    await serve(paths, settings(), registry=registry, desktop=screen, ready=ready)


async def stoppable_worker(paths: Paths, registry: Registry, ledger: Ledger) -> None:
    """Be a worker until SIGTERM, as the worker's own program is."""
    loop = asyncio.get_running_loop()

    def ready(it: Worker) -> None:
        loop.add_signal_handler(signal.SIGTERM, it.engine.stop)

    await worker(paths, registry, ledger, ready)


async def together(paths: Paths, registry: Registry, ledger: Ledger, path: Path) -> None:
    """Be front end and worker in one event loop, as the app is where no process can be started."""
    up: asyncio.Future[Worker] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(worker(paths, registry, ledger, up.set_result))
    await asyncio.wait([serving, up], return_when=asyncio.FIRST_COMPLETED)
    playing = asyncio.create_task(front_end(paths, registry, ledger, path))
    await asyncio.wait([serving, playing], return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        playing.cancel()
    else:
        up.result().engine.stop()
    ended = await asyncio.gather(serving, playing, return_exceptions=True)
    for error in ended:
        if isinstance(error, Exception):
            raise error
