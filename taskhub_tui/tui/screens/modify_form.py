"""The form that changes a task: proposed arguments, request, the options of its agent, deadline."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Input, TextArea

from taskhub_tui.domain.model import Action, AgentCard, TaskView
from taskhub_tui.text import clean, one_line
from taskhub_tui.tui.screens import decision_words as words
from taskhub_tui.tui.screens.decision_forms import Form, decision, edit_in
from taskhub_tui.tui.widgets import values
from taskhub_tui.tui.widgets.path_input import CleanInput
from taskhub_tui.tui.widgets.plain import Plain

_NO = object()
"""What an option is worth that is not set."""
_LONG = 200
"""Characters from which on a text gets several lines."""


class ModifyForm(Form):
    """What may be changed: the request, the options, and the arguments an agent proposed."""

    DEFAULT_CSS = """
    ModifyForm {
        height: auto;
        #fields { height: auto; }
        #fields .label { margin-top: 1; }
        #fields .wrong { color: $failed; height: auto; display: none; }
        #fields .wrong.-said { display: block; }
    }
    """
    alone = True
    keys = (("answer.send", "send"), ("answer.edit", "editor"), ("answer.back", "back"))

    def __init__(
        self, view: TaskView, clock: Callable[[], float], cards: Sequence[AgentCard] = ()
    ) -> None:
        super().__init__(view)
        self._clock = clock
        due = view.task.deadline
        # One that has passed is no wish any more: it goes with the next try.
        ahead = due is not None and due > clock()
        self._deadline = values.write_time(due) if due is not None and ahead else ""
        stage = words.stage_of(view)
        own: Mapping[str, Any] = stage.options if stage is not None else {}
        self._options = {**view.task.options, **own}
        agent = stage.agent if stage is not None else view.task.agent
        known = next((card.options for card in cards if card.name == agent), {})
        # Those that are set come first; then what the agent knows besides.
        self._known = {
            **{name: known.get(name, "") for name in self._options if known},
            **{name: meaning for name, meaning in known.items() if name not in self._options},
        }
        detail = view.blocker.detail if view.blocker is not None else {}
        asked = words.approves(view, Action.MODIFY) and "arguments" in detail
        self._has_arguments = asked
        self._arguments = detail["arguments"] if asked else None

    def compose(self) -> ComposeResult:
        yield Plain(words.effect(self.view, Action.MODIFY), classes="label")
        with VerticalScroll(id="fields", can_focus=False):
            if self._has_arguments:
                yield Plain("Arguments, as JSON", classes="label")
                text = values.to_json(self._arguments)
                yield TextArea(text, compact=True, id="arguments")
                yield Plain(classes="wrong", id="arguments-wrong")
            yield Plain("Request", classes="label")
            yield TextArea(clean(self.view.task.request), compact=True, id="request")
            yield Plain(classes="wrong", id="request-wrong")
            yield from self._option_fields()
            asked = self.view.blocker is not None
            alone = " (changed alone, it leaves the question open)" if asked else ""
            yield Plain(f"Deadline{alone}", classes="label")
            yield CleanInput(
                self._deadline,
                placeholder="none · 2h from now · 18:00",
                compact=True,
                id="deadline",
            )
            yield Plain(classes="wrong", id="deadline-wrong")
        yield Plain(classes="problem")

    def _option_fields(self) -> Iterator[Widget]:
        """One field for each option that the agent knows; else all as one text."""
        if not self._known:
            yield Plain("Options, as TOML or JSON", classes="label")
            yield TextArea(values.to_toml(self._options), compact=True, id="options")
            yield Plain(classes="wrong", id="options-wrong")
            return
        for place, (name, meaning) in enumerate(self._known.items()):
            said = (one_line(name, 60), "bold"), f"  {one_line(meaning, 300)}"
            yield Plain(Content.assemble(*said), classes="label")
            old = self._options.get(name, _NO)
            text = write_option(old)
            if isinstance(old, str) and ("\n" in text or len(text) > _LONG):
                yield TextArea(text, compact=True, id=f"option-{place}")
            else:
                kind = _kind_words(old)
                yield CleanInput(text, placeholder=kind, compact=True, id=f"option-{place}")
            yield Plain(classes="wrong", id=f"option-{place}-wrong")

    @property
    def first(self) -> Widget:
        return self.query(TextArea).first()

    @property
    def typed(self) -> bool:
        changed, wrong = self._changed()
        return bool(changed or wrong)

    @on(TextArea.Changed)
    @on(Input.Changed)
    def _check(self) -> None:
        self._show(self._changed()[1])
        self._say("")

    def _show(self, wrong: Mapping[str, str]) -> None:
        """Say beside each field what is wrong with it."""
        for line in self.query(".wrong").results(Plain):
            said = wrong.get((line.id or "").removesuffix("-wrong"), "")
            line.update(Content(said))
            line.set_class(bool(said), "-said")

    def action_edit(self) -> None:
        field = self.screen.focused
        if not isinstance(field, TextArea) or field not in self.query(TextArea):
            field = self.query(TextArea).first()
        suffix = {"arguments": ".json", "options": ".toml"}.get(field.id or "", ".md")
        edit_in(self, field, suffix)

    @on(Input.Submitted)
    def _next(self) -> None:
        self.screen.focus_next()

    def action_send(self) -> None:
        changed, wrong = self._changed()
        self._show(wrong)
        if wrong:
            name = next(iter(wrong))
            self.query_one(f"#{name}").focus()
            self._say("Nothing is sent yet: mend what is marked")
        elif not changed:
            self._say("Nothing is changed yet")
        else:
            self.post_message(self.Sent(decision(Action.MODIFY, data=changed)))

    def _text(self, field: str) -> str:
        found = self.query_one(f"#{field}")
        return found.text if isinstance(found, TextArea) else getattr(found, "value", "")

    def _changed(self) -> tuple[dict[str, Any], dict[str, str]]:
        """Return what differs from what is; and by field, what cannot be read."""
        changed: dict[str, Any] = {}
        wrong: dict[str, str] = {}
        for field, read in (
            ("arguments", self._read_arguments),
            ("request", self._read_request),
            ("options", self._read_options),
            ("deadline", self._read_deadline),
        ):
            try:
                read(changed, wrong)
            except ValueError as error:
                wrong[field] = str(error)
        return changed, wrong

    def _read_request(self, changed: dict[str, Any], wrong: dict[str, str]) -> None:
        request = clean(self._text("request")).strip()
        if not request:
            raise ValueError("The request is empty; say what is to be done")
        if request != clean(self.view.task.request).strip():
            changed["request"] = request

    def _read_arguments(self, changed: dict[str, Any], wrong: dict[str, str]) -> None:
        if not self._has_arguments:
            return
        arguments = values.read_json(self._text("arguments"))
        if isinstance(self._arguments, Mapping) and not isinstance(arguments, dict):
            raise ValueError("They must stay an object, between { and }")
        if not values.same(self._arguments, arguments):
            changed["arguments"] = arguments

    def _read_options(self, changed: dict[str, Any], wrong: dict[str, str]) -> None:
        if not self._known:
            options = values.read_options(self._text("options"))
            if different := values.difference(self._options, options):
                changed["options"] = different
            return
        different = {}
        for place, name in enumerate(self._known):
            field = f"option-{place}"
            old, text = self._options.get(name, _NO), self._text(field)
            if text == write_option(old):
                continue
            try:
                new = read_option(text, old)
            except ValueError as error:
                wrong[field] = str(error)
                continue
            if new is _NO:
                different[name] = None
            elif old is _NO or not values.same(old, new):
                different[name] = new
        if different:
            changed["options"] = different

    def _read_deadline(self, changed: dict[str, Any], wrong: dict[str, str]) -> None:
        due = self._text("deadline").strip()
        if due == self._deadline:
            return
        now = self._clock()
        at, within = values.read_due(due, now)
        changed["deadline"] = at if within is None else now + within


def _kind_words(old: Any) -> str:
    match old:
        case bool():
            return "true or false; empty: as the agent has it"
        case int() | float():
            return "a number; empty: as the agent has it"
        case list():
            return 'a list like ["a", "b"]; empty: as the agent has it'
        case _:
            return "not set"


def write_option(value: Any) -> str:
    """Return the value of an option as it stands in its field."""
    if value is _NO or value is None:
        return ""
    if isinstance(value, str):
        return clean(value)
    written = values.to_toml({"x": value})
    return (
        written.removeprefix("x = ")
        if written.startswith("x = ")
        else one_line(values.to_json(value), 100_000)
    )


def read_option(text: str, old: Any) -> Any:
    """Return the value that a field holds; the kind stays that of `old`.

    Raises:
        ValueError: it is of another kind; says what it should be.
    """
    bare = clean(text).strip()
    if not bare:
        return _NO
    if isinstance(old, str):
        return clean(text)
    value = _literal(bare)
    kinds: dict[type, tuple[tuple[type, ...], str]] = {
        bool: ((bool,), "It must be true or false"),
        int: ((int, float), "It must be a number"),
        float: ((int, float), "It must be a number"),
        list: ((list,), 'It must be a list like ["a", "b"]'),
        dict: ((dict,), "It must be a table like { name = 1 }"),
    }
    wanted, said = kinds.get(type(old), ((object,), ""))
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted and said):
        raise ValueError(said)
    return value


def _literal(bare: str) -> Any:
    """Return a value of TOML or JSON; what is neither is text."""
    for read in (values.read_json, lambda text: values.read_options(f"x = {text}")["x"]):
        try:
            return read(bare)
        except ValueError:
            continue
    return bare
