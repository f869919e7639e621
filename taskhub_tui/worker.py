"""The worker: hosts the engine and the notifier, detached or inside the app."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

from taskhub_tui import config, keeper
from taskhub_tui.agents.registry import Registry
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.errors import BadInput, NotLegal, TaskHubError
from taskhub_tui.doorbell import Doorbell
from taskhub_tui.engine.engine import Engine
from taskhub_tui.hub import Hub
from taskhub_tui.notifications import prefs
from taskhub_tui.notifications.message import Pressed
from taskhub_tui.notifications.notifier import Notifier, Sender, decision_of, number_of
from taskhub_tui.notifications.policy import Channel
from taskhub_tui.storage import claims, outbox, queries
from taskhub_tui.storage.store import Store
from taskhub_tui.storage.writer import Tx
from taskhub_tui.upkeep import Upkeep

log = logging.getLogger("taskhub.worker")

Desktop: TypeAlias = Callable[
    [Callable[[Pressed], Awaitable[None]], Callable[[tuple[str, ...]], Awaitable[None]]], Sender
]
"""Makes the desktop channel: what to call when a button is pressed, and when all was lost."""


class Worker:
    """One engine and one notifier on one store."""

    def __init__(
        self,
        store: Store,
        paths: Paths,
        settings: Settings,
        *,
        registry: Registry | None = None,
        clock: Callable[[], float] = time.time,
        desktop: Desktop | None = None,
    ) -> None:
        """`desktop` makes the channel to this machine's screen; by default the real one."""
        self._store = store
        self._paths = paths
        self._settings = settings
        self._clock = clock
        self._registry = registry or Registry()
        self.engine = Engine(
            store,
            self._registry,
            paths,
            settings,
            clock=clock,
            listed=partial(keeper.satisfied, paths.home),
        )
        self._idled = False
        self._bell = Doorbell(paths.home)
        self._answers: set[asyncio.Task[None]] = set()
        channels: dict[Channel, Sender] = {}
        wishes = prefs.of(settings, paths)
        if wishes.desktop.enabled:
            make = desktop or _real_desktop
            channels[Channel.DESKTOP] = make(self._pressed, self._desktop_restarted)
        self.notifier = Notifier(store, self.engine.me, wishes, channels, clock=clock)
        self._upkeep = Upkeep(
            store,
            paths,
            settings,
            partial(self.notifier.tell, Channel.DESKTOP),
            lambda: not self.engine.busy,
            clock=clock,
        )
        store.after_commit = self._committed

    def _committed(self, tx: Tx) -> None:
        self._bell.ring_soon()
        if tx.ready:
            self.engine.wake()
        if tx.told:
            self.notifier.wake()

    async def run(self, *, idle_exit: float = 0.0) -> None:
        """Work until `engine.stop()`, or until nothing was left to do for `idle_exit` seconds."""
        self._bell.listen()
        helpers = [
            asyncio.create_task(self._hear(), name="hear the doorbell"),
            asyncio.create_task(self.notifier.run(), name="notifier"),
        ]
        if idle_exit > 0:
            helpers.append(asyncio.create_task(self._leave_when_idle(idle_exit), name="idle"))
        helpers.append(asyncio.create_task(self._revive(), name="revive notifications"))
        helpers.append(asyncio.create_task(self._upkeep.run(), name="upkeep"))
        try:
            await self.engine.run()
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, *self._answers, return_exceptions=True)
            self._bell.close()

    async def _hear(self) -> None:
        while True:
            if await self._bell.wait(3600):
                self.engine.wake()
                self.notifier.wake()

    async def _revive(self) -> None:
        """Show again what dead workers had on a screen, now and whenever one is found dead."""
        while True:
            with contextlib.suppress(TaskHubError):
                workers = await self._store.read(partial(claims.workers, now=self._clock()))
                await self.notifier.revive([w.id for w in workers if w.alive])
            await asyncio.sleep(15)

    async def _leave_when_idle(self, idle_exit: float) -> None:
        since = self._clock()
        while True:
            await asyncio.sleep(min(5.0, idle_exit / 4))
            with contextlib.suppress(TaskHubError):
                if (
                    self.engine.busy
                    or await self._store.read(queries.work_left)
                    or await self.notifier.on_screen()
                ):
                    since = self._clock()
            if self._clock() - since >= idle_exit:
                if await self._upkeep.finish():
                    continue  # That may have taken long.
                log.info("nothing is left to do; leaving")
                self._idled = True
                self.engine.stop()
                return

    @property
    def left_work(self) -> bool:
        """True when another must be started in its place.

        It left for want of work, and something was handed over just then; or it is of a version
        whose time is over.
        """
        return self.engine.outdated or (self._idled and self.engine.left_work)

    # Answers from channels

    async def _desktop_restarted(self, keys: tuple[str, ...]) -> None:
        await self.notifier.resend(Channel.DESKTOP)

    async def _pressed(self, pressed: Pressed) -> None:
        """Take an answer given on the desktop; one that comes too late is told so there."""
        number = number_of(pressed.key)
        note = await self._store.read(partial(outbox.notification_by_id, notification_id=number))
        if note is None:
            return
        meant = decision_of(pressed)
        if meant is None:
            await self._store.write(partial(outbox.ask_to_open, task_id=note.task_id))
            return
        action, text = meant
        try:
            if note.withdrawn is not None and note.blocker_id is None:
                raise NotLegal("Too late: somebody has decided already")
            async with await Hub.open(
                paths=self._paths,
                settings=self._settings,
                channel="desktop",
                clock=self._clock,
                autostart=False,
                registry=self._registry,
            ) as hub:
                await hub.decide(note.task_id, action, text=text, blocker_id=note.blocker_id)
        except TaskHubError as error:
            # Too late, mostly; or the database is kept busy, and nothing was decided.
            log.info("desktop: %s", error)
            await self.notifier.tell(Channel.DESKTOP, note.title, str(error))


