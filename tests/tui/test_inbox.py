"""The inbox: what waits, most urgent first, answered in place, and several at once."""

import time
from dataclasses import replace
from typing import Any

import pytest
from hubs import Seed, asleep, text, until
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Input

from taskhub_tui.config import Settings
from taskhub_tui.domain.change import Change, Notice
from taskhub_tui.domain.model import (
    Action,
    BlockerKind,
    Choice,
    NewTask,
    NoticeKind,
    StageSpec,
    Status,
    Task,
)
from taskhub_tui.domain.waiting import Need
from taskhub_tui.hub import Hub
from taskhub_tui.storage import changes
from taskhub_tui.tui.app import TaskHubApp
from taskhub_tui.tui.screens.agents import AgentsScreen
from taskhub_tui.tui.screens.decision import DecisionScreen
from taskhub_tui.tui.screens.inbox import InboxScreen
from taskhub_tui.tui.screens.preflight import PreflightScreen, Rows
from taskhub_tui.tui.screens.settings import SettingsScreen
from taskhub_tui.worker import Worker
from tests.conftest import until as until_status
from tests.tui.forms import HOSTILE, Moments

YES, NO = Choice("y", "Take eu-1"), Choice("n", "Neither", "deny")


@pytest.fixture
def settings() -> Settings:
    return Settings(owner="ann", undo=5, notifications={"desktop": {"enabled": False}})


def calm(hub: Hub) -> TaskHubApp:
    """Return the app on `hub`; it raises nothing by itself."""
    app = TaskHubApp(hub, services=[asleep])
    app.asker.consider = lambda: None  # type: ignore[method-assign]
    return app


@pytest.fixture
def app(hub: Hub) -> TaskHubApp:
    return calm(hub)


async def ask(seed: Seed, title: str, **blocker: Any) -> Task:
    """Write a blocked task whose question has these parts."""
    task = await seed.put(title, Status.BLOCKED, question=f"{title}?")
    asked = (await seed.hub.status(task.id)).blocker
    assert asked is not None
    changed = replace(asked, version=2, **blocker)

    def write(tx: Any) -> None:
        tx.execute("DELETE FROM blocker WHERE id = ?", (asked.id,))
        change = Change(replace(now, changed=seed.hub.clock()), (), blocker=changed)
        changes.write_decided(tx, change, by="worker", channel="engine")

    now = await seed.now(task)
    await seed.store.write(write)
    return task


async def opened(app: TaskHubApp, pilot: Pilot[None], *words: str) -> InboxScreen:
    """Open the inbox, and wait for these words."""
    await until(pilot, lambda: app._seen_notice is not None)
    await pilot.press("i")
    await until(pilot, lambda: isinstance(app.screen, InboxScreen))
    await until(pilot, lambda: all(word in text(app) for word in ("Inbox", *words)))
    screen = app.screen
    assert isinstance(screen, InboxScreen)
    return screen


def held(app: TaskHubApp) -> Moments:
    """Let the sender's time stand still until it is moved."""
    moments = Moments()
    app.asker.sender.monotonic = moments
    return moments


async def send(app: TaskHubApp, moments: Moments) -> None:
    moments.at += 6
    app.asker.sender.tick()


async def listens(pilot: Pilot[None], app: TaskHubApp) -> None:
    """Wait for the table of several, and let the moment pass in which it takes no keys."""
    await until(pilot, lambda: isinstance(app.screen, PreflightScreen))
    screen = app.screen
    assert isinstance(screen, PreflightScreen)
    await until(pilot, lambda: bool(screen.query("#keys")))
    screen._touched = time.monotonic() - 60
    await until(pilot, lambda: screen.awake)


async def is_open(hub: Hub, task: Task) -> bool:
    return (await hub.status(task.id)).blocker is not None


async def test_the_most_urgent_stands_first_with_what_happens_without_an_answer(
    app: TaskHubApp, hub: Hub, seed: Seed
) -> None:
    await ask(seed, "Plain")
    await ask(seed, "Soon", deadline=hub.clock() + 725, default=Action.DENY)
    await ask(seed, "Risky", risk="high", detail={"command": "rm -r data"})
    await seed.put("Broken", Status.FAILED, error="No column")
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(app, pilot, "3 need you", "1 failed", "$ rm -r data")
        shown = text(app)
        places = [shown.index(words) for words in ("Risky?", "Soon?", "Plain?", "No column")]
        assert places == sorted(places)
        assert "denied in 12m if nobody answers" in shown
        assert "high risk" in shown


