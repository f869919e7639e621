"""Secrets by reference: the settings say where one lies, and it is read when it is used.

A reference is `env:NAME`, `keyring:SERVICE/NAME` or `file:/path`. Only references are ever kept; a
value lives in memory for as long as the call that needs it.
"""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from taskhub_tui import regular
from taskhub_tui.domain.errors import BadInput
from taskhub_tui.env import submit_env
from taskhub_tui.text import one_line

LIMIT = 8192
"""Bytes of a secret; more is some other file."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KINDS = "Write `env:NAME`, `keyring:SERVICE/NAME`, or `file:/path` of a file with mode 0600"


class Secret:
    """A secret's value, which no `print`, log or traceback shows."""

    __slots__ = ("value",)

    def __init__(self, value: str) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written anywhere")

    def hide(self, text: str) -> str:
        """Return `text` without the value, for what another program says of it."""
        return text.replace(self.value, "***") if self.value else text


def check(reference: str) -> None:
    """Find out whether `reference` is one, without reading what it names.

    Raises:
        BadInput: it is none. The text is not repeated: it may be the secret itself.
    """
    kind, colon, rest = reference.partition(":")
    if not colon or kind not in ("env", "keyring", "file"):
        raise BadInput("This is not a reference to a secret (its text is not shown here)", _KINDS)
    if kind == "env" and not _NAME.fullmatch(rest):
        raise BadInput("After `env:` comes the name of an environment variable", _KINDS)
    if kind == "env" and submit_env({rest: ""}):
        raise BadInput(
            f"Commands of tasks inherit the variable {rest}, so it must hold no secret",
            "Use a name of its own, such as TASKHUB_TOKEN",
        )
    if kind == "keyring" and not all(rest.rpartition("/")):
        raise BadInput("After `keyring:` come a service and a name: SERVICE/NAME", _KINDS)
    if kind == "file" and not Path(rest).expanduser().is_absolute():
        raise BadInput("After `file:` comes the whole path of a file, from / or ~ on", _KINDS)


def read(reference: str, environ: Mapping[str, str] | None = None) -> Secret:
    """Return the secret that `reference` names.

    Raises:
        BadInput: there is none, or it is not kept well enough; says which, never the value.
    """
    check(reference)
    kind, _, rest = reference.partition(":")
    if kind == "env":
        value = (os.environ if environ is None else environ).get(rest, "")
        if not value:
            raise BadInput(
                f"The environment variable {rest} is not set, or empty",
                f"Set {rest} where TaskHub's worker is started, then `taskhub worker --stop`",
            )
    elif kind == "keyring":
        value = _from_keyring(rest)
    else:
        value = _from_file(Path(rest).expanduser())
    value = value.strip()
    if not value:
        raise BadInput(f"The secret {one_line(reference, 200)} is empty")
    if any(not letter.isprintable() for letter in value):
        raise BadInput(
            f"The secret {one_line(reference, 200)} has line breaks or control characters in it",
            "Keep one secret in one place, on one line",
        )
    return Secret(value)


def _from_file(path: Path) -> str:
    shown = one_line(str(path), 200)
    try:
        file = regular.open_regular(path)
    except OSError as error:
        raise BadInput(f"The secret's file {shown} cannot be read: {regular.why(error)}") from None
    with file:
        found = os.fstat(file.fileno())
        if hasattr(os, "getuid") and found.st_uid not in (os.getuid(), 0):
            raise BadInput(f"The secret's file {shown} belongs to somebody else")
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise BadInput(
                f"Others can get at the secret's file {shown}: its mode is"
                f" {stat.S_IMODE(found.st_mode):04o}",
                f"chmod 600 {shown}",
            )
        if found.st_size > LIMIT:
            raise BadInput(f"{shown} is too large for a secret: {found.st_size} bytes")
        try:
            return file.read(LIMIT).decode()
        except UnicodeDecodeError:
            raise BadInput(f"The secret's file {shown} is not text in UTF-8") from None


def _from_keyring(rest: str) -> str:
    service, _, name = rest.rpartition("/")
    try:
        import keyring
    except ImportError:
        raise BadInput(
            "The keyring cannot be read: the package keyring is not installed",
            "pip install 'taskhub-tui[keyring]', or use `env:` or `file:`",
        ) from None
    try:
        value = keyring.get_password(service, name)
    except Exception as error:  # Each keyring has errors of its own.
        raise BadInput(
            f"The keyring cannot be read: {one_line(str(error) or type(error).__name__, 200)}",
            "Without a desktop there is mostly none: use `env:` or `file:`",
        ) from None
    if not value:
        raise BadInput(
            f"The keyring has no secret for {one_line(service, 80)}/{one_line(name, 80)}",
            f"keyring set {one_line(service, 80)} {one_line(name, 80)}",
        )
    return value
