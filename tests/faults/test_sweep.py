"""Writes that go wrong, one at a time: the short form of `sweep`."""

import subprocess
import sys
from pathlib import Path

import pytest
from disk import build, preloaded
from scene import HERE
from sweep import AT, ROLES

EVERY = {
    "together": 71,
    "worker": 61,
    "front end": 37,
    "first start": 41,
    "upgrade": 11,
    "backup": 31,
    "restore": 31,
    "prune": 37,
    "compact": 61,
}
"""Which writes are let go wrong here; `report.py --full` takes them all."""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("disk"))


@pytest.mark.parametrize("role", ROLES)
def test_whatever_write_goes_wrong_nothing_acknowledged_is_lost_and_the_work_completes(
    role: str, library: Path
) -> None:
    sweep = [sys.executable, str(HERE / "sweep.py"), "--role", role, "--every", str(EVERY[role])]
    ended = subprocess.run(sweep, env=preloaded(library), capture_output=True, text=True)
    print(ended.stdout)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    # Else nothing went wrong, or nobody looked.
    for fault in AT["write"]:
        assert f"{fault.name} " in ended.stdout


def test_a_machine_without_a_compiler_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match=r"needs a C compiler.*apt-get install gcc"):
        build(tmp_path)
