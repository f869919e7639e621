"""Mail: plain text and HTML, threaded by task, with a link to a page where one can answer."""

from __future__ import annotations

import asyncio
import email.policy
import html
import re
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, getaddresses, localtime, parseaddr
from typing import Literal

from taskhub_tui.notifications.channels.http import secret_of, wanting, why
from taskhub_tui.notifications.message import DeliveryError, Message
from taskhub_tui.secrets import Secret
from taskhub_tui.text import clean, one_line

Security = Literal["starttls", "tls", "none"]
_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_AT_HOME = frozenset({"localhost", "127.0.0.1", "::1"})
_NOT_IN_AN_ID = re.compile(r"[^-_.A-Za-z0-9]")
_ADDRESS = re.compile(r"[^@\s<>,;:\"()\[\]\\]+@[^@\s<>,;:\"()\[\]\\]+")
_TOKEN = re.compile(r"^[>\s]*\[taskhub ((?:[a-z_]+=[A-Za-z0-9_-]{32,128} ?)+)\]", re.M)
_WORDS = {"yes": "approve", "ok": "approve", "no": "deny"}


class EmailChannel:
    """Hands mails to a server over SMTP. What was sent stays sent: nothing is withdrawn."""

    name = "email"

    def __init__(
        self,
        host: str,
        sender: str,
        to: str,
        *,
        port: int | None = None,
        security: Security = "starttls",
        user: str = "",
        password: str = "",
        details: bool = True,
        replies: bool = False,
        hub: str = "hub",
        timeout: float = 30.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """
        Args:
            port: None is the usual one of `security`.
            password: reference to it; "" for none.
            details: False leaves out what is asked: the mail only says that something is.
            replies: True writes a token into the mail, with which a reply to it is an answer.
            hub: tells the mails of one hub from those of another.
            tls: whom to trust; None is what the system trusts.
        """
        self._host = host
        self._port = port or _PORTS[security]
        self._security = security
        self._sender, self._to = sender, to
        self._user, self._password = user, password
        self._details, self._replies = details, replies
        self._hub = hub
        self._timeout = timeout
        self._tls = tls
        self._who = f"The mail server {one_line(host, 80)}"

    async def available(self) -> str | None:
        """Return None when a mail can be sent, else a sentence that says why not."""
        return self._problem() or wanting(self._password)

    async def send(self, message: Message) -> None:
        """Hand a mail to the server; returns once it has it. Raises DeliveryError."""
        if (wrong := self._problem()) is not None:
            raise DeliveryError(wrong, retry=False)
        password = secret_of(self._password)
        mail = self.compose(message)
        try:
            async with asyncio.timeout(self._timeout):
                await self._hand_over(mail, password)
        except TimeoutError:
            raise DeliveryError(
                f"{self._who} did not answer within {self._timeout:g} s", retry=True
            ) from None

    async def withdraw(self, key: str) -> None:
        """Do nothing: a mail cannot be taken back; its link says that it is too late."""

    async def close(self) -> None:
        """Do nothing: no connection is kept."""

    def _problem(self) -> str | None:
        if not self._host or not self._host.isprintable() or " " in self._host:
            return "The mail's host must be the name of a mail server"
        for name, one in (("sender", self._sender), ("to", self._to)):
            found = getaddresses([one])
            if not one.isprintable() or len(found) != 1 or not _ADDRESS.fullmatch(found[0][1]):
                return f"The mail's {name} must be one address such as me@example.org"
        if self._user and self._security == "none" and self._host not in _AT_HOME:
            return (
                f"{self._who} would get the password in the clear:"
                ' set security to "starttls" or "tls"'
            )
        return None

    async def _hand_over(self, mail: EmailMessage, password: Secret | None) -> None:
        import aiosmtplib

        def words(error: aiosmtplib.SMTPException) -> str:
            said = one_line(str(getattr(error, "message", "") or error), 160)
            return password.hide(said) if password else said

        try:
            await aiosmtplib.send(
                mail,
                sender=parseaddr(self._sender)[1],
                recipients=[parseaddr(self._to)[1]],
                hostname=self._host,
                port=self._port,
                username=self._user or None,
                password=password.value if self._user and password else None,
                use_tls=self._security == "tls",
                start_tls=self._security == "starttls",
                tls_context=self._tls,
                timeout=self._timeout,
            )
        except aiosmtplib.SMTPAuthenticationError as error:
            raise DeliveryError(
                f"{self._who} refused the user or the password ({error.code} {words(error)})",
                retry=400 <= error.code < 500,
                hint="Look at `user` and `password` in the section `notifications.email`",
            ) from None
        except aiosmtplib.SMTPRecipientsRefused as error:
            refused = error.recipients[0]
            raise DeliveryError(
                f"{self._who} does not take mail for the address in `to`"
                f" ({refused.code} {words(refused)})",
                retry=400 <= refused.code < 500,
            ) from None
        except aiosmtplib.SMTPResponseException as error:
            raise DeliveryError(
                f"{self._who} did not take the mail ({error.code} {words(error)})",
                retry=not 500 <= error.code < 600,
            ) from None
        except aiosmtplib.SMTPTimeoutError:
            raise TimeoutError from None
        except (aiosmtplib.SMTPConnectError, OSError) as error:
            raise DeliveryError(
                f"{self._who} cannot be reached: {why(error)}", retry=True
            ) from None
        except aiosmtplib.SMTPException as error:
            # Such as that it does not offer the encryption or the login that was asked for.
            lacks = isinstance(error, aiosmtplib.SMTPNotSupported) or "STARTTLS" in str(error)
            raise DeliveryError(f"{self._who}: {words(error)}", retry=not lacks) from None

    def compose(self, message: Message) -> EmailMessage:
        """Return the mail. A repeat has the same Message-ID, by which it can be dropped."""
        name, address = parseaddr(self._sender)
        domain = _NOT_IN_AN_ID.sub("-", address.rpartition("@")[2]) or "taskhub.invalid"
        mail = EmailMessage(policy=email.policy.SMTP)
        mail["Subject"] = one_line(message.title if self._details else self._veiled(message), 200)
        mail["From"] = Address(one_line(name, 80) or "TaskHub", addr_spec=address)
        mail["To"] = parseaddr(self._to)[1]
        mail["Date"] = format_datetime(localtime())
        mail["Message-ID"] = f"<{_id(message.key)}.{_id(self._hub)}@{domain}>"
        if message.thread:
            root = f"<task-{_id(message.thread)}.{_id(self._hub)}@{domain}>"
            mail["In-Reply-To"] = root
            mail["References"] = root
        mail["Auto-Submitted"] = "auto-generated"
        mail["X-Auto-Response-Suppress"] = "All"
        if message.urgent:
            mail["Importance"] = "high"
        mail.set_content(self._plain(message), charset="utf-8")
        mail.add_alternative(self._html(message), subtype="html", charset="utf-8")
        return mail

    def _veiled(self, message: Message) -> str:
        what = f"Task {message.thread}" if message.thread else "A task"
        return f"{what} needs you" if message.asks else f"{what} has news"

    def _body(self, message: Message) -> str:
        if self._details:
            return clean(message.body, 20_000)
        show = f"`taskhub show {message.thread}`" if message.thread else "TaskHub"
        return f"{self._veiled(message)}. What it is about is not sent by mail: see {show}."

    def _plain(self, message: Message) -> str:
        parts = [self._body(message)]
        if message.link:
            parts.append(f"{_invites(message)}:\n{message.link}")
        if message.code:
            parts.append(f"If the page asks for a code: {message.code}")
        if self._replies and (tokens := self._tokens(message)):
            words = " or ".join(dict(tokens))
            pairs = " ".join(f"{action}={token}" for action, token in tokens)
            parts.append(
                f"Or reply to this mail with {words} as its first word, and what you have to"
                f" say after it.\n[taskhub {pairs}]"
            )
        return "\n\n".join(parts) + "\n"

    @staticmethod
    def _tokens(message: Message) -> list[tuple[str, str]]:
        return [
            (action, token)
            for action, token in message.tokens.items()
            if re.fullmatch(r"[a-z_]+", action)
        ]

    def _html(self, message: Message) -> str:
        """Everything from outside is escaped; nothing is loaded from anywhere."""
        body = html.escape(self._body(message))
        parts = [f'<p style="white-space:pre-wrap">{body}</p>']
        if message.link.startswith(("https://", "http://")):
            link = html.escape(message.link)
            parts.append(f'<p><a href="{link}"><b>{_invites(message)}</b></a></p>')
        if message.code:
            code = html.escape(message.code)
            parts.append(f"<p>If the page asks for a code: <b>{code}</b></p>")
        return (
            '<!doctype html><html><head><meta charset="utf-8"></head>'
            f'<body style="font-family:sans-serif">{"".join(parts)}</body></html>\n'
        )


def _invites(message: Message) -> str:
    return "Look at it and decide" if message.asks else "See what could be done next"


def answer_of(raw: bytes) -> tuple[str, str] | None:
    """Return the answer in a reply to a mail of ours, and who it says it is from.

    The answer is a line such as "TOKEN deny not on a Friday". None is what is no reply to one, or
    was written by a machine. The address proves nothing: the token does.
    """
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    if str(mail.get("Auto-Submitted", "no")).strip().lower() != "no":
        return None
    part = mail.get_body(preferencelist=("plain",)) if isinstance(mail, EmailMessage) else None
    if part is None:
        return None
    try:
        text = clean(str(part.get_content()), 200_000)
    except (LookupError, ValueError):
        return None
    found = _TOKEN.search(_unwrapped(text))
    if found is None:
        return None
    tokens = dict(pair.split("=", 1) for pair in found[1].split())
    own = []
    for line in text.splitlines():
        if line.startswith(">") or line.rstrip() == "--" or _TOKEN.match(line):
            break
        own.append(line.strip())
    first, _, rest = " ".join(own).strip().partition(" ")
    word = first.lower().strip(".,:;!")
    action = _WORDS.get(word, word)
    if action not in tokens:
        return None
    # The line before a quotation, such as "On Monday ann wrote:", is not the person's.
    said = re.sub(r"\s*On [^\n]{5,200} wrote:\s*$", "", rest).strip()
    return f"{tokens[action]} {action} {one_line(said, 4000)}".strip(), one_line(
        parseaddr(str(mail.get("From", "")))[1], 200
    )


def _unwrapped(text: str) -> str:
    """Return the text with the line of tokens in one piece, which programs wrap as they quote."""
    return re.sub(r"\[taskhub [^\]]{1,2000}\]", lambda m: re.sub(r"\s*\n[>\s]*", " ", m[0]), text)


def _id(text: str) -> str:
    return _NOT_IN_AN_ID.sub("-", text)[:100]
