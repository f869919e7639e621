"""The lines of a log: clean, not too long, compact, and read alike from wherever one begins."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskhub_tui import logs
from taskhub_tui.domain.finding import Words
from taskhub_tui.domain.views import LogLine
from taskhub_tui.logs import LINE_LIMIT, format_lines
from taskhub_tui.text import clean

SAID = st.lists(
    st.tuples(st.sampled_from([1.5, 2.25]), st.sampled_from(["out", "err", "hub"]), st.text()),
    max_size=8,
)


def whole(path: Path, limit: int = 1 << 20) -> list[LogLine]:
    lines, offset = [], 0
    while True:
        chunk = logs.read(path, offset, limit)
        lines += chunk.lines
        offset = chunk.offset
        if chunk.at_end:
            return lines


@given(SAID, st.integers(1, 80))
def test_what_is_said_is_read_again_line_by_line(
    tmp_path_factory: pytest.TempPathFactory, said: list[tuple[float, str, str]], limit: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    path.write_text("".join(format_lines(*one) for one in said), encoding="utf-8", newline="")
    expected = [
        LogLine(at, stream, line) for at, stream, text in said for line in clean(text).split("\n")
    ]
    assert whole(path) == expected
    assert whole(path, limit) == expected
    assert "\x1b" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "text",
    ["\n" * 9000, "é\n" * 9000, "\U0001f600" * 15_000 + "\n" + "\tx\n" * 9000, "a line\n" * 9000],
)
def test_time_and_stream_are_known_wherever_one_begins_to_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "log"
    path.write_text(format_lines(1.0, "out", "before") + format_lines(2.0, "err", text))
    size = path.stat().st_size
    for back in range(1, size, 997):
        for line in logs.read(path, -back, 100).lines:
            assert (line.at, line.stream) == (2.0, "err") or line.text == "before"
            assert line.text == "before" or line.text in text.split("\n")


def test_short_lines_of_one_breath_cost_one_byte_more_than_they_have() -> None:
    text = "y\n" * 100_000
    assert len(format_lines(1763838000.123, "out", text)) < 1.6 * len(text)


def test_logs_that_name_time_and_stream_in_every_line_are_read_as_ever(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("".join(f"{i // 9}.000\tout\t\tline {i}\n" for i in range(5000)))
    expected = [LogLine(i // 9, "out", f"\tline {i}") for i in range(5000)]
    assert whole(path) == whole(path, 1000) == expected
    assert len(logs.read(path, 0, 1 << 20).runs) == 556, "lines of one breath come together"


def test_a_line_whose_stamp_is_gone_is_shown_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"\tlost\n\tits\thead\nodd \x1b[31mred\n1.000\tout\tgood\n")
    assert whole(path) == [
        LogLine(0.0, "hub", "lost"),
        LogLine(0.0, "hub", "its\thead"),
        LogLine(0.0, "hub", "odd red"),
        LogLine(1.0, "out", "good"),
    ]


@given(SAID, st.integers(1, 60))
def test_pieces_lie_end_to_end_and_hold_all_lines(
    tmp_path_factory: pytest.TempPathFactory, said: list[tuple[float, str, str]], size: int
) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    path.write_text("".join(format_lines(*one) for one in said), encoding="utf-8", newline="")
    found = logs.pieces(path, 0, size)
    data = path.read_bytes()
    assert b"".join(data[one.start : one.end] for one in found) == data
    assert [one.lines for one in found] == [data[o.start : o.end].count(b"\n") for o in found]
    assert all(one.end - one.start <= size or one.lines == 1 for one in found)


def test_pieces_of_a_log_that_is_shorter_than_asked_for_say_so(tmp_path: Path) -> None:
    path = tmp_path / "log"
    assert [(one.end, one.lines) for one in logs.pieces(path, 100, 10)] == [(0, 0)]
    path.write_text("1.0\tout\tone\n2.0\tout\ttor")
    assert [(one.start, one.end) for one in logs.pieces(path, 0, 100)] == [(0, 12)]
    assert [(one.start, one.lines) for one in logs.pieces(path, 1000, 100)] == [(23, 0)]


def test_a_long_line_is_cut_and_shows_it() -> None:
    (line,) = format_lines(0, "err", "x" * (LINE_LIMIT + 5)).splitlines()
    assert line.endswith("x…")
    assert len(line.split("\t")[2]) == LINE_LIMIT


def test_a_stream_nobody_knows_is_the_agents() -> None:
    assert format_lines(0, "a\tb\nc", "x") == "0.000\tagent\tx\n"


def test_a_strange_line_with_a_return_in_it_counts_as_one(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"half\r\x0b line\n1.000\tagent\tlast\n")
    (piece,) = logs.pieces(path, 0, 1000)
    lines = logs.read(path, 0, 1000).lines
    assert (piece.lines, [line.text for line in lines]) == (2, ["half  line", "last"])


@given(SAID, st.integers(1, 60), st.sampled_from(["a", "0", "out", "err", " "]))
def test_words_are_found_in_what_was_said_and_not_in_its_stamp(
    tmp_path_factory: pytest.TempPathFactory,
    said: list[tuple[float, str, str]],
    size: int,
    word: str,
) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    path.write_text("".join(format_lines(*one) for one in said), encoding="utf-8", newline="")
    wanted = Words(word)
    lines = whole(path)
    expected = [n for n, line in enumerate(lines) if wanted.pattern.search(line.text)]
    found: list[int] = []
    before = 0
    for piece in logs.pieces(path, 0, size):
        found += [before + n for n in logs.find(path, piece.start, piece.end, wanted)]
        before += piece.lines
    assert found == expected


def test_pieces_end_where_they_are_to_end(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("".join(format_lines(1.0, "out", f"line {n}") for n in range(100)))
    whole_log = logs.pieces(path, 0, 200)
    cut = whole_log[5].start
    assert logs.pieces(path, 0, 200, cut) == whole_log[:5]
    assert sum(one.lines for one in logs.pieces(path, cut, 200, cut)) == 0
    assert logs.find(tmp_path / "none", 0, 9, Words("x")) == []
