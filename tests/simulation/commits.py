"""What one commit may change: every row that front ends see is stamped, and turns are kept to."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from simulation.loop import Proc

if TYPE_CHECKING:
    from simulation.promise import Promise
    from simulation.world import World

HIDDEN = ("seq", "holder", "fence", "edits")
"""Columns of a task that no front end shows."""
STAMPED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "task": ("id", HIDDEN),
    "notification": ("id", ("seq", "planned")),
    "blocker": ("id", ("seq", "seal")),
}
"""Tables that are asked for what changed, their keys, and the columns that do not matter there."""


class Commits:
    """Holds each commit of one world against the rows as they were before it."""

    def __init__(self, promise: "Promise", world: "World") -> None:
        self._promise = promise
        self._world = world
        self._hold = promise.hold
        self._columns = {table: self._shown(table) for table in STAMPED}
        self._before: dict[str, dict[Any, tuple[Any, ...]]] = {table: {} for table in STAMPED}
        self._tasks: dict[int, tuple[Any, ...]] = {}
        self._stops: dict[int, str] = {}
        self.limits: dict[str, float] = {}
        """Until when the provider of each agent takes nothing, as of the last commit."""

    def _shown(self, table: str) -> str:
        hidden = STAMPED[table][1]
        names = [row[1] for row in self._promise.rows(f"PRAGMA table_info({table})")]
        return ", ".join(name for name in names if name not in hidden)

    def agent(self, n: int) -> str:
        """Return the agent of a task's stage before this commit."""
        return str(self._tasks[n][1])

    def look(self, proc: Proc, seq: int, decided: set[int]) -> None:
        """Check what is different now; `decided` are the tasks that a person changed.

        Raises:
            Broken: something changed that must not, or without saying so.
        """
        for table, (key, _) in STAMPED.items():
            self._stamps(table, key, seq)
        self._turns(proc, decided)

    def _stamps(self, table: str, key: str, seq: int) -> None:
        """Who asks for what changed since the last commit must be given it."""
        now: dict[Any, tuple[Any, ...]] = {}
        before = self._before[table]
        for id_, stamp, *row in self._promise.rows(
            f"SELECT {key}, seq, {self._columns[table]} FROM {table}"
        ):
            now[id_] = seen = tuple(row)
            self._hold(stamp <= seq, f"{table} {id_} is stamped {stamp} in commit {seq}")
            if before.get(id_) != seen and stamp != seq:
                names = self._columns[table].split(", ")
                was = before.get(id_, (None,) * len(seen))
                changed = {
                    name: (old, new)
                    for name, old, new in zip(names, was, seen, strict=True)
                    if old != new
                }
                self._hold(
                    False, f"{table} {id_} changed in commit {seq} but bears {stamp}: {changed}"
                )
        self._before[table] = now

    def _turns(self, proc: Proc, decided: set[int]) -> None:
        """No task starts before its time, beyond a limit, or against its provider's word."""
        world, limits = self._world, self._world.settings.limits
        now = world.trouble.clock(proc.host)()
        tasks = {
            row[0]: tuple(row[1:])
            for row in self._promise.rows("SELECT n, status, stage_agent, ready_at, id FROM task")
        }
        stops = dict(self._promise.rows("SELECT task_n, agent FROM stop"))
        closed = dict(self._promise.rows("SELECT agent, until FROM agent_limit"))
        # What is stopped only now was perhaps stopped after somebody else had begun.
        stopping = [agent for n, agent in stops.items() if self._stops.get(n) == agent]
        busy = [agent for status, agent, *_ in tasks.values() if status == "in_progress"]
        for n, (status, agent, _, task) in tasks.items():
            was = self._tasks.get(n)
            fresh = was is None or was[0] != "in_progress"
            if status != "in_progress" or not (fresh or (was and was[1] != agent)):
                continue
            many = busy.count(agent) + stopping.count(agent)
            most = limits.agents.get(agent)
            self._hold(
                most is None or many <= most,
                f"{task} runs as number {many} of {agent}, and {most} are the most",
            )
            if fresh:
                total = len(busy) + len(stopping)
                self._hold(
                    limits.total is None or total <= limits.total,
                    f"{task} runs as number {total}, and {limits.total} are the most",
                )
            if not world.steady:
                continue  # The clock may have been put back since it was looked at.
            until = min(self.limits.get(agent, 0.0), closed.get(agent, 0.0))
            self._hold(until <= now, f"{task} starts at {now}, but {agent} is closed until {until}")
            if fresh and was is not None and n not in decided:
                self._hold(was[2] <= now, f"{task} starts at {now}, but was due at {was[2]}")
        self._tasks, self._stops, self.limits = tasks, stops, closed
