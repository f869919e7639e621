"""The care of the store, for front ends: backups, deleting, compacting, export and import."""

import asyncio
import contextlib
import os
import stat
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, TextIO

from taskhub_tui import keeper, variables
from taskhub_tui.config import Paths, Settings, make_private
from taskhub_tui.domain.errors import BadInput, StoreError
from taskhub_tui.domain.model import Status
from taskhub_tui.domain.views import Compacted, Copy, Exported, Imported, Pruned, Restored
from taskhub_tui.doorbell import Doorbell
from taskhub_tui.storage import apart, backups, compaction, queries, retention
from taskhub_tui.storage import restore as restoring
from taskhub_tui.storage.database import refuse_lost
from taskhub_tui.storage.queries import Reader
from taskhub_tui.storage.store import Store


async def back_up(paths: Paths, settings: Settings, target: Path | None = None) -> Copy:
    """Back up the database now, to `target` or among the daily copies; work goes on meanwhile.

    Raises:
        BadInput: there is nothing to back up, or `target` exists.
        StoreError: it could not be made, or the file is damaged.
    """
    if target is not None:
        return await asyncio.to_thread(backups.write, paths.database, target.absolute())
    refuse_lost(paths.database)
    if not paths.database.exists():
        raise BadInput("There is nothing to back up: no task was ever handed over")
    copy = await asyncio.to_thread(
        backups.make,
        paths.database,
        paths.backups,
        keep=settings.backup.keep,
        now=time.time(),
    )
    assert copy is not None
    backups.note_failure(paths.backups, None)
    return copy


def copies(paths: Paths) -> list[Copy]:
    """Return the backups, the newest first."""
    return backups.listed(paths.backups)


async def restore(paths: Paths, copy: Path, *, damaged: bool = False) -> Restored:
    """Put a backup in the place of the database; nothing in it starts by itself.

    Args:
        damaged: also one in which tasks are not what was written.

    Raises:
        BadInput: the backup cannot be used.
        StoreError: a worker or an app has the database open, or the file cannot be put there.
    """

    def put() -> Restored:
        with keeper.kept_away(paths):
            done = restoring.restore(paths.database, copy.absolute(), time.time(), damaged=damaged)
            # What was said of the database that was replaced.
            backups.note_damage(paths.backups, done.damaged or None)
            return done

    done = await asyncio.to_thread(put)
    with contextlib.suppress(StoreError):  # It is restored, whatever becomes of this look at it.
        async with _opened(paths) as store:
            found = await store.read(apart.wants)
        done = replace(done, notes=tuple(_gone(paths, found)))
    return done


async def prune(
    paths: Paths,
    older_than: float,
    status: Sequence[Status],
    *,
    by: str,
    keep_results: bool = False,
    dry: bool = False,
) -> Pruned:
    """Delete tasks that are over for longer than `older_than` seconds; returns what went.

    Args:
        keep_results: delete their logs and scratch files only.
        dry: delete nothing; return what would go.

    Raises:
        StoreError: the database cannot be read or written.
    """
    now = time.time()
    before = now - older_than
    refuse_lost(paths.database)
    if not paths.database.exists():
        return Pruned((), 0, 0, 0, 0)
    async with _opened(paths) as store:
        found = await store.read(lambda reader: retention.old(reader, before, status))
        would = await asyncio.to_thread(retention.look, paths, found, keep_results=keep_results)
        if dry:
            return would
        return await retention.prune(
            store, paths, would.tasks, before, status, keep_results=keep_results, by=by, now=now
        )


@contextlib.asynccontextmanager
async def _opened(paths: Paths) -> AsyncIterator[Store]:
    """Open the store; others are told of what is written to it."""
    store = await Store.open(paths.database)
    bell = Doorbell(paths.home)
    store.after_commit = lambda tx: bell.ring()
    try:
        yield store
    finally:
        await store.close()


async def compact(paths: Paths) -> Compacted:
    """Give the room of deleted rows back to the disk.

    Raises:
        StoreError: the file is large and in use, there is no room for a copy, or it is damaged.
    """
    return await asyncio.to_thread(compaction.compact, paths.database)


async def export(paths: Paths, wanted: Sequence[str], out: TextIO) -> Exported:
    """Write tasks to `out` as JSON Lines, all of them when none is named.

    What is damaged is left out; the result says so.

    Raises:
        UnknownTask: one that is named does not exist.
        StoreError: the database cannot be read.
    """
    from taskhub_tui.storage import exports

    refuse_lost(paths.database)
    if not wanted and not paths.database.exists():
        return Exported(0, ())
    async with _opened(paths) as store:
        found = await store.read(lambda reader: exports.numbers(reader, wanted))
        return await exports.write(store, found, out)


async def import_(paths: Paths, source: Path | BinaryIO, *, by: str, dry: bool = False) -> Imported:
    """Import the tasks of an export; those that were not over are paused.

    Args:
        source: a file, or a stream that is read to its end first.
        dry: only check, and say what would be imported.

    Raises:
        BadInput: a line is wrong; nothing was imported.
        StoreError: the database cannot be written.
    """
    from taskhub_tui.storage import exchange

    make_private(paths.home)
    with contextlib.ExitStack() as stack:
        name, whole = "The input", False
        if isinstance(source, Path):
            name = str(source)
            try:
                source = stack.enter_context(source.open("rb"))
            except (OSError, ValueError) as error:
                said = getattr(error, "strerror", None) or error
                raise BadInput(f"{name} cannot be read: {said}") from error
            whole = stat.S_ISREG(os.fstat(source.fileno()).st_mode)
        if not whole:
            # It is read twice, to check all of it and to import it; a pipe gives it only once.
            held = stack.enter_context(tempfile.TemporaryFile(dir=paths.home))
            await asyncio.to_thread(exchange.copy, source, name, held, paths.home)
            source = held
        async with _opened(paths) as store:
            done = await exchange.load(store, source, name, by=by, now=time.time(), dry=dry)
            if dry or not done.tasks:
                return done
            found = await store.read(lambda reader: apart.wants(reader, set(done.tasks)))
        return replace(done, notes=(*done.notes, *_gone(paths, found)))


async def not_exported(paths: Paths, wanted: Sequence[str]) -> list[str]:
    """Say which variables of these tasks, or of all, are in no export, in sentences.

    Raises:
        UnknownTask: one that is named does not exist.
        StoreError: the database cannot be read.
    """

    def find(reader: Reader) -> list[apart.Wants]:
        return apart.wants(reader, {queries.find(reader, one) for one in wanted} or None)

    if not paths.database.exists():
        return []
    async with _opened(paths) as store:
        found = await store.read(find)
    return [
        f"Task {one.id} needs {', '.join(one.names)}. No export has the value of what was given"
        " with --env: give it anew where you import it"
        for one in found
    ]


def _gone(paths: Paths, found: Sequence[apart.Wants]) -> list[str]:
    """Say which tasks need variables whose values are not here, and how to give them."""
    said = []
    for one in found:
        if gone := variables.missing(paths.task(one.id), one.names):
            how = variables.again(one.id, gone, one.status.value)
            said.append(f"Task {one.id} needs {', '.join(gone)} anew: {how}")
    return said
