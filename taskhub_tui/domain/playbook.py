"""Playbooks: a reusable list of stages, read from TOML. This module parses; it opens no file."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from taskhub_tui.domain import durations
from taskhub_tui.domain.errors import BadPlaybook
from taskhub_tui.domain.model import Interrupt, StageSpec
from taskhub_tui.text import one_line


def _seconds(value: Any) -> Any:
    return durations.parse(value) if isinstance(value, str) else value


Seconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0)]
Name = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[\w][\w .-]*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class PlaybookStage(_Strict):
    """One `[[stage]]` table."""

    name: Name
    agent: str | None = None
    prompt: str = ""
    gate: bool = False
    review: bool = False
    weight: float = Field(default=1.0, gt=0)
    timeout: Seconds | None = None
    retries: int = Field(default=0, ge=0, le=100)
    retry_delay: Seconds = 5.0
    on_interrupt: Interrupt | None = None
    stall: Seconds | None = None
    options: dict[str, Any] = Field(default_factory=dict)


class Playbook(_Strict):
    """A whole playbook file."""

    name: Name
    description: str = ""
    agent: str | None = None
    """Agent of the stages that name none."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options for every stage; a stage's own come on top."""
    deadline: Seconds | None = Field(default=None, gt=0)
    """Longest time of the whole task, counted from when it may start."""
    stage: list[PlaybookStage] = Field(min_length=1, max_length=200)

    def specs(self) -> tuple[StageSpec, ...]:
        """Return the stages; every one names its agent.

        Raises:
            BadPlaybook: a stage names no agent and the playbook neither.
        """
        specs = []
        for number, stage in enumerate(self.stage, 1):
            agent = stage.agent or self.agent
            if agent is None:
                raise BadPlaybook(
                    f"Stage {number} (`{stage.name}`) of playbook `{self.name}` names no agent",
                    "Write `agent = …` in the stage, or once at the top for all of them",
                )
            specs.append(
                StageSpec(
                    name=stage.name,
                    agent=agent,
                    prompt=stage.prompt,
                    options={**self.options, **stage.options},
                    gate=stage.gate,
                    review=stage.review,
                    weight=stage.weight,
                    timeout=stage.timeout,
                    retries=stage.retries,
                    retry_delay=stage.retry_delay,
                    on_interrupt=stage.on_interrupt,
                    stall=stage.stall,
                )
            )
        return tuple(specs)


def parse(table: dict[str, Any], where: str) -> Playbook:
    """Make a playbook of a parsed TOML table; `where` names the file in messages.

    Raises:
        BadPlaybook: the first few things that are wrong, each with its place.
    """
    try:
        playbook = Playbook.model_validate(table)
    except ValidationError as error:
        # It quotes names out of the file, which may be anybody's.
        raise BadPlaybook(one_line(f"{where}: {_explain(error, table)}", 2000)) from None
    names = [stage.name for stage in playbook.stage]
    for name in names:
        if names.count(name) > 1:
            raise BadPlaybook(f"{where}: two stages are called `{name}`; give each its own name")
    return playbook


def _explain(error: ValidationError, table: dict[str, Any]) -> str:
    lines = []
    for problem in error.errors()[:5]:
        place = list(problem["loc"])
        words = []
        if len(place) >= 2 and place[0] == "stage" and isinstance(place[1], int):
            stages = table.get("stage")
            stage = stages[place[1]] if isinstance(stages, list) else None
            name = stage.get("name") if isinstance(stage, dict) else None
            words.append(f"stage {place[1] + 1}" + (f" (`{name}`)" if name else ""))
            place = place[2:]
        key = ".".join(str(part) for part in place)
        match problem["type"]:
            case "extra_forbidden":
                said = f"`{key}` is not a key here"
            case "missing":
                said = f"`{key}` is missing"
            case _:
                message = problem["msg"].removeprefix("Value error, ")
                said = f"`{key}`: {message[:1].lower()}{message[1:]}" if key else message
        words.append(said)
        lines.append(": ".join(words))
    return "; ".join(lines)
