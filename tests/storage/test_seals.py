"""Damage to a checkpoint or a decision never goes unnoticed into what comes next."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from support import House, ScriptedAgent, eventually, house, soon, until

from taskhub_tui.agents.port import AgentError, Blocker, Choice, Result
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain import model
from taskhub_tui.domain.errors import Damaged, NotLegal
from taskhub_tui.domain.model import Action, BlockerKind, NoticeKind, StageSpec, Status
from taskhub_tui.storage import changes
from taskhub_tui.storage.compaction import truncate
from taskhub_tui.storage.soundness import problems
from taskhub_tui.storage.writer import Tx

PLAN = (StageSpec("first", "actor"), StageSpec("second", "actor", gate=True))


@contextmanager
def behind(where: Paths) -> Iterator[sqlite3.Connection]:
    """A connection that knows nothing of seals, as a failing disk does not."""
    connection = sqlite3.connect(where.database, isolation_level=None, timeout=10)
    try:
        yield connection
    finally:
        connection.close()


def harm(where: Paths, sql: str, *values: Any) -> None:
    with behind(where) as connection:
        assert connection.execute(sql, values).rowcount >= 1


async def waiting(h: House) -> str:
    """Return a task whose first stage is done, and whose second waits at its gate."""
    task = await h.submit("Do it", stages=PLAN)
    async with h.worker():
        await until(h.hub, task.id, Status.BLOCKED)
    return task.id


async def test_whatever_happens_to_a_task_its_seals_fit(where: Paths, settings: Settings) -> None:
    async def script(stage, ctx):
        if stage.stage_id == "asks":
            await ctx.save(step=1)
            answer = await ctx.ask(
                Blocker("k", BlockerKind.INPUT, "Which?", (Choice("a", "A"), Choice("b", "B")))
            )
            await ctx.save(step=2, answer=answer.choice)
        if stage.stage_id == "fails" and stage.attempt < 3:
            raise AgentError("Not now", retryable=stage.attempt == 1)
        return Result("done – ✓", {"n": 1.5})

    agent = ScriptedAgent("actor", script)
    plan = (
        StageSpec("gated", "actor", gate=True), StageSpec("asks", "actor"),
        StageSpec("fails", "actor", retries=1, retry_delay=0.01),
        StageSpec("seen", "actor", review=True),
    )  # fmt: skip
    async with house(where, settings, agent, ScriptedAgent("other")) as h:
        task = await h.submit("Everything", stages=plan)
        dropped = await h.submit("dropped", stages=PLAN)
        await h.submit("waits", after=(dropped.id,))
        moved = await h.submit("moved", stages=PLAN)
        async with h.worker():
            await until(h.hub, task.id, Status.BLOCKED)
            await h.hub.decide(task.id, Action.APPROVE)
            await until(h.hub, task.id, Status.BLOCKED)
            await h.hub.decide(task.id, Action.PROVIDE_CONTEXT, choice="b")
            await until(h.hub, task.id, Status.FAILED)
            await h.hub.decide(task.id, Action.RETRY)
            await until(h.hub, task.id, Status.BLOCKED)
            await h.hub.decide(task.id, Action.PROVIDE_CONTEXT, text="better")
            await until(h.hub, task.id, Status.IN_PROGRESS, Status.BLOCKED)
            await until(h.hub, task.id, Status.BLOCKED)
            await h.hub.decide(task.id, Action.APPROVE)
            await until(h.hub, task.id, Status.COMPLETED)
            await until(h.hub, dropped.id, Status.BLOCKED)
            await h.hub.decide(dropped.id, Action.MODIFY, data={"title": "Dropped"})
            asked = await until(h.hub, moved.id, Status.BLOCKED)
            await h.hub.decide(moved.id, Action.REASSIGN, agent="other")

            async def asked_anew() -> bool:
                view = await h.hub.status(moved.id)
                return view.blocker is not None and view.blocker != asked.blocker

            await eventually(asked_anew)
            await h.hub.decide(moved.id, Action.APPROVE)
            await until(h.hub, moved.id, Status.COMPLETED)
            await h.hub.decide(dropped.id, Action.CANCEL)
    assert problems(where.database) == []
    with behind(where) as connection:
        for sql in (
            "SELECT count(*) FROM stage WHERE seal IS NULL OR plan_seal IS NULL",
            "SELECT count(*) FROM task WHERE seal IS NULL",
            "SELECT count(*) FROM blocker WHERE seal IS NULL AND state <> 'withdrawn'",
            "SELECT count(*) FROM event WHERE seal IS NULL AND by <> 'engine'",
        ):
            assert connection.execute(sql).fetchone() == (0,), sql
        (sealed,) = connection.execute("SELECT count(*) FROM event WHERE seal <> 0").fetchone()
        assert sealed > 8


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("output", '{"text":"first is dome","data":{}}'),
        ("output", '{"text":'),
        ("output", None),
        ("name", "fist"),
        ("attempt", 2),
        ("approved", 1),
        ("status", "done "),
    ],
)
async def test_a_damaged_checkpoint_stops_the_task_and_retry_runs_that_stage_again(
    where: Paths, settings: Settings, column: str, value: Any
) -> None:
    agent = ScriptedAgent("actor")
    async with house(where, settings, agent) as h:
        task_id = await waiting(h)
        await h.hub.decide(task_id, Action.APPROVE)
        ran = len(agent.runs)
        harm(where, f"UPDATE stage SET {column} = ? WHERE position = 0", value)
        assert "is not what was written" in problems(where.database)[0]
        other = await h.submit("another")
        async with h.worker():
            view = await until(h.hub, task_id, Status.FAILED, unless=(Status.COMPLETED,))
            assert "is damaged" in str(view.task.error)
            assert "RETRY runs that stage again" in str(view.task.error)
            await until(h.hub, other.id, Status.COMPLETED)  # others go on
            assert [run.task_id for run in agent.runs[ran:]] == [other.id]
            (notice,) = [n for n in await h.hub.notifications() if n.kind is NoticeKind.ERROR]
            assert "is damaged" in notice.body
            assert problems(where.database) == []
            await h.hub.decide(task_id, Action.RETRY)
            view = await until(h.hub, task_id, Status.COMPLETED)
        assert [stage.status.value for stage in view.stages] == ["done", "done"]
        assert [run.stage_id for run in agent.runs[ran + 1 :]] in (
            ["first", "second"], ["fist", "second"],
        )  # fmt: skip


async def test_no_flipped_bit_in_a_checkpoint_or_a_decision_goes_unnoticed(
    where: Paths, settings: Settings
) -> None:
    agent = ScriptedAgent("actor", lambda stage, ctx: _marked())
    async with house(where, settings, agent) as h:
        task_id = await waiting(h)
        await h.hub.decide(task_id, Action.DENY, text="The reason is plain")
    truncate(where.database)
    assert problems(where.database) == []
    whole = where.database.read_bytes()
    copy = where.home / "copy.db"
    flipped = 0
    for mark in (b"The result is 4711", b"The reason is plain"):
        for at in (at for at in range(len(whole)) if whole.startswith(mark, at)):
            for bit in range(len(mark) * 8):
                spoilt = bytearray(whole)
                spoilt[at + bit // 8] ^= 1 << bit % 8
                copy.write_bytes(spoilt)
                if bit == 0 and kept(copy) == kept(where.database):
                    break  # An old copy of the row, or a text that nothing relies on.
                assert problems(copy, alone=True), (mark, at, bit)
                flipped += 1
    # The result of the stage; the reason in the answer, and in the event of the decision.
    assert flipped >= (18 + 19 + 19) * 8


def kept(path: Path) -> list[Any]:
    """What the next stage, and whoever asks who decided what, relies on."""
    connection = sqlite3.connect(f"file:{path}?immutable=1", uri=True)
    connection.text_factory = bytes
    try:
        return [
            connection.execute(sql).fetchall()
            for sql in (
                "SELECT output FROM stage", "SELECT answer FROM blocker",
                "SELECT data FROM event WHERE kind = 'decided'",
            )
        ]  # fmt: skip
    finally:
        connection.close()


async def _marked() -> Result:
    return Result("The result is 4711")


async def test_nobody_decides_on_a_damaged_question(where: Paths, settings: Settings) -> None:
    agent = ScriptedAgent("actor")
    async with house(where, settings, agent) as h:
        task_id = await waiting(h)
        ran = len(agent.runs)
        harm(where, "UPDATE blocker SET question = question || '!'")
        before = await h.hub.status(task_id)
        assert before.blocker is not None  # it can still be looked at
        with pytest.raises(
            Damaged, match=r"A question of task \w+, or its answer, is damaged"
        ) as told:
            await h.hub.decide(task_id, Action.APPROVE)
        assert "taskhub restore" in str(told.value.hint)
        view = await h.hub.status(task_id)
        assert (view.task.status, view.blocker) == (Status.FAILED, None)
        assert len(agent.runs) == ran
        await h.hub.decide(task_id, Action.RETRY)
        async with h.worker():
            await until(h.hub, task_id, Status.BLOCKED)  # it is asked again
            await h.hub.decide(task_id, Action.APPROVE)
            await until(h.hub, task_id, Status.COMPLETED)
        assert problems(where.database) == []


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("task.request", "Undo it", "of the request of task"),
        ("task.options", '{"argv":["rm","-r","b"]}', "of the request of task"),
        ("task.options", '{"argv":', "of the request of task"),
        ("task.context", '["Mind the gaps"]', "of the request of task"),
        ("task.agent", "another", "of the request of task"),
        ("task.workdir", "/home/eve", "of the request of task"),
        ("stage.prompt", "Undo it", "“second” of task"),
        ("stage.options", '{"shell":"rm -r b"}', "“second” of task"),
        ("task.deadline", 4e9, "of the request of task"),
        ("stage.agent", "actos", "“second” of task"),
        ("stage.gate", 0, "“second” of task"),
        ("stage.review", 1, "“second” of task"),
        ("stage.timeout", 3600.0, "“second” of task"),
        ("stage.retries", 1, "“second” of task"),
        ("stage.retry_delay", 6.0, "“second” of task"),
        ("stage.on_interrupt", "rerun", "“second” of task"),
        ("stage.stall", 0.0, "“second” of task"),
    ],
)
@pytest.mark.parametrize("meanwhile", [None, "a new title"])
async def test_nothing_is_done_on_a_damaged_request_until_a_person_has_seen_it(
    where: Paths, settings: Settings, column: str, value: Any, said: str, meanwhile: str | None
) -> None:
    agent = ScriptedAgent("actor")
    async with house(where, settings, agent) as h:
        task_id = await waiting(h)
        await h.hub.decide(task_id, Action.APPROVE)
        ran = len(agent.runs)
        table, name = column.split(".")
        place = " WHERE position = 1" if table == "stage" else ""
        harm(where, f"UPDATE {table} SET {name} = ?{place}", value)
        assert "is to do is not what was written" in problems(where.database)[0]
        if meanwhile and value != '{"argv":':
            # Whoever writes the task anew does not make the damage good.
            with suppress(Damaged):
                await h.hub.decide(task_id, Action.MODIFY, data={"title": meanwhile})
        async with h.worker():
            view = await until(h.hub, task_id, Status.FAILED, unless=(Status.COMPLETED,))
            assert said in str(view.task.error)
            assert "RETRY does what it says there" in str(view.task.error)
            assert len(agent.runs) == ran
            assert problems(where.database) == []
            if column == "stage.agent":
                await h.hub.decide(task_id, Action.REASSIGN, agent="actor")
            else:
                await h.hub.decide(task_id, Action.RETRY)
            done = await until(h.hub, task_id, Status.COMPLETED, Status.BLOCKED)
            if done.task.status is Status.BLOCKED:
                assert column == "stage.review"
                await h.hub.decide(task_id, Action.APPROVE)
                await until(h.hub, task_id, Status.COMPLETED)
        assert problems(where.database) == []


async def test_a_gate_that_a_flipped_bit_took_away_still_stops_the_stage(
    where: Paths, settings: Settings
) -> None:
    agent = ScriptedAgent("actor")
    async with house(where, settings, agent) as h:
        task = await h.submit("Do it", stages=(StageSpec("only", "actor", gate=True),))
        # In a stored row a whole number that is 1 differs in one bit from one that is 0.
        harm(where, "UPDATE stage SET gate = 0")
        async with h.worker():
            view = await until(h.hub, task.id, Status.FAILED, unless=(Status.COMPLETED,))
        assert "“only”" in str(view.task.error)
        assert agent.runs == []


async def test_a_task_that_waits_for_fewer_than_it_should_is_damage(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        first = await h.submit()
        second = await h.submit("later", after=(first.id,))
        assert problems(where.database) == []
        harm(where, "DELETE FROM dependency")
        (said,) = problems(where.database)
        assert said == f"What task {second.id} waits for is not what was written"


async def test_a_seal_of_before_gates_were_covered_still_fits(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        task = await h.submit("Do it", stages=(StageSpec("only", "actor", "Go"),))
        # As an earlier TaskHub wrote them.
        asked = "\0".join((task.id, "Do it", "{}", "[]", task.agent, task.workdir))
        planned = "\0".join((task.id, "0", "only", "actor", "Go", "{}"))
        harm(where, "UPDATE task SET seal = ?", crc32(asked.encode()))
        harm(where, "UPDATE stage SET plan_seal = ?", crc32(planned.encode()))
        assert problems(where.database) == []
        async with h.worker():
            await until(h.hub, task.id, Status.COMPLETED)


async def test_one_task_that_cannot_be_read_does_not_hide_the_others(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        async with h.worker():
            bad, good = await h.submit("bad"), await h.submit("good")
            await until(h.hub, bad.id, Status.COMPLETED)
            await until(h.hub, good.id, Status.COMPLETED)
        harm(where, "UPDATE task SET options = '{\"argv' WHERE n = ?", bad.n)
        assert {task.id for task in await h.hub.tasks()} == {bad.id, good.id}
        assert len(await h.hub.rows([bad.n, good.n])) == 2
        view = await h.hub.status(bad.id)
        assert view.task.status is Status.COMPLETED
        assert view.task.error == "What the database holds of this task is damaged"
        (said,) = problems(where.database)
        assert said == f"What task {bad.id} is to do is not what was written"


async def test_a_question_that_is_taken_back_is_no_damage(where: Paths, settings: Settings) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        task = await h.submit()
        asked = model.Blocker("q", task.id, 0, "stalled 1", BlockerKind.STALLED, "Dead?", 1, 1.0)

        def ask_and_take_back(tx: Tx) -> None:
            changes.write_blocker(tx, task.n, asked)
            changes.withdraw_stalled(tx, task)

        await h.hub._store.write(ask_and_take_back)
        with behind(where) as connection:
            assert connection.execute("SELECT state FROM blocker").fetchall() == [("withdrawn",)]
        assert problems(where.database) == []


async def test_a_decision_that_comes_too_late_takes_nothing_from_a_damaged_result(
    where: Paths, settings: Settings
) -> None:
    agent = ScriptedAgent("actor")
    async with house(where, settings, agent) as h:
        async with h.worker():
            task = await h.submit()
            await until(h.hub, task.id, Status.COMPLETED)
        harm(where, "UPDATE stage SET output = replace(output, 'is done', 'is dome')")
        for _ in range(2):
            with pytest.raises(NotLegal):
                await h.hub.decide(task.id, Action.RETRY)
        view = await h.hub.status(task.id)
        assert view.task.status is Status.COMPLETED
        assert view.stages[0].output == {"text": "run is dome", "data": {}}
        assert len(agent.runs) == 1


async def test_a_damaged_task_can_be_cancelled(where: Paths, settings: Settings) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        task_id = await waiting(h)
        harm(where, "UPDATE blocker SET question = 'Something else?'")
        await h.hub.decide(task_id, Action.CANCEL)
        assert (await h.hub.status(task_id)).task.status is Status.CANCELLED


async def test_a_deadline_takes_no_default_for_a_damaged_question(
    where: Paths, settings: Settings
) -> None:
    async def script(stage, ctx):
        await ctx.ask(Blocker("k", BlockerKind.APPROVAL, "Go?", timeout=3600, default="approve"))
        return Result("went")

    agent = ScriptedAgent("actor", script)
    async with house(where, settings, agent) as h:
        task = await h.submit()
        async with h.worker():
            await until(h.hub, task.id, Status.BLOCKED)
        harm(where, "UPDATE blocker SET deadline = 1.0")
        async with h.worker():
            view = await until(h.hub, task.id, Status.FAILED, unless=(Status.COMPLETED,))
        assert "A question of task" in str(view.task.error)


async def test_an_agent_is_given_no_damaged_answer(where: Paths, settings: Settings) -> None:
    given = []

    async def script(stage, ctx):
        answer = await ctx.ask(Blocker("k", BlockerKind.INPUT, "How many?"))
        given.append(answer.text)
        return Result("went")

    async with house(where, settings, ScriptedAgent("actor", script)) as h:
        task = await h.submit()
        async with h.worker():
            await until(h.hub, task.id, Status.BLOCKED)
        await h.hub.decide(task.id, Action.PROVIDE_CONTEXT, text="100")
        harm(where, "UPDATE blocker SET answer = replace(answer, '100', '900')")
        async with h.worker():
            view = await until(h.hub, task.id, Status.FAILED, unless=(Status.COMPLETED,))
        assert given == []
        assert "or its answer, is damaged" in str(view.task.error)


async def test_what_an_agent_saved_is_not_handed_back_damaged(
    where: Paths, settings: Settings
) -> None:
    async def script(stage, ctx):
        if stage.state is None and ctx.stop == "no":
            await ctx.save(operation="op-1234")
            await ctx.ask(Blocker("k", BlockerKind.INPUT, "?"))
        return Result("went")

    agent = ScriptedAgent("actor", script, on_interrupt="adopt")
    async with house(where, settings, agent) as h:
        task = await h.submit()
        async with h.worker():
            await until(h.hub, task.id, Status.BLOCKED)
        await h.hub.decide(task.id, Action.PROVIDE_CONTEXT, text="go")
        harm(where, "UPDATE stage SET state = replace(state, '1234', '1235')")
        async with h.worker():
            await until(h.hub, task.id, Status.FAILED, unless=(Status.COMPLETED,))
            # It is called once more, to end what it can without knowing what it has begun.
            await soon(lambda: agent.stops == ["detach", "cancel"])
        assert [run.state for run in agent.runs] == [None, None]


@pytest.mark.parametrize(
    "what",
    ["blocker.question = question || '!'", "stage.state = replace(state, 'out', 'oua')"],
)
async def test_a_command_that_waits_for_a_damaged_answer_or_state_is_not_left_running(
    where: Paths, settings: Settings, what: str
) -> None:
    """Its task has failed: nobody would ever answer it, or look at it again."""
    ended = where.home / "ended"
    waits = "echo ::taskhub ask key=k::Go?; while :; do sleep 0.1; done"
    shell = f"trap 'touch {ended}; exit' INT; {waits}"
    async with house(where, settings) as h, h.worker():
        task = await h.submit(agent="command", options={"shell": shell})
        await until(h.hub, task.id, Status.BLOCKED)
        table, change = what.split(".", 1)
        harm(where, f"UPDATE {table} SET {change}")
        with pytest.raises(Damaged):
            await h.hub.decide(task.id, Action.PROVIDE_CONTEXT, text="yes")
        await soon(ended.exists)

        async def let_go() -> bool:
            return not (await h.hub.status(task.id)).task.stopping

        await eventually(let_go)
        assert (await h.hub.status(task.id)).task.status is Status.FAILED


async def test_an_agent_at_work_on_a_task_that_turns_out_to_be_damaged_is_stopped_by_its_worker(
    where: Paths, settings: Settings
) -> None:
    begun = asyncio.Event()

    async def script(stage, ctx):
        begun.set()
        await asyncio.Event().wait()

    agent = ScriptedAgent("actor", script)
    async with house(where, settings, agent) as h, h.worker(), h.worker():
        task = await h.submit()
        await begun.wait()
        await h.hub._condemn(task.id, Damaged("A question is damaged", position=0))
        await soon(lambda: agent.stops == ["cancel"])
        assert (await h.hub.status(task.id)).task.status is Status.FAILED


async def test_a_byte_that_is_no_text_any_more_stops_only_its_own_task(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        task_id = await waiting(h)
        await h.hub.decide(task_id, Action.APPROVE)
        other = await h.submit("another")
        harm(where, "UPDATE stage SET output = CAST(x'7b2274657874223a22ff227d' AS TEXT)"
                    " WHERE output IS NOT NULL")  # fmt: skip
        assert "is not what was written" in problems(where.database)[0]
        assert {task.id for task in await h.hub.tasks()} == {task_id, other.id}
        async with h.worker():
            view = await until(h.hub, task_id, Status.FAILED, unless=(Status.COMPLETED,))
            assert "is damaged" in str(view.task.error)
            await until(h.hub, other.id, Status.COMPLETED)


async def test_options_that_are_no_json_any_more_stop_only_their_own_task(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        task, other = await h.submit(), await h.submit()
        harm(where, "UPDATE task SET options = '{' WHERE id = ?", task.id)
        async with h.worker():
            await until(h.hub, other.id, Status.COMPLETED)

            async def failed() -> bool:
                return (await h.hub.status(task.id)).task.status is Status.FAILED

            await eventually(failed)


async def test_what_was_written_before_there_were_seals_is_accepted_and_sealed_when_written(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        task_id = await waiting(h)
        for table in ("stage", "blocker", "event"):
            harm(where, f"UPDATE {table} SET seal = NULL")
        await h.hub.decide(task_id, Action.APPROVE)
        async with h.worker():
            await until(h.hub, task_id, Status.COMPLETED)
        with behind(where) as connection:
            seals = connection.execute("SELECT position, seal FROM stage").fetchall()
            assert [at for at, seal in seals if seal is not None] == [1]
    assert problems(where.database) == []


def test_an_unsealed_copy_of_an_older_taskhub_is_no_damage(tmp_path: Path) -> None:
    from taskhub_tui.storage import database

    path = tmp_path / "old.db"
    connection = sqlite3.connect(path, isolation_level=None)
    database.migrate(connection, database.migrations()[:3])
    connection.close()
    assert problems(path) == []


async def test_cancelling_what_a_damaged_task_waits_for_does_not_make_it_good(
    where: Paths, settings: Settings
) -> None:
    agent = ScriptedAgent("actor")
    async with house(where, settings, agent) as h:
        first = await h.submit("first")
        second = await h.submit("second", after=(first.id,))
        harm(where, "UPDATE stage SET prompt = 'Undo it' WHERE task_n = ?", second.n)
        await h.hub.decide(first.id, Action.CANCEL)
        view = await h.hub.status(second.id)
        assert view.task.status is Status.FAILED
        assert "is to do is damaged in the database" in str(view.task.error)


async def test_changing_a_running_task_does_not_make_the_damage_to_come_good(
    where: Paths, settings: Settings
) -> None:
    go, ran = asyncio.Event(), []

    async def work(stage, ctx):
        ran.append(stage.stage_id)
        await go.wait()
        return Result("done")

    plan = (StageSpec("first", "actor"), StageSpec("second", "actor"))
    async with house(where, settings, ScriptedAgent("actor", work)) as h, h.worker():
        task = await h.submit("Do it", stages=plan)
        await soon(lambda: ran == ["first"])
        harm(where, 'UPDATE stage SET options = \'{"shell":"rm -r b"}\' WHERE position = 1')
        await h.hub.decide(task.id, Action.MODIFY, data={"priority": "high"})
        go.set()
        view = await until(h.hub, task.id, Status.FAILED, unless=(Status.COMPLETED,))
        assert "is damaged" in str(view.task.error)
    assert "second" not in ran


@pytest.mark.parametrize(
    "broken", ["context = '[}'", "options = '{'", "priority = 77", "status = 'pendinf'"]
)
async def test_a_row_that_cannot_be_read_holds_up_no_other_and_can_be_decided_about(
    where: Paths, settings: Settings, broken: str
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        bad = await h.submit("bad", deadline=h.hub.clock() + 0.2)
        harm(where, f"UPDATE task SET {broken} WHERE n = ?", bad.n)
        assert problems(where.database) != []
        async with h.worker():
            await asyncio.sleep(0.3)  # Its deadline passes.
            good = await h.submit("good")
            await until(h.hub, good.id, Status.COMPLETED)
            assert bad.n in await h.hub.order()
            assert (await h.hub.counts()).total == 2
            with suppress(Damaged):
                await h.hub.decide(bad.id, Action.CANCEL)
            view = await h.hub.status(bad.id)
            if view.task.status is Status.FAILED:
                await h.hub.decide(bad.id, Action.CANCEL)
            assert (await h.hub.status(bad.id)).task.status is Status.CANCELLED
        told = [note.task_id for note in await h.hub.notifications()]
        assert good.id in told
