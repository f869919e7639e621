"""The live view of a shell: a real program in a real terminal, with a real worker."""

import codecs
import json
import os
import re
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import psutil
import pytest
from tui.terminal import Terminal

TASKHUB = (sys.executable, "-m", "taskhub_tui")
PATIENCE = 30.0
_SEQUENCE = re.compile(r"\x1b\[(\d*)([AJKm])")


class Screen:
    """What a terminal shows that is told to go up, to clear, and to write lines.

    Anything else that a terminal would obey fails.
    """

    def __init__(self) -> None:
        self.lines = [""]
        self._at = 0

    def feed(self, data: bytes) -> "Screen":
        # What has come so far may end within a letter.
        text = codecs.getincrementaldecoder("utf-8")().decode(data)
        place = 0
        while place < len(text):
            letter = text[place]
            if letter == "\x1b":
                found = _SEQUENCE.match(text, place)
                assert found, f"a foreign sequence: {text[place : place + 20]!r}"
                self._obey(found[2], int(found[1] or 0))
                place = found.end()
                continue
            place += 1
            if letter == "\n":
                self._at += 1
                if self._at == len(self.lines):
                    self.lines.append("")
                self._fresh = True
            elif letter == "\r":
                self._fresh = True
            else:
                assert letter.isprintable(), f"a foreign character: {letter!r}"
                self.lines[self._at] = letter if self._fresh else self.lines[self._at] + letter
                self._fresh = False
        return self

    _fresh = True

    def _obey(self, what: str, number: int) -> None:
        if what == "A":
            self._at = max(0, self._at - number)
        elif what == "J":
            self.lines[self._at :] = [""]
        elif what == "K" and self._fresh:
            self.lines[self._at] = ""

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def watching(*words: str, size: tuple[int, int] = (80, 24), **env: str) -> Terminal:
    inherited = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    return Terminal([*TASKHUB, *words], {**inherited, **env}, size)


def until(terminal: Terminal, fact, what: str) -> str:
    """Read until the screen shows what is wanted."""
    end = time.monotonic() + PATIENCE
    while not fact(shown := Screen().feed(terminal.bytes).text):
        assert time.monotonic() < end, f"{what}: it never came\n{shown}"
        assert terminal.read() or fact(Screen().feed(terminal.bytes).text), (
            f"{what}: ended\n{shown}"
        )
    return shown


def ident(said) -> str:
    assert said.code == 0, said.err
    return said.out.strip()


def asking(cli, title: str = "Deploy it", command: str = '["echo", "hi"]') -> str:
    return ident(cli("add", title, "--agent", "command", "--gate", "--option", f"argv={command}"))


def test_open_tasks_are_drawn_in_place_and_what_is_over_stays(home: Path, cli) -> None:
    task_id = asking(cli)
    with watching("watch") as terminal:
        until(terminal, lambda text: f"taskhub approve {task_id}" in text, "the command")
        shown = until(terminal, lambda text: "May the stage" in text, "the question")
        assert shown.count("Deploy it") == 1
        assert " ! ────────" in shown
        assert cli("approve", task_id).code == 0
        shown = until(terminal, lambda text: "100%" in text and "No task" in text, "its end")
        assert " ✓ ━━━━━━━━ 100% Deploy it" in shown
        assert shown.count("Deploy it") == 1
        assert "approve" not in shown
        terminal.press("\x03")
        assert terminal.end() == 130
        assert Screen().feed(terminal.bytes).text == shown


def test_given_tasks_show_stages_and_last_words_until_they_are_over(home: Path, cli) -> None:
    gate = home.parent / "gate"
    script = f'echo first; echo "last words"; until [ -e {gate} ]; do sleep 0.05; done'
    task_id = ident(
        cli("add", "Build", "--agent", "command", "--stage", "compile", "--stage", "test",
            "--option", f"shell={script}")
    )  # fmt: skip
    with watching("watch", task_id[:6]) as terminal:
        shown = until(terminal, lambda text: "last words" in text, "the log")
        assert "▸ 1 compile" in shown
        assert "· 2 test" in shown
        assert "first" not in shown
        gate.touch()
        assert terminal.end(PATIENCE) == 0
        shown = Screen().feed(terminal.bytes).text
        assert "✓ 2 test" in shown
        assert "last words" not in shown
        assert shown.count("Build") == 1


def test_the_exit_code_says_how_they_ended_and_the_view_what_to_do(home: Path, cli) -> None:
    task_id = ident(cli("run", "--", "sh", "-c", "exit 3"))
    with watching("watch", task_id) as terminal:
        assert terminal.end(PATIENCE) == 10
        assert f"taskhub retry {task_id}" in Screen().feed(terminal.bytes).text
    assert cli("cancel", task_id).code == 0
    with watching("watch", task_id) as terminal:
        assert terminal.end(PATIENCE) == 11


