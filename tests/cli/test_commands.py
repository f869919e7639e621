"""Every command against a real hub in which nothing moves by itself."""

import json
import stat
import time
from pathlib import Path

import pytest


def ident(said) -> str:
    assert said.code == 0, said.err
    return said.out.strip()


def until_nobody_works(cli) -> None:
    end = time.monotonic() + 20
    while json.loads(cli("worker", "--status", "--json").out):
        assert time.monotonic() < end, "the worker does not leave"
        time.sleep(0.05)


def test_run_prints_the_id_and_keeps_the_words(still: Path, cli) -> None:
    task_id = ident(cli("run", "--name", "Listing", "--", "ls", "-l", "a b"))
    shown = json.loads(cli("show", task_id, "--json").out)
    assert shown["title"] == "Listing"
    assert shown["request"] == "ls -l 'a b'"
    assert shown["options"]["argv"] == ["ls", "-l", "a b"]
    assert shown["workdir"] == str(Path.cwd())
    assert shown["agent"] == "command"


def test_run_hands_on_the_environment_but_no_secret(still: Path, cli, monkeypatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "s3cret-value")
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    plain = ident(cli("run", "--", "ls"))
    env = json.loads(cli("show", plain, "--json").out)["options"]["env"]
    assert env["PYTHONPATH"] == "/somewhere"
    assert "MY_TOKEN" not in env

    asked = ident(cli("run", "--env", "MY_TOKEN", "--env", "OTHER=0ther-value", "--", "ls"))
    kept = still / "tasks" / asked / "env.json"
    assert json.loads(kept.read_text()) == {"MY_TOKEN": "s3cret-value", "OTHER": "0ther-value"}
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    stored = b"".join(path.read_bytes() for path in still.glob("taskhub.db*"))
    assert asked.encode() in stored
    assert b"s3cret-value" not in stored
    assert b"0ther-value" not in stored


def test_run_hands_on_any_text_and_says_what_is_none(still: Path, cli, monkeypatch) -> None:
    monkeypatch.setenv("CFLAGS", "-O2\n\t-g")
    monkeypatch.setenv("MANPATH", "/caf\udce9")
    said = cli("run", "--", "ls")
    env = json.loads(cli("show", ident(said), "--json").out)["options"]["env"]
    assert env["CFLAGS"] == "-O2\n\t-g"
    assert "MANPATH" not in env
    assert "MANPATH is not handed on: its value is not valid UTF-8." in said.err


def test_show_names_variables_and_decisions_give_them_anew(still: Path, cli, monkeypatch) -> None:
    task_id = ident(cli("run", "--env", "MY_TOKEN=s3cret-value", "--", "ls"))
    kept = still / "tasks" / task_id / "env.json"
    shown = cli("show", task_id)
    assert "  env      MY_TOKEN\n" in shown.out
    assert "s3cret" not in shown.out + cli("show", task_id, "--json", "--events").out
    assert "anew" not in shown.out
    kept.unlink()
    give = f"taskhub decide {task_id} modify --env MY_TOKEN"
    assert f"MY_TOKEN must be given anew: {give}" in cli("show", task_id).out

    unset = cli("decide", task_id, "modify", "--env", "MY_TOKEN")
    assert (unset.code, "MY_TOKEN is not set here" in unset.err) == (2, True)
    monkeypatch.setenv("MY_TOKEN", "an0ther-value")
    assert cli("decide", task_id, "modify", "--env", "MY_TOKEN").code == 0
    assert json.loads(kept.read_text()) == {"MY_TOKEN": "an0ther-value"}
    cli("pause", task_id)
    assert cli("resume", task_id, "--env", "MORE=m").code == 0
    assert json.loads(kept.read_text()) == {"MY_TOKEN": "an0ther-value", "MORE": "m"}
    history = cli("show", task_id, "--events")
    assert "MORE" in history.out
    assert "an0ther" not in history.out
    for words in (["retry", task_id], ["decide", task_id, "cancel"]):
        refused = cli(*words, "--env", "MORE=other")
        assert refused.code in (2, 3), refused
    assert cli("deny", task_id, "--env", "MORE=other").code == 2
    assert json.loads(kept.read_text())["MORE"] == "m"


