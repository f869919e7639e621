"""The form in the decision dialog that approves, and makes a rule for what is asked from now on."""

from collections.abc import Mapping

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from taskhub_tui.domain import rules
from taskhub_tui.domain.errors import BadInput
from taskhub_tui.domain.model import Action, Decision, TaskView
from taskhub_tui.domain.rules import Rule, Scope
from taskhub_tui.text import one_line
from taskhub_tui.tui.screens.decision_forms import Form, YesForm, decision
from taskhub_tui.tui.sending import Always
from taskhub_tui.tui.widgets.path_input import CleanInput
from taskhub_tui.tui.widgets.pick import Pick
from taskhub_tui.tui.widgets.plain import Plain

_ORDER = (Scope.COMMAND, Scope.TASK, Scope.FOLDER, Scope.PLAYBOOK, Scope.AGENT)
"""The narrowest first."""
_ABOUT = {
    Scope.COMMAND: "exactly this, or a pattern of it",
    Scope.FOLDER: "and in folders below it",
}


def possible(view: TaskView) -> Mapping[Scope, str]:
    """Return for which scopes a rule can be made of a question, and what it would be about."""
    blocker = view.blocker
    # Of several answers a rule would have to choose one.
    if blocker is None or blocker.choices or Action.APPROVE not in view.legal:
        return {}
    found = {}
    for scope in _ORDER:
        try:
            found[scope] = rules.checked(scope, rules.proposed(view.task, blocker, scope))
        except BadInput:
            continue
    return found


class AlwaysForm(Form):
    """The scopes that there can be a rule for; for a command, its pattern."""

    DEFAULT_CSS = """
    AlwaysForm Pick { height: auto; max-height: 10; }
    AlwaysForm #pattern, AlwaysForm #stars { display: none; }
    AlwaysForm.-command #pattern, AlwaysForm.-command #stars { display: block; }
    """
    keys = (("enter", "choose"), ("answer.back", "back"))

    def __init__(self, view: TaskView) -> None:
        super().__init__(view)
        self._values = possible(view)
        self._scopes = [*self._values]
        self.chosen: Always | None = None
        """What was chosen last."""
        self.words = ""
        """What such a rule does."""

    def compose(self) -> ComposeResult:
        yield Plain("Approve this, and from now on without asking:", classes="label")
        yield Pick(*(Option(self._line(scope)) for scope in self._scopes))
        pattern = CleanInput(self._values.get(Scope.COMMAND, ""), id="pattern", compact=True)
        pattern.select_on_focus = False
        yield pattern
        yield Plain(
            "tab edits it. * is any part of a word; alone at the end, any more words.",
            id="stars",
            classes="label",
        )
        yield Plain(classes="problem")

    def _line(self, scope: Scope) -> Content:
        said = one_line(rules.words(scope, self._values[scope]), 300).removeprefix("Always allow ")
        about = f"  {_ABOUT[scope]}" if scope in _ABOUT else ""
        return Content.assemble((said, "$foreground"), (about, "$muted"))

    @property
    def first(self) -> Widget:
        return self.query_one(Pick)

    @property
    def typed(self) -> bool:
        pattern = self.query_one("#pattern", Input).value.strip()
        return pattern != self._values.get(Scope.COMMAND, "")

    @on(OptionList.OptionHighlighted)
    def _moved(self, event: OptionList.OptionHighlighted) -> None:
        event.stop()
        self.set_class(self._scopes[event.option_index] is Scope.COMMAND, "-command")
        self._say("")
        self.post_message(self.Edited())

    @on(Input.Changed)
    def _forgive(self) -> None:
        self._say("")

    @on(OptionList.OptionSelected)
    def _picked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.action_send()

    @on(Input.Submitted)
    def action_send(self) -> None:
        at = self.query_one(Pick).highlighted
        if at is None:
            self._say("Choose what the rule is about; up and down move")
            return
        scope = self._scopes[at]
        value, pattern = self._values[scope], None
        try:
            if scope is Scope.COMMAND and self.typed:
                value = pattern = rules.checked(scope, self.query_one("#pattern", Input).value)
            trial = Rule("", scope, value, 0.0, "", "app")
            blocker = self.view.blocker
            if blocker is None or rules.allowing([trial], self.view.task, blocker) is None:
                raise BadInput("This rule would not allow what is asked now")
        except BadInput as error:
            self._say(f"{error}. {error.hint}" if error.hint else str(error))
            return
        self.chosen = Always(scope, pattern)
        self.words = rules.words(scope, value)
        self.post_message(self.Sent(decision(Action.APPROVE)))


class AlwaysYesForm(YesForm):
    """Says what the rule will do, and wants a `y`."""

    def __init__(self, view: TaskView, pending: Decision, always: Always, words: str) -> None:
        super().__init__(view, pending, f"{one_line(words, 2100)}?")
        self.always = always

    def compose(self) -> ComposeResult:
        yield Plain(Content.styled(self.question, "bold $needs"))
        yield Plain(
            "This question is approved, and what fits the rule is from now on, without asking."
            " What is of high risk, a gate or a review comes to you all the same."
            " `taskhub rules` and the list of rules in the app revoke it.",
            classes="label",
        )
        yield Plain("Press y to do it; any other key goes back.", classes="label")
