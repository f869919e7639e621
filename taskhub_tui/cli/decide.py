"""`decide` and its short forms, `pause` and `resume`: what a person wants of a task."""

import asyncio
import os
from argparse import Namespace
from typing import Any

from taskhub_tui.cli import shapes, values
from taskhub_tui.cli.output import Output
from taskhub_tui.cli.submit import said
from taskhub_tui.domain.errors import BadInput
from taskhub_tui.domain.model import Action, Status, TaskView


def decide(args: Namespace, out: Output) -> int:
    """Take one of the seven decisions."""
    return asyncio.run(_decided(args, out))


def pause(args: Namespace, out: Output) -> int:
    """Stop a task before its next stage."""
    return asyncio.run(_held(args, out, pause=True))


def resume(args: Namespace, out: Output) -> int:
    """Let a paused task go on."""
    return asyncio.run(_held(args, out, pause=False))


async def _decided(args: Namespace, out: Output) -> int:
    from taskhub_tui.hub import Hub

    action = Action(args.action)
    given = vars(args)
    agent = given.get("agent")
    if agent is not None and action is not Action.REASSIGN:
        raise BadInput("--agent belongs to `decide ID reassign`")
    data = _changes(given)
    if (data or given.get("deadline") is not None) and action is not Action.MODIFY:
        raise BadInput("New values belong to `decide ID modify`")
    blocker, version = _question(given.get("blocker"))
    secret = values.variables(given.get("env") or (), os.environ)
    text = said(args.text, "the text")
    always, pattern = given.get("always"), given.get("pattern")
    if pattern is not None and always != "command":
        raise BadInput("--pattern belongs to --always command")
    if always is not None:
        return await _always(args.id, always, pattern, text, out)
    async with await Hub.open(channel="cli") as hub:
        task_id = await hub.find(args.id)
        if given.get("deadline") is not None:
            data["deadline"] = _deadline(given["deadline"], hub.clock())
        view = await hub.decide(
            task_id,
            action,
            text=text,
            choice=given.get("choice"),
            data=data or None,
            agent=agent,
            blocker_id=blocker,
            version=version,
            secret_env=secret or None,
        )
    _show(out, view)
    out.no_worker(hub.trouble)
    if ({"request", "options"} & data.keys() or secret) and view.task.status is Status.IN_PROGRESS:
        out.say("The stage that runs goes on as it was begun; what starts after it is changed.")
    return 0


async def _always(
    prefix: str, scope: str, pattern: str | None, text: str | None, out: Output
) -> int:
    """Approve, and make a rule of it."""
    from taskhub_tui.domain.rules import Scope, words
    from taskhub_tui.hub import Hub

    async with await Hub.open(channel="cli") as hub:
        task_id = await hub.find(prefix)
        view, rule = await hub.always(task_id, Scope(scope), pattern=pattern, text=text)
    _show(out, view)
    out.say(f"{words(rule.scope, rule.value)}. `taskhub rules --revoke {rule.id}` ends this.")
    return 0


def _changes(given: dict[str, Any]) -> dict[str, Any]:
    """Return what MODIFY is to change."""
    data: dict[str, Any] = {
        name: given[name]
        for name in ("request", "title", "priority")
        if given.get(name) is not None
    }
    options = values.pairs(given.get("options") or (), "--set")
    for name in given.get("unset") or ():
        if name in options:
            raise BadInput(f"`{name}` is both set and taken away")
        options[name] = None
    if options:
        data["options"] = options
    if arguments := values.pairs(given.get("arguments") or (), "--argument"):
        data["arguments"] = arguments
    return data


def _deadline(text: str, now: float) -> float | None:
    if text.strip().lower() == "none":
        return None
    at, seconds = values.due(text, now, "--deadline")
    return at if seconds is None else now + seconds


def _question(given: str | None) -> tuple[str | None, int | None]:
    """Return ID and version of the question that is meant; None stands for the open one."""
    if given is None:
        return None, None
    ident, sign, version = given.partition(":")
    if not ident or (sign and not version.isdecimal()):
        raise BadInput(f"--blocker: `{given}` is not of the form ID or ID:VERSION")
    return ident, int(version) if sign else None


async def _held(args: Namespace, out: Output, *, pause: bool) -> int:
    from taskhub_tui.hub import Hub

    secret = {} if pause else values.variables(args.env, os.environ)
    async with await Hub.open(channel="cli") as hub:
        task_id = await hub.find(args.id)
        if pause:
            view = await hub.pause(task_id)
        else:
            view = await hub.resume(task_id, secret_env=secret or None)
    _show(out, view)
    out.no_worker(hub.trouble)
    return 0


def _show(out: Output, view: TaskView) -> int:
    task = view.task
    if out.as_json:
        out.data(shapes.view(view))
        return 0
    state = "pausing" if task.pausing else task.status.value.replace("_", " ")
    where = f" · stage {task.stage + 1} of {task.stages}" if task.stage < task.stages > 1 else ""
    out.line(f"{task.id}  {state}{where}")
    return 0
