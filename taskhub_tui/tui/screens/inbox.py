"""The inbox: everything that waits for the person, most urgent first; below it, the latest news."""

import time
from functools import partial

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content

from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.domain.model import Notification, TaskView
from taskhub_tui.domain.waiting import Need, Waiting
from taskhub_tui.hub import Hub
from taskhub_tui.text import one_line
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.background import start
from taskhub_tui.tui.screens import inbox_words as words
from taskhub_tui.tui.screens.inbox_actions import InboxActions
from taskhub_tui.tui.sizes import take_size
from taskhub_tui.tui.theme import UNICODE, Glyphs
from taskhub_tui.tui.widgets.case import CaseText
from taskhub_tui.tui.widgets.entries import Entry, EntryList
from taskhub_tui.tui.widgets.footer import KeyLine
from taskhub_tui.tui.widgets.plain import Keys, Plain

_SETTLE = 0.06
_EVERY = 0.25
_AGES = 5.0
_NEEDS, _NEWS, _NOTHING = "Needs you", "Latest", "Nothing waits for you"


class InboxScreen(InboxActions):
    """Returns the ID of the task to open; None when the person goes back."""

    DEFAULT_CSS = """
    InboxScreen {
        background: $background;
        #top { height: 1; background: $panel; padding: 0 2; }
        #parts { height: 1fr; }
        #list { width: 1fr; height: 1fr; }
        #case { display: none; padding: 0 1 0 2; }
        #text { height: auto; max-height: 1fr; background: $background; }
        #answers { height: auto; margin-top: 1; }
        &.-wide #case, &.-huge #case {
            display: block; width: 52%; height: 1fr; border-left: vkey $faint; margin-left: 1;
        }
        &.-narrow #parts { layout: vertical; }
        &.-narrow.-read #case { display: block; width: 1fr; height: 60%; border-top: hkey $faint; }
    }
    .-ascii InboxScreen #case { border-left: ascii $faint; border-top: none; }
    """
    BINDINGS = [*bindings("inbox", "place")]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide"), (180, "-huge")]
    AUTO_FOCUS = "#list"
    shows_waiting = True

    def __init__(self, hub: Hub, glyphs: Glyphs = UNICODE) -> None:
        super().__init__()
        self._hub = hub
        self._glyphs = glyphs
        self._waiting: dict[str, Waiting] = {}
        self._news: dict[str, Notification] = {}
        self._view: TaskView | None = None
        self._stale = False
        self._from: str | None = None
        self._still_since = 0.0
        self._drawn_at = 0.0

    def compose(self) -> ComposeResult:
        take_size(self)
        yield Plain(Content.styled("Inbox", "bold"), id="top")
        with Horizontal(id="parts"):
            yield EntryList(glyphs=self._glyphs, id="list")
            with Vertical(id="case"):
                yield CaseText(id="text")
                yield Keys(id="answers")
        yield KeyLine(glyphs=self._glyphs)

    def on_mount(self) -> None:
        self.app.asker.news.subscribe(self, lambda _: self._soon())
        self.set_interval(_EVERY, self._tick)
        # A slow machine may take a moment to read it.
        looking = f"h-Looking {self._glyphs.more}"
        self.entries.set_entries([looking], frozenset((looking,)), self._entry)
        self._stale = True
        self._tick()

    # What the hub says

    def _soon(self) -> None:
        self._stale = True

    def _tick(self) -> None:
        if not self._whole:
            return
        now = time.monotonic()
        if self._stale:
            self._stale = False
            start(self, self._load, group="load", exclusive=True)
        elif now - self._drawn_at >= _AGES:
            self._drawn_at = now
            self.entries.refresh()
            self.query_one("#text", CaseText).tick(self._hub.clock())

    async def _load(self) -> None:
        try:
            waiting = await self.app.asker.waiting()
            news = await self._hub.notifications()
        except TaskHubError as error:
            if self._whole:
                self.query_one("#top", Plain).update(Content.styled(str(error), "$failed"))
            return
        if not self._whole:
            return
        self._waiting = {words.key_of(one): one for one in waiting}
        # A question that waits above, or is answered and only not sent yet, is no news.
        self._news = {f"n-{one.id}": one for one in news if not self._waits(one.kind, one.task_id)}
        news = [*self._news.values()]
        needs = _NEEDS if waiting else _NOTHING
        heads = (f"h-{needs}", f"h-{_NEWS}")
        ids = [heads[0], *self._waiting, *((heads[1], *self._news) if news else ())]
        self._draw_top()
        self._drawn_at = time.monotonic()
        self.entries.set_entries(ids, frozenset(heads), self._entry)
        back = [key for key, one in self._waiting.items() if one.case in self.app.asker.returned]
        self.app.asker.returned.clear()
        if back:
            self.entries.go_to(back[0])
        await self._read()

    def _entry(self, key: str) -> Entry | None:
        now = self._hub.clock()
        if one := self._waiting.get(key):
            return words.entry_of(one, now, self._glyphs)
        if notice := self._news.get(key):
            return words.news_of(notice, now, self._glyphs)
        return words.heading(key.removeprefix("h-"))

    def _draw_top(self) -> None:
        glyphs, found = self._glyphs, self._waiting.values()
        failed = sum(one.need is Need.FAILED for one in found)
        needs = len(found) - failed
        unread = sum(map(self._unread, self._news.values()))
        parts = [Content.styled("Inbox", "bold")]
        if needs:
            who = "needs" if needs == 1 else "need"
            parts.append(Content.styled(f"{glyphs.needs} {needs} {who} you", "bold $needs"))
        if failed:
            parts.append(Content.styled(f"{glyphs.failed} {failed} failed", "$failed"))
        if marked := len(self.entries.marked):
            parts.append(Content.styled(f"* {marked} marked", "bold $needs"))
        parts.append(Content.styled(f"{unread} unread" if unread else "all read", "$muted"))
        self.query_one("#top", Plain).update(Content("   ").join(parts))

    # The entry under the cursor, in full

    @on(EntryList.Moved)
    def _moved(self, event: EntryList.Moved) -> None:
        if not event.by_person:
            self._still_since = time.monotonic()
        if self._from is not None:
            self._mark_range()
        self.refresh_bindings()
        self.set_timer(_SETTLE, partial(self._read_soon, event.id))

    def _read_soon(self, key: str | None) -> None:
        if self._whole and key == self.entries.here:
            start(self, self._read, group="read", exclusive=True)

    async def _read(self) -> None:
        """Show what is under the cursor in full."""
        one, notice = self.here, self._news.get(self.entries.here or "")
        task_id = one.task.id if one is not None else notice.task_id if notice else None
        text, answers = self.query_one("#text", CaseText), self.query_one("#answers", Keys)
        text.display = task_id is not None
        if task_id is None:
            answers.show([])
            self._view = None
            return
        try:
            view = await self._hub.status(task_id)
        except TaskHubError as error:
            if self._whole:
                self.app.say(error)
            return
        if view == self._view or not self._whole:
            return
        self._view = view
        await text.show(view, self._hub.clock())
        choices = view.blocker.choices if one is not None and view.blocker is not None else ()
        answers.show([(str(n), one_line(c.label, 60)) for n, c in enumerate(choices[:9], 1)])
        self.refresh_bindings()

    def action_read(self) -> None:
        """Read it in full; of news, open the task."""
        if self.here is None:
            self._open_task()
            return
        if self.has_class("-narrow"):
            self.add_class("-read")
        self.query_one("#text").focus()

    @on(EntryList.Opened)
    def _opened(self) -> None:
        self.action_read()

    @on(Keys.Pressed)
    def _answer_clicked(self, event: Keys.Pressed) -> None:
        event.stop()
        self._choose(int(event.key))

    def action_task(self) -> None:
        self._open_task()

    def _open_task(self) -> None:
        key = self.entries.here or ""
        if key in self._waiting:
            self.dismiss(self._waiting[key].task.id)
        elif notice := self._news.get(key):
            self._try(partial(self._open_news, notice))

    async def _open_news(self, notice: Notification) -> None:
        if notice.read is None:
            await self._hub.mark_read([notice.id])
        self.dismiss(notice.task_id)

    # Moving and marking

    def action_move(self, by: int) -> None:
        if self.focused is self.entries or self.focused is None:
            self.entries.move(by)
        else:
            self.query_one("#text").scroll_relative(y=by, animate=False)

    def action_page(self, sign: int) -> None:
        if self.focused is self.entries or self.focused is None:
            self.entries.page(sign)
        else:
            text = self.query_one("#text")
            text.scroll_relative(y=sign * max(1, text.size.height - 1), animate=False)

    def action_top(self) -> None:
        if self.focused is self.entries:
            self.entries.top()
        else:
            self.query_one("#text").scroll_home(animate=False)

    def action_end(self) -> None:
        if self.focused is self.entries:
            self.entries.end()
        else:
            self.query_one("#text").scroll_end(animate=False)

    def action_part(self) -> None:
        """Go from what waits to the news, or back."""
        self.entries.focus()
        part = self._news if self.entries.here in self._waiting else self._waiting
        if part:
            self.entries.go_to(next(iter(part)))

    def action_mark(self) -> None:
        if self.here is not None and (key := self.entries.here) is not None:
            self.entries.marked ^= {key}
            self.entries.move(1)
            self._marks_changed()

    def action_range(self) -> None:
        key = self.entries.here
        self._from = key if self._from is None and key in self._waiting else None
        self._mark_range()

    def _mark_range(self) -> None:
        keys, here = [*self._waiting], self.entries.here
        if self._from in keys and here in keys:
            ends = sorted((keys.index(self._from), keys.index(here)))
            self.entries.marked |= set(keys[ends[0] : ends[1] + 1])
        self._marks_changed()

    def action_kind(self) -> None:
        """Mark all that wait for the same reason; once more, none of them."""
        if self.here is not None:
            alike = {key for key, one in self._waiting.items() if one.need is self.here.need}
            marked = self.entries.marked
            self.entries.marked = marked - alike if alike <= marked else marked | alike
            self._marks_changed()

    def _marks_changed(self) -> None:
        self.entries.refresh()
        self._draw_top()
        self.refresh_bindings()

    def action_back(self) -> None:
        if self.focused is not self.entries:
            self.remove_class("-read")
            self.entries.focus()
        elif self.has_class("-read"):
            self.remove_class("-read")
        elif self.entries.marked or self._from is not None:
            self.entries.marked = set()
            self._from = None
            self._marks_changed()
        else:
            self.dismiss(None)
