"""What a test of faults found: a row of the report."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Found:
    """The figures of one kind of fault."""

    cases: int
    """How often something was made to go wrong, or what might go wrong was done."""
    broken: list[str] = field(default_factory=list)
    """A sentence for each breach of the promise."""
    note: str = ""
    """What was measured, in a few words."""
    table: str = ""
    """More of it, as Markdown."""


def spell(seconds: float) -> str:
    """Return a short time as a person reads it."""
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.1f} s"


def percentile(values: Sequence[float], part: float) -> float:
    """Return the value that `part` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]
