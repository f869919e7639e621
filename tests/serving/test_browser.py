"""The hub in a real browser: it shows tasks, obeys keys, and decides only where it may."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import browser
import pytest
from support import until

from taskhub_tui.domain.model import NewTask, Status, Task
from taskhub_tui.hub import Hub
from taskhub_tui.worker import Worker

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HOSTILE = "<img src=x onerror=alert(1)>[@click=app.quit]x[/]"


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[browser.Page]:
    if browser.program() is None:
        pytest.fail("chromium is missing: apt-get install chromium", pytrace=False)
    profile = tmp_path / "profile"
    profile.mkdir()
    async with browser.browsing(profile) as page:
        yield page


async def asking(hub: Hub, title: str) -> Task:
    stage = {"argv": ["echo", f"output of {title}"]}
    plan = hub.plan(NewTask(title, agent="command", options=stage))
    gated = tuple(replace(one, gate=True) for one in plan)
    return await hub.submit(
        NewTask(title, title=title, agent="command", stages=gated, options=stage)
    )


async def stands(hub: Hub, task: Task) -> Status:
    return (await hub.status(task.id)).task.status


def outside(page: browser.Page) -> list[str]:
    """Addresses that the page asked for and that are not the server's."""
    return [
        url
        for url in page.asked
        if not url.startswith("data:") and urlsplit(url).hostname != "127.0.0.1"
    ]


async def test_it_shows_tasks_obeys_keys_and_decides_nothing(
    serve, page: browser.Page, hub: Hub, worker: Worker
) -> None:
    first = await asking(hub, "Deploy the first")
    second = await asking(hub, "Deploy the second")
    for task in (first, second):
        await until(hub, task.id, Status.BLOCKED)
    served = serve()
    await page.go(served.url)
    for task in (first, second):
        await page.until(task.title)
    await page.until("This view only shows")
    # The newest is on top, and its number is beside the list; the next one's after a key.
    await page.until(second.id)
    mark = len(page.shown)
    await page.press("j")
    await page.until(first.id, mark)
    mark = len(page.shown)
    await page.press("a")
    await page.press_until("a", "nothing can be decided or changed", mark)
    for task in (first, second):
        assert await stands(hub, task) is Status.BLOCKED
    assert await page.evaluate("location.pathname + location.search") != "/"
    assert "token" not in await page.evaluate("location.href")
    assert await page.evaluate("document.cookie") == ""
    inside = "{ const r = document.querySelector('.xterm-screen').getBoundingClientRect();"
    inside += " r.left >= 0 && r.top >= 0 && r.right <= innerWidth && r.bottom <= innerHeight }"
    assert await page.evaluate(inside), "nothing is cut off"
    assert page.errors == []
    assert len(page.asked) > 5
    assert outside(page) == []
    mark = len(page.shown)
    served.end()
    await page.wait(lambda: served.process.poll() is not None, "its end")
    assert await page.evaluate(
        "new Promise(done => { const look = () => document.body.classList.contains('-closed')"
        " ? done(getComputedStyle(document.querySelector('.closed')).display)"
        " : setTimeout(look, 20); look() })"
    ) == "block"  # fmt: skip


async def test_with_decisions_allowed_it_approves(
    serve, page: browser.Page, hub: Hub, worker: Worker
) -> None:
    task = await asking(hub, "Deploy it")
    await until(hub, task.id, Status.BLOCKED)
    served = serve("--allow-decisions")
    assert served.said["read_only"] is False
    await page.go(served.url)
    await page.until(task.title)
    # The question comes up by itself.
    await page.until("Approval needed")
    await page.press_until("a", "1 done", len(page.shown))
    assert await stands(hub, task) is Status.COMPLETED
    decided = [event for event in await hub.events(task.id) if event.channel == "browser"]
    assert decided, "the audit trail says where it was decided"


async def test_hostile_text_is_text_in_the_page_as_well(
    serve, page: browser.Page, hub: Hub, worker: Worker
) -> None:
    await asking(hub, HOSTILE)
    await page.go(serve().url)
    await page.until("<img src=x onerror=alert(1)>[@click=app.quit]x[/]")
    assert await page.evaluate("document.images.length") == 0
    assert page.errors == []
    assert outside(page) == []


async def test_a_strange_page_gets_no_window(
    serve, page: browser.Page, hub: Hub, worker: Worker
) -> None:
    served = serve()
    await page.go(served.url)
    await page.until("TaskHub")
    where = await page.evaluate("location.pathname")
    # An empty page is of no site of ours, whatever the cookie.
    await page.go("data:text/html,<title>strange</title>")
    opened = await page.evaluate(
        f"new Promise(done => {{ const s = new WebSocket('ws://{urlsplit(served.url).netloc}"
        f"{where}socket'); s.onopen = () => done('open'); s.onerror = () => done('refused') }})"
    )
    assert opened == "refused"