async def test_answered_in_place_the_next_one_is_under_the_cursor(
    app: TaskHubApp, hub: Hub, seed: Seed
) -> None:
    one, two = await ask(seed, "One"), await ask(seed, "Two")
    async with app.run_test(size=(80, 24)) as pilot:
        screen, moments = await opened(app, pilot, "Two?"), held(app)
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, DecisionScreen))
        app.screen._awake = True  # type: ignore[attr-defined]
        await pilot.press("a")
        await until(pilot, lambda: "Approving: One · u undoes · 5s" in text(app))
        await until(pilot, lambda: screen.here is not None and screen.here.task.id == two.id)
        assert await is_open(hub, one), "it is not sent yet"
        await send(app, moments)
        await until(pilot, lambda: "Approved: One" in text(app) or not app.asker.sender.cases)
        assert not await is_open(hub, one)
        assert await is_open(hub, two)


async def test_what_is_taken_back_is_under_the_cursor_again(
    app: TaskHubApp, hub: Hub, seed: Seed
) -> None:
    one = await ask(seed, "One", kind=BlockerKind.INPUT, choices=(YES, NO))
    await ask(seed, "Two")
    async with app.run_test(size=(120, 36)) as pilot:
        screen, moments = await opened(app, pilot, "1 Take eu-1"), held(app)
        screen._still_since = 0.0
        await pilot.press("1")
        await until(pilot, lambda: "Answering: One · u undoes" in text(app))
        await until(pilot, lambda: len(screen._waiting) == 1)
        await pilot.press("u")
        await until(pilot, lambda: screen.here is not None and screen.here.task.id == one.id)
        await send(app, moments)
        await pilot.pause()
        assert await is_open(hub, one)
        await until(pilot, lambda: screen._view is not None and screen._view.task.id == one.id)
        await until(pilot, lambda: "2 Neither" in text(app))
        screen._still_since = 0.0
        await pilot.press("2")
        await until(pilot, lambda: bool(app.asker.sender.held))
        await send(app, moments)

        async def denied() -> bool:
            return any(e.data.get("action") == "deny" for e in await hub.events(one.id))

        await until(pilot, denied)


@pytest.mark.parametrize("number", range(1, 10))
async def test_each_of_nine_answers_has_its_number(
    app: TaskHubApp, hub: Hub, seed: Seed, number: int
) -> None:
    nine = tuple(Choice(f"c{n}", f"Answer {n}") for n in range(1, 10))
    one = await ask(seed, "One", kind=BlockerKind.INPUT, choices=nine)
    async with app.run_test(size=(160, 40)) as pilot:
        screen, moments = await opened(app, pilot, "9 Answer 9"), held(app)
        screen._still_since = 0.0
        await pilot.press(str(number))
        await until(pilot, lambda: bool(app.asker.sender.held))
        await send(app, moments)

        async def answered() -> bool:
            return any(e.data.get("choice") == f"c{number}" for e in await hub.events(one.id))

        await until(pilot, answered)


async def test_a_number_answers_only_what_can_have_been_read(
    app: TaskHubApp, hub: Hub, seed: Seed
) -> None:
    risky = await ask(seed, "Risky", risk="high", choices=(Choice("go", "Go", "approve"),))
    await ask(seed, "One", kind=BlockerKind.INPUT, choices=(YES, NO))
    async with app.run_test(size=(120, 36)) as pilot:
        screen = await opened(app, pilot, "1 Go")
        screen._still_since = 0.0
        await pilot.press("1")
        await until(pilot, lambda: isinstance(app.screen, DecisionScreen))
        assert not app.asker.sender.held, "high risk is not approved with one key"
        app.screen._awake = True  # type: ignore[attr-defined]
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        await hub.decide(risky.id, Action.DENY)
        await app.look()
        await until(pilot, lambda: "1 Take eu-1" in text(app))
        screen._still_since = time.monotonic() + 100
        await pilot.press("1")
        assert not app.asker.sender.held, "another one came under the cursor by itself"
    again = calm(hub)
    async with again.run_test(size=(80, 24)) as pilot:
        (await opened(again, pilot, "One?"))._still_since = 0.0
        await pilot.press("1")
        await until(pilot, lambda: isinstance(again.screen, DecisionScreen))
        assert not again.asker.sender.held, "its answers were not in sight"


