"""A stage context that keeps what it is told in files, so that another process can go on.

Run as a script it is a worker: `python command_double.py FOLDER OPTIONS_AS_JSON`.
"""

import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from taskhub_tui.agents.command import AGENT
from taskhub_tui.agents.port import Answer, Artifact, Blocker, Result, Stage, Stop


class DiskContext:
    """Durable where the engine is: saves, answers and log lines survive a SIGKILL."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.stop: Stop = "no"
        self.fractions: list[tuple[float | None, str | None]] = []
        self.questions: list[Blocker] = []
        self.artifacts: list[Artifact] = []
        self.saves = 0
        self._log = os.open(root / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def log(self, text: str, *, stream: str = "agent", data: Any = None) -> None:
        lines = (json.dumps([stream, line]) + "\n" for line in text.split("\n"))
        os.write(self._log, "".join(lines).encode())

    def progress(self, fraction: float | None = None, note: str | None = None) -> None:
        self.fractions.append((fraction, note))

    async def save(self, **state: Any) -> None:
        self.saves += 1
        path = self.root / "state.json"
        path.with_suffix(".tmp").write_text(json.dumps({**(self.state() or {}), **state}))
        path.with_suffix(".tmp").replace(path)

    async def ask(self, blocker: Blocker) -> Answer:
        self.questions.append(blocker)
        answer = self.root / f"said-{blocker.key}.json"
        if not answer.exists():
            (self.root / "asked").write_text(blocker.key)
            self.stop = "detach"
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(3600)
        return Answer(**json.loads(answer.read_text()))

    async def artifact(self, artifact: Artifact) -> None:
        self.artifacts.append(artifact)

    def state(self) -> dict[str, Any] | None:
        path = self.root / "state.json"
        return json.loads(path.read_text()) if path.exists() else None

    def lines(self, *streams: str) -> list[str]:
        rows = [json.loads(row) for row in (self.root / "log").read_text().splitlines()]
        return [line for stream, line in rows if stream in (streams or ("out", "err"))]

    def say(self, key: str, **answer: Any) -> None:
        (self.root / f"said-{key}.json").write_text(json.dumps({"action": "accept", **answer}))


class Desk:
    """One task's folders, and stages to run in them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("work", "data"):
            (root / name).mkdir(exist_ok=True)
        self.work = root / "work"
        self.ctx = DiskContext(root)
        self.rundir = root / "data" / "run" / "0-1"

    def stage(self, **options: Any) -> Stage:
        return Stage(
            "t1", "run", 0, 1, "the prompt", options, self.work, self.root / "data",
            self.root / "results", state=self.ctx.state(),
        )  # fmt: skip

    async def run(self, *, prompt: str = "the prompt", **options: Any) -> Result:
        return await AGENT.run(replace(self.stage(**options), prompt=prompt), self.ctx)

    def again(self) -> "Desk":
        """Return the same desk as the next worker finds it."""
        return Desk(self.root)


async def until(path: Path, what: str = "") -> str:
    """Wait until the file `path` holds `what`; return its text."""
    async with asyncio.timeout(10):
        while True:
            text = path.read_text() if path.exists() else ""
            if text and what in text:
                return text
            await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(Desk(Path(sys.argv[1])).run(**json.loads(sys.argv[2])))
