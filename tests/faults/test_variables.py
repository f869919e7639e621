"""A command never runs without what it was given, wherever its variables were lost."""

from pathlib import Path

import pytest
from scene import Scene, wait_for

from taskhub_tui import care
from taskhub_tui.config import Paths
from taskhub_tui.domain.model import Action, NewTask, StageSpec, Status
from taskhub_tui.hub import Hub
from taskhub_tui.worker import Worker

LINE = 'echo "run with [$TOKEN]" >> ledger; [ -e good ]'
"""Fails until there is a file `good`, and notes what it ran with."""


async def failing(hub: Hub, work: Path) -> str:
    """Hand over a task that fails once, with a secret."""
    new = NewTask("a task", stages=(StageSpec("a", "command", options={"shell": LINE}),))
    new = NewTask(new.request, stages=new.stages, workdir=str(work))
    task = await hub.submit(new, secret_env={"TOKEN": "s3cret"})
    await wait_for(hub, task.id, Status.FAILED)
    (work / "good").touch()
    return task.id


async def test_a_retry_after_pruning_runs_with_the_same_variables(
    where: Paths, hub: Hub, worker: Worker, scene: Scene
) -> None:
    task_id = await failing(hub, scene.work)
    await care.prune(where, -60, [Status.FAILED], by="ann", keep_results=True)
    assert not where.log(task_id).exists()
    await hub.decide(task_id, Action.RETRY)
    await wait_for(hub, task_id, Status.COMPLETED)
    assert (scene.work / "ledger").read_text() == "run with [s3cret]\n" * 2


@pytest.mark.parametrize("action", [Action.RETRY, Action.MODIFY])
async def test_a_lost_variable_is_asked_for_and_given_anew(
    where: Paths, hub: Hub, worker: Worker, scene: Scene, action: Action
) -> None:
    task_id = await failing(hub, scene.work)
    (where.task(task_id) / "env.json").unlink()
    await hub.decide(task_id, Action.RETRY)
    view = await wait_for(hub, task_id, Status.FAILED)
    assert view.task.error is not None
    assert f"`taskhub retry {task_id} --env TOKEN` gives it anew" in view.task.error
    assert (scene.work / "ledger").read_text() == "run with [s3cret]\n", "it did not run"
    await hub.decide(task_id, action, secret_env={"TOKEN": "an0ther"})
    await wait_for(hub, task_id, Status.COMPLETED)
    assert (scene.work / "ledger").read_text() == "run with [s3cret]\nrun with [an0ther]\n"


async def test_a_person_may_let_it_run_without(
    where: Paths, hub: Hub, worker: Worker, scene: Scene
) -> None:
    task_id = await failing(hub, scene.work)
    (where.task(task_id) / "env.json").unlink()
    await hub.decide(task_id, Action.MODIFY, data={"options": {"secret_env": None}})
    await wait_for(hub, task_id, Status.COMPLETED)
    assert (scene.work / "ledger").read_text() == "run with [s3cret]\nrun with []\n"
