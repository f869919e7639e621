"""What `taskhub doctor` looks at: files, database, workers, questions, agents, desktop, terminal.

Every check looks and changes nothing, except that a hub's folder is made where there is none.
"""

import asyncio
import os
import shutil
import sqlite3
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from taskhub_tui.config import Paths, Settings, make_private
from taskhub_tui.domain import durations
from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.domain.views import Check

LOW_DISK = 500_000_000
FULL_DISK = 50_000_000
"""Bytes free below which it is worth a warning, and below which work will fail."""
STALE = 86400.0
"""Seconds after which a question nobody answered is worth a warning."""


async def checks(paths: Paths, settings: Settings) -> list[Check]:
    """Return what was found, in the order in which one thing needs the other."""
    folder = _folder(paths)
    found = [_python(), _sqlite(sqlite3.sqlite_version_info), folder]
    if folder.state != "fail":
        database = await asyncio.to_thread(_database, paths.database)
        found += [_disk(paths.home), database]
        if database.state != "fail":
            found += await _hub(paths, settings)
    return [*found, await _desktop(), *_terminal(os.environ)]


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check("python", "ok", f"Python {version} at {sys.executable}")


def _sqlite(version: tuple[int, ...]) -> Check:
    """Say what is done about the WAL-reset bug, where this SQLite has it."""
    from taskhub_tui.storage.guard import exposed

    said = f"SQLite {'.'.join(map(str, version))}"
    if not exposed(version):
        return Check("sqlite", "ok", said)
    return Check(
        "sqlite",
        "ok",
        f"{said} has the WAL-reset bug; TaskHub's guard is on, so one process at a time writes",
        "Other programs know nothing of the guard: change the file with none, such as sqlite3,"
        " while TaskHub runs. SQLite 3.51.3 or newer has no such bug",
    )


def _folder(paths: Paths) -> Check:
    try:
        make_private(paths.home)
        loose = [
            path
            for path in sorted(paths.home.glob("taskhub.db*"))
            if stat.S_IMODE(path.stat().st_mode) & 0o077
        ]
    except TaskHubError as error:
        remedy = error.hint or "Give the folder to yourself, or name another with TASKHUB_HOME"
        return Check("files", "fail", str(error), remedy)
    except OSError as error:
        return Check("files", "fail", f"{paths.home}: {error.strerror}", "Check the folder's owner")
    if not os.access(paths.home, os.W_OK | os.X_OK):
        return Check("files", "fail", f"{paths.home} is not writable", f"chmod u+rwx {paths.home}")
    if loose:
        names = " ".join(str(path) for path in loose)
        return Check("files", "warn", f"Others can read {names}", f"chmod 600 {names}")
    return Check("files", "ok", f"{paths.home} is private and writable")


def _disk(home: Path) -> Check:
    free = shutil.disk_usage(home).free
    said = f"{free / 1e9:.1f} GB free at {home}"
    if free < FULL_DISK:
        return Check("disk", "fail", said, "Free some space: tasks cannot be saved")
    if free < LOW_DISK:
        return Check("disk", "warn", said, "Free some space soon")
    return Check("disk", "ok", said)


def _database(path: Path) -> Check:
    """Read the whole file once; it is neither made nor brought up to date here."""
    from taskhub_tui.storage.database import explain, migrations

    if not path.exists():
        return Check("database", "ok", f"{path} will be made with the first task")
    known = len(migrations())
    try:
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10)
        try:
            said = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            size = path.stat().st_size
        finally:
            connection.close()
    except sqlite3.Error as error:
        problem = explain(error, path)
        remedy = f"Move {path} aside, or put a copy of it back; nothing else is lost"
        if "busy" in str(problem):
            remedy = "Try again in a moment"
        return Check("database", "fail", str(problem), remedy)
    if said != ["ok"]:
        return Check(
            "database",
            "fail",
            f"{path} is damaged: {'; '.join(said)}",
            f"Save what is readable: sqlite3 {path} .recover | sqlite3 {path}.new",
        )
    if version > known:
        return Check(
            "database",
            "fail",
            f"{path} has schema {version}, but this TaskHub knows only {known}",
            "Update TaskHub",
        )
    return Check("database", "ok", f"{path}: sound, schema {version}, {size / 1e6:.1f} MB")


