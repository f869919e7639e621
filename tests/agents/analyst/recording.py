"""A stage context that records what the analyst does and answers what it asks."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from taskhub_tui.agents.analyst import Analyst
from taskhub_tui.agents.analyst.card import STEPS
from taskhub_tui.agents.port import Answer, Artifact, Blocker, Output, Result, Stage, Stop, Stream


@dataclass
class Recorder:
    """Satisfies `StageContext`; `answers` maps the key of a question to a choice or words."""

    answers: Mapping[str, str | Answer] = field(default_factory=dict)
    stop: Stop = "no"
    lines: list[str] = field(default_factory=list)
    fractions: list[float] = field(default_factory=list)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    asked: list[Blocker] = field(default_factory=list)

    def log(self, text: str, *, stream: Stream = "agent", data: Any = None) -> None:
        self.lines.append(text)

    def progress(self, fraction: float | None = None, note: str | None = None) -> None:
        assert fraction is None or 0 <= fraction <= 1
        if fraction is not None:
            self.fractions.append(fraction)

    async def save(self, **state: Any) -> None:
        raise AssertionError("the analyst keeps its state in files")

    async def ask(self, blocker: Blocker) -> Answer:
        self.asked.append(blocker)
        answer = self.answers[blocker.key]
        if isinstance(answer, Answer):
            return answer
        if answer in {choice.id for choice in blocker.choices}:
            return Answer("accept", choice=answer)
        return Answer("accept", text=answer)

    async def artifact(self, artifact: Artifact) -> None:
        assert artifact.path.is_file()
        self.artifacts[artifact.name] = artifact


def stage(home: Path, name: str = "ingest", request: str = "", **options: Any) -> Stage:
    """A stage of a task whose folders lie under `home`."""
    return Stage(
        task_id="t",
        stage_id=name,
        position=STEPS.index(name) if name in STEPS else 0,
        attempt=1,
        prompt=request or "report on trends",
        options=options,
        workdir=home,
        datadir=home / "data",
        outdir=home / "out",
    )


async def analyse(
    home: Path, ctx: Recorder | None = None, *, upto: str = "report", **options: Any
) -> tuple[Recorder, list[Result]]:
    """Run the stages one after the other, each by an agent of its own, as after a restart."""
    ctx = ctx or Recorder()
    results: list[Result] = []
    inputs: tuple[Output, ...] = ()
    for name in STEPS[: STEPS.index(upto) + 1]:
        one = replace(stage(home, name, **options), inputs=inputs)
        result = await Analyst().run(one, ctx)
        results.append(result)
        inputs = (*inputs, Output(name, "analyst", result.text, result.data))
    return ctx, results
