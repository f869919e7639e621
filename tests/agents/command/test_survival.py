"""What outlives a worker: the command is adopted, started once, and never guessed about."""

import asyncio
import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from typing import Any

import command_double
import psutil
import pytest
from command_double import Desk, until

from taskhub_tui.agents.command import agent, runner
from taskhub_tui.agents.command.options import read_job
from taskhub_tui.agents.command.process import alive
from taskhub_tui.agents.command.rundir import RunDir
from taskhub_tui.agents.port import AgentError, Answer, Blocker


def worker(desk: Desk, **options: object) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, str(command_double.__file__), str(desk.root), json.dumps(options)],
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["20", "180"])
async def test_after_sigkill_the_next_worker_goes_on_where_the_first_was(
    desk: Desk, moment: str
) -> None:
    script = "echo run >> ledger; for n in $(seq 300); do echo line $n; sleep 0.01; done"
    with worker(desk, shell=script) as first:
        await until(desk.rundir / "out", f"line {moment}\n")
        first.kill()
    later = desk.again()
    state = later.ctx.state() or {}
    data = (desk.rundir / "out").read_bytes()[: (state.get("out") or {}).get("at", 0)]
    result = await later.run(shell=script)
    assert result.text == "line 300"
    assert (desk.work / "ledger").read_text() == "run\n"
    seen = later.ctx.lines("out")
    assert list(dict.fromkeys(seen)) == [f"line {n}" for n in range(1, 301)]
    # Twice can only be what was read after the last save.
    repeated = {line for line in seen if seen.count(line) > 1}
    assert not repeated & set(data.decode().splitlines())


async def test_detaching_leaves_the_command_alone_and_repeats_no_line(desk: Desk) -> None:
    script = "echo run >> ledger; for n in $(seq 60); do echo $n; sleep 0.01; done"
    task = asyncio.create_task(desk.run(shell=script))
    await until(desk.root / "log", '"20"')
    desk.ctx.stop = "detach"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    later = desk.again()
    await later.run(shell=script)
    assert later.ctx.lines("out") == [str(n) for n in range(1, 61)]
    assert (desk.work / "ledger").read_text() == "run\n"


