"""When to tell a person, and where: one pure function, and its reasons in words.

Whoever calls it supplies the time and everything known about the person; nothing is read here. The
plan says for every channel when it is used, or why not, so that it can be shown to the user as is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum
from math import inf
from typing import NamedTuple

from taskhub_tui.domain.model import NoticeKind, Priority
from taskhub_tui.notifications.wishes import (
    Cap,
    Channel,
    ChannelPrefs,
    DesktopPrefs,
    Prefs,
    QuietHours,
    TaskPrefs,
)
from taskhub_tui.records import dataclass

__all__ = [
    "After",
    "Channel",
    "Context",
    "DesktopPrefs",
    "Event",
    "Plan",
    "Prefs",
    "QuietHours",
    "Step",
    "presence",
    "should_notify",
    "silent",
]

REMIND = (0.0, 3600.0, 4 * 3600.0)
"""Seconds after the deadline of an unanswered question at which it is told again."""

SCREENS = frozenset({Channel.DESKTOP, Channel.TERMINAL})
"""Where a person who looks at the app would see the same thing twice."""
_PERSONAL = SCREENS | {Channel.PHONE, Channel.SMS, Channel.APPRISE}
_RINGING = frozenset({Channel.PHONE, Channel.SMS, Channel.APPRISE})
_ASKING = frozenset({NoticeKind.BLOCKER, NoticeKind.ERROR})
_MACHINES = frozenset({Channel.WEBHOOK, Channel.COMMAND})

_TO = {
    Channel.DESKTOP: "to the desktop",
    Channel.TERMINAL: "to the terminal",
    Channel.PHONE: "to the phone",
    Channel.EMAIL: "by mail",
    Channel.SMS: "by SMS",
    Channel.WEBHOOK: "to the webhook",
    Channel.COMMAND: "to the command",
    Channel.APPRISE: "through Apprise",
}
_ON = {
    **_TO,
    Channel.DESKTOP: "on the desktop",
    Channel.TERMINAL: "in the terminal",
    Channel.PHONE: "on the phone",
}
_OFF = {
    Channel.DESKTOP: "Desktop notifications are switched off in the settings.",
    Channel.TERMINAL: "Notifications of the terminal are switched off in the settings.",
}


class After(StrEnum):
    """What becomes of a question whose deadline passes."""

    WAIT = "wait"  #: nothing more is said
    REMIND = "remind"  #: it is told again, now and then
    ESCALATE = "escalate"  #: it is told on every channel that is set up
    DEFAULT = "default"  #: it is decided by itself


@dataclass(frozen=True, slots=True)
class Event:
    """What happened that a person might want to know."""

    kind: NoticeKind
    at: float
    """When it happened, seconds since the epoch."""
    priority: Priority = Priority.NORMAL
    ran: float = 0.0
    """Seconds the task took, for a completion."""
    needs_person: bool = True
    """False for an error that is repeated by itself."""
    names: tuple[str, ...] = ()
    """What the task goes by in the settings: its ID, `playbook:…`, `agent:…`."""
    deadline: float | None = None
    """When the question is overdue, as a time; None leaves it to the settings."""
    after: After | None = None
    """What the question itself says of that; None leaves it to the settings."""


@dataclass(frozen=True, slots=True)
class Context:
    """What is known about the person at this moment."""

    now: float
    focused: bool | None = False
    """Is the app in front? None: it is open, but its terminal does not say. False if not open."""
    idle: float = float("inf")
    """Seconds since the last key or mouse in the app; infinite when it is not open."""
    sent: Mapping[Channel, Sequence[float]] = field(default_factory=dict)
    """Per channel, times of what was sent in the last day and of what is already planned."""
    zone: tzinfo = UTC
    """The person's time zone; quiet hours are in it."""


class Step(NamedTuple):
    """What becomes of an event on one channel."""

    channel: Channel
    due: float | None
    """When to send it, not before now; None is never."""
    reason: str
    """Why, or why not, as a sentence."""
    number: int = 0
    """0 for the first time on this channel, 1 for the next."""
    digest: bool = False
    """True: it is told with others in one message."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of an event, channel by channel; withdraw all once it was answered."""

    steps: tuple[Step, ...]

    @property
    def sends(self) -> tuple[tuple[Channel, float], ...]:
        """The channels that are used, and when; soonest first."""
        due = [(step.channel, step.due) for step in self.steps if step.due is not None]
        return tuple(sorted(due, key=lambda pair: pair[1]))


def should_notify(event: Event, prefs: Prefs, context: Context) -> Plan:
    """Return when each channel tells the person about the event, and why, or why not."""
    steps = [Step(Channel.IN_APP, context.now, "Everything is listed in the app.")]
    task = prefs.of_task(event.names)
    for channel in Channel:
        if channel is not Channel.IN_APP:
            steps += _Way(channel, event, prefs, task, context).steps()
    return Plan(tuple(steps))


