"""The figures, against numbers worked out by hand and by brute force."""

import math
import statistics
from datetime import date, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskhub_tui.agents.analyst import grid, measures, period
from taskhub_tui.agents.port import AgentError

START = date(2024, 1, 1)


def frame(prices: list[float]) -> pl.DataFrame:
    days = [START + timedelta(days=n) for n in range(len(prices))]
    return pl.DataFrame({"date": days, "price": [float(p) for p in prices]})


def day(n: int) -> date:
    return START + timedelta(days=n)


def test_a_change_counts_from_the_last_price_before() -> None:
    found = measures.change(frame([90, 100, 105, 110]), measures.Span(day(2), day(3)))
    assert found["base"] == 100
    assert found["base_date"] == "2024-01-02"
    assert found["percent"] == pytest.approx(0.10)


def test_without_a_price_before_the_first_inside_is_the_base() -> None:
    found = measures.change(frame([90, 99]), measures.Span(day(0), day(5)))
    assert found["percent"] == pytest.approx(0.10)
    alone = measures.change(frame([90]), measures.Span(day(0), day(5)))
    assert alone["percent"] is None
    assert alone["last"] == 90


def test_from_a_negative_price_there_is_no_percentage() -> None:
    found = measures.change(frame([-37, 10]), measures.Span(day(1), day(1)))
    assert found["percent"] is None
    assert found["change"] == 47


def test_log_returns_are_undefined_around_a_negative_price() -> None:
    returns = measures.log_returns(frame([18, -37, 10, 20]))["r"].to_list()
    assert returns == [None, None, None, pytest.approx(math.log(2))]


def test_a_fall_is_measured_from_peak_to_trough_to_recovery() -> None:
    found = measures.worst_fall(frame([100, 120, 90, 60, 80, 120, 119]))
    assert found == {
        "depth": pytest.approx(-0.5),
        "peak": "2024-01-02",
        "trough": "2024-01-04",
        "recovered": "2024-01-06",
    }
    assert measures.worst_fall(frame([1, 2, 3]))["depth"] == 0.0


def test_a_crossing_is_the_day_the_short_average_passes_the_long() -> None:
    means = measures.averages(frame([10, 10, 10, 16, 16, 2, 2, 2]), (2, 3))
    assert measures.crossings(means, 2, 3) == [(day(5), "down")]
    means = measures.averages(frame([10, 9, 8, 7, 9, 12, 12]), (2, 3))
    assert measures.crossings(means, 2, 3) == [(day(5), "up")]


def test_a_straight_line_is_a_trend_and_a_zigzag_is_none() -> None:
    up = measures.trend(frame([1, 2, 3, 4, 5]))
    assert up == {"slope": pytest.approx(1 / 3), "r2": pytest.approx(1), "direction": "rising"}
    assert measures.trend(frame([5, 1, 5, 1, 5]))["direction"] == "sideways"
    assert measures.trend(frame([3, 3, 3, 3]))["direction"] is None
    assert measures.trend(frame([3, 3, 3, 3, 3]))["direction"] == "sideways"


def test_the_tail_needs_sixty_returns() -> None:
    assert measures.tail(pl.Series([0.1] * 59)) == (None, None)
    values = [n / 100 for n in range(-50, 50)]
    edge, mean = measures.tail(pl.Series(values))
    assert edge == pytest.approx(-0.46)
    assert mean == pytest.approx(-0.48)


prices = st.lists(st.floats(0.01, 1e6), min_size=6, max_size=60)


@settings(max_examples=60, deadline=None)
@given(prices)
def test_figures_agree_with_brute_force(values: list[float]) -> None:
    data = frame(values)
    logs = [math.log(b / a) for a, b in pairwise(values)]
    expected = statistics.stdev(logs) * math.sqrt(252)
    found = measures.volatility(measures.log_returns(data)["r"], 252)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)
    deepest = min(values[j] / max(values[: j + 1]) - 1 for j in range(len(values)))
    assert measures.worst_fall(data)["depth"] == pytest.approx(deepest)
    means = measures.averages(data, (3,))["m3"].to_list()
    assert means[:2] == [None, None]
    for j in range(2, len(values)):
        assert means[j] == pytest.approx(sum(values[j - 2 : j + 1]) / 3, rel=1e-6, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=5, max_size=40))
