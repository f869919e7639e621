"""What `taskhub doctor` looks at: the store, workers, questions, agents, desktop, terminal.

Every check looks and changes nothing, except that a hub's folder is made where there is none.
"""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain import durations
from taskhub_tui.domain.errors import BadInput, TaskHubError
from taskhub_tui.domain.limits import Limits
from taskhub_tui.domain.views import ChannelInfo, Check, Tried
from taskhub_tui.regular import open_regular
from taskhub_tui.text import one_line

STALE = 86400.0
"""Seconds after which a question nobody answered is worth a warning."""
RECENT = 7 * 86400.0
"""Seconds in which a mistake of the app's own is mentioned."""
_END = 4000
"""Bytes at the end of the file of mistakes in which the last line is looked for."""


async def checks(paths: Paths, settings: Settings) -> list[Check]:
    """Return what was found, in the order in which one thing needs the other."""
    # Imported here: front ends that check nothing need none of it.
    from taskhub_tui.storage import checkup

    files = checkup.files(paths)
    place = checkup.place(paths.home)
    found = [*_settings(paths, settings), _python(), checkup.sqlite(), files, place]
    if files.state != "fail" and place.state != "fail":
        database = await asyncio.to_thread(checkup.database, paths)
        found += [checkup.results(paths), checkup.disk(paths.home), database]
        now = time.time()
        if database.state != "fail":
            found += await asyncio.to_thread(checkup.tasks, paths)
            found += await _hub(paths, settings)
            found += await asyncio.to_thread(checkup.workers, paths.database, now)
        found.append(await asyncio.to_thread(checkup.copies, paths, settings.backup, now))
    found += await asyncio.to_thread(_mistakes, paths.app_log, time.time())
    known = any(one.name == "database" and one.state != "fail" for one in found)
    found += [await _desktop(), *await _reach(paths, settings, known)]
    return [*found, *await _mail_replies(paths, settings), *_terminal(os.environ)]


def check_notifications(paths: Paths, settings: Settings) -> None:
    """Read the `[notifications]` section as a worker will.

    Raises:
        BadInput: it has a mistake, with which no worker starts.
    """
    from taskhub_tui.notifications import prefs

    prefs.of(settings, paths)


def _settings(paths: Paths, settings: Settings) -> list[Check]:
    """What the front ends need of the settings has been read; workers need more."""
    try:
        check_notifications(paths, settings)
    except BadInput as error:
        remedy = error.hint or f"Correct {paths.config}; no worker starts before"
        return [Check("settings", "fail", str(error), remedy)]
    return []


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check("python", "ok", f"Python {version} at {sys.executable}")


async def _hub(paths: Paths, settings: Settings) -> list[Check]:
    """Check what is in the database, and the agents."""
    from taskhub_tui.hub import Hub
    from taskhub_tui.storage import checkup

    try:
        async with await Hub.open(paths=paths, settings=settings, autostart=False) as hub:
            counts = await hub.counts()
            waiting = counts.running + counts.queued
            workers = await hub.workers()
            now = hub.clock()
            asked = [(task.id, now - blocker.created) for blocker, task in await hub.blockers()]
            cards = hub.agents()
            asked_for = await asyncio.to_thread(checkup.agents_asked_for, paths.database)
    except TaskHubError as error:
        return [Check("hub", "fail", str(error), error.hint)]
    return [
        _worker(sum(one.alive for one in workers), waiting, paths.worker_log),
        _questions(asked),
        *(_agent(card.name, card.title, card.problem) for card in cards),
        *_limits(settings.limits, [card.name for card in cards], paths.config),
        *(
            _agent(
                name,
                f"`{name}`",
                "Tasks wait for it, and it is not installed: install its"
                " package, or give them to another with `taskhub decide ID reassign`",
            )
            for name in sorted(asked_for - {card.name for card in cards})
        ),
    ]


def _worker(alive: int, waiting: int, log: Path) -> Check:
    tasks = "1 task" if waiting == 1 else f"{waiting} tasks"
    if alive:
        return Check("worker", "ok", f"{alive} alive, {tasks} to work on")
    if waiting:
        return Check(
            "worker",
            "warn",
            f"None is alive, and {tasks} {'waits' if waiting == 1 else 'wait'} for one",
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


def _limits(limits: Limits, agents: Sequence[str], file: Path) -> list[Check]:
    """Name what is limited and does not exist: a slip of the pen would limit nothing, unseen."""
    return [
        Check(
            "limits",
            "warn",
            f"`limits.agents` names `{one_line(name, 60)}`, and there is no such agent:"
            " it limits nothing",
            f"Correct {file}; there are: {', '.join(sorted(agents))}",
        )
        for name in sorted(set(limits.agents) - set(agents))
    ]


def _agent(name: str, title: str, problem: str | None) -> Check:
    if problem is None:
        return Check(f"agent {name}", "ok", f"{title} can be used")
    return Check(f"agent {name}", "warn", f"{title} cannot be used", problem)


def _mistakes(log: Path, now: float) -> list[Check]:
    """Mention the app's last mistake, if that was lately."""
    try:
        age = now - log.stat().st_mtime
        with open_regular(log) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _END))
            lines = file.read(_END).decode(errors="replace").strip().splitlines()
    except OSError:
        return []
    if age > RECENT or not lines:
        return []
    said = f"{durations.spell(max(0.0, age))} ago it met a bug: {one_line(lines[-1], 200)}"
    remedy = f"Please report it with the file {log}; without the file it is not mentioned any more"
    return [Check("app", "warn", said, remedy)]


