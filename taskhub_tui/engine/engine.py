"""The engine: claims tasks, keeps its lease, stops what people stopped, and runs the rest."""

import asyncio
import contextlib
import logging
import os
import random
import secrets
import time
from collections.abc import Callable, Sequence
from functools import partial

from taskhub_tui import __version__
from taskhub_tui.agents.registry import Registry
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain import lifecycle
from taskhub_tui.domain.errors import BadInput, NotLegal, TaskHubError
from taskhub_tui.domain.model import Action, Decision, Interrupt, Stage, StageStatus, Task
from taskhub_tui.engine.runner import Held, stop_agent
from taskhub_tui.engine.watchdog import Watchdog
from taskhub_tui.process import identity
from taskhub_tui.storage import changes, claims, lanes, queries, stages
from taskhub_tui.storage.claims import Claimed
from taskhub_tui.storage.store import Store
from taskhub_tui.storage.writer import Tx

log = logging.getLogger("taskhub.engine")

LOOK = 1.0
"""Seconds after which the engine looks by itself, should no doorbell ring."""
TICK = 0.25
"""Seconds between two writings of progress and log."""
TAKE_OVER_BATCH = 200


class Engine:
    """Runs tasks of one store until told to stop."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        paths: Paths,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.time,
        rng: random.Random | None = None,
    ) -> None:
        self.me = f"{identity().host}:{os.getpid()}:{secrets.token_hex(3)}"
        self._store = store
        self._registry = registry
        self._paths = paths
        self._settings = settings
        self._clock = clock
        self._rng = rng or random.Random()
        self._held: dict[int, Held] = {}
        self._stopping_agents: dict[int, asyncio.Task[None]] = {}
        self._again: dict[int, float] = {}
        """Tasks of ours that nothing carries, with the time to pick each up again."""
        self._wake = asyncio.Event()
        self._leaving = False
        self._watchdog = Watchdog(store, settings.stall)
        self._watched = 0.0
        self._limited: dict[str, float] = {}
        """Agents whose provider takes nothing, with the time until which; at most a second old."""

    @property
    def busy(self) -> bool:
        """True while any task is carried or any agent is being stopped."""
        return bool(self._held or self._stopping_agents)

    def wake(self) -> None:
        """Look at once for what is to be done."""
        self._wake.set()

    def stop(self) -> None:
        """Leave: agents are detached from their work, and everything is handed over."""
        self._leaving = True
        self._wake.set()

    async def run(self) -> None:
        """Work until `stop`; when this returns, nothing the engine started still runs."""
        await self._beat()
        keepers = [
            asyncio.create_task(self._keep_lease(), name="keep lease"),
            asyncio.create_task(self._keep_ticking(), name="write progress"),
        ]
        try:
            while not self._leaving:
                self._wake.clear()
                try:
                    delay = await self._turn()
                except TaskHubError as error:
                    # A full disk, or a database kept busy: what we hold goes on meanwhile.
                    log.warning("%s", error)
                    delay = LOOK
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(delay):
                        await self._wake.wait()
        finally:
            await self._leave(keepers)

    async def _turn(self) -> float:
        """Do what is to be done now; return the seconds until something is due by the clock."""
        now = self._clock()
        if await self._store.read(lambda reader: claims.asked_to_stop(reader, self.me)):
            self.stop()
            return 0.0
        await self._take_over(now)
        await self._pick_up_again(now)
        # In this order: an agent whose task was cancelled is stopped, not only left.
        await self._stop_agents()
        self._let_go_lost()
        await self._meet_deadlines(now)
        free = self._free
        limits = self._settings.limits
        if free > 0 and not self._leaving:
            ready = await self._store.read(lambda reader: claims.any_ready(reader, now, limits))
            if ready:
                claimed = await self._store.write(
                    lambda tx: claims.claim(tx, self.me, now, free, limits)
                )
                for one in claimed:
                    self._carry(one)
        due = await self._store.read(lambda reader: claims.next_due(reader, now))
        return LOOK if due is None else min(LOOK, max(0.0, due - self._clock()))

    @property
    def _free(self) -> int:
        return self._settings.concurrency - len(self._held)

    def _closed(self, agent: str) -> bool:
        return self._limited.get(agent, 0.0) > self._clock()

    # Carrying tasks

    def _carry(self, claimed: Claimed) -> None:
        n = claimed.task.n
        before = self._held.get(n)
        held = Held(
            claimed,
            self._store,
            self._registry,
            self._paths,
            clock=self._clock,
            rng=self._rng,
            lost=self.wake,
            limits=self._settings.limits,
            closed=self._closed,
            close=self._limited.__setitem__,
        )
        self._held[n] = held
        held.coroutine = asyncio.create_task(
            self._carried(held, before), name=f"task {claimed.task.id}"
        )

    async def _carried(self, held: Held, before: Held | None) -> None:
        try:
            if before is not None and before.coroutine is not None:
                # It asked, was let go, and the answer came before it had ended.
                await asyncio.wait([before.coroutine])
            await held.carry()
        except asyncio.CancelledError:
            # Whoever cancelled knows why; nobody waits for the exception.
            pass
        except TaskHubError as error:
            # Its database was full, or busy for long; what it did last is not on disk.
            log.warning("task %s: %s", held.task.id, error)
            self._again[held.task.n] = self._clock() + LOOK
        except Exception as error:
            log.exception("task %s: the engine has a bug", held.task.id)
            with contextlib.suppress(TaskHubError):
                await held.give_up(error)
        finally:
            if self._held.get(held.task.n) is held:
                del self._held[held.task.n]
            self._wake.set()

    async def _take_over(self, now: float) -> None:
        """Take tasks whose worker is gone."""
        for holder in await self._store.read(lambda r: claims.orphans(r, self.me, now)):
            found, queued = await self._store.write(
                partial(
                    claims.take_over,
                    me=self.me,
                    dead=holder,
                    now=now,
                    limit=TAKE_OVER_BATCH,
                    carries=self._carries(),
                )
            )
            for one in found:
                self._carry(one)
            if len(found) + queued == TAKE_OVER_BATCH:
                self._wake.set()
            elif found or queued:
                log.info("took over %d tasks of %s", len(found) + queued, holder)

    def _carries(self) -> Callable[[Task, Sequence[Stage]], bool]:
        """Return whether a task of a dead worker is carried on at once, or goes to its queue.

        What goes on by itself, such as a command, is followed at once, and what asks is asked; what
        would be begun again, or anew, takes a free slot, as any other work does.
        """
        free = self._free

        def carries(task: Task, stages: Sequence[Stage]) -> bool:
            nonlocal free
            stage = stages[task.stage] if task.stage < len(stages) else None
            if stage is None:
                return True
            if stage.status is StageStatus.RUNNING and self._habit(stage) != "rerun":
                free -= 1
                return True
            free -= 1
            return free >= 0

        return carries

    def _habit(self, stage: Stage) -> Interrupt:
        if stage.on_interrupt is not None:
            return stage.on_interrupt
        try:
            return self._registry.agent(stage.agent).card.on_interrupt
        except TaskHubError:
            return "ask"

    def _let_go_lost(self) -> None:
        """Leave tasks that were taken from us; what a person stopped is stopped elsewhere."""
        for held in list(self._held.values()):
            if held.lost and held.task.n not in self._stopping_agents:
                held.stop("detach")

    async def _pick_up_again(self, now: float) -> None:
        """Carry on with tasks that are ours, but whose carrier could not write."""
        for n in [n for n, due in self._again.items() if due <= now]:
            claimed = await self._store.read(partial(claims.still_held, me=self.me, n=n))
            del self._again[n]
            if claimed is not None and n not in self._held:
                self._carry(claimed)

    async def _stop_agents(self) -> None:
        """Stop the agents of tasks that people cancelled, reassigned or modified."""
        if not await self._store.read(lambda reader: claims.any_to_stop(reader, self.me)):
            return
        for task, stage in await self._store.write(lambda tx: claims.claim_stopping(tx, self.me)):
            if task.n not in self._stopping_agents:
                self._stopping_agents[task.n] = asyncio.create_task(
                    self._stop_agent(task, stage), name=f"stop {task.id}"
                )

    async def _stop_agent(self, task: Task, stage: Stage) -> None:
        done = False
        try:
            held = self._held.get(task.n)
            if held is not None and held.coroutine is not None:
                held.stop("cancel")
                await asyncio.wait([held.coroutine])
            else:
                empty = Held(
                    Claimed(task, (stage,)),
                    self._store,
                    self._registry,
                    self._paths,
                    clock=self._clock,
                    rng=self._rng,
                    lost=lambda: None,
                )
                await stop_agent(empty, stage)
            await self._store.write(lambda tx: claims.stopped(tx, task.n))
            done = True
        except TaskHubError as error:
            log.warning("task %s could not be stopped: %s", task.id, error)
        finally:
            del self._stopping_agents[task.n]
            if done:
                self._wake.set()

    async def _meet_deadlines(self, now: float) -> None:
        """Take the default for questions that nobody answered in time."""
        for late in await self._store.read(lambda reader: lanes.expired(reader, now)):
            await self._store.write(partial(self._miss, task_id=late))
        due = await self._store.read(lambda reader: queries.overdue(reader, now))
        for task_id, blocker_id, default in due:
            await self._store.write(
                partial(self._expire, task_id=task_id, blocker_id=blocker_id, default=default)
            )

    def _miss(self, tx: Tx, task_id: str) -> None:
        """Fail a task whose deadline has passed; its agent is stopped as with CANCEL."""
        task = queries.task_by_id(tx, task_id)
        stages = queries.stages_of(tx, task)
        change = lifecycle.miss_deadline(
            task, stages, queries.open_blocker(tx, task), self._clock()
        )
        if change is not None:
            changes.write_decided(tx, change, by="engine", channel="deadline")

    def _expire(self, tx: Tx, task_id: str, blocker_id: str, default: Action) -> None:
        task = queries.task_by_id(tx, task_id)
        blocker = queries.open_blocker(tx, task)
        if blocker is None or blocker.id != blocker_id:
            return
        decision = Decision(default, by="nobody", channel="timeout")
        with contextlib.suppress(NotLegal, BadInput):
            change = lifecycle.decide(
                task, queries.stages_of(tx, task), blocker, decision, self._clock()
            )
            changes.write_decided(tx, change, by="nobody", channel="timeout")

    # Keeping

    async def _beat(self) -> None:
        now = self._clock()
        who, until = identity(), now + self._settings.lease

        def beat(tx: Tx) -> None:
            claims.beat(tx, self.me, who, __version__, now, until)
            claims.forget_dead(tx, self.me, now)

        await self._store.write(beat)

    async def _keep_lease(self) -> None:
        while True:
            await asyncio.sleep(self._settings.lease / 3)
            try:
                await self._beat()
                await self._let_go()
            except TaskHubError as error:
                log.warning("the lease could not be renewed: %s", error)

    async def _let_go(self) -> None:
        """Leave tasks that others have taken, should we have slept past our lease."""
        held = dict(self._held)
        fences = await self._store.read(lambda reader: claims.fences(reader, [*held]))
        for n, one in held.items():
            if fences.get(n) != one.task.fence and not one.lost:
                one.lost = True
                self.wake()

    async def _keep_ticking(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            await self._tick()

    async def _tick(self) -> None:
        made, now = [], self._clock()
        for held in list(self._held.values()):
            if held.log.dirty:
                held.log.flush()
            context = held.context
            if context is None or context.stop != "no":
                continue
            if context.dirty or context.stale(now):
                made.append(context.progressed())
        try:
            if made:
                await self._store.write(lambda tx: stages.progress(tx, made, now))
            if now - self._watched >= LOOK or now < self._watched:
                self._watched = now
                known = await self._store.read(lambda reader: lanes.limited(reader, now))
                self._limited.clear()
                self._limited.update(known)
                await self._watchdog.look(list(self._held.values()), now)
        except TaskHubError as error:
            log.warning("progress could not be written: %s", error)

    async def _leave(self, keepers: list[asyncio.Task[None]]) -> None:
        """Detach from all work, then take us off the list, so that others take over at once."""
        self._leaving = True
        for held in list(self._held.values()):
            held.stop("detach")
        waiting = [held.coroutine for held in self._held.values() if held.coroutine]
        waiting += list(self._stopping_agents.values())
        if waiting:
            await asyncio.wait(waiting, timeout=30)
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        with contextlib.suppress(TaskHubError):
            await self._store.write(lambda tx: claims.leave(tx, self.me))
