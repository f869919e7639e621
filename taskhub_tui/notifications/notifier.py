"""The notifier: takes notifications out of the store, over the channels that the policy names."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Protocol

from taskhub_tui.domain.durations import spell
from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.domain.model import Action, NoticeKind, Notification, Task
from taskhub_tui.notifications.message import OPEN, REPLY, DeliveryError, Message, Pressed
from taskhub_tui.notifications.policy import Channel, Context, Event, Prefs, should_notify
from taskhub_tui.storage import outbox, trials
from taskhub_tui.storage.outbox import Delivery
from taskhub_tui.storage.store import Store
from taskhub_tui.storage.writer import Tx

log = logging.getLogger("taskhub.notifier")

LOOK = 1.0
"""Seconds after which the notifier looks by itself, should nobody wake it."""
BREATH = 0.05
"""Seconds in which what is said gathers."""
TRIES = 6
TRIAL = 60.0
"""Seconds after which a test message that nobody has shown is no longer wanted."""
PLAN_AT_ONCE = 100
"""New notifications that are planned in one transaction."""
_BUTTONS = {
    Action.APPROVE: "Approve",
    Action.DENY: "Deny",
    Action.RETRY: "Retry",
    Action.CANCEL: "Cancel task",
}
"""Decisions that need no words; the others are made in the app."""


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
    ) -> None:
        """`worker` is the ID under which the engine is on the list of workers."""
        self._store = store
        self._me = worker
        self._prefs = prefs
        self._channels = channels
        self._clock = clock
        self._wake = asyncio.Event()
        self._said: dict[Channel, str | None] = {}

    def wake(self) -> None:
        """Look at once for what is to be sent or withdrawn."""
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled; what is on a screen then is taken back."""
        try:
            while True:
                self._wake.clear()
                try:
                    delay = await self._turn()
                except TaskHubError as error:
                    log.warning("%s", error)
                    delay = LOOK
                except Exception:
                    # Whatever it is, what comes next is to be told.
                    log.exception("the notifier has a bug")
                    delay = LOOK
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(delay):
                        await self._wake.wait()
                if delay:
                    # Nobody notices, and what many tasks say at once is planned at once.
                    await asyncio.sleep(BREATH)
        finally:
            for channel in self._channels.values():
                await channel.close()

    async def on_screen(self) -> bool:
        """Return whether a message with live buttons of ours may be on a screen."""
        since = self._clock() - 3600
        return await self._store.read(lambda reader: outbox.on_screen(reader, self._me, since))

    async def revive(self, alive: list[str]) -> None:
        """Send again what workers that are gone had on a screen; `alive` are the others."""
        now = self._clock()
        if await self._store.read(lambda r: outbox.any_forsaken(r, self._me, alive, now)):
            await self._store.write(lambda tx: outbox.revive(tx, self._me, alive, now))
            self.wake()

    async def resend(self, channel: Channel) -> None:
        """Send again what is unanswered on a channel that lost all it showed."""
        now = self._clock()
        await self._store.write(lambda tx: outbox.resend(tx, self._me, channel.value, now))
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
            await sender.send(Message(key, "TaskHub", "This is a test: notifications work."))
        except DeliveryError as error:
            return str(error)
        except Exception as bug:
            log.exception("%s: a bug in the channel", name)
            return f"{type(bug).__name__}: {bug}"
        return None

    async def _turn(self) -> float:
        await self._try_out()
        more = await self._plan()
        for id_, notification_id, channel in await self._store.glance(
            lambda reader: outbox.to_withdraw(reader, self._me)
        ):
            if (sender := self._channels.get(Channel(channel))) is not None:
                await sender.withdraw(key_of(notification_id))
            await self._store.write(partial(outbox.withdrawn, delivery_id=id_))
        now = self._clock()
        due = await self._store.glance(partial(outbox.next_due, me=self._me))
        if due is not None and due <= now:
            for delivery in await self._store.write(lambda tx: outbox.take_due(tx, self._me, now)):
                await self._deliver(delivery)
            return 0.0
        if more:
            return 0.0
        return LOOK if due is None else min(LOOK, due - now)

    async def _plan(self) -> bool:
        """Say where new notifications go; return whether there may be more of them."""
        if not await self._store.glance(partial(outbox.unplanned, limit=1)):
            return False
        return await self._store.write(self._plan_some)

    def _plan_some(self, tx: Tx) -> bool:
        now = self._clock()
        seen = outbox.presence(tx, now)
        sent = {Channel(name): times for name, times in outbox.load(tx, now - 60).items()}
        zone = datetime.now().astimezone().tzinfo or Context(0).zone
        idle = float("inf") if seen.last_input is None else now - seen.last_input
        found = outbox.unplanned(tx, PLAN_AT_ONCE)
        for note, task in found:
            event = Event(
                note.kind,
                note.created,
                priority=task.priority,
                ran=(task.ended or now) - (task.started or now),
            )
            context = Context(now, focused=seen.focused, idle=idle, sent=sent, zone=zone)
            sends = [
                (channel, when)
                for channel, when in should_notify(event, self._prefs, context).sends
                if channel in self._channels
            ]
            for channel, when in sends:
                sent.setdefault(channel, []).append(when)
            outbox.plan(tx, note.id, [(channel.value, when) for channel, when in sends])
        return len(found) == PLAN_AT_ONCE

    async def _deliver(self, delivery: Delivery) -> None:
        channel = Channel(delivery.channel)
        sender = self._channels.get(channel)
        now = self._clock()
        try:
            if sender is None:
                raise DeliveryError(f"There is no channel {channel.value} here", retry=False)
            if (reason := await sender.available()) is not None:
                raise DeliveryError(reason, retry=False)
            try:
                await sender.send(message(delivery.notification, delivery.task, now))
            except DeliveryError:
                raise
            except Exception as bug:
                # One message that a channel chokes on must not silence all the others.
                log.exception("%s: a bug in the channel", channel.value)
                raise DeliveryError(f"{type(bug).__name__}: {bug}", retry=True) from bug
        except DeliveryError as error:
            again = None
            if error.retry and delivery.attempts < TRIES:
                again = now + min(300.0, 2.0**delivery.attempts)
            if self._said.get(channel) != str(error):
                self._said[channel] = str(error)
                log.warning("%s: %s", channel.value, error)
            await self._store.write(
                partial(outbox.failed, delivery_id=delivery.id, error=str(error), again=again)
            )
            return
        self._said[channel] = None
        await self._store.write(partial(outbox.sent, delivery_id=delivery.id, now=self._clock()))


