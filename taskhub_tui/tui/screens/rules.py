"""What is allowed without asking: each rule, who made it, how often it decided; to be revoked."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from taskhub_tui.domain import durations
from taskhub_tui.domain.errors import ReadOnly, TaskHubError
from taskhub_tui.domain.rules import Rule, words
from taskhub_tui.hub import Hub
from taskhub_tui.text import one_line
from taskhub_tui.tui import render
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.background import start
from taskhub_tui.tui.sending import Ended
from taskhub_tui.tui.theme import UNICODE, Glyphs
from taskhub_tui.tui.widgets.ask import Ask
from taskhub_tui.tui.widgets.footer import KeyLine
from taskhub_tui.tui.widgets.options import Rows
from taskhub_tui.tui.widgets.plain import Plain

if TYPE_CHECKING:
    from taskhub_tui.tui.app import TaskHubApp

EVERY = 2.0
"""Seconds after which the list is read again when nobody rang."""
_SCOPE, _USED = 10, 22
"""Columns of the scope, and of how often a rule was used."""


class RulesScreen(Screen[str | None]):
    """A list of the rules that hold, and below it all there is to know of the one under the cursor.

    A revocation is held as a decision is, so it can be taken back.
    """

    DEFAULT_CSS = """
    RulesScreen {
        background: $background;
        #top { height: 1; background: $panel; padding: 0 2; }
        #head { height: 1; color: $muted; padding: 0 2; }
        #list {
            height: 1fr; border: none; padding: 0 1; background: $background;
            scrollbar-size-vertical: 1; scrollbar-color: $faint;
            &:focus { background-tint: $foreground 0%; }
            & > .option-list--option-highlighted { text-style: none; background: $cursor; }
        }
        #foot { height: auto; padding: 0 2; border-top: solid $faint; }
        #about { height: auto; max-height: 8; }
    }
    .-ascii RulesScreen #foot { border-top: ascii $faint; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("rules", "place", "panes")]
    AUTO_FOCUS = "#list"
    app: "TaskHubApp"

    def __init__(self, hub: Hub, glyphs: Glyphs = UNICODE) -> None:
        super().__init__()
        self._hub = hub
        self._glyphs = glyphs
        self._rules: Sequence[Rule] | None = None
        self._rows: list[Content] = []
        self._asked: Rule | None = None
        """The rule that may be revoked, once the person has said yes."""

    @property
    def may_be_asked(self) -> bool:
        """Questions come up over it, as over the list, but not while it asks itself."""
        return self._asked is None

    def compose(self) -> ComposeResult:
        yield Plain(id="top")
        yield Plain(id="head")
        yield Rows(id="list")
        with Vertical(id="foot"):
            yield Plain(id="about")
            yield Ask(id="ask")
        yield KeyLine(glyphs=self._glyphs)

    def on_mount(self) -> None:
        start(self, self._watch, group="rules", exclusive=True)
        self.app.asker.news.subscribe(self, lambda _: self._draw())

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    async def _watch(self) -> None:
        while True:
            try:
                self._rules = await self._hub.rules()
            except TaskHubError as error:
                self.query_one("#top", Plain).update(Content.styled(str(error), "$failed"))
            else:
                self._draw()
            await self._hub.changed(EVERY)

    # What it shows

    def _draw(self) -> None:
        if self._rules is None or not self.is_mounted:
            return
        count = len(self._rules)
        said = "1 rule" if count == 1 else f"{count:,} rules"
        self.query_one("#top", Plain).update(
            Content.assemble(("Always allowed", "bold"), "   ", (said if count else "", "$muted"))
        )
        options = self.query_one("#list", OptionList)
        width = max(50, options.size.width - 3)
        room = width - _SCOPE - _USED - 2
        head = f" {'SCOPE':<{_SCOPE}}{'WHAT':<{room}}{'USED':>{_USED}}" if count else ""
        self.query_one("#head", Plain).update(Content(head))
        going = self._going()
        rows = [self._row(rule, room, going) for rule in self._rules]
        if rows != self._rows or not rows:
            here = self._here
            self._rows = rows
            options.clear_options()
            options.add_options(
                Option(row, id=rule.id) for row, rule in zip(rows, self._rules, strict=True)
            )
            if rows:
                ids = [rule.id for rule in self._rules]
                at = ids.index(here.id) if here is not None and here.id in ids else None
                options.highlighted = 0 if at is None else at
        self._explain()
        self.refresh_bindings()

    def _going(self) -> set[str]:
        """Return the rules that will be revoked in a moment, unless that is taken back."""
        held = self.app.asker.sender.held
        return {part.rule.id for one in held for part in one.parts if isinstance(part, Ended)}

    def _row(self, rule: Rule, room: int, going: set[str]) -> Content:
        now = self._hub.clock()
        if rule.id in going:
            used = "to be revoked"
        elif not rule.uses or rule.used is None:
            used = "never"
        else:
            times = "once" if rule.uses == 1 else f"{rule.uses:,} times"
            used = f"{times}, {durations.spell(max(0.0, now - rule.used))} ago"
        value = Content(one_line(rule.value)).truncate(room - 1, ellipsis=True, pad=True)
        colour = "$muted" if rule.id in going else "$foreground"
        return Content.assemble(
            "  ",
            (f"{rule.scope.value:<{_SCOPE}}", "$muted"),
            value.stylize(colour),
            " ",
            (f"{used:>{_USED}}", "$needs" if rule.id in going else "$muted"),
        )

    @property
    def _here(self) -> Rule | None:
        options = self.query_one("#list", OptionList)
        at = options.highlighted
        name = None if at is None else options.get_option_at_index(at).id
        return next((rule for rule in self._rules or () if rule.id == name), None)

    @on(OptionList.OptionHighlighted)
    def _explain(self) -> None:
        rule, own = self._here, self.app.own_keys
        if rule is None:
            always = own.short("decision.always") or "Always allow"
            lines = [
                Content("There are no rules: whatever an agent asks comes to you."),
                Content.styled(
                    f"{always} in a question that is not of high risk approves it and makes one;"
                    " so does `taskhub rules --allow SCOPE=VALUE`.",
                    "$muted",
                ),
            ]
        else:
            when = render.clock(rule.created, self._hub.clock())
            revoke = own.short("rules.revoke") or "Revoke"
            lines = [
                Content(f"{one_line(words(rule.scope, rule.value), 2100)}."),
                Content.styled(
                    f"Made by {one_line(rule.by, 60)} ({one_line(rule.channel, 20)}), {when}."
                    f" Rule {rule.id}. {revoke} revokes it; what it has decided stands.",
                    "$muted",
                ),
                Content.styled(
                    "It never answers what is of high risk, a gate, a review, or what wants words.",
                    "$muted",
                ),
            ]
        self.query_one("#about", Plain).update(Content("\n").join(lines))

    # What a person does

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return action != "revoke" or bool(self._rules)

    def action_revoke(self) -> None:
        if self._hub.read_only:
            self.app.say(ReadOnly())
        elif (rule := self._here) is not None and rule.id not in self._going():
            self._asked = rule
            self.query_one(Ask).ask("Revoke this rule? y revokes it, any other key does not")

    @on(Ask.Answered)
    async def _answered(self, event: Ask.Answered) -> None:
        event.stop()
        rule, self._asked = self._asked, None
        self.query_one("#list").focus()
        if event.yes and rule is not None:
            await self.app.asker.sender.take([Ended(rule)])
            self._draw()

    def action_move(self, by: int) -> None:
        options = self.query_one("#list", OptionList)
        (options.action_cursor_down if by > 0 else options.action_cursor_up)()

    def action_leap(self, how: str) -> None:
        self.query_one("#list", Rows).leap(how)

    def action_back(self) -> None:
        self.dismiss(None)
