"""Progress and time remaining have one definition."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskhub_tui.domain import progress
from taskhub_tui.domain.model import Stage, StageStatus

DONE, RUN, WAIT = StageStatus.DONE, StageStatus.RUNNING, StageStatus.PENDING


def stage(status: StageStatus, **values: object) -> Stage:
    return Stage("t", 0, "s", "a", status, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ([], None),
        ([stage(WAIT)], None),
        ([stage(RUN)], None),
        ([stage(RUN, fraction=0.25)], 0.25),
        ([stage(RUN, fraction=0.0)], 0.0),
        ([stage(DONE), stage(WAIT)], 0.5),
        ([stage(DONE), stage(RUN, fraction=0.5)], 0.75),
        ([stage(DONE, weight=3), stage(RUN)], 0.75),
        ([stage(DONE), stage(DONE)], 1.0),
        ([stage(DONE, fraction=0.1)], 1.0),
        ([stage(RUN, fraction=7.0)], 1.0),
        ([stage(RUN, fraction=-7.0)], 0.0),
        ([stage(StageStatus.FAILED, fraction=0.5), stage(WAIT)], 0.25),
    ],
)
def test_progress_follows_the_weights(stages: list[Stage], expected: float | None) -> None:
    assert progress.fraction(stages) == expected


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        ([], 0.0),
        ([stage(WAIT)], None),
        ([stage(WAIT, estimate=30)], 30.0),
        ([stage(RUN, started=90.0)], None),
        ([stage(RUN, started=90.0, estimate=30)], 20.0),
        # Past its estimate, and nothing known: at any moment now.
        ([stage(RUN, started=10.0, estimate=30)], 0.0),
        ([stage(RUN, started=90.0, fraction=0.5)], 10.0),
        # Too early for a rate.
        ([stage(RUN, started=90.0, fraction=0.01)], None),
        # The rate says 10 s, experience 20 s: half and half in the middle.
        ([stage(RUN, started=90.0, fraction=0.5, estimate=30)], 15.0),
        # One without experience is measured by its weight against one that has run.
        ([stage(DONE, started=0.0, ended=10.0), stage(WAIT, weight=2)], 20.0),
        ([stage(WAIT, estimate=10), stage(WAIT)], 20.0),
        # Blocked: the time a person takes is not part of it.
        ([stage(StageStatus.BLOCKED, started=0.0, estimate=10)], 10.0),
    ],
)
def test_time_remaining_comes_from_experience_and_the_rate(
    stages: list[Stage], expected: float | None
) -> None:
    assert progress.remaining(stages, 100.0) == expected


FRACTION = st.none() | st.floats(allow_nan=True, allow_infinity=True)
SECONDS = st.floats(0, 1e9)
STAGES = st.lists(
    st.builds(
        stage,
        st.sampled_from(StageStatus),
        weight=st.floats(0.001, 1e6),
        fraction=FRACTION,
        estimate=st.none() | SECONDS,
        started=st.none() | SECONDS,
        ended=st.none() | SECONDS,
    ),
    max_size=8,
)


@given(STAGES)
def test_progress_is_a_share_or_unknown(stages: list[Stage]) -> None:
    known = progress.fraction(stages)
    assert known is None or 0 <= known <= 1


@given(STAGES, SECONDS)
def test_time_remaining_is_never_negative(stages: list[Stage], now: float) -> None:
    left = progress.remaining(stages, now)
    assert left is None or (left >= 0 and math.isfinite(left))


@given(STAGES, st.floats(0, 1), st.floats(0, 1))
def test_progress_rises_with_what_the_agent_says(
    others: list[Stage], one: float, two: float
) -> None:
    less, more = sorted((one, two))
    before = progress.fraction([*others, stage(RUN, fraction=less)])
    after = progress.fraction([*others, stage(RUN, fraction=more)])
    assert before is not None
    assert after is not None
    assert before <= after


def test_what_comes_after_a_question_has_no_time() -> None:
    def one(n: int, status: StageStatus = StageStatus.PENDING, **more: Any) -> Stage:
        return Stage("t", n, f"s{n}", "a", status, **more)

    running = one(0, StageStatus.RUNNING, started=90.0, estimate=30.0)
    coming = [one(1, estimate=10.0), one(2, estimate=5.0)]
    assert progress.starts([running, *coming], 100.0) == [None, 120.0, 130.0]
    unknown = [running, one(1), one(2, estimate=5.0)]
    assert progress.starts(unknown, 100.0) == [None, 120.0, None]
    gated = [running, one(1, gate=True, estimate=1.0), one(2)]
    assert progress.starts(gated, 100.0) == [None, None, None]
    passed = [running, one(1, gate=True, approved=True, estimate=1.0), one(2)]
    assert progress.starts(passed, 100.0) == [None, 120.0, 121.0]
    reviewed = [running, one(1, review=True, estimate=1.0), one(2)]
    assert progress.starts(reviewed, 100.0) == [None, 120.0, None]
    assert progress.starts([one(0, StageStatus.BLOCKED, estimate=9.0), one(1)], 100.0) == [
        None,
        None,
    ]
