"""What the hub shows to front ends, besides the things themselves."""

from collections.abc import Sequence
from typing import Literal

from taskhub_tui.domain.model import NoticeKind, Notification, Status, Task
from taskhub_tui.records import dataclass


@dataclass(frozen=True, slots=True)
class Counts:
    """How many tasks there are of each kind."""

    needs_you: int = 0
    """A person is asked, and waited for: the blocked ones, and those of `stalled`."""
    running: int = 0
    queued: int = 0
    paused: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    stalled: int = 0
    """Running, and asked about since they give no sign of life; counted as both."""

    @property
    def total(self) -> int:
        return (
            self.needs_you
            + self.running
            + self.queued
            + self.paused
            + self.done
            + self.failed
            + self.cancelled
            - self.stalled
        )

    @classmethod
    def of(cls, by_status: dict[Status, int], stalled: int = 0) -> "Counts":
        return cls(
            needs_you=by_status.get(Status.BLOCKED, 0) + stalled,
            running=by_status.get(Status.IN_PROGRESS, 0),
            queued=by_status.get(Status.PENDING, 0),
            paused=by_status.get(Status.PAUSED, 0),
            done=by_status.get(Status.COMPLETED, 0),
            failed=by_status.get(Status.FAILED, 0),
            cancelled=by_status.get(Status.CANCELLED, 0),
            stalled=stalled,
        )


@dataclass(frozen=True, slots=True)
class Glance:
    """The hub in a few words, for where there is room for no more."""

    running: int = 0
    fraction: float | None = None
    """How far the running tasks are on average, 0 to 1; None when none of them says."""
    needs_you: bool = False
    failed: bool = False
    """A task has failed, and nobody has seen it."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What is different since a sequence number."""

    seq: int
    """Ask with this one next time."""
    tasks: Sequence[Task]
    notifications: Sequence[Notification]
    opened: Sequence[str] = ()
    """IDs of tasks whose notification was clicked elsewhere, to be shown."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a task's log."""

    at: float
    stream: str
    """agent, out, err, thought, tool, or hub for TaskHub's own words."""
    text: str


@dataclass(frozen=True, slots=True)
class LogRun:
    """Lines of a task's log that were said in one breath."""

    at: float
    stream: str
    text: str
    """The lines, separated by newlines."""


@dataclass(frozen=True, slots=True)
class LogChunk:
    """Some whole lines of a task's log."""

    runs: Sequence[LogRun]
    offset: int
    """Where to read on, in bytes."""
    at_end: bool

    @property
    def lines(self) -> list[LogLine]:
        """Return the lines one by one."""
        return [
            LogLine(run.at, run.stream, text) for run in self.runs for text in run.text.split("\n")
        ]


@dataclass(frozen=True, slots=True)
class LogPiece:
    """Where some whole lines of a task's log lie in its file."""

    start: int
    end: int
    """Offset in bytes after the last line."""
    lines: int
    """How many there are."""


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker that has been seen."""

    id: str
    pid: int
    host: str
    started: float
    seen: float
    alive: bool
    here: bool
    """True when it runs on this machine."""
    version: str


@dataclass(frozen=True, slots=True)
class Check:
    """One finding of `taskhub doctor`."""

    name: str
    state: Literal["ok", "warn", "fail"]
    message: str
    remedy: str | None = None


@dataclass(frozen=True, slots=True)
class Copy:
    """A backup of the database."""

    path: str
    made: float
    size: int
    """Bytes."""
    sound: bool = True
    """False: it was made although tasks in it are not what was written."""
    damaged: str = ""
    """Of one that was just made, which tasks these are, in sentences."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What putting a backup in the place of the database has done."""

    copy: str
    aside: str | None
    """Folder that the replaced file was moved to; None when there was none."""
    paused: int
    """Tasks that were not over when the backup was made, and wait for a person now."""
    notes: Sequence[str] = ()
    """What is to be given anew, in sentences."""
    damaged: str = ""
    """Which tasks in it are not what was written, in sentences; empty when none is."""


@dataclass(frozen=True, slots=True)
class Prunable:
    """A task that may be deleted."""

    n: int
    id: str
    title: str
    status: Status
    ended: float
    events: int
    """Lines of its audit trail."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was deleted, or would be."""

    tasks: Sequence[Prunable]
    events: int
    log: int
    """Bytes of logs."""
    folders: int
    """Scratch folders of single runs."""
    size: int
    """Bytes on disk, logs and scratch folders together."""


@dataclass(frozen=True, slots=True)
class Compacted:
    """Bytes of the database before and after compacting."""

    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export has written."""

    count: int
    """Tasks in it."""
    left_out: Sequence[str]
    """Why tasks that were asked for are not in it, in sentences that name them."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import has done, or would do."""

    tasks: Sequence[str]
    """IDs of the new tasks."""
    skipped: Sequence[str]
    """IDs that are here already."""
    paused: int
    """How many of the new ones were not over, and wait for a person now."""
    notes: Sequence[str]
    """What could not be taken over, in sentences."""


@dataclass(frozen=True, slots=True)
class AgentRecord:
    """How an agent is doing, by the tasks whose current or last stage is its own."""

    name: str
    running: int = 0
    waiting: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    usual: float | None = None
    """Median seconds of its work on a task that is done; None is unknown."""
    limited_until: float | None = None
    """When its provider takes work again; None when it takes some now."""
    limited_by: str = ""
    """What its provider said."""

    @property
    def success(self) -> float | None:
        """Share of its finished tasks that are done, 0 to 1; cancelled ones do not count."""
        over = self.done + self.failed
        return self.done / over if over else None


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """A way to reach the person, as the settings and this machine have it."""

    name: str
    on: bool
    problem: str | None = None
    """Why nothing can be shown there now, as a sentence; None when it can."""


@dataclass(frozen=True, slots=True)
class Posted:
    """What an open app is to show in its terminal."""

    key: str
    """By which it can be taken back."""
    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Trial:
    """A message that was asked for to try out a channel."""

    asked: float
    tried: float | None
    said: str | None
    """Why it did not work; None when it did, or is still to be tried."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a message that was sent at once to try out a channel."""

    channel: str
    state: Literal["ok", "off", "fail"]
    said: str
    """As one sentence or two."""


@dataclass(frozen=True, slots=True)
class PhoneSetup:
    """How a phone subscribes to the push messages of this hub."""

    server: str
    topic: str
    link: str
    """Opens the app ntfy at the topic."""
    public: bool
    """True where strangers who learn the topic can read and answer."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A notification that nobody has read yet."""

    id: int
    kind: NoticeKind
    task_id: str
