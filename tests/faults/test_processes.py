"""One process dies, or sleeps, at a chosen moment."""

import asyncio
import contextlib
import signal
import sqlite3
from dataclasses import replace

import pytest
from front_end import step
from scene import HERE, Row, Scene
from support import ScriptedAgent

from taskhub_tui.agents.registry import Registry
from taskhub_tui.domain.model import Action, BlockerKind, Interrupt, NewTask, StageSpec, Status
from taskhub_tui.hub import Hub

SOON = 5.0
"""Seconds after which somebody must be at work again, with no front end open."""


@pytest.fixture(autouse=True)
def in_work(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(scene.work)


async def submit(*stages: StageSpec, autostart: bool = False) -> str:
    """Hand over a task from a front end that is closed at once."""
    async with await Hub.open(autostart=autostart, actor="ann") as hub:
        return (await hub.submit(NewTask("a task", stages=stages))).id


async def decide(task: str, action: Action, text: str) -> None:
    async with await Hub.open(autostart=False, actor="ann") as hub:
        await hub.decide(task, action, text=text)


def task_row(scene: Scene, task: str) -> Row:
    return scene.rows("SELECT * FROM task WHERE id = ?", task)[0]


def until_status(scene: Scene, task: str, *wanted: Status) -> Row:
    scene.until(lambda: task_row(scene, task)["status"] in wanted)
    return task_row(scene, task)


def kill_worker(scene: Scene) -> None:
    """Kill the one worker, wherever it has got to, and wait until it is gone."""
    scene.until(lambda: scene.pids("taskhub_tui.worker"))
    (worker,) = scene.pids("taskhub_tui.worker")
    scene.kill(worker)
    scene.until(lambda: worker not in scene.pids("taskhub_tui.worker"))


async def test_a_killed_worker_is_replaced_soon_with_no_front_end_open(scene: Scene) -> None:
    task = await submit(step("a", 0.1), step("b", None), autostart=True)
    waits = []
    for _ in range(3):
        scene.until(lambda: (task, "b", 1) in scene.lines("start"))
        scene.until(lambda: task_row(scene, task)["holder"] and scene.runs())
        before = scene.workers()
        kill_worker(scene)
        waits.append(scene.until(lambda: set(scene.workers()) - set(before)))  # noqa: B023
    print("a killed worker was replaced after", [f"{wait:.2f}s" for wait in waits])
    assert max(waits) < SOON
    # However often it is killed: the keeper gives up on workers that cannot start, not on these.
    for _ in range(6):
        kill_worker(scene)
    before = scene.workers()
    assert scene.until(lambda: set(scene.workers()) - set(before)) < SOON
    scene.go()
    until_status(scene, task, Status.COMPLETED)
    scene.check()


async def test_a_worker_whose_keeper_was_killed_works_on(scene: Scene) -> None:
    task = await submit(step("a", 0.5), step("b", 0.1, gate=True), autostart=True)
    scene.until(lambda: scene.lines("start"))
    scene.kill(scene.pids("taskhub_tui.keeper")[0])
    until_status(scene, task, Status.BLOCKED)
    assert len(scene.pids("taskhub_tui.worker")) == 1
    scene.kill(scene.pids("taskhub_tui.worker")[0])
    # Now nobody is left; the next front end that has something to do starts both.
    async with await Hub.open(actor="ann") as hub:
        await hub.decide(task, Action.APPROVE, text="go on")
    until_status(scene, task, Status.COMPLETED)
    scene.until(lambda: len(scene.pids("taskhub_tui.keeper")) == 1)
    scene.check()


async def test_a_keeper_does_not_give_up_on_a_database_that_cannot_be_used_for_a_while(
    scene: Scene,
) -> None:
    database = scene.home / "taskhub.db"
    database.write_bytes(b"this is no database" * 100)
    scene.start("-m", "taskhub_tui.keeper", str(scene.home))
    scene.until(lambda: "ended with 5" in (scene.work / "errors").read_text())
    database.unlink()
    scene.until(scene.workers)
    scene.until(lambda: len(scene.pids("taskhub_tui.keeper")) == 1)


@pytest.mark.parametrize("moment", [0.15, 0.3, 0.45, 0.6])
async def test_the_very_first_start_may_be_killed_at_any_moment(
    scene: Scene, moment: float
) -> None:
    scene.start(str(HERE / "front_end.py"), "f1", "first")
    await asyncio.sleep(moment)
    scene.kill_all()
    (scene.work / "enough").touch()
    scene.start(str(HERE / "front_end.py"), "f2", "second")
    task = await submit(step("a", 0.0))
    until_status(scene, task, Status.COMPLETED)
    assert scene.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]


