"""The table shown before many things are done at once: what would happen to each, and what not."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.segment import Segment
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.strip import Strip

from taskhub_tui.tui import render
from taskhub_tui.tui.theme import UNICODE, Glyphs
from taskhub_tui.tui.widgets.lines import LinesView
from taskhub_tui.tui.widgets.plain import Keys, Plain

REST = 0.5
"""Seconds after it opened, and after the last key, in which keys do nothing."""


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One line of the table."""

    task_id: str
    title: str
    what: str
    """What would happen, or why nothing can."""
    possible: bool


class BatchTable(LinesView):
    """The rows, drawn as they come into sight; those that are not possible stand last."""

    def __init__(self, rows: Sequence[BatchRow], glyphs: Glyphs) -> None:
        super().__init__(id="rows")
        self._rows = sorted(rows, key=lambda row: not row.possible)
        self._glyphs = glyphs

    def on_mount(self) -> None:
        self.styles.height = min(len(self._rows), 16)
        self.resized()

    @property
    def count(self) -> int:
        return len(self._rows)

    def line(self, y: int) -> Strip | None:
        if y >= len(self._rows):
            return None
        row, glyphs = self._rows[y], self._glyphs
        width = self.scrollable_size.width
        what = max(12, min(30, width // 3))
        title = max(4, width - 13 - what)
        muted = self.theme_style("muted")
        plain = self.theme_style("foreground") if row.possible else muted
        sign = (glyphs.done, self.theme_style("done")) if row.possible else (glyphs.dash, muted)
        return Strip(
            [
                Segment(sign[0] + " ", sign[1]),
                Segment(f"{render.fit(row.task_id, 8, glyphs)}  ", muted),
                Segment(render.fit(row.title, title, glyphs) + " ", plain),
                Segment(render.fit(row.what, what, glyphs), muted),
            ]
        )


class BatchScreen(ModalScreen[bool]):
    """Returns True when the person said yes; Enter says nothing, and keys are dead at first."""

    DEFAULT_CSS = """
    BatchScreen {
        align: center middle; background: $background 60%;
        & #dialog {
            width: 100; max-width: 96%; height: auto; max-height: 100%;
            padding: 1 2; background: $panel;
        }
        & Plain { height: auto; }
        & #rows { background: $panel; margin: 1 0; max-height: 60vh; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "Yes", id="batch.yes"),
        Binding("escape,q,n", "no", "No", id="batch.no"),
    ]
    AUTO_FOCUS = "#rows"

    def __init__(
        self,
        title: str,
        rows: Sequence[BatchRow],
        *,
        yes: str,
        glyphs: Glyphs = UNICODE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            title: what is about to be done, as a question or a sentence.
            yes: what the key `y` does, such as `cancel 7 tasks`.
        """
        super().__init__()
        self._title = title
        self._rows = rows
        self._yes = yes
        self._glyphs = glyphs
        self._now = monotonic
        self._touched = monotonic()
        self._possible = sum(row.possible for row in rows)

    def compose(self) -> ComposeResult:
        not_possible = len(self._rows) - self._possible
        words = [(self._title, "bold $foreground")]
        if not_possible:
            words.append((f"   {not_possible:,} not possible", "$muted"))
        with Vertical(id="dialog"):
            yield Plain(Content.assemble(*words))
            yield BatchTable(self._rows, self._glyphs)
            yield Keys(id="keys")

    def on_mount(self) -> None:
        self._draw()
        self.set_interval(0.1, self._draw)

    @property
    def awake(self) -> bool:
        """True once keys count."""
        return self._now() - self._touched >= REST

    def rest(self) -> None:
        self._touched = self._now()

    def _draw(self) -> None:
        yes = [("y", self._yes)] if self._possible else []
        self.query_one("#keys", Keys).show([*yes, ("esc", "back")], main="y", awake=self.awake)

    async def on_event(self, event: events.Event) -> None:
        was_awake = self.awake
        if isinstance(event, events.Key) and not was_awake and event.key != "escape":
            self._touched = self._now()
            event.stop()
            event.prevent_default()
            return
        await super().on_event(event)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "yes":
            return self.awake and self._possible > 0
        return True

    def action_yes(self) -> None:
        self.dismiss(True)

    def action_no(self) -> None:
        self.dismiss(False)

    @on(Keys.Pressed)
    def _pressed(self, event: Keys.Pressed) -> None:
        event.stop()
        if event.key != "y":
            self.dismiss(False)
        elif self.awake:
            self.dismiss(True)
