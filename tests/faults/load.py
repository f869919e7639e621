"""Two workers and three front ends on one file, for as long as you like.

    python load.py NAME

is the second of the front ends: it watches, as the app does, and prints `age SECONDS` for how old
the news was when it saw them, `saw ID` for each task that it saw completed, and `told` for what it
was warned of. The first hands over and
decides (`front_end.py`), the third is the app on a terminal. Meanwhile one worker after the other
is told to leave, and replaced.
"""

import asyncio
import re
import signal
import sys
import time

from found import Found, percentile, spell
from scene import HERE, Scene

from taskhub_tui.domain.model import Status
from taskhub_tui.domain.views import Changes, Counts
from taskhub_tui.hub import Hub
from taskhub_tui.tui.watch import Watcher

TURN = 6.0
"""Seconds between two workers that leave."""
STALE = 5.0
"""Seconds after which news is too old, and who sees it only then a starved reader. Usual is 0.3 s,
and the longest in an hour 0.7 s; the rest is for machines that stand still for a while."""
TROUBLE = re.compile(rb"Traceback|kept busy|is locked|is damaged|has lost|gave an error|has a bug")
"""Words that no front end may show."""
ESCAPES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


async def watch(name: str) -> None:
    async def changed(changes: Changes, counts: Counts) -> None:
        if changes.tasks:
            print(f"age {time.time() - min(t.changed for t in changes.tasks):.4f}", flush=True)
        for task in changes.tasks:
            if task.status is Status.COMPLETED:
                print("saw", task.id, flush=True)

    def warn(words: str) -> None:
        if words:
            print("told", words, flush=True)

    async with await Hub.open(channel="test", actor=name) as hub:
        await Watcher(hub, changed=changed, warn=warn, remind=warn, embedded=False).run()


class Load:
    """The processes, and what is counted of them."""

    def __init__(self, scene: Scene, pace: float) -> None:
        self.scene = scene
        self.broken: list[str] = []
        self.leaves: list[float] = []
        """Seconds from asking a worker to leave until others had all that it held."""
        self.handed_over = 0
        """Tasks that others took from workers that left."""
        self.workers = [scene.worker() for _ in range(2)]
        self.front_ends = [
            scene.start(str(HERE / "front_end.py"), "f1", "load", str(pace)),
            scene.start(str(HERE / "load.py"), "watcher"),
            scene.app(),
        ]
        scene.until(lambda: len(scene.said("task")) >= 3)

    def run(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        turn = time.monotonic() + min(TURN, seconds / 3)
        while time.monotonic() < end and not self.broken:
            time.sleep(0.25)
            self._look()
            if time.monotonic() > turn:
                self._change_shift()
                turn += TURN

    def _look(self) -> None:
        for child in (*self.workers, *self.front_ends):
            if child.poll() is not None:
                self.broken.append(f"{child.args} ended with {child.poll()}")
        screen = self.scene.work / "screen"
        errors = self.scene.work / "errors"
        for what, seen in (
            ("the app shows", ESCAPES.sub(b"", screen.read_bytes())),
            ("somebody printed", errors.read_bytes()),
        ):
            if found := TROUBLE.search(seen):
                place = seen[max(0, found.start() - 200) : found.end() + 200]
                self.broken.append(f"{what} “{place.decode(errors='replace')}”")

    def _change_shift(self) -> None:
        """Tell the older worker to leave while it holds tasks; a new one takes its place."""
        scene, leaving = self.scene, self.workers[0]
        held = "SELECT n, fence FROM task WHERE holder LIKE ?"
        mine = f"%:{leaving.pid}:%"
        scene.until(lambda: scene.rows(held, mine))
        before = scene.rows("SELECT count(*) AS n FROM event WHERE kind = 'taken over'")[0]["n"]
        leaving.send_signal(signal.SIGTERM)
        took = scene.until(lambda: leaving.poll() is not None)
        took += scene.until(lambda: not scene.rows(held, mine))
        if leaving.poll() != 0:
            self.broken.append(f"a worker told to leave ended with {leaving.poll()}")
        after = scene.rows("SELECT count(*) AS n FROM event WHERE kind = 'taken over'")[0]["n"]
        self.leaves.append(took)
        self.handed_over += after - before
        self.workers = [self.workers[1], scene.worker()]

    def calm(self) -> None:
        """Hand over nothing more, and wait until all is done."""
        (self.scene.work / "enough").touch()
        open_ = "SELECT 1 FROM task WHERE status <> 'completed' LIMIT 1"
        self.scene.until(lambda: not self.scene.rows(open_))
        done = {str(row["id"]) for row in self.scene.rows("SELECT id FROM task")}
        # A reader that sees nothing any more prints no old news either.
        self.scene.until(lambda: {task for (task,) in self.scene.said("saw")} >= done)
        self._look()


def run(scene: Scene, seconds: float, pace: float = 0.3, stale: float = STALE) -> Found:
    """Load the hub of `scene` for so long, and hold what came of it to the promise.

    The smaller `pace` is, the less the front end rests. News may be `stale` seconds old.
    """
    load = Load(scene, pace)
    found = Found(0, load.broken)
    try:
        load.run(seconds)
        load.calm()
        scene.check()
    except AssertionError as broken:
        found.broken.append(str(broken))
    found.broken += [f"the watcher was told: {' '.join(words)}" for words in scene.said("told")]
    ages = [float(age) for (age,) in scene.said("age")]
    found.cases = sum(scene.lines("start").values())
    if not ages or not load.handed_over:
        found.broken.append("nobody saw anything, or no worker left anything to the other")
        return found
    if (oldest := max(ages)) > stale:
        late = sum(age > stale for age in ages)
        found.broken.append(
            f"the watching front end was starved: {late} times it saw news later than"
            f" {spell(stale)}, once after {spell(oldest)}"
        )
    found.note = (
        f"{seconds:.0f} s, {len(scene.said('task'))} tasks, {found.cases} commands, "
        f"{len(scene.said('decided'))} decisions; {len(load.leaves)} workers left, "
        f"{load.handed_over} tasks handed over, the longest took {spell(max(load.leaves))}; "
        f"news in the watching front end p50 {spell(percentile(ages, 0.5))}, "
        f"p99 {spell(percentile(ages, 0.99))}, oldest {spell(oldest)}"
    )
    return found


if __name__ == "__main__":
    asyncio.run(watch(sys.argv[1]))
