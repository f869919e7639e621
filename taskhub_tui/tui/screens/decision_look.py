"""How the dialog in which a person decides looks: the question, its answers, and its keys."""

from collections.abc import Callable, Sequence

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets.option_list import Option

from taskhub_tui.domain.model import Action, Choice, Decision, TaskView
from taskhub_tui.text import one_line
from taskhub_tui.tui.screens import decision_words as words
from taskhub_tui.tui.screens.decision_forms import Form
from taskhub_tui.tui.theme import Glyphs
from taskhub_tui.tui.widgets.case import CaseText
from taskhub_tui.tui.widgets.pick import Pick
from taskhub_tui.tui.widgets.plain import Keys, Plain


class DecisionLook(ModalScreen[Decision | None]):
    """The half of the dialog that shows it; the other half listens and decides."""

    DEFAULT_CSS = """
    DecisionLook {
        align: center middle;
        background: $background 60%;
        #dialog {
            width: 84; max-width: 95%; height: auto; max-height: 100%;
            padding: 1 2; background: $panel; border: round $running;
            border-title-style: none;
        }
        &.-short #dialog { padding: 0 2; }
        #dialog.-needs { border: round $needs; border-title-color: $needs; }
        #dialog.-failed { border: round $failed; border-title-color: $failed; }
        #dialog.-running { border: round $running; border-title-color: $running; }
        #dialog.-muted { border: round $muted; border-title-color: $muted; }
        #dialog.-done { border: round $done; border-title-color: $done; }
        #place { height: 1; color: $muted; display: none; }
        #place.-long { display: block; }
        #choices {
            height: auto; max-height: 11; margin-top: 1; padding: 0;
            background: $panel; border: none;
        }
        #notice { color: $needs; margin-top: 1; height: auto; display: none; }
        #notice.-said { display: block; }
        #actions { margin-top: 1; }
    }
    """
    AUTO_FOCUS = "#body"
    VERTICAL_BREAKPOINTS = [(0, "-short"), (30, "-tall")]

    view: TaskView
    _place: tuple[int, int]
    _glyphs: Glyphs
    _log_tail: Sequence[str]
    _clock: Callable[[], float]
    _can_put_away: bool
    _awake = False
    """True once keys count."""
    _gone: str | None = None
    """Why nothing can be decided any more, as a sentence."""
    _form: Form | None = None
    """The form that is open."""

    def compose(self) -> ComposeResult:
        now = self._clock()
        title, colour = words.heading(self.view, self._glyphs)
        number, total = self._place
        with Vertical(id="dialog", classes=f"-{colour}") as dialog:
            dialog.border_title = f" {title} · {number} of {total} " if total > 1 else f" {title} "
            yield CaseText(self.view, now, self._log_tail, id="body")
            yield Plain(id="place")
            if self._choices:
                yield Pick(
                    *(Option(self._choice(n, one)) for n, one in enumerate(self._choices, 1)),
                    id="choices",
                )
            yield Plain(id="notice")
            yield Keys(id="actions")

    @staticmethod
    def _choice(number: int, choice: Choice) -> Content:
        key = str(number) if number < 10 else " "
        return Content.assemble((key, "bold $needs"), "  ", one_line(choice.label))

    @property
    def _choices(self) -> tuple[Choice, ...]:
        return self.view.blocker.choices if self.view.blocker is not None else ()

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit)

    def _tick(self) -> None:
        if self._gone_from_screen:
            return
        self.query_one("#body", CaseText).tick(self._clock())

    def _show_place(self) -> None:
        """Say which lines are in sight of a text that is longer than the dialog."""
        if self._gone_from_screen or not self.query("#place"):
            return
        body, line = self.query_one("#body"), self.query_one("#place", Plain)
        total, seen = body.virtual_size.height, body.size.height
        long = body.display and total > seen > 0
        if long:
            first = round(body.scroll_y) + 1
            last = min(total, first + seen - 1)
            words_ = Content.styled(f"lines {first}{self._glyphs.dash}{last} of {total}", "$muted")
            if last < total:
                dot = Content.styled(f" {self._glyphs.dot} ", "$muted")
                below = f"{total - last} more below"
                colour = "$needs" if Action.APPROVE in self.view.legal else "$muted"
                words_ = Content.assemble(words_, dot, (below, colour))
            line.update(words_)
        if line.has_class("-long") != long:
            line.set_class(long, "-long")
            self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        """Give the text what the lines below it leave, so that the keys are always in sight."""
        if self._gone_from_screen:
            return
        dialog = self.query_one("#dialog")
        room = self.size.height - 4 - (dialog.outer_size.height - dialog.size.height) + 2
        for widget in dialog.children:
            if widget.id != "body" and widget.display and widget is not self._form:
                room -= widget.outer_size.height + widget.styles.margin.height
        if self._form is not None and self._form.alone:
            self._form.styles.max_height = max(6, room)
            return
        if self._form is not None:
            room -= self._form.outer_size.height + self._form.styles.margin.height
        self.query_one("#body").styles.max_height = max(3, room)
        self.call_after_refresh(self._show_place)

    @property
    def _gone_from_screen(self) -> bool:
        """True when what was to be done later comes while the dialog goes, part by part."""
        return len(self.query("#dialog, #body, #notice, #actions")) < 4

    def _show_keys(self) -> None:
        if self._gone_from_screen:
            return
        bar = self.query_one("#actions", Keys)
        colour = words.heading(self.view, self._glyphs)[1]
        if self._gone is not None:
            copy = [("answer.copy", "copy what you typed")] if self._form is not None else []
            bar.show([*copy, ("decision.later", "close")])
        elif self._form is not None:
            bar.show(self._form.keys, main=self._form.keys[0][0], colour="$running")
        else:
            keys = [(f"decision.{act}", words.label(self.view, act)) for act in self.view.legal]
            main = keys[0][0] if keys else None
            if self.query_one("#body", CaseText).has_more_log:
                keys.append(("decision.log", "log"))
            if self._can_put_away:
                keys.append(("decision.away", "put away"))
            waits = self.view.blocker is not None or self._can_put_away
            later = "decide later" if waits else "close"
            bar.show(
                [*keys, ("decision.later", later)],
                main=main,
                colour=f"${colour}",
                awake=self._awake,
            )
        self.call_after_refresh(self._fit)
