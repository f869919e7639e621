"""`taskhub notify`: every channel says in a sentence what happened, and the phone is set up."""

import asyncio
import json
import os
import sys
import tomllib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "notifications"))

from ntfy_server import Ntfy, Phone
from sms_server import ACCOUNT, TOKEN, Twilio
from smtp_server import Post, serving

from taskhub_tui.cli.notify_trying import qr_code

ACCESS = "tk_hush0123456789hush"


@pytest.fixture
async def ntfy() -> AsyncIterator[Ntfy]:
    async with Ntfy().running() as server:
        yield server


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    async with serving() as server:
        yield server


@pytest.fixture
async def twilio() -> AsyncIterator[Twilio]:
    async with Twilio().running() as server:
        yield server


@pytest.fixture
def say(home: Path, cli: Callable) -> Callable:
    """Runs a command beside the servers, which live in the loop of the test."""
    home.mkdir(mode=0o700)

    async def run(*words: str):
        return await asyncio.to_thread(cli, *words)

    return run


def write(home: Path, *lines: str) -> None:
    text = "[notifications.desktop]\nenabled = false\n" + "\n".join(lines) + "\n"
    (home / "config.toml").write_text(text)


async def test_every_channel_says_what_happened(
    home: Path, say: Callable, ntfy: Ntfy, post: Post, twilio: Twilio,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setenv("TASKHUB_SMS", TOKEN)
    kept = tmp_path / "ntfy-token"
    kept.write_text(ACCESS)
    kept.chmod(0o600)
    ntfy.access = {ACCESS: {"alarms", "answers"}}
    write(
        home,
        "[notifications.phone]", "enabled = true", f'server = "{ntfy.url}"', 'topic = "alarms"',
        'reply_topic = "answers"', f'token = "file:{kept}"',
        "[notifications.email]", "enabled = true", 'host = "localhost"', f"port = {post.port}",
        'security = "none"', 'sender = "hub@example.org"', 'to = "ann@example.org"',
        "[notifications.sms]", "enabled = true", f'url = "{twilio.url}"', f'account = "{ACCOUNT}"',
        'token = "env:TASKHUB_SMS"', 'sender = "+15005550006"', 'to = "+4915112345678"',
        "[notifications.command]", "enabled = true", 'argv = ["/nowhere/tell-me"]',
    )  # fmt: skip
    said = await say("notify", "test")
    assert said.code == 1
    lines = [line.split(None, 2) for line in said.out.splitlines()]
    found = {channel: (state, words) for state, channel, words in lines}
    assert {channel: state for channel, (state, _) in found.items()} == {
        "in-app": "ok", "desktop": "off", "terminal": "off", "phone": "ok", "email": "ok",
        "sms": "ok", "webhook": "off", "command": "fail", "apprise": "off",
    }  # fmt: skip
    assert found["phone"][1].startswith("127.0.0.1 took a message for your phone after ")
    assert found["phone"][1].endswith("Answers from it can be read.")
    assert found["email"][1].startswith("localhost took a mail for ann@example.org after ")
    assert found["command"][1] == "The command tell-me is not there, or cannot be run."
    assert [one["title"] for one in Phone(ntfy, "alarms").shown] == ["TaskHub"]
    assert [mail["Subject"] for mail in post.mails] == ["TaskHub"]
    assert len(twilio.sent) == 1
    for secret in (ACCESS, TOKEN):
        assert secret not in said.out + said.err
        for file in home.rglob("*"):
            if file.is_file():
                assert secret.encode() not in file.read_bytes(), file


async def test_one_channel_is_tried_by_name_also_if_it_is_switched_off(
    home: Path, say: Callable, ntfy: Ntfy
) -> None:
    write(home, "[notifications.phone]", f'server = "{ntfy.url}"', 'topic = "alarms"')
    said = await say("notify", "test", "phone", "--json")
    assert said.code == 0
    (found,) = json.loads(said.out)
    assert found["said"].endswith("It is switched off in the settings, though.")
    ntfy.mishaps.append(503)
    said = await say("notify", "test", "phone")
    assert said.code == 1
    assert said.out == (
        "fail phone  The ntfy server 127.0.0.1 cannot take it now: HTTP 503 (unavailable).\n"
    )


async def test_answers_that_cannot_be_read_are_told(home: Path, say: Callable, ntfy: Ntfy) -> None:
    ntfy.access, ntfy.write_only = {}, {"alarms", "answers"}
    write(
        home, "[notifications.phone]", "enabled = true", f'server = "{ntfy.url}"',
        'topic = "alarms"', 'reply_topic = "answers"',
    )  # fmt: skip
    said = await say("notify", "test", "phone")
    assert said.code == 1
    assert "its answers cannot be read: The ntfy server 127.0.0.1 refused the token" in said.out


def test_what_cannot_be_is_said(home: Path, cli: Callable) -> None:
    said = cli("notify", "test", "pigeon")
    assert said.code == 2
    assert "There is no channel `pigeon`" in said.err
    assert "in-app, desktop" in said.err
    assert cli("notify", "test", "phone", "--new").code == 2
    assert cli("notify", "setup", "email").code == 2
    assert cli("notify", "setup").code == 2
    said = cli("notify", "test", "phone")
    assert said.code == 1
    assert "`taskhub notify setup phone` makes one" in said.out


async def test_the_phone_is_set_up_with_topics_that_nobody_can_guess(
    home: Path, say: Callable, ntfy: Ntfy
) -> None:
    write(home, "# my own words")
    said = await say("notify", "setup", "phone", "--server", ntfy.url + "/")
    assert said.code == 0, said.err
    text = (home / "config.toml").read_text()
    assert "# my own words" in text
    phone = tomllib.loads(text)["notifications"]["phone"]
    assert (phone["enabled"], phone["server"]) == (True, ntfy.url)
    assert len({phone["topic"], phone["reply_topic"]}) == 2
    assert all(len(phone[name]) == 40 for name in ("topic", "reply_topic"))
    assert f"topic   {phone['topic']}" in said.out
    assert phone["reply_topic"] not in said.out + said.err
    assert (await say("notify", "test", "phone")).code == 0
    assert len(Phone(ntfy, phone["topic"]).shown) == 1

    # Once more shows the same again; other topics only when they are asked for.
    found = json.loads((await say("notify", "setup", "phone", "--json")).out)
    host = ntfy.url.removeprefix("http://")
    assert found == {
        "server": ntfy.url, "topic": phone["topic"], "public": False,
        "link": f"ntfy://{host}/{phone['topic']}?display=TaskHub&secure=false",
    }  # fmt: skip
    found = json.loads((await say("notify", "setup", "phone", "--new", "--json")).out)
    assert found["topic"] != phone["topic"]


def test_a_server_or_a_token_that_cannot_be_changes_nothing(home: Path, cli: Callable) -> None:
    for words in (
        ("--server", "ntfy.sh"),
        ("--server", "https://me:pw@ntfy.sh"),
        ("--server", "file:///x"),
        ("--token", ACCESS),
        ("--token", "env:PATH"),
    ):
        said = cli("notify", "setup", "phone", *words)
        assert said.code == 2, words
        assert ACCESS not in said.err
    assert not (home / "config.toml").exists()


def test_the_public_server_has_a_warning(home: Path, cli: Callable) -> None:
    said = cli("notify", "setup", "phone", "--token", "env:TASKHUB_NTFY")
    assert said.code == 0, said.err
    assert "nothing that cannot be taken back can be approved by phone" in said.err
    assert "env:TASKHUB_NTFY" in (home / "config.toml").read_text()
    assert os.stat(home / "config.toml").st_mode & 0o077 == 0


def test_the_code_is_the_one_of_its_text_in_every_kind_of_letters() -> None:
    import segno

    text = "ntfy://ntfy.sh/taskhub-0123456789abcdef0123456789abcdef?display=TaskHub"
    meant = [
        [bool(one) for one in row]
        for row in segno.make(text, error="l", micro=False).matrix_iter(border=2)
    ]
    plain = qr_code(text, coloured=False, unicode=True)
    read: list[list[bool]] = []
    for line in plain:
        read.append([letter in "▀█" for letter in line])
        read.append([letter in "▄█" for letter in line])
    assert read[: len(meant)] == meant
    assert max(map(len, plain)) <= 80
    assert len(plain) <= 24
    coloured = qr_code(text, coloured=True, unicode=True)
    assert coloured == [f"\x1b[30;107m{line}\x1b[0m" for line in plain]
    ascii_ = qr_code(text, coloured=False, unicode=False)
    assert [[pair == "##" for pair in map("".join, zip(*[iter(row)] * 2, strict=True))]
            for row in ascii_] == meant  # fmt: skip
