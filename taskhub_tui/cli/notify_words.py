"""The words of the command about notifications, for the parser."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from taskhub_tui.cli.parser import Adder


def notify(add: Adder) -> None:
    """Add the command."""
    add(
        "notify",
        "notify.notify",
        "try out the ways to reach you, set up your phone, say why you were told of a task",
        "`test` sends a message over every channel that is switched on, or over the one that is"
        " named, and says what came of it. `setup phone` makes two secret topics, writes them"
        " into the settings, and shows a code to scan. `why` says for every channel when it told"
        " you of a task, or why it did not. `mute`, `only` and `reset` write what differs for a"
        " task into the settings; a worker that runs heeds it at once.",
        _notify,
    )


def _notify(command: argparse.ArgumentParser) -> None:
    from taskhub_tui.cli.parser import ID

    command.add_argument(
        "what",
        metavar="WHAT",
        choices=("test", "setup", "why", "mute", "only", "reset"),
        help="test [CHANNEL]; setup phone; why ID: explain; mute ID: tell in the app only;"
        " only ID CHANNEL...: on these channels; reset ID: as all others",
    )
    command.add_argument(
        "about",
        metavar="ABOUT",
        nargs="*",
        help=f"a channel, or {ID}; for mute, only and reset also playbook:NAME or agent:NAME",
    )
    command.add_argument(
        "--server", metavar="URL", help="setup: an ntfy server of your own; else https://ntfy.sh"
    )
    command.add_argument(
        "--token",
        metavar="REFERENCE",
        help="setup: where its access token is: env:NAME, keyring:SERVICE/NAME or file:/path",
    )
    command.add_argument(
        "--new", action="store_true", help="setup: new topics in the place of those there are"
    )
