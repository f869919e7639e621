"""Tasks go from one hub to another whole, and nothing comes in that is not a sound task."""

import asyncio
import io
import json
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import ScriptedAgent, eventually, house, until

from taskhub_tui import care
from taskhub_tui.agents.port import Result
from taskhub_tui.config import Paths, Settings
from taskhub_tui.domain import ids
from taskhub_tui.domain.errors import BadInput, StoreError
from taskhub_tui.domain.model import Action, StageSpec, StageStatus, Status, WaitingOn
from taskhub_tui.hub import Hub
from taskhub_tui.storage import exchange
from taskhub_tui.storage.store import Store
from taskhub_tui.text import clean, one_line

slow = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def place(folder: Path) -> Paths:
    return Paths(folder, folder / "config.toml", folder / "results")


async def exported(where: Paths, *wanted: str) -> list[dict[str, Any]]:
    out = io.StringIO()
    await care.export(where, wanted, out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


async def imported(where: Paths, *lines: Any, dry: bool = False):
    text = "".join(one if isinstance(one, str) else json.dumps(one) + "\n" for one in lines)
    return await care.import_(where, io.BytesIO(text.encode("utf-8", "surrogatepass")), by="ann",
                              dry=dry)  # fmt: skip


# What may stand in an export

words = st.text(max_size=30).map(clean)
names = st.text(min_size=1, max_size=20).map(one_line)
times = st.floats(0, 4e9, allow_nan=False)
maybe = st.one_of(st.none(), times)
task_ids = st.text(ids.ALPHABET, min_size=ids.LENGTH, max_size=ids.LENGTH)
plain = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False,
                  allow_infinity=False), words)  # fmt: skip
tables = st.dictionaries(
    names, st.recursive(plain, lambda inner: st.lists(inner, max_size=3), max_leaves=5), max_size=3
)
small = st.integers(0, 50)
stages = st.fixed_dictionaries({
    "name": names, "agent": names,
    "status": st.sampled_from([status.value for status in StageStatus]),
    "prompt": words, "options": tables, "gate": st.booleans(), "review": st.booleans(),
    "weight": times, "timeout": maybe, "stall": maybe, "retries": small, "retry_delay": times,
    "on_interrupt": st.sampled_from([None, "adopt", "rerun", "ask"]), "attempt": small,
    "failures": small, "approved": st.booleans(), "fraction": st.none() | st.floats(0, 1),
    "note": words, "estimate": maybe, "started": maybe, "ended": maybe,
    "state": st.none() | tables, "output": st.none() | tables, "error": st.none() | words,
})  # fmt: skip
events = st.fixed_dictionaries({
    "at": times, "kind": names, "stage": st.none() | small, "by": names, "channel": names,
    "data": tables,
})  # fmt: skip


@st.composite
def lines(draw: st.DrawFn) -> dict[str, Any]:
    planned = draw(st.lists(stages, min_size=1, max_size=3))
    task = draw(st.fixed_dictionaries({
        "id": task_ids, "title": names, "request": words, "owner": names, "agent": names,
        "workdir": words, "status": st.sampled_from([status.value for status in Status]),
        "created": times, "changed": times, "playbook": st.none() | names, "options": tables,
        "context": st.lists(words, max_size=2), "priority": st.integers(-1, 2),
        "waiting_on": st.sampled_from([None, "user", "retry", "dependency"]),
        "stage": st.integers(0, len(planned)), "stages": st.just(len(planned)),
        "stage_name": words.map(one_line), "fraction": st.none() | st.floats(0, 1), "note": words,
        "eta": maybe, "ready_at": times, "started": maybe, "ended": maybe,
        "error": st.none() | words, "summary": st.none() | words, "result": st.none() | words,
        "deadline": maybe,
    }))  # fmt: skip
    blocker = st.fixed_dictionaries({
        "id": task_ids, "stage": st.integers(0, len(planned) - 1), "key": names,
        "kind": st.sampled_from(["approval", "input", "auth", "interrupted"]), "question": words,
        "version": small, "created": times,
        "state": st.sampled_from(["open", "answered", "withdrawn", "expired"]),
        "choices": st.lists(st.fixed_dictionaries({
            "id": names, "label": names, "effect": st.just("neutral")}), max_size=2),
        "detail": tables, "risk": st.sampled_from(["low", "high"]), "attempt": small,
        "deadline": maybe, "default": st.sampled_from([None, "deny"]),
        "answer": st.none() | tables, "answered": maybe, "by": st.none() | names,
        "channel": st.none() | names,
    })  # fmt: skip
    artifact = st.fixed_dictionaries({
        "stage": st.integers(0, len(planned) - 1), "name": names, "path": words,
        "media_type": names, "size": st.integers(0, 1 << 50), "created": times,
    })  # fmt: skip
    return {
        "taskhub": 1,
        "task": task,
        "stages": planned,
        "blockers": draw(st.lists(blocker, max_size=1)),
        "events": draw(st.lists(events, max_size=3)),
        "artifacts": draw(st.lists(artifact, max_size=1)),
        "after": [],
    }


