"""The table: bounded by what is on screen, and rows that do not move under the cursor."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from textual import on
from textual.app import App, ComposeResult

from taskhub_tui.domain.listing import Sort
from taskhub_tui.domain.model import Status, Task, WaitingOn
from taskhub_tui.tui.theme import ASCII, DARK, UNICODE, Glyphs
from taskhub_tui.tui.widgets.task_order import PAGE, PAGES
from taskhub_tui.tui.widgets.task_table import TaskTable

NOW = 100_000.0


def task(n: int, status: Status = Status.IN_PROGRESS, **more: object) -> Task:
    made = Task(
        f"{n:08d}", n, f"Task number {n}", "", "me", "command", "/", status, NOW - 100, NOW - 100,
        n, stages=4, stage=1, stage_name="build", fraction=0.41, started=NOW - 100,
    )  # fmt: skip
    return replace(made, **more)


class TableApp(App[None]):
    """Just a table, and the list of pages it asked for."""

    def __init__(self, count: int, glyphs: Glyphs = UNICODE) -> None:
        super().__init__()
        self.register_theme(DARK)
        self.theme = DARK.name
        self.asked: list[list[int]] = []
        self.now = NOW
        self.count = count
        self.glyphs = glyphs
        self.told: list[Task | None] = []

    def compose(self) -> ComposeResult:
        yield TaskTable(self.fetch, glyphs=self.glyphs, clock=lambda: self.now)

    async def fetch(self, numbers: Sequence[int]) -> Iterable[Task]:
        self.asked.append(list(numbers))
        return [task(n) for n in numbers]

    @on(TaskTable.Highlighted)
    def note(self, event: TaskTable.Highlighted) -> None:
        self.told.append(event.task)

    @property
    def table(self) -> TaskTable:
        return self.query_one(TaskTable)

    def line(self, y: int) -> str:
        return self.table.render_line(y).text


async def test_only_what_is_in_sight_is_read() -> None:
    app = TableApp(0)
    async with app.run_test(size=(80, 24)) as pilot:
        app.table.set_order(range(100_000, 0, -1))
        await pilot.pause()
        assert app.asked == [list(range(100_000, 100_000 - PAGE, -1))]
        app.table.focus()
        await pilot.press("G")
        await pilot.pause()
        assert "Task number 1 " in app.line(23)
        assert len(app.asked) <= 3
        assert len(app.table._pages) <= PAGES


async def test_a_row_says_state_progress_stage_time_left_and_age() -> None:
    app = TableApp(0)
    async with app.run_test(size=(80, 24)):
        app.table.set_order([7], [task(7, eta=NOW + 245)])
        assert app.line(0).split() == ["PROGRESS", "TASK", "STAGE", "LEFT", "AGE"]
        assert app.line(1).split() == [
            "▌▸", "━━━─────", "41%", "Task", "number", "7", "2/4", "build", "~4m", "1m",
        ]  # fmt: skip


@pytest.mark.parametrize("width", [40, 60, 72, 80, 100, 120, 200])
async def test_a_row_fills_the_width_and_no_more(width: int) -> None:
    app = TableApp(0)
    async with app.run_test(size=(width, 10)):
        long = task(7, title="日本語 " * 80, stage_name="stage " * 20, agent="agent" * 9)
        app.table.set_order([7], [long])
        for y in range(10):
            assert app.table.render_line(y).cell_length == width
        assert ("AGENT" in app.line(0)) is (width >= 100)


@pytest.mark.parametrize("count", [5, 500])
async def test_the_last_column_is_whole_beside_a_scroll_bar(count: int) -> None:
    app = TableApp(count)
    async with app.run_test(size=(80, 24)) as pilot:
        app.table.set_order(range(count), [task(n) for n in range(count)])
        await pilot.pause()
        lines = [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]
        assert app.table.show_vertical_scrollbar == (count == 500)
        assert lines[0].rstrip("▁ ").endswith(" AGE")
        assert lines[3].rstrip("▁ ").endswith(" 1m")


async def test_who_is_asked_about_moves_to_the_top_at_the_next_sort() -> None:
    app = TableApp(0)
    async with app.run_test(size=(80, 24)) as pilot:
        app.table.set_order([8, 7], [task(8), task(7)])
        await pilot.pause()
        silent = task(7, silent_since=NOW - 400, eta=NOW + 60)
        assert not app.table.apply([silent]), "silence alone changes no order"
        assert app.line(2).split()[-3:] == ["silent", "6m", "1m"]
        assert app.table.apply([replace(silent, seq=8, waiting_on=WaitingOn.USER)])
        assert app.line(2).split()[0] == "!"


async def test_ascii_draws_nothing_else() -> None:
    app = TableApp(0, ASCII)
    async with app.run_test(size=(80, 24)):
        states = [task(i + 1, status, title="t" * 60) for i, status in enumerate(Status)]
        app.table.set_order([one.n for one in states], states)
        app.table.apply([task(99)])
        assert all(app.line(y).isascii() for y in range(24))


async def test_changes_repaint_a_row_and_never_move_it() -> None:
    app = TableApp(0)
    async with app.run_test(size=(80, 24)):
        app.table.set_order([3, 2, 1], [task(3), task(2), task(1)])
        app.table.cursor = 1
        assert app.table.apply([task(2, fraction=0.9, seq=50)]) is False
        assert " 90%" in app.line(2)
        assert app.table.apply([task(2, Status.BLOCKED, seq=51)]) is True
        assert "▌!" in app.line(2)
        assert app.table.cursor == 1


async def test_what_is_out_of_sight_makes_the_order_stale_only_when_it_can_move() -> None:
    app = TableApp(0)
    async with app.run_test(size=(80, 24)):
        app.table.set_order(range(5000, 0, -1), [])
        far = task(3, seq=50)
        assert app.table.apply([far]) is True, "nothing was known of it"
        assert app.table.apply([replace(far, seq=51, fraction=0.9)]) is False
        asked = replace(far, seq=52, waiting_on=WaitingOn.USER)
        assert app.table.apply([asked]) is True
        assert app.table.apply([replace(asked, seq=53)]) is False
        app.table.sort = Sort.PROGRESS
        assert app.table.apply([replace(asked, seq=54)]) is True, "it is sorted by something else"
        assert app.table.apply([replace(asked, seq=55, fraction=0.7)]) is True
        app.table.wanted = lambda one: one.seq < 57
        assert app.table.apply([replace(asked, seq=56, fraction=0.7)]) is False
        assert app.table.apply([replace(asked, seq=57, fraction=0.7)]) is True, "it fits no more"


async def test_new_tasks_are_announced_until_the_list_is_sorted() -> None:
    app = TableApp(0)
    async with app.run_test(size=(80, 24)):
        app.table.set_order([2, 1], [task(2), task(1)])
        assert app.table.apply([task(3), task(4)]) is True
        app.table.apply([task(4, fraction=0.9)])
        assert "2 new ↑" in app.line(0)
        assert "number 2" in app.line(1)
        app.table.set_order([4, 3, 2, 1])
        assert "new" not in app.line(0)


async def test_a_new_order_leaves_the_cursor_on_its_task_and_line() -> None:
    app = TableApp(0)
    async with app.run_test(size=(80, 24)) as pilot:
        app.table.set_order(range(200, 0, -1))
        await pilot.pause()
        app.table.cursor = 50
        await pilot.pause()
        line = app.table.cursor - app.table.scroll_offset.y
        app.table.set_order(range(300, 0, -1))
        await pilot.pause()
        assert app.table.here is not None
        assert app.table.here.n == 150
        assert app.table.cursor - app.table.scroll_offset.y == line


async def test_an_order_without_the_task_leaves_the_cursor_in_the_list() -> None:
    app = TableApp(0)
    async with app.run_test(size=(80, 24)) as pilot:
        app.table.set_order([3, 2, 1], [task(3), task(2), task(1)])
        app.table.cursor = 2
        app.table.set_order([9], [task(9)])
        assert app.table.cursor == 0
        app.table.set_order([])
        await pilot.pause()
        assert app.table.here is None
        assert app.told[-1] is None


async def test_the_list_tells_which_task_is_under_the_cursor_once() -> None:
    app = TableApp(0)
    async with app.run_test(size=(80, 24)) as pilot:
        app.table.set_order([3, 2, 1], [task(3), task(2), task(1)])
        app.table.focus()
        await pilot.press("j")
        await pilot.press("down")
        await pilot.press("j")
        await pilot.pause()
        assert [one.n for one in app.told if one] == [3, 2, 1]


async def test_ages_tick_without_reading_again() -> None:
    app = TableApp(0)
    async with app.run_test(size=(80, 24)) as pilot:
        app.table.set_order([1], [task(1)])
        await pilot.pause()
        assert app.line(1).endswith("1m")
        app.now += 3600
        app.table.tick()
        await pilot.pause()
        assert app.line(1).endswith("1h01")
        assert app.asked == []


async def test_between_two_looks_only_ages_in_seconds_go_on() -> None:
    app = TableApp(0)
    async with app.run_test(size=(80, 24)) as pilot:
        app.table.set_order([2, 1], [task(2, started=NOW - 15), task(1, started=NOW - 3599)])
        await pilot.pause()
        assert [app.line(1)[-3:], app.line(2)[-3:]] == ["10s", "59m"]
        painted: list[int] = []
        app.table.refresh_line = painted.append  # type: ignore[method-assign]
        app.now += 30
        app.table.tick(young=True)
        assert painted == [1]
        app.table.tick()
        assert painted == [1, 1, 2]


async def test_the_mouse_chooses_a_row() -> None:
    app = TableApp(0)
    async with app.run_test(size=(80, 24)) as pilot:
        app.table.set_order([3, 2, 1], [task(3), task(2), task(1)])
        await pilot.click(TaskTable, offset=(20, 3))
        assert app.table.cursor == 2
