"""Child: LangGraph with its SQLite saver, each step on disk before the next begins."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypedDict

from benchmarks import children
from benchmarks.report import quantile


class State(TypedDict):
    done: int


async def step(state: State) -> State:
    return {"done": state["done"] + 1}


@asynccontextmanager
async def saver(home: Path) -> AsyncIterator[Any]:
    """Open the saver as TaskHub opens its database: WAL, with an fsync at each commit."""
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    async with AsyncSqliteSaver.from_conn_string(str(home / "langgraph.db")) as made:
        await made.setup()
        await made.conn.execute("PRAGMA journal_mode = WAL")
        await made.conn.execute("PRAGMA synchronous = FULL")
        yield made


async def rate(home: Path, tasks: int, concurrency: int) -> dict[str, Any]:
    from langgraph.graph import END, START, StateGraph

    graph: Any = StateGraph(State)
    for name in ("first", "second", "third"):
        graph.add_node(name, step)
    for edge in ((START, "first"), ("first", "second"), ("second", "third"), ("third", END)):
        graph.add_edge(*edge)
    async with saver(home) as kept:
        runnable = graph.compile(checkpointer=kept)
        slots = asyncio.Semaphore(concurrency)

        async def one(i: int) -> None:
            async with slots:
                config = {"configurable": {"thread_id": f"task-{i}"}}
                end = await runnable.ainvoke({"done": 0}, config, durability="sync")
                if end != {"done": 3}:
                    raise AssertionError(f"task {i} ended with {end}")

        await one(-1)  # What the first run loads is no part of the work.
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(one(i) for i in range(tasks)))
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        ((kept_steps,),) = await kept.conn.execute_fetchall(
            "SELECT count(*) FROM checkpoints WHERE thread_id <> 'task--1'"
        )
        if kept_steps < tasks * 3:
            raise AssertionError(f"{kept_steps} checkpoints, not {tasks * 3}")
    return {
        "rate": tasks * 3 / took,
        "cpu": cpu / (tasks * 3) * 1e6,
        "version": version("langgraph"),
    }


async def resume(home: Path, times: int) -> dict[str, Any]:
    """How long after an answer is handed over the interrupted step goes on."""
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import Command, interrupt

    seen: list[float] = []

    async def ask(state: State) -> State:
        interrupt("May I?")
        seen.append(time.perf_counter())
        return {"done": 1}

    graph: Any = StateGraph(State)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    graph.add_edge("ask", END)
    took = []
    async with saver(home) as kept:
        runnable = graph.compile(checkpointer=kept)
        for i in range(times + 1):
            config = {"configurable": {"thread_id": f"task-{i}"}}
            await runnable.ainvoke({"done": 0}, config, durability="sync")
            began = time.perf_counter()
            await runnable.ainvoke(Command(resume=True), config, durability="sync")
            took.append(seen[-1] - began)
    del took[0]
    return {
        "p50": quantile(took, 0.5),
        "p99": quantile(took, 0.99),
        "version": version("langgraph"),
    }


def measure(home: Path, *, what: str = "rate", **sizes: int) -> dict[str, Any]:
    return asyncio.run((resume if what == "resume" else rate)(home, **sizes))


if __name__ == "__main__":
    children.answer(measure)