async def test_many_front_ends_at_once_start_one_keeper(scene: Scene) -> None:
    for n in range(4):
        scene.start(str(HERE / "front_end.py"), f"f{n}", f"many {n}")
    scene.until(lambda: len({task for (task,) in scene.said("task")}) >= 6)
    scene.until(lambda: len(scene.pids("taskhub_tui.keeper")) == 1)
    assert len(scene.pids("taskhub_tui.worker")) == 1
    (scene.work / "enough").touch()
    scene.until(lambda: not scene.rows("SELECT 1 FROM task WHERE status <> 'completed'"))
    assert "Traceback" not in (scene.work / "errors").read_text()
    scene.check()


async def test_a_killed_runner_becomes_a_question_and_retry_runs_it_once_more(scene: Scene) -> None:
    scene.worker()
    task = await submit(step("a", 0.0), step("b", None))
    scene.until(lambda: (task, "b", 1) in scene.lines("start"))
    (run,) = scene.runs()
    scene.kill(run["runner"]["pid"])
    scene.go()
    until_status(scene, task, Status.BLOCKED)
    (blocker,) = scene.rows("SELECT * FROM blocker")
    assert blocker["kind"] == BlockerKind.INTERRUPTED
    assert "how it ended is not known" in blocker["detail"]
    assert scene.lines("end")[(task, "b", 1)] == 1, "the command itself was left alone"
    assert scene.lines("start").total() == 2
    await decide(task, Action.RETRY, "once more")
    until_status(scene, task, Status.COMPLETED)
    assert scene.lines("start").total() == 3
    scene.check()


async def test_a_killed_command_fails_its_stage_and_is_not_repeated(scene: Scene) -> None:
    scene.worker()
    task = await submit(step("a", 0.0), step("b", None))
    scene.until(lambda: (task, "b", 1) in scene.lines("start"))
    scene.kill(scene.runs()[0]["pid"])
    scene.go()
    assert "SIGKILL" in until_status(scene, task, Status.FAILED)["error"]
    assert scene.lines("start").total() == 2
    await decide(task, Action.RETRY, "once more")
    until_status(scene, task, Status.COMPLETED)
    scene.check()


@pytest.mark.parametrize("moment", ["running", "asking", "between"])
async def test_what_a_worker_writes_after_it_slept_past_its_lease_is_refused(
    scene: Scene, moment: str
) -> None:
    first = scene.worker()
    question = "May it go on?" if moment == "asking" else ""
    task = await submit(step("a", 0.6, question), step("b", 0.6), step("c", 0.0))
    if moment != "between":
        scene.until(lambda: scene.lines("start"))
    scene.put_to_sleep(first.pid)
    held = task_row(scene, task)
    second = scene.worker()
    if moment == "asking":
        until_status(scene, task, Status.BLOCKED)
        await decide(task, Action.APPROVE, "yes")
    scene.until(lambda: (task, "b", 1) in scene.lines("start"))
    now = task_row(scene, task)
    assert f":{second.pid}:" in now["holder"]
    assert now["fence"] > held["fence"]
    scene.kill(first.pid, signal.SIGCONT)
    until_status(scene, task, Status.COMPLETED)
    scene.until(lambda: first.pid in scene.workers())
    # The sleeper is of use again: alone, it does the next task.
    second.terminate()
    assert second.wait() == 0
    later = await submit(step("a", 0.1))
    until_status(scene, later, Status.COMPLETED)
    assert first.poll() is None
    scene.check()


