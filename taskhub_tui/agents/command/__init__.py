"""The command agent: any program as a stage, under a runner that outlives the worker."""

from taskhub_tui.agents.command.agent import AGENT, CommandAgent

__all__ = ["AGENT", "CommandAgent"]
