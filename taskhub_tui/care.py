"""The care of the store, for front ends: backups and what is done with them."""

import asyncio
import time
from pathlib import Path

from taskhub_tui import keeper
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.errors import BadInput
from taskhub_tui.domain.views import Copy, Restored
from taskhub_tui.storage import backups
from taskhub_tui.storage import restore as restoring


async def back_up(paths: Paths, settings: Settings, target: Path | None = None) -> Copy:
    """Back up the database now, to `target` or among the daily copies; work goes on meanwhile.

    Raises:
        BadInput: there is nothing to back up, or `target` exists.
        StoreError: it could not be made, or the database is damaged.
    """
    if target is not None:
        return await asyncio.to_thread(backups.write, paths.database, target.absolute())
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


async def restore(paths: Paths, copy: Path) -> Restored:
    """Put a backup in the place of the database; nothing in it starts by itself.

    Raises:
        BadInput: the backup cannot be used.
        StoreError: a worker or an app has the database open, or the file cannot be put there.
    """

    def put() -> Restored:
        with keeper.kept_away(paths):
            return restoring.restore(paths.database, copy.absolute(), time.time())

    return await asyncio.to_thread(put)
