"""What notices that a database was damaged on its disk.

Copies of a real database, with finished tasks and open questions, are damaged one way each. A copy
that still says the same is harmless; of all others somebody must notice something. Two things may
go unnoticed, and are counted: what has no checksum, a title or a definition say, and newest commits
that are gone together with the note of them.
"""

import asyncio
import contextlib
import random
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import plan
from found import Found
from plan import Actor, Ledger

from taskhub_tui.agents.registry import Registry
from taskhub_tui.config import Paths
from taskhub_tui.domain.errors import NotLegal, TaskHubError
from taskhub_tui.domain.model import Action, NewTask, Status
from taskhub_tui.hub import Hub
from taskhub_tui.storage import newest, rows, seals, soundness
from taskhub_tui.storage.database import tolerant

PAGE = 4096
PATIENCE = 20.0
OPEN = (Status.PENDING, Status.IN_PROGRESS)
VALUES = {
    # What an engine or a person is about to act on, with the task it belongs to.
    "a request": "SELECT id, request FROM task WHERE status IN ('pending', 'blocked')",
    "an output of a stage": "SELECT task.id, output FROM stage JOIN task ON task.n = stage.task_n"
    " WHERE output IS NOT NULL AND task.status = 'blocked'",
    "an open question": "SELECT task.id, question FROM blocker JOIN task ON task.n = blocker.task_n"
    " WHERE blocker.state = 'open'",
    "an answer": "SELECT task.id, answer FROM blocker JOIN task ON task.n = blocker.task_n"
    " WHERE blocker.state = 'answered' AND task.status = 'pending'",
    "a recorded decision": "SELECT task.id, data FROM event JOIN task ON task.n = event.task_n"
    " WHERE kind = 'decided'",
}
GATE = "a gate"
ACTED_ON = {
    GATE: ("start", "wrong"),
    "a request": ("start", "wrong"),
    "an output of a stage": ("start", "wrong"),
    "an open question": ("start", "wrong"),
    # It may be called again; but what was answered it must not be told.
    "an answer": ("heard",),
}
"""What no agent may write into its ledger once that is damaged."""
UNSEEN = "the log and the note of it are both missing"
"""What no look into a folder can tell: what is left is whole, and older."""
NO_LOG, BIT_IN_LOG = "the log (`-wal`) is missing", "one flipped bit in the log"
EARLIER = (NO_LOG, BIT_IN_LOG, UNSEEN)
"""Done to the copy from before the log was written back."""
CHECKED = {
    "task": {"id", "status", "deps_left", *seals.TASK_PLAN},
    "stage": {"task_n", "attempt", "approved", "status", "state", "output", *seals.STAGE_PLAN},
    "blocker": set(rows.BLOCKER),
    "event": {"task_n", "at", "kind", "stage", "by", "channel", "data"},
    "dependency": {"task_n", "after_n"},
}
"""Columns that somebody compares with a checksum, or with another column, where a row has one."""
Contents = list[tuple[str, dict[str, object]]]
"""Each row of a database with the name of its table."""


