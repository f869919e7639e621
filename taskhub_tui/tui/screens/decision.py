"""The dialog in which a person decides: an approval, an answer, a failure, an interruption.

It shows what is asked in full, offers what is legal, and returns a Decision; it does nothing
itself. Its rules guard against decisions nobody meant: keys are dead for a moment after it opens
and while somebody types, Enter alone decides nothing, and what cannot be undone asks again.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import ClassVar

from textual import events, on
from textual.await_complete import AwaitComplete
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import OptionList

from taskhub_tui.domain.delegation import Ranked
from taskhub_tui.domain.errors import AlreadyDecided, TaskHubError
from taskhub_tui.domain.model import Action, AgentCard, Decision, TaskView
from taskhub_tui.domain.waiting import meant
from taskhub_tui.text import one_line
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.background import start
from taskhub_tui.tui.screens import decision_words as words
from taskhub_tui.tui.screens.always_form import AlwaysForm, AlwaysYesForm, possible
from taskhub_tui.tui.screens.decision_forms import (
    AgentForm,
    ConfirmForm,
    Draft,
    Form,
    ReasonForm,
    TypedYesForm,
    WordsForm,
    YesForm,
    decision,
    running,
)
from taskhub_tui.tui.screens.decision_look import DecisionLook
from taskhub_tui.tui.screens.modify_form import ModifyForm
from taskhub_tui.tui.sending import Always
from taskhub_tui.tui.theme import UNICODE, Glyphs
from taskhub_tui.tui.widgets.case import CaseText
from taskhub_tui.tui.widgets.plain import Keys, Plain

REST = 0.5
"""Seconds without a key before the dialog listens: longer than a pause between two letters."""


class DecisionScreen(DecisionLook):
    """One question, or one failure, and what can be done about it; None is decide later."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("decision")]

    def __init__(
        self,
        view: TaskView,
        cards: Sequence[AgentCard],
        *,
        ranking: Sequence[Ranked] = (),
        place: tuple[int, int] = (1, 1),
        glyphs: Glyphs = UNICODE,
        log_tail: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
        initial_action: Action | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        can_put_away: bool = False,
        in_line: bool = False,
        check: Callable[[Decision], Awaitable[str | None]] | None = None,
        drafts: dict[Action, Draft] | None = None,
    ) -> None:
        """
        Args:
            ranking: the agents by how well they suit the task, with the reasons.
            place: this question's place among the open ones, and how many there are.
            log_tail: the last lines of the task's log; of a failure ten are shown, more with l.
            initial_action: what the person has asked for already; its form opens at once. An
                approval still wants its own key.
            monotonic: seconds, for the moment in which keys are dead.
            can_put_away: it is a failure that stands in the inbox, and need not.
            in_line: it came up by itself, and others may after it: they can all be left for later.
            check: returns why a decision would be refused, so that it can be mended; raises
                AlreadyDecided when it comes too late.
            drafts: what was typed in its forms before; what is typed now is kept there.
        """
        super().__init__()
        self.view = view
        self._cards = cards
        self._place = place
        self._glyphs = glyphs
        self._log_tail = log_tail
        self._clock = clock
        self._initial = initial_action
        self._monotonic = monotonic
        self._quiet_since = monotonic()
        self._ranking = ranking
        self._can_put_away = can_put_away
        self._in_line = in_line and place[1] > 1
        self._check = check
        self._drafts = drafts if drafts is not None else {}
        self._filled: set[Action] = set()
        self._checking = False
        self.gave_way = False
        """True when it closed so that another question could be put again."""
        self.put_away = False
        """True when it closed because the failure wants no answer."""
        self.always: Always | None = None
        """The rule that is made with the approval it closed with."""
        self.to_inbox = False
        """True when it closed because all that waits is to be seen together."""
        self._forms: dict[Action, Form] = {}

    def on_mount(self) -> None:
        if self._gone_from_screen:
            return  # The app is left at this moment.
        self._quiet_since = self._monotonic()
        self._wake()
        self._show_keys()
        self.set_interval(5.0, self._tick)
        body = self.query_one("#body")
        self.watch(body, "scroll_y", self._show_place, init=False)
        self.watch(body, "virtual_size", self._show_place, init=False)
        if self._initial is not None and self._initial in self.view.legal:
            self._open_for(self._initial)
        self.call_after_refresh(self._fit)

    # When it listens

    def rest(self) -> None:
        self._awake = False
        self._quiet_since = self._monotonic()
        self.call_later(self._wake)

    def _wake(self) -> None:
        """Start to listen once nobody has typed for a moment."""
        if self._awake:
            return
        left = REST - (self._monotonic() - self._quiet_since)
        if left <= 0:
            self._awake = True
            self._show_keys()
        else:
            self.set_timer(max(left, 0.02), self._wake)

    def _listens(self) -> bool:
        """True when a key counts; one that comes too early starts the wait anew."""
        if not self._awake and self._monotonic() - self._quiet_since >= REST:
            self._awake = True
            self._show_keys()
        if not self._awake:
            self._quiet_since = self._monotonic()
        return self._awake

    def on_key(self, event: events.Key) -> None:
        # Keys pass here before any binding of the dialog is looked at; not the one that takes the
        # last decision back: that is harmless, and it may be too late in a moment.
        if not self._listens():
            event.stop()
            event.prevent_default()

    def on_click(self, event: events.Click) -> None:
        if not self._listens():
            event.stop()

    # What a person does

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("begin", "choose", "scroll", "log", "away", "inbox", "always"):
            if self._form is not None or self._gone is not None:
                return False
            if action == "away":
                return self._can_put_away
            if action == "always":
                return bool(possible(self.view))
            if action == "inbox":
                return self._in_line
            if action == "begin":
                return Action(str(parameters[0])) in self.view.legal
        return True

    def action_begin(self, name: str) -> None:
        if self._listens() and self._gone is None:
            action = Action(name)
            if action in (Action.APPROVE, Action.RETRY):
                self._take(decision(action))
            else:
                self._open_for(action)

    def action_choose(self, index: int) -> None:
        if not self._listens() or index >= len(self._choices) or self._gone is not None:
            return
        choice = self._choices[index]
        assert self.view.blocker is not None
        self._take(decision(meant(self.view.blocker, choice), choice=choice.id))

    def action_always(self) -> None:
        """Choose the rule that is made with the approval; it asks before it is."""
        if self._listens() and self._gone is None and possible(self.view):
            self._open(AlwaysForm(self.view))

    def action_later(self) -> None:
        if self._listens():
            self.dismiss(None)

    def action_away(self) -> None:
        """Close a failure for good: it leaves the inbox, and stands failed in the list."""
        if self._listens():
            self.put_away = True
            self.dismiss(None)

    def action_inbox(self) -> None:
        """Leave all that wait for later, and show them together."""
        if self._listens():
            self.to_inbox = True
            self.dismiss(None)

    async def action_log(self) -> None:
        """Show more of the log, or less again."""
        body = self.query_one("#body", CaseText)
        if body.has_more_log:
            await body.enlarge()
            self.call_after_refresh(self._fit)

    def action_scroll(self, lines: int) -> None:
        self.query_one("#body").scroll_relative(y=lines, animate=False)

    @on(OptionList.OptionSelected, "#choices")
    def _choice_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.action_choose(event.option_index)

    @on(Keys.Pressed)
    async def _clicked(self, event: Keys.Pressed) -> None:
        event.stop()
        if not self._listens():
            return
        if event.key == "decision.log":
            await self.action_log()
        elif event.key == "decision.away":
            self.action_away()
        elif event.key == "decision.always":
            self.action_always()
        elif event.key == "decision.inbox":
            self.action_inbox()
        elif event.key == "answer.copy" and self._form is not None:
            self._form.action_copy_all()
        elif self._form is not None and self._gone is None:
            if event.key == "answer.edit":
                self._form.action_edit()
            elif event.key == "answer.back":
                self._form.action_back()
            else:
                self._form.action_send()
        elif event.key == "decision.later":
            self.dismiss(None)
        else:
            for action in self.view.legal:
                if event.key == f"decision.{action}":
                    self.action_begin(action.value)

    # The forms

    def _open_for(self, action: Action) -> None:
        """Open the form of `action`; what was typed in it before is still there."""
        match action:
            case Action.CANCEL:
                pending = decision(Action.CANCEL)
                self._open(YesForm(self.view, pending, "Cancel this task?"))
            case Action.DENY:
                self._open(self._forms.setdefault(action, ReasonForm(self.view)))
            case Action.PROVIDE_CONTEXT:
                self._open(self._forms.setdefault(action, WordsForm(self.view)))
            case Action.MODIFY:
                self._open(
                    self._forms.setdefault(action, ModifyForm(self.view, self._clock, self._cards))
                )
            case Action.REASSIGN:
                self._open(
                    self._forms.setdefault(action, AgentForm(self.view, self._cards, self._ranking))
                )
            case _:
                pass

    def _open(self, form: Form) -> None:
        self._shut()
        self._form = form
        form.display = True
        self.query_one("#body").display = not form.alone
        for choices in self.query("#choices"):
            choices.display = False

        if form.is_attached:
            self._ready()
        else:
            self.query_one("#dialog").mount(form, before="#notice")

    @on(Form.Ready)
    def _ready(self) -> None:
        if self._form is not None and self._form.is_mounted:
            self._fill(self._form)
            self._form.first.focus()
            self._show_keys()

    def _fill(self, form: Form) -> None:
        """Write in a form what was typed in it when the question was shown before."""
        for action in [one for one, other in self._forms.items() if other is form]:
            if action not in self._filled:
                self._filled.add(action)
                form.fill(self._drafts.get(action, {}))

    def _keep(self) -> None:
        """Keep what is typed, for when the question is shown again."""
        for action in self._filled:
            form = self._forms[action]
            if not form.is_mounted:
                continue
            if form.typed:
                self._drafts[action] = form.kept()
            else:
                self._drafts.pop(action, None)

    def dismiss(self, result: Decision | None = None) -> AwaitComplete:
        self._keep()
        return super().dismiss(result)

    def _shut(self) -> None:
        """Put the open form away; the text has the focus again."""
        if self._form is None:
            return
        form, self._form = self._form, None
        form.display = False
        if form not in self._forms.values():
            form.remove()
        self.query_one("#body").display = True
        for choices in self.query("#choices"):
            choices.display = True
        self.query_one("#body").focus()
        self._show_keys()

    @on(Form.Back)
    def _back(self, event: Form.Back) -> None:
        event.stop()
        if self._gone is not None:
            self.dismiss(None)
        elif self._listens():
            self._shut()

    @on(Form.Sent)
    def _sent(self, event: Form.Sent) -> None:
        event.stop()
        if self._listens() and self._gone is None:
            form = self._form
            if isinstance(form, AlwaysForm) and form.chosen is not None:
                self._open(AlwaysYesForm(self.view, event.decision, form.chosen, form.words))
                return
            self.always = form.always if isinstance(form, AlwaysYesForm) else None
            self._take(event.decision, confirmed=isinstance(self._form, ConfirmForm))

    def _take(self, taken: Decision, *, confirmed: bool = False) -> None:
        """Close with `taken`, or ask again where it would let something dangerous happen."""
        if not self.is_current:
            return  # It closes already: the second of two quick clicks.
        blocker = self.view.blocker
        risky = blocker is not None and blocker.risk == "high"
        if not confirmed and risky and words.approves(self.view, taken.action):
            self._open(TypedYesForm(self.view, taken, "This is of high risk."))
        elif not confirmed and taken.action is Action.REASSIGN and running(self.view):
            self._open(YesForm(self.view, taken, "An agent is at work on it. Stop it?"))
        else:
            self._finish(taken)

    def _finish(self, taken: Decision) -> None:
        if self._check is None:
            self.dismiss(taken)
        elif not self._checking:
            self._checking = True
            start(self, partial(self._checked, taken), group="checking")

    async def _checked(self, taken: Decision) -> None:
        """Close with `taken`, if the hub would take it; else say why not, and keep the form."""
        assert self._check is not None
        try:
            wrong = await self._check(taken)
        except AlreadyDecided as late:
            self.close_because(str(late))
            return
        except TaskHubError as error:
            wrong = str(error)
        finally:
            self._checking = False
        if self._gone is not None or not self.is_current:
            return
        if wrong is None:
            self.dismiss(taken)
            return
        if isinstance(self._form, ConfirmForm):
            back = self._forms.get(taken.action)
            self._open(back) if back is not None else self._shut()
        notice = self.query_one("#notice", Plain)
        notice.update(Content(wrong))
        notice.add_class("-said")
        self.call_after_refresh(self._fit)

    def give_way(self) -> bool:
        """Close without a decision for another question; False while somebody writes in it."""
        if self._typing or not self.is_current or self._gone is not None:
            return False
        self.gave_way = True
        self.dismiss(None)
        return True

    # When somebody else was faster

    def close_because(self, sentence: str) -> None:
        """Close, since the question was answered elsewhere; say so.

        Somebody in the middle of a text keeps it to copy: the dialog stays, but sends no more.
        """
        sentence = one_line(sentence)
        self._gone = sentence
        written = self.written
        if written is None:
            self._leave()
            return
        if self._form is None or self._form is not self._forms.get(written):
            self._open_for(written)
        for form in self._forms.values():
            form.gone = True
        notice = self.query_one("#notice", Plain)
        notice.update(Content(f"{sentence}. Your text is kept here to copy; it cannot be sent."))
        notice.add_class("-said")
        self._show_keys()
        self.refresh_bindings()

    @property
    def written(self) -> Action | None:
        """The form in which something is written, the open one first; None when there is none."""
        forms = sorted(self._forms.items(), key=lambda pair: pair[1] is not self._form)
        for action, form in forms:
            if form.is_mounted and (form.typed or form.editing):
                return action
        unopened = (action for action in self._drafts if action not in self._filled)
        return next(unopened, None)

    @property
    def _typing(self) -> bool:
        return (
            self._form is not None
            and self._form.is_mounted
            and (self._form.typed or self._form.editing)
        )

    @on(Form.Edited)
    def _edited(self) -> None:
        if self._gone is not None and self.written is None:
            self._leave()

    def _leave(self) -> None:
        # A screen under another one cannot close; it does so once it is on top again.
        if self._gone is not None and self.is_current:
            self.app.notify(self._gone, markup=False)
            self.dismiss(None)

    def on_screen_resume(self) -> None:
        if self._gone is not None and self.written is None:
            self._leave()
