"""What an empty hub shows."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

_WHAT = (
    "Hand long-running work to an agent, walk away, and come back to decide.\n"
    "The work goes on when you close this window; you are told when it is done, or needs you."
)
_KEYS = (
    ("n", "hand over a task: a request in your words, or a command to run"),
    ("s", "try the sample: a report on real oil prices, in under a minute"),
    ("?", "help: what there is, and every key"),
)


class Welcome(Vertical):
    """One screen: what this is, and three ways to go on."""

    DEFAULT_CSS = """
    Welcome {
        align: center middle; height: 1fr; display: none;
        & Static { width: 78; max-width: 96%; height: auto; }
    }
    """

    def compose(self) -> ComposeResult:
        lines = [
            Content.styled("TaskHub", "bold $foreground"),
            Content(""),
            Content.styled(_WHAT, "$foreground"),
            Content(""),
        ]
        for key, meaning in _KEYS:
            lines.append(Content.assemble((f"  {key}  ", "bold $needs"), (meaning, "$muted")))
        yield Static(Content("\n").join(lines), markup=False)