async def channels(paths: Paths, settings: Settings) -> list[ChannelInfo]:
    """Return the channels, whether each is switched on, and what stands in the way of it."""
    from taskhub_tui.notifications import prefs
    from taskhub_tui.notifications.channels import making
    from taskhub_tui.notifications.policy import Channel

    wishes = prefs.of(settings, paths)
    found = []
    for channel in Channel:
        problem = None
        match channel:
            case Channel.IN_APP:
                found.append(ChannelInfo(channel.value, True))
                continue
            case Channel.TERMINAL:
                problem = await asyncio.to_thread(_terminal_problem)
            case Channel.DESKTOP:
                problem = await _desktop_problem()
            case _:
                sender = making.make(channel, wishes, paths)
                try:
                    problem = await sender.available()
                finally:
                    await sender.close()
        found.append(ChannelInfo(channel.value, wishes.of(channel).enabled, problem))
    return found


def phone_is_public(server: str, token: str) -> bool:
    """Tell whether others than the person may use a topic of this ntfy server."""
    from taskhub_tui.notifications.channels.ntfy import is_public

    return is_public(server, token)


async def try_channels(
    paths: Paths, settings: Settings, names: Sequence[str] = ()
) -> Sequence[Tried]:
    """Send a test message over the channels, or those that are named, and say what came of it.

    Raises:
        BadInput: there is no such channel, or the settings have a mistake.
    """
    from taskhub_tui.notifications import prefs, trying

    return await trying.try_out(prefs.of(settings, paths), paths, names)


def _terminal_problem() -> str | None:
    """Say why the terminal shows no messages: a bell is all that it may be given."""
    from taskhub_tui import terminals

    found = terminals.here()
    return None if found.form else terminals.saying(found).removesuffix(".")


async def _desktop_problem() -> str | None:
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
    return problem


async def _desktop() -> Check:
    problem = await _desktop_problem()
    if problem is None:
        return Check("desktop", "ok", "Desktop notifications can be shown")
    return Check(
        "desktop", "warn", problem, "In the app and in `taskhub list` you see all the same"
    )


async def _reach(paths: Paths, settings: Settings, known: bool) -> list[Check]:
    """Look at the channels that are switched on, beside the screens; nothing is sent.

    Args:
        known: the database says how they worked lately.
    """
    from taskhub_tui.notifications import prefs
    from taskhub_tui.notifications.channels import making
    from taskhub_tui.storage import checkup

    try:
        wishes = prefs.of(settings, paths)
    except BadInput:
        return []  # It is said by another check.
    rests = {}
    if known:
        rests = await asyncio.to_thread(checkup.channels_at_rest, paths.database, time.time())
    found = []
    for channel in making.OUTSIDE:
        if not wishes.of(channel).enabled:
            continue
        sender = making.make(channel, wishes, paths)
        try:
            said = await sender.available() or rests.get(channel.value)
        finally:
            await sender.close()
        name, remedy = channel.value, f"`taskhub notify test {channel.value}`"
        if said is None:
            found.append(Check(name, "ok", f"Messages can be sent; {remedy} sends one"))
        else:
            found.append(Check(name, "warn", said.rstrip("."), f"{remedy} tries it out"))
    return found


async def _mail_replies(paths: Paths, settings: Settings) -> list[Check]:
    """Look into the mailbox in which answers come, where there is one."""
    from taskhub_tui.notifications import prefs
    from taskhub_tui.notifications.channels.making import mailbox
    from taskhub_tui.notifications.message import DeliveryError

    try:
        wishes = prefs.of(settings, paths)
    except BadInput:
        return []  # It is said by another check.
    box = mailbox(wishes) if wishes.email.enabled else None
    if box is None:
        return []
    try:
        await box.check()
    except DeliveryError as error:
        remedy = error.hint or "Until then mails are answered by their link, or in TaskHub"
        return [Check("mail replies", "warn", str(error), remedy)]
    return [Check("mail replies", "ok", f"{one_line(wishes.email.imap_host, 80)} can be read")]


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
    # While the app runs, `sys.stdout` is what it catches stray words with, and has no encoding.
    encoding = getattr(sys.__stdout__, "encoding", None) or ""
    if encoding.lower().replace("-", "") != "utf8":
        remedy = "Use a UTF-8 locale, or `taskhub --ascii`"
        found.append(Check("letters", "warn", f"The encoding is {encoding or 'unknown'}", remedy))
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
