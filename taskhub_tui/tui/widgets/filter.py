"""The line in which a filter is typed, and what it means."""

from textual import events
from textual.message import Message
from textual.widgets import Input

from taskhub_tui.domain.model import Status

_WORDS: dict[str, Status] = {
    **{status.value.replace("_", "-"): status for status in Status},
    "running": Status.IN_PROGRESS,
    "queued": Status.PENDING,
    "done": Status.COMPLETED,
    "needs": Status.BLOCKED,
}
PLACEHOLDER = "words, or: blocked failed running queued paused done cancelled"


def read(text: str) -> tuple[str, frozenset[Status]]:
    """Return the plain words of a filter, and the statuses that it names."""
    words, statuses = [], set()
    for word in text.split():
        if (status := _WORDS.get(word.lower())) is not None:
            statuses.add(status)
        else:
            words.append(word)
    return " ".join(words), frozenset(statuses)


class FilterLine(Input):
    """Filters while it is typed; Enter keeps the filter, Escape takes it away."""

    DEFAULT_CSS = """
    FilterLine {
        height: 1; border: none; padding: 0 1; display: none;
        background: $panel; color: $foreground;
        &:focus { border: none; }
    }
    """

    class Closed(Message):
        """Typing is over."""

        def __init__(self, keep: bool) -> None:
            super().__init__()
            self.keep = keep

    def __init__(self) -> None:
        super().__init__(placeholder=PLACEHOLDER, select_on_focus=False, compact=True)

    def on_key(self, event: events.Key) -> None:
        if event.key in ("escape", "enter", "down", "up"):
            event.stop()
            event.prevent_default()
            self.post_message(self.Closed(keep=event.key != "escape"))
