"""The web page on which a message is answered. Threats are named T1 to T20, as for the tokens."""

import asyncio
import logging
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from asked import COMMAND, Scene, scene
from support import soon, until, working

from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.errors import BadInput
from taskhub_tui.domain.model import Action, Choice, Status
from taskhub_tui.notifications import prefs
from taskhub_tui.notifications.answers import Limit
from taskhub_tui.notifications.callback import BODY, MOST, Callback
from taskhub_tui.notifications.callback_prefs import CallbackPrefs

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Page:
    """The page of a scene, as a browser asks for it."""

    def __init__(self, s: Scene, port: int, client: aiohttp.ClientSession) -> None:
        self.s, self.port, self.client = s, port, client
        self.origin = f"http://127.0.0.1:{port}"

    async def link(self, task: Any, channel: str = "email", **more: Any) -> str:
        return (await self.s.grant(task, channel, "ann@example.org", **more)).link

    async def get(self, url: str, method: str = "GET", **headers: str) -> tuple[int, str, Any]:
        async with self.client.request(method, url, headers=headers) as answer:
            return answer.status, await answer.text(), answer.headers

    async def post(self, url: str, *, headers: Any = None, **fields: str) -> tuple[int, str]:
        async with self.client.post(url, data=fields, headers=headers or {}) as answer:
            return answer.status, await answer.text()


@asynccontextmanager
async def page(
    where: Paths,
    settings: Settings,
    *,
    wishes: CallbackPrefs | None = None,
    requests: Limit | None = None,
    patience: float = 10.0,
    **more: Any,
) -> AsyncIterator[Page]:
    async with scene(where, settings, **more) as s, aiohttp.ClientSession() as client:
        callback = Callback(
            s.answers, wishes or CallbackPrefs(True), limit=requests, patience=patience
        )
        port = await callback.start()
        try:
            yield Page(s, port, client)
        finally:
            await callback.close()


async def test_what_would_run_is_shown_whole_and_then_approved(
    where: Paths, settings: Settings
) -> None:
    async with page(where, settings) as p:
        task = await p.s.ask("Tidy up")
        link = await p.link(task)
        status, text, _ = await p.get(link)
        assert status == 200
        assert "May I?" in text
        assert all(word in text for word in COMMAND)
        assert f"Tidy up ({task.id})" in text
        status, text = await p.post(link, action="approve", text="go on")
        assert (status, "Done" in text) == (200, True)
        view = await until(p.s.hub, task.id, Status.COMPLETED)
        assert view.task.summary == "accept go on"
        assert await p.s.decided(task) == [("ann", "email", "approve")]
        (shown,) = (await p.s.sql("SELECT shown FROM answer_attempt"))[0]
        assert "May I?" in shown
        assert "command: rm -r build" in shown


async def test_what_could_be_next_is_shown_whole_and_started_once_with_the_code_of_the_mail(
    where: Paths, settings: Settings
) -> None:
    async with page(where, settings) as p:
        task = await p.s.ask("Tidy up")
        await p.s.hub.decide(task.id, Action.APPROVE)
        await until(p.s.hub, task.id, Status.COMPLETED)
        given = await p.s.grant(task, "email", "ann@example.org", kinds=("completed",))
        status, text, _ = await p.get(given.link)
        assert status == 200
        for words in ("Done: Tidy up", "Watch &lt;it&gt;", "Watch it for an hour", "agent: actor"):
            assert words in text
        assert (await p.post(given.link, action="next-1"))[0] == 403, "a machine fills in forms"
        assert (await p.post(given.link, action="next-2", code=given.code))[0] == 403
        status, text = await p.post(given.link, action="next-1", code=given.code)
        assert (status, "Started “Watch &lt;it&gt;”" in text) == (200, True)
        assert (await p.post(given.link, action="next-1", code=given.code))[0] == 410
        new = next(one for one in await p.s.hub.tasks() if one.id != task.id)
        assert (new.title, new.agent, new.workdir) == ("Watch <it>", "actor", task.workdir)
        assert len(await p.s.hub.tasks()) == 2


