"""The form for a new task. It builds a NewTask and returns it; the app hands it over."""

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Checkbox, Input, Select, TextArea

from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.domain.model import NewTask, Priority
from taskhub_tui.hub import Hub
from taskhub_tui.text import one_line
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.screens import new_task_fields as form
from taskhub_tui.tui.widgets import values
from taskhub_tui.tui.widgets.ask import Ask
from taskhub_tui.tui.widgets.path_input import PathInput
from taskhub_tui.tui.widgets.plain import Keys, Plain

if TYPE_CHECKING:
    from taskhub_tui.hub import PlaybookFile

PAUSE = 0.15
"""Seconds without a key before the preview is made anew."""

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


_NO_DEADLINE = "none · 2h from its start · 18:00"


class Tick(Checkbox):
    """A checkbox whose shape tells its value, not its colour alone."""

    BUTTON_LEFT = BUTTON_RIGHT = ""
    BUTTON_INNER = "[ ]"
    DEFAULT_CSS = """
    Tick {
        background: transparent; width: auto; margin-right: 3; padding: 0;
        & > .toggle--button { color: $muted; background: transparent; }
        &.-on > .toggle--button { color: $running; background: transparent; }
        &:focus > .toggle--label { background: $cursor; color: $foreground; text-style: bold; }
    }
    """

    def on_mount(self) -> None:
        self.BUTTON_INNER = "[x]" if self.value else "[ ]"

    def watch_value(self) -> None:
        self.BUTTON_INNER = "[x]" if self.value else "[ ]"
        super().watch_value()


