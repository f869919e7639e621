"""Words and mistakes are found in lines, and nothing else is taken for one."""

import pytest

from taskhub_tui.domain.finding import Errors, Words

TEXT = "first Line\nnothing\nthe line, the LINE\nlast"


@pytest.mark.parametrize(
    ("words", "lines"),
    [("line", [0, 2]), ("LINE", [2]), ("Line", [0]), ("[nope", []), ("t", [0, 1, 2, 3])],
)
def test_capitals_count_only_where_there_are_some(words: str, lines: list[int]) -> None:
    wanted = Words(words)
    found = [*wanted.lines(TEXT, "out")] if wanted.may_hold(TEXT) else []
    assert found == lines


def test_every_place_of_the_words_in_a_line_is_told() -> None:
    assert Words("a.b").spans("a.b axb a.b") == [(0, 3), (8, 11)]
    assert Words("").spans("anything") == []


@pytest.mark.parametrize(
    "line",
    [
        "ERROR: disk is full",
        "Traceback (most recent call last):",
        "builtins.ValueError: no",
        "2 tests failed",
        "panic: out of range",
        "3 errors, 0 failures",
    ],
)
def test_lines_that_tell_of_a_mistake(line: str) -> None:
    text = f"all is well\n{line}\nterror in a novel, failsafe"
    assert Errors().may_hold(text)
    assert [*Errors().lines(text, "out")] == [1]


@pytest.mark.parametrize("line", ["212 passed, 0 failed", "no errors", "mirrored", "0 errors"])
def test_good_news_is_no_mistake(line: str) -> None:
    assert [*Errors().lines(line, "out")] == []


def test_all_that_comes_on_stderr_is_looked_at() -> None:
    assert Errors().may_hold("1.0\terr\thello")
    assert [*Errors().lines("hello\nworld", "err")] == [0, 1]
