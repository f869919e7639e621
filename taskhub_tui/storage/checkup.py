"""What `taskhub doctor` finds out about the store: its place, files, workers and copies."""

import contextlib
import os
import shutil
import sqlite3
import stat
import time
from pathlib import Path

from taskhub_tui.config import Backups, Paths, make_private
from taskhub_tui.domain import durations, ids
from taskhub_tui.domain.errors import StoreError, TaskHubError
from taskhub_tui.domain.views import Check
from taskhub_tui.process import Identity
from taskhub_tui.storage import backups, filesystem, newest
from taskhub_tui.storage.database import explain, migrations, remains, says_nothing
from taskhub_tui.storage.guard import exposed
from taskhub_tui.storage.soundness import look, read_only

LOW_DISK = 500_000_000
FULL_DISK = 50_000_000
"""Bytes free below which it is worth a warning, and below which work will fail."""
_LOOK_AGAIN = "Mend that, then look again; nothing is known of what is in the file"
LONG_LOG = 200_000_000
"""Bytes of the write-ahead log from which something must hold it open."""


def sqlite(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> Check:
    """Say what is done about the WAL-reset bug, where this SQLite has it."""
    said = f"SQLite {'.'.join(map(str, version))}"
    if not exposed(version):
        return Check("sqlite", "ok", said)
    return Check(
        "sqlite",
        "ok",
        f"{said} has the WAL-reset bug; TaskHub's guard is on, so one process at a time writes",
        "Other programs know nothing of the guard: change the file with none, such as sqlite3,"
        " while TaskHub runs. SQLite 3.51.3 or newer has no such bug",
    )


def files(paths: Paths) -> Check:
    """Look whether the folder and the files are the user's, private, and can be written."""
    home = paths.home
    try:
        make_private(home)
        own = [home, *_own(paths)]
        used = list(dict.fromkeys([*own, *_used(paths)]))
        foreign = [path for path in used if path.lstat().st_uid != os.getuid()]
        loose = [path for path in own if stat.S_IMODE(path.stat().st_mode) & 0o077]
        closed = [path for path in used if not os.access(path, _needed(path, paths))]
    except TaskHubError as error:
        remedy = error.hint or "Give the folder to yourself, or name another with TASKHUB_HOME"
        return Check("files", "fail", str(error), remedy)
    except OSError as error:
        return Check("files", "fail", f"{home}: {error.strerror}", "Check the folder's owner")
    if foreign:
        return Check(
            "files",
            "fail",
            f"Not yours: {_names(foreign)}; was TaskHub run with sudo?",
            f"sudo chown -R {os.getuid()}:{os.getgid()} {home}",
        )
    if closed:
        remedy = f"chmod -R u+rwX {home}"
        return Check("files", "fail", f"Cannot be read or written: {_names(closed)}", remedy)
    if loose:
        remedy = f"chmod -R go-rwx {home}"
        return Check("files", "warn", f"Others can get at {_names(loose)}", remedy)
    return Check("files", "ok", f"{home} is private and writable")


def _own(paths: Paths) -> list[Path]:
    found = sorted(paths.home.glob("taskhub.db*"))
    logs = (paths.worker_log, paths.app_log, paths.serve_log)
    ours = (paths.tasks, paths.backups, *logs)
    found += [path for path in ours if path.exists()]
    return [*found, *(Path(copy.path) for copy in backups.listed(paths.backups))]


def _used(paths: Paths) -> list[Path]:
    """Return what else must be ours for work to be done; what agents left is their own."""
    found = [paths.home / "keeper.lock", paths.home / "run", paths.config]
    with contextlib.suppress(OSError):  # One that is closed is named itself.
        for task in os.scandir(paths.tasks):
            if ids.is_id(task.name):
                folder = Path(task.path)
                found += [folder, folder / "log", folder / "run"]
    return [path for path in found if os.path.lexists(path) and not path.is_symlink()]


def _needed(path: Path, paths: Paths) -> int:
    if path == paths.config:
        return os.R_OK
    return os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)


def results(paths: Paths) -> Check:
    """Look whether results can be put where they are to go."""
    folder = paths.results
    there = folder
    while not os.path.exists(there) and there != there.parent:  # One that is closed hides others.
        there = there.parent
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return Check("results", "ok", f"Results go to {folder}")
    if not there.is_dir():
        remedy = f"Move {there} aside: a folder is to be there"
    elif there.stat().st_uid != os.getuid():
        remedy = f"sudo chown -R {os.getuid()}:{os.getgid()} {there}"
    else:
        remedy = f"chmod u+rwx {there}"
    return Check("results", "fail", f"Nothing can be put into {there}, where results go", remedy)


def _names(found: list[Path]) -> str:
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return " ".join(map(str, found[:3])) + more


