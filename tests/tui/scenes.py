"""Every screen of the app, the same each time: what is in the hub, and the keys that lead there.

A screen is added by a line in `SCENES`; `pytest tests/tui/test_goldens.py --renew` writes its
goldens.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from hubs import Seed
from play import NOW, User

from taskhub_tui.domain.change import Change, Happened, Notice
from taskhub_tui.domain.model import (
    Action,
    Artifact,
    Blocker,
    BlockerKind,
    Choice,
    NoticeKind,
    StageStatus,
    Status,
    Task,
    WaitingOn,
)
from taskhub_tui.domain.rules import Scope
from taskhub_tui.storage import changes, stages
from taskhub_tui.tui.widgets.detail import Detail

MINUTE, HOUR = 60.0, 3600.0
REPORT = """\
# Oil prices, last quarter

Brent rose by **4.2 %** to 81.30 USD, WTI by 3.1 %.

| grade | start | end | change |
|-------|------:|----:|-------:|
| Brent | 78.02 | 81.30 | +4.2 % |
| WTI   | 74.10 | 76.40 | +3.1 % |

- Volatility fell in every month.
- One week in August has no data; it changes nothing.

```python
change = end / start - 1
```
"""
LOG = "120 modules\nbuilding lexer\nbuilding parser\nwarning: `expr` is ambiguous\nbuilding emitter"
WRONG = "schema mismatch: expected 41 columns, found 40"
COMMAND = {
    "argv": ["./bin/migrate", "--database", "staging", "--replay", "2026-11-20"],
    "reason": "The new table is empty; replaying fills it",
}


async def asked(seed: Seed, title: str, kind: BlockerKind, question: str, **more: Any) -> Task:
    """Write a task that waits with a question of any kind, with choices, details, a deadline."""
    names = more.pop("names", ("plan", "implement", "migrate"))
    ago = more.pop("ago", 2 * MINUTE)
    key = more.pop("key", "ask")
    at = len(names) - 1
    place = {"workdir": more.pop("workdir")} if "workdir" in more else {}
    task = await seed.put(
        title, Status.IN_PROGRESS, at=at, names=names, started=NOW - HOUR, **place
    )
    stalled = kind is BlockerKind.STALLED
    task = replace(
        await seed.now(task),
        status=Status.IN_PROGRESS if stalled else Status.BLOCKED,
        waiting_on=WaitingOn.USER,
        silent_since=NOW - 20 * MINUTE if stalled else None,
        fraction=at / len(names),
        changed=NOW - ago,
    )
    blocker = Blocker(
        f"blocker{task.n}", task.id, at, key, kind, question, 1, NOW - ago, **more
    )  # fmt: skip
    here = [one for one in (await seed.hub.status(task.id)).stages if one.position == at]
    status = StageStatus.RUNNING if stalled else StageStatus.BLOCKED
    change = Change(
        task,
        tuple(replace(one, status=status) for one in here),
        blocker=blocker,
        events=(Happened("asked", at, {"question": question}),),
        notice=Notice(NoticeKind.BLOCKER, title, question, (Action.APPROVE,), blocker.id),
    )
    await seed.store.write(
        lambda tx: changes.write_decided(tx, change, by="worker", channel="engine")
    )
    return task


async def finished(seed: Seed) -> Task:
    """Write a task with a report and two more files."""
    # Relative, so that the same path stands on the screen whoever runs the test.
    (seed.paths.home.parent / "report.md").write_text(REPORT, encoding="utf-8")
    task = await seed.put(
        "Report on oil prices",
        Status.COMPLETED,
        names=("read", "compute", "write"),
        agent="analyst",
        result="report.md",
        summary="Brent rose by 4.2 %",
        started=NOW - 9 * MINUTE,
        created=NOW - 10 * MINUTE,
        log="read 1,204 rows\nwrote report.md",
    )
    for name, kind, size in (("prices.csv", "text/csv", 48_120), ("trend.png", "image/png", 9_981)):
        made = Artifact(task.id, 2, name, name, kind, size, NOW)
        (seed.paths.home.parent / name).write_bytes(bytes(size))
        await seed.store.write(
            lambda tx, made=made: stages.artifact(tx, task.n, 0, made, main=False)
        )
    return task


async def done(seed: Seed) -> None:
    await finished(seed)


async def followed(seed: Seed) -> None:
    """Put a task there whose agent says what could be done next."""
    task = await finished(seed)
    said = {
        "follow_ups": [
            {
                "title": "The same for the whole year",
                "request": "Report on oil prices of the whole year, month by month",
                "agent": "analyst",
            },
            {"title": "What became of the week in August", "request": "Find the missing data"},
        ]
    }
    last = (await seed.hub.status(task.id)).stages[-1]
    await seed.become(await seed.now(task), [replace(last, output={"data": said})])


async def pictured(seed: Seed) -> None:
    """Put a task there that made a picture: a disc on a ground that grows lighter."""
    from PIL import Image, ImageDraw

    await finished(seed)
    image = Image.linear_gradient("L").convert("RGB").resize((320, 200))
    ImageDraw.Draw(image).ellipse((110, 50, 210, 150), fill=(90, 160, 220))
    image.save(seed.paths.home.parent / "trend.png")


async def empty(seed: Seed) -> None:
    """Leave the hub as it is on the first day."""


async def busy(seed: Seed) -> None:
    """Put one task of each kind there, and none that raises a dialog."""
    running = {"status": Status.IN_PROGRESS}
    await finished(seed)
    await seed.put("Draft release notes 4.2", created=NOW - 40)
    await seed.put("Weekly cost report", waiting_on=WaitingOn.SCHEDULE, ready_at=NOW + 11 * HOUR)
    await seed.put("Refactor session store", Status.PAUSED, at=2, names=("plan", "edit", "test"))
    await seed.put("Old experiment", Status.CANCELLED)
    await seed.put(
        "Fetch vendor price lists", waiting_on=WaitingOn.RETRY, ready_at=NOW + 40, fraction=0.05
    )  # fmt: skip
    await seed.put(
        "Summarise 214 support tickets", **running, names=("read", "write"), fraction=0.83,
        eta=NOW + 3 * MINUTE, started=NOW - 12 * MINUTE, agent="claude-2",
    )  # fmt: skip
    await seed.put(
        "Übersetzung der Anleitung, 日本語", **running, names=("translate",), fraction=0.4,
        started=NOW - 31 * MINUTE, silent_since=NOW - 3 * MINUTE,
    )  # fmt: skip
    await seed.put(
        "Port parser to the new grammar", **running, at=1, workdir="/srv/parser",
        names=("plan", "build", "test"),
        fraction=0.41, eta=NOW + 50 * MINUTE, started=NOW - 31 * MINUTE, log=LOG,
        deadline=NOW + 2 * HOUR, note="module 49 of 120",
    )  # fmt: skip


async def approval(seed: Seed) -> None:
    await asked(
        seed, "Migrate billing webhooks to v3", BlockerKind.APPROVAL,
        "The agent asks to run this on staging:", detail=COMMAND,
    )  # fmt: skip


async def harmless(seed: Seed) -> None:
    await asked(
        seed, "Migrate billing webhooks to v3", BlockerKind.APPROVAL,
        "The agent asks to run this on staging:", detail=COMMAND, workdir="/srv/billing",
    )  # fmt: skip


async def dangerous(seed: Seed) -> None:
    diff = "--- a/settings.py\n+++ b/settings.py\n@@ -1 +1 @@\n-DEBUG = True\n+DEBUG = False"
    await asked(
        seed, "Rotate production credentials", BlockerKind.APPROVAL,
        "May the old keys be revoked?", risk="high", detail={"diff": diff},
        deadline=NOW + 30 * MINUTE, default=Action.DENY,
    )  # fmt: skip
    await approval(seed)


async def question(seed: Seed) -> None:
    choices = (Choice("eu-1", "eu-1, 14 secrets"), Choice("us-2", "us-2, 17 secrets"))
    await asked(
        seed, "Rotate staging credentials", BlockerKind.INPUT, "Which vault first?",
        choices=choices, names=("inventory", "apply"),
    )  # fmt: skip


async def two_questions(seed: Seed) -> None:
    await approval(seed)
    await question(seed)


async def proposed(seed: Seed) -> None:
    arguments = {"to": ["ann@example.org", "all@example.org"], "subject": "Figures", "draft": False}
    await asked(
        seed, "Send the quarterly figures", BlockerKind.APPROVAL, "May this be sent?",
        detail={"arguments": arguments, "reason": "The report is done"}, names=("write", "send"),
    )  # fmt: skip


async def review(seed: Seed) -> None:
    await asked(
        seed, "Translate onboarding copy", BlockerKind.APPROVAL, "Is the result right?",
        key="review", names=("translate",), detail={"text": "212 strings in de and fr"},
    )  # fmt: skip


async def sign_in(seed: Seed) -> None:
    await asked(
        seed, "Sync the calendar", BlockerKind.AUTH, "Sign in at the provider, then approve",
        names=("sync",),
    )  # fmt: skip


async def interrupted(seed: Seed) -> None:
    await asked(
        seed, "Backfill embeddings", BlockerKind.INTERRUPTED,
        "Its worker died while it ran. Run the stage again?", names=("read", "write"),
    )  # fmt: skip


async def stalled(seed: Seed) -> None:
    await asked(
        seed, "Index the mail archive", BlockerKind.STALLED,
        "The stage “index” has given no sign of life for 20m 00s. Leave it running?",
        names=("index",), ago=0.0,
    )  # fmt: skip


async def failed(seed: Seed) -> None:
    await seed.put(
        "Nightly data quality report", Status.FAILED, at=1, error=WRONG,
        names=("extract", "validate", "publish"), started=NOW - 14 * MINUTE,
        log=f"checking orders.parquet\nchecking customers.parquet\n{WRONG}",
    )  # fmt: skip


async def open_questions(seed: Seed) -> None:
    for put in (busy, failed, question, dangerous):
        await put(seed)


async def waiting(seed: Seed) -> None:
    for put in (busy, failed, question, dangerous, interrupted, review, sign_in):
        await put(seed)


async def ruled(seed: Seed) -> None:
    """Put rules there: one that was often used, and some that never were."""
    await busy(seed)
    for scope, value, uses, used, ago in (
        (Scope.FOLDER, "/srv/billing/staging", 12, NOW - 3 * HOUR, 9 * 24 * HOUR),
        (Scope.AGENT, "analyst", 0, None, 3 * HOUR),
        (Scope.PLAYBOOK, "nightly-report", 0, None, 2 * HOUR),
        (Scope.COMMAND, "git status *", 1, NOW - 5 * MINUTE, HOUR),
    ):
        rule = await seed.hub.allow(scope, value)
        values = uses, used, NOW - ago, rule.id
        await seed.store.write(
            lambda tx, values=values: tx.execute(
                "UPDATE rule SET uses = ?, used = ?, created = ? WHERE id = ?", values
            )
        )


async def with_phone(seed: Seed) -> None:
    """Have a phone set up."""
    await busy(seed)
    seed.paths.config.write_text(
        '[notifications.phone]\nenabled = true\nserver = "https://ntfy.sh"\n'
        f'topic = "taskhub-{"0123456789abcdef" * 2}"\n'
        f'reply_topic = "taskhub-{"fedcba9876543210" * 2}"\n'
    )


@dataclass(frozen=True)
class Scene:
    """One screen: what is in the hub, the keys that lead to it, and the words it is known by."""

    name: str
    put: Callable[[Seed], Awaitable[None]]
    keys: str = ""
    """Textual's names of keys, with blanks between."""
    until: str = ""
    """What is on the screen when it is there."""
    typed: str = ""
    """What is typed at the end."""
    then: str = ""
    """Keys for the dialog that comes up after those, once it listens."""
    dialog: bool = False
    """The keys are pressed in the decision dialog that comes up."""
    calm: bool = False
    """No decision dialog comes up."""
    undo: float = 0.0
    """Seconds in which a decision can be taken back; they stand still."""
    app: tuple[tuple[str, Any], ...] = ()
    """What `TaskHubApp` is opened with."""


