"""What may be wrong with the store is found, and said with what to do."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest

from taskhub_tui.config import Backups, Paths
from taskhub_tui.domain.model import NewTask
from taskhub_tui.engine import runner
from taskhub_tui.hub import Hub
from taskhub_tui.process import Identity, identity
from taskhub_tui.storage import backups, checkup, claims, filesystem

DAY = 86400.0


def test_a_sqlite_with_the_bug_is_named_and_so_is_the_guard() -> None:
    exposed, cured = checkup.sqlite((3, 40, 1)), checkup.sqlite((3, 51, 3))
    assert "WAL-reset bug; TaskHub's guard is on" in exposed.message
    assert exposed.remedy is not None
    assert (cured.message, cured.remedy) == ("SQLite 3.51.3", None)


async def test_files_of_somebody_else_are_named(
    hub: Hub, where: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = where.database.with_name("taskhub.db-wal")
    if os.getuid() == 0:
        os.chown(foreign, 65534, 65534)
    else:  # Only root can give a file away; this one is root's.
        foreign = Path("/etc/hosts")
        monkeypatch.setattr(checkup, "_own", lambda paths: [foreign])
    check = checkup.files(where)
    assert (check.state, str(foreign) in check.message) == ("fail", True)
    assert "sudo chown -R" in str(check.remedy)


def take_away(path: Path) -> None:
    """Make a file or a folder one that is not to be used by us."""
    if os.getuid() == 0:
        os.chown(path, 65534, 65534)
    else:  # Only root can give a file away.
        path.chmod(0)


@pytest.mark.parametrize("name", ["keeper.lock", "run", "tasks/{}", "tasks/{}/run", "tasks/{}/log"])
async def test_whatever_work_needs_and_cannot_use_is_named(
    hub: Hub, where: Paths, name: str
) -> None:
    task = await hub.submit(NewTask("ls", agent="command", options={"argv": ["ls"]}))
    (where.home / "keeper.lock").touch(0o600)
    for folder in (where.home / "run", where.task(task.id) / "run"):
        folder.mkdir(mode=0o700, exist_ok=True)
    where.log(task.id).touch(0o600)
    assert checkup.files(where).state == "ok"
    path = where.home / name.format(task.id)
    take_away(path)
    try:
        check = checkup.files(where)
        assert (check.state, str(path) in check.message) == ("fail", True), check
        assert check.remedy is not None
    finally:
        if os.getuid() != 0:
            path.chmod(0o700)


async def test_where_results_cannot_be_put_is_said(where: Paths) -> None:
    assert checkup.results(where).state == "ok"
    where.results.write_text("")
    check = checkup.results(where)
    assert (check.state, f"Nothing can be put into {where.results}" in check.message) == (
        "fail",
        True,
    )
    where.results.unlink()
    where.results.mkdir(mode=0o700)
    assert checkup.results(where).state == "ok"
    # Asked by somebody who is not root, who may put anything anywhere.
    code = (
        "import os, sys; from pathlib import Path\n"
        "from taskhub_tui.config import paths; from taskhub_tui.storage import checkup\n"
        "where = paths()\n"
        "if os.getuid() == 0: os.setuid(65534)\n"
        "else: where.results.chmod(0o500)\n"
        "check = checkup.results(where); print(check.state, check.message, check.remedy)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: ASYNC221
    assert said.stdout.startswith("fail Nothing can be put into "), said.stdout


@pytest.mark.parametrize(("kind", "state"), [("nfs4", "fail"), ("9p", "warn"), ("tmpfs", "ok")])
def test_a_place_away_from_this_machine_is_named(
    where: Paths, monkeypatch: pytest.MonkeyPatch, kind: str, state: str
) -> None:
    monkeypatch.setattr(filesystem, "kind", lambda folder: kind)
    check = checkup.place(where.home)
    assert (check.state, kind in check.message) == (state, True)
    monkeypatch.setenv(filesystem.ACCEPT, "1")
    assert checkup.place(where.home).state == ("ok" if kind == "tmpfs" else "warn")


@pytest.mark.parametrize(("free", "state"), [(1e6, "fail"), (2e8, "warn"), (2e9, "ok")])
def test_little_room_on_the_disk_is_said(
    where: Paths, monkeypatch: pytest.MonkeyPatch, free: float, state: str
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1e12, 0, int(free)))
    assert checkup.disk(where.home).state == state
    assert list(where.home.iterdir()) == []


def test_a_disk_that_takes_nothing_is_found_whatever_it_says_is_free(where: Paths) -> None:
    """The limit on the size of a file stands for a quota."""
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from taskhub_tui.storage import checkup\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "print(*checkup.disk(Path(sys.argv[1])).message.split(), flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(where.home)], capture_output=True, text=True, check=True
    )
    assert "Nothing can be written at" in done.stdout


async def test_a_damaged_database_is_explained_with_the_newest_sound_backup(where: Paths) -> None:
    async with await Hub.open(paths=where, autostart=False) as hub:
        await hub.submit(NewTask("ls", agent="command", options={"argv": ["ls"]}))
    good = backups.make(where.database, where.backups, keep=7, now=time.time() - 3 * DAY)
    bad = backups.make(where.database, where.backups, keep=7, now=time.time() - DAY)
    assert good is not None
    assert bad is not None
    for path in (Path(bad.path), where.database):
        with path.open("r+b") as file:
            file.seek(8192)
            file.write(os.urandom(8192))
    check = checkup.database(where)
    assert (check.state, "is damaged" in check.message) == ("fail", True)
    assert f"`taskhub restore {good.path}`: it is 3d old and sound" in str(check.remedy)
    Path(good.path).unlink()
    assert ".recover" in str(checkup.database(where).remedy)


@pytest.mark.parametrize("loss", ["emptied", "gone"])
async def test_a_database_that_was_lost_is_said_and_its_log_is_left_alone(
    where: Paths, loss: str
) -> None:
    assert checkup.database(where).state == "ok"
    async with await Hub.open(paths=where, autostart=False) as hub:
        await hub.submit(NewTask("ls", agent="command", options={"argv": ["ls"]}))
    backups.make(where.database, where.backups, keep=7, now=time.time() - DAY)
    where.database.unlink()
    if loss == "emptied":
        where.database.touch()
    log = where.home / "taskhub.db-wal"
    log.write_bytes(b"what was written last")
    check = checkup.database(where)
    assert (check.state, "is empty or gone, but there are 1 folder" in check.message) == (
        "fail",
        True,
    )
    assert "it is 1d old and sound" in str(check.remedy)
    assert log.read_bytes() == b"what was written last"
    shutil.rmtree(where.backups)
    assert "to begin anew, move those aside" in str(checkup.database(where).remedy)


async def test_a_row_without_its_task_is_found(hub: Hub, where: Paths) -> None:
    other = sqlite3.connect(where.database, isolation_level=None)
    other.execute("INSERT INTO dependency VALUES (7, 8)")
    other.close()
    (check,) = checkup.tasks(where)
    assert "belongs to a task that is gone" in check.message


async def test_a_damaged_task_is_named_and_the_newest_backup_without_it(
    hub: Hub, where: Paths
) -> None:
    task = await hub.submit(NewTask("ls", agent="command", options={"argv": ["ls"]}))
    assert checkup.tasks(where) == []
    now, wish = time.time(), Backups()
    good = backups.make(where.database, where.backups, keep=1, now=now - 3 * DAY)
    assert good is not None
    harm(where, "UPDATE task SET request = 'rm'")
    backups.make(where.database, where.backups, keep=1, now=now)
    assert checkup.database(where).state == "ok"  # What SQLite looks at is whole.
    (check,) = checkup.tasks(where)
    assert (check.state, f"What task {task.id} is to do" in check.message) == ("fail", True)
    assert good.path in str(check.remedy)
    copies = checkup.copies(where, wish, now)
    assert (copies.state, f"What task {task.id} is to do" in copies.message) == ("warn", True)
    assert "One that is 3d old is without damage" in copies.message


async def test_of_a_broken_file_a_backup_with_damaged_tasks_is_offered_beside_an_older_one(
    where: Paths,
) -> None:
    async with await Hub.open(paths=where, autostart=False) as hub:
        await hub.submit(NewTask("ls", agent="command", options={"argv": ["ls"]}))
    now = time.time()
    good = backups.make(where.database, where.backups, keep=7, now=now - 3 * DAY)
    harm(where, "UPDATE task SET request = 'rm'")
    newer = backups.make(where.database, where.backups, keep=7, now=now - DAY)
    assert good is not None
    assert newer is not None
    where.database.write_bytes(b"\xaa" * 8192)
    remedy = str(checkup.database(where).remedy)
    assert f"`taskhub restore {good.path}`: it is 3d old and sound" in remedy
    assert f"`taskhub restore --damaged {newer.path}`: it is 1d old" in remedy
    Path(good.path).unlink()
    assert f"restore --damaged {newer.path}" in str(checkup.database(where).remedy)


def harm(where: Paths, sql: str) -> None:
    """Change a row as a failing disk does: by somebody who knows nothing of checksums."""
    other = sqlite3.connect(where.database, isolation_level=None, timeout=10)
    other.execute(sql)
    other.close()


async def beat(hub: Hub, name: str, who: Identity, until: float) -> None:
    now = hub.clock()
    await hub._store.write(lambda tx: claims.beat(tx, name, who, "0", now - 40, until))


async def test_a_dead_worker_and_its_tasks_are_named(hub: Hub, where: Paths) -> None:
    for _ in range(3):
        await hub.submit(NewTask("ls", agent="command", options={"argv": ["ls"]}))
    now = hub.clock()
    gone = replace(identity(), pid=1, start="1")
    await beat(hub, "gone", gone, now + 15)
    await hub._store.write(lambda tx: claims.claim(tx, "gone", now, 2, runner.first))
    (check,) = checkup.workers(where.database, now)
    assert check.message == f"A worker is dead (process 1 on {gone.host}) and still holds 2 tasks"
    assert "`taskhub worker` starts one" in str(check.remedy)
    await beat(hub, "alive", identity(), now + 15)
    await hub._store.write(lambda tx: claims.claim(tx, "nobody knows", now, 1, runner.first))
    messages = {check.message for check in checkup.workers(where.database, now)}
    assert "A worker is dead (nobody knows) and still holds 1 task" in messages
    assert all("takes them over" in str(c.remedy) for c in checkup.workers(where.database, now))


async def test_a_worker_that_stands_still_is_named_and_only_its_own_process(
    hub: Hub, where: Paths
) -> None:
    sleeper = subprocess.Popen(["sleep", "60"])  # noqa: ASYNC220
    try:
        sleeper.send_signal(signal.SIGSTOP)
        now = hub.clock()
        await beat(hub, "stopped", identity(sleeper.pid), now - 25)
        (check,) = checkup.workers(where.database, now)
        assert f"The worker with process {sleeper.pid} gave no sign of life" in check.message
        assert "it holds 0 tasks" in check.message
        assert f"kill -CONT {sleeper.pid}" in str(check.remedy)
        # The same number, but another process: nobody is told to kill that.
        await hub._store.write(lambda tx: tx.execute("UPDATE worker SET start = '1'"))
        assert checkup.workers(where.database, now) == []
    finally:
        sleeper.kill()
        sleeper.wait()


async def test_old_missing_and_failed_backups_are_said(hub: Hub, where: Paths) -> None:
    now, wish = time.time(), Backups()
    assert checkup.copies(where, wish, now).state == "ok"  # nothing is there to be lost
    await hub.submit(NewTask("ls", agent="command", options={"argv": ["ls"]}))
    assert checkup.copies(where, wish, now).state == "ok"
    late = checkup.copies(where, wish, now + 3 * DAY)
    assert (late.state, late.message) == ("warn", "There is no backup yet; one every 1d is wished")
    backups.make(where.database, where.backups, keep=7, now=now)
    assert checkup.copies(where, wish, now + DAY).state == "ok"
    late = checkup.copies(where, wish, now + 3 * DAY)
    assert (late.state, "the newest 3d old" in late.message) == ("warn", True)
    assert checkup.copies(where, Backups(enabled=False), now + 3 * DAY).state == "ok"
    backups.note_failure(where.backups, "The disk is full")
    failed = checkup.copies(where, wish, now)
    assert failed.state == "warn"
    assert "The last backup failed: The disk is full" in failed.message


def test_a_database_that_could_not_be_set_up_has_no_workers(where: Paths) -> None:
    # On a disk that is full there is a file, and nothing in it: `doctor` said so with a traceback.
    where.database.touch(mode=0o600)
    assert checkup.workers(where.database, time.time()) == []
