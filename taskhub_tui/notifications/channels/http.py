"""What the channels over HTTP share: one request with an end to it, and its failure in words."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from taskhub_tui import secrets
from taskhub_tui.domain.errors import BadInput
from taskhub_tui.notifications.message import DeliveryError
from taskhub_tui.records import dataclass
from taskhub_tui.secrets import Secret
from taskhub_tui.text import one_line

if TYPE_CHECKING:
    import httpx

ANSWER_LIMIT = 65536
"""Bytes read of an answer; more is not what we asked for."""
LONGEST_WAIT = 3600.0
"""Seconds of a `Retry-After` that are believed."""
_LATER = frozenset({408, 421, 425, 429})


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer over HTTP, its body cut."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """Return the body as JSON; None if it is none."""
        import json

        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


def client(timeout: float, url: str) -> httpx.AsyncClient:
    """Return a client that follows no redirect and reads no proxy or password from outside.

    Args:
        url: where it goes; without TLS there, none is made ready, which takes a moment.
    """
    import httpx

    # They write addresses to the log, and an ntfy topic or a token in one is a secret.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    verify = False if url.startswith("http:") else _tls()
    return httpx.AsyncClient(
        timeout=timeout, follow_redirects=False, trust_env=False, verify=verify
    )


@cache
def _tls() -> ssl.SSLContext:
    """Trust what the system trusts (and SSL_CERT_FILE names), and what comes with httpx."""
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


def secret_of(reference: str) -> Secret | None:
    """Return the secret behind a setting; None where none is set.

    Raises:
        DeliveryError: it cannot be read; a person has to see to it.
    """
    if not reference:
        return None
    try:
        return secrets.read(reference)
    except BadInput as error:
        raise DeliveryError(str(error), retry=False, hint=error.hint) from None


def wanting(*references: str) -> str | None:
    """Say why one of these secrets cannot be read; None when all can, or are not set."""
    for reference in references:
        try:
            secret_of(reference)
        except DeliveryError as error:
            return f"{error}. {error.hint}" if error.hint else str(error)
    return None


async def request(
    http: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    who: str,
    timeout: float,
    secret: Secret | None = None,
    **more: Any,
) -> Reply:
    """Make one request and return the answer, whatever its status.

    Args:
        who: the other side, as the sentence about a failure begins.
        timeout: seconds for all of it: a server that sends a byte now and then ends, too.

    Raises:
        DeliveryError: there was no answer.
    """
    import httpx

    try:
        async with asyncio.timeout(timeout), http.stream(method, url, **more) as answer:
            body = b""
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > ANSWER_LIMIT:
                    break
            return Reply(answer.status_code, dict(answer.headers), body[:ANSWER_LIMIT])
    except (TimeoutError, httpx.TimeoutException) as error:
        early = isinstance(error, httpx.ConnectTimeout)
        raise Unanswered(
            f"{who} did not answer within {timeout:g} s", retry=True, sent=not early
        ) from None
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError):
        raise DeliveryError(f"{who} has an address that cannot be used", retry=False) from None
    except httpx.ConnectError as error:
        raise Unanswered(f"{who} cannot be reached: {why(error)}", retry=True, sent=False) from None
    except httpx.HTTPError as error:
        said = one_line(str(error) or type(error).__name__, 160)
        said = secret.hide(said) if secret else said
        raise Unanswered(f"{who} broke off: {said}", retry=True, sent=True) from None


class Unanswered(DeliveryError):
    """There was no answer; `sent` says whether the request may have arrived all the same."""

    def __init__(self, message: str, *, retry: bool, sent: bool) -> None:
        super().__init__(message, retry=retry)
        self.sent = sent


def why(error: BaseException) -> str:
    """Say why there was no connection, without names of classes."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({seen.verify_message})"
        if isinstance(seen, ssl.SSLError):
            return "it does not speak TLS as it must"
        if isinstance(seen, OSError) and seen.strerror:
            # asyncio names the address, which those who read this know.
            plain = seen.strerror.startswith("Connect call failed") and (seen.errno or 0) > 0
            return (os.strerror(seen.errno or 0) if plain else seen.strerror).lower()
        seen = seen.__cause__ or seen.__context__
    return one_line(str(error), 120).lower() or "no connection"


def refusal(
    reply: Reply, who: str, said: str = "", *, key: str = "token", secret: Secret | None = None
) -> DeliveryError:
    """Return the error of an answer that was no success.

    Args:
        said: what the other side said about it.
        key: what it is that a 401 or 403 is about.
    """
    words = one_line(said, 160)
    words = secret.hide(words) if secret else words
    tail = f" ({words})" if words else ""
    status = reply.status
    if status in (401, 403):
        hint = f"Look at the {key} in the settings, and what it may do there"
        return DeliveryError(f"{who} refused the {key}{tail}", retry=False, hint=hint)
    if status == 429:
        return DeliveryError(
            f"{who} wants fewer messages for now{tail}", retry=True, after=retry_after(reply)
        )
    if status in _LATER or status >= 500:
        return DeliveryError(
            f"{who} cannot take it now: HTTP {status}{tail}", retry=True, after=retry_after(reply)
        )
    if 300 <= status < 400:
        return DeliveryError(
            f"{who} points elsewhere (HTTP {status}), which is not followed",
            retry=False,
            hint="Write the address that it points to into the settings",
        )
    return DeliveryError(f"{who} did not take it: HTTP {status}{tail}", retry=False)


def retry_after(reply: Reply, now: float | None = None) -> float | None:
    """Return the seconds that a `Retry-After` asks for, an hour at most; None without one."""
    said = reply.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit():
        return min(float(said[:9]), LONGEST_WAIT)
    if not said:
        return None
    try:
        when = parsedate_to_datetime(said).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, when - (time.time() if now is None else now)), LONGEST_WAIT)
