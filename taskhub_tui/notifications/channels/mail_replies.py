"""Answers by mail: replies to our mails, looked for while a question that went by mail is open.

No port of ours is open, and the mailbox stays as it is. Each mail is looked at once: how far it was
read outlives the worker.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.notifications.channels import mail_reply
from taskhub_tui.notifications.channels.imap import Mailbox
from taskhub_tui.notifications.channels.mail_reply import Reply
from taskhub_tui.notifications.channels.ntfy_replies import Bookmark, Mark
from taskhub_tui.notifications.message import DeliveryError

log = logging.getLogger("taskhub.mail")

EVERY = 15.0
"""Seconds between two looks."""
FIRST, LONGEST = 30.0, 900.0
"""Seconds after a look that failed: at first, and at most."""
SLACK = 300.0
"""Seconds by which the clock of the server may be behind ours."""


class MailReplies:
    """Hands each answer on once; `run` goes on until it is cancelled."""

    def __init__(
        self,
        mailbox: Mailbox,
        answered: Callable[[Reply], Awaitable[object]],
        since: Callable[[], Awaitable[float | None]],
        bookmark: Bookmark,
        *,
        every: float | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            answered: takes an answer; when it raises, the mail is read again.
            since: when the oldest question that can be answered was sent; None while there is none.
            every: seconds between two looks.
        """
        self._mailbox = mailbox
        self._answered = answered
        self._since = since
        self._bookmark = bookmark
        self._every = EVERY if every is None else every
        self._clock = clock
        self._mark = Mark()
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
            if news.numbered or mail.at >= max(since, before.at):
                found = await asyncio.to_thread(mail_reply.read, mail.raw)
                if found is not None:
                    await self._answered(found)
            self._mark = Mark(mail.place, max(self._mark.at, min(mail.at, self._clock())))
            self._bookmark.save(self._mark)
        return news.more


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
