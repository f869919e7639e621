"""Putting a new task into the store."""

from collections.abc import Sequence

from taskhub_tui.domain.change import Notice
from taskhub_tui.domain.errors import BadInput
from taskhub_tui.domain.evolve import replace
from taskhub_tui.domain.model import Stage, Status, Task
from taskhub_tui.storage import queries, rows
from taskhub_tui.storage.changes import (
    add_event,
    add_notice,
    history_key,
    ready_state,
    write_stages,
)
from taskhub_tui.storage.writer import Tx


def insert(
    tx: Tx, task: Task, stages: Sequence[Stage], after: Sequence[str], notice: Notice
) -> Task:
    """Write a new task and return it as it stands: numbered, and with what it waits for.

    Raises:
        UnknownTask: one of `after` does not exist.
        BadInput: one of `after` was cancelled.
    """
    tx.loud = tx.ready = True
    waits_for = []
    for task_id in after:
        other = queries.task_by_id(tx, task_id)
        if other.status is Status.CANCELLED:
            raise BadInput(f"Task {other.id} was cancelled, so nothing can come after it")
        if other.status is not Status.COMPLETED:
            waits_for.append(other.n)
    now = task.created
    estimated = [
        replace(
            stage,
            estimate=queries.estimate(tx, history_key(stage, {**task.options, **stage.options})),
        )
        for stage in stages
    ]
    task = replace(
        task,
        seq=tx.seq,
        deps_left=len(waits_for),
        waiting_on=ready_state(len(waits_for), task.ready_at, now),
    )
    values = rows.task_values(task, rows.TASK)
    del values["n"]
    values["seal"] = rows.task_seal(values)
    cursor = tx.execute(
        f"INSERT INTO task ({', '.join(values)}) VALUES (:{', :'.join(values)})", values
    )
    task = replace(task, n=int(cursor.lastrowid or 0))
    write_stages(tx, task, estimated)
    for n in waits_for:
        tx.execute("INSERT OR IGNORE INTO dependency VALUES (?, ?)", (task.n, n))
    add_event(
        tx,
        task.n,
        now,
        "created",
        None,
        task.owner,
        "hub",
        {"agent": task.agent, "after": [*after]},
    )
    add_notice(tx, task.n, now, notice)
    return task
