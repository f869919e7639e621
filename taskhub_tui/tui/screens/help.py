"""Every key, those of the place it was opened from first; made from the list of actions."""

from collections.abc import Collection, Iterator, Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, Static

from taskhub_tui.hub import Hub
from taskhub_tui.tui import keymap
from taskhub_tui.tui.actions import ACTIONS, BY_ID, FIXED, TITLES, Act, Where, bindings
from taskhub_tui.tui.theme import ASCII, Glyphs
from taskhub_tui.tui.widgets.path_input import CleanInput
from taskhub_tui.tui.widgets.plain import Keys

_WHAT = (
    "TaskHub runs long work in the background. Hand a request to an agent with {new}, or a command"
    " with `taskhub run -- …`; close this window if you like: the work goes on. It comes back to"
    " you when a stage asks or fails, and when it is done."
)
_COLUMNS = (
    "LEFT is the time remaining, from past runs of the same stages or from the pace so far; it is"
    " blank while it is unknown. AGE says how long a task has been as it is. The order of the list"
    " stands still while you use it; {top} sorts it anew."
)
_WIDE = 84
"""Columns of the page at most."""
_MEANING = 20
"""Where meanings begin."""
_ASCII = str.maketrans({"…": "~", "–": "-", "↓": "v", "↑": "^", "←": "<", "→": ">", "\u00a0": " "})


def _in_ascii(text: Content) -> Content:
    # One character for one, so that the colours stay where they are.
    return Content(text.plain.translate(_ASCII), spans=[*text.spans])


def places(screen: Screen[object]) -> list[Where]:
    """Return the places whose keys a screen takes, from what has the focus outwards."""
    nodes = [screen] if screen.focused is None else screen.focused.ancestors_with_self
    found: list[Where] = []
    for node in nodes:
        for binding in getattr(node, "BINDINGS", ()):
            act = BY_ID.get(getattr(binding, "id", None) or "")
            if act is not None and act.where not in found:
                found.append(act.where)
        if node is screen:
            break
    # What leads elsewhere comes after what can be done here.
    return sorted((one for one in found if one != "app"), key=lambda one: one in ("place", "panes"))


def numbered(own: keymap.Keymap) -> Iterator[tuple[Act, str, str]]:
    """Yield all actions with their keys and meanings; nine that differ by a number as one."""
    for act in ACTIONS:
        stem, _, number = act.id.rpartition("_")
        plain = all(own.shown(f"{stem}_{n}") == str(n) for n in range(1, 10))
        if not number.isdigit() or not plain:
            yield act, own.shown(act.id), act.meaning
        elif number == "1":
            yield act, "1–9", act.meaning.replace("number 1", "this number")


def legal(screen: Screen[object]) -> set[str]:
    """Return the IDs of the actions that a screen allows at this moment."""
    found = {
        active.binding.id or "" for active in screen.active_bindings.values() if active.enabled
    }
    # A dialog hides the app's keys from this list, but those that go first are taken all the same,
    # and what has no key is found in the palette.
    for act in ACTIONS:
        if act.where in ("app", "undo") and (act.priority or not act.keys):
            name = act.action.partition("(")[0].removeprefix("app.")
            if screen.app.check_action(name, ()):
                found.add(act.id)
    return found


class _Page(VerticalScroll, inherit_bindings=False):
    """Scrolls by the keys of the help, as the user has them."""


