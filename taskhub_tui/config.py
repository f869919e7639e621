"""Where things lie, and the user's settings."""

import errno
import getpass
import math
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from taskhub_tui.domain import durations
from taskhub_tui.domain.durations import LONGEST
from taskhub_tui.domain.errors import BadInput, StoreBusy, StoreError
from taskhub_tui.domain.limits import NO_LIMITS, Limits
from taskhub_tui.domain.model import Status
from taskhub_tui.domain.stall import Patience, patience
from taskhub_tui.records import dataclass
from taskhub_tui.text import one_line

DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Paths:
    """The folders and files of one hub."""

    home: Path
    """Database, logs and scratch files; 0700."""
    config: Path
    results: Path
    """Where results for the user go."""

    @property
    def database(self) -> Path:
        return self.home / "taskhub.db"

    @property
    def tasks(self) -> Path:
        return self.home / "tasks"

    @property
    def backups(self) -> Path:
        return self.home / "backups"

    @property
    def worker_log(self) -> Path:
        return self.home / "worker.log"

    @property
    def app_log(self) -> Path:
        """Mistakes of TaskHub's own in the app, with their tracebacks."""
        return self.home / "app.log"

    @property
    def serve_log(self) -> Path:
        """What windows of `taskhub serve` said when they ended with an error."""
        return self.home / "serve.log"

    def task(self, task_id: str) -> Path:
        """The private folder of one task."""
        return self.tasks / task_id

    def log(self, task_id: str) -> Path:
        return self.tasks / task_id / "log"


def paths(environ: dict[str, str] | None = None) -> Paths:
    """Return where things lie: under `TASKHUB_HOME` if that is set, else in the user's folders.

    Raises:
        BadInput: the name of a folder cannot be stored, as it is no UTF-8.
    """
    env = os.environ if environ is None else environ
    if home := env.get("TASKHUB_HOME"):
        root = Path(home).expanduser().absolute()
        return _storable(Paths(root, root / "config.toml", root / "results"))
    # Imported here: most commands of a test run set TASKHUB_HOME.
    import platformdirs

    return _storable(
        Paths(
            Path(platformdirs.user_data_dir("taskhub", appauthor=False)),
            Path(platformdirs.user_config_dir("taskhub", appauthor=False)) / "config.toml",
            Path.home() / "TaskHub",
        )
    )


def _storable(found: Paths) -> Paths:
    """Agents save where their files are, as text."""
    for folder in (found.home, found.results):
        try:
            str(folder).encode()
        except UnicodeEncodeError:
            shown = os.fsencode(folder).decode(errors="replace")
            raise BadInput(
                f"The folder {one_line(shown)} cannot be used: its name is not valid UTF-8",
                "Name another with TASKHUB_HOME",
            ) from None
    return found


def make_private(folder: Path) -> None:
    """Create `folder` with mode 0700, or check that only its owner can read it.

    Raises:
        StoreBusy: it cannot be created now, as the disk is full.
        StoreError: it cannot be created, or others can get into it.
    """
    try:
        mode = os.lstat(folder)
        if _private(mode):
            return
    except OSError:
        pass
    try:
        # `mkdir(parents=True)` gives its mode to the last folder only.
        for parent in [*reversed(folder.parents), folder]:
            if not parent.exists():
                parent.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        mode = folder.stat()
    except OSError as error:
        passing = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE)
        kind = StoreBusy if passing else StoreError
        raise kind(f"The folder {folder} cannot be used: {error.strerror}") from error
    if not stat.S_ISDIR(mode.st_mode):
        raise StoreError(f"{folder} is not a folder")
    if hasattr(os, "getuid") and mode.st_uid != os.getuid():
        raise StoreError(f"The folder {folder} belongs to somebody else")
    if stat.S_IMODE(mode.st_mode) & 0o077:
        try:
            folder.chmod(0o700)
        except OSError as error:  # FAT knows no owners, and refuses.
            raise StoreError(
                f"Others can read the folder {folder}, and that cannot be changed:"
                f" {error.strerror}",
                "Name a folder on another disk with TASKHUB_HOME",
            ) from error


def _private(mode: os.stat_result) -> bool:
    mine = not hasattr(os, "getuid") or mode.st_uid == os.getuid()
    return stat.S_ISDIR(mode.st_mode) and mine and not mode.st_mode & 0o077


