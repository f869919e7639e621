"""Webhooks: signed, to the address that was checked, and never into the network behind us."""

import base64
import hashlib
import hmac
import json
import logging
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from smtp_server import certificate

from taskhub_tui.notifications.channels import http
from taskhub_tui.notifications.channels.webhook import WebhookChannel, public
from taskhub_tui.notifications.message import DeliveryError, Message

SECRET = "hush-hush-webhook"
MESSAGE = Message(
    "taskhub-7", "Needs you: T", "Go on?", (("approve", "Approve"),),
    link="https://hub.example/a/LINKTOKEN", tokens={"approve": "T" * 43}, thread="ab12",
)  # fmt: skip


class Hook:
    """A program that takes webhooks, and checks them as the standard says."""

    def __init__(self) -> None:
        self.url = ""
        self.taken: list[tuple[web.BaseRequest, bytes]] = []
        self.status, self.headers = 204, {}

    async def take(self, request: web.BaseRequest) -> web.Response:
        self.taken.append((request, await request.read()))
        return web.Response(status=self.status, headers=self.headers)

    def genuine(self, number: int, key: bytes) -> bool:
        request, body = self.taken[number]
        given = request.headers
        signed = f"{given['webhook-id']}.{given['webhook-timestamp']}.".encode() + body
        mac = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
        return hmac.compare_digest(given["webhook-signature"], f"v1,{mac}")


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    taker = Hook()
    runner = web.ServerRunner(web.Server(taker.take, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    taker.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook?a=1"
    yield taker
    await runner.cleanup()


async def refused(channel: WebhookChannel) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await channel.send(MESSAGE)
    await channel.close()
    return caught.value


async def test_a_message_arrives_signed_and_without_anything_to_answer_with(
    hook: Hook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("TASKHUB_HOOK", SECRET)
    channel = WebhookChannel(
        hook.url, secret="env:TASKHUB_HOOK", private=True, clock=lambda: 1_800_000_000.9
    )
    assert await channel.available() is None
    await channel.send(MESSAGE)
    await channel.withdraw("taskhub-7")
    await channel.close()
    (request, body), (_, gone) = hook.taken
    assert (request.method, request.path_qs) == ("POST", "/hook?a=1")
    assert json.loads(body) == {
        "type": "message", "key": "taskhub-7", "sent": 1_800_000_000, "title": "Needs you: T",
        "body": "Go on?", "task": "ab12", "asks": True, "urgent": False,
    }  # fmt: skip
    assert json.loads(gone)["type"] == "withdrawn"
    assert hook.genuine(0, SECRET.encode())
    assert hook.genuine(1, SECRET.encode())
    assert not hook.genuine(0, b"another")
    for secret in ("LINKTOKEN", "T" * 43, SECRET):
        assert secret not in body.decode() + str(request.headers) + caplog.text


async def test_a_key_of_the_standard_is_base_64(
    hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKHUB_HOOK", "whsec_" + base64.b64encode(b"k" * 24).decode())
    channel = WebhookChannel(hook.url, secret="env:TASKHUB_HOOK", private=True)
    await channel.send(MESSAGE)
    assert hook.genuine(0, b"k" * 24)
    monkeypatch.setenv("TASKHUB_HOOK", "whsec_!!")
    error = await refused(channel)
    assert "no base 64" in str(error)
    assert "!!" not in str(error)


@pytest.mark.parametrize(
    ("status", "headers", "retry", "words"),
    [
        (500, {}, True, "cannot take it now: HTTP 500"),
        (429, {"Retry-After": "9"}, True, "wants fewer messages"),
        (401, {}, False, "refused the secret"),
        (410, {}, False, "HTTP 410"),
        (302, {"Location": "http://169.254.169.254/"}, False, "points elsewhere"),
    ],
)
async def test_each_failure_is_a_sentence_that_says_if_it_may_work_later(
    hook: Hook, status: int, headers: dict[str, str], retry: bool, words: str
) -> None:
    hook.status, hook.headers = status, headers
    error = await refused(WebhookChannel(hook.url, private=True))
    assert error.retry is retry
    assert words in str(error)
    assert len(hook.taken) == 1


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "192.0.2.1", "224.0.0.1", "255.255.255.255",
        "::1", "::", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::", "2001:db8::1", "not an address",
    ],
)  # fmt: skip
async def test_a_name_that_leads_inside_is_not_followed(address: str) -> None:
    assert not public(address)

    async def resolve(host: str, port: int) -> list[str]:
        return ["93.184.215.14", address]

    error = await refused(WebhookChannel("https://hook.example/x", resolve=resolve))
    assert not error.retry
    assert "which is not public" in str(error)


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07::1", "::ffff:8.8.8.8"])
def test_public_addresses_are_public(address: str) -> None:
    assert public(address)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://hook.example/", "must begin with https://"),
        ("https://user:pw@hook.example/", "no user or password"),
        ("file:///etc/passwd", "needs an address"),
        ("https:///x", "needs an address"),
        ("https://hook.example:99999/", "needs an address"),
        ("https://[::1/", "needs an address"),
        ("https://hook.example/\r\nX: y", "needs an address"),
        ("", "needs an address"),
    ],
)
async def test_addresses_that_may_not_be_used_are_said_at_once(url: str, words: str) -> None:
    channel = WebhookChannel(url)
    assert words in (await channel.available() or "")
    assert not (await refused(channel)).retry


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "https://2130706433/", "https://localhost/"])
async def test_numbers_and_names_of_this_machine_are_found_out(url: str) -> None:
    error = await refused(WebhookChannel(url))
    assert not error.retry
    assert "which is not public" in str(error)


async def test_what_was_checked_is_what_is_connected_to_and_the_certificate_is_the_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, cert = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    asked: list[str] = []
    context.sni_callback = lambda _, name, __: asked.append(name)
    monkeypatch.setattr(http, "_tls", lambda: ssl.create_default_context(cafile=cert))
    looked_up: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        looked_up.append(host)
        return ["127.0.0.1"]

    hook = Hook()
    runner = web.ServerRunner(web.Server(hook.take, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    port = runner.addresses[0][1]
    try:
        # `localhost` is in the certificate; the address that it is said to have is used.
        channel = WebhookChannel(f"https://localhost:{port}/", private=True, resolve=resolve)
        await channel.send(MESSAGE)
        await channel.close()
        assert (looked_up, asked) == (["localhost"], ["localhost"])
        assert hook.taken[0][0].headers["Host"] == f"localhost:{port}"
        other = WebhookChannel(f"https://other.example:{port}/", private=True, resolve=resolve)
        error = await refused(other)
        assert "certificate is not trusted" in str(error)
        assert len(hook.taken) == 1
    finally:
        await runner.cleanup()


async def test_a_name_that_nobody_knows_may_be_known_later() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        raise OSError(-2, "Name or service not known")

    error = await refused(WebhookChannel("https://hook.example/", resolve=resolve))
    assert error.retry
    assert "was not found: Name or service not known" in str(error)
