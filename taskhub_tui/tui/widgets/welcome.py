"""What an empty hub shows."""

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.hub import Hub
from taskhub_tui.tui import keymap
from taskhub_tui.tui.background import start
from taskhub_tui.tui.widgets.plain import Keys, Plain

_WHAT = (
    "Hand long-running work to an agent or a command, and walk away.\n"
    "It goes on when you close this window, and survives a crash.\n"
    "It comes back to you when it is done, has failed, or needs an answer."
)
_KEYS = (
    ("hub.sample", "a sample report on real oil prices, in under a minute"),
    ("hub.new", "a task of yours: a request in your words, or a program to run"),
    ("hub.help", "help, and every key"),
)
_SHELL = "taskhub run -- make all"


class Welcome(Vertical):
    """One screen: what this is, ways to go on, and whether you can be told on the desktop."""

    DEFAULT_CSS = """
    Welcome {
        align: center middle; height: 1fr; display: none;
        & > * { width: 74; max-width: 94%; height: auto; }
        & .key { margin-left: 2; }
    }
    """

    def __init__(self, hub: Hub) -> None:
        super().__init__()
        self._hub = hub
        self._asked = False

    def compose(self) -> ComposeResult:
        lines = [
            Content.styled("TaskHub", "bold $foreground"),
            Content(""),
            Content.styled(_WHAT, "$foreground"),
            Content(""),
        ]
        yield Plain(Content("\n").join(lines))
        for key, meaning in _KEYS:
            yield Keys([(key, f"  {meaning}")], classes="key")
        yield Plain(
            Content.assemble("\n", ("From any shell: ", "$muted"), (_SHELL, "$foreground"), "\n")
        )
        yield Plain(id="told")

    def on_show(self) -> None:
        if not self._asked:
            self._asked = True
            start(self, self._look)

    async def _look(self) -> None:
        """Say whether the desktop can be told."""
        try:
            found = await self._hub.channels()
        except TaskHubError as error:
            said = str(error)
        else:
            desktop = next((one for one in found if one.name == "desktop"), None)
            if desktop is None:
                return
            if not desktop.on:
                said = "Desktop notifications are switched off."
            else:
                said = desktop.problem or "Desktop notifications can be shown."
        own = keymap.of(self.app)
        self.query_one("#told", Plain).update(
            Content.assemble(
                (said, "$muted"),
                ("\nTry them in the settings with ", "$muted"),
                (own.short("hub.settings") or ":", "bold $foreground"),
                (" and ", "$muted"),
                (own.short("settings.test") or ":", "bold $foreground"),
            )
        )

    def on_keys_pressed(self, event: Keys.Pressed) -> None:
        event.stop()
        self.app.simulate_key(keymap.of(self.app).keys(event.key)[0])
