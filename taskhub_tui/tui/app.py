"""The Textual app: it opens the screens, watches the hub, and tells it whether the user is here."""

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rich.text import Text
from textual import events
from textual.app import App
from textual.command import CommandPalette
from textual.filter import Monochrome, NoColor
from textual.screen import ModalScreen, Screen
from textual.theme import Theme

from taskhub_tui.domain.errors import ReadOnly, TaskHubError
from taskhub_tui.domain.model import NewTask, NoticeKind
from taskhub_tui.domain.views import Changes, Counts
from taskhub_tui.hub import Hub
from taskhub_tui.text import clean, one_line
from taskhub_tui.tui import keymap
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.asking import Asker
from taskhub_tui.tui.background import start
from taskhub_tui.tui.fields import is_field
from taskhub_tui.tui.going import GoingApp
from taskhub_tui.tui.handing import Drafts
from taskhub_tui.tui.lending import TerminalApp
from taskhub_tui.tui.mistakes import where
from taskhub_tui.tui.presence import Presence
from taskhub_tui.tui.render import AsciiFilter, ControlFilter, NoColour
from taskhub_tui.tui.screens.main import MainScreen
from taskhub_tui.tui.theme import ASCII, DARK, LIGHT, UNICODE, variables
from taskhub_tui.tui.watch import Watcher
from taskhub_tui.tui.widgets.plain import Keys

log = logging.getLogger("taskhub.app")

_TWICE = 8.0
"""Seconds in which leaving once more leaves what was typed behind."""
_HOLD = 0.25
"""Seconds the first painting waits for the tasks at most."""
_REST = 1.0
"""Seconds after which all that is seen first has been drawn."""

if TYPE_CHECKING:
    from textual.command import Provider


def _palette() -> "type[Provider]":
    from taskhub_tui.tui.commands import Commands

    return Commands


