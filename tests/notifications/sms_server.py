"""An SMS service on loopback that answers as Twilio does."""

import asyncio
import base64
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from typing import Any

from aiohttp import web

ACCOUNT, TOKEN = "AC0123456789abcdef", "hush-hush-twilio-token"
WRONG = {
    400: (21211, "The 'To' number is not a valid phone number."),
    401: (20003, "Authenticate"),
    429: (20429, "Too Many Requests"),
    500: (20500, "Internal Server Error"),
}


class Twilio:
    """The service; `mishaps` come true first: a status, "hang", or "lost" (sent, not answered)."""

    def __init__(self) -> None:
        self.url = ""
        self.sent: list[dict[str, str]] = []
        self.came: list[dict[str, str]] = []
        """What was written back."""
        self.looks = 0
        self.mishaps: deque[Any] = deque()
        self._closing = asyncio.Event()

    def write_back(self, body: str, *, of: dict[str, str], ago: float = 0.0) -> None:
        """Send an SMS from the number that `of` went to, to the one that it came from."""
        self.came.append(
            {
                "sid": f"SM{secrets.token_hex(16)}",
                "to": of["from"],
                "from": of["to"],
                "body": body,
                "status": "received",
                "direction": "inbound",
                "date_created": formatdate(time.time() - ago),
            }
        )

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        form = dict(await request.post())
        mishap = self.mishaps.popleft() if self.mishaps else None
        if mishap == "hang":
            await self._closing.wait()
            return web.Response()
        if isinstance(mishap, int | tuple):
            status, headers = mishap if isinstance(mishap, tuple) else (mishap, {})
            code, words = WRONG.get(status, (status, "Error"))
            body = {"code": code, "message": words, "status": status, "more_info": "https://x"}
            return web.json_response(body, status=status, headers=headers)
        expected = base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
        if request.headers.get("Authorization") != f"Basic {expected}":
            code, words = WRONG[401]
            return web.json_response({"code": code, "message": words, "status": 401}, status=401)
        if request.method == "GET":
            found = [
                one
                for one in self.sent + self.came
                if all(one[name.lower()] == request.query[name] for name in ("To", "From")
                       if name in request.query)
            ]  # fmt: skip
            self.looks += 1
            return web.json_response({"messages": found[::-1][: int(request.query["PageSize"])]})
        lacks = {"To", "Body"} - form.keys() or {"From", "MessagingServiceSid"}.isdisjoint(form)
        if lacks or len(str(form["Body"])) > 1600:
            return web.json_response(
                {"code": 21602, "message": "required", "status": 400}, status=400
            )
        sent = {
            "sid": f"SM{secrets.token_hex(16)}",
            "to": str(form["To"]),
            "from": str(form.get("From", form.get("MessagingServiceSid"))),
            "body": str(form["Body"]),
            "status": "queued",
            "direction": "outbound-api",
            "date_created": formatdate(),
        }
        self.sent.append(sent)
        if mishap == "lost":
            await self._closing.wait()
        return web.json_response(sent, status=201)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Twilio"]:
        app = web.Application()
        app.router.add_route("*", f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json", self._messages)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            self._closing.set()
            await runner.cleanup()
