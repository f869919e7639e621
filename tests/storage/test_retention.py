"""What is deleted is over, old, and ours; everything else stays."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support import House, ScriptedAgent, house, until

from taskhub_tui import care, variables
from taskhub_tui.agents.port import Artifact, Result
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.errors import StoreError
from taskhub_tui.domain.model import Action, NewTask, Status
from taskhub_tui.domain.views import Prunable, Pruned
from taskhub_tui.engine import runner
from taskhub_tui.storage import backups, claims, retention
from taskhub_tui.storage.compaction import compact
from taskhub_tui.storage.restore import restore
from taskhub_tui.storage.soundness import Stopped
from taskhub_tui.storage.store import Store

DAY = 86400.0
OVER = (Status.COMPLETED, Status.FAILED, Status.CANCELLED)


async def prune(h: House, status=OVER, older_than: float = -60, **how):
    return await care.prune(h.where, older_than, status, by="ann", **how)


def fill(where: Paths, task_id: str) -> None:
    """Write what a run leaves behind."""
    run = where.task(task_id) / "run" / "0-1"
    run.mkdir(parents=True)
    (run / "out").write_bytes(b"x" * 1000)
    with where.log(task_id).open("a") as log:
        log.write("0\tout\t" + "y" * 93 + "\n")


async def test_only_what_is_over_old_and_unneeded_goes(where: Paths, settings: Settings) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        done, cancelled, paused, waits = [await h.submit(name) for name in "abcd"]
        needs = await h.submit("e", after=(waits.id,))
        failed = await h.submit("f")
        held = await h.submit("g")
        await h.hub.decide(cancelled.id, Action.CANCEL)
        await h.hub.pause(paused.id)
        now = h.hub.clock()
        sql = "UPDATE task SET status = ?, ended = ?, holder = ? WHERE id = ?"
        for task, status, holder in (
            (done, "completed", None), (failed, "failed", None), (held, "completed", "w"),
            (waits, "failed", None),
        ):  # fmt: skip
            await h.hub._store.write(
                lambda tx, row=(status, now, holder, task.id): tx.execute(sql, row)
            )
        assert (await prune(h, older_than=DAY)).tasks == ()
        would = await prune(h, dry=True)
        assert [one.id for one in would.tasks] == [done.id, cancelled.id, failed.id]
        assert len(await h.hub.tasks()) == 7
        only = await prune(h, status=(Status.CANCELLED,))
        assert [one.id for one in only.tasks] == [cancelled.id]
        told = await prune(h)
        assert [one.id for one in told.tasks] == [done.id, failed.id]
        left = {task.id for task in await h.hub.tasks()}
        assert left == {paused.id, waits.id, needs.id, held.id}


async def test_all_that_belongs_to_a_task_goes_with_it_and_nothing_of_others(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        old, other = await h.submit("old"), await h.submit("other")
        async with h.worker():
            for task in (old, other):
                await until(h.hub, task.id, Status.COMPLETED)
        fill(where, old.id)
        fill(where, other.id)
        result = where.results / f"old-{old.id}" / "report.md"
        result.parent.mkdir(parents=True)
        result.write_text("mine")
        await h.hub._store.write(
            lambda tx: tx.execute("UPDATE task SET ended = ended + 1000 WHERE id = ?", (other.id,))
        )
        events = len(await h.hub.events(old.id))
        size = where.log(old.id).stat().st_size
        told = await prune(h, older_than=-500)
        assert [one.id for one in told.tasks] == [old.id]
        assert (told.events, told.log, told.folders) == (events, size, 1)
        assert told.size >= size + 1000
        assert not where.task(old.id).exists()
        assert where.log(other.id).exists()
        assert result.read_text() == "mine"
        connection = sqlite3.connect(where.database)
        for table in ("stage", "event", "blocker", "notification", "artifact", "stop"):
            found = connection.execute(f"SELECT DISTINCT task_n FROM {table}").fetchall()
            assert found in ([], [(other.n,)]), table
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        connection.close()


async def test_what_can_be_retried_keeps_the_variables_it_needs(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        failed, cancelled = [
            await h.hub.submit(NewTask(name, agent="actor"), secret_env={"TOKEN": "s3cret"})
            for name in ("failed", "cancelled")
        ]
        await h.hub.decide(cancelled.id, Action.CANCEL)
        await h.hub._store.write(
            lambda tx: tx.execute("UPDATE task SET status = 'failed' WHERE id = ?", (failed.id,))
        )
        for task in (failed, cancelled):
            fill(where, task.id)
        told = await prune(h, keep_results=True)
        assert {one.id for one in told.tasks} == {failed.id, cancelled.id}
        left = [path for path in where.tasks.rglob("*") if path.is_file()]
        assert left == [where.task(failed.id) / "env.json"]
        assert variables.read(where.task(failed.id)) == {"TOKEN": "s3cret"}
        # There is nothing more to take from it, so its history does not grow by each look.
        assert (await prune(h, keep_results=True)).tasks == ()
        assert [one.id for one in (await prune(h, status=(Status.FAILED,))).tasks] == [failed.id]
        assert not where.task(failed.id).exists()


async def test_results_can_be_kept(where: Paths, settings: Settings) -> None:
    async def script(stage, ctx):
        stage.datadir.mkdir(exist_ok=True)
        file = stage.datadir / "deep" / "er" / "plot.txt"
        file.parent.mkdir(parents=True)
        file.write_text("kept")
        await ctx.artifact(Artifact("plot", file, "text/plain"))
        return Result("done")

    async with house(where, settings, ScriptedAgent("actor", script)) as h:
        task = await h.submit()
        async with h.worker():
            await until(h.hub, task.id, Status.COMPLETED)
        fill(where, task.id)
        before = await h.hub.status(task.id)
        told = await prune(h, keep_results=True)
        assert [one.id for one in told.tasks] == [task.id]
        left = [path for path in where.task(task.id).rglob("*") if path.is_file()]
        assert [path.read_text() for path in left] == ["kept"]
        after = await h.hub.status(task.id)
        assert (after.stages, after.artifacts) == (before.stages, before.artifacts)
        assert (await h.kinds(task.id))[-1] == "pruned"


@pytest.mark.parametrize("moment", ["before the commit", "after it"])
async def test_the_files_of_a_task_that_is_retried_meanwhile_stay(
    where: Paths, settings: Settings, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RETRY comes from another process, in the moment in which files are looked at or deleted."""
    go = where.home / "go"
    shell = f"[ -e {go} ] || exit 1; echo again; until [ -e {go}-on ]; do sleep 0.05; done"

    def retry(*task: str) -> None:
        run = [sys.executable, "-m", "taskhub_tui", "retry", *task]
        subprocess.run(run, check=True, capture_output=True)

    async with house(where, settings) as h, h.worker():
        task = await h.submit(agent="command", options={"shell": shell})
        await until(h.hub, task.id, Status.FAILED)
        before = h.hub.clock() + 60
        found = await h.hub._store.read(lambda reader: retention.old(reader, before, OVER))
        go.touch()
        if moment == "before the commit":
            await asyncio.to_thread(retry, task.id)
        else:
            size = retention._size

            def sized(path: Path, *stop: threading.Event | None) -> int:
                monkeypatch.setattr(retention, "_size", size)
                retry(task.id)
                log = where.log(task.id)
                while not log.exists() or "again" not in log.read_text():
                    time.sleep(0.01)
                return size(path, *stop)

            monkeypatch.setattr(retention, "_size", sized)
        pruning = asyncio.to_thread(asyncio.run, pruned(where, found, before, keep_results=True))
        told = await pruning
        assert len(told.tasks) == (0 if moment == "before the commit" else 1)
        Path(f"{go}-on").touch()
        await until(h.hub, task.id, Status.COMPLETED)
        assert (await h.said(task.id))[-1] == "again"
        assert [entry.name for entry in where.tasks.iterdir()] == [task.id]


