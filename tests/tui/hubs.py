"""What the tests of the app share: tasks in any state, written by the real store, and waiting."""

import asyncio
import mimetypes
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from taskhub_tui import config, logs
from taskhub_tui.config import Paths
from taskhub_tui.domain import ids
from taskhub_tui.domain.change import Change, Happened, Notice
from taskhub_tui.domain.model import (
    Action,
    Artifact,
    Blocker,
    BlockerKind,
    NoticeKind,
    Stage,
    StageStatus,
    Status,
    Task,
)
from taskhub_tui.hub import Hub
from taskhub_tui.storage import changes, queries, submissions
from taskhub_tui.storage import stages as stage_rows
from taskhub_tui.storage.store import Store
from taskhub_tui.storage.writer import Tx

_DONE = {Status.COMPLETED: StageStatus.DONE, Status.FAILED: StageStatus.FAILED}
_NOW = {
    Status.IN_PROGRESS: StageStatus.RUNNING,
    Status.BLOCKED: StageStatus.BLOCKED,
    Status.FAILED: StageStatus.FAILED,
    Status.PENDING: StageStatus.PENDING,
    Status.PAUSED: StageStatus.PENDING,
    Status.CANCELLED: StageStatus.CANCELLED,
}


@dataclass
class Seed:
    """Writes tasks as the engine would leave them."""

    hub: Hub
    paths: Paths
    store: Store

    async def put(
        self,
        title: str,
        status: Status = Status.PENDING,
        *,
        at: int = 0,
        names: Sequence[str] = ("run",),
        log: str = "",
        question: str = "",
        kind: BlockerKind = BlockerKind.APPROVAL,
        **more: Any,
    ) -> Task:
        """Write one task, standing at stage `at`, with its stages, its question and its log."""
        now = self.hub.clock()
        over = status in (Status.COMPLETED, Status.CANCELLED)
        place = len(names) if status is Status.COMPLETED else at
        number = int.from_bytes(title.encode("utf-8", "replace")[-2:], "big")
        task = Task(
            id=ids.new_id(lambda below: (number * 7919 + int(time.perf_counter_ns())) % below),
            n=0,
            title=title,
            request=title,
            owner="me",
            agent=more.pop("agent", "command"),
            workdir=more.pop("workdir", str(self.paths.home)),
            status=Status.PENDING,
            created=more.pop("created", now),
            changed=now,
            seq=0,
            stages=len(names),
            stage_name=names[0],
        )
        stages = [
            Stage(task.id, i, name, task.agent, StageStatus.PENDING) for i, name in enumerate(names)
        ]
        config.make_private(self.paths.tasks)
        config.make_private(self.paths.task(task.id))
        if log:
            self.log(task, log)
        notice = Notice(NoticeKind.ACKNOWLEDGED, title, "Handed over")
        task = await self.store.write(lambda tx: submissions.insert(tx, task, stages, [], notice))
        if status is Status.PENDING and not more:
            return task
        after = [
            replace(
                stage,
                status=StageStatus.DONE
                if stage.position < place
                else _NOW[status]
                if stage.position == place
                else StageStatus.PENDING,
                attempt=int(stage.position <= place),
                started=now - 60 if stage.position <= place else None,
                ended=now if stage.position < place else None,
            )
            for stage in stages
        ]
        task = replace(
            task,
            status=status,
            stage=place,
            stage_name=names[min(place, len(names) - 1)],
            started=more.pop("started", now - 60),
            ended=now if over or status is Status.FAILED else None,
            **more,
        )
        await self.become(task, after, question=question, kind=kind)
        return task

    async def become(
        self,
        task: Task,
        stages: Sequence[Stage] = (),
        *,
        question: str = "",
        kind: BlockerKind = BlockerKind.APPROVAL,
    ) -> None:
        """Write a new state of a task, with the notification that belongs to it."""
        blocker, notice = None, None
        now = self.hub.clock()
        if task.status is Status.BLOCKED:
            blocker = Blocker(
                ids.new_id(lambda below: time.perf_counter_ns() % below),
                task.id,
                task.stage,
                f"ask {question}",
                kind,
                question or "May I go on?",
                1,
                now,
            )
            notice = Notice(NoticeKind.BLOCKER, task.title, blocker.question, (Action.APPROVE,))
        elif task.status is Status.FAILED:
            notice = Notice(NoticeKind.ERROR, task.title, task.error or "It failed")
        elif task.status is Status.COMPLETED:
            notice = Notice(NoticeKind.COMPLETED, task.title, task.summary or "Done")
        change = Change(
            replace(task, changed=now),
            tuple(stages),
            blocker=blocker,
            events=(Happened("asked", task.stage, {"question": question}),) if blocker else (),
            notice=notice,
        )
        await self.store.write(
            lambda tx: changes.write_decided(tx, change, by="worker", channel="engine")
        )

    async def now(self, task: Task) -> Task:
        """Return the task as it stands in the store."""
        found: Task = await self.store.read(lambda reader: queries.task_by_id(reader, task.id))
        return found

    async def files(self, task: Task, *paths: Path, stage: int = 0) -> None:
        """Hand over files as an agent would."""
        now = await self.now(task)

        def write(tx: Tx) -> None:
            for path in paths:
                kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
                made = Artifact(task.id, stage, path.name, str(path), kind, 1, now.changed)
                stage_rows.artifact(tx, now.n, now.fence, made, main=False)

        await self.store.write(write)

    async def many(self, count: int) -> None:
        """Write many pending tasks at once."""
        now = self.hub.clock()

        def insert(tx: Tx) -> None:
            for i in range(count):
                task = Task(
                    f"{i:08d}",
                    0,
                    f"Backfill shard {i}",
                    "Backfill",
                    "me",
                    "command",
                    "/",
                    Status.PENDING,
                    now,
                    now,
                    0,
                    stages=1,
                    stage_name="run",
                )
                stage = Stage(task.id, 0, "run", "command", StageStatus.PENDING)
                submissions.insert(
                    tx, task, [stage], [], Notice(NoticeKind.ACKNOWLEDGED, task.title, "")
                )

        await self.store.write(insert)

    def log(self, task: Task, text: str) -> None:
        """Write lines at the end of a task's log."""
        with self.paths.log(task.id).open("a", encoding="utf-8") as file:
            file.write(logs.format_lines(self.hub.clock(), "agent", text))


