"""Deleting what nobody needs any more: tasks that are over, their logs and scratch folders.

Never a task that runs, waits, is held by a worker, or that another one waits for; and nothing but
folders of tasks under the hub's own folder. Results in the user's folder are not ours to delete.
"""

import contextlib
import os
import shutil
import stat
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from taskhub_tui import variables
from taskhub_tui.config import Paths
from taskhub_tui.domain import ids
from taskhub_tui.domain.model import Status
from taskhub_tui.domain.views import Prunable, Pruned
from taskhub_tui.storage.changes import add_event
from taskhub_tui.storage.queries import Reader
from taskhub_tui.storage.store import Store
from taskhub_tui.storage.writer import Tx

BATCH = 100
"""Tasks deleted in one transaction: others write in between."""
PAUSE = 7 * 86400.0
"""Most seconds that pass, as far as deleting by itself goes, while nothing is done in a hub."""
_GONE = ".gone-"
"""Begin of the name of a folder that is being deleted."""
_ORPHAN = 86400.0
"""Seconds after which a folder without a task belongs to none: one being handed over is younger."""
_OLD = (
    "status IN ({marks}) AND COALESCE(ended, changed) < ? AND holder IS NULL AND stopping = 0"
    " AND NOT EXISTS (SELECT 1 FROM dependency WHERE after_n = task.n)"
)


def old(reader: Reader, before: float, status: Sequence[Status]) -> list[Prunable]:
    """Return the tasks that were over before a time, and that nothing keeps."""
    where, values = _where(before, status)
    found = reader.execute(
        "SELECT n, id, title, status, COALESCE(ended, changed),"
        f" (SELECT count(*) FROM event WHERE task_n = n) FROM task WHERE {where} ORDER BY n",
        values,
    ).fetchall()
    return [
        Prunable(n, id_, title, Status(s), end, events) for n, id_, title, s, end, events in found
    ]


def lived_before(reader: Reader, now: float, seconds: float) -> float:
    """Return the time before which so many seconds have passed in the life of this hub.

    A pause in which nothing was begun or ended counts as a week at most, and as half of `seconds`
    where that is less. So a clock that is years ahead makes nothing old at once: what was over when
    it jumped has this long to live still, less one such pause.
    """
    pause = min(PAUSE, seconds / 2)
    # In steps much shorter than the pause; what lies in the future was noted by a wrong clock.
    step = pause / 20
    steps = {"step": step, "last": int(now / step)}
    known = reader.execute(
        "SELECT CAST(created / :step AS INTEGER) AS at FROM task WHERE at <= :last UNION"
        " SELECT CAST(COALESCE(ended, changed) / :step AS INTEGER) AS at FROM task"
        " WHERE at <= :last ORDER BY at DESC",
        steps,
    ).fetchall()
    later, left = now, seconds
    for (at,) in known:
        gap = later - min(later, at * step)
        if min(gap, pause) >= left:
            break
        left -= min(gap, pause)
        later -= gap
    # Nothing known lies before this, or the rest of the time lies in the next pause.
    return later - left


def _where(before: float, status: Sequence[Status]) -> tuple[str, list[object]]:
    over = [one.value for one in status if one.over]
    return _OLD.format(marks=", ".join("?" * len(over))), [*over, before]


def look(paths: Paths, found: Sequence[Prunable], *, keep_results: bool) -> Pruned:
    """Return what deleting these tasks would free."""
    if keep_results:
        found = [one for one in found if _left(paths, one)]
    log = folders = size = 0
    for one in found:
        log += _size(paths.log(one.id))
        runs = paths.task(one.id) / "run"
        with contextlib.suppress(OSError):
            folders += len(os.listdir(runs))
        size += _size(paths.task(one.id))
    events = 0 if keep_results else sum(one.events for one in found)
    return Pruned(tuple(found), events, log, folders, size)


