"""What one decision would do to each of several tasks, before it is done."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input

from taskhub_tui.domain.waiting import Together
from taskhub_tui.text import clean, one_line
from taskhub_tui.tui.theme import UNICODE, Glyphs
from taskhub_tui.tui.widgets.plain import Keys, Plain


class PreflightScreen(ModalScreen[str | None]):
    """Returns the reason, which may be empty, when `y` is pressed; None when it is not done.

    With `reason`, Enter in its field only leaves the field: `y` is what does it.
    """

    DEFAULT_CSS = """
    PreflightScreen {
        align: center middle; background: $background 60%;
        #dialog {
            width: 96; max-width: 95%; height: auto; max-height: 100%; padding: 1 2;
            background: $panel; border: round $needs; border-title-color: $needs;
            border-title-style: none;
        }
        &.-short #dialog { padding: 0 2; }
        #rows { height: auto; scrollbar-size-vertical: 1; scrollbar-color: $faint; }
        #rows Plain { height: auto; }
        #why { color: $muted; margin-top: 1; height: auto; }
        Input { background: $background; padding: 0 1; }
        #keys { margin-top: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "Do it", id="preflight.yes"),
        Binding("escape,n,q", "no", "Back", id="preflight.no"),
        Binding("j,down", "scroll(1)", "Down", show=False),
        Binding("k,up", "scroll(-1)", "Up", show=False),
        Binding("pagedown,ctrl+d", "scroll(10)", "Page down", show=False),
        Binding("pageup,ctrl+u", "scroll(-10)", "Page up", show=False),
    ]
    AUTO_FOCUS = ""
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]

    def __init__(
        self,
        title: str,
        rows: Sequence[Together],
        *,
        reason: bool = False,
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """`title` is what is done, such as `Approve`; `reason` asks for one."""
        super().__init__()
        self._title = title
        self._rows = rows
        self._reason = reason
        self._glyphs = glyphs

    @property
    def _possible(self) -> int:
        return sum(row.possible for row in self._rows)

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog") as dialog:
            count = f"{self._possible} of {len(self._rows)}"
            dialog.border_title = Content(f" {self._title} {self._glyphs.dot} {count} ").markup
            with VerticalScroll(id="rows"):
                for row in sorted(self._rows, key=lambda row: not row.possible):
                    yield Plain(self._row(row))
            if self._reason and self._possible:
                yield Plain("Reason (may be empty); enter leaves the field", id="why")
                yield Input(compact=True)
            yield Keys(id="keys")

    def _row(self, row: Together) -> Content:
        glyphs = self._glyphs
        glyph = (glyphs.done, "$done") if row.possible else (glyphs.cancelled, "$failed")
        title = one_line(row.waiting.task.title, 60)
        name = (title, "bold" if row.possible else "$muted")
        what = (one_line(row.what, 400), "$foreground" if row.possible else "$failed")
        under = Content.assemble("\n   ", what)
        return Content.assemble(glyph, "  ", name, (f"  {row.waiting.task.id}", "$muted"), under)

    def on_mount(self) -> None:
        keys = [("y", f"{self._title.lower()} {self._possible}")] if self._possible else []
        self.query_one("#keys", Keys).show([*keys, ("esc", "back")], main="y", colour="$needs")
        (*self.query(Input), self.query_one("#rows"))[0].focus()
        self.call_after_refresh(self._fit)

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        """Give the rows what the lines below leave."""
        if not self.query("#dialog"):
            return
        dialog = self.query_one("#dialog")
        room = self.size.height - (dialog.outer_size.height - dialog.size.height)
        for widget in dialog.children:
            if widget.id != "rows":
                room -= widget.outer_size.height + widget.styles.margin.height
        self.query_one("#rows").styles.max_height = max(2, room)

    @on(Input.Submitted)
    def _left(self) -> None:
        self.query_one("#rows").focus()

    def action_yes(self) -> None:
        if self._possible:
            reason = "".join(field.value for field in self.query(Input))
            self.dismiss(clean(reason).strip())

    def action_no(self) -> None:
        self.dismiss(None)

    def action_scroll(self, lines: int) -> None:
        self.query_one("#rows").scroll_relative(y=lines, animate=False)

    @on(Keys.Pressed)
    def _clicked(self, event: Keys.Pressed) -> None:
        event.stop()
        self.action_yes() if event.key == "y" else self.action_no()
