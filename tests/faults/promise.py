"""What must be true of a hub once the work is done, whatever went wrong on the way.

Reads the ledger of `plan` and the database, and returns what it finds as sentences.
"""

import contextlib
import json
import shutil
import sqlite3
import tempfile
from collections import Counter
from pathlib import Path

from plan import UNWANTED

from taskhub_tui.storage.outbox import key_of

Line = list[str]
AGENTS = ("start", "saved", "heard", "end", "left", "stopped")
"""What agents write."""


def done_stages(database: Path) -> list[tuple[str, str]] | str:
    """Return task and name of the stages whose checkpoint is on disk, as a power cut left it.

    Looks at a copy, so that nothing is repaired before those come who must repair it. Returns a
    sentence when the database is damaged.
    """
    with tempfile.TemporaryDirectory() as folder:
        for path in database.parent.glob(database.name + "*"):
            if not path.name.endswith("-shm"):
                shutil.copy(path, folder)
        copy = Path(folder) / database.name
        if not copy.exists():
            return []
        with contextlib.closing(sqlite3.connect(copy)) as connection:
            said = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            if said != ["ok"]:
                return f"after the crash the database is damaged: {said[:3]}"
            if connection.execute("PRAGMA user_version").fetchone()[0] == 0:
                return []
            return connection.execute(
                "SELECT task.id, stage.name FROM stage JOIN task ON task.n = stage.task_n"
                " WHERE stage.status = 'done'"
            ).fetchall()


