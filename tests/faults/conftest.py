import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from scene import Scene


@pytest.fixture
def scene(home: Path, tmp_path: Path) -> Iterator[Scene]:
    """A hub whose front ends, keeper, workers and commands are processes of their own."""
    scene = Scene(home, tmp_path / "work")
    yield scene
    scene.kill_all()
