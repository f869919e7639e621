"""Where each task stands in an order, in few bytes.

A dictionary of 100,000 numbers holds as many objects, and takes 10 MB; this takes 0.4 MB.
"""

from array import array
from collections.abc import Iterable, Sequence

UNSEEN, FOLDED = -1, -2
"""Places of tasks that are not in the order yet, and of those under a folded head."""
_SPARSE = 25
"""Numbers to one task, from which on a dictionary is the smaller one: most were deleted."""


class Standing:
    """The places of the tasks with these numbers; put them there with `lay`."""

    def __init__(self, numbers: Sequence[int] = ()) -> None:
        top = max(numbers, default=0)
        self._few: dict[int, int] = {}
        self._top = top if top < _SPARSE * len(numbers) + 100_000 else -1
        self._places = array("i", [UNSEEN]) * (self._top + 1)

    def lay(self, numbers: Iterable[int], first: int) -> None:
        """Put tasks at one place after the other; all at the same one where it is FOLDED."""
        places = self._places if self._top >= 0 else self._few
        if first == FOLDED:
            for number in numbers:
                places[number] = FOLDED
        else:
            for place, number in enumerate(numbers, first):
                places[number] = place

    def of(self, number: int | None) -> int:
        """Return the place of a task."""
        if number is None:
            return UNSEEN
        if self._top < 0:
            return self._few.get(number, UNSEEN)
        return self._places[number] if 0 <= number <= self._top else UNSEEN
