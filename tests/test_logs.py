"""The lines of a log are one line each, clean, and not too long."""

from hypothesis import given
from hypothesis import strategies as st

from taskhub_tui.logs import LINE_LIMIT, format_lines


@given(st.text())
def test_every_line_of_a_log_has_its_three_parts(text: str) -> None:
    written = format_lines(1.5, "out", text)
    assert written.endswith("\n")
    for line in written[:-1].split("\n"):
        assert line.split("\t", 2)[:2] == ["1.500", "out"]
    assert "\x1b" not in written
    written.encode()


def test_a_long_line_is_cut_and_shows_it() -> None:
    (line,) = format_lines(0, "err", "x" * (LINE_LIMIT + 5)).splitlines()
    assert line.endswith("x…")
    assert len(line.split("\t")[2]) == LINE_LIMIT


def test_a_stream_nobody_knows_is_the_agents() -> None:
    assert format_lines(0, "a\tb\nc", "x") == "0.000\tagent\tx\n"
