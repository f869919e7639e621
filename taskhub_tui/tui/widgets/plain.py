"""Text that is shown as it is: nothing in it is ever read as markup."""

from collections.abc import Mapping, Sequence
from typing import Any

from textual import events
from textual.content import Content
from textual.message import Message
from textual.style import Style
from textual.widgets import Static


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
    """A line of keys and what they do; each can be clicked."""

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

    def on_mount(self) -> None:
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
        parts: list[Content] = []
        for key, label in self._keys:
            style = f"bold {self._colour}" if key == self._main else "bold $foreground"
            word = Content.assemble(
                (key, style if self._awake else "bold $faint"),
                # A hard blank keeps a key and its meaning on one line.
                ("\u00a0" + label.replace(" ", "\u00a0"), "$muted" if self._awake else "$faint"),
            )
            parts.append(word.stylize(Style.from_meta({"key": key})))
        self.update(Content("   ").join(parts))

    def on_click(self, event: events.Click) -> None:
        meta: Mapping[str, Any] = event.style.meta
        if "key" in meta:
            event.stop()
            self.post_message(self.Pressed(meta["key"]))
