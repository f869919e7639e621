"""What each decision makes of a task, and that nothing else can be decided."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from taskhub_tui.domain import execution, hold, legal, lifecycle, questions
from taskhub_tui.domain.change import Change
from taskhub_tui.domain.errors import BadInput, NotLegal
from taskhub_tui.domain.legal import GATE, LEGAL, REVIEW
from taskhub_tui.domain.model import (
    Action,
    Blocker,
    BlockerKind,
    Choice,
    Decision,
    NoticeKind,
    Stage,
    StageSpec,
    StageStatus,
    Status,
    Task,
    WaitingOn,
)

NOW = 1000.0
NEEDS: dict[Action, dict[str, Any]] = {
    Action.PROVIDE_CONTEXT: {"text": "words"},
    Action.MODIFY: {"data": {"request": "other"}},
    Action.REASSIGN: {"agent": "other"},
}
STAGE_AT = {
    Status.IN_PROGRESS: StageStatus.RUNNING,
    Status.BLOCKED: StageStatus.BLOCKED,
    Status.FAILED: StageStatus.FAILED,
    Status.CANCELLED: StageStatus.CANCELLED,
    Status.COMPLETED: StageStatus.DONE,
}


def scene(
    status: Status, why: BlockerKind | WaitingOn | None = None, key: str = "q", **task: Any
) -> tuple[Task, list[Stage], Blocker | None]:
    """A task in its second of three stages."""
    stages = [
        Stage("t", i, f"s{i}", "actor", mark, weight=1, attempt=attempt)
        for i, (mark, attempt) in enumerate(
            [
                (StageStatus.DONE, 1),
                (STAGE_AT.get(status, StageStatus.PENDING), 1),
                (StageStatus.PENDING, 0),
            ]
        )
    ]
    if status is Status.COMPLETED:
        stages = [replace(stage, status=StageStatus.DONE) for stage in stages]
    values: dict[str, Any] = {"context": ("first words",), "stage": 1, "stages": 3, "fence": 4}
    values.update(options={"a": 1, "b": 2}, started=900.0)
    made = Task(
        "t", 1, "Title", "Request", "ann", "actor", "/w", status, 0.0, 0.0, 1, **(values | task)
    )
    blocker = None
    if isinstance(why, WaitingOn):
        made = replace(made, waiting_on=why, ready_at=NOW + 60)
    elif why is not None:
        offered = (Choice("x", "The X"), Choice("y", "The Y"))
        blocker = Blocker("b", "t", 1, key, why, "Which?", 3, 0.0, choices=offered)
    return made, stages, blocker


def decide(action: Action, *of: Any, channel: str = "app", plan: Any = (), **more: Any) -> Change:
    decision = Decision(action, "ann", channel, **{**NEEDS.get(action, {}), **more})
    return lifecycle.decide(*of, decision, NOW, plan)


SCENES = [
    *((status, None) for status in Status if status is not Status.BLOCKED),
    *((Status.BLOCKED, kind) for kind in BlockerKind if kind is not BlockerKind.STALLED),
    (Status.IN_PROGRESS, BlockerKind.STALLED),
    *((Status.PENDING, why) for why in (WaitingOn.PROVIDER, WaitingOn.RETRY)),
]


def test_the_table_has_a_line_for_every_state() -> None:
    assert set(LEGAL) == set(SCENES)
    assert {action for actions in LEGAL.values() for action in actions} == set(Action)


@pytest.mark.parametrize(("at", "action"), list(product(SCENES, Action)))
def test_every_decision_is_either_taken_or_refused_in_words(at: legal.Case, action: Action) -> None:
    task, stages, blocker = scene(*at)
    if action in legal.legal(task, blocker):
        change = decide(action, task, stages, blocker)
        (event,) = change.events
        assert (event.kind, event.data["action"]) == ("decided", action.value)
        assert change.task.changed == NOW
        assert change.task.fence >= task.fence
        assert change.task.context[: len(task.context)] == task.context
        assert all(stage.position >= 1 for stage in change.stages), "what is done stays"
        if blocker is not None and change.blocker is not None:
            assert (change.blocker.state, change.blocker.by) == ("answered", "ann")
            assert change.task.status is not Status.BLOCKED
    else:
        with pytest.raises(NotLegal) as refused:
            decide(action, task, stages, blocker)
        state = at[0].value.replace("_", " ")
        assert str(refused.value) == f"{action.name} does not fit: task t is {state}"
        hint = refused.value.hint
        names = [one.name for one in LEGAL[at]]
        assert hint == ("Now it could be: " + ", ".join(names) if names else None)


def test_a_blocker_counts_only_while_the_task_is_blocked() -> None:
    task, _, _ = scene(Status.FAILED)
    _, _, blocker = scene(Status.BLOCKED, BlockerKind.INPUT)
    assert legal.legal(task, blocker) == LEGAL[(Status.FAILED, None)]


def test_context_is_appended_and_never_written_over() -> None:
    for at in SCENES:
        task, stages, blocker = scene(*at)
        if Action.PROVIDE_CONTEXT in legal.legal(task, blocker):
            change = decide(Action.PROVIDE_CONTEXT, task, stages, blocker, text="more")
            assert change.task.context[0] == "first words"
            assert change.task.context[-1].endswith("more")
            assert len(change.task.context) == 2


def test_an_answer_in_words_tells_later_stages_the_question_too() -> None:
    change = decide(
        Action.PROVIDE_CONTEXT, *scene(Status.BLOCKED, BlockerKind.INPUT), text=None, choice="y"
    )
    assert change.task.context[-1] == "Answer to “Which?”: The Y"
    assert change.blocker is not None
    assert change.blocker.answer == {"action": "accept", "choice": "y", "text": None, "data": {}}


def test_words_are_needed_where_words_are_asked_for() -> None:
    with pytest.raises(BadInput, match="PROVIDE_CONTEXT needs words") as told:
        decide(Action.PROVIDE_CONTEXT, *scene(Status.PENDING), text=None)
    assert told.value.hint == "Add them with --text"


@pytest.mark.parametrize("action", [Action.APPROVE, Action.DENY, Action.PROVIDE_CONTEXT])
def test_only_what_was_offered_can_be_chosen(action: Action) -> None:
    with pytest.raises(BadInput, match="`z` is not one of the choices") as told:
        decide(action, *scene(Status.BLOCKED, BlockerKind.APPROVAL), text=None, choice="z")
    assert told.value.hint == "There are: `x`, `y`"


@pytest.mark.parametrize(
    ("action", "status", "stage", "answer", "approved"),
    [
        (Action.APPROVE, Status.PENDING, StageStatus.PENDING, "accept", True),
        (Action.PROVIDE_CONTEXT, Status.PENDING, StageStatus.PENDING, "accept", True),
        (Action.MODIFY, Status.PENDING, StageStatus.PENDING, "accept", True),
        (Action.DENY, Status.FAILED, StageStatus.FAILED, "decline", False),
        (Action.REASSIGN, Status.PENDING, StageStatus.PENDING, "cancel", False),
        (Action.CANCEL, Status.CANCELLED, StageStatus.CANCELLED, "cancel", False),
    ],
)
def test_what_a_decision_on_a_gate_means(
    action: Action, status: Status, stage: StageStatus, answer: str, approved: bool
) -> None:
    task, stages, blocker = scene(Status.BLOCKED, BlockerKind.APPROVAL, GATE)
    change = decide(action, task, stages, blocker)
    assert change.task.status is status
    current = next(one for one in change.stages if one.position == 1)
    assert (current.status, current.approved) == (stage, approved)
    assert change.blocker is not None
    assert change.blocker.answer is not None
    assert change.blocker.answer["action"] == answer
    assert not change.task.stopping, "nothing has begun that could be stopped"
    assert change.withdraw


@pytest.mark.parametrize(
    ("action", "status", "stage"),
    [
        (Action.APPROVE, Status.PENDING, StageStatus.DONE),
        (Action.PROVIDE_CONTEXT, Status.PENDING, StageStatus.PENDING),
        (Action.MODIFY, Status.PENDING, StageStatus.PENDING),
        (Action.DENY, Status.FAILED, StageStatus.FAILED),
        (Action.CANCEL, Status.CANCELLED, StageStatus.CANCELLED),
    ],
)
def test_what_a_decision_on_a_review_means(
    action: Action, status: Status, stage: StageStatus
) -> None:
    change = decide(action, *scene(Status.BLOCKED, BlockerKind.APPROVAL, REVIEW))
    current = next(one for one in change.stages if one.position == 1)
    assert (change.task.status, current.status) == (status, stage)
    assert not change.task.stopping


@pytest.mark.parametrize("kind", [BlockerKind.APPROVAL, BlockerKind.INPUT, BlockerKind.AUTH])
def test_an_agents_question_is_answered_and_its_stage_goes_on(kind: BlockerKind) -> None:
    for action in LEGAL[(Status.BLOCKED, kind)]:
        task, stages, blocker = scene(Status.BLOCKED, kind)
        change = decide(action, task, stages, blocker)
        stopping = action in (Action.MODIFY, Action.REASSIGN, Action.CANCEL)
        assert change.task.stopping is stopping
        assert (change.task.fence > task.fence) is stopping
        assert change.blocker is not None
        if not stopping:
            assert (change.task.status, change.stages) == (Status.PENDING, ())


def test_a_deadline_is_recorded_as_one() -> None:
    task, stages, blocker = scene(Status.BLOCKED, BlockerKind.APPROVAL, GATE)
    change = decide(Action.DENY, task, stages, blocker, channel="timeout")
    assert change.blocker is not None
    assert (change.blocker.state, change.blocker.channel) == ("expired", "timeout")
    assert change.task.error == "Denied by No answer in time"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "MODIFY changes nothing"),
        ({"owner": "eve"}, "MODIFY cannot change `owner`"),
        ({"request": " "}, "`request` must be a text that is not empty"),
        ({"title": 3}, "`title` must be a text that is not empty"),
        ({"options": [1]}, "`options` must be a table of names and values"),
        ({"arguments": {"a": 1}}, "No arguments were proposed here"),
    ],
)
@pytest.mark.parametrize(
    "at",
    [
        scene(Status.PENDING),
        scene(Status.IN_PROGRESS),
        scene(Status.FAILED),
        scene(Status.BLOCKED, BlockerKind.INPUT),
        scene(Status.BLOCKED, BlockerKind.APPROVAL, GATE),
        scene(Status.BLOCKED, BlockerKind.APPROVAL, REVIEW),
        scene(Status.BLOCKED, BlockerKind.INTERRUPTED, "interrupted"),
    ],
)
def test_what_modify_cannot_do_is_refused(data: dict[str, Any], said: str, at: Any) -> None:
    with pytest.raises(BadInput, match=said):
        decide(Action.MODIFY, *at, data=data)


def test_modify_changes_options_one_by_one_and_none_takes_one_away() -> None:
    task, stages, _ = scene(Status.PENDING)
    stages[1] = replace(stages[1], options={"b": "own", "c": "own"})
    stages[0] = replace(stages[0], options={"b": "done"})
    data = {"options": {"a": None, "b": 7}}
    change = decide(Action.MODIFY, task, stages, None, data=data)
    assert change.task.options == {"b": 7}
    after = {stage.position: stage.options for stage in change.stages}
    assert after[1] == {"b": 7, "c": "own"}, "else the stage's own would win over the new value"
    assert after.get(0, {"b": "done"}) == {"b": "done"}


def test_a_failed_task_is_tried_again_and_its_error_is_gone() -> None:
    task, stages, _ = scene(Status.FAILED, error="it broke", ended=950.0, pausing=True)
    stages[1] = replace(stages[1], error="it broke", failures=3, output={"text": "old"})
    change = decide(Action.RETRY, task, stages, None)
    assert (change.task.status, change.task.error, change.task.ended) == (
        Status.PENDING,
        None,
        None,
    )
    assert not change.task.pausing
    (stage,) = change.stages
    assert (stage.status, stage.failures, stage.error, stage.output) == (
        StageStatus.PENDING,
        0,
        None,
        None,
    )
    assert change.withdraw


def test_a_decision_on_a_failed_task_that_mends_nothing_keeps_its_notice() -> None:
    task, stages, _ = scene(Status.FAILED)
    change = decide(Action.MODIFY, task, stages, None, data={"title": "Better"})
    assert (change.task.status, change.withdraw) == (Status.FAILED, False)


def test_reassign_names_an_agent() -> None:
    with pytest.raises(BadInput, match="REASSIGN needs the name of an agent"):
        decide(Action.REASSIGN, *scene(Status.FAILED), agent=None)


def test_reassign_plans_the_rest_anew_and_keeps_what_is_done() -> None:
    task, stages, _ = scene(Status.IN_PROGRESS)
    plan = [StageSpec("x", "other"), StageSpec("y", "other")]
    change = decide(Action.REASSIGN, task, stages, None, plan=plan, text="go on")
    assert change.replan
    assert [(s.position, s.name, s.agent) for s in change.stages] == [
        (1, "x", "other"),
        (2, "y", "other"),
    ]
    assert (change.task.stages, change.task.stage, change.task.stage_name) == (3, 1, "x")
    assert (change.task.stopping, change.task.fence) == (True, 5)
    assert change.task.context == ("first words", "go on")
    assert change.stages[0].attempt == 1, "the next attempt has a key of its own"


def test_reassign_in_a_playbook_keeps_its_stages_and_other_agents() -> None:
    task, stages, _ = scene(Status.FAILED, playbook="p.toml")
    stages[2] = replace(stages[2], agent="third")
    change = decide(Action.REASSIGN, task, stages, None, plan=[StageSpec("x", "other")])
    assert not change.replan
    (mine,) = change.stages
    assert (mine.name, mine.agent) == ("s1", "other"), "the third agent keeps its stage"


@pytest.mark.parametrize("status", [Status.PENDING, Status.PAUSED])
def test_an_answered_question_is_still_something_to_stop(status: Status) -> None:
    task, stages, _ = scene(status)
    stages[1] = replace(stages[1], status=StageStatus.BLOCKED)
    for action in (Action.CANCEL, Action.REASSIGN):
        assert decide(action, task, stages, None).task.stopping


@pytest.mark.parametrize("status", [Status.PENDING, Status.PAUSED])
def test_reassign_runs_nothing_again_when_every_stage_is_done(status: Status) -> None:
    # As after the approval of the last result, until a worker has completed the task.
    task, stages, _ = scene(status)
    stages = [replace(stage, status=StageStatus.DONE) for stage in stages]
    with pytest.raises(NotLegal, match="is done"):
        decide(Action.REASSIGN, task, stages, None)


@pytest.mark.parametrize("status", [Status.PENDING, Status.PAUSED])
@pytest.mark.parametrize("action", [Action.CANCEL, Action.REASSIGN])
def test_an_agent_that_is_being_stopped_is_stopped_whatever_is_decided_meanwhile(
    status: Status, action: Action
) -> None:
    task, stages, blocker = scene(status, stopping=True)
    assert decide(action, task, stages, blocker).task.stopping


def test_cancel_drops_what_waits_and_keeps_what_is_done() -> None:
    change = decide(Action.CANCEL, *scene(Status.IN_PROGRESS))
    assert (change.task.status, change.task.ended, change.drops) == (Status.CANCELLED, NOW, True)
    assert [stage.position for stage in change.stages] == [1, 2]


@pytest.mark.parametrize("status", list(Status))
def test_only_what_waits_or_runs_can_be_paused(status: Status) -> None:
    task, _, _ = scene(status)
    if status is Status.PENDING:
        assert hold.pause(task, NOW).task.status is Status.PAUSED
    elif status is Status.IN_PROGRESS:
        change = hold.pause(task, NOW)
        assert (change.task.status, change.task.pausing) == (Status.IN_PROGRESS, True)
        assert not hold.resume(change.task, NOW).task.pausing
    else:
        with pytest.raises(NotLegal, match="only one that waits or runs can be paused"):
            hold.pause(task, NOW)
    if status is not Status.PAUSED:
        with pytest.raises(NotLegal, match="Task t is not paused"):
            hold.resume(task, NOW)


@pytest.mark.parametrize(
    ("values", "waiting"),
    [
        ({}, None),
        ({"deps_left": 2}, WaitingOn.DEPENDENCY),
        ({"ready_at": NOW + 5, "started": None}, WaitingOn.SCHEDULE),
        ({"ready_at": NOW + 5}, WaitingOn.RETRY),
    ],
)
def test_a_resumed_task_waits_for_what_it_waited_for(
    values: dict[str, Any], waiting: WaitingOn | None
) -> None:
    task, _, _ = scene(Status.PAUSED, **values)
    change = hold.resume(task, NOW)
    assert (change.task.status, change.task.waiting_on) == (Status.PENDING, waiting)


@pytest.mark.parametrize("kind", [kind for kind in BlockerKind if kind is not BlockerKind.STALLED])
def test_a_notification_offers_what_is_legal(kind: BlockerKind) -> None:
    task, stages, _ = scene(Status.IN_PROGRESS)
    asked = Blocker("b", "t", 1, "q", kind, "Which?", 1, NOW)
    change = execution.ask(task, stages, stages[1], asked, NOW)
    assert change.notice is not None
    assert change.notice.kind is NoticeKind.BLOCKER
    assert change.notice.actions == legal.legal(change.task, asked)
    failed = execution.fail(task, stages, stages[1], "broke", NOW, {})
    assert failed.notice is not None
    assert failed.notice.actions == legal.legal(failed.task, None)


def test_the_engines_own_questions_show_what_is_decided() -> None:
    task, stages, _ = scene(Status.IN_PROGRESS, options={"argv": ["make"]}, result="/w/out.md")
    stages[0] = replace(stages[0], output={"text": "Here is the draft"})
    gate = questions.gate(stages[1], task, stages, "b", NOW)
    assert gate.detail["agent"] == "actor"
    assert gate.detail["command"] == ["make"]
    assert gate.detail["request"] == "Request"
    assert "Here is the draft" in str(gate.detail), "what is approved may rest on it"
    done = replace(stages[1], output={"text": "It is made"})
    review = questions.review(done, task, "b", NOW)
    assert review.detail == {"result": "It is made", "file": "/w/out.md"}
    cut = questions.interrupted(stages[1], task, "b", NOW, "The power went")
    assert cut.detail["reason"] == "The power went"
    assert cut.detail["first"] == "Look at its log; what it has done already may be done twice"
    assert cut.kind is BlockerKind.INTERRUPTED