def test_correlation_agrees_with_brute_force(pairs: list[tuple[float, float]]) -> None:
    days = [day(n) for n in range(len(pairs))]
    a = pl.DataFrame({"date": days, "r": [p[0] for p in pairs]})
    b = pl.DataFrame({"date": days, "r": [p[1] for p in pairs]})
    try:
        expected = statistics.correlation([p[0] for p in pairs], [p[1] for p in pairs])
    except statistics.StatisticsError:
        return
    found = measures.correlation(a, b)
    if found is not None and min(statistics.pstdev(x) for x in zip(*pairs, strict=True)) > 1e-3:
        assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "start", "end", "before"),
    [
        ("last quarter", "2024-04-01", "2024-06-30", "2024-01-01"),
        ("this quarter", "2024-07-01", "2024-08-14", "2024-04-01"),
        ("month", "2024-07-01", "2024-07-31", "2024-06-01"),
        ("last year", "2023-01-01", "2023-12-31", "2022-01-01"),
        ("2024q1", "2024-01-01", "2024-03-31", "2023-10-01"),
        ("q1 2024", "2024-01-01", "2024-03-31", "2023-10-01"),
        ("2024-02", "2024-02-01", "2024-02-29", "2024-01-01"),
        ("2023", "2023-01-01", "2023-12-31", "2022-01-01"),
        ("30d", "2024-07-16", "2024-08-14", "2024-06-16"),
        ("2024-03-01..2024-03-10", "2024-03-01", "2024-03-10", "2024-02-20"),
    ],
)
def test_a_period_is_resolved_against_the_data(
    text: str, start: str, end: str, before: str
) -> None:
    days = [date(2021, 6, 1) + timedelta(days=n) for n in range(1171)]
    assert str(days[-1]) == "2024-08-14"
    found = period.choose(text, days, "daily")
    assert (str(found.now.start), str(found.now.end)) == (start, end)
    assert str(found.before.start) == before


def test_the_last_quarter_counts_as_complete_when_only_a_holiday_is_missing() -> None:
    days = [date(2024, 1, 2) + timedelta(days=n) for n in range(88)]
    assert days[-1] == date(2024, 3, 29)
    assert period.choose("last quarter", days, "daily").now.name == "Q1 2024"


def test_without_a_complete_quarter_the_running_one_is_taken_and_said() -> None:
    days = [date(2024, 2, 10) + timedelta(days=n) for n in range(60)]
    found = period.choose("last quarter", days, "daily")
    assert found.now.start == date(2024, 4, 1)
    assert "no complete quarter" in found.why


@pytest.mark.parametrize("text", ["someday", "2024-13", "2024-02-30..2024-03-01", "1999q4"])
def test_a_period_that_is_none_is_refused_with_a_sentence(text: str) -> None:
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(100)]
    with pytest.raises(AgentError, match=r"period|no prices"):
        period.choose(text, days, "daily")


def test_the_request_names_the_period_when_the_option_does_not() -> None:
    assert period.wanted(None, "report on the last 90 days please") == "last 90 days"
    assert period.wanted("month", "the last quarter") == "month"
    assert period.wanted(None, "what about gold") == "last quarter"
    assert period.wanted(["2024-01-01", "2024-02-01"], "") == "2024-01-01..2024-02-01"


def test_frequency_is_told_from_the_steps() -> None:
    def every(step: int) -> list[date]:
        return [START + timedelta(days=step * n) for n in range(30)]

    assert [grid.frequency_of(every(n)) for n in (1, 7, 30, 91)] == [
        "daily",
        "weekly",
        "monthly",
        None,
    ]


def test_a_day_without_any_price_is_a_holiday_until_there_are_six_of_them() -> None:
    weekdays = [d for n in range(60) if (d := START + timedelta(days=n)).weekday() < 5]
    five = [d for i, d in enumerate(weekdays) if not 10 <= i < 15]
    six = [d for i, d in enumerate(weekdays) if not 10 <= i < 16]
    for days, added in ((five, 0), (six, 6)):
        data = pl.DataFrame({"date": days, "c0": [1.0] * len(days)})
        assert grid.complete(data, "daily").height == len(days) + added


def test_every_month_between_the_first_and_the_last_is_expected() -> None:
    days = [date(2024, 1, 31), date(2024, 2, 29), date(2024, 5, 31)]
    full = grid.complete(pl.DataFrame({"date": days, "c0": [1.0, 2.0, 3.0]}), "monthly")
    assert full["date"].dt.month().to_list() == [1, 2, 3, 4, 5]
