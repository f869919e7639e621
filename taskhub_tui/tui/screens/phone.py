"""Setting up push messages to a phone: the code to scan, and a message to try it with."""

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input

from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.domain.views import PhoneSetup
from taskhub_tui.hub import Hub
from taskhub_tui.text import one_line
from taskhub_tui.tui import keymap
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.background import start
from taskhub_tui.tui.handing import short
from taskhub_tui.tui.render import NoColour
from taskhub_tui.tui.theme import ASCII, UNICODE, Glyphs
from taskhub_tui.tui.widgets.ask import Ask
from taskhub_tui.tui.widgets.path_input import CleanInput
from taskhub_tui.tui.widgets.plain import Keys, Plain

if TYPE_CHECKING:
    from taskhub_tui.tui.app import TaskHubApp

_WORDS = 34
"""Columns that the words beside the code need at least."""
_INK = "#000000 on #ffffff"
"""A camera reads the code dark on light only, so it is that in every theme."""


class PhoneScreen(ModalScreen[None]):
    """Says what would be done, does it when the person agrees, and shows how to subscribe."""

    DEFAULT_CSS = """
    PhoneScreen {
        background: $background;
        #top { height: 1; background: $panel; padding: 0 2; }
        #body { height: 1fr; }
        #code { width: auto; height: auto; margin: 0 0 0 2; display: none; }
        &.-code #code { display: block; }
        #said { height: 1fr; padding: 0 2; scrollbar-size-vertical: 1; }
        &.-code #said { padding: 0 0 0 1; }
        #words { height: auto; }
        #which { display: none; color: $muted; margin-top: 1; }
        #server { display: none; background: $panel; padding: 0; }
        &.-offers #which, &.-offers #server { display: block; }
        #ask { margin-top: 1; }
        #keys { background: $panel; padding: 0 2; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("phone")]
    AUTO_FOCUS = ""
    app: "TaskHubApp"

    def __init__(self, hub: Hub, glyphs: Glyphs = UNICODE) -> None:
        super().__init__()
        self._hub = hub
        self._glyphs = glyphs
        self._made: PhoneSetup | None = None
        """How to subscribe; None as long as nothing is set up."""
        self._said = ""
        """What came of the last thing that was done."""
        self._bad = False
        self._busy = False

    def compose(self) -> ComposeResult:
        yield Plain(id="top")
        with Horizontal(id="body"):
            yield Plain(id="code")
            with VerticalScroll(id="said", can_focus=False):
                yield Plain(id="words")
                yield Plain("Server", id="which")
                yield CleanInput("https://ntfy.sh", id="server", compact=True)
                yield Plain(id="came")
                yield Ask(id="ask")
        yield Keys(id="keys")

    def on_mount(self) -> None:
        try:
            self._made = self._hub.phone()
        except TaskHubError as error:
            self._say(error)
        section = (self._hub.settings.notifications or {}).get("phone") or {}
        if server := section.get("server"):
            self.query_one("#server", Input).value = one_line(str(server), 200)
        self._draw()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    # What it shows

    def _draw(self) -> None:
        made = self._made
        self.set_class(made is None, "-offers")
        said = "not set up yet" if made is None else f"set up on {one_line(made.server, 100)}"
        self.query_one("#top", Plain).update(
            Content.assemble(("Phone", "bold"), "   ", (said, "$muted"))
        )
        lines, why_not = self._code()
        self.set_class(bool(lines), "-code")
        self.query_one("#code", Plain).update(
            Content("\n").join(Content.styled(line, _INK) for line in lines)
        )
        words = self._offer() if made is None else self._subscribe(made, why_not)
        self.query_one("#words", Plain).update(Content("\n").join(words))
        colour = "$failed" if self._bad else "$done"
        came = Content.styled(f"\n{self._said}", colour) if self._said else Content("")
        self.query_one("#came", Plain).update(came)
        if made is None:
            keys = [("phone.agree", "set it up"), ("phone.server", "another server")]
        else:
            keys = [
                ("phone.test", "send a test"),
                ("phone.copy", "copy the address"),
                ("phone.renew", "new topics"),
            ]
        bar = self.query_one("#keys", Keys)
        bar.show([*keys, ("phone.leave", "back")], main=keys[0][0])
        self.refresh_bindings()

    def _code(self) -> tuple[list[str], str]:
        """Return the lines of the code, or why there is none."""
        if self._made is None:
            return [], ""
        if self._glyphs is ASCII:
            return [], "Without half blocks no code is drawn here."
        if any(isinstance(one, NoColour) for one in self.app._filters):
            return [], "Without colours no code is drawn here: a camera wants it dark on light."
        from taskhub_tui import qr

        lines = [*qr.half_blocks(self._made.link)]
        width, height = len(lines[0]) + _WORDS + 2, len(lines) + 3
        if self.app.size.width < width or self.app.size.height < height:
            return [], f"The code needs a window of {width}x{height}."
        return lines, ""

    def _offer(self) -> list[Content]:
        agree = keymap.of(self.app).short("phone.agree") or "Set up"
        file = short(self._hub.paths.config)
        worker = (
            "TaskHub has to be opened again before it sends there."
            if self.app.embedded
            else "A worker that runs now is asked to leave, so that the next one sends there;"
            " commands go on."
        )
        return [
            Content("Questions reach your phone as push messages, and are answered with a tap."),
            Content("They go through a server of ntfy; no port of this machine is opened."),
            Content(""),
            Content.assemble(
                (agree, "bold $needs"),
                f" makes two topics that nobody can guess, and writes them and the server into"
                f" {file}. {worker} Nothing is written before.",
            ),
            Content(""),
            Content.styled(
                "On ntfy.sh, and on any public server without a token, whoever learns a topic reads"
                " along, so nothing of high risk can be approved there. Where a token is wanted:"
                " taskhub notify setup phone --token env:NAME",
                "$muted",
            ),
        ]

    def _subscribe(self, made: PhoneSetup, why_not: str) -> list[Content]:
        scan = "Scan the code with it, or add by hand:" if not why_not else "Add in it by hand:"
        test = keymap.of(self.app).short("phone.test") or "Test"
        lines = [
            Content("1  Install the app ntfy on your phone."),
            Content(f"2  {scan}"),
            Content.assemble(("server ", "$muted"), one_line(made.server, 300)),
            # On a line of its own, as all of it fits beside the code then.
            Content.styled("topic", "$muted"),
            Content(made.topic),
            Content.assemble("3  ", (test, "bold $needs"), " sends a message to it."),
            Content(""),
        ]
        if why_not:
            lines += [Content.styled(why_not, "$needs"), Content(f"{made.link}"), Content("")]
        note = "Whoever knows the topic reads your messages: show it to nobody."
        if made.public:
            note += " Nothing of high risk can be approved through this server."
        return [*lines, Content.styled(note, "$muted")]

    def _say(self, what: TaskHubError | str, *, bad: bool = False) -> None:
        hint = what.hint if isinstance(what, TaskHubError) else None
        self._bad = bad or isinstance(what, TaskHubError)
        self._said = f"{what}. {hint}" if hint else str(what)
        if self.is_mounted:
            self._draw()

    # What a person does

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("agree", "server"):
            return self._made is None
        return self._made is not None if action in ("test", "copy", "renew") else True

    def action_server(self) -> None:
        self.query_one("#server", Input).focus()

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        event.stop()
        self.set_focus(None)

    def action_agree(self) -> None:
        self._set_up(new=False)

    def _set_up(self, *, new: bool) -> None:
        async def run() -> None:
            server = self._made.server if self._made else self.query_one("#server", Input).value
            try:
                self._made = await self._hub.set_up_phone(server=server.strip(), new=new)
                said = "Written. Open TaskHub again to let it send there"
                if not self.app.embedded:
                    asked = await self._hub.stop_worker()
                    said = "Written. The next worker sends there"
                    said += ": the one that runs was asked to leave" if asked else ""
            except TaskHubError as error:
                self._say(error)
            else:
                self._say(said)
            finally:
                self._busy = False

        if not self._busy:
            self._busy = True
            start(self, run, group="phone")

    def action_test(self) -> None:
        async def run() -> None:
            try:
                tried = await self._hub.try_here("phone")
            except TaskHubError as error:
                self._say(error)
            else:
                self._say(tried.said, bad=tried.state == "fail")
            finally:
                self._busy = False

        if not self._busy:
            self._busy = True
            self._say(f"Sending {self._glyphs.more}")
            start(self, run, group="phone")

    def action_copy(self) -> None:
        assert self._made is not None
        self.app.copy_to_clipboard(f"{self._made.server}/{self._made.topic}")
        self.notify("Copied the address", timeout=3, markup=False)

    def action_renew(self) -> None:
        self.query_one(Ask).ask(
            "Make new topics? Phones that know the old ones hear nothing more. y makes them"
        )

    @on(Ask.Answered)
    def _answered(self, event: Ask.Answered) -> None:
        event.stop()
        self.set_focus(None)
        if event.yes:
            self._set_up(new=True)

    def action_scroll(self, lines: int) -> None:
        self.query_one("#said").scroll_relative(y=lines, animate=False)

    def action_leave(self) -> None:
        if isinstance(self.focused, Input):
            self.set_focus(None)
        else:
            self.dismiss(None)

    @on(Keys.Pressed)
    async def _pressed(self, event: Keys.Pressed) -> None:
        event.stop()
        await self.run_action(event.key.removeprefix("phone."))
