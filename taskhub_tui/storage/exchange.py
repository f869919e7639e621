"""Import of tasks from JSON Lines; `lines` has the format."""

import errno
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, BinaryIO

from taskhub_tui.domain.errors import BadInput, StoreError
from taskhub_tui.domain.evolve import replace
from taskhub_tui.domain.execution import current
from taskhub_tui.domain.model import Blocker, Choice, Stage, StageStatus, Status, Task
from taskhub_tui.domain.views import Imported
from taskhub_tui.records import dataclass
from taskhub_tui.storage import rows
from taskhub_tui.storage.changes import add_event, write_blocker, write_stages
from taskhub_tui.storage.lines import LINE_LIMIT, BadLine, TaskLine, read
from taskhub_tui.storage.store import Store
from taskhub_tui.storage.writer import Tx

BATCH = 100
"""Tasks written in one transaction."""
_ROOM = 200_000_000
"""Bytes that must be left on a disk besides the copy of what is imported."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A line of a file that was checked."""

    number: int
    at: int
    """Where it begins, in bytes."""
    after: tuple[str, ...]
    """IDs of the tasks that its task waits for."""


def scan(source: BinaryIO, name: str) -> Iterator[tuple[int, int, TaskLine]]:
    """Return each line of an export, with its number and where it begins, in bytes.

    Raises:
        BadInput: a line cannot be imported; says which and why.
    """
    number, at = 0, 0
    source.seek(0)
    while True:
        number += 1
        try:
            line = source.readline(LINE_LIMIT + 1)
            if not line:
                return
            if task := _task(line):
                yield number, at, task
        except BadLine as error:
            raise _wrong(name, number, error) from None
        at += len(line)