def place(home: Path) -> Check:
    """Look whether the folder lies on a disk of this machine."""
    kind = filesystem.kind(home)
    if kind in filesystem.NETWORK:
        accepted = os.environ.get(filesystem.ACCEPT) == "1"
        return Check(
            "place",
            "warn" if accepted else "fail",
            f"{home} lies on a network file system ({kind}), where two machines would damage the"
            " database",
            "Name a folder on a disk of this machine with TASKHUB_HOME",
        )
    if kind in filesystem.SHARED:
        return Check(
            "place",
            "warn",
            f"{home} is a folder of the host of this virtual machine ({kind})",
            "Use TaskHub from one side only, or name a folder of this machine with TASKHUB_HOME",
        )
    return Check("place", "ok", f"{home} lies on this machine" + (f" ({kind})" if kind else ""))


def disk(home: Path) -> Check:
    """Look how much room there is, and try to write; quotas are seen in no figure."""
    try:
        free = shutil.disk_usage(home).free
        said = f"{free / 1e9:.1f} GB free at {home}"
        filesystem.try_to_write(home)
    except OSError as error:
        if filesystem.no_room(error):
            said, remedy = f"The disk that holds {home} is full", "Free some space"
        else:
            said = f"Nothing can be written at {home}: {error.strerror}"
            remedy = "Look how the disk is mounted, and at the system's log"
        return Check("disk", "fail", said, f"{remedy}; tasks cannot be saved")
    if free < FULL_DISK:
        return Check("disk", "fail", said, "Free some space: tasks cannot be saved")
    if free < LOW_DISK:
        return Check("disk", "warn", said, "Free some space soon; `taskhub prune` helps")
    return Check("disk", "ok", said)


def database(paths: Paths) -> Check:
    """Read the whole file once; it is neither made nor brought up to date here."""
    path = paths.database
    if not path.exists() or path.stat().st_size == 0:
        # It is not opened: SQLite deletes the log beside an empty file, with what stands in it.
        if left := remains(path):
            return Check(
                "database",
                "fail",
                f"{path} is empty or gone, but there are {left}",
                _from_backup(paths) or "There is no sound backup: to begin anew, move those aside",
            )
        if newest.known(path):
            lost = newest.gone(path)
            return Check("database", "fail", str(lost), lost.hint)
        return Check("database", "ok", f"{path} will be made with the first task")
    known = len(migrations())
    try:
        connection = read_only(path)
        try:
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
        finally:
            connection.close()
        if version > known:
            said = f"{path} has schema {version}, but this TaskHub knows only {known}"
            return Check("database", "fail", said, "Update TaskHub")
        wrong = list(look(path).file)
    except StoreError as error:
        return Check("database", "fail", str(error), error.hint or _LOOK_AGAIN)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        meant = explain(error, path)
        if says_nothing(error):
            return Check("database", "fail", str(meant), meant.hint or _LOOK_AGAIN)
        wrong = [str(meant)]
    if wrong and newest.LOST in wrong[0]:
        return Check("database", "fail", wrong[0], newest.REMEDY)
    if wrong:
        said = "; ".join(one.replace(f"The database {path} is damaged: ", "") for one in wrong)
        return Check("database", "fail", f"{path} is damaged: {said}", _cure(paths))
    size = path.stat().st_size
    said = f"{path}: the file is sound, schema {version}, {size / 1e6:.1f} MB"
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size > LONG_LOG:
        return Check(
            "database",
            "warn",
            f"{said}; {log.stat().st_size / 1e6:.0f} MB of writes wait beside it",
            "Some process reads without end: close what has the file open",
        )
    return Check("database", "ok", said)


def tasks(paths: Paths) -> list[Check]:
    """Look for tasks in a file that is sound which are not what was written."""
    if not paths.database.exists():
        return []
    try:
        found = look(paths.database)
    except StoreError:
        return []  # What is wrong is said of the file.
    if found.file or not found.rows:
        return []
    remedy = (
        "`taskhub show ID` has what can be read. One that is not over fails where it would go on"
        " from that, and RETRY goes on; one that is over stays as it is until `taskhub prune`"
        " deletes it. Backups are made all the same"
    )
    for copy in backups.listed(paths.backups):
        if copy.sound:
            remedy += f"; the newest without damage is kept: {copy.path}"
            break
    return [Check("tasks", "fail", f"Damaged: {found.damaged}", remedy)]


def _cure(paths: Paths) -> str:
    return _from_backup(paths) or (
        "There is no sound backup. Save what is readable:"
        f" sqlite3 {paths.database} .recover | sqlite3 {paths.database}.new"
    )


def _from_backup(paths: Paths) -> str | None:
    """Say how to put the newest sound backup back; None where there is none.

    A newer one in which only some tasks are damaged is named, too.
    """
    newer = ""
    for copy in backups.listed(paths.backups):
        try:
            found = look(Path(copy.path), alone=True)
        except StoreError:
            continue  # One that cannot be read is none that helps.
        if found.file:
            continue
        ago = durations.spell(time.time() - copy.made)
        if found.rows:
            newer = newer or (
                f"`taskhub worker --stop`, then `taskhub restore --damaged {copy.path}`: it is"
                f" {ago} old, and sound but for damaged tasks; what it replaces is kept"
            )
            continue
        return (
            f"`taskhub worker --stop`, then `taskhub restore {copy.path}`: it is {ago} old and"
            " sound; what it replaces is kept"
        ) + (f". Or {newer}" if newer else "")
    return newer or None


