"""A desktop that shows notifications, or does not, and whose user sometimes presses a button."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from simulation.loop import Proc
from taskhub_tui.notifications.message import DeliveryError, Message, Pressed

if TYPE_CHECKING:
    from simulation.world import World


class SimDesktop:
    """The channel of one worker."""

    def __init__(
        self,
        world: "World",
        proc: Proc,
        pressed: Callable[[Pressed], Awaitable[None]],
        lost: Callable[[tuple[str, ...]], Awaitable[None]],
    ) -> None:
        self._world, self._pressed, self._lost = world, pressed, lost
        self._rng = world.rng(f"desktop {proc.pid}")
        self._shown: set[str] = set()
        self._people: set[asyncio.Task[None]] = set()

    async def available(self) -> str | None:
        return None

    async def send(self, message: Message) -> None:
        world, rng = self._world, self._rng
        await asyncio.sleep(rng.random() * 0.1 * world.pace)
        if world.may("desktop"):
            draw = rng.random()
            if draw < 0.3:
                raise DeliveryError("The desktop does not answer", retry=draw < 0.25)
        world.say(f"shows {message.key}: {message.title}")
        self._shown.add(message.key)
        world.promise.shown(message.key)
        if message.buttons and rng.random() < 0.4 and not world.calm:
            action = rng.choice(message.buttons)[0]
            task = asyncio.create_task(self._press(message.key, action), name="a press")
            self._people.add(task)
            task.add_done_callback(self._people.discard)

    async def _press(self, key: str, action: str) -> None:
        await self._world.idle(self._world.pace * 3 * self._rng.random())
        if key in self._shown:
            self._world.say(f"presses {action} of {key}")
            await self._pressed(Pressed(key, action, None))

    async def withdraw(self, key: str) -> None:
        self._world.say(f"takes back {key}")
        self._shown.discard(key)

    async def close(self) -> None:
        for task in self._people:
            task.cancel()
