"""Deleting what nobody needs any more: tasks that are over, their logs and scratch folders.

Never a task that runs, waits, is held by a worker, or that another one waits for; and nothing but
folders of tasks under the hub's own folder. Results in the user's folder are not ours to delete.
"""

import asyncio
import contextlib
import os
import stat
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from taskhub_tui import variables
from taskhub_tui.config import Paths
from taskhub_tui.domain import ids
from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.domain.model import Status
from taskhub_tui.domain.views import Prunable, Pruned
from taskhub_tui.storage.changes import add_event
from taskhub_tui.storage.database import REPLACED
from taskhub_tui.storage.queries import Reader
from taskhub_tui.storage.soundness import Stopped
from taskhub_tui.storage.store import Store
from taskhub_tui.storage.writer import Tx

BATCH = 100
"""Tasks deleted in one transaction: others write in between."""
PAUSE = 7 * 86400.0
"""Most seconds that pass, as far as deleting by itself goes, while nothing is done in a hub."""
_GONE = ".gone-"
"""Begin of the name of a folder that is being deleted."""
_SOME = 100
"""Files between two looks at whether to stop."""
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


@dataclass(slots=True)
class _Room:
    """What folders of tasks take."""

    log: int = 0
    runs: int = 0
    size: int = 0

    def add(self, folder: Path, stop: threading.Event | None) -> None:
        self.log += _size(folder / "log")
        with contextlib.suppress(OSError):
            self.runs += len(os.listdir(folder / "run"))
        self.size += _size(folder, stop)


def look(
    paths: Paths,
    found: Sequence[Prunable],
    *,
    keep_results: bool,
    stop: threading.Event | None = None,
) -> Pruned:
    """Return what deleting these tasks would free. Takes long where they left many files.

    Raises:
        Stopped: `stop` was set meanwhile.
    """
    if keep_results:
        found = [one for one in found if _left(paths, one)]
    room = _Room()
    for one in found:
        room.add(paths.task(one.id), stop)
    events = 0 if keep_results else sum(one.events for one in found)
    return Pruned(tuple(found), events, room.log, room.runs, room.size)


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
    stop: threading.Event | None = None,
) -> Pruned:
    """Delete those of `found` that may still be deleted.

    Files are deleted in another thread: a folder with a hundred thousand of them takes seconds, in
    which a worker has other things to do, and a lease to renew.

    Args:
        keep_results: only logs and scratch files go; the tasks, and what they gave, stay.

    Raises:
        StoreError: the database could not be written; what was deleted until then is gone.
        Stopped: `stop` was set meanwhile; what is left of the files goes the next time.
    """
    gone: list[Prunable] = []
    events, room = 0, _Room()

    def free(folders: Sequence[Path]) -> None:
        for folder in folders:
            room.add(folder, stop)
            _remove(folder, stop)

    for start in range(0, len(found), BATCH):
        batch = found[start : start + BATCH]
        if keep_results:
            took = await _take_files(store, paths, batch, before, status, by=by, now=now)
        else:
            took = await _take_tasks(store, paths, batch, before, status)
        gone += [one for one, _ in took]
        events += 0 if keep_results else sum(one.events for one, _ in took)
        await asyncio.to_thread(free, [folder for _, folder in took])
    known = None
    if not keep_results:
        known = await store.read(
            lambda reader: {id_ for (id_,) in reader.execute("SELECT id FROM task").fetchall()}
        )
    await asyncio.to_thread(sweep, paths, known, stop=stop)
    return Pruned(tuple(gone), events, room.log, room.runs, room.size)


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


def sweep(
    paths: Paths,
    known: set[str] | None,
    now: float | None = None,
    *,
    stop: threading.Event | None = None,
) -> int:
    """Delete what was being deleted when somebody was killed; return how many folders went.

    Args:
        known: the tasks there are: folders of others go as well; None leaves those alone, and so
            does a database that was put aside by `restore`: they may be those of its tasks.

    Raises:
        Stopped: `stop` was set meanwhile.
    """
    now = time.time() if now is None else now
    if known is not None and any(paths.home.glob(f"{REPLACED}*/{paths.database.name}")):
        known = None
    count = 0
    for entry in _entries(paths):
        leftover = entry.name.startswith(_GONE)
        orphan = known is not None and ids.is_id(entry.name) and entry.name not in known
        with contextlib.suppress(OSError):
            if leftover or (orphan and entry.stat(follow_symlinks=False).st_mtime < now - _ORPHAN):
                _delete(Path(entry.path), stop)
                count += 1
    return count


def _remove(folder: Path, stop: threading.Event | None = None) -> None:
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
    _delete(folder, stop)


def _delete(folder: Path, stop: threading.Event | None) -> None:
    """Delete a folder with all that is in it, as far as that is possible.

    By descriptors of the folders, as `shutil.rmtree` does it: what runs in them yet may put a link
    in the place of one.

    Raises:
        Stopped: `stop` was set meanwhile.
    """
    with contextlib.suppress(OSError):
        for _, folders, files, place in os.fwalk(folder, topdown=False):
            with contextlib.suppress(OSError):
                os.fchmod(place, 0o700)  # Some programs take their folders the right to write.
            for number, name in enumerate((*files, *folders)):
                if stop is not None and number % _SOME == 0 and stop.is_set():
                    raise Stopped
                with contextlib.suppress(OSError):
                    try:
                        os.unlink(name, dir_fd=place)
                    except (IsADirectoryError, PermissionError):
                        os.rmdir(name, dir_fd=place)
        folder.rmdir()


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


def _size(path: Path, stop: threading.Event | None = None) -> int:
    """Return the bytes of a file, or of all files in a folder; links are not followed.

    Raises:
        Stopped: `stop` was set meanwhile.
    """
    total = 0
    with contextlib.suppress(OSError):
        about = path.lstat()
        if not stat.S_ISDIR(about.st_mode):
            return about.st_size
        for number, name in enumerate(os.listdir(path)):
            if stop is not None and number % _SOME == 0 and stop.is_set():
                raise Stopped
            total += _size(path / name, stop)
    return total
