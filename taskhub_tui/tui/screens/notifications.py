"""The list of notifications, and above it what waits for the person."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from taskhub_tui.domain import durations
from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.domain.model import Blocker, BlockerKind, NoticeKind, Notification, Task
from taskhub_tui.hub import Hub
from taskhub_tui.text import clean, one_line
from taskhub_tui.tui import render
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.theme import UNICODE, Glyphs
from taskhub_tui.tui.widgets.plain import Keys, Plain

EVERY = 2.0
"""Seconds after which the list is read again when nobody rang."""

_ASKS = {
    BlockerKind.APPROVAL: "approval",
    BlockerKind.INPUT: "question",
    BlockerKind.AUTH: "sign-in",
    BlockerKind.INTERRUPTED: "interrupted",
    BlockerKind.STALLED: "silent",
}


class NotificationsScreen(Screen[str | None]):
    """Returns the ID of the task to open; None when the person goes back."""

    DEFAULT_CSS = """
    NotificationsScreen {
        background: $background;
        #top { height: 1; background: $panel; padding: 0 2; }
        #list {
            height: 1fr; border: none; padding: 0 1; background: $background;
            scrollbar-size-vertical: 1; scrollbar-color: $faint; scrollbar-background: $background;
            &:focus { background-tint: $foreground 0%; }
            & > .option-list--option-disabled { color: $muted; }
            & > .option-list--option-highlighted { text-style: none; }
            &:focus > .option-list--option-highlighted { text-style: none; }
        }
        #keys { background: $panel; padding: 0 2; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings("inbox"),
    ]
    AUTO_FOCUS = "#list"

    def __init__(
        self, hub: Hub, glyphs: Glyphs = UNICODE, *, clock: Callable[[], float] | None = None
    ) -> None:
        """`clock` tells the time that ages are counted to; by default the hub's."""
        super().__init__()
        self._hub = hub
        self._glyphs = glyphs
        self._clock = clock or hub.clock
        self._open: Sequence[tuple[Blocker, Task]] = ()
        self._news: Sequence[Notification] = ()
        self._targets: dict[str, str] = {}
        self._drawn: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        yield Plain(id="top")
        yield OptionList(id="list", markup=False, compact=True)
        yield Keys(
            [
                ("enter", "open the task"),
                ("inbox.read_all", "mark all read"),
                ("inbox.back", "back"),
            ],
            id="keys",
        )

    def on_mount(self) -> None:
        self._watch()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    @work(exclusive=True, exit_on_error=False, group="notifications")
    async def _watch(self) -> None:
        """Read again whenever somebody wrote, and now and then for the ages."""
        while True:
            await self._load()
            await self._hub.changed(EVERY)

    async def _load(self) -> None:
        try:
            self._open = await self._hub.blockers()
            self._news = await self._hub.notifications()
        except TaskHubError as error:
            self.query_one("#top", Plain).update(Content.styled(str(error), "$failed"))
            return
        self._draw()

    # What it shows

    def _draw(self) -> None:
        width = self.query_one("#list").size.width - 3
        rows = self._rows(max(30, width))
        drawn = (width, *((row.id, row.prompt, row.disabled) for row in rows))
        self._draw_top()
        if drawn == self._drawn:
            return
        self._drawn = drawn
        options = self.query_one("#list", OptionList)
        at = options.highlighted
        here = options.get_option_at_index(at).id if at is not None else None
        options.clear_options()
        options.add_options(rows)
        ids = [row.id for row in rows]
        if here is not None and here in ids:
            options.highlighted = ids.index(here)
        else:
            options.highlighted = next((i for i, row in enumerate(rows) if not row.disabled), None)

    def _draw_top(self) -> None:
        unread = sum(1 for one in self._news if one.read is None)
        parts = [Content.styled("Notifications", "bold")]
        if self._open:
            count = len(self._open)
            waiting = "1 needs you" if count == 1 else f"{count} need you"
            parts.append(Content.styled(f"{self._glyphs.needs} {waiting}", "bold $needs"))
        parts.append(Content.styled(f"{unread} unread" if unread else "all read", "$muted"))
        self.query_one("#top", Plain).update(Content("   ").join(parts))

    def _rows(self, width: int) -> list[Option]:
        self._targets = {}
        rows: list[Option] = []
        if self._open:
            rows.append(self._head("Needs you"))
        for blocker, task in self._open:
            key = f"b-{blocker.id}"
            self._targets[key] = task.id
            asked = render.question(blocker, task, self._clock())
            where = f"{_ASKS[blocker.kind]} · {one_line(task.title, 200)} · {task.id}"
            rows.append(
                Option(
                    self._entry(
                        (self._glyphs.needs, "$needs"),
                        (one_line(asked, 300), "bold"),
                        where,
                        blocker.created,
                        width,
                    ),
                    id=key,
                )
            )
        rows.append(self._head("Latest" if self._news else "Nothing has happened yet"))
        for one in self._news:
            key = f"n-{one.id}"
            self._targets[key] = one.task_id
            rows.append(Option(self._notice(one, width), id=key))
        return rows

    @staticmethod
    def _head(words: str) -> Option:
        return Option(Content.styled(f"\n{words}", "$muted"), disabled=True)

    def _notice(self, one: Notification, width: int) -> Content:
        body = clean(one.body).strip().splitlines()
        answered = one.withdrawn is not None
        words = [one_line(body[0], 300)] if body else []
        words.append(one.task_id)
        if answered:
            words.insert(0, "answered")
        title_style = "$muted" if answered or one.read is not None else "bold"
        glyph, colour = self._look(one.kind)
        return self._entry(
            (glyph, "$muted" if answered else colour),
            (one_line(one.title, 300), title_style),
            " · ".join(words),
            one.created,
            width,
        )

    def _look(self, kind: NoticeKind) -> tuple[str, str]:
        glyphs = self._glyphs
        return {
            NoticeKind.ACKNOWLEDGED: (glyphs.queued, "$muted"),
            NoticeKind.PROGRESS: (glyphs.running, "$running"),
            NoticeKind.BLOCKER: (glyphs.needs, "$needs"),
            NoticeKind.ERROR: (glyphs.failed, "$failed"),
            NoticeKind.COMPLETED: (glyphs.done, "$done"),
        }[kind]

    def _entry(
        self,
        glyph: tuple[str, str],
        title: tuple[str, str],
        under: str,
        at: float,
        width: int,
    ) -> Content:
        """Return two lines: glyph, title and age; below them what belongs to it."""
        age = durations.spell(self._clock() - at)
        room = width - 3 - 6
        first = Content.styled(*title).truncate(room, ellipsis=True, pad=True)
        second = Content.styled(under, "$muted").truncate(room, ellipsis=True)
        return Content.assemble(glyph, "  ", first, (f"{age:>6}", "$muted"), "\n   ", second)

    # What a person does

    @on(OptionList.OptionSelected)
    async def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        key = event.option_id or ""
        task_id = self._targets.get(key)
        if task_id is None:
            return
        seen = [n.id for n in self._news if n.read is None and f"n-{n.id}" == key]
        await self._mark(seen)
        self.dismiss(task_id)

    async def action_read_all(self) -> None:
        await self._mark([one.id for one in self._news if one.read is None])
        await self._load()

    async def _mark(self, ids: Sequence[int]) -> None:
        try:
            await self._hub.mark_read(ids)
        except TaskHubError as error:
            self.app.notify(str(error), severity="error", markup=False)

    def action_back(self) -> None:
        self.dismiss(None)

    def action_move(self, lines: int) -> None:
        options = self.query_one("#list", OptionList)
        if lines > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    @on(Keys.Pressed)
    async def _clicked(self, event: Keys.Pressed) -> None:
        event.stop()
        match event.key:
            case "enter":
                self.query_one("#list", OptionList).action_select()
            case "inbox.read_all":
                await self.action_read_all()
            case _:
                self.action_back()
