"""Durable stages a second: TaskHub, its peers, and the bare group commit, in turns."""

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.children import ChildFailed, child
from benchmarks.report import Figure, Size, Spread, number

TITLE = "Durable stages per second"

PEERS = {
    "huey": "huey, SQLite with fsync (work in flight is lost with its process)",
    "langgraph": "LangGraph, AsyncSqliteSaver, WAL, each step synced",
    "dbos": "DBOS on SQLite as it comes",
    "dbos wal": "DBOS on SQLite with WAL",
}


def measure(size: Size) -> Iterator[Figure]:
    for concurrency in (64,) if size.name == "tiny" else (64, 1):
        rounds = _Rounds(size, concurrency)
        rounds.run(size.pick(1, 2, 3))
        yield from rounds.figures()


class _Rounds:
    """Everybody's work at one concurrency, in turns."""

    def __init__(self, size: Size, concurrency: int) -> None:
        self.concurrency = concurrency
        self.at_once = f"{concurrency} tasks at once" if concurrency > 1 else "one task at a time"
        many = concurrency > 1
        tasks = size.pick(20, 1000, 4000) if many else size.pick(5, 200, 1000)
        ours = {"module": "taskhub_rate", "tasks": tasks}
        self.what: dict[str, dict[str, Any]] = {
            "engine": ours,
            "bare": {"module": "group_commit", "tasks": tasks},
        }
        if size.name == "full" or (many and size.name == "quick"):
            self.what |= {
                "worker": {**ours, "whole": True},
                "handed": {**ours, "whole": True, "handed": False},
            }
        if size.peers:
            slow = size.pick(2, 20, 150)
            self.what |= {
                "huey": {"module": "peer_huey", "tasks": size.pick(4, 300, 2000)},
                "langgraph": {"module": "peer_langgraph", "tasks": size.pick(2, 100, 500)},
                "dbos": {"module": "peer_dbos", "tasks": slow},
                "dbos wal": {"module": "peer_dbos", "tasks": slow, "wal": True},
            }
        self.runs: dict[str, list[dict[str, Any]]] = {}
        self.failed: dict[str, str] = {}

    def run(self, times: int) -> None:
        """Let everybody work `times` times; who fails once is left out and named."""
        for _ in range(times):
            for name, what in self.what.items():
                if name in self.failed:
                    continue
                try:
                    found = child(**what, concurrency=self.concurrency)
                except ChildFailed as error:
                    self.failed[name] = str(error)
                else:
                    self.runs.setdefault(name, []).append(found)

    def spread(self, name: str, key: str) -> Spread:
        return Spread(tuple(one[key] for one in self.runs[name]))

    def good(self, name: str) -> bool:
        return name in self.runs and name not in self.failed

    def figures(self) -> Iterator[Figure]:
        if self.good("engine"):
            yield from self._ours()
            yield from self._bare()
            yield from self._peers(self.spread("engine", "rate").median)
        for name, why in self.failed.items():
            words = PEERS.get(name, f"TaskHub, {name}")
            yield Figure(f"{words}, {self.at_once}", "not measured", met=_own(name), beside=why)

    def _ours(self) -> Iterator[Figure]:
        rate = self.spread("engine", "rate")
        reach = 10_000 if self.concurrency > 1 else 2_500
        words = {
            "engine": "engine alone",
            "worker": "whole worker with notifier",
            "handed": "whole worker, handing over inside the clock",
        }
        for name, said in words.items():
            if self.good(name):
                first = name == "engine"
                yield Figure(
                    f"TaskHub, {said}, {self.at_once}",
                    f"{self.spread(name, 'rate')} /s",
                    f"≥ {reach:,} /s" if first else "",
                    rate.median >= reach if first else None,
                    _cpu(self.runs[name]),
                )

    def _bare(self) -> Iterator[Figure]:
        if not self.good("bare"):
            return
        ratio = self.spread("bare", "rate").median / self.spread("engine", "rate").median
        last = self.runs["bare"][-1]
        asked = self.concurrency > 1
        yield Figure(
            f"bare group commit of the same rows, {self.at_once}",
            f"{self.spread('bare', 'rate')} /s",
            "≤ 3 × the engine" if asked else "",
            ratio <= 3 if asked else None,
            f"{ratio:.1f} × the engine; {_cpu(self.runs['bare'])},"
            f" {last['stages per commit']:.1f} stages a commit,"
            f" {last['statements']:.1f} statements a stage",
        )

    def _peers(self, ours: float) -> Iterator[Figure]:
        rates = {name: self.spread(name, "rate").median for name in PEERS if self.good(name)}
        if not rates:
            return
        best = max(rates, key=lambda name: rates[name])
        for name, rate in rates.items():
            asked = name == best and self.concurrency > 1
            version = self.runs[name][0]["version"]
            cpu = f"; {_cpu(self.runs[name])}" if "cpu" in self.runs[name][0] else ""
            yield Figure(
                f"{PEERS[name]}, {self.at_once}",
                f"{self.spread(name, 'rate')} /s",
                "TaskHub ≥ 5 × the best peer" if asked else "",
                ours >= 5 * rate if asked else None,
                f"TaskHub is {ours / rate:.1f} × as fast; {name.split()[0]} {version}{cpu}",
            )


def _own(name: str) -> bool | None:
    """A part of TaskHub that cannot be measured has not met its figure."""
    return None if name in PEERS else False


def _cpu(runs: list[dict[str, Any]] | list[Mapping[str, Any]]) -> str:
    return f"{number(Spread(tuple(one['cpu'] for one in runs)).median)} µs of CPU a stage"
