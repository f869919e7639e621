"""Commands that look after the store: `backup`, `restore`, `prune`, `compact`, `export`,
`import`.
"""

import asyncio
import contextlib
import os
import sys
import time
from argparse import Namespace
from pathlib import Path

from taskhub_tui.cli import shapes
from taskhub_tui.cli.output import Cell, Output, local, size
from taskhub_tui.cli.values import duration
from taskhub_tui.domain import durations
from taskhub_tui.domain.errors import BadInput, StoreError
from taskhub_tui.domain.model import Status
from taskhub_tui.domain.views import Exported, Pruned


def backup(args: Namespace, out: Output) -> int:
    """Copy the database, or list the copies."""
    from taskhub_tui import care, config

    where = config.paths()
    if args.list:
        found = care.copies(where)
        if out.as_json:
            out.data([shapes.copy(one) for one in found])
        elif not found:
            out.say("There is no backup yet. Workers make one a day; `taskhub backup` makes one.")
        else:
            now = time.time()
            rows: list[list[str | Cell]] = [
                [
                    local(one.made, now),
                    size(one.size),
                    "all" if one.sound else "damaged tasks",
                    one.path,
                ]
                for one in found
            ]
            out.table(("MADE", "SIZE", "SOUND", "FILE"), rows)
        return 0
    target = Path(args.output) if args.output is not None else None
    made = asyncio.run(care.back_up(where, config.settings(where), target))
    if out.as_json:
        out.data(shapes.copy(made))
    else:
        out.line(made.path)
        if made.sound:
            out.say(f"Backed up {size(made.size)}, and found the copy sound.")
    if not made.sound:
        out.say(
            f"Backed up {size(made.size)}, damaged tasks with it: {made.damaged}."
            " See `taskhub doctor`."
        )
    return 0


def restore(args: Namespace, out: Output) -> int:
    """Put a backup in the place of the database."""
    from taskhub_tui import care, config

    where = config.paths()
    if args.file:
        copy = Path(args.file)
    else:
        found = care.copies(where)
        if not found:
            raise BadInput("There is no backup", "Name a file: `taskhub restore FILE`")
        copy = Path(found[0].path)
    sure(args, out, f"Put {copy} in the place of the database?")
    done = asyncio.run(care.restore(where, copy, damaged=args.damaged))
    if out.as_json:
        out.data(shapes.restored(done))
        return 0
    out.say(f"Restored {done.copy}.")
    if done.aside:
        out.say(f"What it replaced is in {done.aside}.")
    if done.damaged:
        out.say(f"Damaged in it: {done.damaged}. `taskhub doctor` says what to do.")
    if done.paused:
        tasks = "1 task was" if done.paused == 1 else f"{done.paused} tasks were"
        out.say(
            f"{tasks} not over then, and paused now: what has run since the backup would run"
            " again. See `taskhub list --status paused`, then `taskhub resume ID`."
        )
    for note in done.notes:
        out.say(note)
    return 0


def prune(args: Namespace, out: Output) -> int:
    """Delete tasks that are long over."""
    from taskhub_tui import care, config

    where = config.paths()
    settings = config.settings(where)
    status = [Status(one) for one in args.status] or [Status.COMPLETED, Status.CANCELLED]
    seconds = duration(args.older_than, "--older-than")

    def run(dry: bool) -> Pruned:
        keep, by = args.keep_results, settings.owner
        return asyncio.run(care.prune(where, seconds, status, by=by, keep_results=keep, dry=dry))

    found = run(True)
    if not args.dry_run and found.tasks:
        if not args.yes:
            _list(out, found)
        sure(args, out, f"Delete {_amount(found, args.keep_results)}?")
        found = run(False)
    if out.as_json:
        out.data({"deleted": not args.dry_run, **shapes.pruned(found)})
    elif not found.tasks:
        age = durations.spell(seconds)
        out.say(f"Nothing to delete: no such task was over for longer than {age}.")
    elif args.dry_run:
        _list(out, found)
        out.say(f"Would delete {_amount(found, args.keep_results)}.")
    else:
        out.say(f"Deleted {_amount(found, args.keep_results)}.")
        out.say("`taskhub compact` gives the room in the database back to the disk.")
    return 0


_SHOWN = 20


def _list(out: Output, found: Pruned) -> None:
    now = time.time()
    rows: list[list[str | Cell]] = [
        [Cell(one.id, "bold"), one.status.value, durations.spell(now - one.ended), one.title]
        for one in found.tasks[:_SHOWN]
    ]
    out.table(("ID", "STATE", "OVER FOR", "TITLE"), rows)
    if len(found.tasks) > _SHOWN:
        out.say(f"… and {len(found.tasks) - _SHOWN} more")


