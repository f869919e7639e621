"""The engine: claims tasks, keeps its lease, stops what people stopped, and runs the rest."""

import asyncio
import contextlib
import logging
import math
import os
import random
import secrets
import time
from collections.abc import Callable, Sequence
from functools import partial

from taskhub_tui.agents.registry import Registry
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.errors import Damaged, LeaseLost, Outdated, TaskHubError
from taskhub_tui.domain.model import Interrupt, Stage, StageStatus, Task
from taskhub_tui.engine import deadlines, outcome, runner
from taskhub_tui.engine.call import stop_agent
from taskhub_tui.engine.held import Held
from taskhub_tui.engine.lease import Lease
from taskhub_tui.engine.watchdog import Watchdog
from taskhub_tui.process import identity
from taskhub_tui.storage import claims, stages
from taskhub_tui.storage.changes import Known
from taskhub_tui.storage.claims import Claimed
from taskhub_tui.storage.damage import condemn
from taskhub_tui.storage.store import Store
from taskhub_tui.storage.writer import Tx

log = logging.getLogger("taskhub.engine")

LOOK = 1.0
"""Seconds after which the engine looks by itself, should no doorbell ring."""
TICK = 0.25
"""Seconds between two writings of progress and log."""
TURNS_TO_BEGIN = 5
"""Turns of the event loop in which a task that was claimed has called its agent."""
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
        listed: Callable[[], None] = lambda: None,
    ) -> None:
        """`listed` is called once this worker is on the list, where everybody sees it."""
        self.me = f"{identity().host}:{os.getpid()}:{secrets.token_hex(3)}"
        self._store = store
        self._registry = registry
        self._paths = paths
        self._settings = settings
        self._clock = clock
        self._rng = rng or random.Random()
        self._listed = listed
        self._held: dict[int, Held] = {}
        self._stopping_agents: dict[int, asyncio.Task[None]] = {}
        self._again: dict[int, float] = {}
        """Tasks of ours that nothing carries, with the time to pick each up again, by `_steady`."""
        self._wake = asyncio.Event()
        self._look = True
        """True when others may have left something to be done."""
        self._rung = False
        """True when they have said so since the last claim: it is work, most likely."""
        self._next_look = 0.0
        self._backlog = False
        """True when more tasks were ready than there were places free."""
        self._lease = Lease(store, self.me, settings.lease, clock)
        self._leaving = False
        self.outdated = False
        """True when we left because a newer TaskHub has changed the database."""
        self.left_work = False
        """True when there was something to be done as we left the list."""
        self._watchdog = Watchdog(store, settings.stall)
        self._watched = -math.inf
        """When that was last used, by `_steady`."""
        self._limited: dict[str, float] = {}
        """Agents whose provider takes nothing, with the time until which; as of the last look."""

    @staticmethod
    def _steady() -> float:
        """Return the time by a clock that never jumps, for what only this process measures."""
        return asyncio.get_running_loop().time()

    @property
    def busy(self) -> bool:
        """True while any task is carried or any agent is being stopped."""
        return bool(self._held or self._stopping_agents)

    def wake(self) -> None:
        """Look at once for what is to be done."""
        self._look = self._rung = True
        self._wake.set()

    def stop(self) -> None:
        """Leave: agents are detached from their work, and everything is handed over."""
        self._leaving = True
        self._wake.set()

    async def run(self) -> None:
        """Work until `stop`; when this returns, nothing the engine started still runs."""
        await self._lease.renew()
        self._listed()
        keepers = [
            asyncio.create_task(self._keep_lease(), name="keep lease"),
            asyncio.create_task(self._keep_ticking(), name="write progress"),
        ]
        try:
            while not self._leaving:
                self._wake.clear()
                try:
                    delay = await self._turn()
                except Outdated as error:
                    self._give_way(error)
                    break
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
        # Not within the next look, either: the clock was put back, and that would be a long time.
        soon = 0 < self._next_look - self._clock() <= LOOK
        if self._rung and not self._backlog and await self._any_ready():
            # What was handed over or answered begins before all else is looked for.
            await self._claim()
            for _ in range(TURNS_TO_BEGIN):
                await asyncio.sleep(0)
        if self._look or not soon or not self._backlog:
            await self._look_around()
        if self._backlog:
            await self._claim()
        return max(0.0, min(LOOK, self._next_look - self._clock()))

    async def _any_ready(self) -> bool:
        self._rung = False
        now, limits = self._clock(), self._settings.limits
        return await self._store.glance(lambda reader: claims.any_ready(reader, now, limits))

    async def _claim(self) -> None:
        """Take what is ready, as far as there are places free."""
        free = self._free
        if free <= 0 or self._leaving:
            return
        now = self._clock()
        claimed = await self._store.write(
            lambda tx: claims.claim(tx, self.me, now, free, runner.first, self._settings.limits)
        )
        self._backlog = len(claimed) == free
        for one in claimed:
            self._carry(one)

    async def _look_around(self) -> None:
        """Do what others have left to be done."""
        now = self._clock()
        self._look, self._next_look = False, now + LOOK
        limits = self._settings.limits
        seen = await self._store.glance(lambda reader: claims.look(reader, self.me, now, limits))
        self._limited = dict(seen.limited)
        if seen.asked_to_stop:
            self.stop()
            return
        if seen.orphans and await self._lease.awake(now):
            await self._take_over(seen.orphans, now)
        await self._pick_up_again()
        # In this order: an agent whose task was cancelled is stopped, not only left.
        if seen.to_stop:
            await self._stop_agents()
        self._let_go_lost()
        if seen.due:
            await self._store.write(lambda tx: claims.make_ready(tx, now))
        self._backlog = seen.ready or seen.due
        if seen.next_due is not None:
            self._next_look = min(self._next_look, seen.next_due)
        for late in seen.late:
            await self._store.write(partial(deadlines.miss, task_id=late, clock=self._clock))
        for task_id, blocker_id, default in seen.overdue:
            expire = partial(deadlines.expire, task_id=task_id, blocker_id=blocker_id)
            await self._store.write(partial(expire, default=default, clock=self._clock))

    @property
    def _free(self) -> int:
        return self._settings.concurrency - len(self._held)

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
            outdated=self._give_way,
            limits=self._settings.limits,
            limited=self._limited_until,
            follow=self._follow,
            carry=self._carry_next,
        )
        self._held[n] = held
        held.coroutine = asyncio.create_task(
            self._carried(held, before), name=f"task {claimed.task.id}"
        )

    def _follow(self, tx: Tx) -> list[Claimed]:
        """Claim one task more in the transaction that completes one of ours."""
        if not self._backlog or self._leaving or len(self._held) > self._settings.concurrency:
            return []
        return claims.claim(
            tx, self.me, self._clock(), 1, runner.first, limits=self._settings.limits
        )

    def _carry_next(self, claimed: list[Claimed]) -> None:
        for one in claimed:
            self._carry(one)

    async def _carried(self, held: Held, before: Held | None) -> None:
        try:
            if before is not None:
                # It asked, was let go, and the answer came before it had ended; or the task was
                # taken from us, and came back before we had noticed.
                await before.ended()
            await runner.carry(held)
        except asyncio.CancelledError:
            # Whoever cancelled knows why; nobody waits for the exception.
            pass
        except Damaged as error:
            await self._condemn(held.task.n, error)
        except Outdated as error:
            self._give_way(error)
        except TaskHubError as error:
            # Its database was full, or busy for long; what it did last is not on disk.
            log.warning("task %s: %s", held.task.id, error)
            self._again[held.task.n] = self._steady() + LOOK
        except Exception as error:
            log.exception("task %s: the engine has a bug", held.task.id)
            try:
                await outcome.give_up(held, error)
            except LeaseLost:
                pass
            except TaskHubError:
                # Else it would be ours for ever, and nobody would carry it.
                self._again[held.task.n] = self._steady() + LOOK
        finally:
            if self._held.get(held.task.n) is held:
                del self._held[held.task.n]
            self._wake.set()

    async def _take_over(self, holders: Sequence[str], now: float) -> None:
        """Take tasks of workers that are gone."""
        for holder in holders:
            found, number = await self._store.write(partial(self._take, holder=holder, now=now))
            for one in found:
                self._carry(one)
            if number == TAKE_OVER_BATCH:
                self.wake()
            elif number:
                log.info("took over %d tasks of %s", number, holder)

    def _take(self, tx: Tx, holder: str, now: float) -> tuple[list[Claimed], int]:
        """Take tasks of a dead worker; returns those to carry on now, and how many there were.

        What goes on by itself, such as a command, is followed at once, and what asks is asked; what
        would be begun again, or anew, needs a free place, as any other work does.
        """
        free, number = self._free, 0

        def carries(task: Task, stages: Sequence[Stage]) -> bool:
            nonlocal number
            number += 1
            stage = stages[task.stage] if task.stage < len(stages) else None
            if stage is None or number <= free or claims.deaths(tx, task.n, stage):
                # The last are few, and perhaps what killed it: they are asked about.
                return True
            return stage.status is StageStatus.RUNNING and self._habit(stage) != "rerun"

        found = claims.take_over(tx, self.me, holder, now, TAKE_OVER_BATCH, carries)
        return found, number

    def _habit(self, stage: Stage) -> Interrupt:
        if stage.on_interrupt is not None:
            return stage.on_interrupt
        try:
            return self._registry.agent(stage.agent).card.on_interrupt
        except TaskHubError:
            return "ask"

    def _limited_until(self, agent: str, until: float | None = None) -> float:
        """Return until when an agent's provider takes nothing, as far as is known; `until` adds."""
        if until is not None:
            self._limited[agent] = max(until, self._limited.get(agent, 0.0))
        return self._limited.get(agent, 0.0)

    def _let_go_lost(self) -> None:
        """Leave tasks that were taken from us; what a person stopped is stopped elsewhere."""
        for held in list(self._held.values()):
            if held.lost and held.task.n not in self._stopping_agents:
                held.stop("detach")

    async def _pick_up_again(self) -> None:
        """Carry on with tasks that are ours, but whose carrier could not write."""
        now = self._steady()
        for n in [n for n, due in self._again.items() if due <= now]:
            try:
                claimed = await self._store.read(partial(claims.still_held, me=self.me, n=n))
            except Damaged as error:
                del self._again[n]
                await self._condemn(n, error)  # If that fails, it is looked at once more.
                continue
            del self._again[n]
            if claimed is not None and n not in self._held:
                self._carry(claimed)

    async def _condemn(self, n: int, damage: Damaged) -> None:
        """Fail a task of which the database holds what was never written."""
        log.error("%s", damage)
        try:
            await self._store.write(lambda tx: condemn(tx, n, damage, self._clock()))
        except TaskHubError as error:
            log.warning("%s", error)
            self._again[n] = self._steady() + LOOK

    async def _stop_agents(self) -> None:
        """Stop the agents of tasks that people cancelled, reassigned or modified."""
        for task, stage in await self._store.write(lambda tx: claims.claim_stopping(tx, self.me)):
            if task.n not in self._stopping_agents:
                self._stopping_agents[task.n] = asyncio.create_task(
                    self._stop_agent(task, stage), name=f"stop {task.id}"
                )

    async def _stop_agent(self, task: Task, stage: Stage) -> None:
        done = False
        try:
            held, heard = self._held.get(task.n), False
            if held is not None and held.coroutine is not None:
                heard = held.stop("cancel")
                await asyncio.wait([held.coroutine])
            if not heard:
                empty = Held(
                    Claimed(Known(task, (stage,))),
                    self._store,
                    self._registry,
                    self._paths,
                    clock=self._clock,
                    rng=self._rng,
                    lost=lambda: None,
                )
                await stop_agent(empty, stage)
            await self._store.write(lambda tx: claims.stopped(tx, self.me, task.n))
            done = True
        except TaskHubError as error:
            log.warning("task %s could not be stopped: %s", task.id, error)
        finally:
            del self._stopping_agents[task.n]
            if done:
                self.wake()

    # Keeping

    async def _keep_lease(self) -> None:
        while True:
            await asyncio.sleep(self._settings.lease / 3)
            try:
                await self._lease.renew()
                await self._let_go()
                await self._note_work()
            except Outdated as error:
                self._give_way(error)
                return
            except TaskHubError as error:
                log.warning("the lease could not be renewed: %s", error)

    def _give_way(self, error: Outdated) -> None:
        log.warning("%s", error)
        self.outdated = True
        self.stop()

    async def _let_go(self) -> None:
        """Leave tasks that others have taken, should we have slept past our lease."""
        held = dict(self._held)
        fences = await self._store.read(lambda reader: claims.fences(reader, [*held]))
        for n, one in held.items():
            if fences.get(n) != one.task.fence and not one.lost:
                one.lost = True
                self.wake()

    async def _note_work(self) -> None:
        """Keep how long attempts with a limit have worked: whoever adopts one goes on there."""
        found = [held.context for held in self._held.values() if held.context is not None]
        noted = [(one, made) for one in found if (made := one.to_note()) is not None]
        if noted:
            await self._store.write(lambda tx: stages.worked(tx, [made for _, made in noted]))
        for context, made in noted:
            context.noted(made)

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
            if context.dirty or context.stale():
                made.append(context.progressed())
        try:
            if made:
                await self._store.write(lambda tx: stages.progress(tx, made, now))
            if self._steady() - self._watched >= LOOK:
                self._watched = self._steady()
                await self._watchdog.look(list(self._held.values()), now)
        except Outdated as error:
            self._give_way(error)
        except TaskHubError as error:
            log.warning("progress could not be written: %s", error)

    async def _leave(self, keepers: list[asyncio.Task[None]]) -> None:
        """Detach from all work, then take us off the list, so that others take over at once."""
        self._leaving = True
        # What is being claimed and begun in this instant shall come to its agent, which knows what
        # to do: a stage that was begun and never called would be asked about.
        with contextlib.suppress(TaskHubError):
            await self._store.write(lambda tx: None)
        for _ in range(TURNS_TO_BEGIN):
            await asyncio.sleep(0)
        with contextlib.suppress(TaskHubError):
            await self._note_work()
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
            self.left_work = await self._store.write(lambda tx: claims.leave(tx, self.me))
