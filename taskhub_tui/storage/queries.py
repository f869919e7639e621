"""What front ends and the engine read."""

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from taskhub_tui.domain import legal
from taskhub_tui.domain.errors import Damaged, UnknownTask
from taskhub_tui.domain.model import (
    Action,
    Artifact,
    Blocker,
    Event,
    NoticeKind,
    Notification,
    Stage,
    Status,
    Task,
    TaskView,
)
from taskhub_tui.storage import filters, rows, seals
from taskhub_tui.text import one_line

if TYPE_CHECKING:
    from taskhub_tui.domain.views import Changes, Counts, Glance, Unread


class Reader(Protocol):
    """A connection, or a transaction."""

    @property
    def execute(self) -> Any: ...


# Two questions instead of one: what is over comes last, and there is so much of it that it must not
# be sorted. The plus keeps SQLite from collecting it by status; it lies in order already.
_NOT_OVER = "'blocked', 'failed', 'in_progress', 'paused', 'pending'"
_STATUSES = frozenset(status.value for status in Status)
_OVER = "status IN ('completed', 'cancelled')"
_OVER_NEWEST_FIRST = f"+status NOT IN ({_NOT_OVER}) ORDER BY n DESC"


def find(reader: Reader, prefix: str) -> str:
    """Return the one task ID that begins with `prefix`.

    Raises:
        UnknownTask: there is none, or more than one.
    """
    prefix = one_line(prefix, 60)
    wanted = prefix.lower()
    found = [
        row[0]
        for row in reader.execute(
            "SELECT id FROM task WHERE id >= ? AND id < ? ORDER BY id LIMIT 6",
            (wanted, wanted + "\uffff"),
        ).fetchall()
    ]
    if not wanted or not found:
        raise UnknownTask(f"There is no task `{prefix}`", "`taskhub list` shows them all")
    if len(found) > 1 and found[0] != wanted:
        some = ", ".join(found[:5]) + (", …" if len(found) > 5 else "")
        raise UnknownTask(f"Several tasks begin with `{prefix}`: {some}", "Give more letters")
    return str(found[0])


def number(reader: Reader, task_id: str) -> int:
    """Return the number of a task; raises UnknownTask when there is none with this whole ID."""
    row = reader.execute("SELECT n FROM task WHERE id = ?", (task_id,)).fetchone()
    if row is None:
        raise UnknownTask(f"There is no task `{task_id}`", "`taskhub list` shows them all")
    return int(row[0])


def task_by_id(reader: Reader, task_id: str, *, read: Callable[[Any], Task] = rows.task) -> Task:
    """Return a task; raises UnknownTask when there is none with this whole ID."""
    row = reader.execute(
        f"SELECT {rows.TASK_COLUMNS} FROM task WHERE id = ?", (task_id,)
    ).fetchone()
    if row is None:
        raise UnknownTask(f"There is no task `{task_id}`", "`taskhub list` shows them all")
    return read(row)


_STAGES = (
    f"SELECT {rows.STAGE_COLUMNS}, seal, plan_seal FROM stage WHERE task_n = ? ORDER BY position"
)


def stages_of(reader: Reader, task: Task, *, checked: bool = True) -> list[Stage]:
    """Return the stages of a task; only to be shown, they need not be checked.

    Raises:
        Damaged: what one has saved or given is not what was written.
    """
    found = []
    for *row, seal, plan in reader.execute(_STAGES, (task.n,)).fetchall():
        if checked:
            rows.check_stage(task.id, row, seal)
            rows.check_plan(task.id, row, plan)
        try:
            found.append(rows.stage(task.id, row))
        except (ValueError, TypeError):
            if checked:
                raise seals.damaged_stage(task.id, row[0], str(row[1])) from None
            found.append(rows.unreadable_stage(task.id, row))
    return found


_BLOCKER = f"SELECT {rows.BLOCKER_COLUMNS}, seal FROM blocker WHERE task_n = ?"


def open_blocker(reader: Reader, task: Task, *, checked: bool = True) -> Blocker | None:
    """Return the question that a task waits with; only to be shown, it need not be checked.

    Raises:
        Damaged: it is not what was asked.
    """
    row = reader.execute(f"{_BLOCKER} AND state = 'open'", (task.n,)).fetchone()
    return None if row is None else _blocker(task, row, None, checked=checked)


