"""A program of the person's: gets the message on its input, and nothing that is secret."""

import json
import sys
from pathlib import Path

import psutil
import pytest
from support import soon

from taskhub_tui.notifications.channels.command import CommandChannel
from taskhub_tui.notifications.message import DeliveryError, Message

HOSTILE = "$(touch pwned) `id` ; rm -rf ~ | \x1b[2J'\"\n--help"
MESSAGE = Message(
    "taskhub-7", "Needs you", HOSTILE, (("approve", "Approve"),),
    link="https://hub.example/a/LINKTOKEN", tokens={"approve": "T" * 43}, thread="ab12",
)  # fmt: skip


def program(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "tell.py"
    file.write_text(text)
    return [sys.executable, str(file), str(tmp_path / "out")]


NOTE = """
import json, os, sys
open(sys.argv[1], "w").write(json.dumps([sys.stdin.read(), dict(os.environ), sys.argv[2:]]))
"""


async def refused(channel: CommandChannel) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await channel.send(MESSAGE)
    return caught.value


async def test_it_gets_the_message_as_json_and_no_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASKHUB_TOKEN", "hush-hush")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush-hush")
    channel = CommandChannel(program(tmp_path, NOTE))
    assert await channel.available() is None
    await channel.send(MESSAGE)
    told, environ, argv = json.loads((tmp_path / "out").read_text())
    assert json.loads(told) == {
        "key": "taskhub-7", "title": "Needs you", "task": "ab12", "asks": True, "urgent": False,
        "body": "$(touch pwned) `id` ; rm -rf ~ | '\"\n--help",
    }  # fmt: skip
    assert argv == []
    assert "PATH" in environ
    for secret in ("hush-hush", "LINKTOKEN", "T" * 43):
        assert secret not in (tmp_path / "out").read_text()


async def test_how_it_ended_is_told(tmp_path: Path) -> None:
    channel = CommandChannel(
        program(tmp_path, "import sys; sys.exit('no \\x1b[1mroute' + ' to host')")
    )
    error = await refused(channel)
    assert error.retry
    assert str(error).endswith("ended with exit code 1 (no route to host)")
    channel = CommandChannel(program(tmp_path, "import os; os.kill(os.getpid(), 9)"))
    assert "ended by signal 9" in str(await refused(channel))


async def test_who_does_not_read_and_who_says_much_are_borne(tmp_path: Path) -> None:
    await CommandChannel(program(tmp_path, "pass")).send(MESSAGE)
    loud = "import sys; sys.stderr.write('x' * 10_000_000); print('y' * 10_000_000)"
    await CommandChannel(program(tmp_path, loud)).send(MESSAGE)


SLOW = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(sys.argv[1] + ".new", "w").write(str(child.pid))
import os
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
"""


async def test_what_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    error = await refused(CommandChannel(program(tmp_path, SLOW), timeout=3.0))
    assert error.retry
    assert "was not done within 3 s" in str(error)
    pid = int((tmp_path / "out").read_text())

    def gone() -> bool:
        try:
            return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    await soon(gone)


async def test_a_program_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("echo")
    for argv, words in (
        ([], "needs `argv`"),
        (["/nowhere/tell-me"], "The command tell-me is not there"),
        ([str(tmp_path / "plain")], "cannot be run"),
        (["a\nb"], "needs `argv`"),
    ):
        channel = CommandChannel(argv)
        assert words in (await channel.available() or "")
        assert not (await refused(channel)).retry