def test_a_playbook_gets_the_variables_that_it_names(still: Path, cli) -> None:
    Path("push.toml").write_text(
        'name = "push"\n[[stage]]\nname = "push"\nagent = "command"\n'
        'options = { shell = "ls", secret_env = ["TOKEN"] }\n'
    )
    task_id = ident(cli("add", "--playbook", "push.toml"))
    assert "TOKEN must be given anew" in cli("show", task_id).out
    task_id = ident(cli("add", "--playbook", "push.toml", "--env", "TOKEN=t"))
    assert json.loads((still / "tasks" / task_id / "env.json").read_text()) == {"TOKEN": "t"}
    assert "anew" not in cli("show", task_id).out
    useless = cli("add", "Look", "--agent", "analyst", "--env", "TOKEN=t")
    assert (useless.code, "would be of no use" in useless.err) == (2, True)


def test_a_shell_reads_the_line_only_when_asked(still: Path, cli) -> None:
    task_id = ident(cli("run", "--shell", "--pty", "--", "ls | wc -l"))
    options = json.loads(cli("show", task_id, "--json").out)["options"]
    assert (options["shell"], options["pty"]) == ("ls | wc -l", True)
    assert "argv" not in options


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nonesuch-program"], "no program `nonesuch-program` on the path"),
        (["./missing.sh"], "no file"),
        (["./plain.txt"], "may not be run"),
        (["./"], "is not a program"),
        ([""], "The command is empty"),
    ],
)
def test_a_program_that_cannot_run_is_refused_at_once(still: Path, cli, words, said) -> None:
    Path("plain.txt").write_text("no program")
    result = cli("run", "--", *words)
    assert (result.code, result.out) == (2, "")
    assert said in result.err
    assert json.loads(cli("list", "--json").out) == []


def test_add_takes_stages_options_times_and_dependencies(still: Path, cli) -> None:
    first = ident(cli("run", "--", "ls"))
    Path("prices.csv").write_text("date,price\n")
    added = cli(
        "add", "Report on prices", "--stage", "one:command", "--stage", "two", "--agent", "command",
        "--option", "argv=['ls']", "--option", "pty=true", "--file", "prices.csv", "--priority",
        "high", "--after", first[:4], "--in", "1h", "--gate", "--review", "--title", "My report",
    )  # fmt: skip
    shown = json.loads(cli("show", ident(added), "--json").out)
    assert shown["title"] == "My report"
    assert shown["priority"] == "high"
    assert shown["after"] == [first]
    assert shown["waiting_on"] == "dependency"
    assert shown["not_before"].endswith("Z")
    assert shown["options"] == {
        "argv": ["ls"], "pty": True, "file": str(Path("prices.csv").absolute())
    }  # fmt: skip
    asks = [(one["name"], one["gate"], one["review"]) for one in shown["stage_list"]]
    assert asks == [("one", True, False), ("two", False, True)]


def test_a_request_may_come_from_the_input(still: Path, program) -> None:
    said = program("add", "-", "--agent", "command", "--json", stdin="First line\nand more\n")
    assert said.code == 0, said.err
    shown = json.loads(program("show", json.loads(said.out)["id"], "--json").out)
    assert shown["request"] == "First line\nand more"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add"], "There is no request"),
        (["add", "x", "--agent", "nobody"], "no agent `nobody`"),
        (["add", "zzz qqq"], "No agent is an obvious fit"),
        (["add", "x", "--file", "missing.csv"], "does not exist"),
        (["add", "x", "-C", "missing"], "is not a folder"),
        (["add", "x", "--agent", "command", "--after", "2222"], "no task `2222`"),
        (["add", "x", "--agent", "command", "--at", "1999-01-01"], "has passed"),
        (["add", "--playbook", "nonesuch"], "no playbook `nonesuch`"),
        (["add", "--playbook", "bad.toml"], "is not valid TOML"),
        (["add", "--playbook", "backup", "--stage", "x"], "do not go together"),
        (["show", "2222"], "no task `2222`"),
        (["logs", "2222"], "no task `2222`"),
        (["wait", "2222"], "no task `2222`"),
        (["approve", "2222"], "no task `2222`"),
        (["open", "2222", "--print"], "no task `2222`"),
        (["list", "--all", "-n", "3"], "do not go together"),
        (["open", "2222"], "opens in a terminal"),
        ([], "opens in a terminal"),
    ],
)
def test_what_cannot_be_used_is_a_sentence_and_exit_code_2(still: Path, cli, words, said) -> None:
    Path("bad.toml").write_text("stage = [")
    result = cli(*words)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("error: ")
    assert said in result.err
    assert "Traceback" not in result.err


