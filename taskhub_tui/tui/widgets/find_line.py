"""The line under a task's tabs in which words are typed that are to be found there."""

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from taskhub_tui.text import one_line
from taskhub_tui.tui.widgets.path_input import CleanInput


class _Words(CleanInput):
    takes = (("enter", "Keep"), ("escape", "End"))
    """The keys that it takes, for the last line; see `KeyLine`."""

    def on_key(self, event: events.Key) -> None:
        if event.key in ("escape", "enter", "down", "up"):
            event.stop()
            event.prevent_default()
            self.post_message(FindLine.Closed(keep=event.key != "escape"))


class FindLine(Horizontal):
    """Finds while it is typed; Enter keeps what was found, Escape ends the search."""

    DEFAULT_CSS = """
    FindLine {
        height: 1; display: none; background: $panel;
        & .slash { width: 2; color: $needs; text-style: bold; padding: 0 0 0 1; }
        & Input {
            width: 1fr; height: 1; border: none; padding: 0; background: $panel;
            color: $foreground;
            &:focus { border: none; }
        }
        & .told {
            width: auto; max-width: 100%; color: $muted; padding: 0 1;
            text-wrap: nowrap; text-overflow: ellipsis;
        }
    }
    """

    class Typed(Message):
        """The words have changed."""

        def __init__(self, words: str) -> None:
            super().__init__()
            self.words = words

    class Closed(Message):
        """Typing is over."""

        def __init__(self, keep: bool) -> None:
            super().__init__()
            self.keep = keep

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._input = _Words(select_on_focus=False, compact=True)
        self._slash = Static("/", markup=False, classes="slash")
        self._told = Static("", markup=False, classes="told")

    def compose(self) -> ComposeResult:
        yield self._slash
        yield self._input
        yield self._told

    @property
    def words(self) -> str:
        """What is typed."""
        return self._input.value

    @property
    def typing(self) -> bool:
        return self._input.has_focus

    def open(self, words: str) -> None:
        """Let the user type."""
        self.display = self._input.display = self._slash.display = True
        self._input.value = words
        self._input.cursor_position = len(words)
        # At once, not in its turn: the next keys may be waiting already.
        self.screen.set_focus(self._input)

    def show(self, words: str, told: str) -> None:
        """Show what is looked for, and how it goes; both empty hide the line."""
        if not self.typing:
            self.display = bool(words or told)
            self._input.display = self._slash.display = bool(words)
            if self._input.value != words:
                with self.prevent(Input.Changed):
                    self._input.value = words
        self._told.update(Content(one_line(told, 200)))

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Typed(event.value))
