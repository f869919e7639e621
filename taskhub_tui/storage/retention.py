"""Deleting what nobody needs any more: tasks that are over, their logs and scratch folders.

Never a task that runs, waits, is held by a worker, or that another one waits for; and nothing but
folders of tasks under the hub's own folder. Results in the user's folder are not ours to delete.
"""

import contextlib
import os
import shutil
import stat
import time
from collections.abc import Sequence
from pathlib import Path

from taskhub_tui import variables
from taskhub_tui.config import Paths
from taskhub_tui.domain import ids
from taskhub_tui.domain.errors import TaskHubError
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
        if keep_results:
            took = await _take_files(store, paths, batch, before, status, by=by, now=now)
        else:
            took = await _take_tasks(store, paths, batch, before, status)
        for one, folder in took:
            gone.append(one)
            counts[0] += one.events
            counts[1] += _size(folder / "log")
            with contextlib.suppress(OSError):
                counts[2] += len(os.listdir(folder / "run"))
            counts[3] += _size(folder)
            _remove(folder)
    known = None
    if not keep_results:
        known = await store.read(
            lambda reader: {id_ for (id_,) in reader.execute("SELECT id FROM task").fetchall()}
        )
    sweep(paths, known)
    return Pruned(tuple(gone), 0 if keep_results else counts[0], *counts[1:])


async def _take_tasks(
    store: Store, paths: Paths, batch: Sequence[Prunable], before: float, status: Sequence[Status]
) -> list[tuple[Prunable, Path]]:
    """Delete the rows; returns whose, and the folders that belong to nobody now."""
    where, values = _where(before, status)
    marks = ", ".join("?" * len(batch))

    def take(tx: Tx) -> set[int]:
        tx.long()
        tx.loud = True
        found = tx.execute(
            f"DELETE FROM task WHERE n IN ({marks}) AND {where} RETURNING n",
            [*(one.n for one in batch), *values],
        ).fetchall()
        return {n for (n,) in found}

    taken = await store.write(take)
    return [(one, paths.task(one.id)) for one in batch if one.n in taken]


async def _take_files(
    store: Store,
    paths: Paths,
    batch: Sequence[Prunable],
    before: float,
    status: Sequence[Status],
    *,
    by: str,
    now: float,
) -> list[tuple[Prunable, Path]]:
    """Put files aside that are no results, and note that; returns whose, and where they are.

    While the lock is held, so that no task can begin anew meanwhile: RETRY comes before, and the
    task is left alone, or after, and makes its own folders.
    """
    where, values = _where(before, status)
    marks = ", ".join("?" * len(batch))
    moved: list[tuple[Path, Path]] = []

    def take(tx: Tx) -> list[tuple[Prunable, Path]]:
        tx.long()
        _put_back(moved)  # It may be run a second time.
        found = tx.execute(
            f"SELECT n FROM task WHERE n IN ({marks}) AND {where}",
            [*(one.n for one in batch), *values],
        ).fetchall()
        over = {n for (n,) in found}
        took = []
        for one in batch:
            if one.n in over:
                files = tx.execute("SELECT path FROM artifact WHERE task_n = ?", (one.n,))
                keep = {Path(path) for (path,) in files.fetchall()} | _needed(paths, one)
                aside = _put_aside(paths.task(one.id), one.id, keep, moved)
                add_event(tx, one.n, now, "pruned", None, by, "hub", {"kept": "results"})
                took.append((one, aside))
        return took

    try:
        return await store.write(take)
    except TaskHubError:
        _put_back(moved)
        raise


def _put_aside(folder: Path, task_id: str, keep: set[Path], moved: list[tuple[Path, Path]]) -> Path:
    """Move what is in a task's folder, but for the files in `keep`, to one that is to be deleted.

    Args:
        moved: gets each move, from where and where to.
    """
    aside = _aside(folder, task_id)
    if not ids.is_id(task_id) or folder.is_symlink() or not folder.is_dir():
        return aside

    def move(source: Path, target: Path) -> None:
        target.mkdir(mode=0o700, exist_ok=True)
        for entry in list(os.scandir(source)):
            path = source / entry.name
            folder = entry.is_dir(follow_symlinks=False)
            with contextlib.suppress(OSError):  # What cannot be moved stays.
                if folder and any(one.is_relative_to(path) for one in keep):
                    move(path, target / entry.name)
                elif path not in keep:
                    path.rename(target / entry.name)
                    moved.append((path, target / entry.name))

    with contextlib.suppress(OSError):
        move(folder, aside)
        folder.rmdir()  # Fails, as it should, where a result is left in it.
    return aside


def _put_back(moved: list[tuple[Path, Path]]) -> None:
    while moved:
        source, target = moved.pop()
        with contextlib.suppress(OSError):
            if not source.exists():
                source.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                target.rename(source)


def sweep(paths: Paths, known: set[str] | None, now: float | None = None) -> int:
    """Delete what was being deleted when somebody was killed; return how many folders went.

    Args:
        known: the tasks there are: folders of others go as well; None leaves those alone.
    """
    now = time.time() if now is None else now
    count = 0
    for entry in _entries(paths):
        leftover = entry.name.startswith(_GONE)
        orphan = known is not None and ids.is_id(entry.name) and entry.name not in known
        with contextlib.suppress(OSError):
            if leftover or (orphan and entry.stat(follow_symlinks=False).st_mtime < now - _ORPHAN):
                shutil.rmtree(entry.path, ignore_errors=True)
                count += 1
    return count


def _remove(folder: Path) -> None:
    """Delete the folder of a task, or what was put aside of it; what is no folder is left alone."""
    name = folder.name
    if (
        not (ids.is_id(name) or name.startswith(_GONE))
        or folder.is_symlink()
        or not folder.is_dir()
    ):
        return
    if ids.is_id(name):
        # Renamed first: whoever is killed now leaves nothing that looks like a task's folder.
        with contextlib.suppress(OSError):
            folder = folder.rename(_aside(folder, name))
    shutil.rmtree(folder, ignore_errors=True)


def _aside(folder: Path, task_id: str) -> Path:
    return folder.with_name(f"{_GONE}{task_id}-{os.getpid()}")


def _needed(paths: Paths, one: Prunable) -> set[Path]:
    """Return the files that a task still needs where only its results stay: it can be retried."""
    return {paths.task(one.id) / variables.FILE} if one.status is Status.FAILED else set()


def _left(paths: Paths, one: Prunable) -> bool:
    """Return whether a task's own folder has something that it needs no more."""
    folder = paths.task(one.id)
    if folder.is_symlink():
        return False
    with contextlib.suppress(OSError):
        return bool({folder / name for name in os.listdir(folder)} - _needed(paths, one))
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
