"""What past runs tell: how long stages take, and how an agent has fared. Bounded reads only."""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from taskhub_tui.domain.fresh import stage_from
from taskhub_tui.domain.model import StageSpec, Status
from taskhub_tui.domain.views import AgentRecord
from taskhub_tui.storage import queries
from taskhub_tui.storage.changes import history_key
from taskhub_tui.storage.queries import Reader

LATEST = 200
"""How many of an agent's finished tasks are looked at for its times."""


def expected(
    reader: Reader, plan: Sequence[StageSpec], options: Mapping[str, Any]
) -> list[float | None]:
    """Return the seconds each stage of a plan takes by its last clean runs; None is unknown."""
    return [
        queries.estimate(reader, history_key(stage_from("", at, spec), {**options, **spec.options}))
        for at, spec in enumerate(plan)
    ]


def records(reader: Reader, agents: Sequence[str], now: float) -> dict[str, AgentRecord]:
    """Return how each of these agents is doing, by name."""
    counted: dict[str, dict[str, int]] = {}
    # The index by status and agent holds all of it: no row of a task is read.
    for status, agent, number in reader.execute(
        "SELECT status, stage_agent, count(*) FROM task GROUP BY status, stage_agent"
    ).fetchall():
        counted.setdefault(agent, {})[status] = number
    limited = {
        agent: (until, said)
        for agent, until, said in reader.execute(
            "SELECT agent, until, said FROM agent_limit WHERE until > ?", (now,)
        ).fetchall()
    }
    found = {}
    for name in agents:
        tasks = counted.get(name, {})
        until, said = limited.get(name, (None, ""))
        found[name] = AgentRecord(
            name,
            running=tasks.get(Status.IN_PROGRESS, 0),
            waiting=tasks.get(Status.PENDING, 0),
            done=tasks.get(Status.COMPLETED, 0),
            failed=tasks.get(Status.FAILED, 0),
            cancelled=tasks.get(Status.CANCELLED, 0),
            usual=_usual(reader, name) if tasks.get(Status.COMPLETED) else None,
            limited_until=until,
            limited_by=said,
        )
    return found


def _usual(reader: Reader, agent: str) -> float | None:
    """Return the median seconds of work in an agent's latest tasks that are done.

    Only stages in which nobody was waited for are counted, as for the time remaining.
    """
    found = reader.execute(
        "SELECT sum(stage.ended - stage.started) FROM"
        " (SELECT n FROM task WHERE status = 'completed' AND stage_agent = ?"
        "   ORDER BY n DESC LIMIT ?) AS late"
        " JOIN stage ON stage.task_n = late.n WHERE stage.agent = ? AND stage.status = 'done'"
        " AND stage.ended >= stage.started"
        " GROUP BY late.n HAVING count(stage.history) = count(*)",
        (agent, LATEST, agent),
    ).fetchall()
    return float(median(seconds for (seconds,) in found)) if found else None
