"""An ntfy server on loopback that does what the real one does, and a phone that has subscribed.

As of ntfy 2.16: what it checks, its limits and error codes, the stream with keepalives, `since`
by ID (everything, where the ID is unknown), messages that take the place of earlier ones, and go.
"""

import asyncio
import json
import re
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, web

TOPIC = re.compile(r"[-_A-Za-z0-9]{1,64}")
ERRORS = {
    400: (40017, "invalid request: request body must be message JSON"),
    401: (40101, "unauthorized"),
    403: (40301, "forbidden"),
    404: (40401, "page not found"),
    413: (41303, "JSON body too large"),
    429: (42901, "limit reached: too many requests, please be nice"),
    500: (50001, "internal server error"),
    503: (50301, "unavailable"),
}
KINDS = {"view": {"label", "url"}, "http": {"label", "url"}, "broadcast": {"label"}}


class Ntfy:
    """The server; `mishaps` come true first, one a request."""

    def __init__(self, *, burst: int = 60, refill: float = 5.0, keepalive: float = 45.0) -> None:
        self.url = ""
        self.access: dict[str, set[str]] | None = None
        """Token → topics it may use; None lets everybody in."""
        self.write_only: set[str] = set()
        """Topics to which everybody may write, without a token."""
        self.kept: list[dict[str, Any]] = []
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.mishaps: deque[Any] = deque()
        """A status, a (status, headers), "hang", "drop", "garbage" or "drip"."""
        self.old = False
        """True: a server before 2.16, which knows nothing of sequence IDs."""
        self.streams = 0
        """How many streams have been opened."""
        self.since: list[str] = []
        self.keepalives = 0
        self._left, self._burst, self._refill, self._at = float(burst), burst, refill, 0.0
        self._keepalive = keepalive
        self._heard: set[asyncio.Queue[Any]] = set()
        self._closing = asyncio.Event()

    def forget(self, topic: str) -> None:
        """As when the messages of a topic have expired, or the server was set up anew."""
        self.kept = [one for one in self.kept if one["topic"] != topic]

    def drop_streams(self) -> None:
        for queue in self._heard:
            queue.put_nowait(None)

    def say(self, raw: bytes) -> None:
        """Put something on every open stream that no ntfy would send."""
        for queue in self._heard:
            queue.put_nowait(raw)

    def put(self, topic: str, text: str, **more: Any) -> dict[str, Any]:
        message = {
            "id": secrets.token_hex(6),
            "time": int(time.time()),
            "event": "message",
            "topic": topic,
            "message": text,
        } | more
        self.kept.append(message)
        for queue in self._heard:
            queue.put_nowait(message)
        return message

    # What it answers

    @web.middleware
    async def _first(self, request: web.Request, handler: Any) -> web.StreamResponse:
        body = await request.read()
        self.requests.append((request.method, request.path, dict(request.headers), body))
        if self.mishaps:
            mishap = self.mishaps.popleft()
            if mishap == "hang":
                await self._closing.wait()
                return web.Response()
            if mishap == "drop":
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            if mishap == "garbage":
                return web.Response(body=b"\xff<html>captive portal</html>" * 10)
            if mishap == "drip":
                slow = web.StreamResponse()
                await slow.prepare(request)
                while not self._closing.is_set():
                    await slow.write(b" ")
                    await asyncio.sleep(0.05)
                return slow
            status, headers = mishap if isinstance(mishap, tuple) else (mishap, {})
            return error(status, headers)
        if not self._room():
            return error(429)
        found: web.StreamResponse = await handler(request)
        return found

    def _room(self) -> bool:
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) / self._refill)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def _refused(self, request: web.Request, topic: str, *, write: bool) -> web.Response | None:
        if self.access is None or (write and topic in self.write_only):
            return None
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if not token:
            return error(403)
        if kind != "Bearer" or token not in self.access:
            return error(401)
        return None if topic in self.access[token] else error(403)

    async def _publish_json(self, request: web.Request) -> web.Response:
        body = await request.read()
        if len(body) > 8192 * 2:
            return error(413)
        try:
            found = json.loads(body)
        except ValueError:
            return error(400)
        topic = found.get("topic", "")
        if not TOPIC.fullmatch(topic):
            return error(400, said=(40009, "invalid request: topic invalid"))
        if (refused := self._refused(request, topic, write=True)) is not None:
            return refused
        actions = found.get("actions", [])
        for one in actions:
            if not KINDS.get(one.get("action"), {"?"}) <= one.keys():
                return error(400, said=(40018, "invalid request: actions invalid"))
        if len(actions) > 3 or not 0 <= found.get("priority", 3) <= 5:
            return error(400, said=(40018, "invalid request: actions invalid; too many actions"))
        if len(found.get("message", "").encode()) > 4096:
            # The real one makes an attachment of it, where it may keep files.
            return error(413)
        known = {"topic", "title", "message", "priority", "tags", "click", "actions"}
        kept = {key: value for key, value in found.items() if key in known}
        if not self.old and "sequence_id" in found:
            if not TOPIC.fullmatch(found["sequence_id"]):
                return error(400, said=(40049, "invalid request: sequence ID invalid"))
            kept["sequence_id"] = found["sequence_id"]
        kept.pop("topic")
        return web.json_response(self.put(topic, kept.pop("message", "triggered"), **kept))

    async def _publish(self, request: web.Request) -> web.Response:
        topic = request.match_info["topic"]
        if (refused := self._refused(request, topic, write=True)) is not None:
            return refused
        text = (await request.read()).decode()
        if len(text.encode()) > 4096:
            return web.json_response(self.put(topic, "You received a file: attachment.txt"))
        return web.json_response(self.put(topic, text))

    async def _delete(self, request: web.Request) -> web.Response:
        topic, sequence = request.match_info["topic"], request.match_info["sequence"]
        if self.old:
            return error(404)
        if (refused := self._refused(request, topic, write=True)) is not None:
            return refused
        put = self.put(topic, "", event="message_delete", sequence_id=sequence)
        return web.json_response(put)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        topic = request.match_info["topic"]
        if (refused := self._refused(request, topic, write=False)) is not None:
            return refused
        since = request.query.get("since", "none")
        if not request.query.get("poll"):
            self.streams += 1
        self.since.append(since)
        queue: asyncio.Queue[Any] = asyncio.Queue()
        answer = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await answer.prepare(request)
        self._heard.add(queue)
        try:
            opened = {"id": secrets.token_hex(6), "time": int(time.time()), "topic": topic}
            await answer.write(json.dumps(opened | {"event": "open"}).encode() + b"\n")
            for old in self._since(topic, since):
                await answer.write(json.dumps(old).encode() + b"\n")
            while not self._closing.is_set() and not request.query.get("poll"):
                try:
                    async with asyncio.timeout(self._keepalive):
                        one = await queue.get()
                except TimeoutError:
                    one = opened | {"event": "keepalive"}
                    self.keepalives += 1
                if one is None:
                    break
                if isinstance(one, bytes):
                    await answer.write(one)
                elif one["topic"] == topic:
                    await answer.write(json.dumps(one).encode() + b"\n")
        except ConnectionResetError:
            pass
        finally:
            self._heard.discard(queue)
        return answer

    def _since(self, topic: str, since: str) -> list[dict[str, Any]]:
        if since == "none":
            return []
        ids = [one["id"] for one in self.kept]
        start = ids.index(since) + 1 if since in ids else 0
        return [one for one in self.kept[start:] if one["topic"] == topic]

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Ntfy"]:
        app = web.Application(middlewares=[self._first], client_max_size=1 << 20)
        app.router.add_post("/", self._publish_json)
        app.router.add_get("/{topic}/json", self._stream)
        app.router.add_post("/{topic}", self._publish)
        app.router.add_put("/{topic}", self._publish)
        app.router.add_delete("/{topic}/{sequence}", self._delete)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{port}"
        try:
            yield self
        finally:
            self._closing.set()
            self.drop_streams()
            await runner.cleanup()


