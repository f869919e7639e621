"""`taskhub logs`: each line with its time and stream, as text, raw and as JSON, however many."""

import asyncio
import io
import json
from pathlib import Path

from taskhub_tui import config, logs
from taskhub_tui.cli.output import Cell, Output
from taskhub_tui.domain.model import NewTask
from taskhub_tui.hub import Hub

AT = 1_000_000_000.5


def written(*said: tuple[str, str]) -> str:
    """Make a task whose log holds these words, and return its ID."""

    async def make() -> str:
        async with await Hub.open(autostart=False) as hub:
            return (await hub.submit(NewTask("x", agent="command", options={"shell": "true"}))).id

    task_id = asyncio.run(make())
    text = "".join(logs.format_lines(AT, stream, words) for stream, words in said)
    config.paths().log(task_id).write_text(text, encoding="utf-8")
    return task_id


def test_every_line_has_its_time_and_stream(still: Path, cli) -> None:
    task_id = written(("out", "one\n\ttwo"), ("err", "three"))
    said = cli("logs", task_id).out.splitlines()
    assert [line.split(maxsplit=2)[2].split(maxsplit=1) for line in said] == [
        ["out", "one"],
        ["out", "two"],
        ["err", "three"],
    ]
    assert len({line.split(maxsplit=2)[0] for line in said}) == 1
    assert cli("logs", task_id, "--raw").out == "one\n\ttwo\nthree\n"


def test_a_log_of_many_lines_is_printed_whole(still: Path, cli) -> None:
    numbers = [str(i) for i in range(100_000)]
    task_id = written(("out", "\n".join(numbers)), ("hub", "the end"))
    assert cli("logs", task_id, "--raw").out.splitlines() == [*numbers, "the end"]
    plain = cli("logs", task_id).out.splitlines()
    assert [line.rsplit(" ", 1)[1] for line in plain[:-1]] == numbers
    shapes = [json.loads(line) for line in cli("logs", task_id, "--json").out.splitlines()]
    assert shapes[7] == {"at": "2001-09-09T01:46:40.500Z", "stream": "out", "text": "7"}
    assert len(shapes) == 100_001


def test_colours_begin_and_end_on_each_line() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    out = Output(terminal, Terminal(), environ={})
    out.lines("a\x1b[2J\nb", (Cell("now", "dim"), " "), "red")
    assert terminal.getvalue() == "".join(
        f"\x1b[2mnow\x1b[0m \x1b[31m{letter}\x1b[0m\n" for letter in "ab"
    )
