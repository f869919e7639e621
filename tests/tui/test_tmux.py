"""One journey in a real terminal: the app in tmux, a detached worker, and the keyboard only."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from taskhub_tui.samples import sample_path

pytestmark = [pytest.mark.tmux, pytest.mark.slow]

PATIENCE = 30.0


class Tmux:
    """A tmux server of its own with one window of 80x24."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "tmux"
        self._env = {**os.environ, "TASKHUB_HOME": str(folder / "hub"), "TERM": "xterm-256color"}
        self._env.pop("TMUX", None)

    def run(self, *words: str) -> str:
        command = ["tmux", "-S", str(self._socket), "-f", os.devnull, *words]
        return subprocess.run(
            command, env=self._env, capture_output=True, text=True, check=True, timeout=20
        ).stdout

    def taskhub(self, *words: str) -> str:
        command = [sys.executable, "-m", "taskhub_tui", *words]
        return subprocess.run(
            command, env=self._env, capture_output=True, text=True, check=True, timeout=60
        ).stdout.strip()

    def open(self, folder: Path | None = None) -> None:
        where = [] if folder is None else ["-c", str(folder)]
        app = [sys.executable, "-m", "taskhub_tui"]
        self.run("new-session", "-d", "-x", "80", "-y", "24", *where, *app)

    def screen(self) -> str:
        return self.run("capture-pane", "-p")

    def until(self, words: str) -> None:
        self.wait(lambda: words in self.screen(), words)

    def wait(self, fact: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not fact():
            assert time.monotonic() < end, f"{what}: it never came\n{self.screen()}"

    def press_until(self, key: str, words: str) -> None:
        """Press a key, again while the dialog still rests, until `words` are on the screen."""
        end = time.monotonic() + PATIENCE
        while words not in self.screen():
            assert time.monotonic() < end, f"{words}: it never came\n{self.screen()}"
            self.run("send-keys", key)
            again = time.monotonic() + 1.5
            while time.monotonic() < again and words not in self.screen():
                pass

    def types(self, words: str) -> None:
        """Type words; they are on the screen when this returns."""
        self.run("send-keys", "-l", words)
        self.until(words)

    def tab_to(self, label: str) -> None:
        """Press Tab until the cursor stands on the line with `label` in it."""
        end = time.monotonic() + PATIENCE
        while label not in self._line_of_cursor():
            assert time.monotonic() < end, f"{label}: no way there\n{self.screen()}"
            self.run("send-keys", "Tab")
            again = time.monotonic() + 0.7
            while time.monotonic() < again and label not in self._line_of_cursor():
                pass

    def _line_of_cursor(self) -> str:
        at = int(self.run("display-message", "-p", "#{cursor_y}"))
        return [*self.screen().split("\n"), *[""] * 50][at]

    def over(self) -> bool:
        listed = ["tmux", "-S", str(self._socket), "list-sessions"]
        return subprocess.run(listed, env=self._env, capture_output=True).returncode != 0


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    if shutil.which("tmux") is None:
        pytest.fail("tmux is missing: apt-get install tmux", pytrace=False)
    (tmp_path / "hub").mkdir(mode=0o700)
    (tmp_path / "hub" / "config.toml").write_text(
        "idle_exit = 2\n[notifications.desktop]\nenabled = false\n"
    )
    tmux = Tmux(tmp_path)
    yield tmux
    tmux.taskhub("worker", "--stop")
    subprocess.run(["tmux", "-S", str(tmp_path / "tmux"), "kill-server"], capture_output=True)


def test_a_task_is_handed_over_approved_and_read_by_keyboard_alone(tmux: Tmux) -> None:
    tmux.open()
    tmux.until("a task of yours")
    task = tmux.taskhub(
        "add", "Deploy it", "--agent", "command", "--gate", "--option", 'argv=["echo", "all is up"]'
    )
    tmux.until("Approval needed")
    assert "$ echo 'all is up'" in tmux.screen()
    tmux.press_until("a", "1 done")
    assert tmux.taskhub("wait", task)
    tmux.press_until("Enter", "all is up")
    tmux.run("send-keys", "q")
    tmux.wait(tmux.over, "the app leaves")
    assert "all is up" in tmux.taskhub("show", task)


def test_a_task_is_made_approved_and_read_in_the_app_alone(tmux: Tmux) -> None:
    tmux.open()
    tmux.until("a task of yours")
    tmux.run("send-keys", "n")
    tmux.until("New task")
    tmux.types("Run the deploy script")
    tmux.until("best fit: Command")
    tmux.tab_to("When  ")
    tmux.run("send-keys", "BTab")
    tmux.press_until("Space", "[x] ask before")
    tmux.tab_to("Options  ")
    tmux.types('argv = ["echo", "::taskhub result::all is up"]')
    tmux.run("send-keys", "C-s")
    tmux.until("Approval needed")
    tmux.press_until("a", "1 done")
    tmux.press_until("Enter", "all is up")
    # What it was is read again in the shell, where a worker of its own did it.
    ((task, *_),) = [line.split() for line in tmux.taskhub("list").splitlines()[1:]]
    tmux.run("send-keys", "q")
    tmux.wait(tmux.over, "the app leaves")
    assert "all is up" in tmux.taskhub("show", task)


def test_from_a_new_task_over_a_question_and_its_result_to_the_follow_up(
    tmux: Tmux, tmp_path: Path
) -> None:
    shutil.copy(sample_path(), tmp_path / "oil.csv")
    tmux.open(tmp_path)
    tmux.until("a task of yours")
    tmux.run("send-keys", "n")
    tmux.until("New task")
    tmux.types("Analyse the prices")
    tmux.tab_to("File  ")
    tmux.types("oil.csv")
    tmux.until("best fit: Financial Analyst")
    tmux.tab_to("When  ")
    tmux.run("send-keys", "BTab")
    tmux.press_until("Space", "[x] ask before")
    tmux.run("send-keys", "C-s")
    tmux.until("Approval needed")
    tmux.press_until("a", "1 done")
    tmux.press_until("Enter", "Result")
    tmux.press_until("G", "What next")
    tmux.press_until("1", "New task")
    tmux.run("send-keys", "C-s")
    tmux.wait(lambda: len(tmux.taskhub("list").splitlines()) == 3, "the second task")
    follow_up = tmux.taskhub("list").splitlines()[1].split()[0]
    tmux.wait(lambda: "Analyse the prices" in tmux.taskhub("show", follow_up), "what it carries")
    tmux.run("send-keys", "C-q")
    tmux.wait(tmux.over, "the app leaves")
