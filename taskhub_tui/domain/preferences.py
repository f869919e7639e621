"""Every setting a person may change: what it means, and how its value is written and read."""

from collections.abc import Mapping
from typing import Any, Literal

from taskhub_tui.domain import durations
from taskhub_tui.records import dataclass

Kind = Literal["text", "count", "seconds", "span", "switch", "theme", "clock", "statuses", "counts"]
Effect = Literal["now", "worker", "start"]
"""When a change is felt: at once, when a worker starts, or when the app is opened again."""


@dataclass(frozen=True, slots=True)
class Preference:
    """One key of `config.toml`."""

    key: str
    """Dotted, as `limits.total`."""
    kind: Kind
    meaning: str
    effect: Effect = "worker"
    default: Any = None
    """What holds where the file does not say; only for what `Settings` keeps as it was written."""


_N = "notifications"
GROUPS: Mapping[str, tuple[Preference, ...]] = {
    "Look": (
        Preference("theme", "theme", "Colours of the app", "now"),
        Preference("ascii", "switch", "Draw with ASCII characters only", "start"),
        Preference("reduced_motion", "switch", "Nothing glides, blinks or fades", "start"),
        Preference("taskbar", "switch", "Progress in the taskbar of the terminal", "start"),
        Preference(
            "undo",
            "seconds",
            "A decision can be taken back for so long; 0 is never",
            "start",
        ),
        Preference("owner", "text", "The name that decisions are recorded under", "start"),
    ),
    "Work": (
        Preference("concurrency", "count", "Stages that may run at once in one worker"),
        Preference("limits.total", "count", "Stages that may run at once over all workers"),
        Preference("limits.agents", "counts", "Stages that may run at once, by agent"),
        Preference(
            "idle_exit", "seconds", "A worker with nothing left to do leaves after this; 0 is never"
        ),
        Preference("lease", "seconds", "A worker's claim is good for this without a sign of life"),
        Preference(
            "stall.shown_after", "span", "Silence of an agent after which it is shown; 0 is never"
        ),
        Preference(
            "stall.ask_after", "span", "Silence of an agent after which you are asked; 0 is never"
        ),
    ),
    "Notifications": (
        Preference(
            f"{_N}.idle_after",
            "seconds",
            "Without a key for this long you count as away",
            default=60,
        ),
        Preference(
            f"{_N}.desktop.enabled", "switch", "Tell you on the desktop as well", default=True
        ),
        Preference(
            f"{_N}.desktop.completion_after",
            "seconds",
            "What ran shorter is announced in the app only",
            default=30,
        ),
        Preference(
            f"{_N}.desktop.unanswered_after",
            "seconds",
            "A question waits this long in the app while you look at it",
            default=60,
        ),
        Preference(
            f"{_N}.desktop.per_minute", "count", "Most desktop notifications a minute", default=6
        ),
        Preference(
            f"{_N}.terminal.enabled",
            "switch",
            "Tell you through the terminal while you do not look at the app",
            "now",
            default=True,
        ),
        Preference(
            f"{_N}.quiet.enabled",
            "switch",
            "Put off what is not critical at night; unset: what rings only",
        ),
        Preference(f"{_N}.quiet.start", "clock", "When the quiet hours begin", default="22:00"),
        Preference(f"{_N}.quiet.end", "clock", "When the quiet hours end", default="08:00"),
    ),
    "Backups": (
        Preference("backup.enabled", "switch", "Workers copy the database by themselves"),
        Preference("backup.every", "span", "Time between two copies"),
        Preference("backup.keep", "count", "How many copies are kept"),
    ),
    "Deleting": (
        Preference("retention.enabled", "switch", "Workers delete by themselves, once a day"),
        Preference("retention.older_than", "span", "What has been over for longer goes"),
        Preference("retention.status", "statuses", "Which tasks: completed, cancelled, failed"),
        Preference(
            "retention.keep_results",
            "switch",
            "Only logs and scratch files go; off deletes the tasks as well",
        ),
    ),
}
BY_KEY = {one.key: one for group in GROUPS.values() for one in group}


def write(kind: Kind, value: Any) -> str:
    """Return a value as a person reads and types it; empty where nothing is set."""
    if value is None:
        return ""
    match kind:
        case "switch":
            return "on" if value else "off"
        case "span":
            return value if isinstance(value, str) else _span(float(value))
        case "seconds":
            return _span(float(value)) if value == int(value) else f"{value:g}s"
        case "statuses":
            return ", ".join(str(one) for one in value)
        case "counts":
            return ", ".join(f"{name} {number}" for name, number in value.items())
        case "clock" if hasattr(value, "strftime"):
            return str(value.strftime("%H:%M"))
        case _:
            return str(value)


def _span(seconds: float) -> str:
    left, words = round(seconds), ""
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if left >= size:
            words += f"{left // size}{unit}"
            left %= size
    return words or "0s"


def read(kind: Kind, text: str) -> Any:
    """Return what a person typed as the file keeps it.

    Raises:
        ValueError: it is not of this kind; the message is a sentence.
    """
    bare = text.strip()
    match kind:
        case "count":
            if not bare.isdecimal():
                raise ValueError(f"`{bare}` is no whole number; write one like 4")
            return int(bare)
        case "seconds":
            seconds = durations.parse(bare)
            return int(seconds) if seconds == int(seconds) else seconds
        case "span":
            durations.parse(bare)
            return bare
        case "switch":
            if bare.lower() not in ("on", "off", "true", "false", "yes", "no"):
                raise ValueError(f"`{bare}` is neither on nor off")
            return bare.lower() in ("on", "true", "yes")
        case "statuses":
            return [word for word in bare.replace(",", " ").split() if word]
        case "counts":
            words = bare.replace(",", " ").replace("=", " ").split()
            if len(words) % 2 or not all(number.isdecimal() for number in words[1::2]):
                raise ValueError("Write agents and numbers, like command 4, claude 2")
            return {name: int(number) for name, number in zip(words[::2], words[1::2], strict=True)}
        case _:
            if not bare:
                raise ValueError("Write something, or take the default back")
            return bare
