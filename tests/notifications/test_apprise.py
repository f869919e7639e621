"""Any other service through Apprise: as text, once each, and with no address in any log."""

import json
import logging
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from smtp_server import serving

from taskhub_tui.notifications.channels.apprise import AppriseChannel
from taskhub_tui.notifications.message import DeliveryError, Message

pytestmark = [
    # Of a library that Apprise uses where it is there.
    pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning"),
]
MESSAGE = Message("taskhub-7", "Needs <b>you</b>", "Go on?\n<img src=//evil>", thread="ab12")


class Service:
    def __init__(self) -> None:
        self.taken: list[tuple[str, dict]] = []
        self.broken: set[str] = set()
        self.port = 0

    async def take(self, request: web.BaseRequest) -> web.Response:
        if request.path in self.broken:
            return web.Response(status=500)
        self.taken.append((request.path, json.loads(await request.read())))
        return web.Response()


@pytest.fixture
async def service(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    found = Service()
    runner = web.ServerRunner(web.Server(found.take, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.port = runner.addresses[0][1]
    for name in ("one", "two"):
        monkeypatch.setenv(
            f"TASKHUB_{name.upper()}", f"json://me:hush-hush@127.0.0.1:{found.port}/{name}"
        )
    yield found
    await runner.cleanup()


async def test_each_service_gets_it_once_also_when_another_is_down(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    channel = AppriseChannel(["env:TASKHUB_ONE", "env:TASKHUB_TWO"])
    assert await channel.available() is None
    service.broken.add("/two")
    with pytest.raises(DeliveryError, match=r"could not send to number 2 \(JSON\)") as caught:
        await channel.send(MESSAGE)
    assert caught.value.retry
    service.broken.clear()
    await channel.send(MESSAGE)
    assert [path for path, _ in service.taken] == ["/one", "/two"]
    assert service.taken[0][1]["title"] == "Needs <b>you</b>"
    assert service.taken[0][1]["message"] == "Go on?\n<img src=//evil>"
    assert "hush-hush" not in f"{caught.value} {caplog.text}"


async def test_a_mail_by_apprise_has_no_tags_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving() as post:
        address = f"mailto://127.0.0.1:{post.port}?from=hub@example.org&to=ann@example.org"
        monkeypatch.setenv("TASKHUB_MAIL", f"{address}&mode=insecure")
        await AppriseChannel(["env:TASKHUB_MAIL"]).send(MESSAGE)
        (mail,) = post.mails
        for part in mail.walk():
            if part.get_content_type() == "text/html":
                assert "<img" not in part.get_content()


async def test_addresses_are_references_and_broken_ones_are_counted_not_shown(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert "needs `urls`" in (await AppriseChannel([]).available() or "")
    said = await AppriseChannel(["slack://hush-hush/x"]).available() or ""
    assert "not a reference" in said
    monkeypatch.setenv("TASKHUB_BAD", "nonsense://hush-hush")
    with pytest.raises(DeliveryError) as caught:
        await AppriseChannel(["env:TASKHUB_ONE", "env:TASKHUB_BAD"]).send(MESSAGE)
    assert not caught.value.retry
    assert "address number 2" in str(caught.value)
    assert "hush-hush" not in f"{said} {caught.value} {caplog.text}"
    assert len(service.taken) == 1, "the one that works has it all the same"