def test_a_playbook_gives_the_stages_and_options_win_over_it(still: Path, cli) -> None:
    task_id = ident(cli("add", "--playbook", "backup", "--option", 'env={KEEP="7"}'))
    shown = json.loads(cli("show", task_id, "--json").out)
    assert shown["playbook"] == shown["title"] == "backup"
    names = [one["name"] for one in shown["stage_list"]]
    assert names == ["measure", "archive", "verify", "choose", "remove"]
    assert [one["gate"] for one in shown["stage_list"]] == [False] * 4 + [True]


def test_list_finds_by_words_and_by_status(still: Path, cli) -> None:
    one = ident(cli("run", "--name", "Nightly build", "--", "ls"))
    two = ident(cli("run", "--name", "Backup", "--", "ls"))
    cli("cancel", two)
    assert [task["id"] for task in json.loads(cli("list", "--json").out)] == [one, two]
    assert [task["id"] for task in json.loads(cli("list", "nightly", "--json").out)] == [one]
    gone = json.loads(cli("list", "--status", "cancelled", "--json").out)
    assert [task["id"] for task in gone] == [two]
    table = cli("list").out.splitlines()
    assert table[0].split() == ["ID", "STATE", "DONE", "LEFT", "AGE", "AGENT", "TITLE"]
    assert table[1].startswith(one)
    assert table[1].endswith("Nightly build")
    assert "No task is like that" in cli("list", "nothing such").err
    assert len(cli("list", "-n", "1").out.splitlines()) == 2


def test_an_empty_hub_says_what_to_do(still: Path, cli) -> None:
    said = cli("list")
    assert (said.code, said.out) == (0, "")
    assert "taskhub add" in said.err
    assert "Nothing so far" in cli("notifications").err


def test_decisions_change_the_task_and_the_illegal_one_is_exit_code_3(still: Path, cli) -> None:
    task_id = ident(cli("run", "--", "ls"))
    cli("decide", task_id, "context", "--text", "after 18:00")
    said = cli("decide", task_id, "modify", "--set", "pty=true", "--title", "New", "--json")
    shown = json.loads(said.out)
    assert (shown["title"], shown["options"]["pty"]) == ("New", True)
    assert shown["context"] == ["after 18:00"]
    gone = json.loads(cli("decide", task_id, "modify", "--unset", "pty", "--json").out)
    assert "pty" not in gone["options"]

    refused = cli("approve", task_id)
    assert refused.code == 3
    assert "APPROVE does not fit" in refused.err
    assert cli("cancel", task_id).out == f"{task_id}  cancelled\n"
    assert cli("retry", task_id).code == 3
    shown = json.loads(cli("show", task_id, "--events", "--json").out)
    assert (shown["status"], shown["legal"]) == ("cancelled", [])
    decided = [one for one in shown["events"] if one["kind"] == "decided"]
    assert [one["data"]["action"] for one in decided] == ["context", "modify", "modify", "cancel"]
    assert {one["channel"] for one in decided} == {"cli"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["context"], "needs words"),
        (["reassign"], "needs the name of an agent"),
        (["reassign", "--agent", "nobody"], "no agent `nobody`"),
        (["modify"], "changes nothing"),
        (["modify", "--set", "a"], "name=value"),
        (["modify", "--set", "a=1", "--unset", "a"], "both set and taken away"),
        (["cancel", "--agent", "command"], "--agent belongs to"),
        (["cancel", "--set", "a=1"], "New values belong to"),
        (["cancel", "--blocker", "x:y"], "ID or ID:VERSION"),
    ],
)
def test_a_decision_that_lacks_something_says_so(still: Path, cli, words, said) -> None:
    task_id = ident(cli("run", "--", "ls"))
    result = cli("decide", task_id, *words)
    assert result.code == 2
    assert said in result.err
    assert json.loads(cli("show", task_id, "--json").out)["status"] == "pending"


def test_pause_and_resume(still: Path, cli) -> None:
    task_id = ident(cli("run", "--", "ls"))
    assert cli("pause", task_id).out == f"{task_id}  paused\n"
    assert cli("resume", task_id).out == f"{task_id}  pending\n"


def test_wait_gives_up_in_time_and_tells_how_things_ended(still: Path, cli) -> None:
    open_, gone = ident(cli("run", "--", "ls")), ident(cli("run", "--", "ls"))
    cli("cancel", gone)
    said = cli("wait", open_, gone, "--timeout", "0.1", "--json")
    assert said.code == 12
    assert "time is up" in said.err
    states = [(task["id"], task["status"]) for task in json.loads(said.out)]
    assert states == [(open_, "pending"), (gone, "cancelled")]
    assert cli("wait", gone).code == 11
    assert cli("wait", open_, gone, "--any").code == 11


