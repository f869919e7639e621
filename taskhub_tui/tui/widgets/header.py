"""The first line: how many tasks there are of each kind; below it, what is wrong with the hub."""

from textual.content import Content
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
    counts: reactive[Counts] = reactive(Counts())
    warning: reactive[str] = reactive("", layout=True)
    reminder: reactive[str] = reactive("", layout=True)

    def __init__(self, *, glyphs: Glyphs = UNICODE) -> None:
        super().__init__()
        self._glyphs = glyphs

    def render(self) -> Content:
        line = Content.assemble(("TaskHub", "bold $foreground"))
        for part in self._parts(self.counts):
            longer = line + Content("   ") + part
            if longer.cell_length > self.content_size.width:
                break
            line = longer
        for sentence, colour in ((self.warning, "$needs"), (self.reminder, "$muted")):
            if sentence:
                words = one_line(sentence, max(20, self.content_size.width - 2))
                line += Content("\n") + Content.assemble(
                    (f"{self._glyphs.needs} ", "$needs"), (words, colour)
                )
        return line

    def _parts(self, counts: Counts) -> list[Content]:
        glyphs = self._glyphs
        needs = "needs you" if counts.needs_you == 1 else "need you"
        shown = [
            (counts.needs_you, glyphs.needs, needs, "bold $needs"),
            (counts.failed, glyphs.failed, "failed", "$failed"),
            (counts.running, glyphs.running, "running", "$running"),
            (counts.queued, glyphs.queued, "queued", "$muted"),
            (counts.paused, glyphs.paused, "paused", "$muted"),
            (counts.done, glyphs.done, "done", "$muted"),
            (counts.cancelled, glyphs.cancelled, "cancelled", "$muted"),
        ]
        return [
            Content.styled(f"{glyph} {number:,} {word}", style)
            for number, glyph, word, style in shown
            if number
        ]
