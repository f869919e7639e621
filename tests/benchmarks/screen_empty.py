"""The least a Textual app can be: one line."""

from textual.app import App, ComposeResult
from textual.widgets import Label


class Empty(App[None]):
    def compose(self) -> ComposeResult:
        yield Label("READY")


Empty().run()
