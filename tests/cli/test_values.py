import os
import time
from datetime import datetime

import pytest

from taskhub_tui.cli import values
from taskhub_tui.domain.errors import BadInput


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


NOON = datetime.fromisoformat("2031-05-04T12:00:00+02:00").timestamp()


@pytest.mark.parametrize(
    ("text", "is_"),
    [
        ("18:00", "2031-05-04T18:00:00+02:00"),
        ("18:00:30", "2031-05-04T18:00:30+02:00"),
        ("9:05", "2031-05-05T09:05:00+02:00"),
        ("12:00", "2031-05-05T12:00:00+02:00"),
        ("today 13:00", "2031-05-04T13:00:00+02:00"),
        ("tomorrow", "2031-05-05T00:00:00+02:00"),
        ("Tomorrow 8:30", "2031-05-05T08:30:00+02:00"),
        ("2031-11-23 08:30", "2031-11-23T08:30:00+01:00"),
        ("2031-11-23", "2031-11-23T00:00:00+01:00"),
        ("2031-05-04T12:30:00Z", "2031-05-04T12:30:00+00:00"),
    ],
)
def test_a_time_means_the_next_one_in_the_local_zone(text: str, is_: str) -> None:
    assert values.moment(text, NOON) == datetime.fromisoformat(is_).timestamp()


@pytest.mark.parametrize(
    "text", ["", "soon", "25:00", "18:60", "12:x", "18:00Z", "18:00+02", "2031-13-01", "tomorrow x"]
)
def test_what_is_no_time_is_named_with_an_example(text: str) -> None:
    with pytest.raises(BadInput, match=r"is not a time|a zone needs a date") as caught:
        values.moment(text, NOON)
    assert "18:00" in str(caught.value.hint)


@pytest.mark.parametrize("text", ["2031-05-04 11:59", "today 11:00", "1999-01-01"])
def test_a_time_that_has_passed_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="has passed"):
        values.moment(text, NOON)


def test_a_slip_of_the_hand_is_no_date() -> None:
    with pytest.raises(BadInput, match="hundred years"):
        values.moment("9031-05-04 12:00", NOON)
    with pytest.raises(BadInput, match="hundred years"):
        values.duration("999999999d", "--in")


def test_durations_are_read_and_refused_by_the_name_of_their_option() -> None:
    assert values.duration("1h30m", "--in") == 5400
    with pytest.raises(BadInput, match="--timeout: `fast` is not a duration"):
        values.duration("fast", "--timeout")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("1.5", 1.5),
        ("true", True),
        ('["a", "b"]', ["a", "b"]),
        ("{K = 1}", {"K": 1}),
        ('"3"', "3"),
        ("plain words", "plain words"),
        ("", ""),
        ("a=b", "a=b"),
        ("2031-05-04", "2031-05-04"),  # a date is no JSON
        ("nan", "nan"),
        ("[inf]", "[inf]"),
        ("1\nother = 2", "1\nother = 2"),  # a second key must not slip in
        ("[" * 5000, "[" * 5000),
    ],
)
def test_an_option_is_what_toml_reads_and_json_can_hold(text: str, value: object) -> None:
    assert values.pairs([f"name={text}"], "--option") == {"name": value}


@pytest.mark.parametrize("text", ["name", "=3", " =3"])
def test_an_option_without_name_or_sign_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="not of the form name=value"):
        values.pairs([text], "--option")


def test_an_option_given_twice_is_refused() -> None:
    with pytest.raises(BadInput, match="`a` is given twice"):
        values.pairs(["a=1", "a=2"], "--option")


def test_a_stage_may_name_its_agent() -> None:
    assert values.stage("build") == ("build", None)
    assert values.stage("build: command") == ("build", "command")
    for text in ("", ":command", "build:"):
        with pytest.raises(BadInput, match="not of the form"):
            values.stage(text)


def test_variables_come_from_the_words_or_from_the_shell() -> None:
    given = values.variables(["A=1=2", "B", "C="], {"B": "from the shell"})
    assert given == {"A": "1=2", "B": "from the shell", "C": ""}


def test_a_refused_variable_does_not_show_its_value() -> None:
    with pytest.raises(BadInput, match="cannot be the name") as caught:
        values.variables(["MY KEY=secret"], {})
    assert "secret" not in f"{caught.value}{caught.value.hint}"
    with pytest.raises(BadInput, match="TOKEN is not set here"):
        values.variables(["TOKEN"], {})


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(BadInput, match="not valid UTF-8"):
        values.utf8(os.fsdecode(b"\xff"), "word 1")
    with pytest.raises(BadInput, match="NUL"):
        values.utf8("a\0b", "word 1")
