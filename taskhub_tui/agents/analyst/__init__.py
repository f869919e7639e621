"""The Financial Analyst: a file of prices in, a report on its trends out.

Five stages, each of which can be repeated alone: *ingest* reads the file into one tidy table,
*quality* finds what is missing or odd and asks about holes, *trends* and *risk* compute, *report*
writes Markdown with charts.
"""

from taskhub_tui.agents.analyst.agent import Analyst
from taskhub_tui.agents.port import Agent

__all__ = ["AGENT", "Analyst"]

AGENT: Agent = Analyst()
