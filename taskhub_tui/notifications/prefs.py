"""The `[notifications]` section of the settings, checked."""

from collections.abc import Mapping
from typing import Any

from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.errors import BadInput
from taskhub_tui.notifications.policy import Prefs


def read(section: Mapping[str, Any]) -> Prefs:
    """Return the section as preferences; what it does not name is as by default.

    Raises:
        BadInput: it has a key or a value it must not; says which.
    """
    if not section:
        return Prefs()
    # Takes a tenth of a second to import, and most workers need none of it.
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(Prefs).validate_python(section)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in ("notifications", *first["loc"]))
        said = first["msg"].removeprefix("Value error, ")
        if first["type"] == "unexpected_keyword_argument":
            said = "There is no such setting"
        raise BadInput(f"`{key}`: {said}") from None


def of(settings: Settings, paths: Paths) -> Prefs:
    """Return the preferences in the settings that were read from `paths`.

    Raises:
        BadInput: the section has a mistake; names the file, too.
    """
    try:
        return read(settings.notifications or {})
    except BadInput as error:
        raise BadInput(f"{paths.config}: {error}", error.hint) from None
