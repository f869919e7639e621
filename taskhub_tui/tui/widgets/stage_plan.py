"""The stages a new task would have: how long each takes, and which of them wait for a person."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.style import Style
from textual.widget import Widget

from taskhub_tui.domain import durations
from taskhub_tui.domain.model import StageSpec
from taskhub_tui.text import one_line
from taskhub_tui.tui.actions import bindings

Asks = Mapping[tuple[int, str], tuple[bool, bool]]
"""By position and name of a stage: does a person approve it before, and its result after?"""


def asked(plan: Sequence[StageSpec], asks: Asks) -> tuple[StageSpec, ...]:
    """Return the plan with what a person has said about its stages."""
    found = []
    for at, stage in enumerate(plan):
        gate, review = asks.get((at, stage.name), (stage.gate, stage.review))
        found.append(replace(stage, gate=gate, review=review))
    return tuple(found)


class StagePlan(Widget, can_focus=True):
    """A line for each stage, with a box for before it and one for after it."""

    DEFAULT_CSS = """
    StagePlan { height: auto; color: $foreground; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("plan")]

    class Changed(Message):
        """A box was ticked, or a tick was taken away."""

    def __init__(self, *, dash: str = "–", id: str | None = None) -> None:
        super().__init__(id=id)
        self.asks: dict[tuple[int, str], tuple[bool, bool]] = {}
        self._plan: tuple[StageSpec, ...] = ()
        self._times: Sequence[float | None] = ()
        self._dash = dash
        self._at = 0
        self._side = 0

    def show(self, plan: Sequence[StageSpec]) -> None:
        """Show another plan."""
        if tuple(plan) != self._plan:
            if [one.name for one in plan] != [one.name for one in self._plan]:
                self._times = ()
            self._plan = tuple(plan)
            self._at = min(self._at, max(0, len(self._plan) - 1))
            self.refresh(layout=True)

    def expect(self, times: Sequence[float | None]) -> None:
        """Show how long the stages take by past runs."""
        self._times = times
        self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return max(1, len(self._plan) + bool(self._plan))

    def render(self) -> Content:
        if not self._plan:
            return Content.styled("known once an agent is chosen", "$muted")
        room = max(10, min(24, self.content_size.width - 42))
        lines = [self._line(at, stage, room) for at, stage in enumerate(self._plan)]
        return Content("\n").join([*lines, Content.styled(self._sum(), "$muted")])

    def _line(self, at: int, stage: StageSpec, room: int) -> Content:
        here = self.has_focus and at == self._at
        name = Content(one_line(stage.name, 40)).truncate(room, ellipsis=True, pad=True)
        usual = self._times[at] if at < len(self._times) else None
        took = durations.spell(usual) if usual is not None else self._dash
        parts = [
            Content.styled(f"{at + 1:>2} ", "$muted"),
            name.stylize("bold") if here else name,
            Content.styled(f" {took:>5}   ", "$muted"),
        ]
        for side, (on, label) in enumerate(
            ((stage.gate, "ask before"), (stage.review, "ask after"))
        ):
            chosen = here and side == self._side
            box = Content.assemble(
                ("[x]" if on else "[ ]", "$running" if on else "$muted"),
                (f" {label}", "bold $foreground on $cursor" if chosen else "$muted"),
            )
            parts += [box.stylize(Style.from_meta({"box": (at, side)})), Content("  ")]
        return Content("").join(parts)

    def _sum(self) -> str:
        known = [seconds for seconds in self._times if seconds is not None]
        words = []
        if known and len(known) == len(self._plan):
            words.append(f"about {durations.spell(sum(known))} by past runs")
        elif known:
            words.append(f"more than {durations.spell(sum(known))} by past runs")
        else:
            words.append("not run here before")
        limits = [stage.timeout for stage in self._plan]
        if None not in limits:
            words.append(f"at most {durations.spell(sum(limit or 0.0 for limit in limits))}")
        return "   " + ", ".join(words)

    # Keys and mouse

    def action_move(self, by: int) -> None:
        self._at = max(0, min(len(self._plan) - 1, self._at + by))
        self._seen()

    def action_side(self, side: int) -> None:
        self._side = side
        self.refresh()

    def action_tick(self) -> None:
        if not self._plan:
            return
        stage = self._plan[self._at]
        gate, review = stage.gate, stage.review
        answer = (not gate, review) if self._side == 0 else (gate, not review)
        self.asks[self._at, stage.name] = answer
        self._plan = asked(self._plan, self.asks)
        self.refresh()
        self.post_message(self.Changed())

    def on_click(self, event: events.Click) -> None:
        box = event.style.meta.get("box")
        if box is not None:
            self._at, self._side = box
            self.action_tick()

    def on_focus(self) -> None:
        self._seen()

    def on_blur(self) -> None:
        self.refresh()

    def _seen(self) -> None:
        self.refresh()
        self.scroll_visible(animate=False)
