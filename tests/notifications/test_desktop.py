"""The desktop channel before any desktop is there."""

import pytest

from taskhub_tui.notifications.channels.desktop import DesktopChannel
from taskhub_tui.notifications.message import DeliveryError, Message


async def ignore(_pressed) -> None:
    raise AssertionError("nothing was shown, so nothing can be pressed")


@pytest.mark.parametrize("name", ["SSH_CONNECTION", "SSH_TTY"])
async def test_over_ssh_nothing_is_shown_on_the_far_screen(monkeypatch, name):
    monkeypatch.setenv(name, "10.0.0.1 50000 10.0.0.2 22")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
    channel = DesktopChannel(ignore)
    assert "SSH session" in (await channel.available() or "")
    with pytest.raises(DeliveryError, match="SSH session") as caught:
        await channel.send(Message("k", "t", "b"))
    assert not caught.value.retry
    await channel.withdraw("k")
    await channel.close()


@pytest.mark.parametrize("ids", [("open",), ("reply", "deny"), ("a", "a")])
def test_buttons_must_be_told_apart(ids):
    with pytest.raises(ValueError, match="button IDs"):
        Message("k", "t", "b", tuple((name, name) for name in ids))
