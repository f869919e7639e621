"""The words of the commands that show the hub elsewhere: in a shell, in a browser."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from taskhub_tui.cli.parser import Adder


def watch(add: Adder) -> None:
    """Add `watch`."""
    add(
        "watch",
        "watch.watch",
        "follow tasks in a few lines of this terminal",
        "Without an ID, all that is open, until Ctrl-C. With IDs, until these are over, each with "
        "its stages and what it said last; exit codes as those of `wait`. Where the output is no "
        "terminal, a line for each change.",
        _watch,
    )


def serve(add: Adder) -> None:
    """Add `serve`."""
    add(
        "serve",
        "serve.serve",
        "show the hub in a browser on this machine",
        "Prints the address to open, which lets in who has it, and goes on until Ctrl-C.",
        _serve,
    )


def _watch(watch: argparse.ArgumentParser) -> None:
    from taskhub_tui.cli.parser import ID

    watch.add_argument("ids", metavar="ID", nargs="*", help=ID)
    watch.add_argument(
        "--ascii",
        action="store_true",
        default=argparse.SUPPRESS,
        help="draw with ASCII characters only",
    )


def _serve(serve: argparse.ArgumentParser) -> None:
    from taskhub_tui.cli.parser import count

    serve.add_argument(
        "--allow-decisions",
        action="store_true",
        help="let the browser hand over, decide and change; else it only shows",
    )
    serve.add_argument(
        "--port", type=_port, metavar="PORT", default=8477, help="else 8477; 0 is any that is free"
    )
    serve.add_argument(
        "--host", metavar="ADDRESS", default="127.0.0.1", help="listen there; else on this machine"
    )
    serve.add_argument(
        "--network",
        action="store_true",
        help="with --host: yes, let other machines in, without encryption",
    )
    serve.add_argument(
        "--windows", type=count, metavar="N", default=4, help="open at once at most; else 4"
    )
    serve.add_argument(
        "--idle",
        metavar="DURATION",
        default="30m",
        help="close a window in which no key was pressed for so long; else 30m",
    )
    serve.add_argument(
        "--ascii",
        action="store_true",
        default=argparse.SUPPRESS,
        help="draw with ASCII characters only",
    )


def _port(text: str) -> int:
    if not text.isdecimal() or len(text) > 5 or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"`{text}` is not a port, a number up to 65535")
    return int(text)