@dataclass(frozen=True, slots=True)
class Backups:
    """The `[backup]` table: copies of the database that workers make by themselves."""

    enabled: bool = True
    every: float = DAY
    """Seconds between two."""
    keep: int = 7
    """How many of the newest are kept."""


@dataclass(frozen=True, slots=True)
class Retention:
    """The `[retention]` table: what workers delete by themselves; nothing unless switched on."""

    enabled: bool = False
    older_than: float = 90 * DAY
    """Seconds since a task was over."""
    status: tuple[Status, ...] = (Status.COMPLETED, Status.CANCELLED)
    keep_results: bool = True
    """True: only logs and scratch files go; what a task was and gave stays on the list."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the user may set in `config.toml`; every value has a default."""

    owner: str
    """Name that decisions are recorded under."""
    concurrency: int = 16
    """Stages that may run at once in one worker."""
    idle_exit: float = 120.0
    """Seconds after which a worker with nothing left to do leaves; 0 is never."""
    lease: float = 15.0
    """Seconds a worker's claim is good for without a sign of life."""
    theme: str = "taskhub"
    ascii: bool = False
    """Draw with ASCII characters only."""
    reduced_motion: bool = False
    """Nothing glides, blinks or fades."""
    taskbar: bool | None = None
    """Progress in the terminal's taskbar; None: where the terminal is known to take it."""
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The `[keys]` table: the user's own keys by ID of the action; read by `tui.keymap`."""
    undo: float = 5.0
    """Seconds in which a decision taken in the app can be taken back; 0 sends it at once."""
    limits: Limits = NO_LIMITS
    """How many stages may run at once over all workers."""
    stall: Patience = field(default_factory=Patience)
    """How long an agent may give no sign of life."""
    notifications: dict[str, Any] | None = None
    """The `[notifications]` table, read by `notifications.policy`."""
    backup: Backups = Backups()
    retention: Retention = Retention()


_KINDS: dict[str, tuple[type, ...]] = {
    "owner": (str,),
    "concurrency": (int,),
    "idle_exit": (int, float),
    "lease": (int, float),
    "theme": (str,),
    "ascii": (bool,),
    "reduced_motion": (bool,),
    "taskbar": (bool,),
    "keys": (dict,),
    "undo": (int, float),
    "limits": (dict,),
    "stall": (dict,),
    "notifications": (dict,),
    "backup": (dict,),
    "retention": (dict,),
}
_LEAST: dict[str, float] = {"concurrency": 1, "idle_exit": 0, "lease": 1, "undo": 0}
MOST = 100_000
"""Most of anything that is counted; beyond lie numbers that the database cannot hold."""
# Tasks of a worker that died on another machine wait until its lease is over.
_MOST: dict[str, float] = {"concurrency": MOST, "idle_exit": LONGEST, "lease": 3600, "undo": 3600}


def account() -> str:
    """Return the name of who runs this."""
    try:
        return one_line(getpass.getuser(), 60)
    except (OSError, KeyError, ImportError):
        # A container may run under a number that no account has.
        return "me"


def settings(where: Paths) -> Settings:
    """Read `config.toml`; a missing file means the defaults.

    Raises:
        BadInput: the file is no TOML, or has a key or a value it must not; says which.
    """
    try:
        text = where.config.read_text(encoding="utf-8")
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else error
        raise BadInput(f"{where.config} cannot be read: {said}") from error
    return read(text, where.config, account())


