"""Lists by filter, sort and group: the database finds what the rules say, in the right order."""

import random
from dataclasses import replace

import pytest

from taskhub_tui.domain.change import Change, Notice
from taskhub_tui.domain.errors import BadInput
from taskhub_tui.domain.filtering import BadFilter, matches, parse
from taskhub_tui.domain.listing import Group, Listing, SavedView, Sort
from taskhub_tui.domain.model import (
    Blocker,
    BlockerKind,
    NoticeKind,
    Priority,
    Stage,
    StageStatus,
    Status,
    Task,
    WaitingOn,
)
from taskhub_tui.hub import Hub
from taskhub_tui.storage import changes, listings, submissions
from taskhub_tui.storage.writer import Tx

NOW = 1_000_000.0
FILTERS = (
    "", "shard", "SHARD back", "50%", "a_b", "!shard", '"shard 1"', "status:needs",
    "status:open",
    "status:failed,done", "!status:over", "status:stalled,failed", "!status:stalled",
    "agent:claude",
    "!agent:claude", "agent:command", "stage:wri", "owner:ann", "playbook:data", "!playbook:data",
    "priority:high,low", "id:0", "older:1h", "newer:1h", "!older:30m", "ran:>10m", "!ran:<10m",
    "status:failed !agent:codex older:10m shard",
)  # fmt: skip


async def fill(hub: Hub, count: int) -> list[Task]:
    rng = random.Random(7)
    made: list[Task] = []

    def insert(tx: Tx) -> None:
        for i in range(count):
            at = NOW - rng.random() * 9000
            status = rng.choice(list(Status))
            over = status.over
            started = None if status is Status.PENDING else at + 10
            agent = rng.choice(["claude-2", "codex-1", "command"])
            task = Task(
                f"{i:08d}", 0, rng.choice(["Backfill shard 1", "50% off", "a_b", "aXb", "Ärger"]),
                rng.choice(["Shard it", "Look"]), rng.choice(["ann", "Peter"]), agent, "/",
                Status.PENDING, at, at, 0, playbook=rng.choice([None, "data-report", "backup"]),
                priority=rng.choice(list(Priority)), stages=2, stage_name="write",
                stage_agent=agent,
            )  # fmt: skip
            stage = Stage(task.id, 0, "write", agent, StageStatus.PENDING)
            notice = Notice(NoticeKind.ACKNOWLEDGED, task.title, "")
            task = submissions.insert(tx, task, [stage], [], notice)
            asked = status is Status.IN_PROGRESS and rng.random() < 0.3
            question = None
            if status is Status.BLOCKED:
                risk = rng.choice(["low", "high"])
                question = Blocker(
                    f"b{i}", task.id, 0, "deploy", BlockerKind.APPROVAL, "Deploy?", 1, at, risk=risk
                )
            task = replace(
                task,
                status=status,
                started=started,
                ended=min(NOW, at + rng.random() * 2000) if over else None,
                waiting_on=WaitingOn.USER if asked else None,
                fraction=rng.choice([None, 0.2, 0.8]),
                eta=rng.choice([None, NOW + 60, NOW + 600]),
                stage_agent=rng.choice([agent, "command"]),
            )
            changes.write_decided(tx, Change(task, blocker=question), by="me", channel="test")
            made.append(task)

    await hub._store.write(insert)
    hub.clock = lambda: NOW
    return await hub.rows([task.n for task in made])


async def test_the_database_finds_what_the_rules_say(hub: Hub) -> None:
    tasks = await fill(hub, 200)
    for text in FILTERS:
        wanted = parse(text)
        fitting = {task.n for task in tasks if matches(wanted, task, NOW)}
        for sort in Sort:
            found = (await hub.arranged(Listing(wanted, sort))).numbers
            assert set(found) == fitting, (text, sort)
            assert len(found) == len(fitting)
        assert {task.n for task in await hub.matching(wanted)} == fitting, text