def error(
    status: int, headers: dict[str, str] | None = None, said: tuple[int, str] | None = None
) -> web.Response:
    code, words = said or ERRORS.get(status, (status * 100, "error"))
    body = {"code": code, "http": status, "error": words}
    return web.json_response(body, status=status, headers=headers)


class Phone:
    """What a phone that has subscribed to a topic shows, and what pressing a button does."""

    def __init__(self, server: Ntfy, topic: str) -> None:
        self._server, self._topic = server, topic

    @property
    def shown(self) -> list[dict[str, Any]]:
        """The messages on the screen, the newest last."""
        found: dict[str, dict[str, Any]] = {}
        for one in self._server.kept:
            if one["topic"] != self._topic:
                continue
            key = one.get("sequence_id", one["id"])
            found.pop(key, None)
            if one["event"] == "message":
                found[key] = one
        return list(found.values())

    async def press(self, message: dict[str, Any], label: str) -> int:
        """Press a button as the app does: the request is made by the phone."""
        action = next(one for one in message["actions"] if one["label"] == label)
        async with (
            ClientSession() as http,
            http.request(
                action.get("method", "POST"),
                action["url"],
                headers=action.get("headers", {}),
                data=action.get("body", ""),
            ) as answer,
        ):
            if answer.ok and action.get("clear"):
                key = message.get("sequence_id", message["id"])
                self._server.put(self._topic, "", event="message_delete", sequence_id=key)
            return answer.status
