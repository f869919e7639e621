"""A channel whose messages can be answered: each one gets its tokens when it is sent."""

from collections import OrderedDict
from dataclasses import replace

from taskhub_tui.domain.errors import StoreError
from taskhub_tui.domain.model import Action
from taskhub_tui.notifications.answers import Again, Answers, Outcome
from taskhub_tui.notifications.granting import Ask, Given
from taskhub_tui.notifications.message import NEXT, DeliveryError, Message, Pressed, Seen
from taskhub_tui.notifications.notifier import Sender

SHOWN = 3000
"""Bytes of what a second press would do, of which no channel that has one cuts off anything."""
_NOT_HERE = "It cannot be approved from here: look at it in TaskHub."


class Answered:
    """A channel whose messages can be answered: it gives each one its tokens."""

    def __init__(
        self,
        sender: Sender,
        channel: str,
        answers: Answers,
        *,
        recipient: str = "",
        public: bool = False,
    ) -> None:
        """
        Args:
            recipient: to whom it sends, such as an address or a number.
            public: strangers may read the channel.
        """
        self._sender = sender
        self._channel = channel
        self._answers = answers
        self._recipient = recipient
        self._public = public
        self.replaces = bool(getattr(sender, "replaces", False))
        self._shown: OrderedDict[str, dict[str, str]] = OrderedDict()

    async def available(self) -> str | None:
        return await self._sender.available()

    async def send(self, message: Message) -> None:
        # One that tells of many has no buttons: none of them could be meant.
        if message.about is not None and (message.asks or message.offers):
            view = getattr(self._sender, "seen", None)
            seen = Seen(f"{message.title}\n{message.body}") if view is None else view(message)
            whole = message.whole and seen.whole
            given = await self._grant(
                message.about, message.key, seen.text, whole=whole, hidden=seen.hidden
            )
            self._shown[message.key] = given.tokens
            while len(self._shown) > 500:
                self._shown.popitem(last=False)
            lost = dict(message.buttons).keys() - given.tokens.keys()
            if given.tokens and not given.link and Action.APPROVE.value in lost:
                message = replace(message, body=f"{message.body}\n{_NOT_HERE}")
            message = replace(
                message,
                buttons=tuple(one for one in message.buttons if one[0] in given.tokens),
                offers=tuple(one for one in message.offers if one[0] in given.tokens),
                reply=message.reply and Action.PROVIDE_CONTEXT.value in given.tokens,
                tokens=given.tokens,
                code=given.code,
                link=given.link or message.link,
            )
        await self._sender.send(message)

    async def _grant(
        self,
        about: int,
        key: str,
        shown: str,
        *,
        whole: bool = True,
        sure: bool = False,
        hidden: bool = False,
    ) -> Given:
        ask = Ask(
            about, self._channel, self._recipient, shown, key, self._public, whole, sure, hidden
        )
        try:
            return await self._answers.grant(ask)
        except StoreError as error:
            raise DeliveryError(str(error), retry=True) from error

    async def ask_again(self, again: Again) -> None:
        """Ask in the place of a message whether what was pressed there is meant.

        Raises:
            DeliveryError: it could not be sent.
        """
        about, starts = again.grant.notification_id, again.action.startswith(NEXT)
        given = await self._grant(about, again.grant.key, again.shown, sure=True)
        if again.action not in given.tokens:
            return
        title, _, body = again.shown.partition("\n")
        whole = len(body.encode()) <= SHOWN
        yes = (again.action, "Start it" if starts else "Yes, approve")
        buttons = (yes, (Action.DENY.value, "Deny"))
        message = Message(
            again.grant.key,
            f"Start this? {title}" if starts else f"Sure? {title}",
            body if starts else f"You pressed Approve. Press once more if you mean it.\n{body}",
            tuple(one for one in buttons if one[0] in given.tokens and (whole or one is not yes)),
            urgent=not starts,
            tokens=given.tokens,
            thread=again.grant.task_id,
            about=about,
            needs=not starts,
        )
        if not whole:
            hint = f"It is too long to be shown here: see taskhub show {again.grant.task_id}"
            message = replace(message, body=hint)
        await self._sender.send(message)
        if not await self._answers.open(about):
            # It was answered elsewhere meanwhile, and taken back before this was there.
            await self._sender.withdraw(again.grant.key)

    async def withdraw(self, key: str) -> None:
        await self._sender.withdraw(key)

    async def close(self) -> None:
        await self._sender.close()

    async def pressed(self, pressed: Pressed, action: Action) -> Outcome:
        """Take what was pressed on a message that this process has shown."""
        token = self._shown.get(pressed.key, {}).get(action.value, "")
        return await self._answers.consume(
            token,
            action.value,
            peer=f"this {self._channel}",
            channel=self._channel,
            text=pressed.text,
        )
