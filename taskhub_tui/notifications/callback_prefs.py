"""The table `[notifications.callback]`: the web page on which messages can be answered."""

from typing import Any, ClassVar
from urllib.parse import urlsplit

from taskhub_tui.records import dataclass


@dataclass(frozen=True, slots=True)
class CallbackPrefs:
    """Off unless switched on. It listens on this machine only; a proxy may lead there."""

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    enabled: bool = False
    port: int = 0
    """0 takes any that is free; links in old mails are good only while it stays the same."""
    url: str = ""
    """Where others reach it, such as `https://hub.example.org`, by a proxy that encrypts."""

    def __post_init__(self) -> None:
        if not 0 <= self.port < 65536:
            raise ValueError("port must be a number from 0 to 65535")
        if self.url:
            try:
                parts = urlsplit(self.url)
                good = parts.scheme == "https" and parts.hostname and not parts.username
                good = good and not parts.query and not parts.fragment and parts.port != 0
            except ValueError:
                good = False
            if not good:
                raise ValueError("url must be of the form https://hub.example.org")

    @property
    def host(self) -> str:
        """What the header Host says of who comes by the proxy; empty where there is none."""
        return urlsplit(self.url).netloc.lower()
