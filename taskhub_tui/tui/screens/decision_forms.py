"""The small forms inside the decision dialog: a reason, words, changes, another agent, a yes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, OptionList, TextArea
from textual.widgets.option_list import Option

from taskhub_tui.domain.delegation import Ranked
from taskhub_tui.domain.model import Action, AgentCard, Decision, Status, TaskView
from taskhub_tui.text import clean, one_line
from taskhub_tui.tui import keymap
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.background import start
from taskhub_tui.tui.screens import decision_words as words
from taskhub_tui.tui.widgets.path_input import CleanInput
from taskhub_tui.tui.widgets.pick import Pick
from taskhub_tui.tui.widgets.plain import Plain

Draft = Mapping[str, str]
"""What was typed in a form: texts by the IDs of the fields."""


def text_of(field: Input | TextArea) -> str:
    """Return what stands in a field."""
    return field.text if isinstance(field, TextArea) else field.value


def edit_in(form: "Form", field: TextArea, suffix: str) -> None:
    """Let the user write `field` in an editor."""

    async def run() -> None:
        from taskhub_tui.tui.editor import edit

        form.editing = True
        try:
            written = await edit(form.app, field.text, suffix)
        finally:
            form.editing = False
        if written is not None and form.is_attached:
            field.text = written.rstrip("\n")
            field.focus()
        form.post_message(form.Edited())

    start(form, run, group="editor", exclusive=True)


def decision(action: Action, **parts: Any) -> Decision:
    """Return a decision taken in the app; the hub fills in who took it."""
    return Decision(action, by="", channel="app", **parts)


class Form(Vertical):
    """A form in the dialog. It sends a decision, or goes back; it never closes the dialog."""

    DEFAULT_CSS = """
    Form {
        height: auto;
        margin-top: 1;
        .label { color: $muted; height: auto; }
        .problem { color: $failed; height: auto; display: none; }
        .problem.-said { display: block; }
        TextArea, Input { background: $background; padding: 0 1; }
        TextArea { height: auto; min-height: 3; max-height: 8; }
        TextArea .text-area--cursor-line { background: $background; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("answer")]
    keys: Sequence[tuple[str, str]] = (("answer.send", "send"), ("answer.back", "back"))
    """What the line of keys says while this form is open."""
    alone = False
    """True: the form needs the room of the text above it."""

    class Sent(Message):
        """The form is filled in."""

        def __init__(self, decision: Decision) -> None:
            super().__init__()
            self.decision = decision

    class Back(Message):
        """The person does not want this after all."""

    class Ready(Message):
        """The form's fields are there."""

    class Edited(Message):
        """The editor was left."""

    editing = False
    """True while it is written in an editor outside."""
    gone = False
    """True once it cannot be sent any more; what was typed can be copied."""

    def __init__(self, view: TaskView) -> None:
        super().__init__()
        self.view = view

    def on_mount(self) -> None:
        self.post_message(self.Ready())

    @property
    def first(self) -> Widget:
        """The widget that is to have the focus."""
        return self

    @property
    def typed(self) -> bool:
        """True when leaving would lose something a person wrote."""
        return False

    @property
    def fields(self) -> Iterator[Input | TextArea]:
        """All that is written in."""
        for widget in self.query("Input, TextArea"):
            if isinstance(widget, Input | TextArea):
                yield widget

    def kept(self) -> Draft:
        """Return what stands in the fields, by the IDs that they have."""
        return {one.id or "": text_of(one) for one in self.fields}

    def fill(self, draft: Draft) -> None:
        """Write in the fields what was typed before."""
        for one in self.fields:
            text = draft.get(one.id or "")
            if text is None or text == text_of(one):
                continue
            if isinstance(one, TextArea):
                one.text = text
                one.move_cursor(one.document.end)
            else:
                one.value = text
                one.cursor_position = len(text)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "copy_all":
            return self.gone
        return not self.gone if action in ("send", "edit") else True

    def action_copy_all(self) -> None:
        """Copy what cannot be sent any more."""
        self.app.copy_to_clipboard("\n".join(filter(None, self.kept().values())))
        self.app.notify("Copied what you typed", timeout=3, markup=False)

    def action_back(self) -> None:
        self.post_message(self.Back())

    def action_edit(self) -> None:
        """Write in the user's editor, where the form has a text for that."""

    def action_send(self) -> None:
        """Send what is there, if it can be sent; else say what is missing."""

    def _say(self, sentence: str) -> None:
        """Show what is wrong; nothing when `sentence` is empty."""
        line = self.query_one(".problem", Plain)
        line.update(Content(sentence))
        line.set_class(bool(sentence), "-said")


class ReasonForm(Form):
    """One optional line: why not."""

    keys = (("enter", "deny"), ("answer.back", "back"))

    def compose(self) -> ComposeResult:
        yield Plain(words.effect(self.view, Action.DENY), classes="label")
        yield CleanInput(placeholder="Reason (may be empty)", compact=True)

    @property
    def first(self) -> Widget:
        return self.query_one(Input)

    @property
    def typed(self) -> bool:
        return bool(self.query_one(Input).value.strip())

    @on(Input.Submitted)
    def action_send(self) -> None:
        reason = clean(self.query_one(Input).value).strip()
        self.post_message(self.Sent(decision(Action.DENY, text=reason or None)))


class WordsForm(Form):
    """Several lines: context, or the answer to a question."""

    keys = (("answer.send", "send"), ("answer.edit", "editor"), ("answer.back", "back"))

    def compose(self) -> ComposeResult:
        yield Plain(words.effect(self.view, Action.PROVIDE_CONTEXT), classes="label")
        yield TextArea(compact=True)
        yield Plain(classes="problem")

    @property
    def first(self) -> Widget:
        return self.query_one(TextArea)

    @property
    def typed(self) -> bool:
        return bool(self.query_one(TextArea).text.strip())

    @on(TextArea.Changed)
    def _forgive(self) -> None:
        self._say("")

    def action_edit(self) -> None:
        edit_in(self, self.query_one(TextArea), ".md")

    def action_send(self) -> None:
        text = clean(self.query_one(TextArea).text).strip()
        if not text:
            self._say("Write something first; an empty text says nothing")
            return
        self.post_message(self.Sent(decision(Action.PROVIDE_CONTEXT, text=text)))


class AgentForm(Form):
    """The agents; one that cannot be used, or has the work already, cannot be chosen."""

    DEFAULT_CSS = """
    AgentForm OptionList {
        height: auto; max-height: 12; background: $panel; border: none; padding: 0;
        & > .option-list--option-disabled { color: $muted; }
    }
    """
    keys = (("enter", "reassign"), ("answer.back", "back"))

    def __init__(
        self, view: TaskView, cards: Sequence[AgentCard], ranking: Sequence[Ranked] = ()
    ) -> None:
        """`ranking` puts those first that suit the task best, and says why."""
        super().__init__(view)
        self._why = {one.card.name: one.why for one in ranking if one.card.problem is None}
        fit = sorted(ranking, key=lambda one: one.card.problem is not None)
        ordered = [*(one.card for one in fit), *cards]
        self._cards = {card.name: card for card in ordered}

    def compose(self) -> ComposeResult:
        stage = words.stage_of(self.view)
        now = stage.agent if stage is not None else self.view.task.agent
        yield Plain(words.effect(self.view, Action.REASSIGN), classes="label")
        options = [
            Option(
                self._prompt(card, card.name == now), disabled=card.name == now or self._out(card)
            )
            for card in self._cards.values()
        ]
        yield Pick(*options)
        if all(option.disabled for option in options):
            yield Plain("There is no other agent to give it to", classes="problem -said")

    @staticmethod
    def _out(card: AgentCard) -> bool:
        return card.problem is not None

    def _prompt(self, card: AgentCard, current: bool) -> Content:
        lines = [Content.styled(one_line(card.title), "bold $muted" if current else "bold")]
        if current:
            lines[0] = Content.assemble(lines[0], ("  has it now", "$muted"))
        if card.description:
            lines.append(Content.styled("  " + one_line(card.description, 160), "$muted"))
        if (why := self._why.get(card.name)) and not current:
            lines.append(Content.styled("  " + one_line(why, 160), "$running"))
        if card.problem:
            lines.append(Content.styled("  " + one_line(card.problem), "$failed"))
        return Content("\n").join(lines)

    @property
    def first(self) -> Widget:
        return self.query_one(OptionList)

    def action_send(self) -> None:
        self.query_one(OptionList).action_select()

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        card = list(self._cards.values())[event.option_index]
        self.post_message(self.Sent(decision(Action.REASSIGN, agent=card.name)))


class ConfirmForm(Form):
    """Asks again before something dangerous, or something that cannot be taken back."""

    def kept(self) -> Draft:
        return {}

    def __init__(self, view: TaskView, pending: Decision, question: str) -> None:
        super().__init__(view)
        self.pending = pending
        self.question = question


class YesForm(ConfirmForm, can_focus=True):
    """Wants a `y`; any other key goes back."""

    keys = (("y", "yes"), ("answer.back", "back"))

    def compose(self) -> ComposeResult:
        yield Plain(Content.styled(self.question, "bold $failed"))
        yield Plain(words.effect(self.view, self.pending.action), classes="label")
        yield Plain("Press y to do it; any other key goes back.", classes="label")

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        if event.key == "y":
            self.action_send()
        else:
            self.action_back()

    def action_send(self) -> None:
        self.post_message(self.Sent(self.pending))


class TypedYesForm(ConfirmForm):
    """Wants a `y` and Enter: what is approved is of high risk."""

    keys = (("enter", "once y is typed"), ("answer.back", "back"))

    def compose(self) -> ComposeResult:
        yield Plain(Content.styled(self.question, "bold $failed"))
        yield Plain("Type y and press Enter to approve.", classes="label")
        yield Input(max_length=3, compact=True)
        yield Plain(classes="problem")

    @property
    def first(self) -> Widget:
        return self.query_one(Input)

    @on(Input.Submitted)
    def action_send(self) -> None:
        if self.query_one(Input).value.strip() == "y":
            self.post_message(self.Sent(self.pending))
        else:
            key = keymap.of(self.app).short("answer.back")
            self._say(f"Only y approves{f'; {key} goes back' if key else ''}")


def running(view: TaskView) -> bool:
    """True when an agent is at work on the task at this moment."""
    return view.task.status is Status.IN_PROGRESS
