"""What there is, and every key; made from the list of actions."""

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from taskhub_tui.hub import Hub
from taskhub_tui.tui.actions import ACTIONS, TITLES
from taskhub_tui.tui.theme import ASCII, Glyphs

_WHAT = (
    "TaskHub runs long work in the background. Hand a request to an agent with n, or a command"
    " with `taskhub run -- …`; close this window if you like: the work goes on. It comes back to"
    " you when a stage asks or fails, and when it is done."
)
_COLUMNS = (
    "LEFT is the time remaining, from past runs of the same stages or from the pace so far; it is"
    " blank while it is unknown. AGE says how long a task has been as it is. The order of the list"
    " stands still while you use it; g sorts it anew."
)


_ASCII = str.maketrans({"…": "~", "↓": "v", "↑": "^", "←": "<", "→": ">", "\u00a0": " "})


def _in_ascii(text: Content) -> Content:
    # One character for one, so that the colours stay where they are.
    return Content(text.plain.translate(_ASCII), spans=[*text.spans])


class HelpScreen(ModalScreen[str | None]):
    """Scrolls; Escape closes it."""

    BINDINGS = [
        Binding("escape,q,question_mark", "dismiss", "Close", id="help.close"),
        Binding("j", "scroll(3)", show=False),
        Binding("k", "scroll(-3)", show=False),
    ]
    DEFAULT_CSS = """
    HelpScreen {
        align: center middle; background: $background 60%;
        & VerticalScroll {
            width: 84; max-width: 100%; height: auto; max-height: 100%; background: $panel;
            padding: 1 3; scrollbar-size-vertical: 1; scrollbar-color: $faint;
            scrollbar-background: $panel;
        }
        & Static { height: auto; }
    }
    """

    def __init__(self, hub: Hub, glyphs: Glyphs) -> None:
        super().__init__()
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(self._text(), markup=False)

    def _text(self) -> Content:
        glyphs = self._glyphs
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
        lines = [Content.styled("TaskHub", "bold $foreground"), Content(_WHAT), Content("")]
        signs = []
        for glyph, colour, word in states:
            # A hard blank keeps a sign and its meaning on one line.
            meaning = f" {word}".replace(" ", "\u00a0")
            signs.append(Content.assemble((glyph, f"bold ${colour}"), (meaning, "$muted")))
        lines += [Content("   ").join(signs), Content(""), Content.styled(_COLUMNS, "$muted")]
        for where, title in TITLES.items():
            lines += [Content(""), Content.styled(title, "bold $foreground")]
            for act in ACTIONS:
                if act.where == where:
                    keys = act.shown_keys
                    lines.append(
                        Content.assemble((f"  {keys:<18}", "$needs"), (act.meaning, "$muted"))
                    )
        text = Content("\n").join(lines)
        return text if glyphs is not ASCII else _in_ascii(text)

    def action_scroll(self, lines: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    async def action_dismiss(self, result: str | None = None) -> None:
        self.dismiss(None)
