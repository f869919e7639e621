"""Backups: whole, sound, private, made while others write; and put back with nothing starting."""

import asyncio
import errno
import os
import shutil
import sqlite3
import sys
import threading
from collections import namedtuple
from pathlib import Path

import pytest

from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.errors import BadInput, StoreBusy, StoreError
from taskhub_tui.domain.model import Action, NewTask
from taskhub_tui.hub import Hub
from taskhub_tui.storage import backups
from taskhub_tui.storage.soundness import Stopped, look, problems
from taskhub_tui.storage.store import Store

NOW = 1_900_000_000.0


@pytest.fixture
def folder(path: Path) -> Path:
    return path.parent / "backups"


def fill(store: Store, count: int, start: int = 0):
    """Write rows of one page each."""

    def write(tx):
        for i in range(start, start + count):
            tx.execute("INSERT INTO presence VALUES (?, NULL, NULL, 0)", (f"{i}-{'x' * 4000}",))

    return store.write(write)


def rows(path: Path) -> int:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return int(connection.execute("SELECT count(*) FROM presence").fetchone()[0])
    finally:
        connection.close()


async def test_a_copy_is_whole_private_and_stands_for_itself(
    store: Store, path: Path, folder: Path
) -> None:
    await fill(store, 300)
    old = os.umask(0)
    try:
        copy = backups.make(path, folder, keep=7, now=NOW)
    finally:
        os.umask(old)
    assert copy is not None
    assert Path(copy.path).name == "taskhub-20300317T174640Z.db"
    assert [entry.name for entry in folder.iterdir()] == [Path(copy.path).name]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert Path(copy.path).stat().st_mode & 0o777 == 0o600
    assert rows(Path(copy.path)) == 300
    assert [entry.name for entry in folder.iterdir()] == [Path(copy.path).name]
    assert backups.listed(folder) == [backups.Copy(copy.path, NOW, Path(copy.path).stat().st_size)]


async def test_a_copy_is_one_moment_although_others_write_meanwhile(
    store: Store, path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "_STEP", 8)
    await fill(store, 500)
    started = threading.Event()
    real = backups.read_only

    def opened(*args, **kwargs):
        started.set()
        return real(*args, **kwargs)

    monkeypatch.setattr(backups, "read_only", opened)
    copying = asyncio.create_task(asyncio.to_thread(backups.make, path, folder, keep=1, now=NOW))
    await asyncio.to_thread(started.wait, 10)
    before = 500
    while not copying.done():
        await fill(store, 1, before)
        before += 1
    copy = await copying
    assert copy is not None
    assert before > 505, "nothing was written while the copy was made"
    assert problems(Path(copy.path), alone=True) == []
    assert 500 <= rows(Path(copy.path)) < 505


async def test_only_the_newest_are_kept_and_other_files_are_left_alone(
    store: Store, path: Path, folder: Path
) -> None:
    folder.mkdir(mode=0o700)
    (folder / "taskhub-notes.db").write_text("mine")
    (folder / ".taskhub-20300317T174640Z.db.part").write_text("of one that was killed")
    for day in range(4):
        backups.make(path, folder, keep=2, now=NOW + day * 86400)
    names = sorted(entry.name for entry in folder.iterdir())
    assert names == [
        "taskhub-20300319T174640Z.db", "taskhub-20300320T174640Z.db", "taskhub-notes.db",
    ]  # fmt: skip


async def test_two_workers_make_one_copy_a_day(store: Store, path: Path, folder: Path) -> None:
    made = await asyncio.gather(
        *(
            asyncio.to_thread(backups.make, path, folder, keep=7, now=NOW + i, every=86400)
            for i in range(2)
        ),
        return_exceptions=True,
    )
    for one in made:
        assert isinstance(one, backups.Copy | backups.UnderWay | None), one
    assert len(backups.listed(folder)) == 1
    assert not backups.due(folder, 86400, NOW + 86399)
    assert backups.due(folder, 86400, NOW + 86401)
    assert backups.due(folder, 86400, NOW - 3600)  # the clock was set back


