"""Trying the channels out from here, and saying in one sentence each what came of it."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from taskhub_tui.domain.errors import BadInput
from taskhub_tui.domain.views import Tried
from taskhub_tui.notifications.channels.making import OUTSIDE, make
from taskhub_tui.notifications.message import DeliveryError, Pressed
from taskhub_tui.notifications.notifier import trial
from taskhub_tui.notifications.policy import Channel, Prefs
from taskhub_tui.text import one_line

if TYPE_CHECKING:
    from taskhub_tui.config import Paths
    from taskhub_tui.notifications.notifier import Sender


async def try_out(prefs: Prefs, paths: Paths, names: Sequence[str] = ()) -> list[Tried]:
    """Send a test message over each channel that is switched on, or over those that are named.

    Raises:
        BadInput: there is no channel of a name.
    """
    known = {channel.value: channel for channel in Channel}
    for name in names:
        if name not in known:
            raise BadInput(
                f"There is no channel `{one_line(name, 40)}`", f"There are: {', '.join(known)}"
            )
    wanted = [known[name] for name in names] or list(Channel)
    return [await _try(channel, prefs, paths, bool(names)) for channel in wanted]


async def _try(channel: Channel, prefs: Prefs, paths: Paths, named: bool) -> Tried:
    if channel is Channel.IN_APP:
        return Tried(channel.value, "ok", "Everything is listed in the app; nothing is sent.")
    if not prefs.of(channel).enabled and not named:
        return Tried(channel.value, "off", "It is switched off in the settings.")
    if channel is Channel.TERMINAL:
        return _terminal(prefs, named)
    sender = _sender(channel, prefs, paths)
    began = time.monotonic()
    try:
        if (reason := await sender.available()) is not None:
            return Tried(channel.value, "fail", _sentence(reason))
        key = f"taskhub-trial-{time.time():.3f}"
        await sender.send(trial(key))
        said = f"{_taken(channel, prefs)} after {time.monotonic() - began:.1f} s."
        if channel is Channel.PHONE and prefs.phone.reply_topic:
            said += await _replies(sender)
        if channel is Channel.EMAIL:
            said += await _mailbox(sender)
    except DeliveryError as error:
        return Tried(channel.value, "fail", _sentence(str(error), error.hint))
    finally:
        await sender.close()
    if not prefs.of(channel).enabled:
        said += _OFF
    return Tried(channel.value, "ok", said)


def _terminal(prefs: Prefs, named: bool) -> Tried:
    """Write a message to the terminal that this command runs in."""
    from taskhub_tui import terminals

    name = Channel.TERMINAL.value
    out = next((one for one in (sys.stdout, sys.stderr) if one.isatty()), None)
    if out is None:
        said = "There is no terminal here to write to; an open app writes to its own."
        return Tried(name, "fail" if named else "off", said)
    found = terminals.here()
    key = f"taskhub-trial-{time.time():.0f}"
    out.write(terminals.message(found, key, "TaskHub", "This is a test: notifications work."))
    out.flush()
    said = terminals.saying(found)
    if not prefs.terminal.enabled:
        said += _OFF
    return Tried(name, "ok", said)


_OFF = " It is switched off in the settings, though."


def _sender(channel: Channel, prefs: Prefs, paths: Paths) -> Sender:
    if channel in OUTSIDE:
        return make(channel, prefs, paths)
    from taskhub_tui.notifications.channels.desktop import DesktopChannel

    async def pressed(what: Pressed) -> None:
        """The message has no buttons."""

    return DesktopChannel(pressed)


def _taken(channel: Channel, prefs: Prefs) -> str:
    match channel:
        case Channel.PHONE:
            return f"{_host(prefs.phone.server)} took a message for your phone"
        case Channel.EMAIL:
            return f"{one_line(prefs.email.host, 60)} took a mail for {prefs.email.to}"
        case Channel.SMS:
            return f"{_host(prefs.sms.url)} took a text message for {prefs.sms.to}"
        case Channel.WEBHOOK:
            return f"{_host(prefs.webhook.url)} took a message"
        case Channel.COMMAND:
            return "The command took a message and ended well"
        case Channel.APPRISE:
            number = len(prefs.apprise.urls)
            return f"{number} service{'' if number == 1 else 's'} took a message"
        case _:
            return "The desktop took a message for your screen"


async def _replies(sender: Sender) -> str:
    from taskhub_tui.notifications.channels.ntfy import NtfyChannel

    assert isinstance(sender, NtfyChannel)
    try:
        await sender.check_replies()
    except DeliveryError as error:
        raise DeliveryError(
            f"Messages reach the phone, but its answers cannot be read: {error}", retry=False
        ) from None
    return " Answers from it can be read."


async def _mailbox(sender: Sender) -> str:
    from taskhub_tui.notifications.channels.email import EmailChannel

    assert isinstance(sender, EmailChannel)
    return await sender.check_replies()


def _host(url: str) -> str:
    return one_line(urlsplit(url).hostname or "the server", 60)


def _sentence(said: str, hint: str | None = None) -> str:
    return ". ".join(part.rstrip(".") for part in (said, hint) if part) + "."
