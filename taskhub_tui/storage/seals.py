"""Checksums of what was asked for, of checkpoints, and of decisions.

SQLite has none of its own: of single flipped bits in a file, two of three change a value that is
read without complaint. A seal is written in the same statement as the values it covers, and
compared when a stage is to run on them, when a question is decided or its answer handed on, and by
`taskhub doctor`.

It is a CRC-32. That finds every single flipped bit and every run of damaged bits up to 32, and
misses one of four thousand million other changes; the rows it stands beside are small. It guards
against accidents: who can change the file can also write the sum.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from zlib import crc32

from taskhub_tui.domain.errors import Damaged

TASK_PLAN = ("request", "options", "context", "agent", "workdir", "deadline")
STAGE_PLAN = (
    "position", "name", "agent", "prompt", "options", "gate", "review", "timeout", "retries",
    "retry_delay", "on_interrupt", "stall",
)  # fmt: skip
"""The columns that say what a task, or a stage, is to do, and whether a person is asked."""
_ONCE = 5
"""How many of these the first seals covered; rows that are older than the rest still bear them."""


def stage(
    task_id: str,
    position: int,
    name: str,
    attempt: int,
    approved: int,
    status: str,
    state: str | None,
    output: str | None,
) -> int:
    """Return the seal of a stage by its stored values.

    It covers the result of one that is done, and of any other what the agent has saved.
    """
    kept = output if status == "done" else state
    text = (
        f"{task_id}\0{position}\0{attempt}\0{approved}\0{status}\0{name}\0"
        f"{'' if kept is None else kept}"
    )
    return crc32(text.encode())


def row(task_id: str, values: Sequence[Any]) -> int:
    """Return the seal of a blocker by all its stored columns, or of any other row."""
    parts = [value if value.__class__ is str else _plain(value) for value in values]
    return crc32("\0".join((task_id, *parts)).encode())


def _plain(value: Any) -> str:
    """Return a value as SQLite keeps it: 3 in a column of times comes back as 3.0."""
    if value is None:
        return ""
    return repr(float(value)) if isinstance(value, int | float) else str(value)


def plan(task_id: str, *values: Any) -> int:
    """Return the seal of what is to be done, by the stored columns `TASK_PLAN` or `STAGE_PLAN`."""
    return row(task_id, values)


def fits(seal: int, task_id: str, *values: Any) -> bool:
    """Return whether what is to be done is what was sealed."""
    if seal == plan(task_id, *values):
        return True
    return seal == crc32("\0".join((task_id, *map(str, values[:_ONCE]))).encode())


def event(
    n: int, at: float, kind: str, position: int | None, by: str, channel: str, data: str
) -> int:
    """Return the seal of a line of the audit trail."""
    return row("", (n, at, kind, position, by, channel, data))


def check_stage(task_id: str, position: int, name: str, seal: int, found: int) -> None:
    """Raise Damaged unless a stage's values are those that were sealed."""
    if seal != found:
        raise damaged_stage(task_id, position, name)


def damaged_stage(task_id: str, position: int, name: str) -> Damaged:
    """Return the error for a stage of which the database holds what was never written."""
    return Damaged(
        f"What the database holds of the stage “{name}” of task {task_id} is damaged",
        "RETRY runs that stage again; `taskhub restore` puts a backup back instead",
        position=position,
    )


def check_task(task_id: str, seal: int, values: Sequence[Any]) -> None:
    """Raise Damaged unless what was asked for, the columns `TASK_PLAN`, is what was sealed."""
    if not fits(seal, task_id, *values):
        raise Damaged(
            f"What the database holds of the request of task {task_id} is damaged",
            _LOOK_FIRST.format(task_id),
        )


def check_plan(task_id: str, seal: int, values: Sequence[Any]) -> None:
    """Raise Damaged unless what a stage is to do, its columns `STAGE_PLAN`, is what was sealed."""
    if not fits(seal, task_id, *values):
        position, name, *_ = values
        raise Damaged(
            f"What the stage “{name}” of task {task_id} is to do is damaged in the database",
            _LOOK_FIRST.format(task_id),
            position=position,
        )


def check_blocker(task_id: str, position: int | None, seal: int, found: int) -> None:
    """Raise Damaged unless a question and its answer are those that were sealed."""
    if seal != found:
        raise damaged_blocker(task_id, position)


def damaged_blocker(task_id: str, position: int | None) -> Damaged:
    """Return the error for a question, or an answer, that is not what was written."""
    return Damaged(
        f"A question of task {task_id}, or its answer, is damaged in the database",
        "RETRY asks again; `taskhub restore` puts a backup back instead",
        position=position,
    )


_LOOK_FIRST = (
    "Look at it with `taskhub show {}`: RETRY does what it says there, MODIFY corrects it first;"
    " `taskhub restore` puts a backup back instead"
)
_STAGES = """
    SELECT task.id, position, name, attempt, approved, stage.status, state, output, stage.seal
      FROM stage JOIN task ON task.n = task_n WHERE stage.seal IS NOT NULL
"""
_EVENTS = """
    SELECT task.id, task_n, at, kind, event.stage, by, channel, data, event.seal
      FROM event JOIN task ON task.n = task_n WHERE event.seal IS NOT NULL
"""


def broken(reader: Any, blocker_columns: str) -> Iterator[tuple[str, str]]:
    """Return every row that is not what was sealed: whose it is, and what to say of it."""
    yield from _broken_plans(reader)
    for task_id, position, name, *values, seal in reader.execute(_STAGES):
        if stage(task_id, position, name, *values) != seal:
            yield task_id, f"The stage “{name}” of task {task_id} is not what was written"
    for task_id, seal, *values in reader.execute(
        f"SELECT task.id, blocker.seal, {blocker_columns} FROM blocker"
        " JOIN task ON task.n = task_n WHERE blocker.seal IS NOT NULL"
    ):
        if row(task_id, values) != seal:
            yield task_id, f"A question of task {task_id}, or its answer, is not what was written"
    for task_id, *values, seal in reader.execute(_EVENTS):
        if event(*values) != seal:
            yield task_id, f"A decision in the history of task {task_id} is not what was written"


def _broken_plans(reader: Any) -> Iterator[tuple[str, str]]:
    known = reader.execute("SELECT 1 FROM pragma_table_info('task') WHERE name = 'seal'")
    if known.fetchone() is None:
        return  # A copy from before these were sealed.
    for task_id, seal, *values in reader.execute(
        f"SELECT id, seal, {', '.join(TASK_PLAN)} FROM task WHERE seal IS NOT NULL"
    ):
        if not fits(seal, task_id, *values):
            yield task_id, f"What task {task_id} is to do is not what was written"
    columns = ", ".join(f"stage.{name}" for name in STAGE_PLAN)
    for task_id, seal, *values in reader.execute(
        f"SELECT task.id, plan_seal, {columns} FROM stage"
        " JOIN task ON task.n = task_n WHERE plan_seal IS NOT NULL"
    ):
        if not fits(seal, task_id, *values):
            yield (
                task_id,
                f"What the stage “{values[1]}” of task {task_id} is to do is not what was written",
            )