class Original:
    """A database that was really worked on, and a copy from before its log was written back."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "original"
        self.home.mkdir(mode=0o700)
        self.paths = Paths(self.home, self.home / "config.toml", folder / "results")
        self.ledger = folder / "ledger"
        self.ledger.touch()
        self.with_log = folder / "with-log"
        asyncio.run(self._work())
        self.data = self.paths.database.read_bytes()
        self.note = newest.place(self.paths.database).read_bytes()
        self.rows = contents(self.paths.database)
        self.rows_with_log = contents(self.with_log / "taskhub.db", folder / "copy")

    async def _work(self) -> None:
        ledger = Ledger(self.ledger)
        registry = Registry(extra={"actor": Actor(ledger)})
        up = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(plan.worker(self.paths, registry, ledger, up.set_result))
        worker = await up
        hub = await Hub.open(
            paths=self.paths, settings=plan.settings(), autostart=False, registry=registry
        )
        async with hub:
            wanted = [name for _ in range(4) for name in plan.PLAN if name != plan.UNWANTED]
            for number, name in enumerate(wanted):
                task = await hub.submit(
                    NewTask(f"{name} {number}", agent="actor", stages=plan.PLAN[name])
                )
                await self._until_over(hub, task.id, leave=name == "house" and number > 3)
            # What was committed last stands in the log only, as it does most of the time.
            self.with_log.mkdir(mode=0o700)
            for path in self.home.glob("taskhub.db*"):
                if not path.name.endswith("-shm"):
                    shutil.copy(path, self.with_log)
            asking = await hub.submit(NewTask("asking", agent="actor", stages=plan.PLAN["book"]))
            await self._until_over(hub, asking.id, leave=True)
            worker.engine.stop()
            await serving
            # Nobody is there to hear it yet.
            await hub.decide(asking.id, Action.APPROVE, text="heard later")

    async def _until_over(self, hub: Hub, task: str, *, leave: bool) -> None:
        """Answer what a task asks, or `leave` it with its first open question."""
        while (view := await hub.status(task)).task.status is not Status.COMPLETED:
            if view.task.status is Status.BLOCKED:
                if leave:
                    return
                with contextlib.suppress(NotLegal):
                    await hub.decide(task, Action.APPROVE, text="for the record")
            await hub.changed(0.02)


def contents(database: Path, workplace: Path | None = None) -> Contents | None:
    """Return all that a database says; None when it cannot be read."""
    if workplace is not None:
        shutil.copytree(database.parent, workplace)
        database = workplace / database.name
    with contextlib.closing(sqlite3.connect(database)) as connection:
        connection.row_factory = sqlite3.Row
        connection.text_factory = tolerant
        try:
            schema = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name")
            found: Contents = [("schema", dict(row)) for row in schema]
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            for name in sorted(str(row["name"]) for row in tables.fetchall()):
                found += [
                    (name, dict(row)) for row in connection.execute(f'SELECT * FROM "{name}"')
                ]
        except (sqlite3.Error, UnicodeDecodeError):
            return None
        return found
    # A connection that is closed last removes the log; the copy is of no further use.


def checked(found: Contents | None) -> Contents | None:
    """Return what of a database has a checksum."""
    if found is None:
        return None
    kept: Contents = []
    for table, row in found:
        if table in CHECKED and row.get("seal", 0) is not None:
            names = CHECKED[table]
            if table == "stage":  # Of one that is done, what it gave; of another, what it saved.
                names = names - {"state" if row["status"] == "done" else "output"}
            lower = {name.lower(): value for name, value in row.items()}
            kept.append((table, {name: lower.get(name) for name in sorted(names)}))
    return kept


def flipped(data: bytes, rng: random.Random, start: int = 0, end: int | None = None) -> bytes:
    """Return `data` with one bit turned, between two places."""
    at = rng.randrange(start, len(data) if end is None else end)
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


class Damage:
    """One way of damaging a copy."""

    def __init__(self, original: Original, rng: random.Random) -> None:
        self.original, self.rng = original, rng

    def bit(self, home: Path) -> None:
        self._write(home, flipped(self.original.data, self.rng))

    def bit_in(self, sql: str) -> Callable[[Path], str]:
        """Return what turns a bit in a value that `sql` gives, and says whose task it is."""

        def damage(home: Path) -> str:
            with contextlib.closing(sqlite3.connect(self.original.paths.database)) as connection:
                task, text = self.rng.choice(connection.execute(sql).fetchall())
            data, value = self.original.data, text.encode()
            places = [found.start() for found in re.finditer(re.escape(value), data)]
            self.rng.shuffle(places)
            for at in places:
                self._write(home, flipped(data, self.rng, at, at + len(value)))
                # Older versions of a row may still stand in unused places, and the same words in
                # another row; what counts is that the wanted one has changed.
                if self._gone(home, sql, task, text):
                    return str(task)
            raise AssertionError(f"{value!r} is not in one piece in the file")

        return damage

    def bit_in_gate(self, home: Path) -> str:
        """Turn the one bit that makes 0 of 1, in the head of a row, so that nobody is asked."""
        gated = "SELECT task_n, position FROM stage WHERE gate AND NOT approved ORDER BY 1, 2"
        data, before = self.original.data, self._rows(self.original.data, gated)
        places = [
            at
            for name in re.finditer(b"build", data)
            for at in range(name.start() - 40, name.start())
            if data[at] == 9  # How SQLite keeps a 1 that needs no byte; 8 is a 0.
        ]
        self.rng.shuffle(places)
        for at in places:
            spoilt = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            gone = [row for row in before if row not in self._rows(spoilt, gated)]
            if len(gone) == 1:
                self._write(home, spoilt)
                ids = "SELECT id FROM task JOIN stage ON task_n = n WHERE n = ? AND position = ?"
                ((task,),) = self._rows(data, ids, *gone[0])
                return str(task)
        raise AssertionError("no gate was found in the file")

    @staticmethod
    def _rows(data: bytes, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(":memory:")) as connection:
            # A database in memory has no log, and must not say that it has.
            connection.deserialize(data[:18] + b"\1\1" + data[20:])
            return connection.execute(sql, values).fetchall()

    @staticmethod
    def _gone(home: Path, sql: str, task: str, text: str) -> bool:
        with contextlib.closing(sqlite3.connect(home / "taskhub.db")) as connection:
            connection.text_factory = bytes
            rows = connection.execute(sql).fetchall()
        wanted = (task.encode(), text.encode())
        return wanted not in rows

    def zeroed_page(self, home: Path) -> None:
        pages = len(self.original.data) // PAGE
        at = PAGE * self.rng.randrange(1, pages)
        data = self.original.data
        self._write(home, data[:at] + bytes(PAGE) + data[at + PAGE :])

    def old_page(self, home: Path) -> None:
        """A write that was never made: one page is as it was before the log was written back."""
        before = (self.original.with_log / "taskhub.db").read_bytes()
        data = self.original.data
        differ = [
            at
            for at in range(PAGE, min(len(before), len(data)), PAGE)
            if before[at : at + PAGE] != data[at : at + PAGE]
        ]
        at = self.rng.choice(differ)
        self._write(home, data[:at] + before[at : at + PAGE] + data[at + PAGE :])

    def cut_off(self, home: Path) -> None:
        self._write(home, self.original.data[: self.rng.randrange(len(self.original.data))])

    def header(self, home: Path) -> None:
        self._write(home, flipped(self.original.data, self.rng, 0, 100))

    def no_log(self, home: Path) -> None:
        shutil.copy(self.original.with_log / "taskhub.db", home)
        shutil.copy(self.original.with_log / "taskhub.db-newest", home)

    def no_log_and_note(self, home: Path) -> None:
        shutil.copy(self.original.with_log / "taskhub.db", home)

    def bit_in_log(self, home: Path) -> None:
        shutil.copy(self.original.with_log / "taskhub.db", home)
        log = (self.original.with_log / "taskhub.db-wal").read_bytes()
        (home / "taskhub.db-wal").write_bytes(flipped(log, self.rng))
        shutil.copy(self.original.with_log / "taskhub.db-newest", home)

    def bit_in_note(self, home: Path) -> None:
        self._write(home, self.original.data)
        (home / "taskhub.db-newest").write_bytes(flipped(self.original.note, self.rng))

    def foreign_log(self, home: Path) -> None:
        """The log is an older one, from before it was written back."""
        self._write(home, self.original.data)
        log = (self.original.with_log / "taskhub.db-wal").read_bytes()
        frame = 24 + PAGE
        frames = (len(log) - 32) // frame
        # As long as it is whole it only says again what is known; so take the first part of it.
        keep = 32 + frame * self.rng.randrange(1, frames)
        (home / "taskhub.db-wal").write_bytes(log[:keep])

    def _write(self, home: Path, data: bytes) -> None:
        for path in home.glob("taskhub.db*"):
            path.unlink()
        (home / "taskhub.db").write_bytes(data)
        (home / "taskhub.db-newest").write_bytes(self.original.note)


def pragma(name: str) -> Callable[[Path], bool]:
    """Return what looks with one of SQLite's own checks, and says whether it notices anything."""

    def look(database: Path) -> bool:
        with contextlib.closing(sqlite3.connect(database)) as connection:
            try:
                return connection.execute(f"PRAGMA {name}").fetchall() != [("ok",)]
            except (sqlite3.Error, UnicodeDecodeError):
                return True

    return look


