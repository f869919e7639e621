"""A database that has lost its newest commits is noticed, whatever became of its log of writes."""

import asyncio
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from support import soon

from taskhub_tui import care
from taskhub_tui.config import Backups, Paths, Settings
from taskhub_tui.domain.errors import StoreBusy, StoreError
from taskhub_tui.domain.model import NewTask, Status
from taskhub_tui.hub import Hub
from taskhub_tui.storage import backups, checkup, compaction, newest
from taskhub_tui.storage.soundness import problems
from taskhub_tui.storage.store import Store
from taskhub_tui.storage.writer import Tx

WRITES = """
import asyncio, os, sys
from pathlib import Path
from taskhub_tui.storage.store import Store

async def main(path, count):
    store = await Store.open(path)
    for n in range(count):
        print(await store.write(lambda tx: tx.seq), flush=True)
    print("done", flush=True)
    sys.stdin.readline()
    os._exit(9)

asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
"""


class Process:
    """Commits in a process of its own, which is killed then: its log of writes stays."""

    def __init__(self, path: Path, commits: int) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-c", WRITES, str(path), str(commits)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def said(self, *, until: str = "done") -> list[str]:
        """Return what was acknowledged, up to a line."""
        assert self._child.stdout is not None
        lines = []
        for line in self._child.stdout:
            lines.append(line.strip())
            if line.strip() == until:
                break
        return lines

    def kill(self) -> list[str]:
        """Kill it, and return what it had acknowledged since it was last asked."""
        self._child.send_signal(signal.SIGKILL)
        out, _ = self._child.communicate()
        return out.split()


def killed(path: Path, commits: int) -> None:
    """Leave a hub as a worker leaves it that is killed after some commits."""
    process = Process(path, commits)
    process.said()
    process.kill()
    assert log_of(path).stat().st_size > 0


def log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


async def opened(path: Path) -> int:
    """Open the database, and return the number of its newest commit."""
    store = await Store.open(path)
    try:
        return await store.read(lambda reader: reader.execute("SELECT seq FROM meta").fetchone()[0])
    finally:
        await store.close()


def paths(path: Path) -> Paths:
    return Paths(path.parent, path.parent / "config.toml", path.parent / "results")


@pytest.fixture
async def lived(path: Path) -> Path:
    """A database with three commits in it, written back."""
    store = await Store.open(path)
    for _ in range(3):
        await store.write(lambda tx: tx.seq)
    await store.close()
    return path


async def test_a_log_that_is_missing_is_said_and_nobody_goes_on_without_it(lived: Path) -> None:
    killed(lived, 5)
    aside = lived.with_name("aside")
    log_of(lived).rename(aside)
    said = "has lost what was on disk: its 5 newest commits are missing"
    for _ in range(2):
        with pytest.raises(StoreError, match=said) as refused:
            await Store.open(lived)
        assert "put it back first" in str(refused.value.hint)
        with pytest.raises(StoreError, match=said):
            compaction.compact(lived)
        (found,) = problems(lived)
        assert said in found
        check = checkup.database(paths(lived))
        assert (check.state, said in check.message) == ("fail", True)
        assert check.remedy == newest.REMEDY
    aside.rename(log_of(lived))
    assert problems(lived) == []
    assert await opened(lived) == 8


async def test_a_damaged_task_does_not_hide_that_the_newest_commits_are_missing(
    where: Paths, settings: Settings
) -> None:
    async with await Hub.open(paths=where, settings=settings, autostart=False) as hub:
        await hub.submit(NewTask("Do it", agent="command", options={"argv": ["true"]}))
    with closing(sqlite3.connect(where.database, isolation_level=None)) as connection:
        connection.execute("UPDATE task SET request = 'Undo it'")
    killed(where.database, 1)
    log_of(where.database).unlink()
    check = checkup.database(where)
    assert (check.state, newest.LOST in check.message) == ("fail", True)


async def test_what_is_left_can_be_gone_on_with_and_what_was_to_run_asks_first(
    where: Paths, settings: Settings
) -> None:
    hub = await Hub.open(paths=where, settings=settings, autostart=False)
    async with hub:
        task = await hub.submit(NewTask("Do it", agent="command", options={"argv": ["true"]}))
    killed(where.database, 1)
    log_of(where.database).unlink()
    copy = await care.back_up(where, settings)
    await care.restore(where, Path(copy.path))
    assert problems(where.database) == []
    hub = await Hub.open(paths=where, settings=settings, autostart=False)
    async with hub:
        assert (await hub.status(task.id)).task.status is Status.PAUSED


