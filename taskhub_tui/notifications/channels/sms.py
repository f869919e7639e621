"""Text messages over the HTTP interface of Twilio, which others speak as well."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from taskhub_tui.notifications.channels.http import (
    Reply,
    Unanswered,
    client,
    refusal,
    request,
    secret_of,
    wanting,
)
from taskhub_tui.notifications.channels.ntfy import host_of
from taskhub_tui.notifications.message import DeliveryError, Message, Seen
from taskhub_tui.text import one_line

if TYPE_CHECKING:
    import httpx

LENGTH = 300
"""Characters of a message; it is sent, and paid for, in pieces of 70 to 153."""
_NUMBER = re.compile(r"\+[1-9][0-9]{5,14}")
_SENDER = re.compile(r"\+[1-9][0-9]{5,14}|[A-Za-z0-9 ]{1,11}|MG[0-9a-f]{32}|[0-9]{3,8}")
_ACCOUNT = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UNSURE = 100


class SmsChannel:
    """Sends text messages. The interface knows no repeats, so one that may have arrived is looked
    for before it is sent again. What was sent stays sent."""

    name = "sms"

    def __init__(
        self,
        account: str,
        token: str,
        sender: str,
        to: str,
        *,
        url: str = "https://api.twilio.com",
        details: bool = False,
        timeout: float = 15.0,
    ) -> None:
        """
        Args:
            token: reference to the secret of the account.
            details: True sends what is asked; False only that something is.
        """
        self._account, self._token = account, token
        self._sender, self._to = sender, to
        self._url = f"{url.rstrip('/')}/2010-04-01/Accounts/{quote(account, safe='')}/Messages.json"
        self._base = url
        self._details = details
        self._timeout = timeout
        self._http: httpx.AsyncClient | None = None
        self._who = f"The SMS service {host_of(url)}"
        self._unsure: OrderedDict[str, str] = OrderedDict()
        """Key → text of what may have been sent, though no answer came."""

    async def available(self) -> str | None:
        """Return None when a message can be sent, else a sentence that says why not."""
        return self._problem() or wanting(self._token)

    async def send(self, message: Message) -> None:
        """Hand a message to the service; returns once it has it. Raises DeliveryError."""
        if (wrong := self._problem()) is not None:
            raise DeliveryError(wrong, retry=False)
        text = self.text(message)
        if self._unsure.get(message.key) == text and await self._arrived(text):
            del self._unsure[message.key]
            return
        form = {"To": self._to, "Body": text}
        form["MessagingServiceSid" if self._service else "From"] = self._sender
        try:
            await self._ask("POST", data=form)
        except Unanswered as error:
            if error.sent:
                self._unsure[message.key] = text
                if len(self._unsure) > _UNSURE:
                    self._unsure.popitem(last=False)
            raise
        self._unsure.pop(message.key, None)

    async def withdraw(self, key: str) -> None:
        """Do nothing: a text message cannot be taken back; its code is too late."""
        self._unsure.pop(key, None)

    async def close(self) -> None:
        """Let go of the connection."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    @property
    def hears(self) -> bool:
        """False where nobody can write back: the sender is a mere name."""
        return _NUMBER.fullmatch(self._sender) is not None or self._service

    async def came(self) -> list[Any]:
        """Return the last messages from the person's number to ours. Raises DeliveryError."""
        if (wrong := self._problem()) is not None:
            raise DeliveryError(wrong, retry=False)
        asked = {"From": self._to, "PageSize": "50"}
        if not self._service:
            asked["To"] = self._sender
        found = (await self._ask("GET", params=asked)).json()
        sent = found.get("messages") if isinstance(found, dict) else None
        if not isinstance(sent, list):
            return []
        return [one for one in sent if isinstance(one, dict) and one.get("from") == self._to]

    @property
    def _service(self) -> bool:
        return self._sender.startswith("MG") and len(self._sender) == 34

    async def _arrived(self, text: str) -> bool:
        """Ask whether a message is among the last that were sent to the person."""
        found = (await self._ask("GET", params={"To": self._to, "PageSize": "20"})).json()
        sent = found.get("messages") if isinstance(found, dict) else None
        return isinstance(sent, list) and any(
            isinstance(one, dict) and one.get("body") == text for one in sent
        )

    async def _ask(self, method: str, **more: Any) -> Reply:
        token = secret_of(self._token)
        assert token is not None  # as `_problem` has found
        if self._http is None:
            self._http = client(self._timeout, self._url)
        reply = await request(
            self._http,
            method,
            self._url,
            who=self._who,
            timeout=self._timeout,
            secret=token,
            auth=(self._account, token.value),
            **more,
        )
        if not reply.ok:
            found = reply.json()
            said = str(found.get("message", "")) if isinstance(found, dict) else ""
            raise refusal(reply, self._who, said, key="account or its token", secret=token)
        return reply

    def _problem(self) -> str | None:
        scheme = urlsplit(self._base).scheme
        home = host_of(self._base) in ("127.0.0.1", "localhost", "::1")
        if not host_of(self._base) or (scheme != "https" and not (scheme == "http" and home)):
            return "The address of the SMS service must begin with https://, or the token is seen"
        if not _ACCOUNT.fullmatch(self._account):
            return "The SMS account must be an ID such as AC0123456789abcdef"
        if not self._token:
            return "The SMS service needs a `token` in the settings"
        if not _NUMBER.fullmatch(self._to):
            return "The number in `to` must be written like +4915112345678"
        if not _SENDER.fullmatch(self._sender):
            return "The SMS sender must be a number like +4915112345678, a short name, or a service"
        return None

    def seen(self, message: Message) -> Seen:
        """Return what the person sees of it; how to answer takes some of the room."""
        tail = self._how_to_answer(replace(message, code="0000"))
        hidden = not (self._details or message.own)
        whole = hidden or len(self._said(message)) + len(tail) <= LENGTH
        return Seen(self.text(replace(message, code="")), whole, hidden)

    def text(self, message: Message) -> str:
        """Return the few words that are sent; how to answer is never cut off."""
        said, tail = self._said(message), self._how_to_answer(message)
        room = LENGTH - len(tail)
        return (said if len(said) <= room else said[: room - 1] + "…") + tail

    def _said(self, message: Message) -> str:
        if self._details or message.own:
            return one_line(f"{message.title}. {message.body}", 2000)
        what = f"task {message.thread}" if message.thread else "a task"
        return f"TaskHub: {what} {'needs you' if message.asks else 'has news'}"

    def _how_to_answer(self, message: Message) -> str:
        words = [action for action, _ in message.buttons]
        if not message.code or not words:
            return ""
        return f" Answer: {message.code} {' or '.join(words[:3])}"
