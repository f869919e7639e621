import io

import pytest

from taskhub_tui.cli.output import Cell, Output, columns, cut, iso


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_colours_are_for_terminals_only() -> None:
    out = Output(io.StringIO(), io.StringIO(), environ={})
    out.line(Cell("red", "red"))
    out.error("no", "yes")
    assert out.out.getvalue() == "red\n"
    assert out.err.getvalue() == "error: no\n\nhint: yes\n"
    seen = Output(Terminal(), Terminal(), environ={"TERM": "xterm"})
    seen.line(Cell("red", "red"))
    assert seen.out.getvalue() == "\x1b[31mred\x1b[0m\n"


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colours_can_be_turned_off(environ) -> None:
    out = Output(Terminal(), Terminal(), environ=environ)
    out.line(Cell("red", "red"))
    assert out.out.getvalue() == "red\n"


def test_nothing_that_was_stored_reaches_the_terminal_as_an_escape() -> None:
    hostile = "\x1b]0;title\x07\x1b[2Jplain\u202e\x9b31m"
    out = Output(Terminal(), Terminal(), environ={"NO_COLOR": "1"})
    out.line(hostile)
    out.text(hostile)
    out.table(("HEAD",), [[hostile]])
    out.data({"text": hostile})
    out.data_lines([hostile])
    out.lines(hostile, (hostile,))
    out.error(hostile, hostile)
    out.say(hostile)
    for stream in (out.out, out.err):
        assert "plain" in stream.getvalue()
        assert not set("\x1b\x07\x9b\u202e") & set(stream.getvalue())


def test_a_table_is_cut_at_the_edge_of_a_terminal_only(monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    rows = [["ab", "x" * 40], ["c", "漢" * 30]]
    seen = Output(Terminal(), Terminal(), environ={"NO_COLOR": "1"})
    seen.table(("A", "B"), rows)
    lines = seen.out.getvalue().splitlines()
    assert [columns(line) <= 20 for line in lines] == [True, True, True]
    assert lines[1] == "ab  " + "x" * 15 + "…"
    piped = Output(io.StringIO(), io.StringIO(), environ={})
    piped.table(("A", "B"), rows)
    assert "x" * 40 in piped.out.getvalue()


def test_width_is_counted_in_columns() -> None:
    assert (columns("abc"), columns("漢字"), columns("e\u0301")) == (3, 4, 1)
    assert cut("漢字漢字", 5) == "漢字…"
    assert cut("abc", 3) == "abc"


def test_times_in_json_are_utc_to_the_millisecond() -> None:
    assert iso(0.0015) == "1970-01-01T00:00:00.001Z"
    assert iso(None) is None
