"""What a task is held to, and what it says while it waits, on the command line."""

import json
import time
from pathlib import Path

import pytest


def ident(said) -> str:
    assert said.code == 0, said.err
    return said.out.strip()


def shown(cli, task_id: str) -> dict:
    return json.loads(cli("show", task_id, "--json").out)


def test_every_stage_is_held_to_what_the_options_say(still: Path, cli) -> None:
    options = [
        "--timeout", "10m", "--retries", "3", "--retry-delay", "20s", "--on-interrupt", "ask",
        "--stall", "1h",
    ]  # fmt: skip
    task = shown(cli, ident(cli("run", *options, "--", "ls")))
    (stage,) = task["stage_list"]
    held = ("timeout", "retries", "retry_delay", "on_interrupt", "stall")
    assert [stage[key] for key in held] == [600, 3, 20, "ask", 3600]
    two = ident(cli("add", "--agent", "command", "--option", 'argv=["ls"]', "--stage", "a",
                    "--stage", "b", "--timeout", "5s", "x"))  # fmt: skip
    assert [stage["timeout"] for stage in shown(cli, two)["stage_list"]] == [5, 5]


def test_a_playbook_says_when_all_must_be_done_and_how_long_silence_may_be(
    still: Path, cli, tmp_path: Path
) -> None:
    book = tmp_path / "book.toml"
    book.write_text(
        'name = "book"\nagent = "command"\ndeadline = "2h"\n'
        '[[stage]]\nname = "one"\nstall = "10m"\non_interrupt = "rerun"\n'
        'options = { argv = ["ls"] }\n'
    )
    at = time.time()
    task = shown(cli, ident(cli("add", "--playbook", str(book))))
    (stage,) = task["stage_list"]
    assert (stage["stall"], stage["on_interrupt"]) == (600, "rerun")
    assert _seconds(task["deadline"]) == pytest.approx(at + 7200, abs=60)
    task = shown(cli, ident(cli("add", "--playbook", str(book), "--deadline", "10m")))
    assert _seconds(task["deadline"]) == pytest.approx(at + 600, abs=60)


def _seconds(iso: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(iso).timestamp()


def test_a_deadline_is_a_time_or_counts_from_the_start(still: Path, cli) -> None:
    at = time.time()
    late = shown(cli, ident(cli("run", "--in", "1h", "--deadline", "2h", "--", "ls")))
    assert _seconds(late["deadline"]) == pytest.approx(at + 3 * 3600, abs=60)
    assert "deadline" in cli("show", late["id"]).out
    fixed = shown(cli, ident(cli("run", "--deadline", "2099-05-04 08:30", "--", "ls")))
    assert fixed["deadline"].startswith("2099-05-0")
    said = cli("run", "--in", "2h", "--deadline", "2020-01-01", "--", "ls")
    assert (said.code, said.out) == (2, "")
    assert "--deadline: `2020-01-01` has passed" in said.err
    said = cli("run", "--deadline", "soon", "--", "ls")
    assert "--deadline: `soon` is not a time" in said.err


def test_modify_moves_the_deadline_and_the_priority(still: Path, cli) -> None:
    task_id = ident(cli("run", "--deadline", "1h", "--", "ls"))
    at = time.time()
    said = cli("decide", task_id, "modify", "--deadline", "3h", "--priority", "high")
    assert said.code == 0, said.err
    task = shown(cli, task_id)
    assert _seconds(task["deadline"]) == pytest.approx(at + 3 * 3600, abs=60)
    assert task["priority"] == "high"
    assert cli("decide", task_id, "modify", "--deadline", "none").code == 0
    assert shown(cli, task_id)["deadline"] is None


def test_an_option_that_no_stage_can_use_is_refused_with_those_that_are_known(
    still: Path, cli
) -> None:
    task_id = ident(cli("run", "--", "ls"))
    said = cli("decide", task_id, "modify", "--set", "colour=red")
    assert said.code == 2
    assert "The option `colour` would be of no use to the stage left to do" in said.err
    assert "`grace`" in said.err
    assert "colour" not in shown(cli, task_id)["options"]
    assert cli("decide", task_id, "modify", "--set", "grace=9").code == 0
    assert shown(cli, task_id)["options"]["grace"] == 9


def test_a_list_says_what_each_task_waits_for(still: Path, cli) -> None:
    first = ident(cli("run", "--in", "90m", "--", "ls"))
    second = ident(cli("run", "--after", first, "--", "ls"))
    listed = cli("list").out
    assert "starts in 1h " in listed
    assert "waits for another task" in listed
    assert f"after    {first} (pending)" in cli("show", second).out


def test_a_full_agent_and_a_silent_stage_are_said_in_words(home: Path, cli, program) -> None:
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(
        "[limits]\nagents = { command = 1 }\n[stall]\nshown_after = 1\nask_after = 2\n"
        "[notifications.desktop]\nenabled = false\n"
    )
    first = ident(cli("run", "--", "sleep", "60"))
    waiting = cli("wait", first, "--until", "blocked", "--timeout", "1s")
    assert waiting.code == 12
    second = ident(cli("run", "--", "ls"))
    for _ in range(100):
        if "needs you, runs on" in cli("list").out:
            break
        time.sleep(0.2)
    text = cli("show", first).out
    assert "no sign of life for" in text
    assert "Leave it running?" in text
    assert f"taskhub approve {first}" in text
    assert "waits for a slot" in cli("list").out
    assert "waits for a free slot of command (1 of 1 busy)" in cli("show", second).out
    assert cli("approve", first).code == 0
    assert cli("cancel", first).code == 0
    assert cli("wait", second, "--timeout", "20s").code == 0


def test_no_retries_take_those_of_a_playbook_back(still: Path, cli) -> None:
    Path("book.toml").write_text(
        'name = "Book"\n[[stage]]\nname = "run"\nagent = "command"\nretries = 3\n'
        'options = { shell = "ls" }\n'
    )
    for words, retries in (([], 3), (["--retries", "0"], 0)):
        task = shown(cli, ident(cli("add", "List it", "--playbook", "book.toml", *words)))
        (stage,) = task["stage_list"]
        assert stage["retries"] == retries


def test_that_nobody_can_start_on_a_task_is_said_when_it_is_handed_over(home: Path, cli) -> None:
    cli("list")
    (home / "keeper.lock").mkdir()
    said = cli("run", "--", "true")
    assert (said.code, len(said.out.split())) == (0, 1)
    assert "No worker can be started: " in said.err
    assert "`taskhub doctor` says what to do" in said.err
    assert "No worker can be started: " in cli("list").err
