"""Many processes write at once: the short form of `storm`."""

from scene import Scene
from storm import run


def test_writers_beside_readers_are_told_of_no_busy_database_and_lose_nothing(
    scene: Scene,
) -> None:
    found = run(scene, writers=6, each=300)
    print(found.note)
    assert found.broken == [], scene.trouble()
    assert len(scene.said("added")) == len(scene.said("paused")) == 6 * 75
