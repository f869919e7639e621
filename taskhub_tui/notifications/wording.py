"""What a notification says on a channel: one of them, or many told as one."""

from collections import Counter
from collections.abc import Sequence

from taskhub_tui.domain.durations import spell
from taskhub_tui.domain.model import (
    Action,
    Blocker,
    BlockerKind,
    NoticeKind,
    Notification,
    Priority,
    Task,
)
from taskhub_tui.domain.waiting import Waiting, consequence, proposed, question
from taskhub_tui.notifications.message import NEXT, Message
from taskhub_tui.storage.notices import ASKS
from taskhub_tui.storage.outbox import Delivery, Parcel, key_of
from taskhub_tui.text import one_line

_BUTTONS = {
    Action.APPROVE: "Approve",
    Action.DENY: "Deny",
    Action.RETRY: "Retry",
    Action.CANCEL: "Cancel task",
}
"""Decisions that need no words; the others are made in the app."""
_HEAD = {
    NoticeKind.BLOCKER: "Needs you",
    NoticeKind.ERROR: "Failed",
    NoticeKind.COMPLETED: "Done",
    NoticeKind.PROGRESS: "Progress",
    NoticeKind.ACKNOWLEDGED: "Started",
}
_MANY = {
    NoticeKind.BLOCKER: ("1 task needs you", "{} tasks need you"),
    NoticeKind.ERROR: ("1 task failed", "{} tasks failed"),
    NoticeKind.COMPLETED: ("1 task is done", "{} tasks are done"),
    NoticeKind.PROGRESS: ("1 task goes on", "{} tasks go on"),
    NoticeKind.ACKNOWLEDGED: ("1 task was taken in", "{} tasks were taken in"),
}
ASKED = 1600
"""Bytes of what is asked: no channel that is answered cuts off what is no longer than this."""
_LISTED = 10
"""Most tasks that one message names."""


def message(
    note: Notification,
    task: Task,
    now: float,
    key: str = "",
    *,
    blocker: Blocker | None = None,
    suggested: Sequence[str] = (),
    hushed: bool = False,
) -> Message:
    """Return what a channel shows of a notification.

    Args:
        blocker: the question that it tells of.
        suggested: what could be done next, by title.
        hushed: it makes no sound, unless the task is critical.
    """
    asks = note.kind in ASKS
    whole = True
    if blocker is not None:
        asked, whole = _asked(blocker, task, now)
        lines = [asked]
        if blocker.risk == "high":
            lines.append("High risk: this may not be undone.")
        if blocker.choices:
            lines.append("Answers: " + " / ".join(one_line(c.label, 40) for c in blocker.choices))
        if unanswered := consequence(Waiting(task, blocker), now):
            lines.append(f"{unanswered[:1].upper()}{unanswered[1:]}.")
    else:
        lines = [_cut(note.body, 600)]
    if note.kind is NoticeKind.COMPLETED:
        lines += _came_of(task, suggested)
    place = f"{task.stage + 1}/{task.stages} {task.stage_name}" if task.stage_name else ""
    lines.append(" · ".join(part for part in (place, f"task {task.id}", _age(note, now)) if part))
    lines.append(f"See more: taskhub show {task.id}")
    buttons = tuple(
        (action.value, _BUTTONS[action]) for action in note.actions if action in _BUTTONS
    )
    return Message(
        key or key_of(note.id),
        f"{_HEAD[note.kind]}: {task.title}",
        "\n".join(line for line in lines if line),
        buttons,
        urgent=asks and task.priority > 0,
        offers=tuple(
            (f"{NEXT}{number}", one_line(title, 40)) for number, title in enumerate(suggested, 1)
        ),
        reply=Action.PROVIDE_CONTEXT in note.actions and note.kind is NoticeKind.BLOCKER,
        words=blocker is not None and blocker.kind is BlockerKind.INPUT,
        thread=task.id,
        quiet=hushed and task.priority < Priority.CRITICAL,
        about=note.id,
        needs=asks,
        whole=whole,
    )


def _asked(blocker: Blocker, task: Task, now: float) -> tuple[str, bool]:
    """Return the question with all that is proposed, and whether that fits."""
    lines = [question(blocker, task, now)]
    for name, value in proposed(blocker):
        lines.append(f"{name}:\n{value}" if "\n" in value else f"{name}: {value}")
    said = "\n".join(lines)
    if len(said.encode()) <= ASKED:
        return said, True
    return (
        f"{_cut(said, ASKED)}\nThis is not all of it: look at the rest before you approve.",
        False,
    )


def _came_of(task: Task, suggested: Sequence[str]) -> list[str]:
    lines = [f"Result: {task.result}"] if task.result else []
    if suggested:
        lines.append("Next, if you like: " + "; ".join(one_line(one, 80) for one in suggested[:3]))
    return lines


def _cut(text: str, limit: int) -> str:
    """Return text of at most so many bytes."""
    data = text.encode()
    return text if len(data) <= limit else data[: limit - 3].decode(errors="ignore") + "…"


def parcel(what: Parcel, now: float, *, hushed: bool = False) -> Message:
    """Return the message that tells of one delivery, or of many at once."""
    first = what.deliveries[0]
    told = _by_task(what.deliveries)
    if len(told) == 1:
        return message(
            first.notification,
            first.task,
            now,
            what.key,
            blocker=first.blocker,
            suggested=first.suggested,
            hushed=hushed,
        )
    counts = Counter(one.notification.kind for one in told)
    title = ", ".join(
        _MANY[kind][counts[kind] > 1].format(counts[kind]) for kind in NoticeKind if counts[kind]
    )
    lines = [_line(one, now) for one in told[:_LISTED]]
    if len(told) > _LISTED:
        lines.append(f"… and {len(told) - _LISTED} more")
    asking = [one for one in told if one.notification.kind in ASKS]
    lines.append("See more: taskhub inbox" if asking else "See more: taskhub list")
    return Message(
        what.key,
        title[:1].upper() + title[1:],
        "\n".join(lines),
        urgent=any(one.task.priority > 0 for one in asking),
        quiet=hushed and all(one.task.priority < Priority.CRITICAL for one in told),
        needs=bool(asking),
    )


def _by_task(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Return one for each notification: its first and second time may be told together."""
    return list({one.notification.id: one for one in deliveries}.values())


def _line(one: Delivery, now: float) -> str:
    words = one_line(one.notification.body, 80)
    facts = " · ".join(part for part in (one.task.id, _age(one.notification, now)) if part)
    head = f"{_HEAD[one.notification.kind]}: {one_line(one.task.title, 60)} ({facts})"
    return f"{head}: {words}" if words else head


def _age(note: Notification, now: float) -> str:
    waited = now - note.created
    return f"since {spell(waited)}" if waited >= 60 else ""
