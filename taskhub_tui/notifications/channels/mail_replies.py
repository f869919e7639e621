"""Answers by mail: replies to our mails, looked for while a question that went by mail is open.

No port of ours is open, and the mailbox stays as it is. Each mail is looked at once: how far it was
read outlives the worker.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Generic, TypeVar

from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.notifications.channels import mail_reply
from taskhub_tui.notifications.channels.bookmark import Bookmark, Mark
from taskhub_tui.notifications.channels.imap import Mail, Mailbox
from taskhub_tui.notifications.channels.mail_reply import Reply
from taskhub_tui.notifications.message import DeliveryError

log = logging.getLogger("taskhub.mail")

EVERY = 15.0
"""Seconds between two looks."""
FIRST, LONGEST = 30.0, 900.0
"""Seconds after a look that failed: at first, and at most."""
SLACK = 300.0
"""Seconds by which the clock of the server may be behind ours."""
_MEMORY = 500
T = TypeVar("T")


class MailReplies(Generic[T]):
    """Hands each answer on once; `run` goes on until it is cancelled."""

    def __init__(
        self,
        mailbox: Mailbox,
        answered: Callable[[Reply], Awaitable[T]],
        since: Callable[[], Awaitable[float | None]],
        bookmark: Bookmark,
        *,
        told: Callable[[Reply, T], Awaitable[object]] | None = None,
        every: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            answered: takes an answer; when it raises, the mail is read again.
            told: is called with what became of it, once it is known for good that it was read.
            since: when the oldest question that can be answered was sent; None while there is none.
            every: seconds between two looks.
        """
        self._mailbox = mailbox
        self._answered = answered
        self._since, self._told = since, told
        self._bookmark = bookmark
        self._every = EVERY if every is None else every
        self._clock = clock
        self._mark = Mark()
        self._seen: OrderedDict[bytes, None] = OrderedDict()
        self._pause = FIRST
        self._complained = ""

    async def run(self) -> None:
        """Look for answers until cancelled, whatever the server says."""
        while not self._bookmark.hold():
            await asyncio.sleep(self._every)
        try:
            self._mark = self._bookmark.load()
            while True:
                await asyncio.sleep(await self.look())
        finally:
            self._bookmark.release()
            await self._mailbox.close()

    async def look(self) -> float:
        """Take in what is new; return in how many seconds to look again."""
        try:
            since = await self._since()
            if since is None:
                await self._mailbox.close()
                return self._every
            more = await self._take(since - SLACK)
        except TaskHubError as error:
            return self._later(error)
        except Exception:
            log.exception("mail: a bug in reading answers")
            return LONGEST
        self._pause, self._complained = FIRST, ""
        return 0.0 if more else self._every

    def _later(self, error: TaskHubError) -> float:
        if str(error) != self._complained:
            self._complained = str(error)
            log.warning("mail: answers cannot be read: %s", error)
        # A wrong password that is tried often locks the person out.
        pause = self._pause if getattr(error, "retry", True) else LONGEST
        self._pause = min(LONGEST, self._pause * 2)
        return pause

    async def _take(self, since: float) -> bool:
        news = await self._mailbox.new(self._mark.id, since)
        before = self._mark
        for mail in news.mails:
            # Without numbers to go on from, what was looked at before comes again.
            new = news.numbered or mail.at >= max(since, before.at)
            seal = hashlib.sha256(mail.raw).digest()
            found = None
            if new and (news.numbered or seal not in self._seen):
                found = await asyncio.to_thread(mail_reply.read, mail.raw)
            if found is None:
                self._keep(mail, seal)
                continue
            outcome = await _whole(self._hand_on(found, mail, seal))
            if self._told is not None:
                await self._told(found, outcome)
        return news.more

    async def _hand_on(self, reply: Reply, mail: Mail, seal: bytes) -> T:
        outcome = await self._answered(reply)
        self._keep(mail, seal)
        return outcome

    def _keep(self, mail: Mail, seal: bytes) -> None:
        """Note for good that a mail was looked at."""
        self._seen[seal] = None
        if len(self._seen) > _MEMORY:
            self._seen.popitem(last=False)
        self._mark = Mark(mail.place, max(self._mark.at, min(mail.at, self._clock())))
        self._bookmark.save(self._mark)


async def _whole(work: Coroutine[Any, Any, T]) -> T:
    """Do all of it, also when it is cancelled meanwhile: what was taken is to be known as taken."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        task.cancelled() or task.exception()
        raise


async def readable(mailbox: Mailbox) -> str:
    """Open the mailbox once and say so, for `taskhub notify test`.

    Raises:
        DeliveryError: it cannot be read.
    """
    try:
        await mailbox.check()
    except DeliveryError as error:
        raise DeliveryError(
            f"Mails go out, but replies to them cannot be read: {error}",
            retry=False,
            hint=error.hint,
        ) from None
    return " Replies to it can be read."
