import asyncio
import json
import os
from pathlib import Path

import pytest
from support import ScriptedAgent

from taskhub_tui import config, diagnosis
from taskhub_tui.agents.registry import Registry
from taskhub_tui.cli import main
from taskhub_tui.config import Paths
from taskhub_tui.domain.model import NewTask
from taskhub_tui.domain.views import Check
from taskhub_tui.hub import Hub
from taskhub_tui.storage import outbox


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.setenv("TASKHUB_HOME", str(tmp_path / "hub"))
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return config.paths()


def found(where: Paths) -> dict[str, Check]:
    checks = asyncio.run(diagnosis.checks(where, config.Settings(owner="me")))
    return {check.name: check for check in checks}


def test_a_new_hub_is_in_order_and_every_problem_has_a_remedy(where: Paths) -> None:
    checks = found(where)
    assert {"sqlite", "files", "disk", "database", "worker", "questions", "desktop"} <= set(checks)
    assert "fail" not in {check.state for check in checks.values()}
    for check in checks.values():
        assert check.state == "ok" or check.remedy, check
    assert checks["desktop"].state == "warn"


def test_files_that_others_can_read_are_named(where: Paths) -> None:
    asyncio.run(_submit(where))
    where.database.chmod(0o644)
    check = found(where)["files"]
    assert (check.state, str(where.database) in check.message) == ("warn", True)
    assert check.remedy == f"chmod -R go-rwx {where.home}"


def test_a_damaged_database_fails_and_the_rest_is_still_looked_at(where: Paths, capsys) -> None:
    asyncio.run(_submit(where))
    size = where.database.stat().st_size
    with where.database.open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(min(8192, size - 4096)))
    checks = found(where)
    assert checks["database"].state == "fail"
    assert checks["database"].remedy
    assert "desktop" in checks
    assert main(["doctor", "--json"]) == 1
    told = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert told["database"]["state"] == "fail"


def test_a_database_of_a_newer_version_is_left_alone(where: Paths) -> None:
    import sqlite3

    asyncio.run(_submit(where))
    connection = sqlite3.connect(where.database)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    check = found(where)["database"]
    assert (check.state, check.remedy) == ("fail", "Update TaskHub")


def test_a_folder_that_is_a_file_is_named(where: Paths) -> None:
    where.home.write_text("")
    checks = found(where)
    assert checks["files"].state == "fail"
    assert "database" not in checks


def test_work_without_a_worker_is_a_warning(where: Paths) -> None:
    asyncio.run(_submit(where))
    check = found(where)["worker"]
    assert check.state == "warn"
    assert check.message == "None is alive, and 1 task waits for one"
    asyncio.run(_submit(where))
    assert found(where)["worker"].message == "None is alive, and 2 tasks wait for one"


def test_an_agent_that_tasks_wait_for_and_that_is_gone_is_named(where: Paths) -> None:
    async def ask_the_oracle() -> None:
        registry = Registry(extra={"oracle": ScriptedAgent("oracle")})
        async with await Hub.open(paths=where, autostart=False, registry=registry) as hub:
            await hub.submit(NewTask("What will be?", agent="oracle"))

    asyncio.run(ask_the_oracle())
    check = found(where)["agent oracle"]
    assert (check.state, check.message) == ("warn", "`oracle` cannot be used")
    assert "it is not installed" in str(check.remedy)


def test_a_limit_for_an_agent_that_does_not_exist_is_named(where: Paths) -> None:
    where.home.mkdir(parents=True, mode=0o700)
    where.config.write_text('[limits]\nagents = { comand = 1, command = 4, "a\\u001b[1m" = 2 }\n')
    checks = asyncio.run(diagnosis.checks(where, config.settings(where)))
    told = [check for check in checks if check.name == "limits"]
    assert [check.state for check in told] == ["warn", "warn"]
    assert told[1].message == (
        "`limits.agents` names `comand`, and there is no such agent: it limits nothing"
    )
    assert f"Correct {where.config}; there are: " in str(told[1].remedy)
    assert "command" in str(told[1].remedy)
    assert "\x1b" not in told[0].message


