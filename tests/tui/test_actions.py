from collections.abc import Iterable, Sequence
from pathlib import Path

from taskhub_tui.domain.model import Task
from taskhub_tui.tui.actions import ACTIONS, BY_ID, FIXED, TITLES, bindings, together
from taskhub_tui.tui.app import TaskHubApp
from taskhub_tui.tui.reference import markdown
from taskhub_tui.tui.screens.agents import AgentsScreen
from taskhub_tui.tui.screens.choose import ChooseScreen, NameScreen
from taskhub_tui.tui.screens.decision import DecisionScreen
from taskhub_tui.tui.screens.decision_forms import Form
from taskhub_tui.tui.screens.help import HelpScreen
from taskhub_tui.tui.screens.inbox import InboxScreen
from taskhub_tui.tui.screens.main import MainScreen
from taskhub_tui.tui.screens.new_task import NewTaskScreen
from taskhub_tui.tui.screens.new_task_look import AfterInput
from taskhub_tui.tui.screens.phone import PhoneScreen
from taskhub_tui.tui.screens.pick_task import PickTaskScreen
from taskhub_tui.tui.screens.picture import PictureScreen
from taskhub_tui.tui.screens.preflight import PreflightScreen
from taskhub_tui.tui.screens.rules import RulesScreen
from taskhub_tui.tui.screens.save_as import SaveAsScreen
from taskhub_tui.tui.screens.settings import SettingsScreen
from taskhub_tui.tui.widgets.detail import Detail
from taskhub_tui.tui.widgets.events import EventsView
from taskhub_tui.tui.widgets.files import FilesView
from taskhub_tui.tui.widgets.inbox_pane import Waits
from taskhub_tui.tui.widgets.lines import LinesView
from taskhub_tui.tui.widgets.log_view import LogView
from taskhub_tui.tui.widgets.path_input import PathInput
from taskhub_tui.tui.widgets.result import ResultView
from taskhub_tui.tui.widgets.stage_plan import StagePlan
from taskhub_tui.tui.widgets.task_table import TaskTable

HOMES = {
    "list": TaskTable,
    "scroll": LinesView,
    "task": MainScreen,
    "view": MainScreen,
    "hub": MainScreen,
    "place": TaskHubApp,
    "panes": TaskHubApp,
    "decision": DecisionScreen,
    "answer": Form,
    "batch": PreflightScreen,
    "inbox": InboxScreen,
    "undo": TaskHubApp,
    "form": NewTaskScreen,
    "plan": StagePlan,
    "path": PathInput,
    "after": AfterInput,
    "choose": ChooseScreen,
    "name": NameScreen,
    "pick": PickTaskScreen,
    "save": SaveAsScreen,
    "picture": PictureScreen,
    "pane": Waits,
    "agents": AgentsScreen,
    "settings": SettingsScreen,
    "phone": PhoneScreen,
    "rules": RulesScreen,
    "help": HelpScreen,
    "app": TaskHubApp,
    "tabs": Detail,
    "log": LogView,
    "result": ResultView,
    "files": FilesView,
    "events": EventsView,
}
PAGE = Path(__file__).parents[2] / "docs" / "keys.md"


async def _none(numbers: Sequence[int]) -> Iterable[Task]:
    return ()


def test_every_action_has_an_id_of_its_own_and_is_done_somewhere() -> None:
    assert len({act.id for act in ACTIONS}) == len(ACTIONS)
    for act in ACTIONS:
        name = act.action.partition("(")[0]
        home = TaskHubApp if name.startswith("app.") else HOMES[act.where]
        assert hasattr(home, f"action_{name.removeprefix('app.')}"), act.id
        assert act.meaning
        assert act.where in TITLES


def test_no_key_means_two_things_in_one_place() -> None:
    for places in together():
        acts = [act for act in ACTIONS if act.where in places and act.keys and not act.gives_way]
        keys = [key for act in acts for key in act.keys.split(",")]
        assert len(keys) == len(set(keys))


def test_what_gives_way_is_refused_but_at_its_moment() -> None:
    table = TaskTable(_none)
    giving = [act for act in ACTIONS if act.gives_way]
    assert giving
    for act in giving:
        assert act.where == "list"
        assert table.check_action(act.action, ()) is False, act.id


def test_every_key_of_a_place_comes_from_the_list_or_is_said_to_be_fixed() -> None:
    for where, home in HOMES.items():
        fixed = " ".join(key for place, key, _ in FIXED if place == where)
        for binding in home.__dict__.get("BINDINGS", ()):
            assert binding.id in BY_ID or (binding.key.isdigit() and "1 … 9" in fixed), (
                where, binding,
            )  # fmt: skip


def test_bindings_can_be_remapped_by_id() -> None:
    assert {binding.id for binding in bindings("task", "view", "hub")} == {
        act.id for act in ACTIONS if act.where in ("task", "view", "hub")
    }


def test_every_place_has_its_keys_and_its_turn() -> None:
    used = {act.where for act in ACTIONS} | {where for where, _, _ in FIXED}
    assert used == set(TITLES)
    assert {where for places in together() for where in places} == set(TITLES)


def test_the_page_is_what_the_list_says() -> None:
    fresh = PAGE.read_text(encoding="utf-8") == markdown()
    assert fresh, "stale: run `python -m taskhub_tui.tui.reference > docs/keys.md`"
