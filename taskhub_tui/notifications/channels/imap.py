"""A mailbox over IMAP, which is only looked into: nothing in it is moved, marked or deleted.

Python's own `imaplib` reads it, in a thread: it does all that is needed, and comes with no licence
or release of its own to follow. Whatever the server does, a look ends when its time is over: then
its connection is cut, which ends the thread as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import imaplib
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, TypeVar

from taskhub_tui.notifications.channels.http import secret_of, wanting, why
from taskhub_tui.notifications.message import DeliveryError
from taskhub_tui.secrets import Secret
from taskhub_tui.text import one_line

T = TypeVar("T")
Security = Literal["tls", "starttls", "none"]

MAIL = 131_072
"""Bytes of a mail that are fetched; an answer stands at its beginning."""
AT_ONCE = 20
"""Mails that one look takes in."""
_GOODBYE = 2.0
"""Seconds in which a server may say goodbye."""
_ALL = 2 * AT_ONCE * MAIL
"""Bytes that a server may say in one look."""
_PORTS = {"tls": 993, "starttls": 143, "none": 143}
_AT_HOME = frozenset({"localhost", "127.0.0.1", "::1"})
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_PLACE = re.compile(r"([0-9a-f]{8})v([0-9]{1,10})u([0-9]{1,10})")
_LATER = re.compile(r"\[(UNAVAILABLE|INUSE|LIMIT|SERVERBUG)\b", re.I)
_UID = re.compile(rb"\bUID ([0-9]+)")


class Mail(NamedTuple):
    """A mail as it lies in the mailbox."""

    place: str
    """Where it lies: mailbox, its UIDVALIDITY, and the mail's UID, in letters and digits."""
    at: float
    """When it came in, by the server's clock; now, where it does not say."""
    raw: bytes
    """Its beginning; empty when it is gone."""


class News(NamedTuple):
    """What came in."""

    mails: Sequence[Mail]
    more: bool
    """There is more, for another look."""
    numbered: bool = True
    """The mails follow the last one; else they are those of some days, known ones among them."""