def _blocker(task: Task, row: Sequence[Any], stage: int | None, *, checked: bool = True) -> Blocker:
    """`stage` is what surely is its stage: in a damaged row that may be anything."""
    *values, seal = row
    if checked and seal is not None:
        seals.check_blocker(task.id, stage, seal, seals.row(task.id, values))
    try:
        return rows.blocker(task.id, values)
    except (ValueError, TypeError):
        raise seals.damaged_blocker(task.id, stage) from None


def blockers_of(reader: Reader, task: Task) -> list[Blocker]:
    """Return every question of a task, oldest first.

    Raises:
        Damaged: one is not what was asked, or answered.
    """
    found = reader.execute(f"{_BLOCKER} ORDER BY created, id", (task.n,)).fetchall()
    return [_blocker(task, row, None) for row in found]


def blocker_by_id(reader: Reader, task: Task, blocker_id: str) -> Blocker | None:
    row = reader.execute(f"{_BLOCKER} AND id = ?", (task.n, blocker_id)).fetchone()
    return None if row is None else _blocker(task, row, None)


def blocker_by_key(
    reader: Reader, task: Task, stage: int, attempt: int, key: str
) -> Blocker | None:
    """Return a question of an attempt, with its answer if there is one.

    Raises:
        Damaged: it is not what was asked, or answered.
    """
    row = reader.execute(
        f"{_BLOCKER} AND stage = ? AND attempt = ? AND key = ? AND state <> 'withdrawn'",
        (task.n, stage, attempt, key),
    ).fetchone()
    return None if row is None else _blocker(task, row, stage)


def artifacts_of(reader: Reader, task: Task) -> list[Artifact]:
    found = reader.execute(
        "SELECT stage, name, path, media_type, size, created FROM artifact"
        " WHERE task_n = ? ORDER BY stage, created, name",
        (task.n,),
    ).fetchall()
    return [rows.artifact(task.id, row) for row in found]


def view(reader: Reader, task_id: str) -> TaskView:
    """Return a task with all that belongs to it."""
    task = task_by_id(reader, task_id, read=rows.task_to_show)
    blocker = open_blocker(reader, task, checked=False)
    after = reader.execute(
        "SELECT task.id FROM dependency JOIN task ON task.n = after_n WHERE task_n = ?", (task.n,)
    ).fetchall()
    return TaskView(
        task,
        stages_of(reader, task, checked=False),
        blocker,
        artifacts_of(reader, task),
        legal.legal(task, blocker),
        [id_ for (id_,) in after],
    )


def _where(text: str, status: Collection[Status]) -> tuple[str, list[Any]]:
    terms, values = [], []
    if status:
        terms.append(f"status IN ({', '.join('?' * len(status))})")
        values += [one.value for one in status]
    for word in text.split():
        like = "%" + word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        fields = ("title", "request", "agent", "id", "note")
        terms.append(
            "(" + " OR ".join(f"task.{field} LIKE ? ESCAPE '\\'" for field in fields) + ")"
        )
        values += [like] * len(fields)
    return (" WHERE " + " AND ".join(terms) if terms else ""), values


def order(reader: Reader, text: str, status: Collection[Status]) -> list[int]:
    """Return the numbers of the tasks in the order in which they are shown."""
    where, values = _where(text, status)
    where += " AND " if where else " WHERE "
    found: list[int] = []
    # Numbers alone are quickly sorted, and the index by status has them without the wide rows.
    for some in (
        f"status IN ({_NOT_OVER}) ORDER BY {filters.RANK}, n DESC",
        f"NOT (status IN ({_NOT_OVER}) OR {_OVER}) ORDER BY n DESC",  # Damaged: there must be none.
        f"{_OVER} ORDER BY n DESC",
    ):
        found += [n for (n,) in reader.execute(f"SELECT n FROM task{where}{some}", values)]
    return found


def tasks(reader: Reader, text: str, status: Collection[Status], limit: int | None) -> list[Task]:
    """Return tasks in the order in which they are shown."""
    where, values = _where(text, status)
    where += " AND " if where else " WHERE "
    found: list[Any] = []
    for some in (f"status IN ({_NOT_OVER}) ORDER BY {filters.RANK}, n DESC", _OVER_NEWEST_FIRST):
        left = -1 if limit is None else limit - len(found)
        found += reader.execute(
            f"SELECT {rows.TASK_COLUMNS} FROM task{where}{some} LIMIT ?", [*values, left]
        ).fetchall()
    return [rows.task_to_show(row) for row in found]


