"""What agents say beside their result is a stranger's: it is checked and cleaned."""

from dataclasses import replace
from typing import Any

from taskhub_tui.domain.model import Artifact, Stage, StageStatus, Status, Task, TaskView
from taskhub_tui.domain.reported import MOST, FollowUp, follow_ups, next_task, usage

TASK = Task(
    "abcd2345", 1, "Prices", "Report", "me", "analyst", "/srv", Status.COMPLETED, 0, 0, 1,
    options={"file": "/srv/p.csv", "period": "month"}, result="/srv/out/report.md",
)  # fmt: skip


def stage(data: Any, status: StageStatus = StageStatus.DONE) -> Stage:
    return Stage("abcd2345", 0, "run", "analyst", status, output={"text": "", "data": data})


def test_suggestions_are_cleaned_and_what_is_none_is_left_out() -> None:
    said = [
        {"title": "Go\x1b]0;x\x07 on\nnow", "request": "Do\u202e it", "options": {"a\x1b[2J": 1}},
        {"request": "  "},
        {"title": "No request"},
        "not a mapping",
        {"request": 7},
        {"request": "Only this", "agent": 3, "options": [1]},
    ]
    assert follow_ups([stage({"follow_ups": said})]) == (
        FollowUp("Go on now", "Do it", None, {"a": 1}),
        FollowUp("Only this", "Only this"),
    )


def test_no_more_are_taken_than_there_are_digits() -> None:
    many = [{"request": f"Do {n}"} for n in range(500)]
    assert len(follow_ups([stage({"follow_ups": many})])) == MOST


def test_only_a_stage_that_is_done_suggests_anything() -> None:
    said = {"follow_ups": [{"request": "x"}]}
    assert follow_ups([stage(said, StageStatus.FAILED), stage("x"), stage(None)]) == ()
    assert follow_ups([stage({"follow_ups": "text"})]) == ()


def test_a_follow_up_knows_what_its_task_knew_and_made() -> None:
    made = Artifact(TASK.id, 0, "figures.json", "/srv/out/figures.json", "application/json", 9, 0)
    drawn = replace(made, name="a.png", path="/srv/out/a.png", media_type="image/png")
    view = TaskView(TASK, [], None, [made, drawn], ())
    chosen = FollowUp("The year", "Report on the year", "analyst", {"period": "year"})
    new = next_task(view, chosen, ["analyst", "command"])
    assert new.agent == "analyst"
    assert new.options == {"file": "/srv/p.csv", "period": "year"}
    assert new.title == "The year"
    assert new.workdir == "/srv"
    assert new.request.startswith("Report on the year\n")
    assert "- /srv/out/report.md" in new.request
    assert "- /srv/out/figures.json" in new.request
    assert "a.png" not in new.request
    assert new.after == ()


def test_an_agent_that_is_not_there_is_not_named_nor_given_another_ones_options() -> None:
    chosen = FollowUp("x", "Do x", "nobody", {"own": 1})
    new = next_task(TaskView(TASK, [], None, [], ()), chosen, ["analyst"])
    assert new.agent is None
    assert new.options == {"own": 1}


def test_costs_are_summed_and_strange_ones_are_not_shown() -> None:
    stages = [
        stage({"usage": {"cost_usd": 0.25, "input_tokens": 1000, "model": "m-1"}}),
        stage({"usage": {"cost_usd": 0.5, "input_tokens": 234, "model": "m-2", "other": 1}}),
        stage({"usage": {"cost_usd": float("nan"), "output_tokens": -1, "requests": True}}),
        stage({"usage": "a lot"}),
    ]
    assert usage(stages) == [("cost", "$0.75"), ("tokens in", "1,234"), ("model", "m-1, m-2")]
    assert usage([stage({})]) == []
