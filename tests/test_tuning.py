"""Settings changed one at a time: the file keeps what else it says, and is never half written."""

import os
from pathlib import Path

import pytest
from support import ScriptedAgent, eventually, house, until, working

from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain import preferences
from taskhub_tui.domain.errors import BadInput
from taskhub_tui.domain.model import StageSpec, Status
from taskhub_tui.hub import Hub
from taskhub_tui.notifications.policy import Prefs

FILE = """\
# How I like it
theme = "taskhub-light"   # bright room

[limits]  # the machine is small
total = 4
agents = { command = 2 }

[notifications.quiet]
enabled = true
"""


@pytest.fixture
def file(where: Paths) -> Path:
    where.config.write_text(FILE)
    where.config.chmod(0o640)
    return where.config


async def test_a_change_keeps_comments_layout_and_mode(hub: Hub, file: Path) -> None:
    await hub.set_preference("limits.total", "8")
    assert file.read_text() == FILE.replace("total = 4", "total = 8")
    assert file.stat().st_mode & 0o777 == 0o640
    assert hub.settings.limits.total == 8
    await hub.set_preference("theme", None)
    assert "bright room" not in file.read_text()
    assert "# How I like it" in file.read_text()
    assert hub.settings.theme == "taskhub"
    assert [path.name for path in file.parent.glob(".config-*")] == []


async def test_a_file_is_made_for_its_owner_alone(hub: Hub, where: Paths) -> None:
    await hub.set_preference("notifications.desktop.per_minute", "3")
    assert where.config.stat().st_mode & 0o777 == 0o600
    chosen = {one.preference.key: one for one in hub.chosen()}
    one = chosen["notifications.desktop.per_minute"]
    assert (one.value, one.given) == (3, True)
    assert not chosen["notifications.desktop.enabled"].given


async def test_a_link_stays_a_link(hub: Hub, where: Paths, tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.toml"
    real.write_text("concurrency = 4\n")
    where.config.symlink_to(real)
    await hub.set_preference("concurrency", "5")
    assert where.config.is_symlink()
    assert real.read_text() == "concurrency = 5\n"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("concurrency", "0"),
        ("concurrency", "many"),
        ("backup.every", "soon"),
        ("backup.every", "1s"),
        ("retention.status", "running"),
        ("limits.agents", "command"),
        ("ascii", "perhaps"),
        ("notifications.quiet.start", "25:00"),
        ("notifications.desktop.per_minute", "0"),
        ("notifications.quiet.end", "22:00"),
    ],
)
async def test_a_value_that_cannot_be_changes_nothing(
    hub: Hub, file: Path, key: str, text: str
) -> None:
    with pytest.raises(BadInput):
        await hub.set_preference(key, text)
    assert file.read_text() == FILE


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\n", 1),
        ("ascii = true\nconcurrency = \n", 2),
        ("[limits]\ntotal = 1\n\n[backup]\nkeep = 0\n", 5),
        ("[notifications.desktop]\n# none\nper_minute = 'x'\n", 3),
    ],
)
async def test_a_file_with_a_mistake_is_refused_and_left_alone(
    hub: Hub, where: Paths, text: str, line: int
) -> None:
    where.config.write_text(text)
    found = hub.mistake()
    assert found is not None
    assert found.line == line
    with pytest.raises(BadInput):
        await hub.set_preference("theme", "taskhub-light")
    assert where.config.read_text() == text
    assert hub.chosen(), "what was read before is shown"


async def test_a_file_that_cannot_be_written_is_said(
    hub: Hub, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(BadInput, match="cannot be written: Permission denied"):
        await hub.set_preference("ascii", "on")
    assert file.read_text() == FILE
    assert [path.name for path in file.parent.glob(".config-*")] == []


async def test_every_setting_survives_being_written_and_read(hub: Hub) -> None:
    for one in hub.chosen():
        if one.written:
            await hub.set_preference(one.preference.key, one.written)
    assert {one.preference.key: one.written for one in hub.chosen() if one.given} == {
        one.preference.key: one.written for one in hub.chosen() if one.written
    }


def test_the_defaults_shown_are_those_that_hold() -> None:
    prefs = Prefs()
    for one in preferences.GROUPS["Notifications"]:
        value: object = prefs
        for part in one.key.split(".")[1:]:
            value = getattr(value, part)
        assert preferences.write(one.kind, value) == preferences.write(one.kind, one.default)


def test_every_setting_is_named(settings: Settings) -> None:
    tables = {key.split(".")[0] for key in preferences.BY_KEY}
    # Keys are changed in the file: the help names their actions.
    assert tables | {"keys"} == set(Settings.__dataclass_fields__)


async def test_a_trial_says_why_there_is_no_channel(
    hub: Hub, where: Paths, settings: Settings
) -> None:
    async with working(where, settings):
        await hub.try_channel("desktop")

        async def answered() -> bool:
            trial = await hub.trial("desktop")
            return trial is not None and "switched off" in (trial.said or "")

        await eventually(answered)


async def test_a_trial_is_shown_on_the_channel(hub: Hub, where: Paths) -> None:
    shown: list[str] = []

    class Screen:
        async def available(self) -> str | None:
            return None

        async def send(self, message: object) -> None:
            shown.append(message.title)  # type: ignore[attr-defined]

        async def withdraw(self, key: str) -> None: ...

        async def close(self) -> None: ...

    async with working(where, Settings(owner="ann"), desktop=lambda *_: Screen()):
        await hub.try_channel("desktop")

        async def answered() -> bool:
            trial = await hub.trial("desktop")
            return trial is not None and trial.tried is not None and trial.said is None

        await eventually(answered)
    assert shown == ["TaskHub"]


async def test_past_runs_say_how_long_stages_take_and_how_an_agent_fares(
    where: Paths, settings: Settings
) -> None:
    agent = ScriptedAgent("actor", stages=(StageSpec("only", "actor"),))
    async with house(where, settings, agent) as here, here.worker():
        for _ in range(3):
            task = await here.submit()
            await until(here.hub, task.id, Status.COMPLETED)
        (seconds,) = await here.hub.expected((StageSpec("only", "actor"),), {})
        assert seconds is not None
        assert 0 <= seconds < 20
        assert await here.hub.expected((StageSpec("else", "actor"),), {}) == [None]
        record = (await here.hub.records(["actor", "command"]))["actor"]
        assert (record.done, record.failed, record.success) == (3, 0, 1.0)
        assert record.usual is not None
        newest = await here.hub.latest(limit=2)
        assert [task.n for task in newest] == [3, 2]
