"""Which keys the tests of the app press: each time a key does what the list of actions says.

Textual runs the action of a key by `App.run_action`, once it has found whose key it is. What is
done there is noted together with the key, in every app that a test opens in this process.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import pytest
from textual.app import App
from textual.dom import DOMNode

from taskhub_tui.tui.actions import ACTIONS
from taskhub_tui.tui.widgets.lines import LinesView
from taskhub_tui.tui.widgets.task_table import TaskTable

_PRESSED: set[tuple[str, str]] = set()
"""ID of an action, and the key that did it."""
_key: ContextVar[str] = ContextVar("key", default="")


def every_key() -> set[tuple[str, str]]:
    """Return the ID of each action with each of its keys."""
    return {(act.id, key) for act in ACTIONS if act.keys for key in act.keys.split(",")}


def pressed() -> set[tuple[str, str]]:
    """Return what was pressed in this run."""
    return set(_PRESSED)


@contextmanager
def noted() -> Iterator[set[tuple[str, str]]]:
    """Give what is pressed from here on; it counts for the whole run too."""
    before = set(_PRESSED)
    _PRESSED.clear()
    try:
        yield _PRESSED
    finally:
        _PRESSED.update(before)


def _opened(opens: Callable[[Any, str], bool], act: str) -> Callable[[Any, str], bool]:
    """Return what the app asks for the keys that it takes before the bindings are looked at."""

    def opened(self: Any, key: str) -> bool:
        found = opens(self, key)
        if found:
            _PRESSED.add((act, key))
        return found

    return opened


def note(patch: pytest.MonkeyPatch) -> None:
    """Begin to note what is pressed."""
    find, run = App._check_bindings, App.run_action

    async def _check_bindings(self: App[Any], key: str, priority: bool = False) -> bool:
        before = _key.set(key)
        try:
            return await find(self, key, priority)
        finally:
            _key.reset(before)

    async def run_action(
        self: App[Any], action: Any, default_namespace: DOMNode | None = None, *more: Any
    ) -> bool:
        done = await run(self, action, default_namespace, *more)
        if done and default_namespace is not None:
            for binding in default_namespace._bindings.key_to_bindings.get(_key.get(), ()):
                if binding.action == action and binding.id:
                    _PRESSED.add((binding.id, _key.get()))
        return done

    for view, act in ((LinesView, "scroll.find"), (TaskTable, "hub.filter")):
        patch.setattr(view, "opens", _opened(view.opens, act))
    patch.setattr(App, "_check_bindings", _check_bindings)
    patch.setattr(App, "run_action", run_action)
