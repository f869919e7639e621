"""The things TaskHub talks about. Immutable, without I/O; times are seconds since the epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import IntEnum, StrEnum
from typing import Any, Literal, TypeAlias

from taskhub_tui.records import dataclass

Json: TypeAlias = Any
Options: TypeAlias = Mapping[str, Json]


class Status(StrEnum):
    """Where a task stands."""

    PENDING = "pending"  #: a worker will take it; `waiting_on` says if something must come first
    IN_PROGRESS = "in_progress"  #: a worker holds it and an agent is at work
    BLOCKED = "blocked"  #: a person must decide: one blocker is open
    PAUSED = "paused"  #: a person stopped it between two stages
    COMPLETED = "completed"  #: every stage is done
    FAILED = "failed"  #: a stage failed for good; RETRY, MODIFY, REASSIGN or CANCEL
    CANCELLED = "cancelled"  #: a person ended it

    @property
    def over(self) -> bool:
        """True when nothing more will happen unless a person acts on it."""
        return self in (Status.COMPLETED, Status.FAILED, Status.CANCELLED)


class WaitingOn(StrEnum):
    """What a task that does not run waits for."""

    USER = "user"  #: while in progress: it is asked about, but the work goes on
    PROVIDER = "provider"  #: it has set a limit; `ready_at` says until when
    DEPENDENCY = "dependency"
    SCHEDULE = "schedule"
    RETRY = "retry"
    LIMIT = "limit"  #: as many stages run as may; never stored, see `limits.seen`


class StageStatus(StrEnum):
    """Where a stage stands."""

    PENDING = "pending"
    RUNNING = "running"
    BLOCKED = "blocked"  #: a gate before it, a question in it, or a review after it is open
    WAITING = "waiting"  #: begun; goes on by itself when its provider's limit is over
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Priority(IntEnum):
    """Higher runs first."""

    LOW = -1
    NORMAL = 0
    HIGH = 1
    CRITICAL = 2


class BlockerKind(StrEnum):
    """What sort of question stops a stage."""

    APPROVAL = "approval"
    INPUT = "input"
    AUTH = "auth"
    INTERRUPTED = "interrupted"  #: the stage was running when its worker died; run it again?
    STALLED = "stalled"  #: no sign of life for long; the stage runs on while this is asked


class Action(StrEnum):
    """The seven decisions."""

    APPROVE = "approve"
    DENY = "deny"
    PROVIDE_CONTEXT = "context"
    REASSIGN = "reassign"
    MODIFY = "modify"
    RETRY = "retry"
    CANCEL = "cancel"


Interrupt = Literal["adopt", "rerun", "ask"]
Risk = Literal["low", "high"]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the answers an agent offers."""

    id: str
    label: str
    effect: Literal["approve", "deny", "neutral"] = "neutral"


@dataclass(frozen=True, slots=True)
class StageSpec:
    """A stage as a person, a playbook or an agent asks for it."""

    name: str
    agent: str
    prompt: str = ""
    """What this stage is to do; empty means the task's request."""
    options: Options = field(default_factory=dict)
    gate: bool = False
    """True: ask for approval before the stage runs."""
    review: bool = False
    """True: ask for approval of the result after the stage has run."""
    weight: float = 1.0
    """Share of the task's progress, relative to the other stages."""
    timeout: float | None = None
    """Seconds one attempt may take; None is no limit."""
    retries: int = 0
    """How often a failed attempt is repeated by itself."""
    retry_delay: float = 5.0
    """Seconds before the first repetition; doubles each time."""
    on_interrupt: Interrupt | None = None
    """What to do when the worker died under it; None leaves it to the agent's own habit."""
    stall: float | None = None
    """Seconds without a sign of life after which that is shown; 0 is never, None the setting."""


@dataclass(frozen=True, slots=True)
class NewTask:
    """What a person hands over."""

    request: str
    title: str | None = None
    """None: made from the request."""
    agent: str | None = None
    """None: the best fit by `delegation.rank`."""
    stages: tuple[StageSpec, ...] = ()
    """Empty: the agent's own stages."""
    playbook: str | None = None
    options: Options = field(default_factory=dict)
    """Parameters for the agent, such as `file` for the analyst or `argv` for a command."""
    workdir: str | None = None
    """Absolute folder the work happens in; None is the current one."""
    priority: Priority = Priority.NORMAL
    after: tuple[str, ...] = ()
    """IDs of tasks that must be completed first."""
    not_before: float | None = None
    deadline: float | None = None
    """When it must be done, as a time; what is not done by then is stopped and failed."""
    within: float | None = None
    """The same in seconds, counted from when it may start."""


