"""Export and import of tasks as JSON Lines; `lines` has the format."""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, BinaryIO, TextIO

from taskhub_tui.domain.errors import BadInput, StoreError
from taskhub_tui.domain.evolve import replace
from taskhub_tui.domain.execution import current
from taskhub_tui.domain.model import Artifact, Blocker, Choice, Stage, StageStatus, Status, Task
from taskhub_tui.domain.views import Imported
from taskhub_tui.storage import queries, rows
from taskhub_tui.storage.changes import add_event, write_blocker, write_stages
from taskhub_tui.storage.lines import LINE_LIMIT, VERSION, BadLine, TaskLine, read
from taskhub_tui.storage.queries import Reader
from taskhub_tui.storage.store import Store
from taskhub_tui.storage.writer import Tx

BATCH = 100
"""Tasks read, or written, in one transaction."""
_OURS = (
    "n", "seq", "deps_left", "holder", "fence", "stopping", "pausing", "stage_agent",
    "silent_since",
)  # fmt: skip
"""What means something in one database only."""


def numbers(reader: Reader, wanted: Sequence[str]) -> list[int]:
    """Return the numbers of tasks by the first letters of their IDs, or of all; oldest first.

    Raises:
        UnknownTask: there is none, or more than one.
    """
    if not wanted:
        return [n for (n,) in reader.execute("SELECT n FROM task ORDER BY n").fetchall()]
    return sorted({queries.task_by_id(reader, queries.find(reader, one)).n for one in wanted})


async def write(store: Store, wanted: Sequence[int], out: TextIO) -> int:
    """Write tasks to `out`, each as it stands in one moment; returns how many."""
    count = 0
    for start in range(0, len(wanted), BATCH):
        part = wanted[start : start + BATCH]

        def collect(reader: Reader, part: Sequence[int] = part) -> list[dict[str, Any]]:
            return [_object(reader, task) for task in queries.tasks_by_number(reader, part)]

        for one in sorted(await store.read(collect), key=lambda one: part.index(one.pop("n"))):
            out.write(json.dumps(one, separators=(",", ":")) + "\n")
            count += 1
    return count


def _object(reader: Reader, task: Task) -> dict[str, Any]:
    values = {name: getattr(task, name) for name in rows.TASK if name not in _OURS}
    stages = queries.stages_of(reader, task)
    after = reader.execute(
        "SELECT task.id FROM dependency JOIN task ON task.n = after_n WHERE task_n = ?"
        " ORDER BY after_n",
        (task.n,),
    ).fetchall()
    return {
        "n": task.n,
        "taskhub": VERSION,
        "task": values,
        "stages": [
            {
                name: getattr(one, name)
                for name in rows.STAGE
                if name not in ("position", "log_mark", "limited", "worked")
            }
            for one in stages
        ],
        "blockers": [_blocker(one) for one in queries.blockers_of(reader, task)],
        "events": [
            {
                "at": one.at,
                "kind": one.kind,
                "stage": one.stage,
                "by": one.by,
                "channel": one.channel,
                "data": one.data,
            }
            for one in queries.events(reader, task)
        ],
        "artifacts": [
            {name: getattr(one, name) for name in Artifact.__slots__ if name != "task_id"}
            for one in queries.artifacts_of(reader, task)
        ],
        "after": [id_ for (id_,) in after],
    }


def _blocker(one: Blocker) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in Blocker.__slots__ if name != "task_id"}
    values["choices"] = [
        {"id": choice.id, "label": choice.label, "effect": choice.effect} for choice in one.choices
    ]
    return values


# Import


def scan(source: BinaryIO, name: str) -> Iterator[tuple[int, TaskLine]]:
    """Return each line of an export, from its beginning, with its number.

    Raises:
        BadInput: a line cannot be imported; says which and why.
    """
    source.seek(0)
    number = 0
    while True:
        number += 1
        try:
            line = source.readline(LINE_LIMIT + 1)
            if not line:
                return
            if len(line) > LINE_LIMIT:
                raise BadLine(f"it is longer than {LINE_LIMIT} bytes")
            if line.strip():
                yield number, read(line.decode())
        except (BadLine, UnicodeDecodeError) as error:
            said = "it is no UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
            raise BadInput(
                f"{name}, line {number}, cannot be imported: {said}", "Nothing was imported"
            ) from None


