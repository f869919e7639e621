"""Mail: plain text and HTML, threaded by task; answered by a link, or by a reply that we read."""

from __future__ import annotations

import asyncio
import email.policy
import html
import re
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, getaddresses, localtime, parseaddr
from typing import TYPE_CHECKING, Literal

from taskhub_tui.domain.model import Action
from taskhub_tui.notifications.channels.http import secret_of, wanting, why
from taskhub_tui.notifications.channels.mail_reply import ANSWER
from taskhub_tui.notifications.message import DeliveryError, Message, Seen
from taskhub_tui.notifications.spoken import word_for
from taskhub_tui.secrets import Secret
from taskhub_tui.text import clean, one_line

if TYPE_CHECKING:
    from taskhub_tui.notifications.channels.imap import Mailbox

Security = Literal["starttls", "tls", "none"]
_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_AT_HOME = frozenset({"localhost", "127.0.0.1", "::1"})
_NOT_IN_AN_ID = re.compile(r"[^-_.A-Za-z0-9]")
_ADDRESS = re.compile(r"[^@\s<>,;:\"()\[\]\\]+@[^@\s<>,;:\"()\[\]\\]+")
_POLICY = email.policy.SMTP.clone(max_line_length=900)
"""Shorter lines would have long IDs in a header encoded, so that no program finds them."""


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
        mailbox: Mailbox | None = None,
        reply_to: str = "",
        hub: str = "hub",
        timeout: float = 30.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """
        Args:
            port: None is the usual one of `security`.
            password: reference to it; "" for none.
            details: False leaves out what is asked: the mail only says that something is.
            mailbox: where replies come in; None where nobody reads them.
            reply_to: the address of that mailbox; "" is the sender's.
            hub: tells the mails of one hub from those of another.
            tls: whom to trust; None is what the system trusts.
        """
        self._host = host
        self._port = port or _PORTS[security]
        self._security = security
        self._sender, self._to = sender, to
        self._user, self._password = user, password
        self._details, self._mailbox, self._reply_to = details, mailbox, reply_to
        self._hub = hub
        self._timeout = timeout
        self._tls = tls
        self._who = f"The mail server {one_line(host, 80)}"

    async def available(self) -> str | None:
        """Return None when a mail can be sent, else a sentence that says why not."""
        box = self._mailbox.problem() if self._mailbox is not None else None
        return self._problem() or wanting(self._password) or box

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

    async def check_replies(self) -> str:
        """Return a sentence about the mailbox, "" where there is none. Raises DeliveryError."""
        from taskhub_tui.notifications.channels.mail_replies import readable

        return "" if self._mailbox is None else await readable(self._mailbox)

    async def withdraw(self, key: str) -> None:
        """Do nothing: a mail cannot be taken back; its link says that it is too late."""

    async def close(self) -> None:
        """Do nothing: no connection is kept."""

    def _problem(self) -> str | None:
        if not self._host or not self._host.isprintable() or " " in self._host:
            return "The mail's host must be the name of a mail server"
        addresses = [("sender", self._sender), ("to", self._to)]
        if self._reply_to:
            addresses.append(("reply_to", self._reply_to))
        for name, one in addresses:
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
                mail.as_bytes(),  # It would fold the headers of a mail by a policy of its own.
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
        finally:
            # aiosmtplib waits with `wait_for`, which in Python 3.11 forgets that it was cancelled
            # when the server answers just then: a worker that is to stop would go on.
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise asyncio.CancelledError

    def compose(self, message: Message) -> EmailMessage:
        """Return the mail. A repeat has the same Message-ID, by which it can be dropped."""
        name, address = parseaddr(self._sender)
        domain = _NOT_IN_AN_ID.sub("-", address.rpartition("@")[2]) or "taskhub.invalid"
        mail = EmailMessage(policy=_POLICY)
        mail["Subject"] = one_line(self._title(message), 200)
        mail["From"] = Address(one_line(name, 80) or "TaskHub", addr_spec=address)
        mail["To"] = parseaddr(self._to)[1]
        if self._mailbox is not None and self._reply_to:
            mail["Reply-To"] = parseaddr(self._reply_to)[1]
        mail["Date"] = format_datetime(localtime())
        mail["Message-ID"] = f"<{_id(message.key)}.{_id(self._hub)}@{domain}>"
        refers = []
        if message.thread:
            refers.append(f"<task-{_id(message.thread)}.{_id(self._hub)}@{domain}>")
            mail["In-Reply-To"] = refers[0]
        # Whoever replies refers to all of these, also where nothing is quoted.
        refers += [
            f"<taskhub-answer.{name}.{token}@{domain}>" for name, token in self._by_reply(message)
        ]
        if refers:
            mail["References"] = " ".join(refers)
        mail["Auto-Submitted"] = "auto-generated"
        mail["X-Auto-Response-Suppress"] = "All"
        if message.urgent:
            mail["Importance"] = "high"
        mail.set_content(self._plain(message), charset="utf-8")
        mail.add_alternative(self._html(message), subtype="html", charset="utf-8")
        return mail

    def seen(self, message: Message) -> Seen:
        """Return what the person sees of it, for the audit trail."""
        return Seen(f"{self._title(message)}\n{self._body(message)}")

    def _title(self, message: Message) -> str:
        return message.title if self._details or message.own else self._veiled(message)

    def _veiled(self, message: Message) -> str:
        what = f"Task {message.thread}" if message.thread else "A task"
        return f"{what} needs you" if message.asks else f"{what} has news"

    def _body(self, message: Message) -> str:
        if self._details or message.own:
            return clean(message.body, 20_000)
        show = f"`taskhub show {message.thread}`" if message.thread else "TaskHub"
        return f"{self._veiled(message)}. What it is about is not sent by mail: see {show}."

    def _plain(self, message: Message) -> str:
        parts = [self._body(message)]
        if message.link:
            parts.append(f"{_invites(message)}:\n{message.link}")
        if message.code and message.link:
            parts.append(f"If the page asks for a code: {one_line(message.code, 40)}")
        parts += self._how_to_reply(message)
        return "\n\n".join(parts) + "\n"

    def _by_reply(self, message: Message) -> list[tuple[str, str]]:
        """Return what a reply may decide, and its token: nothing that the mail does not show."""
        if self._mailbox is None:
            return []
        found = []
        for action, token in message.tokens.items():
            if not re.fullmatch(r"[a-z_]+", action):
                continue  # What starts a task is shown whole on the page first.
            if action == Action.APPROVE.value and not self._details:
                continue
            words = action == Action.PROVIDE_CONTEXT.value and message.words
            found.append((ANSWER if words else action, token))
        return found

    def _how_to_reply(self, message: Message) -> list[str]:
        """Return what is said about answering by a reply, and the line that finds its way back."""
        tokens = self._by_reply(message)
        if not tokens:
            return []
        names = [word_for(name) for name, _ in tokens if name != ANSWER]
        words = " or ".join(names)
        if message.words:
            how = "Reply to this mail with your answer."
            how += f" One of these words alone decides instead: {words}." if words else ""
        else:
            how = f"Reply to this mail: begin with {words}; add what you have to say."
        if message.code and Action.APPROVE.value in names:
            how += f"\nTo approve, write: approve {one_line(message.code, 40)}"
        pairs = " ".join(f"{name}={token}" for name, token in tokens)
        return [how, f"[taskhub {pairs}]"]

    def _html(self, message: Message) -> str:
        """Everything from outside is escaped; nothing is loaded from anywhere."""
        body = html.escape(self._body(message))
        parts = [f'<p style="white-space:pre-wrap">{body}</p>']
        if message.link.startswith(("https://", "http://")):
            link = html.escape(message.link)
            parts.append(f'<p><a href="{link}"><b>{_invites(message)}</b></a></p>')
        if message.code and message.link:
            code = html.escape(one_line(message.code, 40))
            parts.append(f"<p>If the page asks for a code: <b>{code}</b></p>")
        if how := self._how_to_reply(message):
            said = html.escape(how[0]).replace("\n", "<br>")
            parts.append(f"<p>{said}</p>")
            parts.append(f'<p style="color:#888;font-size:small">{html.escape(how[1])}</p>')
        return (
            '<!doctype html><html><head><meta charset="utf-8"></head>'
            f'<body style="font-family:sans-serif">{"".join(parts)}</body></html>\n'
        )


def _invites(message: Message) -> str:
    return "Look at it and decide" if message.asks else "See what could be done next"


def _id(text: str) -> str:
    return _NOT_IN_AN_ID.sub("-", text)[:100]
