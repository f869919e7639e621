"""A hub that is only looked at refuses whatever would change something; so does its process."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tui.hubs import Seed, asleep, text, until

from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.errors import ReadOnly
from taskhub_tui.domain.model import Action, NewTask, Status
from taskhub_tui.hub import Hub
from taskhub_tui.tui.app import TaskHubApp
from taskhub_tui.tui.widgets.path_input import PathInput

TASK = NewTask("List it", agent="command", options={"argv": ["ls"]})


@pytest.fixture
async def looking(where: Paths, settings: Settings) -> AsyncIterator[Hub]:
    async with await Hub.open(paths=where, settings=settings, read_only=True) as hub:
        yield hub


async def test_it_shows_all_and_refuses_all(hub: Hub, looking: Hub, where: Paths) -> None:
    task = await hub.submit(TASK)
    assert [one.id for one in await looking.tasks()] == [task.id]
    before = await looking.changes(0)
    for attempt in (
        looking.submit(TASK),
        *(looking.decide(task.id, action, text="x", agent="command") for action in Action),
        looking.pause(task.id),
        looking.resume(task.id),
        looking.stop_worker(),
    ):
        with pytest.raises(ReadOnly, match="This view only shows"):
            await attempt
    await looking.mark_read([1])
    await looking.report_presence(focused=True, last_input=1.0)
    assert await looking.changes(0) == before
    assert (await hub.status(task.id)).task.seq == task.seq
    assert [path.name for path in where.tasks.iterdir()] == [task.id]


async def test_it_does_not_look_for_what_may_be_wrong(looking: Hub) -> None:
    (said,) = await looking.checks()
    assert said.remedy == "`taskhub doctor` in a terminal does"


async def test_it_starts_no_worker(hub: Hub, looking: Hub) -> None:
    await hub.submit(TASK)
    await looking.rouse()
    await looking.ensure_worker()
    await asyncio.sleep(0.5)
    assert await looking.workers() == []


async def test_its_app_lists_no_folders_and_asks_for_no_path(
    looking: Hub, hub: Hub, where: Paths
) -> None:
    seed = Seed(hub, where, hub._store)
    task = await seed.put("Report", Status.COMPLETED)
    await seed.files(task, seed.paths.home / "made.txt")
    app = TaskHubApp(looking, services=[asleep])
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await until(pilot, lambda: "Report" in text(app), seconds=20)
        for keys in (["n"], ["d"], ["enter", "3", "s"]):
            await pilot.press(*keys)
            await until(pilot, lambda: "This view only shows" in text(app), seconds=20)
            assert len(app.screen_stack) == 1
            assert not app.query(PathInput)
            app.clear_notifications()
            await until(pilot, lambda: "This view only shows" not in text(app), seconds=20)


TRY = """
import ctypes, os, pathlib, signal, socket, sqlite3, subprocess, sys
from taskhub_tui.serving.sealed import seal
here = pathlib.Path(sys.argv[1])
os.chdir(here)
(here / "run").mkdir()
(here / "shown").mkdir()
(here / "old").write_text("old")
(here / "run" / "out").symlink_to(here)
reader = os.open(here / "old", os.O_RDONLY)
folder = os.open(here, os.O_RDONLY)
bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
other = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
other.bind(str(here / "other"))
seal([here / "run"], [here / "shown"])
(here / "run" / "mine").write_text("mine")
(here / "run" / "mine").rename(here / "run" / "more")
(here / "run" / "more").unlink()
bell.bind(str(here / "run" / "bell"))
(here / "run" / "bell").unlink()
assert (here / "old").read_text() == "old"
assert os.listdir(here / "shown") == []
import wsgiref.validate  # What was not imported before still can be.
for number, attempt in enumerate([
    lambda: (here / "new").write_text("new"),
    lambda: (here / "run" / ".." / "new").write_text("new"),
    lambda: os.open(here / "new", os.O_CREAT | os.O_WRONLY),
    lambda: open(here / "old", "a"),
    lambda: (here / "old").unlink(),
    lambda: (here / "old").rename(here / "run" / "old"),
    lambda: (here / "run" / "out").rename(here / "out"),
    lambda: (here / "run" / "new").hardlink_to(here / "old"),
    lambda: (here / "new").symlink_to(here / "old"),
    lambda: (here / "run" / "out" / "new").write_text("new"),
    lambda: open("run/new", "w"),
    lambda: os.open("new", os.O_CREAT | os.O_WRONLY, dir_fd=folder),
    lambda: os.mkdir("run/new", dir_fd=folder),
    lambda: os.chmod(reader, 0o777),
    lambda: os.listdir(here),
    lambda: os.listdir(),
    lambda: os.listdir(folder),
    lambda: list(os.scandir(here)),
    lambda: list(os.scandir("/")),
    lambda: os.kill(os.getpid(), signal.SIGTERM),
    lambda: os.killpg(os.getpgid(0), signal.SIGTERM),
    lambda: ctypes.CDLL(None),
    lambda: bell.sendto(b"x", str(here / "other")),
    lambda: bell.sendmsg([b"x"], [], 0, str(here / "other")),
    lambda: bell.connect(str(here / "other")),
    lambda: socket.socket().bind(("127.0.0.1", 0)),
    lambda: socket.socket(socket.AF_UNIX).bind(str(here / "new")),
    lambda: socket.getaddrinfo("example.org", 80),
    lambda: (here / "folder").mkdir(),
    lambda: (here / "old").chmod(0o777),
    lambda: os.truncate(here / "old", 0),
    lambda: subprocess.run(["true"]),
    lambda: os.system("true"),
    lambda: os.posix_spawn("/bin/true", ["true"], {}),
    lambda: os.fork(),
    lambda: os.execv("/bin/true", ["true"]),
    lambda: sqlite3.connect(here / "new"),
    lambda: socket.create_connection(("127.0.0.1", 9)),
]):
    try:
        attempt()
    except PermissionError as refused:
        assert "only shows" in str(refused)
    else:
        sys.exit(f"attempt {number} was not refused")
print("all refused")
"""


def test_its_process_starts_nothing_and_writes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "sealed"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", TRY, str(folder)], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("all refused\n", "")
    assert {path.name for path in folder.iterdir()} == {"old", "other", "run", "shown"}
    assert [path.name for path in (folder / "run").iterdir()] == ["out"]
    assert (folder / "old").read_text() == "old"
