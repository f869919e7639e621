"""What a person may wish about notifications: the `[notifications]` section, as values.

One table per channel says if it is used and when; the rest holds for all of them. Times are in
seconds; `prefs.read` takes durations such as "10m" as well, and "never".
"""

from collections.abc import Mapping
from dataclasses import field
from datetime import time
from enum import StrEnum
from math import inf
from typing import Any, ClassVar, Literal, TypeAlias

from taskhub_tui.domain.durations import LONGEST
from taskhub_tui.domain.model import Priority
from taskhub_tui.notifications.callback_prefs import CallbackPrefs
from taskhub_tui.records import dataclass

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


class Channel(StrEnum):
    """A way to reach a person, nearest first."""

    IN_APP = "in-app"
    DESKTOP = "desktop"
    TERMINAL = "terminal"
    PHONE = "phone"
    EMAIL = "email"
    SMS = "sms"
    WEBHOOK = "webhook"
    COMMAND = "command"
    APPRISE = "apprise"


Rank: TypeAlias = Literal["low", "normal", "high", "critical"]
"""A priority as the settings name it."""
Unanswered: TypeAlias = Literal["wait", "remind", "escalate"]
"""What becomes of a question when its deadline passes, if nothing is decided for it then."""

_STRICT = {"extra": "forbid"}
"""What pydantic is told when it reads these from the settings: an unknown key is a mistake."""
_REFERENCES = ("env:", "keyring:", "file:")


MOST = 1_000_000
"""Messages beyond which a cap is none."""


def _time(name: str, value: float) -> None:
    if not value >= 0:
        raise ValueError(f"{name} must not be negative")
    if LONGEST < value < inf:
        raise ValueError(f"{name} must be at most {LONGEST:.0f}, in seconds")


def _finite(name: str, value: float) -> None:
    if not 0 <= value < inf:
        raise ValueError(f"{name} must not be negative or endless")
    if value > LONGEST:
        raise ValueError(f"{name} must be at most {LONGEST:.0f}, in seconds")


def _secret(name: str, value: str) -> None:
    if value and not value.startswith(_REFERENCES):
        raise ValueError(
            f"{name} names where the secret is, never the secret itself:"
            ' write "env:NAME", "keyring:SERVICE/NAME" or "file:/path"'
        )


def _url(name: str, value: str) -> None:
    if not value.startswith(("https://", "http://")) or value != value.strip():
        raise ValueError(f"{name} must be an address that begins with https:// or http://")


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many messages in any such time."""

    count: int
    window: float
    name: str
    """As in "6 a minute"."""

    @property
    def news(self) -> int:
        """How many of them may be news: a quarter is kept for what somebody has to act on."""
        return self.count - self.count // 4


@dataclass(frozen=True, slots=True)
class ChannelPrefs:
    """When a channel is used."""

    __pydantic_config__: ClassVar[Any] = _STRICT

    enabled: bool = False
    completion_after: float = 600
    """A task that ran shorter is not announced here."""
    unanswered_after: float = 120
    """How long a question waits for an answer before it comes here."""
    again: tuple[float, ...] = ()
    """How long after it was asked an unanswered question comes here once more."""
    at_least: Rank = "low"
    """Only tasks of this priority or above."""
    per_minute: int | None = None
    per_hour: int | None = None
    per_day: int | None = None

    def __post_init__(self) -> None:
        _time("completion_after", self.completion_after)
        _time("unanswered_after", self.unanswered_after)
        if list(self.again) != sorted(set(self.again)):
            raise ValueError("again must name times one after the other")
        for after in self.again:
            _finite("again", after)
            if after <= self.unanswered_after:
                raise ValueError("again must come after unanswered_after")
        for cap in self.caps:
            if cap.count < 1:
                raise ValueError(f"per_{cap.name.split()[1]} must be at least 1")
            if cap.count > MOST:
                raise ValueError(f"per_{cap.name.split()[1]} must be at most {MOST}")
        if self.enabled:
            self._require()

    def _require(self) -> None:
        """Raise ValueError unless all is there that the channel cannot do without."""

    def _need(self, *names: str) -> None:
        lacking = [name for name in names if not getattr(self, name)]
        if lacking:
            raise ValueError(f"it is switched on, but lacks {' and '.join(lacking)}")

    @property
    def caps(self) -> tuple[Cap, ...]:
        """The caps that are set, the shortest time first."""
        found = (
            (self.per_minute, MINUTE, "a minute"),
            (self.per_hour, HOUR, "an hour"),
            (self.per_day, DAY, "a day"),
        )
        return tuple(Cap(count, window, name) for count, window, name in found if count is not None)

    @property
    def least(self) -> Priority:
        return Priority[self.at_least.upper()]


@dataclass(frozen=True, slots=True)
class DesktopPrefs(ChannelPrefs):
    """`[notifications.desktop]`; `unanswered_after` counts while the person is at the app."""

    enabled: bool = True
    completion_after: float = 30
    unanswered_after: float = 60
    per_minute: int | None = 6


@dataclass(frozen=True, slots=True)
class TerminalPrefs(ChannelPrefs):
    """`[notifications.terminal]`: the terminal that the app runs in, while it is not in front."""

    enabled: bool = True
    completion_after: float = 30
    unanswered_after: float = 60
    per_minute: int | None = 6


@dataclass(frozen=True, slots=True)
class PhonePrefs(ChannelPrefs):
    """`[notifications.phone]`: ntfy, from a server of one's own or the public one."""

    again: tuple[float, ...] = (HOUR, 4 * HOUR)
    per_hour: int | None = 12
    server: str = "https://ntfy.sh"
    topic: str = ""
    reply_topic: str = ""
    token: str = ""
    """A reference, as all secrets; empty where the server wants none."""

    def __post_init__(self) -> None:
        ChannelPrefs.__post_init__(self)
        _url("server", self.server)
        _secret("token", self.token)

    def _require(self) -> None:
        self._need("server", "topic")
        if self.reply_topic == self.topic:
            raise ValueError("reply_topic must not be the topic: answers are not told to you")


