"""Opens the app on the hub of this environment, with hostile agents, and nothing that runs tasks.

With TASKHUB_CALM no dialog comes up by itself. At its end it writes down what is in its clipboard,
which only an action can have filled.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from outside import HOSTILE

from taskhub_tui.agents.port import AgentCard, Result
from taskhub_tui.agents.registry import Registry
from taskhub_tui.hub import Hub
from taskhub_tui.tui.app import TaskHubApp


class Plugin:
    """An agent of somebody else's package."""

    card = AgentCard(
        "plugin", "PLUGIN " + HOSTILE, HOSTILE, keywords=("deploy",), options={"mode": HOSTILE}
    )

    async def run(self, *given: Any) -> Result:
        return Result("")


class Broken(Plugin):
    """One that cannot be used, and says so in its own words."""

    card = AgentCard("broken", "BROKEN " + HOSTILE, HOSTILE, problem="PROBLEM " + HOSTILE)


async def main() -> None:
    registry = Registry(extra={"plugin": Plugin(), "broken": Broken()})
    async with await Hub.open(autostart=False, registry=registry) as hub:
        app = TaskHubApp(hub, services=[asyncio.Event().wait])
        if os.environ.get("TASKHUB_CALM"):
            app.asker.consider = lambda: None
        await app.run_async()
        if told := os.environ.get("TASKHUB_TOLD"):
            Path(told).write_text(app.clipboard, encoding="utf-8")


sys.exit(asyncio.run(main()))
