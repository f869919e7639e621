"""What every channel carries, what comes back from it, and how it says that it could not."""

from collections.abc import Mapping
from dataclasses import field
from typing import NamedTuple

from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.records import dataclass

OPEN = "open"
"""The action of a click on the message itself."""
NEXT = "next-"
"""Begins the ID of an action that starts a task which could come next; its number follows."""
REPLY = "reply"
"""The action of a free-text reply."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message as a channel shows it. Raises ValueError for a button named like a built-in."""

    key: str
    """Delivery key: a repeat under the same key is shown once, a changed message replaces it."""
    title: str
    body: str
    buttons: tuple[tuple[str, str], ...] = ()
    """Action ID and label, most important first; a screen may show only the first three to five."""
    urgent: bool = False
    reply: bool = False
    """A free-text reply is wanted; offered only where the channel has a field for it."""
    link: str = ""
    """A web page that shows what is asked, and takes the answer."""
    words: bool = False
    """Words are what is asked for, and not a yes or no."""
    code: str = ""
    """What is typed with an answer to show that the message was read."""
    tokens: Mapping[str, str] = field(default_factory=dict)
    """Action ID → token that takes this decision, once."""
    thread: str = ""
    """ID of the task: what is about the same task stands together where a channel can do that."""
    quiet: bool = False
    """True: it makes no sound where a channel can tell."""
    offers: tuple[tuple[str, str], ...] = ()
    """Buttons that nobody has to press, such as for what could be done next."""
    about: int | None = None
    """ID of the notification that it tells of; None when it tells of many, or of none."""
    needs: bool = False
    """True: a person has to act, also where the channel has no way to answer."""
    own: bool = False
    """It is about TaskHub itself, so there is nothing in it that a channel could have to hide."""
    whole: bool = True
    """False: what is asked does not fit, so it may be approved only where it is seen whole."""

    @property
    def asks(self) -> bool:
        """True where a person has to act."""
        return self.needs or bool(self.buttons) or self.reply

    def __post_init__(self) -> None:
        ids = [action for action, _ in (*self.buttons, *self.offers)]
        if len(set(ids)) != len(ids) or {OPEN, REPLY} & set(ids):
            raise ValueError(f"button IDs must differ, and not be {OPEN!r} or {REPLY!r}: {ids}")


class Seen(NamedTuple):
    """What a person sees of a message on a channel that does not show all of it."""

    text: str
    whole: bool = True
    """False: what is asked is cut."""
    hidden: bool = False
    """What is asked is left out, as the person wishes."""


class Pressed(NamedTuple):
    """What a person did with a message."""

    key: str
    action: str
    """ID of a button, or `OPEN`, or `REPLY`."""
    text: str | None
    """The reply, cleaned; None for a click."""


class DeliveryError(TaskHubError):
    """A channel did not take a message; `str()` says why."""

    def __init__(
        self, message: str, *, retry: bool, hint: str | None = None, after: float | None = None
    ) -> None:
        super().__init__(message, hint)
        self.after = after
        """Seconds the other side asks us to wait before the next try, if it says so."""
        self.retry = retry
        """True: it may work later. False: it will not, unless a person changes something."""
