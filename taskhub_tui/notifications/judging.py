"""What an answer from outside comes to: a decision, a second question, or why it is refused.

All of it happens in the transaction that takes or refuses the answer.
"""

from collections.abc import Sequence
from email.utils import parseaddr
from typing import Any, Protocol

from taskhub_tui.domain.errors import AlreadyDecided, BadInput, NotLegal, TaskHubError
from taskhub_tui.domain.model import Action, Blocker, Decision, Task
from taskhub_tui.notifications.granting import CODED, TWICE, is_careful
from taskhub_tui.notifications.message import NEXT
from taskhub_tui.notifications.outcome import Again, Outcome, Verdict, in_words, refused
from taskhub_tui.storage import notices, queries, rows, tokens
from taskhub_tui.storage.queries import Reader
from taskhub_tui.storage.tokens import Grant
from taskhub_tui.storage.writer import Tx
from taskhub_tui.text import one_line

HTTP = "http"
"""The web page, where tokens of every channel may be used: their messages link to it."""
MISSES = 5
"""Wrong codes after which a token is used up."""


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


class Judge:
    """Knows what a token allows at this moment."""

    def __init__(self, take: Take, owner: str, onward: Onward | None) -> None:
        self._take, self._owner, self._onward = take, owner, onward

    def decide(
        self,
        tx: Tx,
        grant: Grant,
        name: str,
        channel: str,
        peer: str,
        text: str | None,
        code: str | None,
        now: float,
    ) -> Outcome:
        task = queries.task_by_id(tx, grant.task_id, read=rows.task_to_show)
        if (dead := self.dead(tx, grant, task, now)) is not None:
            return dead
        if channel not in (grant.channel, HTTP):
            return refused("This was not sent by that way", task)
        asked = parseaddr(grant.recipient)[1]
        if channel == "email" and asked and peer.casefold() != asked.casefold():
            return refused("This did not come from the address that was asked", task)
        if name not in grant.actions:
            return refused("This message cannot be answered so", task)
        if name.startswith(NEXT):
            if grant.channel in CODED and (wrong := self._mistyped(tx, grant, task, code, now)):
                return wrong
            return self._go_on(tx, grant, task, name, channel, now)
        action = Action(name)
        blocker = queries.open_blocker(tx, task, checked=False)
        coded = is_still(blocker, grant) and is_coded(grant, blocker, action)
        if coded and (wrong := self._mistyped(tx, grant, task, code, now)):
            return wrong
        unsure = not grant.sure and channel in TWICE
        if unsure and is_still(blocker, grant) and is_careful(blocker, action):
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
            return Outcome(Verdict.LATE, in_words(error), task.id)
        except BadInput as error:
            return Outcome(Verdict.UNFIT, in_words(error), task.id)
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
            return refused("Nothing is started from here", task)
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
            return Outcome(Verdict.UNFIT, in_words(error), task.id)
        tokens.spend(tx, grant, now)
        return Outcome(Verdict.TAKEN, f"Started “{one_line(new.title, 120)}” ({new.id})", new.id)

    def dead(self, reader: Reader, grant: Grant, task: Task, now: float) -> Outcome | None:
        """Say why a token is good for nothing any more; None when it is not so."""
        if grant.used is not None:
            said = self.who(reader, grant, task, now) or "This was used before"
            return Outcome(Verdict.SPENT, said, task.id)
        if grant.expires <= now:
            return Outcome(Verdict.EXPIRED, "This has expired; the app shows what is open", task.id)
        if grant.blocker_id is None:
            note = notices.notification_by_id(reader, grant.notification_id)
            if note is None or note.withdrawn is not None:
                return Outcome(Verdict.LATE, "Too late: somebody has decided already", task.id)
        return None

    def who(self, reader: Reader, grant: Grant, task: Task, now: float) -> str | None:
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


def is_coded(grant: Grant, blocker: Blocker | None, action: Action) -> bool:
    """Return whether a decision takes the code that the message named."""
    return grant.channel in CODED and is_careful(blocker, action)


def is_still(blocker: Blocker | None, grant: Grant) -> bool:
    """Return whether the open question is the one that the message showed."""
    return blocker is not None and (blocker.id, blocker.version) == (
        grant.blocker_id,
        grant.version,
    )
