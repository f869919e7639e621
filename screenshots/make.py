"""Makes the pictures of this folder from real runs: `python screenshots/make.py`.

A hub in a temporary folder, a real worker, real commands and the sample report; the app runs
without a terminal and is driven by its keys. Each picture is kept as SVG; where there are
`chromium` and ImageMagick, as PNG too.

To add one, go there by keys in `pictures` and `save` it, or name it in `SIZES` to have it at other
sizes.
"""

import asyncio
import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from textual.pilot import Pilot

from taskhub_tui import worker
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.model import Action, NewTask, Priority, StageSpec, Status
from taskhub_tui.domain.stall import Patience
from taskhub_tui.hub import Hub
from taskhub_tui.samples import SAMPLE_REQUEST, sample_path
from taskhub_tui.tui.app import TaskHubApp
from taskhub_tui.tui.screens.main import MainScreen
from taskhub_tui.tui.theme import LIGHT
from taskhub_tui.tui.widgets.task_table import TaskTable
from taskhub_tui.tui.widgets.undo import UndoLine

HERE = Path(__file__).resolve().parent
SIZE = (120, 36)
SIZES = {"tasks-80": (80, 24), "tasks-200": (200, 50)}
"""The list at other sizes than 120x36, by the names of the pictures."""
COLOURS = 96
"""Colours of a PNG: a screen has few, and all between are the edges of letters."""

# Each goes to its share of the way at once and then stays there, so that pictures do not wait.
STEADY = """
total={total} at={at}
echo "{first}"
i=1
while [ $i -le $at ]; do
    echo "::taskhub progress $i/$total::{unit} $i of $total"
    i=$((i + 1)); sleep 0.02
done
sleep 600
"""


def shell(name: str, text: str, **more: object) -> StageSpec:
    """Return a stage that runs a script of its own, written into the current folder."""
    Path("bin").mkdir(exist_ok=True)
    path = Path("bin") / name.replace(" ", "-")
    while path.exists():
        path = path.with_name(path.name + "-2")
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return StageSpec(name, "command", options={"argv": [f"./{path}"]}, **more)  # type: ignore[arg-type]


def steady(name: str, total: int, at: int, unit: str, first: str) -> StageSpec:
    """Return a stage that stands at its share of the way, which is no silence to be asked about."""
    return shell(name, STEADY.format(total=total, at=at, unit=unit, first=first), stall=0.0)


def tasks(workdir: str) -> list[NewTask]:
    """Return the tasks of the pictures, in the order in which they are handed over."""

    def new(title: str, *stages: StageSpec, **more: object) -> NewTask:
        return NewTask(title, title=title, stages=stages, workdir=workdir, **more)  # type: ignore[arg-type]

    say = "echo '::taskhub result::{}'"
    return [
        new("Upgrade TLS test fixtures", shell("run", say.format("14 fixtures renewed"))),
        new("Translate onboarding copy (de, fr)", shell("run", say.format("212 strings"))),
        new("Shrink CI image", shell("build", "true"), shell("push", "true")),
        NewTask(
            SAMPLE_REQUEST,
            title="Report on oil prices, last quarter",
            options={"file": str(sample_path())},
            workdir=workdir,
        ),
        new(
            "Nightly data quality report",
            shell("extract", "echo 1,204,118 rows"),
            shell(
                "validate",
                "echo 'checking orders.parquet'; echo 'checking customers.parquet';"
                " echo 'customers.parquet: column vat_id is missing, 3 rows have country=??' >&2;"
                " echo 'schema mismatch: expected 41 columns, found 40' >&2; exit 3",
            ),
            shell("publish", "true"),
        ),
        new(
            "Summarise 214 support tickets",
            steady("read", 214, 178, "ticket", "214 tickets found"),
            shell("write", "true"),
        ),
        new(
            "Backfill embeddings, shard 07",
            shell("read", "true"),
            steady("write", 900, 153, "batch", "resuming at batch 0"),
        ),
        new(
            "Port parser to the new grammar",
            shell("plan", "true"),
            steady("build", 120, 49, "module", "120 modules"),
            shell("test", "true"),
            within=7200.0,
        ),
        new(
            "Index the mail archive",
            shell(
                "index",
                "echo 'mounting archive:/srv/mail'\n"
                'i=1; while [ $i -le 3 ]; do echo "::taskhub progress $i/10::box $i of 10";'
                " i=$((i + 1)); done\nsleep 600",
            ),
            shell("verify", "true"),
        ),
        new(
            "Rotate staging credentials",
            shell("inventory", say.format("31 secrets in 4 vaults, 6 older than a year")),
            shell(
                "apply",
                'vault=$("$TASKHUB_ASK" "Which vault first?" eu-1 us-2) && echo "$vault"',
            ),
            shell("verify", "true"),
        ),
        new(
            "Migrate billing webhooks to v3",
            shell(
                "plan",
                "echo 'read 3 models, 2 migrations'\n"
                + say.format("2 tables, 1 backfill of about 40 minutes"),
            ),
            shell(
                "implement",
                "echo 'wrote migrations/0042_v3.py'\necho '212 passed, 0 failed'\n"
                + say.format("4 files changed, +212 −96; 212 tests passed"),
            ),
            StageSpec(
                "migrate",
                "command",
                prompt="Run the migration on staging, then replay yesterday's webhooks",
                options={
                    "argv": ["./bin/migrate", "--database", "staging", "--replay", "2026-11-20"]
                },
                gate=True,
            ),
            shell("replay", "true"),
            shell("cut over", "true"),
            priority=Priority.HIGH,
        ),
    ]


