"""No decision is lost, and none is taken for another."""

import asyncio
import contextlib
import json
import sqlite3
from dataclasses import replace

import pytest
from scene import PATIENCE, Scene, wait_for

from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.model import Action, NewTask, StageSpec, Status
from taskhub_tui.hub import Hub
from taskhub_tui.worker import Worker, serve


def shell(line: str, **spec: bool) -> StageSpec:
    return StageSpec("a", "command", options={"shell": line}, **spec)


async def test_a_gate_that_was_denied_stays_on_record_when_it_asks_again(
    hub: Hub, worker: Worker, scene: Scene
) -> None:
    task = await hub.submit(NewTask("a task", stages=(shell("echo run", gate=True),)))
    for action, text in ((Action.DENY, "not today"), (Action.APPROVE, "now")):
        await wait_for(hub, task.id, Status.BLOCKED)
        await hub.decide(task.id, action, text=text)
        if action is Action.DENY:
            await hub.decide(task.id, Action.RETRY, text="ask again")
    await wait_for(hub, task.id, Status.COMPLETED)
    blockers = scene.rows("SELECT state, answer FROM blocker ORDER BY created")
    assert [(b["state"], json.loads(b["answer"])["text"]) for b in blockers] == [
        ("answered", "not today"),
        ("answered", "now"),
    ]


@pytest.mark.parametrize("key", ["gate", "review", "interrupted"])
async def test_an_answer_to_a_command_is_never_taken_for_one_about_its_stage(
    hub: Hub, worker: Worker, scene: Scene, key: str
) -> None:
    line = f'echo run >> ledger; "$TASKHUB_ASK" --key {key} "Go on?" && echo went on'
    new = NewTask("a task", stages=(shell(line),), workdir=str(scene.work))
    task = await hub.submit(new)
    await wait_for(hub, task.id, Status.BLOCKED)
    await hub.decide(task.id, Action.APPROVE)
    view = await wait_for(hub, task.id, Status.COMPLETED)
    assert view.task.summary == "went on"
    assert (scene.work / "ledger").read_text() == "run\n"
    assert view.stages[0].attempt == 1


async def test_a_task_whose_front_end_was_interrupted_while_handing_it_over_keeps_its_folder(
    where: Paths, settings: Settings, hub: Hub
) -> None:
    other = sqlite3.connect(where.database, isolation_level=None)
    with contextlib.closing(other):
        other.execute("BEGIN IMMEDIATE")  # so that the writing takes until we let it
        new = NewTask("a task", stages=(shell('echo "$TOKEN"'),))
        submitting = asyncio.create_task(hub.submit(new, secret_env={"TOKEN": "s3cret"}))
        while not list(where.tasks.glob("*/env.json")):
            await asyncio.sleep(0.01)
        submitting.cancel()
        await asyncio.gather(submitting, return_exceptions=True)
        other.execute("ROLLBACK")
    while not (tasks := await hub.tasks()):
        await hub.changed(0.05)
    assert (where.task(tasks[0].id) / "env.json").exists()


async def test_a_worker_lets_go_of_a_task_that_was_taken_over_while_it_slept(
    where: Paths, settings: Settings, hub: Hub, scene: Scene
) -> None:
    workers: list[Worker] = []
    quick = replace(settings, lease=1.0)
    serving = asyncio.create_task(serve(where, quick, ready=workers.append))
    task = await hub.submit(NewTask("a task", stages=(shell("sleep 60"),)))
    # From its last save on, the agent has nothing more to write.
    while not any(
        "control" in row["state"]
        for row in scene.rows("SELECT state FROM stage WHERE state IS NOT NULL")
    ):
        await asyncio.sleep(0.02)
    with contextlib.closing(sqlite3.connect(where.database, isolation_level=None)) as other:
        # What the take-over by a worker of another machine writes.
        other.execute(
            "INSERT INTO worker VALUES ('elsewhere:1', 'elsewhere', '', 1, '', '', 0, 0, 1e12, 0)"
        )
        other.execute("UPDATE task SET holder = 'elsewhere:1', fence = fence + 1")
    # It says nothing that could be refused, and still stops to follow the command.
    async with asyncio.timeout(PATIENCE):
        while workers[0].engine.busy:
            await asyncio.sleep(0.02)
    assert scene.runs(), "the command was left alone"
    assert (await hub.status(task.id)).task.status is Status.IN_PROGRESS
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
