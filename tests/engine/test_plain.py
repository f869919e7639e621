"""What a task goes through when nothing special happens, and how agents may misbehave."""

import asyncio
import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from support import ScriptedAgent, eventually, house, soon, until

from taskhub_tui.agents.port import AgentError, Artifact, Result, Stage, StageContext
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.model import Action, NoticeKind, Priority, StageSpec, StageStatus, Status

TWO = (StageSpec("first", "actor"), StageSpec("second", "actor"))


async def test_a_task_goes_from_stage_to_stage_and_says_so(
    where: Paths, settings: Settings
) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        ctx.log(f"working on {stage.stage_id}")
        return Result(f"{stage.stage_id} made {len(stage.inputs)}", {"n": stage.position})

    actor = ScriptedAgent("actor", work)
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit(stages=TWO)
        view = await until(h.hub, task.id, Status.COMPLETED)
        kinds = await h.kinds(task.id)
        assert kinds == ["created", "started", "checkpoint", "started", "checkpoint", "completed"]
        assert [stage.status for stage in view.stages] == [StageStatus.DONE] * 2
        assert view.task.summary == "second made 1"
        assert (view.task.fraction, view.task.eta, view.task.holder) == (1.0, None, None)
        assert await h.said(task.id) == ["working on first", "working on second"]
        told = [note.kind for note in await h.hub.notifications()]
        assert told == [NoticeKind.COMPLETED, NoticeKind.ACKNOWLEDGED]
    earlier = actor.runs[1].inputs[0]
    assert (earlier.stage, earlier.text, earlier.data) == ("first", "first made 0", {"n": 0})


async def test_a_checkpoint_goes_with_the_start_of_the_next_stage(
    where: Paths, settings: Settings
) -> None:
    many = tuple(StageSpec(f"s{i}", "actor") for i in range(8))
    async with house(where, settings, ScriptedAgent("actor")) as h, h.worker():
        task = await h.submit(stages=many)
        await until(h.hub, task.id, Status.COMPLETED)
        events = await h.hub.events(task.id)
        commits = {event.seq for event in events if event.kind != "created"}
        assert len(commits) <= len(many) + 1
        for done, begun in zip(events[2:-1:2], events[3::2], strict=False):
            assert (done.kind, done.seq) == ("checkpoint", begun.seq)


async def test_a_failed_attempt_is_repeated_as_often_as_it_may(
    where: Paths, settings: Settings
) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        if stage.attempt < 3:
            raise AgentError("not yet", retryable=True)
        return Result("at last")

    actor = ScriptedAgent("actor", work)
    async with house(where, settings, actor) as h, h.worker():
        stage = StageSpec("try", "actor", retries=2, retry_delay=0.01)
        task = await h.submit(stages=(stage,))
        view = await until(h.hub, task.id, Status.COMPLETED)
        kinds = await h.kinds(task.id)
        assert kinds.count("retrying") == 2
        assert view.task.error is None
    assert [run.attempt for run in actor.runs] == [1, 2, 3]
    assert len({run.idempotency_key for run in actor.runs}) == 3


async def test_the_pause_between_attempts_doubles(where: Paths, settings: Settings) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        raise AgentError("never", retryable=True)

    async with house(where, settings, ScriptedAgent("actor", work)) as h, h.worker():
        stage = StageSpec("try", "actor", retries=3, retry_delay=0.02)
        task = await h.submit(stages=(stage,))
        view = await until(h.hub, task.id, Status.FAILED)
        waits = [e.data["again in"] for e in await h.hub.events(task.id) if e.kind == "retrying"]
        assert len(waits) == 3
        facts = [e.at for e in await h.hub.events(task.id) if e.kind in ("retrying", "started")]
        pauses = [facts[i + 1] - facts[i] for i in (1, 3, 5)]
        assert all(p >= least for p, least in zip(pauses, (0.02, 0.04, 0.08), strict=True))
        assert view.task.error == "never"


async def test_what_cannot_get_better_is_not_repeated(where: Paths, settings: Settings) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        raise AgentError("no such model", detail={"model": "x"})

    actor = ScriptedAgent("actor", work)
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit(stages=(StageSpec("try", "actor", retries=5),))
        view = await until(h.hub, task.id, Status.FAILED)
        failed = (await h.hub.events(task.id))[-1]
        assert (view.task.error, failed.data["model"]) == ("no such model", "x")
        assert (await h.hub.notifications())[0].kind is NoticeKind.ERROR
    assert len(actor.runs) == 1


