"""The rows of the settings: what is set, the channels, what may be wrong, and the keys."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from textual.content import Content
from textual.widgets.option_list import Option

from taskhub_tui.domain.preferences import GROUPS
from taskhub_tui.domain.views import ChannelInfo, Check
from taskhub_tui.text import one_line
from taskhub_tui.tui.actions import ACTIONS, TITLES
from taskhub_tui.tui.keymap import Keymap
from taskhub_tui.tui.theme import Glyphs
from taskhub_tui.tui.widgets.options import Rows

if TYPE_CHECKING:
    from taskhub_tui.tuning import Chosen

SET, CHANNEL, CHECK, KEY = "set:", "channel:", "check:", "key:"
"""How the IDs of the rows begin; a setting, a channel and a key are named after it."""
_NAME = 27
"""Columns of the names."""


class SettingRows(Rows):
    """Keeps the row under the cursor in sight when more is said of it, and less room is left."""

    def on_resize(self) -> None:
        self.call_after_refresh(self.scroll_to_highlight)


def settings(chosen: "Sequence[Chosen]", glyphs: Glyphs, width: int) -> list[Option]:
    """Return every setting with its value; what the file gives is bold."""
    rows: list[Option] = []
    by_key = {one.preference.key: one for one in chosen}
    for group, ones in GROUPS.items():
        rows.append(_head(group, first=not rows))
        for one in ones:
            now = by_key[one.key]
            value = now.written or glyphs.dash
            rows.append(_row(SET + one.key, one.key, value, one.meaning, width, bold=now.given))
    return rows


def channels(found: Sequence[ChannelInfo], tried: Mapping[str, str], width: int) -> list[Option]:
    """Return the channels; `tried` is what came of a test of each."""
    rows = [_head("Channels")]
    for channel in found:
        state = "on" if channel.on else "off"
        said = tried.get(channel.name) or channel.problem or "can be used"
        rows.append(_row(CHANNEL + channel.name, channel.name, state, said, width))
    return rows


def findings(checks: Sequence[Check] | None, glyphs: Glyphs, width: int) -> list[Option]:
    """Return what the diagnosis has found; None while it looks."""
    rows = [_head("What may be wrong")]
    if checks is None:
        rows.append(Option(Content.styled(f"  looking {glyphs.more}", "$muted"), disabled=True))
    for number, check in enumerate(checks or ()):
        glyph, colour = {
            "ok": (glyphs.done, "$done"),
            "warn": (glyphs.needs, "$needs"),
            "fail": (glyphs.failed, "$failed"),
        }[check.state]
        name = Content(one_line(check.name, 24)).truncate(_NAME - 4, ellipsis=True, pad=True)
        said = _under(check.message, _NAME + 1, width)
        row = Content.assemble("  ", (glyph, colour), " ", name, " ", said)
        rows.append(Option(row, id=f"{CHECK}{number}"))
    return rows


def keys(own: Keymap, glyphs: Glyphs, width: int) -> list[Option]:
    """Return every action with its keys; those that the file gives are bold."""
    rows = [_head("Keys")]
    places = [*TITLES]
    for act in sorted(ACTIONS, key=lambda act: places.index(act.where)):
        shown = own.shown(act.id) or glyphs.dash
        bold = act.id in own.own
        rows.append(_row(f"{KEY}{act.id}", act.id, shown, act.meaning, width, bold=bold))
    return rows


def _head(words: str, *, first: bool = False) -> Option:
    return Option(Content.styled(words if first else f"\n{words}", "$muted"), disabled=True)


def _row(
    key: str, name: str, value: str, meaning: str, width: int, *, bold: bool = False
) -> Option:
    short = name.removeprefix("notifications.")
    # In a narrow window the meaning wants the room more than the value does.
    middling = 22 if width >= 100 else 13
    left = Content(f"  {one_line(short, 60)}").truncate(_NAME, ellipsis=True, pad=True)
    middle = Content.styled(one_line(value, 200), "bold $foreground" if bold else "$muted")
    middle = middle.truncate(middling, ellipsis=True, pad=True)
    right = _under(meaning, _NAME + middling + 2, width)
    return Option(Content.assemble(left, " ", middle, " ", right), id=key)


def _under(words: str, column: int, width: int) -> Content:
    """Return words of a row from `column` on; what does not fit stands below them."""
    lines = Content(one_line(words)).wrap(max(8, width - column))
    return Content("\n" + " " * column).join(lines).stylize("$muted")