async def pruned(
    where: Paths, found: Sequence[Prunable], before: float, *, keep_results: bool
) -> Pruned:
    """Prune as another process does, with a store of its own."""
    store = await Store.open(where.database)
    try:
        return await retention.prune(
            store, where, found, before, OVER, keep_results=keep_results, by="ann", now=before
        )
    finally:
        await store.close()


async def test_what_was_put_aside_comes_back_where_that_cannot_be_written_down(
    where: Paths, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        task = await h.submit()
        await h.hub.decide(task.id, Action.CANCEL)
        fill(where, task.id)
        names = sorted(where.task(task.id).rglob("*"))
        other = sqlite3.connect(where.database, isolation_level=None)
        other.execute("CREATE TRIGGER no BEFORE INSERT ON event BEGIN SELECT RAISE(FAIL, 'x'); END")
        other.close()
        with pytest.raises(StoreError):
            await prune(h, keep_results=True)
        assert sorted(where.task(task.id).rglob("*")) == names


async def test_a_task_that_came_back_to_life_meanwhile_stays(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        task = await h.submit()
        await h.hub._store.write(lambda tx: tx.execute("UPDATE task SET status = 'failed'"))
        before = h.hub.clock() + 60
        found = await h.hub._store.read(lambda r: retention.old(r, before, OVER))
        assert [one.id for one in found] == [task.id]
        fill(where, task.id)
        await h.hub._store.write(lambda tx: tx.execute("UPDATE task SET status = 'pending'"))
        await h.hub._store.write(lambda tx: claims.claim(tx, "w", before, 1, runner.first))
        told = await retention.prune(
            h.hub._store, where, found, before, OVER, keep_results=False, by="ann", now=before
        )
        assert told.tasks == ()
        assert where.log(task.id).exists()


@pytest.mark.parametrize("trick", ["link", "climb", "file"])
async def test_nothing_but_a_task_folder_is_ever_deleted(
    where: Paths, settings: Settings, tmp_path: Path, trick: str
) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("mine")
    async with house(where, settings, ScriptedAgent("actor")) as h:
        task = await h.submit()
        await h.hub.decide(task.id, Action.CANCEL)
        folder = where.task(task.id)
        if trick == "climb":
            await h.hub._store.write(lambda tx: tx.execute("UPDATE task SET id = '../../precious'"))
        else:
            folder.rmdir()
            folder.symlink_to(precious) if trick == "link" else folder.write_text("mine")
        assert len((await prune(h)).tasks) == 1
        assert (precious / "file").read_text() == "mine"
        assert trick != "file" or folder.read_text() == "mine"
        assert await h.hub.tasks() == []


def test_leftovers_are_swept_up_but_nothing_that_is_just_being_handed_over(where: Paths) -> None:
    for name in ("aaaaaaaa", "bbbbbbbb", "cccccccc", ".gone-dddddddd-1", "my-notes"):
        (where.tasks / name).mkdir(parents=True)
    os.utime(where.tasks / "aaaaaaaa", (0, 0))
    os.utime(where.tasks / "cccccccc", (0, 0))
    os.utime(where.tasks / "my-notes", (0, 0))
    assert retention.sweep(where, {"cccccccc"}, time.time()) == 2
    names = sorted(entry.name for entry in where.tasks.iterdir())
    assert names == ["bbbbbbbb", "cccccccc", "my-notes"]


async def test_a_worker_goes_on_while_many_files_are_deleted(
    where: Paths, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        task = await h.submit()
        await h.hub.decide(task.id, Action.CANCEL)
        fill(where, task.id)
        turns = asyncio.Event()
        loop = asyncio.get_running_loop()
        unlink = os.unlink

        def slow(*args: Any, **options: Any) -> None:
            waited = threading.Event()
            loop.call_soon_threadsafe(lambda: (turns.set(), waited.set()))
            assert waited.wait(10), "nothing else had its turn"
            unlink(*args, **options)

        monkeypatch.setattr(os, "unlink", slow)
        told = await prune(h)
        assert [one.id for one in told.tasks] == [task.id]
        assert turns.is_set()
        assert list(where.tasks.iterdir()) == []


@pytest.mark.parametrize("moment", ["while it is looked at", "while it is deleted"])
async def test_whoever_leaves_does_not_wait_for_many_files(
    where: Paths, settings: Settings, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()
    folder = where.task("aaaaaaaa")
    fill(where, folder.name)
    many = 3 * retention._SOME
    for number in range(many):
        (folder / str(number)).touch()
    if moment == "while it is looked at":
        stop.set()
        found = [Prunable(1, folder.name, "old", Status.COMPLETED, 0.0, 0)]
        with pytest.raises(Stopped):
            retention.look(where, found, keep_results=False, stop=stop)
        return
    unlink = os.unlink

    def last(*args: Any, **options: Any) -> None:
        unlink(*args, **options)
        stop.set()

    monkeypatch.setattr(os, "unlink", last)
    with pytest.raises(Stopped):
        retention._remove(folder, stop)
    (left,) = where.tasks.iterdir()
    assert not (left / "run" / "0-1" / "out").exists()
    assert len(list(left.iterdir())) > many
    # The next one deletes the rest.
    monkeypatch.setattr(os, "unlink", unlink)
    assert retention.sweep(where, None) == 1
    assert list(where.tasks.iterdir()) == []


def test_folders_that_may_not_be_written_to_go_as_well(where: Paths) -> None:
    cache = where.task("aaaaaaaa") / "scratch" / "cache"
    cache.mkdir(parents=True)
    (cache / "module").touch(0o400)
    cache.chmod(0o500)
    retention._remove(where.task("aaaaaaaa"))
    assert list(where.tasks.iterdir()) == []


async def test_folders_of_tasks_that_a_restore_put_aside_are_no_leftovers(
    where: Paths, settings: Settings
) -> None:
    """Who restores the wrong backup restores what it replaced, and wants its logs and files."""
    copy = where.home / "copy.db"
    async with house(where, settings, ScriptedAgent("actor")) as h:
        await h.submit("before")
        backups.write(where.database, copy)
        later = await h.submit("later")
    fill(where, later.id)
    os.utime(where.task(later.id), (0, 0))
    told = restore(where.database, copy, time.time())
    await care.prune(where, -60, OVER, by="ann")
    assert where.log(later.id).exists()
    shutil.rmtree(str(told.aside))
    await care.prune(where, -60, OVER, by="ann")
    assert not where.task(later.id).exists()


async def test_others_go_on_writing_while_much_is_deleted(where: Paths, settings: Settings) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        first = await h.submit()

        def many(tx):
            names = [row[1] for row in tx.execute("PRAGMA table_info(task)").fetchall()]
            rest = ", ".join(name for name in names if name not in ("n", "id", "status"))
            for i in range(450):
                tx.execute(
                    f"INSERT INTO task (id, status, {rest}) SELECT ?, 'completed', {rest}"
                    " FROM task WHERE id = ?",
                    (f"old-{i}", first.id),
                )

        await h.hub._store.write(many)
        pruning = asyncio.create_task(prune(h))
        seqs = []
        while not pruning.done():
            seqs.append(await h.hub._store.write(lambda tx: tx.seq))
        told = await pruning
        assert len(told.tasks) == 450
        assert seqs[-1] - seqs[0] > len(seqs), "no write came between two batches"


async def test_compacting_gives_the_room_back_and_keeps_every_row(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        await h.submit()

        def fill_up(tx):
            for i in range(1000):
                tx.execute("INSERT INTO presence VALUES (?, 0, 0, 0)", (f"{i}{'x' * 3000}",))

        await h.hub._store.write(fill_up)
        await h.hub._store.write(lambda tx: tx.execute("DELETE FROM presence"))
        before = await h.hub.tasks()
        told = await asyncio.to_thread(compact, where.database)  # while this hub has it open
        assert told.before > 3_000_000
        assert told.after < 500_000
        assert where.database.stat().st_size == told.after
        assert await h.hub.tasks() == before
        await h.submit()


async def test_a_large_database_is_compacted_only_when_nobody_uses_it(
    where: Paths, settings: Settings
) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from taskhub_tui.domain.errors import StoreBusy\n"
        "from taskhub_tui.storage import compaction\n"
        "compaction.AT_WORK = 1000\n"
        "try: print(compaction.compact(Path(sys.argv[1])))\n"
        "except StoreBusy as error: print(error)\n"
    )

    async def said() -> str:
        other = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, str(where.database), stdout=asyncio.subprocess.PIPE
        )
        out, _ = await other.communicate()
        return out.decode()

    async with house(where, settings, ScriptedAgent("actor")):
        assert "is in use by other processes" in await said()
    assert "Compacted(before=" in await said()