def latest(reader: Reader, text: str, status: Collection[Status], limit: int) -> list[Task]:
    """Return the newest tasks in which every word of `text` occurs."""
    where, values = _where(text, status)
    found = reader.execute(
        f"SELECT {rows.TASK_COLUMNS} FROM task{where} ORDER BY n DESC LIMIT ?", [*values, limit]
    ).fetchall()
    return [rows.task_to_show(row) for row in found]


def tasks_by_number(reader: Reader, numbers: Sequence[int]) -> list[Task]:
    """Return the tasks with these numbers, in no particular order."""
    found = []
    for start in range(0, len(numbers), 500):
        part = list(numbers[start : start + 500])
        found += reader.execute(
            f"SELECT {rows.TASK_COLUMNS} FROM task WHERE n IN ({', '.join('?' * len(part))})", part
        ).fetchall()
    return [rows.task_to_show(row) for row in found]


def counts(reader: Reader) -> "Counts":
    from taskhub_tui.domain.views import Counts

    found = reader.execute("SELECT status, count(*) FROM task GROUP BY status").fetchall()
    stalled = 0
    if any(status == Status.IN_PROGRESS for status, _ in found):
        (stalled,) = reader.execute(
            "SELECT count(*) FROM task WHERE status = 'in_progress' AND waiting_on = 'user'"
        ).fetchone()
    known: dict[Status, int] = {}
    for status, number in found:
        # One that is damaged is shown as failed.
        shown = Status(status) if status in _STATUSES else Status.FAILED
        known[shown] = known.get(shown, 0) + number
    return Counts.of(known, stalled)


def glance(reader: Reader) -> "Glance":
    from taskhub_tui.domain.views import Glance

    running, fraction = reader.execute(
        "SELECT count(*), avg(fraction) FROM task WHERE status = 'in_progress'"
    ).fetchone()
    needs_you, failed = reader.execute(
        "SELECT EXISTS (SELECT 1 FROM task WHERE status = 'blocked')"
        " OR EXISTS (SELECT 1 FROM task WHERE status = 'in_progress' AND waiting_on = 'user'),"
        " EXISTS (SELECT 1 FROM task JOIN notification ON notification.task_n = task.n"
        " WHERE task.status = 'failed' AND notification.kind = 'error'"
        " AND notification.read IS NULL AND notification.withdrawn IS NULL)"
    ).fetchone()
    return Glance(running, fraction, bool(needs_you), bool(failed))


def served(reader: Reader, now: float) -> bool:
    """Return whether any worker is alive, and stays; a list needs no more than this of them.

    One that was asked to leave may take nothing more, however long it takes to go.
    """
    from taskhub_tui.process import Identity

    found = reader.execute(
        "SELECT lease_until, host, boot, pid, start FROM worker WHERE stop = 0"
    ).fetchall()
    return any(Identity(*row).alive(until, now) for until, *row in found)


def work_left(reader: Reader) -> bool:
    """Return whether any task runs, waits for its turn or a person, or has a deadline to meet."""
    row = reader.execute(
        "SELECT EXISTS (SELECT 1 FROM task WHERE status IN (?, ?, ?))"
        " OR EXISTS (SELECT 1 FROM task WHERE stopping = 1)"
        " OR EXISTS (SELECT 1 FROM task WHERE deadline IS NOT NULL AND ended IS NULL)",
        (Status.PENDING.value, Status.IN_PROGRESS.value, Status.BLOCKED.value),
    ).fetchone()
    return bool(row[0])


def beginning(reader: Reader, limit: int) -> "tuple[Changes, Counts, list[Task]]":
    """Return no changes, the counts, and the first tasks in the order in which they are shown."""
    from taskhub_tui.domain.views import Changes

    seq = reader.execute("SELECT seq FROM meta").fetchone()[0]
    return Changes(seq, (), ()), counts(reader), tasks(reader, "", (), limit)


