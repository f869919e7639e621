"""SIGKILL at random moments. `TASKHUB_SEED` repeats a run, `TASKHUB_KILLS` makes it longer."""

import os
import random

import kills
from scene import Scene

KILLS = int(os.environ.get("TASKHUB_KILLS", "30"))
SEED = os.environ.get("TASKHUB_SEED") or str(random.SystemRandom().randrange(10**6))


def test_killed_at_random_moments_nothing_acknowledged_is_lost_and_nothing_runs_twice(
    scene: Scene,
) -> None:
    print(f"TASKHUB_SEED={SEED} TASKHUB_KILLS={KILLS}")
    found = kills.run(scene, KILLS, SEED)
    print(found.note)
    assert found.broken == [], scene.trouble()