def test_ids_may_be_shortened_while_they_are_clear(still: Path, cli) -> None:
    task_id = ident(cli("run", "--", "ls"))
    assert json.loads(cli("show", task_id[:5], "--json").out)["id"] == task_id
    assert json.loads(cli("show", task_id.upper(), "--json").out)["id"] == task_id


def test_a_hostile_title_is_harmless_in_every_command(still: Path, cli) -> None:
    task_id = ident(cli("run", "--name", "\x1b]0;owned\x07\x1b[31mred\u202e", "--", "ls"))
    for words in (["list"], ["show", task_id], ["show", task_id, "--events"], ["notifications"]):
        said = cli(*words)
        assert "red" in said.out
        assert not set("\x1b\x07\u202e") & set(said.out + said.err), words


def test_workers_are_listed_and_asked_to_leave(still: Path, cli) -> None:
    (found,) = json.loads(cli("worker", "--status", "--json").out)
    assert (found["id"], found["alive"], found["here"]) == ("still", True, True)
    assert "still" in cli("worker", "--status").out
    assert json.loads(cli("worker", "--stop", "--json").out) == {"asked": 1}


def test_agents_and_playbooks_are_described(still: Path, cli) -> None:
    agents = {one["name"]: one for one in json.loads(cli("agents", "--json").out)}
    assert "argv" in agents["command"]["options"]
    assert "argv" in cli("agents").out
    books = {one["name"]: one for one in json.loads(cli("playbooks", "--json").out)}
    assert set(books) == {"backup", "data-report"}
    assert Path(books["backup"]["path"]).is_file()
    assert "remove (asks first)" in cli("playbooks").out


def test_a_result_that_is_not_there_is_said(still: Path, cli) -> None:
    task_id = ident(cli("run", "--", "ls"))
    said = cli("open", task_id, "--result")
    assert said.code == 2
    assert f"Task {task_id} has no result" in said.err


def test_a_damaged_database_is_exit_code_5(home: Path, cli) -> None:
    home.mkdir()
    database = home / "taskhub.db"
    database.write_bytes(b"this is no database at all, but long enough to be one" * 100)
    said = cli("list")
    database.unlink()
    assert said.code == 5
    assert "error: " in said.err


def test_a_mistake_in_the_settings_is_named(still: Path, cli) -> None:
    (still / "config.toml").write_text("concurency = 3\n")
    said = cli("list")
    (still / "config.toml").unlink()
    assert said.code == 2
    assert "`concurency` is not a setting" in said.err


WRONG = "[notifications]\nidle_after = -1\n"


def test_work_that_no_worker_could_do_is_refused_before_it_is_written(home: Path, cli) -> None:
    waits = ident(cli("run", "--in", "1h", "--", "ls"))
    assert cli("worker", "--stop").code == 0
    until_nobody_works(cli)
    (home / "config.toml").write_text(WRONG)
    for words in (
        ["run", "--", "ls"], ["pause", waits], ["cancel", waits], ["wait", waits],
        ["list"], ["show", waits],
    ):  # fmt: skip
        said = cli(*words)
        assert (said.code, said.out) == (2, ""), words
        assert f"{home / 'config.toml'}: `notifications`: idle_after must not be" in said.err
    (home / "config.toml").unlink()
    listed = json.loads(cli("list", "--json").out)
    assert [(task["id"], task["status"]) for task in listed] == [(waits, "pending")]


def test_a_worker_that_lives_takes_work_whatever_the_settings_say_now(still: Path, cli) -> None:
    (still / "config.toml").write_text(WRONG)
    assert cli("run", "--", "ls").code == 0
    (still / "config.toml").write_text("[notifications]\nidle_after = 5\n")
    assert cli("run", "--", "ls").code == 0


def test_a_bug_is_one_sentence_and_a_private_file(still: Path, cli, monkeypatch) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("the \x1b[31mmoon\nfell down")

    monkeypatch.setattr("taskhub_tui.cli.look.tasks", broken)
    said = cli("list")
    assert said.code == 70
    assert said.err.startswith(
        "error: This is a bug in TaskHub: RuntimeError: the moon fell down\n"
    )
    assert "Traceback" not in said.err
    (file,) = still.glob("crash-*.txt")
    assert str(file) in said.err
    assert "Traceback" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
