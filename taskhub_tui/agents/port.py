"""The agent port: what executes a stage, and what it may ask of the engine.

An agent is one coroutine. Everything durable goes through the context. Resuming is the same
`run()` with `stage.state` set to what was saved last; cancelling is ordinary asyncio cancellation,
and `ctx.stop` says why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from taskhub_tui.domain.model import AgentCard, BlockerKind, Choice, Risk
from taskhub_tui.records import dataclass

__all__ = [
    "Agent",
    "AgentCard",
    "AgentError",
    "Answer",
    "Artifact",
    "Blocker",
    "BlockerKind",
    "Choice",
    "Output",
    "ProviderLimit",
    "Result",
    "Stage",
    "StageContext",
    "Stop",
    "Stream",
]

Json: TypeAlias = Any
Stop = Literal["no", "cancel", "detach"]
Stream = Literal["agent", "out", "err", "thought", "tool"]


@dataclass(frozen=True, slots=True)
class Blocker:
    """A question to a person."""

    key: str
    """Unique within one attempt of the stage and stable over a restart."""
    kind: BlockerKind
    question: str
    choices: tuple[Choice, ...] = ()
    detail: Mapping[str, Json] = field(default_factory=dict)
    """What is proposed, shown in full before a person decides, such as `command` or `diff`."""
    risk: Risk = "low"
    timeout: float | None = None
    """Seconds after which `default` is taken, or `unanswered` holds; None waits for ever."""
    default: Literal["approve", "deny", "cancel"] | None = None
    unanswered: Literal["wait", "remind", "escalate"] | None = None
    """Without a default: what becomes of it after `timeout`; None leaves it to the person."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person said to a blocker."""

    action: Literal["accept", "decline", "cancel"]
    choice: str | None = None
    text: str | None = None
    data: Mapping[str, Json] = field(default_factory=dict)
    timed_out: bool = False
    """True when nobody answered in time, and this is the default."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that a stage produced; `path` exists when it is handed over, and stays where it is."""

    name: str
    path: Path
    media_type: str = "application/octet-stream"
    main: bool = False
    """True for the one file that is the task's result."""


@dataclass(frozen=True, slots=True)
class Output:
    """What an earlier stage of the same task left behind."""

    stage: str
    agent: str
    text: str
    data: Mapping[str, Json]
    artifacts: tuple[Artifact, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What a stage produced."""

    text: str = ""
    """A summary in a sentence or a few, as plain text."""
    data: Mapping[str, Json] = field(default_factory=dict)
    """JSON handed to later stages; small (under 100 kB), large things are artifacts.

    Two keys have a meaning for people, and both are optional:

    `follow_ups` lists what could be done next, each a mapping with `title` and `request`, and
    perhaps `agent` and `options`. They stand under the result, and one that is chosen opens the
    form for a new task, filled in.

    `usage` is what the stage has cost, as a mapping: `cost_usd`, `input_tokens`, `output_tokens`,
    `cached_tokens`, `total_tokens`, `requests`, `seconds`, `model`. The sums of a task are shown.
    """


@dataclass(frozen=True, slots=True)
class Stage:
    """The work to do."""

    task_id: str
    stage_id: str
    """Name of the stage."""
    position: int
    attempt: int
    prompt: str
    """The request, or the stage's own prompt, with the context that people added."""
    options: Mapping[str, Json]
    """The task's options overlaid by the stage's."""
    workdir: Path
    """The user's folder: read inputs from here."""
    datadir: Path
    """A private folder of the task, 0700: scratch files and intermediate data."""
    outdir: Path
    """Where results for the user go; may not exist yet."""
    inputs: Sequence[Output] = ()
    """Outputs of the finished stages, in order."""
    context: Sequence[str] = ()
    """What people added, oldest first (also in `prompt`)."""
    state: Mapping[str, Json] | None = None
    """The last `save()` of this attempt; None on a first run."""
    request: str = ""
    """What people wish for, the latest first: the context they added, then the request or the
    stage's own prompt; without the answers to questions of agents."""

    @property
    def idempotency_key(self) -> str:
        return f"{self.task_id}:{self.position}:{self.stage_id}:{self.attempt}"


class AgentError(Exception):
    """The stage cannot go on. The message is a sentence for a person: what, where, what to do."""

    def __init__(
        self,
        message: str,
        *,
        retryable: bool = False,
        retry_after: float | None = None,
        lost: bool = False,
        detail: Mapping[str, Json] | None = None,
    ) -> None:
        """
        Args:
            retryable: trying again may help; the stage's own `retries` apply.
            retry_after: seconds before that makes sense; it is never tried earlier.
            lost: the work outlived its worker but cannot be found; a person is asked.
            detail: facts for the log and the audit trail.
        """
        super().__init__(message)
        self.retryable = retryable
        self.retry_after = retry_after
        self.lost = lost
        self.detail = detail or {}


class ProviderLimit(AgentError):
    """The provider takes nothing now: too many requests, or a quota is used up.

    The task waits in sight, with the time it goes on, and goes on by itself: `run()` is called
    again with the saved state, as the same attempt, and no retry is used up. So what stands before
    it must be harmless to repeat, or be guarded by `save`, as with `ask`.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        alone: bool = False,
        detail: Mapping[str, Json] | None = None,
    ) -> None:
        """
        Args:
            retry_after: seconds the provider asked for; None lets the pauses grow.
            alone: True: other stages of this agent are not held back, since they use another
                account or model.
        """
        super().__init__(message, retryable=True, retry_after=retry_after, detail=detail)
        self.alone = alone


class StageContext(Protocol):
    """What an agent may ask of the engine while its stage runs."""

    @property
    def stop(self) -> Stop:
        """Why the coroutine is cancelled: `cancel` ends the work, `detach` leaves it running.

        When a task was cancelled while no worker lived, `run()` is called with `cancel` from the
        start: end what `stage.state` names, then return.
        """
        ...

    def log(self, text: str, *, stream: Stream = "agent", data: Json = None) -> None:
        """Append lines to the task's log."""
        ...

    def progress(self, fraction: float | None = None, note: str | None = None) -> None:
        """Report 0 to 1 of this stage; None is unknown. Cheap: may be called at any rate."""
        ...

    async def save(self, **state: Json) -> None:
        """Merge `state` into what is handed back as `stage.state`; durable when it returns.

        A number that is not finite comes back as None, and what is nested very deep as text.
        """
        ...

    async def ask(self, blocker: Blocker) -> Answer:
        """Ask a person. The same key after a restart gives the recorded answer.

        While no answer is there the coroutine is cancelled with `stop == "detach"` and `run()` is
        called again, with the saved state, once there is one. So what stands before an `ask` must
        be harmless to repeat, or be guarded by `save`.
        """
        ...

    async def artifact(self, artifact: Artifact) -> None:
        """Hand over a file; durable when it returns. The same name again replaces the entry."""
        ...


class Agent(Protocol):
    """Carries one stage to its result."""

    card: AgentCard

    async def run(self, stage: Stage, ctx: StageContext) -> Result:
        """Do the work of `stage`.

        Raises:
            AgentError: the stage failed; any other exception is a bug in the agent and is
                reported as one.
        """
        ...
