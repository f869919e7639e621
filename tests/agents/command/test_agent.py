"""One run in one worker: what a command may say, how it may end, what it gets."""

import asyncio
import json
import os
import signal
import stat
import sys
import time

import psutil
import pytest
from command_double import Desk, until

from taskhub_tui.agents.command import AGENT
from taskhub_tui.agents.port import AgentError, BlockerKind


async def failure(desk: Desk, **options: object) -> AgentError:
    with pytest.raises(AgentError) as caught:
        await desk.run(**options)
    return caught.value


def test_the_card_says_that_commands_are_adopted() -> None:
    assert (AGENT.card.name, AGENT.card.on_interrupt) == ("command", "adopt")


async def test_output_progress_files_and_result_reach_the_task(desk: Desk) -> None:
    result = await desk.run(
        shell="""
        echo one; echo two >&2; echo ::taskhub progress 40% half
        echo hi > made.md; echo ::taskhub artifact path=made.md::Report
        echo ::error::careful; echo ::taskhub artifact path=nowhere
        echo ::taskhub result::It worked; echo end
        """
    )
    assert result.text == "It worked"
    assert result.data["exit_code"] == 0
    assert desk.ctx.lines("out") == ["one", "two", "end"]
    assert desk.ctx.lines("err") == [
        "careful",
        "The command handed over a file that is not there: nowhere",
    ]
    assert desk.ctx.fractions == [(0.4, "half")]
    (artifact,) = desk.ctx.artifacts
    assert (artifact.name, artifact.path) == ("Report", desk.work / "made.md")
    assert artifact.media_type == "text/markdown"


async def test_without_a_result_the_last_line_is_the_text(desk: Desk) -> None:
    result = await desk.run(
        shell=r"echo one; printf '\n 10%%\r100%% done\n\n::taskhub progress 1\n'"
    )
    assert result.text == "100% done"


async def test_nothing_from_outside_brings_an_escape_sequence_into_the_log(desk: Desk) -> None:
    result = await desk.run(shell=r"printf '\033]0;own\007a\033[31mb\302\233c\n'")
    assert "\x1b" not in (desk.root / "log").read_text().replace("\\u001b", "\x1b")
    assert result.text.startswith("ab")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"argv": ["no-such-program"]}, "The command `no-such-program` was not found"),
        ({"argv": ["./missing.sh"]}, "There is no file `./missing.sh` in "),
        ({"argv": ["./plain"]}, "`./plain` is not executable. Run `chmod +x ./plain`"),
        ({"argv": ["./folder"]}, "`./folder` is a folder, not a program"),
        ({"argv": ["./empty"]}, "`./empty` is no program that this machine can run"),
        ({"argv": ["./orphan"]}, "first line names is not there (#!/no/such/shell)"),
        ({"argv": ["ls"], "cwd": "gone"}, "its folder"),
        ({"argv": ["ls", "x" * 3_000_000]}, "too long together"),
        ({"shell": "exit 3"}, "`exit 3` ended with exit code 3."),
        ({"shell": "nothing-here"}, "a program in it was not found"),
        ({"shell": "kill -9 $$"}, "killed by SIGKILL; the machine may have run out of memory"),
        ({"shell": "kill -SEGV $$"}, "killed by SIGSEGV"),
        ({}, "give the option `argv`"),
        ({"argv": "ls -l"}, "The option `argv` of the command agent must be a list"),
        ({"argv": ["ls"], "shell": "ls"}, "exclude each other"),
        ({"argv": ["ls"], "grace": "long"}, "`grace` of the command agent must be a number"),
        ({"argv": ["ls"], "pty": 1}, "`pty` of the command agent must be true or false"),
        ({"argv": ["ls"], "env": {"A B": "x"}}, "a name that no variable can have"),
    ],
)
async def test_what_goes_wrong_is_said_in_a_sentence(
    desk: Desk, options: dict[str, object], sentence: str
) -> None:
    (desk.work / "plain").write_text("echo")
    (desk.work / "folder").mkdir()
    for name, text in (("empty", "echo"), ("orphan", "#!/no/such/shell\n")):
        (desk.work / name).write_text(text)
        (desk.work / name).chmod(0o755)
    error = await failure(desk, **options)
    assert sentence in str(error)
    # Whoever gives it retries wants its own failures repeated, and not what never began.
    assert error.retryable is ("exit code 3" in sentence)
    assert not error.lost


async def test_a_failure_carries_the_last_lines(desk: Desk) -> None:
    error = await failure(desk, shell="seq 30; echo oh no >&2; exit 4")
    assert error.detail["exit_code"] == 4
    assert error.detail["tail"] == [*map(str, range(22, 31)), "oh no"]