def silent(prefs: Prefs, now: float, zone: tzinfo) -> bool:
    """Return whether what is told now, and is not critical, makes no sound."""
    if prefs.quiet.enabled is False:
        return False
    return _quiet_until(prefs.quiet, now, zone) is not None


class _Wish(NamedTuple):
    """When a channel should have it, before quiet hours and caps."""

    due: float
    reason: str
    digest: bool = False


class _Way:
    """One event on its way to one channel."""

    def __init__(
        self, channel: Channel, event: Event, prefs: Prefs, task: TaskPrefs, context: Context
    ) -> None:
        self.channel, self.event, self.prefs = channel, event, prefs
        self.task, self.context = task, context
        self.wish: ChannelPrefs = prefs.of(channel)
        self.away, self.presence = presence(prefs, context)

    def steps(self) -> list[Step]:
        if (reason := self._never()) is not None:
            return [Step(self.channel, None, reason)]
        wishes = self._news() if self.event.kind is NoticeKind.COMPLETED else self._asks()
        if isinstance(wishes, str):
            return [Step(self.channel, None, wishes)]
        found: list[Step] = []
        for wish in wishes:
            step = self._put_off(wish, first=not found)
            # Quiet hours may move several onto their end, where once is enough.
            if all(step.due != other.due for other in found):
                found.append(step._replace(number=len(found)))
        return found

    def _never(self) -> str | None:
        """Say why the channel is not used at all, if it is not."""
        event, channel = self.event, self.channel
        if not self.wish.enabled:
            return _OFF.get(channel, f"It is not told {_ON[channel]}: that is not set up.")
        if event.kind is NoticeKind.PROGRESS:
            return "Progress never interrupts."
        if event.kind is NoticeKind.ACKNOWLEDGED:
            return "That a task was taken in is shown where it was given."
        if event.kind is NoticeKind.ERROR and not event.needs_person:
            return "The stage is repeated by itself; nobody has to act."
        if self.task.mute:
            return "The settings mute this task: it is told in the app only."
        if (chosen := self.task.channels) is not None and channel not in chosen:
            names = " and ".join(one.value for one in chosen) or "the app"
            return f"The settings have this task told on {names} only."
        closed = self.context.focused is False and self.context.idle == inf
        if channel is Channel.TERMINAL and closed:
            return "The app is not open, so it has no terminal."
        return None

    def _news(self) -> list[_Wish] | str:
        """Say when a completion is told, or why it is not."""
        event, channel, wish = self.event, self.channel, self.wish
        ran = f"It ran {_span(event.ran)}"
        if event.priority < wish.least:
            return self._too_low()
        digest = self.prefs.digest
        if digest.enabled and channel in digest.channels:
            if event.ran < digest.completion_after:
                return f"{ran}; shorter than {_span(digest.completion_after)} is in no digest."
            due = _next_of(digest.at, max(event.at, self.context.now), self.context.zone)
            clock = datetime.fromtimestamp(due, self.context.zone)
            return [_Wish(due, f"{ran}. It is in the digest of {clock:%H:%M}.", digest=True)]
        after = self.task.completion_after
        after = wish.completion_after if after is None else after
        if event.ran < after:
            if after == inf:
                return f"What is done is not announced {_ON[channel]}."
            return f"{ran}; shorter than {_span(after)} is not announced {_ON[channel]}."
        if channel in _PERSONAL:
            if not self.away:
                return f"{self.presence} It is seen there."
            return [_Wish(event.at, f"{ran}. {self.presence}")]
        return [_Wish(event.at, f"{ran}.")]

    def _asks(self) -> list[_Wish] | str:
        """Say when a question is told, and told again, or why it is not."""
        event, channel, wish, name = self.event, self.channel, self.wish, _TO[self.channel]
        deadline, after = self._deadline()
        low = event.priority < wish.least
        wishes: list[_Wish] = []
        if not low:
            if channel in SCREENS and self.away:
                wishes.append(_Wish(event.at, f"Somebody has to act. {self.presence}"))
            elif wish.unanswered_after == inf:
                pass
            elif channel in SCREENS:
                wishes.append(
                    _Wish(
                        event.at + wish.unanswered_after,
                        f"{self.presence} It comes {name} if it is unanswered after "
                        f"{_span(wish.unanswered_after)}.",
                    )
                )
            else:
                wishes.append(
                    _Wish(
                        event.at + wish.unanswered_after,
                        "Somebody has to act."
                        if wish.unanswered_after == 0
                        else f"It comes {name} if it is unanswered after "
                        f"{_span(wish.unanswered_after)}.",
                    )
                )
            if not (after is After.WAIT and deadline == inf):
                wishes += [
                    _Wish(
                        event.at + again,
                        f"It comes {name} again if it is still unanswered after {_span(again)}.",
                    )
                    for again in wish.again
                ]
        if deadline < inf:
            found = self._at_deadline(wishes, deadline, after)
            if found:
                return found
        return wishes or (self._too_low() if low else f"No question comes {name}.")

    def _at_deadline(self, wishes: list[_Wish], deadline: float, after: After) -> list[_Wish] | str:
        kept = [one for one in wishes if one.due < deadline]
        name, span = _TO[self.channel], _span(deadline - self.event.at)
        match after:
            case After.REMIND if wishes and self.channel not in _MACHINES:
                kept += [
                    _Wish(
                        deadline + more,
                        f"It comes {name} as a reminder if it is unanswered after "
                        f"{_span(deadline - self.event.at + more)}.",
                    )
                    for more in REMIND
                ]
            case After.ESCALATE:
                late = f"It comes {name}, as {_EVERYWHERE}, if it is unanswered after {span}."
                kept.append(_Wish(deadline, late))
                kept += [one for one in wishes if one.due > deadline]
            case After.DEFAULT if wishes and not kept:
                return f"Unanswered, it is decided by itself after {span}, before it comes {name}."
            case After.WAIT if wishes and not kept:
                return f"Unanswered, it waits; after {span} nothing more is said."
        return kept

    def _deadline(self) -> tuple[float, After]:
        """Return when the question is overdue, and what then: nearest wish first."""
        event, task, prefs = self.event, self.task, self.prefs
        if event.after is After.DEFAULT and event.deadline is not None:
            return event.deadline, After.DEFAULT
        after = After(task.unanswered or event.after or prefs.unanswered)
        if task.deadline is not None:
            return event.at + task.deadline, after
        if event.deadline is not None:
            return event.deadline, after
        return event.at + prefs.deadline, after

    def _too_low(self) -> str:
        least = self.wish.at_least
        return f"Only tasks of priority {least} or above go {_TO[self.channel]}."

    def _put_off(self, wish: _Wish, *, first: bool) -> Step:
        """Apply what may only put it off: quiet hours, whose end is a crowd, and the caps."""
        due, reasons = max(wish.due, self.context.now), [wish.reason]
        if (
            self.event.priority < Priority.CRITICAL
            and self._keeps_quiet()
            and (end := _quiet_until(self.prefs.quiet, due, self.context.zone)) is not None
        ):
            due = end
            reasons.append(f"Quiet hours put it off until {self.prefs.quiet.end:%H:%M}.")
        if first:
            # Of what comes later nobody knows yet how many are still unanswered.
            caps, most = self.wish.caps, ""
            if self.event.kind not in _ASKING:
                caps = tuple(replace(cap, count=cap.news) for cap in caps)
                most = " of what is news"
            free = room(due, caps, self.context.sent.get(self.channel, ()))
            if free > due:
                due = free
                said = " and ".join(f"{cap.count} {cap.name}" for cap in caps)
                reasons.append(
                    f"At most {said}{most} go {_TO[self.channel]}, so it waits for its turn."
                )
        return Step(self.channel, due, " ".join(reasons), digest=wish.digest)

    def _keeps_quiet(self) -> bool:
        enabled = self.prefs.quiet.enabled
        if enabled is None:
            return self.channel in _RINGING
        return enabled and self.channel not in _MACHINES


