"""The audit trail of decisions: who, when, by which way, what was shown, and which rule. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from taskhub_tui.records import dataclass
from taskhub_tui.text import clean, one_line


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: a decision, an answer from outside that was not taken, or what became of a rule."""

    at: float
    what: str
    """`decided`, `refused`, `asked again`, `started`, `rule made` or `rule revoked`.

    What was started is a task that an agent had suggested to come next.
    """
    by: str
    channel: str
    task_id: str | None = None
    """None: it belongs to no task, as an answer with a token that is none of ours."""
    title: str = ""
    action: str = ""
    text: str | None = None
    """Reason or answer in words."""
    verdict: str = ""
    """Why an answer from outside was not taken, in a word: spent, expired, late, …"""
    peer: str | None = None
    """From where it came, if from outside."""
    question: str = ""
    shown: str | None = None
    """What the person saw when deciding; None where nobody knows any more."""
    rule: str | None = None
    """ID of the always-allow rule that decided, or that it is about."""
    rule_words: str | None = None
    times: int = 1
    """How often the same happened within a minute."""


def shown(question: str, detail: Mapping[str, Any]) -> str:
    """Return what a question shows, as text: nothing of it is cut."""
    lines = [question]
    for name, value in detail.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        lines.append(f"{one_line(str(name), 100)}: {text}")
    return clean("\n".join(lines))