@dataclass(frozen=True, slots=True)
class EmailPrefs(ChannelPrefs):
    """`[notifications.email]`."""

    completion_after: float = HOUR
    unanswered_after: float = 600
    per_hour: int | None = 6
    host: str = ""
    port: int | None = None
    """None: the usual one of `security`."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: str = ""
    """A reference."""
    sender: str = ""
    to: str = ""
    details: bool = True
    """False hides what is asked; the mail only says that something is."""
    imap_host: str = ""
    """Where replies are read; empty where they are not, and mails are answered by their link."""
    imap_port: int | None = None
    """None: the usual one of `imap_security`."""
    imap_security: Literal["tls", "starttls", "none"] = "tls"
    imap_user: str = ""
    imap_password: str = ""
    """A reference. Without a user and a password of its own, the mailbox has those of the mails."""
    imap_folder: str = "INBOX"
    reply_to: str = ""
    """The address of that mailbox; empty where it is the sender's."""

    def __post_init__(self) -> None:
        ChannelPrefs.__post_init__(self)
        if self.port is not None and not 0 < self.port < 65536:
            raise ValueError("port must be a number from 1 to 65535")
        if self.imap_port is not None and not 0 < self.imap_port < 65536:
            raise ValueError("imap_port must be a number from 1 to 65535")
        _secret("password", self.password)
        _secret("imap_password", self.imap_password)

    def _require(self) -> None:
        self._need("host", "sender", "to")
        if self.user and not self.password:
            raise ValueError("user is set, but password is not")
        if self.imap_host:
            if not (self.imap_user or self.user) or not (self.imap_password or self.password):
                raise ValueError("imap_host is set, but not who reads it: imap_user, imap_password")
        elif self.reply_to or self.imap_user or self.imap_password:
            raise ValueError("replies are not read anywhere: imap_host is not set")


@dataclass(frozen=True, slots=True)
class SmsPrefs(ChannelPrefs):
    """`[notifications.sms]`: Twilio, or what speaks its language."""

    completion_after: float = inf
    unanswered_after: float = 1800
    at_least: Rank = "critical"
    per_day: int | None = 5
    url: str = "https://api.twilio.com"
    account: str = ""
    token: str = ""
    """A reference."""
    sender: str = ""
    to: str = ""
    details: bool = False
    """False hides what is asked."""

    def __post_init__(self) -> None:
        ChannelPrefs.__post_init__(self)
        _url("url", self.url)
        _secret("token", self.token)

    def _require(self) -> None:
        self._need("account", "token", "sender", "to")


@dataclass(frozen=True, slots=True)
class WebhookPrefs(ChannelPrefs):
    """`[notifications.webhook]`: for programs, so it hears of everything at once."""

    completion_after: float = 0
    unanswered_after: float = 0
    per_minute: int | None = 60
    url: str = ""
    secret: str = ""
    """A reference; what the messages are signed with."""
    private: bool = False
    """True: the address may lead into this machine's own network, and need not be https."""

    def __post_init__(self) -> None:
        ChannelPrefs.__post_init__(self)
        if self.url:
            _url("url", self.url)
        _secret("secret", self.secret)

    def _require(self) -> None:
        self._need("url")


@dataclass(frozen=True, slots=True)
class CommandPrefs(ChannelPrefs):
    """`[notifications.command]`: a program of the person's own."""

    completion_after: float = 0
    unanswered_after: float = 0
    per_minute: int | None = 60
    argv: tuple[str, ...] = ()

    def _require(self) -> None:
        self._need("argv")


