"""A small language for tests of the app: what a person does, what they see, what comes of it.

    async def test_a_failed_task_can_be_tried_again(play: Play) -> None:
        async with play(120, 36) as t:
            task = await t.given("Nightly report", Status.FAILED, error="No space left")
            await t.sees("✗ Failed", "No space left")
            await t.decides("r")
            await t.row("Nightly").is_under_cursor()
            await t.stands(task, Status.PENDING)

What is awaited is waited for: a sentence of this language is true as soon as it comes true, and
fails with the whole screen in words when it does not. `t.shows(…)` is the same without waiting.
Everything is real (hub, store, engine, the app's own event loop) but the time of day, which stands
still until `t.later(…)` moves it.
"""

import contextlib
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from hubs import Seed, asleep, text, until
from support import working
from textual.pilot import Pilot

from taskhub_tui.agents.registry import Registry
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.model import NewTask, Status, Task, TaskView
from taskhub_tui.hub import Hub
from taskhub_tui.tui.app import TaskHubApp
from taskhub_tui.tui.screens.decision import DecisionScreen
from taskhub_tui.tui.screens.preflight import PreflightScreen
from taskhub_tui.tui.widgets.task_table import TaskTable

NOW = 1_790_000_000.0
"""Monday 21 September 2026, 14:13:20 in UTC: the time of day at which every play begins."""
PATIENCE = 20.0
"""Seconds after which what is waited for is taken not to come; a machine may be slow."""


@dataclass
class Clock:
    """A time of day that stands still until it is moved."""

    at: float = NOW

    def __call__(self) -> float:
        return self.at


class Row:
    """The line of the table that has some words in it."""

    def __init__(self, user: "User", words: str) -> None:
        self._user = user
        self._words = words

    def line(self) -> int | None:
        """Return the line of the screen it stands on, the first is 0; None when it does not."""
        table = self._user.table
        if not table.is_on_screen:
            return None
        left, top = table.region.offset
        for y, said in enumerate(self._user.lines()[top : table.region.bottom], top):
            if y > top and self._words in said[left : table.region.right]:
                return y
        return None

    def text(self) -> str:
        """Return what stands on its line; "" when it is not in sight."""
        at, region = self.line(), self._user.table.region
        return "" if at is None else self._user.lines()[at][region.x : region.right].strip()

    async def is_there(self) -> None:
        await self._user.until(lambda: self.line() is not None, f"a row with {self._words!r}")

    async def is_not_there(self) -> None:
        await self._user.until(lambda: self.line() is None, f"no row with {self._words!r}")

    async def is_under_cursor(self) -> None:
        def there() -> bool:
            here = self._user.table.here
            return here is not None and self._words in here.title

        await self._user.until(there, f"the cursor on {self._words!r}")

    async def says(self, *words: str) -> None:
        await self._user.until(
            lambda: all(one in self.text() for one in words),
            f"the row with {self._words!r} saying {words}",
        )

    async def is_above(self, other: str) -> None:
        def above() -> bool:
            mine, theirs = self.line(), self._user.row(other).line()
            return mine is not None and theirs is not None and mine < theirs

        await self._user.until(above, f"{self._words!r} above {other!r}")