def comparable(line: dict[str, Any]) -> dict[str, Any]:
    """A line without the note of the import itself."""
    return {**line, "events": [one for one in line["events"] if one["kind"] != "imported"]}


@slow
@given(lines())
def test_a_task_comes_back_as_it_went(line: dict[str, Any]) -> None:
    if not line["task"]["title"]:
        line["task"]["title"] = "-"
    folder = Path(tempfile.mkdtemp())

    async def go() -> tuple[dict[str, Any], dict[str, Any]]:
        first, second = place(folder / "a"), place(folder / "b")
        await imported(first, line)
        (once,) = await exported(first)
        await imported(second, once)
        (twice,) = await exported(second)
        return once, twice

    try:
        once, twice = asyncio.run(go())
    finally:
        shutil.rmtree(folder)
    assert comparable(once) == comparable(twice)
    kept = ("id", "title", "request", "options", "context", "created", "summary", "result")
    assert [once["task"][key] for key in kept] == [line["task"][key] for key in kept]
    assert comparable(once)["events"] == comparable(line)["events"]
    assert once["artifacts"] == line["artifacts"]
    done = [one for one in line["stages"] if one["status"] == "done"]
    assert [one for one in once["stages"] if one["status"] == "done"] == done
    if line["task"]["status"] in ("completed", "failed", "cancelled"):
        assert once["task"] == line["task"]
    else:
        assert once["task"]["status"] == "paused"
        left = [one for one in once["stages"] if one["status"] != "done"]
        assert all(one["status"] == "pending" and one["state"] is None for one in left)
    assert all(one["state"] != "open" for one in once["blockers"])


@slow
@given(lines(), st.data())
def test_a_garbled_line_is_refused_in_words_or_is_a_task(
    line: dict[str, Any], data: st.DataObject
) -> None:
    text = json.dumps(line)
    start = data.draw(st.integers(0, len(text) - 1))
    width = data.draw(st.integers(0, 40))
    junk = data.draw(
        st.text(max_size=5) | st.sampled_from(["NaN", "1e999", '"', "[" * 2000, "9" * 5000])
    )
    garbled = text[:start] + junk + text[start + width :]
    folder = Path(tempfile.mkdtemp())

    async def go() -> tuple[str | None, int]:
        where, said = place(folder / "a"), None
        try:
            await imported(where, line, garbled.replace("\n", " ") + "\n")
        except BadInput as error:
            said = str(error)
        return said, len(await exported(where))

    try:
        said, count = asyncio.run(go())
    finally:
        shutil.rmtree(folder)
    if said is None:
        assert count in (1, 2)  # One, where the second line came out blank.
    else:
        assert (said.startswith("The input, line "), count) == (True, 0)


# What people rely on


@pytest.fixture
def other(tmp_path: Path) -> Paths:
    return place(tmp_path / "other")


def valid(**task: Any) -> dict[str, Any]:
    """A line of a task that is over."""
    stage = {
        "name": "run", "agent": "actor", "status": "done", "prompt": "", "options": {},
        "gate": False, "review": False, "weight": 1.0, "timeout": None, "retries": 0,
        "retry_delay": 5.0, "on_interrupt": None, "attempt": 1, "failures": 0, "approved": False,
        "fraction": 1.0, "note": "", "estimate": None, "started": 1.0, "ended": 2.0,
        "state": None, "output": {"text": "fine", "data": {}}, "error": None,
    }  # fmt: skip
    whole = {
        "id": "abcdefgh", "title": "A task", "request": "Do it", "owner": "bob", "agent": "actor",
        "workdir": "/tmp", "status": "completed", "created": 1.0, "changed": 2.0,
        "playbook": None, "options": {}, "context": [], "priority": 0, "waiting_on": None,
        "stage": 1, "stages": 1, "stage_name": "", "fraction": 1.0, "note": "", "eta": None,
        "ready_at": 1.0, "started": 1.0, "ended": 2.0, "error": None, "summary": "fine",
        "result": None,
    }  # fmt: skip
    return {"taskhub": 1, "task": whole | task, "stages": [stage], "blockers": [], "events": [],
            "artifacts": [], "after": []}  # fmt: skip


