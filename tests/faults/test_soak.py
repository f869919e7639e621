"""Many tasks through one worker: the short form of `soak`."""

import soak
from scene import Scene


def test_a_worker_that_did_a_thousand_tasks_uses_no_more_than_before(scene: Scene) -> None:
    found = soak.run(scene, tasks=1000)
    print(found.note)
    assert found.broken == [], scene.trouble()
