"""A backup put in the place of the database: whole or not at all, and nothing starts by itself."""

import asyncio
import errno
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support import ScriptedAgent, house, until, working

from taskhub_tui import deciding, keeper
from taskhub_tui.agents.port import Blocker, BlockerKind, Result, Stage, StageContext
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.errors import BadInput, DiskFull
from taskhub_tui.domain.model import Action, StageSpec, Status
from taskhub_tui.domain.rules import Scope
from taskhub_tui.hub import Hub
from taskhub_tui.notifications.answers import Answers
from taskhub_tui.notifications.granting import Ask
from taskhub_tui.storage import backups, database, newest
from taskhub_tui.storage.restore import restore
from taskhub_tui.storage.soundness import problems
from taskhub_tui.storage.store import Store
from taskhub_tui.storage.writer import Tx

NOW = 1_900_000_000.0
HOUR = 3600.0


async def test_what_had_not_ended_is_paused_and_all_else_is_as_it_was(
    where: Paths, settings: Settings
) -> None:
    agent = ScriptedAgent("actor")
    gate = (StageSpec("one", "actor", gate=True),)
    copy = where.home / "copy.db"
    async with house(where, settings, agent) as h:
        done, asks = await h.submit("done"), await h.submit("asks", stages=gate)
        async with h.worker():
            await until(h.hub, done.id, Status.COMPLETED)
            await until(h.hub, asks.id, Status.BLOCKED)
        waits = await h.submit("waits")
        backups.write(where.database, copy)
        later = await h.submit("later")
        before = {task.id: await h.hub.status(task.id) for task in (done, asks)}
    told = restore(where.database, copy, NOW)
    assert (told.copy, told.paused) == (str(copy), 1)
    runs = len(agent.runs)
    async with house(where, settings, agent) as h:
        assert {task.id for task in await h.hub.tasks()} == {done.id, asks.id, waits.id}
        for task_id, view in before.items():
            assert await h.hub.status(task_id) == view
        view = await h.hub.status(waits.id)
        assert view.task.status is Status.PAUSED
        assert (await h.kinds(waits.id))[-1] == "restored"
        async with h.worker():
            await h.hub.decide(asks.id, Action.APPROVE)
            await until(h.hub, asks.id, Status.COMPLETED)
            assert len(agent.runs) == runs + 1  # the one that was approved now
            await h.hub.resume(waits.id)
            await until(h.hub, waits.id, Status.COMPLETED)
    aside = await Hub.open(
        paths=Paths(Path(str(told.aside)), where.config, where.results), settings=settings,
        autostart=False,
    )  # fmt: skip
    async with aside:
        assert later.id in {task.id for task in await aside.tasks()}


async def test_no_old_answer_is_good_again_and_no_old_rule_holds(
    where: Paths, settings: Settings
) -> None:
    gate = (StageSpec("one", "actor", gate=True),)
    copy = where.home / "copy.db"
    async with house(where, settings, ScriptedAgent("actor")) as h:
        async with h.worker():
            task = await h.submit(stages=gate)
            await until(h.hub, task.id, Status.BLOCKED)
        note = next(n for n in await h.hub.notifications() if n.blocker_id)
        answers = Answers(h.hub._store, deciding.answer, owner="ann")
        token = (await answers.grant(Ask(note.id, "phone", "", "?"))).tokens["approve"]
        rule = await h.hub.allow(Scope.AGENT, "actor")
        backups.write(where.database, copy)
        used = await answers.consume(token, "approve", peer="ntfy", channel="phone")
        assert used.status == 200
    restore(where.database, copy, NOW)
    async with house(where, settings) as h:
        assert (await h.hub.status(task.id)).task.status is Status.BLOCKED
        answers = Answers(h.hub._store, deciding.answer, owner="ann")
        again = await answers.consume(token, "approve", peer="ntfy", channel="phone")
        assert again.status == 404
        assert await h.hub.rules() == []
        (old,) = await h.hub.rules(revoked=True)
        assert (old.id, old.revoked_by) == (rule.id, "restore")


