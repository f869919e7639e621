"""Every setting with its value and meaning, changed in place; the channels, and what is wrong."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.domain.preferences import BY_KEY
from taskhub_tui.domain.views import ChannelInfo, Check
from taskhub_tui.hub import Hub
from taskhub_tui.text import one_line
from taskhub_tui.tui import keymap
from taskhub_tui.tui.actions import BY_ID as BY_ACT
from taskhub_tui.tui.actions import TITLES, bindings
from taskhub_tui.tui.background import start
from taskhub_tui.tui.handing import short
from taskhub_tui.tui.screens import settings_look as look
from taskhub_tui.tui.theme import UNICODE, Glyphs
from taskhub_tui.tui.widgets.footer import KeyLine
from taskhub_tui.tui.widgets.options import Rows
from taskhub_tui.tui.widgets.path_input import CleanInput
from taskhub_tui.tui.widgets.plain import Plain

if TYPE_CHECKING:
    from taskhub_tui.tui.app import TaskHubApp

TRIED_FOR = 20.0
"""Seconds that a worker may take to show a test message, its start included."""
_EFFECTS = {
    "now": "holds at once",
    "worker": "holds with the next worker: {worker} lets one start",
    "start": "holds when the app is opened again",
}
_MEANINGS = {
    "in-app": "the list and the toasts here",
    "desktop": "bubbles of this machine",
    "terminal": "the terminal that the app runs in",
    "phone": "push messages, from a server of ntfy",
    "email": "mail, answered by its link or a reply",
    "sms": "text messages, for what is critical",
    "webhook": "signed messages to a program of yours",
    "command": "a command of yours gets each message",
    "apprise": "any other service, through Apprise",
}


class SettingsScreen(Screen[str | None]):
    """A list, and below it what the row under the cursor means, or the field to change it."""

    DEFAULT_CSS = """
    SettingsScreen {
        background: $background;
        #top { height: auto; background: $panel; padding: 0 2; }
        #list {
            height: 1fr; border: none; padding: 0 1; background: $background;
            scrollbar-size-vertical: 1; scrollbar-color: $faint;
            &:focus { background-tint: $foreground 0%; }
            & > .option-list--option-disabled { color: $muted; }
            & > .option-list--option-highlighted { text-style: none; background: $cursor; }
        }
        #foot { height: auto; padding: 0 2; border-top: solid $faint; }
        #meaning { height: auto; }
        #typed { display: none; background: $panel; padding: 0; }
        #problem { color: $failed; height: auto; display: none; }
        &.-edits #typed { display: block; }
        &.-wrong #problem { display: block; }
    }
    .-ascii SettingsScreen #foot { border-top: ascii $faint; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("settings", "place", "panes")]
    AUTO_FOCUS = "#list"
    app: "TaskHubApp"

    def __init__(self, hub: Hub, glyphs: Glyphs = UNICODE) -> None:
        super().__init__()
        self._hub = hub
        self._glyphs = glyphs
        self._channels: Sequence[ChannelInfo] = ()
        self._tried: dict[str, str] = {}
        self._checks: Sequence[Check] | None = None
        self._stale = False
        """True when a worker may still work by what the file said before."""
        self._theme = ""
        self._key_of = ""
        """The action whose new key is waited for; "" when none is."""

    @property
    def may_be_asked(self) -> bool:
        """Questions come up over it, as over the list, but not while a new key is waited for."""
        return not self._key_of

    def compose(self) -> ComposeResult:
        yield Plain(id="top")
        yield look.SettingRows(id="list")
        with Vertical(id="foot"):
            yield Plain(id="meaning")
            yield CleanInput(id="typed", compact=True)
            yield Plain(id="problem")
        yield KeyLine(glyphs=self._glyphs)

    def on_mount(self) -> None:
        self._theme = self.app.theme
        self._draw()
        start(self, self._look, group="look", exclusive=True)

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    async def _look(self) -> None:
        """Ask for what takes a moment: the channels, and what may be wrong."""
        try:
            self._channels = await self._hub.channels()
            self._draw()
            self._checks = await self._hub.checks()
        except TaskHubError as error:
            self.notify(str(error), severity="warning", markup=False)
        self._draw()

    # What it shows

    def _rows(self, width: int) -> list[Option]:
        return [
            *look.settings(self._hub.chosen(), self._glyphs, width),
            *look.channels(self._channels, self._tried, width),
            *look.findings(self._checks, self._glyphs, width),
            *look.keys(self.app.own_keys, self._glyphs, width),
        ]

    def _draw(self) -> None:
        options = self.query_one("#list", OptionList)
        at = options.highlighted
        here = options.get_option_at_index(at).id if at is not None else None
        rows = self._rows(max(40, options.size.width - 3))
        options.clear_options()
        options.add_options(rows)
        ids = [row.id for row in rows]
        if here is not None and here in ids:
            options.highlighted = ids.index(here)
        else:
            options.highlighted = next(i for i, row in enumerate(rows) if not row.disabled)
        parts = [
            Content.assemble(("Settings", "bold"), "   ", (short(self._hub.paths.config), "$muted"))
        ]
        if mistake := self._hub.mistake():
            parts.append(
                Content.assemble(
                    (f"{self._glyphs.failed} ", "$failed"),
                    f"Line {mistake.line}: {one_line(mistake.sentence, 300)}."
                    f" {self._press('settings.file')} opens it there",
                )
            )
        elif self._stale:
            parts.append(
                Content.assemble(
                    (f"{self._glyphs.needs} ", "$needs"),
                    "Workers that run now still work by the old settings."
                    f" {self._press('settings.worker')} asks them to leave;"
                    " commands go on, and the next worker adopts them",
                )
            )
        self.query_one("#top", Plain).update(Content("\n").join(parts))
        self._explain()

    @property
    def _here(self) -> str:
        options = self.query_one("#list", OptionList)
        at = options.highlighted
        return "" if at is None else options.get_option_at_index(at).id or ""

    @on(OptionList.OptionHighlighted)
    def _explain(self) -> None:
        if self._key_of and self._here != f"{look.KEY}{self._key_of}":
            self._key_of = ""
        if self._key_of:
            words = (
                f"Press the new key for {self._key_of}: {BY_ACT[self._key_of].meaning}.\n"
                "esc leaves it as it is"
            )
            self.query_one("#meaning", Plain).update(Content(words))
            return
        self.remove_class("-wrong")
        kind, _, name = self._here.partition(":")
        match kind:
            case "set":
                one = BY_KEY[name]
                given = any(c.given for c in self._hub.chosen() if c.preference.key == name)
                source = "set in the file" if given else "the default"
                effect = _EFFECTS[one.effect].format(worker=self._press("settings.worker"))
                words = f"{one.meaning}.\n{name}: {source}; a change {effect}."
            case "channel":
                found = next((c for c in self._channels if c.name == name), None)
                said = self._tried.get(name) or (found and found.problem) or "It can be used"
                test = self._press("settings.test")
                words = f"{_MEANINGS.get(name, name)}. {test} sends a test.\n{said}"
            case "check":
                check = (self._checks or ())[int(name)]
                words = f"{check.message}\n{check.remedy or ''}"
            case "key":
                words = self._key_words(name)
            case _:
                words = ""
        self.query_one("#meaning", Plain).update(Content(words))

    def _press(self, act_id: str) -> str:
        """Return the key of an action, or where it is found without one."""
        return self.app.own_keys.short(act_id) or "the palette"

    def _key_words(self, act_id: str) -> str:
        act, own = BY_ACT[act_id], self.app.own_keys
        change, file = self._press("settings.edit"), self._press("settings.file")
        given = "set in the file" if act_id in own.own else "the default"
        place = TITLES[act.where]
        return (
            f"{act.meaning}. {place}.\n{act_id}: {given}. {change} takes another key,"
            f" {file} opens the file."
        )

    # Changing

    @on(OptionList.OptionSelected)
    def action_edit(self) -> None:
        kind, _, name = self._here.partition(":")
        if kind == "channel":
            self.action_test()
        if kind == "key":
            self._key_of = name
            self.remove_class("-wrong")
            self._explain()
        if kind != "set":
            return
        one = BY_KEY[name]
        now = next(c for c in self._hub.chosen() if c.preference.key == name)
        if one.kind == "switch":
            start(self, partial(self._set, name, "off" if now.value else "on"))
            return
        field = self.query_one("#typed", Input)
        field.value = now.written
        self._themes = sorted(self.app.available_themes) if one.kind == "theme" else []
        back = self.app.own_keys.short("settings.back")
        field.placeholder = f"{name}; enter keeps it{f', {back} does not' if back else ''}"
        self.add_class("-edits")
        field.focus()
        if self._themes:
            self.query_one("#meaning", Plain).update(
                Content(f"{one.meaning}: {', '.join(self._themes)}")
            )

    @on(Input.Changed)
    def _typing(self, event: Input.Changed) -> None:
        self.remove_class("-wrong")
        if self._here == f"{look.SET}theme" and event.value in self.app.available_themes:
            self.app.theme = event.value

    @on(Input.Submitted)
    def _typed(self, event: Input.Submitted) -> None:
        name = self._here.removeprefix(look.SET)
        if name == "theme" and event.value not in self.app.available_themes:
            self._wrong(f"There is no theme `{one_line(event.value, 40)}`")
            return
        start(self, partial(self._set, name, event.value))

    def action_default(self) -> None:
        if self._here.startswith(look.SET):
            start(self, partial(self._set, self._here.removeprefix(look.SET), None))
        elif self._here.startswith(look.KEY):
            start(self, partial(self._set_key, self._here.removeprefix(look.KEY), None))

    async def _set(self, name: str, text: str | None) -> None:
        try:
            await self._hub.set_preference(name, text)
        except TaskHubError as error:
            said = f"{error}. {error.hint}" if error.hint else str(error)
            if self.has_class("-edits"):
                self._wrong(said)
            else:
                self.notify(said, severity="warning", markup=False)
            return
        if name == "theme":
            self._theme = self.app.theme = self._hub.settings.theme
        self._stale = self._stale or BY_KEY[name].effect == "worker"
        self._close()
        self._draw()

    def take_key(self, event: events.Key) -> bool:
        """Take a key that was asked for; what it means otherwise does not happen."""
        act_id, self._key_of = self._key_of, ""
        if not act_id:
            return False
        self.remove_class("-wrong")
        if event.key == "escape":
            self._explain()
            return True
        table = self._hub.settings.keys
        try:
            try:
                name = keymap.for_file(table, act_id, event.key)
            except ValueError:
                # What Textual has a long name for is known by its character.
                if not event.is_printable or event.character is None or event.character == " ":
                    raise
                name = keymap.for_file(table, act_id, event.character)
        except ValueError as error:
            self._key_of = act_id
            self._wrong(f"{error}. Press another one, or esc")
            return True
        start(self, partial(self._set_key, act_id, [name]))
        return True

    async def _set_key(self, act_id: str, keys: Sequence[str] | None) -> None:
        try:
            if keys is None:
                # The key it comes with may be another's by now.
                rest = {
                    name: own for name, own in self._hub.settings.keys.items() if name != act_id
                }
                before = keymap.read(self._hub.settings.keys).problems
                for said in keymap.read(rest).problems:
                    if said not in before:
                        self.notify(said, severity="warning", markup=False)
                        return
            await self._hub.set_keys(act_id, keys)
        except TaskHubError as error:
            said = f"{error}. {error.hint}" if error.hint else str(error)
            self.notify(said, severity="warning", markup=False)
            return
        self.app.take_keys()
        self._draw()

    def _wrong(self, sentence: str) -> None:
        self.query_one("#problem", Plain).update(Content(sentence))
        self.add_class("-wrong")

    def _close(self) -> None:
        self.remove_class("-edits", "-wrong")
        self.query_one("#list").focus()

    def action_back(self) -> None:
        if self.has_class("-edits"):
            self.app.theme = self._theme
            self._close()
            self._explain()
        else:
            self.dismiss(None)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        # In the field a letter is a letter.
        return action == "back" or not self.has_class("-edits") or action not in _LETTERS

    def action_move(self, by: int) -> None:
        options = self.query_one("#list", OptionList)
        (options.action_cursor_down if by > 0 else options.action_cursor_up)()

    def action_leap(self, how: str) -> None:
        self.query_one("#list", Rows).leap(how)

    # The file, the worker, the channels

    def action_file(self) -> None:
        start(self, self._edit_file)

    async def _edit_file(self) -> None:
        from taskhub_tui.tui.editor import open_file

        mistake = self._hub.mistake()
        file = self._hub.paths.config
        said = await open_file(self.app, file, mistake.line if mistake else 1)
        if said is not None:
            said = f"{said}; the file is {file}"
        try:
            self._hub.reread()
            self.app.take_keys()
            self._stale = True
        except TaskHubError as error:
            said = str(error)
        if said is not None:
            self.notify(said, severity="warning", markup=False)
        self._draw()

    def action_worker(self) -> None:
        start(self, self._new_worker)

    async def _new_worker(self) -> None:
        if self.app.embedded:
            said = "The engine runs in this window: open TaskHub again to let it read them"
        else:
            try:
                asked = await self._hub.stop_worker()
            except TaskHubError as error:
                said = str(error)
            else:
                self._stale = False
                said = (
                    "The worker leaves; the next one starts when there is work, and reads them"
                    if asked
                    else "No worker runs; the next one reads them"
                )
        self.notify(said, markup=False)
        self._draw()

    def action_test(self) -> None:
        if self._here.startswith(look.CHANNEL):
            start(self, partial(self._test, self._here.removeprefix(look.CHANNEL)), group="test")
        else:
            self.notify("Put the cursor on a channel, further down", markup=False)

    async def _test(self, name: str) -> None:
        if name == "in-app":
            self.notify("This is a test: notifications look like this", markup=False)
            self._tried[name] = "Shown in this window"
            self._draw()
            return
        if name == "terminal":
            # It is this one, and no worker has it.
            self._tried[name] = await self.app.try_terminal()
            self._draw()
            return
        self._tried[name] = f"Asked a worker to send it {self._glyphs.more}"
        self._draw()
        try:
            self._tried[name] = await self._answer(name)
        except TaskHubError as error:
            self._tried[name] = str(error)
        self._draw()

    async def _answer(self, name: str) -> str:
        await self._hub.try_channel(name)
        end = asyncio.get_running_loop().time() + TRIED_FOR
        while asyncio.get_running_loop().time() < end:
            trial = await self._hub.trial(name)
            if trial is not None and trial.tried is not None:
                return trial.said or "Delivered: look whether it is there"
            await self._hub.changed(0.5)
        look = self._press("settings.check")
        return f"No worker has taken it up; {look} looks for what may be wrong"

    def action_check(self) -> None:
        self._checks = None
        self._draw()
        start(self, self._look, group="look", exclusive=True)


_LETTERS = ("edit", "default", "test", "file", "worker", "check", "move", "leap")
"""What keys do in the list only."""
