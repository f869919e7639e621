"""Who can do work: what each agent is there for, what holds it back, and how it has fared."""

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from taskhub_tui.domain import durations
from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.domain.model import AgentCard, NewTask
from taskhub_tui.domain.views import AgentRecord
from taskhub_tui.hub import Hub
from taskhub_tui.text import one_line
from taskhub_tui.tui import render
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.background import start
from taskhub_tui.tui.sizes import take_size
from taskhub_tui.tui.theme import UNICODE, Glyphs
from taskhub_tui.tui.widgets.about import wrapped
from taskhub_tui.tui.widgets.footer import KeyLine
from taskhub_tui.tui.widgets.options import Rows
from taskhub_tui.tui.widgets.plain import Plain

if TYPE_CHECKING:
    from taskhub_tui.tui.app import TaskHubApp

EVERY = 2.0
"""Seconds after which the numbers are read again when nobody rang."""
_HABITS = {
    "adopt": "goes on: its work outlives the worker",
    "rerun": "runs the stage again: repeating is harmless",
    "ask": "asks you whether to run the stage again",
}


class _Left(VerticalScroll, inherit_bindings=False):
    """Scrolls with the list in it, and takes no keys from it."""


class AgentsScreen(Screen[str | None]):
    """The agents on the left, the one under the cursor beside them; below 110 columns, under."""

    DEFAULT_CSS = """
    AgentsScreen {
        background: $background;
        #top { height: 1; background: $panel; padding: 0 2; }
        #head { height: 1; color: $muted; padding: 0 2; }
        #body { height: 1fr; layout: vertical; }
        &.-wide #body { layout: horizontal; }
        #left { height: auto; max-height: 45%; }
        &.-wide #left { width: 56%; height: 1fr; max-height: 100%; }
        #list {
            height: 1fr; border: none; padding: 0 1; background: $background;
            scrollbar-size-vertical: 1; scrollbar-color: $faint;
            &:focus { background-tint: $foreground 0%; }
            & > .option-list--option-highlighted { text-style: none; background: $cursor; }
        }
        #left > #list { height: auto; max-height: 100%; }
        #about {
            height: 1fr; padding: 1 2; scrollbar-size-vertical: 1; scrollbar-color: $faint;
            scrollbar-gutter: stable;
        }
        &.-wide #about { border-left: vkey $faint; }
        #card { height: auto; }
    }
    .-ascii AgentsScreen.-wide #about { border-left: ascii $faint; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("agents", "place", "panes")]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]
    AUTO_FOCUS = "#list"
    may_be_asked = True
    """Questions come up over it, as they do over the list."""
    app: "TaskHubApp"

    def __init__(self, hub: Hub, glyphs: Glyphs = UNICODE) -> None:
        super().__init__()
        self._hub = hub
        self._glyphs = glyphs
        self._cards: Sequence[AgentCard] = ()
        self._records: Mapping[str, AgentRecord] = {}
        self._rows: list[Content] = []

    def compose(self) -> ComposeResult:
        take_size(self)
        yield Plain(id="top")
        with Horizontal(id="body"):
            with _Left(id="left", can_focus=False):
                yield Plain(id="head")
                yield Rows(id="list")
            with VerticalScroll(id="about", can_focus=False):
                yield Plain(id="card")
        yield KeyLine(glyphs=self._glyphs)

    def on_mount(self) -> None:
        start(self, self._watch, group="agents", exclusive=True)

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    async def _watch(self) -> None:
        while True:
            try:
                self._cards = self._hub.agents()
                self._records = await self._hub.records([card.name for card in self._cards])
            except TaskHubError as error:
                self.query_one("#top", Plain).update(Content.styled(str(error), "$failed"))
            else:
                self._draw()
            await self._hub.changed(EVERY)

    # What it shows

    def _draw(self) -> None:
        if not self._cards:
            return
        usable = sum(card.problem is None for card in self._cards)
        said = f"{usable} can be used"
        if broken := len(self._cards) - usable:
            said += f", {broken} cannot"
        self.query_one("#top", Plain).update(
            Content.assemble(("Agents", "bold"), "   ", (said, "$muted"))
        )
        options = self.query_one("#list", OptionList)
        width = max(50, options.size.width - 3)
        head = f"  {'AGENT':<{width - 39}}{'RUNNING':>9}{'DONE':>9}{'SUCCESS':>9}{'USUALLY':>9}"
        self.query_one("#head", Plain).update(Content(head))
        rows = [self._row(card, width) for card in self._cards]
        if rows != self._rows:
            at = options.highlighted
            self._rows = rows
            options.clear_options()
            options.add_options([Option(row) for row in rows])
            options.highlighted = min(at or 0, len(rows) - 1)
        self._draw_card()

    def _record(self, card: AgentCard) -> AgentRecord:
        return self._records.get(card.name) or AgentRecord(card.name)

    def _row(self, card: AgentCard, width: int) -> Content:
        one, glyphs = self._record(card), self._glyphs
        most = self._hub.settings.limits.agents.get(card.name)
        if card.problem:
            glyph, colour = glyphs.failed, "$failed"
        elif one.limited_until is not None:
            glyph, colour = glyphs.retrying, "$muted"
        elif one.running:
            glyph, colour = glyphs.running, "$running"
        else:
            glyph, colour = glyphs.queued, "$muted"
        running = f"{one.running}/{most}" if most is not None else str(one.running or glyphs.dash)
        success = glyphs.dash if one.success is None else f"{one.success:.0%}"
        usual = glyphs.dash if one.usual is None else durations.spell(one.usual)
        done = f"{one.done:,}" if one.done else glyphs.dash
        title = Content.styled(
            one_line(card.title, 60), "$muted" if card.problem else "bold $foreground"
        ).truncate(width - 40, ellipsis=True, pad=True)
        return Content.assemble(
            (glyph, colour),
            " ",
            title,
            (f"{running:>9}", "$running" if one.running else "$muted"),
            (f"{done:>9}{success:>9}{usual:>9}", "$muted"),
        )

    def _here(self) -> AgentCard | None:
        at = self.query_one("#list", OptionList).highlighted
        return self._cards[at] if at is not None and at < len(self._cards) else None

    @on(OptionList.OptionHighlighted)
    def _draw_card(self) -> None:
        card = self._here()
        if card is None:
            return
        lines = [
            Content.styled(one_line(card.title), "bold $foreground"),
            Content.styled(one_line(card.name, 60), "$muted"),
        ]
        if card.problem:
            lines += [
                Content(""),
                Content.assemble(
                    (f"{self._glyphs.failed} ", "$failed"),
                    f"It cannot be used: {one_line(card.problem)}",
                ),
            ]
        if card.description:
            lines += [Content(""), Content(one_line(card.description))]
        lines += [Content(""), *self._now(card)]
        facts = [
            ("Good for", ", ".join(sorted(card.capabilities))),
            ("Found by", ", ".join(card.keywords[:12])),
            ("Stages", ", ".join(stage.name for stage in card.stages) or "run"),
            ("If cut off", _HABITS[card.on_interrupt]),
        ]
        lines.append(Content(""))
        for name, words in facts:
            if words:
                lines += self._fact(name, words)
        if card.options:
            lines += [Content(""), Content.styled("Options", "bold $foreground")]
            for name, meaning in card.options.items():
                lines += self._fact(
                    one_line(name, 30), meaning, wide=16, colours=("$foreground", "$muted")
                )
        self.query_one("#card", Plain).update(Content("\n").join(lines))

    def _now(self, card: AgentCard) -> list[Content]:
        """Return what it does now, what holds it back, and what came of its work here."""
        one = self._record(card)
        most = self._hub.settings.limits.agents.get(card.name)
        limit = f"at most {most} at once" if most is not None else "no limit of its own"
        lines = self._fact("Now", f"{one.running} running, {one.waiting} waiting, {limit}")
        if one.limited_until is not None:
            now = self._hub.clock()
            until = render.clock(one.limited_until, now)
            left = durations.countdown(one.limited_until - now)
            said = f": {one_line(one.limited_by, 120)}" if one.limited_by else ""
            lines += self._fact("Limited", f"by its provider until {until}, for {left}{said}")
        over = one.done + one.failed + one.cancelled
        if not over:
            words = "no task of its own is over yet"
        else:
            words = f"{one.done:,} done, {one.failed:,} failed, {one.cancelled:,} cancelled"
            if one.usual is not None:
                words += f"; usually {durations.spell(one.usual)} of work"
        return lines + self._fact("So far", words)

    def _fact(
        self,
        name: str,
        words: str,
        *,
        wide: int = 12,
        colours: tuple[str, str] = ("$muted", "$foreground"),
    ) -> list[Content]:
        """Return a name and what there is to say of it, whose lines stand below each other."""
        left, right = colours
        room = max(20, self.query_one("#card").size.width - wide - 1)
        return [
            Content.assemble((f"{name if first else '':<{wide}}", left), (line, right))
            for first, line in zip(
                itertools.chain([True], itertools.repeat(False)),
                wrapped(one_line(words, 4000), room),
                strict=False,
            )
        ]

    # What a person does

    def action_move(self, by: int) -> None:
        options = self.query_one("#list", OptionList)
        (options.action_cursor_down if by > 0 else options.action_cursor_up)()

    def action_leap(self, how: str) -> None:
        self.query_one("#list", Rows).leap(how)

    @on(OptionList.OptionSelected)
    def action_new(self) -> None:
        card = self._here()
        if card is None:
            return
        if card.problem:
            said = f"It cannot be used: {one_line(card.problem, 300)}"
            self.notify(said, severity="warning", markup=False)
            return
        app = self.app
        self.dismiss(None)
        app.call_later(app.hand_over, NewTask("", agent=card.name))

    def action_filter(self) -> None:
        if (card := self._here()) is not None:
            app = self.app
            self.dismiss(None)
            app.call_later(app.show_filter, f"agent:{card.name}")

    def action_back(self) -> None:
        self.dismiss(None)
