"""Whose turn it is: a queue per agent, the limits on them, and what providers have said.

All of it is decided inside the transaction that claims, so it holds across workers.
"""

from typing import Any

from taskhub_tui.domain.limits import Limits, Load
from taskhub_tui.domain.model import Task
from taskhub_tui.storage.queries import Reader
from taskhub_tui.storage.writer import Tx

READY = (
    "task INDEXED BY task_ready"
    " WHERE status = 'pending' AND stopping = 0 AND deps_left = 0 AND waiting_on IS NULL"
)
"""What waits for nothing but its turn. The index is named, or SQLite takes a much longer one."""
TIMED = (
    "task INDEXED BY task_timer"
    " WHERE status = 'pending' AND stopping = 0 AND deps_left = 0 AND waiting_on IS NOT NULL"
)
"""What waits for a moment."""

GLANCE = f"""
    SELECT (SELECT min(stage_agent) FROM {READY}),
           (SELECT max(stage_agent) FROM {READY}),
           EXISTS (SELECT 1 FROM agent_limit WHERE until > :now)
"""

NEXT_LANE = f"SELECT min(stage_agent) FROM {READY} AND stage_agent > ?"

IN_LANE = f"""
    SELECT -priority, n FROM {READY} AND stage_agent = ?
     ORDER BY priority DESC, n LIMIT ?
"""


def lanes(reader: Reader, first: str, last: str) -> list[str]:
    """Return the agents that have a queue; one step in the index for each."""
    found = [first]
    while found[-1] != last:
        found.append(reader.execute(NEXT_LANE, (found[-1],)).fetchone()[0])
    return found


def busy(reader: Reader, agent: str) -> int:
    """Return how many stages of an agent run, or are being stopped."""
    row = reader.execute(
        "SELECT (SELECT count(*) FROM task WHERE status = 'in_progress' AND stage_agent = :agent)"
        " + (SELECT count(*) FROM stop WHERE agent = :agent)",
        {"agent": agent},
    ).fetchone()
    return int(row[0])


def busy_in_all(reader: Reader) -> int:
    """Return how many stages run, or are being stopped."""
    row = reader.execute(
        "SELECT (SELECT count(*) FROM task WHERE status = 'in_progress')"
        " + (SELECT count(*) FROM stop)"
    ).fetchone()
    return int(row[0])


def limited(reader: Reader, now: float) -> dict[str, float]:
    """Return the agents whose provider takes nothing now, with the time until which."""
    return dict(
        reader.execute("SELECT agent, until FROM agent_limit WHERE until > ?", (now,)).fetchall()
    )


def load(reader: Reader, limits: Limits, now: float) -> Load:
    """Return what holds back the tasks that wait for their turn."""
    running: dict[str, int] = {}
    if limits.total is not None or limits.agents:
        for agent, number in reader.execute(
            "SELECT stage_agent, count(*) FROM task WHERE status = 'in_progress'"
            " GROUP BY stage_agent UNION ALL SELECT agent, count(*) FROM stop GROUP BY agent"
        ).fetchall():
            running[agent] = running.get(agent, 0) + number
    return Load(limits, running, limited(reader, now))


def pick(reader: Reader, limits: Limits, now: float, free: int) -> list[int]:
    """Return the numbers of the tasks whose turn it is, at most `free`.

    The highest priority goes first, then the oldest, among those that no limit holds back.
    """
    if limits.total is not None:
        free = min(free, limits.total - busy_in_all(reader))
    if free <= 0:
        return []
    first, last, some = reader.execute(GLANCE, {"now": now}).fetchone()
    if first is None:
        return []
    closed = limited(reader, now) if some else {}
    found: list[tuple[int, int]] = []
    for agent in lanes(reader, first, last):
        if agent in closed:
            continue
        room, most = free, limits.agents.get(agent)
        if most is not None:
            room = min(free, most - busy(reader, agent))
        if room > 0:
            found += reader.execute(IN_LANE, (agent, room)).fetchall()
    found.sort()
    return [n for _, n in found[:free]]


def may_start(tx: Tx, task: Task, agent: str, limits: Limits, now: float) -> bool:
    """Return whether a task that runs may go on to a stage of another agent at once.

    It must not when the agent is at its limit, when its provider takes nothing, or when another
    task stands before it in the agent's queue.
    """
    if agent in limited(tx, now):
        return False
    most = limits.agents.get(agent)
    if most is None:
        return True
    if busy(tx, agent) >= most:
        return False
    ahead = tx.execute(IN_LANE, (agent, 1)).fetchone()
    return ahead is None or ahead > (-task.priority, task.n)


def limit(tx: Tx, agent: str, until: float, said: str) -> None:
    """Remember that an agent's provider takes nothing until then, or later if that is known."""
    tx.loud = tx.ready = True
    tx.execute(
        "INSERT INTO agent_limit (agent, until, said) VALUES (?, ?, ?) ON CONFLICT (agent)"
        " DO UPDATE SET until = excluded.until, said = excluded.said"
        " WHERE excluded.until > agent_limit.until",
        (agent, until, said),
    )


def waited(tx: Tx, n: int, position: int) -> None:
    """Note that a stage was made to wait: its duration says nothing about the work."""
    tx.execute("UPDATE stage SET history = NULL WHERE task_n = ? AND position = ?", (n, position))


def unlimit(tx: Tx, agent: str) -> None:
    """Forget an agent's provider's limit: a person wants it tried."""
    tx.loud = tx.ready = True
    tx.execute("DELETE FROM agent_limit WHERE agent = ?", (agent,))


def next_opening(reader: Reader, now: float) -> float | None:
    """Return when the next limit of a provider is over; None when there is none."""
    row = reader.execute("SELECT min(until) FROM agent_limit WHERE until > ?", (now,)).fetchone()
    return None if row[0] is None else float(row[0])


def expired(reader: Reader, now: float) -> list[str]:
    """Return the IDs of tasks that are not over though their deadline has passed."""
    found = reader.execute(
        "SELECT id FROM task WHERE deadline IS NOT NULL AND ended IS NULL AND deadline <= ?"
        " ORDER BY deadline LIMIT 500",
        (now,),
    ).fetchall()
    return [task_id for (task_id,) in found]


def next_deadline(reader: Reader, now: float) -> float | None:
    """Return when the next deadline passes; None when there is none."""
    row: Any = reader.execute(
        "SELECT min(deadline) FROM task"
        " WHERE deadline IS NOT NULL AND ended IS NULL AND deadline > ?",
        (now,),
    ).fetchone()
    return None if row[0] is None else float(row[0])