async def test_exit_75_asks_for_another_try_and_ok_codes_are_success(desk: Desk) -> None:
    assert (await failure(desk, shell="exit 75")).retryable
    (desk.root / "two").mkdir()
    assert (await Desk(desk.root / "two").run(shell="exit 75", ok_codes=[75])).data[
        "exit_code"
    ] == 75


async def test_the_prompt_is_one_argument_and_never_shell(desk: Desk) -> None:
    evil = "$(touch owned); {task} `id`"
    result = await desk.run(argv=["printf", "%s|%s", "{prompt}", "{task}"], fill=True, prompt=evil)
    assert result.text == evil + "|t1"
    assert not (desk.work / "owned").exists()


async def test_a_command_gets_the_allowed_variables_and_its_own(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hidden")
    monkeypatch.setenv("LC_TIME", "C")
    (desk.root / "data" / "env.json").write_text('{"API_TOKEN": "given"}')
    await desk.run(shell="env > seen", env={"EXTRA": "1", "HOME": None})
    seen = dict(line.split("=", 1) for line in (desk.work / "seen").read_text().splitlines())
    assert "AWS_SECRET_ACCESS_KEY" not in seen
    assert "HOME" not in seen
    assert (seen["EXTRA"], seen["API_TOKEN"], seen["LC_TIME"]) == ("1", "given", "C")
    assert (seen["TASKHUB_TASK"], seen["TASKHUB_STAGE"], seen["TASKHUB_ATTEMPT"]) == (
        "t1",
        "run",
        "1",
    )
    assert seen["PYTHONUNBUFFERED"] == "1"
    kept = b"".join(p.read_bytes() for p in desk.rundir.rglob("*") if p.is_file())
    assert b"given" not in kept
    assert "given" not in json.dumps(desk.ctx.state())


@pytest.mark.parametrize("kept", [None, "{}", '{"API_TOKEN": null, "KEY": "k"}', "\0\0", "[1]"])
async def test_no_command_runs_without_the_variables_that_were_given_apart(
    desk: Desk, kept: str | None
) -> None:
    if kept is not None:
        (desk.root / "data" / "env.json").write_text(kept)
    error = await failure(desk, shell="touch ran", secret_env=["API_TOKEN", "KEY"])
    gone = ["API_TOKEN"] if kept and "KEY" in kept else ["API_TOKEN", "KEY"]
    assert f"it needs {' and '.join(gone)}, whose value" in str(error)
    assert "`taskhub retry t1 --env API_TOKEN" in str(error)
    assert (error.retryable, error.detail) == (False, {"missing": gone})
    assert not (desk.work / "ran").exists()

    (desk.root / "data" / "env.json").write_text('{"API_TOKEN": "", "KEY": "k", "MORE": "m"}')
    said = await desk.run(shell='echo "[$API_TOKEN] $KEY $MORE"', secret_env=["API_TOKEN", "KEY"])
    assert said.text == "[] k m", "an empty value is one"


@pytest.mark.parametrize("names", ["TOKEN", [1], ["A=B"], {"TOKEN": "x"}])
async def test_names_of_variables_are_names(desk: Desk, names: object) -> None:
    error = await failure(desk, shell="touch ran", secret_env=names)
    assert "`secret_env` of the command agent must be a list of names" in str(error)
    assert not (desk.work / "ran").exists()


async def test_what_is_kept_is_for_its_owner_only(desk: Desk) -> None:
    await desk.run(shell="echo hi")
    modes = {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in desk.rundir.rglob("*")}
    assert modes == {0}


async def test_standard_input_is_empty_so_that_readers_end(desk: Desk) -> None:
    assert (await desk.run(shell="cat; echo end")).text == "end"


async def test_a_terminal_of_40_by_120_is_given_on_request(desk: Desk) -> None:
    assert (
        await desk.run(shell="stty size; test -t 0 -a -t 1 && echo yes", pty=True)
    ).text == "yes"
    assert desk.ctx.lines("out") == ["40 120", "yes"]


async def test_a_daemon_left_behind_does_not_hold_the_stage(desk: Desk) -> None:
    async with asyncio.timeout(10):
        result = await desk.run(shell="sleep 60 & echo $! > pid; echo done")
    os.kill(int((desk.work / "pid").read_text()), signal.SIGKILL)
    assert result.text == "done"


async def test_the_helper_prints_the_answer_and_its_exit_code_says_yes_or_no(desk: Desk) -> None:
    script = """
    a=$("$TASKHUB_ASK" --key one 'Deploy to "prod"?' yes no); echo "$a $?"
    a=$("$TASKHUB_ASK" --key two Sure? --risk high); echo "$a $?"
    a=$("$TASKHUB_ASK" --key three --input Name?); echo "$a $?"
    "$TASKHUB_PROGRESS" 0.7 nearly
    """
    desk.ctx.say("one", choice="yes")
    desk.ctx.say("two", action="decline")
    desk.ctx.say("three", text="no")
    result = await desk.run(shell=script)
    assert desk.ctx.lines("out") == ["yes 0", "no 1", "no 0"]
    assert [q.kind for q in desk.ctx.questions] == [
        BlockerKind.APPROVAL,
        BlockerKind.APPROVAL,
        BlockerKind.INPUT,
    ]
    assert desk.ctx.questions[0].question == 'Deploy to "prod"?'
    assert desk.ctx.questions[1].risk == "high"
    assert result.data["answers"] == {"one": "yes", "two": "no", "three": "no"}
    assert (0.7, "nearly") in desk.ctx.fractions


@pytest.mark.parametrize("pty", [False, True])
async def test_answers_arrive_on_standard_input_on_request(desk: Desk, pty: bool) -> None:
    desk.ctx.say("k", text="Ada")
    script = "echo ::taskhub ask key=k::Name?; read name; echo hello $name"
    assert (await desk.run(shell=script, stdin=True, pty=pty)).text == "hello Ada"


async def test_a_question_without_key_is_found_again_under_the_same_one(desk: Desk) -> None:
    script = """
    echo before; echo '::taskhub ask::Which?'; echo after
    set -- "$TASKHUB_ANSWERS"/*.json
    until test -s "$1"; do sleep 0.01; set -- "$TASKHUB_ANSWERS"/*.json; done
    sed 's/.*"answer": "\\([^"]*\\)".*/got \\1/' "$1"; echo run >> ledger
    """
    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(desk.run(shell=script))
    key = (desk.root / "asked").read_text()
    await until(desk.rundir / "out", "after")
    later = desk.again()
    later.ctx.say(key, text="blue")
    assert (await later.run(shell=script)).data["answers"] == {"Which?": "blue"}
    assert later.ctx.lines("out") == ["before", "after", "got blue"]
    assert (desk.work / "ledger").read_text() == "run\n"


async def test_cancel_ends_the_whole_group_step_by_step(desk: Desk) -> None:
    inner = "trap '' INT TERM; echo $BASHPID > inner; while :; do sleep 0.05; done"
    script = f"trap '' INT; ({inner}) & wait"
    task = asyncio.create_task(desk.run(argv=["bash", "-c", script], grace=0.2))
    pid = int(await until(desk.work / "inner", "\n"))
    desk.ctx.stop = "cancel"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie"
    sent = [line.split()[1] for line in desk.ctx.lines("tool") if line.startswith("Sent")]
    assert sent == ["SIGINT", "SIGTERM", "SIGKILL"]


async def test_a_polite_command_has_time_to_clean_up(desk: Desk) -> None:
    script = "trap 'echo cleaned > left; exit 130' INT; echo up > up; while :; do sleep 0.02; done"
    task = asyncio.create_task(desk.run(shell=script))
    await until(desk.work / "up")
    desk.ctx.stop = "cancel"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (desk.work / "left").read_text() == "cleaned\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "lines"),
    [
        ("w=sys.stdout.buffer.write\nfor _ in range(100): w(b'x' * 1000000)", 1),
        ("w=sys.stdout.write\nfor n in range(1000000): w(f'{n}\\n')", 1_000_000),
    ],
    ids=["one line of 100 MB", "a million lines"],
)
async def test_a_flood_is_held_in_little_memory_and_the_loop_goes_on(
    desk: Desk, program: str, lines: int
) -> None:
    ticks, before = 0, psutil.Process().memory_info().rss

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.005)

    count, peak = 0, 0

    def log(text: str, *, stream: str = "agent", data: object = None) -> None:
        nonlocal count, peak
        count += (text.count("\n") + 1) * (stream == "out")
        peak = max(peak, psutil.Process().memory_info().rss)

    desk.ctx.log = log  # type: ignore[method-assign]
    ticker = asyncio.create_task(tick())
    started = time.monotonic()
    await desk.run(argv=[sys.executable, "-c", "import sys\n" + program])
    ticker.cancel()
    assert count == lines
    assert (peak - before) / 1e6 < 40
    # The loop had its turns: one that stands still has none.
    assert ticks > (time.monotonic() - started) / 0.2


async def test_past_the_limit_signals_and_the_last_lines_are_kept(desk: Desk) -> None:
    script = (
        "yes | head -c 3000000; echo ::taskhub progress 0.5; yes | head -c 3000000; echo the end"
    )
    result = await desk.run(shell=script, max_output_mb=1)
    assert result.text == "the end"
    assert desk.ctx.fractions == [(0.5, None)]
    assert any("the output limit of 1 MB is reached" in line for line in desk.ctx.lines())
    assert (desk.rundir / "out").stat().st_size < 1_300_000


async def test_saves_are_few_while_output_flows(desk: Desk) -> None:
    started = time.monotonic()
    await desk.run(shell="for n in $(seq 300); do echo $n; sleep 0.002; done")
    assert desk.ctx.saves <= 3 + (time.monotonic() - started)
