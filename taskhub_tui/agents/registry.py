"""Which agents there are: the built-in ones, and those of installed packages.

An agent is an object with a `card` and a `run`, named by an entry point of the group
`taskhub.agents`. One that cannot be loaded disables only itself and says why.
"""

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points

from taskhub_tui.agents.port import Agent, AgentCard
from taskhub_tui.domain.errors import BadInput
from taskhub_tui.text import one_line

GROUP = "taskhub.agents"

_BUILT_IN = {
    "analyst": "taskhub_tui.agents.analyst:AGENT",
    "command": "taskhub_tui.agents.command:AGENT",
}


class Registry:
    """The agents of this installation, loaded when first asked for."""

    def __init__(self, extra: Mapping[str, Agent] | None = None) -> None:
        """`extra` adds agents by name, or replaces installed ones."""
        self._extra = dict(extra or {})
        self._agents: dict[str, Agent] | None = None
        self._broken: dict[str, AgentCard] = {}

    def cards(self) -> list[AgentCard]:
        """Return what each agent declares, those that cannot be loaded included."""
        agents = self._load()
        found = {name: agent.card for name, agent in agents.items()} | self._broken
        return [found[name] for name in sorted(found)]

    def card(self, name: str) -> AgentCard:
        """Return one agent's card.

        Raises:
            BadInput: there is no such agent.
        """
        self._load()
        if name in self._broken:
            return self._broken[name]
        return self.agent(name).card

    def agent(self, name: str) -> Agent:
        """Return one agent.

        Raises:
            BadInput: there is no such agent, or it cannot be used; says why.
        """
        agents = self._load()
        if name in agents:
            return agents[name]
        if name in self._broken:
            raise BadInput(f"The agent `{name}` cannot be used: {self._broken[name].problem}")
        names = ", ".join(f"`{card.name}`" for card in self.cards())
        raise BadInput(f"There is no agent `{one_line(name, 60)}`", f"There are: {names}")

    def _load(self) -> dict[str, Agent]:
        if self._agents is None:
            self._agents = {}
            targets = dict(_BUILT_IN)
            for entry in entry_points(group=GROUP):
                targets.setdefault(entry.name, entry.value)
            for name, target in targets.items():
                self._load_one(name, target)
            self._agents.update(self._extra)
        return self._agents

    def _load_one(self, name: str, target: str) -> None:
        assert self._agents is not None
        module, _, attribute = target.partition(":")
        try:
            agent: Agent = getattr(import_module(module), attribute)
            if not isinstance(agent.card, AgentCard) or not callable(agent.run):
                raise TypeError("it has no card, or no run method")
            self._agents[name] = agent
        # Whatever a foreign package raises while it is imported is its own problem only.
        except Exception as error:
            said = one_line(f"{type(error).__name__}: {error}", 200)
            self._broken[name] = AgentCard(
                name, name, "", problem=f"it could not be loaded ({said}); reinstall its package"
            )
