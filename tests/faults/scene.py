"""A hub made of real processes, the means to kill them, and what must be true afterwards."""

import asyncio
import contextlib
import fcntl
import json
import os
import random
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from taskhub_tui.agents.command.process import alive
from taskhub_tui.domain.model import Status, TaskView
from taskhub_tui.hub import Hub

HERE = Path(__file__).parent
PATIENCE = 60.0
"""Seconds after which a fact that is waited for is taken not to come."""

CONFIG = """\
owner = "ann"
lease = 2
[notifications.desktop]
enabled = false
"""

Row = dict[str, Any]


class Scene:
    """One hub on disk and everything that runs for it."""

    def __init__(self, home: Path, work: Path) -> None:
        self.home, self.work = home, work
        self.ledger = work / "ledger"
        work.mkdir()
        (home / "config.toml").write_text(CONFIG)
        self._children: list[subprocess.Popen[bytes]] = []

    # Processes

    def start(self, *argv: str) -> "subprocess.Popen[bytes]":
        """Start a Python program of this hub; `said` returns what it printed."""
        name = f"said-{len(self._children)}"
        with (self.work / name).open("ab") as said, (self.work / "errors").open("ab") as errors:
            child = subprocess.Popen(
                [sys.executable, *argv],
                cwd=self.work,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=errors,
                start_new_session=True,
            )
        self._children.append(child)
        return child

    def app(self) -> "subprocess.Popen[bytes]":
        """Start the app on a terminal of its own, and wait until it has drawn itself."""
        ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        child = subprocess.Popen(
            [sys.executable, "-m", "taskhub_tui"],
            cwd=self.work,
            env={**os.environ, "TERM": "xterm-256color"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._children.append(child)
        drawn = threading.Event()

        def look() -> None:
            # To its end: an app whose terminal takes nothing more would stand still.
            with contextlib.suppress(OSError), open(ours, "rb", buffering=0) as screen:
                seen = b""
                while data := screen.read(65536):
                    seen = seen[-50_000:] + data
                    if b"TaskHub" in seen:
                        drawn.set()
                    (self.work / "screen").write_bytes(seen)

        threading.Thread(target=look, daemon=True).start()
        assert drawn.wait(PATIENCE), "the app did not draw itself"
        return child

    def worker(self) -> "subprocess.Popen[bytes]":
        """Start a worker that no keeper looks after, and wait until it is at work."""
        child = self.start("-m", "taskhub_tui.worker")
        self.until(lambda: child.pid in self.workers())
        return child

    def pids(self, word: str) -> list[int]:
        """Return the processes of this hub whose command line has `word` in it."""
        found = []
        for entry in Path("/proc").iterdir():
            # A process may end while we look at it, or be somebody else's.
            with contextlib.suppress(OSError):
                if not entry.name.isdigit() or int(entry.name) == os.getpid():
                    continue
                words = (entry / "cmdline").read_bytes()
                if word.encode() in words and os.fsencode(self.home) in (
                    words + (entry / "environ").read_bytes()
                ):
                    found.append(int(entry.name))
        return sorted(found)

    def workers(self) -> list[int]:
        """Return the processes of the workers on the list, dead ones included."""
        return [row["pid"] for row in self.rows("SELECT pid FROM worker")]

    def runs(self) -> list[Row]:
        """Return the identity of every command that runs, with its `runner`."""
        found = [
            json.loads(path.read_bytes())
            for path in self.home.glob("tasks/*/run/*/pid.json")
            if not (path.parent / "rc").exists()
        ]
        return [run for run in found if alive(run) and alive(run["runner"])]

    @staticmethod
    def kill(pid: int, number: signal.Signals = signal.SIGKILL) -> bool:
        """Signal a process; False when it was gone already."""
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        return True

    def put_to_sleep(self, pid: int) -> None:
        """Stop a process, but not in a commit: SQLite would let nobody write until it goes on."""
        while True:
            self.kill(pid, signal.SIGSTOP)
            if self._can_write():
                return
            self.kill(pid, signal.SIGCONT)

    def _can_write(self) -> bool:
        """Return whether nobody holds SQLite's lock, nor the one on the folder beside it."""
        writing = sqlite3.connect(self.home / "taskhub.db", timeout=0.2, isolation_level=None)
        folder = os.open(self.home, os.O_RDONLY)
        with contextlib.closing(writing):
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                writing.execute("BEGIN IMMEDIATE")
                writing.execute("ROLLBACK")
            except (sqlite3.OperationalError, BlockingIOError):
                return False
            finally:
                os.close(folder)
        return True

    def go(self) -> None:
        """Let the commands end that wait for it."""
        (self.work / "go").touch()

    def kill_all(self) -> None:
        """End everything that runs for this hub, as a power cut would."""
        while found := self.pids(""):
            for pid in found:
                self.kill(pid)
            for child in self._children:
                if child.pid in found:
                    child.wait()
            time.sleep(0.02)
        for child in self._children:
            child.wait()

    # What is on disk

    def rows(self, sql: str, *values: object) -> list[Row]:
        """Return what the database says; nothing while there is none."""
        if not (self.home / "taskhub.db").exists():
            return []
        reading = sqlite3.connect(f"{(self.home / 'taskhub.db').as_uri()}?mode=ro", uri=True)
        with contextlib.closing(reading) as connection:
            connection.row_factory = sqlite3.Row
            try:
                return [dict(row) for row in connection.execute(sql, values)]
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):
                    return []
                raise

    def said(self, word: str) -> list[list[str]]:
        """Return the rest of the lines that front ends printed with `word` in front."""
        found = []
        for path in self.work.glob("said-*"):
            # What follows the last newline is a line that a kill cut short.
            for line in path.read_text().split("\n")[:-1]:
                words = line.split()
                if words[0] == word:
                    found.append(words[1:])
        return found

    def lines(self, word: str) -> Counter[tuple[str, str, int]]:
        """Return how often each (task, stage, attempt) stands in the ledger with `word`."""
        if not self.ledger.exists():
            return Counter()
        found = [line.split() for line in self.ledger.read_text().splitlines()]
        whole = [words for words in found if len(words) == 5 and words[4] == "."]
        return Counter((task, name, int(n)) for kind, task, name, n, _ in whole if kind == word)

    def until(self, fact: Callable[[], object], patience: float = PATIENCE) -> float:
        """Wait until `fact` holds; return the seconds that took."""
        began = time.monotonic()
        while not fact():
            assert time.monotonic() - began < patience, f"it never came:\n{self.trouble()}"
            time.sleep(0.02)
        return time.monotonic() - began

    def trouble(self) -> str:
        """Return what is open and what the processes complained of, for a failed test."""
        open_ = self.rows(
            "SELECT id, status, waiting_on, stage, holder, fence, stopping, error FROM task"
            " WHERE status NOT IN ('completed')"
        )
        parts = [str(row) for row in open_[:10]]
        for path in (self.work / "errors", self.home / "worker.log"):
            with contextlib.suppress(FileNotFoundError):
                parts.append(f"{path.name}:\n{path.read_text()[-3000:]}")
        return "\n".join(parts)

    # The promise

    def check(self) -> None:
        """Hold what is on disk against the promise; every task must be completed."""
        assert self.rows("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
        assert self.rows("PRAGMA foreign_key_check") == []
        tasks = {row["id"]: row["status"] for row in self.rows("SELECT id, status FROM task")}
        for (task,) in self.said("task"):
            assert task in tasks, f"{task} was acknowledged, but is lost"
        assert set(tasks.values()) == {"completed"}, self.trouble()
        self._check_stages()
        self._check_decisions()

    def _check_stages(self) -> None:
        starts, ends = self.lines("start"), self.lines("end")
        assert max(starts.values()) == 1, "a command was started twice"
        events = self.events()
        by_stage: dict[tuple[str, int | None], list[Row]] = {}
        for event in events:
            by_stage.setdefault((event["task"], event["stage"]), []).append(event)
        latest: dict[tuple[str, str], int] = {}
        for task, name, n in starts:
            latest[task, name] = max(n, latest.get((task, name), 0))
        for row in self.rows(
            "SELECT task.id AS task, stage.* FROM stage JOIN task ON task.n = stage.task_n"
        ):
            stage = f"{row['name']} of {row['task']}"
            mine = by_stage.get((row["task"], row["position"]), [])
            last = (row["task"], row["name"], row["attempt"])
            assert row["status"] == "done", stage
            assert starts[last] == ends[last] == 1, (
                f"{stage}: its last attempt is not in the ledger"
            )
            later = latest[last[:2]] > last[2]
            assert not later, f"{stage} was started again after its checkpoint"
            begun = Counter(e["data"]["attempt"] for e in mine if e["kind"] == "started")
            assert begun == dict.fromkeys(range(1, row["attempt"] + 1), 1), f"{stage}: {begun}"
            again = [e for e in mine if e["data"].get("action") == "retry"]
            assert row["attempt"] == 1 + len(again), f"{stage} was repeated without being asked for"
            kinds = Counter(e["kind"] for e in mine)
            assert kinds["checkpoint"] == (0 if row["review"] else 1), f"{stage}: {kinds}"
        done = Counter(e["task"] for e in events if e["kind"] == "completed")
        assert max(done.values()) == 1

    def _check_decisions(self) -> None:
        made = [e for e in self.events() if e["kind"] == "decided"]
        by_nonce = {e["data"].get("text"): e for e in made}
        assert len(by_nonce) == len(made), "one decision was recorded twice"
        for nonce, blocker in self.said("decided"):
            assert nonce in by_nonce, f"the decision {nonce} was acknowledged, but is lost"
            assert str(by_nonce[nonce]["data"].get("blocker")) == blocker
        for nonce, _ in self.said("late"):
            assert nonce not in by_nonce, (
                f"the decision {nonce} was refused, and taken all the same"
            )
        answers = Counter(e["data"]["blocker"] for e in made if "blocker" in e["data"])
        for row in self.rows("SELECT * FROM blocker"):
            assert row["state"] == "answered"
            assert answers.pop(row["id"]) == 1, f"“{row['question']}” was answered twice"
            said = json.loads(row["answer"])["text"]
            assert by_nonce[said]["data"]["blocker"] == row["id"]
        assert not answers, "an answered question is gone"

    def events(self) -> list[Row]:
        """Return the audit trail of all tasks, oldest first."""
        found = self.rows(
            "SELECT event.*, task.id AS task FROM event JOIN task ON task.n = event.task_n"
            " ORDER BY event.id"
        )
        return [{**row, "data": json.loads(row["data"])} for row in found]


async def wait_for(hub: Hub, task: str, *wanted: Status) -> TaskView:
    """Wait until a task has one of the wanted states."""
    async with asyncio.timeout(PATIENCE):
        while (view := await hub.status(task)).task.status not in wanted:
            await hub.changed(0.05)
        return view


def pick(rng: random.Random, of: Sequence[int]) -> int | None:
    """Return one of `of`, or None when there is none."""
    return rng.choice(of) if of else None