class HelpScreen(ModalScreen[str | None]):
    """Scrolls, and can be searched; Escape closes it."""

    BINDINGS = [*bindings("help")]
    AUTO_FOCUS = "#keys"
    DEFAULT_CSS = """
    HelpScreen {
        align: center middle; background: $background 60%;
        & #page {
            width: 84; max-width: 100%; height: auto; max-height: 100%; background: $panel;
            border: round $running; border-title-color: $running; border-title-style: none;
        }
        & #keys {
            height: auto; padding: 0 2;
            scrollbar-size-vertical: 1; scrollbar-color: $faint; scrollbar-background: $panel;
        }
        & Static { height: auto; }
        & Input {
            display: none; margin: 0 2; border: none; padding: 0; height: 1;
            background: $background; color: $foreground;
        }
        & Input.-shown { display: block; }
        & #line { padding: 0 2; height: auto; margin-top: 1; }
    }
    """

    def __init__(
        self,
        hub: Hub,
        glyphs: Glyphs,
        *,
        here: Sequence[Where] = (),
        legal: Collection[str] | None = None,
    ) -> None:
        """
        Args:
            here: the places it is opened from; they come first.
            legal: IDs of the actions that can be done there now, the others are drawn faint;
                None draws all alike.
        """
        super().__init__()
        self._glyphs = glyphs
        self._here = tuple(here)
        self._legal = legal

    def compose(self) -> ComposeResult:
        with Vertical(id="page") as page:
            page.border_title = " Help "
            with _Page(id="keys"):
                yield Static(markup=False, id="text")
            yield CleanInput(placeholder="words that a key's line has", compact=True)
            yield Keys(
                [("help.search", "search"), ("help.down", "scroll"), ("help.close", "close")],
                id="line",
            )

    def on_mount(self) -> None:
        self._draw()
        self._fit()

    def on_resize(self) -> None:
        self._draw()
        self._fit()

    def _fit(self) -> None:
        """Leave the last lines to the search and the keys."""
        self.query_one("#keys").styles.max_height = max(3, self.size.height - 5)

    def _draw(self) -> None:
        text = self._text(self.query_one(Input).value)
        self.query_one("#text", Static).update(
            text if self._glyphs is not ASCII else _in_ascii(text)
        )

    # What it says

    def _text(self, search: str) -> Content:
        words = search.lower().split()
        lines: list[Content] = []
        for where in [*self._here, *(one for one in TITLES if one not in self._here)]:
            found = [*self._lines(where, words)]
            if found:
                lines += [Content.styled(TITLES[where], "bold $foreground"), *found, Content("")]
        if not words:
            lines += self._about()
        elif not lines:
            lines = [Content.styled("Nothing matches", "$muted")]
        return Content("\n").join(lines).rstrip()

    def _lines(self, where: Where, words: Sequence[str]) -> Iterator[Content]:
        own = keymap.of(self.app)
        rows = [(act, keys, meaning) for act, keys, meaning in numbered(own) if act.where == where]
        fixed = [(None, keys, meaning) for place, keys, meaning in FIXED if place == where]
        for act, keys, meaning in [*rows, *fixed]:
            label = act.label if act is not None else ""
            said = f"{keys} {meaning} {label} {TITLES[where]}".lower()
            if all(word in said for word in words):
                yield self._line(act, keys, meaning)

    def _line(self, act: Act | None, keys: str, meaning: str) -> Content:
        idle = (
            act is not None
            and self._legal is not None
            and act.where in self._here
            and act.id not in self._legal
        )
        keys_style, style = ("$muted", "$muted") if idle else ("bold $needs", "$foreground")
        said = Content.styled(meaning, style)
        if idle:
            said += Content.styled("  not now", "$muted")
        # What is too long goes on below its beginning. The rest is borders, and a scroll bar.
        room = min(_WIDE, self.size.width) - _MEANING - 7
        words = Content("\n" + " " * _MEANING).join(said.wrap(max(20, room)))
        return Content.assemble((f"  {keys:<{_MEANING - 4}}", keys_style), "  ", words)

    def _about(self) -> Iterator[Content]:
        own, glyphs = keymap.of(self.app), self._glyphs
        states = (
            (glyphs.needs, "needs", "needs you"),
            (glyphs.failed, "failed", "failed"),
            (glyphs.running, "running", "running"),
            (glyphs.paused, "muted", "paused"),
            (glyphs.queued, "muted", "queued"),
            (glyphs.retrying, "muted", "goes on by itself"),
            (glyphs.done, "done", "done"),
            (glyphs.cancelled, "muted", "cancelled"),
        )
        signs = []
        for glyph, colour, word in states:
            # A hard blank keeps a sign and its meaning on one line.
            meaning = f" {word}".replace(" ", "\u00a0")
            signs.append(Content.assemble((glyph, f"bold ${colour}"), (meaning, "$muted")))
        yield Content.styled("What it is", "bold $foreground")
        yield Content(_WHAT.format(new=own.short("hub.new") or "the command palette"))
        yield Content("")
        yield Content("   ").join(signs)
        yield Content("")
        yield Content.styled(_COLUMNS.format(top=own.short("list.top") or "the palette"), "$muted")

    # What a person does

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return True

    def action_scroll(self, lines: int) -> None:
        self.query_one("#keys").scroll_relative(y=lines, animate=False)

    def action_page(self, sign: int) -> None:
        body = self.query_one("#keys")
        body.scroll_relative(y=sign * max(1, body.size.height - 1), animate=False)

    def action_edge(self, sign: int) -> None:
        body = self.query_one("#keys")
        (body.scroll_end if sign > 0 else body.scroll_home)(animate=False)

    def action_search(self) -> None:
        line = self.query_one(Input)
        line.add_class("-shown")
        line.focus()

    def action_close(self) -> None:
        line = self.query_one(Input)
        if line.value or line.has_focus:
            line.value = ""
            line.remove_class("-shown")
            self.query_one("#keys").focus()
        else:
            self.dismiss(None)

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._draw()
        self.query_one("#keys").scroll_home(animate=False)

    @on(Input.Submitted)
    def _kept(self, event: Input.Submitted) -> None:
        event.stop()
        event.input.set_class(bool(event.value), "-shown")
        self.query_one("#keys").focus()

    @on(Keys.Pressed)
    def _clicked(self, event: Keys.Pressed) -> None:
        event.stop()
        match event.key:
            case "help.search":
                self.action_search()
            case "help.close":
                self.dismiss(None)
            case _:
                self.action_page(1)