async def test_a_stage_that_takes_too_long_is_ended(where: Paths, settings: Settings) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        await asyncio.Event().wait()
        return Result()

    actor = ScriptedAgent("actor", work)
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit(stages=(StageSpec("slow", "actor", timeout=0.05),))
        view = await until(h.hub, task.id, Status.FAILED)
        assert view.task.error == "The stage “slow” took longer than its limit of 0s"
    assert actor.stops == ["cancel"]


async def _nonsense(stage: Stage, ctx: StageContext) -> object:
    return {"text": "not a Result"}


async def _no_text(stage: Stage, ctx: StageContext) -> Result:
    return Result(None)  # type: ignore[arg-type]


async def _raise(stage: Stage, ctx: StageContext) -> Result:
    raise ZeroDivisionError("by \x1b[31mzero")


async def _exit(stage: Stage, ctx: StageContext) -> Result:
    raise SystemExit(3)


def _not_async(stage: Stage, ctx: StageContext) -> Result:
    return Result("at once")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (_nonsense, "not a Result"),
        (_no_text, "not a Result"),
        (_raise, "ZeroDivisionError: by zero"),
        (_exit, "sys.exit(3)"),
        (_not_async, "TypeError"),
    ],
)
async def test_a_bug_in_an_agent_fails_its_task_only(
    where: Paths, settings: Settings, script: object, said: str
) -> None:
    broken = ScriptedAgent("broken", script)  # type: ignore[arg-type]
    async with house(where, settings, broken, ScriptedAgent("actor")) as h, h.worker():
        bad = await h.submit(agent="broken")
        good = await h.submit()
        view = await until(h.hub, bad.id, Status.FAILED)
        assert view.task.error is not None
        assert view.task.error.startswith("The agent `broken` has a bug: ")
        assert said in view.task.error
        assert "\x1b" not in view.task.error
        await until(h.hub, good.id, Status.COMPLETED)


async def test_an_agent_that_gives_up_by_itself_fails(where: Paths, settings: Settings) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        raise asyncio.CancelledError

    async with house(where, settings, ScriptedAgent("actor", work)) as h, h.worker():
        task = await h.submit()
        view = await until(h.hub, task.id, Status.FAILED)
        assert view.task.error == "The agent `actor` gave up by itself"


async def test_an_agent_that_swallows_cancellation_changes_nothing(
    where: Paths, settings: Settings
) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return Result("done all the same")
        raise AssertionError

    actor = ScriptedAgent("actor", work)
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit()
        await soon(lambda: actor.runs)
        await h.hub.decide(task.id, Action.CANCEL)

        async def stopped() -> bool:
            return not (await h.hub.status(task.id)).task.stopping

        await eventually(stopped)
        view = await h.hub.status(task.id)
        assert view.task.status is Status.CANCELLED
        assert view.stages[0].output is None
    assert actor.stops == ["cancel"]


async def test_a_flood_of_log_lines_does_not_stop_others(where: Paths, settings: Settings) -> None:
    async def flood(stage: Stage, ctx: StageContext) -> Result:
        for i in range(30_000):
            ctx.log(f"line {i}")
            ctx.progress(i / 30_000, f"at {i}")
            if i % 1000 == 0:
                await asyncio.sleep(0)
        return Result("flooded")

    async with (
        house(where, settings, ScriptedAgent("actor"), ScriptedAgent("flood", flood)) as h,
        h.worker(),
    ):
        loud = await h.submit(agent="flood")
        quiet = await h.submit()
        await until(h.hub, quiet.id, Status.COMPLETED)
        await until(h.hub, loud.id, Status.COMPLETED)
        seen, offset = 0, 0
        while True:
            chunk = await h.hub.read_log(loud.id, offset)
            for line in chunk.lines:
                assert line.text == f"line {seen}"
                seen += 1
            offset = chunk.offset
            if chunk.at_end:
                break
        assert seen == 30_000
        # Progress is coalesced, and is no event.
        assert len(await h.hub.events(loud.id)) == 4


