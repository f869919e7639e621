"""A channel whose messages can be answered: each one gets its tokens when it is sent."""

from collections import OrderedDict
from dataclasses import replace

from taskhub_tui.domain.errors import StoreError
from taskhub_tui.domain.model import Action
from taskhub_tui.notifications.answers import Answers, Outcome
from taskhub_tui.notifications.message import DeliveryError, Message, Pressed
from taskhub_tui.notifications.notifier import Sender
from taskhub_tui.storage.tokens import Grant


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
        if message.about is not None and message.asks:
            try:
                given = await self._answers.grant(
                    message.about,
                    self._channel,
                    self._recipient,
                    f"{message.title}\n{message.body}",
                    key=message.key,
                    public=self._public,
                    whole=message.whole,
                )
            except StoreError as error:
                raise DeliveryError(str(error), retry=True) from error
            self._shown[message.key] = given.tokens
            while len(self._shown) > 500:
                self._shown.popitem(last=False)
            message = replace(
                message,
                buttons=tuple(one for one in message.buttons if one[0] in given.tokens),
                reply=message.reply and Action.PROVIDE_CONTEXT.value in given.tokens,
                tokens=given.tokens,
                code=given.code,
                link=given.link or message.link,
            )
        await self._sender.send(message)

    async def ask_again(self, grant: Grant) -> None:
        """Ask in the place of a message whether it is really to be approved.

        Raises:
            DeliveryError: it could not be sent.
        """
        try:
            given = await self._answers.grant(
                grant.notification_id,
                self._channel,
                self._recipient,
                grant.shown,
                key=grant.key,
                public=self._public,
                sure=True,
            )
        except StoreError as error:
            raise DeliveryError(str(error), retry=True) from error
        if Action.APPROVE.value not in given.tokens:
            return
        title, _, body = grant.shown.partition("\n")
        buttons = ((Action.APPROVE.value, "Yes, approve"), (Action.DENY.value, "Deny"))
        message = Message(
            grant.key,
            f"Sure? {title}",
            f"You pressed Approve. Press once more if you mean it.\n{body}",
            tuple(one for one in buttons if one[0] in given.tokens),
            urgent=True,
            tokens=given.tokens,
            thread=grant.task_id,
            about=grant.notification_id,
            needs=True,
        )
        await self._sender.send(message)
        if not await self._answers.open(grant.notification_id):
            # It was answered elsewhere meanwhile, and taken back before this was there.
            await self._sender.withdraw(grant.key)

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
