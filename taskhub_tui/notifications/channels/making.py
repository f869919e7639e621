"""Makes the channels that are no screen from what the settings say."""

from __future__ import annotations

import hashlib
import socket
from typing import TYPE_CHECKING

from taskhub_tui.notifications.policy import Channel, Prefs

if TYPE_CHECKING:
    from taskhub_tui.config import Paths
    from taskhub_tui.notifications.channels.imap import Mailbox
    from taskhub_tui.notifications.notifier import Sender

OUTSIDE = (
    Channel.PHONE,
    Channel.EMAIL,
    Channel.SMS,
    Channel.WEBHOOK,
    Channel.COMMAND,
    Channel.APPRISE,
)
"""The channels that are made here, in the order in which they reach a person."""


def make(channel: Channel, prefs: Prefs, paths: Paths) -> Sender:
    """Return one of the channels of `OUTSIDE`, whether it is switched on or not."""
    # Each is imported when it is used: most hubs have one or two of them.
    match channel:
        case Channel.PHONE:
            from taskhub_tui.notifications.channels.ntfy import NtfyChannel

            phone = prefs.phone
            return NtfyChannel(
                phone.server, phone.topic, reply_topic=phone.reply_topic, token=phone.token
            )
        case Channel.EMAIL:
            from taskhub_tui.notifications.channels.email import EmailChannel

            mail = prefs.email
            return EmailChannel(
                mail.host,
                mail.sender,
                mail.to,
                port=mail.port,
                security=mail.security,
                user=mail.user,
                password=mail.password,
                details=mail.details,
                mailbox=mailbox(prefs),
                reply_to=mail.reply_to,
                hub=hub_id(paths),
            )
        case Channel.SMS:
            from taskhub_tui.notifications.channels.sms import SmsChannel

            sms = prefs.sms
            return SmsChannel(
                sms.account, sms.token, sms.sender, sms.to, url=sms.url, details=sms.details
            )
        case Channel.WEBHOOK:
            from taskhub_tui.notifications.channels.webhook import WebhookChannel

            hook = prefs.webhook
            return WebhookChannel(hook.url, secret=hook.secret, private=hook.private)
        case Channel.COMMAND:
            from taskhub_tui.notifications.channels.command import CommandChannel

            return CommandChannel(prefs.command.argv)
        case Channel.APPRISE:
            from taskhub_tui.notifications.channels.apprise import AppriseChannel

            return AppriseChannel(prefs.apprise.urls)
    raise ValueError(f"{channel} is a screen")


def mailbox(prefs: Prefs) -> Mailbox | None:
    """Return the mailbox in which replies to mails come in; None where none is named."""
    mail = prefs.email
    if not mail.imap_host:
        return None
    from taskhub_tui.notifications.channels.imap import Mailbox

    return Mailbox(
        mail.imap_host,
        mail.imap_user or mail.user,
        mail.imap_password or mail.password,
        port=mail.imap_port,
        security=mail.imap_security,
        folder=mail.imap_folder,
    )


def make_all(prefs: Prefs, paths: Paths) -> dict[Channel, Sender]:
    """Return the channels of `OUTSIDE` that are switched on."""
    return {one: make(one, prefs, paths) for one in OUTSIDE if prefs.of(one).enabled}


def hub_id(paths: Paths) -> str:
    """Return what tells the messages of this hub from those of another, and says nothing of it."""
    return hashlib.sha256(f"{socket.gethostname()}\0{paths.home}".encode()).hexdigest()[:12]
