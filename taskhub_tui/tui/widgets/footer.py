"""The last line: the keys that matter here. What does not fit is left out, never cut."""

from typing import NamedTuple

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input

from taskhub_tui.tui import keymap
from taskhub_tui.tui.actions import BY_ID
from taskhub_tui.tui.theme import UNICODE, Glyphs

_LAST = ("hub.help", "hub.quit")
_UNDO = "undo.undo"


class _Shown(NamedTuple):
    """One key; they sort by their rank."""

    rank: int
    key: str
    written: str
    label: str
    id: str


class KeyLine(Widget):
    """Shows the screen's legal keys by their rank; each can be clicked."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    KeyLine { height: 1; background: $panel; color: $foreground; padding: 0 1; }
    """

    def __init__(self, *, glyphs: Glyphs = UNICODE) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._spots: list[tuple[int, int, str]] = []
        self._drawn: list[_Shown] = []
        self._last: list[_Shown] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self._look())

    def _look(self) -> None:
        """Draw the keys anew if they are others now."""
        if self._keys() != self._drawn:
            self.refresh()

    def _keys(self) -> list[_Shown]:
        """Return the keys by rank."""
        if self.app.screen is not self.screen and self._last:
            # Under a dialog nothing moves; but what is over must not be offered there either.
            undo = self.app.check_action("undo", ())
            return [one for one in self._last if undo or one.id != _UNDO]
        own = keymap.of(self.app)
        found: dict[str, _Shown] = {}
        here = self.app.focused
        writes = isinstance(here, Input)
        for rank, (key, label) in enumerate(getattr(here, "takes", ())):
            written = self._glyphs.enter if key == "enter" else keymap.written(key)
            found[key] = _Shown(rank, key, written, label, key)
        for active in self.screen.active_bindings.values():
            act = BY_ID.get(active.binding.id or "")
            if act is None or not act.rank or not active.enabled or act.id in found:
                continue
            # In a field a letter is a letter.
            keys = [key for key in own.keys(act.id) if not (writes and keymap.is_letter(key))]
            if not keys or (key := keys[0]) in found:
                continue
            written = own.short(act.id) if key == own.keys(act.id)[0] else keymap.written(key)
            if key == "enter":
                written = self._glyphs.enter
            rank = self._group(act.id) * 100 + act.rank
            found[act.id] = _Shown(rank, key, written, act.label, act.id)
        self._last = sorted(found.values())
        return [*self._last]

    @staticmethod
    def _group(act_id: str) -> int:
        """Help, the first to be wanted by who is lost, and quit stand last, and stay to the end."""
        return _LAST.index(act_id) + 1 if act_id in _LAST else 0

    def render(self) -> Content:
        room = self.content_size.width
        keys = self._keys()
        self._drawn = [*keys]
        while keys and sum(cell_len(k.written + k.label) + 3 for k in keys) - 2 > room:
            others = [place for place, one in enumerate(keys) if one.rank < 100]
            keys.pop(others[-1] if others else -1)
        self._spots = []
        parts: list[Content] = []
        at = 0
        for _, key, written, label, _ in keys:
            width = cell_len(written + label) + 1
            self._spots.append((at, at + width, key))
            at += width + 2
            parts.append(Content.assemble((written, "bold $needs"), " ", (label, "$foreground")))
        return Content("  ").join(parts)

    def on_click(self, event: events.Click) -> None:
        x = event.x - self.styles.padding.left
        for start, end, key in self._spots:
            if start <= x < end:
                self.app.simulate_key(key)
