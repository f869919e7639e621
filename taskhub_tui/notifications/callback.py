"""The web page on which a message can be answered: on this machine only, and off by default.

Mail scanners, previews and prefetching follow every link, so looking changes nothing: GET and HEAD
only show, POST decides. What a token allows is checked in `Answers.consume`, as for every channel;
here it is made sure that the request is one that a person's browser, or a program with a token,
sends on purpose.
"""

import asyncio
import base64
import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterator
from html import escape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from taskhub_tui.domain import durations
from taskhub_tui.domain.errors import BadInput, TaskHubError
from taskhub_tui.domain.model import Action, Status
from taskhub_tui.domain.waiting import proposed
from taskhub_tui.notifications.answers import HTTP, Answers, Asked, Limit, Outcome
from taskhub_tui.notifications.callback_prefs import CallbackPrefs
from taskhub_tui.notifications.message import NEXT
from taskhub_tui.text import clean, one_line

if TYPE_CHECKING:
    from aiohttp import web

log = logging.getLogger("taskhub.callback")

ADDRESS = "127.0.0.1"
"""The only address it ever listens on."""
BODY = 8192
"""Most bytes of an answer."""
MOST = 64
"""Connections that may be open at once."""
PATIENCE = 10.0
"""Seconds after which a connection is ended, whatever it does: a request takes far less."""
QUIET = 2.0
"""Seconds for which a connection is kept for another request."""
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46em;margin:2em auto;padding:0 1em}"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;border:1px solid #888;padding:.6em}"
    "textarea,input,select{font:inherit;display:block;width:100%;box-sizing:border-box}"
    "button{font:inherit;padding:.4em 1.2em;margin:.8em .6em 0 0}.risk{font-weight:bold}"
)
_POLICY = (
    "default-src 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    + "'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "taskhub",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}
_LABELS = {
    Action.APPROVE: "Approve",
    Action.DENY: "Deny",
    Action.PROVIDE_CONTEXT: "Send the answer",
    Action.RETRY: "Retry",
    Action.CANCEL: "Cancel the task",
}
_CODE = '<input name="code" autocomplete="off" maxlength="8">'
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Callback:
    """Serves the page; `start` it and `close` it."""

    def __init__(
        self,
        answers: Answers,
        prefs: CallbackPrefs,
        *,
        clock: Callable[[], float] = time.time,
        limit: Limit | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._answers = answers
        self._prefs = prefs
        self._clock = clock
        self._limit = limit or Limit(burst=120, every=0.2)
        self._patience = patience
        self._hosts: frozenset[str] = frozenset()
        self._open: set[_Bounded] = set()
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen; return the port.

        Raises:
            BadInput: the port cannot be had, or aiohttp is not there.
        """
        try:
            from aiohttp import web
        except ImportError:
            raise BadInput(
                "`notifications.callback` needs aiohttp", "pip install 'taskhub-tui[serve]'"
            ) from None
        app = web.Application(client_max_size=BODY)
        app.router.add_route("*", "/{rest:.*}", self._serve)
        self._runner = runner = web.AppRunner(
            app,
            handle_signals=False,
            # Both would hold tokens: aiohttp quotes a request that it cannot read.
            access_log=None,
            logger=_silent(),
            keepalive_timeout=QUIET,
            max_line_size=2048,
            max_field_size=4096,
            shutdown_timeout=2.0,
        )
        await runner.setup()
        inner = runner.server
        assert inner is not None
        try:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: _Bounded(inner(), self._open, self._patience), ADDRESS, self._prefs.port
            )
        except OSError as error:
            await runner.cleanup()
            raise BadInput(
                f"`notifications.callback.port`: nothing can listen on port {self._prefs.port}:"
                f" {error.strerror or error}",
                "0 takes any port that is free",
            ) from error
        port = int(self._server.sockets[0].getsockname()[1])
        self._hosts = frozenset(
            name for name in (f"{ADDRESS}:{port}", f"localhost:{port}", self._prefs.host) if name
        )
        self._answers.base = (self._prefs.url.rstrip("/") or f"http://{ADDRESS}:{port}") + "/a"
        return port

    async def close(self) -> None:
        """Stop to listen, and end what is open."""
        self._answers.base = None
        if self._server is not None:
            self._server.close()
        if self._runner is not None:
            await self._runner.cleanup()
        for one in list(self._open):
            one.end()

    async def _serve(self, request: "web.Request") -> "web.StreamResponse":
        try:
            status, kind, text, more = await self._answer(request)
        except TaskHubError as error:
            status, kind, text, more = 503, "text/html", _page("Not now", f"<p>{_e(error)}</p>"), {}
        except _Refused as refused:
            status, kind, more = refused.status, "text/plain", refused.headers
            text = f"{refused}.\n"
        except asyncio.CancelledError:
            raise
        except Exception:
            # Without the request, whose address is a secret.
            log.exception("the page has a bug")
            status, kind, text, more = 500, "text/plain", "This is a bug in TaskHub.\n", {}
        from aiohttp import web

        return web.Response(
            status=status, text=text, content_type=kind, charset="utf-8", headers=HEADERS | more
        )

    async def _answer(self, request: "web.Request") -> tuple[int, str, str, dict[str, str]]:
        if request.headers.get("Host", "").lower() not in self._hosts:
            raise _Refused(400, "TaskHub is not here under this name")
        peer = request.remote or "?"
        if not self._limit.take(peer):
            raise _Refused(429, "Too many requests", {"Retry-After": "5"})
        head, _, token = request.path.removeprefix("/").partition("/")
        if head != "a" or "/" in token or len(token) > 100:
            raise _Refused(404, "There is nothing here")
        if request.method == "POST":
            self._check_origin(request)
            body = await self._body(request)
            return await (self._form(token, peer, request, body) if token else
                          self._api(peer, request, body))  # fmt: skip
        if request.method not in ("GET", "HEAD") or not token:
            raise _Refused(405, "Only POST is taken here" if not token else "It is not taken here")
        return await self._show(token)

    def _check_origin(self, request: "web.Request") -> None:
        """Refuse what another site's page had a browser send."""
        site = request.headers.get("Sec-Fetch-Site", "none")
        if site not in ("none", "same-origin"):
            raise _Refused(403, "Another site's page may not decide anything")
        origin = request.headers.get("Origin")
        if origin == "null":
            # So a browser names a page that tells its address to nobody, as ours does not.
            if request.headers.get("Sec-Fetch-Site") != "same-origin":
                raise _Refused(403, "Another site's page may not decide anything")
        elif origin is not None:
            host = request.headers.get("Host", "").lower()
            scheme = "https" if host == self._prefs.host else "http"
            if origin.lower() != f"{scheme}://{host}":
                raise _Refused(403, "Another site's page may not decide anything")

    async def _body(self, request: "web.Request") -> str:
        if (request.content_length or 0) > BODY:
            raise _Refused(413, "That is too much")
        found = b""
        while piece := await request.content.read(BODY):
            found += piece
            if len(found) > BODY:
                raise _Refused(413, "That is too much")
        return found.decode("utf-8", "replace")

    async def _show(self, token: str) -> tuple[int, str, str, dict[str, str]]:
        found = await self._answers.look(token)
        if isinstance(found, Outcome):
            said = f"<p>{_e(found.sentence)}.</p>"
            return found.status, "text/html", _page("Nothing to answer here", said), {}
        return 200, "text/html", _question(found, self._clock()), {}

    async def _form(
        self, token: str, peer: str, request: "web.Request", body: str
    ) -> tuple[int, str, str, dict[str, str]]:
        if request.content_type != "application/x-www-form-urlencoded":
            raise _Refused(415, "Only a form is taken here")
        try:
            fields = {name: values[0] for name, values in parse_qs(body, max_num_fields=10).items()}
        except ValueError:
            raise _Refused(400, "This is no form of ours") from None
        found = await self._answers.look(token)
        shown = None if isinstance(found, Outcome) else _words(found, self._clock())
        outcome = await self._answers.consume(
            token,
            fields.get("action", ""),
            peer=peer,
            channel=HTTP,
            text=fields.get("text", "").strip() or fields.get("choice"),
            code=fields.get("code"),
            shown=shown,
        )
        head = "Done" if outcome.status == 200 else "Nothing was decided"
        page = _page(head, f"<p>{_e(outcome.sentence)}.</p>")
        return outcome.status, "text/html", page, {}

    async def _api(
        self, peer: str, request: "web.Request", body: str
    ) -> tuple[int, str, str, dict[str, str]]:
        """Take the answer of a program: the token comes in a header, which no log keeps."""
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        try:
            said: Any = json.loads(body)
        except (ValueError, RecursionError):
            said = None
        if kind.lower() != "bearer" or not isinstance(said, dict):
            raise _Refused(400, "It wants `Authorization: Bearer TOKEN` and a JSON object")
        words = {name: said[name] for name in ("text", "code") if isinstance(said.get(name), str)}
        outcome = await self._answers.consume(
            token.strip(), str(said.get("action", "")), peer=peer, channel=HTTP, **words
        )
        told = {"verdict": outcome.verdict.value, "said": outcome.sentence}
        return outcome.status, "application/json", json.dumps(told) + "\n", {}


class _Refused(Exception):
    """A request that is not looked into."""

    def __init__(self, status: int, why: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.headers = headers or {}


class _Bounded(asyncio.Protocol):
    """A connection that ends in time, one of a few; what it says is for `inner`."""

    def __init__(self, inner: Any, all_: "set[_Bounded]", patience: float) -> None:
        self._inner = inner
        self._all = all_
        self._patience = patience
        self._transport: asyncio.Transport | None = None
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        if len(self._all) >= MOST:
            transport.write(_BUSY)
            transport.close()
            return
        self._all.add(self)
        self._transport = transport
        loop = asyncio.get_running_loop()
        self._end = loop.call_later(self._patience, transport.abort)
        self._inner.connection_made(transport)

    def end(self) -> None:
        """End it now."""
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        if self._end is None:
            return
        self._end.cancel()
        self._all.discard(self)
        self._inner.connection_lost(error)

    def data_received(self, data: bytes) -> None:
        if self._end is not None:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        found: bool | None = self._inner.eof_received() if self._end is not None else None
        return found

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


def _silent() -> logging.Logger:
    """Return a logger that says nothing."""
    silent = logging.Logger("taskhub.callback.http", logging.CRITICAL + 1)
    silent.propagate = False
    return silent


def _e(words: object) -> str:
    return escape(clean(str(words)))


def _page(head: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>TaskHub</title>'
        f"<style>{_STYLE}</style><h1>{_e(head)}</h1>{body}</html>\n"
    )


def _facts(asked: Asked, now: float) -> list[tuple[str, str]]:
    """Return all that a person decides on: nothing of it is cut."""
    task, blocker = asked.task, asked.blocker
    place = f"{task.stage + 1} of {task.stages}: {task.stage_name}" if task.stage_name else ""
    since = blocker.created if blocker is not None else task.ended or task.changed
    facts = [
        ("task", f"{task.title} ({task.id})"),
        ("stage", place),
        ("agent", task.stage_agent or task.agent),
        ("asked" if blocker else "ended", f"{durations.spell(max(0.0, now - since))} ago"),
    ]
    if blocker is None:
        facts += [
            ("error", asked.error),
            ("summary", task.summary or ""),
            ("result", task.result or ""),
        ]
    else:
        facts += proposed(blocker)
    return [(name, value) for name, value in facts if value]


def _head(asked: Asked) -> str:
    if asked.blocker is not None:
        return asked.blocker.question
    done = asked.task.status is Status.COMPLETED
    return f"{'Done' if done else 'Failed'}: {asked.task.title}"


def _words(asked: Asked, now: float) -> str:
    """Return what the page shows, for the audit trail."""
    lines = [f"{name}: {value}" for name, value in _facts(asked, now)]
    return clean("\n".join([_head(asked), *lines]))


def _offers(asked: Asked, now: float) -> Iterator[str]:
    """Yield what came of a task, and what could be next, each with a button of its own."""
    for name, value in _facts(asked, now):
        yield f"<p>{_e(one_line(name, 60))}</p><pre>{_e(value)}</pre>"
    for number, (title, words) in enumerate(asked.offers, 1):
        yield f"<h2>{_e(one_line(title, 100))}</h2><pre>{_e(words)}</pre>"
        if (name := f"{NEXT}{number}") in asked.grant.actions:
            yield '<form method="post">'
            if asked.grant.code is not None:
                yield f"<label>Type the four letters and digits of the message{_CODE}</label>"
            yield f'<button name="action" value="{name}">Start it</button></form>'


def _question(asked: Asked, now: float) -> str:
    if asked.offers:
        return _page(_head(asked), "".join(_offers(asked, now)))
    body = []
    if asked.blocker is not None and asked.blocker.risk == "high":
        body.append('<p class="risk">High risk: this may not be undone.</p>')
    for name, value in _facts(asked, now):
        body.append(f"<p>{_e(one_line(name, 60))}</p><pre>{_e(value)}</pre>")
    body.append('<form method="post">')
    choices = asked.blocker.choices if asked.blocker is not None else ()
    if choices:
        options = "".join(f'<option value="{_e(c.id)}">{_e(c.label)}</option>' for c in choices)
        body.append(
            '<label>Choice<select name="choice"><option value=""></option>'
            f"{options}</select></label>"
        )
    body.append('<label>Reason or answer<textarea name="text" maxlength="4000"></textarea></label>')
    if asked.careful:
        names = " and ".join(_LABELS[action].lower() for action in asked.careful)
        body.append(
            f"<label>To {names}, type the four letters and digits of the message{_CODE}</label>"
        )
    body += [
        f'<button name="action" value="{action.value}">{label}</button>'
        for action, label in _LABELS.items()
        if action in asked.grant.actions
    ]
    return _page(_head(asked), "".join(body) + "</form>")
