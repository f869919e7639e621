"""Answers from outside: what a message may be answered with, and the one function that takes it.

A message that asks carries tokens. Whoever gives one back may take one of the decisions it was made
for, once, while the question is the one that the message showed. Everything that comes from a
channel, be it a click, a line from a phone, a mail's link or a web page, goes through `consume`.
"""

import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from taskhub_tui.domain.errors import Damaged
from taskhub_tui.domain.model import Action, Blocker, Task
from taskhub_tui.notifications.granting import Ask, Given, give
from taskhub_tui.notifications.judging import (
    HTTP,
    MISSES,
    Judge,
    Onward,
    Take,
    is_coded,
    is_still,
)
from taskhub_tui.notifications.limit import Limit
from taskhub_tui.notifications.message import NEXT
from taskhub_tui.notifications.outcome import LIMITED, UNKNOWN, Again, Outcome, Verdict
from taskhub_tui.notifications.spoken import meant
from taskhub_tui.records import dataclass
from taskhub_tui.storage import notices, queries, rows, tokens
from taskhub_tui.storage.damage import condemn
from taskhub_tui.storage.queries import Reader
from taskhub_tui.storage.store import Store
from taskhub_tui.storage.tokens import Attempt, Grant
from taskhub_tui.storage.writer import Tx
from taskhub_tui.text import clean, one_line

log = logging.getLogger("taskhub.answers")

