"""The disk is full for a while, under a worker, its commands and the front ends of a person."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from disk import full_while
from found import Found
from scene import CONFIG, Scene

STEP = Path(__file__).with_name("step.sh").resolve()
SIZE = 4_000_000
"""Bytes of a disk that is really small."""

PLAYBOOK = """\
name = "{name}"
agent = "command"
[options.env]
{env}
[[stage]]
name = "a"
options.argv = ["sh", "{step}", "{first}", "{question}"]
[[stage]]
name = "b"
gate = {gate}
options.argv = ["sh", "{step}", "{second}"]
[[stage]]
name = "c"
options.argv = ["sh", "{step}", "0"]
"""


class Disk(Protocol):
    """Where the hub lies."""

    env: Mapping[str, str]
    """Variables that all programs must have."""

    def fill(self) -> None:
        """Leave no byte free."""
        ...

    def free(self) -> None:
        """Give the space back."""
        ...


class PretendedDisk:
    """Says that it is full, through the library of disk faults, while a file is there."""

    def __init__(self, library: Path, home: Path, switch: Path) -> None:
        self.env = full_while(library, home, switch)
        self._switch = switch

    def fill(self) -> None:
        self._switch.touch()

    def free(self) -> None:
        self._switch.unlink()


class SmallDisk:
    """A file system in memory of a few megabytes, filled to the last byte."""

    def __init__(self, home: Path) -> None:
        self.env: Mapping[str, str] = {}
        self._ballast = home / "ballast"

    def fill(self) -> None:
        with self._ballast.open("ab", buffering=0) as ballast:
            for size in (4096, 1):
                with contextlib.suppress(OSError):
                    while True:
                        ballast.write(bytes(size))

    def free(self) -> None:
        self._ballast.unlink()


@contextlib.contextmanager
def small_disk(home: Path) -> Iterator[SmallDisk]:
    """Mount a small disk on the folder of a hub.

    Raises:
        OSError: this user may not mount.
    """
    options = f"size={SIZE},mode=700"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "taskhub-test", str(home)],
        capture_output=True,
        text=True,
    )
    if mounted.returncode != 0:
        raise PermissionError(errno.EPERM, f"no disk can be mounted here: {mounted.stderr.strip()}")
    try:
        (home / "config.toml").write_text(CONFIG)
        yield SmallDisk(home)
    finally:
        subprocess.run(["umount", "-l", str(home)], check=True)


class Person:
    """Uses the commands, and reads what they say."""

    def __init__(self, scene: Scene, disk: Disk, found: Found) -> None:
        self._scene, self._disk, self._found = scene, disk, found

    def says(self, *words: str, code: int = 0) -> str:
        """Run `taskhub WORDS`; what it prints must be sentences, and its exit code `code`."""
        ran = subprocess.run(
            [sys.executable, "-m", "taskhub_tui", *words],
            cwd=self._scene.work,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        self._found.cases += 1
        said = ran.stdout + ran.stderr
        if ran.returncode != code or "Traceback" in said:
            self._found.broken.append(f"`{words[0]}` ended with {ran.returncode}: {said.strip()}")
        return said

    def add(self, name: str, *, first: str, second: str, question: str = "", gate: bool) -> str:
        """Hand a task over; return its ID."""
        env = {**self._disk.env, "LEDGER": str(self._scene.ledger)}
        playbook = self._scene.work / f"{name}.toml"
        playbook.write_text(
            PLAYBOOK.format(
                name=name,
                step=STEP,
                first=first,
                second=second,
                question=question,
                gate="true" if gate else "false",
                env="\n".join(f'{key} = "{value}"' for key, value in env.items()),
            )
        )
        return self.says("add", "--playbook", str(playbook)).split()[0]


def run(scene: Scene, disk: Disk) -> Found:
    """Fill the disk in the middle of the work, free it again, and see what became of it all."""
    found = Found(0)
    before = dict(os.environ)
    os.environ.update(disk.env)
    try:
        _run(scene, disk, found)
    except AssertionError as broken:
        found.broken.append(str(broken) or "it does not hold what it promises")
    finally:
        os.environ.clear()
        os.environ.update(before)
        scene.kill_all()
    return found


def _run(scene: Scene, disk: Disk, found: Found) -> None:
    person = Person(scene, disk, found)
    worker = scene.worker()
    running = person.add("running", first="0", second="go", gate=False)
    gated = person.add("gated", first="0", second="0", gate=True)
    asking = person.add("asking", first="go", second="0", question="May it go on?", gate=False)
    scene.until(lambda: {(running, "b", 1), (asking, "a", 1)} <= scene.lines("start").keys())
    scene.until(lambda: scene.rows("SELECT 1 FROM blocker WHERE state = 'open'"))

    disk.fill()
    told = [
        person.says("run", "--", "true", code=5),
        person.says("approve", gated, "--text", "while it was full", code=5),
    ]
    found.broken += [f"it does not say what is wrong: {said}" for said in told if _vague(said)]
    listed = person.says("list")
    if not all(task[:4] in listed for task in (running, gated, asking)):
        found.broken.append(f"`list` does not show what is there: {listed}")
    scene.go()
    scene.until(lambda: scene.lines("end")[running, "b", 1])
    # One command has ended, another asks, and what came of them cannot be written down.
    scene.until(lambda: scene.pids("ask.py"))
    scene.until(lambda: any(f"task {one}: The disk" in _log(scene) for one in (running, asking)))
    rows = scene.rows("SELECT status FROM stage WHERE name = 'b' AND status = 'done'")
    assert not rows, "the disk was not full"
    assert worker.poll() is None, f"the worker gave up:\n{_log(scene)}"

    disk.free()
    person.says("approve", gated, "--text", "with space again")
    scene.until(lambda: scene.rows("SELECT 1 FROM blocker WHERE key LIKE 'ask%'"))
    person.says("approve", asking, "--text", "yes")
    open_ = "SELECT 1 FROM task WHERE status <> 'completed'"
    scene.until(lambda: not scene.rows(open_))
    assert worker.poll() is None, "the worker gave up"
    scene.check()
    tasks = {row["id"] for row in scene.rows("SELECT id FROM task")}
    assert tasks == {running, gated, asking}, "a task that was refused is there"

    # And any other, started by a front end while the lease could not be renewed.
    scene.kill(worker.pid, signal.SIGTERM)
    scene.until(lambda: worker.poll() is not None)
    person.says("worker", "--stop")
    scene.until(lambda: not scene.pids("taskhub_tui"))
    person.says("list")  # The last one to leave: nothing is left beside the file.
    assert not (scene.home / "taskhub.db-shm").exists(), "somebody has the database open"
    disk.fill()
    _look(person, found, tasks)
    disk.free()

    worker = scene.worker()
    late = person.add("late", first="0", second="0", gate=True)
    scene.until(lambda: scene.rows("SELECT 1 FROM blocker WHERE state = 'open'"))
    scene.kill(worker.pid)
    worker.wait()
    # What was handed over last stands in the log alone, and the memory beside it must grow anew.
    os.truncate(scene.home / "taskhub.db-shm", 0)
    disk.fill()
    _look(person, found, tasks | {late})
    disk.free()
    scene.worker()
    person.says("approve", late, "--text", "at last")
    scene.until(lambda: not scene.rows(open_))
    scene.check()


def _look(person: Person, found: Found, tasks: set[str]) -> None:
    """See what a person is told and shown on a full disk while nobody has the database open."""
    for words in (("list",), ("export", "--all")):
        shown = person.says(*words)
        if not all(task in shown for task in tasks):
            found.broken.append(f"`{words[0]}` does not show what is there: {shown}")
    told = [
        person.says("list"),
        person.says("run", "--", "true", code=5),
        person.says("pause", min(tasks), code=5),
        person.says("worker", code=5),
        person.says("doctor", code=1),
    ]
    found.broken += [f"it does not say what is wrong: {said}" for said in told if _vague(said)]
    told += [person.says("backup", code=5), person.says("compact", code=5)]
    found.broken += [f"it speaks of damage: {said}" for said in told if "damaged" in said]
    found.broken += [f"it does not say full: {said}" for said in told if " full" not in said]


def _vague(said: str) -> bool:
    return "is full" not in said or "Free some space" not in said


def _log(scene: Scene) -> str:
    return (scene.work / "errors").read_text()