def copy(source: BinaryIO, name: str, held: BinaryIO, folder: Path) -> None:
    """Copy an export that can be read only once, as from a pipe, checking each line meanwhile.

    So what is none is refused at once, however much of it there is, and a disk is not filled by it.

    Args:
        held: a file in `folder`.

    Raises:
        BadInput: a line cannot be imported, or there is no room for all of it.
    """
    number = left = 0
    try:
        while True:
            number += 1
            line = source.readline(LINE_LIMIT + 1)
            if not line:
                break
            if not line.strip():
                line = b"\n"
            else:
                _task(line)
            if len(line) > left:
                free = shutil.disk_usage(folder).free - _ROOM
                if len(line) > free:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                left = max(len(line), free // 2)  # Others write as well: it is looked at again.
            left -= len(line)
            held.write(line)
        held.flush()
    except BadLine as error:
        raise _wrong(name, number, error) from None
    except OSError as error:
        raise BadInput(
            f"{name} could not be copied to {folder}: {error.strerror}", "Nothing was imported"
        ) from error


def _wrong(name: str, number: int, error: BadLine) -> BadInput:
    said = f"{name}, line {number}, cannot be imported: {error}"
    return BadInput(said, "Nothing was imported")


def _task(line: bytes) -> TaskLine | None:
    """Return what a line holds, which may be nothing; raises BadLine."""
    if len(line) > LINE_LIMIT:
        raise BadLine(f"it is longer than {LINE_LIMIT} bytes")
    try:
        return read(line.decode()) if line.strip() else None
    except UnicodeDecodeError:
        raise BadLine("it is no UTF-8") from None


async def load(
    store: Store, source: BinaryIO, name: str, *, by: str, now: float, dry: bool
) -> Imported:
    """Import every task of a file that is not here yet; nothing when any line is wrong.

    A task comes after those that it waits for, and together with that it waits: whatever stops an
    import, none is here that would begin too early.

    Args:
        source: an open file, which is read twice.
        name: of the file, for messages.
        dry: only check, and say what would be imported.

    Raises:
        BadInput: a line is wrong, two lines are the same task, or tasks wait for each other.
        StoreError: the database could not be written; what was imported until then stays whole.
    """
    known = await store.read(
        lambda reader: {id_ for (id_,) in reader.execute("SELECT id FROM task").fetchall()}
    )
    asked = await store.read(
        lambda reader: {id_ for (id_,) in reader.execute("SELECT id FROM blocker").fetchall()}
    )
    found, paused = _check(source, name, known, asked)
    fresh = [id_ for id_ in found if id_ not in known]
    skipped = tuple(id_ for id_ in found if id_ in known)
    if dry or not fresh:
        return Imported(tuple(fresh), skipped, paused, ())
    lost: list[str] = []
    done = 0
    batch: list[TaskLine] = []

    async def put() -> None:
        nonlocal done
        whole = list(batch)
        lost.extend(await store.write(lambda tx: _insert(tx, whole, by, now)))
        done += len(whole)
        batch.clear()

    try:
        for id_ in _in_order(found, fresh):
            line = _again(source, found[id_].at, id_)
            if line is None:
                break
            batch.append(line)
            if len(batch) >= BATCH:
                await put()
        if batch:
            await put()
    except StoreError as error:
        raise StoreError(
            f"{error}. {done} of {len(fresh)} tasks were imported before that",
            "Run it again: those that are here are skipped",
        ) from error
    if done != len(fresh):
        raise BadInput(
            f"{name} changed while it was read: {done} of its {len(fresh)} tasks were imported",
            "Run it again: those that are here are skipped",
        )
    return Imported(tuple(fresh), skipped, paused, tuple(lost))


def _again(source: BinaryIO, at: int, task_id: str) -> TaskLine | None:
    """Return a line that was checked; None when it has changed since."""
    try:
        source.seek(at)
        line = _task(source.readline(LINE_LIMIT + 1))
    except (BadLine, OSError):
        return None
    return line if line is not None and line.task.id == task_id else None


def _check(
    source: BinaryIO, name: str, known: set[str], asked: set[str]
) -> tuple[dict[str, _Found], int]:
    """Read the whole file; returns its lines by task, and how many new tasks are not over."""
    found: dict[str, _Found] = {}
    questions = set(asked)
    paused = 0
    try:
        for number, at, line in scan(source, name):
            task_id = line.task.id
            if task_id in found:
                raise BadInput(
                    f"{name}, line {number}: task {task_id} stands in line"
                    f" {found[task_id].number} too",
                    "Nothing was imported",
                )
            found[task_id] = _Found(number, at, tuple(line.after))
            if task_id in known:
                continue
            paused += not line.task.status.over
            for blocker in line.blockers:
                if blocker.id in questions:
                    raise BadInput(
                        f"{name}, line {number}: the question {blocker.id} belongs to another task",
                        "Nothing was imported",
                    )
                questions.add(blocker.id)
    except OSError as error:
        raise BadInput(f"{name} cannot be read: {error.strerror}") from error
    try:
        TopologicalSorter({id_: one.after for id_, one in found.items()}).prepare()
    except CycleError as error:
        ring = error.args[1][:-1]
        some = ", ".join(ring[:5]) + (", …" if len(ring) > 5 else "")
        raise BadInput(
            f"{name}, line {min(found[id_].number for id_ in ring)}: the tasks {some} wait for"
            " each other, so none could ever begin",
            "Nothing was imported",
        ) from None
    return found, paused


def _in_order(found: Mapping[str, _Found], fresh: Sequence[str]) -> Iterator[str]:
    """Return the new tasks in the order of the file, but each one after those it waits for."""
    left = dict.fromkeys(fresh)
    for id_ in fresh:
        stack = [id_]
        while stack:
            before = [other for other in found[stack[-1]].after if other in left]
            if stack[-1] not in left:
                stack.pop()
            elif before:
                stack += reversed(before)
            else:
                one = stack.pop()
                del left[one]
                yield one


def _insert(tx: Tx, batch: Sequence[TaskLine], by: str, now: float) -> list[str]:
    """Write tasks; returns what they do not wait for any more, in sentences."""
    lost = []
    for line in batch:
        task, stages = _normal(line, tx.seq, now)
        values = rows.task_values(task, rows.TASK)
        del values["n"]
        values["seal"] = rows.task_seal(values)
        cursor = tx.execute(
            f"INSERT INTO task ({', '.join(values)}) VALUES (:{', :'.join(values)})", values
        )
        task = replace(task, n=int(cursor.lastrowid or 0))
        write_stages(tx, task, stages)
        lost += _link(tx, task, line.after)
        # What it took elsewhere says nothing of what it takes here.
        tx.execute("UPDATE stage SET history = NULL WHERE task_n = ?", (task.n,))
        for blocker in line.blockers:
            write_blocker(tx, task.n, _asked(task.id, blocker))
        for event in line.events:
            add_event(
                tx, task.n, event.at, event.kind, event.stage, event.by, event.channel, event.data
            )
        for made in line.artifacts:
            tx.execute(
                "INSERT INTO artifact (task_n, stage, name, path, media_type, size, created)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (task.n, *made.model_dump().values()),
            )
        add_event(tx, task.n, now, "imported", None, by, "cli", {"status": line.task.status.value})
    tx.loud = True
    return lost


def _normal(line: TaskLine, seq: int, now: float) -> tuple[Task, list[Stage]]:
    """Return the task as it may stand here: what is not over is paused, and asks before it goes on.

    A stage that had been started elsewhere begins anew, and only when a person says so.
    """
    part = line.task
    stages = [
        Stage(task_id=part.id, position=position, **dict(one))
        for position, one in enumerate(line.stages)
    ]
    task = Task(
        n=0,
        seq=seq,
        # Not what a fresh task has, so that no worker takes its first stage for one to begin.
        fence=1,
        **{**dict(part), "context": tuple(part.context)},
    )
    for stage in stages:
        if stage.status is StageStatus.DONE:
            continue
        # It names processes, folders and operations of another place.
        stages[stage.position] = replace(stage, state=None)
        if not task.status.over:
            stages[stage.position] = replace(
                stage,
                status=StageStatus.PENDING,
                gate=stage.gate or stage.attempt > 0,
                approved=False,
                fraction=None,
                note="",
                started=None,
                ended=None,
                state=None,
                output=None,
                error=None,
                failures=0,
            )
    if task.status.over:
        return task, stages
    first = current(stages)
    return (
        replace(
            task,
            status=Status.PAUSED,
            waiting_on=None,
            eta=None,
            stage=len(stages) if first is None else first.position,
            stage_name="" if first is None else first.name,
            stage_agent=task.agent if first is None else first.agent,
            # One that has passed would fail it before anybody could let it go on.
            deadline=task.deadline if task.deadline is None or task.deadline > now else None,
        ),
        stages,
    )


def _asked(task_id: str, part: Any) -> Blocker:
    values = dict(part)
    values["choices"] = tuple(Choice(one.id, one.label, one.effect) for one in part.choices)
    if part.state == "open":
        values["state"] = "withdrawn"  # It is asked again when the task goes on.
    return Blocker(task_id=task_id, **values)


def _link(tx: Tx, task: Task, after: Sequence[str]) -> list[str]:
    """Let a task wait for others again; returns those that it cannot wait for, in sentences."""
    if task.status in (Status.COMPLETED, Status.CANCELLED):
        return []
    lost = []
    for other in after:
        row = tx.execute("SELECT n, status FROM task WHERE id = ?", (other,)).fetchone()
        if row is None or row[1] == Status.CANCELLED.value:
            why = "it is not here" if row is None else "it was cancelled"
            lost.append(f"{task.id} does not wait for {other} any more: {why}")
        elif row[1] != Status.COMPLETED.value:
            tx.execute("INSERT OR IGNORE INTO dependency VALUES (?, ?)", (task.n, row[0]))
    tx.execute(
        "UPDATE task SET deps_left = (SELECT count(*) FROM dependency WHERE task_n = :n)"
        " WHERE n = :n",
        {"n": task.n},
    )
    return lost
