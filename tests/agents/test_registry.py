"""Agents come from this package and from others, and each is loaded when it is asked for."""

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from support import ScriptedAgent

from taskhub_tui.agents.registry import BUILT_IN, GROUP, Registry
from taskhub_tui.domain.errors import BadInput

GREETER = """
from taskhub_tui.agents.port import AgentCard, Result

class Greeter:
    card = AgentCard("greeter", "Greeter", "Greets.")

    async def run(self, stage, ctx):
        return Result("Hello")

AGENT = Greeter()
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: str) -> None:
    """Put a package with an agent where Python finds it, as an installer does."""
    (folder / f"{name}_agent.py").write_text(code)
    about = folder / f"{name}_agent-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-agent\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(f"[{GROUP}]\n{name} = {name}_agent:AGENT\n")
    monkeypatch.syspath_prepend(str(folder))


def test_the_agents_of_this_package_are_the_ones_it_declares() -> None:
    ours = {e.name: e.value for e in entry_points(group=GROUP) if e.value.startswith("taskhub_tui")}
    assert ours == {name: f"{package}:AGENT" for name, package in BUILT_IN.items()}


def test_a_card_says_the_same_with_and_without_its_agent() -> None:
    for name in BUILT_IN:
        assert Registry().card(name) == Registry().agent(name).card


def test_an_installed_package_brings_its_agent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "greeter", GREETER)
    registry = Registry()
    assert [card.name for card in registry.cards()] == ["analyst", "command", "greeter"]
    assert registry.card("greeter").title == "Greeter"
    assert registry.agent("greeter").card is registry.card("greeter")


def test_one_that_cannot_be_loaded_disables_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, "broken", "raise RuntimeError('no\\x1b[31m key')")
    registry = Registry()
    problem = registry.card("broken").problem
    assert problem is not None
    assert "RuntimeError: no key" in problem
    with pytest.raises(BadInput, match="cannot be used"):
        registry.agent("broken")
    assert registry.agent("command").card.problem is None


def test_one_that_is_given_takes_the_place_of_an_installed_one() -> None:
    mine = ScriptedAgent("command")
    assert Registry({"command": mine}).agent("command") is mine


def test_an_agent_nobody_knows_is_refused_with_the_names_there_are() -> None:
    for ask in (Registry().card, Registry().agent):
        with pytest.raises(BadInput, match="no agent `nobody`") as caught:
            ask("nobody")
        assert caught.value.hint == "There are: `analyst`, `command`"


def test_a_card_is_read_without_the_agent() -> None:
    code = """
import sys
from taskhub_tui.agents.registry import Registry
assert [card.name for card in Registry().cards()] == ["analyst", "command"]
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "taskhub_tui.agents.command.card" in loaded
    assert not loaded & {
        "asyncio",
        "importlib.metadata",
        "taskhub_tui.agents.command.agent",
        "taskhub_tui.agents.analyst.agent",
    }
