"""Small dialogs over the list: choose one of a few, or give a name."""

from collections.abc import Sequence
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from taskhub_tui.records import dataclass
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.theme import Glyphs
from taskhub_tui.tui.widgets.options import Options
from taskhub_tui.tui.widgets.path_input import CleanInput
from taskhub_tui.tui.widgets.plain import Keys, Plain

_STYLE = """
    {name} {{
        align: center middle; background: $background 60%;
        & #dialog {{
            width: 64; max-width: 96%; height: auto; max-height: 100%; padding: 1 2;
            background: $panel; border: round $running;
            border-title-color: $running; border-title-style: none;
        }}
        & Plain {{ height: auto; margin-bottom: 1; color: $muted; }}
        & OptionList {{
            height: auto; max-height: 16; margin-bottom: 1; padding: 0; border: none;
            background: $panel; scrollbar-size-vertical: 1;
            &:focus {{ background-tint: $foreground 0%; }}
        }}
        & Input {{
            height: 1; border: none; padding: 0; margin-bottom: 1; background: $background;
        }}
    }}
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to choose."""

    key: str
    """A letter or digit that chooses it at once; empty: none."""
    label: str
    about: str = ""
    removable: bool = False


class ChooseScreen(ModalScreen[tuple[int, bool] | None]):
    """Returns the place of what was chosen, and whether it is to be deleted; None is neither."""

    DEFAULT_CSS = _STYLE.format(name="ChooseScreen")
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("choose")]
    AUTO_FOCUS = "OptionList"

    def __init__(
        self, title: str, entries: Sequence[Entry], glyphs: Glyphs, *, at: int = 0
    ) -> None:
        super().__init__()
        self._title = title
        self._entries = entries
        self._glyphs = glyphs
        self._at = at

    def compose(self) -> ComposeResult:
        widest = max((len(entry.label) for entry in self._entries), default=0)
        options = []
        for place, entry in enumerate(self._entries):
            sign = self._glyphs.done if place == self._at else " "
            options.append(
                Option(
                    Content.assemble(
                        (f"{sign} ", "$done"),
                        (f"{entry.key or ' '}  ", "bold $needs"),
                        (f"{entry.label:<{widest}}", "$foreground"),
                        (f"  {entry.about}", "$muted"),
                    )
                )
            )
        keys = [("enter", "choose"), ("choose.leave", "back")]
        if any(entry.removable for entry in self._entries):
            keys.insert(1, ("choose.delete", "delete"))
        with Vertical(id="dialog") as dialog:
            dialog.border_title = f" {self._title} "
            yield Options(*options)
            yield Keys(keys)

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = max(0, self._at)

    def on_key(self, event: events.Key) -> None:
        for place, entry in enumerate(self._entries):
            if entry.key and event.character == entry.key:
                event.stop()
                event.prevent_default()
                self.dismiss((place, False))
                return

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss((event.option_index, False))

    def action_move(self, by: int) -> None:
        options = self.query_one(OptionList)
        (options.action_cursor_down if by > 0 else options.action_cursor_up)()

    def action_remove(self) -> None:
        place = self.query_one(OptionList).highlighted
        if place is not None and self._entries[place].removable:
            self.dismiss((place, True))

    def action_leave(self) -> None:
        self.dismiss(None)

    @on(Keys.Pressed)
    def _pressed(self, event: Keys.Pressed) -> None:
        event.stop()
        match event.key:
            case "enter":
                self.query_one(OptionList).action_select()
            case "choose.delete":
                self.action_remove()
            case _:
                self.action_leave()


class NameScreen(ModalScreen[str | None]):
    """Asks for a name; None when the person goes back."""

    DEFAULT_CSS = _STYLE.format(name="NameScreen")
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("name")]
    AUTO_FOCUS = "Input"

    def __init__(self, title: str, about: str) -> None:
        super().__init__()
        self._title = title
        self._about = about

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog") as dialog:
            dialog.border_title = f" {self._title} "
            yield Plain(self._about)
            yield CleanInput(
                placeholder="A name, such as: My failures", compact=True, max_length=40
            )
            yield Keys([("enter", "save"), ("name.leave", "back")])

    @on(Input.Submitted)
    def _named(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip():
            self.dismiss(event.value)

    def action_leave(self) -> None:
        self.dismiss(None)

    @on(Keys.Pressed)
    async def _pressed(self, event: Keys.Pressed) -> None:
        event.stop()
        if event.key == "enter":
            await self.query_one(Input).action_submit()
        else:
            self.action_leave()