async def _hub(paths: Paths, settings: Settings) -> list[Check]:
    """Check what is in the database, and the agents."""
    from taskhub_tui.hub import Hub

    try:
        async with await Hub.open(paths=paths, settings=settings, autostart=False) as hub:
            counts = await hub.counts()
            waiting = counts.running + counts.queued
            workers = await hub.workers()
            now = hub.clock()
            asked = [(task.id, now - blocker.created) for blocker, task in await hub.blockers()]
            agents = [_agent(card.name, card.title, card.problem) for card in hub.agents()]
    except TaskHubError as error:
        return [Check("hub", "fail", str(error), error.hint)]
    return [
        _worker(sum(one.alive for one in workers), waiting, paths.worker_log),
        _questions(asked),
        *agents,
    ]


def _worker(alive: int, waiting: int, log: Path) -> Check:
    if alive:
        return Check("worker", "ok", f"{alive} alive, {waiting} tasks to work on")
    if waiting:
        return Check(
            "worker",
            "warn",
            f"None is alive, and {waiting} tasks wait for one",
            f"`taskhub worker` shows what happens; {log} may say why it left",
        )
    return Check("worker", "ok", "None runs; one starts by itself when there is work")


def _questions(asked: list[tuple[str, float]]) -> Check:
    """`asked` has the task and the age in seconds of every open question."""
    if not asked:
        return Check("questions", "ok", "No task needs you")
    task_id, age = max(asked, key=lambda one: one[1])
    said = f"{len(asked)} open, the oldest for {durations.spell(age)}"
    if age < STALE:
        return Check("questions", "ok", said)
    return Check("questions", "warn", said, f"`taskhub show {task_id}` shows it")


def _agent(name: str, title: str, problem: str | None) -> Check:
    if problem is None:
        return Check(f"agent {name}", "ok", f"{title} can be used")
    return Check(f"agent {name}", "warn", f"{title} cannot be used", problem)


async def _desktop() -> Check:
    """Ask the desktop for its notification service; nothing is shown."""
    from taskhub_tui.notifications.channels.desktop import DesktopChannel, hindrance

    async def pressed(what: object) -> None:
        """Nothing is sent, so nothing can be pressed."""

    problem = hindrance(os.environ)
    if problem is None:
        channel = DesktopChannel(pressed)
        try:
            problem = await channel.available()
        finally:
            await channel.close()
    if problem is None:
        return Check("desktop", "ok", "Desktop notifications can be shown")
    return Check(
        "desktop", "warn", problem, "In the app and in `taskhub list` you see all the same"
    )


def _terminal(environ: Mapping[str, str]) -> list[Check]:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return [Check("terminal", "ok", "Not a terminal here, so it was not looked at")]
    term = environ.get("TERM", "")
    if term in ("", "dumb"):
        remedy = "Set TERM, such as xterm-256color; the commands work as they are"
        return [Check("terminal", "warn", f"TERM is `{term}`: the app cannot draw", remedy)]
    found = []
    size = shutil.get_terminal_size()
    said = f"{term}, {size.columns}x{size.lines}"
    if size.columns < 80 or size.lines < 24:
        found.append(Check("terminal", "warn", said, "Make it 80x24 or larger for the app"))
    elif environ.get("COLORTERM") in ("truecolor", "24bit"):
        found.append(Check("terminal", "ok", f"{said}, all colours"))
    else:
        remedy = "If your terminal can do it: export COLORTERM=truecolor"
        found.append(Check("terminal", "ok", f"{said}, 256 colours or fewer", remedy))
    if (sys.stdout.encoding or "").lower().replace("-", "") != "utf8":
        remedy = "Use a UTF-8 locale, or `taskhub --ascii`"
        found.append(Check("letters", "warn", f"The encoding is {sys.stdout.encoding}", remedy))
    if environ.get("TMUX") and not _tmux_tells_focus():
        remedy = "tmux set -g focus-events on"
        found.append(
            Check("focus", "warn", "tmux does not tell whether you look at the app", remedy)
        )
    return found


def _tmux_tells_focus() -> bool:
    """True also when tmux cannot be asked: then there is nothing to complain of."""
    import subprocess

    try:
        said = subprocess.run(
            ["tmux", "show-options", "-gv", "focus-events"],
            capture_output=True,
            text=True,
            timeout=3,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return True
    return said.returncode != 0 or said.stdout.strip() == "on"
