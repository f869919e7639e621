"""Two workers and three front ends on one file: the short form of `load`."""

import load
from scene import Scene


def test_two_workers_and_three_front_ends_share_one_file_without_one_task_run_by_two(
    scene: Scene,
) -> None:
    found = load.run(scene, seconds=20)
    print(found.note)
    assert found.broken == [], scene.trouble()


def test_a_reader_whose_news_is_older_than_it_may_be_is_a_breach(scene: Scene) -> None:
    found = load.run(scene, seconds=4, stale=0.001)
    assert [said for said in found.broken if "the watching front end was starved" in said]