WORDS = 4000
"""Most characters of an answer."""
_CODE = re.compile(r"[A-Za-z0-9]{4}")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a token is about, to be shown before it is used."""

    grant: Grant
    task: Task
    blocker: Blocker | None
    error: str
    """What went wrong, where it is about a failure."""
    careful: tuple[Action, ...]
    """The decisions that take the code."""
    offers: Sequence[tuple[str, str]] = ()
    """What could be done next: titles, and all that would be handed over."""


class Answers:
    """Gives out tokens, and takes them back."""

    def __init__(
        self,
        store: Store,
        take: Take,
        *,
        owner: str,
        clock: Callable[[], float] = time.time,
        limit: Limit | None = None,
        onward: Onward | None = None,
    ) -> None:
        """
        Args:
            owner: in whose name what comes from outside is decided.
            onward: starts what could come next; None starts nothing.
        """
        self._onward = onward
        self._store = store
        self._judge = Judge(take, owner, onward)
        self._clock = clock
        self._limit = limit or Limit(burst=20, every=3.0)
        self.base: str | None = None
        """Where the web page is, without a slash at its end; None while there is none."""

    async def grant(self, ask: Ask) -> Given:
        """Return tokens for a message; none once what it asks was answered or has changed."""
        now = self._clock()
        return await self._store.write(lambda tx: give(tx, ask, self.base, now))

    async def open(self, notification_id: int) -> bool:
        """Return whether what a notification asks is unanswered."""
        note = await self._store.read(lambda r: notices.notification_by_id(r, notification_id))
        return note is not None and note.withdrawn is None

    async def look(self, token: str) -> Asked | Outcome:
        """Return what a token is about, or why it is good for nothing; changes nothing."""
        now = self._clock()

        def read(reader: Reader) -> Asked | Outcome:
            grant = tokens.find(reader, tokens.digest(token))
            if grant is None:
                return UNKNOWN
            task = queries.task_by_id(reader, grant.task_id, read=rows.task_to_show)
            if (dead := self._judge.dead(reader, grant, task, now)) is not None:
                return dead
            blocker = queries.open_blocker(reader, task, checked=False)
            asked = blocker if is_still(blocker, grant) else None
            if grant.blocker_id is not None and asked is None:
                said = (
                    self._judge.who(reader, grant, task, now)
                    or "This question is not open any more"
                )
                return Outcome(Verdict.LATE, said, task.id)
            decisions = (Action(one) for one in grant.actions if not one.startswith(NEXT))
            careful = tuple(one for one in decisions if is_coded(grant, asked, one))
            offers: Sequence[tuple[str, str]] = ()
            if self._onward is not None and grant.actions[0].startswith(NEXT):
                offers = self._onward.words(reader, task)
            return Asked(grant, task, asked, task.error or "", careful, offers)

        return await self._store.read(read)

    async def consume(
        self,
        token: str,
        action: str,
        *,
        peer: str,
        channel: str,
        text: str | None = None,
        code: str | None = None,
        shown: str | None = None,
    ) -> Outcome:
        """Take an answer: the first one for a question decides, all others change nothing.

        Every attempt is written down, in the transaction that takes or refuses it.

        Args:
            action: value of an `Action`.
            peer: from where it comes, such as an address.
            channel: by which way; a token is good for its own, and for `HTTP`.
            code: what was typed, where the message named a code.
            shown: what the person saw, where that is more than the message.

        Raises:
            StoreError: the database cannot be written now; nothing was decided.
        """
        return await self._consume(
            tokens.digest(token), action, peer, channel, text=text, code=code, shown=shown
        )

    async def consume_line(self, line: str, *, peer: str, channel: str) -> Outcome:
        """Take an answer written in one line: a token, or by SMS a code, a decision, and words.

        By mail the words may begin with the code that the message named.
        """
        first, _, rest = line.strip().partition(" ")
        said, _, text = rest.strip().partition(" ")
        action = meant(said)
        name = action.value if action is not None else said.casefold()
        if channel == "sms" and len(first) <= 8:
            hash_ = await self._by_code(first, action, channel, peer)
            return await self._consume(hash_, name, peer, channel, text=text, code=first)
        hash_, code = tokens.digest(first), None
        if channel == "email":
            code, text = await self._code_in(hash_, text)
        return await self._consume(hash_, name, peer, channel, text=text, code=code)

    async def _code_in(self, hash_: bytes, text: str) -> tuple[str | None, str]:
        """Return the code that words begin with, and the rest of them."""
        first, *rest = text.split(maxsplit=1)[:2] or [""]
        if not _CODE.fullmatch(first.strip(".,:;!")):
            return None, text
        code = first.strip(".,:;!")
        grant = await self._store.read(lambda r: tokens.find(r, hash_))
        if grant is not None and grant.typed(code):
            return code, rest[0] if rest else ""
        return code, text

    async def _by_code(self, code: str, action: Action | None, channel: str, peer: str) -> bytes:
        """Return the hash of the token that a recipient's code stands for."""
        now = self._clock()
        for grant in await self._store.read(lambda r: tokens.live(r, channel, peer, now)):
            if action is not None and action in grant.actions and grant.typed(code):
                return grant.hash
        return b""

    async def _consume(
        self,
        hash_: bytes,
        action: str,
        peer: str,
        channel: str,
        *,
        text: str | None,
        code: str | None = None,
        shown: str | None = None,
    ) -> Outcome:
        now = self._clock()
        peer, action = one_line(peer, 100), one_line(action, 40)
        text = clean(text, WORDS).strip() or None if text else None
        # Whoever writes a mail names himself as he likes.
        place = channel if channel == "email" else f"{channel} {peer}"
        within = self._limit.take(place)

        def run(tx: Tx) -> Outcome:
            grant = tokens.find(tx, hash_)
            alive = grant is not None and grant.used is None and grant.expires > now
            attempt = Attempt(now, action, channel, peer, "", text=text)
            if not within and not alive:
                # What is right is taken all the same: noise must not keep a person from answering.
                self._note(tx, replace(attempt, text=None), LIMITED, fold=True)
                return LIMITED
            if grant is None:
                self._note(tx, attempt, UNKNOWN, fold=False)
                return UNKNOWN
            outcome = self._judge.decide(tx, grant, action, channel, peer, text, code, now)
            attempt = replace(
                attempt,
                recipient=grant.recipient,
                task_n=grant.task_n,
                blocker_id=grant.blocker_id,
                version=grant.version,
                shown=shown if shown is not None else grant.shown,
            )
            self._note(tx, attempt, outcome, fold=False)
            return outcome

        try:
            outcome = await self._store.write(run)
        except Damaged as error:
            outcome = await self._damaged(hash_, error, Attempt(now, action, channel, peer, ""))
        if within and outcome.verdict in (Verdict.TAKEN, Verdict.AGAIN):
            self._limit.give_back(place)
        log.info("%s: an answer was %s", channel, outcome.verdict.value)
        return outcome

    def _note(self, tx: Tx, attempt: Attempt, outcome: Outcome, *, fold: bool) -> None:
        tokens.attempted(tx, replace(attempt, verdict=outcome.verdict.value), fold=fold)

    async def _damaged(self, hash_: bytes, error: Damaged, attempt: Attempt) -> Outcome:
        """Fail the task whose question is damaged, as with any other decision about it."""

        def fail(tx: Tx) -> Outcome:
            grant = tokens.find(tx, hash_)
            if grant is None:
                return UNKNOWN
            outcome = Outcome(Verdict.DAMAGED, str(error), grant.task_id)
            condemn(tx, grant.task_n, error, attempt.at)
            self._note(tx, replace(attempt, task_n=grant.task_n), outcome, fold=False)
            return outcome

        return await self._store.write(fail)


__all__ = [
    "HTTP",
    "MISSES",
    "Again",
    "Answers",
    "Asked",
    "Given",
    "Limit",
    "Outcome",
    "Verdict",
]