def _amount(found: Pruned, keep_results: bool) -> str:
    tasks = _count(len(found.tasks))
    files = f"{size(found.log)} of logs, {found.folders} run folders, {size(found.size)} in all"
    if keep_results:
        return f"the logs and scratch files of {tasks} ({files})"
    return f"{tasks} with {found.events} events ({files})"


def compact(args: Namespace, out: Output) -> int:
    """Give the room of deleted rows back to the disk."""
    from taskhub_tui import care, config

    done = asyncio.run(care.compact(config.paths()))
    if out.as_json:
        out.data({"before": done.before, "after": done.after})
    else:
        out.say(f"The database had {size(done.before)}, and has {size(done.after)} now.")
    return 0


def export(args: Namespace, out: Output) -> int:
    """Print tasks as JSON Lines, or write them to a file."""
    from taskhub_tui import care, config

    if bool(args.ids) == args.all:
        raise BadInput("Name the tasks to export, or say --all", "See `taskhub export --help`")
    where = config.paths()
    if args.output is None:
        done = asyncio.run(care.export(where, args.ids, out.out))
        _say_variables(args, out)
        _say_left_out(done, out)
        return 0
    target = Path(args.output)
    try:
        file = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise BadInput(f"{target} exists already", "Name another file") from None
    except OSError as error:
        raise BadInput(f"{target} cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(file, "w", encoding="utf-8") as lines:
            done = asyncio.run(care.export(where, args.ids, lines))
            lines.flush()
            os.fsync(lines.fileno())
    except BaseException as error:
        target.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise BadInput(f"{target} cannot be written: {error.strerror}") from error
        raise
    if done.left_out and not done.count:
        target.unlink(missing_ok=True)
    else:
        out.say(f"Exported {_count(done.count)} to {target}.")
        _say_variables(args, out)
    _say_left_out(done, out)
    return 0


def _say_variables(args: Namespace, out: Output) -> None:
    """Say which values an export lacks; one that is damaged has been made all the same."""
    from taskhub_tui import care, config

    with contextlib.suppress(StoreError):
        for said in asyncio.run(care.not_exported(config.paths(), args.ids)):
            out.say(said)


def _say_left_out(done: Exported, out: Output) -> None:
    """Name the tasks that an export could not have.

    Raises:
        StoreError: there are some.
    """
    if not done.left_out:
        return
    out.out.flush()
    for said in done.left_out:
        out.say(f"Left out: {said}.")
    raise StoreError(
        f"{_count(len(done.left_out))} could not be exported",
        "The others were. `taskhub doctor` says more; `taskhub restore` puts a backup back"
        if done.count
        else "`taskhub doctor` says more; `taskhub restore` puts a backup back",
    )


def import_(args: Namespace, out: Output) -> int:
    """Take over tasks that were exported."""
    from taskhub_tui import care, config

    where = config.paths()
    source = sys.stdin.buffer if args.file == "-" else Path(args.file)
    by = config.settings(where).owner
    done = asyncio.run(care.import_(where, source, by=by, dry=args.dry_run))
    if out.as_json:
        out.data({"imported": not args.dry_run, **shapes.imported(done)})
        return 0
    verb = "Would import" if args.dry_run else "Imported"
    out.say(f"{verb} {_count(len(done.tasks))}.")
    if done.paused:
        were = "was" if done.paused == 1 else "were"
        out.say(
            f"{_count(done.paused)} {were} not over, so paused: see"
            " `taskhub list --status paused`, then `taskhub resume ID`."
        )
    if done.skipped:
        out.say(f"Skipped {_count(len(done.skipped))} that are here already.")
    for note in done.notes:
        out.say(note)
    return 0


def _count(tasks: int) -> str:
    return "1 task" if tasks == 1 else f"{tasks} tasks"


def sure(args: Namespace, out: Output, question: str) -> None:
    """Ask on a terminal whether to go on.

    Raises:
        BadInput: the answer is no, or nobody is there to ask.
    """
    if args.yes:
        return
    if not sys.stdin.isatty() or not sys.stderr.isatty():
        raise BadInput("There is nobody to ask here, so nothing was done", "Add --yes to do it")
    print(f"{question} [y/N] ", end="", file=out.err, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise BadInput("Nothing was done")
