"""Answers from the phone: the stream of the secret reply topic, to which its buttons post.

No port of ours is open. The stream ends now and then, and then goes on after the last answer that
was taken in; the server may send answers again, and anybody who learns the topic may write to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.notifications.channels.bookmark import Bookmark, Mark
from taskhub_tui.notifications.channels.http import Reply, client, refusal, secret_of, why
from taskhub_tui.notifications.channels.ntfy import headers, host_of, said
from taskhub_tui.notifications.message import DeliveryError

if TYPE_CHECKING:
    import httpx

log = logging.getLogger("taskhub.phone")

LINE = 65536
"""Bytes of a line that is looked at; what is longer is passed over."""
SILENCE = 100.0
"""Seconds without a word after which a stream is taken for dead; ntfy says something every 45."""
SLACK = 300.0
"""Seconds by which a server's clock may go back without an answer being missed."""
TURN = 5.0
"""Seconds after which a second worker looks whether it is its turn to read."""
FIRST, LONGEST = 1.0, 60.0
"""Seconds to wait before the stream is opened again: at first, and at most."""
_MEMORY = 1000
"""IDs remembered, so that what is sent again is passed over."""
_ID = re.compile(r"[A-Za-z0-9]{1,64}")
_ANSWER = re.compile(r"[A-Za-z0-9_-]{32,128} \S")
_WORDS = 4096


class ReplyStream:
    """Hands each answer on once; `run` goes on until it is cancelled."""

    def __init__(
        self,
        server: str,
        topic: str,
        answered: Callable[[str], Awaitable[object]],
        bookmark: Bookmark,
        *,
        token: str = "",
        timeout: float = 10.0,
        silence: float = SILENCE,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """
        Args:
            answered: takes a line such as "TOKEN approve"; when it raises, it is called again.
            token: reference to the access token of ntfy; "" for none.
            sleep: waits before the next try.
        """
        self._url = f"{server.rstrip('/')}/{quote(topic, safe='')}/json"
        self._topic = topic
        self._who = f"The reply topic at {host_of(server)}"
        self._answered = answered
        self._bookmark = bookmark
        self._token = token
        self._timeout = timeout
        self._silence = silence
        self._sleep = sleep
        self._mark = Mark()
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._complained = ""
        self._heard = False
        """Whether this stream has said anything."""
        self.problem: str | None = None
        """Why no answer can come from the phone now; None while the stream is open."""

    async def run(self) -> None:
        """Read the topic until cancelled, whatever becomes of the connection."""
        while not self._bookmark.hold():
            await asyncio.sleep(TURN)
        try:
            await self._read()
        finally:
            self._bookmark.release()

    async def _read(self) -> None:
        self._mark = self._bookmark.load()
        pause = FIRST
        async with client(self._timeout, self._url) as http:
            while True:
                after, self._heard = None, False
                try:
                    await self._listen(http)
                    self.problem = f"{self._who} ended the stream"
                except DeliveryError as error:
                    self._complain(str(error))
                    after = error.after if error.retry else LONGEST
                except TaskHubError as error:
                    # The database is busy; the same answer is read again.
                    self._complain(str(error))
                except Exception as bug:
                    log.exception("phone: a bug in the stream of answers")
                    self.problem = f"{type(bug).__name__}: {bug}"
                if self._heard:
                    pause = FIRST
                await self._sleep(max(after or 0.0, pause * random.uniform(0.8, 1.2)))
                pause = min(LONGEST, pause * 2)

    def _complain(self, sentence: str) -> None:
        self.problem = sentence
        if sentence != self._complained:
            self._complained = sentence
            log.warning("phone: %s", sentence)

    async def _listen(self, http: httpx.AsyncClient) -> None:
        """Read one stream to its end."""
        import httpx

        token = secret_of(self._token)
        # An ID that the server has forgotten makes it send all it has; so does none at all.
        since = self._mark.id or "all"
        silence = httpx.Timeout(self._timeout, read=self._silence)
        try:
            async with http.stream(
                "GET", self._url, params={"since": since}, headers=headers(token), timeout=silence
            ) as stream:
                if stream.status_code != 200:
                    reply = Reply(stream.status_code, dict(stream.headers), await _start(stream))
                    raise refusal(reply, self._who, said(reply), secret=token)
                async for line in _lines(stream):
                    if not self._heard:
                        self._heard = True
                        self.problem, self._complained = None, ""
                    await self._take(line)
        except httpx.HTTPError as error:
            if self._heard:
                # It was open: that a stream breaks off is nothing to speak of.
                self.problem = f"{self._who} broke off"
                return
            raise DeliveryError(
                f"{self._who} cannot be read: {_reason(error)}", retry=True
            ) from None

    async def _take(self, line: bytes) -> None:
        found = _message(line, self._topic)
        if found is None:
            return
        id_, at, text = found
        # Sent again, because the server has forgotten the ID that we go on from.
        if id_ in self._seen or id_ == self._mark.id or at < self._mark.at - SLACK:
            return
        if _ANSWER.match(text) and len(text) <= _WORDS:
            await self._answered(text)
        self._seen[id_] = None
        if len(self._seen) > _MEMORY:
            self._seen.popitem(last=False)
        self._mark = Mark(id_, max(at, self._mark.at))
        self._bookmark.save(self._mark)


async def _lines(stream: httpx.Response) -> AsyncIterator[bytes]:
    """Yield the lines of a stream; a line without an end takes no room."""
    rest, skip = b"", False
    async for piece in stream.aiter_bytes():
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if not skip and len(line) <= LINE:
                yield line
            skip = False
        if len(rest) > LINE:
            rest, skip = b"", True


def _message(line: bytes, topic: str) -> tuple[str, float, str] | None:
    """Return ID, time and text of a line of the stream; None for what is no message."""
    try:
        found: Any = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("event") != "message":
        return None
    id_, at, text = found.get("id"), found.get("time"), found.get("message")
    if not isinstance(id_, str) or not isinstance(text, str) or not _ID.fullmatch(id_):
        return None
    if isinstance(at, bool) or not isinstance(at, int) or found.get("topic") != topic:
        return None
    # A time far beyond any clock would make us deaf to all that comes after it.
    return (id_, float(at), text) if 0 <= at < 1 << 40 else None


async def _start(stream: httpx.Response) -> bytes:
    body = b""
    with contextlib.suppress(Exception):
        async for piece in stream.aiter_bytes():
            body += piece
            if len(body) > 4096:
                break
    return body[:4096]


def _reason(error: Exception) -> str:
    return "it does not answer" if "Timeout" in type(error).__name__ else why(error)