async def until(fact: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while not await fact():
            await asyncio.sleep(0.05)


async def fill(hub: Hub, workdir: str) -> None:
    """Hand over the tasks and wait until each is where the pictures want it."""
    made = {}
    for new in tasks(workdir):
        task = await hub.submit(new)
        made[task.title] = task.id
    release = made["Port parser to the new grammar"]
    for title in ("Draft release notes 4.2", "Audit licence headers"):
        await hub.submit(
            NewTask(
                title,
                stages=(shell("run", "true"),),
                workdir=workdir,
                after=(release,),
            )
        )
    await hub.submit(
        NewTask(
            "Weekly cost report",
            stages=(shell("run", "true"),),
            workdir=workdir,
            not_before=hub.clock() + 11 * 3600,
            within=3600.0,
        )
    )

    async def settled() -> bool:
        counts = await hub.counts()
        running = await hub.tasks(status=[Status.IN_PROGRESS])
        far = all((task.fraction or 0) > 0.05 for task in running)
        return (counts.done, counts.failed, counts.needs_you, counts.running) == (
            4,
            1,
            3,
            4,
        ) and far

    await until(settled)
    await asyncio.sleep(6)


@asynccontextmanager
async def opened(
    hub: Hub, size: tuple[int, int] = SIZE, theme: str | None = None, *, calm: bool = False
) -> AsyncIterator[tuple[TaskHubApp, Pilot[None]]]:
    app = TaskHubApp(hub)
    if theme is not None:
        app.theme = theme
    if calm:
        app.asker.consider = lambda: None  # type: ignore[method-assign]
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.pause(1.0)
        yield app, pilot


def save(app: TaskHubApp, name: str) -> None:
    path = HERE / f"{name}.svg"
    path.write_text(app.export_screenshot(title="TaskHub", simplify=True), encoding="utf-8")
    print(path.name)  # noqa: T201


def draw() -> None:
    """Make the PNGs of all SVGs, as a browser draws them."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    shrink = shutil.which("magick") or shutil.which("convert")
    if browser is None or shrink is None:
        print("No PNGs: chromium or ImageMagick is missing")  # noqa: T201
        return
    with tempfile.TemporaryDirectory() as profile:
        for svg in sorted(HERE.glob("*.svg")):
            found = re.search(r'viewBox="0 0 ([0-9.]+) ([0-9.]+)"', svg.read_text(encoding="utf-8"))
            assert found is not None, svg
            width, height = (round(float(one)) for one in found.groups())
            page, png = Path(profile) / "page.html", svg.with_suffix(".png")
            page.write_text(
                "<style>body { margin: 0 } img { display: block; width: 100% }</style>"
                f'<img src="{svg.as_uri()}">',
                encoding="utf-8",
            )
            subprocess.run(
                [
                    browser,
                    "--headless",
                    "--no-sandbox",  # the page is ours, and root has no sandbox
                    "--hide-scrollbars",
                    f"--user-data-dir={profile}/profile",
                    f"--window-size={width},{height}",
                    f"--screenshot={png}",
                    page.as_uri(),
                ],
                check=True,
                capture_output=True,
                cwd=HERE,
                timeout=120,
            )
            small = ["-strip", "-colors", str(COLOURS), f"png8:{png}"]
            subprocess.run([shrink, str(png), *small], check=True, cwd=HERE, timeout=120)
            print(f"{png.name} {png.stat().st_size / 1000:.0f} kB")  # noqa: T201


async def main() -> None:
    with tempfile.TemporaryDirectory() as outer:
        # Pictures show the folder as `~/billing`, the same each time.
        os.environ["HOME"] = outer
        folder = str(Path(outer) / "billing")
        Path(folder).mkdir()
        os.chdir(folder)
        home = Path(folder) / "home"
        where = Paths(home, home / "config.toml", Path(folder) / "results")
        settings = Settings(
            owner="ann",
            notifications={"desktop": {"enabled": False}},
            undo=0.0,
            stall=Patience(shown_after=4.0, ask_after=8.0),
        )
        hub = await Hub.open(paths=where, settings=settings, autostart=False)
        async with hub, opened(hub) as (app, pilot):
            save(app, "welcome")
            await pilot.press("n")
            await pilot.pause(0.5)
            words = "Analyze all the recent market data for the last quarter"
            await pilot.press(*("space" if letter == " " else letter for letter in words))
            await pilot.pause(0.5)
            save(app, "new-task")
        serving = asyncio.create_task(worker.serve(where, settings))
        try:
            async with await Hub.open(paths=where, settings=settings, autostart=False) as hub:
                await fill(hub, folder)
                await pictures(hub)
                await closer(hub)
                await sizes(hub)
            patient = replace(settings, undo=5.0)
            async with await Hub.open(paths=where, settings=patient, autostart=False) as hub:
                await undo(hub)
                for task in await hub.tasks(status=[Status.IN_PROGRESS, Status.BLOCKED]):
                    await hub.decide(task.id, Action.CANCEL)
                await until(lambda: stopped(hub))
        finally:
            serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await serving


async def sizes(hub: Hub) -> None:
    """Make the pictures of the list at other sizes, and in the light theme."""
    for name, size, theme in (
        *((name, size, None) for name, size in SIZES.items()),
        ("tasks-light", SIZE, LIGHT.name),
    ):
        async with opened(hub, size, theme, calm=True) as (app, pilot):
            await pilot.pause(1.0)
            save(app, name)


async def undo(hub: Hub) -> None:
    """Approve, show that it can be taken back, and take it back."""
    async with opened(hub) as (app, pilot):
        await pilot.pause(2.5)
        await pilot.press("a")
        await pilot.pause(0.5)
        assert app.screen.query(UndoLine), "Nothing was approved"
        save(app, "undo")
        await pilot.press("u")
        await pilot.pause(0.5)


async def stopped(hub: Hub) -> bool:
    return not any(task.stopping for task in await hub.tasks())


async def inbox(app: TaskHubApp, pilot: Pilot[None]) -> None:
    """Mark one that waits, and show what an answer to all would do."""
    await pilot.press("i")
    await pilot.pause(1.5)
    await pilot.press("space")
    await pilot.pause(0.5)
    save(app, "inbox")
    await pilot.press("V", "a")
    await pilot.pause(1.5)
    save(app, "batch")
    await pilot.press("escape")
    await pilot.pause(0.5)
    await pilot.press("escape")
    await pilot.pause(0.5)
    if not isinstance(app.screen, MainScreen):
        await pilot.press("escape")
        await pilot.pause(0.5)


async def closer(hub: Hub) -> None:
    """Show a task at its full width, and its other tabs; then the list found and grouped."""
    async with opened(hub, (200, 50), calm=True) as (app, pilot):
        table = app.screen.query_one(TaskTable)
        while table.here is None or not table.here.title.startswith("Port"):
            await pilot.press("j")
            await pilot.pause(0.1)
        await pilot.pause(1.0)
        save(app, "task-200")
    async with opened(hub, calm=True) as (app, pilot):
        table = app.screen.query_one(TaskTable)
        while table.here is None or not table.here.title.startswith("Report"):
            await pilot.press("j")
            await pilot.pause(0.1)
        await pilot.press("enter")
        for key, name in (("3", "files"), ("5", "about")):
            await pilot.press(key)
            await pilot.pause(1.0)
            save(app, name)
    async with opened(hub, calm=True) as (app, pilot):
        await pilot.press("slash")
        await pilot.press(*"agent", "colon", *"command", "enter")
        await pilot.pause(0.5)
        await pilot.press("B", "s")
        await pilot.pause(0.5)
        await pilot.press("enter")
        await pilot.pause(1.0)
        save(app, "grouped")


async def pictures(hub: Hub) -> None:
    async with opened(hub) as (app, pilot):
        await pilot.pause(2.5)
        save(app, "approval")
        await pilot.press("escape")
        await pilot.pause(2.5)
        save(app, "question")
        await pilot.press("escape")
        await pilot.pause(2.5)
        save(app, "no-sign-of-life")
        await pilot.press("escape")
        await pilot.pause(2.5)
        save(app, "failure")
        await pilot.press("escape")
        await pilot.pause(1.0)
        save(app, "tasks")
        await inbox(app, pilot)
        for key, name in (("A", "agents"), ("comma", "settings"), ("W", "views")):
            await pilot.press(key)
            await pilot.pause(1.5)
            save(app, name)
            await pilot.press("escape")
            await pilot.pause(0.5)
        await pilot.press("g")
        await pilot.pause(1.0)
        table = app.query_one(TaskTable)
        while table.here is None or not table.here.title.startswith("Report"):
            await pilot.press("j")
        await pilot.pause(1.0)
        await pilot.press("enter")
        await pilot.pause(0.5)
        await pilot.press("z")
        await pilot.pause(1.5)
        save(app, "report")
        await pilot.press("question_mark")
        await pilot.pause(0.5)
        save(app, "help")


if __name__ == "__main__":
    asyncio.run(main())
    draw()