def changes(reader: Reader, since: int) -> "Changes":
    """Return the tasks and notifications that changed after commit `since`."""
    from taskhub_tui.domain.views import Changes

    seq = reader.execute("SELECT seq FROM meta").fetchone()[0]
    if seq == since:
        return Changes(seq, (), ())
    # Ordered by an expression: for the bare number SQLite would read whole tables in its order.
    found = reader.execute(
        f"SELECT {rows.TASK_COLUMNS} FROM task WHERE seq > ? ORDER BY +n", (since,)
    ).fetchall()
    told = reader.execute(
        f"SELECT {rows.NOTIFICATION_COLUMNS} FROM notification"
        " JOIN task ON task.n = notification.task_n"
        " WHERE notification.seq > ? ORDER BY +notification.id",
        (since,),
    ).fetchall()
    clicked = reader.execute(
        "SELECT task.id FROM event JOIN task ON task.n = event.task_n"
        " WHERE event.seq > ? AND event.kind = 'opened' ORDER BY +event.id",
        (since,),
    ).fetchall()
    return Changes(
        seq,
        [rows.task_to_show(row) for row in found],
        [rows.notification(row) for row in told],
        [task_id for (task_id,) in clicked] if since else [],
    )


def blockers(reader: Reader) -> tuple[list[tuple[Blocker, Task]], list[tuple[Task, Damaged]]]:
    """Return the open questions, the most urgent first: by priority, deadline and age.

    Those that cannot be read come apart, so that one of them does not hide all others.
    """
    found = reader.execute(
        f"SELECT {rows.BLOCKER_COLUMNS}, {rows.TASK_COLUMNS} FROM blocker"
        " JOIN task ON task.n = blocker.task_n WHERE blocker.state = 'open'"
        " ORDER BY task.priority DESC, blocker.deadline IS NULL, blocker.deadline, blocker.created"
    ).fetchall()
    width = len(rows.BLOCKER)
    pairs, damaged = [], []
    for row in found:
        task = rows.task_to_show(row[width:])
        try:
            pairs.append((rows.blocker(task.id, row[:width]), task))
        except (ValueError, TypeError):
            damaged.append((task, seals.damaged_blocker(task.id, task.stage)))
    return pairs, damaged


def overdue(reader: Reader, now: float) -> list[tuple[str, str, Action]]:
    """Return the open questions whose deadline has passed: task, blocker, default answer."""
    found = reader.execute(
        "SELECT task.id, blocker.id, default_action FROM blocker"
        " JOIN task ON task.n = blocker.task_n"
        " WHERE blocker.state = 'open' AND blocker.deadline <= ? AND default_action IS NOT NULL",
        (now,),
    ).fetchall()
    return [(task, blocker, Action(action)) for task, blocker, action in found]


def notifications(reader: Reader, limit: int) -> list[Notification]:
    found = reader.execute(
        f"SELECT {rows.NOTIFICATION_COLUMNS} FROM notification"
        " JOIN task ON task.n = notification.task_n ORDER BY notification.id DESC LIMIT ?",
        (limit,),
    ).fetchall()
    return [rows.notification(row) for row in found]


def unread(
    reader: Reader, kind: NoticeKind | None, task_ids: Collection[str] | None
) -> "list[Unread]":
    """Return the notifications that nobody has read, of these tasks or of all."""
    from taskhub_tui.domain.views import Unread

    where = "read IS NULL" if kind is None else "read IS NULL AND notification.kind = ?"
    values = () if kind is None else (kind.value,)
    head = (
        "SELECT notification.id, notification.kind, task.id FROM notification"
        f" JOIN task ON task.n = notification.task_n WHERE {where}"
    )
    if task_ids is None:
        found = reader.execute(head, values).fetchall()
    else:
        found = [
            row
            for task_id in task_ids
            for row in reader.execute(f"{head} AND task.id = ?", (*values, task_id)).fetchall()
        ]
    return [Unread(number, NoticeKind(name), task_id) for number, name, task_id in found]


def events(reader: Reader, task: Task) -> list[Event]:
    found = reader.execute(
        "SELECT id, ?, at, kind, stage, by, channel, data, seq FROM event"
        " WHERE task_n = ? ORDER BY id",
        (task.id, task.n),
    ).fetchall()
    return [rows.event(row) for row in found]


def estimate(reader: Reader, history: str) -> float | None:
    """Return the seconds that the same stage took on average in its last ten clean runs."""
    row = reader.execute(
        "SELECT avg(ended - started) FROM (SELECT started, ended FROM stage"
        " WHERE history = ? AND status = 'done' AND ended >= started"
        " ORDER BY ended DESC LIMIT 10)",
        (history,),
    ).fetchone()
    return None if row[0] is None else float(row[0])
