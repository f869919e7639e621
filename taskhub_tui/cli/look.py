"""Commands that only look: `list`, `show`, `logs`, `wait`, `notifications`, `agents`, …"""

import asyncio
import time
from argparse import Namespace
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from taskhub_tui import variables
from taskhub_tui.cli import detail, shapes, values
from taskhub_tui.cli.output import Cell, Output, local
from taskhub_tui.domain.errors import BadInput, WorkerError
from taskhub_tui.domain.model import Status, Task, TaskView
from taskhub_tui.domain.variables import wanted

if TYPE_CHECKING:
    from taskhub_tui.domain.filtering import Filter
    from taskhub_tui.domain.views import LogRun
    from taskhub_tui.hub import Hub

FAILED, CANCELLED, TIMEOUT, NEEDS_YOU = 10, 11, 12, 13
_MANY = 50
_PIECE = 1 << 18
"""Bytes of a log read at once."""
_GLANCE = 0.3
"""Seconds between two looks at a log that is followed."""


def tasks(args: Namespace, out: Output) -> int:
    """List tasks."""
    return asyncio.run(_tasks(args, out))


async def _tasks(args: Namespace, out: Output) -> int:
    from taskhub_tui.hub import Hub

    if args.all and args.limit is not None:
        raise BadInput("--all and -n do not go together")
    async with await Hub.open(channel="cli") as hub:
        limit = None if args.all else args.limit or _MANY
        found = await hub.matching(_wanted(args), limit=None if limit is None else limit + 1)
        await rouse(hub, out)
        now = hub.clock()
    more = limit is not None and len(found) > limit
    found = found[:limit]
    if out.as_json:
        out.data([shapes.task(task) for task in found])
        return 0
    if not found:
        picked = bool(args.text or args.status or args.filter)
        out.say("No task is like that." if picked else 'No tasks yet. Try: taskhub add "…"')
        return 0
    detail.tasks(out, found, now)
    if more and args.limit is None:
        out.say(f"These are {limit}; `taskhub list --all` has the rest.", "dim")
    return 0


def _wanted(args: Namespace) -> "Filter":
    """Return the filter that the words of `list` amount to."""
    from taskhub_tui.domain.filtering import Filter, Term, parse

    words = [Term("word", (word,)) for word in args.text.split()]
    names = tuple("running" if name == "in_progress" else name for name in args.status)
    states = [Term("status", names)] if names else []
    return Filter((*words, *states, *parse(args.filter).terms))


async def rouse(hub: "Hub", out: Output) -> None:
    """Have work go on that lost its worker; that none can be started hinders nobody from looking.

    Raises:
        BadInput: a worker would end at once, because the settings have a mistake.
    """
    try:
        await hub.rouse()
    except WorkerError as error:
        out.no_worker(error)


def show(args: Namespace, out: Output) -> int:
    """Show one task with its stages and, if there is one, its question."""
    return asyncio.run(_show(args, out))


async def _show(args: Namespace, out: Output) -> int:
    from taskhub_tui.hub import Hub

    async with await Hub.open(channel="cli") as hub:
        task_id = await hub.find(args.id)
        view = await hub.status(task_id)
        events = await hub.events(task_id) if args.events else None
        others = {other: (await hub.status(other)).task.status for other in view.after}
        await rouse(hub, out)
        now = hub.clock()
    if out.as_json:
        out.data(shapes.view(view, events))
        return 0
    wants = wanted(view.task, view.stages)
    gone = variables.missing(hub.paths.task(task_id), wants) if wants else ()
    detail.view(out, view, now, others, gone)
    if events is not None:
        detail.events(out, events, now)
    return 0


def logs(args: Namespace, out: Output) -> int:
    """Print a task's log."""
    return asyncio.run(_logs(args, out))


async def _logs(args: Namespace, out: Output) -> int:
    from taskhub_tui.hub import Hub

    async with await Hub.open(channel="cli") as hub:
        task_id = await hub.find(args.id)
        if args.follow:
            await hub.ensure_worker()
        else:
            await rouse(hub, out)
        offset = 0
        while True:
            # Asked before the log is read: what a task says last is then always printed.
            over = (await hub.status(task_id)).task.status.over if args.follow else True
            at_end = False
            while not at_end:
                chunk = await hub.read_log(task_id, offset, _PIECE)
                offset, at_end = chunk.offset, chunk.at_end
                now = hub.clock()
                for said in chunk.runs:
                    _said(out, said, raw=args.raw, now=now)
            out.out.flush()
            if over:
                return 0
            await hub.changed(_GLANCE)


_STREAMS = {"err": "red", "hub": "cyan", "thought": "dim", "tool": "blue"}


def _said(out: Output, said: "LogRun", *, raw: bool, now: float) -> None:
    if out.as_json:
        out.data_lines(shapes.log_lines(said))
    elif raw:
        out.lines(said.text)
    else:
        at = Cell(local(said.at, now), "dim")
        out.lines(said.text, (at, f" {said.stream:<7} "), _STREAMS.get(said.stream, ""))


def wait(args: Namespace, out: Output) -> int:
    """Wait until tasks are over; the exit code says how they ended."""
    return asyncio.run(_wait(args, out))


