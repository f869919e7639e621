"""What is wrong with the store is seen in the app: failed backups, and damage found at work."""

import sqlite3
import time
from contextlib import closing

import pytest
from hubs import Seed, asleep, text, until
from support import ScriptedAgent, house
from support import until as until_task

from taskhub_tui import care, upkeep
from taskhub_tui.config import Backups, Paths, Settings
from taskhub_tui.domain.errors import StoreError
from taskhub_tui.domain.model import StageSpec, Status
from taskhub_tui.hub import Hub
from taskhub_tui.storage import backups
from taskhub_tui.tui import watch
from taskhub_tui.tui.app import TaskHubApp
from taskhub_tui.tui.screens.decision import DecisionScreen
from taskhub_tui.tui.widgets.header import HubHeader
from taskhub_tui.upkeep import Upkeep


class Upkeeper:
    """The upkeep of a worker, whose every look is made by the test."""

    def __init__(self, hub: Hub, settings: Settings) -> None:
        self.now = hub.clock()
        self.told: list[str] = []
        self._work = Upkeep(
            hub._store,
            hub.paths,
            settings,
            self._tell,
            lambda: False,
            clock=self._clock,
            steady=self._clock,
        )

    def _clock(self) -> float:
        return self.now

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
        await until(pilot, lambda: app.query_one(HubHeader).size.height == 1)


@pytest.mark.usefixtures("often")
async def test_a_backup_with_damaged_tasks_is_said_until_one_has_none(
    hub: Hub, app: TaskHubApp, seed: Seed, settings: Settings
) -> None:
    task = await seed.put("Draft release notes")
    harm(hub.paths, "UPDATE task SET request = 'Delete release notes'")
    worker = Upkeeper(hub, settings)
    async with app.run_test(size=(120, 24), notifications=True) as pilot:
        await worker.look()
        said = f"! Damaged in the last backup, see `taskhub doctor`: What task {task.id} is to do"
        await until(pilot, lambda: said in text(app))
        harm(hub.paths, "UPDATE task SET request = 'Draft release notes'")
        await care.back_up(hub.paths, settings)
        await until(pilot, lambda: "backup" not in text(app))


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
        await until(pilot, lambda: "The disk is full" in text(app).splitlines()[1])
        await until(pilot, lambda: "There is no room [/nope]" in text(app).splitlines()[2])


@pytest.mark.usefixtures("often")
async def test_of_backups_that_are_switched_off_nothing_is_said(
    where: Paths, settings: Settings
) -> None:
    backups.note_failure(where.backups, "There is no room")
    off = Settings(owner="ann", notifications=settings.notifications, backup=Backups(enabled=False))
    async with await Hub.open(paths=where, settings=off, autostart=False) as hub:
        assert await hub.backup_trouble() is None
    async with await Hub.open(paths=where, settings=settings, autostart=False) as hub:
        assert "There is no room" in str(await hub.backup_trouble())


# Damage

PLAN = (StageSpec("first", "actor"), StageSpec("second", "actor", gate=True))


def harm(where: Paths, sql: str) -> None:
    """Change a row as a failing disk does: by somebody who knows nothing of checksums."""
    with closing(sqlite3.connect(where.database, isolation_level=None, timeout=10)) as connection:
        assert connection.execute(sql).rowcount >= 1


def rest(app: TaskHubApp) -> None:
    """Let the moments pass in which nobody is asked, and the dialog takes no keys."""
    app.typed = 0.0
    if isinstance(app.screen, DecisionScreen):
        app.screen._quiet_since = time.monotonic() - 1


async def test_damage_that_a_worker_meets_is_shown_and_retry_mends_it(
    where: Paths, settings: Settings
) -> None:
    agent = ScriptedAgent("actor")
    async with house(where, settings, agent) as h:
        app = TaskHubApp(h.hub, services=[asleep])
        async with app.run_test(size=(100, 30), notifications=True) as pilot:
            task = await h.submit("Count the apples", stages=(PLAN[0], StageSpec("next", "actor")))
            await h.hub.pause(task.id)
            async with h.worker():
                await h.hub.resume(task.id)
                await until(pilot, lambda: "next" in " ".join(s.stage_id for s in agent.runs))
                await until(pilot, lambda: app.query_one(HubHeader).counts.done == 1)
            other = await h.submit("Count the pears", stages=PLAN)
            async with h.worker():
                await until(pilot, lambda: "the stage “second” start" in text(app), seconds=10)
                harm(
                    where,
                    "UPDATE stage SET output = replace(output, 'done', 'dine')"
                    f" WHERE output IS NOT NULL AND position = 0 AND task_n = {other.n}",
                )
                rest(app)
                await pilot.press("a")
                await until(pilot, lambda: "1 failed" in text(app), seconds=10)

                def shown() -> bool:
                    rest(app)
                    return "✗ Failed" in text(app) and "“first” of task" in text(app)

                await until(pilot, shown, seconds=10)
                rest(app)
                await pilot.press("r")
                await until(pilot, lambda: "1 failed" not in text(app), seconds=10)
                rest(app)
                await until(pilot, lambda: "the stage “second” start" in text(app), seconds=10)


@pytest.mark.parametrize("what", ["question = question || '!'", "detail = '{'"])
async def test_a_damaged_question_is_said_and_its_task_can_be_retried(
    where: Paths, settings: Settings, what: str
) -> None:
    """One whose words have changed reads like any other; one cannot be read at all."""
    async with house(where, settings, ScriptedAgent("actor")) as h:
        task = await h.submit("Count the pears", stages=PLAN)
        sound = await h.submit("Count the plums", stages=PLAN)
        async with h.worker():
            await until_task(h.hub, task.id, Status.BLOCKED)
            await until_task(h.hub, sound.id, Status.BLOCKED)
        harm(where, f"UPDATE blocker SET {what} WHERE task_n = {task.n}")
        app = TaskHubApp(h.hub, services=[asleep])
        async with app.run_test(size=(100, 30), notifications=True) as pilot:

            def said() -> bool:
                rest(app)
                screen = app.screen
                if isinstance(screen, DecisionScreen) and "a approve" in text(app):
                    mine = screen.view.task.id == task.id
                    screen.action_begin("approve") if mine else screen.action_later()
                return "✗ Failed" in text(app) and "or its answer, is damaged" in text(app)

            await until(pilot, said, seconds=10)
            assert "RETRY" in text(app)
            rest(app)
            await pilot.press("r")
            async with h.worker():
                view = await until_task(h.hub, task.id, Status.BLOCKED)
            assert view.blocker is not None
            assert view.blocker.question == "May the stage “second” start?"
            assert (await h.hub.status(sound.id)).task.status is Status.BLOCKED
