"""A yes-or-no question in a dialog, answered with one key."""

from typing import Any

from textual import events
from textual.content import Content
from textual.message import Message

from taskhub_tui.tui.widgets.plain import Plain


class Ask(Plain, can_focus=True):
    """Asks something; `y` is yes, any other key is no. Hidden until `ask` is called."""

    DEFAULT_CSS = """
    Ask { display: none; height: auto; }
    Ask.-asks { display: block; }
    """

    class Answered(Message):
        """The question was answered."""

        def __init__(self, yes: bool) -> None:
            super().__init__()
            self.yes = yes

    def __init__(self, **names: Any) -> None:
        super().__init__(**names)

    def ask(self, question: str) -> None:
        """Show `question` and take the keys."""
        self.update(Content.styled(question, "bold $needs"))
        self.add_class("-asks")
        self.focus()

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        self.remove_class("-asks")
        self.post_message(self.Answered(event.key == "y"))
