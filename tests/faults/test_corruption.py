"""Damage on the disk: the short form of `corruption`."""

from pathlib import Path

import corruption


def test_damage_never_goes_unnoticed_into_a_decision(tmp_path: Path) -> None:
    found = corruption.run(tmp_path, each=4)
    print(found.table)
    assert found.broken == []
