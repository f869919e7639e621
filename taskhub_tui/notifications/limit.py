"""How many wrong answers, or requests, may come from each place."""

import time
from collections import OrderedDict
from collections.abc import Callable


class Limit:
    """How many wrong answers may come from each place: some at once, then one now and then."""

    MOST = 1000
    """Places that are remembered."""

    def __init__(
        self, burst: int, every: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`every` is how many seconds give back one of `burst`."""
        self._burst, self._every, self._clock = burst, every, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, place: str) -> bool:
        """Use up one of a place; False when it has none left."""
        now = self._clock()
        left, at = self._left.pop(place, (float(self._burst), now))
        left = min(float(self._burst), left + (now - at) / self._every)
        enough = left >= 1
        self._left[place] = (left - 1 if enough else left, now)
        while len(self._left) > self.MOST:
            self._left.popitem(last=False)
        return enough

    def give_back(self, place: str) -> None:
        """Do not count the last one: it was right."""
        if place in self._left:
            left, at = self._left[place]
            self._left[place] = (left + 1, at)