@dataclass
class User:
    """Who sits at the app: presses, types, clicks, looks."""

    app: TaskHubApp
    pilot: Pilot[None]
    hub: Hub
    clock: Clock
    seed: Seed

    # What there is

    async def given(self, title: str, status: Status = Status.PENDING, **more: Any) -> Task:
        """Have a task in any state, as the engine would leave it; see `Seed.put`."""
        task = await self.seed.put(title, status, **more)
        await self.app.look()
        return task

    async def hands_over(self, request: str, **more: Any) -> Task:
        """Hand over a task past the screen, for an engine that runs."""
        task = await self.hub.submit(NewTask(request, **more))
        await self.app.look()
        return task

    async def stands(self, task: Task, *wanted: Status) -> TaskView:
        """Wait until the store has the task in one of these states, and return it."""
        found: list[TaskView] = []

        async def there() -> bool:
            found[:] = [await self.hub.status(task.id)]
            return found[0].task.status in wanted

        await self.until(there, f"{task.title!r} being {[one.value for one in wanted]}")
        return found[0]

    async def later(self, seconds: float) -> None:
        """Let the time of day pass; the ages on the screen follow within a second."""
        self.clock.at += seconds
        await self.app.look()

    # What the person does

    async def press(self, *keys: str) -> None:
        """Press keys by Textual's names: `press("n")`, `press("ctrl+s", "escape")`."""
        await self.pilot.press(*keys)

    async def types(self, words: str) -> None:
        """Type text where the cursor is."""
        names = {" ": "space", "\n": "enter", "/": "slash", ".": "full_stop", "-": "minus"}
        await self.pilot.press(*(names.get(one, one) for one in words))

    async def clicks(self, words: str) -> None:
        """Click in the middle of some words, wherever they stand."""
        await self.sees(words)
        for y, line in enumerate(self.lines()):
            if (x := line.find(words)) >= 0:
                await self.pilot.click(offset=(x + len(words) // 2, y))
                return

    async def waits_for_the_dialog(self) -> None:
        """Let a dialog that asks come up, and the moment pass in which it takes no keys."""

        def listens() -> bool:
            # Nothing was typed for long: else the dialog would wait for it in real time.
            self.app.typed = time.monotonic() - 60
            screen = self.app.screen
            if isinstance(screen, PreflightScreen):
                screen._touched = time.monotonic() - 60
                return screen.is_mounted and screen.awake
            if not isinstance(screen, DecisionScreen):
                return False
            screen._quiet_since = time.monotonic() - 60
            return screen.is_mounted and screen._listens()

        await self.until(listens, "a decision dialog that listens")

    async def decides(self, *keys: str) -> None:
        """Wait for the decision dialog and press keys in it."""
        await self.waits_for_the_dialog()
        await self.press(*keys)

    # What the person sees

    def lines(self) -> list[str]:
        """Return the screen as it is, line by line."""
        return text(self.app).split("\n")

    def shows(self, *words: str) -> bool:
        """Return whether all these words are on the screen now."""
        shown = text(self.app)
        return all(one in shown for one in words)

    async def sees(self, *words: str) -> None:
        await self.until(lambda: self.shows(*words), f"the screen showing {words}")

    async def does_not_see(self, *words: str) -> None:
        await self.until(
            lambda: not any(self.shows(one) for one in words), f"the screen without {words}"
        )

    async def is_on(self, screen: str) -> None:
        """Wait until the screen on top has this class name."""
        await self.until(lambda: type(self.app.screen).__name__ == screen, f"the {screen}")

    async def is_in(self, widget: str) -> None:
        """Wait until the widget with this ID, or class name, has the focus."""

        def focused() -> bool:
            here = self.app.focused
            return here is not None and widget in (here.id, type(here).__name__)

        await self.until(focused, f"the focus in {widget}")

    async def until(self, fact: Callable[[], bool | Awaitable[bool]], what: str = "") -> None:
        """Wait until `fact` is true, however long the machine takes."""
        try:
            await until(self.pilot, fact, seconds=PATIENCE)
        except AssertionError as error:
            wanted = what or inspect.getsource(fact).strip()
            raise AssertionError(f"Waited in vain for {wanted}.\n{error}") from None

    def row(self, words: str) -> Row:
        """Return the row of the table with these words in it."""
        return Row(self, words)

    @property
    def table(self) -> TaskTable:
        return self.app._main.table


class Play(Protocol):
    """Opens the app; what the fixture `play` gives."""

    def __call__(
        self,
        width: int = 120,
        height: int = 36,
        *,
        engine: bool = False,
        agents: tuple[Any, ...] = (),
        calm: bool = False,
        **app: Any,
    ) -> contextlib.AbstractAsyncContextManager[User]:
        """
        Args:
            engine: run a real worker beside the app.
            agents: agents to have beside the installed ones.
            calm: no decision dialog comes up by itself.
            app: what `TaskHubApp` takes.
        """


@asynccontextmanager
async def opened(
    where: Paths,
    settings: Settings,
    size: tuple[int, int],
    *,
    clock: Clock | None = None,
    engine: bool = False,
    agents: tuple[Any, ...] = (),
    before: Callable[[Seed], Awaitable[None]] | None = None,
    calm: bool = False,
    **app: Any,
) -> AsyncIterator[User]:
    """Open hub, engine and app, and give the person who uses them.

    Args:
        calm: no decision dialog comes up by itself.
        before: puts tasks there before the app is opened.
    """
    clock = clock or Clock()
    registry = Registry(extra={agent.card.name: agent for agent in agents}) if agents else None
    async with contextlib.AsyncExitStack() as stack:

        async def hub(**more: Any) -> Hub:
            made = Hub.open(
                paths=where, settings=settings, clock=clock, autostart=False,
                registry=registry, **more,
            )  # fmt: skip
            return await stack.enter_async_context(await made)

        front = await hub()
        # Tasks are written by a connection of their own, as an engine would, and heard of.
        seed = Seed(front, where, (await hub(channel="desktop"))._store)
        if before is not None:
            await before(seed)
        if engine:
            at_work = working(where, settings, registry=registry, clock=clock)
            await stack.enter_async_context(at_work)
        shown = TaskHubApp(front, services=[asleep], **app)
        shown.animation_level = "none"
        if calm:
            shown.asker.consider = lambda: None  # type: ignore[method-assign]
        pilot = await stack.enter_async_context(shown.run_test(size=size, notifications=True))
        user = User(shown, pilot, front, clock, seed)
        await user.until(lambda: shown._seen_notice is not None, "the first look at the hub")
        yield user
