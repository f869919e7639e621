"""A list to choose from in which nothing is chosen beforehand."""

from textual.content import Content
from textual.widgets.option_list import Option

from taskhub_tui.tui.widgets.options import Options


class Pick(Options):
    """Highlights nothing until a person moves to it.

    So Enter, pressed by somebody who thinks of another window, chooses nothing.
    """

    DEFAULT_CSS = """
    Pick {
        background: $panel; border: none; padding: 0;
        &:focus { background-tint: $foreground 0%; }
        & > .option-list--option-disabled { color: $muted; }
    }
    """

    def __init__(self, *options: Option | Content, id: str | None = None) -> None:
        super().__init__(*options, id=id)
        self.highlighted = None

    def on_mount(self) -> None:
        self.highlighted = None
