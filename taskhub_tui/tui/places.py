"""The screens one can go to from anywhere, by name; each is imported when it is first opened.

A place takes the hub and the glyphs, and is left with the ID of a task that is to be opened, or
with None. To add one, name it here and give it an action `app.go('…')` in `actions`.
"""

from importlib import import_module
from typing import Any

from textual.screen import Screen

from taskhub_tui.hub import Hub
from taskhub_tui.tui.theme import Glyphs

_PLACES = {
    "inbox": ("inbox", "InboxScreen"),
    "help": ("help", "HelpScreen"),
    "agents": ("agents", "AgentsScreen"),
    "settings": ("settings", "SettingsScreen"),
    "rules": ("rules", "RulesScreen"),
}


def place(name: str, hub: Hub, glyphs: Glyphs) -> Screen[str | None]:
    """Make the screen with this name."""
    module, cls = _PLACES[name]
    made: Any = getattr(import_module(f"taskhub_tui.tui.screens.{module}"), cls)
    screen: Screen[str | None] = made(hub, glyphs)
    return screen


def name_of(screen: Screen[Any]) -> str | None:
    """Return the name of the place that a screen is; None of the list, and of a dialog."""
    names = {cls: name for name, (_, cls) in _PLACES.items() if name != "help"}
    return names.get(type(screen).__name__)