def read(text: str, file: Path, owner: str) -> Settings:
    """Return the settings that `text`, the content of `file`, gives.

    Args:
        owner: who owns the hub where the file does not say.

    Raises:
        BadInput: it is no TOML, or has a key or a value it must not; says which.
    """
    if not text.strip():
        return Settings(owner=owner)
    # Imported here: most people have no such file.
    import tomllib

    try:
        raw = tomllib.loads(text)
    except ValueError as error:  # Of TOML, or a number of thousands of digits.
        raise BadInput(f"{file} is not valid TOML: {error}") from error
    values: dict[str, Any] = {}
    for key, value in raw.items():
        kinds = _KINDS.get(key)
        if kinds is None:
            known = ", ".join(_KINDS)
            raise BadInput(f"{file}: `{key}` is not a setting", f"There are: {known}")
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            names = " or ".join(kind.__name__ for kind in kinds)
            raise BadInput(f"{file}: `{key}` must be {names}, not {_short(value)}")
        if isinstance(value, float) and not math.isfinite(value):
            raise BadInput(f"{file}: `{key}` must be a finite number, not {value!r}")
        if isinstance(value, int | float) and value < _LEAST.get(key, value):
            raise BadInput(f"{file}: `{key}` must be at least {_LEAST[key]}")
        if isinstance(value, int | float) and value > _MOST.get(key, value):
            raise BadInput(f"{file}: `{key}` must be at most {_MOST[key]:.0f}, not {_short(value)}")
        if key == "keys":
            values[key] = _keys(file, raw["keys"])
        elif isinstance(value, dict) and key in _TABLES:
            kind, known_keys = _TABLES[key]
            values[key] = kind(**_table(file, key, value, known_keys))
        else:
            values[key] = one_line(value, 200) if isinstance(value, str) else value
    return Settings(**{"owner": owner, **values})


def _short(value: Any) -> str:
    """Return a value as it was written, but for one without end."""
    return one_line(repr(value), 60)


def _keys(file: Path, raw: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Read the `[keys]` table; which actions and keys there are, the app knows.

    Raises:
        BadInput: a value is neither a key nor a list of keys.
    """
    keys = {}
    for name, value in raw.items():
        found = [value] if isinstance(value, str) else value
        if not isinstance(found, list) or any(not isinstance(one, str) for one in found):
            raise BadInput(
                f"{file}: `keys.{one_line(name, 60)}` must be a key or a list of keys,"
                f" not {_short(value)}",
                'For example `"task.open" = "l"`; the name has a dot and stands in quotes',
            )
        keys[one_line(name, 60)] = tuple(one_line(key, 40) for key in found if key)
    return keys


def _table(
    file: Path, name: str, raw: dict[str, Any], known: dict[str, Callable[[Any], Any]]
) -> dict[str, Any]:
    """Read a table of the settings.

    Raises:
        BadInput: it has a key or a value it must not; says which.
    """
    values = {}
    for key, value in raw.items():
        if key not in known:
            raise BadInput(
                f"{file}: `{name}.{key}` is not a setting",
                f"There are: {', '.join(known)}",
            )
        try:
            values[key] = known[key](value)
        except ValueError as error:
            raise BadInput(f"{file}: `{name}.{key}`: {error}") from None
    return values


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"it must be true or false, not {_short(value)}")
    return value


def _at_least(least: float) -> Callable[[Any], float]:
    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(f"it must be a duration such as 1d, not {_short(value)}")
        seconds = durations.parse(value) if isinstance(value, str) else value
        if not seconds >= least:
            raise ValueError(f"it must be {durations.spell(least)} or more")
        if seconds > LONGEST:
            raise ValueError(f"it must be {durations.spell(LONGEST)} or less")
        return float(seconds)

    return read


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"it must be a number of 1 or more, not {_short(value)}")
    if value > MOST:
        raise ValueError(f"it must be a number of {MOST} or less, not {_short(value)}")
    return value


def _over(value: Any) -> tuple[Status, ...]:
    over = [status.value for status in Status if status.over]
    if not isinstance(value, list) or not value or any(one not in over for one in value):
        raise ValueError(f"it must be a list of {', '.join(over)}")
    return tuple(Status(one) for one in value)


def _counts(value: Any) -> dict[str, int]:
    if not isinstance(value, dict):
        raise ValueError("it must be a table of agents and numbers")
    numbers = {}
    for name, number in value.items():
        try:
            numbers[name] = _count(number)
        except ValueError as error:
            raise ValueError(f"`{one_line(name, 60)}`: {error}") from None
    return numbers


_TABLES: dict[str, tuple[Callable[..., Any], dict[str, Callable[[Any], Any]]]] = {
    "limits": (Limits, {"total": _count, "agents": _counts}),
    "stall": (patience, {"shown_after": _at_least(0), "ask_after": _at_least(0)}),
    "backup": (Backups, {"enabled": _yes_or_no, "every": _at_least(60), "keep": _count}),
    "retention": (
        Retention,
        {
            "enabled": _yes_or_no,
            "older_than": _at_least(3600),
            "status": _over,
            "keep_results": _yes_or_no,
        },
    ),
}
