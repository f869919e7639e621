"""An export has what was written, or says what it could not have."""

import io
import json
import math
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from support import ScriptedAgent, house, until

from taskhub_tui import care
from taskhub_tui.agents.port import AgentError, Blocker, Result
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.errors import UnknownTask
from taskhub_tui.domain.model import Action, BlockerKind, StageSpec, Status
from taskhub_tui.domain.views import Exported
from taskhub_tui.storage.compaction import truncate
from taskhub_tui.storage.soundness import problems
from taskhub_tui.text import DEPTH

PLAN = (StageSpec("first", "actor"), StageSpec("second", "actor", gate=True))


def harm(where: Paths, sql: str, *values: Any) -> None:
    """Change the file as a failing disk does, which knows nothing of seals."""
    with closing(sqlite3.connect(where.database, isolation_level=None, timeout=10)) as connection:
        assert connection.execute(sql, values).rowcount >= 1


async def two_tasks(where: Paths, settings: Settings) -> tuple[str, str]:
    """Return a task that a person has let pass its gate, and another."""
    async with house(where, settings, ScriptedAgent("actor")) as h:
        bad = await h.submit("bad", stages=PLAN, options={"depth": 3})
        async with h.worker():
            await until(h.hub, bad.id, Status.BLOCKED)
            await h.hub.decide(bad.id, Action.APPROVE)
            await until(h.hub, bad.id, Status.COMPLETED)
        good = await h.submit("good", after=())
        return bad.id, good.id


async def exported(where: Paths, *wanted: str) -> tuple[list[str], list[str]]:
    """Return the IDs that an export has, and what it says of the others."""
    out = io.StringIO()
    done = await care.export(where, wanted, out)
    ids = [json.loads(line)["task"]["id"] for line in out.getvalue().splitlines()]
    assert done.count == len(ids)
    return ids, list(done.left_out)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE task SET request = 'bed' WHERE n = 1", "the request of task {} is damaged"),
        ("UPDATE task SET options = '{' WHERE n = 1", "the request of task {} is damaged"),
        ("UPDATE task SET options = '{', seal = NULL WHERE n = 1", "of task {} is damaged"),
        ("UPDATE stage SET gate = 0 WHERE position = 1 AND task_n = 1", "of task {} is to do"),
        ("UPDATE stage SET output = '{}' WHERE task_n = 1", "task {} is damaged"),
        ("UPDATE blocker SET answer = '{}' WHERE answer IS NOT NULL", "A question of task {}"),
        ("UPDATE event SET by = 'bob' WHERE kind = 'decided'", "the history of task {}"),
        ("UPDATE event SET data = '{' WHERE kind = 'created' AND task_n = 1", "task {} is"),
        ("UPDATE event SET data = '{' WHERE kind = 'completed'", "of task {} is damaged"),
        ("UPDATE task SET deps_left = 1 WHERE n = 1", "What task {} waits for"),
    ],
)  # fmt: skip
async def test_what_is_damaged_is_named_and_left_out_and_the_rest_is_exported(
    where: Paths, settings: Settings, change: str, said: str
) -> None:
    bad, good = await two_tasks(where, settings)
    assert await exported(where) == ([bad, good], [])
    harm(where, change)
    for wanted in ((), (bad, good)):
        ids, left_out = await exported(where, *wanted)
        assert ids == [good]
        assert said.format(bad) in " | ".join(left_out)
        assert len(left_out) == 1


async def test_a_task_on_a_page_that_cannot_be_read_keeps_no_other_from_being_exported(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        tasks = [await h.submit(f"{n} " + "x" * 3000) for n in range(8)]
    truncate(where.database)
    data = bytearray(where.database.read_bytes())
    page = data.index(b"3 " + b"x" * 1000) // 4096 * 4096
    data[page : page + 8] = bytes(8)
    where.database.write_bytes(data)
    ids, left_out = await exported(where)
    assert 0 < len(ids) < 8
    assert all("cannot be read: database disk image is malformed" in said for said in left_out)
    assert len(ids) + len(left_out) == len(tasks)


async def test_what_no_import_would_take_is_said_by_the_export(
    where: Paths, settings: Settings
) -> None:
    bad, good = await two_tasks(where, settings)
    # As an earlier TaskHub took it.
    harm(where, "UPDATE task SET options = '{\"x\":NaN}', seal = NULL WHERE n = 1")
    said = f"No import would take task {bad}: NaN is no number of JSON"
    assert await exported(where) == ([good], [said])


async def test_whatever_was_accepted_can_be_brought_back(
    where: Paths, settings: Settings, tmp_path: Path
) -> None:
    deep: Any = []
    for _ in range(DEPTH - 1):
        deep = [deep]
    odd = {"n": math.nan, "i": [math.inf, 1.5], "d": [[deep]], "s": "\x1b[1mhalf \udcff"}

    async def script(stage: Any, ctx: Any) -> Result:
        await ctx.save(**odd)
        ctx.progress(math.nan, "half \udcff")
        if stage.stage_id == "asks":
            await ctx.ask(Blocker("k\x1b", BlockerKind.APPROVAL, "May I?", detail=odd, timeout=9e8))
        if stage.attempt == 1 and stage.stage_id == "fails":
            raise AgentError("No \x1b[1m", detail=odd)
        return Result("done \udcff", odd)

    plan = (
        StageSpec("asks", "actor", retries=1_000_000_000, timeout=3e9, options={"a": deep}),
        StageSpec("fails", "actor", review=True),
    )  # fmt: skip
    async with house(where, settings, ScriptedAgent("actor", script)) as h:
        task = await h.submit("x" * 200_000, stages=plan, options={"a": deep}, deadline=2e11)
        async with h.worker():
            await until(h.hub, task.id, Status.BLOCKED)
            await h.hub.decide(task.id, Action.MODIFY, data={"options": {"a": deep}, "title": "t"})
            await until(h.hub, task.id, Status.BLOCKED)
            await h.hub.decide(task.id, Action.APPROVE, text="fine \x1b[1m")
            await until(h.hub, task.id, Status.FAILED)
            await h.hub.decide(task.id, Action.RETRY)
            view = await until(h.hub, task.id, Status.BLOCKED)
            output = view.stages[0].output
            assert output is not None
            assert (output["data"]["n"], output["data"]["i"]) == (None, [None, 1.5])
    out = io.StringIO()
    assert await care.export(where, [], out) == Exported(1, ())
    other = Paths(tmp_path / "b", tmp_path / "b" / "config.toml", tmp_path / "results")
    told = await care.import_(other, io.BytesIO(out.getvalue().encode()), by="ann")
    assert list(told.tasks) == [task.id]
    assert problems(other.database) == []


async def test_a_task_that_does_not_exist_is_said_before_anything_is_written(
    where: Paths, settings: Settings
) -> None:
    _, good = await two_tasks(where, settings)
    out = io.StringIO()
    with pytest.raises(UnknownTask):
        await care.export(where, [good, "zzzz"], out)
    assert out.getvalue() == ""
