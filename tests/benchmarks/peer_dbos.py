"""Child: DBOS on SQLite, as it comes or with WAL."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import children
from benchmarks.report import quantile


@asynccontextmanager
async def launched(home: Path, wal: bool) -> AsyncIterator[Any]:
    from dbos import DBOS

    logging.disable(logging.WARNING)
    url = f"sqlite:///{home / 'dbos.db'}"
    config: dict[str, Any] = {
        "name": "bench",
        "system_database_url": url,
        "run_admin_server": False,
        "log_level": "ERROR",
    }
    if wal:
        config["system_database_engine"] = _with_wal(url)
    DBOS(config=config)  # type: ignore[arg-type]
    yield DBOS
    DBOS.destroy()


def _with_wal(url: str) -> Any:
    """Make the engine as DBOS does, but with WAL and an fsync at each commit."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(url)

    def connected(connection: Any, record: Any) -> None:
        connection.isolation_level = "IMMEDIATE"
        for pragma in ("busy_timeout=30000", "foreign_keys=ON", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("PRAGMA journal_mode=WAL")

    sqlalchemy.event.listen(engine, "connect", connected)
    return engine


async def rate(home: Path, tasks: int, concurrency: int, wal: bool = False) -> dict[str, Any]:
    async with launched(home, wal) as dbos:

        @dbos.step()
        async def step(i: int) -> str:
            return "done"

        @dbos.workflow()
        async def task(i: int) -> int:
            return [await step(i), await step(i), await step(i)].count("done")

        dbos.launch()
        slots = asyncio.Semaphore(concurrency)

        async def one(i: int) -> None:
            async with slots:
                if await task(i) != 3:
                    raise AssertionError(f"task {i} has not done its steps")

        await one(-1)
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(one(i) for i in range(tasks)))
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        done = await dbos.list_workflows_async(status="SUCCESS")
        if len(done) != tasks + 1:
            raise AssertionError(f"{len(done)} workflows are done, not {tasks + 1}")
    return {
        "rate": tasks * 3 / took,
        "cpu": cpu / (tasks * 3) * 1e6,
        "version": version("dbos"),
    }


async def resume(home: Path, times: int) -> dict[str, Any]:
    """How long after an answer is sent a workflow that waits for it goes on."""
    seen: list[float] = []
    async with launched(home, wal=False) as dbos:

        @dbos.workflow()
        async def task() -> None:
            await dbos.recv_async("answer", timeout_seconds=60)
            seen.append(time.perf_counter())

        dbos.launch()
        took = []
        for _ in range(times + 1):
            handle = await dbos.start_workflow_async(task)
            await asyncio.sleep(0.2)  # It says nowhere that a workflow has begun to wait.
            began = time.perf_counter()
            await dbos.send_async(handle.workflow_id, "yes", "answer")
            await handle.get_result()
            took.append(seen[-1] - began)
        del took[0]
    return {"p50": quantile(took, 0.5), "p99": quantile(took, 0.99), "version": version("dbos")}


def measure(home: Path, *, what: str = "rate", **sizes: Any) -> dict[str, Any]:
    return asyncio.run((resume if what == "resume" else rate)(home, **sizes))


if __name__ == "__main__":
    children.answer(measure)