def opening(database: Path) -> bool:
    """Open it as every front end does, and look at every task.

    Raises:
        Exception: something that is no sentence for a person.
    """

    async def look() -> None:
        paths = Paths(database.parent, database.parent / "config.toml", database.parent)
        async with await Hub.open(paths=paths, settings=plan.settings(), autostart=False) as hub:
            for task in await hub.tasks():
                await hub.status(task.id)
                await hub.events(task.id)
            await hub.notifications()
            await hub.blockers()

    try:
        asyncio.run(look())
    except TaskHubError:
        return True
    return False


def doctor(database: Path) -> bool:
    """Look as `taskhub doctor` and every backup do, with the checksums."""
    return bool(soundness.problems(database))


NOTICERS: dict[str, Callable[[Path], bool]] = {
    "opening and reading": opening,
    "`quick_check`": pragma("quick_check"),
    "`integrity_check`": pragma("integrity_check"),
    "`taskhub doctor`": doctor,
}


@dataclass
class Row:
    """How one way of damage came out."""

    what: str
    cases: int = 0
    harmless: int = 0
    unchecked: int = 0
    unnoticed: int = 0


def run(folder: Path, each: int, seed: int = 1) -> Found:
    """Damage `each` copies in each way, and let everybody look."""
    rng = random.Random(seed)
    original = Original(folder)
    damage = Damage(original, rng)
    ways: dict[str, Callable[[Path], object]] = {
        "one flipped bit": damage.bit,
        **{f"one flipped bit in {what}": damage.bit_in(sql) for what, sql in VALUES.items()},
        f"one flipped bit in {GATE}": damage.bit_in_gate,
        "a page of zeros": damage.zeroed_page,
        "a page that was never written": damage.old_page,
        "cut off": damage.cut_off,
        "one flipped bit in the header": damage.header,
        NO_LOG: damage.no_log,
        BIT_IN_LOG: damage.bit_in_log,
        "an old log beside the file": damage.foreign_log,
        "one flipped bit in the note": damage.bit_in_note,
        UNSEEN: damage.no_log_and_note,
    }
    found = Found(0)
    lines = [
        f"| damage | cases | harmless | {' | '.join(NOTICERS)} | no checksum | unnoticed |",
        "|---|---:|---:|" + "---:|" * len(NOTICERS) + "---:|---:|",
    ]
    for what, spoil in ways.items():
        row, seen = Row(what), Counter[str]()
        for number in range(each):
            _one(original, folder, f"{what}, copy {number}", spoil, row, seen, found)
        counts = " | ".join(str(seen[name]) for name in NOTICERS)
        lines.append(
            f"| {what} | {row.cases} | {row.harmless} | {counts} | {row.unchecked} |"
            f" {row.unnoticed} |"
        )
    acted = 0
    for what, never in ACTED_ON.items():
        for number in range(each):
            acted += 1
            go = damage.bit_in_gate if what == GATE else damage.bit_in(VALUES[what])
            _act(folder, f"{what}, copy {number}", go, never, found)
    found.cases += acted
    found.table = "\n".join(lines)
    found.note = f"in {acted} more a worker and a person went on with what was damaged"
    return found


