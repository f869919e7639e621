"""Trying out the channels, and setting up push messages to a phone."""

import asyncio
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import asdict

from taskhub_tui.cli.output import Cell, Output
from taskhub_tui.domain.errors import BadInput
from taskhub_tui.domain.views import PhoneSetup

_MARKS = {"ok": ("ok  ", "green"), "off": ("off ", "dim"), "fail": ("fail", "red")}


def test(name: str | None, out: Output) -> int:
    """Try out the channels, or the one that is named."""
    from taskhub_tui import config, diagnosis

    where = config.paths()
    names = [name] if name else []
    found = asyncio.run(diagnosis.try_channels(where, config.settings(where), names))
    if out.as_json:
        out.data([asdict(one) for one in found])
    else:
        width = max(len(one.channel) for one in found)
        for one in found:
            mark, colour = _MARKS[one.state]
            out.line(Cell(mark, colour), f" {one.channel:<{width}}  {one.said}")
    return 1 if any(one.state == "fail" for one in found) else 0


def setup(name: str | None, args: Namespace, out: Output) -> int:
    """Set up the phone, and show a code to scan."""
    if name != "phone":
        raise BadInput(
            "Only the phone is set up by a command: `taskhub notify setup phone`",
            "The other channels are sections of the settings file; docs/notifications.md has them",
        )
    made = asyncio.run(_set_up(args))
    if out.as_json:
        out.data(asdict(made))
        return 0
    out.say("1. Install the app ntfy on your phone (Google Play, F-Droid, App Store).")
    out.say("2. Scan this, or subscribe by hand:\n")
    for line in qr_code(made.link, coloured=out.terminal, unicode=out.unicode):
        print(line, file=out.out)
    out.line(f"\nserver  {made.server}")
    out.line(f"topic   {made.topic}")
    out.say("\n3. `taskhub notify test phone` sends a message to it.")
    out.say("Whoever knows the topic reads your messages: show it to nobody.", "yellow")
    if made.public:
        out.say("On a public server nothing that cannot be taken back can be approved by phone.")
    return 0


async def _set_up(args: Namespace) -> PhoneSetup:
    from taskhub_tui.hub import Hub

    async with await Hub.open(channel="cli", autostart=False) as hub:
        return await hub.set_up_phone(server=args.server, token=args.token, new=args.new)


def qr_code(text: str, *, coloured: bool, unicode: bool) -> Sequence[str]:
    """Return a QR code in lines of text, two rows of it in one, dark on light.

    Args:
        coloured: a terminal shows it: its own colours do not matter then.
    """
    from taskhub_tui import qr

    if not unicode:
        return ["".join("##" if dark else "  " for dark in row) for row in qr.modules(text)]
    lines = qr.half_blocks(text)
    return [f"\x1b[30;107m{line}\x1b[0m" for line in lines] if coloured else lines
