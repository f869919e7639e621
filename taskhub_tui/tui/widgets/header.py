"""The first line: how many tasks there are of each kind; below it, what is wrong with the hub."""

from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from taskhub_tui.domain.views import Counts
from taskhub_tui.text import one_line
from taskhub_tui.tui.theme import UNICODE, Glyphs


class HubHeader(Widget):
    """One line; more, in words, while something is wrong."""

    DEFAULT_CSS = """
    HubHeader {
        height: auto; background: $panel; color: $foreground; padding: 0 2;
    }
    """

    class Chosen(Message):
        """Somebody clicked a count; these tasks fit `filter`."""

        def __init__(self, filter: str) -> None:
            super().__init__()
            self.filter = filter

    counts: reactive[Counts] = reactive(Counts())
    warning: reactive[str] = reactive("", layout=True)
    reminder: reactive[str] = reactive("", layout=True)

    def __init__(self, *, glyphs: Glyphs = UNICODE) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._spots: list[tuple[int, int, str]] = []

    def render(self) -> Content:
        line = self._first_line()
        for sentence, colour in ((self.warning, "$needs"), (self.reminder, "$muted")):
            if sentence:
                words = one_line(sentence, max(20, self.content_size.width - 2))
                line += Content("\n") + Content.assemble(
                    (f"{self._glyphs.needs} ", "$needs"), (words, colour)
                )
        return line

    def _first_line(self) -> Content:
        """Return the counts: in narrower windows closer together, then with fewer words."""
        room = self.content_size.width
        parts = self._parts(self.counts)
        for gap, wordless in ((3, 0), (2, 0), (2, 2), (2, 4), (2, len(parts))):
            line = self._put_together(parts, gap, wordless)
            if line.cell_length <= room:
                break
        while parts and line.cell_length > room:
            parts.pop()
            line = self._put_together(parts, 2, len(parts))
        return line

    def _put_together(
        self, parts: list[tuple[str, str, str, str]], gap: int, wordless: int
    ) -> Content:
        line = Content.assemble(("TaskHub", "bold $foreground"))
        self._spots = []
        for place, (count, word, style, filter) in enumerate(parts):
            words = count if place >= len(parts) - wordless else f"{count} {word}"
            line += Content(" " * gap)
            start = line.cell_length
            line += Content.styled(words, style)
            self._spots.append((start, line.cell_length, filter))
        return line

    def _parts(self, counts: Counts) -> list[tuple[str, str, str, str]]:
        """Return sign and number, word, style, and the filter that finds them, of each count."""
        glyphs = self._glyphs
        needs = "needs you" if counts.needs_you == 1 else "need you"
        shown = [
            (counts.needs_you, glyphs.needs, needs, "bold $needs", "status:needs"),
            (counts.failed, glyphs.failed, "failed", "$failed", "status:failed"),
            (counts.running, glyphs.running, "running", "$running", "status:running"),
            (counts.queued, glyphs.queued, "queued", "$muted", "status:queued"),
            (counts.paused, glyphs.paused, "paused", "$muted", "status:paused"),
            (counts.done, glyphs.done, "done", "$muted", "status:done"),
            (counts.cancelled, glyphs.cancelled, "cancelled", "$muted", "status:cancelled"),
        ]
        return [
            (f"{glyph} {number:,}", word, style, filter)
            for number, glyph, word, style, filter in shown
            if number
        ]

    def on_click(self, event: events.Click) -> None:
        x = event.x - self.styles.padding.left
        for start, end, filter in self._spots:
            if event.y == 0 and start <= x < end:
                self.post_message(self.Chosen(filter))
