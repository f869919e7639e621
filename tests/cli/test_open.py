"""A result is handed to the desktop only when it is of a kind that is looked at."""

import os
import sys
import time
from pathlib import Path

import pytest
from tui.terminal import Terminal


@pytest.mark.parametrize(
    ("name", "opened", "said"),
    [
        ("report.md", True, "Opened"),
        ("page.html", False, "Not opened: only pictures, PDF, sound, video and plain text are"),
        ("tool.desktop", False, "Not opened: only pictures"),
    ],
)
def test_what_might_be_run_is_named_instead(
    home: Path, tmp_path: Path, cli, name: str, opened: bool, said: str
) -> None:
    asked = tmp_path / "asked"
    desktop = tmp_path / "bin" / "xdg-open"
    desktop.parent.mkdir()
    desktop.write_text(f'#!/bin/sh\necho "$@" > {asked}.part; mv {asked}.part {asked}\n')
    desktop.chmod(0o755)
    make = f'echo words > {name}; echo "::taskhub artifact path={name} main=yes::Made"'
    task_id = cli("run", "--", "sh", "-c", make).out.strip()
    assert cli("wait", task_id).code == 0
    env = {**os.environ, "DISPLAY": ":99", "PATH": f"{desktop.parent}:{os.environ['PATH']}"}
    words = [sys.executable, "-m", "taskhub_tui", "open", task_id, "--result"]
    with Terminal(words, env, (200, 20)) as terminal:
        assert terminal.end(30) == 0
        assert said.encode() in terminal.bytes
        assert name.encode() in terminal.bytes, "its path is printed"
    if opened:
        end = time.monotonic() + 20
        while not asked.exists():
            assert time.monotonic() < end, "the desktop was never asked"
            time.sleep(0.02)
        assert asked.read_text().strip().endswith(f"/{name}")
    else:
        assert not asked.exists()


def test_a_pipe_as_a_result_is_a_sentence(home: Path, tmp_path: Path, cli) -> None:
    make = 'echo words > made; echo "::taskhub artifact path=made main=yes::Made"'
    task_id = cli("run", "--", "sh", "-c", make).out.strip()
    assert cli("wait", task_id).code == 0
    made = Path(cli("open", task_id, "--result", "--print").out.strip())
    made.unlink()
    os.mkfifo(made)
    env = {**os.environ, "DISPLAY": ":99", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    desktop = tmp_path / "xdg-open"
    desktop.touch(0o755)
    words = [sys.executable, "-m", "taskhub_tui", "open", task_id, "--result"]
    with Terminal(words, env, (200, 20)) as terminal:
        assert terminal.end(30) == 2
        assert b"cannot be opened: it is a named pipe, not a file" in terminal.bytes
