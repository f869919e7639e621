"""A signed JSON POST to a program of the person's, as https://www.standardwebhooks.com has it.

The address is looked up once and checked, and what was checked is what is connected to: a name in
the settings must not lead into the network behind us, unless the person says that it may.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import ipaddress
import json
import socket
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from taskhub_tui.notifications.channels.http import (
    Unanswered,
    client,
    refusal,
    request,
    secret_of,
    wanting,
)
from taskhub_tui.notifications.message import DeliveryError, Message
from taskhub_tui.secrets import Secret
from taskhub_tui.text import clean, one_line

if TYPE_CHECKING:
    import httpx

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Looks up the addresses of a name."""


class WebhookChannel:
    """Posts each message once it is known where to. Text only: it carries no token and no link."""

    name = "webhook"

    def __init__(
        self,
        url: str,
        *,
        secret: str = "",
        private: bool = False,
        timeout: float = 10.0,
        resolve: Resolve | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Args:
            secret: reference to what the messages are signed with; "" sends them unsigned.
            private: True lets it go to this machine and its network, and without TLS.
        """
        self._url = url
        self._secret = secret
        self._private = private
        self._timeout = timeout
        self._resolve = resolve or _look_up
        self._clock = clock
        self._http: httpx.AsyncClient | None = None

    async def available(self) -> str | None:
        """Return None when a message can be sent, else a sentence that says why not."""
        try:
            self._parts()
        except DeliveryError as error:
            return str(error)
        return wanting(self._secret)

    async def send(self, message: Message) -> None:
        """Post a message; returns once it was taken. Raises DeliveryError."""
        await self._post("message", message.key, _payload(message))

    async def withdraw(self, key: str) -> None:
        """Say that a message is out of date. Raises DeliveryError where it may work later."""
        try:
            await self._post("withdrawn", key, {})
        except DeliveryError as error:
            if error.retry:
                raise

    async def close(self) -> None:
        """Let go of the connection."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def _post(self, kind: str, key: str, data: dict[str, Any]) -> None:
        parts = self._parts()
        host = parts.hostname or ""
        who = f"The webhook at {one_line(host, 80)}"
        secret = secret_of(self._secret)
        address = await self._address(parts, who)
        now = int(self._clock())
        body = json.dumps({"type": kind, "key": key, "sent": now} | data).encode()
        id_ = key if kind == "message" else f"{key}-{kind}"
        headers = {
            "Host": parts.netloc,
            "Content-Type": "application/json",
            "User-Agent": "TaskHub",
            "webhook-id": id_,
            "webhook-timestamp": str(now),
        }
        if secret is not None:
            headers["webhook-signature"] = sign(secret, id_, now, body)
        pinned = f"[{address}]" if ":" in address else address
        if parts.port is not None:
            pinned += f":{parts.port}"
        if self._http is None:
            self._http = client(self._timeout, self._url)
        reply = await request(
            self._http,
            "POST",
            parts._replace(netloc=pinned, fragment="").geturl(),
            who=who,
            timeout=self._timeout,
            secret=secret,
            content=body,
            headers=headers,
            # The certificate has to be the name's, not the address's.
            extensions={"sni_hostname": host},
        )
        if not reply.ok:
            raise refusal(reply, who, key="secret", secret=secret)

    def _parts(self) -> SplitResult:
        """Return the address in its parts.

        Raises:
            DeliveryError: it is none that may be used.
        """
        try:
            parts = urlsplit(self._url)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host or not self._url.isprintable() or parts.scheme not in ("https", "http"):
            raise DeliveryError(
                "The webhook needs an address such as https://example.org/hook", retry=False
            )
        if parts.username is not None or parts.password is not None:
            raise DeliveryError(
                "The webhook's address must hold no user or password; sign with `secret` instead",
                retry=False,
            )
        if parts.scheme == "http" and not self._private:
            raise DeliveryError(
                "The webhook's address must begin with https://: others could read along"
                " (`private = true` allows it in your own network)",
                retry=False,
            )
        return parts

    async def _address(self, parts: SplitResult, who: str) -> str:
        """Return the address to connect to, checked.

        Raises:
            DeliveryError: there is none, or one of them is not public.
        """
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            async with asyncio.timeout(self._timeout):
                found = await self._resolve(parts.hostname or "", port)
        except TimeoutError:
            raise Unanswered(f"{who} was not found in time", retry=True, sent=False) from None
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or "its name cannot be used"
            raise Unanswered(f"{who} was not found: {why}", retry=True, sent=False) from None
        if not found:
            raise Unanswered(f"{who} has no address", retry=True, sent=False)
        for one in found:
            if not self._private and not public(one):
                raise DeliveryError(
                    f"{who} leads to {one}, which is not public",
                    retry=False,
                    hint="If that is meant: `private = true` in `notifications.webhook`",
                )
        return found[0]


def public(address: str) -> bool:
    """Tell whether anybody on the Internet can reach an address, so that it is no inner one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is None and found.teredo is not None:
            inner = found.teredo[1]
        if inner is None and found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return inner.is_global and not inner.is_multicast
    return found.is_global and not found.is_multicast


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def sign(secret: Secret, id_: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a message; `whsec_` begins a key in base 64, as the standard has it.

    Raises:
        DeliveryError: the key is no base 64.
    """
    key = secret.value.encode()
    if secret.value.startswith("whsec_"):
        try:
            key = base64.b64decode(secret.value.removeprefix("whsec_"), validate=True)
        except (binascii.Error, ValueError):
            raise DeliveryError(
                "The webhook's secret begins with whsec_, but what follows is no base 64",
                retry=False,
            ) from None
    signed = f"{id_}.{timestamp}.".encode() + body
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


def _payload(message: Message) -> dict[str, Any]:
    return {
        "title": one_line(message.title),
        "body": clean(message.body, 20_000),
        "task": message.thread,
        "asks": message.asks,
        "urgent": message.urgent,
    }


async def _look_up(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]