@dataclass(frozen=True, slots=True)
class Task:
    """One request, with an owner, a status, stages and a persistent ID."""

    id: str
    n: int
    """Running number in this database; newer tasks have larger ones."""
    title: str
    request: str
    owner: str
    agent: str
    workdir: str
    status: Status
    created: float
    changed: float
    seq: int
    playbook: str | None = None
    options: Options = field(default_factory=dict)
    context: tuple[str, ...] = ()
    """What people added, oldest first; only ever appended to."""
    priority: Priority = Priority.NORMAL
    waiting_on: WaitingOn | None = None
    stage: int = 0
    """Position of the current stage, from 0; equals `stages` when all are done."""
    stages: int = 0
    stage_name: str = ""
    fraction: float | None = None
    """0 to 1 over the whole task; None is unknown."""
    note: str = ""
    """The agent's last word on what it is doing."""
    eta: float | None = None
    """When the task will probably be done, as a time; None is unknown."""
    ready_at: float = 0.0
    deps_left: int = 0
    started: float | None = None
    ended: float | None = None
    error: str | None = None
    summary: str | None = None
    result: str | None = None
    """Path of the main artifact."""
    holder: str | None = None
    fence: int = 0
    stopping: bool = False
    """True while an agent must still be stopped after CANCEL or REASSIGN."""
    pausing: bool = False
    deadline: float | None = None
    """When it must be done, as a time; waiting for a person counts too."""
    stage_agent: str = ""
    """Agent of the current stage; limits count by it."""
    silent_since: float | None = None
    """When its agent last gave a sign of life, where that is long ago; None when it is not."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A named step of a task: the unit that is checkpointed."""

    task_id: str
    position: int
    name: str
    agent: str
    status: StageStatus
    prompt: str = ""
    options: Options = field(default_factory=dict)
    gate: bool = False
    review: bool = False
    weight: float = 1.0
    timeout: float | None = None
    retries: int = 0
    retry_delay: float = 5.0
    on_interrupt: Interrupt | None = None
    attempt: int = 0
    """How often it was started; 0 before the first time."""
    failures: int = 0
    """Failed attempts since a person last decided; compared with `retries`."""
    approved: bool = False
    """True once its gate was passed."""
    fraction: float | None = None
    note: str = ""
    estimate: float | None = None
    """Seconds it usually takes, from past runs; None is unknown."""
    started: float | None = None
    ended: float | None = None
    state: Options | None = None
    """The agent's last `save()`."""
    output: Options | None = None
    """`text` and `data` of the result, once there is one."""
    error: str | None = None
    log_mark: int = 0
    """Length of the task's log, in bytes, at the last save."""
    stall: float | None = None
    limited: float | None = None
    """Seconds for which its provider has made this stage wait since it last got on; None when it
    has not."""
    worked: float = 0.0
    """Seconds that this attempt has worked, as last noted: while it waited, or nobody watched it,
    none passed. The steady clock of whoever watches it counts them, not the time of day."""


@dataclass(frozen=True, slots=True)
class Blocker:
    """A question that stops a stage until it is answered; answered at most once."""

    id: str
    task_id: str
    stage: int
    key: str
    """Unique within one attempt, stable over a restart; `gate` and `review` are the engine's."""
    kind: BlockerKind
    question: str
    version: int
    created: float
    state: Literal["open", "answered", "withdrawn", "expired"] = "open"
    choices: tuple[Choice, ...] = ()
    detail: Mapping[str, Json] = field(default_factory=dict)
    """What is proposed, shown in full before a person decides: command, diff, arguments, reason."""
    risk: Risk = "low"
    attempt: int = 1
    deadline: float | None = None
    default: Action | None = None
    """What is taken to be the answer when the deadline passes; recorded as `timeout`."""
    answer: Mapping[str, Json] | None = None
    answered: float | None = None
    by: str | None = None
    channel: str | None = None
    unanswered: Literal["wait", "remind", "escalate"] | None = None
    """What becomes of it after its deadline, where there is no default; only notifications ask."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person, or a rule, chose."""

    action: Action
    by: str
    channel: str
    """Where it came from: app, cli, desktop, timeout, …"""
    text: str | None = None
    """Context, reason or answer in words."""
    choice: str | None = None
    """ID of the chosen answer where the blocker offered choices."""
    data: Mapping[str, Json] = field(default_factory=dict)
    """For MODIFY: new values of `request`, `title`, `options`, or of proposed arguments."""
    agent: str | None = None
    """For REASSIGN."""
    rule: str | None = None
    """ID of the always-allow rule that took it; None for a person's own."""
    variables: tuple[str, ...] = ()
    """Names of the variables that were given with it; their values are kept elsewhere."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file, or a reference, that a stage produced."""

    task_id: str
    stage: int
    name: str
    path: str
    media_type: str
    size: int
    created: float


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the audit trail."""

    id: int
    task_id: str
    at: float
    kind: str
    """created, started, checkpoint, asked, answered, decided, failed, retrying, adopted, …"""
    stage: int | None
    by: str
    channel: str
    data: Mapping[str, Json]
    seq: int


class NoticeKind(StrEnum):
    """What a notification is about."""

    ACKNOWLEDGED = "acknowledged"
    PROGRESS = "progress"
    BLOCKER = "blocker"
    ERROR = "error"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class Notification:
    """One message to a user."""

    id: int
    task_id: str
    kind: NoticeKind
    title: str
    body: str
    created: float
    seq: int
    blocker_id: str | None = None
    actions: tuple[Action, ...] = ()
    read: float | None = None
    withdrawn: float | None = None
    """When the question it carries was answered, anywhere."""


@dataclass(frozen=True, slots=True)
class AgentCard:
    """What an agent declares about itself; read without importing the agent's libraries."""

    name: str
    title: str
    description: str
    capabilities: frozenset[str] = frozenset()
    keywords: tuple[str, ...] = ()
    """Words in a request that speak for this agent."""
    stages: tuple[StageSpec, ...] = ()
    """Its own plan for a request that names no stages; empty means one stage named `run`."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Name and meaning of each option it understands."""
    on_interrupt: Interrupt = "ask"
    """adopt: the work outlives its worker; rerun: repeating is harmless; ask: let a person say."""
    problem: str | None = None
    """Why it cannot be used now, as a sentence with the remedy; None when it can."""


@dataclass(frozen=True, slots=True)
class TaskView:
    """A task with all that belongs to it, read in one moment."""

    task: Task
    stages: Sequence[Stage]
    blocker: Blocker | None
    artifacts: Sequence[Artifact]
    legal: Sequence[Action]
    """The decisions that are legal now, most likely first."""
    after: Sequence[str] = ()
