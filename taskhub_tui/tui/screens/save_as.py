"""Asks where a file is to be saved, and saves it; never over another one without asking."""

import asyncio
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input

from taskhub_tui.text import one_line
from taskhub_tui.tui import saving
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.background import start
from taskhub_tui.tui.widgets.ask import Ask
from taskhub_tui.tui.widgets.path_input import PathInput
from taskhub_tui.tui.widgets.plain import Keys, Plain


class SaveAsScreen(ModalScreen[str | None]):
    """Returns a sentence that says where it was saved; None when the person leaves."""

    DEFAULT_CSS = """
    SaveAsScreen {
        align: center middle; background: $background 60%;
        #dialog {
            width: 90; max-width: 95%; height: auto; padding: 1 2; background: $panel;
            border: round $running; border-title-color: $running; border-title-style: none;
        }
        Input { background: $background; padding: 0; }
        Input:focus { background: $cursor; }
        .what { color: $muted; height: auto; margin-bottom: 1; }
        .problem { color: $failed; height: auto; display: none; }
        .problem.-said { display: block; }
        Keys { margin-top: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("save")]
    AUTO_FOCUS = "PathInput"

    def __init__(self, source: Path, folder: str) -> None:
        """
        Args:
            source: the file to save a copy of.
            folder: where relative paths are seen from.
        """
        super().__init__()
        self._source, self._folder = source, folder
        self._over: Path | None = None

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog") as dialog:
            dialog.border_title = " Save as "
            yield Plain(one_line(str(self._source), 2000), classes="what")
            name = one_line(self._source.name)
            yield PathInput(lambda: self._folder, value=name, compact=True, select_on_focus=False)
            yield Plain(classes="problem")
            yield Ask(id="ask")
            yield Keys([("enter", "save"), ("path.complete", "complete"), ("save.leave", "back")])

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        typed = event.value.strip()
        if typed:
            self._try(typed, over=False)
        else:
            self._say("Where to? Type a path")

    def _try(self, typed: str, *, over: bool) -> None:
        async def run() -> None:
            try:
                target = await asyncio.to_thread(saving.target, self._source, self._folder, typed)
                if not over and await asyncio.to_thread(saving.taken, self._source, target):
                    self._over = target
                    self.query_one(Ask).ask(f"{target} is there already. Replace it? y replaces it")
                    return
                await asyncio.to_thread(saving.save, self._source, target, over=over)
            except saving.CannotSave as error:
                self._say(str(error))
            else:
                self.dismiss(f"Saved {target}")

        self._say("")
        start(self, run, group="save", exclusive=True)

    @on(Ask.Answered)
    def _answered(self, event: Ask.Answered) -> None:
        event.stop()
        self.query_one(PathInput).focus()
        if event.yes and self._over is not None:
            self._try(str(self._over), over=True)

    def _say(self, problem: str) -> None:
        line = self.query_one(".problem", Plain)
        line.update(Content(one_line(problem)))
        line.set_class(bool(problem), "-said")

    @on(Keys.Pressed)
    async def _clicked(self, event: Keys.Pressed) -> None:
        event.stop()
        if event.key == "enter":
            await self.query_one(PathInput).action_submit()
        elif event.key == "path.complete":
            await self.query_one(PathInput).action_complete()
        else:
            self.dismiss(None)

    def action_leave(self) -> None:
        self.dismiss(None)