async def _submit(where: Paths) -> None:
    async with await Hub.open(paths=where, autostart=False) as hub:
        await hub.submit(NewTask("ls", agent="command", options={"argv": ["ls"]}))


def test_questions_that_wait_for_long_are_named() -> None:
    assert diagnosis._questions([]).state == "ok"
    assert diagnosis._questions([("aaaaaaaa", 60.0)]).state == "ok"
    old = diagnosis._questions([("aaaaaaaa", 60.0), ("bbbbbbbb", 3 * 86400.0)])
    assert (old.state, old.message) == ("warn", "2 open, the oldest for 3d")
    assert "bbbbbbbb" in str(old.remedy)


def test_a_mistake_in_the_settings_is_a_finding_of_doctor(where: Paths, capsys) -> None:
    where.home.mkdir()
    where.config.write_text("concurrency = 0\n")
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("fail  settings")
    assert "must be at least 1" in out
    assert "database" in out


def test_a_mistake_that_only_a_worker_meets_is_a_finding_of_doctor(where: Paths, capsys) -> None:
    where.home.mkdir()
    where.config.write_text("[notifications.desktop]\nper_minutes = 3\n")
    assert main(["doctor", "--json"]) == 1
    told = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    wrong = "`notifications.desktop.per_minutes`: There is no such setting"
    assert told["settings"]["message"] == f"{where.config}: {wrong}"
    assert told["settings"]["state"] == "fail"
    assert str(where.config) in told["settings"]["remedy"]
    where.config.write_text("[notifications.desktop]\nper_minute = 3\n")
    main(["doctor", "--json"])
    assert "settings" not in {one["name"] for one in json.loads(capsys.readouterr().out)}


def test_a_channel_over_which_nothing_goes_out_is_named(where: Paths) -> None:
    settings = config.Settings(
        owner="me",
        notifications={
            "phone": {"enabled": True, "topic": "alarms", "token": "env:TASKHUB_NOT_SET"},
            "command": {"enabled": True, "argv": ["true"]},
            "webhook": {"enabled": True, "url": "https://hook.example.org/x"},
        },
    )

    async def down() -> None:
        async with await Hub.open(paths=where, autostart=False) as hub:
            since = hub.clock() - 7200
            await hub._store.write(
                lambda tx: outbox.let_rest(tx, "webhook", since, "It is down", None)
            )

    def said() -> dict[str, tuple[str, str]]:
        checks = asyncio.run(diagnosis.checks(where, settings))
        return {one.name: (one.state, one.message) for one in checks}

    assert said()["webhook"][0] == "ok"
    asyncio.run(down())
    told = said()
    assert told["webhook"] == ("warn", "Nothing went out for 2h00: It is down")
    assert told["command"][0] == "ok"
    assert told["phone"][0] == "warn"
    assert "TASKHUB_NOT_SET" in told["phone"][1]
    assert not {"sms", "email", "apprise", "mail replies"} & told.keys()


def test_every_channel_is_listed_with_what_is_wrong_with_it(
    where: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.setenv("TERM", "dumb")
    settings = config.Settings(
        owner="me",
        notifications={
            "phone": {"enabled": True, "topic": "alarms", "token": "env:TASKHUB_NOT_SET"},
            "command": {"enabled": True, "argv": ["/nowhere/tell-me"]},
        },
    )
    listed = asyncio.run(diagnosis.channels(where, settings))
    assert [one.name for one in listed] == [
        "in-app", "desktop", "terminal", "phone", "email", "sms", "webhook", "command", "apprise",
    ]  # fmt: skip
    by_name = {one.name: one for one in listed}
    assert {name for name, one in by_name.items() if one.on} == {
        "in-app", "desktop", "terminal", "phone", "command",
    }  # fmt: skip
    assert "TASKHUB_NOT_SET" in (by_name["phone"].problem or "")
    assert by_name["command"].problem == "The command tell-me is not there, or cannot be run"
    assert "rings only" in (by_name["terminal"].problem or "")
    assert "name of a mail server" in (by_name["email"].problem or "")
    assert [name for name, one in by_name.items() if not one.problem] == ["in-app"]
