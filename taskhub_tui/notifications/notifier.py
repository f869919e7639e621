"""The notifier: takes notifications out of the store, over the channels that the policy names."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, tzinfo
from functools import partial
from typing import Protocol

from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.domain.model import Action, Notification, Task
from taskhub_tui.notifications import wording
from taskhub_tui.notifications.message import OPEN, REPLY, DeliveryError, Message, Pressed
from taskhub_tui.notifications.policy import (
    After,
    Channel,
    Context,
    Event,
    Prefs,
    Step,
    should_notify,
    silent,
)
from taskhub_tui.storage import notices, outbox, presence, reviving, trials, withdrawals
from taskhub_tui.storage.notices import ASKS
from taskhub_tui.storage.outbox import Parcel, Planned, Rules
from taskhub_tui.storage.queries import Reader
from taskhub_tui.storage.store import Store
from taskhub_tui.storage.withdrawals import Gone
from taskhub_tui.storage.writer import Tx

log = logging.getLogger("taskhub.notifier")

LOOK = 1.0
"""Seconds after which the notifier looks by itself, should nobody wake it."""
BREATH = 0.05
"""Seconds in which what is said gathers."""
TRIES = 6
"""How often a message is tried that a channel chokes on."""
PATIENCE = 120.0
"""Seconds after which a channel that says nothing is taken to have failed."""
KEPT = 3 * 86400.0
"""Seconds that news wait for a channel that does not work; a question waits while it is open."""
TRIAL = 60.0
"""Seconds after which a test message that nobody has shown is no longer wanted."""
PLAN_AT_ONCE = 100
"""New notifications that are planned in one transaction."""


class Sender(Protocol):
    """A channel that shows messages and may give answers."""

    async def available(self) -> str | None: ...
    async def send(self, message: Message) -> None: ...
    async def withdraw(self, key: str) -> None: ...
    async def close(self) -> None: ...


class Notifier:
    """Sends what is due, withdraws what was answered, and hands answers on."""

    def __init__(
        self,
        store: Store,
        worker: str,
        prefs: Prefs,
        channels: Mapping[Channel, Sender],
        *,
        clock: Callable[[], float] = time.time,
        reread: Callable[[], Prefs | None] | None = None,
        zone: Callable[[], tzinfo | None] = lambda: datetime.now().astimezone().tzinfo,
    ) -> None:
        """
        Args:
            worker: the ID under which the engine is on the list of workers.
            reread: gives the preferences anew when they have changed, else None.
            zone: gives the person's time zone.
        """
        self._store = store
        self._me = worker
        self._prefs = prefs
        self._channels = channels
        self._clock = clock
        self._reread = reread
        self._zone = zone
        self._begun = False
        self._planner = asyncio.Event()
        self._wakes = {channel: asyncio.Event() for channel in channels}
        self._hold: dict[tuple[Channel, bool], float] = {}
        """Until when a channel has no room for what is due, and somebody has to act on, or not."""
        self._said: dict[Channel, str | None] = {}

    def wake(self) -> None:
        """Look at once for what is to be sent or withdrawn."""
        for wake in (self._planner, *self._wakes.values()):
            wake.set()

    async def run(self) -> None:
        """Work until cancelled; what is on a screen then is taken back."""
        try:
            # A channel that hangs must not keep the others from telling.
            async with asyncio.TaskGroup() as group:
                group.create_task(self._repeat(self._planner, self._plan_turn), name="planner")
                for channel, wake in self._wakes.items():
                    turn = partial(self._turn, channel)
                    group.create_task(self._repeat(wake, turn), name=f"to {channel.value}")
        finally:
            for sender in self._channels.values():
                await sender.close()

    async def _repeat(self, wake: asyncio.Event, turn: Callable[[], Awaitable[float]]) -> None:
        while True:
            wake.clear()
            try:
                delay = await turn()
            except TaskHubError as error:
                log.warning("%s", error)
                delay = LOOK
            except Exception:
                # Whatever it is, what comes next is to be told.
                log.exception("the notifier has a bug")
                delay = LOOK
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await wake.wait()
            if delay:
                # Nobody notices, and what many tasks say at once is planned at once.
                await asyncio.sleep(BREATH)

    async def on_screen(self) -> bool:
        """Return whether a message with live buttons of ours may be on a screen, or is to come."""
        since = self._clock() - 3600
        return await self._store.read(
            lambda reader: reviving.on_screen(reader, self._me, since) or outbox.any_queued(reader)
        )

    async def revive(self, alive: list[str]) -> None:
        """Send again what workers that are gone had on a screen; `alive` are the others."""
        now = self._clock()
        if await self._store.read(lambda r: reviving.any_forsaken(r, self._me, alive, now)):
            await self._store.write(lambda tx: reviving.revive(tx, self._me, alive, now))
            self.wake()

    async def resend(self, channel: Channel) -> None:
        """Send again what is unanswered on a channel that lost all it showed."""
        now = self._clock()
        await self._store.write(lambda tx: reviving.resend(tx, self._me, channel.value, now))
        self.wake()

    async def tell(self, channel: Channel, title: str, words: str) -> None:
        """Say something that asks for nothing, such as that an answer came too late."""
        sender = self._channels.get(channel)
        if sender is None:
            return
        with contextlib.suppress(DeliveryError):
            await sender.send(Message(f"taskhub-said-{self._clock():.3f}", title, words))

    async def _try_out(self) -> None:
        """Show what a person asked for to try out a channel, and say what came of it."""
        now = self._clock()
        for name in await self._store.glance(partial(trials.wanted, since=now - TRIAL)):
            if not await self._store.write(partial(trials.take, channel=name, now=now)):
                continue
            said = await self._show_trial(name)
            await self._store.write(
                partial(trials.done, channel=name, now=self._clock(), said=said)
            )

    async def _show_trial(self, name: str) -> str | None:
        """Send a test message; return why it did not work, None when it did."""
        sender = next((s for channel, s in self._channels.items() if channel.value == name), None)
        if sender is None:
            return f"The worker that runs now has no channel {name}: it is switched off"
        try:
            if (reason := await sender.available()) is not None:
                return reason
            key = f"taskhub-trial-{self._clock():.3f}"
            await sender.send(trial(key))
        except DeliveryError as error:
            return str(error)
        except Exception as bug:
            log.exception("%s: a bug in the channel", name)
            return f"{type(bug).__name__}: {bug}"
        return None

    async def _plan_turn(self) -> float:
        if not self._begun:
            await self._begin()
        await self._try_out()
        return 0.0 if await self._plan() else LOOK

    async def _begin(self) -> None:
        # What the terminal is to show, the apps take out by themselves.
        shown = {Channel.TERMINAL} if self._prefs.terminal.enabled else set()
        names = [channel.value for channel in {*self._channels, *shown}]
        if await self._store.read(lambda reader: reviving.anything_begun(reader, names)):
            await self._store.write(lambda tx: reviving.begin(tx, names, self._clock()))
            self.wake()
        self._begun = True

    async def _turn(self, channel: Channel) -> float:
        """Withdraw what was answered, and send one message if one is due."""
        await self._withdraw(channel)
        now = self._clock()
        due = await self._store.glance(partial(self._due, channel=channel, now=now))
        if due is None:
            return LOOK
        if due > now:
            return min(LOOK, due - now)
        rules = self._rules(channel)
        taken = await self._store.write(
            lambda tx: outbox.take(tx, channel.value, self._me, now, rules)
        )
        if isinstance(taken, Parcel):
            await self._deliver(channel, taken)
            return 0.0
        if taken is not None:
            await self._hold_up(channel, taken, now)
            return min(LOOK, max(0.0, taken - now))
        return LOOK

    def _due(self, reader: Reader, channel: Channel, now: float) -> float | None:
        """Return when something may be sent."""
        holds = {asks: self._hold.get((channel, asks), 0.0) for asks in (True, False)}
        if not any(now < hold <= now + outbox.DAY for hold in holds.values()):
            return outbox.next_due(reader, channel.value, self._me)
        found = []
        for asks, hold in holds.items():
            due = outbox.next_due(reader, channel.value, self._me, asks=asks)
            if due is not None:
                found.append(max(due, hold) if hold <= now + outbox.DAY else due)
        return min(found, default=None)

    async def _hold_up(self, channel: Channel, until: float, now: float) -> None:
        """Let what is due wait; where that is news only, not what somebody has to act on."""
        asked = partial(outbox.next_due, channel=channel.value, me=self._me, asks=True)
        due = await self._store.glance(asked)
        self._hold[channel, False] = until
        if due is not None and due <= now:
            self._hold[channel, True] = until

    def _rules(self, channel: Channel) -> Rules:
        caps = self._prefs.of(channel).caps
        return Rules(
            tuple((cap.count, cap.window) for cap in caps),
            tuple((cap.news, cap.window) for cap in caps),
            self._prefs.coalesce,
        )

    async def _withdraw(self, channel: Channel) -> None:
        found = await self._store.glance(
            lambda reader: (
                withdrawals.to_withdraw(reader, channel.value, self._me),
                outbox.rest(reader, channel.value),
                withdrawals.unneeded(reader, channel.value),
            )
        )
        gone, rest, unneeded = found
        if unneeded:
            await self._store.write(lambda tx: withdrawals.withdrawn(tx, unneeded))
        if not gone or (rest is not None and self._clock() < rest.until <= self._clock() + 1e5):
            return
        for one in {one.key: one for one in gone}.values():
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._take_back(self._channels[channel], one)
            except DeliveryError as error:
                if error.retry:
                    await self._rest(channel, error)
                    return
            except TimeoutError:
                await self._rest(channel, DeliveryError(_SILENT, retry=True))
                return
            except Exception:
                log.exception("%s: a bug in the channel", channel.value)
        await self._store.write(lambda tx: withdrawals.withdrawn(tx, [one.id for one in gone]))

    async def _take_back(self, sender: Sender, gone: Gone) -> None:
        """Withdraw a message; one of many says from now on what is left of it, if that can be."""
        if gone.left and getattr(sender, "replaces", False):
            rest = Parcel(gone.key, gone.left, 0)
            await sender.send(wording.parcel(rest, self._clock(), hushed=True))
        elif not gone.asks:
            await sender.withdraw(gone.key)

    async def _rest(self, channel: Channel, error: DeliveryError) -> None:
        self._say(channel, error)
        await self._store.write(
            lambda tx: outbox.let_rest(tx, channel.value, self._clock(), str(error), error.after)
        )

    def _say(self, channel: Channel, error: DeliveryError) -> None:
        if self._said.get(channel) != str(error):
            self._said[channel] = str(error)
            log.warning("%s: %s", channel.value, error)

    async def _plan(self) -> bool:
        """Say where new notifications go; return whether there may be more of them."""
        if not await self._store.glance(partial(outbox.unplanned, limit=1)):
            return False
        if self._reread is not None:
            self._prefs = self._reread() or self._prefs
        more = await self._store.write(self._plan_some)
        for wake in self._wakes.values():
            wake.set()
        return more

    def _plan_some(self, tx: Tx) -> bool:
        now = self._clock()
        seen = presence.seen(tx, now)
        sent = {
            channel: outbox.uses(tx, channel.value, now - outbox.DAY)
            for channel in (*self._channels, Channel.TERMINAL)
        }
        zone = self._zone() or Context(0).zone
        idle = float("inf") if seen.last_input is None else now - seen.last_input
        context = Context(now, focused=seen.focused, idle=idle, sent=sent, zone=zone)
        found = outbox.unplanned(tx, PLAN_AT_ONCE)
        for note, task in found:
            plan = should_notify(event_of(tx, note, task, now), self._prefs, context)
            outbox.plan(tx, note, [one for step in plan.steps if (one := self._planned(step))])
        return len(found) == PLAN_AT_ONCE

    def _planned(self, step: Step) -> Planned | None:
        """Return what becomes of a step of the policy here; None for what says nothing new."""
        channel = step.channel
        here = channel is Channel.TERMINAL or channel in self._channels
        if step.due is None or channel is Channel.IN_APP or here:
            return Planned(*step, send=here)
        if step.number:
            return None
        return Planned(channel, None, _LACK)

    async def _deliver(self, channel: Channel, parcel: Parcel) -> None:
        now = self._clock()
        try:
            await self._send(self._channels[channel], channel, parcel)
        except _Choked as bug:
            # One message that a channel chokes on must not silence all the others.
            tries = parcel.deliveries[0].attempts
            again = now + min(300.0, 2.0**tries) if tries < TRIES else None
            await self._store.write(
                partial(outbox.failed, parcel=parcel, error=str(bug), again=again)
            )
        except DeliveryError as error:
            self._say(channel, error)
            await self._store.write(partial(self._failed, parcel=parcel, error=error))
        else:
            self._said[channel] = None
            await self._store.write(partial(outbox.sent, parcel=parcel, now=self._clock()))

    async def _send(self, sender: Sender, channel: Channel, parcel: Parcel) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                if (reason := await sender.available()) is not None:
                    raise DeliveryError(reason, retry=False)
                now = self._clock()
                hushed = silent(self._prefs, now, self._zone() or Context(0).zone)
                await sender.send(wording.parcel(parcel, now, hushed=hushed))
        except DeliveryError:
            raise
        except TimeoutError:
            raise DeliveryError(_SILENT, retry=True) from None
        except Exception as bug:
            log.exception("%s: a bug in the channel", channel.value)
            raise _Choked(f"{type(bug).__name__}: {bug}") from bug

    def _failed(self, tx: Tx, parcel: Parcel, error: DeliveryError) -> None:
        again, now = None, self._clock()
        if error.retry:
            name = parcel.deliveries[0].channel
            again = outbox.let_rest(tx, name, now, str(error), error.after)
            if all(_is_old_news(one.notification, now) for one in parcel.deliveries):
                again = None
        outbox.failed(tx, parcel, str(error), again)


_LACK = "It was switched on after the worker started; the next one has it."
_SILENT = "It takes no message and says nothing"


def trial(key: str) -> Message:
    """Return what is sent to try out a channel."""
    return Message(key, "TaskHub", "This is a test: notifications work.", own=True)


class _Choked(Exception):
    """A channel has a bug that this message brings out."""


def _is_old_news(note: Notification, now: float) -> bool:
    return note.kind not in ASKS and note.created < now - KEPT


def event_of(reader: Reader, note: Notification, task: Task, now: float) -> Event:
    """Return a notification as the policy sees it."""
    deadline, default, unanswered = notices.overdue(reader, note.blocker_id)
    after = After.DEFAULT if default else After(unanswered) if unanswered else None
    return Event(
        note.kind,
        note.created,
        priority=task.priority,
        ran=(task.ended or now) - (task.started or now),
        names=(task.id, f"playbook:{task.playbook}", f"agent:{task.agent}"),
        deadline=deadline,
        after=after,
    )


def decision_of(pressed: Pressed) -> tuple[Action, str | None] | None:
    """Return the decision that a press means and its words; None for one that only opens."""
    if pressed.action == OPEN:
        return None
    if pressed.action == REPLY:
        return Action.PROVIDE_CONTEXT, pressed.text
    return Action(pressed.action), None
