"""What waits for a person: open questions, failures not put away, tasks that came paused."""

from taskhub_tui.domain.errors import Damaged
from taskhub_tui.domain.model import Task
from taskhub_tui.domain.waiting import Waiting, in_order
from taskhub_tui.storage import queries, rows
from taskhub_tui.storage.queries import Reader

MOST = 200
"""How many failures, and how many paused tasks, are read: the newest."""

# A failure is put away by reading what was told about it.
_FAILED = f"""
    SELECT {rows.TASK_COLUMNS} FROM task WHERE status = 'failed' AND EXISTS (
        SELECT 1 FROM notification WHERE task_n = task.n AND kind = 'error'
           AND read IS NULL AND withdrawn IS NULL)
     ORDER BY n DESC LIMIT {MOST}
"""
# Not what a person paused: nobody needs to be reminded of that.
_CAME_PAUSED = f"""
    SELECT {rows.TASK_COLUMNS} FROM task WHERE status = 'paused' AND (
        SELECT kind FROM event WHERE task_n = task.n
           AND kind IN ('restored', 'imported', 'paused', 'pause asked', 'resumed')
         ORDER BY id DESC LIMIT 1) IN ('restored', 'imported')
     ORDER BY n DESC LIMIT {MOST}
"""


def waiting(reader: Reader) -> tuple[list[Waiting], list[tuple[Task, Damaged]]]:
    """Return what waits for a person, the most urgent first; and the questions beyond reading."""
    asked, damaged = queries.blockers(reader)
    found = [Waiting(task, blocker) for blocker, task in asked]
    for some in (_FAILED, _CAME_PAUSED):
        found += [Waiting(rows.task_to_show(row)) for row in reader.execute(some).fetchall()]
    return in_order(found), damaged
