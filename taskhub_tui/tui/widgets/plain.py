"""Text that is shown as it is: nothing in it is ever read as markup."""

from collections.abc import Mapping, Sequence
from typing import Any

from textual import events
from textual.content import Content
from textual.message import Message
from textual.style import Style
from textual.widgets import Static

from taskhub_tui.tui import keymap
from taskhub_tui.tui.actions import BY_ID

_GAP = "   "


class Plain(Static):
    """A Static that never reads markup."""

    def __init__(
        self,
        text: str | Content = "",
        *,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(text, markup=False, id=id, classes=classes)


class Keys(Static):
    """A line of keys and what they do; each can be clicked.

    A key is given by the ID of its action, and shown as the user has it; or by its name.
    """

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    Keys { height: auto; color: $muted; }
    """

    class Pressed(Message):
        """Somebody clicked the key called `key`."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(
        self,
        keys: Sequence[tuple[str, str]] = (),
        *,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__("", markup=False, id=id, classes=classes)
        self._keys = tuple(keys)
        self._main: str | None = None
        self._colour = "$running"
        self._awake = True

    def on_resize(self, event: events.Resize) -> None:
        self._draw()

    def redraw(self) -> None:
        """Show the keys as the user has them by now."""
        self._draw()

    def show(
        self,
        keys: Sequence[tuple[str, str]],
        *,
        main: str | None = None,
        colour: str = "$running",
        awake: bool = True,
    ) -> None:
        """Show `keys`: name and meaning; `main` is drawn in `colour`; not `awake` is faint."""
        self._keys, self._main, self._colour, self._awake = tuple(keys), main, colour, awake
        self._draw()

    def _draw(self) -> None:
        # Lines are broken between two keys, never between a key and its meaning.
        lines: list[list[Content]] = [[]]
        room = width = self.size.width or 80
        own = keymap.of(self.app)
        for key, label in self._keys:
            written = own.short(key) if key in BY_ID else key
            if not written:
                continue  # The user wants no key for it.
            word = self._word(key, written, label)
            if lines[-1] and word.cell_length > room:
                lines.append([])
                room = width
            lines[-1].append(word)
            room -= word.cell_length + len(_GAP)
        self.update(Content("\n").join(Content(_GAP).join(line) for line in lines))

    def _word(self, key: str, written: str, label: str) -> Content:
        style = f"bold {self._colour}" if key == self._main else "bold $foreground"
        word = Content.assemble(
            (written, style if self._awake else "bold $faint"),
            (f" {label}", "$muted" if self._awake else "$faint"),
        )
        return word.stylize(Style.from_meta({"key": key}))

    def on_click(self, event: events.Click) -> None:
        meta: Mapping[str, Any] = event.style.meta
        if "key" in meta:
            event.stop()
            self.post_message(self.Pressed(meta["key"]))
