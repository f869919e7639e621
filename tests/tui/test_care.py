"""What is wrong with the store is seen in the app: failed backups, and damage found at work."""

import pytest
from hubs import Seed, text, until

from taskhub_tui import upkeep
from taskhub_tui.config import Backups, Paths, Settings
from taskhub_tui.domain.errors import StoreError
from taskhub_tui.hub import Hub
from taskhub_tui.storage import backups
from taskhub_tui.tui import watch
from taskhub_tui.tui.app import TaskHubApp
from taskhub_tui.tui.widgets.header import HubHeader
from taskhub_tui.upkeep import Upkeep


class Upkeeper:
    """The upkeep of a worker, whose every look is made by the test."""

    def __init__(self, hub: Hub, settings: Settings) -> None:
        self.now = hub.clock()
        self.told: list[str] = []
        self._work = Upkeep(
            hub._store, hub.paths, settings, self._tell, lambda: False, clock=lambda: self.now
        )

    async def _tell(self, title: str, words: str) -> None:
        self.told.append(words)

    async def look(self) -> None:
        self.now += upkeep.AGAIN + 1
        await self._work.look()


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "_BACKUP_EVERY", 0.0)


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("size", [(80, 24), (120, 36)])
async def test_a_failed_backup_is_said_with_what_to_do_until_one_succeeds(
    hub: Hub, app: TaskHubApp, seed: Seed, settings: Settings, size: tuple[int, int]
) -> None:
    await seed.put("Draft release notes")
    worker = Upkeeper(hub, settings)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: "Draft release" in text(app))
        assert app.query_one(HubHeader).size.height == 1
        hub.paths.backups.write_text("in the way\n")
        await worker.look()
        assert len(worker.told) == 1
        await until(pilot, lambda: "! The backup failed, see `taskhub doctor`: The" in text(app))
        assert "Draft release" in text(app)
        hub.paths.backups.unlink()
        await worker.look()
        assert len(backups.listed(hub.paths.backups)) == 1
        await until(pilot, lambda: "backup" not in text(app))
        assert app.query_one(HubHeader).size.height == 1


@pytest.mark.usefixtures("often")
async def test_a_failed_backup_stands_below_what_is_worse(
    hub: Hub, app: TaskHubApp, seed: Seed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await seed.put("Draft release notes")
    backups.note_failure(hub.paths.backups, "There is no room \x1b[2J[/nope]")
    async with app.run_test(size=(100, 24), notifications=True) as pilot:
        await until(pilot, lambda: "There is no room" in text(app))
        assert "\x1b" not in text(app)

        async def bad(since: int) -> object:
            raise StoreError("The disk is full")

        monkeypatch.setattr(hub, "changes", bad)
        await until(pilot, lambda: "The disk is full" in text(app))
        lines = text(app).splitlines()
        assert "The disk is full" in lines[1]
        assert "There is no room" in lines[2]
        assert "[/nope]" in lines[2]


@pytest.mark.usefixtures("often")
async def test_of_backups_that_are_switched_off_nothing_is_said(
    where: Paths, settings: Settings
) -> None:
    backups.note_failure(where.backups, "There is no room")
    off = Settings(owner="ann", notifications=settings.notifications, backup=Backups(enabled=False))
    async with await Hub.open(paths=where, settings=off, autostart=False) as hub:
        assert await hub.backup_failure() is None
    async with await Hub.open(paths=where, settings=settings, autostart=False) as hub:
        assert await hub.backup_failure() == "There is no room"