async def test_hostile_words_of_an_agent_are_harmless_when_stored(
    where: Paths, settings: Settings
) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        ctx.log("a\x1b]52;c;ZXZpbA==\x07b\r\n\x1b[2Jc", stream="x\ty")  # type: ignore[arg-type]
        ctx.progress(0.5, "\x1b[31mred\nnote")
        await ctx.save(name="\udcff")
        return Result("\x1b]0;owned\x07fine", {"x": "\udcff"})

    async with house(where, settings, ScriptedAgent("actor", work)) as h, h.worker():
        task = await h.submit()
        view = await until(h.hub, task.id, Status.COMPLETED)
        assert view.task.summary == "fine"
        chunk = await h.hub.read_log(task.id)
        assert [(line.stream, line.text) for line in chunk.lines] == [
            ("agent", "ab"),
            ("agent", "c"),
        ]
        assert view.stages[0].state == {"name": "\udcff"}


async def test_too_much_state_is_refused_in_words(where: Paths, settings: Settings) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        await ctx.save(all="x" * 1_100_000)
        return Result()

    async with house(where, settings, ScriptedAgent("actor", work)) as h, h.worker():
        task = await h.submit()
        view = await until(h.hub, task.id, Status.FAILED)
        assert view.task.error is not None
        assert "1000000 are the most" in view.task.error


async def test_a_result_that_is_too_large_is_left_out_and_said(
    where: Paths, settings: Settings
) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        return Result("t" * 500_000, {"big": "x" * 500_000})

    async with house(where, settings, ScriptedAgent("actor", work)) as h, h.worker():
        task = await h.submit()
        view = await until(h.hub, task.id, Status.COMPLETED)
        output = view.stages[0].output
        assert output is not None
        assert output["data"] == {}
        assert len(output["text"]) == 400_000
        assert output["text"].endswith("…")
        said = await h.said(task.id)
        assert any("data of the result was left out" in line for line in said)