def test_more_than_fits_is_counted_and_a_new_size_is_obeyed(still: Path, cli) -> None:
    for number in range(30):
        ident(cli("run", "--name", f"Task {number} with a title that needs its room", "--", "ls"))
    with watching("watch", size=(80, 12)) as terminal:
        shown = until(terminal, lambda text: "and 20 more" in text, "the rest")
        lines = shown.rstrip("\n").splitlines()
        assert len(lines) == 11
        assert all(len(line) < 80 for line in lines)
        terminal.resize(40, 8)
        narrow = until(terminal, lambda text: "and 24 more" in text, "the new size")
        assert max(map(len, narrow.splitlines()[-7:])) < 40


def test_where_many_ask_the_answers_are_shown_without_the_questions(home: Path, cli) -> None:
    ids = [asking(cli, f"Deploy {number}") for number in range(4)]
    for height in (30, 14):  # Nothing else wants the room.
        with watching("watch", size=(80, height)) as terminal:
            shown = until(
                terminal, lambda text: all(f"taskhub approve {one}" in text for one in ids), "all"
            )
            assert shown.count("May the stage") == 4
    with watching("watch", size=(80, 12)) as terminal:
        shown = until(
            terminal, lambda text: all(f"taskhub approve {one}" in text for one in ids), "all"
        )
        assert "May the stage" not in shown


def test_what_was_stored_reaches_the_terminal_as_text(still: Path, cli) -> None:
    hostile = "\x1b]0;EVIL\x07\x1b[2J[red]\u202enice\x9b31m[/nope]"
    task_id = ident(cli("run", "--name", hostile, "--", "ls"))
    with watching("watch", task_id) as terminal:
        until(terminal, lambda text: "[red]nice[/nope]" in text, "the title")


def test_no_colours_and_ascii_where_they_are_asked_for(still: Path, cli) -> None:
    task_id = ident(cli("run", "--name", "Plain", "--", "ls"))
    for words, env in (
        (("watch", "--ascii", task_id), {"NO_COLOR": "1"}),
        (("--ascii", "watch", task_id), {"TERM": "dumb", "NO_COLOR": "1"}),
    ):
        with watching(*words, **env) as terminal:
            until(terminal, lambda text: " . --------" in text, "the line")
            assert b"m" not in {found[-1:] for found in re.findall(rb"\x1b\[\d*.", terminal.bytes)}
            assert terminal.bytes.isascii()


def test_nothing_typed_is_shown_and_the_terminal_is_as_before(still: Path, cli) -> None:
    task_id = ident(cli("run", "--name", "Quiet", "--", "ls"))
    with watching("watch", task_id) as terminal:
        until(terminal, lambda text: "Quiet" in text, "the line")
        assert not termios.tcgetattr(terminal.fd)[3] & termios.ECHO
        terminal.press("xyz\n")
        terminal.settle(0.3)
        assert "xyz" not in Screen().feed(terminal.bytes).text
        os.kill(terminal.pid, signal.SIGTERM)
        assert terminal.end() == 128 + signal.SIGTERM
        assert termios.tcgetattr(terminal.fd)[3] & termios.ECHO


@pytest.mark.slow
def test_while_nothing_happens_it_hardly_works_and_writes_nothing(still: Path, cli) -> None:
    task_id = ident(cli("run", "--in", "5h", "--name", "Later", "--", "ls"))
    with watching("watch", task_id) as terminal:
        until(terminal, lambda text: "in 4h59" in text, "the line")
        process = psutil.Process(terminal.pid)
        before, written = process.cpu_times(), len(terminal.bytes)
        terminal.settle(4)
        after = process.cpu_times()
        spent = after.user - before.user + after.system - before.system
        assert spent < 0.2, f"{spent:.2f}s of 4s"
        # The age of a new task counts its first minute.
        assert len(terminal.bytes) - written < 4 * 200


def test_a_pipe_gets_a_line_for_each_change(home: Path, cli, program) -> None:
    task_id = asking(cli)
    piped = subprocess.Popen(
        [*TASKHUB, "watch", task_id], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert piped.stdout is not None
    lines = [piped.stdout.readline()]
    while "needs you" not in lines[-1]:
        lines.append(piped.stdout.readline())
        assert lines[-1], lines
    assert cli("approve", task_id).code == 0
    rest, err = piped.communicate(timeout=PATIENCE)
    assert (piped.returncode, err) == (0, "")
    lines += rest.splitlines(keepends=True)
    assert all(re.match(rf"\d{{4}}-\S+Z  {task_id}  ", line) for line in lines), lines
    asked = next(line for line in lines if "needs you" in line)
    assert f"taskhub approve {task_id}" in asked
    assert "  completed  100%  " in lines[-1]
    assert not set("\x1b\r") & set("".join(lines))


def test_json_is_a_task_a_line(home: Path, cli, program) -> None:
    task_id = ident(cli("run", "--", "sh", "-c", "exit 3"))
    said = program("watch", "--json", task_id)
    assert said.code == 10
    tasks = [json.loads(line) for line in said.out.splitlines()]
    assert {task["id"] for task in tasks} == {task_id}
    assert tasks[-1]["status"] == "failed"


def test_an_unknown_task_is_a_sentence(home: Path, cli) -> None:
    said = cli("watch", "nope")
    assert said.code == 2
    assert "There is no task `nope`" in said.err
