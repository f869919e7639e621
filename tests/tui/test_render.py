import time
from dataclasses import replace

import pytest
from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.color import Color

from taskhub_tui.domain.model import Status, Task, WaitingOn
from taskhub_tui.tui import render
from taskhub_tui.tui.theme import ASCII, UNICODE

NOW = 10_000.0
TASK = Task(
    "abcd2345", 1, "Title", "Request", "me", "command", "/", Status.PENDING, 9_000, 9_400, 1,
    stage=1, stages=3, stage_name="build", started=9_100, fraction=0.5,
)  # fmt: skip


@pytest.mark.parametrize(
    "text", ["short", "a title that is much too long", "日本語のタイトルです", ""]
)
def test_a_cell_has_exactly_its_width(text: str) -> None:
    for width in (0, 1, 5, 12):
        assert cell_len(render.fit(text, width, UNICODE)) == width


def test_what_is_cut_off_ends_in_an_ellipsis() -> None:
    assert render.fit("abcdefgh", 5, UNICODE) == "abcd…"
    assert render.fit("abcdefgh", 5, ASCII) == "abcd~"


def test_a_full_bar_means_done_and_nothing_less() -> None:
    assert render.bar(1.0, 8, UNICODE) == ("━" * 8, "")
    assert render.bar(0.999, 8, UNICODE) == ("━" * 7, "─")
    assert render.bar(-3.0, 8, UNICODE) == ("", "─" * 8)
    assert render.percent(0.999) == " 99%"
    assert render.percent(None).strip() == ""


def test_time_remaining_is_blank_while_it_is_unknown() -> None:
    running = replace(TASK, status=Status.IN_PROGRESS)
    assert render.left(running, NOW) == ""
    assert render.left(replace(running, eta=NOW + 250), NOW) == "~4m"
    assert render.left(replace(running, eta=NOW - 5), NOW) == ""
    assert render.left(replace(TASK, status=Status.BLOCKED, eta=NOW + 250), NOW) == ""


def test_age_is_how_long_a_task_has_been_as_it_is() -> None:
    assert render.age(replace(TASK, status=Status.IN_PROGRESS), NOW) == "15m"
    assert render.age(replace(TASK, status=Status.BLOCKED), NOW) == "10m"
    assert render.age(replace(TASK, status=Status.COMPLETED, ended=9_990), NOW) == "10s"


def test_the_stage_column_says_what_a_task_waits_for() -> None:
    fresh = replace(TASK, stage=0)
    assert render.stage(fresh, NOW, UNICODE) == "–"
    assert (
        render.stage(replace(fresh, waiting_on=WaitingOn.DEPENDENCY, deps_left=2), NOW, UNICODE)
        == "after 2"
    )
    later = replace(fresh, waiting_on=WaitingOn.SCHEDULE, ready_at=NOW + 7200)
    assert render.stage(later, NOW, UNICODE) == "in 2h00"
    assert render.stage(replace(TASK, status=Status.IN_PROGRESS), NOW, UNICODE) == "2/3 build"
    assert render.stage(replace(TASK, stopping=True), NOW, UNICODE) == "stopping"


@pytest.mark.parametrize(
    "bad", ["\x1b[2J", "\x1b]52;c;AAAA\x07", "\x9b31m", "a\u202eb", "a\x00b", "a\nb", "\u2066x"]
)
def test_nothing_a_terminal_obeys_passes_the_last_guard(bad: str) -> None:
    (segment,) = render.ControlFilter().apply([Segment(bad, Style())], Color.parse("black"))
    assert segment.text.isprintable()
    assert cell_len(segment.text) == cell_len(bad)


def test_only_web_links_pass_the_last_guard() -> None:
    def link(target: str) -> str | None:
        (segment,) = render.ControlFilter().apply(
            [Segment("x", Style(link=target))], Color.parse("black")
        )
        assert segment.style is not None
        return segment.style.link

    assert link("https://example.org/a") == "https://example.org/a"
    assert link("file:///etc/passwd") is None
    assert link("https://example.org/\x1b]0;x\x07") is None


def test_plain_segments_pass_untouched() -> None:
    segment = Segment("plain – ✓", Style(bold=True))
    assert render.ControlFilter().apply([segment], Color.parse("black"))[0] is segment


def test_a_time_of_day_is_near_or_far_by_the_clock_that_is_given() -> None:
    at = 1_790_000_000.0
    assert render.clock(at, at + 3600) == time.strftime("%H:%M", time.localtime(at))
    assert render.clock(at, at + 3 * 86400) == time.strftime("%d %b", time.localtime(at))
