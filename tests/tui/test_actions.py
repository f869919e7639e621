from taskhub_tui.tui.actions import ACTIONS, TITLES, bindings
from taskhub_tui.tui.screens.main import MainScreen
from taskhub_tui.tui.widgets.detail import Detail
from taskhub_tui.tui.widgets.events import EventsView
from taskhub_tui.tui.widgets.files import FilesView
from taskhub_tui.tui.widgets.lines import LinesView
from taskhub_tui.tui.widgets.log_view import LogView
from taskhub_tui.tui.widgets.result import ResultView
from taskhub_tui.tui.widgets.task_table import TaskTable

HOMES = {
    "list": TaskTable,
    "scroll": LinesView,
    "task": MainScreen,
    "view": MainScreen,
    "hub": MainScreen,
    "tabs": Detail,
    "log": LogView,
    "result": ResultView,
    "files": FilesView,
    "events": EventsView,
}


def test_every_action_has_an_id_of_its_own_and_is_done_somewhere() -> None:
    assert len({act.id for act in ACTIONS}) == len(ACTIONS)
    for act in ACTIONS:
        name = act.action.partition("(")[0]
        if not name.startswith("app."):
            assert hasattr(HOMES[act.where], f"action_{name}"), act.id
        assert act.meaning
        assert act.where in TITLES


def test_no_key_means_two_things_in_one_place() -> None:
    singles = ("list", "scroll", "tabs", "log", "result", "files", "events")
    for places in (*((one,) for one in singles), ("task", "view", "hub")):
        keys = [key for binding in bindings(*places) for key in binding.key.split(",")]
        assert len(keys) == len(set(keys))


def test_bindings_can_be_remapped_by_id() -> None:
    assert {binding.id for binding in bindings("task", "view", "hub")} == {
        act.id for act in ACTIONS if act.where in ("task", "view", "hub")
    }
