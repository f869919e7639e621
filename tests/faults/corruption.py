"""What notices that a database was damaged on its disk.

Copies of a real database, with finished tasks and open questions, are damaged one way each. A copy
that still says the same is harmless; of all others somebody must notice something.
"""

import asyncio
import contextlib
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import plan
from found import Found
from plan import Actor, Ledger

from taskhub_tui.agents.registry import Registry
from taskhub_tui.config import Paths
from taskhub_tui.domain.errors import NotLegal, TaskHubError
from taskhub_tui.domain.model import Action, NewTask, Status
from taskhub_tui.hub import Hub

PAGE = 4096
CONTENT = (
    "output of a stage",
    "SELECT output FROM stage JOIN task ON task.n = stage.task_n"
    " WHERE output IS NOT NULL AND task.status = 'blocked'",
)
QUESTION = ("open question", "SELECT question FROM blocker WHERE state = 'open'")
ANSWER = ("answer", "SELECT answer FROM blocker WHERE state = 'answered'")
DECISION = ("recorded decision", "SELECT data FROM event WHERE kind = 'decided'")


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
            worker.engine.stop()
            await serving

    async def _until_over(self, hub: Hub, task: str, *, leave: bool) -> None:
        """Answer what a task asks, or `leave` it with its first open question."""
        while (view := await hub.status(task)).task.status is not Status.COMPLETED:
            if view.task.status is Status.BLOCKED:
                if leave:
                    return
                with contextlib.suppress(NotLegal):
                    await hub.decide(task, Action.APPROVE, text="for the record")
            await hub.changed(0.02)


def contents(database: Path, workplace: Path | None = None) -> list[object] | None:
    """Return all that a database says; None when it cannot be read."""
    if workplace is not None:
        shutil.copytree(database.parent, workplace)
        database = workplace / database.name
    with contextlib.closing(sqlite3.connect(database)) as connection:
        try:
            schema = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name")
            found: list[object] = schema.fetchall()
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            for (name,) in sorted(tables.fetchall()):
                found += connection.execute(f'SELECT * FROM "{name}"').fetchall()
        except (sqlite3.Error, UnicodeDecodeError):
            return None
        return found
    # A connection that is closed last removes the log; the copy is of no further use.


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

    def bit_in(self, sql: str) -> Callable[[Path], None]:
        """Return what turns a bit within one of the values that `sql` gives."""

        def damage(home: Path) -> None:
            with contextlib.closing(sqlite3.connect(self.original.paths.database)) as connection:
                values = [row[0].encode() for row in connection.execute(sql)]
            data, value = self.original.data, self.rng.choice(values)
            at = data.find(value)
            while at >= 0:
                # Older versions of a row may still stand in unused places.
                self._write(home, flipped(data, self.rng, at, at + len(value)))
                if contents(home / "taskhub.db") != self.original.rows:
                    return
                at = data.find(value, at + 1)
            raise AssertionError(f"{value!r} is not in one piece in the file")

        return damage

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

    def bit_in_log(self, home: Path) -> None:
        shutil.copy(self.original.with_log / "taskhub.db", home)
        log = (self.original.with_log / "taskhub.db-wal").read_bytes()
        (home / "taskhub.db-wal").write_bytes(flipped(log, self.rng))

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


NOTICERS: dict[str, Callable[[Path], bool]] = {
    "opening and reading": opening,
    "`quick_check`": pragma("quick_check"),
    "`integrity_check`": pragma("integrity_check"),
}


@dataclass
class Row:
    """How one way of damage came out."""

    what: str
    cases: int = 0
    harmless: int = 0
    unnoticed: int = 0


def run(folder: Path, each: int, seed: int = 1) -> Found:
    """Damage `each` copies in each way, and let everybody look."""
    rng = random.Random(seed)
    original = Original(folder)
    damage = Damage(original, rng)
    ways: dict[str, Callable[[Path], None]] = {
        "one flipped bit": damage.bit,
        **{
            f"one flipped bit in an {what}": damage.bit_in(sql)
            for what, sql in (CONTENT, QUESTION, ANSWER)
        },
        "one flipped bit in a recorded decision": damage.bit_in(DECISION[1]),
        "a page of zeros": damage.zeroed_page,
        "a page that was never written": damage.old_page,
        "cut off": damage.cut_off,
        "one flipped bit in the header": damage.header,
        "the log (`-wal`) is missing": damage.no_log,
        "one flipped bit in the log": damage.bit_in_log,
        "an old log beside the file": damage.foreign_log,
    }
    found = Found(0)
    lines = [
        f"| damage | cases | harmless | {' | '.join(NOTICERS)} | unnoticed |",
        "|---|---:|---:|" + "---:|" * len(NOTICERS) + "---:|",
    ]
    for what, spoil in ways.items():
        row, seen = Row(what), Counter[str]()
        for number in range(each):
            _one(original, folder, f"{what}, copy {number}", spoil, row, seen, found)
        counts = " | ".join(str(seen[name]) for name in NOTICERS)
        lines.append(f"| {what} | {row.cases} | {row.harmless} | {counts} | {row.unnoticed} |")
    found.table = "\n".join(lines)
    return found


def _one(
    original: Original,
    folder: Path,
    name: str,
    spoil: Callable[[Path], None],
    row: Row,
    seen: Counter[str],
    found: Found,
) -> None:
    home, place = folder / "damaged", folder / "looked-at"
    home.mkdir(mode=0o700)
    try:
        spoil(home)
        with_log = (home / "taskhub.db-wal").exists() or "is missing" in name
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
        wanted = original.rows_with_log if with_log else original.rows
        same = contents(home / "taskhub.db") in (wanted, original.rows)
    finally:
        shutil.rmtree(home)
    row.cases += 1
    found.cases += 1
    seen.update(noticed)
    row.harmless += same
    row.unnoticed += not same and not noticed
