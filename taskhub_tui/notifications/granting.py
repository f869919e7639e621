"""With what a message can be answered: which decisions, by a token, a code or a link."""

import secrets

from taskhub_tui.domain.model import Action, Blocker, NoticeKind, Notification, Task
from taskhub_tui.domain.reported import follow_ups
from taskhub_tui.domain.waiting import approves
from taskhub_tui.notifications.message import NEXT
from taskhub_tui.records import dataclass
from taskhub_tui.storage import notices, queries, rows, tokens
from taskhub_tui.storage.queries import Reader
from taskhub_tui.storage.tokens import Grant
from taskhub_tui.storage.writer import Tx

LIFE = 24 * 3600.0
"""Seconds for which a message can be answered."""
SHORT_LIFE = 3600.0
"""The same where it may approve what cannot be taken back."""
CODED = frozenset({"email", "sms"})
"""Channels whose messages machines read as well: approving what is risky takes a typed code."""
ONE_CLICK = frozenset({"desktop"})
"""Channels where a click in passing decides: what is risky is approved in the app instead."""
TWICE = frozenset({"phone"})
"""Channels where a button that lets something risky go ahead, or starts a task, asks once more."""
TEXT_ONLY = frozenset({"webhook", "command", "apprise"})
"""Channels over which nothing risky is ever approved."""
OUTSIDE = frozenset(
    {Action.APPROVE, Action.DENY, Action.RETRY, Action.CANCEL, Action.PROVIDE_CONTEXT}
)
"""Decisions that need no more than words; the others are made in the app."""
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Of codes: without letters that look like digits."""


@dataclass(frozen=True, slots=True)
class Given:
    """With what a message can be answered."""

    tokens: dict[str, str]
    """Action ID → token."""
    code: str = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """A message that is to be sent, and is to be answered."""

    notification_id: int
    channel: str
    recipient: str
    """To whom it goes."""
    shown: str
    """What it says, for the audit trail."""
    key: str = ""
    """Its delivery key."""
    public: bool = False
    """Strangers may read the channel: nothing risky can be approved by it."""
    whole: bool = True
    """All that is asked is in it; else only the web page lets it go ahead."""
    sure: bool = False
    """It asks for the second time."""
    hidden: bool = False
    """What is asked is not in it, and there is no page to see it on: nothing risky is approved."""


NOTHING = Given({})


@dataclass(frozen=True, slots=True)
class _Open:
    """What can be answered now."""

    task: Task
    blocker: Blocker | None
    actions: tuple[str, ...]
    careful: frozenset[str]
    """Those that let something risky go ahead."""
    unseen: frozenset[str]
    """Those for which all has to be seen that is asked."""


def give(tx: Tx, ask: Ask, base: str | None, now: float) -> Given:
    """Make tokens for what a notification asks; none once it was answered or has changed.

    Args:
        base: where the web page is; None while there is none.
    """
    note = notices.notification_by_id(tx, ask.notification_id)
    found = _open(tx, note) if note is not None and note.withdrawn is None else None
    if note is None or found is None:
        return NOTHING
    channel, careful = ask.channel, found.careful
    # What starts a task runs what nobody has looked at yet: it is no less risky.
    starts = {one for one in found.actions if one.startswith(NEXT)}
    blind = ask.public or ask.hidden or channel in TEXT_ONLY | ONE_CLICK
    never = careful | starts if blind else frozenset()
    if channel == "sms":
        never |= starts
    if channel in TWICE:
        # What is asked once more has a button for yes, and no room for words.
        never |= careful - {Action.APPROVE.value}
    actions = [one for one in found.actions if one not in never]
    here = [one for one in actions if ask.whole or one not in found.unseen]
    risky = not (careful | starts).isdisjoint(actions)
    coded = channel == "sms" or (channel in CODED and risky)
    code = "".join(secrets.choice(_ALPHABET) for _ in range(4)) if coded and actions else ""

    def mint(allowed: tuple[str, ...]) -> str:
        token = secrets.token_urlsafe(32)
        hash_ = tokens.digest(token)
        tokens.mint(
            tx,
            Grant(
                hash_,
                found.task.id,
                found.task.n,
                note.id,
                note.blocker_id,
                found.blocker.version if found.blocker is not None else None,
                allowed,
                channel,
                ask.recipient,
                tokens.sealed(hash_, code) if code else None,
                0,
                ask.shown,
                now,
                now + (LIFE if careful.isdisjoint(allowed) else SHORT_LIFE),
                key=ask.key,
                sure=ask.sure or channel not in TWICE,
            ),
        )
        return token

    given = {action: mint((action,)) for action in here}
    # An SMS has no room for a link, and its code would be good for all that the page allows.
    paged = bool(actions) and base is not None and channel != "sms"
    link = f"{base}/{mint(tuple(actions))}" if paged else ""
    return Given(given, code, link)


def _open(reader: Reader, note: Notification) -> _Open | None:
    task = queries.task_by_id(reader, note.task_id, read=rows.task_to_show)
    if note.kind is NoticeKind.COMPLETED:
        suggested = follow_ups(queries.stages_of(reader, task, checked=False))
        names = tuple(f"{NEXT}{number}" for number in range(1, len(suggested) + 1))
        return _Open(task, None, names, frozenset(), frozenset())
    if note.kind not in notices.ASKS:
        return None
    blocker = None
    if note.blocker_id is not None:
        blocker = notices.asked_by(reader, note, task)
        if blocker is None:
            return None
    return _Open(
        task,
        blocker,
        tuple(one.value for one in note.actions if one in OUTSIDE),
        frozenset(one.value for one in OUTSIDE if is_careful(blocker, one)),
        frozenset(one.value for one in OUTSIDE if approves(blocker, one)),
    )


def is_careful(blocker: Blocker | None, action: Action) -> bool:
    """Return whether a decision lets something risky go ahead."""
    return blocker is not None and blocker.risk == "high" and approves(blocker, action)
