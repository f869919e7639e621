"""Commands about TaskHub itself: the app, `open`, `worker`, `doctor`, `completion`."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from taskhub_tui.cli import BUG, shapes
from taskhub_tui.cli.output import Cell, Output, local
from taskhub_tui.domain.errors import BadInput, TaskHubError
from taskhub_tui.regular import why

if TYPE_CHECKING:
    from argparse import Namespace

    from taskhub_tui.config import Paths, Settings
    from taskhub_tui.domain.views import Check
    from taskhub_tui.tui.app import TaskHubApp

_CHECKED_AFTER = 1.0
"""Seconds the app is open before the section on notifications is checked."""

_SWITCH = 0.001
"""Seconds after which one thread of the app lets the others go on; Python's own are five times so
many, each time that the thread of the screen has let go for a moment."""

_MARKS = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("fail", "red")}


def app(args: Namespace, out: Output) -> int:
    """Open the hub in the terminal."""
    if not (sys.stdin.isatty() and out.terminal):
        raise BadInput(
            "The hub opens in a terminal, and this is none",
            "`taskhub list` and `taskhub show` print; see `taskhub --help`",
        )
    # Keys do not wait long for a thread that reads or draws something.
    sys.setswitchinterval(_SWITCH)
    # Until the first screen is painted nothing is thrown away; the app goes on with it then.
    gc.disable()
    try:
        return asyncio.run(_app(args))
    finally:
        gc.enable()


async def _app(args: Namespace) -> int:
    from taskhub_tui import config
    from taskhub_tui.hub import Hub
    from taskhub_tui.tui import mistakes
    from taskhub_tui.tui.app import TaskHubApp

    where = config.paths()
    settings = config.settings(where)
    services = []
    if args.embedded:
        from taskhub_tui import worker

        services.append(lambda: worker.serve(where, settings))
    opening = Hub.open(paths=where, settings=settings, channel="app", autostart=not args.embedded)
    with mistakes.kept(where.app_log) as log:
        async with await opening as hub:
            task_id = await hub.find(args.id) if args.id else None
            shown = TaskHubApp(
                hub,
                ascii=settings.ascii or vars(args).get("ascii", False),
                services=services,
                initial_task=task_id,
                mistakes=log,
            )
            checking = asyncio.create_task(_check(shown, where, settings))
            await shown.run_async()
            if checking.done():
                checking.result()
            checking.cancel()
            # Textual's own code of an error that nobody foresaw is 1.
            return BUG if shown.return_code == 1 else shown.return_code or 0


async def _check(shown: TaskHubApp, where: Paths, settings: Settings) -> None:
    """Close the app when no worker would start with these settings.

    Raises:
        BadInput: why not.
    """
    if not settings.notifications:
        return
    # What reads them takes longer to import than the first screen takes to be there.
    await asyncio.sleep(_CHECKED_AFTER)
    from taskhub_tui import diagnosis

    try:
        await asyncio.to_thread(diagnosis.check_notifications, where, settings)
    except BadInput:
        shown.exit()
        raise


def open_(args: Namespace, out: Output) -> int:
    """Open the hub at one task, or the task's result."""
    if not (args.result or args.print or out.as_json):
        return app(args, out)
    task_id, name = asyncio.run(_result(args))
    if out.as_json:
        out.data({"id": task_id, "path": name})
        return 0
    from taskhub_tui.tui import outside

    opener = outside.opener()
    if args.print or opener is None or not out.terminal:
        out.line(name)
        return 0
    try:
        found = outside.look(Path(name))
    except OSError as error:
        raise BadInput(f"The result {name} cannot be opened: {why(error)}") from error
    if found.against:
        out.line(name)
        out.say(f"Not opened: {found.against}")
        return 0
    # Its own session, so that Ctrl-C here does not close it; its chatter is not ours.
    try:
        subprocess.Popen(
            outside.command(opener, Path(name), found),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise BadInput(f"{opener} could not be started: {error.strerror}", name) from error
    out.say(f"Opened {name}")
    return 0


async def _result(args: Namespace) -> tuple[str, str]:
    from taskhub_tui.hub import Hub

    async with await Hub.open(channel="cli", autostart=False) as hub:
        task = (await hub.status(await hub.find(args.id))).task
    if task.result is None:
        raise BadInput(f"Task {task.id} has no result", f"See `taskhub show {task.id}`")
    if not Path(task.result).exists():
        raise BadInput(f"The result of task {task.id} is gone: {task.result}")
    return task.id, task.result


def worker(args: Namespace, out: Output) -> int:
    """Work in the foreground, or look at the workers, or ask them to leave."""
    if args.status:
        return asyncio.run(_workers(out))
    if args.stop:
        return asyncio.run(_stop(out))
    from taskhub_tui import worker as work

    out.say("Working. Ctrl-C stops; the next worker takes over what still runs then.")
    return work.main([])


async def _workers(out: Output) -> int:
    from taskhub_tui.hub import Hub

    async with await Hub.open(channel="cli", autostart=False) as hub:
        found = await hub.workers()
        now = hub.clock()
    if out.as_json:
        out.data([shapes.worker(one) for one in found])
    elif not found:
        out.say("No worker runs. One starts by itself when there is work.")
    else:
        rows: list[list[str | Cell]] = []
        for one in found:
            state = Cell("alive", "green") if one.alive else Cell("silent", "red")
            rows.append(
                [one.id, state, str(one.pid), one.host, local(one.started, now), one.version]
            )
        out.table(("WORKER", "STATE", "PID", "HOST", "STARTED", "VERSION"), rows)
    return 0


async def _stop(out: Output) -> int:
    from taskhub_tui.hub import Hub

    async with await Hub.open(channel="cli", autostart=False) as hub:
        asked = await hub.stop_worker()
    if out.as_json:
        out.data({"asked": asked})
    else:
        out.say({0: "No worker runs here.", 1: "Asked the worker to leave."}.get(
            asked, f"Asked {asked} workers to leave."
        ))  # fmt: skip
    return 0


def doctor(args: Namespace, out: Output) -> int:
    """Check that everything is there; exit code 1 when something is not."""
    found = asyncio.run(_checks())
    if out.as_json:
        out.data([asdict(check) for check in found])
    else:
        for check in found:
            word, colour = _MARKS[check.state]
            out.line(Cell(word, colour), "  ", Cell(f"{check.name:<14}", "bold"), check.message)
            if check.remedy:
                out.line(
                    " " * 20, Cell(f"→ {check.remedy}" if out.unicode else check.remedy, "dim")
                )
    return 1 if any(check.state == "fail" for check in found) else 0


async def _checks() -> list[Check]:
    from taskhub_tui import config
    from taskhub_tui.diagnosis import checks
    from taskhub_tui.domain.views import Check

    where = config.paths()
    try:
        settings = config.settings(where)
    except TaskHubError as error:
        wrong = Check("settings", "fail", str(error), error.hint or f"Correct {where.config}")
        return [wrong, *await checks(where, config.Settings(owner="me"))]
    return [*await checks(where, settings), *_keys(settings)]


def _keys(settings: Settings) -> list[Check]:
    """Look at the user's own keys; who has none need not wait for the app to be loaded."""
    if not settings.keys:
        return []
    from taskhub_tui.domain.views import Check
    from taskhub_tui.tui import keymap

    found = keymap.read(settings.keys)
    if not found.problems:
        return [Check("keys", "ok", f"{len(found.own)} of your own")]
    remedy = "Correct the `[keys]` table of the settings; docs/keys.md has the names"
    return [Check("keys", "warn", problem, remedy) for problem in found.problems]


def completion(args: Namespace, out: Output) -> int:
    """Print a completion script."""
    from taskhub_tui.cli.completion import script

    out.out.write(script(args.shell))
    return 0
