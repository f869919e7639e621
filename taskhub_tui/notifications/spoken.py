"""The words with which a person answers in a line, by phone, SMS or mail."""

from taskhub_tui.domain.model import Action
from taskhub_tui.notifications.granting import OUTSIDE

_SAID = {
    "yes": Action.APPROVE, "y": Action.APPROVE, "ok": Action.APPROVE,
    "no": Action.DENY, "n": Action.DENY, "reply": Action.PROVIDE_CONTEXT,
    **{action.value: action for action in OUTSIDE},
}  # fmt: skip


def meant(word: str) -> Action | None:
    """Return the decision that a word means; None for any other word."""
    return _SAID.get(word.casefold().strip(".,:;!"))


def word_for(action: str) -> str:
    """Return the word that a person is told to begin an answer with."""
    return "reply" if action == Action.PROVIDE_CONTEXT.value else action
