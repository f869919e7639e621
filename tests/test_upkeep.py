"""What a worker does for the store by itself, and how it says that it could not."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from support import eventually, working

from taskhub_tui import upkeep
from taskhub_tui.config import Backups, Paths, Settings
from taskhub_tui.hub import Hub
from taskhub_tui.storage import backups
from taskhub_tui.upkeep import Upkeep


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


async def test_it_does_so_once_a_day_and_keeps_as_many_as_wished(
    hub: Hub, where: Paths, settings: Settings, clock: Clock
) -> None:
    screen = Screen()
    wish = replace(settings, backup=Backups(every=3600, keep=2))
    keeper = Upkeep(where, wish, screen.tell, clock=clock)
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
    await Upkeep(where, wish, Screen().tell, clock=clock).look()
    assert not where.backups.exists()


async def test_a_failure_is_told_once_and_kept_for_doctor_until_it_works_again(
    hub: Hub, where: Paths, settings: Settings, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    where.backups.mkdir(mode=0o700)
    obstacle = where.backups / "taskhub-20300317T174640Z.db"
    obstacle.symlink_to("nowhere")
    screen = Screen()
    keeper = Upkeep(where, settings, screen.tell, clock=clock)
    with caplog.at_level(logging.ERROR):
        await keeper.look()
    said = f"{obstacle} exists already"
    assert screen.said == [("TaskHub could not be backed up", said)]
    assert said in caplog.text
    assert backups.failure(where.backups) == said
    await keeper.look()  # not before an hour is over
    await Upkeep(where, settings, screen.tell, clock=clock).look()  # another worker: no news
    assert len(screen.said) == 1
    clock.now += upkeep.AGAIN + 1
    await keeper.look()
    assert backups.failure(where.backups) is None
    assert len(backups.listed(where.backups)) == 1


async def test_a_damaged_database_stops_neither_the_worker_nor_older_backups(
    where: Paths, settings: Settings, clock: Clock, tmp_path: Path
) -> None:
    where.database.write_bytes(b"no database at all" * 400)
    screen = Screen()
    await Upkeep(where, settings, screen.tell, clock=clock).look()
    ((_, said),) = screen.said
    assert "is damaged" in said
