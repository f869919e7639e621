"""What an open app shows in its terminal: once, when nobody looks, by the person's wishes."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from support import working

from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.change import Notice
from taskhub_tui.domain.model import NewTask, NoticeKind
from taskhub_tui.domain.telling import sentence
from taskhub_tui.domain.views import Posted
from taskhub_tui.hub import Hub
from taskhub_tui.notifications.notifier import Notifier
from taskhub_tui.notifications.prefs import read
from taskhub_tui.storage import changes, notices, outbox
from taskhub_tui.storage.outbox import Planned

DAY = 1_790_000_000.0
"""A Monday in September 2026, at 14:13 UTC."""
AWAY = {"focused": False, "last_input": DAY - 5}


class Open:
    """Apps that are open on one hub, and the time in the test's hands."""

    def __init__(self, where: Paths, settings: Settings) -> None:
        self.where, self.settings, self.now = where, settings, DAY
        self.hubs: list[Hub] = []

    async def app(self) -> Hub:
        hub = await Hub.open(
            paths=self.where, settings=self.settings, clock=lambda: self.now, autostart=False
        )
        self.hubs.append(hub)
        return hub

    async def note(self, title: str = "Deploy", *, kind=NoticeKind.BLOCKER, **more) -> int:
        """Put a notification there that the policy has not seen, and return its ID."""
        hub = self.hubs[0]
        made = NewTask(title, agent="command", options={"argv": ["true"]}, **more)
        task = await hub.submit(made)

        def write(tx) -> int:
            tx.execute("UPDATE notification SET planned = 1")
            changes.add_notice(tx, task.n, self.now, Notice(kind, title, "May it run?"))
            tx.execute(
                "UPDATE task SET started = ?, ended = ? WHERE n = ?",
                (self.now - 7200, self.now, task.n),
            )
            ((note, _),) = outbox.unplanned(tx)
            return note.id

        return await hub._store.write(write)

    async def plan(self, section: dict | None = None) -> None:
        """Let the worker say where new notifications go."""
        prefs = read(section or {})
        await Notifier(self.hubs[0]._store, "w1", prefs, {}, clock=lambda: self.now)._plan_turn()

    async def due(self, *channels: str, note: int) -> None:
        """Have a notification due on these channels now."""
        steps = [Planned(one, self.now, "So it is.") for one in channels]

        def write(tx) -> None:
            found = notices.notification_by_id(tx, note)
            assert found is not None
            outbox.plan(tx, found, steps)

        await self.hubs[0]._store.write(write)

    async def answer(self, note: int) -> None:
        await self.hubs[0]._store.write(
            lambda tx: tx.execute(
                "UPDATE notification SET withdrawn = ? WHERE id = ?", (self.now, note)
            )
        )

    async def why(self) -> str:
        """What `taskhub notify why` says of the terminal."""
        task = (await self.hubs[0].tasks())[0]
        told = next(t for t in await self.hubs[0].told(task.id) if t.tellings)
        return next(sentence(t, self.now) for t in told.tellings if t.channel == "terminal")


@pytest.fixture
async def open_(where: Paths, settings: Settings) -> AsyncIterator[Open]:
    found = Open(where, settings)
    yield found
    for hub in found.hubs:
        await hub.close()


async def test_a_question_is_told_once_however_many_apps_are_open(open_: Open) -> None:
    first, second = await open_.app(), await open_.app()
    for one in (first, second):
        await one.report_presence(**AWAY)
    note = await open_.note()
    await open_.plan()
    assert await second.posted(**AWAY) == Posted(
        f"taskhub-{note}",
        "Needs you: Deploy",
        (await _body(first)),
    )
    assert [await one.posted(**AWAY) for one in (first, second, await open_.app())] == [None] * 3
    assert (await open_.why()).startswith("terminal: told 0s ago. Somebody has to act.")
    told = [e for e in await first.events((await first.tasks())[0].id) if e.kind == "told"]
    assert [e.channel for e in told] == ["terminal"]