async def test_one_of_the_choices_is_chosen(where: Paths, settings: Settings) -> None:
    choices = (Choice("a", "All <of> it", "approve"), Choice("b", "Half", "approve"))
    async with page(where, settings, choices=choices) as p:
        task = await p.s.ask()
        link = await p.link(task)
        assert '<option value="a">All &lt;of&gt; it</option>' in (await p.get(link))[1]
        assert (await p.post(link, action="approve", choice="b", text=""))[0] == 200
        (event,) = [e for e in await p.s.hub.events(task.id) if e.kind == "decided"]
        assert event.data["text"] == "b"
        (blocker,) = await p.s.sql("SELECT answer FROM blocker")
        assert '"choice":"b"' in blocker[0]


async def test_a_program_gives_its_token_in_a_header(where: Paths, settings: Settings) -> None:
    async with page(where, settings) as p:
        task = await p.s.ask()
        token = (await p.s.grant(task, "phone")).tokens["deny"]

        async def post(given: str, **fields: Any) -> tuple[int, Any]:
            headers = {"Authorization": f"Bearer {given}"}
            async with p.client.post(f"{p.origin}/a", json=fields, headers=headers) as answer:
                return answer.status, await answer.json()

        assert (await post("nothing", action="deny"))[0] == 404
        assert (await post(token, action="approve"))[0] == 403
        status, said = await post(token, action="deny", text="not today")
        assert (status, said["verdict"]) == (200, "taken")
        for headers, data in (({}, b"{}"), ({"Authorization": f"Bearer {token}"}, b"[" * 5000)):
            async with p.client.post(f"{p.origin}/a", data=data, headers=headers) as answer:
                assert answer.status == 400


async def test_t01_whoever_only_looks_changes_nothing(where: Paths, settings: Settings) -> None:
    async with page(where, settings) as p:
        task = await p.s.ask()
        link = await p.link(task)
        before = await p.s.sql("SELECT hash, used, misses FROM answer_token ORDER BY hash")
        for n in range(50):
            status, text, _ = await p.get(link, "HEAD" if n % 2 else "GET")
            assert status == 200
            assert bool(text) is not bool(n % 2)
        assert await p.s.attempts() == []
        assert before == await p.s.sql("SELECT hash, used, misses FROM answer_token ORDER BY hash")
        assert await p.s.status(task) is Status.BLOCKED
        for method in ("PUT", "DELETE", "OPTIONS", "PATCH"):
            assert (await p.get(link, method))[0] == 405
        assert (await p.post(link, action="deny"))[0] == 200


async def test_t02_a_scanner_that_fills_in_forms_lacks_the_code(
    where: Paths, settings: Settings
) -> None:
    async with page(where, settings, risk="high") as p:
        task = await p.s.ask()
        given = await p.s.grant(task, "email", "ann@example.org")
        text = (await p.get(given.link))[1]
        assert "this may not be undone" in text
        assert 'name="code"' in text
        assert given.code not in re.sub(r'value="[^"]*"', "", text)
        assert (await p.post(given.link, action="approve", text="x"))[0] == 403
        assert await p.s.status(task) is Status.BLOCKED
        assert (await p.post(given.link, action="approve", code=given.code))[0] == 200


async def test_t03_t04_a_second_answer_is_gone_or_late(where: Paths, settings: Settings) -> None:
    async with page(where, settings) as p:
        task = await p.s.ask()
        links = [await p.link(task), await p.link(task, "phone")]
        answers = await asyncio.gather(*(p.post(links[n % 2], action="approve") for n in range(16)))
        codes = sorted(status for status, _ in answers)
        assert codes == [200, *[410] * 15]
        status, text, _ = await p.get(links[1])
        assert status == 410
        assert "Too late: ann" in text
        assert len(await p.s.decided(task)) == 1


async def test_t05_an_old_link_says_so(where: Paths, settings: Settings) -> None:
    async with page(where, settings) as p:
        task = await p.s.ask()
        link = await p.link(task)
        p.s.clock.now += 25 * 3600
        assert (await p.get(link))[0] == 410
        assert (await p.post(link, action="approve"))[0] == 410
        assert await p.s.status(task) is Status.BLOCKED