@pytest.mark.parametrize("keep", [1, 3])
async def test_a_copy_of_the_future_does_not_make_workers_copy_all_the_time(
    store: Store, path: Path, folder: Path, keep: int
) -> None:
    backups.make(path, folder, keep=keep, now=NOW + 10 * 86400)
    made = backups.make(path, folder, keep=keep, now=NOW, every=86400)
    assert made is not None
    assert not backups.due(folder, 86400, NOW + 60)
    assert made.path in [copy.path for copy in backups.listed(folder)]


async def test_a_damaged_database_is_not_backed_up_and_older_copies_stay(
    path: Path, folder: Path
) -> None:
    store = await Store.open(path)
    await fill(store, 50)
    await store.close()
    backups.make(path, folder, keep=1, now=NOW)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size - 8192)
        file.write(b"\xaa" * 4096)
    with pytest.raises(StoreError, match="is damaged, so it was not backed up"):
        backups.make(path, folder, keep=1, now=NOW + 1)
    assert [copy.made for copy in backups.listed(folder)] == [NOW]
    assert list(folder.glob(".*")) == []


async def damaged(path: Path) -> str:
    """Let a task be over, damage a result of it, and return its ID."""
    where = Paths(path.parent, path.parent / "config.toml", path.parent)
    async with await Hub.open(paths=where, settings=Settings(owner="me"), autostart=False) as hub:
        task = await hub.submit(NewTask("ls", agent="command", options={"argv": ["ls"]}))
        await hub.decide(task.id, Action.CANCEL)
    spoil(path, "rum")
    return task.id


def spoil(path: Path, name: str) -> None:
    """Change a stage as a failing disk does: by somebody who knows nothing of checksums."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=10)
    try:
        assert connection.execute("UPDATE stage SET name = ?", (name,)).rowcount == 1
    finally:
        connection.close()


async def test_damaged_tasks_are_backed_up_with_all_that_is_sound_and_named(
    path: Path, folder: Path
) -> None:
    task_id = await damaged(path)
    copy = backups.make(path, folder, keep=2, now=NOW)
    assert copy is not None
    assert not copy.sound
    assert copy.damaged.endswith(f"of task {task_id} is to do is not what was written")
    assert backups.damage(folder) == copy.damaged
    (listed,) = backups.listed(folder)
    assert (listed.path, listed.made, listed.sound) == (copy.path, NOW, False)
    assert look(Path(copy.path), alone=True).file == ()
    assert not backups.due(folder, 86400, NOW + 60)
    own = backups.write(path, folder.parent / "mine.db")
    assert (own.path, own.damaged) == (str(folder.parent / "mine.db"), copy.damaged)
    spoil(path, "run")
    copy = backups.make(path, folder, keep=2, now=NOW + 86400)
    assert copy is not None
    assert copy.sound
    assert backups.damage(folder) is None


async def test_the_newest_copy_without_damage_stays_until_there_is_a_newer_one(
    path: Path, folder: Path
) -> None:
    await damaged(path)
    spoil(path, "run")
    for day in range(2):
        backups.make(path, folder, keep=2, now=NOW + day * 86400)
    spoil(path, "rum")
    for day in range(2, 6):
        backups.make(path, folder, keep=2, now=NOW + day * 86400)
    days = [(round((copy.made - NOW) / 86400), copy.sound) for copy in backups.listed(folder)]
    assert days == [(5, False), (4, False), (1, True)]
    spoil(path, "run")
    for day in range(6, 8):
        backups.make(path, folder, keep=2, now=NOW + day * 86400)
    assert [copy.sound for copy in backups.listed(folder)] == [True, True]


async def test_a_full_disk_is_said_before_anything_is_written(
    store: Store, path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda where: usage(1, 0, 1_000_000))
    with pytest.raises(StoreBusy, match=r"is too full for a backup: .* 1 MB are free"):
        backups.make(path, folder, keep=1, now=NOW)
    assert list(folder.iterdir()) == []


async def test_a_copy_that_is_given_up_leaves_nothing(
    store: Store, path: Path, folder: Path
) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        backups.make(path, folder, keep=1, now=NOW, stop=stop)
    assert list(folder.iterdir()) == []


async def test_no_file_is_written_over(store: Store, path: Path, tmp_path: Path) -> None:
    target = tmp_path / "mine.db"
    target.write_text("mine")
    with pytest.raises(BadInput, match="exists already"):
        backups.write(path, target)
    assert target.read_text() == "mine"
    with pytest.raises(BadInput, match=r"nowhere.copy.db cannot be written: No such file"):
        backups.write(path, tmp_path / "nowhere" / "copy.db")


@pytest.fixture
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be on a file system without hard links, such as FAT."""

    def refused(*args: object, **options: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refused)


