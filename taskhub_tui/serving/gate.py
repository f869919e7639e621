"""Who is let in: a token in the first address, a cookie after that, and no other site's page.

A web page of anybody can have a browser ask any address on this machine. So each request must name
us as its host, which a name that was pointed at this machine does not; must come from a page of
ours, where the browser says from which it comes; and must bring a secret.
"""

import hmac
import secrets
from collections.abc import Iterable
from urllib.parse import urlsplit

from aiohttp import web

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_COOKIE = "taskhub"


class Gate:
    """Checks requests; its secrets live as long as the server."""

    def __init__(self, hosts: Iterable[str] = _LOOPBACK) -> None:
        """
        Args:
            hosts: names by which the server may be asked for.
        """
        self._hosts = frozenset(hosts)
        self.token = secrets.token_urlsafe(24)
        self._pass = secrets.token_urlsafe(24)
        self.base = "/" + secrets.token_hex(8)
        """The folder that everything lies in but the door. A browser shows a cookie of one folder
        to no other, also not to other servers on this machine, whose ports it does not tell apart.
        """

    def check(self, request: web.Request, *, door: bool = False, socket: bool = False) -> None:
        """Let a request pass, or raise HTTPForbidden with a sentence.

        Args:
            door: it is the first one, with the token.
            socket: it is a web socket, which always says where it comes from.
        """
        if _name(request.headers.get("Host", "")) not in self._hosts:
            raise _refused("TaskHub is not served under this name")
        origin = request.headers.get("Origin")
        if (origin is None and socket) or (origin is not None and origin != _own(request)):
            raise _refused("This page of another site may not ask TaskHub for anything")
        site = request.headers.get("Sec-Fetch-Site", "none")
        if not door and site not in ("none", "same-origin"):
            raise _refused("This page of another site may not ask TaskHub for anything")
        given = request.query.get("token", "") if door else request.cookies.get(_COOKIE, "")
        wanted = self.token if door else self._pass
        if not hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode()):
            raise _refused("Open the address that `taskhub serve` has printed, token included")

    def admitted(self) -> web.HTTPSeeOther:
        """Return the answer to the first request: go on without the token, with a cookie."""
        answer = web.HTTPSeeOther(f"{self.base}/")
        answer.set_cookie(_COOKIE, self._pass, path=self.base, httponly=True, samesite="Strict")
        return answer


def _own(request: web.Request) -> str:
    return f"http://{request.headers.get('Host', '')}"


def _name(host: str) -> str:
    try:
        split = urlsplit(f"//{host}")
        return "" if split.username or split.path else split.hostname or ""
    except ValueError:
        return ""


def _refused(why: str) -> web.HTTPForbidden:
    return web.HTTPForbidden(text=f"{why}.\n")