class TaskHubApp(GoingApp, TerminalApp):
    """The terminal front end of a hub; the hub stays open when it ends."""

    TITLE = "TaskHub"
    CSS_PATH = "app.tcss"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS = {_palette}
    BINDINGS = [*bindings("app", "undo")]

    def __init__(
        self,
        hub: Hub,
        *,
        ascii: bool = False,
        services: Sequence[Callable[[], Awaitable[None]]] = (),
        initial_task: str | None = None,
        mistakes: Path | None = None,
    ) -> None:
        """
        Args:
            ascii: draw with ASCII characters only.
            services: run in the background while the app is open, such as an embedded engine;
                they are cancelled and awaited when it ends.
            initial_task: ID, or the beginning of one, of the task to open first.
            mistakes: file into which mistakes of our own are written, which is said; without it
                one that ends the app is shown with all there is to know, for who reads that.
        """
        super().__init__()
        self.hub = hub
        self.glyphs = ASCII if ascii else UNICODE
        self.set_class(ascii, "-ascii")
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = (
            hub.settings.theme if hub.settings.theme in self.available_themes else DARK.name
        )
        # What stands for no colour must not write any, not even shades of grey.
        self._filters = [
            NoColour() if isinstance(one, Monochrome | NoColor) else one for one in self._filters
        ]
        self._filters.append(ControlFilter())
        if ascii:
            self._filters.append(AsciiFilter())
        if hub.settings.reduced_motion:
            self.animation_level = "none"
        self.own_keys = replace(keymap.read(hub.settings.keys), ascii=ascii)
        """The keys of all actions."""
        self.set_keymap(self.own_keys.for_textual())
        self.mistakes = mistakes
        self._services = services
        self._leaving = False
        self._warned = False
        self._tasks: list[asyncio.Task[None]] = []
        self._begun = asyncio.Event()
        """Set when there is something to see."""
        self._initial_task = initial_task
        self.pressed = False
        """True while a button of the mouse is held down."""
        self._presence = Presence(hub)
        self._seen_notice: int | None = None
        self._counts = Counts()
        self._trouble = ""
        self._glanced = False
        self.drafts = Drafts()
        self.asker = Asker(self, hub, self.glyphs, lambda: self.typed)
        self._main = MainScreen(hub, self.glyphs)
        self._watcher = Watcher(
            hub,
            changed=self._changed,
            warn=self._warn,
            remind=self._main.remind,
            embedded=bool(services),
        )

    def get_default_screen(self) -> Screen[None]:
        return self._main

    # Life

    def on_load(self) -> None:
        self._watcher.prepare()

    async def on_mount(self) -> None:
        self._presence.typed()
        await self.take_terminal(taskbar=self.hub.settings.taskbar)
        for service in self._services:
            self._tasks.append(asyncio.create_task(self._serve(service), name="service"))
        if not self.hub.read_only:  # what cannot be answered here must not stand in the way
            self.set_interval(0.5, self.asker.consider)
        self.set_interval(1.0, self._each_second)
        self.theme_changed_signal.subscribe(self, self._theme_chosen)
        self.app_resume_signal.subscribe(self, self._resumed)
        for problem in self.own_keys.problems[:3]:
            self.notify(
                f"[keys] in the settings: {problem}", severity="warning", timeout=15, markup=False
            )

    async def _each_second(self) -> None:
        await self._presence.report()
        if self.taskbar is not None and self._glanced:
            with contextlib.suppress(TaskHubError):
                self.taskbar.show(await self.hub.glance())
        if self._glanced and self.has_terminal and not self.lent:
            # The watcher says what is wrong with the store, and the settings with their file.
            with contextlib.suppress(TaskHubError):
                await self._post()

    async def _post(self) -> None:
        """Show in the terminal what is due there, and take back what was answered."""
        at = self._presence
        posted = await self.hub.posted(focused=at.focused, last_input=at.last_input)
        if posted is not None:
            await self.show_message(posted)
        if self.takes_messages_back:
            self.take_messages_back(await self.hub.posts_answered())

    async def begin(self) -> None:
        """Begin to watch the hub; the main screen has all its parts."""
        self.set_timer(_REST, self._warm)
        self._tasks.append(asyncio.create_task(self._watch(), name="watch"))
        # An empty screen is not laid out and painted first where the tasks are known in a moment.
        # A browser says its size only now, and what is drawn must follow that at once.
        if not self.is_web:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._begun.wait(), _HOLD)

    def _warm(self) -> None:
        """Load what reports are drawn with, while nothing else is to be done."""
        from taskhub_tui.tui.widgets.markdown_view import warm

        start(self, partial(asyncio.to_thread, warm), group="warm")

    async def _watch(self) -> None:
        try:
            await self._watcher.run()
        except Exception as error:
            # A mistake of ours: without the watcher the app would go on showing old news.
            self._handle_exception(error)

    def _handle_exception(self, error: Exception) -> None:
        """End the app after a mistake of ours: with a sentence, its traceback is in the file."""
        log.error("the app has ended", exc_info=error)
        super()._handle_exception(error)
        if self.mistakes is not None:
            said = one_line(f"{type(error).__name__}: {error}", 300)
            self._exit_renderables[:] = [
                Text(
                    f"The app has ended; this is a bug in TaskHub: {said}\n"
                    f"Please report it with the file {self.mistakes}; `taskhub` opens the app again"
                )
            ]

    async def _serve(self, service: Callable[[], Awaitable[None]]) -> None:
        try:
            await service()
        except TaskHubError as error:
            self._trouble = f"The engine in this window has stopped: {error}"
        except Exception as error:
            log.exception("a service has stopped")
            self._trouble = f"The engine in this window has stopped: {error!r}{where(self)}"
        self._main.warn(self._trouble)

    async def on_unmount(self) -> None:
        await self._watcher.leave()
        # However the app ends, what was decided is sent.
        with contextlib.suppress(TaskHubError):
            await self.asker.leave()
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self.leave_terminal()

    def leave(self) -> None:
        """End the app, send what was decided, and say what becomes of the work.

        What was typed and not sent would be lost: then it wants to be asked for twice.
        """
        if self.asker.unsent and not self._warned:
            self._warned = True
            self.set_timer(_TWICE, self._forget_warning)
            words = "What you typed is not sent yet, and would be lost. Once more leaves without it"
            self.notify(words, severity="warning", timeout=_TWICE, markup=False)
            return
        if not self._leaving:
            self._leaving = True
            start(self, self._leave, group="leave")

    def _forget_warning(self) -> None:
        self._warned = False

    async def _leave(self) -> None:
        wrong: list[str] = []
        try:
            wrong = await self.asker.leave()
        except TaskHubError:
            pass
        except Exception:
            self._leaving = False  # It can be tried again.
            raise
        at_work = self._counts.running + self._counts.queued
        tasks = "1 task" if at_work == 1 else f"{at_work:,} tasks"
        if not at_work:
            said = "Nothing is running. `taskhub` brings you back."
        elif self._services:
            said = (
                f"{tasks} will go on when TaskHub is opened again: the engine ran in this window."
            )
        else:
            said = f"The work goes on: {tasks}. `taskhub` brings you back."
        self.exit(message="\n".join([*wrong, said]))

    @property
    def embedded(self) -> bool:
        """True when the engine runs in this process."""
        return bool(self._services)

    def hand_over(self, initial: NewTask | None) -> None:
        """Show the form for a new task, filled with `initial`."""
        self._main.hand_over(initial)

    def show_filter(self, text: str) -> None:
        """Show only the tasks that a filter finds."""
        self._main.show_filter(text)

    async def action_quit(self) -> None:
        self.leave()

    def action_command_palette(self) -> None:
        """Show all that can be done by name, and find tasks."""
        if not CommandPalette.is_open(cast("App[object]", self)):
            from taskhub_tui.tui.commands import Palette

            look = Path(__file__).with_name("palette.tcss")
            if not self.stylesheet.has_source(str(look), ""):
                self.stylesheet.read(look)
            self.push_screen(Palette())

    def action_phone(self) -> None:
        """Set up push messages to a phone; not from a dialog."""
        if self.hub.read_only:
            self.say(ReadOnly())
        elif not isinstance(self.screen, ModalScreen):
            from taskhub_tui.tui.screens.phone import PhoneScreen

            self.push_screen(PhoneScreen(self.hub, self.glyphs))

    def action_undo(self) -> None:
        """Take back the last decision, while that is possible."""
        self.asker.sender.undo()

    def action_help_quit(self) -> None:
        key = self.own_keys.short("hub.quit") or "ctrl+q"
        self.notify(f"{key} leaves TaskHub; the work goes on", timeout=3, markup=False)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "suspend_process":
            # In a field that is written in, the same key takes the last change back.
            return not is_field(self.focused)
        if action == "go":
            return self.can_go(str(parameters[0]))
        if action == "pane":
            return self.can_pane(str(parameters[0]))
        if action == "phone":
            return not isinstance(self.screen, ModalScreen)
        if action == "undo":
            return bool(self.asker.sender.held)
        return True

    async def action_suspend_process(self) -> None:  # type: ignore[override]
        """Hand the terminal to the shell until `fg`; what was decided is sent first."""
        if self._services:
            words = "The engine runs in this window, and would stand still"
            self.notify(words, severity="warning", timeout=5, markup=False)
            return
        if self.taskbar is not None:
            self.taskbar.clear()
        try:
            wrong = await self.asker.leave()
        except TaskHubError as error:
            wrong = [str(error)]
        self.asker.sender.show()
        for said in wrong:
            self.notify(said, severity="warning", timeout=8, markup=False)
        super().action_suspend_process()

    def _resumed(self, _: App[object]) -> None:
        self.draw_anew()

    # The look

    def refresh_css(self, animate: bool = True) -> None:
        """Draw all with the theme that was chosen."""
        if self.screen_stack:
            super().refresh_css(animate)
        else:
            # What is read now would be read once more for the first screen.
            self.stylesheet.set_variables(self.get_css_variables())

    def get_css_variables(self) -> dict[str, str]:
        found = super().get_css_variables()
        self.theme_variables = {**found, **variables(self.current_theme, found)}
        return self.theme_variables

    def _theme_chosen(self, theme: Theme) -> None:
        words = f'`theme = "{theme.name}"` in the settings keeps it'
        self.notify(words, timeout=4, markup=False)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        if self.hub.settings.reduced_motion and is_field(event.widget):
            event.widget.cursor_blink = False  # type: ignore[attr-defined]

    # What the hub says

    async def look(self) -> None:
        """Look at once at what changed, after a change of our own."""
        await self._watcher.look()

    async def _changed(self, changes: Changes, counts: Counts) -> None:
        first = self._seen_notice is None
        self._counts = counts
        beginning = self._watcher.beginning if first else None
        await self._main.apply(changes, counts, beginning=beginning)
        if first:
            self._begun.set()
            await self._painted()
            if counts.total > len(self._main.table):
                await self._main.sort()
            latest = await self.hub.notifications(1)
            self._seen_notice = latest[0].id if latest else 0
            await self.asker.start()
            self._main.views = await self.hub.views()
            await self._open_initial()
        else:
            self._tell(changes)
            await self.asker.follow(changes)
        self._entitle(counts)
        self._glanced = True

    async def _painted(self) -> None:
        """Wait until what is known by now is on the screen: reading on would only delay it."""
        shown = asyncio.Event()
        self._main.call_after_refresh(shown.set)
        with contextlib.suppress(TimeoutError):
            # While the terminal is lent to a pager nothing is painted.
            await asyncio.wait_for(shown.wait(), 1.0)
        # Much was made to begin with, and most of it stays: no need to look through it again.
        gc.enable()
        gc.freeze()

    def _tell(self, changes: Changes) -> None:
        """Say what was completed; what needs the user is raised by the asker."""
        last = self._seen_notice or 0
        for notice in changes.notifications:
            if notice.id > last and notice.kind is NoticeKind.COMPLETED:
                words = one_line(f"{self.glyphs.done} {notice.title}: {notice.body}", 200)
                # A dialog is read to its last line, where its keys are; the inbox has the news.
                if not isinstance(self.screen, ModalScreen):
                    self.notify(words, markup=False)
            self._seen_notice = max(self._seen_notice or 0, notice.id)

    async def _open_initial(self) -> None:
        if self._initial_task is not None:
            try:
                await self._main.open_task(await self.hub.find(self._initial_task))
            except TaskHubError as error:
                self.say(error)

    def _warn(self, sentence: str) -> None:
        self._main.warn(sentence or self._trouble)

    def say(self, error: TaskHubError) -> None:
        """Show what the hub refused, and what to do about it."""
        words = f"{error}\n{error.hint}" if error.hint else str(error)
        self.notify(words, severity="warning", timeout=8, markup=False)

    def _entitle(self, counts: Counts) -> None:
        needs = counts.needs_you
        title = f"! {needs} · TaskHub" if needs else "TaskHub"
        if self.glyphs is ASCII:
            title = title.replace("·", "-")
        self.entitle(title)

    # Whether the user is here

    def take_keys(self) -> None:
        """Obey the keys that the settings give by now, and show them everywhere."""
        ascii = self.glyphs is ASCII
        self.own_keys = replace(keymap.read(self.hub.settings.keys), ascii=ascii)
        self.set_keymap(self.own_keys.for_textual())
        for screen in self.screen_stack:
            for line in screen.query(Keys):
                line.redraw()
            screen.refresh(layout=True)

    async def on_event(self, event: events.Event) -> None:
        if (
            isinstance(event, events.Key)
            and not event.is_forwarded
            and (taker := getattr(self.screen, "take_key", None)) is not None
            and taker(event)
        ):
            return  # It was asked for as such, whatever it means otherwise.
        if isinstance(event, events.Key | events.MouseDown | events.Paste):
            self.typed = time.monotonic()
            self._presence.typed()
        if (
            isinstance(event, events.Key)
            and not event.is_forwarded
            and (opens := getattr(self.focused, "opens", None)) is not None
            and opens(event.key)
        ):
            # At once, not in its widget's turn: the next keys are meant for the line that this one
            # opens, and may be there already. They would be so many commands.
            return
        self.pressed = self.pressed or isinstance(event, events.MouseDown)
        await super().on_event(event)
        if isinstance(event, events.MouseUp):
            self.pressed = False

    def copy_to_clipboard(self, text: str) -> None:
        """Copy text, cleaned. No text is not copied: it would take away what was copied before."""
        if text := clean(text):
            super().copy_to_clipboard(text)
        else:
            self.notify("No text is selected here; nothing was copied", timeout=3, markup=False)

    async def on_app_focus(self) -> None:
        self.call_next(self._give_keys)
        await self._presence.focus(True)

    def _give_keys(self) -> None:
        """Give the keys to the screen that came up while another window had them.

        Textual gives them back only to a widget that had them before.
        """
        if self.screen.focused is None and (first := self.screen.AUTO_FOCUS):
            for widget in self.screen.query(first):
                if widget.focusable:
                    widget.focus(scroll_visible=False)
                    break

    async def on_app_blur(self) -> None:
        await self._presence.focus(False)
