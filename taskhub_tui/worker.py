"""The worker: hosts the engine and the notifier, detached or inside the app."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from email.utils import parseaddr
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from taskhub_tui import config, deciding, keeper
from taskhub_tui.agents.registry import Registry
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.errors import BadInput, Outdated, TaskHubError
from taskhub_tui.doorbell import Doorbell
from taskhub_tui.engine.engine import Engine
from taskhub_tui.following import Onward
from taskhub_tui.notifications import prefs
from taskhub_tui.notifications.answered import Answered
from taskhub_tui.notifications.answers import Answers, Outcome, Verdict
from taskhub_tui.notifications.channels.making import mailbox, make, make_all
from taskhub_tui.notifications.limit import Limit
from taskhub_tui.notifications.message import DeliveryError, Message, Pressed
from taskhub_tui.notifications.notifier import Notifier, Sender, decision_of
from taskhub_tui.notifications.policy import Channel, Prefs
from taskhub_tui.planning import Planner
from taskhub_tui.storage import claims, notices, queries, tokens
from taskhub_tui.storage.store import Store
from taskhub_tui.storage.writer import Tx
from taskhub_tui.upkeep import Upkeep

if TYPE_CHECKING:
    from taskhub_tui.notifications.callback import Callback
    from taskhub_tui.notifications.channels.mail_reply import Reply

log = logging.getLogger("taskhub.worker")

Desktop: TypeAlias = Callable[
    [Callable[[Pressed], Awaitable[None]], Callable[[tuple[str, ...]], Awaitable[None]]], Sender
]
"""Makes the desktop channel: what to call when a button is pressed, and when all was lost."""
Channels: TypeAlias = Callable[[Prefs], Mapping[Channel, Sender]]
"""Makes the channels beside the desktop that the preferences switch on."""


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
        more: Channels | None = None,
    ) -> None:
        """
        Args:
            desktop: makes the channel to this machine's screen; by default the real one.
            more: makes the other channels; by default the real ones.
        """
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
        onward = Onward(Planner(self._registry, paths), paths)
        self.answers = Answers(
            store, deciding.answer, owner=settings.owner, clock=clock, onward=onward
        )
        self._desktop: Answered | None = None
        channels: dict[Channel, Sender] = {}
        wishes = prefs.of(settings, paths)
        if wishes.desktop.enabled:
            make = desktop or _real_desktop
            screen = make(self._pressed, self._desktop_restarted)
            self._desktop = Answered(screen, Channel.DESKTOP.value, self.answers)
            channels[Channel.DESKTOP] = self._desktop
        self._own_channels = more is None
        found = make_all(wishes, paths) if more is None else more(wishes)
        self._answered_by = self._answered(found, wishes)
        channels.update(self._answered_by)
        self.notifier = Notifier(
            store, self.engine.me, wishes, channels, clock=clock, reread=prefs.Latest(paths)
        )
        self._wishes = wishes
        self._told_by_mail = Limit(burst=5, every=600.0)
        self._upkeep = Upkeep(
            store,
            paths,
            settings,
            partial(self.notifier.tell, Channel.DESKTOP),
            lambda: not self.engine.busy,
            clock=clock,
        )
        store.after_commit = self._committed

    def _answered(
        self, found: Mapping[Channel, Sender], wishes: Prefs
    ) -> Mapping[Channel, Answered]:
        """Give the messages of these channels what they can be answered with."""
        to = {Channel.EMAIL: wishes.email.to, Channel.SMS: wishes.sms.to}
        return {
            channel: Answered(
                sender,
                channel.value,
                self.answers,
                recipient=to.get(channel, ""),
                public=bool(getattr(sender, "public", False)),
            )
            for channel, sender in found.items()
        }

    def _committed(self, tx: Tx) -> None:
        self._bell.ring_soon()
        if tx.ready:
            self.engine.wake()
        if tx.told:
            self.notifier.wake()

    async def run(self, *, idle_exit: float = 0.0) -> None:
        """Work until `engine.stop()`, or until nothing was left to do for `idle_exit` seconds."""
        self._bell.listen()
        page = await self._open_page()
        helpers = [
            asyncio.create_task(self._hear(), name="hear the doorbell"),
            asyncio.create_task(self.notifier.run(), name="notifier"),
        ]
        if idle_exit > 0:
            helpers.append(asyncio.create_task(self._leave_when_idle(idle_exit), name="idle"))
        helpers.append(asyncio.create_task(self._revive(), name="revive notifications"))
        if self._wishes.phone.enabled and self._wishes.phone.reply_topic:
            helpers.append(asyncio.create_task(self._hear_phone(), name="answers of the phone"))
        if self._own_channels and self._wishes.sms.enabled:
            helpers.append(asyncio.create_task(self._hear_sms(), name="answers by SMS"))
        if self._own_channels and self._wishes.email.enabled and self._wishes.email.imap_host:
            helpers.append(asyncio.create_task(self._hear_mail(), name="answers by mail"))
        helpers.append(asyncio.create_task(self._upkeep.run(), name="upkeep"))
        try:
            await self.engine.run()
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            if page is not None:
                await page.close()
            self._bell.close()

    async def _hear_phone(self) -> None:
        """Take the answers that the phone's buttons post to the secret reply topic."""
        from taskhub_tui.notifications.channels.bookmark import FileBookmark
        from taskhub_tui.notifications.channels.ntfy_replies import ReplyStream

        phone = self._wishes.phone
        mark = FileBookmark(self._paths.home / "phone-answers")
        await ReplyStream(
            phone.server, phone.reply_topic, self._from_phone, mark, token=phone.token
        ).run()

    async def _from_phone(self, line: str) -> None:
        """Take one answer; where it cannot be asked again now, the stream hands it on once more."""
        channel = Channel.PHONE
        outcome = await self.answers.consume_line(line, peer="ntfy", channel=channel.value)
        if outcome.again is not None and (phone := self._answered_by.get(channel)) is not None:
            try:
                await phone.ask_again(outcome.again)
            except DeliveryError as error:
                if error.retry:
                    raise
                log.warning("phone: it could not be asked once more: %s", error)

    async def _hear_sms(self) -> None:
        """Take the answers that come by SMS, where the number that asks can be written to."""
        from taskhub_tui.notifications.channels.bookmark import FileBookmark
        from taskhub_tui.notifications.channels.sms import SmsChannel
        from taskhub_tui.notifications.channels.sms_replies import SmsReplies

        name, sms = Channel.SMS.value, self._wishes.sms
        channel = make(Channel.SMS, self._wishes, self._paths)
        if not isinstance(channel, SmsChannel) or not channel.hears:
            return

        async def since() -> float | None:
            now = self._clock()
            return await self._store.read(partial(tokens.oldest, channel=name, now=now))

        take = partial(self.answers.consume_line, peer=sms.to, channel=name)
        mark = FileBookmark(self._paths.home / "sms-answers")
        await SmsReplies(channel, take, since, mark).run()

    async def _hear_mail(self) -> None:
        """Take the answers that come as replies to mails."""
        from taskhub_tui.notifications.channels.bookmark import FileBookmark
        from taskhub_tui.notifications.channels.mail_replies import MailReplies

        box = mailbox(self._wishes)
        assert box is not None  # as whoever calls has seen
        name = Channel.EMAIL.value

        async def since() -> float | None:
            now = self._clock()
            asked = partial(tokens.oldest, channel=name, now=now, asks=True)
            return await self._store.read(asked)

        async def take(reply: "Reply") -> Outcome:
            return await self.answers.consume_line(reply.line, peer=reply.sender, channel=name)

        mark = FileBookmark(self._paths.home / "mail-answers")
        await MailReplies(box, take, since, mark, told=self._tell_by_mail, clock=self._clock).run()

    async def _tell_by_mail(self, reply: "Reply", outcome: Outcome) -> None:
        """Tell whoever was asked why an answer could not be taken."""
        name = Channel.EMAIL.value
        asked = parseaddr(self._wishes.email.to)[1].casefold() == reply.sender.casefold()
        silent = outcome.verdict in (Verdict.TAKEN, Verdict.UNKNOWN, Verdict.LIMITED)
        # What a machine sends in a circle ends here.
        if silent or not asked or not self._told_by_mail.take(name):
            return
        key = f"taskhub-said-{self._clock():.3f}"
        said = f"{outcome.sentence}. Another reply counts if it is to the mail that asked."
        with contextlib.suppress(DeliveryError):
            await self._answered_by[Channel.EMAIL].send(
                Message(
                    key, "Your answer was not taken", said, thread=outcome.task_id or "", own=True
                )
            )

    async def _open_page(self) -> "Callback | None":
        """Serve the page on which messages are answered, where that is wanted."""
        if not self._wishes.callback.enabled:
            return None
        from taskhub_tui.notifications.callback import Callback

        page = Callback(self.answers, self._wishes.callback, clock=self._clock)
        try:
            log.info("messages can be answered on port %s", await page.start())
        except BadInput as error:
            # Another worker has the port, mostly, and takes the answers.
            log.warning("%s", error)
            return None
        return page

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
                    or await self._awaits_answers()
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

    async def _awaits_answers(self) -> bool:
        """Return whether somebody may press a button that only a worker hears."""
        heard = [Channel.SMS]
        if self._wishes.phone.reply_topic:
            heard.append(Channel.PHONE)
        if self._wishes.callback.enabled:
            heard += [Channel.PHONE, Channel.EMAIL]
        names = [channel.value for channel in heard if channel in self._answered_by]
        now = self._clock()
        heard_of = partial(tokens.awaited, channels=names, now=now)
        if bool(names) and await self._store.read(heard_of):
            return True
        if not self._wishes.email.imap_host or Channel.EMAIL not in self._answered_by:
            return False
        # A reply starts nothing, so what is only suggested keeps nobody here.
        mail = partial(tokens.oldest, channel=Channel.EMAIL.value, now=now, asks=True)
        return await self._store.read(mail) is not None

    async def _desktop_restarted(self, keys: tuple[str, ...]) -> None:
        await self.notifier.resend(Channel.DESKTOP)

    async def _pressed(self, pressed: Pressed) -> None:
        """Take an answer given on the desktop; one that comes too late is told so there."""
        note = await self._store.read(partial(notices.first_told_of, key=pressed.key))
        if note is None:
            return
        meant = decision_of(pressed)
        if meant is None:
            await self._store.write(partial(notices.ask_to_open, task_id=note.task_id))
            return
        if self._desktop is None:
            return
        try:
            outcome = await self._desktop.pressed(pressed, meant[0])
            if outcome.verdict is Verdict.TAKEN:
                return
            words = outcome.sentence
        except TaskHubError as error:
            # The database is kept busy, and nothing was decided.
            words = str(error)
        log.info("desktop: %s", words)
        await self.notifier.tell(Channel.DESKTOP, note.title, words)


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
    more: Channels | None = None,
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
        worker = Worker(
            store, paths, settings, registry=registry, clock=clock, desktop=desktop, more=more
        )
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
    left = int(os.environ.pop(keeper.LEFT_AS, "0"))
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
        if detached and isinstance(error, Outdated):
            return keeper.TOO_OLD
        # The keeper tries again, for a while, but not what only a person can mend.
        return left if detached and isinstance(error, BadInput) else error.exit_code
    return left


if __name__ == "__main__":
    sys.exit(main())