async def finished(seed: Seed, data: dict[str, Any], **more: Any) -> Task:
    """Write a task that was done, with what its agent said in data."""
    task = await seed.put("Analyse", Status.COMPLETED, **more)
    stages = await seed.store.read(lambda r: queries.stages_of(r, task, checked=False))
    done = replace(
        stages[-1], status=StageStatus.DONE, output={"text": "", "data": data}, ended=1.0
    )
    await seed.become(await seed.now(task), [*stages[:-1], done])
    return task


def picture(path: Path, size: tuple[int, int] = (40, 20), colour: str = "#ff0000") -> Path:
    """Make a picture of one colour."""
    from PIL import Image

    Image.new("RGB", size, colour).save(path)
    return path


async def asleep() -> None:
    """A service that does nothing, so that the app starts no worker."""
    await asyncio.Event().wait()


async def until(
    pilot: Pilot[Any], fact: Callable[[], bool | Awaitable[bool]], *, seconds: float = 20.0
) -> None:
    """Wait until `fact` is true; fail with what is on the screen when that takes too long."""
    end = time.monotonic() + seconds
    while True:
        got = fact()
        if (got if isinstance(got, bool) else await got) is True:
            return
        if time.monotonic() > end:
            raise AssertionError("It did not come true. The screen shows:\n" + text(pilot.app))
        await pilot.pause(0.02)


def text(app: Any) -> str:
    """Return what is on the screen, as lines of text."""
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())