async def test_several_are_approved_after_a_look_and_one_that_is_gone_is_left_out(
    app: TaskHubApp, hub: Hub, other: Hub, seed: Seed
) -> None:
    made = [await ask(seed, f"Make {n}", detail={"command": f"make {n}"}) for n in range(3)]
    await seed.put("Broken", Status.FAILED, error="No column")
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        screen, moments = await opened(app, pilot, "Make 2?"), held(app)
        await pilot.press("v", "j", "j", "j", "v", "a")
        await until(pilot, lambda: isinstance(app.screen, PreflightScreen))
        await until(pilot, lambda: "Approve · 3 of 4" in text(app))
        assert "$ make 1" in text(app)
        assert "there is nothing to approve" in text(app)
        await pilot.press("y")
        assert isinstance(app.screen, PreflightScreen), "it has just opened"
        await listens(pilot, app)
        await pilot.press("enter")
        assert isinstance(app.screen, PreflightScreen), "Enter alone approves nothing"
        await pilot.press("y")
        await until(pilot, lambda: "Approving: 3 tasks · u undoes" in text(app))
        assert not screen.entries.marked
        async with app._watcher._looking:  # The news has not come through yet.
            await other.decide(made[1].id, Action.DENY)
            await send(app, moments)
            await until(pilot, lambda: "2 approved, 1 was answered elsewhere" in text(app))
        assert not await is_open(hub, made[0])


async def test_high_risk_among_several_wants_a_typed_y(
    app: TaskHubApp, hub: Hub, seed: Seed
) -> None:
    risky, plain = await ask(seed, "Risky", risk="high"), await ask(seed, "Plain")
    async with app.run_test(size=(80, 24)) as pilot:
        _, moments = await opened(app, pilot, "Plain?"), held(app)
        await pilot.press("V", "a")
        await listens(pilot, app)
        await pilot.press("y")
        await until(pilot, lambda: "1 is of high risk. Type y" in text(app))
        await pilot.press("enter")
        assert isinstance(app.screen, PreflightScreen)
        await pilot.press("y", "enter")
        await until(pilot, lambda: "Approving: 2 tasks" in text(app))
        await send(app, moments)
        await until(pilot, lambda: not app.asker.sender.cases)
        assert not await is_open(hub, risky)
        assert not await is_open(hub, plain)


async def test_all_that_is_decided_on_is_shown_to_the_letter_and_scrolls(
    app: TaskHubApp, seed: Seed
) -> None:
    command = "make " + "x" * 2000 + " the-very-end"
    diff = "\n".join(f"+line {n}" for n in range(60))
    await ask(seed, "One", detail={"command": command, "diff": diff})
    await ask(seed, "Two")
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot, "Two?")
        await pilot.press("V", "a")
        await listens(pilot, app)
        rows = app.screen.query_one(Rows)
        shown = "".join(line.strip() for line, _, _ in rows._broken)
        assert "x" * 2000 + " the-very-end" in shown
        assert "y approve 2" in text(app)
        await pilot.press("G")
        await until(pilot, lambda: "Two" in text(app))
        await pilot.press("g")
        await until(pilot, lambda: "One" in text(app))


async def test_what_changed_since_it_was_marked_is_not_decided(
    app: TaskHubApp, other: Hub, seed: Seed
) -> None:
    one = await ask(seed, "One")
    await ask(seed, "Two")
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(app, pilot, "Two?")
        await pilot.press("V")
        async with app._watcher._looking:  # The news has not come through yet.
            await other.decide(one.id, Action.APPROVE)
            await pilot.press("a")
            await listens(pilot, app)
            await until(pilot, lambda: "or has changed, since it was marked" in text(app))
            assert "Approve · 1 of 2" in text(app)


async def test_several_are_denied_with_one_reason(app: TaskHubApp, hub: Hub, seed: Seed) -> None:
    one, two = await ask(seed, "One"), await ask(seed, "Two")
    async with app.run_test(size=(80, 24)) as pilot:
        _, moments = await opened(app, pilot, "Two?"), held(app)
        await pilot.press("v", "j", "v", "d")
        await until(pilot, lambda: isinstance(app.focused, Input))
        await listens(pilot, app)
        await pilot.press(*"not_yet", "enter", "y")
        await until(pilot, lambda: "Denying: 2 tasks" in text(app))
        await send(app, moments)
        await until(pilot, lambda: not app.asker.sender.cases)
        for task in (one, two):
            assert (await hub.events(task.id))[-1].data["text"] == "not_yet"


