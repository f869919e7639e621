"""A keeper that can keep nothing alive says so, and so does who has started it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import soon

from taskhub_tui import keeper
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.errors import WorkerError
from taskhub_tui.domain.model import NewTask
from taskhub_tui.hub import Hub

KEEP = """
import pathlib, sys, time
from taskhub_tui import keeper
sleep = time.sleep
time.sleep = lambda seconds: (print("waits", flush=True), sleep(seconds))
sys.executable = sys.argv[1]
sys.exit(keeper.main(pathlib.Path(sys.argv[2])))
"""
"""Keeps a worker alive that is another program, and says when it waits."""


def test_a_lock_that_cannot_be_used_is_said_in_a_sentence(where: Paths) -> None:
    lock = where.home / "keeper.lock"
    lock.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "taskhub_tui.keeper", str(where.home)],
        capture_output=True,
        text=True,
    )
    said = f"keeper: no worker can be kept alive: {lock}: Is a directory\n"
    assert (done.returncode, done.stderr) == (1, said)


def test_a_worker_that_what_it_ran_has_ended_is_replaced(where: Paths, tmp_path: Path) -> None:
    """An agent in the worker's process may call `os._exit(0)`, which looks like leaving."""
    worker, starts = tmp_path / "worker", tmp_path / "starts"
    worker.write_text(
        f"#!/bin/sh\necho start >> {starts}\n"
        f'[ "$(wc -l < {starts})" -lt 3 ] && exit 0\nexit "${keeper.LEFT_AS}"\n'
    )
    worker.chmod(0o700)
    run = [sys.executable, "-c", KEEP, str(worker), str(where.home)]
    done = subprocess.run(run, capture_output=True, timeout=30)
    assert (done.returncode, starts.read_text().count("start")) == (0, 3)


@pytest.mark.parametrize("end", ["it has left", "its worker is at work"])
def test_a_keeper_waits_for_another_as_long_as_a_worker_is_wanted(
    where: Paths, tmp_path: Path, end: str
) -> None:
    """The worker of the other may be long about leaving, or be too old to work again."""
    worker, started = tmp_path / "worker", tmp_path / "started"
    place = where.home / "keeper.lock"
    worker.write_text(f'#!/bin/sh\ntouch {started}\n: > {place}\nexit "${keeper.LEFT_AS}"\n')
    worker.chmod(0o700)
    lock = keeper._lock(where.home)
    assert keeper._taken(lock)
    keeper._want(where.home)
    run = [sys.executable, "-c", KEEP, str(worker), str(where.home)]
    waiting = subprocess.Popen(run, stdout=subprocess.PIPE)
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == b"waits\n"
    if end == "it has left":
        os.close(lock)
    else:
        keeper.satisfied(where.home)
    assert waiting.wait(timeout=keeper.PATIENCE / 2) == 0
    assert started.exists() is (end == "it has left")
    waiting.stdout.close()


async def test_whoever_hands_a_task_over_is_told_that_nobody_can_start_on_it(
    where: Paths, settings: Settings
) -> None:
    (where.home / "keeper.lock").mkdir()
    async with await Hub.open(paths=where, settings=settings) as hub:
        task = await hub.submit(NewTask("ls", agent="command", options={"argv": ["ls"]}))
        assert "No worker can be started: " in str(hub.trouble)
        assert [one.id for one in await hub.tasks()] == [task.id]


async def test_one_that_ended_with_an_error_is_told_of_when_the_next_is_started(
    where: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the Python that it runs with has been taken away."""
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'There is no module of that name' >&2\nexit 1\n")
    python.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(python))
    keeper.start(where)
    await soon(lambda: keeper._started[-1].poll() is not None)
    with pytest.raises(WorkerError, match="could not be kept alive: There is no module of that"):
        keeper.start(where)
    await soon(lambda: keeper._started[-1].poll() is not None)
    keeper._started[:] = [one for one in keeper._started if one.poll() is None]
