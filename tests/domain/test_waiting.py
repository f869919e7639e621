"""What waits for a person: its order, its words, and one decision for several."""

from dataclasses import replace
from typing import Any

import pytest

from taskhub_tui.domain.model import Action, Blocker, BlockerKind, Choice, Priority, Status, Task
from taskhub_tui.domain.waiting import (
    Need,
    Waiting,
    consequence,
    in_order,
    line,
    together,
)

NOW = 1_000_000.0


def task(n: int = 1, status: Status = Status.BLOCKED, **more: Any) -> Task:
    fixed = (f"t{n}", n, f"Task {n}", "do", "me", "command", "/", status, NOW - 100, NOW - 60, 1)
    return Task(*fixed, stage_name="run", stages=1, **more)


def asked(n: int = 1, kind: BlockerKind = BlockerKind.APPROVAL, **more: Any) -> Waiting:
    of = more.pop("task", {})
    fields = {"key": "ask", "created": NOW - 60, "question": "Go on?", "version": 1, **more}
    return Waiting(
        task(n, **of), Blocker(id=f"b{n}", task_id=f"t{n}", stage=0, kind=kind, **fields)
    )


def failed(n: int = 1, **more: Any) -> Waiting:
    return Waiting(task(n, Status.FAILED, ended=NOW - 60, **more))


def test_risk_then_deadline_then_priority_then_age() -> None:
    risky = asked(1, risk="high")
    soon = asked(2, deadline=NOW + 60, default=Action.DENY)
    later = asked(3, deadline=NOW + 600, default=Action.DENY)
    urgent = asked(4, task={"priority": Priority.HIGH})
    old = asked(5, created=NOW - 900)
    new = asked(6, created=NOW - 1)
    broken = failed(7)
    paused = Waiting(task(8, Status.PAUSED))
    right = [risky, soon, later, urgent, old, new, broken, paused]
    assert in_order(reversed(right)) == right


def test_a_deadline_of_the_task_counts_as_well() -> None:
    one = asked(1, task={"deadline": NOW + 60}, deadline=NOW + 600, default=Action.DENY)
    assert one.due == NOW + 60
    assert consequence(one, NOW) == "fails in 1m if it is not done"


@pytest.mark.parametrize(
    ("default", "said"),
    [
        (Action.DENY, "denied in 12m if nobody answers"),
        (Action.APPROVE, "approved in 12m if nobody answers"),
        (Action.CANCEL, "cancelled in 12m if nobody answers"),
        (None, "expires in 12m if nobody answers"),
    ],
)
def test_what_happens_when_nobody_answers(default: Action | None, said: str) -> None:
    assert consequence(asked(deadline=NOW + 720, default=default), NOW) == said
    assert consequence(asked(), NOW) == ""


def test_a_line_has_the_command_or_what_went_wrong() -> None:
    one = asked(detail={"argv": ["rm", "-r", "old\x1b[2J\nfiles"]})
    assert line(one, NOW) == "Go on? $ rm -r 'old files'"
    one = asked(detail={"argv": ["sh", "-c", "rm $OLD; sync"]})
    assert line(one, NOW) == "Go on? $ sh -c 'rm $OLD; sync'"
    assert line(failed(error="no\ncolumn"), NOW) == "no column"
    assert "may it go on?" in line(Waiting(task(status=Status.PAUSED)), NOW)


def test_each_need_has_its_word() -> None:
    assert asked(key="review").need is Need.REVIEW
    assert asked(kind=BlockerKind.INPUT).need is Need.QUESTION
    assert failed().need is Need.FAILED
    assert Waiting(task(status=Status.PAUSED)).need is Need.PAUSED


def test_a_question_that_changed_is_another_case() -> None:
    one = asked()
    assert one.blocker is not None
    assert one.case != Waiting(one.task, replace(one.blocker, version=2)).case


def test_one_decision_for_several_says_what_is_not_possible() -> None:
    risky, broken = asked(2, risk="high"), failed(3)
    rows = together([asked(1, detail={"command": "make"}), risky, broken], Action.APPROVE)
    assert [row.possible for row in rows] == [True, True, False]
    assert rows[0].what == "$ make"
    assert [row.risky for row in rows] == [False, True, False]
    assert rows[2].what == "there is nothing to approve"
    assert not together([risky], Action.DENY)[0].risky, "to say no is no risk"
    assert [row.possible for row in together([asked(1), broken], Action.RETRY)] == [False, True]
    paused = Waiting(task(4, Status.PAUSED))
    assert [row.possible for row in together([paused, broken], None)] == [True, False]


def test_the_same_answer_goes_only_where_it_is_offered() -> None:
    yes, no = Choice("y", "Yes"), Choice("n", "No", "deny")
    both = asked(1, BlockerKind.INPUT, choices=(yes, no))
    one = asked(2, BlockerKind.INPUT, choices=(no,))
    rows = together([both, one], Action.PROVIDE_CONTEXT, yes)
    assert [(row.possible, row.choice) for row in rows] == [(True, "y"), (False, None)]
    assert [row.action for row in together([both, one], Action.DENY, no)] == [Action.DENY] * 2
