"""What a message says: what is asked, whole, or that it is not; and how to see more."""

from dataclasses import replace
from typing import Any

from taskhub_tui.domain.model import (
    Action,
    Blocker,
    BlockerKind,
    Choice,
    NoticeKind,
    Notification,
    Priority,
    Status,
    Task,
)
from taskhub_tui.notifications import wording
from taskhub_tui.notifications.message import Message

NOW = 10_000.0
TASK = Task(
    "0123abcd", 1, "Deploy", "Deploy it", "ann", "actor", "/w", Status.BLOCKED, 0.0, 0.0, 1,
    stage=1, stages=3, stage_name="push",
)  # fmt: skip
NOTE = Notification(
    7, TASK.id, NoticeKind.BLOCKER, "Deploy", "May I?", NOW - 600, 1, "b1",
    (Action.APPROVE, Action.DENY, Action.PROVIDE_CONTEXT),
)  # fmt: skip
ASKED = Blocker("b1", TASK.id, 1, "may-i", BlockerKind.APPROVAL, "May I?", 1, NOW - 600)


def asks(task: Task = TASK, hushed: bool = False, **blocker: Any) -> Message:
    return wording.message(NOTE, task, NOW, blocker=replace(ASKED, **blocker), hushed=hushed)


def test_it_names_task_stage_age_what_is_asked_and_how_to_see_more() -> None:
    message = asks(detail={"argv": ["rm", "-r", "old data"], "why": "It is old"})
    assert message.title == "Needs you: Deploy"
    assert message.body.splitlines() == [
        "May I?",
        "argv: rm -r 'old data'",
        "why: It is old",
        "2/3 push · task 0123abcd · since 10m",
        "See more: taskhub show 0123abcd",
    ]
    assert (message.thread, message.about, message.asks) == (TASK.id, NOTE.id, True)
    assert message.whole
    assert message.reply


def test_risk_choices_and_what_becomes_of_it_unanswered_are_said() -> None:
    said = asks(
        risk="high",
        choices=(Choice("a", "Now"), Choice("b", "Tonight")),
        deadline=NOW + 300,
        default=Action.DENY,
    ).body
    assert "High risk: this may not be undone." in said
    assert "Answers: Now / Tonight" in said
    assert "Denied in 5m if nobody answers." in said


def test_what_does_not_fit_says_so_and_is_not_whole() -> None:
    fits = asks(detail={"command": "x" * 1500})
    assert fits.whole
    assert "x" * 1500 in fits.body
    for letter in "xä":
        cut = asks(detail={"command": letter * 2000})
        assert not cut.whole
        assert "This is not all of it" in cut.body
        assert len(cut.body.encode()) < 2000, "no channel cuts off what stands after it"


def test_a_question_without_a_simple_answer_still_needs_somebody() -> None:
    note = replace(NOTE, actions=(Action.MODIFY,))
    message = wording.message(note, TASK, NOW, blocker=ASKED)
    assert (message.buttons, message.asks) == ((), True)


def test_a_result_says_what_came_of_it_where_it_is_and_what_could_be_next() -> None:
    note = Notification(8, TASK.id, NoticeKind.COMPLETED, "Deploy", "All is up", NOW, 1)
    task = replace(TASK, status=Status.COMPLETED, result="/w/report.html", stage=3, stage_name="")
    message = wording.message(note, task, NOW, suggested=("Watch it", "Tell the team"))
    assert message.title == "Done: Deploy"
    assert message.body.splitlines() == [
        "All is up",
        "Result: /w/report.html",
        "Next, if you like: Watch it; Tell the team",
        "task 0123abcd",
        "See more: taskhub show 0123abcd",
    ]
    assert not message.asks


def test_in_quiet_hours_it_makes_no_sound_unless_it_is_critical() -> None:
    assert not asks().quiet
    assert asks(hushed=True).quiet
    assert not asks(replace(TASK, priority=Priority.CRITICAL), hushed=True).quiet