async def test_an_answer_elsewhere_shows_without_a_key(
    app: TaskHubApp, other: Hub, seed: Seed
) -> None:
    task = await ask(seed, "One")
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot, "1 needs you")
        await other.decide(task.id, Action.APPROVE)
        await until(pilot, lambda: "Nothing waits for you" in text(app))


async def test_a_failure_is_put_away_and_news_are_read(
    app: TaskHubApp, hub: Hub, seed: Seed
) -> None:
    await seed.put("Broken", Status.FAILED, error="No column")
    await seed.put("Report", Status.COMPLETED)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot, "1 failed")
        await pilot.press("e")
        await until(pilot, lambda: "Nothing waits for you" in text(app))
        await pilot.press("R")
        await until(pilot, lambda: "all read" in text(app))
        assert all(one.read is not None for one in await hub.notifications())


async def test_a_failure_is_put_away_however_much_was_told_since(
    app: TaskHubApp, hub: Hub, seed: Seed
) -> None:
    await seed.put("Broken", Status.FAILED, error="No column")
    other = await seed.put("Report", Status.IN_PROGRESS)

    def write(tx: Any) -> None:
        for n in range(1100):
            changes.add_notice(tx, other.n, hub.clock(), Notice(NoticeKind.PROGRESS, f"N{n}", ""))

    await seed.store.write(write)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot, "1 failed")
        await pilot.press("e")
        await until(pilot, lambda: "Nothing waits for you" in text(app))
    assert await hub.unread(kind=NoticeKind.ERROR) == []


async def test_what_waits_above_is_no_news_below(app: TaskHubApp, seed: Seed) -> None:
    task = await ask(seed, "One")
    async with app.run_test(size=(80, 24)) as pilot:
        screen = await opened(app, pilot, "One?", "Latest")
        kinds = {one.kind for one in screen._news.values() if one.task_id == task.id}
        assert NoticeKind.BLOCKER not in kinds
        assert text(app).count("One?") == 1


async def test_news_open_their_task(app: TaskHubApp, hub: Hub, seed: Seed) -> None:
    await ask(seed, "One")
    await seed.put("Report", Status.COMPLETED)
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(app, pilot, "Latest", "One?")
        await pilot.press("tab", "enter")
        await until(pilot, lambda: not isinstance(app.screen, InboxScreen))
        here = app._main.task_here
        await until(pilot, lambda: (here or app._main.task_here) is not None)
        latest = (await hub.notifications())[0]
        assert latest.read is not None
        await until(
            pilot,
            lambda: (t := app._main.task_here) is not None and t.id == latest.task_id,
        )


async def test_what_came_paused_waits_and_goes_on(app: TaskHubApp, hub: Hub, seed: Seed) -> None:
    task = await seed.put("Restored", Status.PAUSED)
    mine = await seed.put("Mine", Status.PAUSED)
    for one, kind in ((task, "restored"), (mine, "paused")):
        await seed.store.write(
            lambda tx, one=one, kind=kind: changes.add_event(  # type: ignore[misc]
                tx, one.n, hub.clock(), kind, None, "x", "cli", {}
            )
        )
    assert [one.need for one in await hub.waiting()] == [Need.PAUSED]
    async with app.run_test(size=(80, 24)) as pilot:
        _, moments = await opened(app, pilot, "may it go on?"), held(app)
        await pilot.press("p")
        await until(pilot, lambda: "Letting go on: Restored" in text(app))
        await send(app, moments)
        await until(pilot, lambda: "Nothing waits for you" in text(app))
        assert (await hub.status(task.id)).task.status is Status.PENDING


async def test_everything_can_be_clicked(app: TaskHubApp, hub: Hub, seed: Seed) -> None:
    one = await ask(seed, "One", kind=BlockerKind.INPUT, choices=(YES, NO))
    await ask(seed, "Two")
    async with app.run_test(size=(120, 36)) as pilot:
        screen, moments = await opened(app, pilot, "1 Take eu-1"), held(app)
        await pilot.click("#list", offset=(8, 4))
        await until(pilot, lambda: screen.here is not None and screen.here.task.title == "Two")
        await pilot.click("#list", offset=(8, 2))
        await until(pilot, lambda: "1 Take eu-1" in text(app))
        screen._still_since = 0.0
        await pilot.click("#answers", offset=(1, 0))
        await until(pilot, lambda: "Answering: One" in text(app))
        await pilot.click("UndoLine", offset=(5, 0))
        await until(pilot, lambda: not app.asker.sender.held)
        await send(app, moments)
        assert await is_open(hub, one)


