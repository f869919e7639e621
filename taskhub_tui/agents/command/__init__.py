"""The command agent: any program as a stage, under a runner that outlives the worker."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taskhub_tui.agents.command.agent import AGENT, CommandAgent

__all__ = ["AGENT", "CommandAgent"]


def __getattr__(name: str) -> Any:
    # Loaded when the agent is used: whoever only hands work over needs its card alone.
    if name not in __all__:
        raise AttributeError(name)
    from taskhub_tui.agents.command import agent

    return getattr(agent, name)
