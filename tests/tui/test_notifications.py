"""The list of notifications: what needs the person first, then the latest news."""

from collections.abc import AsyncIterator

import pytest
from textual.widgets import OptionList

from taskhub_tui.domain.change import Notice
from taskhub_tui.domain.model import Action, NewTask, NoticeKind, StageSpec, Status, Task
from taskhub_tui.hub import Hub
from taskhub_tui.storage import changes
from taskhub_tui.tui.screens.notifications import NotificationsScreen
from taskhub_tui.worker import Worker
from tests.conftest import eventually, until, working
from tests.tui.forms import Host


@pytest.fixture
async def at_work(hub: Hub) -> AsyncIterator[Worker]:
    """A worker on the database of `hub`."""
    async with working(hub.paths, hub.settings) as worker:
        yield worker


async def run(hub: Hub, *, gate: bool = False, title: str = "Say hello") -> Task:
    stage = StageSpec("run", "command", options={"argv": ["true"]}, gate=gate)
    return await hub.submit(NewTask("say hello", title=title, agent="command", stages=(stage,)))


async def lines(app: Host, words: str) -> None:
    """Wait until `words` stand on the screen."""

    async def there() -> bool:
        return words in app.text()

    await eventually(there)


async def test_what_needs_you_stands_above_the_news(hub: Hub, at_work: Worker) -> None:
    task = await run(hub, gate=True)
    await until(hub, task.id, Status.BLOCKED)
    app = Host(lambda: NotificationsScreen(hub))
    async with app.run_test(size=(80, 24)) as pilot:
        await lines(app, "1 needs you")
        text = app.text()
        assert text.index("Needs you") < text.index("approval · Say hello") < text.index("Latest")
        await pilot.press("enter")
        await pilot.pause()
    assert app.answers == [task.id]


async def test_an_answer_elsewhere_shows_without_a_key(hub: Hub, at_work: Worker) -> None:
    task = await run(hub, gate=True)
    await until(hub, task.id, Status.BLOCKED)
    app = Host(lambda: NotificationsScreen(hub))
    async with app.run_test(size=(80, 24)):
        await lines(app, "1 needs you")
        await hub.decide(task.id, Action.APPROVE)
        await lines(app, "answered ·")
        assert "needs you" not in app.text()


async def test_opening_one_marks_it_read_and_r_marks_all(hub: Hub) -> None:
    first, second = await run(hub, title="One"), await run(hub, title="Two")
    app = Host(lambda: NotificationsScreen(hub))
    async with app.run_test(size=(80, 24)) as pilot:
        await lines(app, "2 unread")
        await pilot.press("j", "enter")
        await pilot.pause()
    assert app.answers == [first.id]
    unread = [one.task_id for one in await hub.notifications() if one.read is None]
    assert unread == [second.id]
    app = Host(lambda: NotificationsScreen(hub))
    async with app.run_test(size=(80, 24)) as pilot:
        await lines(app, "1 unread")
        await pilot.press("R")
        await lines(app, "all read")
        await pilot.press("q")
    assert app.answers == [None]


async def test_the_highlight_stays_on_its_line_when_news_arrive(hub: Hub) -> None:
    await run(hub, title="One")
    app = Host(lambda: NotificationsScreen(hub))
    async with app.run_test(size=(80, 24)):
        await lines(app, "1 unread")
        options = app.screen.query_one(OptionList)
        before = options.highlighted_option
        await run(hub, title="Two")
        await lines(app, "2 unread")
        assert before is not None
        assert options.highlighted_option is not None
        assert options.highlighted_option.id == before.id


@pytest.mark.parametrize("title", ["[@click=app.quit]x[/]", "[/nope]", "[b", "漢字 " * 40])
async def test_hostile_and_wide_titles_are_only_text(hub: Hub, title: str) -> None:
    task = await run(hub)
    notice = Notice(NoticeKind.ERROR, title, title + "\nmore")
    await hub._store.write(lambda tx: changes.add_notice(tx, task.n, hub.clock(), notice))
    app = Host(lambda: NotificationsScreen(hub))
    async with app.run_test(size=(80, 24)):
        await lines(app, title[:10])
        assert all(len(line) <= 80 for line in app.text().splitlines())


async def test_an_empty_list_says_so(hub: Hub) -> None:
    app = Host(lambda: NotificationsScreen(hub))
    async with app.run_test(size=(80, 24)) as pilot:
        await lines(app, "Nothing has happened yet")
        await pilot.press("enter", "escape")
    assert app.answers == [None]
