"""Putting a backup in the place of the database, and the replaced file aside."""

import contextlib
import fcntl
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from taskhub_tui.config import make_private
from taskhub_tui.domain.errors import BadInput, DiskFull, StoreBusy, StoreError
from taskhub_tui.domain.views import Restored
from taskhub_tui.storage import database, filesystem, newest, rows, seals
from taskhub_tui.storage.backups import copy_pages, sync
from taskhub_tui.storage.guard import Guard
from taskhub_tui.storage.soundness import look, read_only

_OPENED = (0x40000002, 510)
"""Where SQLite locks a file for as long as a connection is open, and how many bytes."""
_PAUSE = """
    UPDATE task SET status = 'paused', waiting_on = NULL, holder = NULL, fence = fence + 1,
                    eta = NULL, silent_since = NULL, changed = :now, seq = :seq
     WHERE status IN ('pending', 'in_progress') RETURNING n, stage
"""


def restore(path: Path, copy: Path, now: float, *, damaged: bool = False) -> Restored:
    """Put `copy` in the place of the database at `path`.

    What was to run when the copy was made is paused: it may have run since. No open question is
    answered by its default any more, and no task fails for a deadline that has passed.

    Args:
        damaged: do so although tasks in it are not what was written. What would go on from the
            damage fails with that sentence; a task that is over stays as it is.

    Raises:
        BadInput: the copy cannot be read, is damaged, or not of TaskHub's.
        StoreBusy: some process has the database open.
        StoreError: the file could not be put there; the database is unchanged.
    """
    if not copy.is_file():
        raise BadInput(f"There is no file {copy}", "`taskhub backup --list` names the backups")
    if path.exists() and copy.samefile(path):
        raise BadInput(f"{copy} is the database itself", "Name a backup of it")
    alone = not _log(copy).exists()
    found = look(copy, alone=alone)
    if found.file:
        raise BadInput(f"{copy} is no sound backup: {found.file[0]}", "Name an older one")
    if found.rows and not damaged:
        raise BadInput(
            f"{copy} is sound but for damaged tasks: {found.damaged}",
            "Name an older one, see `taskhub backup --list`; or add --damaged: what would go on"
            " from the damage fails, and a task that is over stays as it is, wrong",
        )
    _check_version(copy, alone=alone)
    make_private(path.parent)
    part = path.with_name(f".{path.name}.restore.part")
    try:
        _remove(part)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
        try:
            copy_pages(copy, part, alone=alone)
            paused = _pause(part, now)
            sync(part)
            _write_back(path)
            with alone_with(path), contextlib.ExitStack() as later:
                aside = _put_aside(path, now, later)
                newest.forget(path)
                part.replace(path)
                sync(path.parent)
        finally:
            _remove(part)
    except OSError as error:
        if filesystem.no_room(error):
            raise DiskFull(path) from error
        raise StoreError(
            f"The backup could not be put at {path}: {error.strerror}", "Nothing was changed"
        ) from error
    put_aside = None if aside is None else str(aside)
    return Restored(str(copy), put_aside, paused, damaged=found.damaged)


@contextlib.contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Make sure that no process has the database open, or is about to use what it has opened.

    Raises:
        StoreBusy: one has.
        StoreError: the folder cannot be locked.
    """
    guard = Guard(path.parent, database.BUSY_MS / 1000)
    try:
        with guard, closed(path):
            yield
    finally:
        guard.close()


@contextlib.contextmanager
def closed(path: Path) -> Iterator[None]:
    """Make sure that no process has the database open, and keep it so.

    Raises:
        StoreBusy: one has; the message names those of this user.
    """
    if not path.exists():
        yield
        return
    file = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        start, length = _OPENED
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, length, start)
        except OSError:
            ids = ", ".join(map(str, users(path))) or "one that cannot be seen"
            raise StoreBusy(
                f"The database {path} is in use by other processes: {ids}",
                "Close the app, run `taskhub worker --stop`, and try again",
            ) from None
        yield
    finally:
        os.close(file)


def users(path: Path) -> list[int]:
    """Return the processes, but this one, that have a file open, as far as may be seen."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(process.name) != os.getpid() and any(
                os.readlink(entry) == str(path) for entry in (process / "fd").iterdir()
            ):
                found.append(int(process.name))
    return sorted(found)


def _check_version(copy: Path, *, alone: bool) -> None:
    connection = read_only(copy, alone=alone)
    try:
        version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    finally:
        connection.close()
    known = len(database.migrations())
    if version > known:
        raise BadInput(
            f"{copy} has schema {version}, but this TaskHub knows only {known}", "Update TaskHub"
        )