async def prune(
    store: Store,
    paths: Paths,
    found: Sequence[Prunable],
    before: float,
    status: Sequence[Status],
    *,
    keep_results: bool,
    by: str,
    now: float,
) -> Pruned:
    """Delete those of `found` that may still be deleted.

    Args:
        keep_results: only logs and scratch files go; the tasks, and what they gave, stay.

    Raises:
        StoreError: the database could not be written; what was deleted until then is gone.
    """
    gone: list[Prunable] = []
    counts = [0, 0, 0, 0]
    for start in range(0, len(found), BATCH):
        batch = found[start : start + BATCH]
        numbers = [one.n for one in batch]

        def take(tx: Tx, numbers: list[int] = numbers) -> tuple[set[int], dict[int, list[str]]]:
            tx.long()
            return _take(tx, numbers, before, status, keep_results=keep_results, by=by, now=now)

        taken, kept = await store.write(take)
        went = [one for one in batch if one.n in taken]
        told = look(paths, went, keep_results=False)
        for one in went:
            needed = _needed(paths, one) if keep_results else set()
            _remove(paths, one.id, {*kept.get(one.n, ()), *needed})
        gone += went
        for i, more in enumerate((told.events, told.log, told.folders, told.size)):
            counts[i] += more
    if not keep_results:
        known = await store.read(
            lambda reader: {id_ for (id_,) in reader.execute("SELECT id FROM task").fetchall()}
        )
        sweep(paths, known)
    return Pruned(tuple(gone), 0 if keep_results else counts[0], *counts[1:])


def _take(
    tx: Tx,
    numbers: list[int],
    before: float,
    status: Sequence[Status],
    *,
    keep_results: bool,
    by: str,
    now: float,
) -> tuple[set[int], dict[int, list[str]]]:
    """Delete the rows, or note that only files go; returns whose, and files that are results."""
    where, values = _where(before, status)
    marks = ", ".join("?" * len(numbers))
    if not keep_results:
        tx.loud = True
        found = tx.execute(
            f"DELETE FROM task WHERE n IN ({marks}) AND {where} RETURNING n", [*numbers, *values]
        ).fetchall()
        return {n for (n,) in found}, {}
    found = tx.execute(
        f"SELECT n FROM task WHERE n IN ({marks}) AND {where}", [*numbers, *values]
    ).fetchall()
    kept: dict[int, list[str]] = {}
    for (n,) in found:
        files = tx.execute("SELECT path FROM artifact WHERE task_n = ?", (n,)).fetchall()
        kept[n] = [path for (path,) in files]
        add_event(tx, n, now, "pruned", None, by, "hub", {"kept": "results"})
    return set(kept), kept


def sweep(paths: Paths, known: set[str], now: float | None = None) -> int:
    """Delete folders of tasks that are not there any more; return how many."""
    now = time.time() if now is None else now
    count = 0
    for entry in _entries(paths):
        leftover = entry.name.startswith(_GONE)
        orphan = _is_id(entry.name) and entry.name not in known
        with contextlib.suppress(OSError):
            if leftover or (orphan and entry.stat(follow_symlinks=False).st_mtime < now - _ORPHAN):
                shutil.rmtree(entry.path, ignore_errors=True)
                count += 1
    return count


def _remove(paths: Paths, task_id: str, keep: Iterable[str]) -> None:
    """Delete a task's own folder but for the files in `keep`; what is no folder is left alone."""
    folder = paths.task(task_id)
    if not _is_id(task_id) or folder.is_symlink() or not folder.is_dir():
        return
    wanted = {Path(path) for path in keep if Path(path).is_relative_to(folder)}
    if wanted:
        for path in sorted(folder.rglob("*"), key=lambda path: len(path.parts), reverse=True):
            with contextlib.suppress(OSError):
                if path in wanted:
                    continue
                if path.is_dir() and not path.is_symlink():
                    path.rmdir()  # Fails, as it should, where a result is left in it.
                else:
                    path.unlink()
        return
    # Renamed first: a process that is killed now leaves nothing that looks like a task's folder.
    gone = folder.with_name(f"{_GONE}{task_id}-{os.getpid()}")
    try:
        folder.rename(gone)
    except OSError:
        gone = folder
    shutil.rmtree(gone, ignore_errors=True)


def _is_id(name: str) -> bool:
    return len(name) == ids.LENGTH and set(name) <= set(ids.ALPHABET)


def _needed(paths: Paths, one: Prunable) -> set[str]:
    """Return the files that a task still needs where only its results stay: it can be retried."""
    return {str(paths.task(one.id) / variables.FILE)} if one.status is Status.FAILED else set()


def _left(paths: Paths, one: Prunable) -> bool:
    """Return whether a task's own folder has something that it needs no more."""
    folder = paths.task(one.id)
    if folder.is_symlink():
        return False
    with contextlib.suppress(OSError):
        return bool({str(folder / name) for name in os.listdir(folder)} - _needed(paths, one))
    return False


def _entries(paths: Paths) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(paths.tasks) as entries:
            return [one for one in entries if one.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def _size(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder; links are not followed."""
    total = 0
    with contextlib.suppress(OSError):
        about = path.lstat()
        if not stat.S_ISDIR(about.st_mode):
            return about.st_size
        for name in os.listdir(path):
            total += _size(path / name)
    return total