@dataclass(frozen=True, slots=True)
class ApprisePrefs(ChannelPrefs):
    """`[notifications.apprise]`: any other service, text only."""

    per_hour: int | None = 12
    urls: tuple[str, ...] = ()

    def _require(self) -> None:
        self._need("urls")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A daily time in which whatever can wait is put off until it ends.

    Unless it is said, they hold for what rings in a pocket: a bubble on a screen wakes nobody, and
    who works at night wants it.
    """

    __pydantic_config__: ClassVar[Any] = _STRICT

    enabled: bool | None = None
    """None: for phone, SMS and Apprise; True: for the screen and mail, too; False: for nothing."""
    start: time = time(22)
    end: time = time(8)

    def __post_init__(self) -> None:
        if self.start == self.end:
            raise ValueError("quiet hours must not begin and end at the same time")
        if self.start.tzinfo or self.end.tzinfo:
            raise ValueError("quiet hours are local times and take no time zone")


@dataclass(frozen=True, slots=True)
class Digest:
    """Completed tasks as one message, a few times a day, instead of one each."""

    __pydantic_config__: ClassVar[Any] = _STRICT

    enabled: bool = False
    at: tuple[time, ...] = (time(8), time(13), time(18))
    channels: tuple[Channel, ...] = (Channel.EMAIL,)
    completion_after: float = 30
    """What ran shorter is in no digest."""

    def __post_init__(self) -> None:
        if not self.at:
            raise ValueError("at must name a time of day")
        if any(moment.tzinfo for moment in self.at):
            raise ValueError("at has local times, which take no time zone")
        _time("completion_after", self.completion_after)
        if Channel.IN_APP in self.channels:
            raise ValueError("the app lists everything as it comes; name other channels")


@dataclass(frozen=True, slots=True)
class TaskPrefs:
    """What differs for one task, or for all of a playbook or an agent."""

    __pydantic_config__: ClassVar[Any] = _STRICT

    mute: bool = False
    """True: it is told in the app only."""
    channels: tuple[Channel, ...] | None = None
    """Told on these only; None is all that are set up."""
    completion_after: float | None = None
    """Instead of what each channel says."""
    unanswered: Unanswered | None = None
    deadline: float | None = None
    """Seconds a question may stay unanswered before `unanswered` comes true."""

    def __post_init__(self) -> None:
        if self.completion_after is not None:
            _time("completion_after", self.completion_after)
        if self.deadline is not None:
            _time("deadline", self.deadline)


_PREFIXES = ("playbook:", "agent:")


@dataclass(frozen=True, slots=True)
class Prefs:
    """The `[notifications]` section of the settings; `prefs.read` makes it of one."""

    __pydantic_config__: ClassVar[Any] = _STRICT

    idle_after: float = 60
    """Seconds without a key or the mouse after which a person counts as away from the app."""
    coalesce: float = 10
    """Seconds in which what comes after the first three is told as one message."""
    unanswered: Unanswered = "escalate"
    deadline: float = inf
    """For a question that carries none of its own."""
    desktop: DesktopPrefs = DesktopPrefs()
    terminal: TerminalPrefs = TerminalPrefs()
    phone: PhonePrefs = PhonePrefs()
    email: EmailPrefs = EmailPrefs()
    sms: SmsPrefs = SmsPrefs()
    webhook: WebhookPrefs = WebhookPrefs()
    command: CommandPrefs = CommandPrefs()
    apprise: ApprisePrefs = ApprisePrefs()
    quiet: QuietHours = QuietHours()
    digest: Digest = Digest()
    callback: CallbackPrefs = field(default_factory=CallbackPrefs)
    """The web page on which messages are answered."""
    tasks: Mapping[str, TaskPrefs] = field(default_factory=dict)
    """By task ID, `playbook:NAME` or `agent:NAME`; the first of them that says something holds."""

    def __post_init__(self) -> None:
        _finite("idle_after", self.idle_after)
        _finite("coalesce", self.coalesce)
        _time("deadline", self.deadline)
        for name in self.tasks:
            if ":" in name and not name.startswith(_PREFIXES):
                raise ValueError(
                    f"`{name}` in tasks is neither a task's ID, nor playbook:NAME or agent:NAME"
                )

    def of(self, channel: Channel) -> ChannelPrefs:
        """Return what the settings say about a channel other than the app."""
        found: ChannelPrefs = getattr(self, channel.value)
        return found

    def of_task(self, names: tuple[str, ...]) -> TaskPrefs:
        """Return what differs for a task that goes by these names, the nearest first."""
        found = [self.tasks[name] for name in names if name in self.tasks]
        if len(found) < 2:
            return found[0] if found else _NOTHING

        def first(field_name: str) -> Any:
            said = (getattr(one, field_name) for one in found)
            return next((value for value in said if value is not None), None)

        return TaskPrefs(
            any(one.mute for one in found),
            first("channels"),
            first("completion_after"),
            first("unanswered"),
            first("deadline"),
        )


_NOTHING = TaskPrefs()
