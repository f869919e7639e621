"""Answers from outside: what a message may be answered with, and the one function that takes it.

A message that asks carries tokens. Whoever gives one back may take one of the decisions it was made
for, once, while the question is the one that the message showed. Everything that comes from a
channel, be it a click, a line from a phone, a mail's link or a web page, goes through `consume`.
"""

import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol

from taskhub_tui.domain.errors import (
    AlreadyDecided,
    BadInput,
    Damaged,
    NotLegal,
    TaskHubError,
)
from taskhub_tui.domain.model import Action, Blocker, Decision, NoticeKind, Task
from taskhub_tui.domain.waiting import approves
from taskhub_tui.notifications.limit import Limit
from taskhub_tui.storage import outbox, queries, rows, tokens
from taskhub_tui.storage.damage import condemn
from taskhub_tui.storage.queries import Reader
from taskhub_tui.storage.store import Store
from taskhub_tui.storage.tokens import Attempt, Grant
from taskhub_tui.storage.writer import Tx
from taskhub_tui.text import clean, one_line

log = logging.getLogger("taskhub.answers")

LIFE = 24 * 3600.0
"""Seconds for which a message can be answered."""
SHORT_LIFE = 3600.0
"""The same where it may approve what cannot be taken back."""
HTTP = "http"
"""The web page, where tokens of every channel may be used: their messages link to it."""
CODED = frozenset({"email", "sms"})
"""Channels whose messages machines read as well: approving what is risky takes a typed code."""
ONE_CLICK = frozenset({"desktop"})
"""Channels where a click in passing decides: what is risky is approved in the app instead."""
TWICE = frozenset({"phone"})
"""Channels where a button that lets something risky go ahead asks once more."""
TEXT_ONLY = frozenset({"webhook", "command", "apprise"})
"""Channels over which nothing risky is ever approved."""
MISSES = 5
"""Wrong codes after which a token is used up."""
WORDS = 4000
"""Most characters of an answer."""
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Of codes: without letters that look like digits."""
_OUTSIDE = frozenset(
    {Action.APPROVE, Action.DENY, Action.RETRY, Action.CANCEL, Action.PROVIDE_CONTEXT}
)
"""Decisions that need no more than words; the others are made in the app."""
_SAID = {
    "yes": Action.APPROVE, "y": Action.APPROVE, "ok": Action.APPROVE,
    "no": Action.DENY, "n": Action.DENY, "reply": Action.PROVIDE_CONTEXT,
    **{action.value: action for action in _OUTSIDE},
}  # fmt: skip


class Verdict(StrEnum):
    """What became of an answer."""

    TAKEN = "taken"
    AGAIN = "again"  #: nothing yet: it is risky, and asked once more
    UNKNOWN = "unknown"  #: its token is none of ours
    SPENT = "spent"  #: the token, or another of the same question, was used
    EXPIRED = "expired"
    REFUSED = "refused"  #: the token does not allow this
    CODE = "code"  #: the code that was typed is not the message's
    LATE = "late"  #: the question was answered elsewhere, or has changed
    UNFIT = "unfit"  #: it lacks something
    LIMITED = "limited"  #: too many wrong ones came from there
    DAMAGED = "damaged"  #: the database does not hold what was asked any more


_STATUS = {
    Verdict.TAKEN: 200,
    Verdict.AGAIN: 202,
    Verdict.UNKNOWN: 404,
    Verdict.SPENT: 410,
    Verdict.EXPIRED: 410,
    Verdict.REFUSED: 403,
    Verdict.CODE: 403,
    Verdict.LATE: 409,
    Verdict.UNFIT: 400,
    Verdict.LIMITED: 429,
    Verdict.DAMAGED: 500,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an answer, and how to say so."""

    verdict: Verdict
    sentence: str
    task_id: str | None = None
    grant: Grant | None = None
    """With `Verdict.AGAIN`, what the token that was used is about."""

    @property
    def status(self) -> int:
        """As HTTP has it."""
        return _STATUS[self.verdict]