async def test_who_needs_the_user_is_first_and_what_is_over_last(hub: Hub) -> None:
    tasks = await fill(hub, 100)
    by_n = {task.n: task for task in tasks}
    for text in ("", "!zebra"):
        numbers = (await hub.arranged(Listing(parse(text)))).numbers
        assert list(numbers) == [task.n for task in await hub.tasks()], text
        first = by_n[numbers[0]]
        assert first.status is Status.BLOCKED or first.waiting_on is WaitingOn.USER


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 100, 100_000])
async def test_a_long_list_is_read_by_pieces_and_none_is_lost(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    tasks = await fill(hub, 120)
    monkeypatch.setattr(listings, "_PIECE", piece)
    assert sorted(await hub.existing()) == sorted(task.n for task in tasks)
    numbers = (await hub.arranged(Listing(parse("")))).numbers
    assert list(numbers) == [task.n for task in await hub.tasks()]


async def test_of_what_needs_the_user_that_of_high_risk_is_first_in_every_list(hub: Hub) -> None:
    tasks = await fill(hub, 200)
    asking = {pair[0].n: pair[1] for pair in await hub.with_questions([one.n for one in tasks])}
    risky = {n for n, blocker in asking.items() if blocker is not None and blocker.risk == "high"}
    needs = {task.n for task in await hub.matching(parse("status:needs"))}
    assert risky
    assert risky < needs
    wanted = sorted(risky, reverse=True) + sorted(needs - risky, reverse=True)
    grouped = Listing(parse("!zebra"), Sort.NEEDS, Group.STATUS)
    for found in (
        [task.n for task in await hub.tasks()],
        [task.n for task in await hub.matching(parse("!zebra"))],
        await hub.order(),
        await hub.order(status=[one for one in Status if not one.over]),
        (await hub.arranged(Listing(parse("")))).numbers,
        (await hub.arranged(Listing(parse("!zebra")))).numbers,
        (await hub.arranged(grouped)).numbers,
    ):
        assert list(found[: len(wanted)]) == wanted
    heads = (await hub.arranged(grouped)).heads
    assert heads[0].name == "needs"
    assert heads[0].count == len(needs)


@pytest.mark.parametrize("group", [Group.STATUS, Group.AGENT, Group.PLAYBOOK])
async def test_groups_stand_together_and_are_counted(hub: Hub, group: Group) -> None:
    by_n = {task.n: task for task in await fill(hub, 100)}
    found = await hub.arranged(Listing(parse("!zebra"), Sort.TITLE, group))
    assert sum(head.count for head in found.heads) == len(found.numbers) == 100
    assert len({head.name for head in found.heads}) == len(found.heads)
    start = 0
    for head in found.heads:
        part = [by_n[n] for n in found.numbers[start : start + head.count]]
        start += head.count
        if group is Group.AGENT:
            assert {task.agent for task in part} == {head.name}
        elif group is Group.PLAYBOOK:
            assert {task.playbook or "" for task in part} == {head.name}
        titles = [task.title.lower() for task in part]
        assert titles == sorted(titles)
    if group is Group.STATUS:
        names = [head.name for head in found.heads]
        order = ["needs", "failed", "running", "paused", "queued", "done", "cancelled"]
        assert names == [name for name in order if name in names]


async def test_views_are_kept_for_all_front_ends_replaced_and_forgotten(
    hub: Hub,
) -> None:
    assert [view.name for view in await hub.views()] == [
        "All",
        "Needs you",
        "Running",
        "Failed today",
    ]
    view = SavedView(" Mine\x1b[31m \n", "status:failed \x07agent:claude", Sort.AGE, Group.AGENT)
    kept = await hub.save_view(view)
    assert kept == SavedView("Mine", "status:failed agent:claude", Sort.AGE, Group.AGENT)
    assert (await hub.views())[-1] == kept
    await hub.save_view(replace(kept, name="MINE", filter=""))
    assert [view.name for view in await hub.views()][4:] == ["MINE"]
    await hub.delete_view("mine")
    assert all(view.built_in for view in await hub.views())
    for bad in ("", "all"):
        with pytest.raises(BadInput):
            await hub.save_view(SavedView(bad))
    with pytest.raises(BadFilter):
        await hub.save_view(SavedView("Bad", "status:green"))
