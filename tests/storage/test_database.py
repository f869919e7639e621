"""The file: private, migrated as a whole, and with a sentence for whatever is wrong with it."""

import asyncio
import contextlib
import dataclasses
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from taskhub_tui import care
from taskhub_tui.config import Paths
from taskhub_tui.domain.errors import StoreError
from taskhub_tui.domain.model import NewTask
from taskhub_tui.hub import Hub
from taskhub_tui.process import identity
from taskhub_tui.storage import database, newest, queries
from taskhub_tui.storage.store import Store


async def test_nobody_else_can_read_it(path: Path) -> None:
    old = os.umask(0)
    try:
        store = await Store.open(path)
    finally:
        os.umask(old)
    try:
        await store.write(lambda tx: tx.execute("DELETE FROM presence"))
        assert path.parent.stat().st_mode & 0o777 == 0o700
        files = sorted(entry.name for entry in path.parent.iterdir())
        assert files == ["taskhub.db", "taskhub.db-newest", "taskhub.db-shm", "taskhub.db-wal"]
        for entry in path.parent.iterdir():
            assert entry.stat().st_mode & 0o777 == 0o600, entry
    finally:
        await store.close()


async def test_opened_twice_in_a_process_it_keeps_its_locks_and_its_log(path: Path) -> None:
    async def writes(store: Store, name: str) -> None:
        await store.write(lambda tx: tx.execute("INSERT INTO choice VALUES (?, 1)", (name,)))

    def elsewhere() -> list[str]:
        code = (
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]);"
            "print(*[row[0] for row in c.execute('SELECT name FROM choice ORDER BY name')]);"
            "c.close()"
        )
        run = [sys.executable, "-c", code, str(path)]
        return subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()

    store = await Store.open(path)
    try:
        await store.write(lambda tx: tx.execute("CREATE TABLE choice (name TEXT, n INTEGER)"))
        await writes(store, "before")
        await (await Store.open(path)).close()
        # Were the locks gone, this one would take itself for the last, and delete the log.
        assert elsewhere() == ["before"]
        await writes(store, "then")
        assert elsewhere() == ["before", "then"]
    finally:
        await store.close()
    assert elsewhere() == ["before", "then"]


async def test_a_file_that_others_could_read_is_made_private(path: Path) -> None:
    await (await Store.open(path)).close()
    path.chmod(0o644)
    path.parent.chmod(0o755)
    await (await Store.open(path)).close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("left", ["tasks", "backups"])
@pytest.mark.parametrize("loss", ["emptied", "gone", "without a table"])
async def test_a_database_that_was_lost_is_not_taken_for_that_of_a_new_hub(
    where: Paths, loss: str, left: str
) -> None:
    path = where.database
    async with await Hub.open(paths=where, autostart=False) as hub:
        task = await hub.submit(NewTask("ls", agent="command", options={"argv": ["ls"]}))
        copy = await care.back_up(where, hub.settings)
    log = path.with_name("taskhub.db-wal")
    path.unlink()
    if loss != "gone":
        path.touch(0o600)
    if loss == "without a table":
        bare = sqlite3.connect(path)
        bare.execute("PRAGMA journal_mode = WAL")
        bare.close()
        newest.forget(path)  # Else that says so first.
    else:
        log.write_bytes(b"what was written last")
    shutil.rmtree(where.backups if left == "tasks" else where.tasks)
    before = {file.name: file.read_bytes() for file in where.home.glob("taskhub.db*")}
    with pytest.raises(StoreError, match=f"is empty or gone, but there are 1 .*{left}") as told:
        await Store.open(path)
    assert "`taskhub restore` puts the newest backup back" in str(told.value.hint)
    after = {file.name: file.read_bytes() for file in where.home.glob("taskhub.db*")}
    assert after == before if loss != "without a table" else after[path.name] == before[path.name]
    if loss != "without a table":
        with pytest.raises(StoreError, match="is empty or gone"):
            await care.back_up(where, hub.settings)
        with pytest.raises(StoreError, match="is empty or gone"):
            await care.compact(where)
    if left == "backups":
        told = await care.restore(where, Path(copy.path))
        if loss != "without a table":
            assert (Path(str(told.aside)) / log.name).read_bytes() == b"what was written last"
        async with await Hub.open(paths=where, autostart=False) as hub:
            assert [one.id for one in await hub.tasks()] == [task.id]


