"""What a person wished of a task's stages outlives the agent that had them."""

from typing import Any

import pytest

from taskhub_tui.domain.fresh import instead
from taskhub_tui.domain.model import Stage, StageSpec, StageStatus

PLAN = (StageSpec("x", "other"), StageSpec("y", "other"))


def left(*each: dict[str, Any]) -> list[Stage]:
    """Stages that are not done, the first of them the second of its task."""
    return [
        Stage("t", i, f"s{i}", "old", StageStatus.PENDING, **one) for i, one in enumerate(each, 1)
    ]


def test_a_person_is_still_asked_before_anything_starts_and_about_the_result() -> None:
    fresh = instead(left({"gate": True}, {"review": True}), PLAN)
    assert [(one.position, one.gate, one.review) for one in fresh] == [
        (1, True, False),
        (2, False, True),
    ]
    assert not fresh[0].approved
    (only,) = instead(left({}, {"gate": True, "review": True}), PLAN[:1])
    assert (only.gate, only.review) == (True, True)


def test_what_was_approved_is_not_asked_again() -> None:
    fresh = instead(left({"gate": True, "approved": True}, {}), PLAN)
    assert [one.gate for one in fresh] == [False, False]
    own = instead(left({}), (StageSpec("x", "other", gate=True),))
    assert own[0].gate, "but the new agent may have a question of its own"


@pytest.mark.parametrize(
    ("name", "value"), [("timeout", 60.0), ("retries", 3), ("retry_delay", 1.0), ("stall", 0.0)]
)
def test_limits_that_were_given_to_all_stages_hold_for_the_new_ones(name: str, value: Any) -> None:
    given = {name: value}
    fresh = instead(left(given, given), (*PLAN, StageSpec("z", "other", **{name: 9})))
    assert [getattr(one, name) for one in fresh] == [value, value, 9]
    mixed = instead(left(given, {}), PLAN)
    usual = getattr(PLAN[0], name)
    assert [getattr(one, name) for one in mixed] == [usual, usual], "one stage's own limit goes"


@pytest.mark.parametrize(("was", "now"), [("ask", "ask"), ("rerun", None), ("adopt", None)])
def test_the_wish_to_be_asked_stays_and_an_agents_habit_goes_with_it(
    was: str, now: str | None
) -> None:
    fresh = instead(left({"on_interrupt": was}, {"on_interrupt": was}), PLAN)
    assert [one.on_interrupt for one in fresh] == [now, now]


def test_a_start_that_was_approved_is_no_answer_to_the_next_question() -> None:
    fresh = instead(left({"gate": True, "approved": True, "attempt": 0}, {"gate": True}), PLAN)
    assert (fresh[0].gate, fresh[0].approved, fresh[0].attempt) == (True, False, 1)


def test_attempts_go_on_counting() -> None:
    fresh = instead(left({"attempt": 4}, {"attempt": 0}), PLAN)
    assert [one.attempt for one in fresh] == [4, 0]
