"""What front ends ask for again and again costs what they get, not what is in the file."""

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any

from support import House, ScriptedAgent, house

from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.model import Status
from taskhub_tui.storage import queries


async def fill(h: House, count: int, status: Status = Status.COMPLETED) -> None:
    """Add tasks that nothing will happen to."""
    tasks = await asyncio.gather(*(h.submit(f"{status} {i}") for i in range(count)))
    ids = [(status.value, task.id) for task in tasks]
    await h.hub._store.write(
        lambda tx: tx.executemany("UPDATE task SET status = ? WHERE id = ?", ids)
    )


async def steps(h: House, ask: Callable[[queries.Reader], Any]) -> int:
    """Return how many instructions SQLite needs for a question."""
    made = 0

    def step() -> None:
        nonlocal made
        made += 1

    def count(reader: sqlite3.Connection) -> None:
        reader.set_progress_handler(step, 1)
        try:
            ask(reader)
        finally:
            reader.set_progress_handler(None, 0)

    await h.hub._store.read(count)
    return made


async def test_what_changed_costs_the_same_however_much_did_not(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        needed = []
        for _ in range(2):
            await fill(h, 300)
            since = (await h.hub.changes(0)).seq
            await h.submit("The new one")
            seen = await h.hub.changes(since)
            assert [task.request for task in seen.tasks] == ["The new one"]
            assert len(seen.notifications) == 1
            needed.append(await steps(h, partial(queries.changes, since=since)))
        assert needed[1] < needed[0] * 1.2


async def test_the_first_tasks_cost_the_same_however_many_are_over(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        needed = []
        for _ in range(2):
            await fill(h, 300)
            first = partial(queries.tasks, text="", status=(), limit=50)
            needed.append(await steps(h, first))
        assert needed[1] < needed[0] * 1.2


async def test_a_part_of_the_tasks_is_the_beginning_of_all(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        for status in Status:
            await fill(h, 3, status)
        order = await h.hub.order()
        for limit in (None, 0, 1, 7, 16, 20, 99):
            tasks = await h.hub.tasks(limit=limit)
            assert [task.n for task in tasks] == order[:limit]
        only = (Status.COMPLETED, Status.PENDING)
        some = await h.hub.tasks(status=only, text="1", limit=5)
        assert [task.n for task in some] == await h.hub.order(status=only, text="1")
