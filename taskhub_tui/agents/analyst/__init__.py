"""The Financial Analyst: a file of prices in, a report on its trends out.

Five stages, each of which can be repeated alone: *ingest* reads the file into one tidy table,
*quality* finds what is missing or odd and asks about holes, *trends* and *risk* compute, *report*
writes Markdown with charts.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from taskhub_tui.agents.analyst.agent import AGENT, Analyst

__all__ = ["AGENT", "Analyst"]


def __getattr__(name: str) -> Any:
    # Loaded when the agent is used: whoever only hands work over needs its card alone.
    if name not in __all__:
        raise AttributeError(name)
    from taskhub_tui.agents.analyst import agent

    return getattr(agent, name)
