"""Damage on the disk: the short form of `corruption`."""

from pathlib import Path

import corruption
import pytest


def test_damage_never_goes_unnoticed_into_a_decision(tmp_path: Path) -> None:
    found = corruption.run(tmp_path, each=4)
    print(found.table)
    assert found.broken == []


def test_a_doctor_that_sees_nothing_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corruption.soundness, "problems", lambda database: [])
    monkeypatch.setitem(corruption.NOTICERS, "opening and reading", lambda database: False)
    found = corruption.run(tmp_path, each=1)
    for what in ("a gate", "an answer", "the log (`-wal`) is missing"):
        assert [said for said in found.broken if what in said and "nobody noticed" in said], what
