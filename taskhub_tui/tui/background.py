"""Starting a coroutine beside the screen."""

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from textual.dom import DOMNode

from taskhub_tui.tui.mistakes import where

log = logging.getLogger("taskhub.app")


def start(
    node: DOMNode,
    work: Callable[[], Coroutine[Any, Any, None]],
    *,
    group: str = "default",
    exclusive: bool = False,
) -> None:
    """Run `work()` while `node` lives.

    The coroutine is made when it runs: one that is replaced before that leaves nothing behind.
    A mistake of ours in it is said and noted, and the app goes on.

    Args:
        exclusive: cancel what runs in the same group of this node.
    """

    async def run() -> None:
        try:
            await work()
        except Exception as error:
            if not node.is_attached or not node.is_running:
                # What it was for has gone from the screen part by part.
                log.debug("ended late: %s", group, exc_info=error)
                return
            log.exception("%s of %s failed", group, type(node).__name__)
            kind = type(error).__name__
            words = f"That did not work ({kind}): a mistake in TaskHub. Try it again"
            node.app.notify(words + where(node.app), severity="error", timeout=8, markup=False)

    made: Any = run
    node.run_worker(made, group=group, exclusive=exclusive, exit_on_error=False)
