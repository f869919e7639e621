"""A list to choose from whose cursor is seen without colours too."""

from dataclasses import replace
from typing import Any

from textual import events
from textual.strip import Strip
from textual.style import Style
from textual.widgets import OptionList

from taskhub_tui.tui.widgets.selecting import Selecting


class Options(Selecting, OptionList):
    """An OptionList that reads no markup, and whose text can be selected."""

    ALLOW_SELECT = True

    def __init__(self, *options: Any, id: str | None = None) -> None:
        super().__init__(*options, id=id, markup=False, compact=True)

    def get_visual_style(self, *component_classes: str, partial: bool = False) -> Style:
        style = super().get_visual_style(*component_classes, partial=partial)
        # Textual 8.2 leaves `reverse` out of what it draws options with.
        turned = any(self.get_component_styles(one).text_style.reverse for one in component_classes)
        return replace(style, reverse=True) if turned else style

    def render_line(self, y: int) -> Strip:
        return self.selectable(super().render_line(y), y + self.scroll_offset.y)

    def text_of(self, y: int) -> str:
        return super().render_line(y - self.scroll_offset.y).text

    def on_click(self, event: events.Click) -> None:
        if self.text_selection:
            event.prevent_default()  # It was a drag, and chooses nothing.


class Rows(Options, inherit_bindings=False):
    """Has no keys of its own: those of its screen move the cursor, as the user has them."""

    def leap(self, how: str) -> None:
        """Go to the `first` or the `last` row, or a page on: `page_down`, `page_up`."""
        getattr(self, f"action_{how}")()
