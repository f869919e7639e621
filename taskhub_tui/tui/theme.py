"""The look: one muted palette, colour only where it means something, shape before colour."""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from textual.color import Color
from textual.theme import Theme

from taskhub_tui.tui.glyphs import ASCII as ASCII
from taskhub_tui.tui.glyphs import STAGE_LOOK as STAGE_LOOK
from taskhub_tui.tui.glyphs import UNICODE as UNICODE
from taskhub_tui.tui.glyphs import Glyphs as Glyphs
from taskhub_tui.tui.glyphs import task_look as task_look

# Colours by meaning, from the colour-blind safe set of Okabe and Ito. They are theme variables
# ($needs, $running, …), because `$text-muted` is drawn white inside a line of segments.
DARK = Theme(
    name="taskhub",
    primary="#56B4E9",
    secondary="#8D98A5",
    accent="#E69F00",
    warning="#E69F00",
    error="#EA7840",
    success="#3FA98A",
    foreground="#D7DCE2",
    background="#12151A",
    surface="#12151A",
    panel="#1B2027",
    dark=True,
    variables={
        "needs": "#E69F00",
        "running": "#56B4E9",
        "failed": "#EA7840",
        "done": "#3FA98A",
        "muted": "#8D98A5",
        "faint": "#3A424D",
        "cursor": "#1D313D",
        "footer-key-foreground": "#E69F00",
        "input-selection-background": "#56B4E9 30%",
        "block-cursor-background": "#1D313D",
        "block-cursor-foreground": "#D7DCE2",
        "border": "#3A424D",
        "border-blurred": "#3A424D",
        "scrollbar-background": "#12151A",
        "scrollbar-background-hover": "#12151A",
        "scrollbar-background-active": "#12151A",
    },
)
LIGHT = Theme(
    name="taskhub-light",
    primary="#0A6CA0",
    secondary="#5B6570",
    accent="#935600",
    warning="#935600",
    error="#B03F0D",
    success="#19745A",
    foreground="#1B2027",
    background="#FAFAF8",
    surface="#FAFAF8",
    panel="#EFEFEB",
    dark=False,
    variables={
        "needs": "#935600",
        "running": "#0A6CA0",
        "failed": "#B03F0D",
        "done": "#19745A",
        "muted": "#5B6570",
        "faint": "#C9CDD2",
        "cursor": "#DCEAF2",
        "footer-key-foreground": "#935600",
        "input-selection-background": "#0A6CA0 30%",
        "block-cursor-background": "#DCEAF2",
        "block-cursor-foreground": "#1B2027",
        "border": "#C9CDD2",
        "border-blurred": "#C9CDD2",
        "scrollbar-background": "#FAFAF8",
        "scrollbar-background-hover": "#FAFAF8",
        "scrollbar-background-active": "#FAFAF8",
    },
)


# What is legible on each other in nearly every palette that terminals come with.
_ANSI_DARK = {
    "needs": "ansi_yellow",
    "running": "ansi_cyan",
    "failed": "ansi_bright_red",
    "done": "ansi_green",
    "muted": "ansi_white",
    "faint": "ansi_bright_black",
    "cursor": "ansi_blue",
}
_ANSI_LIGHT = {
    "needs": "ansi_magenta",
    "running": "ansi_blue",
    "failed": "ansi_red",
    "done": "ansi_green",
    "muted": "ansi_bright_black",
    "faint": "ansi_white",
    "cursor": "ansi_white",
}
_MEANINGS = {"needs": "warning", "running": "primary", "failed": "error", "done": "success"}
_TEXT = 4.5
"""Contrast that text has at least, as WCAG counts it; a rule or the rest of a bar has less."""


def contrast(one: Color, other: Color) -> float:
    """Return the contrast of two colours as WCAG 2 counts it, 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Color) -> float:
    parts = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4
        for part in colour.normalized
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def _legible(colour: Color, grounds: Iterable[Color], toward: Color) -> Color:
    """Return `colour`, or one nearer to `toward` that is legible on all of `grounds`."""
    grounds = tuple(grounds)
    for step in range(21):
        found = colour.blend(toward, step / 20, 1)
        if all(contrast(found, ground) >= _TEXT for ground in grounds):
            return found
    return toward


@lru_cache(32)
def _derived(name: str, dark: bool, ansi: bool, colours: tuple[str, ...]) -> dict[str, str]:
    """Return our variables from `background`, `foreground` and those of `_MEANINGS`."""
    if ansi:
        # The terminal has its own palette, of which no shade is known: only its names are used.
        found = dict(_ANSI_DARK if dark else _ANSI_LIGHT)
        text = "ansi_default"
    else:
        background, foreground, *others = map(Color.parse, colours)
        toward = Color.parse("#FFFFFF" if dark else "#000000")
        # A theme's panel may be too strong for lines that are always there.
        panel = background.blend(foreground, 0.06, 1)
        foreground = _legible(foreground, (background, panel), toward)
        text = foreground.hex6
        own = contrast(foreground, background)
        cursor = background
        for part in (0.2, 0.15, 0.1, 0.05):
            cursor = background.blend(others[1], part, 1)
            if contrast(foreground, cursor) >= max(_TEXT, min(7, own * 0.8)):
                break
        grounds = (background, panel, cursor)
        found = {
            meaning: _legible(colour, grounds, toward).hex6
            for meaning, colour in zip(_MEANINGS, others, strict=True)
        }
        found["muted"] = _legible(foreground.blend(background, 0.4, 1), grounds, toward).hex6
        found["faint"] = background.blend(foreground, 0.22, 1).hex6
        found["cursor"] = cursor.hex6
        found["panel"] = panel.hex6
        found["foreground"] = text
    return {
        **found,
        "footer-key-foreground": found["needs"],
        "input-selection-background": found["cursor"] if ansi else f"{found['running']} 30%",
        "block-cursor-background": found["cursor"],
        "block-cursor-foreground": text,
        "block-cursor-blurred-background": found["cursor"],
        "block-cursor-blurred-foreground": text,
        "block-cursor-text-style": "none",
        "border": found["faint"],
        "border-blurred": found["faint"],
    }


def variables(theme: Theme, colours: Mapping[str, str]) -> dict[str, str]:
    """Return our variables for a theme: its own where it is one of ours, else from its colours.

    Args:
        colours: the colours that Textual makes of the theme.
    """
    if "needs" in theme.variables:
        return dict(theme.variables)
    names = ("background", "foreground", *_MEANINGS.values())
    return dict(
        _derived(theme.name, theme.dark, theme.ansi, tuple(colours[name] for name in names))
    )


def for_rich(colours: Mapping[str, str]) -> dict[str, str]:
    """Return theme variables as Rich names them: it has other names for a terminal's palette."""
    return {
        name: value.removeprefix("ansi_") if value.startswith("ansi_") else value
        for name, value in colours.items()
    }
