"""A front end without a screen, to be killed: hands over tasks, decides, and says what was taken.

    python front_end.py NAME SEED [PACE]

Each line it prints was acknowledged by the hub before: `task ID`, `decided NONCE BLOCKER`, or
`late NONCE BLOCKER` for a decision that was refused. It goes on until it is killed; while the file
`enough` is in the current folder it hands over nothing more. It rests PACE times as long as it
would by itself.
"""

import asyncio
import random
import sys
from pathlib import Path

from taskhub_tui.domain.errors import NotLegal
from taskhub_tui.domain.model import Action, BlockerKind, NewTask, StageSpec, Status
from taskhub_tui.hub import Hub

STEP = Path(__file__).with_name("step.sh").resolve()


def step(name: str, seconds: float | None, question: str = "", **spec: bool) -> StageSpec:
    """Return a stage that takes so long, or until the file `go` exists, and then may ask."""
    argv = ["sh", str(STEP), "go" if seconds is None else f"{seconds:.3f}", question]
    return StageSpec(
        name,
        "command",
        options={"argv": argv, "env": {"LEDGER": str(Path.cwd() / "ledger")}},
        **spec,
    )


def some_task(rng: random.Random) -> NewTask:
    """Return a task of two to four stages: quick and long ones, gates, reviews, questions."""
    stages = []
    for n in range(rng.randint(2, 4)):
        seconds = rng.uniform(1.0, 2.5) if rng.random() < 0.25 else rng.uniform(0.0, 0.3)
        question = "May it go on?" if rng.random() < 0.2 else ""
        gate, review = rng.random() < 0.2, rng.random() < 0.1
        stages.append(step(f"s{n}", seconds, question, gate=gate, review=review))
    return NewTask("a task of the test of faults", stages=tuple(stages))


async def main(name: str, rng: random.Random, pace: float) -> None:
    said = 0

    async def decide(hub: Hub, task: str, action: Action, blocker: str | None) -> None:
        nonlocal said
        said += 1
        nonce = f"{name}-{said}"
        try:
            await hub.decide(task, action, text=nonce, blocker_id=blocker)
        except NotLegal:
            print("late", nonce, blocker, flush=True)
        else:
            print("decided", nonce, blocker, flush=True)

    async with await Hub.open(channel="test", actor=name) as hub:
        while True:
            await hub.ensure_worker()
            if not Path("enough").exists():
                task = await hub.submit(some_task(rng))
                print("task", task.id, flush=True)
            questions = await hub.blockers()
            await asyncio.sleep(
                pace * rng.uniform(0.0, 0.2)
            )  # as people do; others see them meanwhile
            for blocker, task in questions:
                again = blocker.kind is BlockerKind.INTERRUPTED
                await decide(hub, task.id, Action.RETRY if again else Action.APPROVE, blocker.id)
            for task in await hub.tasks(status=[Status.FAILED]):
                await decide(hub, task.id, Action.RETRY, None)
            await asyncio.sleep(pace * rng.uniform(0.1, 0.8))


if __name__ == "__main__":
    pace = float(sys.argv[3]) if len(sys.argv) > 3 else 1.0
    asyncio.run(main(sys.argv[1], random.Random(sys.argv[2]), pace))
