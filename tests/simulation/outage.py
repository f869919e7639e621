"""Two days in which people are asked, phone and mail are down for hours, and workers die.

The whole product runs under the clock of the simulation: workers, engine, notifier and outbox. The
channels stand outside of all processes, as a phone does, and remember what came.
"""

import asyncio
import json
import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulation.loop import Proc
from simulation.trouble import START
from simulation.world import World
from taskhub_tui.agents.port import AgentCard, Result, Stage, StageContext
from taskhub_tui.agents.registry import Registry
from taskhub_tui.config import Settings
from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.domain.limits import NO_LIMITS
from taskhub_tui.domain.model import Action, NewTask, Priority, StageSpec
from taskhub_tui.domain.stall import Patience
from taskhub_tui.hub import Hub
from taskhub_tui.notifications.message import DeliveryError, Message
from taskhub_tui.notifications.policy import Channel, Prefs
from taskhub_tui.worker import Worker, serve

HOUR = 3600.0
LASTS, DOWN, UP = 48 * HOUR, 10 * HOUR, 18 * HOUR
"""Seconds that people are asked for; when phone and mail go down, and come up again."""
AFTERWARDS = 14 * HOUR
"""Seconds in which nothing new comes, so that the last digest and the end of a night lie in it."""
QUESTIONS = 300
PROMPT = 30 * 60.0
"""Seconds in which a channel that works tells what is due, as soon as its caps have room."""
SLACK = 5.0
"""Seconds by which a message may come later than it was counted."""

NOTIFICATIONS = {
    "phone": {"enabled": True, "topic": "t"},
    "email": {"enabled": True, "host": "mx", "sender": "a@b", "to": "c@d"},
    "sms": {"enabled": True, "account": "A", "token": "env:T", "sender": "+1", "to": "+2"},
    "digest": {"enabled": True},
}


@dataclass(slots=True)
class Outside:
    """One channel, as it is beyond all processes."""

    channel: Channel
    came: list[tuple[float, tuple[int, ...]]] = field(default_factory=list)
    """When each message was there, and the notifications that it told of."""
    shown: set[str] = field(default_factory=set)
    withdrawn: int = 0
    refused: int = 0


class OutsideSender:
    """One worker's way to it."""

    def __init__(self, world: "Outage", outside: Outside) -> None:
        self._world, self._outside = world, outside
        self._rng = world.rng(f"{outside.channel} {world.count_of(outside.channel)}")

    async def available(self) -> str | None:
        return None

    async def send(self, message: Message) -> None:
        told = self._world.begins(self._outside, message.key)
        await asyncio.sleep(self._rng.random())
        self._fail()
        self._outside.came.append((self._world.loop.now, told))
        self._outside.shown.add(message.key)
        await asyncio.sleep(self._rng.random())

    async def withdraw(self, key: str) -> None:
        await asyncio.sleep(self._rng.random() * 0.2)
        self._fail()
        self._outside.shown.discard(key)
        self._outside.withdrawn += 1

    def _fail(self) -> None:
        down = self._outside.channel in (Channel.PHONE, Channel.EMAIL)
        if down and DOWN <= self._world.loop.now < UP:
            self._outside.refused += 1
            raise DeliveryError("It is down", retry=True)
        if self._rng.random() < 0.02:
            self._outside.refused += 1
            raise DeliveryError("It is busy", retry=True)

    async def close(self) -> None:
        """Nothing is open here."""


class Patient:
    """An agent that takes as long as its task says."""

    card = AgentCard("patient", "Patient", "", on_interrupt="rerun")

    async def run(self, stage: Stage, ctx: StageContext) -> Result:
        await asyncio.sleep(float(stage.options.get("seconds", 1)))
        return Result("done")


