"""How the form for a new task looks: its fields, their places, and what can be chosen in them."""

from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import Input, Select, TextArea

from taskhub_tui.domain.model import NewTask, Priority
from taskhub_tui.hub import Hub
from taskhub_tui.text import clean, one_line
from taskhub_tui.tui import keymap
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.screens import new_task_fields as form
from taskhub_tui.tui.sizes import take_size
from taskhub_tui.tui.theme import UNICODE, Glyphs
from taskhub_tui.tui.widgets.ask import Ask
from taskhub_tui.tui.widgets.path_input import CleanInput, PathInput
from taskhub_tui.tui.widgets.plain import Keys, Plain
from taskhub_tui.tui.widgets.stage_plan import StagePlan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from taskhub_tui.domain.delegation import Ranked
    from taskhub_tui.hub import PlaybookFile

_PRIORITIES = (
    ("low", Priority.LOW),
    ("normal", Priority.NORMAL),
    ("high", Priority.HIGH),
    ("critical", Priority.CRITICAL),
)
_HABITS = (
    ("as its agent is used to", ""),
    ("go on with what survived", "adopt"),
    ("run the stage again", "rerun"),
    ("ask me", "ask"),
)
NO_DEADLINE = "none · 2h from its start · 18:00"


class AfterInput(CleanInput):
    """IDs of tasks; the down key picks one by the last word."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("after")]

    class Wanted(Message):
        """Somebody wants to pick a task that has this word."""

        def __init__(self, word: str) -> None:
            super().__init__()
            self.word = word

    def action_pick(self) -> None:
        words = self.value.replace(",", " ").split(" ")
        self.post_message(self.Wanted(words[-1]))


class Words(TextArea):
    """A text of many lines, into which nothing is pasted that could be an escape sequence."""

    async def _on_paste(self, event: events.Paste) -> None:
        # Textual's own handler comes next, with what is left.
        event.text = clean(event.text, 1_000_000)


class NewTaskLook(ModalScreen[NewTask | None]):
    """The half of the form that shows it; the other half reads it and hands the task over."""

    DEFAULT_CSS = """
    NewTaskLook {
        align: center middle;
        background: $background 60%;
        #dialog {
            width: 96; max-width: 95%; height: auto; max-height: 100%;
            padding: 1 2; background: $panel;
            border: round $running; border-title-color: $running; border-title-style: none;
        }
        &.-short #dialog { padding: 0 2; }
        #fields { height: auto; scrollbar-size-vertical: 1; scrollbar-color: $faint; }
        .row { height: auto; margin-bottom: 1; }
        .row.-tight { margin-bottom: 0; }
        .name { width: 12; color: $muted; }
        .field { width: 1fr; height: auto; }
        .hint { color: $muted; height: auto; }
        .found { height: auto; display: none; }
        .found.-some { display: block; }
        .problem { color: $failed; height: auto; display: none; }
        .problem.-said { display: block; }
        Input, TextArea { background: $background; padding: 0; }
        Input:focus, TextArea:focus { background: $cursor; }
        TextArea { height: auto; min-height: 1; max-height: 8; }
        TextArea .text-area--cursor-line { background: transparent; }
        #request { min-height: 3; }
        Select { width: 1fr; }
        SelectCurrent { background: $background; padding: 0; }
        Select:focus > SelectCurrent { background: $cursor; }
        SelectOverlay { background: $panel; border: round $faint; padding: 0; }
        #ask { margin-top: 1; }
        #keys { margin-top: 1; }
    }
    """
    AUTO_FOCUS = "#request"
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]

    _hub: Hub
    _workdir: str
    _first: form.Fields
    """What stands in the form before anybody types."""
    _ranked: "Sequence[Ranked]" = ()
    _playbooks: "Sequence[PlaybookFile]" = ()

    def compose(self) -> ComposeResult:
        take_size(self)
        first = self._first
        self._playbooks = list(self._hub.playbooks())
        with Vertical(id="dialog") as dialog:
            dialog.border_title = " New task "
            with VerticalScroll(id="fields", can_focus=False):
                request = Words(
                    first.request,
                    placeholder="What is to be done, in your words",
                    compact=True,
                    id="request",
                )
                yield self._row("Request", request)
                # Sets of agents find their place in this list, as playbooks do.
                who = Select(
                    self._choices(), value=first.who, allow_blank=False, compact=True, id="who"
                )
                yield self._row("Agent", who, Plain(id="why", classes="hint"))
                yield self._row(
                    "File",
                    PathInput(self._folder, value=first.file, compact=True, id="file"),
                    Plain(id="found-file", classes="found"),
                )
                yield self._row(
                    "Command", CleanInput(first.command, compact=True, id="command"), key="command"
                )
                plan = StagePlan(id="stages")
                plan.asks.update(
                    {(at, name): (gate, review) for at, name, gate, review in first.asks}
                )
                yield self._row("Stages", plan)
                when = CleanInput(
                    first.when,
                    placeholder="now · in 2h · 22:00 · tomorrow 8:00",
                    compact=True,
                    id="when",
                )
                yield self._row("When", when, Plain(id="starts", classes="hint"), tight=True)
                priority = Select(
                    _PRIORITIES,
                    value=Priority(first.priority),
                    allow_blank=False,
                    compact=True,
                    id="priority",
                )
                yield self._row("Priority", priority, tight=True)
                folder = PathInput(
                    lambda: self._workdir,
                    folders=True,
                    value=first.folder,
                    compact=True,
                    id="folder",
                )
                yield self._row(
                    "Folder", folder, Plain(id="found-folder", classes="found"), tight=True
                )
                after = AfterInput(
                    first.after,
                    placeholder=f"a task to wait for: part of its title or ID, then {self._picks}",
                    compact=True,
                    id="after",
                )
                yield self._row("After", after, Plain(id="others", classes="hint"), tight=True)
                deadline = CleanInput(
                    first.deadline,
                    placeholder=NO_DEADLINE,
                    compact=True,
                    id="deadline",
                )
                yield self._row("Deadline", deadline, tight=True)
                habit = Select(
                    _HABITS, value=first.habit, allow_blank=False, compact=True, id="habit"
                )
                yield self._row("If cut off", habit, key="habit", tight=True)
                options = Words(
                    first.options,
                    placeholder='more for the agent, as lines: name = 3 or name = "text"',
                    compact=True,
                    id="options",
                )
                yield self._row("Options", options, tight=True)
            yield Ask(id="ask")
            yield Keys(id="keys")

    def _row(
        self, name: str, field: Widget, *more: Widget, key: str | None = None, tight: bool = False
    ) -> Horizontal:
        """Return a line of the form; the sentence about a mistake stands under the field."""
        field_id = field.id or key or name.lower()
        problem = Plain(id=f"problem-{field_id}", classes="problem")
        column = Vertical(field, *more, problem, classes="field")
        classes = "row -tight" if tight else "row"
        return Horizontal(
            Plain(name, classes="name"), column, id=f"row-{field_id}", classes=classes
        )

    def _choices(self) -> list[tuple[Content, str]]:
        """Return the agents in the order of the ranking, each with its reason, then playbooks."""
        ranked = self._ranked
        found = [(Content("whoever fits best"), form.BEST)]
        if ranked:
            pairs = [
                (one.card, one.why if one.score or one.card.problem else one.card.description)
                for one in ranked
            ]
        else:
            pairs = [(card, card.problem or card.description) for card in self._hub.agents()]
        for card, why in pairs:
            words = f"{card.title}: {why}" if why else card.title
            found.append((Content(one_line(words)), form.AGENT + card.name))
        names = []
        for file in self._playbooks:
            name, said = file.playbook.name, file.playbook.description
            if name not in names:
                names.append(name)
                words = f"Playbook {name}: {said}" if said else f"Playbook {name}"
                found.append((Content(one_line(words)), form.PLAYBOOK + name))
        chosen = self._chosen_who()
        if chosen not in [value for _, value in found]:
            missing = chosen.partition(":")[2]
            found.append((Content(one_line(f"{missing} (not installed)")), chosen))
        return found

    def _chosen_who(self) -> str:
        found = self.query("#who").results(Select)
        return next((str(select.value) for select in found), self._first.who)

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        """Give the fields what the lines below them leave, so that the keys stay in sight."""
        if not self.query("#dialog"):
            return  # Closed before its turn came.
        dialog = self.query_one("#dialog")
        room = self.size.height - (dialog.outer_size.height - dialog.size.height)
        for widget in dialog.children:
            if widget.id != "fields" and widget.display:
                room -= widget.outer_size.height + widget.styles.margin.height
        self.query_one("#fields").styles.max_height = max(5, room)

    def _folder(self) -> str:
        # A suggestion may still be looked for while the form is closing.
        typed = [field.value.strip() for field in self.query("#folder").results(Input)]
        return (typed and typed[0]) or self._first.folder

    @property
    def _picks(self) -> str:
        return keymap.of(self.app).short("after.pick") or ":"

    @property
    def _glyphs(self) -> Glyphs:
        glyphs = getattr(self.app, "glyphs", UNICODE)
        return glyphs if isinstance(glyphs, Glyphs) else UNICODE