async def test_a_bit_in_the_log_or_an_older_log_is_never_taken_for_the_whole(
    lived: Path, tmp_path: Path
) -> None:
    first = Process(lived, 3)
    first.said()
    older = log_of(lived).read_bytes()
    first.kill()
    data, whole = lived.read_bytes(), 0
    killed(lived, 6)
    noted = newest.known(lived)
    log, note = log_of(lived).read_bytes(), newest.place(lived).read_bytes()
    data = lived.read_bytes()
    rng = random.Random(1)

    async def look(log: bytes) -> bool:
        """Whether all is there; anything else must be refused."""
        for file in lived.parent.glob("taskhub.db*"):
            file.unlink()
        lived.write_bytes(data)
        log_of(lived).write_bytes(log)
        newest.place(lived).write_bytes(note)
        try:
            found = await opened(lived)
        except StoreError as error:
            found, said = 0, str(error)
        if found:
            assert found == noted
        else:
            assert "newest commit" in said
        return found == noted

    assert await look(log)
    assert not await look(older)
    assert not await look(log[: len(log) // 2])
    for _ in range(30):
        at = rng.randrange(len(log))
        whole += await look(log[:at] + bytes([log[at] ^ 1 << rng.randrange(8)]) + log[at + 1 :])
    assert whole < 30


async def test_a_restored_backup_is_older_and_that_is_no_loss(lived: Path, tmp_path: Path) -> None:
    where, copy = paths(lived), tmp_path / "copy.db"
    backups.write(lived, copy)
    killed(lived, 9)
    await care.restore(where, copy)
    assert newest.known(lived) == 0
    assert await opened(lived) == 4  # One more says that nothing in it starts by itself.
    killed(lived, 2)
    assert newest.known(lived) == 6
    assert await opened(lived) == 6


async def test_compacting_and_backups_change_nothing_about_it(lived: Path) -> None:
    where = paths(lived)
    await care.back_up(where, Settings(owner="ann", backup=Backups()))
    compaction.compact(lived)
    compaction.truncate(lived)
    assert (newest.known(lived), await opened(lived)) == (3, 3)


async def test_of_two_processes_the_newest_commit_is_noted_and_none_is_missed_when_one_is_killed(
    lived: Path,
) -> None:
    for round_ in range(4):
        both = [Process(lived, 100_000) for _ in range(2)]
        seen = newest.known(lived)
        await soon(lambda seen=seen, round_=round_: newest.known(lived) > seen + 20 + 7 * round_)
        acknowledged = [int(line) for one in both for line in one.kill()]
        # Never more than was committed, and no less than what somebody was told.
        assert max(acknowledged) <= newest.known(lived) + 1
        noted = newest.known(lived)
        assert await opened(lived) >= noted > 20


GARBAGE: list[Callable[[bytes], bytes]] = [
    lambda note: b"",
    lambda note: note[:7],
    lambda note: note[:3] + bytes([note[3] ^ 1]) + note[4:],
    lambda note: b"\0" * 30,
    lambda note: b"9" * 4000,
    lambda note: b"\xff" * 30,
]


@pytest.mark.parametrize("number", range(len(GARBAGE)))
async def test_a_note_that_is_damaged_stops_nobody_and_is_written_anew(
    lived: Path, number: int
) -> None:
    note = newest.place(lived)
    note.write_bytes(GARBAGE[number](note.read_bytes()))
    assert (newest.known(lived), problems(lived), await opened(lived)) == (0, [], 3)
    killed(lived, 1)
    assert (newest.known(lived), await opened(lived)) == (4, 4)


async def test_where_no_note_can_be_written_work_goes_on(lived: Path) -> None:
    note = newest.place(lived)
    note.unlink()
    note.mkdir()
    killed(lived, 2)
    assert await opened(lived) == 5
    note.rmdir()
    note.symlink_to("/dev/full")
    killed(lived, 2)
    assert (await opened(lived), newest.known(lived)) == (7, 0)


async def test_a_database_that_is_gone_or_empty_is_no_new_hub(lived: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    backups.write(lived, copy)
    lived.write_bytes(b"")
    with pytest.raises(StoreError, match="its 3 newest commits are missing"):
        await Store.open(lived)
    assert checkup.database(paths(lived)).state == "fail"
    lived.unlink()
    with pytest.raises(StoreError, match="is gone") as gone:
        await Store.open(lived)
    assert "`taskhub restore` puts the newest backup back" in str(gone.value.hint)
    assert not lived.exists()
    assert checkup.database(paths(lived)).state == "fail"
    await care.restore(paths(lived), copy)
    assert await opened(lived) == 4


async def test_what_is_not_committed_is_not_noted(path: Path) -> None:
    store = await Store.open(path)
    try:
        await store.write(lambda tx: tx.seq)
        before = newest.known(path)

        def fails(tx: Tx) -> None:
            tx.execute("DELETE FROM presence")
            raise StoreBusy("no")

        with pytest.raises(StoreBusy):
            await store.write(fails)
        assert newest.known(path) == before == 1
        await asyncio.gather(*(store.write(lambda tx: tx.seq) for _ in range(9)))
        assert newest.known(path) == await opened(path)
    finally:
        await store.close()
