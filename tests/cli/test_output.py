import errno
import io
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import pytest

from taskhub_tui.cli import main, parser
from taskhub_tui.cli.output import Cell, Output, columns, cut, iso
from taskhub_tui.config import Paths

FULL = Path("/dev/full")
"""What can be opened, but takes nothing: as a file on a disk that is full."""


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_colours_are_for_terminals_only() -> None:
    out = Output(io.StringIO(), io.StringIO(), environ={})
    out.line(Cell("red", "red"))
    out.error("no", "yes")
    assert out.out.getvalue() == "red\n"
    assert out.err.getvalue() == "error: no\n\nhint: yes\n"
    seen = Output(Terminal(), Terminal(), environ={"TERM": "xterm"})
    seen.line(Cell("red", "red"))
    assert seen.out.getvalue() == "\x1b[31mred\x1b[0m\n"


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_turned_off(environ) -> None:
    out = Output(Terminal(), Terminal(), environ=environ)
    out.line(Cell("red", "red"))
    assert out.out.getvalue() == "red\n"


def test_nothing_that_was_stored_reaches_the_terminal_as_an_escape() -> None:
    hostile = "\x1b]0;title\x07\x1b[2Jplain\u202e\x9b31m"
    out = Output(Terminal(), Terminal(), environ={"NO_COLOR": "1"})
    out.line(hostile)
    out.text(hostile)
    out.table(("HEAD",), [[hostile]])
    out.data({"text": hostile})
    out.data_lines([hostile])
    out.lines(hostile, (hostile,))
    out.error(hostile, hostile)
    out.say(hostile)
    for stream in (out.out, out.err):
        assert "plain" in stream.getvalue()
        assert not set("\x1b\x07\x9b\u202e") & set(stream.getvalue())


def test_a_table_is_cut_at_the_edge_of_a_terminal_only(monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    rows = [["ab", "x" * 40], ["c", "漢" * 30]]
    seen = Output(Terminal(), Terminal(), environ={"NO_COLOR": "1"})
    seen.table(("A", "B"), rows)
    lines = seen.out.getvalue().splitlines()
    assert [columns(line) <= 20 for line in lines] == [True, True, True]
    assert lines[1] == "ab  " + "x" * 15 + "…"
    piped = Output(io.StringIO(), io.StringIO(), environ={})
    piped.table(("A", "B"), rows)
    assert "x" * 40 in piped.out.getvalue()


def test_width_is_counted_in_columns() -> None:
    assert (columns("abc"), columns("漢字"), columns("e\u0301")) == (3, 4, 1)
    assert cut("漢字漢字", 5) == "漢字…"
    assert cut("abc", 3) == "abc"


def test_times_in_json_are_utc_to_the_millisecond() -> None:
    assert iso(0.0015) == "1970-01-01T00:00:00.001Z"
    assert iso(None) is None


PRINTS = [
    "list", "list --json", "show {0}", "show {0} --json", "show {0} --events", "export --all",
    "doctor", "backup -o copy.db", "backup --list", "notifications", "agents", "playbooks",
    "run -- ls", "wait {0}", "worker --status", "completion bash",
    "prune --older-than 0s --dry-run",
    "decide {1} modify --title other --json", "compact --json", "__complete ids",
    "__complete agents", "--help", "--version",
    *(f"{name} --help" for name in parser.commands(parser.parser())),
]  # fmt: skip


@pytest.mark.parametrize("line", PRINTS)
def test_a_full_disk_at_the_other_end_is_said_and_is_no_success(
    still: Path, cli, capsys, monkeypatch, line: str
) -> None:
    task_id = cli("run", "--", "ls").out.strip()
    cli("cancel", task_id)
    other = cli("run", "--", "ls").out.strip()
    cli("backup")
    full = FULL.open("w")
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", full)
        code = main(line.format(task_id, other).split())
    with suppress(OSError):
        full.close()  # It still holds what nobody took.
    said = capsys.readouterr().err
    assert (code, "Traceback" in said) == (1, False)
    assert "error: The output cannot be written: No space left on device\n" in said
    assert "look before you repeat it" in said
    assert not list(still.glob("crash-*"))


def test_when_nothing_can_be_said_at_all_the_exit_code_says_it(still: Path, cli) -> None:
    for _ in range(200):
        assert cli("run", "--", "ls").code == 0
    for words in (["list", "--all"], ["list", "--json"], ["nonsense"], ["--help"]):
        with FULL.open("wb", buffering=0) as full:
            argv = [sys.executable, "-m", "taskhub_tui", *words]
            done = subprocess.run(argv, stdout=full, stderr=full, check=False)
        assert done.returncode in (1, 2), words
    assert not list(still.glob("crash-*"))


def test_an_export_to_a_file_on_a_full_disk_leaves_nothing_and_says_so(
    still: Path, cli, monkeypatch
) -> None:
    cli("run", "--", "ls")

    async def export(paths: Paths, wanted: list[str], out: TextIO) -> None:
        out.write("{")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("taskhub_tui.care.export", export)
    said = cli("export", "--all", "-o", "tasks.jsonl")
    assert (said.code, said.out) == (2, "")
    assert "tasks.jsonl cannot be written: No space left on device" in said.err
    assert not Path("tasks.jsonl").exists()