class Promise:
    """Holds one hub against the promise; `broken` has a sentence for each breach."""

    def __init__(self, home: Path, ledger: Path) -> None:
        self.broken: list[str] = []
        self.lines = [line.split() for line in ledger.read_text().splitlines()]
        with contextlib.closing(sqlite3.connect(home / "taskhub.db")) as connection:
            connection.row_factory = sqlite3.Row
            self.check(connection)

    def check(self, db: sqlite3.Connection) -> None:
        for pragma, wanted in (("integrity_check", [("ok",)]), ("foreign_key_check", [])):
            found = [tuple(row) for row in db.execute(f"PRAGMA {pragma}")]
            self._hold(found == wanted, f"{pragma} says {found[:3]}")
        self._tasks(db)
        self._order()
        self._stages(db)
        self._decisions(db)
        self._notices(db)

    def _hold(self, fact: bool, otherwise: str) -> None:
        if not fact:
            self.broken.append(otherwise)

    def _said(self, word: str) -> list[Line]:
        return [line[1:] for line in self.lines if line[0] == word]

    def _tasks(self, db: sqlite3.Connection) -> None:
        status = {row["id"]: row for row in db.execute("SELECT * FROM task")}
        for name, task in self._said("task"):
            self._hold(task in status, f"the task {name} was acknowledged, but is lost")
        for task, row in status.items():
            wanted = "cancelled" if row["title"] == UNWANTED else "completed"
            self._hold(
                row["status"] == wanted, f"{row['title']} is {row['status']}: {row['error']}"
            )
            self._hold(not row["stopping"], f"the agent of {task} is still to be stopped")
            if wanted == "cancelled":
                # The decision may come in the instant in which the agent is called.
                last = [line for line in self.lines if task in line and line[0] in AGENTS][-1]
                stopped = last[0] == "stopped" or (last[0] == "left" and last[-1] == "cancel")
                self._hold(stopped, f"the agent of the cancelled {task} was not stopped: {last}")
        for line in self._said("wrong"):
            self.broken.append("a stage was handed something wrong: " + " ".join(line))

    def _order(self) -> None:
        """Nothing that is done begins again, and what was saved is handed back."""
        done: set[tuple[str, str]] = set()
        over: set[str] = set()
        current: dict[str, str] = {}
        saved: dict[tuple[str, str, str], str] = {}
        for kind, *rest in self.lines:
            if kind == "done":
                done.add((rest[0], rest[1]))
            elif kind == "over" and rest[1] == "completed":
                over.add(rest[0])
            elif kind == "saved":
                saved[rest[0], rest[1], rest[2]] = rest[3]
            elif kind == "start":
                task, name, attempt, job = rest
                me = f"stage {name} of {task}"
                self._hold((task, name) not in done, f"{me} ran again after its checkpoint")
                self._hold(task not in over, f"{me} ran after the task was over")
                if name != current.get(task, name):
                    done.add((task, current[task]))  # The next one began.
                current[task] = name
                kept = saved.get((task, name, attempt), job)
                self._hold(job == kept, f"{me} was handed {job}, and not the saved {kept}")

    def _stages(self, db: sqlite3.Connection) -> None:
        starts = Counter((line[0], line[1], int(line[2])) for line in self._said("start"))
        ends = Counter((line[0], line[1], int(line[2])) for line in self._said("end"))
        retries = Counter(line[3] for line in self._said("decided") if line[2] == "retry")
        unsure = len(self._said("told"))
        for row in db.execute(
            "SELECT task.id AS task, task.title, task.status AS ended, stage.*"
            " FROM stage JOIN task ON task.n = stage.task_n"
        ):
            task, name, attempt = row["task"], row["name"], row["attempt"]
            me = f"stage {name} of {row['title']}"
            if row["title"] == UNWANTED and name == "wait":
                self._hold(not ends[task, name, attempt], f"{me} ended by itself")
                continue
            self._hold(row["status"] == "done", f"{me} is {row['status']}")
            self._hold(ends[task, name, attempt] >= 1, f"{me} is done, but never ended")
            asked_for = 1 + retries[task] + unsure
            self._hold(attempt <= asked_for, f"{me} had {attempt} attempts; RETRY asked for less")
            if row["on_interrupt"] == "ask":
                twice = [n for n in range(1, attempt + 1) if starts[task, name, n] > 1]
                self._hold(not twice, f"{me} was repeated without being asked for: {twice}")
            points = db.execute(
                "SELECT count(*) FROM event JOIN task ON task.n = event.task_n"
                " WHERE task.id = ? AND event.stage = ? AND kind = 'checkpoint'",
                (task, row["position"]),
            ).fetchone()[0]
            wanted = 0 if row["review"] else 1
            self._hold(points == wanted, f"{me} has {points} checkpoints in the audit trail")

    def _decisions(self, db: sqlite3.Connection) -> None:
        made = {}
        for (data,) in db.execute("SELECT data FROM event WHERE kind = 'decided'"):
            one = json.loads(data)
            self._hold(one["text"] not in made, f"the decision {one['text']} was taken twice")
            made[one["text"]] = one
        for nonce, blocker, action, task in self._said("decided"):
            found = made.get(nonce)
            if found is None:
                self.broken.append(f"{action} of {task} was acknowledged, but is lost")
            else:
                self._hold(str(found.get("blocker")) == blocker, f"{nonce} answered another one")
        for nonce, _ in self._said("late"):
            self._hold(nonce not in made, f"the decision {nonce} was refused, and taken")
        answers = Counter(one["blocker"] for one in made.values() if "blocker" in one)
        for row in db.execute("SELECT * FROM blocker"):
            self._hold(row["state"] == "answered", f"{row['question']!r} is {row['state']}")
            self._hold(
                answers[row["id"]] == 1, f"{row['question']!r}: {answers[row['id']]} answers"
            )

    def _notices(self, db: sqlite3.Connection) -> None:
        shown = Counter(line[0] for line in self._said("shown"))
        for row in db.execute(
            "SELECT delivery.* FROM delivery JOIN notification ON notification.id = notification_id"
            " WHERE notification.withdrawn IS NULL"
        ):
            key = row["batch"] or key_of(row["notification_id"], row["step"])
            if row["state"] == "sent":
                self._hold(shown[key] > 0, f"{key} counts as sent, but was never shown")
