"""A person's program for mail: replies to what TaskHub sent, as such programs do."""

import textwrap
from email import policy
from email.message import EmailMessage

from taskhub_tui.notifications.channels.email import EmailChannel
from taskhub_tui.notifications.channels.imap import Mailbox
from taskhub_tui.notifications.message import Message

TOKENS = {"approve": "A" * 43, "deny": "D-_" * 14 + "D", "context": "C" * 43}


def sent_by_us(*, words: bool = False) -> EmailMessage:
    """Return a mail that asks."""
    box = Mailbox("localhost", "hub", "env:TASKHUB_NONE", port=9, security="none")
    channel = EmailChannel("localhost", "hub@example.org", "ann@example.org", mailbox=box)
    tokens = {name: TOKENS[name] for name in ("context", "deny")} if words else TOKENS
    asked = "Which one?" if words else "Deploy now?"
    return channel.compose(
        Message("taskhub-7", "Needs you: Deploy", asked, tokens=tokens, thread="ab12", words=words)
    )


def reply_to(
    ours: EmailMessage,
    words: str,
    *,
    introduction: str = "On Mon, 3 May 2027 at 10:00, TaskHub <hub@example.org> wrote:",
    sign: str = "> ",
    below: bool = False,
    quotes: bool = True,
    refers: bool = True,
    width: int = 0,
    sender: str = "Ann <ann@example.org>",
    **headers: str,
) -> EmailMessage:
    """Return a reply.

    Args:
        below: the words stand below what is quoted.
        width: where a program breaks the lines that it quotes; 0 for nowhere.
    """
    # Most programs fold headers where there is a space, and nowhere else.
    mail = EmailMessage(policy=policy.default.clone(max_line_length=900))
    mail["From"] = sender
    mail["To"] = ours["Reply-To"] or ours["From"]
    mail["Subject"] = f"Re: {ours['Subject']}"
    for name, value in headers.items():
        mail[name] = value
    if refers:
        mail["In-Reply-To"] = ours["Message-ID"]
        mail["References"] = f"{ours['References']} {ours['Message-ID']}"
    said = words
    if quotes:
        body = ours.get_body(("plain",))
        assert body is not None
        lines = body.get_content().replace("\r\n", "\n").splitlines()
        if width:
            lines = [one for line in lines for one in textwrap.wrap(line, width) or [""]]
        quoted = "\n".join([introduction, *(f"{sign}{line}" for line in lines)])
        said = f"{quoted}\n\n{words}\n" if below else f"{words}\n\n{quoted}\n"
    mail.set_content(said, charset="utf-8")
    return mail