def workers(path: Path, now: float) -> list[Check]:
    """Look for workers that are gone or stand still, and the tasks that are still theirs."""
    if not path.exists():
        return []
    connection = read_only(path)
    try:
        connection.execute("BEGIN")
        listed = connection.execute(
            "SELECT id, host, boot, pid, start, seen, lease_until FROM worker"
        ).fetchall()
        held = dict(
            connection.execute(
                "SELECT holder, count(*) FROM task WHERE holder IS NOT NULL GROUP BY holder"
            ).fetchall()
        )
    except sqlite3.OperationalError:
        return []  # A new one that could not be set up; other checks say why.
    finally:
        connection.close()
    found = []
    alive = False
    dead = {holder: holder for holder in held}
    for id_, host, boot, pid, start, seen, until in listed:
        who = Identity(host, boot, pid, start)
        if until > now and not who.gone():
            alive = True
            dead.pop(id_, None)
        elif who.here and not who.gone():
            dead.pop(id_, None)
            found.append(
                Check(
                    "worker",
                    "warn",
                    f"The worker with process {pid} gave no sign of life for"
                    f" {durations.spell(now - seen)}; it holds {_tasks(held.get(id_, 0))}",
                    f"Is it stopped? kill -CONT {pid} lets it go on, kill -9 {pid} ends it",
                )
            )
        elif id_ in dead:
            dead[id_] = f"process {pid} on {host}"
    remedy = (
        "A living worker takes them over within seconds: run `taskhub doctor` again"
        if alive
        else "`taskhub worker` starts one that takes them over"
    )
    for id_, name in dead.items():
        said = f"A worker is dead ({name}) and still holds {_tasks(held[id_])}"
        found.append(Check("worker", "warn", said, remedy))
    return found


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"


def channels_at_rest(path: Path, now: float) -> dict[str, str]:
    """Return the channels over which nothing goes out now, each with why and for how long."""
    if not path.exists():
        return {}
    connection = read_only(path)
    try:
        found = connection.execute("SELECT channel, since, said FROM channel_rest").fetchall()
    except sqlite3.OperationalError:
        return {}  # As above.
    finally:
        connection.close()
    return {
        name: f"Nothing went out for {durations.spell(max(0.0, now - since))}: {said}"
        for name, since, said in found
    }


def agents_asked_for(path: Path) -> set[str]:
    """Return the agents that tasks which are not over still need."""
    connection = read_only(path)
    try:
        found = connection.execute(
            "SELECT DISTINCT stage.agent FROM task JOIN stage ON stage.task_n = task.n"
            " WHERE task.status IN ('pending', 'in_progress', 'blocked', 'paused')"
            " AND stage.status <> 'done'"
        ).fetchall()
    finally:
        connection.close()
    return {name for (name,) in found}


def copies(paths: Paths, wish: Backups, now: float) -> Check:
    """Look how old the newest backup is, and whether the last try failed."""
    found = backups.listed(paths.backups)
    if not paths.database.exists() and not found:
        return Check("backup", "ok", "There is nothing to back up yet")
    newest = "There is no backup yet"
    if found:
        age = durations.spell(now - found[0].made)
        newest = f"{len(found)} in {paths.backups}, the newest {age} old"
    failed = backups.failure(paths.backups)
    if failed is not None:
        remedy = "Mend that, then `taskhub backup`"
        return Check("backup", "warn", f"The last backup failed: {failed}. {newest}", remedy)
    damage = backups.damage(paths.backups)
    if damage is not None:
        whole = next((copy for copy in found if copy.sound), None)
        older = "None" if whole is None else f"One that is {durations.spell(now - whole.made)} old"
        return Check(
            "backup",
            "warn",
            f"The last backup holds damaged tasks: {damage}. {newest}. {older} is without damage",
            "`taskhub backup` looks again; an older one is kept until it finds no damage",
        )
    if not wish.enabled:
        return Check("backup", "ok", f"Switched off by `[backup] enabled`. {newest}")
    begun = _born(paths.database) if not found else found[0].made
    if now - begun > 2 * wish.every:
        return Check(
            "backup",
            "warn",
            f"{newest}; one every {durations.spell(wish.every)} is wished",
            "`taskhub backup` makes one now; workers do while they run",
        )
    return Check("backup", "ok", newest)


def _born(path: Path) -> float:
    """When the first task was handed over; now, where that cannot be read."""
    try:
        connection = read_only(path)
        try:
            first = connection.execute("SELECT min(created) FROM task").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.Error:
        first = None
    return time.time() if first is None else float(first)
