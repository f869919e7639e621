"""Values that are given apart are kept for their owner, whole, and beside one another."""

import os
import stat
from pathlib import Path

import pytest

from taskhub_tui import variables
from taskhub_tui.agents.command.card import MEANINGS
from taskhub_tui.domain.errors import StoreError
from taskhub_tui.domain.variables import NAMES


def test_values_are_kept_beside_those_that_are_there(tmp_path: Path) -> None:
    folder = tmp_path / "t1"
    folder.mkdir()
    assert variables.read(folder) == {}
    variables.keep(folder, {"A": "a1", "B": "ü\n'\""})
    variables.keep(folder, {"A": "a2", "C": ""})
    assert variables.read(folder) == {"A": "a2", "B": "ü\n'\"", "C": ""}
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert variables.missing(folder, ["D", "A", "C", "E"]) == ("D", "E")


@pytest.mark.parametrize("held", [b"", b"\xff", b"[]", b"7", b"[" * 100_000])
def test_what_is_damaged_is_told_and_replaced_when_all_is_given_anew(
    tmp_path: Path, held: bytes
) -> None:
    (tmp_path / variables.FILE).write_bytes(held)
    with pytest.raises(ValueError, match=r"it is|Expecting|decode"):
        variables.read(tmp_path)
    assert variables.missing(tmp_path, ["A"]) == ("A",)
    variables.keep(tmp_path, {"A": "a"})
    assert variables.read(tmp_path) == {"A": "a"}


def test_values_are_on_disk_before_they_are_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fsync

    def note(file: int) -> None:
        synced.append(os.fstat(file).st_ino)
        real(file)

    monkeypatch.setattr(os, "fsync", note)
    folder = tmp_path / "tasks" / "t1"
    folder.mkdir(parents=True)
    variables.keep(folder, {"A": "a"})
    assert synced == [path.stat().st_ino for path in (folder / "env.json", folder, folder.parent)]


def test_a_file_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / variables.FILE).mkdir()
    with pytest.raises(StoreError, match=r"env\.json cannot be written: Is a directory"):
        variables.keep(tmp_path, {"A": "a"})


@pytest.mark.parametrize(
    ("status", "how"),
    [("failed", "retry ab"), ("paused", "resume ab"), ("pending", "decide ab modify")],
)
def test_the_command_that_gives_them_anew_fits_the_state(status: str, how: str) -> None:
    assert variables.again("ab", ["A", "B"], status) == f"taskhub {how} --env A --env B"


def test_the_option_has_one_name() -> None:
    assert NAMES in MEANINGS