async def test_an_empty_file_that_a_first_start_has_left_is_made_a_database(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    (path.parent / "tasks").mkdir()
    path.touch()
    await (await Store.open(path)).close()


async def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(tmp_path / "elsewhere.db")
    with pytest.raises(StoreError, match="cannot be opened"):
        await Store.open(path)
    assert not (tmp_path / "elsewhere.db").exists()


async def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "private").write_text("")
    with pytest.raises(StoreError, match=r"The folder .*private cannot be used: File exists"):
        await Store.open(tmp_path / "private" / "taskhub.db")


def test_every_shipped_script_is_made_of_whole_statements() -> None:
    for script in database.migrations():
        statements = database._statements(script)
        assert statements
        rest = script[sum(map(len, statements)) :]
        assert not rest.strip() or all(
            not line.strip() or line.lstrip().startswith("--") for line in rest.splitlines()
        )


async def test_workers_of_before_a_migration_are_asked_to_leave(path: Path) -> None:
    """They can write nothing any more, so nobody may count on them."""
    path.parent.mkdir(mode=0o700)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as old:
        database.migrate(old, database.migrations()[:-1])
        old.execute(
            "INSERT INTO worker (id, host, boot, pid, start, version, started, seen, lease_until)"
            " VALUES ('old', ?, ?, ?, ?, '', 0, 0, 1e12)",
            dataclasses.astuple(identity()),
        )
        assert queries.served(old, 0.0)
    store = await Store.open(path)
    try:
        assert not await store.read(lambda reader: queries.served(reader, 0.0))
    finally:
        await store.close()


def test_a_migration_that_fails_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "some.db"
    connection = sqlite3.connect(file, isolation_level=None)
    first = "CREATE TABLE a (x);\nINSERT INTO a VALUES (1);\n"
    assert database.migrate(connection, [first]) == 1
    second = "CREATE TABLE b (x);\nUPDATE a SET x = 2;\n"
    with pytest.raises(sqlite3.OperationalError):
        database.migrate(connection, [first, second, "CREATE TABLE c (x);\nCREATE TABLE a (x);\n"])
    assert not connection.in_transaction
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema")]
    assert tables == ["a"]
    assert connection.execute("SELECT x FROM a").fetchall() == [(1,)]
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert database.migrate(connection, [first, second]) == 2
    assert connection.execute("SELECT x FROM a").fetchall() == [(2,)]
    connection.close()


async def test_what_a_newer_taskhub_wrote_is_refused_and_left_alone(path: Path) -> None:
    await (await Store.open(path)).close()
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"has schema 99, but this TaskHub knows only \d") as told:
        await Store.open(path)
    assert told.value.hint == "Update TaskHub; the file is unchanged"
    assert path.read_bytes() == before


async def test_many_may_open_a_new_database_at_once(path: Path) -> None:
    stores = await asyncio.gather(*(Store.open(path) for _ in range(8)))
    seqs = await asyncio.gather(*(store.write(lambda tx: tx.seq) for store in stores))
    assert sorted(seqs) == list(range(1, 9))
    for store in stores:
        await store.close()


@pytest.mark.slow
def test_many_processes_may_open_a_new_database_at_once(path: Path) -> None:
    code = (
        "import asyncio, sys; from pathlib import Path\n"
        "from taskhub_tui.storage.store import Store\n"
        "async def main():\n"
        "    store = await Store.open(Path(sys.argv[1]))\n"
        "    await store.write(lambda tx: tx.seq); await store.close()\n"
        "sys.stdin.read(); asyncio.run(main())\n"
    )
    openers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path)],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(4)
    ]
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.close()
        opener.stdin = None
    for opener in openers:
        _, said = opener.communicate(timeout=30)
        assert opener.returncode == 0, said.decode()


