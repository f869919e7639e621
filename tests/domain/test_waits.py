"""Pauses, limits, patience, and what a waiting task says, without a clock."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskhub_tui.domain import durations, execution, lifecycle, limits, stall
from taskhub_tui.domain.limits import Limits, Load
from taskhub_tui.domain.model import Action, Decision, Stage, StageStatus, Status, Task, WaitingOn
from taskhub_tui.domain.stall import Patience

NOW = 1000.0


def waiting(**values: object) -> Task:
    task = Task("t", 1, "T", "R", "ann", "a", "/w", Status.PENDING, 0.0, 0.0, 1, stage_agent="a")
    return replace(task, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0, "0s"), (0.2, "1s"), (59.0, "59s"), (59.5, "1m 00s"), (90.0, "1m 30s"),
        (3600.0, "1h 00m"), (7500.0, "2h 05m"), (86400.0 * 3 + 4 * 3600, "3d 04h"), (-5.0, "0s"),
    ],
)  # fmt: skip
def test_a_countdown_reads_as_people_say_it(seconds: float, said: str) -> None:
    assert durations.countdown(seconds) == said


@given(st.floats(0, 1e6), st.integers(0, 100), st.floats(0, 1), st.none() | st.floats())
def test_a_pause_grows_to_its_ceiling_and_is_never_shorter_than_asked_for(
    first: float, failures: int, jitter: float, after: float | None
) -> None:
    pause = limits.retry_delay(first, failures, jitter, after)
    assert math.isfinite(pause)
    asked = limits.sane(after) or 0.0
    assert pause >= max(asked, min(first * 2**failures, first, 3600.0))
    assert pause <= max(asked, 1.25 * max(first, limits.RETRY_CEILING))


@given(st.floats(0, 1e6), st.floats(0, 1), st.none() | st.floats())
def test_a_providers_time_is_kept_and_without_one_the_pauses_grow(
    waited: float, jitter: float, after: float | None
) -> None:
    pause = limits.limit_delay(waited, jitter, after)
    assert math.isfinite(pause)
    asked = limits.sane(after)
    if asked is None:
        assert limits.LIMIT_FIRST <= pause <= limits.RETRY_CEILING + limits.LIMIT_FIRST
    else:
        assert asked <= pause <= asked + limits.LIMIT_FIRST


def test_who_waits_for_its_turn_is_told_what_holds_it_back() -> None:
    load = Load(Limits(total=3, agents={"a": 2}), {"a": 2, "b": 1}, {"b": NOW + 90})
    full = limits.seen(waiting(), load, NOW)
    assert full.waiting_on is WaitingOn.LIMIT
    assert limits.waits(full, NOW) == "waits for a free slot of a (2 of 2 busy)"
    other = limits.seen(waiting(stage_agent="c"), load, NOW)
    assert limits.waits(other, NOW) == "waits for a free slot (3 of 3 busy)"
    held = limits.seen(waiting(stage_agent="b"), load, NOW)
    assert limits.waits(held, NOW) == "provider limit, resumes in 1m 30s"
    assert limits.seen(waiting(), Load(), NOW) == waiting()
    for task in (waiting(waiting_on=WaitingOn.SCHEDULE), waiting(status=Status.IN_PROGRESS)):
        assert limits.seen(task, load, NOW) is task


def test_a_silent_stage_is_shown_before_it_is_asked_about_and_not_before_its_usual_time() -> None:
    patience = Patience(300, 900)
    stage = Stage("t", 0, "s", "a", StageStatus.RUNNING)
    assert [patience.shows(silent) for silent in (299, 300)] == [False, True]
    assert [patience.asks(silent, stage, worked=1000.0) for silent in (899, 900)] == [False, True]
    usual = replace(stage, estimate=5000.0)
    assert [patience.asks(900, usual, worked) for worked in (4999.0, 5000.0)] == [False, True]
    assert patience.of(replace(stage, stall=60.0)) == Patience(60, 180)
    for never in (patience.of(replace(stage, stall=0.0)), Patience(0, 0)):
        assert not never.shows(1e9)
        assert not never.asks(1e9, stage, worked=1e9)
    assert stall.silence(NOW - 360, NOW) == "no sign of life for 6m 00s"


def test_what_is_set_of_patience_goes_with_what_is_not() -> None:
    assert stall.patience() == Patience(300, 900)
    assert stall.patience(shown_after=3600) == Patience(3600, 3600)
    assert stall.patience(ask_after=60) == Patience(60, 60)
    assert stall.patience(ask_after=0) == Patience(300, 0)


@pytest.mark.parametrize(
    ("status", "then"),
    [(StageStatus.RUNNING, StageStatus.WAITING), (StageStatus.PENDING, StageStatus.PENDING)],
)
def test_a_stage_that_may_have_run_is_queued_as_one_that_has(
    status: StageStatus, then: StageStatus
) -> None:
    stage = Stage("t", 0, "s", "a", status, attempt=1)
    change = execution.wait_for_turn(waiting(status=Status.IN_PROGRESS), [stage], stage, NOW)
    assert change.task.status is Status.PENDING
    assert [*change.stages, stage][0].status is then


def test_what_a_provider_makes_a_stage_wait_adds_up_until_it_is_done_or_tried_anew() -> None:
    task = waiting(status=Status.IN_PROGRESS)
    stage = Stage("t", 0, "s", "a", StageStatus.RUNNING, attempt=1, worked=7.0)
    for delay in (15.0, 35.0):
        change = execution.wait_for_provider(task, [stage], stage, "429", delay, NOW)
        stage = change.stages[0]
    assert stage.limited == 50.0
    assert stage.worked == 7.0, "waiting is no work, and takes none away"
    assert execution.go_on(task, [stage], stage, NOW, "resumed").stages[0].limited == stage.limited
    assert execution.checkpoint(task, [stage], stage, {}, NOW).stages[0].limited is None
    lost = execution.repeat(task, [stage], stage, "gone", 1.0, NOW).stages[0]
    assert (lost.limited, lost.worked) == (None, 0.0)
    again = decide_again(task, stage)
    assert (again.limited, again.worked, again.status) == (None, 7.0, StageStatus.WAITING)


def decide_again(task: Task, stage: Stage) -> Stage:
    """Return what RETRY makes of a stage that waits for its provider."""
    wait = {"waiting_on": WaitingOn.PROVIDER, "ready_at": NOW + 60, "stages": 1}
    task = replace(task, status=Status.PENDING, **wait)  # type: ignore[arg-type]
    return lifecycle.decide(task, [stage], None, Decision(Action.RETRY, "ann", "cli"), NOW).stages[
        0
    ]