async def test_artifacts_are_noted_replaced_and_the_main_one_is_the_result(
    where: Paths, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    report = tmp_path / "report.md"

    async def work(stage: Stage, ctx: StageContext) -> Result:
        report.write_text("draft")
        await ctx.artifact(Artifact("report", report, "text/markdown"))
        report.write_text("the whole report")
        await ctx.artifact(Artifact("report", Path("report.md"), "text/markdown", main=True))
        return Result("written")

    async with house(where, settings, ScriptedAgent("actor", work)) as h, h.worker():
        task = await h.submit(stages=TWO)
        view = await until(h.hub, task.id, Status.COMPLETED)
        assert [(a.stage, a.name, a.size) for a in view.artifacts] == [
            (0, "report", 16),
            (1, "report", 16),
        ]
        assert view.artifacts[0].path == view.task.result == str(report)


async def test_an_artifact_that_is_not_there_fails_the_stage_in_words(
    where: Paths, settings: Settings, tmp_path: Path
) -> None:
    async def work(stage: Stage, ctx: StageContext) -> Result:
        await ctx.artifact(Artifact("report", tmp_path / "nowhere.md"))
        return Result()

    async with house(where, settings, ScriptedAgent("actor", work)) as h, h.worker():
        task = await h.submit()
        view = await until(h.hub, task.id, Status.FAILED)
        assert view.task.error == (
            f"The file {tmp_path}/nowhere.md was to be handed over, but cannot be read:"
            " No such file or directory"
        )


async def test_an_artifact_whose_name_is_no_utf8_fails_the_stage_in_words(
    where: Paths, settings: Settings, tmp_path: Path
) -> None:
    file = Path(f"{tmp_path}/report-\udcff.md")
    file.touch()

    async def work(stage: Stage, ctx: StageContext) -> Result:
        await ctx.artifact(Artifact("report", file))
        return Result()

    async with house(where, settings, ScriptedAgent("actor", work)) as h, h.worker():
        task = await h.submit()
        view = await until(h.hub, task.id, Status.FAILED)
        assert view.task.error == (
            f"The file {tmp_path}/report-\ufffd.md was to be handed over, but its name is not valid"
            " UTF-8"
        )


async def test_an_agent_that_cannot_be_loaded_fails_its_task_with_the_reason(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        task = await h.submit()
        async with house(where, settings) as bare, bare.worker():
            view = await until(h.hub, task.id, Status.FAILED)
            assert view.task.error is not None
            assert view.task.error.startswith("There is no agent `actor`")


async def test_no_more_stages_run_at_once_than_allowed(where: Paths, settings: Settings) -> None:
    running, most = 0, 0

    async def work(stage: Stage, ctx: StageContext) -> Result:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return Result()

    async with house(where, settings, ScriptedAgent("actor", work)) as h:
        tasks = [await h.submit() for _ in range(12)]
        async with h.worker(concurrency=3):
            for task in tasks:
                await until(h.hub, task.id, Status.COMPLETED)
    assert most == 3


async def test_the_urgent_and_the_old_go_first(where: Paths, settings: Settings) -> None:

    actor = ScriptedAgent("actor")
    async with house(where, settings, actor) as h:
        order = [Priority.LOW, Priority.NORMAL, Priority.CRITICAL, Priority.NORMAL, Priority.HIGH]
        tasks = [await h.submit(f"{i}", priority=p) for i, p in enumerate(order)]
        async with h.worker(concurrency=1):
            for task in tasks:
                await until(h.hub, task.id, Status.COMPLETED)
    assert [run.prompt for run in actor.runs] == ["2", "4", "1", "3", "0"]


async def test_a_database_kept_busy_for_long_loses_no_task(
    where: Paths, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("taskhub_tui.storage.database.BUSY_MS", 100)
    ready, go = asyncio.Event(), asyncio.Event()

    async def work(stage: Stage, ctx: StageContext) -> Result:
        ready.set()
        await go.wait()
        return Result("done")

    actor = ScriptedAgent("actor", work, on_interrupt="rerun")
    async with house(where, settings, actor) as h, h.worker():
        task = await h.submit()
        await ready.wait()
        other = sqlite3.connect(where.database, isolation_level=None)
        try:
            other.execute("BEGIN IMMEDIATE")
            go.set()
            await soon(lambda: actor.stops)
            await asyncio.sleep(0.3)  # longer than the writer waits for the lock
            assert (await h.hub.status(task.id)).task.status is Status.IN_PROGRESS
            other.execute("ROLLBACK")
        finally:
            other.close()
        await until(h.hub, task.id, Status.COMPLETED)
        assert (await h.kinds(task.id))[-2:] == ["checkpoint", "completed"]
    assert {run.idempotency_key for run in actor.runs} == {actor.runs[0].idempotency_key}


async def test_an_engine_that_cannot_go_on_fails_the_task_and_says_so(
    where: Paths, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("weight")

    monkeypatch.setattr("taskhub_tui.domain.execution.checkpoint", broken)
    async with house(where, settings, ScriptedAgent("actor")) as h, h.worker():
        task = await h.submit()
        view = await until(h.hub, task.id, Status.FAILED)
        assert view.task.error == (
            "TaskHub has a bug: KeyError: 'weight'; the worker's log has the details"
        )


async def test_options_of_the_stage_come_on_top_of_the_tasks(
    where: Paths, settings: Settings
) -> None:
    actor = ScriptedAgent("actor")
    async with house(where, settings, actor) as h, h.worker():
        stage = StageSpec("one", "actor", prompt="own words", options={"b": 2})
        task = await h.submit("Do it", options={"a": 1, "b": 1}, stages=(stage,))
        await until(h.hub, task.id, Status.COMPLETED)
    (run,) = actor.runs
    assert json.dumps(dict(run.options)) == '{"a": 1, "b": 2}'
    assert run.prompt == "own words"
    assert run.datadir.stat().st_mode & 0o777 == 0o700


async def test_a_task_whose_folder_cannot_be_used_fails_and_says_so(
    where: Paths, settings: Settings
) -> None:
    actor = ScriptedAgent("actor")
    async with house(where, settings, actor) as h:
        task = await h.submit("Do it")
        folder = where.task(task.id)
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.write_text("no folder")
        async with h.worker():
            view = await until(h.hub, task.id, Status.FAILED, unless=(Status.COMPLETED,))
            assert view.task.error == f"The folder {folder} cannot be used: File exists"
            assert actor.runs == []
            folder.unlink()
            await h.hub.decide(task.id, Action.RETRY)
            await until(h.hub, task.id, Status.COMPLETED)