SCENES = (
    Scene("welcome", empty, until="walk away"),
    Scene("tasks", busy, until="Port parser"),
    Scene("tasks-ascii", busy, until="Port parser", app=(("ascii", True),)),
    Scene("tasks-needing", open_questions, until="Nightly", calm=True),
    Scene("filter", busy, "slash", until="Weekly cost", typed="report"),
    Scene("filter-empty", busy, "slash", until="Nothing matches", typed="no such thing"),
    Scene("task-log", busy, "enter", until="building emitter"),
    Scene("task-result", done, "enter", until="Brent"),
    Scene("task-events", busy, "enter left_square_bracket", until="anded over"),
    Scene("log-search", busy, "enter slash", until="3 of 3", typed="building\n"),
    Scene("task-zoom", busy, "z", until="building emitter"),
    Scene("task-files", done, "enter 3", until="prices.csv"),
    Scene("task-about", busy, "enter 5", until="Request"),
    Scene("grouped", busy, "B s", until="done  1"),
    Scene("sort", busy, "S", until="Sort by"),
    Scene("group", busy, "B", until="Group by"),
    Scene("priority", busy, "P", until="critical"),
    Scene("views", busy, "W", until="Failed today"),
    Scene("inbox", open_questions, "i", until="May the old keys", calm=True),
    Scene("inbox-many", waiting, "i j space", until="1 marked", calm=True),
    Scene("inbox-help", open_questions, "i question_mark", until="In the inbox", calm=True),
    Scene("batch", waiting, "i V a", until="y", calm=True),
    Scene("agents", busy, "A", until="SUCCESS"),
    Scene("approval", approval, until="a approve", dialog=True),
    Scene("approval-high-risk", dangerous, until="1 of 2", dialog=True),
    Scene("approval-high-risk-typed", dangerous, "a", until="type", dialog=True),
    Scene("question", question, until="17 secrets", dialog=True),
    Scene("review", review, until="Review needed", dialog=True),
    Scene("sign-in", sign_in, until="Sign-in needed", dialog=True),
    Scene("interrupted", interrupted, until="Interrupted", dialog=True),
    Scene("no-sign-of-life", stalled, until="No sign of life", dialog=True),
    Scene("failure", failed, until="Attempts", dialog=True),
    Scene("decide-deny", approval, "d", until="eason", dialog=True),
    Scene("decide-context", approval, "c", until="Migrate billing", dialog=True),
    Scene("decide-modify", failed, "m", until="Nightly", dialog=True),
    Scene("decide-modify-arguments", proposed, "m", until="Arguments, as JSON", dialog=True),
    Scene("decide-reassign", failed, "t", until="Nightly", dialog=True),
    Scene("decide-cancel", approval, "X", until="Cancel this task?", dialog=True),
    Scene("undo", approval, "a", until="undoes", dialog=True, undo=5.0),
    Scene("undo-two", two_questions, "a", then="1", until="click undoes", dialog=True, undo=5.0),
    Scene("undo-many", busy, "V p", then="y", until="undoes", undo=5.0),
    Scene("toast", busy, "w", until="comes with TaskHub", typed="All\n"),
    Scene("new-task", empty, "n", until="New task"),
    Scene("new-task-again", done, "d", until="about 3m"),
    Scene("new-task-follow-up", followed, "enter 1", until="It follows"),
    Scene("pick-task", busy, "n ctrl+o", until="Report on oil"),
    Scene("save-view", busy, "w", until="A name"),
    Scene("save-as", done, "enter 3 s", until="Save as"),
    Scene("picture", pictured, "enter 3 j j v", until="▀"),
    Scene("settings", empty, "comma", until="Settings"),
    Scene("settings-below", empty, "comma end", until="takes another key"),
    Scene("settings-key", empty, "comma end enter", until="Press the new key"),
    Scene("phone", empty, "comma p", until="Nothing is written before"),
    Scene("phone-code", with_phone, "comma p", until="Install the app ntfy"),
    Scene("phone-ascii", with_phone, "comma p", until="Add in it by hand", app=(("ascii", True),)),
    Scene("rules", ruled, "Y", until="12 times"),
    Scene("rules-none", busy, "Y", until="There are no rules"),
    Scene("rules-revoke", ruled, "Y j X", until="Revoke this rule?"),
    Scene("decide-always", harmless, "A down", until="tab edits it", dialog=True),
    Scene("decide-always-sure", harmless, "A down down enter", until="Press y", dialog=True),
    Scene("help", busy, "question_mark", until="In the list"),
    Scene("palette", busy, "ctrl+p", until="a command, or a part"),
)
DRAWN = (
    ("tasks", "taskhub"),
    ("approval", "taskhub"),
    ("task-log", "taskhub"),
    ("tasks", "taskhub-light"),
    ("approval", "taskhub-light"),
    ("inbox", "taskhub-light"),
)
"""The scenes that are kept as SVG too, with the theme they are drawn in."""
BY_NAME = {scene.name: scene for scene in SCENES}


async def go(t: User, scene: Scene) -> None:
    """Go to a scene in an app whose hub holds it already."""
    if scene.undo:
        t.app.asker.sender.monotonic = lambda: 0.0
    if scene.dialog:
        await t.waits_for_the_dialog()
    elif scene.put is not empty:
        await t.until(lambda: t.table.here is not None, "a task under the cursor")
        # What may be done with it is known once it was read in full.
        await t.until(lambda: t.app.query_one(Detail).view is not None, "the task beside it")
    await t.press(*scene.keys.split())
    if scene.then:
        await t.waits_for_the_dialog()
        await t.press(*scene.then.split())
    if scene.typed:
        await t.types(scene.typed)
    if scene.until:
        await t.sees(scene.until)
