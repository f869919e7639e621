"""Which questions are put to the user, when, and what becomes of the answer."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual.screen import ModalScreen
from textual.signal import Signal

from taskhub_tui.domain.errors import AlreadyDecided, TaskHubError
from taskhub_tui.domain.model import (
    Action,
    Blocker,
    BlockerKind,
    Decision,
    Event,
    NoticeKind,
    Status,
    Task,
    TaskView,
)
from taskhub_tui.domain.views import Changes
from taskhub_tui.domain.waiting import Case, Need, Waiting, case_of
from taskhub_tui.hub import Hub
from taskhub_tui.text import one_line
from taskhub_tui.tui import keymap
from taskhub_tui.tui.background import start
from taskhub_tui.tui.fields import is_field
from taskhub_tui.tui.render import calls
from taskhub_tui.tui.sending import Held, Part, Sender, Taken
from taskhub_tui.tui.theme import Glyphs

if TYPE_CHECKING:
    from taskhub_tui.tui.app import TaskHubApp
    from taskhub_tui.tui.screens.decision import DecisionScreen
    from taskhub_tui.tui.screens.decision_forms import Draft

QUIET = 1.0
"""Seconds without a key before a dialog may open by itself."""
_TAIL = 64_000
"""Bytes of a log that are read for a dialog."""
_TAIL_LINES = 300


def _through(event: Event) -> str:
    return f" ({event.channel})" if event.channel else ""


class Asker:
    """Raises open questions one at a time, and carries the decisions to the hub."""

    def __init__(
        self, app: "TaskHubApp", hub: Hub, glyphs: Glyphs, typed: Callable[[], float]
    ) -> None:
        """
        Args:
            typed: returns the `time.monotonic()` of the last key.
        """
        self._app = app
        self._hub = hub
        self._glyphs = glyphs
        self._typed = typed
        self._queue: list[tuple[Case, str]] = []
        self._put_off: set[Case] = set()
        self._announced: set[Case] = set()
        self._open: tuple[DecisionScreen, TaskView] | None = None
        self._busy = False
        self._again: tuple[str, Action | None] | None = None
        self._drafts: dict[str, tuple[Case | None, dict[Action, Draft]]] = {}
        """What was typed about tasks and not sent, with the question that it was typed for."""
        self.returned: set[Case] = set()
        """Questions whose decision was just taken back; a list puts its cursor there."""
        self.sender = Sender(
            app, hub, glyphs, undone=self._undone, settled=self._held_changed, sent=self._was_sent
        )
        self.news: Signal[None] = Signal(app, "what waits has changed")
        """Published when something waits for a person that did not, or does no more."""

    # What is open

    async def start(self) -> None:
        """Take up what waits since before the app was opened."""
        await self._line_up()

    async def follow(self, changes: Changes) -> None:
        """Take note of changed tasks; close the dialog whose question is settled."""
        self.news.publish(None)
        await self.sender.follow(changes.tasks, self._settled_meanwhile)
        queued = {task_id for _, task_id in self._queue}
        if any(
            task.id in queued or task.status is Status.FAILED or calls(task)
            for task in changes.tasks
        ):
            await self._line_up()
        if self._open is not None and any(
            task.id == self._open[1].task.id for task in changes.tasks
        ):
            await self._still_open(*self._open)

    async def waiting(self) -> list[Waiting]:
        """Return what waits for a person, without what is decided and only not sent yet."""
        decided = self.sender.cases
        return [one for one in await self._hub.waiting() if one.case not in decided]

    async def _line_up(self) -> None:
        self._queue = [
            (one.case, one.task.id)
            for one in await self.waiting()
            if one.need is not Need.PAUSED and one.case not in self._put_off
        ]

    async def _still_open(self, screen: "DecisionScreen", seen: TaskView) -> None:
        now = await self._hub.status(seen.task.id)
        before, after = case_of(seen.task, seen.blocker), case_of(now.task, now.blocker)
        if before == after and (before is not None or now.legal == seen.legal):
            return
        screen.close_because(await self._settled(seen, now))

    async def _settled_meanwhile(self, task: Task, blocker: Blocker | None) -> str | None:
        """Say who settled a question; None while it is open as it was seen."""
        before = case_of(task, blocker)
        if before is None:
            return None
        now = await self._hub.status(task.id)
        if case_of(now.task, now.blocker) == before:
            return None
        return await self._settled(TaskView(task, (), blocker, (), ()), now)

    async def _settled(self, seen: TaskView, now: TaskView) -> str:
        """Say who settled the question that was shown."""
        title = one_line(seen.task.title, 60)
        asked = seen.blocker
        if asked is not None and now.blocker is not None and asked.id == now.blocker.id:
            return f"The question has changed: {title}"
        for event in reversed(await self._hub.events(seen.task.id)):
            if asked is not None and event.at < asked.created:
                break  # What came before the question has not settled it.
            if event.kind == "alive" and asked is not None and asked.kind is BlockerKind.STALLED:
                return f"It has given a sign of life: {title}"
            if event.kind == "decided" and (
                asked is None or event.data.get("blocker") in (None, asked.id)
            ):
                action = Action(str(event.data.get("action"))).name
                answers = asked is not None and asked.kind is BlockerKind.INPUT
                if answers and action == Action.PROVIDE_CONTEXT.name:
                    return f"{event.by}{_through(event)} answered: {title}"
                return f"{event.by}{_through(event)} chose {action}: {title}"
        return f"Now {now.task.status.value.replace('_', ' ')}: {title}"

    # Raising

    def consider(self) -> None:
        """Raise the next question if the user is not in the middle of something."""
        if self._busy or not self._queue or self._app.lent:
            return
        if not self._free():
            self._announce()
            return
        (_, task_id), total = self._queue[0], len(self._queue)
        self.ask(task_id, place=(1, total), raised=True)

    def _may_ask(self) -> bool:
        """True on the list, and on a whole screen that lets questions come up over it."""
        app = self._app
        over = len(app.screen_stack) - 1
        return over == 0 or (over == 1 and bool(getattr(app.screen, "may_be_asked", False)))

    def _free(self) -> bool:
        app = self._app
        return (
            not app.lent
            and self._may_ask()
            and not is_field(app.focused)
            and time.monotonic() - self._typed() >= QUIET
        )

    def _announce(self) -> None:
        """Say once, to who is busy elsewhere, that something waits; without a sound."""
        app = self._app
        elsewhere = not self._may_ask() or is_field(app.focused)
        if not elsewhere or getattr(app.screen, "shows_waiting", False):
            return
        new = [case for case, _ in self._queue if case not in self._announced]
        if not new:
            return
        self._announced.update(new)
        count = len(new)
        waits = "1 question waits" if count == 1 else f"{count} questions wait"
        said = f"{self._glyphs.needs} {waits} for you"
        if key := keymap.of(app).short("hub.inbox"):
            said += f" {self._glyphs.dot} {key} in the list: inbox"
        app.notify(said, timeout=4, markup=False)

    def ask(
        self,
        task_id: str,
        *,
        action: Action | None = None,
        place: tuple[int, int] = (1, 1),
        raised: bool = False,
    ) -> None:
        """Open the dialog for a task.

        Args:
            action: what the user has chosen already.
            raised: it opens by itself, if the user is still not busy by then.
        """
        if not self._busy:
            self._busy = True
            asked = partial(self._asked, task_id, action, place, raised)
            start(self._app, asked, group="asking")

    async def _asked(
        self, task_id: str, action: Action | None, place: tuple[int, int], raised: bool
    ) -> None:
        from taskhub_tui.tui.screens.decision import DecisionScreen

        try:
            view = await self._hub.status(task_id)
            case = case_of(view.task, view.blocker)
            if not view.legal or (case is None and action is None):
                self._queue = [entry for entry in self._queue if entry[1] != task_id]
                return
            screen = DecisionScreen(
                view,
                self._hub.agents(),
                ranking=self._hub.suggest(view.task.request, view.task.options),
                place=place,
                glyphs=self._glyphs,
                log_tail=await self._tail(view),
                clock=self._hub.clock,
                initial_action=action,
                can_put_away=bool(await self._told_of(view.task)),
                in_line=raised,
                check=partial(self._check, view),
                drafts=self._drafts_of(view.task.id, case),
            )
            if raised and not self._free():
                return  # Meanwhile a key was pressed, or the terminal lent: it comes later.
            if raised and case is not None:
                self._announced.add(case)
            self._open = screen, view
            # What was said before would lie over the keys of the question; it stands in the inbox.
            self._app.clear_notifications()
            decision = await self._app.push_screen_wait(screen)
            self._open = None
            if decision is not None:
                taken = Taken(view.task, view.blocker, decision, always=screen.always)
                await self.sender.take([taken])
            elif case is not None and not screen.gave_way:
                self._later(case)
                if screen.put_away:
                    await self.put_away([view.task.id])
                    self.news.publish(None)
                if screen.to_inbox:
                    for other, _ in [*self._queue]:
                        self._later(other)
                    self._app.action_go("inbox")
            self.sender.show()
        except TaskHubError as error:
            self._say(error)
        finally:
            self._open = None
            self._busy = False
            again, self._again = self._again, None
            if again is not None:
                self.ask(again[0], action=again[1])

    # What was typed and not sent

    def _drafts_of(self, task_id: str, case: Case | None) -> "dict[Action, Draft]":
        """Return what was typed about a task; a dialog writes in it what it has."""
        asked, drafts = self._drafts.get(task_id, (case, {}))
        if asked != case:
            # Words may fit the next question too, changes of other arguments do not.
            drafts.pop(Action.MODIFY, None)
        self._drafts[task_id] = case, drafts
        return drafts

    def _was_sent(self, part: Part) -> None:
        if not part.aside:
            self._drafts.pop(part.task_id, None)

    @property
    def unsent(self) -> bool:
        """True when leaving would lose something that was typed about a task."""
        writing = self._open is not None and self._open[0].written is not None
        going = self.sender.task_ids
        return writing or any(
            drafts and task_id not in going for task_id, (_, drafts) in self._drafts.items()
        )

    async def _check(self, view: TaskView, decision: Decision) -> str | None:
        """Return why a decision would be refused, while it can still be mended.

        Raises:
            AlreadyDecided: somebody was faster, or the question has changed.
        """
        blocker = view.blocker
        try:
            await self._hub.try_out(
                view.task.id,
                decision,
                blocker_id=blocker.id if blocker else None,
                version=blocker.version if blocker else None,
            )
        except AlreadyDecided:
            raise
        except TaskHubError as error:
            return f"{error}. {error.hint}" if error.hint else str(error)
        return None

    async def _tail(self, view: TaskView) -> Sequence[str]:
        kind = view.blocker.kind if view.blocker is not None else None
        told = kind in (BlockerKind.STALLED, BlockerKind.INTERRUPTED)
        if view.task.status is not Status.FAILED and not told:
            return ()
        chunk = await self._hub.read_log(view.task.id, -_TAIL, _TAIL)
        return [line.text for line in chunk.lines[-_TAIL_LINES:]]

    def _later(self, case: Case) -> None:
        """Remember that the user has seen this question and leaves it for later."""
        self._put_off.add(case)
        self._queue = [entry for entry in self._queue if entry[0] != case]

    async def put_away(self, task_ids: Sequence[str]) -> None:
        """Take failures off what waits: what was told about them counts as read."""
        told = await self._hub.unread(kind=NoticeKind.ERROR, task_ids=task_ids)
        await self._hub.mark_read([one.id for one in told])

    async def _told_of(self, task: Task) -> Sequence[object]:
        """Return what was told about a failure and not put away yet."""
        if task.status is not Status.FAILED:
            return ()
        return await self._hub.unread(kind=NoticeKind.ERROR, task_ids=[task.id])

    # Taking back

    def _undone(self, held: Held) -> None:
        """Put the question again that a decision was taken back from."""
        said = held.doing.replace(":", " taken back:", 1)
        self._app.notify(said, timeout=3, markup=False)
        for part in held.parts:
            if part.case is not None:
                self._put_off.discard(part.case)
                self.returned.add(part.case)
            chosen = part.decision
            if chosen is not None and chosen.text and chosen.action is Action.DENY:
                drafts = self._drafts_of(part.task_id, part.case)
                drafts.setdefault(Action.DENY, {"": chosen.text})
        first = held.parts[0]
        drafts = self._drafts.get(first.task_id, (None, {}))[1]
        action = first.decision.action if first.decision is not None else None
        typed = action if action in drafts and not first.aside else None
        again = first.task_id, typed
        one = len(held.parts) == 1 and (first.case is not None or typed is not None)
        start(self._app, self._line_up, group="line up")
        self.news.publish(None)
        if not one:
            return
        if self._open is not None:
            if self._open[0].give_way():
                self._again = again
        elif self._may_ask() or (
            typed is not None and not isinstance(self._app.screen, ModalScreen)
        ):
            self.ask(again[0], action=typed)

    def _held_changed(self) -> None:
        decided = self.sender.cases
        self._queue = [entry for entry in self._queue if entry[0] not in decided]
        self.news.publish(None)

    async def leave(self) -> list[str]:
        """Send what is still held; return what could not be done."""
        return await self.sender.flush()

    def _say(self, error: TaskHubError) -> None:
        hint = f"\n{error.hint}" if error.hint else ""
        self._app.notify(f"{error}{hint}", severity="warning", timeout=8, markup=False)
