"""Values of variables that a task was given apart from its options: a private file in its folder.

The task itself knows their names only, in the option `secret_env`, so that nothing runs without
them unnoticed where the file is gone: deleted, or left behind on another machine.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from taskhub_tui.domain.errors import StoreError

FILE = "env.json"


def read(folder: Path) -> dict[str, Any]:
    """Return the values that are kept in a task's folder; none when there is no file.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds something else.
    """
    try:
        found = json.loads((folder / FILE).read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    if not isinstance(found, dict):
        raise ValueError("it is no table of names and values")
    return found


def missing(folder: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Return which of these variables have no value that can be read."""
    try:
        kept = read(folder)
    except (OSError, ValueError):
        kept = {}
    return tuple(name for name in names if kept.get(name) is None)


def keep(folder: Path, values: Mapping[str, str]) -> None:
    """Keep these values beside those that are kept already; they are on disk when this returns.

    Args:
        folder: exists, and is private.

    Raises:
        StoreError: they cannot be written.
    """
    path, part = folder / FILE, folder / f".{FILE}-part"
    try:
        try:
            kept = read(folder)
        except ValueError:
            kept = {}  # What is damaged is replaced.
        how = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
        with os.fdopen(os.open(part, how, 0o600), "w", encoding="utf-8") as file:
            json.dump({**kept, **values}, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        for above in (folder, folder.parent):  # The folder may be as new as the file.
            _sync(above)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}") from error


def again(task_id: str, names: Iterable[str], status: str = "failed") -> str:
    """Return the command that gives a task of this status these variables anew."""
    ways = {"failed": f"retry {task_id}", "paused": f"resume {task_id}"}
    way = ways.get(status, f"decide {task_id} modify")
    return " ".join(["taskhub", way, *(f"--env {name}" for name in names)])


def _sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
