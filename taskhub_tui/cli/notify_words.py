"""The words of `taskhub notify`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from taskhub_tui.cli.parser import Adder


def notify(add: Adder) -> None:
    """Add `notify`."""
    add(
        "notify",
        "notify.notify",
        "try out the ways to reach you, or set up your phone",
        "`test` sends a message over every channel that is switched on, or over the one that is"
        " named, and says what came of it. `setup phone` makes two secret topics, writes them"
        " into the settings, and shows a code to scan.",
        _notify,
    )


def _notify(command: argparse.ArgumentParser) -> None:
    command.add_argument("what", metavar="WHAT", choices=("test", "setup"), help="test, or setup")
    command.add_argument(
        "about", metavar="CHANNEL", nargs="?", help="one channel; for `setup`, phone"
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
