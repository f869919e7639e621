"""The line in which a filter is typed, and under it what is wrong with it or what would do."""

from collections.abc import Mapping, Sequence

from textual import events
from textual.content import Content
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Static

from taskhub_tui.domain.filtering import BadFilter, Filter, help_for, parse
from taskhub_tui.text import one_line
from taskhub_tui.tui.theme import UNICODE, Glyphs
from taskhub_tui.tui.widgets.path_input import CleanInput

PLACEHOLDER = 'words, status:failed, agent:claude, older:2d, !status:over, "a phrase"'


class _Suggests(Suggester):
    """Offers the rest of a field or value; the right arrow or Tab takes it."""

    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self.known: Mapping[str, Sequence[str]] = {}

    async def get_suggestion(self, value: str) -> str | None:
        rest = help_for(value, self.known).completion
        return value + rest if rest else None


class FilterLine(CleanInput):
    """Filters while it is typed; Enter keeps the filter, Escape takes it away."""

    DEFAULT_CSS = """
    FilterLine {
        height: 1; border: none; padding: 0 1; display: none;
        background: $panel; color: $foreground;
        &:focus { border: none; }
        &.-textual-compact { padding: 0 1; }
        & .input--suggestion { color: $muted; }
    }
    """

    class Closed(Message):
        """Typing is over."""

        def __init__(self, keep: bool) -> None:
            super().__init__()
            self.keep = keep

    def __init__(self) -> None:
        self._suggests = _Suggests()
        super().__init__(
            placeholder=PLACEHOLDER,
            select_on_focus=False,
            compact=True,
            suggester=self._suggests,
            max_length=400,
        )
        self.filter = Filter()
        """The last filter that made sense."""
        self.problem: BadFilter | None = None
        self.last = ""
        """The last filter that was more than typed."""

    def remember(self) -> None:
        """Keep what stands here, if it is a filter, for when it is wanted again."""
        if self.value.strip() and self.problem is None:
            self.last = self.value

    def knows(self, values: Mapping[str, Sequence[str]]) -> None:
        """Take note of what there is to filter by."""
        self._suggests.known = values

    @property
    def known(self) -> Mapping[str, Sequence[str]]:
        return self._suggests.known

    def read(self) -> bool:
        """Read what was typed; return whether the filter is another one than before."""
        before = self.filter
        try:
            self.filter, self.problem = parse(self.value), None
        except BadFilter as error:
            self.problem = error
        return self.filter != before

    takes = (("enter", "Keep"), ("tab", "Complete"), ("escape", "Clear"))
    """The keys that it takes, for the last line; see `KeyLine`."""

    def on_blur(self) -> None:
        # Emptied and left at once, it may have been told of the change while it had the keys.
        self.set_class(bool(self.value), "-shown")

    def on_key(self, event: events.Key) -> None:
        if event.key in ("escape", "enter", "down", "up"):
            event.stop()
            event.prevent_default()
            self.post_message(self.Closed(keep=event.key != "escape"))
        elif event.key == "tab":
            event.stop()
            event.prevent_default()
            self.action_cursor_right()


class FilterHint(Static):
    """One line under the filter."""

    DEFAULT_CSS = """
    FilterHint {
        height: 1; padding: 0 1; display: none; background: $panel; color: $muted;
        text-wrap: nowrap; text-overflow: ellipsis;
        &.-shown { display: block; }
    }
    """

    def __init__(self, *, glyphs: Glyphs = UNICODE) -> None:
        super().__init__("", markup=False)
        self._glyphs = glyphs

    def say(self, line: FilterLine, found: int, of: int) -> None:
        """Say what is wrong with the filter, what may come next, or how many tasks fit."""
        self.set_class(line.problem is not None or line.has_focus, "-shown")
        if (problem := line.problem) is not None:
            self.update(
                Content.assemble(
                    (f"{self._glyphs.failed} {one_line(str(problem), 200)}. ", "$failed"),
                    (one_line(problem.hint or "", 300), "$muted"),
                )
            )
            return
        words = help_for(line.value, line.known).words
        count = f"{found:,} of {of:,}   " if line.filter else ""
        self.update(Content.assemble((count, "$foreground"), (one_line(words, 400), "$muted")))
