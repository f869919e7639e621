"""Answers by SMS: what came in, asked of the service while a question that went by SMS is open.

No port of ours is open. Whoever can send from the person's number, and knows the code of a message,
can answer it; nobody else.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from email.utils import parsedate_to_datetime
from typing import Any

from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.notifications.channels.bookmark import Bookmark, Mark
from taskhub_tui.notifications.channels.sms import SmsChannel
from taskhub_tui.text import clean

log = logging.getLogger("taskhub.sms")

EVERY = 10.0
"""Seconds between two looks."""
REST = 120.0
"""Seconds after a look that failed."""
SLACK = 60.0
"""Seconds by which the clock of the service may be behind ours."""
_MEMORY = 500


class SmsReplies:
    """Hands each answer on once; `run` goes on until it is cancelled."""

    def __init__(
        self,
        channel: SmsChannel,
        answered: Callable[[str], Awaitable[object]],
        since: Callable[[], Awaitable[float | None]],
        bookmark: Bookmark,
        *,
        every: float | None = None,
    ) -> None:
        """
        Args:
            answered: takes a line such as "K7PQ approve".
            every: seconds between two looks.
            since: when the oldest question that can be answered was sent; None while there is none.
        """
        self._channel = channel
        self._answered = answered
        self._since = since
        self._bookmark = bookmark
        self._every = EVERY if every is None else every
        self._mark = Mark()
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._complained = ""

    async def run(self) -> None:
        """Look for answers until cancelled, whatever the service says."""
        while not self._bookmark.hold():
            await asyncio.sleep(self._every)
        try:
            self._mark = self._bookmark.load()
            while True:
                await asyncio.sleep(await self._look())
        finally:
            self._bookmark.release()
            await self._channel.close()

    async def _look(self) -> float:
        """Take in what is new; return when to look again."""
        try:
            if (since := await self._since()) is not None:
                await self._take(await self._channel.came(), since - SLACK)
                self._complained = ""
        except TaskHubError as error:
            if str(error) != self._complained:
                self._complained = str(error)
                log.warning("sms: answers cannot be read: %s", error)
            return max(REST, getattr(error, "after", None) or 0.0)
        except Exception:
            log.exception("sms: a bug in reading answers")
            return REST
        return self._every

    async def _take(self, messages: list[Any], since: float) -> None:
        found = [one for raw in messages if (one := _message(raw)) is not None]
        for at, id_, text in sorted(found):
            if id_ in self._seen or id_ == self._mark.id or at < max(since, self._mark.at):
                continue
            await self._answered(text)
            self._seen[id_] = None
            if len(self._seen) > _MEMORY:
                self._seen.popitem(last=False)
            self._mark = Mark(id_, at)
            self._bookmark.save(self._mark)


def _message(raw: Any) -> tuple[float, str, str] | None:
    """Return time, ID and text of what came in; None for what is none of that."""
    if not isinstance(raw, dict) or raw.get("direction") != "inbound":
        return None
    id_, text, sent = raw.get("sid"), raw.get("body"), raw.get("date_created")
    if not (isinstance(id_, str) and isinstance(text, str) and isinstance(sent, str)):
        return None
    if not id_.isalnum() or len(id_) > 64:
        return None
    try:
        at = parsedate_to_datetime(sent).timestamp()
    except (ValueError, OverflowError):
        return None
    return at, id_, clean(text, 2000)
