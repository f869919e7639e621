"""Pictures as text: each cell shows two points, one above the other, in their own colours.

This works on every terminal with colours and writes nothing but text, so no screen is ever left
with the remains of a picture. A picture is a stranger's file: it is read with limits, by Pillow,
which is an extra (`images`).
"""

import os
import warnings
from importlib.util import find_spec
from pathlib import Path

from rich.color import Color
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from taskhub_tui.regular import open_regular

_MOST_BYTES = 40_000_000
_MOST_POINTS = 80_000_000
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP")


class BadPicture(Exception):
    """It cannot be shown; says why in a sentence."""


def possible() -> bool:
    """True when pictures can be drawn at all."""
    return find_spec("PIL") is not None


def drawn(path: Path, width: int, height: int, background: str = "#12151A") -> list[Strip]:
    """Return a picture in at most `width` cells and `height` lines; slow, to be done in a thread.

    Args:
        background: colour behind what is transparent, as `#RRGGBB`.

    Raises:
        BadPicture: it is no picture, too large, or damaged.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise BadPicture(
            "Pillow is not installed. Install it with: pip install 'taskhub-tui[images]'"
        ) from None
    try:
        with open_regular(path) as file, warnings.catch_warnings():
            if os.fstat(file.fileno()).st_size > _MOST_BYTES:
                raise BadPicture(f"{path.name} is larger than {_MOST_BYTES // 1_000_000} MB")
            warnings.simplefilter("ignore")
            with Image.open(file, formats=_FORMATS) as image:
                if image.width * image.height > _MOST_POINTS:
                    raise BadPicture(f"{path.name} has {image.width} × {image.height} points")
                across, down = _size(image.width, image.height, width, height)
                image.draft("RGB", (across * 2, down * 2))
                small = image.convert("RGBA").resize((across, down), Image.Resampling.LANCZOS)
        ground = Image.new("RGBA", small.size, background)
        points = Image.alpha_composite(ground, small).convert("RGB").tobytes()
    except UnidentifiedImageError:
        raise BadPicture(f"{path.name} is no picture that can be read") from None
    except OSError as error:
        raise BadPicture(f"{path.name} cannot be read: {error.strerror or 'damaged'}") from None
    except (ValueError, SyntaxError, MemoryError, Image.DecompressionBombError):
        raise BadPicture(f"{path.name} is damaged") from None
    return [_row(points, across, line) for line in range(down // 2)]


def _size(across: int, down: int, width: int, height: int) -> tuple[int, int]:
    """Return points across and down; a cell is a point wide and two high."""
    share = min(width / max(1, across), height * 2 / max(1, down), 1.0)
    wide, high = max(1, round(across * share)), max(2, round(down * share))
    return min(width, wide), min(height * 2, high + high % 2)


def _row(points: bytes, across: int, line: int) -> Strip:
    segments: list[Segment] = []
    text, last = "", None
    for x in range(across):
        top = (2 * line * across + x) * 3
        bottom = top + across * 3
        pair = (points[top : top + 3], points[bottom : bottom + 3])
        if pair != last and last is not None:
            segments.append(Segment(text, _style(*last)))
            text = ""
        last = pair
        text += "▀"
    if last is not None:
        segments.append(Segment(text, _style(*last)))
    return Strip(segments, across)


def _style(top: bytes, bottom: bytes) -> Style:
    return Style(
        color=Color.from_triplet(ColorTriplet(*top)),
        bgcolor=Color.from_triplet(ColorTriplet(*bottom)),
    )
