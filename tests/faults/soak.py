"""Thousands of tasks through one worker, whose memory, threads and open files must not grow.

    python soak.py

is the worker: as the real one, with one agent more, which does its work in no time. A tenth of
the stages are real commands.
"""

import asyncio
import contextlib
import random
import signal
import time
from pathlib import Path

from found import Found, spell
from scene import Scene

from taskhub_tui import config
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
from taskhub_tui.domain.model import Action, NewTask, StageSpec, Status
from taskhub_tui.hub import Hub
from taskhub_tui.worker import Worker, serve

AT_ONCE = 100
"""Tasks that are handed over before the next lot waits for them to end."""
STAGES = 3
GROWTH = 1.0
"""KiB of memory that a task may leave behind in its worker, in the later half of a soak."""
SLACK = 3000
"""KiB of memory that come and go by themselves."""


class Quick:
    """Saves, logs, now and then asks, and is done."""

    card = AgentCard("quick", "quick", "", on_interrupt="rerun")

    async def run(self, stage: Stage, ctx: StageContext) -> Result:
        await ctx.save(seen=stage.idempotency_key)
        ctx.log(f"{stage.stage_id} of {stage.task_id}")
        ctx.progress(0.5, "half")
        if stage.options.get("asks"):
            answer: Answer = await ctx.ask(Blocker("q", BlockerKind.APPROVAL, "Go on?"))
            ctx.log(answer.action)
        return Result("done", {"made": stage.idempotency_key})


def registry() -> Registry:
    return Registry(extra={"quick": Quick()})


async def worker() -> None:
    paths = config.paths()
    loop = asyncio.get_running_loop()

    def ready(it: Worker) -> None:
        loop.add_signal_handler(signal.SIGTERM, it.engine.stop)

    await serve(paths, config.settings(paths), registry=registry(), ready=ready)


class Sample:
    """What a process uses just now."""

    def __init__(self, pid: int) -> None:
        proc = Path(f"/proc/{pid}")
        status = dict(
            line.split(":", 1) for line in (proc / "status").read_text().splitlines() if ":" in line
        )
        self.memory = int(status["VmRSS"].split()[0])
        """KiB."""
        self.threads = int(status["Threads"])
        self.files = len(list((proc / "fd").iterdir()))


def some_task(rng: random.Random, n: int) -> NewTask:
    stages = []
    for position in range(STAGES):
        if rng.random() < 0.1:
            stages.append(StageSpec(f"s{position}", "command", options={"argv": ["true"]}))
        else:
            options = {"asks": rng.random() < 0.03}
            gate = rng.random() < 0.03
            stages.append(StageSpec(f"s{position}", "quick", options=options, gate=gate))
    return NewTask(f"task {n}", stages=tuple(stages))


async def hand_over(tasks: int, pid: int, samples: list[Sample]) -> None:
    """Hand over so many tasks, answer what they ask, and look at the worker ten times."""
    rng = random.Random(tasks)
    hub = await Hub.open(channel="test", actor="ann", autostart=False, registry=registry())
    async with hub:
        for begun in range(0, tasks, AT_ONCE):
            if begun % (tasks // 10) == 0:
                samples.append(Sample(pid))
            lot = [some_task(rng, n) for n in range(begun, min(begun + AT_ONCE, tasks))]
            await asyncio.gather(*(hub.submit(new) for new in lot))
            while (counts := await hub.counts()).done < begun + len(lot) and not counts.failed:
                for blocker, task in await hub.blockers():
                    await hub.decide(task.id, Action.APPROVE, blocker_id=blocker.id)
                await hub.changed(0.2)
        samples.append(Sample(pid))
        failed = await hub.tasks(status=[Status.FAILED])
        assert not failed, f"{len(failed)} tasks failed: {failed[0].error}"


def run(scene: Scene, tasks: int) -> Found:
    """Put so many tasks through one worker of `scene`."""
    found = Found(tasks)
    child = scene.start(str(Path(__file__).resolve()))
    scene.until(scene.workers)
    samples: list[Sample] = []
    began = time.monotonic()
    try:
        asyncio.run(hand_over(tasks, child.pid, samples))
    except AssertionError as broken:
        found.broken.append(str(broken))
        return found
    took = time.monotonic() - began
    _judge(scene, tasks, samples, found)
    child.send_signal(signal.SIGTERM)
    if (code := child.wait()) != 0:
        found.broken.append(f"the worker left with {code}")
    first, middle, last = samples[1], samples[len(samples) // 2], samples[-1]
    found.note = (
        f"{tasks} tasks of {STAGES} stages in {spell(took)}; memory "
        + " → ".join(f"{sample.memory / 1024:.0f} MiB" for sample in (first, middle, last))
        + f", open files {first.files} → {last.files}, threads {first.threads} → {last.threads}"
    )
    return found


def _judge(scene: Scene, tasks: int, samples: list[Sample], found: Found) -> None:
    done = scene.rows("SELECT count(*) AS n FROM task WHERE status = 'completed'")[0]["n"]
    points = scene.rows("SELECT count(*) AS n FROM event WHERE kind = 'checkpoint'")[0]["n"]
    if (done, points) != (tasks, STAGES * tasks):
        found.broken.append(f"{done} tasks were completed, with {points} checkpoints")
    if scene.rows("PRAGMA integrity_check") != [{"integrity_check": "ok"}]:
        found.broken.append("the database is damaged")
    warm, middle, last = samples[1], samples[len(samples) // 2], samples[-1]
    # A command that ends just now has a file or two open, and a thread of the pool at work.
    for what, before, after in (
        ("open files", warm.files, last.files),
        ("threads", warm.threads, last.threads),
    ):
        if after > before + 8:
            found.broken.append(f"{what} grew from {before} to {after}")
    grown = last.memory - middle.memory
    if grown > SLACK + GROWTH * tasks / 2:
        found.broken.append(f"memory grew by {grown} KiB in {tasks // 2} tasks")


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(worker())