def _act(
    folder: Path, name: str, spoil: Callable[[Path], str], never: tuple[str, ...], found: Found
) -> None:
    """Let a worker and a person go on with a damaged copy: nothing may be done on what is wrong."""
    home, ledger = folder / "damaged", folder / "acts"
    home.mkdir(mode=0o700)
    ledger.touch()
    try:
        task = spoil(home)
        said = asyncio.run(_go_on(home, ledger, task))
        for line in ledger.read_text().splitlines():
            words = line.split()
            if task in words and words[0] in never:
                said.append(f"an agent went on: {line}")
        found.broken += [f"{name}: {words}" for words in said]
    except Exception as error:
        found.broken.append(f"{name}: it fails with {type(error).__name__}: {error}")
    finally:
        shutil.rmtree(home)
        ledger.unlink()


async def _go_on(home: Path, path: Path, damaged: str) -> list[str]:
    """Approve all that is asked, and wait until nothing more is to be done."""
    ledger, said = Ledger(path), []
    paths = Paths(home, home / "config.toml", home / "results")
    registry = Registry(extra={"actor": Actor(ledger)})
    up = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(plan.worker(paths, registry, ledger, up.set_result))
    worker = await up
    hub = await Hub.open(paths=paths, settings=plan.settings(), autostart=False, registry=registry)
    async with hub:
        for task in await hub.tasks(status=[Status.BLOCKED]):
            try:
                await hub.decide(task.id, Action.APPROVE, text="go on")
            except TaskHubError as refused:
                if task.id != damaged:
                    said.append(f"the sound task {task.id} was refused: {refused}")
        async with asyncio.timeout(PATIENCE):
            while any(task.status in OPEN for task in await hub.tasks()):
                await hub.changed(0.02)
        for task in await hub.tasks():
            if task.id == damaged and task.status is Status.COMPLETED:
                said.append("the task was completed")
            if task.id != damaged and task.status is Status.FAILED:
                said.append(f"the sound task {task.id} failed: {task.error}")
        worker.engine.stop()
        await serving
    return said


def _one(
    original: Original,
    folder: Path,
    name: str,
    spoil: Callable[[Path], object],
    row: Row,
    seen: Counter[str],
    found: Found,
) -> None:
    home, place = folder / "damaged", folder / "looked-at"
    home.mkdir(mode=0o700)
    try:
        spoil(home)
        noticed = set()
        for who, look in NOTICERS.items():
            shutil.copytree(home, place)
            try:
                if look(place / "taskhub.db"):
                    noticed.add(who)
            except Exception as error:
                noticed.add(who)
                found.broken.append(f"{name}: {who} fails with {type(error).__name__}: {error}")
            finally:
                shutil.rmtree(place)
        wanted = original.rows_with_log if row.what in EARLIER else original.rows
        left = contents(home / "taskhub.db")
        same = left == wanted
        unchecked = checked(left) == checked(wanted)
    finally:
        shutil.rmtree(home)
    row.cases += 1
    found.cases += 1
    seen.update(noticed)
    row.harmless += same
    if same or noticed:
        return
    if unchecked:
        row.unchecked += 1
    else:
        row.unnoticed += 1
        if row.what != UNSEEN:
            found.broken.append(f"{name}: nobody noticed it")
