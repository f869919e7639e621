"""What the parser finds. The samples of tools are excerpts of their real output."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from taskhub_tui.agents.command.output import LINE_CAP, OutputParser
from taskhub_tui.agents.command.signals import Ask, HandOver, Log, Progress, Say, Signal
from taskhub_tui.text import clean

BAR = "━" * 38
CURL = "  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current\n"
X264 = "[libx264 @ 0x55e5c024ecc0] "
SAMPLES = {
    "tqdm": ("\r 25%|██▌       | 5/20 [00:00<00:00, 49.55it/s]", 0.25),
    "git": ("Receiving objects:  82% (248/302)\rReceiving objects:  83% (251/302)\r", 0.83),
    "git, remote": ("remote: Counting objects:  25% (1/4)\rremote: Counting objects: ", 0.25),
    "rsync": ("\r      2,097,152  69%    1.96MB/s    0:00:00  \r", 0.69),
    "curl bar": ("\r#################                     44.2%", 0.442),
    "curl": (
        CURL + "\r 46 2929k   46 1353k    0     0  2001k      0  0:00:01 --:--:--  0:00:01 2000k",
        0.46,
    ),
    "wget bar": ("\r/dev/null   28%[====>               ] 832.00K  2.00MB/s     \r", 0.28),
    "wget dots": (
        "  2700K .......... .......... .......... .......... .......... 93%  480M 0s\n",
        0.93,
    ),
    "aria2": ("[#ade3b5 1.0MiB/2.8MiB(35%) CN:1 DL:520KiB ETA:3s]\n", 0.35),
    "rich": (
        f"\x1b[2KWorking... \x1b[91m{BAR}\x1b[0m\x1b[90m╺\x1b[0m \x1b[35m 70%\x1b[0m 0:00:01\r",
        0.7,
    ),
    "pip": (
        f"\x1b[2K   \x1b[91m{BAR}\x1b[0m\x1b[90m╺\x1b[0m \x1b[32m15.0/20.0 MB\x1b[0m "
        "\x1b[31m21.7 MB/s\x1b[0m eta 0:00:01\r",
        0.75,
    ),
    "pip raw": ("Progress 262144 of 1048576\n", 0.25),
    "pytest": ("pt/test_a.py ................................ [ 39%]\n", 0.39),
    "cmake": ("[ 42%] Building C object CMakeFiles/x.dir/m2.c.o\n", 0.42),
    "ninja": ("[3/6] Building C object CMakeFiles/x.dir/m1.c.o\n", 0.5),
    "ffmpeg": (
        "  Duration: 00:00:20.00, start: 0.000000, bitrate: 38 kb/s\n"
        "frame=  150 fps=0.0 q=29.0 size=       0kB time=00:00:05.00 bitrate=   0.8kbits/s \r",
        0.25,
    ),
    "zstd": ("\rbig.bin              : 10.00%   (  2.86 MiB =>   2.86 MiB)\r", 0.1),
}


def parse(text: str | bytes, size: int = 1 << 16) -> list[Signal]:
    data = text.encode() if isinstance(text, str) else text
    parser, found = OutputParser(), list[Signal]()
    for at in range(0, len(data), size):
        found += parser.feed(data[at : at + size])
    found += parser.peek()
    return found + list(parser.finish())


def fractions(found: list[Signal]) -> list[float | None]:
    return [signal.fraction for signal in found if isinstance(signal, Progress)]


def lines(found: list[Signal]) -> list[str]:
    return [line for s in found if isinstance(s, Log) for line in clean(s.text).split("\n")]


@pytest.mark.parametrize("tool", SAMPLES)
def test_the_progress_that_a_real_tool_prints_is_found(tool: str) -> None:
    text, fraction = SAMPLES[tool]
    assert fractions(parse(text))[-1] == pytest.approx(fraction)


@pytest.mark.parametrize(
    "text",
    [
        X264 + "i16 v,h,dc,p: 68% 21%  1% 10%\n" + X264 + "ref B L1: 97.2%  2.8%\n",
        "disk is 40% full\n",
        "\rRead:  2.50 MiB /  2.86 MiB ==> 100%\r",  # zstd: what compression made of it
        "coverage: 87% of statements\n[INFO] 3/4\n",
    ],
)
def test_a_percentage_that_is_no_progress_is_left_alone(text: str) -> None:
    assert fractions(parse(text)) == []


@pytest.mark.parametrize(
    ("line", "fraction", "note"),
    [
        ("::taskhub progress value=0.4::half way", 0.4, "half way"),
        ("::taskhub progress 0.4 half way", 0.4, "half way"),
        ("::taskhub progress 40% half way", 0.4, "half way"),
        ("::taskhub progress 2/5", 0.4, None),
        ("::taskhub progress 40%::see a::b", 0.4, "see a::b"),
        ("::taskhub progress::waiting", None, "waiting"),
        ('{"taskhub": {"progress": 0.4, "note": "half way"}}', 0.4, "half way"),
    ],
)
def test_explicit_progress(line: str, fraction: float, note: str | None) -> None:
    assert parse(line + "\n") == [Progress(fraction, note)]


def test_the_better_source_silences_the_weaker_ones_for_good() -> None:
    found = parse(
        "[ 10%] Building C object a.o\n\x1b]9;4;1;50\x07[ 60%] Building C object b.o\n"
        "::taskhub progress 0.7\n\x1b]9;4;1;80\x07[ 90%] Building C object c.o\n",
        size=8,
    )
    assert fractions(found) == [0.1, 0.5, 0.7]


@pytest.mark.parametrize(
    ("text", "progress"),
    [
        ("\x1b]9;4;1;50\x07", Progress(0.5)),
        ("\x1b]9;4;3;\x1b\\", Progress(None)),
        ("\x1b]9;4;4;30\x07", Progress(0.3, "paused")),
        ("\x1b]9;4;2;30\x07", Progress(0.3, "error")),
        ("\x1b]26;Status=working;TaskProgress=1/4\x07", Progress(0.25)),
    ],
)
def test_escape_sequences_of_progress(text: str, progress: Progress) -> None:
    assert parse(text, size=3) == [progress]


def test_a_question_is_read_with_all_that_belongs_to_it() -> None:
    assert parse(
        '::taskhub ask key=db choices="a b|c" risk=high timeout=60 default=deny::A?\n'
    ) == [Ask("A?", "db", False, ("a b", "c"), "high", 60.0, "deny")]
    assert parse("::taskhub approve Deploy now?\n") == [Ask("Deploy now?", approval=True)]
    assert parse("::taskhub ask choices=yes|no::Go on?\n") == [
        Ask("Go on?", approval=True, choices=("yes", "no"))
    ]
    assert parse('{"taskhub": {"ask": "Name?", "choices": ["x", "y"]}}\n') == [
        Ask("Name?", choices=("x", "y"))
    ]


def test_results_files_and_levels_are_read() -> None:
    assert parse("::taskhub result::All good\n") == [Say("All good")]
    assert parse('::taskhub artifact path="my report.md"::Report\n') == [
        HandOver("my report.md", "Report")
    ]
    assert parse("::error file=a.c,line=1::broken\n::warning::careful\n") == [
        Log("broken", "error"),
        Log("careful", "warning"),
    ]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("::taskhub progress many", "a number such as 0.4"),
        ("::taskhub progress 40", "from 0 to 1"),
        ("::taskhub ask key=../../x::Q", "a key has"),
        ("::taskhub ask timeout=soon::Q", "number of seconds"),
        ("::taskhub ask::", "needs a text"),
        ("::taskhub dance", "the words are"),
        ("::taskhub artifact::x", "path="),
        ('{"taskhub": {}}', "none of"),
    ],
)
def test_a_signal_that_cannot_be_read_is_logged_with_the_reason(line: str, why: str) -> None:
    (found,) = parse(line + "\n")
    assert isinstance(found, Log)
    assert found.level == "warning"
    assert why in found.text


def test_a_bar_that_is_redrawn_leaves_one_line_in_the_log() -> None:
    assert lines(parse("start\r\n 1% a\r 2% a\r100% a\r\nend\n")) == ["start", "100% a", "end"]


def test_a_line_without_end_is_cut_and_what_follows_is_read() -> None:
    found = parse(b"x" * 5_000_000 + b"\n::taskhub progress 0.5\nlast\n")
    assert fractions(found) == [0.5]
    assert [len(line) > LINE_CAP for line in lines(found)] == [True, False]
    assert len(lines(found)[0]) < LINE_CAP + 100
    assert lines(found)[1] == "last"


PIECES = st.lists(
    st.sampled_from(
        [b"plain\n", b"crlf\r\n", b" 5%|\r", b" 9%|\r", b"\n", b"::taskhub progress 0.5\n",
         b"\xff\n", b"::taskhub ask::Q\n", b"\x1b]9;4;1;20\x07", "ü–\n".encode(),
         b"\x1b[31mred\x1b[0m\n"]
    )
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(PIECES, st.integers(1, 9))
def test_where_the_bytes_are_cut_changes_nothing_in_the_log(pieces: list[bytes], size: int) -> None:
    data = b"".join(pieces) + b"end\n"
    whole, cut = parse(data), parse(data, size)
    assert lines(whole) == lines(cut)
    assert [s for s in whole if isinstance(s, Ask)] == [s for s in cut if isinstance(s, Ask)]


@settings(max_examples=80, deadline=None)
@example([b" 5%|\r", b"\x1b]9;4;1;20\x07", b"\n"], 6)
@given(PIECES, st.integers(1, 40))
def test_another_parser_goes_on_from_the_position_without_loss_or_repetition(
    pieces: list[bytes], at: int
) -> None:
    data = b"".join(pieces) + b"end\n"
    first = OutputParser()
    before = list(first.feed(data[:at]))
    second = OutputParser(first.position, first.state())
    after = [*second.feed(data[first.position :]), *second.finish()]
    assert lines(before + after) == lines(parse(data))


def test_at_a_question_the_position_is_where_its_line_begins() -> None:
    parser = OutputParser()
    for signal in parser.feed(b"one\ntwo\n::taskhub ask::Q\nthree\n"):
        if isinstance(signal, Ask):
            assert parser.position == len(b"one\ntwo\n")
            break
    else:
        pytest.fail("no question was found")
