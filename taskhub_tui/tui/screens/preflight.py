"""What would be done to each of several tasks, in full, before it is done."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from rich.style import Style
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widgets import Input

from taskhub_tui.records import dataclass
from taskhub_tui.text import clean, one_line
from taskhub_tui.tui import keymap, render
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.sizes import take_size
from taskhub_tui.tui.theme import UNICODE, Glyphs
from taskhub_tui.tui.widgets.lines import LinesView
from taskhub_tui.tui.widgets.path_input import CleanInput
from taskhub_tui.tui.widgets.plain import Keys, Plain

REST = 0.5
"""Seconds without a key before it listens, as in the dialog for one decision."""
_INDENT = 3


@dataclass(frozen=True, slots=True)
class Row:
    """One task of the table."""

    task_id: str
    title: str
    what: str
    """What would happen, or why nothing can."""
    possible: bool
    full: Sequence[tuple[str, str]] = ()
    """All that is decided on: names, and texts of any length; they are shown to the letter."""
    risky: bool = False
    """It is of high risk, and would be let go ahead."""


class Rows(LinesView, inherit_bindings=False):
    """The rows, broken to the width; those that are not possible stand last."""

    def __init__(self, rows: Sequence[Row], glyphs: Glyphs) -> None:
        super().__init__(id="rows")
        self._rows = sorted(rows, key=lambda row: not row.possible)
        self._glyphs = glyphs
        self._broken: list[tuple[str, str, int]] = []
        """Text, colour, and where the title ends that it begins with."""
        self._width = 0

    @property
    def count(self) -> int:
        return len(self._broken)

    def on_resize(self) -> None:
        self.fold(self.scrollable_size.width)

    def fold(self, width: int) -> None:
        """Break all lines to a width."""
        if width > 0 and width != self._width:
            self._width = width
            lines = [line for row in self._rows for line in self._lines_of(row, width)]
            self._broken = lines[:-1] if lines and not lines[-1][0] else lines
            self.resized()

    def _lines_of(self, row: Row, width: int) -> Iterator[tuple[str, str, int]]:
        sign = self._glyphs.done if row.possible else self._glyphs.cancelled
        room = max(4, width - len(row.task_id) - _INDENT - 2)
        title = render.fit(one_line(row.title, 300), room, self._glyphs)
        yield f"{sign}  {title}  {row.task_id}", "done" if row.possible else "failed", len(title)
        under = "foreground" if row.possible else "failed"
        for line in broken(one_line(row.what, 2000), width - _INDENT):
            yield " " * _INDENT + line, under, 0
        for name, text in row.full:
            if name:
                yield " " * _INDENT + name, "muted", 0
            deep = _INDENT + (2 if name else 0)
            for given in text.split("\n"):
                for line in broken(given, width - deep):
                    yield " " * deep + line, "foreground" if row.possible else "muted", 0
        if row.full:
            yield "", "muted", 0

    def line(self, y: int) -> Strip | None:
        if y >= len(self._broken):
            return None
        text, colour, title = self._broken[y]
        style = self.theme_style(colour)
        if not title:
            return Strip([Segment(text, style)])
        name = Style(bold=True) + self.theme_style("foreground" if colour == "done" else "muted")
        end = _INDENT + title
        return Strip(
            [
                Segment(text[:_INDENT], style),
                Segment(text[_INDENT:end], name),
                Segment(text[end:], self.theme_style("muted")),
            ]
        )


def broken(text: str, width: int) -> list[str]:
    """Return a line broken to a width, at blanks where there are any; no character is lost."""
    width = max(4, width)
    lines: list[str] = []
    text = text.replace("\t", "    ")
    while cell_len(text) > width:
        part = chop_cells(text, width)[0]
        blank = part.rfind(" ")
        end = blank + 1 if blank > len(part) // 2 else len(part)
        lines.append(text[:end])
        text = text[end:]
    return [*lines, text]


class PreflightScreen(ModalScreen[str | None]):
    """Returns the reason, which may be empty, when it is to be done; None when it is not.

    Keys are dead at first and while somebody types, and Enter alone does nothing: `batch.yes` is
    what does it, and where something of high risk would go ahead, a typed `y`.
    """

    DEFAULT_CSS = """
    PreflightScreen {
        align: center middle; background: $background 60%;
        #dialog {
            width: 110; max-width: 96%; height: auto; max-height: 100%; padding: 1 2;
            background: $panel; border: round $needs; border-title-color: $needs;
            border-title-style: none;
        }
        &.-short #dialog { padding: 0 2; }
        #rows { background: $panel; height: 3; }
        .ask { color: $muted; margin-top: 1; height: auto; }
        .risk { color: $failed; }
        Input { background: $background; padding: 0 1; }
        #sure, #sure-ask { display: none; }
        &.-sure #sure, &.-sure #sure-ask { display: block; }
        #keys { margin-top: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("batch")]
    AUTO_FOCUS = ""
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]

    def __init__(
        self,
        title: str,
        rows: Sequence[Row],
        *,
        yes: str,
        reason: bool = False,
        glyphs: Glyphs = UNICODE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            title: what is done, such as `Approve`.
            yes: what the key that does it is called, such as `approve 3`.
            reason: ask for one.
        """
        super().__init__()
        self._title = title
        self._rows = rows
        self._yes = yes
        self._reason = reason
        self._glyphs = glyphs
        self._now = monotonic
        self._touched = monotonic()
        self._possible = sum(row.possible for row in rows)
        self._more = False
        """True when the rows are longer than the dialog."""
        self._risky = sum(row.possible and row.risky for row in rows)

    def compose(self) -> ComposeResult:
        take_size(self)
        with Vertical(id="dialog") as dialog:
            count = f"{self._possible:,} of {len(self._rows):,}"
            dialog.border_title = Content(f" {self._title} {self._glyphs.dot} {count} ").markup
            yield Rows(self._rows, self._glyphs)
            if self._reason and self._possible:
                yield Plain("Reason (may be empty); enter leaves the field", classes="ask")
                yield CleanInput(compact=True, id="reason")
            if self._risky:
                many = "1 is" if self._risky == 1 else f"{self._risky:,} are"
                said = f"{many} of high risk. Type y and press Enter to do it."
                yield Plain(said, classes="ask risk", id="sure-ask")
                yield Input(compact=True, id="sure", max_length=3)
            yield Keys(id="keys")

    def on_mount(self) -> None:
        self._touched = self._now()
        self._draw()
        self.set_interval(0.1, self._draw)
        (*self.query("#reason"), self.query_one("#rows"))[0].focus()
        self.call_after_refresh(self._fit)

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        """Give the rows what they need, as far as the lines below leave it."""
        if not self.query("#keys"):
            return
        dialog, rows = self.query_one("#dialog"), self.query_one("#rows", Rows)
        room = self.size.height - (dialog.outer_size.height - dialog.size.height)
        for widget in dialog.children:
            if widget.id != "rows" and widget.display:
                room -= widget.outer_size.height + widget.styles.margin.height
        rows.fold(rows.scrollable_size.width)
        rows.styles.height = max(2, min(rows.count, room))
        self._more = rows.count > room
        self._draw()

    # When it listens

    @property
    def awake(self) -> bool:
        """True once keys count."""
        return self._now() - self._touched >= REST

    def rest(self) -> None:
        """Begin anew the moment in which keys do nothing."""
        self._touched = self._now()

    def _draw(self) -> None:
        if not self.query("#rows, #keys"):
            return  # What comes late finds the parts gone.
        keys = [("batch.yes", self._yes)] if self._possible else []
        if self.has_class("-sure"):
            keys = [("enter", "once y is typed")]
        if self._more:
            keys.append(("batch.down", "scroll"))
        keys.append(("batch.no", "back"))
        self.query_one("#keys", Keys).show(keys, main=keys[0][0], colour="$needs", awake=self.awake)

    async def on_event(self, event: events.Event) -> None:
        if isinstance(event, events.Key) and not self.awake:
            back = event.key in keymap.of(self.app).keys("batch.no")
            typing = isinstance(self.focused, Input)
            if not back or typing:
                self._touched = self._now()
                event.stop()
                event.prevent_default()
                return
        await super().on_event(event)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "yes":
            return self.awake and self._possible > 0
        return True

    # What a person does

    def action_yes(self) -> None:
        if not self.awake or not self._possible:
            return
        if self._risky:
            self.add_class("-sure")
            self.query_one("#sure").focus()
            self._draw()
            self.call_after_refresh(self._fit)
        else:
            self._finish()

    def _finish(self) -> None:
        if self.is_current:
            reason = "".join(field.value for field in self.query("#reason").results(Input))
            self.dismiss(clean(reason).strip())

    @on(Input.Submitted)
    def _entered(self, event: Input.Submitted) -> None:
        event.stop()
        if event.input.id != "sure":
            self.query_one("#rows").focus()
        elif event.value.strip() == "y":
            self._finish()

    def action_no(self) -> None:
        self.dismiss(None)

    def action_scroll(self, lines: int) -> None:
        self.query_one("#rows").scroll_relative(y=lines, animate=False)

    def action_page(self, sign: int) -> None:
        rows = self.query_one("#rows")
        rows.scroll_relative(y=sign * max(1, rows.size.height - 1), animate=False)

    def action_edge(self, sign: int) -> None:
        rows = self.query_one("#rows", Rows)
        rows.action_scroll_end() if sign > 0 else rows.action_scroll_home()

    @on(Keys.Pressed)
    def _clicked(self, event: Keys.Pressed) -> None:
        event.stop()
        match event.key:
            case "batch.yes":
                self.action_yes()
            case "batch.down":
                self.action_page(1)
            case "batch.no":
                self.action_no()
