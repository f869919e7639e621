"""What became of an answer from outside, and how to say so."""

from dataclasses import dataclass
from enum import StrEnum

from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.domain.model import Task
from taskhub_tui.storage.tokens import Grant


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


def refused(said: str, task: Task) -> Outcome:
    return Outcome(Verdict.REFUSED, said, task.id)


def in_words(error: TaskHubError) -> str:
    return f"{error}. {error.hint}" if error.hint else str(error)


UNKNOWN = Outcome(Verdict.UNKNOWN, "This answers nothing that TaskHub has asked")
LIMITED = Outcome(Verdict.LIMITED, "Too many answers from there were wrong; try again later")
