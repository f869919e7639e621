"""The log file of a task, as its writer leaves it."""

import os
import resource
from pathlib import Path

import pytest

from taskhub_tui import logs
from taskhub_tui.engine import tasklog
from taskhub_tui.engine.tasklog import TaskLog


def lines(path: Path) -> list[str]:
    return [line.text for line in logs.read(path, 0, 10_000_000).lines]


def test_what_was_said_after_the_mark_is_taken_away_and_can_be_said_again(tmp_path: Path) -> None:
    log = TaskLog(tmp_path / "log")
    log.add(1.0, "out", "kept")
    mark = log.mark()
    log.add(2.0, "out", "again")
    log.cut(mark)
    log.add(3.0, "out", "again")
    log.flush()
    assert lines(tmp_path / "log") == ["kept", "again"]


def test_a_full_log_says_so_once_and_keeps_only_our_own_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasklog, "LIMIT", 2_000_000)
    path = tmp_path / "log"
    log = TaskLog(path)
    for number in range(200):
        log.add(1.0, "out", "x" * 15_000 + str(number))
    log.add(2.0, "hub", "it ended")
    log.flush()
    assert path.stat().st_size < 2_100_000
    *_, full, last = lines(path)
    assert (full.split(";")[0], last) == ("The log is full (2 MB)", "it ended")
    later = TaskLog(path)
    later.add(3.0, "out", "more")
    later.flush()
    assert lines(path)[-1] == "it ended"


def test_a_mark_costs_nothing_while_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = TaskLog(tmp_path / "log")
    log.add(1.0, "out", "one")
    mark = log.mark()
    assert mark == (tmp_path / "log").stat().st_size
    looked: list[str] = []
    monkeypatch.setattr(os, "open", lambda *_: looked.append("open"))
    monkeypatch.setattr(Path, "stat", lambda *_: looked.append("stat"))
    assert [log.mark(), log.mark()] == [mark, mark]
    assert looked == []


def test_a_mark_counts_what_an_earlier_worker_has_written(tmp_path: Path) -> None:
    before = TaskLog(tmp_path / "log")
    before.add(1.0, "out", "one")
    before.flush()
    log = TaskLog(tmp_path / "log")
    log.add(2.0, "out", "two")
    before.add(3.0, "out", "late")
    before.flush()
    assert log.mark() == (tmp_path / "log").stat().st_size


def test_a_disk_that_fills_up_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = TaskLog(path)
    log.add(1.0, "out", "first\n" + "x" * 500)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        log.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    log.add(2.0, "out", "after")
    assert log.mark() == path.stat().st_size
    assert lines(path) == ["first", "after"]
