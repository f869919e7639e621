"""Any other service, through Apprise: text only, one service at a time."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from taskhub_tui.notifications.channels.http import secret_of, wanting
from taskhub_tui.notifications.message import DeliveryError, Message
from taskhub_tui.text import clean, one_line

_REMEMBERED = 200
_MISSING = "The package apprise is not installed: pip install 'taskhub-tui[apprise]'"


class AppriseChannel:
    """Sends to each service once. Their addresses hold passwords, so all of them are references.

    Apprise says neither why a service refused nor when to try again, so all may work later.
    """

    name = "apprise"

    def __init__(self, urls: Sequence[str], *, timeout: float = 60.0) -> None:
        """
        Args:
            urls: references to addresses as Apprise has them, such as `env:TASKHUB_SLACK`.
            timeout: seconds for each service.
        """
        self._urls = tuple(urls)
        self._timeout = timeout
        self._done: OrderedDict[tuple[str, str, str], set[str]] = OrderedDict()
        """Message → the services that have it, so that a repeat goes to the others only."""

    async def available(self) -> str | None:
        """Return None when a message can be sent, else a sentence that says why not."""
        if not self._urls:
            return 'Apprise needs `urls`, a list of references such as ["env:TASKHUB_SLACK"]'
        if (wrong := wanting(*self._urls)) is not None:
            return wrong
        try:
            import apprise  # noqa: F401
        except ImportError:
            return _MISSING
        return None

    async def send(self, message: Message) -> None:
        """Send to every service that has not got it yet. Raises DeliveryError if one refused."""
        if (wrong := await self.available()) is not None:
            raise DeliveryError(wrong, retry=False)
        title, body = one_line(message.title), clean(message.body, 20_000)
        done = self._done.setdefault((message.key, title, body), set())
        while len(self._done) > _REMEMBERED:
            self._done.popitem(last=False)
        refused: list[str] = []
        broken: list[str] = []
        for number, reference in enumerate(self._urls, 1):
            if reference in done:
                continue
            service = _service(reference)
            if service is None:
                broken.append(str(number))
            elif await self._tell(service, title, body):
                done.add(reference)
            else:
                refused.append(f"number {number} ({one_line(str(service.service_name), 40)})")
        if broken:
            raise DeliveryError(
                f"Apprise does not understand address number {', '.join(broken)} in `urls`",
                retry=False,
            )
        if refused:
            raise DeliveryError(f"Apprise could not send to {', '.join(refused)}", retry=True)

    async def withdraw(self, key: str) -> None:
        """Do nothing: Apprise takes nothing back."""

    async def close(self) -> None:
        """Do nothing: no connection is kept."""

    async def _tell(self, service: Any, title: str, body: str) -> bool:
        import apprise

        one = apprise.Apprise()
        one.add(service)
        try:
            # In its own thread, which goes on should the time be up: it may still arrive then.
            async with asyncio.timeout(self._timeout):
                return bool(
                    await asyncio.to_thread(
                        one.notify, body=body, title=title, body_format=apprise.NotifyFormat.TEXT
                    )
                )
        except TimeoutError:
            return False


def _service(reference: str) -> Any | None:
    """Return the service behind a reference; None for an address that Apprise does not know."""
    import apprise

    # It writes addresses with their passwords to the log.
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    address = secret_of(reference)
    return apprise.Apprise.instantiate(address.value) if address is not None else None
