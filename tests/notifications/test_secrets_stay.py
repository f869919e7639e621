"""Secrets of the channels in a real hub: what was used is found in no file, argv or environment."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest
from ntfy_server import Ntfy, Phone
from sms_server import ACCOUNT, TOKEN, Twilio
from smtp_server import Post, serving
from support import soon

PUSH, MAIL, HOOK = "tk_hush0123456789hush", "hush-hush-mail", "hush-hush-hook"
SECRETS = (PUSH, MAIL, HOOK, TOKEN)
CHILD = "import json, os, sys; open(sys.argv[1], 'w').write(json.dumps(dict(os.environ))); 1/0"


@pytest.fixture
async def servers() -> AsyncIterator[tuple[Ntfy, Post, Twilio]]:
    async with (
        Ntfy().running() as ntfy,
        serving(auth_required=True) as post,
        Twilio().running() as twilio,
    ):
        post.password = MAIL.encode()
        yield ntfy, post, twilio


def write(home: Path, ntfy: Ntfy, post: Post, twilio: Twilio, tell: Path) -> None:
    at_once = 'enabled = true\nunanswered_after = 0\nat_least = "low"\n'
    (home / "config.toml").write_text(f"""
idle_exit = 1
[notifications.desktop]
enabled = false
[notifications.phone]
{at_once}server = "{ntfy.url}"
topic = "alarms"
token = "env:TASKHUB_PUSH"
[notifications.email]
{at_once}host = "127.0.0.1"
port = {post.port}
security = "none"
user = "ann"
password = "file:{home.parent / "mail"}"
sender = "hub@example.org"
to = "ann@example.org"
[notifications.sms]
{at_once}url = "{twilio.url}"
account = "{ACCOUNT}"
token = "env:TASKHUB_SMS"
sender = "+15005550006"
to = "+4915112345678"
[notifications.webhook]
{at_once}url = "http://127.0.0.1:9/"
private = true
secret = "env:TASKHUB_HOOK"
[notifications.command]
{at_once}argv = ["{sys.executable}", "-c", "import json, os, sys; sys.stdin.read();\
 open('{tell}', 'w').write(json.dumps(dict(os.environ)))"]
""")


def ours(home: Path) -> list[psutil.Process]:
    """Every process that belongs to the hub: keeper, worker, and what they started."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TASKHUB_HOME") == str(home):
                found.append(process)
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue
    return found


async def test_no_secret_is_in_a_file_an_argv_or_the_environment_of_a_child(
    home: Path, tmp_path: Path, servers: tuple[Ntfy, Post, Twilio]
) -> None:
    ntfy, post, twilio = servers
    ntfy.access = {PUSH: {"alarms"}}
    ntfy.mishaps.append(500)  # a failure is written down, too
    twilio.mishaps.append(500)
    (tmp_path / "mail").write_text(MAIL)
    (tmp_path / "mail").chmod(0o600)
    child, tell = tmp_path / "child.json", tmp_path / "tell.json"
    write(home, ntfy, post, twilio, tell)
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith("TASKHUB_")
    } | {
        "TASKHUB_HOME": str(home), "HOME": str(tmp_path),
        "TASKHUB_PUSH": PUSH, "TASKHUB_SMS": TOKEN, "TASKHUB_HOOK": HOOK,
    }  # fmt: skip
    argvs: list[str] = []

    def taskhub(*words: str) -> str:
        command = [sys.executable, "-m", "taskhub_tui", *words]
        return subprocess.run(
            command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout

    def all_told() -> bool:
        for one in ours(home):
            with contextlib.suppress(psutil.NoSuchProcess):
                argvs.append(" ".join(one.cmdline()))
        return bool(Phone(ntfy, "alarms").shown and post.mails and twilio.sent) and tell.exists()

    try:
        await asyncio.to_thread(taskhub, "run", "--", sys.executable, "-c", CHILD, str(child))
        await soon(all_told)
        printed = [
            await asyncio.to_thread(taskhub, *words)
            for words in (("list", "--json"), ("worker", "--status"))
        ]
    finally:
        await asyncio.to_thread(taskhub, "worker", "--stop")
        psutil.wait_procs(ours(home), 10)

    assert any("worker" in argv for argv in argvs)
    assert "PATH" in json.loads(child.read_text())
    assert (home / "taskhub.db").exists()
    assert (home / "worker.log").read_text()
    places = {str(file): file.read_bytes() for file in home.rglob("*") if file.is_file()}
    places |= {"the child": child.read_bytes(), "the command": tell.read_bytes()}
    places |= {"argv": "\n".join(argvs).encode(), "printed": "\n".join(printed).encode()}
    for place, content in places.items():
        for secret in SECRETS:
            assert secret.encode() not in content, place
