"""Which agents there are: the built-in ones, and those of installed packages.

An agent is an object with a `card` and a `run`, named by an entry point of the group
`taskhub.agents`. One that cannot be loaded disables only itself and says why.
"""

import os
import sys
from collections.abc import Mapping
from importlib import import_module
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING

from taskhub_tui.domain.errors import BadInput
from taskhub_tui.domain.model import AgentCard
from taskhub_tui.text import one_line

if TYPE_CHECKING:
    from taskhub_tui.agents.port import Agent

GROUP = "taskhub.agents"

BUILT_IN = {
    "analyst": "taskhub_tui.agents.analyst",
    "command": "taskhub_tui.agents.command",
}
"""Packages with an `AGENT`, and a module `card` that can be read without the agent."""


class Registry:
    """The agents of this installation, each loaded when it is first asked for."""

    def __init__(self, extra: "Mapping[str, Agent] | None" = None) -> None:
        """`extra` adds agents by name, or replaces installed ones."""
        self._extra: dict[str, Agent] = dict(extra or {})
        self._agents: dict[str, Agent] = {}
        self._cards: dict[str, AgentCard] = {}
        self._broken: dict[str, AgentCard] = {}
        self._found: dict[str, str] | None = None

    def cards(self) -> list[AgentCard]:
        """Return what each agent declares, those that cannot be loaded included."""
        names = {*self._extra, *BUILT_IN, *self._installed()}
        return [self.card(name) for name in sorted(names)]

    def card(self, name: str) -> AgentCard:
        """Return one agent's card.

        Raises:
            BadInput: there is no such agent.
        """
        if agent := self._extra.get(name) or self._agents.get(name):
            return agent.card
        if name in self._broken:
            return self._broken[name]
        if name in BUILT_IN:
            if name not in self._cards:
                self._cards[name] = import_module(f"{BUILT_IN[name]}.card").make_card()
            return self._cards[name]
        return self._load(name) or self._broken[name]

    def agent(self, name: str) -> "Agent":
        """Return one agent.

        Raises:
            BadInput: there is no such agent, or it cannot be used; says why.
        """
        if name in self._extra:
            return self._extra[name]
        if name not in self._agents and name not in self._broken:
            self._load(name)
        if name in self._broken:
            raise BadInput(f"The agent `{name}` cannot be used: {self._broken[name].problem}")
        return self._agents[name]

    def _load(self, name: str) -> AgentCard | None:
        """Load an agent and return its card; None when it cannot be loaded."""
        target = f"{BUILT_IN[name]}:AGENT" if name in BUILT_IN else self._installed().get(name)
        if target is None:
            names = ", ".join(f"`{card.name}`" for card in self.cards())
            raise BadInput(f"There is no agent `{one_line(name, 60)}`", f"There are: {names}")
        module, _, attribute = target.partition(":")
        try:
            agent: Agent = getattr(import_module(module), attribute)
            if not isinstance(agent.card, AgentCard) or not callable(agent.run):
                raise TypeError("it has no card, or no run method")
        # Whatever a foreign package raises while it is imported is its own problem only.
        except Exception as error:
            said = one_line(f"{type(error).__name__}: {error}", 200)
            self._broken[name] = AgentCard(
                name, name, "", problem=f"it could not be loaded ({said}); reinstall its package"
            )
            return None
        self._agents[name] = agent
        return agent.card

    def _installed(self) -> dict[str, str]:
        """Return the agents of other packages: name, and `module:attribute`."""
        if self._found is None:
            self._found = {}
            if _named_by_others():
                from importlib.metadata import entry_points

                for entry in entry_points(group=GROUP):
                    self._found.setdefault(entry.name, entry.value)
        return self._found


def _named_by_others() -> bool:
    """Tell whether an installed package, besides this one, may have an agent.

    `importlib.metadata` takes longer to import than a command takes to run, and most people have
    no other agents; so its files are looked through here first.
    """
    for finder in sys.meta_path:
        if finder is not PathFinder and hasattr(finder, "find_distributions"):
            return True  # it knows packages that are no files
    for folder in dict.fromkeys(sys.path):
        try:
            names = os.listdir(folder or ".")
        except NotADirectoryError:
            return True  # an archive
        except OSError:
            continue
        for name in names:
            if not name.lower().endswith((".dist-info", "egg-info")):
                continue
            if name.startswith(("taskhub_tui-", "taskhub_tui.")):
                continue
            try:
                with open(os.path.join(folder, name, "entry_points.txt"), "rb") as file:
                    if GROUP.encode() in file.read():
                        return True
            except OSError:
                continue
    return False
