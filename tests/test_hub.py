"""What front ends are promised: clear refusals, secrets kept, and a worker that lives."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import ScriptedAgent, eventually, house, until

from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain.errors import BadInput, BadPlaybook, NotLegal, UnknownTask
from taskhub_tui.domain.model import Action, Decision, NewTask, StageSpec, Status
from taskhub_tui.hub import Hub


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ({"request": " \n\t"}, "The request is empty"),
        ({"request": "\x1b[31m\u200b"}, "The request is empty"),
        ({"options": {"a": object()}}, "The options cannot be stored"),
        ({"options": {"a": "\ud800"}}, "The options cannot be stored"),
        ({"options": {"a": "x" * 600_000}}, "The options are too large: 600009 bytes of 500000"),
        ({"workdir": "/no/such/place"}, "The folder /no/such/place does not exist"),
        ({"workdir": "~nobody-at-all/x"}, "The folder ~nobody-at-all/x has no home"),
        ({"workdir": "/a\x1b[31m\x00b"}, "The folder /ab does not exist"),
        ({"workdir": "/a\udcff"}, "is not in UTF-8"),
        ({"agent": "nosuch"}, "There is no agent `nosuch`"),
        ({"agent": "x\x1b[1m"}, "There is no agent `x`"),
        ({"agent": "broken"}, "The agent `broken` cannot be used: it is not installed"),
        ({"agent": None}, "No agent is an obvious fit for this request"),
        ({"stages": (StageSpec("a", "nosuch"),)}, "There is no agent `nosuch`"),
        ({"after": ("nosuch",)}, "There is no task `nosuch`"),
    ],
)
async def test_a_task_that_cannot_be_taken_is_refused_in_words(
    where: Paths, settings: Settings, new: dict[str, Any], said: str
) -> None:
    broken = ScriptedAgent("broken", problem="it is not installed")
    async with house(where, settings, ScriptedAgent("actor"), broken) as h:
        with pytest.raises(BadInput) as refused:
            await h.hub.submit(NewTask(**{"request": "Sing", "agent": "actor", **new}))
        assert said in str(refused.value)
        assert "\x1b" not in str(refused.value)
        assert await h.hub.tasks() == []


async def test_a_current_folder_that_is_gone_is_said(
    where: Paths, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    async with house(where, settings, ScriptedAgent("actor")) as h:
        with pytest.raises(BadInput, match="The current folder does not exist any more"):
            await h.submit()


async def test_a_title_is_made_of_the_request_and_is_one_clean_line(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        first = await h.submit("Read\x1b]0;owned\x07 the\tbook\nand more " + "x" * 300)
        second = await h.submit("Read", title="\x1b[31m\u200b")
        third = await h.submit("Read", title=" My\n\x1b[1mown ")
    assert first.title.startswith("Read the book and more")
    assert len(first.title) == 120
    assert (second.title, third.title) == ("Read", "My own")


async def test_what_was_acknowledged_is_on_disk(where: Paths, settings: Settings) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        task = await h.submit()
        async with house(where, settings) as other:
            assert (await other.hub.status(task.id)).task == task


async def test_secrets_stay_in_a_private_file_and_out_of_the_database(
    where: Paths, settings: Settings
) -> None:
    secret = "s3cr3t-0f-ann"
    async with house(where, settings, ScriptedAgent("actor")) as h:
        new = NewTask("Do it", agent="actor")
        task = await h.hub.submit(new, secret_env={"TOKEN": secret})
        kept = where.task(task.id) / "env.json"
        assert kept.stat().st_mode & 0o777 == 0o600
        assert kept.parent.stat().st_mode & 0o777 == 0o700
        assert secret in kept.read_text()
        for file in where.home.glob("taskhub.db*"):
            assert secret.encode() not in file.read_bytes()
        async with h.worker():
            await until(h.hub, task.id, Status.COMPLETED)
    everything = [file for file in where.home.rglob("*") if file.is_file() and file != kept]
    assert everything
    assert not [file for file in everything if secret.encode() in file.read_bytes()]


def _kept(where: Paths, task_id: str) -> dict[str, str]:
    return dict(json.loads((where.task(task_id) / "env.json").read_text()))


async def test_a_task_names_the_variables_it_was_given_without_their_values(
    where: Paths, settings: Settings
) -> None:
    own = StageSpec("own", "command", options={"shell": "ls", "secret_env": ["KEY"]})
    plain = StageSpec("plain", "command", options={"shell": "ls"})
    async with house(where, settings) as h:
        new = NewTask("Do it", stages=(own, plain))
        task = await h.hub.submit(new, secret_env={"TOKEN": "s3cret"})
        view = await h.hub.status(task.id)
    assert view.task.options == {"secret_env": ["TOKEN"]}
    # A stage's own names stand in the place of the task's, so they must be all of them.
    assert view.stages[0].options["secret_env"] == ["KEY", "TOKEN"]
    assert "secret_env" not in view.stages[1].options


async def test_variables_that_nothing_could_use_are_refused(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings) as h:
        new = NewTask("Look at it", agent="analyst")
        with pytest.raises(BadInput, match="`secret_env` would be of no use"):
            await h.hub.submit(new, secret_env={"TOKEN": "x"})
        assert await h.hub.tasks() == []
        assert not await _made(where)


async def test_a_decision_gives_variables_anew_and_names_them_only(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        task = await h.hub.submit(
            NewTask("Do it", agent="actor"), secret_env={"A": "a1", "B": "b1"}
        )
        await h.hub.decide(task.id, Action.MODIFY, secret_env={"B": "b2-value", "C": "c1"})
        assert _kept(where, task.id) == {"A": "a1", "B": "b2-value", "C": "c1"}
        after = (await h.hub.status(task.id)).task
        assert after.options == {"secret_env": ["A", "B", "C"]}
        decided = (await h.hub.events(task.id))[-1]
        assert decided.data["variables"] == ["B", "C"]
        for file in where.home.glob("taskhub.db*"):
            assert b"b2-value" not in file.read_bytes()

        await h.hub.pause(task.id)
        await h.hub.resume(task.id, secret_env={"D": "d1"})
        assert _kept(where, task.id)["D"] == "d1"
        after = (await h.hub.status(task.id)).task
        assert (after.status, after.options["secret_env"]) == (Status.PENDING, ["A", "B", "C", "D"])
        assert (await h.hub.events(task.id))[-1].data == {"variables": ["D"]}


async def test_a_decision_that_is_refused_leaves_the_variables_as_they_were(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        task = await h.hub.submit(NewTask("Do it", agent="actor"), secret_env={"A": "a1"})
        for action in (Action.RETRY, Action.APPROVE):
            with pytest.raises(NotLegal):
                await h.hub.decide(task.id, action, secret_env={"A": "a2"})
        with pytest.raises(NotLegal):
            await h.hub.resume(task.id, secret_env={"A": "a2"})
        with pytest.raises(BadInput, match="CANCEL lets nothing run"):
            await h.hub.decide(task.id, Action.CANCEL, secret_env={"A": "a2"})
        assert _kept(where, task.id) == {"A": "a1"}
        assert (await h.hub.status(task.id)).task == task


async def test_of_variables_given_at_once_none_is_lost(where: Paths, settings: Settings) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h, house(where, settings) as other:
        task = await h.submit()
        given = [{f"V{i}": str(i)} for i in range(20)]
        await asyncio.gather(
            *(
                (h if i % 2 else other).hub.decide(task.id, Action.MODIFY, secret_env=one)
                for i, one in enumerate(given)
            )
        )
        assert _kept(where, task.id) == {f"V{i}": str(i) for i in range(20)}
        options = (await h.hub.status(task.id)).task.options
        assert sorted(options["secret_env"]) == sorted(f"V{i}" for i in range(20))


async def test_a_submit_that_is_cancelled_too_late_keeps_what_the_task_needs(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        new = NewTask("Do it", agent="actor")
        submitting = asyncio.create_task(h.hub.submit(new, secret_env={"TOKEN": "x"}))
        await eventually(lambda: _made(where))
        submitting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await submitting
        for task in await h.hub.tasks():
            assert (where.task(task.id) / "env.json").exists()


async def _made(where: Paths) -> bool:
    return bool(list(where.tasks.glob("*/env.json")))


async def test_a_task_is_found_by_the_letters_it_begins_with(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        ids = [(await h.submit()).id for _ in range(40)]
        assert await h.hub.find(f" {ids[0].upper()} ") == ids[0]
        for task_id in ids:
            same = [one for one in ids if one[0] == task_id[0]]
            if len(same) == 1:
                assert await h.hub.find(task_id[0]) == task_id
            else:
                with pytest.raises(UnknownTask, match="Several tasks begin with"):
                    await h.hub.find(task_id[0])
        for bad in ("", " ", "1", "%", "_", "x' OR 1", "\udcff", "\x1b[31m"):
            with pytest.raises(UnknownTask) as told:
                await h.hub.find(bad)
            assert "\x1b" not in str(told.value)


async def test_tasks_are_shown_in_order_of_who_needs_you(where: Paths, settings: Settings) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        gate = (StageSpec("run", "actor", gate=True),)
        done, blocked = await h.submit("done"), await h.submit("blocked 100%", stages=gate)
        async with h.worker():
            await until(h.hub, done.id, Status.COMPLETED)
            await until(h.hub, blocked.id, Status.BLOCKED)
        waiting, new = await h.submit("waiting"), await h.submit("new")
        paused = await h.submit("paused")
        await h.hub.pause(paused.id)
        order = [blocked.n, paused.n, new.n, waiting.n, done.n]
        assert await h.hub.order() == order
        assert [task.n for task in await h.hub.tasks()] == order
        assert await h.hub.order(status=[Status.PENDING]) == [new.n, waiting.n]
        assert await h.hub.order(text="100% BLOCK") == [blocked.n]
        assert await h.hub.order(text="10_%") == []
        assert {task.n for task in await h.hub.rows(order[:2])} == set(order[:2])
        counts = await h.hub.counts()
        assert (counts.needs_you, counts.queued, counts.paused, counts.done) == (1, 2, 1, 1)
        assert counts.total == 5


async def test_a_log_is_read_in_pieces_that_fit_together(where: Paths, settings: Settings) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        task = await h.submit()
        assert (await h.hub.read_log(task.id)).at_end
        lines = [f"{i}.000\tout\tline {i} " + "ü" * (i % 50) for i in range(500)]
        where.log(task.id).write_text("".join(f"{line}\n" for line in lines))
        texts = [line.split("\t")[2] for line in lines]
        seen, offset, pieces = [], 0, 0
        while True:
            chunk = await h.hub.read_log(task.id, offset, limit=700)
            seen += [line.text for line in chunk.lines]
            offset, pieces = chunk.offset, pieces + 1
            if chunk.at_end:
                break
        assert seen == texts
        assert pieces > 10
        assert offset == where.log(task.id).stat().st_size
        again = await h.hub.read_log(task.id, offset)
        assert (again.lines, again.offset, again.at_end) == ([], offset, True)


async def test_the_end_of_a_log_is_read_from_a_whole_line_on(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        task = await h.submit()
        where.log(task.id).write_text("1.0\tout\tone\n2.0\tout\ttwo\n3.0\tout\tthree\n")
        size = where.log(task.id).stat().st_size
        last = len("3.0\tout\tthree\n")
        for back, expected in [
            (last, ["three"]),
            (last + 1, ["three"]),
            (last - 1, []),
            (size, ["one", "two", "three"]),
            (size + 99, ["one", "two", "three"]),
        ]:
            chunk = await h.hub.read_log(task.id, -back)
            assert [line.text for line in chunk.lines] == expected, back
            assert chunk.at_end


async def test_a_log_that_was_cut_or_torn_is_read_on(where: Paths, settings: Settings) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        task = await h.submit()
        log = where.log(task.id)
        log.write_text("1.0\tout\tone\n2.0\tout\ttwo\n")
        end = (await h.hub.read_log(task.id)).offset
        log.write_text("1.0\tout\tone\n")  # cut back to the last save
        chunk = await h.hub.read_log(task.id, end)
        assert (chunk.lines, chunk.offset, chunk.at_end) == ([], log.stat().st_size, True)
        log.write_text("1.0\tout\tone\n2.0\tout\tlonger now\n3.0\tout\tthree\n")
        chunk = await h.hub.read_log(task.id, end)
        assert [line.text for line in chunk.lines] == ["three"], "never half a line"
        log.write_text("1.0\tout\tone\n2.0\tout\ttor")  # still being written
        chunk = await h.hub.read_log(task.id)
        assert ([line.text for line in chunk.lines], chunk.at_end) == (["one"], True)
        assert chunk.offset == len("1.0\tout\tone\n")
        log.write_bytes(b"garbage \x1b[31m\xff\n1.0\tout\tgood\n")
        chunk = await h.hub.read_log(task.id)
        assert [line.text for line in chunk.lines] == ["garbage \ufffd", "good"]


async def test_a_line_that_is_longer_than_asked_for_comes_whole(
    where: Paths, settings: Settings
) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        task = await h.submit()
        where.log(task.id).write_text("1.0\tout\t" + "x" * 90_000 + "\n2.0\tout\tnext\n")
        chunk = await h.hub.read_log(task.id, 0, limit=10)
        assert len(chunk.lines[0].text) == 90_000


async def test_a_playbook_that_is_broken_is_said_with_its_file(
    where: Paths, settings: Settings, tmp_path: Path
) -> None:
    async with house(where, settings) as h:
        file = tmp_path / "p.toml"
        for content, said in [
            (b"name = ", "is not valid TOML"),
            (b"\xff", "is not a text in UTF-8"),
            (b"name = 'P'", "`stage` is missing"),
            (b"# " + b"x" * 1_000_001, "is larger than 1 MB"),
        ]:
            file.write_bytes(content)
            with pytest.raises(BadPlaybook) as told:
                h.hub.read_playbook(file)
            assert said in str(told.value)
            assert "p.toml" in str(told.value)
        with pytest.raises(BadPlaybook, match="cannot be read: No such file"):
            h.hub.read_playbook(tmp_path / "none.toml")
        with pytest.raises(BadPlaybook, match="cannot be read: Is a directory"):
            h.hub.read_playbook(tmp_path)


async def test_a_decision_carries_clean_words_only(where: Paths, settings: Settings) -> None:
    async with house(where, settings, ScriptedAgent("actor")) as h:
        task = await h.submit()
        view = await h.hub.decide(task.id, Action.PROVIDE_CONTEXT, text="a\x1b]52;c;eA==\x07b")
        assert view.task.context == ("ab",)
        request = {"request": "new\x1b[2J words"}
        view = await h.hub.decide(task.id, Action.MODIFY, data=request)
        assert view.task.request == "new words"
        with pytest.raises(BadInput, match="PROVIDE_CONTEXT needs words"):
            await h.hub.decide(task.id, Action.PROVIDE_CONTEXT, text="\x1b[31m")
        with pytest.raises(BadInput, match="The options cannot be stored"):
            await h.hub.decide(task.id, Action.MODIFY, data={"options": {"a": {1}}})
        with pytest.raises(UnknownTask):
            await h.hub.decide("nosuch", Action.CANCEL)
        with pytest.raises(BadInput, match="There is no agent `nosuch`"):
            await h.hub.decide(task.id, Action.REASSIGN, agent="nosuch")


# A worker of its own


@pytest.fixture
def brief(where: Paths, settings: Settings) -> Settings:
    """Settings, also on disk, with which a detached worker soon leaves by itself."""
    where.config.write_text(
        'owner = "ann"\nidle_exit = 0.5\n[notifications.desktop]\nenabled = false\n'
    )
    return replace(settings, idle_exit=0.5)


async def _nobody(hub: Hub) -> bool:
    return not any(worker.alive for worker in await hub.workers())


@pytest.mark.slow
async def test_a_worker_starts_by_itself_does_the_work_and_leaves(
    where: Paths, brief: Settings, tmp_path: Path
) -> None:
    made = tmp_path / "made"
    async with await Hub.open(paths=where, settings=brief) as hub:
        code = f"import os; open({str(made)!r}, 'w').write(str(os.getppid()))"
        argv = [sys.executable, "-c", code]
        task = await hub.submit(NewTask("Make it", agent="command", options={"argv": argv}))
        view = await until(hub, task.id, Status.COMPLETED)
        assert made.exists(), view
        await eventually(lambda: _nobody(hub))


@pytest.mark.slow
async def test_a_worker_that_is_killed_is_replaced_within_seconds_and_adopts(
    where: Paths, brief: Settings, tmp_path: Path
) -> None:
    go, runs = tmp_path / "go", tmp_path / "runs"
    code = (
        "import os, pathlib, sys, time\n"
        f"with open({str(runs)!r}, 'a') as f: f.write('once\\n')\n"
        f"while not os.path.exists({str(go)!r}): time.sleep(0.02)\n"
        "print('finished')\n"
    )
    async with await Hub.open(paths=where, settings=brief) as hub:
        argv = [sys.executable, "-c", code]
        task = await hub.submit(NewTask("Wait", agent="command", options={"argv": argv}))

        async def running() -> bool:
            return runs.exists()

        await eventually(running)
        (first,) = [worker for worker in await hub.workers() if worker.alive]
        os.kill(first.pid, signal.SIGKILL)

        async def replaced() -> bool:
            alive = [worker for worker in await hub.workers() if worker.alive]
            return bool(alive) and alive[0].pid != first.pid

        async with asyncio.timeout(10):
            await eventually(replaced)
        go.touch()
        await until(hub, task.id, Status.COMPLETED)
        assert runs.read_text() == "once\n"
        assert "adopted" in [event.kind for event in await hub.events(task.id)]
        await eventually(lambda: _nobody(hub))


async def test_a_decision_that_is_tried_out_changes_nothing(hub: Hub) -> None:
    task = await hub.submit(NewTask("wait", agent="command", options={"argv": ["true"]}))
    before = await hub.status(task.id)
    await hub.try_out(task.id, Decision(Action.CANCEL, "", "app"))
    assert await hub.status(task.id) == before
    with pytest.raises(NotLegal):
        await hub.try_out(task.id, Decision(Action.APPROVE, "", "app"))
