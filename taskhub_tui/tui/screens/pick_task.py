"""Choosing a task by a part of its title or ID."""

from collections.abc import Collection, Sequence
from functools import partial
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from taskhub_tui.domain import durations
from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.domain.model import Status, Task
from taskhub_tui.hub import Hub
from taskhub_tui.text import one_line
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.background import start
from taskhub_tui.tui.theme import UNICODE, Glyphs, task_look
from taskhub_tui.tui.widgets.options import Options
from taskhub_tui.tui.widgets.path_input import CleanInput
from taskhub_tui.tui.widgets.plain import Keys, Plain

_TALL, _AROUND = 16, 9
"""Lines of tasks at most, and what stands above and below them."""
MOST = 100
"""Tasks that are shown; more letters find the others."""


class PickTaskScreen(ModalScreen[str | None]):
    """Returns the ID of the task that was chosen; None when the person goes back."""

    DEFAULT_CSS = """
    PickTaskScreen {
        align: center middle; background: $background 60%;
        #box {
            width: 90; max-width: 95%; height: auto; max-height: 90%; padding: 1 2;
            background: $panel; border: round $running;
            border-title-color: $running; border-title-style: none;
        }
        Input { background: $background; padding: 0; margin-bottom: 1; }
        OptionList {
            height: auto; background: $panel; border: none; padding: 0;
            scrollbar-size-vertical: 1; scrollbar-color: $faint;
            & > .option-list--option-highlighted { background: $cursor; text-style: none; }
        }
        #none { color: $muted; display: none; }
        Keys { margin-top: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("pick")]
    AUTO_FOCUS = "Input"

    def __init__(
        self,
        hub: Hub,
        *,
        title: str,
        status: Collection[Status] = (),
        text: str = "",
        glyphs: Glyphs = UNICODE,
    ) -> None:
        """
        Args:
            status: only tasks that stand so; all when empty.
            text: what is looked for at first.
        """
        super().__init__()
        self._hub = hub
        self._title = title
        self._status = status
        self._text = text
        self._glyphs = glyphs

    def compose(self) -> ComposeResult:
        with Vertical(id="box") as box:
            box.border_title = f" {self._title} "
            yield CleanInput(
                self._text,
                placeholder="a part of its title, request, agent or ID",
                compact=True,
                select_on_focus=False,
            )
            yield Options()
            yield Plain("No task has these words", id="none")
            yield Keys([("enter", "take it"), ("pick.down", "next"), ("pick.leave", "back")])

    def on_mount(self) -> None:
        self._fit()
        self._look()

    def on_resize(self) -> None:
        self._fit()

    def _fit(self) -> None:
        """Leave the keys in sight, however many tasks there are."""
        room = self.app.size.height * 9 // 10 - _AROUND
        for options in self.query(OptionList):
            options.styles.max_height = max(3, min(_TALL, room))

    @on(Input.Changed)
    def _look(self) -> None:
        text = self.query_one(Input).value
        start(self, partial(self._find, text), group="find", exclusive=True)

    async def _find(self, text: str) -> None:
        try:
            found = await self._hub.latest(text=text, status=self._status, limit=MOST)
        except TaskHubError as error:
            self.app.notify(str(error), severity="warning", markup=False)
            return
        self._show(found)

    def _show(self, tasks: Sequence[Task]) -> None:
        options = self.query_one(OptionList)
        width = max(30, options.size.width or self.size.width - 12)
        options.clear_options()
        options.add_options([Option(self._row(task, width), id=task.id) for task in tasks])
        options.highlighted = 0 if tasks else None
        options.display = bool(tasks)
        self.query_one("#none").display = not tasks

    def _row(self, task: Task, width: int) -> Content:
        glyph, colour = task_look(task, self._glyphs)
        age = durations.spell(self._hub.clock() - task.created)
        room = width - 2 - 10 - 7
        title = Content(one_line(task.title, 200)).truncate(room, ellipsis=True, pad=True)
        return Content.assemble(
            (glyph, f"${colour}"), " ", title, (f"  {task.id:<8}{age:>6}", "$muted")
        )

    def action_move(self, by: int) -> None:
        options = self.query_one(OptionList)
        (options.action_cursor_down if by > 0 else options.action_cursor_up)()

    @on(Input.Submitted)
    def _submitted(self) -> None:
        self.query_one(OptionList).action_select()

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(event.option_id)

    def action_leave(self) -> None:
        self.dismiss(None)

    @on(Keys.Pressed)
    def _clicked(self, event: Keys.Pressed) -> None:
        event.stop()
        match event.key:
            case "enter":
                self._submitted()
            case "pick.down":
                self.action_move(1)
            case _:
                self.action_leave()