class Mailbox:
    """Looks into a mailbox. A connection is kept until `close`, or until something goes wrong."""

    def __init__(
        self,
        host: str,
        user: str,
        password: str,
        *,
        port: int | None = None,
        security: Security = "tls",
        folder: str = "INBOX",
        timeout: float = 30.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """
        Args:
            port: None is the usual one of `security`.
            password: reference to it.
            timeout: seconds that a look may take.
            tls: whom to trust; None is what the system trusts.
        """
        self._host, self._port = host, port or _PORTS[security]
        self._user, self._password = user, password
        self._security, self._folder = security, folder
        self._timeout, self._tls = timeout, tls
        self._who = f"The mailbox at {one_line(host, 80)}"
        named = "\0".join((host, str(self._port), user, folder))
        self._name = hashlib.sha256(named.encode("utf-8", "replace")).hexdigest()[:8]
        self._line: _Line | None = None
        self._hide: Callable[[str], str] = str

    def problem(self) -> str | None:
        """Say why it cannot be read as it is set; None where nothing is wrong."""
        if not self._host or not self._host.isprintable() or " " in self._host:
            return "`imap_host` must be the name of a mail server"
        if not self._user or not self._password:
            return "A mailbox needs `imap_user` and `imap_password`, or `user` and `password`"
        if not (self._folder.isascii() and self._folder.isprintable()):
            return "`imap_folder` must be written in ASCII letters, as the server has it"
        if self._security == "none" and self._host not in _AT_HOME:
            return (
                f"{self._who} would get the password in the clear:"
                ' set imap_security to "tls" or "starttls"'
            )
        return wanting(self._password)

    async def check(self) -> None:
        """Open it once. Raises DeliveryError, which says why that cannot be."""
        secret = self._secret()
        self._line = await self._in_thread(lambda wire: self._open(wire, secret))
        await self.close()

    async def new(self, after: str, since: float) -> News:
        """Return what came in, oldest first.

        Args:
            after: the last mail's place; where that is of no use, all counts that came `since`.

        Raises:
            DeliveryError: it cannot be read.
        """
        secret = self._secret()
        self._line, found = await self._in_thread(
            lambda wire: self._new(self._open(wire, secret), after, since)
        )
        return found

    async def close(self) -> None:
        """Let go of the connection."""
        if (line := self._line) is not None:
            with contextlib.suppress(DeliveryError):
                await self._in_thread(lambda wire: line.leave(), within=_GOODBYE)
            self._line = None

    def _secret(self) -> Secret:
        if (wrong := self.problem()) is not None:
            raise DeliveryError(wrong, retry=False)
        found = secret_of(self._password)
        assert found is not None
        self._hide = found.hide
        return found

    async def _in_thread(self, work: Callable[[_Wire], T], *, within: float | None = None) -> T:
        """Do what blocks; when its time is over the connection is cut, and the thread ends."""
        within = self._timeout if within is None else within
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        wire = _Wire(self._line)

        def settle(result: T | None, error: BaseException | None) -> None:
            if done.done():
                return
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(result)  # type: ignore[arg-type]

        def run() -> None:
            result, error = None, None
            try:
                result = work(wire)
            except BaseException as caught:
                error = caught
            wire.done(well=error is None)
            with contextlib.suppress(RuntimeError):  # The loop may be closed.
                loop.call_soon_threadsafe(settle, result, error)

        threading.Thread(target=run, name="mailbox", daemon=True).start()
        well = False
        try:
            async with asyncio.timeout(within):
                result = await done
            well = True
            return result
        except TimeoutError:
            raise DeliveryError(
                f"{self._who} did not answer within {within:g} s", retry=True
            ) from None
        except imaplib.IMAP4.error as error:  # also `abort`: the server ended the connection
            said = self._hide(one_line(_words(error), 160))
            raise DeliveryError(f"{self._who} broke off: {said}", retry=True) from None
        except UnicodeError:
            raise DeliveryError(f"{self._who} has no name that can be used", retry=False) from None
        except OSError as error:
            raise DeliveryError(
                f"{self._who} cannot be reached: {why(error)}", retry=True
            ) from None
        finally:
            if not well:
                self._line = None
                wire.cut()

    # In the thread

    def _open(self, wire: _Wire, secret: Secret) -> _Line:
        if wire.line is not None:
            wire.line.budget = _ALL
            try:
                wire.line.noop()
                return wire.line
            except (imaplib.IMAP4.error, OSError):
                wire.close()  # Servers end what is idle for long.
        raw = wire.holds(socket.create_connection((self._host, self._port), self._timeout))
        if self._security == "tls":
            raw = wire.holds(self._trusted().wrap_socket(raw, server_hostname=self._host))
        line = _Line(self._host, raw, wire)
        if self._security == "starttls":
            if "STARTTLS" not in line.capabilities:
                raise DeliveryError(f"{self._who} offers no STARTTLS", retry=False)
            line.starttls(self._trusted())
        self._log_in(line, secret)
        folder = self._folder.replace("\\", "\\\\").replace('"', '\\"')
        status, said = line.select(f'"{folder}"', readonly=True)
        if status != "OK":
            words = one_line(_text(said), 120)
            raise DeliveryError(
                f"{self._who} does not open the folder {one_line(self._folder, 60)} ({words})",
                retry=_LATER.search(words) is not None,
                hint="Look at `imap_folder` in the section `notifications.email`",
            )
        return line

    def _trusted(self) -> ssl.SSLContext:
        return self._tls or ssl.create_default_context()

    def _log_in(self, line: _Line, secret: Secret) -> None:
        try:
            if "AUTH=PLAIN" in line.capabilities:
                # Unlike LOGIN, it has room for every letter.
                plain = f"\0{self._user}\0{secret.value}".encode()
                line.authenticate("PLAIN", lambda _: plain)
            else:
                line.login(self._user, secret.value)
        except UnicodeEncodeError:
            raise DeliveryError(
                f"{self._who} takes only ASCII letters in the user and the password", retry=False
            ) from None
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            words = secret.hide(one_line(_words(error), 120))
            raise DeliveryError(
                f"{self._who} refused the user or the password ({words})",
                retry=_LATER.search(words) is not None,
                hint="Look at `imap_user` and `imap_password` in `notifications.email`",
            ) from None

    def _new(self, line: _Line, after: str, since: float) -> tuple[_Line, News]:
        validity = line.number("UIDVALIDITY")
        known = _PLACE.fullmatch(after)
        last = 0
        if known and known[1] == self._name and int(known[2]) == validity:
            last = int(known[3])
        if line.begun and 0 < line.number("UIDNEXT") <= last:
            last = 0  # The mailbox was put back from a copy: its numbers begin anew.
        line.begun = False
        if last:
            found = line.numbers_of(f"UID {last + 1}:*")
        else:
            # By day, and in the time zone of the server.
            day = time.gmtime(max(0.0, since - 2 * 86400))
            month = _MONTHS[day.tm_mon - 1]
            found = line.numbers_of(f"SINCE {day.tm_mday}-{month}-{day.tm_year}")
        # To a server, the last mail is always among those from a number on.
        numbers = sorted(number for number in found if number > last)
        mails = []
        for number in numbers[:AT_ONCE]:
            at, raw = line.fetched(number)
            mails.append(Mail(f"{self._name}v{validity}u{number}", at, raw))
        return line, News(mails, len(numbers) > AT_ONCE, last > 0)


class _Wire:
    """What a thread is connected by, so that another one can cut it; the last one closes it."""

    def __init__(self, line: _Line | None) -> None:
        self.line = line
        self._raw: socket.socket | None = None
        self._lock = threading.Lock()
        self._cut = self._done = False

    def holds(self, raw: socket.socket) -> socket.socket:
        """Remember a connection; it is cut at once when nobody waits for it any more."""
        with self._lock:
            self._raw = raw
            if self._cut:
                self._shut()
        return raw

    def done(self, *, well: bool) -> None:
        """The thread has ended."""
        with self._lock:
            self._done = True
            if self._cut or not well:
                self.close()

    def cut(self) -> None:
        """Nobody waits any more."""
        with self._lock:
            self._cut = True
            if self._done:
                self.close()
            else:
                self._shut()

    def _sockets(self) -> list[socket.socket]:
        found = [self._raw, getattr(self.line, "sock", None)]
        return [one for one in found if one is not None]

    def _shut(self) -> None:
        # Ends a read that another thread waits in; closing alone does not.
        for one in self._sockets():
            with contextlib.suppress(OSError, ValueError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._shut()
        with contextlib.suppress(OSError, ValueError, AttributeError):
            if self.line is not None:
                self.line.file.close()
        for one in self._sockets():
            with contextlib.suppress(OSError, ValueError):
                one.close()
        self.line = self._raw = None


class _Line(imaplib.IMAP4):
    """A connection that is made already, and on which no more is read than there is room for."""

    def __init__(self, host: str, raw: socket.socket, wire: _Wire) -> None:
        self._raw = raw
        wire.line = self
        self.budget = _ALL
        self.begun = True
        """Nothing was looked for yet."""
        self._numbers: dict[str, int] = {}
        super().__init__(host)

    def _create_socket(self, timeout: float | None = None) -> socket.socket:
        return self._raw

    def read(self, size: int) -> bytes:
        self._take(size)
        return super().read(size)

    def readline(self) -> bytes:
        found = super().readline()
        self._take(len(found))
        return found

    def _take(self, size: int) -> None:
        self.budget -= size
        if self.budget < 0:
            raise self.abort("it says more than was asked for")

    def number(self, name: str) -> int:
        """Return what the server said of the mailbox when it was opened; 0 for nothing."""
        if name not in self._numbers:
            _, found = self.response(name)
            said = _text(found)
            self._numbers[name] = int(said) if said.isdigit() and len(said) <= 10 else 0
        return self._numbers[name]

    def numbers_of(self, what: str) -> list[int]:
        status, found = self.uid("SEARCH", what)
        if status != "OK":
            raise self.error(_text(found) or "it cannot search")
        said = b" ".join(one for one in found if isinstance(one, bytes))
        return [int(one) for one in said.split() if one.isdigit() and len(one) <= 10]

    def fetched(self, number: int) -> tuple[float, bytes]:
        """Return when a mail came in, and its beginning."""
        wanted = f"(INTERNALDATE BODY.PEEK[]<0.{MAIL}>)"
        status, found = self.uid("FETCH", str(number), wanted)
        if status != "OK":
            raise self.error(_text(found) or "it gives no mail")
        at, raw = time.time(), b""
        # A server may tell of other mails in between.
        words = b""
        for one in found:
            if isinstance(one, tuple) and b"BODY[" in one[0]:
                uid = _UID.search(one[0])
                if uid is None or int(uid[1]) == number:
                    raw, words = one[1][:MAIL], one[0]
            elif isinstance(one, bytes) and raw:
                words += b" " + one
        with contextlib.suppress(ValueError, OverflowError):
            if (came := imaplib.Internaldate2tuple(words)) is not None:
                at = time.mktime(came)
        return at, raw

    def leave(self) -> None:
        with contextlib.suppress(imaplib.IMAP4.error, OSError):
            self.logout()


def _text(said: Any) -> str:
    """Return the last of what a server said, in letters."""
    last = said[-1] if isinstance(said, list | tuple) and said else said
    return last.decode("utf-8", "replace") if isinstance(last, bytes) else str(last or "")


def _words(error: BaseException) -> str:
    return _text(error.args) if error.args else type(error).__name__
