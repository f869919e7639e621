"""A question that waits for an answer from outside, and the means to answer it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from support import House, ScriptedAgent, house, until

from taskhub_tui import deciding
from taskhub_tui.agents.port import Blocker, Result, Stage, StageContext
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.model import BlockerKind, Status, Task
from taskhub_tui.following import Onward
from taskhub_tui.notifications.answers import Answers, Limit
from taskhub_tui.notifications.granting import Ask, Given
from taskhub_tui.planning import Planner

COMMAND = ["rm", "-r", "build"]
NEXT = {"title": "Watch <it>", "request": "Watch it for an hour", "agent": "actor"}
"""What the agent suggests to do next."""


class Clock:
    """Time as the test has it."""

    def __init__(self) -> None:
        import time

        self.now = time.time()

    def __call__(self) -> float:
        return self.now


class Scene:
    """A hub with a worker whose agent asks; `answers` takes what comes from outside."""

    def __init__(self, h: House, answers: Answers, clock: Clock) -> None:
        self.h, self.hub, self.answers, self.clock = h, h.hub, answers, clock

    async def ask(self, request: str = "Tidy up") -> Task:
        task = await self.h.submit(request)
        return (await until(self.hub, task.id, Status.BLOCKED)).task

    async def grant(
        self,
        task: Task,
        channel: str,
        recipient: str = "",
        *,
        kinds: tuple[str, ...] = ("blocker", "error"),
        **more: Any,
    ) -> Given:
        note = next(
            n for n in await self.hub.notifications() if n.task_id == task.id and n.kind in kinds
        )
        ask = Ask(note.id, channel, recipient, f"asks: {note.body}", **more)
        return await self.answers.grant(ask)

    async def status(self, task: Task) -> Status:
        return (await self.hub.status(task.id)).task.status

    async def decided(self, task: Task) -> list[tuple[str, str, str]]:
        """Who decided what by which channel."""
        return [
            (e.by, e.channel, e.data["action"])
            for e in await self.hub.events(task.id)
            if e.kind == "decided"
        ]

    async def attempts(self) -> list[tuple[str, str, str, int]]:
        """Every attempt: channel, peer, verdict, and how often."""

        def read(reader: Any) -> list[tuple[str, str, str, int]]:
            found = reader.execute(
                "SELECT channel, peer, verdict, times FROM answer_attempt ORDER BY id"
            )
            return list(found.fetchall())

        return await self.hub._store.read(read)

    async def sql(self, text: str, *values: Any) -> list[Any]:
        def run(tx: Any) -> list[Any]:
            return list(tx.execute(text, values).fetchall())

        return await self.hub._store.write(run)


@asynccontextmanager
async def scene(
    where: Paths,
    settings: Settings,
    *,
    risk: str = "low",
    kind: BlockerKind = BlockerKind.APPROVAL,
    limit: Limit | None = None,
    **more: Any,
) -> AsyncIterator[Scene]:
    """Open a hub in which every task asks once before it is done."""

    async def work(stage: Stage, ctx: StageContext) -> Result:
        if ctx.stop == "cancel":  # Nothing is to be stopped, and nothing asked.
            return Result()
        asked = Blocker("may-i", kind, "May I?", detail={"command": COMMAND}, risk=risk, **more)
        answer = await ctx.ask(asked)
        said = f"{answer.action} {answer.text or ''}".strip()
        return Result(said, data={"follow_ups": [NEXT]})

    clock = Clock()
    async with house(where, settings, ScriptedAgent("actor", work)) as h, h.worker():
        onward = Onward(Planner(h.registry, where), where)
        answers = Answers(
            h.hub._store, deciding.answer, owner="ann", clock=clock, limit=limit, onward=onward
        )
        yield Scene(h, answers, clock)
