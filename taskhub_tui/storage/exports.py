"""Export of tasks as JSON Lines, each one checked first; `lines` has the format."""

import json
import sqlite3
from collections.abc import Sequence
from typing import Any, TextIO

from taskhub_tui.domain.errors import Damaged
from taskhub_tui.domain.model import Artifact, Blocker, Task
from taskhub_tui.domain.views import Exported
from taskhub_tui.storage import queries, rows, seals
from taskhub_tui.storage.lines import LINE_LIMIT, VERSION, BadLine, read
from taskhub_tui.storage.queries import Reader
from taskhub_tui.storage.store import Store

BATCH = 100
"""Tasks read in one snapshot."""
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
        # The index has them without the rows: a page of those that is damaged hides no others.
        return sorted(n for (n,) in reader.execute("SELECT n FROM task INDEXED BY task_status"))
    return sorted({queries.number(reader, queries.find(reader, one)) for one in wanted})


async def write(store: Store, wanted: Sequence[int], out: TextIO) -> Exported:
    """Write tasks to `out`, each as it stands in one moment.

    One that is damaged, or that no import would take, is left out and named; the others are what
    one needs just then.
    """
    count = 0
    left_out: list[str] = []
    for start in range(0, len(wanted), BATCH):
        part = wanted[start : start + BATCH]

        def collect(reader: Reader, part: Sequence[int] = part) -> list[tuple[str, str]]:
            return [_line(reader, n) for n in part]

        for line, problem in await store.read(collect):
            if line:
                out.write(line)
                count += 1
            elif problem:
                left_out.append(problem)
    return Exported(count, tuple(left_out))


def _line(reader: Reader, n: int) -> tuple[str, str]:
    """Return the line of a task, or a sentence that says why there is none."""
    task_id = f"number {n}"
    try:
        row = reader.execute(_TASK, (n,)).fetchone()
        if row is None:
            return "", ""  # It was deleted meanwhile.
        task_id = str(row[_ID])
        line = json.dumps(_object(reader, row), separators=(",", ":"))
        if len(line) > LINE_LIMIT:
            raise BadLine(f"it would be longer than {LINE_LIMIT} bytes")
        read(line)
    except Damaged as error:
        return "", str(error)
    except BadLine as error:
        return "", f"No import would take task {task_id}: {error}"
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
        return "", f"Task {task_id} cannot be read: {error}"
    except (ValueError, TypeError):
        return "", f"What the database holds of task {task_id} is damaged"
    return line + "\n", ""


_TASK = f"SELECT {rows.TASK_COLUMNS}, seal FROM task WHERE n = ?"
_ID = rows.TASK.index("id")
_EVENTS = """
    SELECT seal, task_n, at, kind, stage, by, channel, data FROM event WHERE task_n = ? ORDER BY id
"""


def _object(reader: Reader, row: Sequence[Any]) -> dict[str, Any]:
    """Return a task as an export has it.

    Raises:
        Damaged: something of it is not what was written.
    """
    *row, seal = row
    rows.check_task(row, seal)
    task = rows.task(row)
    stages = queries.stages_of(reader, task)
    after = reader.execute(
        "SELECT task.id FROM dependency JOIN task ON task.n = after_n WHERE task_n = ?"
        " ORDER BY after_n",
        (task.n,),
    ).fetchall()
    if len(after) != task.deps_left:
        raise Damaged(f"What task {task.id} waits for is not what was written")
    return {
        "taskhub": VERSION,
        "task": {name: getattr(task, name) for name in rows.TASK if name not in _OURS},
        "stages": [
            {
                name: getattr(one, name)
                for name in rows.STAGE
                if name not in ("position", "log_mark", "limited", "worked")
            }
            for one in stages
        ],
        "blockers": [_blocker(one) for one in queries.blockers_of(reader, task)],
        "events": _events(reader, task),
        "artifacts": [
            {name: getattr(one, name) for name in Artifact.__slots__ if name != "task_id"}
            for one in queries.artifacts_of(reader, task)
        ],
        "after": [id_ for (id_,) in after],
    }


def _events(reader: Reader, task: Task) -> list[dict[str, Any]]:
    found = []
    for seal, *values in reader.execute(_EVENTS, (task.n,)).fetchall():
        if seal is not None and seals.event(*values) != seal:
            raise Damaged(f"A decision in the history of task {task.id} is not what was written")
        _, at, kind, stage, by, channel, data = values
        found.append({
            "at": at, "kind": kind, "stage": stage, "by": by, "channel": channel,
            "data": json.loads(data),
        })  # fmt: skip
    return found


def _blocker(one: Blocker) -> dict[str, Any]:
    # What becomes of it unanswered is for notifications here; older TaskHubs refuse what is new.
    kept = (name for name in Blocker.__slots__ if name not in ("task_id", "unanswered"))
    values = {name: getattr(one, name) for name in kept}
    values["choices"] = [
        {"id": choice.id, "label": choice.label, "effect": choice.effect} for choice in one.choices
    ]
    return values