async def _body(hub: Hub) -> str:
    (task,) = await hub.tasks()
    return f"May it run?\n1/1 run · task {task.id}"


async def test_whoever_uses_the_app_is_told_there_and_when_they_leave(open_: Open) -> None:
    app = await open_.app()
    note = await open_.note()
    await open_.due("terminal", note=note)
    for focused in (True, None):
        assert await app.posted(focused=focused, last_input=open_.now - 5) is None
    assert "told as soon as an open app is not in front" in await open_.why()
    assert await app.posted(**AWAY) is not None


@pytest.mark.parametrize("focused", [True, None])
async def test_an_app_that_nobody_touches_is_not_looked_at(
    open_: Open, focused: bool | None
) -> None:
    app = await open_.app()
    await open_.due("terminal", note=await open_.note())
    assert await app.posted(focused=focused, last_input=open_.now - 61) is not None


async def test_who_uses_one_app_is_not_told_by_another(open_: Open) -> None:
    used, left = await open_.app(), await open_.app()
    await used.report_presence(focused=True, last_input=open_.now)
    await open_.due("terminal", note=await open_.note())
    assert await left.posted(**AWAY) is None
    await used.report_presence(focused=False, last_input=open_.now)
    assert await left.posted(**AWAY) is not None


async def test_news_that_were_seen_in_the_app_are_not_told_later(open_: Open) -> None:
    app = await open_.app()
    await open_.due("terminal", note=await open_.note(kind=NoticeKind.COMPLETED))
    assert await app.posted(focused=True, last_input=open_.now) is None
    assert await app.posted(**AWAY) is None
    assert "terminal: not told (It was seen in the app)" in await open_.why()


async def test_old_news_are_not_told_when_an_app_is_opened_and_a_question_is(open_: Open) -> None:
    app = await open_.app()
    await open_.due("terminal", note=await open_.note("Old", kind=NoticeKind.COMPLETED))
    open_.now += 301
    assert await app.posted(focused=False, last_input=None) is None
    assert "No app was there" in await open_.why()
    await open_.due("terminal", note=await open_.note("Ask"))
    open_.now += 86400
    posted = await app.posted(focused=False, last_input=None)
    assert posted is not None
    assert posted.title == "Needs you: Ask"


async def test_what_was_answered_is_not_told(open_: Open) -> None:
    app = await open_.app()
    note = await open_.note()
    await open_.due("terminal", note=note)
    await open_.answer(note)
    assert await app.posted(**AWAY) is None


async def test_what_is_answered_later_is_taken_back_by_the_app_that_showed_it(open_: Open) -> None:
    shown, other = await open_.app(), await open_.app()
    note = await open_.note()
    await open_.due("terminal", note=note)
    assert await shown.posted(**AWAY) is not None
    assert await shown.posts_answered() == []
    await open_.answer(note)
    assert [await other.posts_answered(), await shown.posts_answered()] == [
        [], [f"taskhub-{note}"]]  # fmt: skip
    assert await shown.posts_answered() == []


async def test_the_caps_hold_and_the_last_place_tells_of_all(open_: Open) -> None:
    open_.settings = replace(
        open_.settings, notifications={"terminal": {"per_minute": 2}, "coalesce": 0}
    )
    app = await open_.app()
    for number in range(4):
        await open_.due("terminal", note=await open_.note(f"Task {number}"))
    titles = []
    for _ in range(3):
        posted = await app.posted(**AWAY)
        titles.append(posted and posted.title)
    assert titles == ["Needs you: Task 0", "3 tasks need you", None]
    await open_.due("terminal", note=await open_.note("Later"))
    assert await app.posted(**AWAY) is None
    open_.now += 60
    assert await app.posted(**AWAY) is not None


