"""Which questions are put to the user, when, and what becomes of the answer."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual.app import App
from textual.widgets import Input, TextArea

from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.domain.model import (
    Action,
    BlockerKind,
    Decision,
    Event,
    NoticeKind,
    Status,
    Task,
    TaskView,
)
from taskhub_tui.domain.views import Changes
from taskhub_tui.hub import Hub
from taskhub_tui.text import one_line
from taskhub_tui.tui.background import start
from taskhub_tui.tui.theme import Glyphs

if TYPE_CHECKING:
    from taskhub_tui.tui.screens.decision import DecisionScreen

QUIET = 1.0
"""Seconds without a key before a dialog may open by itself."""
_TAIL = 16_000

Case = tuple[str, object]
"""What makes a question this one and no other: its ID and version, or the moment of a failure."""


def case_of(view: TaskView) -> Case | None:
    """Return the question that a task raises, or None."""
    if view.blocker is not None:
        return view.blocker.id, view.blocker.version
    if view.task.status is Status.FAILED:
        return _failure(view.task)
    return None


def _through(event: Event) -> str:
    return f" ({event.channel})" if event.channel else ""


def _failure(task: Task) -> Case:
    return task.id, task.ended or task.changed


class Asker:
    """Raises open questions one at a time, and carries the decisions to the hub."""

    def __init__(
        self, app: App[None], hub: Hub, glyphs: Glyphs, typed: Callable[[], float]
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
        self._failed: dict[str, Case] = {}
        self._put_off: set[Case] = set()
        self._open: tuple[DecisionScreen, TaskView] | None = None
        self._busy = False
        self._announced: set[Case] = set()

    # What is open

    async def start(self) -> None:
        """Take up what waits since before the app was opened."""
        untold = {
            notice.task_id
            for notice in await self._hub.notifications()
            if notice.kind is NoticeKind.ERROR and not notice.read and not notice.withdrawn
        }
        for task in await self._hub.tasks(status=(Status.FAILED,), limit=200):
            if task.id in untold:
                self._failed[task.id] = _failure(task)
        await self._line_up()

    async def follow(self, changes: Changes) -> None:
        """Take note of changed tasks; close the dialog whose question is settled."""
        for task in changes.tasks:
            if task.status is Status.FAILED:
                self._failed[task.id] = _failure(task)
            else:
                self._failed.pop(task.id, None)
        if changes.tasks:
            await self._line_up()
        if self._open is not None and any(
            task.id == self._open[1].task.id for task in changes.tasks
        ):
            await self._still_open(*self._open)

    async def _line_up(self) -> None:
        questions = [
            ((blocker.id, blocker.version), task.id) for blocker, task in await self._hub.blockers()
        ]
        failures = [(case, task_id) for task_id, case in self._failed.items()]
        self._queue = [
            (case, task_id)
            for case, task_id in [*questions, *failures]
            if case not in self._put_off
        ]

    async def _still_open(self, screen: "DecisionScreen", seen: TaskView) -> None:
        now = await self._hub.status(seen.task.id)
        before, after = case_of(seen), case_of(now)
        if before == after and (before is not None or now.legal == seen.legal):
            return
        screen.close_because(await self._settled(seen, now))

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
        if self._busy or not self._queue or not self._free():
            return
        (_, task_id), total = self._queue[0], len(self._queue)
        self.ask(task_id, place=(1, total))

    def _free(self) -> bool:
        app = self._app
        return (
            len(app.screen_stack) == 1
            and not isinstance(app.focused, Input | TextArea)
            and time.monotonic() - self._typed() >= QUIET
        )

    def ask(
        self, task_id: str, *, action: Action | None = None, place: tuple[int, int] = (1, 1)
    ) -> None:
        """Open the dialog for a task; `action` is what the user has chosen already."""
        if not self._busy:
            self._busy = True
            asked = partial(self._asked, task_id, action, place)
            start(self._app, asked, group="asking")

    async def _asked(self, task_id: str, action: Action | None, place: tuple[int, int]) -> None:
        from taskhub_tui.tui.screens.decision import DecisionScreen

        try:
            view = await self._hub.status(task_id)
            case = case_of(view)
            if not view.legal or (case is None and action is None):
                self._queue = [entry for entry in self._queue if entry[1] != task_id]
                return
            screen = DecisionScreen(
                view,
                self._hub.agents(),
                place=place,
                glyphs=self._glyphs,
                log_tail=await self._tail(view),
                clock=self._hub.clock,
                initial_action=action,
            )
            self._open = screen, view
            decision = await self._app.push_screen_wait(screen)
            self._open = None
            if decision is not None:
                await self._take(view, decision)
            elif case is not None:
                await self._later(view, case)
        except TaskHubError as error:
            self._say(error)
        finally:
            self._open = None
            self._busy = False

    async def _tail(self, view: TaskView) -> Sequence[str]:
        kind = view.blocker.kind if view.blocker is not None else None
        told = kind in (BlockerKind.STALLED, BlockerKind.INTERRUPTED)
        if view.task.status is not Status.FAILED and not told:
            return ()
        chunk = await self._hub.read_log(view.task.id, -_TAIL, _TAIL)
        return [line.text for line in chunk.lines[-10:]]

    async def _later(self, view: TaskView, case: Case) -> None:
        """Remember that the user has seen this question and leaves it for later."""
        self._put_off.add(case)
        self._queue = [entry for entry in self._queue if entry[0] != case]
        if view.task.status is Status.FAILED:
            told = [
                notice.id
                for notice in await self._hub.notifications()
                if notice.task_id == view.task.id
                and notice.kind is NoticeKind.ERROR
                and not notice.read
            ]
            await self._hub.mark_read(told)

    async def _take(self, view: TaskView, decision: Decision) -> None:
        blocker = view.blocker
        await self._hub.decide(
            view.task.id,
            decision.action,
            text=decision.text,
            choice=decision.choice,
            data=decision.data,
            agent=decision.agent,
            blocker_id=blocker.id if blocker else None,
            version=blocker.version if blocker else None,
        )
        self._queue = [entry for entry in self._queue if entry[1] != view.task.id]
        done = decision.action.name.replace("_", " ").capitalize()
        if (
            blocker is not None
            and blocker.kind is BlockerKind.INPUT
            and decision.action is Action.PROVIDE_CONTEXT
        ):
            done = "Answered"
        title = one_line(view.task.title, 60)
        self._app.notify(f"{done}: {title}", timeout=3, markup=False)

    def _say(self, error: TaskHubError) -> None:
        hint = f"\n{error.hint}" if error.hint else ""
        self._app.notify(f"{error}{hint}", severity="warning", timeout=8, markup=False)
