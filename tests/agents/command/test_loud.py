"""A command may print as much as it likes: memory stays small, and others have their turn."""

import asyncio
import errno
import os
import tracemalloc
from pathlib import Path

import pytest
from command_double import Desk
from support import until

from taskhub_tui.agents.command import agent, runner
from taskhub_tui.agents.command.output import OutputParser
from taskhub_tui.agents.command.signals import Log, Progress
from taskhub_tui.config import Paths
from taskhub_tui.domain.model import NewTask, Status
from taskhub_tui.hub import Hub
from taskhub_tui.logs import LINE_LIMIT
from taskhub_tui.worker import Worker

MB = 1 << 20


async def logged(hub: Hub, task_id: str) -> list[str]:
    lines, offset, at_end = list[str](), 0, False
    while not at_end:
        chunk = await hub.read_log(task_id, offset)
        lines += [line.text for line in chunk.lines if line.stream == "out"]
        offset, at_end = chunk.offset, chunk.at_end
    return lines


async def run(hub: Hub, line: str) -> str:
    task = await hub.submit(NewTask("loud", agent="command", options={"shell": line}))
    await until(hub, task.id, Status.COMPLETED)
    return task.id


@pytest.mark.parametrize("piece", [b"x" * 8192, b"x\r" * 4096, b"50% \r" * 1638])
def test_of_an_endless_line_only_the_beginning_is_held(piece: bytes) -> None:
    parser = OutputParser()
    tracemalloc.start()
    try:
        heard = sum(1 for _ in range(400) for _ in parser.feed(piece))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert parser.end == 400 * len(piece)
    assert peak < MB, "of more than three"
    assert heard <= 2, "the line that was cut, or one progress"


def test_a_bar_that_stands_still_is_looked_at_once_a_piece(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parser = OutputParser()
    looked: list[str] = []
    fraction = parser._percent.fraction

    def look(line: str, *, redrawn: bool = False) -> float | None:
        looked.append(line)
        return fraction(line, redrawn=redrawn)

    monkeypatch.setattr(parser._percent, "fraction", look)
    found = [signal for _ in range(100) for signal in parser.feed(b"50%\r" * 1000)]
    assert found == [Progress(0.5, None)]
    assert len(looked) < 400


async def test_a_long_line_is_cut_and_what_follows_is_kept(hub: Hub, worker: Worker) -> None:
    size = 5 * MB
    task_id = await run(hub, f"head -c {size} /dev/zero | tr '\\0' x; echo; echo after")
    first, after = await logged(hub, task_id)
    assert first == "x" * (LINE_LIMIT - 1) + "…"
    assert after == "after"


async def test_many_short_lines_are_all_kept_in_little_more_room_than_they_have(
    hub: Hub, worker: Worker, where: Paths
) -> None:
    task_id = await run(hub, "seq 300000")
    assert await logged(hub, task_id) == [str(i) for i in range(1, 300_001)]
    (raw,) = (where.task(task_id) / "run").glob("*/out")
    assert where.log(task_id).stat().st_size < 1.3 * raw.stat().st_size


async def test_others_have_their_turn_between_pieces_of_what_is_dear_to_read(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "TURN", 0.0)  # as if every piece took too long
    since, most, turns = 0, 0, 0
    feed = OutputParser.feed

    def fed(parser: OutputParser, data: bytes):
        nonlocal since, most
        since += len(data)
        most = max(most, since)
        return feed(parser, data)

    monkeypatch.setattr(OutputParser, "feed", fed)

    async def other() -> None:
        nonlocal since, turns
        while True:
            await asyncio.sleep(0)
            since, turns = 0, turns + 1

    rival = asyncio.create_task(other())
    await desk.run(shell="seq -f '%g of it, 50%% done' 20000")
    rival.cancel()
    assert most <= 2 * agent.PIECE
    assert turns > 100


def test_plain_output_is_taken_in_without_looking_at_its_lines() -> None:
    (said,) = OutputParser().feed(b"y\n" * 30_000)
    assert isinstance(said, Log)
    assert said.text.count("\n") == 29_999


def test_what_a_full_disk_has_no_room_for_waits_and_is_kept(tmp_path: Path) -> None:
    store = runner.Store("/dev/full", 1 << 30)
    store.write(b"one\n::taskhub ask key=color Which?\nhalf a l")
    store.write(b"ine\n")
    assert store.problem == os.strerror(errno.ENOSPC)
    assert not store.flush()
    out = tmp_path / "out"
    os.dup2(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND), store.fd)  # There is room again.
    assert store.flush()
    assert out.read_bytes() == b"one\n::taskhub ask key=color Which?\nhalf a line\n"
    assert store.problem is None


def test_of_much_that_a_full_disk_has_no_room_for_signals_and_the_end_are_kept(
    tmp_path: Path,
) -> None:
    store = runner.Store("/dev/full", 1 << 30)
    store.write(b"::taskhub ask key=color Which?\n")
    for start in range(0, 300_000, 3000):
        store.write(b"".join(b"line %d\n" % number for number in range(start, start + 3000)))
        assert len(store.held) < runner.HELD + 2 * runner.KEPT
    store.end()
    out = tmp_path / "out"
    os.dup2(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND), store.fd)
    assert store.flush()
    kept = out.read_bytes()
    assert kept.count(b"::taskhub ask key=color Which?\n") == 1
    assert kept.endswith(b"line 299998\nline 299999\n")
    assert b"the disk was full" in kept
    assert store.problem == os.strerror(errno.ENOSPC)  # So the agent says that some is missing.