def _real_desktop(
    pressed: Callable[[Pressed], Awaitable[None]],
    restarted: Callable[[tuple[str, ...]], Awaitable[None]],
) -> Sender:
    from taskhub_tui.notifications.channels.desktop import DesktopChannel

    return DesktopChannel(pressed, on_daemon_restart=restarted)


async def serve(
    paths: Paths | None = None,
    settings: Settings | None = None,
    *,
    idle_exit: float = 0.0,
    registry: Registry | None = None,
    clock: Callable[[], float] = time.time,
    desktop: Desktop | None = None,
    ready: Callable[[Worker], None] | None = None,
) -> None:
    """Run a worker in this event loop until it is cancelled, told to stop, or idle for long.

    Raises:
        StoreError: the database cannot be used.
        BadInput: the settings have a mistake.
    """
    paths = paths or config.paths()
    settings = settings or config.settings(paths)
    store = await Store.open(paths.database, here=True)
    try:
        worker = Worker(store, paths, settings, registry=registry, clock=clock, desktop=desktop)
        if ready is not None:
            ready(worker)
        running = asyncio.create_task(worker.run(idle_exit=idle_exit), name="worker")
        try:
            await asyncio.shield(running)
        except asyncio.CancelledError:
            worker.engine.stop()
            await running
            raise
    finally:
        await store.close()


async def foreground(paths: Paths, settings: Settings, *, idle_exit: float = 0.0) -> bool:
    """Run a worker until SIGINT or SIGTERM; a second signal ends it at once.

    Returns whether another must be started, see `Worker.left_work`.
    """
    loop = asyncio.get_running_loop()
    held: list[Worker] = []
    asked = 0

    def stop() -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            os._exit(130)
        for worker in held:
            worker.engine.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    await serve(paths, settings, idle_exit=idle_exit, ready=held.append)
    return any(worker.left_work for worker in held)


class Repeats(logging.Filter):
    """Leaves out what was just said: a trouble that lasts is met again at every look."""

    SILENCE = 300.0
    """Seconds after which the same is said once more."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        words, now = record.getMessage(), record.created
        if 0 <= now - self._said.get(words, -self.SILENCE) < self.SILENCE:
            return False
        if len(self._said) > 100:
            self._said.clear()
        self._said[words] = now
        return True


def main(argv: list[str] | None = None) -> int:
    """Run a worker as a process of its own; with `--detached` it leaves when nothing is left."""
    keeper.set_umask()
    detached = "--detached" in (sys.argv[1:] if argv is None else argv)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(name)s: %(message)s", stream=sys.stderr
    )
    for handler in logging.getLogger().handlers:
        handler.addFilter(Repeats())
    # desktop-notifier logs what our own channel says better.
    logging.getLogger("desktop_notifier").setLevel(logging.CRITICAL)
    try:
        paths = config.paths()
        settings = config.settings(paths)
        idle_exit = settings.idle_exit if detached else 0.0
        if asyncio.run(foreground(paths, settings, idle_exit=idle_exit)):
            log.info("another worker is to go on")
            return keeper.LEFT_WORK
    except TaskHubError as error:
        log.error("%s%s", error, f". {error.hint}" if error.hint else "")
        # The keeper tries again, for a while, but not what only a person can mend.
        return 0 if detached and isinstance(error, BadInput) else error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