@pytest.mark.parametrize("content", [b"not a database at all, but long enough\n" * 50, b"SQLite"])
async def test_a_file_that_is_no_database_is_said_and_kept(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged: file is not a database"):
        await Store.open(path)
    assert path.read_bytes() == content


async def test_a_damaged_schema_is_said_when_the_file_is_opened(path: Path) -> None:
    await (await Store.open(path)).close()
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xaa" * (len(whole) - 4096))
    with pytest.raises(StoreError, match="is damaged: database disk image is malformed"):
        await Store.open(path)


async def test_a_damaged_table_is_said_when_it_is_read_or_written(path: Path) -> None:
    await (await Store.open(path)).close()
    connection = sqlite3.connect(path)
    (page,) = connection.execute(
        "SELECT rootpage FROM sqlite_schema WHERE name = 'presence'"
    ).fetchone()
    connection.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xaa" * 4096)
    store = await Store.open(path)
    try:
        with pytest.raises(StoreError, match="is damaged: database disk image is malformed"):
            await store.read(lambda c: c.execute("SELECT * FROM presence").fetchall())
        with pytest.raises(StoreError, match="is damaged"):
            await store.write(lambda tx: tx.execute("DELETE FROM presence WHERE seen = 1"))
        assert await store.write(lambda tx: tx.seq) == 1
    finally:
        await store.close()


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_said() -> None:
    code = """
import asyncio, os, tempfile
from pathlib import Path
from taskhub_tui.domain.errors import StoreError
from taskhub_tui.storage.store import Store

folder = tempfile.mkdtemp()
os.chmod(folder, 0o500)
root = os.geteuid() == 0
if root:  # who may do everything: be somebody else for a moment
    os.chown(folder, 65534, 65534)
    os.setresuid(65534, 65534, 0)
try:
    asyncio.run(Store.open(Path(folder) / "taskhub.db"))
except StoreError as error:
    print(error)
if root:
    os.setresuid(0, 0, 0)
os.rmdir(folder)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stderr == ""
    assert "taskhub.db cannot be opened: Permission denied" in done.stdout


@pytest.mark.slow
def test_a_full_disk_is_said_and_nothing_is_lost(path: Path) -> None:
    """The limit on the size of a file stands for a disk that is full."""
    code = """
import asyncio, resource, signal, sys
from pathlib import Path
from taskhub_tui.domain.errors import StoreError
from taskhub_tui.storage.store import Store

PUT = "INSERT INTO presence (id, seen, last_input) VALUES (?, 0, zeroblob(?))"

async def main():
    store = await Store.open(Path(sys.argv[1]))
    await store.write(lambda tx: tx.execute(PUT, ("before", 10)))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
    said = await asyncio.gather(
        *(store.write(lambda tx, i=i: tx.execute(PUT, (f"big {i}", 300_000))) for i in range(3)),
        return_exceptions=True,
    )
    for one in said:
        print(type(one).__name__, one)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await store.write(lambda tx: tx.execute(PUT, ("after", 10)))
    await store.close()

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    said = done.stdout.splitlines()
    assert len(said) == 3
    for line in said:
        assert line.startswith("StoreError The "), line
        assert "full" in line or "cannot be written" in line, line
    other = sqlite3.connect(path)
    assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    kept = [name for (name,) in other.execute("SELECT id FROM presence ORDER BY id")]
    other.close()
    assert kept == ["after", "before"]


async def test_a_busy_database_is_said_and_can_be_tried_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_MS", 50)
    store = await Store.open(path)
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="kept busy by another process") as told:
            await store.write(lambda tx: tx.seq)
        assert told.value.hint == "Try again in a moment"
        other.execute("ROLLBACK")
        assert await store.write(lambda tx: tx.seq) == 1
    finally:
        other.close()
        await store.close()
