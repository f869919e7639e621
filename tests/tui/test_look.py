"""How it looks: legible in every theme, in ASCII, without colours, and without motion."""

import re
from dataclasses import replace

import pytest
from hubs import Seed, asleep, text, until
from play import Play
from scenes import busy, open_questions
from textual.color import Color
from textual.theme import BUILTIN_THEMES
from textual.widgets import Input

from taskhub_tui.domain.model import Status
from taskhub_tui.hub import Hub
from taskhub_tui.tui.app import TaskHubApp
from taskhub_tui.tui.screens.decision import DecisionScreen
from taskhub_tui.tui.screens.help import HelpScreen
from taskhub_tui.tui.screens.inbox import InboxScreen
from taskhub_tui.tui.screens.new_task import NewTaskScreen
from taskhub_tui.tui.theme import DARK, LIGHT, contrast, variables
from taskhub_tui.tui.widgets.detail import Detail

THEMES = [*BUILTIN_THEMES.values(), DARK, LIGHT]
OURS = ("needs", "running", "failed", "done", "muted")


def test_contrast_is_counted_as_wcag_does() -> None:
    black, white, grey = map(Color.parse, ("#000000", "#FFFFFF", "#767676"))
    assert contrast(black, white) == pytest.approx(21)
    assert contrast(white, grey) == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("theme", [one for one in THEMES if not one.ansi], ids=lambda one: one.name)
def test_every_text_and_sign_is_legible_on_every_ground(theme) -> None:
    made = theme.to_color_system().generate()
    made |= variables(theme, made)
    assert DARK.variables.keys() <= made.keys()
    grounds = [Color.parse(made[name]) for name in ("background", "panel", "cursor")]
    for name in (*OURS, "foreground"):
        for ground in grounds:
            assert contrast(Color.parse(made[name]), ground) >= 4.5, name
    # A rule and the rest of a bar are seen, and no louder than they must be.
    assert 1.25 <= contrast(Color.parse(made["faint"]), grounds[0]) <= 2.5


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda one: one.name)
async def test_what_a_field_may_hold_is_legible(play: Play, theme) -> None:
    async with play(120, 36) as t:
        t.app.theme = theme.name
        await t.press("n")
        await t.sees("What is to be done", "tomorrow 8:00")
        parts = (("#request", "text-area--placeholder"), ("#when", "input--placeholder"))
        for field, part in parts:
            style = t.app.screen.query_one(field).get_component_styles(part)
            for ground in ("background", "cursor"):
                behind = Color.parse(t.app.theme_variables[ground])
                assert contrast(behind + style.color, behind) >= 4.5, field


@pytest.mark.parametrize("theme", [DARK, LIGHT], ids=lambda one: one.name)
def test_the_four_meanings_differ_for_the_colour_blind(theme) -> None:
    """Simulated after Viénot, Brettel and Mollon; each pair must differ in lightness or hue."""

    def seen(name: str, kind: str) -> tuple[float, ...]:
        r, g, b = (part**2.2 for part in Color.parse(theme.variables[name]).normalized)
        if kind == "protan":
            r = g = 0.11238 * r + 0.88762 * g
        else:
            r = g = 0.29275 * r + 0.70725 * g
        return tuple(part ** (1 / 2.2) for part in (r, g, b))

    for kind in ("protan", "deutan"):
        for one, other in (("needs", "running"), ("failed", "running"), ("needs", "done")):
            far = sum(abs(a - b) for a, b in zip(seen(one, kind), seen(other, kind), strict=True))
            assert far > 0.25, (kind, one, other)


async def every_screen(app: TaskHubApp, pilot, check) -> None:
    """Go through the screens and call `check` on each."""
    await until(pilot, lambda: app.query_one(Detail).view is not None)
    check("main")
    for keys, kind, name in (
        ("question_mark", HelpScreen, "help"),
        ("i", InboxScreen, "inbox"),
        ("n", NewTaskScreen, "new"),
        ("a", DecisionScreen, "decision"),
    ):
        await pilot.press(keys)
        await until(pilot, lambda kind=kind: isinstance(app.screen, kind))
        await pilot.pause()
        check(name)
        if name == "decision":
            await until(pilot, lambda: app.screen._awake)
        await pilot.press("escape")
        await until(pilot, lambda: len(app.screen_stack) == 1)
    await pilot.press("colon")
    await until(pilot, lambda: "Choose the colours" in text(app))
    check("palette")
    await pilot.press("escape")


async def fill(seed: Seed) -> None:
    await seed.put("Nightly report", Status.FAILED, error="schema mismatch")
    await seed.put("Port parser", Status.IN_PROGRESS, names=("a", "b"), at=1, fraction=0.4)
    await seed.put("Draft notes")
    await seed.put("Done one", Status.COMPLETED)
    await seed.put("Migrate", Status.BLOCKED, names=("plan", "do"), at=1, question="May I?")


