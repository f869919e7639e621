"""The log file of a task, as its writer leaves it."""

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
