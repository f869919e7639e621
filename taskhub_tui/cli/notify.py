"""`taskhub notify`: why a person was told of a task, or was not; and what differs for one task."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from taskhub_tui.cli import shapes
from taskhub_tui.cli.output import Cell, Output
from taskhub_tui.domain.errors import BadInput
from taskhub_tui.domain.model import NoticeKind

if TYPE_CHECKING:
    from taskhub_tui.domain.telling import Told
    from taskhub_tui.hub import Hub


def notify(args: Namespace, out: Output) -> int:
    """Try out the channels, or explain the notifications of a task, or change where they go."""
    if args.what != "setup" and (args.server or args.token or args.new):
        raise BadInput("`--server`, `--token` and `--new` belong to `taskhub notify setup phone`")
    if args.what in ("test", "setup"):
        from taskhub_tui.cli import notify_trying

        if len(args.about) > 1:
            raise BadInput(f"`{args.what}` takes one channel", "See `taskhub notify --help`")
        name = args.about[0] if args.about else None
        if args.what == "test":
            return notify_trying.test(name, out)
        return notify_trying.setup(name, args, out)
    return asyncio.run(_of_task(args, out))


async def _of_task(args: Namespace, out: Output) -> int:
    from taskhub_tui.hub import Hub

    if not args.about:
        raise BadInput(f"`{args.what}` needs the ID of a task", "See `taskhub notify --help`")
    given, *channels = args.about
    if channels and args.what != "only":
        raise BadInput(f"`{args.what}` takes no channels", "See `taskhub notify --help`")
    async with await Hub.open(channel="cli", autostart=False) as hub:
        if args.what == "why":
            _explain(out, await hub.told(await hub.find(given)), hub.clock())
            return 0
        name = given if ":" in given else await hub.find(given)
        await _prefer(hub, name, args.what, channels)
    said = {"mute": "told in the app only", "reset": "told as all others"}
    out.say(f"{name} is {said.get(args.what, 'told on ' + ' and '.join(channels))}.")
    return 0


async def _prefer(hub: Hub, name: str, what: str, channels: list[str]) -> None:
    wish: dict[str, Any] | None = None
    if what == "mute":
        wish = {"mute": True}
    elif what == "only":
        if not channels:
            raise BadInput("`only` needs a channel", "For example `taskhub notify only ID phone`")
        wish = {"channels": channels}
    await hub.prefer_for(name, wish)


def _explain(out: Output, told: list[Told], now: float) -> None:
    from taskhub_tui.domain import telling

    if out.as_json:
        out.data([shapes.told(one) for one in told])
        return
    if not told:
        out.say("Nothing was said about this task so far.")
    for number, one in enumerate(told):
        if number:
            out.line()
        note = one.notification
        out.line(Cell(note.kind.value, "bold"), f"  {note.title}")
        if not one.tellings:
            out.line("  No worker has looked at it yet.")
        for each in one.tellings:
            asks = note.kind in (NoticeKind.BLOCKER, NoticeKind.ERROR)
            out.text(telling.sentence(each, now, asks=asks), "  ")