class NewTaskScreen(ModalScreen[NewTask | None]):
    """Asks what is to be done, by whom, with what, and when; None when the person leaves."""

    DEFAULT_CSS = """
    NewTaskScreen {
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
        .problem { color: $failed; height: auto; display: none; }
        .problem.-said { display: block; }
        #stages { color: $foreground; height: auto; }
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
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("form"),
    ]
    AUTO_FOCUS = "#request"
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]

    def __init__(self, hub: Hub, *, workdir: str, initial: NewTask | None = None) -> None:
        """
        Args:
            workdir: folder, perhaps with `~`, to work in unless the person names another.
            initial: what the form holds at first, such as a task to do again.
        """
        super().__init__()
        self._hub = hub
        self._initial = initial
        self._first = form.fields_of(initial, workdir)
        self._playbooks: list[PlaybookFile] = []
        self._timer: Timer | None = None
        self._tried = False
        self._touched: set[str] = set()
        self._was: Widget | None = None

    # What it shows

    def compose(self) -> ComposeResult:
        first = self._first
        self._playbooks = list(self._hub.playbooks())
        with Vertical(id="dialog") as dialog:
            dialog.border_title = " New task "
            with VerticalScroll(id="fields", can_focus=False):
                yield self._row("Request", TextArea(first.request, compact=True, id="request"))
                who = Select(
                    self._choices(), value=first.who, allow_blank=False, compact=True, id="who"
                )
                yield self._row("Agent", who, Plain(id="why", classes="hint"))
                yield self._row(
                    "File", PathInput(self._folder, value=first.file, compact=True, id="file")
                )
                yield self._row(
                    "Command", Input(first.command, compact=True, id="command"), key="command"
                )
                yield self._row("Stages", Plain(id="stages"))
                boxes = Horizontal(
                    Tick("before it starts", first.gate, compact=True, id="gate"),
                    Tick("when it is done", first.review, compact=True, id="review"),
                    classes="field",
                )
                yield self._row("Ask me", boxes, key="boxes", tight=True)
                when = Input(
                    first.when, placeholder="now · in 10m · at 18:00", compact=True, id="when"
                )
                yield self._row("When", when, tight=True)
                priority = Select(
                    _PRIORITIES,
                    value=Priority(first.priority),
                    allow_blank=False,
                    compact=True,
                    id="priority",
                )
                yield self._row("Priority", priority, tight=True)
                yield self._row(
                    "Folder", Input(first.folder, compact=True, id="folder"), tight=True
                )
                after = Input(
                    first.after, placeholder="IDs of tasks to wait for", compact=True, id="after"
                )
                yield self._row("After", after, tight=True)
                deadline = Input(
                    first.deadline,
                    placeholder=_NO_DEADLINE,
                    compact=True,
                    id="deadline",
                )
                yield self._row("Deadline", deadline, tight=True)
                habit = Select(
                    _HABITS, value=first.habit, allow_blank=False, compact=True, id="habit"
                )
                yield self._row("If cut off", habit, key="habit", tight=True)
                options = TextArea(
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
        found = [(Content("whoever fits best"), form.BEST)]
        found += [
            (
                Content(
                    one_line(
                        f"{card.title}: {card.description}" if card.description else card.title
                    )
                ),
                form.AGENT + card.name,
            )
            for card in self._hub.agents()
        ]
        names = []
        for file in self._playbooks:
            name, said = file.playbook.name, file.playbook.description
            if name not in names:
                names.append(name)
                words = f"Playbook {name}: {said}" if said else f"Playbook {name}"
                found.append((Content(one_line(words)), form.PLAYBOOK + name))
        if self._first.who not in [value for _, value in found]:
            missing = self._first.who.partition(":")[2]
            found.append((Content(one_line(f"{missing} (not installed)")), self._first.who))
        return found

    def on_mount(self) -> None:
        self.query_one("#keys", Keys).show(
            [("form.submit", "start the task"), ("tab", "next field"), ("form.leave", "leave")],
            main="form.submit",
        )
        self._preview()

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

    # What is typed

    def _folder(self) -> str:
        # A suggestion may still be looked for while the form is closing.
        typed = [field.value.strip() for field in self.query("#folder").results(Input)]
        return (typed and typed[0]) or self._first.folder

    def fields(self) -> form.Fields:
        """Return the form as it stands."""
        return form.Fields(
            request=self.query_one("#request", TextArea).text,
            who=str(self.query_one("#who", Select).value),
            file=self.query_one("#file", Input).value,
            command=self.query_one("#command", Input).value,
            gate=self.query_one("#gate", Checkbox).value,
            review=self.query_one("#review", Checkbox).value,
            when=self.query_one("#when", Input).value,
            priority=self._priority(),
            folder=self.query_one("#folder", Input).value,
            after=self.query_one("#after", Input).value,
            deadline=self.query_one("#deadline", Input).value,
            habit=str(self.query_one("#habit", Select).value),
            options=self.query_one("#options", TextArea).text,
        )

    def _priority(self) -> int:
        chosen = self.query_one("#priority", Select).value
        return chosen if isinstance(chosen, int) else Priority.NORMAL

    @on(Input.Changed)
    @on(TextArea.Changed)
    @on(Select.Changed)
    @on(Checkbox.Changed)
    def _changed(self, event: Input.Changed | TextArea.Changed | Select.Changed) -> None:
        if event.control.id:
            self._touched.add(event.control.id)
        if self._timer is not None:
            self._timer.stop()
        self._timer = self.set_timer(PAUSE, self._preview)

    @on(Input.Submitted)
    def _next(self) -> None:
        self.focus_next()

    def _preview(self) -> None:
        """Show who would do it in which stages, and what is wrong so far."""
        fields = self.fields()
        made = form.make(fields, self._hub, self._playbooks, self._initial)
        why = form.best(fields, self._hub) if fields.who == form.BEST and fields.request else ""
        self.query_one("#why", Plain).update(Content(why))
        self.query_one("#why").display = bool(why)
        stages = form.describe(made.plan)
        self.query_one("#stages", Plain).update(
            Content(stages) if stages else Content.styled("known once an agent is", "$muted")
        )
        usual = form.usual_deadline(fields, self._playbooks)
        self.query_one("#deadline", Input).placeholder = (
            f"{values.write_span(usual)} from its start, by the playbook · none · 18:00"
            if usual
            else _NO_DEADLINE
        )
        for option in ("file", "command"):
            known = "argv" if option == "command" else option
            shown = form.takes(fields, self._hub, known) or bool(getattr(fields, option).strip())
            self.query_one(f"#row-{option}").display = shown
        self._say(dict(made.problems))
        self.call_after_refresh(self._fit)

    def _say(self, problems: dict[str, str]) -> None:
        """Show the sentences; an empty field is no mistake before somebody tried to send."""
        for line in self.query(".problem").results(Plain):
            name = (line.id or "").removeprefix("problem-")
            sentence = problems.get(name, "")
            quiet = not self._tried and (name in ("request", "command") or not self._typed(name))
            line.update(Content(sentence))
            line.set_class(bool(sentence) and not quiet, "-said")

    def _typed(self, name: str) -> bool:
        # Nobody is an obvious fit for half a sentence: that is said in the preview's own time.
        return name in self._touched or (name == "who" and "request" in self._touched)

    # Sending and leaving

    async def action_submit(self) -> None:
        self._tried = True
        made = form.make(self.fields(), self._hub, self._playbooks, self._initial)
        problems = dict(made.problems)
        for prefix in made.new.after if made.new is not None else ():
            try:
                await self._hub.find(prefix)
            except TaskHubError as error:
                problems["after"] = str(error)
        if made.new is not None and not problems:
            self.dismiss(made.new)
            return
        self._preview()
        self._say(problems)
        first = next(
            iter(
                self.query("TextArea, Input, Select").filter(
                    ", ".join(f"#{name}" for name in problems)
                )
            ),
            None,
        )
        if first is not None:
            first.focus()

    def action_leave(self) -> None:
        if self.fields() == self._first:
            self.dismiss(None)
            return
        self._was = self.focused
        self.query_one(Ask).ask("Leave and lose what you typed? y leaves, any other key stays")
        self.call_after_refresh(self._fit)

    @on(Ask.Answered)
    def _answered(self, event: Ask.Answered) -> None:
        event.stop()
        if event.yes:
            self.dismiss(None)
        elif self._was is not None:
            self._was.focus()
            self.call_after_refresh(self._fit)

    @on(Keys.Pressed)
    async def _clicked(self, event: Keys.Pressed) -> None:
        event.stop()
        match event.key:
            case "form.submit":
                await self.action_submit()
            case "tab":
                self.focus_next()
            case _:
                self.action_leave()
