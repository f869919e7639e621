"""What the person does with what waits: deciding, for one or for many, and putting away."""

import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual.screen import Screen

from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.domain.model import Action, Choice, NoticeKind, Notification, Status, TaskView
from taskhub_tui.domain.waiting import Need, Waiting, approves, meant, together
from taskhub_tui.hub import Hub
from taskhub_tui.text import one_line
from taskhub_tui.tui.background import start
from taskhub_tui.tui.screens import inbox_words as words
from taskhub_tui.tui.screens.decision_forms import decision
from taskhub_tui.tui.sending import Taken
from taskhub_tui.tui.theme import Glyphs
from taskhub_tui.tui.widgets.entries import EntryList

if TYPE_CHECKING:
    from taskhub_tui.tui.app import TaskHubApp

STILL = 0.5
"""Seconds for which quick answers are dead after another entry came under the cursor by itself."""


class InboxActions(Screen[str | None]):
    """The half of the inbox that decides; the other half has what is shown, and fills it."""

    app: "TaskHubApp"
    _hub: Hub
    _glyphs: Glyphs
    _waiting: dict[str, Waiting]
    """What waits, by the IDs of its entries."""
    _news: dict[str, Notification]
    _view: TaskView | None
    """The task that is shown in full."""
    _from: str | None
    """Where a range of marks begins."""
    _still_since: float
    """When an entry came under the cursor by itself."""

    if TYPE_CHECKING:
        # Like what is named above, the other half has them.
        def _soon(self) -> None: ...
        def _marks_changed(self) -> None: ...

    @property
    def entries(self) -> EntryList:
        return self.query_one("#list", EntryList)

    @property
    def here(self) -> Waiting | None:
        """What waits under the cursor; None on news."""
        return self._waiting.get(self.entries.here or "")

    @property
    def chosen(self) -> list[Waiting]:
        """What is marked; without marks, what is under the cursor."""
        marked = [one for key, one in self._waiting.items() if key in self.entries.marked]
        return marked or ([self.here] if self.here is not None else [])

    @property
    def _whole(self) -> bool:
        """False while the screen goes, part by part: what was to be done later finds a half."""
        return len(self.query("#top, #list, #text, #answers")) == 4

    # Deciding

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if not self.is_mounted or not self._whole:
            return True
        here, chosen = self.here, self.chosen
        match action:
            case "answer":
                return bool(chosen)
            case "decide":
                wanted = Action(str(parameters[0]))
                alone = wanted in (Action.PROVIDE_CONTEXT, Action.MODIFY, Action.REASSIGN)
                if alone and self.entries.marked:
                    return False
                return any(wanted in one.legal for one in chosen)
            case "resume":
                return any(one.need is Need.PAUSED for one in chosen)
            case "mark" | "range" | "kind":
                return here is not None
            case "away":
                return here is None or any(one.need is Need.FAILED for one in chosen)
            case "read_all":
                return any(map(self._unread, self._news.values()))
            case "task":
                return self.entries.here is not None
        return True

    def action_answer(self) -> None:
        if self.entries.marked:
            self._batch(Action.APPROVE)
        elif self.here is not None and self.here.need is Need.PAUSED:
            self.action_resume()
        elif self.here is not None:
            self._ask(self.here, None)

    def action_decide(self, name: str) -> None:
        if self.entries.marked:
            self._batch(Action(name))
        elif self.here is not None:
            self._ask(self.here, Action(name))

    def _ask(self, one: Waiting, action: Action | None) -> None:
        place = [*self._waiting].index(self.entries.here or "") + 1
        self.app.asker.ask(one.task.id, action=action, place=(place, len(self._waiting)))

    def action_choose(self, number: int) -> None:
        self._choose(number)

    def _choose(self, number: int) -> None:
        """Give the answer with this number, if the person can have read it."""
        one = self.here
        blocker = one.blocker if one is not None else None
        if one is None or blocker is None or not 0 < number <= len(blocker.choices):
            return
        choice = blocker.choices[number - 1]
        if self.entries.marked:
            self._batch(meant(blocker, choice), choice)
            return
        still = time.monotonic() - self._still_since >= STILL
        seen = self._view is not None and self._view.blocker == blocker
        dangerous = one.risky and approves(blocker, meant(blocker, choice))
        if not still:
            return
        if not self.query_one("#case").display or not seen or dangerous:
            self._ask(one, None)
            return
        taken = decision(meant(blocker, choice), choice=choice.id)
        self._try(partial(self.app.asker.sender.take, [Taken(one.task, blocker, taken)]))

    def action_resume(self) -> None:
        if self.entries.marked:
            self._batch(None)
        elif self.here is not None and self.here.need is Need.PAUSED:
            taken = Taken(self.here.task, None, None)
            self._try(partial(self.app.asker.sender.take, [taken]))

    def _batch(self, action: Action | None, choice: Choice | None = None) -> None:
        chosen = self.chosen
        self._try(partial(self._decide_together, chosen, action, choice))

    async def _decide_together(
        self, chosen: Sequence[Waiting], action: Action | None, choice: Choice | None
    ) -> None:
        from taskhub_tui.tui.screens.preflight import PreflightScreen

        now, found = self._hub.clock(), together(chosen, action, choice)
        views = await self._hub.statuses([one.task.id for one in chosen])
        rows = [words.row_of(one, views.get(one.waiting.task.id), now) for one in found]
        name = "Go on" if action is None else action.value.capitalize()
        if choice is not None:
            name = f"Answer “{one_line(choice.label, 40)}”"
        denies = action is Action.DENY and choice is None
        able = [one for one, row in zip(found, rows, strict=True) if row.possible]
        yes = f"{name[0].lower()}{name[1:]} {len(able)}"
        screen = PreflightScreen(name, rows, yes=yes, reason=denies, glyphs=self._glyphs)
        reason = await self.app.push_screen_wait(screen)
        if reason is None:
            return
        parts = []
        for one in able:
            taken = None
            if one.action is not None:
                text = reason or None if denies else None
                taken = decision(one.action, text=text, choice=one.choice)
            parts.append(Taken(one.waiting.task, one.waiting.blocker, taken))
        self.entries.marked = set()
        self._from = None
        await self.app.asker.sender.take(parts)
        self._marks_changed()

    # Putting away

    def action_away(self) -> None:
        notice = self._news.get(self.entries.here or "")
        if self.entries.marked or self.here is not None:
            ids = [one.task.id for one in self.chosen if one.task.status is Status.FAILED]
            self._try(partial(self._put_away, ids))
        elif notice is not None and notice.read is None:
            self._try(partial(self._mark, [notice.id]))
            self.entries.move(1)

    async def _put_away(self, ids: Sequence[str]) -> None:
        await self.app.asker.put_away(ids)
        self._soon()

    def action_read_all(self) -> None:
        self._try(self._read_all)

    async def _read_all(self) -> None:
        # Older ones than are shown as well; what waits above is put away one by one.
        told = await self._hub.unread()
        await self._mark([one.id for one in told if not self._waits(one.kind, one.task_id)])

    def _waits(self, kind: NoticeKind, task_id: str) -> bool:
        """True of what was told about something that waits above: it is put away there."""
        if kind not in (NoticeKind.ERROR, NoticeKind.BLOCKER):
            return False
        above = any(task_id == one.task.id for one in self._waiting.values())
        return above or task_id in self.app.asker.sender.task_ids

    @staticmethod
    def _unread(one: Notification) -> bool:
        """True of news not read yet; what was answered needs no reading."""
        return one.read is None and one.withdrawn is None

    async def _mark(self, ids: Sequence[int]) -> None:
        await self._hub.mark_read(ids)
        self._soon()

    def _try(self, work: Callable[[], Awaitable[object]]) -> None:
        """Do something with the hub; what it refuses is said in a toast."""

        async def run() -> None:
            try:
                await work()
            except TaskHubError as error:
                self.app.say(error)

        start(self, run, group="doing")
