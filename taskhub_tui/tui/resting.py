"""Dialogs in which keys do nothing for a moment, as they may have been meant for something else."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Resting(Protocol):
    """A screen that rests before it takes keys."""

    def rest(self) -> None:
        """Begin the moment in which keys do nothing anew."""
