"""Nothing that came from outside can steer a terminal, or hide what it says."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskhub_tui.text import DEPTH, check_json, clean, clean_json, one_line, plain_json

# Any text, with what matters much more often than by chance.
NASTY = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "\x1b",
                "\x1b[",
                "\x1b]",
                "\x1bP",
                "\x9b",
                "\x9d",
                "\x90",
                "\x07",
                "\x1b\\",
                "\x9c",
                "\r",
                "\n",
                "\r\n",
                "\t",
                "\x00",
                "\x7f",
                "\u202e",
                "\u2066",
                "\u200b",
                "\ud800",
                "31m",
                "52;c;",
                "8;;",
                "0;",
                "?",
                " ",
                "\U000e0041",
                "\ufeff",
                "\u061c",
            ]
        ),
        st.text(alphabet=st.characters(), max_size=5),
    ),
    max_size=30,
).map("".join)


@given(NASTY)
def test_no_control_survives(text: str) -> None:
    for char in clean(text):
        kind = unicodedata.category(char)
        assert kind != "Cs"
        assert kind != "Cc" or char in "\n\t"
        assert char not in "\u200b\u200e\u200f\u061c\ufeff\u2028\u2029"
        assert not 0x202A <= ord(char) <= 0x202E
        assert not 0x2066 <= ord(char) <= 0x2069
        assert not 0xE0000 <= ord(char) <= 0xE007F


@given(NASTY)
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    line = one_line(text)
    assert one_line(line) == line
    assert "\n" not in line
    assert "\t" not in line


@given(
    st.text(alphabet=st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp")), max_size=200)
)
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a\x1b]52;c;ZXZpbA==\x07b", "ab"),
        ("a\x1b]52;c;ZXZpbA==\x1b\\b", "ab"),
        ("\x1b]8;;https://evil.example\x1b\\bank\x1b]8;;\x1b\\", "bank"),
        ("\x1b]0;title\x07x", "x"),
        ("\x9d0;title\x9cx", "x"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[?1049h\x1b[2J\x1b[1;1Hx", "x"),
        ("\x9b31mred", "red"),
        ("\x1bPq#0;2;0;0;0\x1b\\x", "x"),
        ("\x1b_Gf=100;AAAA\x1b\\x", "x"),
        ("\x1b^private\x1b\\x", "x"),
        ("\x1bcreset", "reset"),
        ("\x1b(0x", "x"),
        ("\x1b]0;never ends\nnext line", "\nnext line"),
        ("\x1b]52;c;never ends", ""),
        ("\x1b[31", ""),
        ("\x1b", ""),
        ("\x1b\x1b[31mx", "x"),
        ("one\r\ntwo\rthree", "one\ntwo\nthree"),
        ("user\u202egpj.exe", "usergpj.exe"),
        ("a\x00b\x08c\x7fd", "abcd"),
        ("half \ud83d", "half "),
        ("👩\u200d💻 ok", "👩\u200d💻 ok"),
        ("tab\tstays", "tab\tstays"),
    ],
)
def test_sequences_go_whole(text: str, left: str) -> None:
    assert clean(text) == left


def test_what_is_too_long_is_cut_and_shows_it() -> None:
    assert clean("x" * 20, 10) == "x" * 9 + "…"
    assert clean("x" * 10, 10) == "x" * 10
    assert one_line("word " * 200, 20) == "word word word word…"


@pytest.mark.parametrize("piece", ["\x1b]", "\x1b[", "\x1b[1;", "\x1bP", "\x1b", "\x9d", "x\x07"])
def test_cleaning_takes_time_in_proportion_to_the_text(piece: str) -> None:
    def takes(size: int) -> float:
        begun = time.perf_counter()
        clean(piece * (size // len(piece)))
        return time.perf_counter() - begun

    # Ten times the text: ten times as long, a hundred times where it is quadratic.
    short = min(takes(100_000) for _ in range(3))
    assert takes(1_000_000) < 50 * max(short, 0.001)


def test_json_is_cleaned_to_the_bottom() -> None:
    nasty = {"a\x1b[1m": ["\x1b]0;t\x07x", {"b": "c\u202e"}], "n": 1, "t": True, "z": None}
    assert clean_json(nasty) == {"a": ["x", {"b": "c"}], "n": 1, "t": True, "z": None}
    assert clean_json({"f": 1.5, "o": {1, 2} - {2}}) == {"f": 1.5, "o": "{1}"}


def test_json_that_is_too_deep_becomes_text() -> None:
    deep: object = "\x1b[1mbottom"
    for _ in range(100):
        deep = [deep]
    said = repr(clean_json(deep))
    assert "\x1b" not in said
    assert said.count("[") < 120


def test_json_that_everybody_can_read_stays_the_same_thing() -> None:
    fine = {"a": [1, 1.5, "x\x1b", None, True, {"b": ()}]}
    assert plain_json(fine) is fine


def test_what_no_json_holds_becomes_null_and_what_is_too_deep_text() -> None:
    assert clean_json({"n": float("nan"), "i": [float("-inf")]}) == {"n": None, "i": [None]}
    odd = {"n": float("nan"), "i": [float("inf"), 2.5], "s": "x"}
    assert plain_json(odd) == {"n": None, "i": [None, 2.5], "s": "x"}
    for depth in (DEPTH + 1, 200, 5000):
        deep: object = []
        for _ in range(depth):
            deep = [deep]
        with pytest.raises(ValueError, match=f"nested more than {DEPTH} deep"):
            check_json(deep)
        check_json(plain_json(deep))
