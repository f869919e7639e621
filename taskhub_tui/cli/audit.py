"""`audit`, `inbox` and `rules`: what was decided, what is to be, and what is always allowed."""

import asyncio
from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from taskhub_tui.cli import detail, shapes
from taskhub_tui.cli.look import rouse
from taskhub_tui.cli.output import Cell, Output, local
from taskhub_tui.domain import durations, waiting
from taskhub_tui.domain.errors import BadInput

if TYPE_CHECKING:
    from taskhub_tui.domain.audit import Entry
    from taskhub_tui.domain.rules import Rule
    from taskhub_tui.domain.waiting import Waiting


def audit(args: Namespace, out: Output) -> int:
    """Print who decided what, when, by which channel, and what was shown."""
    return asyncio.run(_audit(args, out))


async def _audit(args: Namespace, out: Output) -> int:
    from taskhub_tui.hub import Hub

    async with await Hub.open(channel="cli", autostart=False) as hub:
        task_id = await hub.find(args.id) if args.id else None
        found = await hub.audit(task_id, limit=args.limit)
        now = hub.clock()
    if out.as_json:
        out.data([shapes.audited(one) for one in found])
    elif not found:
        out.say("Nobody has decided anything yet.")
    elif task_id is None:
        _table(out, found, now)
    else:
        for number, one in enumerate(reversed(found)):
            if number:
                out.line()
            _whole(out, one, now)
    return 0


def _table(out: Output, found: Sequence["Entry"], now: float) -> None:
    rows: list[list[str | Cell]] = []
    for one in found:
        about = one.title or one.rule_words or ""
        if one.title and (more := one.rule_words or one.question):
            about = f"{about} – {more}"
        who = f"{one.by or one.peer or '?'} ({one.channel})" if one.channel else one.by
        rows.append(
            [local(one.at, now), one.task_id or "-", Cell(_what(one), _colour(one)), who, about]
        )
    out.table(("WHEN", "TASK", "WHAT", "WHO", "ABOUT"), rows)


def _whole(out: Output, one: "Entry", now: float) -> None:
    """Print an entry with all that was shown: nothing of it is cut."""
    by = f" by {one.by}" if one.by else ""
    channel = f" ({one.channel})" if one.channel else ""
    head = Cell(_what(one), _colour(one) or "bold")
    out.line(Cell(f"{local(one.at, now)}  ", "dim"), head, f"{by}{channel}")
    for name, value in (
        ("said", one.text),
        ("from", one.peer),
        ("rule", f"{one.rule}: {one.rule_words or 'not known any more'}" if one.rule else None),
        ("shown", one.shown),
    ):
        if value and "\n" in value:
            out.line(Cell(f"  {name}:", "dim"))
            out.text(value, "    ")
        elif value:
            out.line(Cell(f"  {name}: ", "dim"), value)


def _what(one: "Entry") -> str:
    if one.what == "decided":
        late = "timed out: " if one.channel == "timeout" else ""
        return late + detail.DECISIONS.get(one.action, one.action)
    if one.what != "refused":
        return one.what
    many = f", {one.times} times" if one.times > 1 else ""
    return f"not taken: {one.verdict}{many}"


def _colour(one: "Entry") -> str:
    if one.what == "refused":
        return "red"
    return {"approve": "green", "deny": "yellow", "cancel": "yellow"}.get(one.action, "")


def inbox(args: Namespace, out: Output) -> int:
    """List what waits for a person, the most urgent first."""
    return asyncio.run(_inbox(args, out))


async def _inbox(args: Namespace, out: Output) -> int:
    from taskhub_tui.hub import Hub

    async with await Hub.open(channel="cli") as hub:
        found = await hub.waiting()
        await rouse(hub, out)
        now = hub.clock()
    if out.as_json:
        out.data([shapes.waiting(one) for one in found])
    elif not found:
        out.say("Nothing waits for you.")
    else:
        rows = [_waits(one, now) for one in found]
        out.table(("TASK", "NEEDS", "SINCE", "OTHERWISE", "WHAT"), rows)
        out.say("`taskhub show ID` has all of it, and the commands that answer.", "dim")
    return 0


def _waits(one: "Waiting", now: float) -> list[str | Cell]:
    need = Cell(f"{one.need.value}, high risk" if one.risky else one.need.value,
                "red" if one.risky else "yellow")  # fmt: skip
    since = durations.spell(max(0.0, now - one.since))
    words = f"{one.task.title}: {waiting.line(one, now)}"
    return [Cell(one.task.id, "bold"), need, since, waiting.consequence(one, now) or "-", words]


def rules(args: Namespace, out: Output) -> int:
    """List the always-allow rules, make one, or revoke some."""
    return asyncio.run(_rules(args, out))


async def _rules(args: Namespace, out: Output) -> int:
    from taskhub_tui.domain.rules import Scope
    from taskhub_tui.hub import Hub

    async with await Hub.open(channel="cli", autostart=False) as hub:
        if args.allow is not None:
            scope, sign, value = args.allow.partition("=")
            if not sign or scope not in {one.value for one in Scope}:
                names = ", ".join(one.value for one in Scope)
                raise BadInput(
                    f"--allow: `{args.allow}` is not of the form SCOPE=VALUE",
                    f"SCOPE is one of {names}",
                )
            if scope == Scope.FOLDER:
                import os.path

                value = os.path.abspath(os.path.expanduser(value))
            found = [await hub.allow(Scope(scope), value)]
        elif args.revoke:
            found = [await hub.revoke(prefix) for prefix in args.revoke]
        else:
            found = await hub.rules(revoked=args.all)
        now = hub.clock()
    if out.as_json:
        out.data([shapes.rule(one) for one in found])
    elif not found:
        out.say("Nothing is always allowed. `taskhub approve ID --always SCOPE` makes a rule.")
    else:
        out.table(("RULE", "STATE", "MADE", "USED", "WHAT"), [_rule(one, now) for one in found])
    return 0


def _rule(one: "Rule", now: float) -> list[str | Cell]:
    from taskhub_tui.domain.rules import words

    state = Cell("holds", "green")
    if one.revoked is not None:
        state = Cell(f"revoked by {one.revoked_by}", "dim")
    used = f"{one.uses}, last {local(one.used, now)}" if one.uses else "never"
    made = f"{local(one.created, now)} by {one.by}"
    return [Cell(one.id, "bold"), state, made, used, words(one.scope, one.value)]