class Take(Protocol):
    """Takes a decision in a transaction, as `deciding.answer`; raises where it cannot."""

    def __call__(
        self,
        tx: Any,
        task: Task,
        decision: Decision,
        now: float,
        *,
        blocker_id: str | None,
        version: int | None,
        write: bool = True,
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Given:
    """With what a message can be answered."""

    tokens: dict[str, str]
    """Action ID → token."""
    code: str = ""
    link: str = ""


NOTHING = Given({})


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
    ) -> None:
        """
        Args:
            owner: in whose name what comes from outside is decided.
        """
        self._store = store
        self._take = take
        self._owner = owner
        self._clock = clock
        self._limit = limit or Limit(burst=20, every=3.0)
        self.base: str | None = None
        """Where the web page is, without a slash at its end; None while there is none."""

    async def grant(
        self,
        notification_id: int,
        channel: str,
        recipient: str,
        shown: str,
        *,
        key: str = "",
        public: bool = False,
        whole: bool = True,
        sure: bool = False,
    ) -> Given:
        """Return tokens for what a notification asks; none once it was answered or has changed.

        Args:
            shown: what the message says, for the audit trail.
            key: of the message.
            public: strangers may read the channel: nothing risky can be approved by it.
            whole: all that is asked is in the message; else only the web page lets it go ahead.
            sure: the message asks for the second time.
        """
        secret = {action: secrets.token_urlsafe(32) for action in _OUTSIDE}
        page = secrets.token_urlsafe(32)
        code = "".join(secrets.choice(_ALPHABET) for _ in range(4))
        now = self._clock()

        def write(tx: Tx) -> Given:
            note = outbox.notification_by_id(tx, notification_id)
            if note is None or note.withdrawn is not None:
                return NOTHING
            if note.kind not in (NoticeKind.BLOCKER, NoticeKind.ERROR):
                return NOTHING
            task = queries.task_by_id(tx, note.task_id, read=rows.task_to_show)
            blocker = None
            if note.blocker_id is not None:
                blocker = outbox.asked_by(tx, note, task)
                if blocker is None:
                    return NOTHING
            careful = {action for action in _OUTSIDE if _careful(blocker, action)}
            never = careful if public or channel in TEXT_ONLY | ONE_CLICK else set()
            if channel in TWICE:
                # What is asked once more has a button for yes, and no room for words.
                never = never | (careful - {Action.APPROVE})
            actions = [one for one in note.actions if one in _OUTSIDE and one not in never]
            here = [one for one in actions if whole or not approves(blocker, one)]
            coded = channel == "sms" or (channel in CODED and not careful.isdisjoint(actions))

            def mint(token: str, allowed: tuple[Action, ...]) -> None:
                hash_ = tokens.digest(token)
                expires = now + (LIFE if careful.isdisjoint(allowed) else SHORT_LIFE)
                tokens.mint(
                    tx,
                    Grant(
                        hash_,
                        task.id,
                        task.n,
                        note.id,
                        note.blocker_id,
                        blocker.version if blocker is not None else None,
                        allowed,
                        channel,
                        recipient,
                        tokens.sealed(hash_, code) if coded else None,
                        0,
                        shown,
                        now,
                        expires,
                        key=key,
                        sure=sure or channel not in TWICE,
                    ),
                )

            for action in here:
                mint(secret[action], (action,))
            link = ""
            if actions and self.base is not None:
                mint(page, tuple(actions))
                link = f"{self.base}/{page}"
            return Given(
                {action.value: secret[action] for action in here},
                code if coded and actions else "",
                link,
            )

        return await self._store.write(write)

    async def open(self, notification_id: int) -> bool:
        """Return whether what a notification asks is unanswered."""
        note = await self._store.read(lambda r: outbox.notification_by_id(r, notification_id))
        return note is not None and note.withdrawn is None

    async def look(self, token: str) -> Asked | Outcome:
        """Return what a token is about, or why it is good for nothing; changes nothing."""
        now = self._clock()

        def read(reader: Reader) -> Asked | Outcome:
            grant = tokens.find(reader, tokens.digest(token))
            if grant is None:
                return _UNKNOWN
            task = queries.task_by_id(reader, grant.task_id, read=rows.task_to_show)
            if (dead := self._dead(reader, grant, task, now)) is not None:
                return dead
            blocker = queries.open_blocker(reader, task, checked=False)
            asked = blocker if _still(blocker, grant) else None
            if grant.blocker_id is not None and asked is None:
                said = self._who(reader, grant, task, now) or "This question is not open any more"
                return Outcome(Verdict.LATE, said, task.id)
            careful = tuple(a for a in grant.actions if _coded(grant, asked, a))
            return Asked(grant, task, asked, task.error or "", careful)

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
        """Take an answer written in one line: a token, or by SMS a code, a decision, and words."""
        first, _, rest = line.strip().partition(" ")
        said, _, text = rest.strip().partition(" ")
        action = _SAID.get(said.casefold().strip(".,!"))
        name = action.value if action is not None else said
        if channel == "sms" and len(first) <= 8:
            hash_ = await self._by_code(first, action, channel, peer)
            return await self._consume(hash_, name, peer, channel, text=text, code=first)
        return await self._consume(tokens.digest(first), name, peer, channel, text=text)

    async def _by_code(self, code: str, action: Action | None, channel: str, peer: str) -> bytes:
        """Return the hash of the token that a recipient's code stands for."""
        now = self._clock()
        for grant in await self._store.read(lambda r: tokens.live(r, channel, peer, now)):
            if action in grant.actions and grant.typed(code):
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
        place = f"{channel} {peer}"
        within = self._limit.take(place)

        def run(tx: Tx) -> Outcome:
            grant = tokens.find(tx, hash_)
            alive = grant is not None and grant.used is None and grant.expires > now
            attempt = Attempt(now, action, channel, peer, "", text=text)
            if not within and not alive:
                # What is right is taken all the same: noise must not keep a person from answering.
                self._note(tx, replace(attempt, text=None), _LIMITED, fold=True)
                return _LIMITED
            if grant is None:
                self._note(tx, attempt, _UNKNOWN, fold=False)
                return _UNKNOWN
            outcome = self._decide(tx, grant, action, channel, text, code, now)
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

    def _decide(
        self,
        tx: Tx,
        grant: Grant,
        name: str,
        channel: str,
        text: str | None,
        code: str | None,
        now: float,
    ) -> Outcome:
        task = queries.task_by_id(tx, grant.task_id, read=rows.task_to_show)
        if (dead := self._dead(tx, grant, task, now)) is not None:
            return dead
        if channel not in (grant.channel, HTTP):
            return _refused("This was not sent by that way", task)
        if name not in {action.value for action in grant.actions}:
            return _refused("This message cannot be answered so", task)
        action = Action(name)
        blocker = queries.open_blocker(tx, task, checked=False)
        coded = _still(blocker, grant) and _coded(grant, blocker, action)
        if coded and not (code and grant.typed(code)):
            if code:
                tokens.miss(tx, grant, MISSES, now)
            said = "Type the four letters and digits that the message names"
            return Outcome(Verdict.CODE, said, task.id)
        unsure = not grant.sure and channel in TWICE
        if unsure and _still(blocker, grant) and _careful(blocker, action):
            said = "It is asked once more, since it may not be undone"
            return Outcome(Verdict.AGAIN, said, task.id, grant)
        decision = Decision(action, by=self._owner, channel=grant.channel, text=text)
        try:
            self._take(
                tx,
                queries.task_by_id(tx, task.id),
                decision,
                now,
                blocker_id=grant.blocker_id,
                version=grant.version,
            )
        except NotLegal as error:
            return Outcome(Verdict.LATE, _said(error), task.id)
        except BadInput as error:
            return Outcome(Verdict.UNFIT, _said(error), task.id)
        tokens.spend(tx, grant, now)
        return Outcome(Verdict.TAKEN, f"{action.name}: “{one_line(task.title, 120)}”", task.id)

    def _dead(self, reader: Reader, grant: Grant, task: Task, now: float) -> Outcome | None:
        """Say why a token is good for nothing any more; None when it is not so."""
        if grant.used is not None:
            said = self._who(reader, grant, task, now) or "This was used before"
            return Outcome(Verdict.SPENT, said, task.id)
        if grant.expires <= now:
            return Outcome(Verdict.EXPIRED, "This has expired; the app shows what is open", task.id)
        if grant.blocker_id is None:
            note = outbox.notification_by_id(reader, grant.notification_id)
            if note is None or note.withdrawn is not None:
                return Outcome(Verdict.LATE, "Too late: somebody has decided already", task.id)
        return None

    def _who(self, reader: Reader, grant: Grant, task: Task, now: float) -> str | None:
        """Say who was faster; None when nobody was."""
        if grant.blocker_id is None:
            return None
        trial = Decision(grant.actions[0], by=self._owner, channel=grant.channel)
        try:
            self._take(
                reader,
                task,
                trial,
                now,
                blocker_id=grant.blocker_id,
                version=grant.version,
                write=False,
            )
        except AlreadyDecided as error:
            return str(error)
        except TaskHubError:
            return None
        return None

    async def _damaged(self, hash_: bytes, error: Damaged, attempt: Attempt) -> Outcome:
        """Fail the task whose question is damaged, as with any other decision about it."""

        def fail(tx: Tx) -> Outcome:
            grant = tokens.find(tx, hash_)
            if grant is None:
                return _UNKNOWN
            outcome = Outcome(Verdict.DAMAGED, str(error), grant.task_id)
            condemn(tx, grant.task_n, error, attempt.at)
            self._note(tx, replace(attempt, task_n=grant.task_n), outcome, fold=False)
            return outcome

        return await self._store.write(fail)


def _careful(blocker: Blocker | None, action: Action) -> bool:
    """Return whether a decision lets something risky go ahead."""
    return blocker is not None and blocker.risk == "high" and approves(blocker, action)


def _coded(grant: Grant, blocker: Blocker | None, action: Action) -> bool:
    return grant.channel in CODED and _careful(blocker, action)


def _still(blocker: Blocker | None, grant: Grant) -> bool:
    """Return whether the open question is the one that the message showed."""
    return blocker is not None and (blocker.id, blocker.version) == (
        grant.blocker_id,
        grant.version,
    )


def _refused(said: str, task: Task) -> Outcome:
    return Outcome(Verdict.REFUSED, said, task.id)


def _said(error: TaskHubError) -> str:
    return f"{error}. {error.hint}" if error.hint else str(error)


_UNKNOWN = Outcome(Verdict.UNKNOWN, "This answers nothing that TaskHub has asked")
_LIMITED = Outcome(Verdict.LIMITED, "Too many answers from there were wrong; try again later")

__all__ = ["HTTP", "Answers", "Asked", "Given", "Limit", "Outcome", "Verdict"]