async def test_no_question_is_answered_and_no_task_fails_for_a_time_that_passed_meanwhile(
    where: Paths, settings: Settings
) -> None:
    paid = []

    async def pay(stage: Stage, ctx: StageContext) -> Result:
        question = Blocker("ok", BlockerKind.APPROVAL, "Pay?", timeout=HOUR, default="approve")
        paid.append((await ctx.ask(question)).action)
        return Result("paid")

    copy = where.home / "copy.db"
    payer, actor = ScriptedAgent("payer", pay), ScriptedAgent("actor")
    async with house(where, settings, payer, actor) as h:
        asks = await h.submit("asks", agent="payer")
        async with h.worker():
            await until(h.hub, asks.id, Status.BLOCKED)
        late, early = await h.submit("late", within=HOUR), await h.submit("early", within=9 * HOUR)
        backups.write(where.database, copy)
        async with h.worker():
            await h.hub.decide(asks.id, Action.APPROVE)
            await until(h.hub, asks.id, Status.COMPLETED)
    then = time.time() + 2 * HOUR
    restore(where.database, copy, then)
    assert problems(where.database) == []
    async with house(where, settings, payer, actor) as h:
        watched = await h.submit("watched", within=HOUR)
        ahead = working(where, settings, registry=h.registry, clock=lambda: time.time() + 2 * HOUR)
        async with ahead:
            # Whatever is too late, the worker has then seen.
            await until(h.hub, watched.id, Status.FAILED)
            view = await h.hub.status(asks.id)
            assert view.task.status is Status.BLOCKED
            assert view.blocker is not None
            assert (view.blocker.deadline, view.blocker.default) == (None, Action.APPROVE)
            assert (await h.kinds(asks.id))[-1] == "restored"
            for task, deadline in ((late, None), (early, early.deadline)):
                found = (await h.hub.status(task.id)).task
                assert (found.status, found.deadline) == (Status.PAUSED, deadline)
            assert paid == ["accept"]
            await h.hub.decide(asks.id, Action.DENY)
            await until(h.hub, asks.id, Status.COMPLETED)
    assert paid == ["accept", "decline"]


async def test_a_damaged_database_is_replaced_and_kept(path: Path) -> None:
    await (await Store.open(path)).close()
    copy = path.parent / "copy.db"
    backups.write(path, copy)
    path.write_bytes(b"\xaa" * 8192)
    log = path.with_name(path.name + "-wal")
    log.write_bytes(b"\xbb" * 5000)
    told = restore(path, copy, NOW)
    assert told.aside is not None
    kept = {file.name: file.read_bytes() for file in Path(told.aside).iterdir()}
    assert kept == {path.name: b"\xaa" * 8192, log.name: b"\xbb" * 5000}
    assert not log.exists()
    store = await Store.open(path)
    await store.close()
    # And back again: what was put aside is no sound backup.
    with pytest.raises(BadInput, match="is no sound backup"):
        restore(path, Path(told.aside) / path.name, NOW + 1)


