"""When to tell a person, and where: one pure function, and its reasons in words.

Whoever calls it supplies the time and everything known about the person; nothing is read here. The
plan says for every channel when it is used, or why not, so that it can be shown to the user as is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple

from taskhub_tui.domain.durations import LONGEST
from taskhub_tui.domain.model import NoticeKind, Priority

_WINDOW = 60.0
"""Seconds over which a channel's cap counts."""


class Channel(StrEnum):
    """A way to reach a person, nearest first."""

    IN_APP = "in-app"
    DESKTOP = "desktop"


_STRICT = {"extra": "forbid"}
"""What pydantic is told when it reads these from the settings: an unknown key is a mistake."""


def _bounded(name: str, seconds: float) -> None:
    if not 0 <= seconds <= LONGEST:
        raise ValueError(f"{name} must be at least 0 and at most {LONGEST:.0f}, in seconds")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A daily time in which whatever can wait is put off until it ends.

    Off unless switched on: a bubble on a screen wakes nobody, and who works at night wants it.
    """

    __pydantic_config__: ClassVar[Any] = _STRICT

    enabled: bool = False
    start: time = time(22)
    end: time = time(8)

    def __post_init__(self) -> None:
        if self.start == self.end:
            raise ValueError("quiet hours must not begin and end at the same time")
        if self.start.tzinfo or self.end.tzinfo:
            raise ValueError("quiet hours are local times and take no time zone")


@dataclass(frozen=True, slots=True)
class DesktopPrefs:
    """When the desktop is used. All times in seconds."""

    __pydantic_config__: ClassVar[Any] = _STRICT

    enabled: bool = True
    completion_after: float = 30
    """A task that ran shorter is announced in the app only."""
    unanswered_after: float = 60
    """How long a question waits in the app before it comes to the desktop of someone at work."""
    per_minute: int = 6

    def __post_init__(self) -> None:
        _bounded("completion_after", self.completion_after)
        _bounded("unanswered_after", self.unanswered_after)
        if not 1 <= self.per_minute <= 1000:
            raise ValueError("per_minute must be at least 1 and at most 1000")


@dataclass(frozen=True, slots=True)
class Prefs:
    """The `[notifications]` section of the settings; `prefs.read` makes it of one."""

    __pydantic_config__: ClassVar[Any] = _STRICT

    idle_after: float = 60
    """Seconds without a key or the mouse after which a person counts as away from the app."""
    desktop: DesktopPrefs = DesktopPrefs()
    quiet: QuietHours = QuietHours()

    def __post_init__(self) -> None:
        _bounded("idle_after", self.idle_after)


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


@dataclass(frozen=True, slots=True)
class Context:
    """What is known about the person at this moment."""

    now: float
    focused: bool | None = False
    """Is the app in front? None: it is open, but its terminal does not say. False if not open."""
    idle: float = float("inf")
    """Seconds since the last key or mouse in the app; infinite when it is not open."""
    sent: Mapping[Channel, Sequence[float]] = field(default_factory=dict)
    """Per channel, times of what was sent in the last minute and of what is already planned."""
    zone: tzinfo = UTC
    """The person's time zone; quiet hours are in it."""


class Step(NamedTuple):
    """What becomes of an event on one channel."""

    channel: Channel
    due: float | None
    """When to send it, not before now; None is never."""
    reason: str
    """Why, or why not, as a sentence."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of an event, one step per channel; withdraw all once it was answered."""

    steps: tuple[Step, ...]

    @property
    def sends(self) -> tuple[tuple[Channel, float], ...]:
        """The channels that are used, and when; soonest first."""
        due = [(step.channel, step.due) for step in self.steps if step.due is not None]
        return tuple(sorted(due, key=lambda pair: pair[1]))


def should_notify(event: Event, prefs: Prefs, context: Context) -> Plan:
    """Return when each channel tells the person about the event, and why, or why not."""
    return Plan(
        (
            Step(Channel.IN_APP, context.now, "Everything is listed in the app."),
            _desktop(event, prefs, context),
        )
    )


def _desktop(event: Event, prefs: Prefs, context: Context) -> Step:
    wish = _wish(event, prefs, context)
    if wish.due is None:
        return wish
    due, reasons = max(wish.due, context.now), [wish.reason]
    # Each may only put it off; the end of quiet hours is a crowd that the cap spreads out.
    if (
        event.priority < Priority.CRITICAL
        and (end := _quiet_until(prefs.quiet, due, context.zone)) is not None
    ):
        due = end
        reasons.append(f"Quiet hours put it off until {prefs.quiet.end:%H:%M}.")
    cap = prefs.desktop.per_minute
    free = _room(due, cap, context.sent.get(Channel.DESKTOP, ()))
    if free > due:
        due = free
        reasons.append(f"At most {cap} a minute go to the desktop, so it waits for its turn.")
    return Step(Channel.DESKTOP, due, " ".join(reasons))


def _wish(event: Event, prefs: Prefs, context: Context) -> Step:
    """When the desktop should have it, before quiet hours and caps."""
    desktop = prefs.desktop

    def never(reason: str) -> Step:
        return Step(Channel.DESKTOP, None, reason)

    if not desktop.enabled:
        return never("Desktop notifications are switched off in the settings.")
    if event.kind is NoticeKind.PROGRESS:
        return never("Progress never interrupts.")
    if event.kind is NoticeKind.ACKNOWLEDGED:
        return never("That a task was taken in is shown where it was given.")
    if event.kind is NoticeKind.ERROR and not event.needs_person:
        return never("The stage is repeated by itself; nobody has to act.")

    away, presence = _presence(prefs, context)
    if event.kind is NoticeKind.COMPLETED:
        if event.ran < desktop.completion_after:
            return never(
                f"It ran {_span(event.ran)}; shorter than {_span(desktop.completion_after)} "
                "is not announced on the desktop."
            )
        if not away:
            return never(f"{presence} It is seen there.")
        return Step(Channel.DESKTOP, event.at, f"It ran {_span(event.ran)}. {presence}")

    if away:
        return Step(Channel.DESKTOP, event.at, f"Somebody has to act. {presence}")
    return Step(
        Channel.DESKTOP,
        event.at + desktop.unanswered_after,
        f"{presence} It comes to the desktop if it is unanswered after "
        f"{_span(desktop.unanswered_after)}.",
    )


def _presence(prefs: Prefs, context: Context) -> tuple[bool, str]:
    """Say if the person is away from the app, and how we know."""
    if context.focused is not None:
        return (
            (False, "The app is in front.")
            if context.focused
            else (True, "The app is not in front.")
        )
    if context.idle >= prefs.idle_after:
        return True, f"The app was not touched for {_span(prefs.idle_after)} or more."
    return False, f"The app was used in the last {_span(prefs.idle_after)}."


def _quiet_until(quiet: QuietHours, moment: float, zone: tzinfo) -> float | None:
    """Return when the quiet hours that `moment` lies in end, or None outside of them."""
    if not quiet.enabled:
        return None
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


def _room(due: float, cap: int, times: Sequence[float]) -> float:
    """Return the first moment from `due` on at which one more keeps any minute within the cap."""
    while len(near := sorted(t for t in times if t > due - _WINDOW)) >= cap:
        due = near[-cap] + _WINDOW
    return due


def _span(seconds: float) -> str:
    """Return a length of time in words, such as `45 s`, `12 min`, `3 h`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
