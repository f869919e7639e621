"""The words of the commands that take care of the database, and of what lies in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from taskhub_tui.cli.parser import Adder


def care(add: Adder) -> None:
    """Add the commands of the database's care."""
    add(
        "backup",
        "care.backup",
        "copy the database, and verify the copy",
        "Workers do so daily by themselves; work goes on meanwhile.",
        _backup,
    )
    add(
        "restore",
        "care.restore",
        "put a backup in the place of the database",
        "The replaced file is kept aside. Tasks that were not over are paused. No worker and no "
        "app may run.",
        _restore,
    )
    add(
        "prune",
        "care.prune",
        "delete tasks that are long over",
        "Shows what would go, and asks. Never a task that runs, waits, or is waited for; results "
        "in your own folder stay.",
        _prune,
    )
    add(
        "compact",
        "care.compact",
        "give the room of deleted tasks back to the disk",
        "Nothing can be saved meanwhile, which takes seconds; a large file must not be in use.",
    )
    add(
        "export",
        "care.export",
        "print tasks as JSON Lines",
        "One task a line with all that belongs to it, but for logs and the files it made. What is "
        "damaged is named and left out; the others are printed all the same.",
        _export,
    )
    add(
        "import",
        "care.import_",
        "take over tasks that were exported",
        "All lines are checked before anything is written. What was not over is paused, and asks "
        "before it goes on; tasks that are here already are skipped.",
        _import,
    )


def _backup(backup: argparse.ArgumentParser) -> None:
    backup.add_argument(
        "-o", "--output", metavar="FILE", help="to this new file; else among the daily copies"
    )
    backup.add_argument("--list", action="store_true", help="list the copies, the newest first")


def _restore(restore: argparse.ArgumentParser) -> None:
    restore.add_argument("file", metavar="FILE", nargs="?", help="the copy; else the newest")
    restore.add_argument(
        "--damaged", action="store_true", help="also one in which some tasks are damaged"
    )
    _yes(restore)


def _prune(prune: argparse.ArgumentParser) -> None:
    from taskhub_tui.domain.model import Status

    prune.add_argument(
        "--older-than",
        metavar="DURATION",
        default="30d",
        help="over for longer than this; else 30d",
    )
    prune.add_argument(
        "--status",
        choices=[status.value for status in Status if status.over],
        action="append",
        default=[],
        help="only these; may be repeated; else completed and cancelled",
    )
    prune.add_argument(
        "--keep-results",
        action="store_true",
        help="delete logs and scratch files only; the tasks stay",
    )
    prune.add_argument("--dry-run", action="store_true", help="only show what would go")
    _yes(prune)


def _export(export: argparse.ArgumentParser) -> None:
    from taskhub_tui.cli.parser import ID

    export.add_argument("ids", metavar="ID", nargs="*", help=ID)
    export.add_argument("--all", action="store_true", help="every task")
    export.add_argument("-o", "--output", metavar="FILE", help="to this new file")


def _import(importing: argparse.ArgumentParser) -> None:
    importing.add_argument("file", metavar="FILE", help="the export; `-` reads it from the input")
    importing.add_argument("--dry-run", action="store_true", help="only check")


def _yes(command: argparse.ArgumentParser) -> None:
    command.add_argument("--yes", action="store_true", help="do not ask first")
