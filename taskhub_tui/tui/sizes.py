"""What a screen looks like at a size, from its first painting on."""

from typing import Any

from textual.screen import Screen


def take_size(screen: Screen[Any]) -> None:
    """Give a screen the classes of its breakpoints, to be called before it has any parts.

    Textual does so after the screen was laid out, and perhaps painted, for another size.
    """
    width, height = screen.app.size
    for length, points in (
        (width, screen.HORIZONTAL_BREAKPOINTS or ()),
        (height, screen.VERTICAL_BREAKPOINTS or ()),
    ):
        fits = max((low for low, _ in points if low <= length), default=None)
        for low, name in points:
            screen.set_class(low == fits, name)