@pytest.mark.parametrize("name", ["nord", "solarized-light", "ansi-dark", "ansi-light"])
async def test_the_app_can_be_used_in_themes_of_textuals(hub: Hub, seed: Seed, name: str) -> None:
    await fill(seed)
    hub.settings = replace(hub.settings, theme=name)
    app = TaskHubApp(hub, services=[asleep])
    app.asker.consider = lambda: None  # type: ignore[method-assign]
    seen: list[str] = []
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await every_screen(app, pilot, seen.append)
        assert app.theme == name
        app.theme = "taskhub"
        await pilot.pause()
    assert len(seen) == 6


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 50)])
async def test_ascii_is_ascii_on_every_screen(hub: Hub, seed: Seed, size: tuple[int, int]) -> None:
    await fill(seed)
    app = TaskHubApp(hub, ascii=True, services=[asleep])
    app.asker.consider = lambda: None  # type: ignore[method-assign]

    def check(name: str) -> None:
        assert {letter for letter in text(app) if not letter.isascii()} == set(), name

    async with app.run_test(size=size, notifications=True) as pilot:
        await every_screen(app, pilot, check)


async def test_in_a_tiny_terminal_every_screen_still_opens(hub: Hub, seed: Seed) -> None:
    await fill(seed)
    app = TaskHubApp(hub, services=[asleep])
    app.asker.consider = lambda: None  # type: ignore[method-assign]
    async with app.run_test(size=(120, 36), notifications=True) as pilot:
        await until(pilot, lambda: app.query_one(Detail).view is not None)
        await pilot.resize_terminal(20, 5)
        seen: list[str] = []
        for key in ("question_mark", "i", "n", "a", "colon", "enter"):
            await pilot.press(key)
            await pilot.pause(0.1)
            seen.append(text(app))
            await pilot.resize_terminal(21, 6)
            await pilot.resize_terminal(20, 5)
            if key == "a":
                await until(pilot, lambda: app.screen._awake)
            await pilot.press("escape")
            await until(pilot, lambda: len(app.screen_stack) == 1)
        await pilot.resize_terminal(120, 36)
        await until(pilot, lambda: "Migrate" in text(app))
    assert all(one.strip() for one in seen)


async def test_reduced_motion_is_no_motion(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.settings = replace(hub.settings, reduced_motion=True)
    app = TaskHubApp(hub, services=[asleep])
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        assert app.animation_level == "none"
        await until(pilot, lambda: app._seen_notice is not None)
        await pilot.press("question_mark", "slash")
        await until(pilot, lambda: isinstance(app.focused, Input))
        await until(pilot, lambda: app.focused.cursor_blink is False)


# Read line by line

ORDER = {"!": 0, "x": 1, ">": 2, "=": 3, "~": 3, ".": 3, "-": 4, "+": 4}
"""Signs of tasks, by when they come."""
TASK = re.compile(
    r"^[> ](?P<sign>[!x>=~.+-]) (?P<bar>[#-]{8}| {8}) +(?P<percent>\d+%)? *(?P<title>\S.*?)"
    r"  +(?P<stage>\S.*?)(  +(?P<left>~?\d+\w+))?  +(?P<age>\d\w+)$"
)


@pytest.mark.parametrize("size", [(80, 24), (80, 40)])
async def test_the_list_is_read_from_top_to_bottom_what_needs_you_first(
    play: Play, size: tuple[int, int]
) -> None:
    async with play(*size, before=open_questions, calm=True, ascii=True) as t:
        await t.sees("Rotate production", "Old experiment", "Quit")
        counts, heads, *rows, keys = [line.rstrip() for line in t.lines() if line.strip()]
        assert counts.split()[:5] == ["TaskHub", "!", "3", "need", "you"]
        assert heads.split() == ["PROGRESS", "TASK", "STAGE", "LEFT", "AGE"]
        assert "? Help" in keys
        read = [TASK.match(row) for row in rows]
        assert len(rows) == 13
        assert all(read), rows
        places = [ORDER[row["sign"]] for row in read]
        assert places == sorted(places)
        assert places[:4] == [0, 0, 0, 1]
        build = next(row for row in read if row["title"].startswith("Port parser"))
        assert build.group("percent", "stage", "left", "age") == ("41%", "2/3 build", "~50m", "31m")


@pytest.mark.parametrize(("size", "key"), [((80, 24), "enter"), ((120, 36), "z")])
async def test_a_task_has_its_lines_to_itself_where_it_is_said_to(
    play: Play, size: tuple[int, int], key: str
) -> None:
    async with play(*size, before=busy) as t:
        await t.sees("Port parser")
        await t.press(key)
        await t.does_not_see("Weekly cost report")
        await t.sees("building emitter")
        lines = [line.strip() for line in t.lines() if line.strip()]
        wanted = ("1 plan", "2 build", "3 test", "[Log] Result", "120 modules", "building emitter")
        at = [next(i for i, line in enumerate(lines) if words in line) for words in wanted]
        assert at == sorted(at)
        assert lines[1] == "Port parser to the new grammar"
