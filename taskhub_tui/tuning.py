"""The settings as a front end changes them: one key at a time, the rest of the file as it was.

What only one call needs is imported there, as in `hub`.
"""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taskhub_tui import config
from taskhub_tui.domain.errors import BadInput
from taskhub_tui.records import dataclass
from taskhub_tui.text import one_line
from taskhub_tui.waking import Waking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskhub_tui.config import Settings
    from taskhub_tui.domain.preferences import Preference
    from taskhub_tui.domain.views import ChannelInfo, PhoneSetup, Tried

_PLACE = re.compile(r"\(?at line (\d+)")
_KEY = re.compile(r"`([\w.-]+)`")


@dataclass(frozen=True, slots=True)
class Chosen:
    """A setting as it holds now."""

    preference: Preference
    value: Any
    given: bool
    """True when the file says so; False for the default."""

    @property
    def written(self) -> str:
        from taskhub_tui.domain import preferences

        return preferences.write(self.preference.kind, self.value)


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with the file, and where."""

    sentence: str
    line: int


class Tuning(Waking):
    """The part of a hub that knows and changes the settings, and tries out the channels."""

    def chosen(self) -> list[Chosen]:
        """Return every setting in the order of `preferences.GROUPS`, as the file has it now.

        While the file has a mistake, what was read before holds.
        """
        from taskhub_tui.domain import preferences

        try:
            text = _text(self.paths.config)
            settings = config.read(text, self.paths.config, self.settings.owner)
            given = _keys(text)
        except BadInput:
            settings, given = self.settings, frozenset()
        return [
            Chosen(one, _value(settings, one), one.key in given)
            for one in preferences.BY_KEY.values()
        ]

    def mistake(self) -> Mistake | None:
        """Return what is wrong with the settings file; None when nothing is."""
        try:
            text = _text(self.paths.config)
        except BadInput as error:
            return Mistake(str(error), 1)
        try:
            self._checked(text)
        except BadInput as error:
            said = f"{error}. {error.hint}" if error.hint else str(error)
            return Mistake(said, _line(text, str(error)))
        return None

    async def set_preference(self, key: str, text: str | None) -> None:
        """Write a setting into the file, which keeps its comments; None gives the default back.

        Raises:
            BadInput: the value cannot be, the file has a mistake already, or cannot be written.
        """
        await asyncio.to_thread(self._set, key, text)

    async def set_keys(self, act_id: str, keys: Sequence[str] | None) -> None:
        """Write the keys of an action into the file; None gives back those it comes with.

        Raises:
            BadInput: the file has a mistake already, or cannot be written.
        """
        value = None if keys is None else keys[0] if len(keys) == 1 else [*keys]
        await asyncio.to_thread(self._write, ("keys", act_id), value)

    async def prefer_for(self, name: str, wish: dict[str, Any] | None) -> None:
        """Write what differs for the notifications of a task into the file; None is nothing.

        Args:
            name: the task's ID, `playbook:NAME` or `agent:NAME`.

        Raises:
            BadInput: it cannot be, the file has a mistake already, or cannot be written.
        """
        await asyncio.to_thread(self._write, ("notifications", "tasks", name), wish)

    def _set(self, key: str, text: str | None) -> None:
        from taskhub_tui.domain import preferences

        value = None
        if text is not None:
            try:
                value = preferences.read(preferences.BY_KEY[key].kind, text)
            except ValueError as error:
                raise BadInput(str(error)) from None
        self._write(key.split("."), value)

    def _write(self, path: Sequence[str], value: Any) -> None:
        file = self.paths.config
        before = _text(file)
        self._checked(before)
        after = _changed(before, path, value)
        settings = self._checked(after)
        if after != before:
            _replace(file, after)
        self.settings = settings

    def reread(self) -> None:
        """Read the file again, after it was changed elsewhere.

        Raises:
            BadInput: it has a mistake; what was read before holds on.
        """
        self.settings = self._checked(_text(self.paths.config))

    def _checked(self, text: str) -> Settings:
        settings = config.read(text, self.paths.config, config.account())
        if settings.notifications:
            from taskhub_tui import diagnosis

            diagnosis.check_notifications(self.paths, settings)
        return settings

    # The channels

    async def channels(self) -> Sequence[ChannelInfo]:
        """Return the ways to reach the person, and what stands in the way of each."""
        from taskhub_tui import diagnosis

        return await diagnosis.channels(self.paths, self.settings)

    def phone(self) -> PhoneSetup | None:
        """Return how a phone subscribes to what is set up already; None when nothing is.

        Raises:
            BadInput: the file has a mistake.
        """
        self.reread()
        section = self._phone()
        topics = section.get("topic"), section.get("reply_topic")
        if not section.get("enabled") or not all(topics):
            return None
        return _subscription(_address(section.get("server")), str(topics[0]), section.get("token"))

    def _phone(self) -> dict[str, Any]:
        return (self.settings.notifications or {}).get("phone") or {}

    async def try_here(self, name: str) -> Tried:
        """Send a test message over a channel from this process; return what came of it.

        Raises:
            BadInput: there is no such channel, or the settings have a mistake.
        """
        from taskhub_tui import diagnosis

        self.reread()
        (found,) = await diagnosis.try_channels(self.paths, self.settings, [name])
        return found

    async def set_up_phone(
        self, *, server: str | None = None, token: str | None = None, new: bool = False
    ) -> PhoneSetup:
        """Switch the phone on, with topics that nobody can guess, and return how to subscribe.

        Args:
            server: an ntfy server; None is the one of the settings.
            token: reference to its access token; None is the one of the settings, if any.
            new: make other topics where there are some already.

        Raises:
            BadInput: the server is no address, the token no reference, or the file has a mistake.
        """
        return await asyncio.to_thread(self._set_up_phone, server, token, new)

    def _set_up_phone(self, server: str | None, token: str | None, new: bool) -> PhoneSetup:
        import secrets

        from taskhub_tui.secrets import check

        if token:
            check(token)
        self.reread()
        section = self._phone()
        server = _address(server or section.get("server"))
        place = ("notifications", "phone")
        topic, reply_topic = section.get("topic"), section.get("reply_topic")
        if new or not topic or not reply_topic:
            topic, reply_topic = (f"taskhub-{secrets.token_hex(16)}" for _ in range(2))
        self._write((*place, "server"), server)
        if token:
            self._write((*place, "token"), token)
        # While both are changed, one of them must not stand without the other.
        self._write((*place, "enabled"), False)
        self._write((*place, "topic"), topic)
        self._write((*place, "reply_topic"), reply_topic)
        self._write((*place, "enabled"), True)
        return _subscription(server, topic, token or section.get("token"))

    async def try_channel(self, name: str) -> None:
        """Ask a worker for a message on a channel; `trial` says what came of it.

        Raises:
            WorkerError, BadInput: there is no worker, and none can start.
        """
        from taskhub_tui.storage import trials

        if self._autostart:
            await self.ensure_worker()
        await self._store.write(lambda tx: trials.ask(tx, name, self.clock()))


def _address(server: str | None) -> str:
    """Return the address of an ntfy server as it is kept.

    Raises:
        BadInput: it is none.
    """
    from urllib.parse import urlsplit

    server = (server or "https://ntfy.sh").rstrip("/")
    try:
        parts = urlsplit(server)
        found = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query
    except ValueError:
        found = False
    if not found or not server.isprintable() or "@" in server:
        raise BadInput(
            f"`{one_line(server, 80)}` is no address of an ntfy server",
            "Write it like https://ntfy.example.org",
        )
    return server


def _subscription(server: str, topic: str, token: str | None) -> PhoneSetup:
    from urllib.parse import urlsplit

    from taskhub_tui.diagnosis import phone_is_public
    from taskhub_tui.domain.views import PhoneSetup

    parts = urlsplit(server)
    link = f"ntfy://{parts.netloc}{parts.path}/{topic}?display=TaskHub"
    if parts.scheme == "http":
        link += "&secure=false"
    return PhoneSetup(server, topic, link, phone_is_public(server, token or ""))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} cannot be read: {error}") from error


def _value(settings: Settings, one: Preference) -> Any:
    table, *path = one.key.split(".")
    found: Any = getattr(settings, table)
    if table != "notifications":
        return getattr(found, path[0]) if path else found
    for part in path:
        found = found.get(part) if isinstance(found, dict) else None
    return one.default if found is None else found


def _keys(text: str) -> frozenset[str]:
    import tomllib

    found: set[str] = set()

    def walk(table: dict[str, Any], before: str) -> None:
        for name, value in table.items():
            found.add(before + name)
            if isinstance(value, dict):
                walk(value, f"{before}{name}.")

    walk(tomllib.loads(text), "")
    return frozenset(found)


def _changed(text: str, path: Sequence[str], value: Any) -> str:
    """Return the file with one key changed, or without it where `value` is None."""
    import tomlkit
    from tomlkit.items import Table

    document = tomlkit.parse(text)
    *tables, name = path
    place: Any = document
    for part in tables:
        if part not in place:
            if value is None:
                return text
            place[part] = tomlkit.table()
        place = place[part]
    if value is None:
        place.pop(name, None)
    elif isinstance(value, dict):
        inline = tomlkit.inline_table()
        inline.update(value)
        # A table of its own stays one, with what it says about itself.
        if isinstance(place.get(name), Table):
            kept = place[name]
            for gone in [one for one in kept if one not in value]:
                del kept[gone]
            kept.update(value)
        else:
            place[name] = inline
    else:
        place[name] = value
    return tomlkit.dumps(document)


def _replace(file: Path, text: str) -> None:
    """Write the file as a whole or not at all; it keeps its mode, and a link stays one."""
    import tempfile

    target = file.resolve()
    try:
        if not target.parent.is_dir():
            config.make_private(target.parent)
        mode = target.stat().st_mode & 0o777 if target.exists() else 0o600
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".config-", suffix=".toml")
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="") as made:
                made.write(text)
                made.flush()
                os.fchmod(made.fileno(), mode)
                os.fsync(made.fileno())
            os.replace(name, target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise BadInput(f"{file} cannot be written: {error.strerror}") from error


def _line(text: str, sentence: str) -> int:
    """Return the line of the file that a sentence about it means; the first when in doubt."""
    if place := _PLACE.search(sentence):
        return int(place[1])
    for named in _KEY.findall(sentence):
        *tables, name = named.split(".")
        here: list[str] = []
        for number, line in enumerate(text.splitlines(), 1):
            bare = line.strip()
            if bare.startswith("["):
                here = bare.strip("[] ").split(".")
            if re.match(rf"[\"']?{re.escape(name)}[\"']?\s*[=.]", bare) and here == tables:
                return number
            if bare.startswith("[") and here == [*tables, name]:
                return number
    return 1
