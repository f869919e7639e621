"""The Linux way to the desktop: where the bus is, and what we need of desktop-notifier."""

import inspect
import socket

import pytest
from desktop_notifier.backends.dbus import DBusDesktopNotifier

from taskhub_tui.notifications.channels.desktop import DesktopChannel, hindrance
from taskhub_tui.notifications.channels.desktop_linux import PRIVATE, bus_address
from taskhub_tui.notifications.message import DeliveryError, Message


async def ignore(_pressed) -> None:
    raise AssertionError("nothing was shown, so nothing can be pressed")


async def test_without_a_session_bus_the_reason_is_said(monkeypatch, tmp_path, no_ssh):
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert "no D-Bus session bus" in (await DesktopChannel(ignore).available() or "")


@pytest.mark.parametrize("address", ["unix:path=/nonexistent/bus", "nonsense", "tcp:host=,port=x"])
async def test_a_wrong_bus_address_is_a_sentence_not_a_traceback(monkeypatch, no_ssh, address):
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
    channel = DesktopChannel(ignore)
    assert "message bus cannot be used" in (await channel.available() or "")
    with pytest.raises(DeliveryError, match="message bus cannot be used"):
        await channel.send(Message("k", "t", "b"))
    await channel.close()


def test_the_login_sessions_socket_is_used_when_the_variable_is_missing(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "bus"))
        assert bus_address({"XDG_RUNTIME_DIR": str(tmp_path)}) == f"unix:path={tmp_path / 'bus'}"
        assert hindrance({"XDG_RUNTIME_DIR": str(tmp_path)}, "linux") is None
    assert bus_address({"DBUS_SESSION_BUS_ADDRESS": "unix:abstract=a"}) == "unix:abstract=a"


def test_the_private_names_of_desktop_notifier_are_still_there():
    """If this fails after an upgrade, read desktop_linux.py against the new backends/dbus.py."""
    upstream = DBusDesktopNotifier("TaskHub")
    gone = [name for name in PRIVATE if not hasattr(upstream, name)]
    assert not gone, f"desktop-notifier no longer has {gone}; the Linux desktop channel needs them"
    source = inspect.getsource(DBusDesktopNotifier)
    for used in ("self.interface.call_notify", "await self.get_capabilities()"):
        assert used in source, f"desktop-notifier no longer does `{used}` when it sends"