class Outage(World):
    """Everything of one seed."""

    def __init__(self, seed: int, folder: Path, template: Path) -> None:
        super().__init__(seed, folder, template)
        self.faults = {"crash"}
        self.pace, self.look = 1.0, 120.0
        self.crash_rate = 0.0005
        self.settings = Settings(
            owner="ann",
            concurrency=400,
            lease=900.0,
            notifications=NOTIFICATIONS,
            limits=NO_LIMITS,
            stall=Patience(0.0, 0.0),
        )
        self.outside = {
            channel: Outside(channel)
            for channel in (Channel.DESKTOP, Channel.PHONE, Channel.EMAIL, Channel.SMS)
        }
        self.answers = self.late = 0
        self._senders: Counter[Channel] = Counter()

    def count_of(self, channel: Channel) -> int:
        self._senders[channel] += 1
        return self._senders[channel]

    def committed(self, proc: Proc) -> bool:
        self.count("commits")
        return self._dies(proc, self.crash_rate * 10)

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self._seeing.execute(sql, values).fetchall()

    def told_of(self, key: str) -> list[int]:
        number = key.removeprefix("taskhub-").split("-")[0]
        if number.isdigit():
            return [int(number)]
        return [
            n for (n,) in self.rows("SELECT notification_id FROM delivery WHERE batch = ?", key)
        ]

    def begins(self, outside: Outside, key: str) -> tuple[int, ...]:
        """Check that what is sent is still asked, but for an answer of this very moment."""
        told = self.told_of(key)
        if len(told) > 1 or "all" in key:
            told = [
                n
                for (n,) in self.rows(
                    "SELECT notification_id FROM delivery WHERE batch = ? AND state = 'sending'",
                    key,
                )
            ]
        if not told:
            self.breaks(f"{key} tells of nothing")
        for id_ in told:
            ((answered,),) = self.rows("SELECT withdrawn FROM notification WHERE id = ?", id_)
            if answered is not None and answered < START + self.loop.now - 1:
                self.breaks(f"{outside.channel}: {key} tells of {id_}, answered {answered - START}")
        return tuple(told)

    async def _work(self, proc: Proc) -> None:
        def ready(worker: Worker) -> None:
            proc.worker = worker.engine.me
            worker.engine._rng = self.rng(f"engine {proc.pid}")

        def more(prefs: Prefs) -> dict[Channel, OutsideSender]:
            return {
                channel: OutsideSender(self, outside)
                for channel, outside in self.outside.items()
                if channel is not Channel.DESKTOP
            }

        await serve(
            self.paths,
            self.settings,
            registry=self._agents(),
            clock=self.trouble.clock(proc.host),
            desktop=lambda pressed, lost: OutsideSender(self, self.outside[Channel.DESKTOP]),
            more=more,
            ready=ready,
        )

    def _agents(self) -> Registry:
        return Registry(extra={"patient": Patient()})

    async def _sit(self, proc: Proc) -> None:
        """Ask, and answer, for two days; and look on for a night."""
        rng = self.rng("people")
        async with await Hub.open(
            paths=self.paths,
            settings=self.settings,
            channel="sim",
            actor="ann",
            clock=self.trouble.clock(proc.host),
            autostart=False,
            registry=self._agents(),
        ) as hub:
            asking = [self._ask(hub, rng, LASTS * rng.random()) for _ in range(QUESTIONS)]
            await asyncio.gather(*asking, asyncio.sleep(LASTS + AFTERWARDS))
        self.rest = True

    async def _ask(self, hub: Hub, rng: random.Random, at: float) -> None:
        priority = rng.choice([*Priority, Priority.NORMAL, Priority.NORMAL])
        seconds = rng.choice([5, 5, 120, 1200, 5400])
        answer = rng.choice([Action.APPROVE, Action.APPROVE, Action.DENY])
        # Half are answered within minutes; some only the next day, some not at all.
        wait = rng.choice([60, 300, 900, HOUR, 5 * HOUR, 20 * HOUR, None]) or 1e9
        wait *= rng.random() + 0.5
        await asyncio.sleep(at)
        stage = StageSpec("run", "patient", gate=True, options={"seconds": seconds})
        task = await hub.submit(
            NewTask(f"question at {at:.0f}", agent="patient", stages=(stage,), priority=priority)
        )
        if self.loop.now + wait > LASTS + AFTERWARDS:
            return
        await asyncio.sleep(wait)
        for _ in range(100):
            try:
                await hub.decide(task.id, answer, text="no" if answer is Action.DENY else None)
            except TaskHubError:
                await asyncio.sleep(self.look)  # No worker was there to ask yet.
            else:
                self.answers += 1
                return
        self.breaks(f"{task.id} never asked")

    async def _all(self) -> None:
        self._at_once = asyncio.Event()
        self.loop.set_exception_handler(
            lambda _, context: self.breaks(f"the loop: {context.get('exception') or context}")
        )
        keeping = [self.loop.create_task(self._keep(f"worker{i}", self._work)) for i in range(2)]
        story = self.loop.create_task(self.ended(self.start("people", "here", self._sit)))
        stop = self.loop.create_task(self._at_once.wait())
        await asyncio.wait([story, stop, *keeping], return_when=asyncio.FIRST_COMPLETED)
        if self._broken is None:
            try:
                self.check()
            except AssertionError as broken:
                self.breaks(str(broken))
        for task in (story, stop, *keeping):
            task.cancel()
        await asyncio.gather(story, stop, *keeping, return_exceptions=True)

    # What must be true in the end

    def check(self) -> None:
        assert self.rest, "people never came to their end"
        self._nothing_lost()
        self._prompt()
        self._within_caps()
        self._all_taken_back()

    def _nothing_lost(self) -> None:
        left = self.rows(
            "SELECT channel, delivery.state, error, due - ? FROM delivery"
            " JOIN notification ON notification.id = notification_id"
            " WHERE delivery.state = 'dead' OR (delivery.state IN ('queued', 'sending')"
            "   AND notification.withdrawn IS NULL)",
            START,
        )
        late = [
            one
            for one in left
            if one[1] == "dead" or one[3] < self.loop.now - PROMPT - _longest(one[0])
        ]
        assert not late, f"lost: {late[:5]}"
        came = {c: {n for _, told in o.came for n in told} for c, o in self.outside.items()}
        for id_, channel in self.rows(
            "SELECT notification_id, channel FROM delivery WHERE sent IS NOT NULL"
        ):
            assert id_ in came[Channel(channel)], f"{channel} is said to have told of {id_}"
        unplanned = self.rows("SELECT id FROM notification WHERE planned = 0")
        assert not unplanned, f"never planned: {unplanned}"

    def _prompt(self) -> None:
        """Check that every step was sent soon after it was due, where nobody answered before."""
        first: dict[tuple[str, int], float] = {}
        for channel, outside in self.outside.items():
            for at, told in outside.came:
                for id_ in told:
                    first.setdefault((channel.value, id_), at)
        for id_, steps, answered in self.rows(
            "SELECT id, steps, withdrawn FROM notification JOIN notification_plan"
            " ON notification_id = id"
        ):
            gone = float("inf") if answered is None else answered - START
            for channel, step, due, _ in json.loads(steps):
                if step or due is None or Channel(channel) not in self.outside:
                    continue
                due -= START
                if channel in ("phone", "email") and DOWN <= due < UP:
                    due = UP
                until = due + PROMPT + _longest(channel)
                if min(gone, self.loop.now) > until:
                    at = first.get((channel, id_))
                    assert at is not None, f"{channel} never told of {id_}, due at {due}"
                    assert at <= until, f"{channel} told of {id_} at {at}, due at {due}"
                    self.late = max(self.late, int(at - due))

    def _within_caps(self) -> None:
        prefs = Prefs()
        for channel, outside in self.outside.items():
            times = [at for at, _ in outside.came]
            assert times == sorted(times)
            for cap in prefs.of(channel).caps:
                for early, late in zip(times, times[cap.count :], strict=False):
                    assert late - early > cap.window - SLACK, (
                        f"{channel}: {cap.count + 1} in {late - early:.0f} s from {early:.0f} s on"
                    )

    def _all_taken_back(self) -> None:
        """Check that no channel still shows a question that was answered minutes ago."""
        for channel, outside in self.outside.items():
            if channel is Channel.DESKTOP:
                continue  # What a worker that was killed had there, no other one can take back.
            for key in sorted(outside.shown):
                told = self.told_of(key)
                marks = ", ".join("?" * len(told))
                found = self.rows(
                    f"SELECT kind, withdrawn FROM notification WHERE id IN ({marks})", *told
                )
                open_ = [
                    k for k, gone in found if gone is None or gone > START + self.loop.now - 300
                ]
                assert open_, f"{channel} still shows {key}, all of which was answered"


def _longest(channel: str) -> float:
    """Return the longest time over which a channel has a cap: so long may it be full."""
    return max(cap.window for cap in Prefs().of(Channel(channel)).caps)
