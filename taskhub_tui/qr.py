"""A QR code in letters, for a camera that looks at a terminal."""

from collections.abc import Sequence

_QUIET_ZONE = 2
"""Light modules around the code, by which a camera finds it."""
_HALVES = {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}


def modules(text: str) -> list[list[int]]:
    """Return the code of a text row by row; 1 is dark."""
    import segno

    code = segno.make(text, error="l", micro=False)
    return [[int(bool(dark)) for dark in row] for row in code.matrix_iter(border=_QUIET_ZONE)]


def half_blocks(text: str) -> Sequence[str]:
    """Return the code in lines, two rows of it in one. It is read only dark on light."""
    rows = modules(text)
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    return [
        "".join(_HALVES[pair] for pair in zip(above, below, strict=True))
        for above, below in zip(rows[::2], rows[1::2], strict=True)
    ]
