"""Starting a coroutine beside the screen."""

from collections.abc import Callable, Coroutine
from typing import Any

from textual.dom import DOMNode


def start(
    node: DOMNode,
    work: Callable[[], Coroutine[Any, Any, None]],
    *,
    group: str = "default",
    exclusive: bool = False,
) -> None:
    """Run `work()` while `node` lives.

    The coroutine is made when it runs: one that is replaced before that leaves nothing behind.

    Args:
        exclusive: cancel what runs in the same group of this node.
    """
    made: Any = work
    node.run_worker(made, group=group, exclusive=exclusive, exit_on_error=False)
