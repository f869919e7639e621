"""What waits for the person, at the right of a wide screen, in the order of the inbox."""

import time
from collections.abc import Callable, Sequence

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from taskhub_tui.domain.durations import spell
from taskhub_tui.domain.waiting import Need, Waiting, line
from taskhub_tui.text import one_line
from taskhub_tui.tui import render
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.theme import UNICODE, Glyphs
from taskhub_tui.tui.widgets.options import Options
from taskhub_tui.tui.widgets.plain import Plain

SHOWN = 50
"""Entries at most; the inbox itself has them all."""


class Waits(Options):
    BINDINGS = [*bindings("pane")]


class InboxPane(Vertical):
    """Shows what it is given; a click, or Enter, goes to the task."""

    DEFAULT_CSS = """
    InboxPane {
        background: $background; padding: 0 1 0 2;
        & .top { height: 2; }
        & OptionList {
            height: 1fr; border: none; padding: 0; background: $background;
            scrollbar-size-vertical: 1; scrollbar-color: $faint;
            scrollbar-background: $background;
            &:focus { background-tint: $foreground 0%; }
            & > .option-list--option-highlighted { background: $background; text-style: none; }
            &:focus > .option-list--option-highlighted { background: $cursor; text-style: none; }
        }
    }
    """

    class Chosen(Message):
        """A person wants to see this task."""

        def __init__(self, task_id: str) -> None:
            super().__init__()
            self.task_id = task_id

    def __init__(self, *, glyphs: Glyphs = UNICODE, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._glyphs = glyphs
        self._clock = clock
        self._waiting: Sequence[Waiting] = ()
        self._count = 0
        self._drawn: tuple[object, ...] = ()
        self._ids: list[str] = []
        self._top = Plain(classes="top")
        self._list = Waits()

    def compose(self) -> ComposeResult:
        yield self._top
        yield self._list

    def show(self, waiting: Sequence[Waiting]) -> None:
        """Show what waits, the most urgent first."""
        self._waiting, self._count = waiting[:SHOWN], len(waiting)
        self.draw()

    def take_focus(self) -> None:
        """Give the keys to the list."""
        self._list.focus()

    @property
    def has_keys(self) -> bool:
        return self._list.has_focus

    def draw(self) -> None:
        """Draw it again, for its ages."""
        width = max(16, self._list.scrollable_content_region.width - 1)
        entries = self._entries()
        drawn = (width, self._count, *entries)
        if drawn == self._drawn:
            return
        self._drawn = drawn
        count = f"{self._count:,} open" if self._count else "nothing waits"
        self._top.update(Content.assemble(("Inbox", "bold $foreground"), (f"  {count}", "$muted")))
        at = self._list.highlighted
        here = self._ids[at] if at is not None and at < len(self._ids) else None
        self._ids = [task_id for task_id, *_ in entries]
        options = []
        for _, glyph, colour, title, under in entries:
            options.append(
                Option(
                    Content.assemble(
                        (f"{glyph} ", f"bold {colour}"),
                        (render.fit(title, width - 2, self._glyphs), "bold $foreground"),
                        "\n  ",
                        (render.fit(under, width - 2, self._glyphs), "$muted"),
                        "\n ",
                    )
                )
            )
        self._list.clear_options()
        self._list.add_options(options)
        if self._ids:
            self._list.highlighted = self._ids.index(here) if here in self._ids else 0

    def _entries(self) -> list[tuple[str, str, str, str, str]]:
        now, dot = self._clock(), self._glyphs.dot
        looks = {
            Need.FAILED: (self._glyphs.failed, "$failed"),
            Need.PAUSED: (self._glyphs.paused, "$muted"),
        }
        found = []
        for one in self._waiting:
            glyph, colour = looks.get(one.need, (self._glyphs.needs, "$needs"))
            age = spell(now - one.since)
            said = one_line(line(one, now), 200)
            under = f" {dot} ".join(part for part in (str(one.need), age, said) if part)
            found.append((one.task.id, glyph, colour, one_line(one.task.title, 200), under))
        return found

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        if event.option_index < len(self._ids):
            self.post_message(self.Chosen(self._ids[event.option_index]))
