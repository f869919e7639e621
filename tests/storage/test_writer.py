"""What was acknowledged is on disk, and many requests share one commit."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from taskhub_tui.domain.errors import Outdated, StoreError
from taskhub_tui.storage import writer
from taskhub_tui.storage.database import migrations
from taskhub_tui.storage.store import Store
from taskhub_tui.storage.writer import MAX_BATCH, MAX_HERE, Tx


@pytest.fixture(params=["in its own thread", "in the loop's thread"])
async def store(path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    store = await Store.open(path, here=request.param == "in the loop's thread")
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
async def here(path: Path) -> AsyncIterator[Store]:
    store = await Store.open(path, here=True)
    try:
        yield store
    finally:
        await store.close()


def _where(tx: Tx) -> int:
    return threading.get_ident()


def _note(tx: Tx, name: str) -> int:
    tx.execute(
        "INSERT INTO presence (id, focused, last_input, seen) VALUES (?, NULL, NULL, 0)", (name,)
    )
    return tx.seq


def _names(path: Path) -> set[str]:
    other = sqlite3.connect(path)
    try:
        return {name for (name,) in other.execute("SELECT id FROM presence")}
    finally:
        other.close()


async def test_an_older_version_writes_nothing_after_a_newer_one_has_changed_the_schema(
    store: Store, path: Path
) -> None:
    await store.write(lambda tx: _note(tx, "before"))
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA user_version = {len(migrations()) + 1}")
    other.close()
    for _ in range(2):
        with pytest.raises(Outdated, match="was updated while this was open") as told:
            await store.write(lambda tx: _note(tx, "after"))
        assert told.value.hint == "Start it anew"
    assert _names(path) == {"before"}


async def test_requests_made_at_once_share_commits(store: Store, path: Path) -> None:
    seqs = await asyncio.gather(
        *(store.write(lambda tx, i=i: _note(tx, f"{i}")) for i in range(3 * MAX_BATCH))
    )
    assert len(set(seqs)) <= 5
    assert seqs == sorted(seqs)
    assert len(_names(path)) == 3 * MAX_BATCH


async def test_a_result_comes_only_when_others_can_see_it(store: Store, path: Path) -> None:
    async def write(i: int) -> None:
        await store.write(lambda tx: _note(tx, f"{i}"))
        assert f"{i}" in _names(path)

    await asyncio.gather(*(write(i) for i in range(20)))


async def test_a_request_that_fails_is_undone_alone(store: Store, path: Path) -> None:
    def bad(tx: Tx) -> None:
        _note(tx, "half")
        raise KeyError("what is wrong")

    def twice(tx: Tx) -> None:
        _note(tx, "good 0")

    said = await asyncio.gather(
        store.write(lambda tx: _note(tx, "good 0")),
        store.write(bad),
        store.write(twice),
        store.write(lambda tx: _note(tx, "good 1")),
        return_exceptions=True,
    )
    assert isinstance(said[0], int)
    assert isinstance(said[1], KeyError)
    assert isinstance(said[2], StoreError)
    assert isinstance(said[3], int)
    assert _names(path) == {"good 0", "good 1"}


async def test_a_lone_request_that_fails_is_undone(store: Store, path: Path) -> None:
    def bad(tx: Tx) -> None:
        _note(tx, "half")
        raise KeyError("what is wrong")

    before = await store.read(lambda c: c.execute("SELECT seq FROM meta").fetchone()[0])
    with pytest.raises(KeyError, match="what is wrong"):
        await store.write(bad)
    assert _names(path) == set()
    after = await store.read(lambda c: c.execute("SELECT seq FROM meta").fetchone()[0])
    assert after == before


async def test_what_a_cancelled_caller_has_handed_over_is_committed(
    store: Store, path: Path
) -> None:
    caller = asyncio.create_task(store.write(lambda tx: _note(tx, "mine")))
    await asyncio.sleep(0)  # it has handed its request over, and waits
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await store.write(lambda tx: _note(tx, "another"))
    assert _names(path) == {"mine", "another"}


async def test_an_error_that_a_cancelled_caller_does_not_collect_is_no_noise(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    def bad(tx: Tx) -> None:
        raise KeyError("nobody listens")

    caller = asyncio.create_task(store.write(bad))
    await asyncio.sleep(0)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    await store.write(lambda tx: _note(tx, "on"))
    assert caplog.records == []


async def test_closing_waits_for_what_was_handed_over(path: Path) -> None:
    store = await Store.open(path)
    callers = [asyncio.create_task(store.write(lambda tx, i=i: _note(tx, f"{i}"))) for i in "ab"]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*callers)
    assert _names(path) == {"a", "b"}
    with pytest.raises(StoreError, match="The database is closed"):
        await store.write(lambda tx: _note(tx, "late"))
    with pytest.raises(StoreError, match="The database is closed"):
        await store.read(lambda c: c.execute("SELECT 1").fetchone())


async def test_only_loud_commits_are_announced(store: Store) -> None:
    rings = 0

    def ring(tx: Tx) -> None:
        nonlocal rings
        rings += 1

    def loud(tx: Tx) -> None:
        tx.loud = True

    store.after_commit = ring
    await store.write(lambda tx: _note(tx, "quiet"))
    assert rings == 0
    await store.write(loud)
    assert rings == 1


async def test_aiosqlite_still_has_what_one_hop_commits_rely_on(store: Store) -> None:
    for connection in (store._writing, store._reading):
        assert callable(connection._execute), "aiosqlite has no `_execute`: pin an older one"
        assert isinstance(connection._conn, sqlite3.Connection), (
            "aiosqlite has no `_conn`: pin an older one"
        )
        assert await connection._execute(lambda: 42) == 42


async def test_a_value_nobody_knows_is_reported_as_that(store: Store) -> None:
    with pytest.raises(StoreError, match="holds a value that cannot be right: 'odd'"):
        await store.read(lambda c: (_ for _ in ()).throw(ValueError("'odd'")))


async def test_an_idle_reader_does_not_let_the_log_of_writes_grow(path: Path) -> None:
    reading, writing = await Store.open(path), await Store.open(path)
    try:
        await reading.read(lambda c: c.execute("SELECT * FROM task").fetchone())
        wal = path.with_name(path.name + "-wal")
        pad = "x" * 4000
        for i in range(1500):
            if i % 300 == 0:
                await reading.read(lambda c: c.execute("SELECT id FROM presence").fetchone())
            writing_now = [
                writing.write(
                    lambda tx: tx.execute(
                        "INSERT OR REPLACE INTO presence VALUES (?, NULL, NULL, 0)", (pad,)
                    )
                )
            ]
            await asyncio.gather(*writing_now)
        # SQLite writes the log back from some 1000 pages of 4 kB on.
        assert wal.stat().st_size < 8_000_000
    finally:
        await reading.close()
        await writing.close()


async def test_a_commit_that_cannot_be_announced_holds_up_nobody(store: Store, path: Path) -> None:
    def loud(tx: Tx) -> None:
        tx.loud = True

    def broken(tx: Tx) -> None:
        raise OSError("no file descriptor is left")

    store.after_commit = broken
    many = [store.write(lambda tx, i=i: _note(tx, f"{i}")) for i in range(MAX_BATCH)]
    await asyncio.gather(store.write(loud), *many)
    assert len(_names(path)) == MAX_BATCH


async def test_a_worker_commits_in_the_thread_of_its_loop(here: Store) -> None:
    threads = await asyncio.gather(*(here.write(_where) for _ in range(MAX_HERE)))
    assert set(threads) == {threading.get_ident()}


async def test_many_requests_at_once_do_not_hold_up_the_loop(here: Store) -> None:
    threads = await asyncio.gather(*(here.write(_where) for _ in range(MAX_HERE + 1)))
    assert threading.get_ident() not in threads


async def test_the_loop_never_waits_for_the_lock_of_another(here: Store, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        waits = asyncio.create_task(here.write(_where))
        for _ in range(5):  # Such a turn would take ten seconds if the loop waited.
            await asyncio.sleep(0.01)
        assert not waits.done()
        other.execute("ROLLBACK")
        assert await waits != threading.get_ident()
    finally:
        other.close()
    assert await here.write(_where) == threading.get_ident()


async def test_the_loop_never_waits_for_the_guard_of_another(here: Store, path: Path) -> None:
    theirs = await Store.open(path)
    try:
        guard = theirs._guard
        assert guard.take()
        waits = asyncio.create_task(here.write(_where))
        for _ in range(5):
            await asyncio.sleep(0.01)
        assert not waits.done()
        guard.give_back()
        assert await waits != threading.get_ident()
    finally:
        await theirs.close()


async def test_on_a_slow_disk_commits_leave_the_loop_alone(
    here: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SLOW", -1.0)  # Every disk is slower than that.
    me = threading.get_ident()
    assert [await here.write(_where) == me for _ in range(5)] == [True, True, False, False, False]
    # After a while it tries again.
    here._writer._elsewhere_until = 0.0
    assert [await here.write(_where) == me for _ in range(3)] == [True, False, False]
    assert here._writer._pause == 4 * writer.PAUSE
    monkeypatch.undo()
    here._writer._elsewhere_until = 0.0
    monkeypatch.setattr(writer, "SLOW", 60.0)
    assert [await here.write(_where) == me for _ in range(3)] == [True, True, True]
    assert here._writer._pause == writer.PAUSE


async def test_a_worker_glances_without_another_thread(here: Store) -> None:
    def where(reader: sqlite3.Connection) -> tuple[int, int]:
        return threading.get_ident(), reader.execute("SELECT count(*) FROM task").fetchone()[0]

    assert await here.glance(where) == (threading.get_ident(), 0)
    assert (await here.read(where))[0] != threading.get_ident()
    # Where the other thread is at work, the connection is its own.
    long = asyncio.create_task(here.read(where))
    await asyncio.sleep(0)
    assert (await here.glance(where))[0] != threading.get_ident()
    await long
    assert (await here.glance(where))[0] == threading.get_ident()
    with pytest.raises(StoreError, match="gave an error: no such table"):
        await here.glance(lambda reader: reader.execute("SELECT * FROM nowhere"))
    assert (await here.glance(where))[1] == 0


@pytest.mark.parametrize("error", [asyncio.CancelledError(), StopIteration(), ValueError("odd")])
async def test_whatever_a_request_raises_nobody_waits_for_ever(
    store: Store, path: Path, error: BaseException
) -> None:
    def bad(tx: Tx) -> None:
        _note(tx, "half")
        raise error

    said = await asyncio.gather(
        store.write(bad), store.write(lambda tx: _note(tx, "beside")), return_exceptions=True
    )
    assert isinstance(said[0], Exception | asyncio.CancelledError)
    await store.write(lambda tx: _note(tx, "after"))
    assert "after" in _names(path)
    assert ("beside" in _names(path)) == isinstance(said[1], int)


async def test_a_damaged_text_beside_a_failure_holds_up_nobody(store: Store, path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("INSERT INTO presence VALUES (CAST(x'78e3' AS TEXT), NULL, NULL, 0)")
    other.close()

    def fails(tx: Tx) -> None:
        _note(tx, "half")
        raise KeyError("what is wrong")

    def reads(tx: Tx) -> list[str]:
        return [name for (name,) in tx.execute("SELECT id FROM presence").fetchall()]

    said = await asyncio.gather(store.write(fails), store.write(reads), return_exceptions=True)
    assert isinstance(said[0], KeyError)
    assert said[1] == ["x\N{REPLACEMENT CHARACTER}"]


async def test_what_takes_long_leaves_the_loop_alone(here: Store, path: Path) -> None:
    def work(tx: Tx) -> int:
        tx.long()
        _note(tx, "long")
        return _where(tx)

    both = await asyncio.gather(here.write(lambda tx: _note(tx, "short")), here.write(work))
    assert both[1] != threading.get_ident()
    assert _names(path) == {"short", "long"}
    assert await here.write(_where) == threading.get_ident()