@pytest.mark.parametrize("room", [True, False])
async def test_a_file_system_without_hard_links_keeps_what_is_replaced_too(
    path: Path, room: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*args: object, **options: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    def full(*args: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    await (await Store.open(path)).close()
    backups.write(path, copy := path.with_name("copy.db"))
    store = await Store.open(path)
    await store.write(lambda tx: tx.execute("UPDATE meta SET seq = seq + 1"))
    await store.close()
    before = path.read_bytes()
    monkeypatch.setattr(os, "link", refused)
    if not room:
        monkeypatch.setattr(shutil, "copyfileobj", full)
        with pytest.raises(DiskFull):
            restore(path, copy, NOW)
        assert path.read_bytes() == before
        assert sorted(one.name for one in path.parent.iterdir() if one.is_dir()) == []
        return
    asides = [Path(str(restore(path, copy, NOW).aside)) for _ in range(2)]
    # Two in one second, and each has a place of its own.
    assert (asides[0] / path.name).read_bytes() == before
    assert (asides[0] / path.name).stat().st_mode & 0o777 == 0o600
    assert problems(path) == problems(asides[1] / path.name, alone=True) == []


def test_whoever_wanted_a_worker_while_nobody_might_work_gets_one_afterwards(
    where: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Paths] = []
    monkeypatch.setattr(keeper, "start", started.append)
    with keeper.kept_away(where):
        pass
    assert started == []

    def refused() -> None:
        with keeper.kept_away(where):
            keeper._want(where.home)
            raise BadInput("It was refused")

    with pytest.raises(BadInput):
        refused()
    assert started == [where]


async def test_a_copy_with_damaged_tasks_is_put_back_only_when_that_is_said(
    where: Paths, settings: Settings
) -> None:
    copy = where.home / "copy.db"
    async with house(where, settings, ScriptedAgent("actor")) as h:
        over, waits = await h.submit("over"), await h.submit("waits")
        await h.hub.decide(over.id, Action.CANCEL)
    with closing(sqlite3.connect(where.database, isolation_level=None)) as connection:
        connection.execute("UPDATE stage SET prompt = 'Undo it'")
    backups.write(where.database, copy)
    before = where.database.read_bytes()
    with pytest.raises(
        BadInput, match=r"is sound but for damaged tasks: .*not what was"
    ) as refused:
        restore(where.database, copy, NOW)
    assert "--damaged" in str(refused.value.hint)
    assert where.database.read_bytes() == before
    told = restore(where.database, copy, NOW, damaged=True)
    assert told.paused == 1
    assert over.id in told.damaged
    assert waits.id in told.damaged
    agent = ScriptedAgent("actor")
    async with house(where, settings, agent) as h, h.worker():
        await h.hub.resume(waits.id)
        await until(h.hub, waits.id, Status.FAILED)
        assert (await h.hub.status(over.id)).task.status is Status.CANCELLED
    assert agent.runs == []


@pytest.mark.parametrize("there", [True, False])
async def test_who_has_opened_the_old_file_but_not_used_it_goes_on_with_the_new_one(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    def note(number: int) -> Callable[[Tx], object]:
        row = (f"{number}", NOW)
        return lambda tx: tx.execute("INSERT INTO presence VALUES (?, NULL, NULL, ?)", row)

    copy = tmp_path / "copy.db"
    store = await Store.open(path)
    backups.write(path, copy)
    for number in range(300):
        await store.write(note(number))
    await store.close()
    if not there:  # As before the first task.
        newest.forget(path)
        path.unlink()
    opened, replaced = database._opened, []

    async def open_and_replace(path: Path, mode: str) -> Any:
        connection = await opened(path, mode)
        if not replaced:
            replaced.append(restore(path, copy, NOW))
        return connection

    monkeypatch.setattr(database, "_opened", open_and_replace)
    store = await Store.open(path)
    try:
        assert len(replaced) == 1
        for number in range(1000, 1050):
            await store.write(note(number))
    finally:
        await store.close()
    assert problems(path) == []
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM presence").fetchone() == (50,)
    connection.close()


async def test_nothing_is_replaced_while_anybody_has_it_open(path: Path) -> None:
    store = await Store.open(path)
    copy = path.parent / "copy.db"
    backups.write(path, copy)
    before = path.stat().st_ino
    try:
        code = (
            "import sys; from pathlib import Path\n"
            "from taskhub_tui.domain.errors import StoreBusy\n"
            "from taskhub_tui.storage.restore import restore\n"
            "try: restore(Path(sys.argv[1]), Path(sys.argv[2]), 1.9e9)\n"
            "except StoreBusy as error: print(error)\n"
        )
        # Another process: SQLite's locks are between processes.
        other = await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, str(path), str(copy), stdout=asyncio.subprocess.PIPE
        )
        said, _ = await other.communicate()
        assert f"is in use by other processes: {os.getpid()}" in said.decode()
        assert path.stat().st_ino == before
    finally:
        await store.close()
    assert restore(path, copy, NOW).paused == 0


@pytest.mark.parametrize("case", ["missing", "text", "other", "newer", "itself"])
async def test_what_is_no_backup_is_refused_and_changes_nothing(path: Path, case: str) -> None:
    await (await Store.open(path)).close()
    copy = path.parent / "copy.db"
    said = {
        "missing": "There is no file",
        "text": "is no sound backup: The database .* is damaged",
        "other": "is no sound backup: The file is no database of TaskHub's",
        "newer": "has schema 99, but this TaskHub knows only",
        "itself": "is the database itself",
    }[case]
    if case == "text":
        copy.write_text("no database at all" * 100)
    elif case == "itself":
        copy = path
    elif case != "missing":
        if case == "newer":
            backups.write(path, copy)
        other = sqlite3.connect(copy)
        other.execute("CREATE TABLE some (x)")
        other.execute("PRAGMA user_version = 99")
        other.commit()
        other.close()
    before = path.read_bytes()
    names = sorted(entry.name for entry in path.parent.iterdir())
    with pytest.raises(BadInput, match=said):
        restore(path, copy, NOW)
    assert path.read_bytes() == before
    assert sorted(entry.name for entry in path.parent.iterdir()) == names


async def test_a_copy_with_writes_beside_it_is_taken_with_them(path: Path, tmp_path: Path) -> None:
    """As what an earlier restore has put aside."""
    copy = tmp_path / "aside.db"
    writer = await Store.open(copy)
    await writer.write(lambda tx: tx.execute("INSERT INTO presence VALUES ('x', 0, 0, 0)"))
    assert copy.with_name("aside.db-wal").stat().st_size > 0
    try:
        restore(path, copy, NOW)
    finally:
        await writer.close()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT seq FROM meta").fetchone() == (2,)
    connection.close()
