"""Every screen stands as text in `goldens`, at three sizes, and a few as pictures.

After a change that is meant: `pytest tests/tui/test_goldens.py --renew`, and read the difference.
"""

import difflib
import io
import os
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from hubs import Seed
from play import PATIENCE, Clock, User, opened
from scenes import BY_NAME, DRAWN, SCENES, Scene, busy, failed, go, open_questions
from textual.widgets import Input, TextArea

from taskhub_tui.cli import watch
from taskhub_tui.cli.live import Live
from taskhub_tui.cli.output import Output, columns
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain import ids
from taskhub_tui.domain.views import ChannelInfo, Check
from taskhub_tui.hub import Hub
from taskhub_tui.tui.glyphs import ASCII, UNICODE, Glyphs

GOLDENS = Path(__file__).with_name("goldens")
SIZES = ((80, 24), (120, 36), (200, 50))
WATCHED: tuple[tuple[str, Callable[[Seed], Awaitable[None]], str, Glyphs], ...] = (
    ("watch", open_questions, "", UNICODE),
    ("watch-ascii", open_questions, "", ASCII),
    ("watch-task", busy, "Port parser to the new grammar", UNICODE),
    ("watch-failed", failed, "Nightly data quality report", UNICODE),
)
"""What a shell shows, with the title of the one task that is watched."""
WATCHED_SIZES = ((80, 24), (120, 36), (80, 10))
STILL = 1.6
"""Seconds without a change after which a screen is taken to be complete, to renew its golden."""
LOST = 4.0
"""Seconds after which a screen that stands still in another shape will not become its golden."""


async def channels(hub: Hub) -> list[ChannelInfo]:
    """Stand for the desktop of this machine, which is another one each time."""
    return [ChannelInfo("in-app", True), ChannelInfo("desktop", False, "It is switched off")]


async def checks(hub: Hub) -> list[Check]:
    """Stand for what `taskhub doctor` finds on this machine."""
    return [
        Check("python", "ok", "3.11.9"),
        Check("database", "ok", "4.1 MB, whole"),
        Check("desktop", "warn", "there is no session bus", "Run the worker in your session"),
    ]


