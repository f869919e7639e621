import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from command_double import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    yield Desk(tmp_path)
    for pid in tmp_path.glob("data/run/*/pid.json"):  # nothing a test starts outlives it
        if not (pid.parent / "rc").exists():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(json.loads(pid.read_text())["pid"], signal.SIGKILL)