def test_of_many_runners_for_one_folder_one_starts_the_command(desk: Desk) -> None:
    folder = RunDir(desk.rundir)
    folder.prepare(read_job(desk.stage(shell="echo run >> ledger")), ())
    threads = [threading.Thread(target=folder.launch, args=(dict(os.environ),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while folder.standing() != "ended":
        assert folder.standing() in ("starting", "running", "ended")
    assert (desk.work / "ledger").read_text() == "run\n"


def test_where_there_are_no_links_one_runner_starts_the_command_all_the_same(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*args: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refused)
    desk.rundir.mkdir(parents=True)
    assert [runner.claim(str(desk.rundir), {"pid": pid}) for pid in (1, 2)] == [True, False]
    assert json.loads((desk.rundir / "claimed").read_text()) == {"pid": 1}
    assert [one.name for one in desk.rundir.iterdir()] == ["claimed"]


async def test_a_run_that_was_prepared_but_never_claimed_is_started(desk: Desk) -> None:
    RunDir(desk.rundir).prepare(read_job(desk.stage(shell="echo hi")), ())
    await desk.ctx.save(dir=str(desk.rundir))
    assert (await desk.again().run(shell="echo hi")).text == "hi"


async def test_a_command_that_comes_due_while_the_disk_is_full_waits_for_room(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One place after another has no room: the folder, the runner's claim, and then there is some.
    prepare, launch, tries = RunDir.prepare, RunDir.launch, list[str]()

    def refuse(folder: RunDir, *given: Any) -> None:
        tries.append("prepare")
        if len(tries) == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder.path))
        prepare(folder, *given)

    def begin(folder: RunDir, env: Any) -> None:
        tries.append("launch")
        if len(tries) == 3:
            (folder.path / "runner.log").write_text(f"OSError: {os.strerror(errno.ENOSPC)}\n")
        else:
            launch(folder, env)

    monkeypatch.setattr(RunDir, "prepare", refuse)
    monkeypatch.setattr(RunDir, "launch", begin)
    monkeypatch.setattr(agent, "_PATIENCE", (0.01, 0.01, 0.01))
    assert (await desk.run(shell="echo run >> ledger; echo fine")).text == "fine"
    assert tries == ["prepare", "prepare", "launch", "prepare", "launch"]
    assert (desk.work / "ledger").read_text() == "run\n"
    assert (None, "The disk is full; waiting for room") in desk.ctx.fractions


async def test_a_folder_that_cannot_be_written_is_no_bug_but_a_sentence(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.rundir.parent.parent.mkdir(parents=True, exist_ok=True)
    desk.rundir.parent.write_text("no folder")
    with pytest.raises(AgentError, match="What the command needs cannot be written"):
        await desk.run(shell="echo hi")


async def test_a_run_that_had_ended_unseen_is_not_repeated(desk: Desk) -> None:
    folder = RunDir(desk.rundir)
    folder.prepare(read_job(desk.stage(shell="echo run >> ledger; echo fine")), ())
    await desk.ctx.save(dir=str(desk.rundir))
    folder.launch(dict(os.environ))
    await until(desk.rundir / "rc")
    again = desk.again()
    assert (await again.run(shell="echo run >> ledger; echo fine")).text == "fine"
    assert (desk.work / "ledger").read_text() == "run\n"


async def test_what_ran_before_the_database_was_put_back_is_not_taken_for_this_run(
    desk: Desk,
) -> None:
    assert (await desk.run(shell="echo first >> ledger; echo first")).text == "first"
    (desk.root / "state.json").unlink()  # As in a backup of before.
    again = desk.again()
    assert (await again.run(shell="echo second >> ledger; echo second")).text == "second"
    assert (desk.work / "ledger").read_text() == "first\nsecond\n"


async def test_cancelled_while_no_worker_lived_the_command_is_stopped(desk: Desk) -> None:
    with worker(desk, shell="sleep 60") as first:
        command = json.loads(await until(desk.rundir / "pid.json"))
        await until(desk.root / "state.json", "dir")
        first.kill()
    assert alive(command)
    later = desk.again()
    later.ctx.stop = "cancel"
    await later.run(shell="sleep 60")
    assert not alive(command)
    assert json.loads((desk.rundir / "rc").read_text())["signal"] == 2


async def test_cancelled_before_it_began_it_can_never_begin(desk: Desk) -> None:
    folder = RunDir(desk.rundir)
    folder.prepare(read_job(desk.stage(shell="echo run >> ledger")), ())
    desk.ctx.stop = "cancel"
    await desk.run(shell="echo run >> ledger")
    folder.launch(dict(os.environ))
    assert folder.standing() == "lost"
    assert not (desk.work / "ledger").exists()


def fake_run(desk: Desk, **command: object) -> None:
    """A run whose command began, and whose runner is gone."""
    RunDir(desk.rundir).prepare(read_job(desk.stage(shell="true")), ())
    (desk.root / "state.json").write_text(json.dumps({"dir": str(desk.rundir)}))
    gone = {"pid": 2**22 + 1, "start": "1", "boot": runner.boot_id()}
    (desk.rundir / "claimed").write_text(json.dumps(gone))
    (desk.rundir / "out").write_text("half\n::taskhub ask::Nobody waits for this?\n")
    if command:
        (desk.rundir / "pid.json").write_text(json.dumps({**gone, "runner": gone, **command}))


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ({"pid": os.getpid(), "start": "12345"}, "how it ended is not known"),
        ({"boot": "another"}, "was running when the machine went down"),
        ({}, "whether it ran is not known"),
    ],
    ids=["a reused pid", "a reboot", "nothing but a claim"],
)
async def test_a_command_that_cannot_be_found_is_lost_and_said_to_be(
    desk: Desk, command: dict[str, object], sentence: str
) -> None:
    fake_run(desk, **command)
    with pytest.raises(AgentError, match=sentence) as caught:
        await desk.run(shell="true")
    assert caught.value.lost
    assert "run it again" not in str(caught.value), "it may be repeated with nobody asked"
    assert desk.ctx.lines("out") == ["half"]
    assert desk.ctx.questions == []


async def test_cancelling_never_signals_a_stranger_with_a_reused_pid(desk: Desk) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:  # noqa: ASYNC220
        fake_run(desk, pid=stranger.pid, start="12345")
        desk.ctx.stop = "cancel"
        await desk.run(shell="true")
        assert stranger.poll() is None
        stranger.kill()


async def test_when_the_runner_is_killed_the_command_is_followed_to_its_end(desk: Desk) -> None:
    task = asyncio.create_task(desk.run(shell="exec sleep 60"))
    command = json.loads(await until(desk.rundir / "pid.json"))
    psutil.Process(command["runner"]["pid"]).kill()
    await until(desk.root / "log", "The keeper of the command was killed")
    assert alive(command)
    psutil.Process(command["pid"]).kill()
    with pytest.raises(AgentError, match="how it ended is not known") as caught:
        await task
    assert caught.value.lost


WAITING = "echo run >> ledger; echo up; until [ -e go ]; do sleep 0.02; done; echo on"


async def test_when_its_folder_is_deleted_the_command_is_followed_to_its_end_and_lost(
    desk: Desk,
) -> None:
    task = asyncio.create_task(desk.run(shell=WAITING))
    command = json.loads(await until(desk.rundir / "pid.json"))
    await until(desk.root / "log", '"up"')
    holder = psutil.Process(command["runner"]["pid"])
    shutil.rmtree(desk.rundir)
    await until(desk.root / "log", "The folder of this run was deleted; the command runs on")
    assert alive(command)
    (desk.work / "go").touch()
    with pytest.raises(AgentError, match="the folder of its run was deleted") as caught:
        await task
    assert caught.value.lost
    assert desk.ctx.lines("out") == ["up", "on"]
    # Its keeper ends with it, though it can leave no word of how.
    await asyncio.to_thread(holder.wait, 10)
    assert (desk.work / "ledger").read_text() == "run\n"


async def test_cancelled_without_its_folder_the_command_is_stopped(desk: Desk) -> None:
    task = asyncio.create_task(desk.run(shell=WAITING))
    command = json.loads(await until(desk.rundir / "pid.json"))
    await until(desk.root / "log", '"up"')
    shutil.rmtree(desk.rundir)
    desk.ctx.stop = "cancel"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not alive(command)


async def test_what_had_begun_and_whose_folder_is_gone_is_not_silently_started_anew(
    desk: Desk,
) -> None:
    await desk.ctx.save(dir=str(desk.rundir))
    with pytest.raises(AgentError, match="the folder of its run was deleted") as caught:
        await desk.again().run(shell=WAITING)
    assert caught.value.lost
    assert not (desk.work / "ledger").exists()


async def test_an_answer_that_cannot_be_handed_over_ends_the_command_that_waits_for_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, found = desk.ctx.ask, []

    async def ask(question: Blocker) -> Answer:
        found.append(json.loads((desk.rundir / "pid.json").read_text()))
        shutil.rmtree(desk.rundir)
        return await asked(question)

    monkeypatch.setattr(desk.ctx, "ask", ask)
    desk.ctx.say("k", text="yes")
    with pytest.raises(AgentError, match="the folder of its run was deleted") as caught:
        await desk.run(shell="echo ::taskhub ask key=k::Go on?; exec sleep 60")
    assert caught.value.lost
    assert not alive(found[0])


async def test_the_runner_ignores_hangups_and_hands_a_term_on(desk: Desk) -> None:
    script = "trap 'echo told; exit 9' TERM; echo up; while :; do sleep 0.02; done"
    task = asyncio.create_task(desk.run(shell=script))
    await until(desk.rundir / "out", "up")
    holder = psutil.Process(json.loads((desk.rundir / "pid.json").read_text())["runner"]["pid"])
    holder.send_signal(1)
    holder.terminate()
    with pytest.raises(AgentError, match="exit code 9"):
        await task
    assert desk.ctx.lines("out")[-1] == "told"


async def test_what_was_lost_is_repeated_beside_what_is_left_of_it(desk: Desk) -> None:
    fake_run(desk, pid=os.getpid(), start="12345")
    with pytest.raises(AgentError) as caught:
        await desk.run(shell="echo whole")
    assert caught.value.lost
    (desk.root / "state.json").unlink()  # It is repeated from its start, with the same key.
    assert (await desk.run(shell="echo whole")).text == "whole"
    assert (desk.rundir / "out").read_text().startswith("half")
