"""SIGKILL at random moments, to everything that works for one hub."""

import random
import subprocess
import time

from found import Found
from scene import HERE, Scene, pick

# Whom it hits, out of 15: workers and front ends most, for these are what people kill.
VICTIMS = ["worker"] * 7 + ["front end"] * 4 + ["app", "keeper", "runner", "command"]
FRONT_ENDS = 2


class Storm:
    """The app, front ends that submit and decide, and somebody who kills what he finds."""

    def __init__(self, scene: Scene, seed: str) -> None:
        self.scene, self.seed, self.rng = scene, seed, random.Random(seed)
        self.number = 0
        self.front_ends = [self.front_end() for _ in range(FRONT_ENDS)]
        self.app = scene.app()

    def front_end(self) -> "subprocess.Popen[bytes]":
        self.number += 1
        return self.scene.start(
            str(HERE / "front_end.py"), f"f{self.number}", f"{self.seed}-{self.number}"
        )

    def find(self, victim: str) -> int | None:
        scene, rng = self.scene, self.rng
        match victim:
            case "worker":
                return pick(rng, scene.pids("taskhub_tui.worker"))
            case "keeper":
                # A worker whose keeper was killed has none until it is killed too.
                keepers = scene.pids("taskhub_tui.keeper")
                return pick(rng, keepers or scene.pids("taskhub_tui.worker"))
            case "runner":
                return pick(rng, [run["runner"]["pid"] for run in scene.runs()])
            case "command":
                return pick(rng, [run["pid"] for run in scene.runs()])
        raise ValueError(victim)

    def strike(self, victim: str) -> None:
        """Kill one such process; where there is none just now, wait for one."""
        time.sleep(self.rng.choice([self.rng.uniform(0.0, 0.3), self.rng.uniform(0.3, 1.2)]))
        # Nothing that happens to the others may end one of these.
        ended = [front_end.poll() for front_end in (*self.front_ends, self.app)]
        assert ended == [None] * len(ended), self.scene.trouble()
        if victim == "front end":
            which = self.rng.randrange(FRONT_ENDS)
            self.front_ends[which].kill()
            self.front_ends[which].wait()
            self.front_ends[which] = self.front_end()
        elif victim == "app":
            self.app.kill()
            self.app.wait()
            self.app = self.scene.app()
        else:
            self.scene.until(lambda: (pid := self.find(victim)) and self.scene.kill(pid))

    def calm(self, patience: float) -> None:
        """Hand over nothing more, and wait until all is done."""
        (self.scene.work / "enough").touch()
        open_ = "SELECT 1 FROM task WHERE status <> 'completed'"
        self.scene.until(lambda: not self.scene.rows(open_), patience=patience)


def run(scene: Scene, kills: int, seed: str) -> Found:
    """Kill so often, then hold what is on disk to the promise."""
    found = Found(kills)
    try:
        _run(scene, kills, seed)
    except AssertionError as broken:
        found.broken.append(str(broken))
    events = scene.events()
    taken_over = sum(event["kind"] == "taken over" for event in events)
    found.note = (
        f"{len(scene.said('task'))} tasks and {len(scene.said('decided'))} decisions acknowledged, "
        f"{len(scene.said('late'))} refused as too late, "
        f"{sum(scene.lines('start').values())} commands, {taken_over} take-overs"
    )
    # Else the storm blew over an empty sea.
    if len(scene.said("task")) <= kills // 3 or not any(e["kind"] == "adopted" for e in events):
        found.broken.append("there was too little to kill")
    return found


def _run(scene: Scene, kills: int, seed: str) -> None:
    storm = Storm(scene, seed)
    plan = (VICTIMS * (kills // len(VICTIMS) + 1))[:kills]
    storm.rng.shuffle(plan)
    scene.until(lambda: scene.workers() and len(scene.said("task")) >= FRONT_ENDS)
    for victim in plan:
        storm.strike(victim)
    storm.calm(patience=60 + kills)
    scene.check()
