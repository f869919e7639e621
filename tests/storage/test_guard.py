"""One connection at a time writes or checkpoints, so SQLite's WAL-reset bug cannot strike."""

import asyncio
import fcntl
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from taskhub_tui.domain.errors import StoreBusy, StoreError
from taskhub_tui.storage import database
from taskhub_tui.storage.guard import Guard, exposed
from taskhub_tui.storage.store import Store

WRITER_AND_CHECKPOINTER = (120, 2)
"""Where in the -shm file SQLite locks, and how many bytes, for who writes and who checkpoints."""


@pytest.mark.parametrize(
    ("version", "bug"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 0), True),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 0), False),
    ],
)
def test_the_versions_with_the_bug_are_known(version: tuple[int, ...], bug: bool) -> None:
    assert exposed(version) is bug


@pytest.fixture
def mine(path: Path) -> Iterator[Guard]:
    """A guard of somebody else's on the folder of the store."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    mine = Guard(path.parent, 10)
    yield mine
    mine.close()


async def test_a_write_waits_until_the_guard_is_free(mine: Guard, path: Path) -> None:
    store = await Store.open(path)
    try:
        with mine:
            writing = asyncio.create_task(store.write(lambda tx: tx.seq))
            _, waiting = await asyncio.wait([writing], timeout=0.2)
            assert waiting
            # Who reads waits for nobody.
            assert await store.read(lambda c: c.execute("SELECT seq FROM meta").fetchone()) == (0,)
        assert await writing == 1
    finally:
        await store.close()


async def test_opening_and_migrating_wait_until_the_guard_is_free(mine: Guard, path: Path) -> None:
    with mine:
        opening = asyncio.create_task(Store.open(path))
        _, waiting = await asyncio.wait([opening], timeout=0.2)
        assert waiting
        assert path.read_bytes() == b""
    await (await opening).close()


async def test_the_last_close_writes_the_log_back_only_when_the_guard_is_free(
    mine: Guard, path: Path
) -> None:
    store = await Store.open(path)
    await store.write(lambda tx: tx.seq)
    wal = path.with_name(path.name + "-wal")
    with mine:
        closing = asyncio.create_task(store.close())
        _, waiting = await asyncio.wait([closing], timeout=0.2)
        assert waiting
        assert wal.stat().st_size > 0
    await closing
    assert not wal.exists()


async def test_whoever_waits_for_too_long_is_told_so_and_may_try_again(
    mine: Guard, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_MS", 50)
    store = await Store.open(path)
    try:
        with mine:
            with pytest.raises(StoreBusy, match="kept busy by another process") as told:
                await store.write(lambda tx: tx.seq)
            assert told.value.hint == "Try again in a moment"
        assert await store.write(lambda tx: tx.seq) == 1
        with mine:
            await store.close()  # the connection must end all the same
    finally:
        await store.close()


async def test_a_request_that_fails_gives_the_guard_back(mine: Guard, path: Path) -> None:
    store = await Store.open(path)
    try:
        with pytest.raises(StoreError):
            await store.write(lambda tx: tx.execute("INSERT INTO meta VALUES (1, 1)"))
        with mine:
            pass
    finally:
        await store.close()


def test_a_holder_that_is_killed_holds_no_more(mine: Guard, path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from taskhub_tui.storage.guard import Guard\n"
        "with Guard(Path(sys.argv[1]), 10):\n"
        "    print('held', flush=True); time.sleep(60)\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(path.parent)], stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    impatient = Guard(path.parent, 0.05)
    with pytest.raises(StoreBusy), impatient:
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with impatient:
        pass
    impatient.close()


HAMMER = """
import asyncio, sys
from pathlib import Path
from taskhub_tui.storage.guard import Guard
from taskhub_tui.storage.store import Store

if sys.argv[2] != "guarded":
    Guard.take, Guard.give_back = lambda self: True, lambda self: None

async def main():
    while True:
        store = await Store.open(Path(sys.argv[1]))
        # Every commit checkpoints at once: as many chances as there can be.
        await store._writing.execute("PRAGMA wal_autocheckpoint = 1")
        for i in range(40):
            await store.write(lambda tx: tx.execute(
                "INSERT OR REPLACE INTO presence VALUES (?, NULL, NULL, ?)", (f"{i}", i)))
        await store.close()

asyncio.run(main())
"""


def _hammer(path: Path, how: str, looks: int) -> tuple[int, int]:
    """Write from three processes; count how often one wrote while the guard was held.

    SQLite's own locks say who writes or checkpoints. Returns the commits as well.
    """
    asyncio.run(_make(path))
    shm = path.with_name(path.name + "-shm")
    keep_open = subprocess.Popen(
        [sys.executable, "-c", "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
         "c.execute('SELECT seq FROM meta').fetchall(); print('open', flush=True);"
         "sys.stdin.read()", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert keep_open.stdin is not None
    assert keep_open.stdout is not None
    assert keep_open.stdout.readline() == b"open\n"
    file = os.open(shm, os.O_RDWR)
    writers = [subprocess.Popen([sys.executable, "-c", HAMMER, str(path), how]) for _ in range(3)]
    mine = Guard(path.parent, 30)
    busy = 0
    try:
        end = time.monotonic() + 20
        while _seq(path) < 30 and time.monotonic() < end:
            time.sleep(0.01)
        for _ in range(looks):
            with mine:
                for _ in range(4):
                    try:
                        start, length = WRITER_AND_CHECKPOINTER
                        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, length, start)
                        fcntl.lockf(file, fcntl.LOCK_UN, length, start)
                    except OSError:
                        busy += 1
                    time.sleep(0.0003)
            time.sleep(0.002)
        return busy, _seq(path)
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
        keep_open.stdin.close()
        keep_open.wait()
        keep_open.stdout.close()
        os.close(file)
        mine.close()


async def _make(path: Path) -> None:
    store = await Store.open(path)
    await store.close()


def _seq(path: Path) -> int:
    """Read in a process of its own: closing a file here would drop the locks of this process."""
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], timeout=10);"
        "print(c.execute('SELECT seq FROM meta').fetchone()[0]); c.close()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


@pytest.mark.slow
def test_while_one_holds_the_guard_no_other_process_writes_or_checkpoints(path: Path) -> None:
    busy, commits = _hammer(path, "guarded", 200)
    assert busy == 0
    assert commits > 30
    other = sqlite3.connect(path)
    assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    other.close()


@pytest.mark.slow
def test_without_the_guard_they_would(path: Path) -> None:
    """The test above would see it."""
    busy, _ = _hammer(path, "bare", 50)
    assert busy > 0
