"""Many processes write to one database at once, beside readers.

    python storm.py writer NAME TRANSACTIONS | reader NAME

A writer hands over tasks, adds to them, pauses and resumes them, all through `Store.write` as
every front end does. It prints `task ID`, `added ID NONCE`, `paused ID` and `resumed ID` for what
was acknowledged, and `took SECONDS` for each. A reader looks at everything that changed, again and
again, until the file `enough` is there. Whatever either was told of is printed as `told`.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

from found import Found, percentile, spell
from scene import Scene

from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.domain.model import Action, NewTask, StageSpec
from taskhub_tui.hub import Hub

T = TypeVar("T")


def say(*words: object) -> None:
    print(*words, flush=True)


async def timed(step: Awaitable[T]) -> T | None:
    """Await a step and print how long it took; None when it was refused with a sentence."""
    began = time.monotonic()
    try:
        return await step
    except TaskHubError as error:
        say("told", error)
        return None
    finally:
        say("took", f"{time.monotonic() - began:.6f}")


async def begin(hub: Hub) -> None:
    """Say that this process is there, and wait until all others are."""
    await hub.counts()
    say("ready")
    while not Path("go").exists():
        await asyncio.sleep(0.02)


async def writer(name: str, transactions: int) -> None:
    stages = tuple(StageSpec(f"s{n}", "command", options={"argv": ["true"]}) for n in range(2))
    async with await Hub.open(channel="test", actor=name, autostart=False) as hub:
        await begin(hub)
        task = None
        for n in range(transactions):
            step = n % 4
            if step == 0 or task is None:
                task = await timed(hub.submit(NewTask(f"{name} {n}", stages=stages)))
                if task is not None:
                    say("task", task.id)
            elif step == 1:
                nonce = f"{name}-{n}"
                if await timed(hub.decide(task.id, Action.PROVIDE_CONTEXT, text=nonce)):
                    say("added", task.id, nonce)
            elif step == 2:
                if await timed(hub.pause(task.id)):
                    say("paused", task.id)
            elif await timed(hub.resume(task.id)):
                say("resumed", task.id)


async def reader(name: str) -> None:
    async with await Hub.open(channel="test", actor=name, autostart=False) as hub:
        await begin(hub)
        since = 0
        while not Path("enough").exists():
            if (changes := await timed(hub.changes(since))) is not None:
                since = changes.seq
                say("saw", len(changes.tasks))
            await timed(hub.counts())


def run(scene: Scene, writers: int, each: int, readers: int = 2) -> Found:
    """Let them loose on the hub of `scene`, and count."""
    me = str(Path(__file__).resolve())
    looking = [scene.start(me, "reader", f"r{n}") for n in range(readers)]
    writing = [scene.start(me, "writer", f"w{n}", str(each)) for n in range(writers)]
    scene.until(lambda: len(scene.said("ready")) == readers + writers)
    began = time.monotonic()
    scene.go()
    ended = [child.wait() for child in writing]
    took = time.monotonic() - began
    (scene.work / "enough").touch()
    ended += [child.wait() for child in looking]
    found = Found(writers * each, broken=[f"it ended with {code}" for code in ended if code])
    found.broken += [f"a user was told: {' '.join(words)}" for words in scene.said("told")]
    _check(scene, found)
    waits: dict[str, list[float]] = {"w": [], "r": []}
    for n, child in enumerate(("r",) * readers + ("w",) * writers):
        for line in (scene.work / f"said-{n}").read_text().splitlines():
            if line.startswith("took "):
                waits[child].append(float(line.split()[1]))
    if len(waits["w"]) != writers * each:
        found.broken.append(f"{len(waits['w'])} transactions were begun, not {writers * each}")
    if min(len(s) for s in waits.values()) == 0:
        found.broken.append("nobody read anything")
        return found
    rate = len(waits["w"]) / took
    found.note = (
        f"{writers} processes × {each} transactions beside {readers} readers, {rate:.0f}/s; "
        + "; ".join(
            f"{what} p50 {spell(percentile(waits[who], 0.5))}, p99 "
            f"{spell(percentile(waits[who], 0.99))}, max {spell(max(waits[who]))}"
            for who, what in (("w", "writing"), ("r", "reading"))
        )
    )
    return found


def _check(scene: Scene, found: Found) -> None:
    """Every transaction that was acknowledged must be there."""
    if scene.rows("PRAGMA integrity_check") != [{"integrity_check": "ok"}]:
        found.broken.append("the database is damaged")
    tasks = {row["id"]: row for row in scene.rows("SELECT id, status, context FROM task")}
    found.broken += [f"task {id_} is lost" for (id_,) in scene.said("task") if id_ not in tasks]
    for id_, nonce in scene.said("added"):
        if nonce not in tasks[id_]["context"]:
            found.broken.append(f"what was added to {id_} is lost")
    events = [(e["task"], e["kind"]) for e in scene.events()]
    for kind in ("paused", "resumed"):
        there = {task for task, what in events if what == kind}
        found.broken += [f"{id_} was not {kind}" for (id_,) in scene.said(kind) if id_ not in there]


if __name__ == "__main__":
    if sys.argv[1] == "writer":
        asyncio.run(writer(sys.argv[2], int(sys.argv[3])))
    else:
        asyncio.run(reader(sys.argv[2]))