STUBBORN = """
import asyncio, os, time
from pathlib import Path
from taskhub_tui import config
from taskhub_tui.domain.model import AgentCard
from taskhub_tui.agents.port import Result
from taskhub_tui.agents.registry import Registry
from taskhub_tui.worker import serve

class Stubborn:
    card = AgentCard("stubborn", "Stubborn", "", on_interrupt="rerun")

    async def run(self, stage, ctx):
        with open("begun", "a") as begun:
            begun.write(f"{stage.idempotency_key}\\n")
        end = time.monotonic() + 6
        while time.monotonic() < end:
            pass  # As a library does that computes, and gives nobody else a turn.
        return Result("done")

where = config.paths()
registry = Registry({"stubborn": Stubborn()})
asyncio.run(serve(where, config.settings(where), registry=registry))
"""


async def test_an_agent_that_gives_its_worker_no_turn_is_not_run_by_another_as_well(
    scene: Scene,
) -> None:
    (scene.work / "stubborn.py").write_text(STUBBORN)
    begun = scene.work / "begun"
    for _ in range(2):
        scene.start(str(scene.work / "stubborn.py"))
    scene.until(lambda: len(scene.workers()) == 2)
    stages = (StageSpec("a", "stubborn", on_interrupt="rerun"),)
    registry = Registry({"stubborn": ScriptedAgent("stubborn")})
    async with await Hub.open(autostart=False, actor="ann", registry=registry) as hub:
        task = (await hub.submit(NewTask("a task", stages=stages))).id
    until_status(scene, task, Status.COMPLETED)
    assert len(begun.read_text().splitlines()) == 1
    assert "taken over" not in {row["kind"] for row in scene.rows("SELECT kind FROM event")}


async def test_a_worker_told_to_leave_hands_over_at_once(scene: Scene) -> None:
    first, second = scene.worker(), None
    task = await submit(step("a", None), step("b", 0.1))
    scene.until(lambda: scene.lines("start") and scene.runs())
    second = scene.worker()
    first.terminate()
    assert first.wait() == 0
    assert first.pid not in scene.workers(), "it left its lease to run out"
    scene.until(lambda: f":{second.pid}:" in (task_row(scene, task)["holder"] or ""))
    scene.go()
    until_status(scene, task, Status.COMPLETED)
    assert scene.lines("start").total() == 2
    scene.check()


SLOW = """
import os, sys, time

def slow(cls, name):
    real = getattr(cls, name)
    def late(self, *args):
        open(os.environ["SLOW_SAYS"], "w").close()
        time.sleep(1.0)
        return real(self, *args)
    setattr(cls, name, late)

if "taskhub_tui.worker" in sys.orig_argv:
    if os.environ["SLOW"] == "as it decides to leave":
        from taskhub_tui.engine.engine import Engine
        slow(Engine, "stop")
    else:
        from taskhub_tui.storage.store import Store
        slow(Store, "close")
"""