async def test_t06_t07_not_granted_is_403_and_a_changed_question_409(
    where: Paths, settings: Settings
) -> None:
    async with page(where, settings) as p:
        task = await p.s.ask()
        link = await p.link(task)
        assert (await p.post(link, action="modify"))[0] == 403
        await p.s.sql("UPDATE blocker SET version = version + 1, seal = NULL")
        assert (await p.get(link))[0] == 409
        assert (await p.post(link, action="approve"))[0] == 409
        assert await p.s.status(task) is Status.BLOCKED


async def test_t08_no_other_sites_page_decides(where: Paths, settings: Settings) -> None:
    async with page(where, settings) as p:
        task = await p.s.ask()
        link = await p.link(task)
        for headers in (
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
            {"Origin": f"https://127.0.0.1:{p.port}"},
            {"Origin": "http://127.0.0.1:1"},
        ):
            assert (await p.post(link, headers=headers, action="approve"))[0] == 403, headers
        assert (await p.post(link, headers={"Content-Type": "text/plain"}, action="x"))[0] == 415
        assert await p.s.attempts() == []
        ours = {"Origin": "null", "Sec-Fetch-Site": "same-origin"}
        assert (await p.post(link, headers=ours, action="approve"))[0] == 200


async def test_t09_it_answers_to_its_own_names_only(where: Paths, settings: Settings) -> None:
    wishes = CallbackPrefs(True, url="https://hub.example.org")
    async with page(where, settings, wishes=wishes) as p:
        task = await p.s.ask()
        link = await p.link(task)
        assert link.startswith("https://hub.example.org/a/")
        here = f"{p.origin}/a/{link.rpartition('/')[2]}"
        for host in ("evil.example", f"evil.example:{p.port}", "127.0.0.1", "", "127.0.0.1:1"):
            assert (await p.get(here, Host=host))[0] == 400, host
            assert (await p.post(here, headers={"Host": host}, action="approve"))[0] == 400
        for host in (f"localhost:{p.port}", "hub.example.org", "HUB.example.org"):
            assert (await p.get(here, Host=host))[0] == 200
        proxied = {"Host": "hub.example.org", "Origin": "https://hub.example.org"}
        assert (await p.post(here, headers=proxied, action="approve"))[0] == 200


async def test_t10_who_asks_too_often_waits(where: Paths, settings: Settings) -> None:
    async with page(where, settings, requests=Limit(burst=10, every=1e9)) as p:
        found = [await p.get(f"{p.origin}/a/guess{n}") for n in range(12)]
        assert [status for status, *_ in found] == [404] * 10 + [429] * 2
        assert found[-1][2]["Retry-After"] == "5"