_EVERYWHERE = "on every channel that is set up"


def presence(prefs: Prefs, context: Context) -> tuple[bool, str]:
    """Say if the person is away from the app, and how we know."""
    idle = context.idle >= prefs.idle_after
    if context.focused is False:
        return True, "The app is not in front."
    if context.focused and (not idle or context.idle == inf):
        return False, "The app is in front."
    if idle:
        return True, f"The app was not touched for {_span(prefs.idle_after)} or more."
    return False, f"The app was used in the last {_span(prefs.idle_after)}."


def _quiet_until(quiet: QuietHours, moment: float, zone: tzinfo) -> float | None:
    """Return when the quiet hours that `moment` lies in end, or None outside of them."""
    local = datetime.fromtimestamp(moment, zone)
    clock = local.time()
    if quiet.start < quiet.end:
        inside = quiet.start <= clock < quiet.end
    else:
        inside = clock >= quiet.start or clock < quiet.end
    if not inside:
        return None
    day = local.date() if clock < quiet.end else local.date() + timedelta(days=1)
    return datetime.combine(day, quiet.end, zone).timestamp()


def _next_of(times: Sequence[time], moment: float, zone: tzinfo) -> float:
    """Return when it is next one of these times of day, after `moment`."""
    today = datetime.fromtimestamp(moment, zone).date()
    found = [
        datetime.combine(today + timedelta(days=days), clock, zone).timestamp()
        for days in (0, 1)
        for clock in times
    ]
    return min(due for due in found if due > moment)


def room(due: float, caps: Sequence[Cap], times: Sequence[float]) -> float:
    """Return the first moment from `due` on at which one more keeps within all the caps."""
    before = -inf
    while due > before:
        before = due
        for cap in caps:
            while len(near := sorted(t for t in times if t > due - cap.window)) >= cap.count:
                due = near[-cap.count] + cap.window
    return due


def _span(seconds: float) -> str:
    """Return a length of time in words, such as `45 s`, `12 min`, `3 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
