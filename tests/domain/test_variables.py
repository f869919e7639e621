"""What giving variables makes of a task: their names, and the decision, and nothing else."""

from dataclasses import replace

import pytest

from taskhub_tui.domain import hold, lifecycle
from taskhub_tui.domain.errors import BadInput, NotLegal
from taskhub_tui.domain.model import Action, Decision, Stage, StageStatus, Status, Task
from taskhub_tui.domain.variables import give, given, named, wanted

KNOWN = {"command": ("shell", "secret_env"), "analyst": ("file",)}


def scene(status: Status, *agents: str) -> tuple[Task, list[Stage]]:
    """A task in its second stage."""
    first = Stage("t", 0, "s0", "command", StageStatus.DONE, options={"secret_env": ["OLD"]})
    mark = StageStatus.FAILED if status is Status.FAILED else StageStatus.PENDING
    rest = [Stage("t", i, f"s{i}", agent, mark) for i, agent in enumerate(agents, 1)]
    stages = [first, *rest]
    task = Task(
        "t", 1, "T", "R", "ann", "command", "/w", status, 0.0, 0.0, 1, stage=1, stages=len(stages)
    )
    return replace(task, options={"secret_env": ["A"]}), stages


@pytest.mark.parametrize("options", [{}, {"secret_env": "A"}, {"secret_env": None}])
def test_what_is_no_list_names_nothing(options: dict[str, object]) -> None:
    assert named(options) == ()


def test_names_are_added_where_a_stage_left_to_do_reads_them() -> None:
    task, stages = scene(Status.PENDING, "command", "command")
    stages[1] = replace(stages[1], options={"secret_env": ["B"]})
    after, changed = given(task, stages, ["C", "A"], KNOWN)
    assert after.options["secret_env"] == ["A", "C"]
    assert changed[0] is stages[0], "what is done is never changed"
    assert changed[1].options["secret_env"] == ["B", "A", "C"]
    assert changed[2] is stages[2]
    assert wanted(after, changed) == ("A", "C", "OLD", "B")


def test_a_variable_that_no_stage_left_can_use_is_refused() -> None:
    task, stages = scene(Status.FAILED, "analyst")
    decision = Decision(Action.RETRY, "ann", "cli", variables=("TOKEN",))
    with pytest.raises(BadInput, match="of no use to the stage left to do, by `analyst`"):
        lifecycle.decide(task, stages, None, decision, 9.0, known=KNOWN)


@pytest.mark.parametrize("action", [Action.RETRY, Action.MODIFY])
def test_what_failed_is_tried_again_with_what_was_given(action: Action) -> None:
    task, stages = scene(Status.FAILED, "command")
    decision = Decision(action, "ann", "cli", variables=("TOKEN",))
    change = lifecycle.decide(task, stages, None, decision, 9.0, known=KNOWN)
    assert change.task.status is Status.PENDING
    assert change.task.options == {"secret_env": ["A", "TOKEN"]}
    assert [(one.position, one.status) for one in change.stages] == [(1, StageStatus.PENDING)]
    assert change.events[0].data == {"action": action.value, "variables": ["TOKEN"]}


@pytest.mark.parametrize("action", [Action.DENY, Action.CANCEL])
def test_what_ends_a_task_takes_no_variable(action: Action) -> None:
    task, stages = scene(Status.PENDING, "command")
    decision = Decision(action, "ann", "cli", variables=("TOKEN",))
    with pytest.raises((BadInput, NotLegal), match=action.name):
        lifecycle.decide(task, stages, None, decision, 9.0, known=KNOWN)


def test_another_agent_gets_what_is_given_with_the_task() -> None:
    task, stages = scene(Status.FAILED, "analyst")
    decision = Decision(Action.REASSIGN, "ann", "cli", agent="command", variables=("TOKEN",))
    change = lifecycle.decide(task, stages, None, decision, 9.0, known=KNOWN)
    assert change.task.options["secret_env"] == ["A", "TOKEN"]
    assert [one.agent for one in change.stages] == ["command"]


def test_letting_a_task_go_on_may_give_some_too() -> None:
    task, stages = scene(Status.PAUSED, "command")
    stages[1] = replace(stages[1], options={"secret_env": ["B"]})
    change = give(hold.resume(task, 9.0), stages, ["TOKEN"], KNOWN)
    assert change.task.status is Status.PENDING
    assert change.task.options["secret_env"] == ["A", "TOKEN"]
    assert [one.options["secret_env"] for one in change.stages] == [["B", "TOKEN"]]
    (event,) = change.events
    assert (event.kind, event.data) == ("resumed", {"variables": ["TOKEN"]})
