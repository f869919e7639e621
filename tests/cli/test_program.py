"""A real worker, and the real program: from `run` to the result, exit codes, signals, pipes."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TASKHUB = (sys.executable, "-m", "taskhub_tui")


def test_a_command_is_run_waited_for_and_read(home: Path, program) -> None:
    script = Path("long.sh")
    script.write_text("#!/bin/sh\necho to the output\necho to the error >&2\n")
    script.chmod(0o755)
    task_id = program("run", "--", "./long.sh").out.strip()
    assert program("wait", task_id).code == 0
    raw = program("logs", task_id, "--raw").out.splitlines()
    assert "to the output" in raw
    assert "to the error" in raw
    lines = [json.loads(line) for line in program("logs", "--json", task_id).out.splitlines()]
    assert {"at", "stream", "text"} == set(lines[0])
    assert json.loads(program("show", task_id, "--json").out)["status"] == "completed"


def test_a_hub_whose_folder_is_no_utf8_is_refused_in_a_sentence(
    home: Path, cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKHUB_HOME", f"{home}\udcff")
    for words in (["run", "--", "true"], ["list"], ["doctor"], ["worker", "--status"]):
        said = cli(*words)
        assert (said.code, said.out) == (2, "")
        assert "its name is not valid UTF-8" in said.err
    assert cli("__complete", "ids").code == 0
    assert not os.path.exists(f"{home}\udcff")


def test_following_a_log_ends_with_the_task_and_misses_nothing(home: Path, cli) -> None:
    line = "for i in 1 2 3 4 5; do echo line $i; sleep 0.1; done"
    task_id = cli("run", "--shell", "--", line).out.strip()
    said = cli("logs", "-f", "--raw", task_id)
    assert said.code == 0
    assert [f"line {i}" for i in range(1, 6)] == [
        line for line in said.out.splitlines() if line.startswith("line ")
    ]


def test_a_failure_is_waited_for_with_its_own_exit_code(home: Path, cli) -> None:
    task_id = cli("run", "--", "sh", "-c", "echo broken; exit 3").out.strip()
    said = cli("wait", task_id)
    assert said.code == 10
    assert task_id in said.out
    shown = cli("show", task_id).out
    assert f"taskhub retry {task_id}" in shown
    assert cli("retry", task_id).code == 0
    assert cli("wait", task_id).code == 10


def test_a_question_stops_a_task_until_it_is_answered(home: Path, cli) -> None:
    task_id = cli(
        "add", "Say hi", "--agent", "command", "--gate", "--option", "argv=['echo', 'hi']"
    ).out.strip()
    said = cli("wait", task_id, "--until", "blocked")
    assert said.code == 13
    assert "needs you" in said.err
    question = json.loads(cli("show", task_id, "--json").out)["blocker"]
    assert question["question"] in cli("show", task_id).out
    late = cli("decide", task_id, "approve", "--blocker", f"{question['id']}:99")
    assert late.code == 3
    asked = f"{question['id']}:{question['version']}"
    assert cli("decide", task_id, "approve", "--blocker", asked).code == 0
    again = cli("decide", task_id, "approve", "--blocker", asked)
    assert again.code == 3
    assert "chose APPROVE" in again.err
    assert cli("wait", task_id).code == 0


def test_a_secret_reaches_the_command(home: Path, cli, monkeypatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "s3cret")
    task_id = cli(
        "run", "--env", "MY_TOKEN", "--", "sh", "-c", 'test "$MY_TOKEN" = s3cret'
    ).out.strip()
    assert cli("wait", task_id).code == 0


def test_ctrl_c_ends_a_wait_silently(still: Path, cli) -> None:
    task_id = cli("run", "--", "ls").out.strip()
    waiting = subprocess.Popen(
        [*TASKHUB, "wait", task_id, "--timeout", "60"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    _until_it_listens(still, waiting.pid)
    waiting.send_signal(signal.SIGINT)
    out, err = waiting.communicate(timeout=10)
    assert (waiting.returncode, out, err) == (130, "", "")


def _until_it_listens(home: Path, pid: int) -> None:
    """Wait until the process has the database open: then it waits."""
    end = time.monotonic() + 15
    while time.monotonic() < end:
        try:
            files = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
        except OSError:
            files = []
        if str(home / "taskhub.db") in files:
            return
        time.sleep(0.02)
    pytest.fail("the command never opened the database")


def test_a_reader_that_leaves_is_no_error(still: Path, cli) -> None:
    assert cli("run", "--", "ls").code == 0
    read, write = os.pipe()
    os.close(read)
    for words in (["list"], ["list", "--json"], ["--help"], ["completion", "bash"]):
        done = subprocess.run(
            [*TASKHUB, *words], stdout=write, stderr=subprocess.PIPE, text=True, check=False
        )
        assert done.returncode == 141, words
        assert done.stderr == "", words
    os.close(write)


def test_odd_bytes_and_odd_locales_are_no_traceback(still: Path, cli) -> None:
    done = subprocess.run(
        [*TASKHUB, "run", "--", b"ls", b"\xff\xfe"], capture_output=True, check=False
    )
    assert done.returncode == 2
    assert b"word 2 of the command: the text is not valid UTF-8" in done.stderr
    assert cli("run", "--name", "Übersicht 漢字", "--", "ls").code == 0
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    done = subprocess.run([*TASKHUB, "list"], capture_output=True, env=ascii_only, check=False)
    assert done.returncode == 0
    assert b"bersicht" in done.stdout


def test_a_worker_in_the_foreground_leaves_when_asked(home: Path, cli) -> None:
    assert cli("list").code == 0
    working = subprocess.Popen(
        [*TASKHUB, "worker"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    end = time.monotonic() + 15
    while "alive" not in cli("worker", "--status").out and time.monotonic() < end:
        assert working.poll() is None
    working.send_signal(signal.SIGINT)
    _, err = working.communicate(timeout=15)
    assert working.returncode == 0
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("words", "heavy"),
    [
        (["--help"], {"asyncio", "aiosqlite", "pydantic", "textual", "sqlite3", "platformdirs"}),
        (["list"], {"textual", "rich", "polars", "matplotlib", "desktop_notifier", "PIL"}),
        (["run", "--", "ls"], {"textual", "rich", "polars", "matplotlib", "desktop_notifier"}),
    ],
)
def test_a_command_loads_only_what_it_needs(still: Path, words, heavy) -> None:
    code = (
        "import sys; from taskhub_tui.cli import main; code = main(sys.argv[1:]);"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr);"
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    loaded = set(done.stderr.splitlines()[-1].split())
    assert "argparse" in loaded
    assert not heavy & loaded


def test_looking_has_work_go_on_whose_worker_was_killed(home: Path, cli) -> None:
    assert cli("list").code == 0
    assert not (home / "worker.log").exists(), "nothing is left to do, so nobody is started"
    with subprocess.Popen([*TASKHUB, "worker"], stderr=subprocess.DEVNULL) as working:
        until_workers(cli, working.pid)
        task_id = cli("run", "--shell", "--", "while ! test -e go; do sleep 0.1; done").out.strip()
        end = time.monotonic() + 15
        while json.loads(cli("show", task_id, "--json").out)["status"] != "in_progress":
            assert time.monotonic() < end
        assert not (home / "worker.log").exists(), "one is alive, so no other is started"
        working.kill()
    assert cli("show", task_id).code == 0
    until_workers(cli, None, besides=working.pid)
    Path("go").touch()
    assert cli("wait", task_id).code == 0


def until_workers(cli, pid: int | None, besides: int = 0) -> None:
    """Wait until a worker is alive: the one with this process, or any but `besides`."""
    end = time.monotonic() + 20
    while True:
        found = json.loads(cli("worker", "--status", "--json").out)
        alive = {one["pid"] for one in found if one["alive"]} - {besides}
        if alive and pid in (None, *alive):
            return
        assert time.monotonic() < end, found
        time.sleep(0.05)
