"""Opens the app on the hub of this environment, with nothing that runs tasks."""

import asyncio

from taskhub_tui.hub import Hub
from taskhub_tui.tui.app import TaskHubApp


async def main() -> None:
    async with await Hub.open(autostart=False) as hub:
        await TaskHubApp(hub, services=[asyncio.Event().wait]).run_async()


asyncio.run(main())
