"""Push messages to a phone over ntfy, from a server of one's own or the public one."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from taskhub_tui.notifications.channels.http import (
    Reply,
    client,
    refusal,
    request,
    secret_of,
    wanting,
)
from taskhub_tui.notifications.message import DeliveryError, Message
from taskhub_tui.text import clean, one_line

if TYPE_CHECKING:
    import httpx

    from taskhub_tui.secrets import Secret

MOST_BUTTONS = 3
"""A phone shows no more."""
BODY = 3500
"""Bytes of a message; ntfy makes a file of what is over 4096 with all that belongs to it."""
TITLE = 240
_TOPIC = re.compile(r"[-_A-Za-z0-9]{1,64}")
_NOT_IN_AN_ID = re.compile(r"[^-_A-Za-z0-9]")


class NtfyChannel:
    """Sends messages whose buttons post a single-use token to the reply topic.

    A changed message takes the place of the one before under the same key, and a withdrawn one goes
    from the phone, from ntfy 2.16 on; an older server shows a changed one as a second message.
    """

    name = "phone"
    replaces = True
    """What comes under the same key takes the place of the message before."""

    def __init__(
        self,
        server: str,
        topic: str,
        *,
        reply_topic: str = "",
        token: str = "",
        timeout: float = 10.0,
    ) -> None:
        """
        Args:
            token: reference to the access token of ntfy; "" for none.
        """
        self._server = server.rstrip("/")
        self._topic = topic
        self._reply_topic = reply_topic
        self._token = token
        self._timeout = timeout
        self._http: httpx.AsyncClient | None = None
        self._who = f"The ntfy server {host_of(server)}"

    @property
    def public(self) -> bool:
        """True where strangers may read and write the topic; see `is_public`."""
        return is_public(self._server, self._token)

    async def available(self) -> str | None:
        """Return None when a message can be sent, else a sentence that says why not."""
        return problem(self._server, self._topic, self._reply_topic) or wanting(self._token)

    async def send(self, message: Message) -> None:
        """Hand a message to the server; returns once it has it. Raises DeliveryError."""
        if (wrong := problem(self._server, self._topic, self._reply_topic)) is not None:
            raise DeliveryError(wrong, retry=False)
        await self._ask("POST", self._server, json=self._payload(message))

    async def withdraw(self, key: str) -> None:
        """Take a message off the phone. Raises DeliveryError where it may work later."""
        url = f"{self._server}/{quote(self._topic, safe='')}/{sequence_id(key)}"
        try:
            await self._ask("DELETE", url)
        except DeliveryError as error:
            # An old server knows no withdrawing: the message stays, its buttons are too late.
            if error.retry:
                raise

    async def check_replies(self) -> None:
        """Find out whether answers from the phone can be read. Raises DeliveryError."""
        url = f"{self._server}/{quote(self._reply_topic, safe='')}/json"
        await self._ask("GET", url, params={"poll": "1", "since": "none"})

    async def close(self) -> None:
        """Let go of the connection."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def _ask(self, method: str, url: str, **more: Any) -> Reply:
        token = secret_of(self._token)
        if self._http is None:
            self._http = client(self._timeout, self._server)
        reply = await request(
            self._http,
            method,
            url,
            who=self._who,
            timeout=self._timeout,
            secret=token,
            headers=headers(token),
            **more,
        )
        if not reply.ok:
            raise refusal(reply, self._who, said(reply), secret=token)
        return reply

    def _payload(self, message: Message) -> dict[str, Any]:
        payload: dict[str, Any] = {
            "topic": self._topic,
            "sequence_id": sequence_id(message.key),
            "title": cut(one_line(message.title), TITLE),
            "message": cut(clean(message.body), BODY),
            "priority": 5 if message.urgent else 2 if message.quiet else 4 if message.asks else 3,
        }
        if message.link:
            payload["click"] = message.link
        if actions := self._actions(message):
            payload["actions"] = actions
        return payload

    def _actions(self, message: Message) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        if self._reply_topic:
            found = [
                {
                    "action": "http",
                    "label": one_line(label, 40),
                    "url": f"{self._server}/{quote(self._reply_topic, safe='')}",
                    "method": "POST",
                    # An answer is for us, and need not pass through the push service of a phone.
                    "headers": {"Firebase": "no"},
                    "body": f"{message.tokens[action]} {action}",
                    "clear": True,
                }
                for action, label in (*message.buttons, *message.offers)
                if action in message.tokens
            ]
        if message.link and len(found) < MOST_BUTTONS:
            found.append({"action": "view", "label": "Open", "url": message.link})
        return found[:MOST_BUTTONS]


def problem(server: str, topic: str, reply_topic: str) -> str | None:
    """Say what is wrong with the settings of the phone, if anything is."""
    if urlsplit(server).scheme not in ("http", "https") or not host_of(server):
        return "The phone's server must be an address such as https://ntfy.sh"
    for name, one in (("topic", topic), ("reply_topic", reply_topic or "x")):
        if not _TOPIC.fullmatch(one):
            return (
                f"The phone's {name} must be 1 to 64 letters, digits, - and _:"
                " `taskhub notify setup phone` makes one"
            )
    if topic == reply_topic:
        return "The phone's reply_topic must not be its topic: answers would be shown as messages"
    return None


def host_of(server: str) -> str:
    """Return the name of a server's machine."""
    try:
        return (urlsplit(server).hostname or "").lower()
    except ValueError:
        return ""


def is_public(server: str, token: str) -> bool:
    """Tell whether others than the person may use a topic.

    Whoever runs a public server reads all of it, with or without a token. A server of one's own
    keeps strangers out by a token, or because only one's own network reaches it.
    """
    host = host_of(server).rstrip(".")
    if host in _PUBLIC or host.endswith(tuple(f".{one}" for one in _PUBLIC)):
        return True
    return not token and not _at_home(host)


_PUBLIC = ("ntfy.sh",)


def _at_home(host: str) -> bool:
    """Return whether a name can only mean a machine of one's own network."""
    if host == "localhost" or host.endswith((".localhost", ".local", ".lan", ".home.arpa")):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_private or address.is_link_local


def headers(token: Secret | None) -> dict[str, str]:
    """Return what ntfy knows us by."""
    return {"Authorization": f"Bearer {token.value}"} if token is not None else {}


def said(reply: Reply) -> str:
    """Return what ntfy says about an error."""
    found = reply.json()
    return str(found.get("error", "")) if isinstance(found, dict) else ""


def sequence_id(key: str) -> str:
    """Return a delivery key as ntfy takes it."""
    return _NOT_IN_AN_ID.sub("-", key)[:64]


def cut(text: str, limit: int) -> str:
    """Return text that is not longer than `limit` bytes."""
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    return encoded[: limit - 3].decode(errors="ignore") + "…"