def _pause(part: Path, now: float) -> int:
    """Bring the copy up to date, and let nothing in it start by itself; return how many tasks."""
    connection = sqlite3.connect(part, isolation_level=None)
    try:
        database.migrate(connection)
        connection.execute("BEGIN IMMEDIATE")
        seq = connection.execute("UPDATE meta SET seq = seq + 1 RETURNING seq").fetchone()[0]
        found = connection.execute(_PAUSE, {"now": now, "seq": seq}).fetchall()
        connection.executemany(
            "INSERT INTO event (task_n, at, kind, stage, by, channel, data, seq)"
            " VALUES (?, ?, 'restored', ?, 'restore', 'cli', '{}', ?)",
            [(n, now, stage, seq) for n, stage in found],
        )
        # Whether a stage was stuck is no question of a task that is paused.
        connection.execute(
            "UPDATE blocker SET state = 'withdrawn', seal = NULL, seq = ?"
            " WHERE state = 'open' AND kind = 'stalled'",
            (seq,),
        )
        _lift_limits(connection, now, seq)
        connection.execute("DELETE FROM worker")
        connection.execute("DELETE FROM presence")
        # One that was used since would be good again.
        connection.execute("DELETE FROM answer_token")
        # As would a rule that was revoked since.
        connection.execute(
            "UPDATE rule SET revoked = ?, revoked_by = 'restore' WHERE revoked IS NULL", (now,)
        )
        connection.execute("COMMIT")
        connection.execute("PRAGMA journal_mode = DELETE")
        return len(found)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise database.explain(error, part) from error
    finally:
        connection.close()


def _lift_limits(connection: sqlite3.Connection, now: float, seq: int) -> None:
    """Take away what a worker would act upon by itself before anybody could look.

    An open question would be answered by its default, though a person may have answered it since;
    a task whose deadline has passed would fail.
    """
    lifted = []
    for rowid, n, task_id, stage, deadline, seal, *values in connection.execute(
        "SELECT blocker.rowid, task_n, task.id, blocker.stage, blocker.deadline, blocker.seal,"
        f" {rows.BLOCKER_COLUMNS} FROM blocker JOIN task ON task.n = task_n"
        " WHERE blocker.state = 'open' AND blocker.deadline IS NOT NULL"
    ).fetchall():
        values[rows.BLOCKER.index("deadline")] = None
        connection.execute(
            "UPDATE blocker SET deadline = NULL, seal = ?, seq = ? WHERE rowid = ?",
            (None if seal is None else seals.row(task_id, values), seq, rowid),
        )
        lifted.append((n, stage, {"question": deadline}))
    for n, task_id, stage, deadline, seal, *values in connection.execute(
        f"SELECT n, id, stage, deadline, seal, {', '.join(seals.TASK_PLAN)} FROM task"
        " WHERE ended IS NULL AND deadline <= ?",
        (now,),
    ).fetchall():
        values[seals.TASK_PLAN.index("deadline")] = None
        connection.execute(
            "UPDATE task SET deadline = NULL, seal = ?, seq = ?, edits = edits + 1 WHERE n = ?",
            (None if seal is None else seals.plan(task_id, *values), seq, n),
        )
        lifted.append((n, stage, {"task": deadline}))
    connection.executemany(
        "INSERT INTO event (task_n, at, kind, stage, by, channel, data, seq)"
        " VALUES (?, ?, 'restored', ?, 'restore', 'cli', ?, ?)",
        [(n, now, stage, json.dumps({"deadlines": was}), seq) for n, stage, was in lifted],
    )


def _put_aside(path: Path, now: float, later: contextlib.ExitStack) -> Path | None:
    """Keep the replaced file, with its log of writes, in a folder of its own beside it.

    Args:
        later: closes what must not be closed before the database may be opened by others again.
    """
    if not path.exists() and not _log(path).exists():
        return None
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside, number = path.with_name(f"{database.REPLACED}{stamp}"), 1
    while aside.exists():  # Another was replaced in the same second.
        number += 1
        aside = path.with_name(f"{database.REPLACED}{stamp}-{number}")
    make_private(aside)
    try:
        for file in (path, _log(path)):
            if file.exists():
                _keep(file, aside / file.name, later)
    except OSError:
        for left in (path, _log(path)):
            (aside / left.name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            aside.rmdir()
        raise
    sync(aside)
    # Before the file itself is replaced: the log of the old one must never meet the new one.
    _log(path).unlink(missing_ok=True)
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    sync(path.parent)
    return aside


def _keep(file: Path, kept: Path, later: contextlib.ExitStack) -> None:
    """Keep a file under a second name, so that at every moment there is one under the first.

    FAT and its like have no second names, so there it is copied.
    """
    try:
        os.link(file, kept)
    except OSError as error:
        if error.errno not in filesystem.NO_LINKS:
            raise
    else:
        return
    # Closing it would drop the lock that keeps others away.
    old = later.enter_context(file.open("rb"))
    how = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(kept, how, 0o600), "wb") as new:
        shutil.copyfileobj(old, new, 1 << 20)
        new.flush()
        os.fsync(new.fileno())


def _write_back(path: Path) -> None:
    """Put what stands in the log of writes only into the file, as far as it is sound.

    The log goes before the file does. Were we killed in between, a file without it would be an
    older one, and nothing would say so.
    """
    from taskhub_tui.storage.compaction import truncate  # It imports this module.

    # A damaged one, or one that cannot be read, is put aside as it is.
    with contextlib.suppress(StoreError):
        if path.exists() and not look(path).file:
            truncate(path)


def _log(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _remove(part: Path) -> None:
    for left in part.parent.glob(f"{part.name}*"):
        left.unlink(missing_ok=True)
