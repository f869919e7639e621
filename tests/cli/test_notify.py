"""`taskhub notify`: why a person was told, or was not; and what differs for one task."""

import asyncio
import json
import tomllib
from pathlib import Path

from support import eventually, working

from taskhub_tui.config import Settings, paths
from taskhub_tui.domain.model import NewTask, NoticeKind, StageSpec
from taskhub_tui.domain.telling import Telling, sentence
from taskhub_tui.hub import Hub

GATED = NewTask(
    "Deploy",
    agent="command",
    stages=(StageSpec("deploy", "command", options={"argv": ["true"]}, gate=True),),
)


async def blocked() -> str:
    """Let a worker ask about a task and say where it told so; the desktop is switched off."""
    where, settings = paths(), Settings(owner="ann", notifications={"desktop": {"enabled": False}})
    async with await Hub.open(paths=where, settings=settings, autostart=False) as hub:
        async with working(where, settings):
            task = await hub.submit(GATED)

            async def explained() -> bool:
                told = await hub.told(task.id)
                asked = any(one.notification.kind is NoticeKind.BLOCKER for one in told)
                return asked and all(one.tellings for one in told)

            await eventually(explained)
        return task.id


def test_why_says_for_every_channel_what_became_of_it(cli, home: Path) -> None:
    task_id = asyncio.run(blocked())
    said = cli("notify", "why", task_id)
    assert said.code == 0
    words = " ".join(said.out.split())
    assert "blocker Deploy" in words
    assert "in-app: told. Everything is listed in the app." in words
    assert "desktop: not told. Desktop notifications are switched off in the settings." in words
    assert "phone: not told. It is not told on the phone: that is not set up." in words
    assert "terminal: not told. The app is not open, so it has no terminal." in words
    shape = json.loads(cli("--json", "notify", "why", task_id[:5]).out)
    blocker = next(one for one in shape if one["kind"] == "blocker")
    assert {one["channel"] for one in blocker["told"]} >= {"in-app", "desktop", "phone", "sms"}
    assert all(one["why"] for one in blocker["told"])


def test_a_task_is_muted_told_on_some_channels_only_and_again_as_all_others(
    cli, home: Path
) -> None:
    task_id = asyncio.run(blocked())
    file = home / "config.toml"
    file.write_text("# mine\nowner = 'ann'\n")

    def tasks() -> dict[str, object]:
        return tomllib.loads(file.read_text()).get("notifications", {}).get("tasks", {})

    assert cli("notify", "mute", task_id).code == 0
    assert tasks() == {task_id: {"mute": True}}
    assert cli("notify", "only", "playbook:deploy", "phone", "email").code == 0
    assert tasks()["playbook:deploy"] == {"channels": ["phone", "email"]}
    assert cli("notify", "only", task_id, "desktop").code == 0
    assert tasks()[task_id] == {"channels": ["desktop"]}
    assert cli("notify", "reset", task_id).code == 0
    assert set(tasks()) == {"playbook:deploy"}
    assert file.read_text().startswith("# mine\n")


def test_a_channel_that_there_is_not_is_refused_and_nothing_is_written(cli, home: Path) -> None:
    said = cli("notify", "only", "agent:command", "fax")
    assert said.code == 2
    assert "There is no channel 'fax'" in said.err
    assert not (home / "config.toml").exists()
    assert "needs a channel" in cli("notify", "only", "agent:command").err
    assert "takes no channels" in cli("notify", "why", "x", "phone").err


def test_each_state_has_its_words() -> None:
    def said(**more: object) -> str:
        return sentence(Telling("phone", 1100.0, "So it is.", **more), 1000.0)  # type: ignore[arg-type]

    assert said(state="queued") == (
        "phone: to be told in 1m 40s, unless it is answered before. So it is."
    )
    news = sentence(Telling("email", 1100.0, "So it is.", state="queued"), 1000.0, asks=False)
    assert news == "email: to be told in 1m 40s. So it is."
    assert said(state="sent", sent=940.0) == "phone: told 1m ago. So it is."
    assert said(state="withdrawn", sent=940.0) == (
        "phone: told 1m ago, and taken back since. So it is."
    )
    assert said(state="withdrawn").startswith("phone: not told, since it was answered before.")
    assert said(state="dead", error="Wrong token.").startswith(
        "phone: could not be told (Wrong token). "
    )
    assert said(state="queued", next_try=1030.0, error="It is down").startswith(
        "phone: tried again in 30s (It is down). "
    )
    assert said(state="queued", next_try=990.0).startswith("phone: due, and waits for its turn. ")
