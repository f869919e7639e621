"""SIGKILL at random moments. `TASKHUB_SEED` repeats a run, `TASKHUB_KILLS` makes it longer."""

import os
import random
import subprocess
import time

from scene import HERE, Scene, pick

KILLS = int(os.environ.get("TASKHUB_KILLS", "30"))
SEED = os.environ.get("TASKHUB_SEED") or str(random.SystemRandom().randrange(10**6))

# Whom it hits, out of 15: workers and front ends most, for these are what people kill.
VICTIMS = ["worker"] * 7 + ["front end"] * 4 + ["app", "keeper", "runner", "command"]
FRONT_ENDS = 2


class Storm:
    """The app, front ends that submit and decide, and somebody who kills what he finds."""

    def __init__(self, scene: Scene, rng: random.Random) -> None:
        self.scene, self.rng = scene, rng
        self.number = 0
        self.front_ends = [self.front_end() for _ in range(FRONT_ENDS)]
        self.app = scene.app()

    def front_end(self) -> "subprocess.Popen[bytes]":
        self.number += 1
        return self.scene.start(
            str(HERE / "front_end.py"), f"f{self.number}", f"{SEED}-{self.number}"
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

    def calm(self) -> None:
        """Hand over nothing more, and wait until all is done."""
        (self.scene.work / "enough").touch()
        open_ = "SELECT 1 FROM task WHERE status <> 'completed'"
        self.scene.until(lambda: not self.scene.rows(open_), patience=60 + KILLS)


def test_killed_at_random_moments_nothing_acknowledged_is_lost_and_nothing_runs_twice(
    scene: Scene,
) -> None:
    print(f"TASKHUB_SEED={SEED} TASKHUB_KILLS={KILLS}")
    rng = random.Random(SEED)
    plan = (VICTIMS * (KILLS // len(VICTIMS) + 1))[:KILLS]
    rng.shuffle(plan)
    storm = Storm(scene, rng)
    scene.until(lambda: scene.workers() and len(scene.said("task")) >= FRONT_ENDS)
    for victim in plan:
        storm.strike(victim)
    storm.calm()
    scene.check()
    events = scene.events()
    print(
        f"{len(scene.said('task'))} tasks and {len(scene.said('decided'))} decisions acknowledged, "
        f"{len(scene.said('late'))} refused, {sum(scene.lines('start').values())} commands, "
        f"{sum(e['kind'] == 'taken over' for e in events)} tasks taken over"
    )
    # Else the storm blew over an empty sea.
    assert len(scene.said("task")) > KILLS // 3
    assert any(event["kind"] == "adopted" for event in events)