@pytest.mark.parametrize("when", ["as it decides to leave", "as it closes the database"])
async def test_what_is_handed_over_while_the_last_worker_leaves_is_done(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    place, leaving = scene.work / "slow", scene.work / "leaving"
    place.mkdir()
    (place / "sitecustomize.py").write_text(SLOW)
    monkeypatch.setenv("PYTHONPATH", str(place))
    monkeypatch.setenv("SLOW", when)
    monkeypatch.setenv("SLOW_SAYS", str(leaving))
    config = scene.home / "config.toml"
    config.write_text("idle_exit = 1\n" + config.read_text())
    first = await submit(step("a", 0.1), autostart=True)
    until_status(scene, first, Status.COMPLETED)
    scene.until(leaving.exists)
    second = await submit(step("a", 0.1), autostart=True)
    until_status(scene, second, Status.COMPLETED)
    # And then nothing is left but the two of them, which end by themselves.
    scene.until(lambda: not scene.pids("taskhub_tui.keeper"))
    scene.check()


async def test_after_an_update_the_old_worker_makes_room_for_a_new_one(scene: Scene) -> None:
    held = await submit(step("a", None), autostart=True)
    scene.until(lambda: scene.lines("start") and scene.runs())
    (old,) = scene.pids("taskhub_tui.worker")

    def schema(by: int) -> None:
        with contextlib.closing(sqlite3.connect(scene.home / "taskhub.db")) as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            connection.execute(f"PRAGMA user_version = {version + by}")

    schema(+1)  # As a newer TaskHub leaves it. This one cannot open it then, in no worker.
    scene.until(lambda: old not in scene.pids("taskhub_tui.worker"))
    scene.until(lambda: not scene.pids("taskhub_tui.keeper"))
    schema(-1)
    async with await Hub.open(actor="ann") as hub:
        await hub.rouse()
    scene.go()
    until_status(scene, held, Status.COMPLETED)
    assert scene.lines("start").total() == 1
    scene.check()


async def test_what_is_handed_over_while_the_worker_is_still_leaving_is_done(scene: Scene) -> None:
    await submit(step("a", 0.1), autostart=True)
    scene.until(lambda: scene.lines("end") and scene.workers())
    (worker,) = scene.pids("taskhub_tui.worker")
    scene.put_to_sleep(worker)  # So it is long about it.
    async with await Hub.open(autostart=False, actor="ann") as hub:
        assert await hub.stop_worker() == 1
    second = await submit(step("a", 0.1), autostart=True)
    scene.kill(worker, signal.SIGCONT)
    until_status(scene, second, Status.COMPLETED)
    scene.check()


async def test_a_worker_that_a_person_stopped_stays_away(scene: Scene) -> None:
    held = await submit(step("a", None), autostart=True)
    scene.until(lambda: scene.lines("start") and scene.runs())
    async with await Hub.open(autostart=False, actor="ann") as hub:
        assert await hub.stop_worker() == 1
    scene.until(lambda: not scene.pids("taskhub_tui.keeper"))
    assert scene.pids("taskhub_tui.worker") == []
    scene.go()
    async with await Hub.open(actor="ann") as hub:
        await hub.rouse()
    until_status(scene, held, Status.COMPLETED)
    scene.check()


def reboot(scene: Scene) -> None:
    """Make of this boot of the machine an earlier one, and end everything that ran in it."""
    scene.kill_all()
    runs = list(scene.home.glob("tasks/*/run/*"))
    for path in [run / name for run in runs for name in ("pid.json", "claimed")]:
        path.write_text(path.read_text().replace(this_boot(), "an earlier boot"))
    with sqlite3.connect(scene.home / "taskhub.db") as connection:
        connection.execute("UPDATE worker SET boot = 'an earlier boot'")
    connection.close()


def this_boot() -> str:
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


async def test_after_a_reboot_what_ran_asks_and_what_was_done_stays_done(scene: Scene) -> None:
    scene.worker()
    cut = await submit(step("a", 0.0), step("b", None))
    gated = await submit(step("a", 0.0), step("b", 0.0, gate=True))
    over = await submit(step("a", 0.0))
    scene.until(lambda: (cut, "b", 1) in scene.lines("start"))
    until_status(scene, gated, Status.BLOCKED)
    until_status(scene, over, Status.COMPLETED)
    reboot(scene)
    scene.worker()
    assert until_status(scene, cut, Status.BLOCKED)["stage"] == 1
    (blocker,) = scene.rows("SELECT * FROM blocker WHERE kind = 'interrupted'")
    assert "when the machine went down" in blocker["detail"]
    starts = scene.lines("start")
    assert starts.total() == 4
    await decide(gated, Action.APPROVE, "yes")
    until_status(scene, gated, Status.COMPLETED)
    await decide(cut, Action.RETRY, "run it again")
    scene.until(lambda: (cut, "b", 2) in scene.lines("start"))
    assert (scene.lines("start") - starts).keys() == {(cut, "b", 2), (gated, "b", 1)}
    await decide(cut, Action.CANCEL, "it takes too long")
    scene.until(lambda: not scene.runs() and not task_row(scene, cut)["stopping"])


@pytest.mark.parametrize("habit", ["adopt", "rerun", "ask"])
async def test_after_a_reboot_each_stage_goes_on_as_its_on_interrupt_says(
    scene: Scene, habit: Interrupt
) -> None:
    scene.worker()
    task = await submit(
        step("a", 0.0), replace(step("b", None), on_interrupt=habit), step("c", 0.0)
    )
    scene.until(lambda: (task, "b", 1) in scene.lines("start"))
    reboot(scene)
    scene.go()
    scene.worker()
    if habit != "rerun":
        # What was to be adopted did not survive, so a person must say whether it may be repeated.
        until_status(scene, task, Status.BLOCKED)
        (blocker,) = scene.rows("SELECT detail FROM blocker WHERE kind = 'interrupted'")
        why = "when the machine went down" if habit == "adopt" else "ended while it was running"
        assert why in blocker["detail"]
        assert scene.lines("start").total() == 2
        await decide(task, Action.RETRY, "run it again")
    until_status(scene, task, Status.COMPLETED)
    starts = scene.lines("start")
    # What is repeated without asking has the same key as before.
    again = {(task, "b", 1): 2} if habit == "rerun" else {(task, "b", 1): 1, (task, "b", 2): 1}
    assert starts == {(task, "a", 1): 1, (task, "c", 1): 1, **again}
    assert len(scene.rows("SELECT 1 FROM blocker")) == (0 if habit == "rerun" else 1)


@pytest.mark.parametrize("habit", ["adopt", "rerun", "ask"])
async def test_a_command_that_outlived_its_worker_is_never_started_beside_itself(
    scene: Scene, habit: Interrupt
) -> None:
    worker = scene.worker()
    task = await submit(step("a", 0.0), replace(step("b", None), on_interrupt=habit))
    scene.until(lambda: (task, "b", 1) in scene.lines("start"))
    scene.kill(worker.pid)
    worker.wait()
    scene.worker()
    if habit == "ask":
        until_status(scene, task, Status.BLOCKED)
        assert scene.runs(), "it was stopped without being asked"
        await decide(task, Action.RETRY, "run it again")
        scene.until(lambda: (task, "b", 2) in scene.lines("start"))
        assert len(scene.runs()) == 1, "the first one runs still"
    scene.go()
    until_status(scene, task, Status.COMPLETED)
    assert scene.lines("start").total() == (3 if habit == "ask" else 2)


async def test_cancelled_while_no_worker_lives_the_command_is_stopped_by_the_next(
    scene: Scene,
) -> None:
    worker = scene.worker()
    task = await submit(step("a", None), step("b", 0.0))
    scene.until(lambda: scene.lines("start"))
    scene.kill(worker.pid)
    worker.wait()
    await decide(task, Action.CANCEL, "not needed any more")
    assert scene.runs(), "nobody was there to stop it"
    scene.worker()
    scene.until(lambda: not scene.runs() and not task_row(scene, task)["stopping"])
    assert task_row(scene, task)["status"] == Status.CANCELLED
    assert scene.lines("start").total() == 1
    assert not scene.lines("end")


async def test_of_several_workers_one_runs_each_stage(scene: Scene) -> None:
    workers = [scene.worker() for _ in range(3)]
    for _ in range(12):
        await submit(step("a", 0.05), step("b", 0.05))
    scene.until(lambda: not scene.rows("SELECT 1 FROM task WHERE status <> 'completed'"))
    assert scene.lines("start").total() == 24
    assert all(worker.poll() is None for worker in workers)
    scene.check()
