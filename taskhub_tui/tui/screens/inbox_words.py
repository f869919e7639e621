"""What the inbox says: pure functions from what waits, and from news, to entries."""

from taskhub_tui.domain import durations, waiting
from taskhub_tui.domain.model import NoticeKind, Notification, TaskView
from taskhub_tui.domain.waiting import Need, Together, Waiting, case_of
from taskhub_tui.text import clean, one_line
from taskhub_tui.tui.screens import decision_words
from taskhub_tui.tui.screens.preflight import Row
from taskhub_tui.tui.theme import Glyphs
from taskhub_tui.tui.widgets.entries import Entry, Part

_SHORT = 30
"""Letters of a title beside which something else has to stand."""


def entry_of(one: Waiting, now: float, glyphs: Glyphs) -> Entry:
    """Return the entry of something that waits."""
    look = {Need.FAILED: (glyphs.failed, "failed"), Need.PAUSED: (glyphs.paused, "muted")}
    dot = f" {glyphs.dot} "
    under: list[Part] = []
    if one.risky:
        under += [("high risk", "failed"), (dot, "muted")]
    then = waiting.consequence(one, now)
    # Which task it is comes first; but a long title leaves room for what happens by itself.
    under.append((f"{one.need}{dot}{one_line(one.task.title, _SHORT if then else 200)}", "muted"))
    if then:
        under += [(dot, "muted"), (then, "needs" if one.due is not None else "muted")]
    under.append((f"{dot}{one.task.id}", "muted"))
    return Entry(
        key_of(one),
        ((waiting.line(one, now), "strong"),),
        tuple(under),
        (f"{durations.spell(now - one.since):>5}", "muted"),
        look.get(one.need, (glyphs.needs, "needs strong")),
    )


def key_of(one: Waiting) -> str:
    """Return the name of its entry: the same as long as it is the same question."""
    return "w-" + "-".join(str(part) for part in one.case)


def news_of(one: Notification, now: float, glyphs: Glyphs) -> Entry:
    """Return the entry of a notification."""
    look = {
        NoticeKind.ACKNOWLEDGED: (glyphs.queued, "muted"),
        NoticeKind.PROGRESS: (glyphs.running, "running"),
        NoticeKind.BLOCKER: (glyphs.needs, "needs"),
        NoticeKind.ERROR: (glyphs.failed, "failed"),
        NoticeKind.COMPLETED: (glyphs.done, "done"),
    }[one.kind]
    body = clean(one.body).strip().splitlines()
    answered = one.withdrawn is not None
    words = ["answered"] if answered else []
    words += [one_line(body[0], 300)] if body else []
    words.append(one.task_id)
    quiet = answered or one.read is not None
    return Entry(
        f"n-{one.id}",
        ((one_line(one.title, 300), "muted" if quiet else "strong"),),
        ((f" {glyphs.dot} ".join(words), "muted"),),
        (f"{durations.spell(now - one.created):>5}", "muted"),
        (look[0], "muted") if answered else look,
    )


def row_of(one: Together, view: TaskView | None, now: float) -> Row:
    """Return what a decision for several does to one of them, with all that it is about.

    Args:
        view: the task as it stands; None when it is gone.
    """
    task = one.waiting.task
    if view is None or case_of(view.task, view.blocker) != case_of(task, one.waiting.blocker):
        said = "it is settled, or has changed, since it was marked"
        return Row(task.id, task.title, said, possible=False)
    full = [("", decision_words.asked(view, now).plain)]
    for fact in decision_words.facts(view, now):
        if fact.label != decision_words.RISK:
            text = fact.text.plain
            full.append((fact.label, text) if fact.block else ("", f"{fact.label}: {text}"))
    # What would run stands below, whole.
    said = "is told yes, and this runs" if one.what.startswith("$ ") else one.what
    what = f"high risk: {said}" if one.risky else said
    return Row(task.id, task.title, what, one.possible, full if one.possible else (), one.risky)


def heading(words: str) -> Entry:
    """Return what stands above a part of the list."""
    return Entry(f"h-{words}", ((words, "muted"),), heading=True)
