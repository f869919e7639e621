"""The format of `taskhub export`: one JSON object a line, a task with all that belongs to it.

What is read is checked as a stranger's: kinds, ranges, sizes, and that the parts fit together; its
texts are cleaned like any other text from outside.
"""

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from taskhub_tui.domain import ids
from taskhub_tui.domain.durations import LAST
from taskhub_tui.domain.model import Action, BlockerKind, Priority, StageStatus, Status, WaitingOn
from taskhub_tui.text import check_json, clean, clean_json, one_line

VERSION = 1
"""Of the format; the key `taskhub` of each line has it."""
LINE_LIMIT = 64_000_000
"""Most bytes of one line."""
DEPTH = 32
"""How deep JSON may be nested: what is accepted may be part of something, so somewhat more."""
MANY = 1_000_000_000
"""The largest count, of attempts say."""
_MANY = 10_000


class BadLine(ValueError):
    """A line that cannot be imported; says why."""


def _text(limit: int) -> Any:
    def check(value: Any) -> Any:
        return clean(value, limit) if isinstance(value, str) else value

    return BeforeValidator(check)


def _name(limit: int = 200) -> Any:
    def check(value: Any) -> Any:
        return one_line(value, limit) if isinstance(value, str) else value

    return BeforeValidator(check)


def _bare(value: Any) -> Any:
    """Return a JSON value as it stands; raises ValueError for what no JSON of ours holds."""
    check_json(value, DEPTH)
    return value


def _clean_json(value: Any) -> Any:
    return clean_json(_bare(value))


def _output(value: Any) -> Any:
    """Clean the text of a result, which people see; its data is the next stage's."""
    if isinstance(_bare(value), dict) and isinstance(value.get("text"), str):
        return {**value, "text": clean(value["text"])}
    return value


Words = Annotated[str, _text(1_000_000)]
Name = Annotated[str, _name()]
Line = Annotated[str, _name(500)]
Place = Annotated[str, _text(4096)]
Id = Annotated[str, Field(pattern=f"^[{ids.ALPHABET}]{{{ids.LENGTH}}}$")]
Time = Annotated[float, Field(ge=0, le=LAST, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=LAST, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Number = Annotated[int, Field(ge=0, le=MANY, strict=True)]
Flag = Annotated[bool, Field(strict=True)]
Exact = Annotated[dict[str, Any], BeforeValidator(_bare)]
Json = Annotated[dict[str, Any], BeforeValidator(_clean_json)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TaskPart(_Part):
    id: Id
    title: Annotated[str, _name(120), Field(min_length=1)]
    request: Words
    owner: Name
    agent: Name
    workdir: Place
    status: Status
    created: Time
    changed: Time
    playbook: Line | None
    options: Exact
    context: list[Words] = Field(max_length=_MANY)
    priority: Priority
    waiting_on: WaitingOn | None
    stage: Number
    stages: Number
    stage_name: Name
    fraction: Share | None
    note: Words
    eta: Time | None
    ready_at: Time
    started: Time | None
    ended: Time | None
    error: Words | None
    summary: Words | None
    result: Place | None
    deadline: Time | None = None


class StagePart(_Part):
    name: Name
    agent: Name
    status: StageStatus
    prompt: Words
    options: Exact
    gate: Flag
    review: Flag
    weight: Seconds
    timeout: Seconds | None
    stall: Seconds | None = None
    retries: Number
    retry_delay: Seconds
    on_interrupt: Literal["adopt", "rerun", "ask"] | None
    attempt: Number
    failures: Number
    approved: Flag
    fraction: Share | None
    note: Words
    estimate: Seconds | None
    started: Time | None
    ended: Time | None
    state: Exact | None
    output: Annotated[dict[str, Any], BeforeValidator(_output)] | None
    error: Words | None


class ChoicePart(_Part):
    id: Name
    label: Line
    effect: Literal["approve", "deny", "neutral"]


class BlockerPart(_Part):
    id: Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,64}$")]
    stage: Number
    key: Name
    kind: BlockerKind
    question: Words
    version: Number
    created: Time
    state: Literal["open", "answered", "withdrawn", "expired"]
    choices: list[ChoicePart] = Field(max_length=100)
    detail: Json
    risk: Literal["low", "high"]
    attempt: Number
    deadline: Time | None
    default: Action | None
    answer: Json | None
    answered: Time | None
    by: Name | None
    channel: Name | None


class EventPart(_Part):
    at: Time
    kind: Name
    stage: Number | None
    by: Name
    channel: Name
    data: Json


class ArtifactPart(_Part):
    stage: Number
    name: Line
    path: Place
    media_type: Name
    size: Annotated[int, Field(ge=0, lt=1 << 62, strict=True)]
    created: Time


class TaskLine(_Part):
    """One line of an export."""

    taskhub: Literal[1]
    task: TaskPart
    stages: list[StagePart] = Field(min_length=1, max_length=_MANY)
    blockers: list[BlockerPart]
    events: list[EventPart]
    artifacts: list[ArtifactPart]
    after: list[Id] = Field(max_length=_MANY)

    @model_validator(mode="after")
    def _fits_together(self) -> "TaskLine":
        count = len(self.stages)
        if self.task.stages != count or self.task.stage > count:
            raise ValueError(f"task: there are {count} stages, and it speaks of others")
        if any(one.stage >= count for one in self.blockers):
            raise ValueError("blockers: one belongs to no stage")
        asked = [
            (one.stage, one.attempt, one.key)
            for one in self.blockers
            if one.state != "withdrawn" and one.key != "gate"
        ]
        known = [one.id for one in self.blockers]
        if len(set(asked)) < len(asked) or len(set(known)) < len(known):
            raise ValueError("blockers: two are the same")
        if sum(one.state == "open" for one in self.blockers) > 1:
            raise ValueError("blockers: more than one is open")
        files = [(one.stage, one.name) for one in self.artifacts]
        if len(set(files)) < len(files):
            raise ValueError("artifacts: two are the same")
        if self.task.id in self.after:
            raise ValueError("after: it waits for itself")
        return self


def read(text: str) -> TaskLine:
    """Read one line.

    Raises:
        BadLine: it is no JSON, or not a task of this format; says what is wrong and where.
    """
    try:
        value = json.loads(text, parse_constant=_no_number)
    except RecursionError:
        raise BadLine(f"it is nested more than {DEPTH} deep") from None
    except json.JSONDecodeError as error:
        raise BadLine(f"it is no JSON: {error.msg}, at character {error.pos + 1}") from None
    except ValueError as error:
        raise BadLine(str(error)) from None  # A number with thousands of digits, or none at all.
    if not isinstance(value, dict) or "taskhub" not in value:
        raise BadLine("it is no line of a TaskHub export")
    if value["taskhub"] != VERSION or isinstance(value["taskhub"], bool):
        shown = one_line(json.dumps(value["taskhub"]), 40)
        raise BadLine(f"its format is {shown}, and this TaskHub reads {VERSION}")
    try:
        return TaskLine.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = one_line(".".join(str(part) for part in first["loc"]), 100)
        said = one_line(first["msg"].removeprefix("Value error, "), 200)
        raise BadLine(f"`{place}`: {said}" if place else said) from None
    except (RecursionError, UnicodeError):
        raise BadLine("it holds what no task holds") from None


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number of JSON")
