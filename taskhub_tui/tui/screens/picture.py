"""A picture as large as the window, until a key is pressed."""

import asyncio
from pathlib import Path
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import ModalScreen
from textual.strip import Strip

from taskhub_tui.text import one_line
from taskhub_tui.tui import opening, pictures
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.background import start
from taskhub_tui.tui.widgets.footer import KeyLine
from taskhub_tui.tui.widgets.lines import LinesView
from taskhub_tui.tui.widgets.plain import Plain


class PictureScreen(ModalScreen[None]):
    """Draws it anew when the window changes."""

    DEFAULT_CSS = """
    PictureScreen {
        background: $background;
        .name { color: $muted; height: 1; padding: 0 1; }
        LinesView { padding: 0 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("picture")]

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._canvas = LinesView()

    def compose(self) -> ComposeResult:
        yield Plain(one_line(str(self._path), 2000), classes="name")
        yield self._canvas
        yield KeyLine()

    def on_mount(self) -> None:
        self._canvas.focus()

    def on_resize(self, event: events.Resize) -> None:
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        start(self, self._drawn, group="picture", exclusive=True)

    async def _drawn(self) -> None:
        size = self._canvas.size
        back = self.app.theme_variables.get("background", "")
        if not back.startswith("#"):
            back = "#12151A"  # The terminal's own, which nobody knows.
        try:
            lines = await asyncio.to_thread(
                pictures.drawn, self._path, max(1, size.width - 3), max(1, size.height), back
            )
        except pictures.BadPicture as error:
            muted = self._canvas.theme_style("muted")
            lines = [Strip([Segment(one_line(str(error)), muted)])]
        self._canvas.set_lines(lines)

    def action_leave(self) -> None:
        self.dismiss(None)

    def action_open(self) -> None:
        async def run() -> None:
            said = await opening.open_result(self.app, self._path)
            self.app.notify(said, timeout=4, markup=False)

        start(self, run, group="open")