@pytest.fixture(autouse=True)
def same_each_time(monkeypatch: pytest.MonkeyPatch, home: Path, tmp_path: Path) -> Iterator[None]:
    """Fix what else differs from run to run: IDs, the time zone, the folder, blinking cursors."""
    numbers = count(1)
    monkeypatch.setattr(Hub, "channels", channels)
    monkeypatch.setattr(Hub, "checks", checks)
    monkeypatch.setattr(ids, "new_id", lambda below: f"task{next(numbers):04d}")
    monkeypatch.setattr(Input, "_toggle_cursor", lambda self: None)
    monkeypatch.setattr(TextArea, "_toggle_cursor_blink_visible", lambda self: None)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("TEXTUAL_THEME", "COLORTERM", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.chdir(tmp_path)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def renew(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--renew", False))


def shown(t: User) -> str:
    """Return the screen as text, with no blanks at the ends of lines."""
    return "\n".join(line.rstrip() for line in t.lines()) + "\n"


def drawn(t: User) -> str:
    """Return the screen as SVG, without the names that are made anew for each picture."""
    svg = t.app.export_screenshot(title="TaskHub", simplify=True)
    return re.sub(r"terminal-\d+-", "terminal-", svg)


async def check(t: User, golden: Path, look: Callable[[User], str], renew: bool) -> None:
    """Compare what is shown with a golden, as soon as it is that; or write it anew."""
    wanted = golden.read_text(encoding="utf-8") if golden.exists() else ""
    before, since, end = "", time.monotonic(), time.monotonic() + PATIENCE
    while True:
        found, now = look(t), time.monotonic()
        if found == wanted and not renew:
            return
        if found != before:
            before, since = found, now
        if now - since > (STILL if renew else LOST) or now > end:
            break
        await t.pilot.pause(0.02)
    if renew:
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(found, encoding="utf-8")
        return
    told = difflib.unified_diff(
        wanted.splitlines(), found.splitlines(), str(golden.name), "what is shown", lineterm="", n=1
    )
    said = "\n".join(told) if golden.suffix == ".txt" else "the picture differs"
    pytest.fail(
        f"{said}\n\nIf it is meant: pytest tests/tui/test_goldens.py --renew\n\n{shown(t)}", False
    )


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
async def test_a_screen_looks_as_it_did(
    scene: Scene, size: tuple[int, int], where: Paths, settings: Settings, renew: bool
) -> None:
    settings = replace(settings, undo=scene.undo)
    async with opened(
        where, settings, size, before=scene.put, calm=scene.calm, **dict(scene.app)
    ) as t:
        await go(t, scene)
        await check(t, GOLDENS / f"{scene.name}-{size[0]}x{size[1]}.txt", shown, renew)


async def watched(hub: Hub, task: str, width: int, height: int, glyphs: Glyphs) -> str:
    """Return what `taskhub watch` draws in a shell; of one task if its title is given."""
    ids = [one.id for one in await hub.tasks() if one.title == task]
    looking = watch._Given(hub, ids) if task else watch._Found(hub)
    await looking.look()
    if isinstance(looking, watch._Given):
        await looking.listen()
    said = io.StringIO()
    live = Live(Output(said, said), lambda: os.terminal_size((width, height)), glyphs.more)
    live.draw(looking.rows(live.room, glyphs), looking.history(live.room[0], glyphs))
    lines = re.sub(r"\r|\x1b\[[JK]", "", said.getvalue()).split("\n")
    assert len(lines) <= height
    assert [line for line in lines if columns(line) >= width] == []
    return "\n".join(line.rstrip() for line in lines)


@pytest.mark.parametrize("size", WATCHED_SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize(
    ("name", "put", "task", "glyphs"), WATCHED, ids=[one[0] for one in WATCHED]
)
async def test_the_view_of_a_shell_looks_as_it_did(
    name: str, put: Callable[[Seed], Awaitable[None]], task: str, glyphs: Glyphs,
    size: tuple[int, int], where: Paths, settings: Settings, renew: bool,
) -> None:  # fmt: skip
    clock = Clock()
    made = {"paths": where, "settings": settings, "clock": clock, "autostart": False}
    async with await Hub.open(**made) as hub, await Hub.open(**made) as other:
        await put(Seed(hub, where, other._store))
        found = await watched(hub, task, *size, glyphs)
    golden = GOLDENS / f"{name}-{size[0]}x{size[1]}.txt"
    if renew:
        golden.write_text(found, encoding="utf-8")
    wanted = golden.read_text(encoding="utf-8") if golden.exists() else ""
    assert found == wanted, f"If it is meant: pytest tests/tui/test_goldens.py --renew\n\n{found}"


@pytest.mark.parametrize(("name", "theme"), DRAWN)
async def test_a_picture_looks_as_it_did(
    name: str, theme: str, where: Paths, settings: Settings, renew: bool
) -> None:
    scene = BY_NAME[name]
    settings = replace(settings, theme=theme)
    async with opened(where, settings, (120, 36), before=scene.put, calm=scene.calm) as t:
        await go(t, scene)
        await check(t, GOLDENS / f"{name}-{theme}.svg", drawn, renew)


def test_no_golden_is_left_of_a_screen_that_is_gone() -> None:
    texts = {f"{one.name}-{w}x{h}.txt" for one in SCENES for w, h in SIZES}
    pictures = {f"{name}-{theme}.svg" for name, theme in DRAWN}
    shells = {f"{name}-{w}x{h}.txt" for name, *_ in WATCHED for w, h in WATCHED_SIZES}
    assert {path.name for path in GOLDENS.iterdir()} == texts | pictures | shells


async def test_a_screen_that_changed_is_told_line_by_line(
    where: Paths, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("test_goldens.LOST", 0.1, raising=False)
    golden = tmp_path / "welcome.txt"
    golden.write_text("Something else\n", encoding="utf-8")
    async with opened(where, settings, (80, 24), before=BY_NAME["welcome"].put) as t:
        await t.sees("walk away")
        with pytest.raises(pytest.fail.Exception, match=r"-Something else[\s\S]*\+.*walk away"):
            await check(t, golden, shown, False)
        await check(t, golden, shown, True)
        await check(t, golden, shown, False)