def key_of(notification_id: int) -> str:
    """Return the delivery key of a notification."""
    return f"taskhub-{notification_id}"


def number_of(key: str) -> int:
    """Return the notification that a delivery key names; 0 for one that names none."""
    number = key.removeprefix("taskhub-")
    return int(number) if number.isdigit() else 0


def message(note: Notification, task: Task, now: float) -> Message:
    """Return what a channel shows of a notification."""
    asks = note.kind in (NoticeKind.BLOCKER, NoticeKind.ERROR)
    head = {
        NoticeKind.BLOCKER: "Needs you",
        NoticeKind.ERROR: "Failed",
        NoticeKind.COMPLETED: "Done",
        NoticeKind.PROGRESS: "Progress",
        NoticeKind.ACKNOWLEDGED: "Started",
    }[note.kind]
    place = f"{task.stage + 1}/{task.stages} {task.stage_name}" if task.stage_name else ""
    facts = [part for part in (place, f"task {task.id}", _age(note, now)) if part]
    buttons = tuple(
        (action.value, _BUTTONS[action]) for action in note.actions if action in _BUTTONS
    )
    return Message(
        key_of(note.id),
        f"{head}: {task.title}",
        f"{note.body[:600]}\n{' · '.join(facts)}",
        buttons,
        urgent=asks and task.priority > 0,
        reply=Action.PROVIDE_CONTEXT in note.actions and note.kind is NoticeKind.BLOCKER,
    )


def _age(note: Notification, now: float) -> str:
    waited = now - note.created
    return f"since {spell(waited)}" if waited >= 60 else ""


def decision_of(pressed: Pressed) -> tuple[Action, str | None] | None:
    """Return the decision that a press means and its words; None for one that only opens."""
    if pressed.action == OPEN:
        return None
    if pressed.action == REPLY:
        return Action.PROVIDE_CONTEXT, pressed.text
    return Action(pressed.action), None
