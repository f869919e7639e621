"""The words of `taskhub notify`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from taskhub_tui.cli.parser import Adder


def notify(add: Adder) -> None:
    """Add `notify`."""
    add(
        "notify",
        "notify.notify",
        "say where a task's notifications went, and why; mute it",
        "`why` says for every channel when it told you, or why it did not. `mute`, `only` and "
        "`reset` write what differs for a task into the settings; a worker that runs heeds it at "
        "once.",
        _notify,
    )


def _notify(parser: argparse.ArgumentParser) -> None:
    from taskhub_tui.cli.parser import ID

    parser.add_argument(
        "what",
        metavar="WHAT",
        choices=("why", "mute", "only", "reset"),
        help="why: explain; mute: tell in the app only; only: on these channels; reset: as others",
    )
    parser.add_argument("id", metavar="ID", help=f"{ID}; or playbook:NAME, agent:NAME")
    parser.add_argument("channels", metavar="CHANNEL", nargs="*", help="only: desktop, phone, …")