async def load(
    store: Store, source: BinaryIO, name: str, *, by: str, now: float, dry: bool
) -> Imported:
    """Import every task of a file that is not here yet; nothing when any line is wrong.

    Args:
        source: an open file, which is read several times from its beginning.
        name: of the file, for messages.
        dry: only check, and say what would be imported.

    Raises:
        BadInput: a line is wrong, or two lines are the same task.
        StoreError: the database could not be written; what was imported until then stays whole.
    """
    known = await store.read(
        lambda reader: {id_ for (id_,) in reader.execute("SELECT id FROM task").fetchall()}
    )
    asked = await store.read(
        lambda reader: {id_ for (id_,) in reader.execute("SELECT id FROM blocker").fetchall()}
    )
    fresh, skipped, paused = _check(source, name, known, asked)
    if dry or not fresh:
        return Imported(tuple(fresh), tuple(skipped), paused, ())
    lost: list[str] = []
    done = 0
    batch: list[TaskLine] = []

    async def put() -> None:
        nonlocal done
        if batch:
            whole = list(batch)
            await store.write(lambda tx: _insert(tx, whole, by, now))
            done += len(whole)
            batch.clear()

    try:
        for _, line in scan(source, name):
            if line.task.id not in known:
                batch.append(line)
            if len(batch) >= BATCH:
                await put()
        await put()
        # Last, when every task that another one waits for is there.
        for _, line in scan(source, name):
            if line.after and line.task.id not in known:
                lost += await store.write(partial(_link, line=line))
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
    return Imported(tuple(fresh), tuple(skipped), paused, tuple(lost))


def _check(
    source: BinaryIO, name: str, known: set[str], asked: set[str]
) -> tuple[list[str], list[str], int]:
    """Read the whole file; returns the new IDs, those that are here, and how many are not over."""
    fresh: dict[str, int] = {}
    questions = dict.fromkeys(asked, 0)
    skipped: dict[str, int] = {}
    paused = 0
    try:
        for number, line in scan(source, name):
            first = fresh.get(line.task.id) or skipped.get(line.task.id)
            if first is not None:
                raise BadInput(
                    f"{name}, line {number}: task {line.task.id} stands in line {first} too",
                    "Nothing was imported",
                )
            if line.task.id in known:
                skipped[line.task.id] = number
                continue
            fresh[line.task.id] = number
            paused += not line.task.status.over
            for blocker in line.blockers:
                if blocker.id in questions:
                    raise BadInput(
                        f"{name}, line {number}: the question {blocker.id} belongs to another task",
                        "Nothing was imported",
                    )
                questions[blocker.id] = number
    except OSError as error:
        raise BadInput(f"{name} cannot be read: {error.strerror}") from error
    return [*fresh], [*skipped], paused


def _insert(tx: Tx, batch: Sequence[TaskLine], by: str, now: float) -> None:
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


def _link(tx: Tx, line: TaskLine) -> list[str]:
    """Let a task wait for others again; returns those that are not there, or never completed."""
    lost = []
    n = queries.task_by_id(tx, line.task.id).n
    for other in line.after:
        row = tx.execute("SELECT n, status FROM task WHERE id = ?", (other,)).fetchone()
        if row is None or row[1] == Status.CANCELLED.value:
            lost.append(f"{line.task.id} does not wait for {other} any more: it is not here")
        elif row[1] != Status.COMPLETED.value and not line.task.status.over:
            tx.execute("INSERT OR IGNORE INTO dependency VALUES (?, ?)", (n, row[0]))
    tx.execute(
        "UPDATE task SET deps_left = (SELECT count(*) FROM dependency WHERE task_n = :n)"
        " WHERE n = :n",
        {"n": n},
    )
    return lost
