"""The disk is full for a while."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import disk_full
import pytest
from disk import build, full_while
from scene import Scene

from taskhub_tui.domain.model import NewTask
from taskhub_tui.hub import Hub

FRONT_END = """
import asyncio, sys
from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.domain.model import NewTask
from taskhub_tui.hub import Hub

async def main():
    async with await Hub.open(autostart=False) as hub:
        print(*[task.request for task in await hub.tasks()], flush=True)
        try:
            await hub.submit(NewTask("refused", agent="command", options={"argv": ["true"]}))
        except TaskHubError as error:
            print(error, flush=True)
        sys.stdin.readline()
        print(*sorted(task.request for task in await hub.tasks()), flush=True)
        await hub.submit(NewTask("third", agent="command", options={"argv": ["true"]}))
        print(*sorted(task.request for task in await hub.tasks()), flush=True)

asyncio.run(main())
"""


def test_on_a_full_disk_people_are_told_so_and_the_work_goes_on_once_there_is_space(
    scene: Scene, tmp_path: Path
) -> None:
    library = build(tmp_path)
    disk = disk_full.PretendedDisk(library, scene.home, scene.work / "full")
    found = disk_full.run(scene, disk)
    assert found.broken == [], scene.trouble()


@pytest.mark.parametrize("log", ["empty", "not written back"])
async def test_a_front_end_opened_on_a_full_disk_shows_what_is_there_and_writes_once_it_can(
    scene: Scene, hub: Hub, tmp_path: Path, log: str
) -> None:
    async def hand_over(name: str) -> None:
        await hub.submit(NewTask(name, agent="command", options={"argv": ["true"]}))

    await hand_over("first")
    if log == "empty":
        await hub.close()
    else:  # As after a restart of the machine, which leaves nothing of the memory.
        aside = scene.work / "aside"
        shutil.copytree(scene.home, aside)
        await hub.close()
        for end in ("", "-wal"):
            shutil.copy(aside / f"taskhub.db{end}", scene.home)
        (scene.home / "taskhub.db-shm").touch(0o600)
    switch = scene.work / "full"
    switch.touch()
    front_end = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", FRONT_END],
        env={**os.environ, **full_while(build(tmp_path), scene.home, switch)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with front_end:
        assert front_end.stdin is not None
        assert front_end.stdout is not None
        assert front_end.stdout.readline() == "first\n"
        assert "is full; nothing was changed" in front_end.stdout.readline()
        switch.unlink()
        async with await Hub.open(paths=hub.paths, settings=hub.settings, autostart=False) as hub:
            await hand_over("second")
            front_end.stdin.write("\n")
            front_end.stdin.flush()
            assert front_end.stdout.readline() == "first second\n"
            assert front_end.stdout.readline() == "first second third\n"
            assert len(await hub.tasks()) == 3
