"""Where a notification was told, is told, or is not, and why: in sentences."""

from collections.abc import Sequence
from typing import Literal

from taskhub_tui.domain.durations import countdown, spell
from taskhub_tui.domain.model import Notification
from taskhub_tui.records import dataclass


@dataclass(frozen=True, slots=True)
class Telling:
    """A notification on one channel, at one time."""

    channel: str
    due: float | None
    """When the policy has it told; None is never."""
    reason: str
    state: Literal["queued", "sending", "sent", "withdrawn", "dead"] | None = None
    """How far it is; None where nothing is sent, as for the app."""
    next_try: float | None = None
    sent: float | None = None
    error: str | None = None
    """Why the last try failed."""


@dataclass(frozen=True, slots=True)
class Told:
    """A notification, and what became of it on every channel."""

    notification: Notification
    tellings: Sequence[Telling]
    """Empty as long as no worker has looked at it."""


def sentence(one: Telling, now: float, *, asks: bool = True) -> str:
    """Return what became of it, and why; what does not ask cannot be answered before, either."""
    return f"{one.channel}: {_state(one, now, asks)}. {one.reason}"


def _state(one: Telling, now: float, asks: bool) -> str:
    if one.sent is not None:
        told = f"told {spell(now - one.sent)} ago"
        return f"{told}, and taken back since" if one.state == "withdrawn" else told
    match one.state:
        case "withdrawn" if one.channel == "terminal" and one.error is not None:
            return f"not told ({_bare(one.error)})"
        case "withdrawn":
            return "not told, since it was answered before"
        case "dead":
            return f"could not be told ({_bare(one.error)})"
        case "queued" | "sending":
            return _waits(one, now, asks)
    return "not told" if one.due is None else "told"


def _waits(one: Telling, now: float, asks: bool) -> str:
    due = one.next_try if one.next_try is not None else one.due
    if one.error is not None:
        again = f" in {countdown(due - now)}" if due is not None and due > now else " now"
        return f"tried again{again} ({_bare(one.error)})"
    if due is not None and due > now:
        unless = ", unless it is answered before" if asks else ""
        return f"to be told in {countdown(due - now)}{unless}"
    if one.channel == "terminal":
        return "due, and told as soon as an open app is not in front"
    return "due, and waits for its turn"


def _bare(words: str | None) -> str:
    return (words or "no reason was given").rstrip(". ")
