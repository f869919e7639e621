"""What a worker does for the store by itself, and how it says that it could not."""

import asyncio
import logging
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from support import eventually, soon, working

from taskhub_tui import upkeep
from taskhub_tui.config import Backups, Paths, Retention, Settings
from taskhub_tui.domain.model import Action, NewTask
from taskhub_tui.hub import Hub
from taskhub_tui.storage import backups, compaction
from taskhub_tui.upkeep import Upkeep
from taskhub_tui.worker import serve


class Screen:
    """What was shown to the user."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    async def tell(self, title: str, words: str) -> None:
        self.said.append((title, words))


class Clock:
    def __init__(self) -> None:
        self.now = 1_900_000_000.0

    def __call__(self) -> float:
        return self.now


def keeping(hub: Hub, settings: Settings, screen: Screen, clock: Clock) -> Upkeep:
    return Upkeep(
        hub._store, hub.paths, settings, screen.tell, lambda: True, clock=clock, steady=clock
    )


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def test_a_worker_backs_up_by_itself(
    where: Paths, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "FIRST", 0.01)

    async def made() -> bool:
        return len(backups.listed(where.backups)) == 1

    async with working(where, settings):
        await eventually(made)


async def test_one_that_leaves_soon_backs_up_before_it_does(
    hub: Hub, where: Paths, settings: Settings
) -> None:
    await asyncio.wait_for(serve(where, settings, idle_exit=0.1), upkeep.FIRST / 2)
    (made,) = backups.listed(where.backups)
    await asyncio.wait_for(serve(where, settings, idle_exit=0.1), upkeep.FIRST / 2)
    assert backups.listed(where.backups) == [made]


async def test_one_with_nothing_left_to_do_does_not_give_up_the_backup_it_is_making(
    hub: Hub, where: Paths, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "FIRST", 0.0)
    begun, go = threading.Event(), threading.Event()
    make = backups.make

    def held_up(*args: Any, **options: Any) -> Any:
        begun.set()
        go.wait()
        return make(*args, **options)

    monkeypatch.setattr(backups, "make", held_up)
    serving = asyncio.create_task(serve(where, settings, idle_exit=0.1))
    try:
        await soon(begun.is_set)
        await asyncio.wait([serving], timeout=0.5)
        assert not serving.done()
    finally:
        go.set()
    await asyncio.wait_for(serving, 10)
    assert len(backups.listed(where.backups)) == 1


async def test_it_does_so_once_a_day_and_keeps_as_many_as_wished(
    hub: Hub, where: Paths, settings: Settings, clock: Clock
) -> None:
    screen = Screen()
    wish = replace(settings, backup=Backups(every=3600, keep=2))
    keeper = keeping(hub, wish, screen, clock)
    for _ in range(8):
        await keeper.look()
        clock.now += 1800
    made = [copy.made for copy in backups.listed(where.backups)]
    assert made == [1_900_000_000 + 3600 * 3, 1_900_000_000 + 3600 * 2]
    assert screen.said == []


async def test_nothing_is_backed_up_when_that_is_switched_off(
    hub: Hub, where: Paths, settings: Settings, clock: Clock
) -> None:
    wish = replace(settings, backup=Backups(enabled=False))
    await keeping(hub, wish, Screen(), clock).look()
    assert not where.backups.exists()


async def test_a_failure_is_told_once_and_kept_for_doctor_until_it_works_again(
    hub: Hub, where: Paths, settings: Settings, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    where.backups.mkdir(mode=0o700)
    obstacle = where.backups / "taskhub-20300317T174640Z.db"
    obstacle.symlink_to("nowhere")
    screen = Screen()
    keeper = keeping(hub, settings, screen, clock)
    with caplog.at_level(logging.ERROR):
        await keeper.look()
    said = f"{obstacle} exists already"
    assert screen.said == [("TaskHub could not be backed up", said)]
    assert said in caplog.text
    assert backups.failure(where.backups) == said
    await keeper.look()  # not before an hour is over
    await keeping(hub, settings, screen, clock).look()  # another worker: no news
    assert len(screen.said) == 1
    clock.now += upkeep.AGAIN + 1
    await keeper.look()
    assert backups.failure(where.backups) is None
    assert len(backups.listed(where.backups)) == 1


async def test_a_damaged_database_is_told_and_the_upkeep_goes_on(
    hub: Hub, where: Paths, settings: Settings, clock: Clock
) -> None:
    await hub.submit(NewTask("ls", agent="command", options={"argv": ["ls"]}))
    compaction.truncate(where.database)  # what is in the log of writes would hide the damage
    with where.database.open("r+b") as file:
        file.seek(where.database.stat().st_size - 4096)
        file.write(b"\xaa" * 4096)
    screen = Screen()
    await keeping(hub, settings, screen, clock).look()
    ((_, said),) = screen.said
    assert "is damaged" in said


async def test_damaged_tasks_are_told_once_and_backed_up_with_the_rest(
    hub: Hub, where: Paths, settings: Settings, clock: Clock
) -> None:
    task = await hub.submit(NewTask("ls", agent="command", options={"argv": ["ls"]}))
    with closing(sqlite3.connect(where.database, isolation_level=None)) as connection:
        connection.execute("UPDATE task SET request = 'rm'")
    screen = Screen()
    keeper = keeping(hub, settings, screen, clock)
    for _ in range(2):
        await keeper.look()
        clock.now += 86401
    assert len(backups.listed(where.backups)) == 2
    said = f"What task {task.id} is to do is not what was written"
    assert screen.said == [("TaskHub's database holds damaged tasks", said)]


async def test_what_is_long_over_goes_by_itself_only_when_that_is_switched_on(
    hub: Hub, where: Paths, settings: Settings, clock: Clock
) -> None:
    hub.clock = clock
    old, *rest = [await over(hub, where, clock, days=5) for _ in range(20)]  # 95 days until now
    off, on = Screen(), Screen()
    await keeping(hub, settings, off, clock).look()
    assert where.log(old).exists()
    wish = replace(settings, retention=Retention(enabled=True))
    await keeping(hub, wish, on, clock).look()
    assert not where.task(old).exists()
    assert all(where.log(task_id).exists() for task_id in rest[1:])
    assert old in {one.id for one in await hub.tasks()}  # what it was stays
    wish = replace(settings, retention=Retention(enabled=True, keep_results=False))
    await keeping(hub, wish, on, clock).look()
    assert {one.id for one in await hub.tasks()} >= set(rest[1:])
    assert old not in {one.id for one in await hub.tasks()}


async def over(hub: Hub, where: Paths, clock: Clock, *, days: float) -> str:
    """Hand over a task, end it, and let so many days pass; return its ID."""
    task = await hub.submit(NewTask("ls", agent="command", options={"argv": ["ls"]}))
    await hub.decide(task.id, Action.CANCEL)
    (where.task(task.id) / "log").write_text("0\tout\thello\n")
    clock.now += days * 86400
    return task.id


@pytest.mark.parametrize("older_than", [3600.0, 86400.0, 90 * 86400.0])
async def test_a_clock_that_is_years_ahead_deletes_nothing_that_was_young(
    hub: Hub, where: Paths, settings: Settings, clock: Clock, older_than: float
) -> None:
    hub.clock = clock
    kept = [await over(hub, where, clock, days=older_than / 86400 / 8) for _ in range(4)]
    wish = replace(
        settings, retention=Retention(enabled=True, older_than=older_than, keep_results=False)
    )
    clock.now += 5 * 365 * 86400
    await keeping(hub, wish, Screen(), clock).look()
    assert {one.id for one in await hub.tasks()} == set(kept)
    # Work goes on by that clock, and what is really old goes all the same.
    for _ in range(30):
        kept.append(await over(hub, where, clock, days=older_than / 86400 / 8))
    await keeping(hub, wish, Screen(), clock).look()
    left = {one.id for one in await hub.tasks()}
    assert left <= set(kept[10:])
    assert left >= set(kept[-7:])


async def test_the_log_of_writes_is_cut_when_nothing_is_to_be_done(
    hub: Hub, where: Paths, settings: Settings, clock: Clock
) -> None:
    def fill(tx):
        for i in range(1500):
            tx.execute("INSERT INTO presence VALUES (?, NULL, NULL, 0)", (f"{i}{'x' * 4000}",))

    await hub._store.write(fill)
    log = where.database.with_name("taskhub.db-wal")
    assert log.stat().st_size > upkeep.LONG_LOG
    await keeping(hub, settings, Screen(), clock).look()
    assert log.stat().st_size == 0