async def test_the_policy_decides_as_for_every_channel(open_: Open) -> None:
    app = await open_.app()
    await app.report_presence(**AWAY)
    for section, said in (
        ({"terminal": {"enabled": False}}, "switched off in the settings"),
        ({"terminal": {"at_least": "critical"}}, "Only tasks of priority critical or above"),
        ({"tasks": {"agent:command": {"mute": True}}}, "The settings mute this task"),
        ({"tasks": {"agent:command": {"channels": ["phone"]}}}, "told on phone only"),
    ):
        await open_.note()
        await open_.plan(section)
        assert said in await open_.why()
        assert "not told" in await open_.why()
        assert await app.posted(**AWAY) is None


async def test_quiet_hours_put_it_off(open_: Open) -> None:
    app = await open_.app()
    open_.now += 10 * 3600  # Past ten in the evening, wherever this is.
    await app.report_presence(**AWAY)
    quiet = {"enabled": True, "start": "00:00", "end": "23:59"}
    await open_.note()
    await open_.plan({"quiet": quiet})
    assert "Quiet hours put it off until 23:59" in await open_.why()
    assert await app.posted(**AWAY) is None
    open_.now += 86400
    assert await app.posted(**AWAY) is not None


async def test_switched_off_meanwhile_it_is_not_told(open_: Open) -> None:
    app = await open_.app()
    await open_.due("terminal", note=await open_.note())
    assert await app.posted(focused=True, last_input=open_.now) is None
    open_.where.config.write_text("[notifications.terminal]\nenabled = false\n")
    assert await app.posted(**AWAY) is None


@pytest.mark.parametrize("remote", [False, True])
async def test_what_the_desktop_has_shown_is_not_shown_twice_on_the_same_screen(
    open_: Open, remote: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_TTY", raising=False)
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    if remote:
        monkeypatch.setenv("SSH_CONNECTION", "a 1 b 22")
    app = await open_.app()
    note = await open_.note()
    await open_.due("desktop", "terminal", note=note)
    if not remote:
        assert await app.posted(**AWAY) is None, "the desktop has not said yet what becomes of it"
        taken = await app._store.write(
            lambda tx: outbox.take(tx, "desktop", "w1", open_.now, outbox.Rules())
        )
        await app._store.write(lambda tx: outbox.sent(tx, taken, open_.now))
        assert await app.posted(**AWAY) is None
        assert "The desktop of this machine has shown it" in await open_.why()
    else:
        assert await app.posted(**AWAY) is not None


async def test_a_desktop_that_fails_or_does_not_come_leaves_it_to_the_terminal(
    open_: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_TTY", raising=False)
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    app = await open_.app()
    await open_.due("desktop", "terminal", note=await open_.note())
    taken = await app._store.write(
        lambda tx: outbox.take(tx, "desktop", "w1", open_.now, outbox.Rules())
    )
    await app._store.write(lambda tx: outbox.failed(tx, taken, "no bus", None))
    assert await app.posted(**AWAY) is not None
    await open_.due("desktop", "terminal", note=await open_.note("Second"))
    assert await app.posted(**AWAY) is None
    open_.now += 11
    assert await app.posted(**AWAY) is not None


async def test_a_hub_that_only_looks_takes_nothing(open_: Open) -> None:
    await open_.app()
    await open_.due("terminal", note=await open_.note())
    looking = await Hub.open(paths=open_.where, settings=open_.settings, read_only=True)
    async with looking:
        assert await looking.posted(**AWAY) is None


async def test_no_worker_stays_for_what_only_an_app_can_show_nor_says_it_again(
    open_: Open, where: Paths, settings: Settings
) -> None:
    app = await open_.app()
    note = await open_.note()
    await open_.due("terminal", note=note)
    assert not await app._store.read(outbox.any_queued)
    assert await app.posted(**AWAY) is not None
    async with working(where, settings, clock=lambda: open_.now) as worker:
        await worker.notifier.revive([])
        assert await app.posted(**AWAY) is None
