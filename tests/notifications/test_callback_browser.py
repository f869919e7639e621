"""The page in a real browser: a click decides, another site's page does not."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from asked import scene
from support import eventually, until

from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.model import Status
from taskhub_tui.notifications.callback import Callback
from taskhub_tui.notifications.callback_prefs import CallbackPrefs

sys.path.append(str(Path(__file__).parents[1] / "serving"))

import browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[browser.Page]:
    if browser.program() is None:
        pytest.fail("chromium is missing: apt-get install chromium", pytrace=False)
    profile = tmp_path / "profile"
    profile.mkdir()
    async with browser.browsing(profile) as page:
        yield page


async def shows(page: browser.Page, words: str) -> None:
    async def fact() -> bool:
        return words in str(await page.evaluate("document.body ? document.body.innerText : ''"))

    await eventually(fact)


async def test_a_click_decides_and_another_sites_page_does_not(
    where: Paths, settings: Settings, page: browser.Page
) -> None:
    async with scene(where, settings, risk="high") as s:
        callback = Callback(s.answers, CallbackPrefs(True))
        await callback.start()
        task = await s.ask("Tidy <b>up</b>")
        given = await s.grant(task, "email", "ann@example.org")

        async def evil(request: web.Request) -> web.Response:
            form = (
                f'<form id=f method=post action="{given.link}"><input name=action value=deny>'
                "</form><script>f.submit()</script>"
            )
            return web.Response(text=form, content_type="text/html")

        app = web.Application()
        app.router.add_get("/", evil)
        runner = web.AppRunner(app, handle_signals=False, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            await page.go(f"http://localhost:{runner.addresses[0][1]}/")
            await shows(page, "Another site's page may not decide anything")
            assert await s.status(task) is Status.BLOCKED
            assert await s.attempts() == []

            refused = len(page.errors)
            await page.go(given.link)
            await shows(page, "Tidy <b>up</b>")
            await page.evaluate("document.querySelector('textarea').value = 'go on'")
            await page.evaluate(
                f"document.querySelector('[name=code]').value = '{given.code.lower()}'"
            )
            await page.evaluate("document.querySelector('[value=approve]').click()")
            await shows(page, "Done")
            view = await until(s.hub, task.id, Status.COMPLETED)
            assert view.task.summary == "accept go on"
            assert [one for one in page.errors[refused:] if "favicon" not in one] == []
        finally:
            await runner.cleanup()
            await callback.close()