async def test_t12_the_token_leaves_by_no_log_and_no_referrer(
    where: Paths, settings: Settings, caplog: pytest.LogCaptureFixture, monkeypatch: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    async with page(where, settings) as p:
        task = await p.s.ask()
        link = await p.link(task)
        token = link.rpartition("/")[2]
        _, text, headers = await p.get(link)
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == "no-store"
        assert token not in text
        assert "http" not in text.replace("http-equiv", "")

        async def broken(*_: object, **__: object) -> None:
            raise RuntimeError("oh")

        with monkeypatch.context() as patch:
            patch.setattr(p.s.answers, "look", broken)
            assert (await p.get(link))[0] == 500
        await p.post(link, action="approve")
        reader, writer = await asyncio.open_connection("127.0.0.1", p.port)
        writer.write(f"GET /a/{token} HTTP/9\r\nno header\r\n\r\n".encode())
        assert b"400" in await reader.readline()
        writer.close()
    assert "the page has a bug" in caplog.text
    ours = [r for r in caplog.records if not r.name.startswith("aiohttp.client")]
    assert [r for r in ours if token in r.getMessage() + str(r.exc_text)] == []


async def test_t13_too_much_is_413_whether_it_says_so_or_not(
    where: Paths, settings: Settings
) -> None:
    async with page(where, settings) as p:
        task = await p.s.ask()
        link = await p.link(task)
        assert (await p.post(link, action="approve", text="x" * BODY))[0] == 413

        async def pieces() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b"x" * 1000

        with pytest.raises((aiohttp.ClientError, AssertionError)):
            async with p.client.post(link, data=pieces(), headers=FORM) as answer:
                assert answer.status != 413
        assert (await p.get(f"{p.origin}/a/{'x' * 200}"))[0] == 404
        assert (await p.get(f"{p.origin}/a/{'x' * 4000}"))[0] == 400
        assert await p.s.status(task) is Status.BLOCKED


async def test_t13_slow_and_many_connections_are_ended(where: Paths, settings: Settings) -> None:
    async with page(where, settings, patience=0.3) as p:
        slow = [await asyncio.open_connection("127.0.0.1", p.port) for _ in range(MOST)]
        for _, writer in slow:
            writer.write(b"POST /a/x HTTP/1.1\r\nHost: 127.0.0.1\r\nX-")
        reader, writer = await asyncio.open_connection("127.0.0.1", p.port)
        assert b"503" in await reader.readline()
        writer.close()
        async with asyncio.timeout(5):
            for one, writer in slow:
                with pytest.raises((ConnectionError, EOFError)):
                    await one.readexactly(1)
                writer.close()
        assert (await p.get(f"{p.origin}/a/x"))[0] == 404


async def test_t14_t15_t20_hostile_text_is_text_and_no_page_frames_it(
    where: Paths, settings: Settings
) -> None:
    evil = '<script>alert(1)</script><img src=x onerror="x">\x1b[2J\u202e</pre></form>'
    async with page(where, settings) as p:
        task = await p.s.ask(evil)
        link = await p.link(task)
        _, text, headers = await p.get(link)
        assert "<script" not in text
        assert "<img" not in text
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert text.count("</form>") == text.count("</pre>") / text.count("<pre>") == 1
        rules = headers["Content-Security-Policy"]
        for rule in ("default-src 'none'", "form-action 'self'", "frame-ancestors 'none'"):
            assert rule in rules
        assert "script" not in rules.replace("default-src", "")
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        _, refused = await p.post(link, action="approve" + evil)
        assert "<script" not in refused
        assert (await p.get(f"{p.origin}/<script>"))[0] == 404


async def test_t16_t17_only_this_machine_is_answered_and_nobody_without_a_token(
    where: Paths, settings: Settings
) -> None:
    async with page(where, settings) as p:
        task = await p.s.ask()
        for path in ("/", "/a", "/a/", f"/a/{task.id}", f"/task/{task.id}", "/a/../a", "/a/x/y"):
            assert (await p.get(p.origin + path))[0] in (404, 405), path
        others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), p.port)}
        for address in others - {"127.0.0.1", "::1"}:
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(address, p.port)
        bound = socket.create_server(("127.0.0.2", p.port))
        bound.close()
        with pytest.raises(BadInput, match="nothing can listen"):
            await Callback(p.s.answers, CallbackPrefs(True, port=p.port)).start()
        assert await p.s.status(task) is Status.BLOCKED


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"port": 70000}, "port must be"),
        ({"url": "http://hub.example.org"}, "url must be"),
        ({"url": "https://ann:pw@hub.example.org"}, "url must be"),
        ({"address": "0.0.0.0"}, "There is no such setting"),
    ],
)
def test_a_setting_that_cannot_be_is_said(given: dict[str, Any], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        prefs.read({"callback": given})


async def test_a_worker_serves_the_page_only_when_that_is_wanted(
    where: Paths, settings: Settings
) -> None:
    async with working(where, settings) as worker:
        assert worker.answers.base is None
    wanted = {"desktop": {"enabled": False}, "callback": {"enabled": True}}
    async with working(where, replace(settings, notifications=wanted)) as worker:
        await soon(lambda: worker.answers.base)
        base = worker.answers.base
        async with aiohttp.ClientSession() as client, client.get(f"{base}/x") as answer:
            assert answer.status == 404
    assert worker.answers.base is None