async def test_hostile_text_is_only_text(app: TaskHubApp, hub: Hub, seed: Seed) -> None:
    task = await ask(
        seed,
        HOSTILE,
        question=HOSTILE,
        detail={"command": HOSTILE},
        choices=(Choice("a", HOSTILE),),
    )
    notice = Notice(NoticeKind.ERROR, HOSTILE, HOSTILE + "\nmore")
    await hub._store.write(lambda tx: changes.add_notice(tx, task.n, hub.clock(), notice))
    async with app.run_test(size=(120, 36)) as pilot:
        screen, _ = await opened(app, pilot, "[@click=app.quit]"), held(app)
        assert "\x1b" not in text(app)
        await pilot.press("space", "a")
        await until(pilot, lambda: isinstance(app.screen, PreflightScreen))
        await until(pilot, lambda: "[@click=app.quit]x[/]" in text(app))
        await listens(pilot, app)
        await pilot.press("y")
        await until(pilot, lambda: app.screen is screen and "Approving: [@click" in text(app))
        assert "\x1b" not in text(app)


async def test_one_goes_from_one_whole_screen_to_another(app: TaskHubApp, seed: Seed) -> None:
    await ask(seed, "One")
    async with app.run_test(size=(120, 36)) as pilot:
        await opened(app, pilot, "One?")
        for key, place in (("A", AgentsScreen), ("comma", SettingsScreen), ("i", InboxScreen)):
            await pilot.press(key)
            await until(pilot, lambda place=place: isinstance(app.screen, place))  # type: ignore[misc]
            assert len(app.screen_stack) == 2
        here = app.screen
        await pilot.press("i")
        assert app.screen is here
        await until(pilot, lambda: "One?" in text(app))
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, DecisionScreen))
        await pilot.press("A")
        assert isinstance(app.screen, DecisionScreen), "a dialog is answered or left first"


async def test_older_news_than_are_shown_are_read_as_well(
    app: TaskHubApp, hub: Hub, seed: Seed
) -> None:
    task = await seed.put("Report", Status.COMPLETED)

    def write(tx: Any) -> None:
        for n in range(230):
            changes.add_notice(tx, task.n, hub.clock(), Notice(NoticeKind.PROGRESS, f"N{n}", ""))

    await seed.store.write(write)
    async with app.run_test(size=(80, 24)) as pilot:
        await opened(app, pilot, "unread")
        await pilot.press("R")
        await until(pilot, lambda: "all read" in text(app))
    assert all(one.read is not None for one in await hub.notifications(1000))


async def test_what_is_held_is_sent_before_the_shell_gets_the_terminal(
    hub: Hub, seed: Seed, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await ask(seed, "One", kind=BlockerKind.INPUT, choices=(YES, NO))
    app = TaskHubApp(hub)
    app.asker.consider = lambda: None  # type: ignore[method-assign]
    stopped: list[int] = []
    monkeypatch.setattr(App, "action_suspend_process", lambda self: stopped.append(1))
    async with app.run_test(size=(120, 36)) as pilot:
        screen, _ = await opened(app, pilot, "1 Take eu-1"), held(app)
        screen._still_since = 0.0
        await pilot.press("1")
        await until(pilot, lambda: bool(app.asker.sender.held))
        await pilot.press("ctrl+z")
        await until(pilot, lambda: bool(stopped))
        assert not app.asker.sender.held
        assert not await is_open(hub, one)


async def test_a_real_gate_is_answered_from_the_inbox(
    app: TaskHubApp, hub: Hub, worker: Worker
) -> None:
    stage = StageSpec("run", "command", options={"argv": ["true"]}, gate=True)
    task = await hub.submit(NewTask("say hello", title="Hello", agent="command", stages=(stage,)))
    await until_status(hub, task.id, Status.BLOCKED)
    async with app.run_test(size=(80, 24)) as pilot:
        _, moments = await opened(app, pilot, "approval · Hello"), held(app)
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, DecisionScreen))
        app.screen._awake = True  # type: ignore[attr-defined]
        await pilot.press("a")
        await until(pilot, lambda: bool(app.asker.sender.held))
        await send(app, moments)
        await until_status(hub, task.id, Status.COMPLETED)
