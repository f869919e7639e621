"""The `[notifications]` section of the settings, checked."""

import logging
from collections.abc import Mapping
from math import inf
from typing import Any

from taskhub_tui import config
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain import durations
from taskhub_tui.domain.errors import BadInput
from taskhub_tui.notifications.wishes import Channel, Prefs

log = logging.getLogger("taskhub.notifier")

_TIMES = frozenset(
    {"idle_after", "completion_after", "unanswered_after", "again", "coalesce", "deadline"}
)


def read(section: Mapping[str, Any]) -> Prefs:
    """Return the section as preferences; what it does not name is as by default.

    Raises:
        BadInput: it has a key or a value it must not; says which.
    """
    if not section:
        return Prefs()
    # Takes a tenth of a second to import, and most workers need none of it.
    from pydantic import TypeAdapter, ValidationError

    timed = _timed(section, "notifications")
    try:
        return TypeAdapter(Prefs).validate_python(timed)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in ("notifications", *first["loc"]))
        said = first["msg"].removeprefix("Value error, ")
        hint = None
        if first["type"] == "unexpected_keyword_argument":
            said = "There is no such setting"
        elif "channels" in first["loc"]:
            said = f"There is no channel {first['input']!r}"
            hint = f"There are: {', '.join(channel.value for channel in Channel)}"
        raise BadInput(f"`{key}`: {said}", hint) from None


def _timed(table: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return the table with its durations, such as "10m" or "never", as seconds."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        here = f"{path}.{key}"
        if isinstance(value, Mapping):
            found[key] = _timed(value, here)
        elif key in _TIMES:
            found[key] = (
                [_seconds(one, here) for one in value]
                if isinstance(value, list)
                else _seconds(value, here)
            )
        else:
            found[key] = value
    return found


def _seconds(value: Any, path: str) -> Any:
    if not isinstance(value, str):
        return value
    if value.strip().lower() == "never":
        return inf
    try:
        return durations.parse(value)
    except ValueError as error:
        raise BadInput(f"`{path}`: {error}") from None


def of(settings: Settings, paths: Paths) -> Prefs:
    """Return the preferences in the settings that were read from `paths`.

    Raises:
        BadInput: the section has a mistake; names the file, too.
    """
    try:
        return read(settings.notifications or {})
    except BadInput as error:
        raise BadInput(f"{paths.config}: {error}", error.hint) from None


class Latest:
    """The preferences as the file has them: what is wished for a task holds for its next message.

    Channels that are switched on or off need a new worker; they are made when it starts.
    """

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._seen = self._stamp()

    def __call__(self) -> Prefs | None:
        """Return them when the file has changed, or None; a mistake is logged, and changes none."""
        stamp = self._stamp()
        if stamp == self._seen:
            return None
        self._seen = stamp
        try:
            return of(config.settings(self._paths), self._paths)
        except BadInput as error:
            log.warning("%s; what was set before holds on", error)
            return None

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._paths.config.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
