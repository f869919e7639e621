"""Answers from outside: what a message may be answered with, and the one function that takes it.

A message that asks carries tokens. Whoever gives one back may take one of the decisions it was made
for, once, while the question is the one that the message showed. Everything that comes from a
channel, be it a click, a line from a phone, a mail's link or a web page, goes through `consume`.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any, Protocol

from taskhub_tui.domain.errors import (
    AlreadyDecided,
    BadInput,
    Damaged,
    NotLegal,
    TaskHubError,
)
from taskhub_tui.domain.model import Action, Blocker, Decision, Task
from taskhub_tui.notifications.granting import (
    CODED,
    OUTSIDE,
    TWICE,
    Ask,
    Given,
    give,
    is_careful,
)
from taskhub_tui.notifications.limit import Limit
from taskhub_tui.notifications.message import NEXT
from taskhub_tui.records import dataclass
from taskhub_tui.storage import outbox, queries, rows, tokens
from taskhub_tui.storage.damage import condemn
from taskhub_tui.storage.queries import Reader
from taskhub_tui.storage.store import Store
from taskhub_tui.storage.tokens import Attempt, Grant
from taskhub_tui.storage.writer import Tx
from taskhub_tui.text import clean, one_line

log = logging.getLogger("taskhub.answers")

HTTP = "http"
"""The web page, where tokens of every channel may be used: their messages link to it."""
MISSES = 5
"""Wrong codes after which a token is used up."""
WORDS = 4000
"""Most characters of an answer."""
_SAID = {
    "yes": Action.APPROVE, "y": Action.APPROVE, "ok": Action.APPROVE,
    "no": Action.DENY, "n": Action.DENY, "reply": Action.PROVIDE_CONTEXT,
    **{action.value: action for action in OUTSIDE},
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
class Again:
    """A button that was pressed, and what it would do."""

    grant: Grant
    action: str
    shown: str
    """All of it, after a first line that is its title."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an answer, and how to say so."""

    verdict: Verdict
    sentence: str
    task_id: str | None = None
    again: Again | None = None
    """With `Verdict.AGAIN`, what is to be asked once more."""

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


class Onward(Protocol):
    """What a completed task could be followed by, as `following.Onward`."""

    def words(self, reader: Any, task: Task) -> Sequence[tuple[str, str]]: ...

    def start(
        self, tx: Any, task: Task, number: int, now: float, *, owner: str, channel: str
    ) -> Task: ...


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
        self._take = take
        self._owner = owner
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
            decisions = (Action(one) for one in grant.actions if not one.startswith(NEXT))
            careful = tuple(one for one in decisions if _coded(grant, asked, one))
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
        """Take an answer written in one line: a token, or by SMS a code, a decision, and words."""
        first, _, rest = line.strip().partition(" ")
        said, _, text = rest.strip().partition(" ")
        action = _SAID.get(said.casefold().strip(".,!"))
        name = action.value if action is not None else said.casefold()
        if channel == "sms" and len(first) <= 8:
            hash_ = await self._by_code(first, action, channel, peer)
            return await self._consume(hash_, name, peer, channel, text=text, code=first)
        return await self._consume(tokens.digest(first), name, peer, channel, text=text)

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
        if name not in grant.actions:
            return _refused("This message cannot be answered so", task)
        if name.startswith(NEXT):
            if grant.channel in CODED and (wrong := self._mistyped(tx, grant, task, code, now)):
                return wrong
            return self._go_on(tx, grant, task, name, channel, now)
        action = Action(name)
        blocker = queries.open_blocker(tx, task, checked=False)
        coded = _still(blocker, grant) and _coded(grant, blocker, action)
        if coded and (wrong := self._mistyped(tx, grant, task, code, now)):
            return wrong
        unsure = not grant.sure and channel in TWICE
        if unsure and _still(blocker, grant) and is_careful(blocker, action):
            said = "It is asked once more, since it may not be undone"
            return Outcome(Verdict.AGAIN, said, task.id, Again(grant, name, grant.shown))
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

    def _mistyped(
        self, tx: Tx, grant: Grant, task: Task, code: str | None, now: float
    ) -> Outcome | None:
        """Return what to say unless the code is the one that the message named."""
        if code and grant.typed(code):
            return None
        if code:
            tokens.miss(tx, grant, MISSES, now)
        said = "Type the four letters and digits that the message names"
        return Outcome(Verdict.CODE, said, task.id)

    def _go_on(
        self, tx: Tx, grant: Grant, task: Task, name: str, channel: str, now: float
    ) -> Outcome:
        """Start what was suggested to come next."""
        if self._onward is None:
            return _refused("Nothing is started from here", task)
        number = int(name.removeprefix(NEXT))
        if not grant.sure and channel in TWICE:
            found = self._onward.words(tx, task)
            if not 0 < number <= len(found):
                return Outcome(Verdict.LATE, "This is not suggested any more", task.id)
            shown = "\n".join(found[number - 1])
            said = "It is asked once more, with all that would be handed over"
            return Outcome(Verdict.AGAIN, said, task.id, Again(grant, name, shown))
        try:
            new = self._onward.start(
                tx, task, number, now, owner=self._owner, channel=grant.channel
            )
        except BadInput as error:
            return Outcome(Verdict.UNFIT, _said(error), task.id)
        tokens.spend(tx, grant, now)
        return Outcome(Verdict.TAKEN, f"Started “{one_line(new.title, 120)}” ({new.id})", new.id)

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
        trial = Decision(Action(grant.actions[0]), by=self._owner, channel=grant.channel)
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


def _coded(grant: Grant, blocker: Blocker | None, action: Action) -> bool:
    return grant.channel in CODED and is_careful(blocker, action)


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
