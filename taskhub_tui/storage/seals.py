"""Checksums of checkpoints and decisions.

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
    parts = [task_id]
    for value in values:
        # As SQLite keeps it: a whole number in a column of times comes back as a fraction.
        number = isinstance(value, int | float)
        parts.append("" if value is None else repr(float(value)) if number else str(value))
    return crc32("\0".join(parts).encode())


def event(
    n: int, at: float, kind: str, position: int | None, by: str, channel: str, data: str
) -> int:
    """Return the seal of a line of the audit trail."""
    return row("", (n, at, kind, position, by, channel, data))


def check_stage(task_id: str, position: int, name: str, seal: int, found: int) -> None:
    """Raise Damaged unless a stage's values are those that were sealed."""
    if seal != found:
        raise Damaged(
            f"What the database holds of the stage “{name}” of task {task_id} is damaged",
            "RETRY runs that stage again; `taskhub restore` puts a backup back instead",
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


_STAGES = """
    SELECT task.id, position, name, attempt, approved, stage.status, state, output, seal
      FROM stage JOIN task ON task.n = task_n WHERE seal IS NOT NULL
"""
_EVENTS = """
    SELECT task.id, task_n, at, kind, event.stage, by, channel, data, seal
      FROM event JOIN task ON task.n = task_n WHERE seal IS NOT NULL
"""


def broken(reader: Any, blocker_columns: str) -> Iterator[str]:
    """Return, in sentences, every row of a database that is not what was sealed."""
    for task_id, position, name, *values, seal in reader.execute(_STAGES):
        if stage(task_id, position, name, *values) != seal:
            yield f"The stage “{name}” of task {task_id} is not what was written"
    for task_id, seal, *values in reader.execute(
        f"SELECT task.id, blocker.seal, {blocker_columns} FROM blocker"
        " JOIN task ON task.n = task_n WHERE blocker.seal IS NOT NULL"
    ):
        if row(task_id, values) != seal:
            yield f"A question of task {task_id}, or its answer, is not what was written"
    for task_id, *values, seal in reader.execute(_EVENTS):
        if event(*values) != seal:
            yield f"A decision in the history of task {task_id} is not what was written"