async def test_a_real_history_goes_over_and_the_rest_asks_before_it_runs(
    where: Paths, settings: Settings, other: Paths
) -> None:
    async def script(stage, ctx):
        if stage.stage_id == "slow" and stage.attempt == 1:
            await ctx.save(pid=4711)
            await asyncio.sleep(60)
        return Result("done")

    agent = ScriptedAgent("actor", script)
    plan = (StageSpec("quick", "actor"), StageSpec("slow", "actor"))
    async with house(where, settings, agent) as h:
        done = await h.submit("done")
        runs = await h.submit("runs", stages=plan)
        waits = await h.submit("waits", after=(runs.id,))
        async with h.worker():
            await until(h.hub, done.id, Status.COMPLETED)

            async def is_slow() -> bool:
                return (await h.hub.status(runs.id)).stages[1].state is not None

            await eventually(is_slow)
        before = await h.hub.status(done.id)
        text = await exported(where)
    told = await imported(other, *text)
    assert (list(told.tasks), told.paused) == ([done.id, runs.id, waits.id], 2)
    started = len(agent.runs)
    async with house(other, settings, agent) as h:
        view = await h.hub.status(done.id)
        assert (view.task.summary, view.task.ended) == (before.task.summary, before.task.ended)
        assert [e.kind for e in await h.hub.events(done.id)][-2:] == ["completed", "imported"]
        async with h.worker():
            view = await h.hub.status(runs.id)
            assert view.task.status is Status.PAUSED
            assert (await h.hub.status(waits.id)).after == [runs.id]
            await h.hub.resume(runs.id)
            await h.hub.resume(waits.id)
            # What had begun elsewhere begins again only when a person says so.
            await until(h.hub, runs.id, Status.BLOCKED)
            assert len(agent.runs) == started
            await h.hub.decide(runs.id, Action.APPROVE)
            await until(h.hub, waits.id, Status.COMPLETED)
        assert [(run.stage_id, run.attempt, run.state) for run in agent.runs[started:][:1]] == [
            ("slow", 2, None)
        ]


async def test_what_is_here_is_skipped_and_left_as_it_is(other: Paths) -> None:
    await imported(other, valid())
    told = await imported(other, valid(title="Another title"), valid(id="bbbbbbbb"))
    assert (list(told.skipped), list(told.tasks)) == (["abcdefgh"], ["bbbbbbbb"])
    titles = [one["task"]["title"] for one in await exported(other)]
    assert titles == ["A task", "A task"]


async def test_a_pipe_is_read_only_once(other: Paths, tmp_path: Path) -> None:
    pipe = tmp_path / "export.jsonl"
    os.mkfifo(pipe)
    text = json.dumps(valid()) + "\n"
    writing = threading.Thread(target=pipe.write_text, args=(text,))
    writing.start()
    told = await care.import_(other, pipe, by="ann")
    writing.join()
    assert list(told.tasks) == ["abcdefgh"]
    assert [one["task"]["id"] for one in await exported(other)] == ["abcdefgh"]
    assert {one.name for one in other.home.iterdir()} <= {"taskhub.db", "taskhub.db-newest", "run"}


