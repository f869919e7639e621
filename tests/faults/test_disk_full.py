"""The disk is full for a while."""

from pathlib import Path

import disk_full
from disk import build
from scene import Scene


def test_on_a_full_disk_people_are_told_so_and_the_work_goes_on_once_there_is_space(
    scene: Scene, tmp_path: Path
) -> None:
    library = build(tmp_path)
    disk = disk_full.PretendedDisk(library, scene.home, scene.work / "full")
    found = disk_full.run(scene, disk)
    assert found.broken == [], scene.trouble()