async def _wait(args: Namespace, out: Output) -> int:
    from taskhub_tui.hub import Hub

    limit = values.duration(args.timeout, "--timeout") if args.timeout is not None else None
    async with await Hub.open(channel="cli") as hub:
        ids = list(dict.fromkeys([await hub.find(prefix) for prefix in args.ids]))
        await hub.ensure_worker()
        views: list[TaskView] = []
        try:
            async with asyncio.timeout(limit):
                await _until(hub, out, ids, views, blocked=args.until == "blocked", one=args.any)
        except TimeoutError:
            _waited(out, views)
            out.say("The time is up.", "yellow")
            return TIMEOUT
    _waited(out, views)
    ended = [view.task.status for view in views]
    if args.any:
        ended = [status for status in ended if status.over or status is Status.BLOCKED][:1]
    return exit_code(ended)


def exit_code(ended: Iterable[Status]) -> int:
    """Return the exit code that says how tasks ended, the worst first."""
    codes = {Status.FAILED: FAILED, Status.CANCELLED: CANCELLED, Status.BLOCKED: NEEDS_YOU}
    found = set(ended)
    return next((code for status, code in codes.items() if status in found), 0)


async def _until(
    hub: "Hub", out: Output, ids: Sequence[str], views: list[TaskView], *, blocked: bool, one: bool
) -> None:
    """Return when the tasks are over; `views` holds how they stood at the last look."""
    told: set[str] = set()
    while True:
        views[:] = [await hub.status(task_id) for task_id in ids]
        for view in views:
            if view.blocker is not None and view.blocker.id not in told:
                told.add(view.blocker.id)
                out.say(f"{view.task.id} needs you: {view.blocker.question}", "yellow")
        ready = [
            view.task.status.over or (blocked and view.task.status is Status.BLOCKED)
            for view in views
        ]
        asked = blocked and any(view.task.status is Status.BLOCKED for view in views)
        if all(ready) or (one and any(ready)) or asked:
            return
        await hub.changed(1.0)


def _waited(out: Output, views: Sequence[TaskView]) -> None:
    if out.as_json:
        out.data([shapes.task(view.task) for view in views])
        return
    for view in views:
        out.line(view.task.id, "  ", detail.state(view.task, time.time()), _reason(view.task))


def _reason(task: Task) -> str:
    reason = task.error if task.status is Status.FAILED else task.summary
    return f"  {reason.splitlines()[0]}" if reason else ""


def notifications(args: Namespace, out: Output) -> int:
    """List what TaskHub has told its user, newest first."""
    return asyncio.run(_notifications(args, out))


async def _notifications(args: Namespace, out: Output) -> int:
    from taskhub_tui.hub import Hub

    async with await Hub.open(channel="cli") as hub:
        found = await hub.notifications(args.limit)
        await rouse(hub, out)
        now = hub.clock()
    if out.as_json:
        out.data([shapes.notification(one) for one in found])
    elif not found:
        out.say("Nothing so far.")
    else:
        rows = []
        for one in found:
            colour = "dim" if one.read or one.withdrawn else ""
            words = one.title if not one.body else f"{one.title} – {one.body}"
            rows.append([local(one.created, now), one.kind.value, one.task_id, Cell(words, colour)])
        out.table(("WHEN", "KIND", "TASK", "MESSAGE"), rows)
    return 0


def agents(args: Namespace, out: Output) -> int:
    """List the agents and the options each one knows."""
    return asyncio.run(_agents(args, out))


async def _agents(args: Namespace, out: Output) -> int:
    from taskhub_tui.hub import Hub

    async with await Hub.open(channel="cli", autostart=False) as hub:
        cards = list(hub.agents())
    if out.as_json:
        out.data([shapes.agent(card) for card in cards])
        return 0
    for number, card in enumerate(cards):
        if number:
            out.line()
        out.line(Cell(card.name, "bold"), f"  {card.title}")
        out.text(card.description, "  ")
        if card.problem:
            out.line("  ", Cell(f"cannot be used: {card.problem}", "red"))
        if card.stages:
            out.line("  stages: ", ", ".join(stage.name for stage in card.stages))
        for name, meaning in card.options.items():
            out.line("  ", Cell(name, "cyan"), f": {meaning}")
    return 0


def playbooks(args: Namespace, out: Output) -> int:
    """List the playbooks that are known by name."""
    return asyncio.run(_playbooks(args, out))


async def _playbooks(args: Namespace, out: Output) -> int:
    from taskhub_tui.hub import Hub

    async with await Hub.open(channel="cli", autostart=False) as hub:
        found = list(hub.playbooks())
    if out.as_json:
        out.data(
            [
                {
                    "name": file.path.stem,
                    "title": file.playbook.name,
                    "description": file.playbook.description,
                    "path": str(file.path),
                    "stages": [shapes.planned(spec) for spec in file.playbook.specs()],
                }
                for file in found
            ]
        )
        return 0
    for number, file in enumerate(found):
        if number:
            out.line()
        out.line(Cell(file.path.stem, "bold"), f"  {file.playbook.name}")
        out.text(file.playbook.description, "  ")
        steps = []
        for spec in file.playbook.specs():
            asks = " (asks first)" if spec.gate else " (asks after)" if spec.review else ""
            steps.append(f"{spec.name}{asks}")
        out.line("  stages: ", " > ".join(steps))
        out.line("  ", Cell(str(file.path), "dim"))
    return 0