async def test_an_input_for_whose_copy_there_is_no_room_is_said(
    other: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(care.tempfile, "TemporaryFile", lambda dir: io.FileIO("/dev/full", "r+"))
    with pytest.raises(BadInput, match=r"The input could not be copied to .*: No space left"):
        await imported(other, valid())


class Endless(io.RawIOBase):
    """Gives the same piece for ever, as `yes` does."""

    def __init__(self, piece: bytes) -> None:
        self.piece = piece
        self.given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = len(buffer) // len(self.piece)
        buffer[: count * len(self.piece)] = self.piece * count
        self.given += count * len(self.piece)
        assert self.given < 1_000_000_000, "it is read without end"
        return count * len(self.piece)


@pytest.mark.parametrize(
    ("piece", "said", "most"),
    [
        (b"y\n", "line 1, cannot be imported: it is no JSON", 1_000_000),
        (b"\0", "line 1, cannot be imported: it is longer than", 100_000_000),
        (b"\n", "could not be copied to .*: No space left", 200_000_000),
    ],
)
async def test_an_input_without_end_is_refused_before_it_fills_the_disk(
    other: Paths, piece: bytes, said: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage, source = shutil.disk_usage("/"), Endless(piece)
    # What was read lies on the disk by now.
    monkeypatch.setattr(
        shutil,
        "disk_usage",
        lambda path: usage._replace(free=exchange._ROOM + 20_000 - source.given),
    )
    with pytest.raises(BadInput, match=f"The input,? {said}"):
        await care.import_(other, io.BufferedReader(source), by="ann")
    assert source.given < most


async def test_a_file_that_changes_meanwhile_is_not_said_to_be_imported(other: Paths) -> None:
    class Shrinking(io.BytesIO):
        def seek(self, at: int, whence: int = 0) -> int:
            nonlocal looks
            looks += 1
            if looks == 2:
                self.truncate(len(lines[0]))
            return super().seek(at, whence)

    looks = 0
    lines = [json.dumps(valid(id=id_)).encode() + b"\n" for id_ in ("abcdefgh", "bbbbbbbb")]
    store = await Store.open(other.database)
    try:
        with pytest.raises(BadInput, match="changed while it was read: 1 of its 2 tasks were"):
            await exchange.load(
                store, Shrinking(b"".join(lines)), "tasks.jsonl", by="ann", now=1.0, dry=False
            )
    finally:
        await store.close()
    assert [one["task"]["id"] for one in await exported(other)] == ["abcdefgh"]


async def test_a_dry_run_changes_nothing(other: Paths) -> None:
    told = await imported(other, valid(), dry=True)
    assert list(told.tasks) == ["abcdefgh"]
    assert await exported(other) == []


async def test_hostile_text_is_cleaned_at_the_border(other: Paths) -> None:
    line = valid(title="\x1b]0;owned\x07Report\u202e", summary="a\x1b[31mb", owner="x\ny")
    line["events"] = [{"at": 1.0, "kind": "odd\x1b[2J", "stage": None, "by": "x", "channel": "y",
                       "data": {"text": "\x1b[1mbold"}}]  # fmt: skip
    line["stages"][0]["output"] = {"text": "\x9b31mred", "data": {}}
    await imported(other, line)
    (came,) = await exported(other)
    assert (came["task"]["title"], came["task"]["owner"]) == ("Report", "x y")
    assert came["task"]["summary"] == "ab"
    assert "\x1b" not in came["events"][0]["kind"] + came["events"][0]["data"]["text"]
    assert came["stages"][0]["output"]["text"] == "red"


def _broken() -> dict[str, tuple[Any, str]]:
    def with_(part: str, value: Any) -> dict[str, Any]:
        return {**valid(), part: value}

    stage = valid()["stages"][0]
    deep: Any = []
    for _ in range(40):
        deep = [deep]
    return {
        "no JSON": ("{]\n", "it is no JSON"),
        "a list": ("[1]\n", "it is no line of a TaskHub export"),
        "a later format": (with_("taskhub", 2), "its format is 2, and this TaskHub reads 1"),
        "a path as ID": (valid(id="../../xx"), "`task.id`"),
        "an odd state": (valid(status="sleeping"), "`task.status`"),
        "a key nobody knows": (valid(holder="me"), "`task.holder`"),
        "too few stages": (with_("stages", []), "`stages`"),
        "another count of stages": (valid(stages=2), "there are 1 stages"),
        "a text for a number": (valid(stage="1"), "`task.stage`"),
        "a date no calendar has": (valid(created=1e300), "`task.created`"),
        "not a number": (json.dumps(valid(created=float("nan"))) + "\n", "NaN is no number"),
        "too deep": (valid(options={"a": deep}), "nested more than 32 deep"),
        "an endless nest": ("[" * 100_000 + "\n", "nested more than 32 deep"),
        "two stages the same wish": (
            {**valid(stages=2), "stages": [stage, {**stage, "gate": 1}]}, "`stages.1.gate`",
        ),
        "itself first": (with_("after", ["abcdefgh"]), "after: it waits for itself"),
        "half a line": (json.dumps(valid())[:-10] + "\n", "it is no JSON"),
        "no UTF-8": ('"\udcff"\n', "UTF-8"),
    }  # fmt: skip


@pytest.mark.parametrize("case", list(_broken()))
async def test_one_bad_line_is_named_and_nothing_of_the_file_is_imported(
    other: Paths, case: str
) -> None:
    line, said = _broken()[case]
    with pytest.raises(BadInput, match=r"The input, line 3, cannot be imported") as told:
        await imported(other, valid(id="bbbbbbbb"), "\n", line, valid(id="cccccccc"))
    assert said in str(told.value)
    assert told.value.hint == "Nothing was imported"
    assert await exported(other) == []


async def test_a_task_that_stands_twice_and_a_question_of_another_are_refused(
    other: Paths,
) -> None:
    with pytest.raises(BadInput, match="line 2: task abcdefgh stands in line 1 too"):
        await imported(other, valid(), valid())
    asked = {
        "id": "q1", "stage": 0, "key": "k", "kind": "input", "question": "?", "version": 1,
        "created": 1.0, "state": "answered", "choices": [], "detail": {}, "risk": "low",
        "attempt": 1, "deadline": None, "default": None, "answer": {}, "answered": 2.0,
        "by": "bob", "channel": "cli",
    }  # fmt: skip
    await imported(other, {**valid(), "blockers": [asked]})
    with pytest.raises(BadInput, match="the question q1 belongs to another task"):
        await imported(other, {**valid(id="bbbbbbbb"), "blockers": [asked]})


async def test_waiting_for_what_is_not_here_ends_and_is_said(other: Paths) -> None:
    line = {**valid(status="pending", ended=None), "after": ["zzzzzzzz"]}
    told = await imported(other, line)
    assert told.notes == ("abcdefgh does not wait for zzzzzzzz any more: it is not here",)
    (came,) = await exported(other)
    assert (came["after"], came["task"]["status"]) == ([], "paused")


def chain() -> list[dict[str, Any]]:
    """Tasks that wait for each other, the last one first; one has failed while it waited."""
    waits = {"status": "pending", "ended": None}
    return [
        {**valid(id="dddddddd", **waits), "after": ["cccccccc", "aaaaaaaa"]},
        {**valid(id="cccccccc", status="failed"), "after": ["bbbbbbbb"]},
        {**valid(id="bbbbbbbb", **waits), "after": ["aaaaaaaa"]},
        valid(id="aaaaaaaa", **waits),
    ]


async def awaited(where: Paths) -> dict[str, list[str]]:
    """What each task waits for."""
    return {one["task"]["id"]: sorted(one["after"]) for one in await exported(where)}


@pytest.mark.parametrize("commits", range(4))
async def test_an_import_that_is_cut_short_leaves_no_task_that_begins_too_early(
    other: Paths, monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    wanted = {line["task"]["id"]: sorted(line["after"]) for line in chain()}
    left = commits

    async def write(store: Store, request: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise StoreError("The disk is full")
        return await store._writer.run(request)

    monkeypatch.setattr(exchange, "BATCH", 1)
    with monkeypatch.context() as patched:
        patched.setattr(Store, "write", write)
        with pytest.raises(StoreError, match=f"{commits} of 4 tasks were imported before that"):
            await imported(other, *chain())
    here = await awaited(other)
    assert len(here) == commits
    assert here == {id_: wanted[id_] for id_ in here}
    told = await imported(other, *chain())
    assert (len(told.skipped), told.notes) == (commits, ())
    assert await awaited(other) == wanted


async def test_a_task_that_failed_while_it_waited_waits_again_after_retry(
    other: Paths, settings: Settings
) -> None:
    stage = {**valid()["stages"][0], "status": "failed", "output": None}
    first = valid(id="aaaaaaaa", status="pending", ended=None)
    failed = {**valid(status="failed", stage=0), "stages": [stage], "after": ["aaaaaaaa"]}
    await imported(other, failed, first)
    async with house(other, settings, ScriptedAgent("actor")) as h:
        view = await h.hub.decide("abcdefgh", Action.RETRY)
        assert (view.task.status, view.task.waiting_on) == (Status.PENDING, WaitingOn.DEPENDENCY)


async def test_tasks_that_wait_for_each_other_are_refused(other: Paths) -> None:
    ring = chain()
    ring[3]["after"] = ["dddddddd"]
    with pytest.raises(BadInput, match=r"line 2: the tasks .* wait for each other") as told:
        await imported(other, valid(), *ring)
    assert told.value.hint == "Nothing was imported"
    assert await exported(other) == []


async def test_waiting_for_a_task_that_was_cancelled_here_ends_and_is_said(other: Paths) -> None:
    await imported(other, valid(id="aaaaaaaa", status="cancelled"))
    line = {**valid(status="pending", ended=None), "after": ["aaaaaaaa"]}
    told = await imported(other, line)
    assert told.notes == ("abcdefgh does not wait for aaaaaaaa any more: it was cancelled",)


async def test_many_tasks_go_over_in_order(other: Paths, tmp_path: Path) -> None:
    many = [valid(id=f"{ids.ALPHABET[i % 30]}{ids.ALPHABET[i // 30]}aaaaaa") for i in range(250)]
    assert exchange.BATCH < 250
    told = await imported(other, *many)
    assert len(told.tasks) == 250
    came = await exported(other)
    assert [one["task"]["id"] for one in came] == [one["task"]["id"] for one in many]
    async with await Hub.open(paths=other, autostart=False) as hub:
        assert (await hub.counts()).done == 250
