"""The app in a real pty: how soon it is there, how soon it answers, whatever there is to show."""

import asyncio
import contextlib
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import finished, product
from benchmarks.children import ChildFailed, Companion, environment
from benchmarks.report import Figure, Size, Spread, number, quantile
from benchmarks.screen import Screen, numbers, up_and_down

from taskhub_tui import logs
from taskhub_tui.tui.theme import UNICODE

TITLE = "The app, in a real terminal of 120x36"

HUB = [sys.executable, "-m", "taskhub_tui"]
HERE = Path(__file__).parent
EMPTY = [sys.executable, str(HERE / "screen_empty.py")]
RUNNING = 1000
_FIRST = 3
"""Line of the screen, the first is 1, on which the first task stands."""
_SETTINGS = "[backup]\nenabled = false\n"


def measure(size: Size) -> Iterator[Figure]:
    count = size.pick(200, 100_000, 100_000)
    running = min(RUNNING, count // 2)
    try:
        yield from _long(size)
        with TemporaryDirectory(prefix="taskhub-bench-") as folder:
            home = Path(folder)
            prepare(home, count, running)
            with Companion("screen_writer", home, running=running) as writer:
                if writer.until("up") != running:
                    raise AssertionError("not all tasks that were to change do run")
                yield from _starts(home, count, size.pick(1, 5, 15))
                yield from _at_rest(home, count, size.pick(1, 10, 30))
                # Textual's own table last: where the machine is busy it takes minutes to be there.
                yield from _changing(home, writer, count, running, size)
    except ChildFailed as error:
        yield Figure("the app", "0 figures", "all", met=False, beside=str(error))


def prepare(home: Path, count: int, running: int) -> None:
    """Make `count` tasks; the newest `running` of them run, the others are finished."""
    (home / "config.toml").write_text(_SETTINGS)
    asyncio.run(finished.fill(home, count))
    change(
        home,
        "UPDATE task SET status = 'in_progress', ended = NULL, stage = 2, fraction = 0.0,"
        " holder = 'writer', fence = fence + 1, started = changed WHERE n > ?",
        count - running,
    )


def change(home: Path, sql: str, *values: object) -> None:
    connection = sqlite3.connect(product.where(home).database)
    with contextlib.closing(connection), connection:
        connection.execute(sql, values)


def _app(home: Path) -> Screen:
    return Screen(HUB, environment(home))


def _words(*words: bytes) -> Callable[[bytes], bool]:
    return lambda written: all(one in written for one in words)


def _mark(place: int) -> re.Pattern[bytes]:
    """Return what the screen is sent when the cursor comes to the task at `place`."""
    line = _FIRST + place
    return re.compile(rb"\x1b\[%d;1H(?:\x1b\[[0-9;]*m)*%b" % (line, UNICODE.mark.encode()))


def _cur(place: int) -> re.Pattern[bytes]:
    return re.compile(rb"cur=%d\." % place)


# From the start to the first table


def _starts(home: Path, count: int, times: int) -> Iterator[Figure]:
    took: dict[str, list[float]] = {"hub": [], "empty": []}
    for _ in range(times + 1):
        for name, argv, words in (("empty", EMPTY, b"READY"), ("hub", HUB, b"Trivial work")):
            with Screen(argv, environment(home)) as screen:
                took[name].append(screen.until(_words(words), words.decode()) - screen.began)
    hub, empty = (Spread(tuple(1000 * one for one in took[n][1:])) for n in ("hub", "empty"))
    yield Figure(
        f"from the process's start to the painted table, {count:,} tasks",
        f"{hub} ms",
        "median ≤ 500 ms, ≤ 2 × an empty app",
        hub.median <= 500 and hub.median <= 2 * empty.median,
        f"{hub.median / empty.median:.2f} × an empty Textual app in the same run: {empty} ms",
    )


# At rest


def _at_rest(home: Path, count: int, seconds: int) -> Iterator[Figure]:
    with _app(home) as screen:
        screen.until(_words(b"Trivial work"), "a task")
        screen.watch(min(3.0, seconds))
        seen = screen.share(seconds)
        screen.press("\x1b[O")
        screen.watch(0.5)
        unseen = screen.share(seconds)
        screen.press("\x1b[I")
        yield Figure(
            f"processor time while nothing happens, {count:,} tasks, over {seconds} s",
            f"{100 * seen:.2f} % of a core",
            "≤ 0.5 %",
            seen <= 0.005,
            f"without the focus {100 * unseen:.2f} %",
        )
        for key, words in (
            ("G", b"Trivial"), ("g", b"Trivial"), ("i", b"Latest"), ("\x1b", b"PROGRESS"),
            ("?", b"In the list"), ("\x1b", b"PROGRESS"), ("n", b"Request"), ("\x1b", b"PROGRESS"),
        ):  # fmt: skip
            screen.answer(key, _words(words), words.decode())
            screen.watch(0.5)
        memory = screen.memory()
        yield Figure(
            f"memory, {count:,} tasks, after the list's end, inbox, help and a new task",
            f"{memory:.0f} MB",
            "≤ 90 MB",
            memory <= 90,
        )


# While very much changes


def _changing(
    home: Path, writer: Companion, count: int, running: int, size: Size
) -> Iterator[Figure]:
    seconds, keys = size.pick(1, 8, 20), size.pick(4, 64, 240)
    what = f"{count:,} tasks, {running:,} of them changing 10 times a second"
    writer.tell(change=True)
    try:
        with _app(home) as screen:
            screen.until(_words(b"Trivial work"), "a task")
            screen.watch(2.0)
            share = screen.share(seconds)
            painted = len(screen.bytes)
            took = up_and_down(screen, ("j", "k"), keys, _mark)
        yield from _answers(what, share, took, painted)
        yield from _datatable(home, what, seconds, keys)
    finally:
        writer.tell(change=False)


def _answers(what: str, share: float, took: list[float], painted: int) -> Iterator[Figure]:
    yield Figure(
        f"{what}: processor time",
        f"{100 * share:.1f} % of a core",
        "≤ 12 %",
        share <= 0.12,
        f"{painted / 1000:,.0f} kB painted meanwhile",
    )
    p50, p99 = quantile(took, 0.5), quantile(took, 0.99)
    yield Figure(
        f"{what}: from a key to its frame",
        f"p50 {1000 * p50:.0f} ms, p99 {1000 * p99:.0f} ms",
        "p50 ≤ 15 ms, p99 ≤ 60 ms",
        p50 <= 0.015 and p99 <= 0.06,
        f"of {len(took)} keys, the slowest {1000 * max(took):.0f} ms",
    )


def _datatable(home: Path, what: str, seconds: int, keys: int) -> Iterator[Figure]:
    argv = [sys.executable, str(HERE / "screen_datatable.py"), str(product.where(home).database)]
    with Screen(argv, environment(home)) as screen:
        ready = screen.until(_words(b"Trivial work"), "the rows") - screen.began
        screen.watch(2.0)
        share = screen.share(seconds)
        # It takes seconds where very much changes: a few keys tell it.
        try:
            took = up_and_down(screen, ("\x1b[B", "\x1b[A"), min(keys, 24), _cur)
        except ChildFailed as error:
            yield Figure(
                f"{what}: the same rows in Textual's DataTable",
                f"{100 * share:.0f} % of a core",
                beside=f"painted after {number(ready)} s; of a key, in 180 s: {error}",
            )
            return
        memory = screen.memory()
    yield Figure(
        f"{what}: the same rows in Textual's DataTable",
        f"{100 * share:.0f} % of a core",
        beside=f"key to frame p50 {1000 * quantile(took, 0.5):.0f} ms,"
        f" p99 {1000 * quantile(took, 0.99):.0f} ms; painted after {number(ready)} s,"
        f" {memory:.0f} MB",
    )


# A long log and a long report


def _long(size: Size) -> Iterator[Figure]:
    lines, weight = size.pick(2000, 1_000_000, 1_000_000), size.pick(20_000, 10**6, 10**6)
    keys = size.pick(4, 64, 160)
    with TemporaryDirectory(prefix="taskhub-bench-") as folder:
        home = Path(folder)
        count = finished.REAL
        prepare(home, count, 2)
        # Newest first: one with nothing to show, the loud one; the first finished one has a report.
        report = count - 2
        ((loud,),) = product.rows(home, "SELECT id FROM task WHERE n = ?", count - 1)
        _write_log(product.where(home).log(loud), lines)
        (home / "report.md").write_text(_report(weight), encoding="utf-8")
        change(home, "UPDATE task SET result = ? WHERE n = ?", str(home / "report.md"), report)
        with Companion("screen_writer", home, running=2) as writer:
            writer.until("up")
            with _app(home) as screen:
                screen.until(_words(b"Nothing in the log"), "the first task")
                screen.watch(2.0)
                what = f"a log of {lines:,} lines"
                yield from _opened(screen, what, b"line", f"{lines:07d}", ("k", "j"), keys)
                screen.press("\x1b")
                screen.watch(1.0)
                what = f"a report of {weight / 1e6:g} MB of Markdown"
                yield from _opened(screen, what, b"item", "0000001", ("j", "k"), keys)


def _opened(
    screen: Screen, what: str, word: bytes, first: str, keys: tuple[str, str], count: int
) -> Iterator[Figure]:
    """Go to the next task, whose text has numbered lines, and walk in it while it is read."""
    wanted = word + b" " + first.encode()
    took = screen.answer("j", _words(wanted), wanted.decode())
    yield Figure(
        f"{what}: from the key to its first lines",
        f"{1000 * took:.0f} ms",
        "≤ 150 ms",
        took <= 0.15,
        "the cursor comes to its task; 60 ms of it are a rest, so that walking past reads nothing",
    )
    screen.watch(0.05)
    seen = numbers(screen.bytes, word)
    top, end = min(seen), max(seen)
    screen.press("\r")
    screen.watch(0.15)

    def line(place: int) -> re.Pattern[bytes]:
        # What comes into sight with this step; what was in sight is sent again as well.
        at = top - place if keys[0] == "k" else end + place
        back = end - place if keys[0] == "k" else top + place
        return re.compile(rb"%b (?:%07d|%07d)" % (word, at, back))

    steps = up_and_down(screen, keys, count, line)
    p50, p99 = quantile(steps, 0.5), quantile(steps, 0.99)
    yield Figure(
        f"{what}: from a key to its frame meanwhile",
        f"p50 {1000 * p50:.0f} ms, p99 {1000 * p99:.0f} ms",
        "p99 ≤ 60 ms",
        p99 <= 0.06,
        f"of {len(steps)} keys, the slowest {1000 * max(steps):.0f} ms; {screen.memory():.0f} MB",
    )


def _write_log(path: Path, lines: int) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for start in range(1, lines + 1, 1000):
            end = min(lines + 1, start + 1000)
            said = "\n".join(f"line {i:07d} of what it says" for i in range(start, end))
            file.write(logs.format_lines(1_790_000_000.0 + start, "out", said))


def _report(weight: int) -> str:
    """Return about `weight` bytes of Markdown: lists first, then tables and code as well."""
    parts, length, i = [], 0, 0
    while length < weight:
        items = [f"- item {i + j:07d} is worth {j}.5" for j in range(1, 301)]
        i += 300
        part = "\n".join(items) + "\n\nAnd so **on**, as `before`.\n\n"
        if i >= 900:
            rows = [f"| {j} | word {j} | {j}.25 |" for j in range(20)]
            part += "## More\n\n| a | b | c |\n|---|---|--:|\n" + "\n".join(rows)
            part += "\n\n```python\n" + "x = 1\n" * 10 + "```\n\n"
        parts.append(part)
        length += len(part)
    return "".join(parts)
