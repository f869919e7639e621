"""The watch is watched: planted mistakes are noticed. `python -m simulation.mistakes` takes all."""

import shutil
from pathlib import Path

import pytest

from simulation.mistakes import MISTAKES, PRODUCT, noticed


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.what)
def test_each_mistake_can_still_be_planted(mistake, tmp_path: Path) -> None:
    shutil.copytree(PRODUCT, tmp_path / "product")
    mistake.plant(tmp_path / "product")


def test_a_mistake_is_noticed() -> None:
    (mistake,) = (one for one in MISTAKES if one.what == "a claim raises no fence")
    assert "was claimed without raising its fence" in str(noticed(mistake, seeds=20))