@pytest.mark.usefixtures("no_links")
async def test_a_file_system_without_hard_links_takes_a_copy_and_loses_nothing(
    store: Store, path: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(store, 5)
    stick = tmp_path / "stick"
    stick.mkdir()
    copy = backups.write(path, stick / "copy.db")
    assert problems(Path(copy.path), alone=True) == []
    assert [entry.name for entry in stick.iterdir()] == ["copy.db"]
    assert Path(copy.path).stat().st_mode & 0o777 == 0o600
    assert backups.make(path, folder, keep=1, now=NOW) is not None
    mine = stick / "mine.db"
    verify = backups.look

    def meanwhile(*args, **kwargs):
        mine.write_text("mine")
        return verify(*args, **kwargs)

    monkeypatch.setattr(backups, "look", meanwhile)
    with pytest.raises(BadInput, match=r"mine.db cannot be written: File exists"):
        backups.write(path, mine)
    assert mine.read_text() == "mine"
    assert sorted(entry.name for entry in stick.iterdir()) == ["copy.db", "mine.db"]


@pytest.mark.usefixtures("no_links")
async def test_a_name_that_was_taken_and_never_filled_is_no_copy(
    store: Store, path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", broken)
        with pytest.raises(BadInput, match="cannot be written: Input/output error"):
            backups.make(path, folder, keep=1, now=NOW)
    assert list(folder.iterdir()) == []
    (folder / "taskhub-20300317T174640Z.db").touch()  # As one that is killed leaves it.
    assert backups.listed(folder) == []
    copy = backups.make(path, folder, keep=1, now=NOW)
    assert copy is not None
    assert [str(entry) for entry in folder.iterdir()] == [copy.path]


def test_why_the_last_try_failed_is_kept_until_one_succeeds(folder: Path) -> None:
    folder.parent.mkdir(mode=0o700)
    assert backups.failure(folder) is None
    backups.note_failure(folder, "The disk is full")
    assert backups.failure(folder) == "The disk is full"
    backups.note_failure(folder, None)
    assert backups.failure(folder) is None


@pytest.mark.slow
async def test_a_killed_copy_is_never_taken_for_a_finished_one(
    store: Store, path: Path, folder: Path
) -> None:
    await fill(store, 2000)
    code = (
        "import sys; from pathlib import Path; from taskhub_tui.storage import backups\n"
        "backups._STEP = 4; print('go', flush=True)\n"
        "backups.make(Path(sys.argv[1]), Path(sys.argv[2]), keep=3, now=1.9e9)\n"
    )
    maker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, str(path), str(folder), stdout=asyncio.subprocess.PIPE
    )
    assert maker.stdout is not None
    await maker.stdout.readline()
    while not list(folder.glob(".*")):
        assert maker.returncode is None
        await asyncio.sleep(0.001)
    maker.kill()
    await maker.wait()
    assert backups.listed(folder) == []
    backups.make(path, folder, keep=3, now=NOW)
    assert len(list(folder.iterdir())) == 1
